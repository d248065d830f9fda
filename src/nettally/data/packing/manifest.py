"""manifest.json of a packed folder: what it says, and whether the files are what it says.

Packed folders are passed on, so nothing in one is believed: every file's name is a plain name in
the folder, no link is followed, every size is held against the file's.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ReadError
from ...files import plain_only
from ...formats.encodings.json import load

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST = "manifest.json"
VERSION = 1

MAX_MANIFEST = 256 * 2**20
"""Bytes; that of ImageNet has 0.5 million, and each broken image adds a line."""

MAX_SIDE = 4096
MAX_CLASSES = 100_000
MAX_IMAGES = 2**31
MAX_TEXT = 1000

SPLITS = ("train", "validation", "test")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class Stored(NamedTuple):
    """A file of the folder, its length in bytes and its checksum."""

    file: str
    size: int
    sha256: str


class Part(NamedTuple):
    """A split. counts: the images of each shard."""

    images: int
    shards: tuple[Stored, ...]
    counts: tuple[int, ...]
    labels: Stored


class Manifest(NamedTuple):
    """What a packed folder says of itself."""

    folder: str
    identity: str
    name: str
    height: int
    width: int
    channels: int
    classes: tuple[str, ...]
    mirror: bool
    splits: dict[str, Part]
    mean: Stored
    rgb_mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    pixels: int
    broken: tuple[tuple[str, str], ...]
    packed: dict[str, Any]

    def files(self) -> list[Stored]:
        """All the files that it names, in order."""
        parts = [each for part in self.splits.values() for each in (*part.shards, part.labels)]
        return [*parts, self.mean]

    def path(self, stored: Stored) -> str:
        """Where a file of it lies."""
        return os.path.join(self.folder, stored.file)


def read_manifest(folder: str, *, look: bool = True) -> Manifest:
    """The manifest, and its files looked at: they are there, plain, and as long as they should be.

    look: whether at the files too. Raises ReadError. Their contents are ``verify``'s.
    """
    path = os.path.join(folder, MANIFEST)
    if not os.path.isdir(folder):
        raise ReadError(
            "there is no folder of packed data",
            where=folder,
            hint="nettally data pack DIR OUT makes one",
        )
    if not os.path.lexists(path):
        unfinished = os.path.exists(os.path.join(folder, "packing.json"))
        raise ReadError(
            "the packing was not finished" if unfinished else "the folder holds no packed data",
            where=folder,
            values=f"no {MANIFEST} in it",
            hint="give the same nettally data pack again, and it goes on"
            if unfinished
            else "nettally data pack DIR OUT makes it",
        )
    size = plain_size(folder, MANIFEST)
    if size > MAX_MANIFEST:
        raise ReadError("the manifest is too long", where=path, values=f"{size:,} bytes")
    with open(path, "rb", opener=plain_only) as file:
        data = file.read(MAX_MANIFEST)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(
            "the manifest is no UTF-8", where=path, values=f"byte {error.start:,}"
        ) from None
    identity = hashlib.sha256(data).hexdigest()[:16]
    manifest = _Reading(path, load(text, path)).manifest(folder, identity)
    for stored in manifest.files() if look else ():
        length = plain_size(folder, stored.file)
        if length != stored.size:
            raise ReadError(
                "a file has not the length that the manifest tells",
                where=os.path.join(folder, stored.file),
                values=f"{length:,} bytes; {stored.size:,} expected",
                hint="nettally data verify looks at all of them; copy it anew, or pack again",
            )
    return manifest


def plain_size(folder: str, name: str) -> int:
    """The length of a plain file of the folder. Raises ReadError for a link, or none."""
    path = os.path.join(folder, name)
    try:
        status = os.lstat(path)
    except OSError as error:
        raise ReadError(f"can't open the file: {error.strerror}", where=path) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
        raise ReadError(
            "packed data lie in plain files",
            where=path,
            values=f"this is {kind}",
            hint="put the file itself there",
        )
    return status.st_size


class _Reading:
    """Looks at what was read as JSON, and says which key is not as it should be."""

    def __init__(self, path: str, value: Any) -> None:
        self.path = path
        self.value = value

    def error(self, key: str, want: str, value: Any) -> ReadError:
        return ReadError(
            f"'{key}' is not as it should be",
            where=self.path,
            values=f"{_short(value)}; {want} expected",
            hint="is this a manifest of nettally data pack?",
        )

    def get(self, value: Any, key: str, want: str, good: Callable[[Any], bool]) -> Any:
        """The value of the last of the keys (a.b.c), in ``value``."""
        entry = value.get(key.rsplit(".", 1)[-1]) if isinstance(value, dict) else None
        if not good(entry):
            raise self.error(key, want, entry)
        return entry

    def number(self, value: Any, key: str, low: int, high: int) -> int:
        want = f"a whole number from {low:,} to {high:,}"
        return self.get(value, key, want, lambda x: type(x) is int and low <= x <= high)

    def text(self, value: Any, key: str) -> str:
        want = f"text of up to {MAX_TEXT} characters"
        return self.get(value, key, want, lambda x: isinstance(x, str) and len(x) <= MAX_TEXT)

    def stored(self, value: Any, key: str, size: int) -> Stored:
        name = self.get(
            value,
            f"{key}.file",
            "the plain name of a file in the folder",
            lambda x: isinstance(x, str) and _NAME.match(x) is not None,
        )
        digest = self.get(
            value,
            f"{key}.sha256",
            "64 hexadecimal digits",
            lambda x: isinstance(x, str) and _SHA256.match(x) is not None,
        )
        return Stored(name, size, digest)

    def part(self, value: Any, key: str, bytes_each: int) -> Part:
        images = self.number(value, f"{key}.images", 0, MAX_IMAGES)
        shards: list[Stored] = []
        counts: list[int] = []
        listed = self.get(value, f"{key}.shards", "a list", lambda x: isinstance(x, list))
        for i, each in enumerate(listed):
            count = self.number(each, f"{key}.shards[{i}].images", 0, MAX_IMAGES)
            shards.append(self.stored(each, f"{key}.shards[{i}]", count * bytes_each))
            counts.append(count)
        if sum(counts) != images:
            raise self.error(f"{key}.images", f"the sum of its shards, {sum(counts):,},", images)
        labels = self.get(value, f"{key}.labels", "an object", lambda x: isinstance(x, dict))
        return Part(
            images,
            tuple(shards),
            tuple(counts),
            self.stored(labels, f"{key}.labels", images * 8),
        )

    def numbers(self, value: Any, key: str, count: int) -> tuple[float, ...]:
        want = f"{count} numbers"
        entries = self.get(
            value,
            key,
            want,
            lambda x: (
                isinstance(x, list)
                and len(x) == count
                and all(type(each) in (int, float) for each in x)
            ),
        )
        return tuple(float(each) for each in entries)

    def check_version(self, top: Any) -> None:
        version = top.get("nettally_data") if isinstance(top, dict) else None
        if version != VERSION or isinstance(version, bool):
            raise ReadError(
                "this is no manifest of packed data that is known here",
                where=self.path,
                values=f"nettally_data: {_short(version)}; {VERSION} is",
            )

    def classes(self, top: Any) -> tuple[str, ...]:
        names = self.get(
            top,
            "classes",
            f"a list of 1 to {MAX_CLASSES:,} names",
            lambda x: (
                isinstance(x, list)
                and 1 <= len(x) <= MAX_CLASSES
                and all(isinstance(each, str) and len(each) <= MAX_TEXT for each in x)
            ),
        )
        return tuple(names)

    def parts(self, top: Any, bytes_each: int) -> dict[str, Part]:
        splits = self.get(
            top,
            "splits",
            "train, and perhaps validation and test,",
            lambda x: isinstance(x, dict) and "train" in x and set(x) <= set(SPLITS),
        )
        parts = {
            name: self.part(splits[name], f"splits.{name}", bytes_each)
            for name in SPLITS
            if name in splits
        }
        if not parts["train"].images:
            raise self.error("splits.train.images", "at least one image", 0)
        return parts

    def manifest(self, folder: str, identity: str) -> Manifest:
        top = self.value
        self.check_version(top)
        height = self.number(top, "height", 1, MAX_SIDE)
        width = self.number(top, "width", 1, MAX_SIDE)
        channels = self.get(top, "channels", "1 or 3", lambda x: type(x) is int and x in (1, 3))
        classes = self.classes(top)
        bytes_each = height * width * channels
        parts = self.parts(top, bytes_each)
        mean = self.get(top, "mean", "an object", lambda x: isinstance(x, dict))
        rgb = self.get(top, "rgb", "an object", lambda x: isinstance(x, dict))
        rows = self.get(
            rgb,
            "rgb.covariance",
            f"{channels} rows",
            lambda x: isinstance(x, list) and len(x) == channels,
        )
        broken = self.get(top, "broken", "a list", lambda x: isinstance(x, list))
        manifest = Manifest(
            folder,
            identity,
            self.text(top, "name"),
            height,
            width,
            channels,
            classes,
            self.get(top, "mirror", "true or false", lambda x: isinstance(x, bool)),
            parts,
            self.stored(mean, "mean", bytes_each * 4),
            self.numbers(rgb, "rgb.mean", channels),
            tuple(self.numbers({"covariance": row}, "rgb.covariance", channels) for row in rows),
            self.number(rgb, "rgb.pixels", 1, 2**62),
            tuple(
                (self.text(each, f"broken[{i}].path"), self.text(each, f"broken[{i}].why"))
                for i, each in enumerate(broken)
            ),
            self.get(top, "packed", "an object", lambda x: isinstance(x, dict)),
        )
        names = [each.file for each in manifest.files()]
        if len(set(names)) != len(names):
            twice = next(each for each in names if names.count(each) > 1)
            raise self.error("splits", "each file once", twice)
        return manifest


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    shown = repr(value) if not isinstance(value, (dict, list)) else type(value).__name__
    return shown if len(shown) <= 60 else shown[:59] + "…"
