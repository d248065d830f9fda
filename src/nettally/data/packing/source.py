"""What is packed: photographs, each somewhere in a file, or arrays of images that are small."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Photo(NamedTuple):
    """An image file, or a part of a tar. key: what it is called in the source, with ``/``.

    file: where it lies. offset, size: in bytes, which part of the file it is.
    """

    key: str
    label: int
    file: str
    offset: int
    size: int


class Photos(NamedTuple):
    """Photographs by split, in the order in which they are packed.

    root: where they come from. skipped: how many files were left out, by how their names end.
    notes: for the user.
    """

    root: str
    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Photo]]
    skipped: Mapping[str, int]
    notes: tuple[str, ...] = ()


class Arrays(NamedTuple):
    """Images of one size. splits: what reads a split, (uint8 (n, h, w, c), int64 (n,)).

    counts: how many images each has. digest: of all the files.
    """

    root: str
    name: str
    classes: tuple[str, ...]
    height: int
    width: int
    channels: int
    splits: Mapping[str, Callable[[], tuple[Image, Labels]]]
    counts: Mapping[str, int]
    digest: str
    mirror: bool
    notes: tuple[str, ...] = ()


Image = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def photos_digest(photos: Photos, options: Mapping[str, Any]) -> str:
    """What tells one packing from another: names, sizes, labels, order and options."""
    digest = hashlib.sha256(json.dumps([options, photos.classes], sort_keys=True).encode())
    for name, items in photos.splits.items():
        digest.update(f"\n{name}\n".encode())
        for item in items:
            line = f"{item.label} {item.size} {item.key}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def arrays_digest(arrays: Arrays, options: Mapping[str, Any]) -> str:
    """The same of arrays: the bytes of their files, and the options."""
    return hashlib.sha256(
        json.dumps([options, arrays.classes, arrays.digest], sort_keys=True).encode()
    ).hexdigest()


def shuffled(photos: Sequence[Photo]) -> list[Photo]:
    """In the order of a digest of their names: the same on every machine, and well mixed."""
    return sorted(photos, key=lambda photo: (scatter(photo.key), photo.key))


def scatter(key: str) -> int:
    """A name as a number from 0 to 2^64 - 1, evenly."""
    data = key.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def hold_out(photos: Sequence[Photo], fraction: float) -> tuple[list[Photo], list[Photo]]:
    """Split by a digest of the names: adding images moves none from one side to the other."""
    kept: list[Photo] = []
    held_out: list[Photo] = []
    for photo in photos:
        # salted, or what is held out would be the beginning of the shuffled order
        (held_out if scatter(f"hold out {photo.key}") < fraction * 2**64 else kept).append(photo)
    return kept, held_out


def named(classes: Sequence[str], count: int, where: str) -> tuple[str, ...]:
    """Names for ``count`` classes: those given, else their numbers."""
    if not classes:
        return tuple(str(i) for i in range(count))
    if len(classes) < count:
        raise ReadError(
            "there are more classes than names",
            where=where,
            values=f"{len(classes):,} names, {count:,} classes",
            hint="one name a line, in the order of the labels",
        )
    return tuple(classes)
