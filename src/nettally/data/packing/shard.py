"""One shard: images one after the other, and a record of what is in it.

A shard is there when its record is. Each file is written beside its place, flushed to the disk and
then moved, the record last; so whatever was going on when a packing was killed, it goes on after
the last shard that has a record.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...files import plain_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from .source import Image

PART = ".part"
"""How a file ends that is being written."""


class Plan(NamedTuple):
    """Where a shard goes. name: of its file. sums: whether the mean is computed of it.

    planned: how many images it is made of, broken ones among them.
    """

    folder: str
    name: str
    shape: tuple[int, int, int]
    sums: bool
    planned: int


class Record(NamedTuple):
    """What is in a shard. labels, broken: of the images that are in it, and of those that aren't.

    sums, products: of all its pixels' channels, and of each two of them, exact.
    """

    file: str
    images: int
    sha256: str
    labels: list[int]
    broken: list[list[str]]
    sums: list[int]
    products: list[list[int]]


class Failed(NamedTuple):
    """Why a shard was not written; an error's number (0 where it has none) and its text."""

    number: int
    said: str
    where: str


Entry = tuple["Image | None", int, str, str]
"""An image, None where it is broken; its label; what it is called; why it is broken."""


def write_shard(plan: Plan, entries: Iterable[Entry]) -> Record:
    """Write a shard and its record. Raises OSError; then nothing of it is left behind."""
    total = np.zeros(plan.shape, np.uint32)  # 2^32 / 255: up to 16 million images
    channels = plan.shape[2]
    sums = np.zeros(channels, np.int64)
    products = np.zeros((channels, channels), np.float64)
    labels: list[int] = []
    broken: list[list[str]] = []
    digest = hashlib.sha256()

    def write(file: BinaryIO) -> None:
        for image, label, key, why in entries:
            if image is None:
                broken.append([key, why])
                continue
            data = np.ascontiguousarray(image)
            raw = data.reshape(-1).data
            file.write(raw)
            digest.update(raw)
            labels.append(label)
            if plan.sums:
                np.add(total, data, out=total)
                # whole numbers below 2^53 throughout, so that these floats are exact
                flat = data.reshape(-1, channels).astype(np.float64)
                np.add(products, flat.T @ flat, out=products)

    path = os.path.join(plan.folder, plan.name)
    write_file(path, write)
    if plan.sums:
        sums = total.reshape(-1, channels).sum(0, dtype=np.int64)
        write_file(sums_path(path), lambda file: file.write(total.astype("<u4").tobytes()))
    record = Record(
        plan.name,
        len(labels),
        digest.hexdigest(),
        labels,
        broken,
        [int(each) for each in sums],
        [[int(each) for each in row] for row in products],
    )
    text = json.dumps(record._asdict(), separators=(",", ":")).encode()
    write_file(record_path(path), lambda file: file.write(text))
    return record


def read_record(plan: Plan) -> Record | None:
    """The record of a shard that is complete; None where it is not, or is not as it should be."""
    path = os.path.join(plan.folder, plan.name)
    try:
        with open(record_path(path), "rb", opener=plain_only) as file:
            fields = json.load(file)
        record = Record(**fields)
        bytes_each = int(np.prod(plan.shape))
        if record.file != plan.name or len(record.labels) != record.images:
            return None
        if record.images + len(record.broken) != plan.planned:
            return None
        if os.path.getsize(path) != record.images * bytes_each:
            return None
        if plan.sums and os.path.getsize(sums_path(path)) != bytes_each * 4:
            return None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return record


def read_sums(plan: Plan) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The sum of the shard's images."""
    path = sums_path(os.path.join(plan.folder, plan.name))
    return np.fromfile(path, "<u4").reshape(plan.shape)


def record_path(path: str) -> str:
    """Where the record of a shard lies until all are packed."""
    return f"{path}.json"


def sums_path(path: str) -> str:
    """Where the sum of its images lies until all are packed."""
    return f"{path}.sum"


def write_file(path: str, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file that is there whole or not at all, also after a power cut. Raises OSError."""
    beside = f"{path}.{os.getpid()}{PART}"
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
    flush_folder(os.path.dirname(path))


def flush_folder(folder: str) -> None:
    """See to it that a file that was moved there is found there after a power cut."""
    with suppress(OSError, AttributeError):  # a system that cannot open folders
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def array_entries(images: Image, labels: Iterable[int]) -> Iterator[Entry]:
    """Images that are at hand."""
    for image, label in zip(images, labels, strict=True):
        yield image, int(label), "", ""
