"""Packed data: opened, memory-mapped, and read ahead batch by batch.

``nettally data pack`` makes the folder (data/packing); docs/data.md describes its files.
"""

from __future__ import annotations

import hashlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import ReadError
from ..extras import to_install
from ..record import Record
from .loader import Loader
from .packing.manifest import read_manifest
from .split import Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .packing.manifest import Manifest, Part

__all__ = ["DIGITS", "Loader", "Packed", "Split", "open_packed"]

DIGITS = "digits"


class Packed(Record):
    """Packed images. The mean and the covariance are of the train split, in 0..255.

    mean: float32 (height, width, channels). rgb_mean: float64 (channels,). covariance: float64
    (channels, channels), of a pixel. mirror: whether a mirrored image is one of its class.
    identity: a short digest of all that was packed; a run remembers what it learnt from.
    """

    path: str
    name: str
    height: int
    width: int
    channels: int
    classes: tuple[str, ...]
    mirror: bool
    mean: Tensor
    rgb_mean: Tensor
    covariance: Tensor
    splits: Mapping[str, Split]
    identity: str

    @property
    def held_out(self) -> Split | None:
        """What is not learnt from: the validation split, else the test split."""
        return self.splits.get("validation") or self.splits.get("test")

    def __repr__(self) -> str:
        splits = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        size = f"{self.height}x{self.width}x{self.channels}"
        return f"Packed({self.name!r}, {size}, {len(self.classes):,} classes, {splits})"


def open_packed(path: str) -> Packed:
    """Open a folder of packed data, or scikit-learn's digits by the name ``digits``.

    The files are mapped, and their lengths looked at; their checksums are ``nettally data
    verify``'s. Raises ReadError for what is no packed folder, or is not as its manifest says.
    """
    if path == DIGITS and not os.path.isdir(path):
        return _digits()
    manifest = read_manifest(path)
    shape = (manifest.height, manifest.width, manifest.channels)
    splits = {
        name: _split(manifest, name, part)
        for name, part in manifest.splits.items()
        if part.images or name == "train"
    }
    where = manifest.path(manifest.mean)
    mean = torch.from_numpy(np.fromfile(where, "<f4").astype(np.float32)).view(shape)
    if not bool(((mean >= 0) & (mean <= 255)).all()):  # which NaN is not either
        raise ReadError(
            "the mean image is not one",
            where=where,
            values="numbers outside of 0..255",
            hint="nettally data verify tells whether the file was changed",
        )
    return Packed(
        path,
        manifest.name,
        *shape,
        manifest.classes,
        manifest.mirror,
        mean,
        torch.tensor(manifest.rgb_mean, dtype=torch.float64),
        torch.tensor(manifest.covariance, dtype=torch.float64),
        MappingProxyType(splits),
        manifest.identity,
    )


def _split(manifest: Manifest, name: str, part: Part) -> Split:
    where = manifest.path(part.labels)
    labels = torch.from_numpy(np.fromfile(where, "<i8").astype(np.int64))
    classes = len(manifest.classes)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ReadError(
            "a label is no class",
            where=where,
            values=f"labels {int(labels.min())} to {int(labels.max())}, {classes:,} classes",
            hint="nettally data verify tells whether the file was changed",
        )
    shape = (manifest.height, manifest.width, manifest.channels)
    shards = [
        # a private mapping: nothing that is written to it reaches the file. Unlike numpy's, it
        # keeps no file open: a thousand shards are more than a process may have open
        torch.from_file(
            manifest.path(stored), shared=False, size=stored.size, dtype=torch.uint8
        ).view(-1, *shape)
        for stored in part.shards
        if stored.size
    ]
    return Split(name, labels, shards or [torch.empty((0, *shape), dtype=torch.uint8)])


def _digits() -> Packed:
    """scikit-learn's 1,797 digits: 8 x 8, grey, 0..16, here 0..255; every fifth is for testing.

    Sorted by class, so that each class has its fifth; 1,437 and 360 images.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ReadError(
            "the digits come with scikit-learn, which is not installed",
            hint=to_install("train"),
        ) from None
    pixels, classes = load_digits(return_X_y=True)
    images = np.rint(np.asarray(pixels).reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = np.asarray(classes).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    testing = np.arange(len(order)) % 5 == 0
    splits: dict[str, Split] = {}
    for name, which in (("train", np.sort(order[~testing])), ("test", np.sort(order[testing]))):
        splits[name] = Split(
            name, torch.from_numpy(labels[which]), [torch.from_numpy(images[which])]
        )
    learnt = images[np.sort(order[~testing])].astype(np.float64)
    flat = learnt.reshape(-1, 1)
    mean = flat.mean(0)
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    return Packed(
        DIGITS,
        DIGITS,
        8,
        8,
        1,
        tuple("0123456789"),
        False,
        torch.from_numpy(learnt.mean(0).astype(np.float32)),
        torch.from_numpy(mean),
        torch.from_numpy((flat - mean).T @ (flat - mean) / len(flat)),
        MappingProxyType(splits),
        digest[:16],
    )
