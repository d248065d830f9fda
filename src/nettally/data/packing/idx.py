"""idx files, as MNIST, Fashion-MNIST and EMNIST are distributed, gzipped or not.

Two zero bytes, the kind of number (8: unsigned bytes), how many sizes, the sizes as 4 bytes each,
the largest end first, then the numbers (http://yann.lecun.com/exdb/mnist, "the IDX file format").
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import ReadError
from ...files import plain_only
from .source import Arrays, named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .source import Image, Labels

_NAME = re.compile(r"(.*?)[-_.]?(images|labels)[-_.]idx([13])[-_.]ubyte(\.gz)?\Z", re.IGNORECASE)

MAX_BYTES = 8 * 2**30
"""How long an unpacked file may be."""

FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
"""Of Fashion-MNIST's README. Its files are called as MNIST's are: the folder's name tells."""


class _Pair(NamedTuple):
    images: str
    labels: str


def is_idx(names: Sequence[str]) -> bool:
    """Whether files of these names are idx files of images."""
    return any((match := _NAME.match(each)) and match[2].lower() == "images" for each in names)


def read_idx(root: str, name: str, classes: Sequence[str]) -> Arrays:
    """The idx files of a folder: train-images… and train-labels…, and t10k-… or test-…."""
    pairs = _pairs(root)
    fashion = "fashion" in name.lower()
    if fashion and not classes:
        classes = FASHION
    digest = hashlib.sha256()
    sizes: dict[str, tuple[int, ...]] = {}
    counts: dict[str, int] = {}
    highest = 0
    for split, pair in pairs.items():
        shape = _shape(root, pair.images)
        if len(shape) != 3 or 0 in shape:
            raise ReadError(
                "images in an idx file are a row of rows of columns",
                where=os.path.join(root, pair.images),
                values=f"sizes {'x'.join(map(str, shape))}",
            )
        labels = _labels(root, pair.labels)
        if len(labels) != shape[0]:
            raise ReadError(
                "not every image has a label",
                where=os.path.join(root, pair.labels),
                values=f"{shape[0]:,} images, {len(labels):,} labels",
            )
        highest = max(highest, int(labels.max()))
        sizes[split], counts[split] = shape[1:], shape[0]
        for each in pair:
            with open(os.path.join(root, each), "rb", opener=plain_only) as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    if len(set(sizes.values())) > 1:
        raise ReadError(
            "the splits' images differ in size",
            where=root,
            values=", ".join(f"{k} {v[0]}x{v[1]}" for k, v in sizes.items()),
        )
    height, width = sizes["train"]
    return Arrays(
        root,
        name,
        named(classes, highest + 1, root),
        height,
        width,
        1,
        {split: _reading(root, pair) for split, pair in pairs.items()},
        counts,
        digest.hexdigest(),
        fashion,  # a mirrored shoe is one, a mirrored 3 is not
    )


def _pairs(root: str) -> dict[str, _Pair]:
    files: dict[tuple[str, str], str] = {}
    for each in sorted(os.listdir(root)):
        match = _NAME.match(each)
        if match is None:
            continue
        begin = match[1].lower()
        if begin.endswith("train"):
            split = "train"
        elif begin.endswith(("t10k", "test")):
            split = "test"
        elif begin.endswith(("val", "valid", "validation")):
            split = "validation"
        else:
            continue
        key = split, match[2].lower()
        other = files.get(key)
        # x-ubyte and x-ubyte.gz may lie side by side: the unpacked one is read
        if other is not None and not (other.endswith(".gz") or each.endswith(".gz")):
            raise ReadError(
                "two files are the same part of the data", where=root, values=f"{other}, {each}"
            )
        if other is None or other.endswith(".gz"):
            files[key] = each
    splits = dict.fromkeys(split for split, _ in files)
    for split in splits:
        for kind in ("images", "labels"):
            if (split, kind) not in files:
                raise ReadError(
                    f"the {kind} of the {split} split are not there",
                    where=root,
                    values=", ".join(files.values()),
                )
    if "train" not in splits:
        raise ReadError(
            "there are no images to learn from",
            where=root,
            values=", ".join(files.values()) or "no split is told by the files' names",
            hint="train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz",
        )
    ordered = [each for each in ("train", "validation", "test") if each in splits]
    return {each: _Pair(files[each, "images"], files[each, "labels"]) for each in ordered}


def _open(path: str) -> Any:
    try:
        with open(path, "rb", opener=plain_only) as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else open(path, "rb", opener=plain_only)
    except OSError as error:
        raise ReadError(f"can't open the file: {error.strerror}", where=path) from None


def _shape(root: str, name: str) -> tuple[int, ...]:
    return _read(os.path.join(root, name), numbers=False)[0]


def _labels(root: str, name: str) -> Image:
    path = os.path.join(root, name)
    shape, data = _read(path)
    if len(shape) != 1 or not shape[0]:
        raise ReadError(
            "labels in an idx file are one row",
            where=path,
            values=f"sizes {'x'.join(map(str, shape))}",
        )
    return data


def _read(path: str, numbers: bool = True) -> tuple[tuple[int, ...], Image]:
    """The sizes and the numbers of an idx file of unsigned bytes. Raises ReadError."""
    try:
        with _open(path) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != 8 or not 1 <= head[3] <= 4:
                raise ReadError(
                    "this is no idx file of unsigned bytes",
                    where=path,
                    values=f"it begins with {head.hex(' ')}",
                    hint="00 00 08 03 for images, 00 00 08 01 for labels",
                )
            sizes = file.read(4 * head[3])
            shape = tuple(
                int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4)
            )
            total = 1
            for each in shape:
                total *= each
            if len(shape) < head[3] or total > MAX_BYTES:
                raise ReadError(
                    "the idx file's sizes cannot be",
                    where=path,
                    values="x".join(map(str, shape)) or "none",
                )
            if not numbers:
                return shape, np.empty(0, np.uint8)
            # a few bytes can tell of gigabytes: only what is there is taken
            data = bytearray()
            while len(data) <= total:
                piece = file.read(min(2**24, total + 1 - len(data)))
                if not piece:
                    break
                data += piece
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(
            "the file is cut off or damaged", where=path, values=str(error)[:100]
        ) from None
    if len(data) != total:
        raise ReadError(
            "the idx file is not as long as its sizes tell",
            where=path,
            values=f"{'more than ' * (len(data) > total)}{min(len(data), total):,} bytes, "
            f"{total:,} expected",
            hint="it is cut off or damaged; fetch it again",
        )
    return shape, np.frombuffer(data, np.uint8)


def _reading(root: str, pair: _Pair) -> Callable[[], tuple[Image, Labels]]:
    def read() -> tuple[Image, Labels]:
        shape, data = _read(os.path.join(root, pair.images))
        return data.reshape(*shape, 1), _labels(root, pair.labels).astype(np.int64)

    return read
