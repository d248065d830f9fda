"""Whether the files of a packed folder are what its manifest says, to the last byte."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import ReadError
from ...files import plain_only
from .manifest import Manifest, Part, Stored, plain_size, read_manifest
from .workers import cores

if TYPE_CHECKING:
    from collections.abc import Callable


class Checked(NamedTuple):
    """What was looked at. wrong: (file, what is wrong with it)."""

    manifest: Manifest
    files: int
    bytes: int
    wrong: tuple[tuple[str, str], ...]


def verify(folder: str, progress: Callable[[int, int], None] | None = None) -> Checked:
    """Read every file that the manifest names. progress: is told (bytes read, of how many).

    Raises ReadError where there is no manifest, or it is none.
    """
    manifest = read_manifest(folder, look=False)
    files = manifest.files()
    total = sum(each.size for each in files)
    done = 0
    wrong: list[tuple[str, str]] = []
    with ThreadPoolExecutor(cores()) as pool:  # hashlib lets other threads run
        results = pool.map(partial(_wrong, folder), files)
        for stored, what in zip(files, results, strict=True):
            if what:
                wrong.append((stored.file, what))
            done += stored.size
            if progress is not None:
                progress(done, total)
    bad = {name for name, _ in wrong}
    wrong += [
        (part.labels.file, "a label is no class")
        for part in manifest.splits.values()
        if part.labels.file not in bad and class_counts(manifest, part) is None
    ]
    return Checked(manifest, len(files), total, tuple(wrong))


def class_counts(manifest: Manifest, part: Part) -> list[int] | None:
    """How many images each class has in a split; None where a label is no class."""
    labels = np.fromfile(manifest.path(part.labels), "<i8")
    classes = len(manifest.classes)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        return None
    return [int(each) for each in np.bincount(labels, minlength=classes)]


def _wrong(folder: str, stored: Stored) -> str:
    """What is wrong with a file; "" where nothing is."""
    try:
        size = plain_size(folder, stored.file)
        if size != stored.size:
            return f"{size:,} bytes long, {stored.size:,} expected"
        with open(os.path.join(folder, stored.file), "rb", opener=plain_only) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except ReadError as error:
        return f"{error.what}" + (f" ({error.values})" if error.values else "")
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return "" if digest == stored.sha256 else "its checksum is another: it was changed"
