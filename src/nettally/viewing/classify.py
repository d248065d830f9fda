"""A run on images: what it takes them for, and what its layers compute of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..data.packed import Loader
from ..data.packing.image import MAX_FILE, Broken, Square, decode, need_pillow
from ..errors import NettallyError, ReadError, closest
from ..files import plain_only
from ..training.evaluate import last_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..building.build import Built
    from ..data.packed import Split
    from ..training.run import Run

BATCH = 64
"""Images at a time."""


class Guess(NamedTuple):
    """A class by its place and name, and how likely the network holds it to be."""

    place: int
    name: str
    chance: float


class Answer(NamedTuple):
    """What is said of an image file: the likeliest classes first; or why it can't be read."""

    path: str
    guesses: tuple[Guess, ...]
    broken: str = ""


# --- images ---------------------------------------------------------------------------------------


def square_of(run: Run) -> Square:
    """How image files are made into images of the size that the run's data had.

    As they were packed, where the data is still there; else as packing does without options.
    """
    height, width = data_size(run)
    if height != width:
        raise NettallyError(
            "the run's images are not square, so it is not known how a file is cut to them",
            where=run.path,
            values=f"{height}x{width}",
        )
    grey = run.channels == 1
    packed = _packed(run)
    resample = packed.get("resample")
    if not isinstance(resample, str) or resample not in ("area", "bilinear", "bicubic", "lanczos"):
        resample = "area"
    return Square(height, resample, grey, packed.get("upright") is True)


def data_size(run: Run) -> tuple[int, int]:
    """Height and width of the images that the run was trained on, before they were cropped."""
    from ..training.run import INPUTS, means_of

    height, width = means_of(os.path.join(run.path, INPUTS))["mean"].shape[:2]
    return int(height), int(width)


def _packed(run: Run) -> dict[str, Any]:
    from ..data.packing.manifest import read_manifest

    try:
        return read_manifest(run.data, look=False).packed
    except (NettallyError, OSError):
        return {}


def image_of(path: str, square: Square) -> Tensor:
    """An image file: uint8 (side, side, channels). Raises ReadError, saying why."""
    need_pillow()
    try:
        with open(path, "rb", opener=plain_only) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                raise ReadError("the image file is too long", where=path, values=f"{size:,} bytes")
            return torch.from_numpy(decode(file, square).copy())
    except Broken as broken:
        raise ReadError(f"the image can't be read: {broken}", where=path) from None
    except OSError as error:
        raise ReadError(f"can't open the image: {error.strerror}", where=path) from None


def images_of(paths: Sequence[str], square: Square) -> Iterator[tuple[str, Tensor | str]]:
    """Each file with its image; or with why there is none. Raises ReadError without Pillow."""
    need_pillow()
    for path in paths:
        try:
            yield path, image_of(path, square)
        except ReadError as error:
            yield path, error.what


# --- classes --------------------------------------------------------------------------------------


@torch.no_grad()
def probabilities_of(run: Run, module: Built, images: Tensor, views: int = 1) -> Tensor:
    """How likely each class is: (n, outputs), each row sums to 1.

    module: gives scores before the softmax. images: uint8 (n, height, width, channels). views: the
    middle, or ten crops whose softmax is averaged (the paper's section 4.1).
    """
    images = images.to(_device(module))
    if views == 1:
        return last_of(module(run.centre(images))).float().softmax(1).cpu()
    probabilities: list[Tensor] = []
    for part in images.split(max(1, BATCH // 10)):
        crops = run.ten(part).flatten(0, 1)
        probabilities.append(
            last_of(module(crops)).float().softmax(1).unflatten(0, (-1, 10)).mean(1)
        )
    return torch.cat(probabilities).cpu()


def guesses_of(run: Run, probabilities: Tensor, top: int = 5) -> tuple[Guess, ...]:
    """The likeliest classes of one image, the first of equals first."""
    ranked = probabilities.sort(descending=True, stable=True)
    return tuple(
        [
            Guess(int(place), class_name(run, int(place)), float(probability))
            for place, probability in zip(ranked.indices[:top], ranked.values[:top], strict=True)
        ]
    )


def class_name(run: Run, place: int) -> str:
    """A class' name; of an output that has none, its place."""
    return run.classes[place] if place < len(run.classes) else f"output {place}"


def classify(
    run: Run,
    paths: Sequence[str],
    *,
    top: int = 5,
    views: int = 1,
    which: str = "best",
    device: torch.device | str = "cpu",
) -> Iterator[Answer]:
    """What a run takes image files for, in order. One that can't be read is answered so."""
    square = square_of(run)
    module = run.module(which, scores=True).to(device)
    waiting: list[tuple[str, Tensor | str]] = []

    def answers() -> Iterator[Answer]:
        good = [image for _, image in waiting if isinstance(image, Tensor)]
        rows = iter(probabilities_of(run, module, torch.stack(good), views) if good else [])
        for path, image in waiting:
            if isinstance(image, str):
                yield Answer(path, (), image)
            else:
                yield Answer(path, guesses_of(run, next(rows), top))
        waiting.clear()

    for each in images_of(paths, square):
        waiting.append(each)
        if len(waiting) == BATCH:
            yield from answers()
    yield from answers()


# --- features -------------------------------------------------------------------------------------


def check_layer(run: Run, layer: str) -> None:
    """Raise NettallyError where the network has no layer of this name."""
    names = [node.name for node in run.network.nodes]
    if layer not in names:
        raise NettallyError(
            f"{run.network.name} has no layer '{layer}'",
            where=run.path,
            hint=closest(layer, names),
        )


def _device(module: Built) -> torch.device:
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@torch.no_grad()
def features_of(run: Run, module: Built, layer: str, images: Tensor) -> Tensor:
    """What a layer gives for the middles of images, float32 (n, …)."""
    x = run.centre(images.to(_device(module)))
    return module.values(x, of=[layer])[layer].float().cpu()


def feature_batches(
    run: Run,
    layer: str,
    images: Iterator[Tensor] | Split,
    which: str = "best",
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """What a layer gives, batch by batch, for a split's images in order, or for batches of them."""
    check_layer(run, layer)
    module = run.module(which).to(device)
    if hasattr(images, "labels"):
        split: Any = images
        for batch, _ in Loader(split, torch.arange(len(split)), BATCH, device=device):
            yield features_of(run, module, layer, batch)
    else:
        for batch in images:  # pyright: ignore[reportGeneralTypeIssues] - no split, as just asked
            yield features_of(run, module, layer, batch)


def file_batches(
    run: Run, paths: Sequence[str], broken: Callable[[str, str], None]
) -> Iterator[Tensor]:
    """Image files in batches, in order. broken: is told of each that can't be read, and why."""
    waiting: list[Tensor] = []
    for path, image in images_of(paths, square_of(run)):
        if isinstance(image, str):
            broken(path, image)
            continue
        waiting.append(image)
        if len(waiting) == BATCH:
            yield torch.stack(waiting)
            waiting.clear()
    if waiting:
        yield torch.stack(waiting)


def save_labels(path: str, split: Split) -> None:
    """The classes of a split's images as a .npy file of int64. Raises NettallyError."""
    import numpy as np

    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            np.save(file, split.labels.numpy().astype("<i8"), allow_pickle=False)
        os.replace(beside, path)
    except OSError as error:
        raise NettallyError(f"can't write the labels: {error.strerror}", where=path) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


HEADER = 256
"""Bytes before the values of a .npy file: room for any shape, a multiple of 64."""


def save_features(path: str, batches: Iterator[Tensor]) -> tuple[int, ...]:
    """Write batches as a .npy file of float32, (n, …), as they come; its shape.

    The file is there whole or not at all, and no more than a batch is held in memory. Raises
    NettallyError where it can't be written, and where there is no batch.
    """
    beside = f"{path}.{os.getpid()}.part"
    shape: tuple[int, ...] = ()
    try:
        with open(beside, "wb") as file:
            file.write(bytes(HEADER))
            for batch in batches:
                shape = ((shape[0] if shape else 0) + len(batch), *batch.shape[1:])
                file.write(batch.contiguous().cpu().numpy().astype("<f4", copy=False).data)
            if not shape:
                raise NettallyError("there is no image to take features of", where=path)
            file.seek(0)
            file.write(_header(shape))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise NettallyError(f"can't write the features: {error.strerror}", where=path) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    return shape


def _header(shape: tuple[int, ...]) -> bytes:
    """NumPy's format 1.0: magic, version, length, a dictionary padded with blanks."""
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}"
    room = HEADER - 10
    return (
        b"\x93NUMPY\x01\x00"
        + room.to_bytes(2, "little")
        + description.ljust(room - 1).encode()
        + b"\n"
    )
