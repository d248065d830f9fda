"""Images and packed folders for the tests of data: made here, nothing is fetched."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from nettally.data.packing.pack import Options, pack
from nettally.data.packing.source import Arrays


def picture(seed: int, width: int = 40, height: int = 30, mode: str = "RGB") -> Image.Image:
    """A picture with some structure, so that its JPEG is near it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    made = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return made.convert(mode)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The picture as a file of that format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def folder(root: Path, train: int = 10, val: int = 4, classes: int = 2, side: int = 30) -> Path:
    """train/CLASS/x.jpg and val/CLASS/x.jpg, so many of each class."""
    for s, (split, count) in enumerate((("train", train), ("val", val))):
        for c in range(classes):
            inside = root / split / f"class{c}"
            inside.mkdir(parents=True)
            for i in range(count):
                seed = (s * classes + c) * 10_000 + i
                (inside / f"{i:04d}.jpg").write_bytes(encoded(picture(seed, side + 10, side)))
    return root


def arrays(seed: int = 0, train: int = 20, test: int = 7, shape=(5, 4, 3), classes: int = 3):
    """Made-up images by split, as the readers of arrays give them, and the images themselves."""
    rng = np.random.default_rng(seed)
    held = {
        name: (
            rng.integers(0, 256, (count, *shape), dtype=np.uint8),
            rng.integers(0, classes, count),
        )
        for name, count in (("train", train), ("test", test))
        if count
    }
    source = Arrays(
        "/nowhere",
        "made up",
        tuple(f"class {i}" for i in range(classes)),
        *shape,
        {name: (lambda each=each: each) for name, each in held.items()},
        {name: len(each[0]) for name, each in held.items()},
        str(seed),
        False,
    )
    return source, held


def packed(out: Path, shard: int = 8, **kinds: object):
    """A packed folder of made-up images, and the images by split."""
    source, held = arrays(**kinds)
    pack(source, str(out), Options(shard=shard))
    return held
