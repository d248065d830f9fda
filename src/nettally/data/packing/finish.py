"""The last step of a packing: labels, mean and covariance out of the shards' records; the manifest.

The manifest is written last: a folder that has one is finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ReadError
from .manifest import MANIFEST, MAX_TEXT, SPLITS, VERSION, Manifest, read_manifest
from .shard import Plan, Record, read_record, read_sums, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .source import Arrays, Photos

STATE = "packing.json"
MEAN = "mean.f32"

_SHARD = r"(?:train|validation|test)-\d{5,}\.u8"
_LEFT = re.compile(rf"(?:{_SHARD}(?:\.json|\.sum)|packing\.json)\Z")
_PARTS = re.compile(r"[a-z0-9.-]+\.\d+\.part\Z")
_MADE = re.compile(rf"(?:{_SHARD}|(?:train|validation|test)-labels\.i64|mean\.f32)\Z")


def finish(
    source: Photos | Arrays, out: str, plans: Sequence[tuple[str, Plan]], facts: Mapping[str, Any]
) -> Manifest:
    """Write what belongs to all shards together. Raises OSError, and ReadError without an image."""
    by_split = _records(source, out, plans)
    broken = _broken(by_split)
    learnt = by_split["train"]
    count = sum(record.images for _, record in learnt)
    if not count:
        raise ReadError(
            "not one image to learn from could be read",
            where=source.root,
            values="; ".join(f"{each['path']}: {each['why']}" for each in broken[:3])
            or "the train split is empty",
        )
    height, width, channels = shape = learnt[0][0].shape
    splits: dict[str, Any] = {}
    for split in SPLITS:
        if split in by_split:
            splits[split] = _split(out, split, [record for _, record in by_split[split]])
    mean = _mean_image(learnt, shape, count)
    write_file(os.path.join(out, MEAN), lambda file: file.write(mean))
    text = json.dumps(
        {
            "nettally_data": VERSION,
            "name": facts["name"],
            "height": height,
            "width": width,
            "channels": channels,
            "classes": [printable(each)[:MAX_TEXT] for each in source.classes],
            "mirror": facts["mirror"],
            "splits": splits,
            "mean": {"file": MEAN, "sha256": hashlib.sha256(mean).hexdigest()},
            "rgb": moments([record for _, record in learnt], count * height * width),
            "broken": broken,
            "packed": {k: v for k, v in facts.items() if k not in ("name", "mirror")},
        },
        indent=1,
    )
    write_file(os.path.join(out, MANIFEST), lambda file: file.write(f"{text}\n".encode()))
    tidy(out)
    return read_manifest(out)


def _records(
    source: Photos | Arrays, out: str, plans: Sequence[tuple[str, Plan]]
) -> dict[str, list[tuple[Plan, Record]]]:
    """The records of the shards, by split. Raises ReadError where one is gone."""
    by_split: dict[str, list[tuple[Plan, Record]]] = {each: [] for each in source.splits}
    for split, plan in plans:
        record = read_record(plan)
        if record is None:
            raise ReadError(
                "a shard is gone that was packed just now",
                where=os.path.join(out, plan.name),
                hint="give the same command again: it is packed anew",
            )
        by_split[split].append((plan, record))
    return by_split


def _broken(by_split: Mapping[str, Sequence[tuple[Plan, Record]]]) -> list[dict[str, str]]:
    """The images that could not be read, split by split, in the order of their names."""
    return [
        {"path": printable(key)[-MAX_TEXT:], "why": why}
        for split in SPLITS
        for key, why in sorted(
            (key, why) for _, record in by_split.get(split, ()) for key, why in record.broken
        )
    ]


def _mean_image(learnt: Sequence[tuple[Plan, Record]], shape: tuple[int, ...], count: int) -> bytes:
    """The mean of ``count`` images of this shape, float32, out of the shards' sums."""
    total = np.zeros(shape, np.uint64)
    for plan, record in learnt:
        if record.images:
            total += read_sums(plan)
    return (total / np.float64(count)).astype("<f4").tobytes()


def _split(out: str, split: str, records: Sequence[Record]) -> dict[str, Any]:
    """A split's labels written, and what the manifest says of it."""
    labels = np.asarray([each for record in records for each in record.labels], "<i8").tobytes()
    name = f"{split}-labels.i64"
    write_file(os.path.join(out, name), lambda file: file.write(labels))
    return {
        "images": sum(record.images for record in records),
        "shards": [
            {"file": record.file, "images": record.images, "sha256": record.sha256}
            for record in records
        ],
        "labels": {"file": name, "sha256": hashlib.sha256(labels).hexdigest()},
    }


def moments(records: Iterable[Record], pixels: int) -> dict[str, Any]:
    """The mean and the covariance of a pixel, out of exact sums; divided by the number of pixels.

    cov(a, b) = (n Σab − Σa Σb) / n², in whole numbers up to the division.
    """
    records = list(records)
    channels = len(records[0].sums)
    sums = [sum(each.sums[i] for each in records) for i in range(channels)]
    products = [
        [sum(each.products[i][j] for each in records) for j in range(channels)]
        for i in range(channels)
    ]
    return {
        "mean": [each / pixels for each in sums],
        "covariance": [
            [(pixels * products[i][j] - sums[i] * sums[j]) / pixels**2 for j in range(channels)]
            for i in range(channels)
        ],
        "pixels": pixels,
    }


def tidy(folder: str, *, unfinished: bool = True, everything: bool = False) -> None:
    """Remove what a packing leaves behind, by the names that it gives, and nothing else.

    unfinished: also what it needs to go on. everything: also what it made.
    """
    if everything:  # the manifest first: without it the rest is nothing
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, MANIFEST))
    for name in sorted(os.listdir(folder)):
        if (
            cut_off(name)
            or (unfinished and _LEFT.match(name))
            or (everything and _MADE.match(name))
        ):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def cut_off(name: str) -> bool:
    """Whether a file of this name is one that was being written when a packing was killed."""
    return _PARTS.match(name) is not None


def printable(text: str) -> str:
    r"""A file's name as text; bytes of it that are no UTF-8 are written as \xff."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
