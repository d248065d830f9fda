"""The header of GGUF files: settings by key, and a table of tensors; the tensors are not read.

The format is ggml's (docs/gguf.md of ggml-org/ggml). Versions 2 and 3, and 1 with its shorter
counts; byte orders are told by the version.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .blob import Blob

MAGIC = b"GGUF"
FIRST = 2**21
"""How many bytes are fetched at first; twice as many each time that they are too few."""

MAX_TENSORS, MAX_KEYS, MAX_DEPTH = 250_000, 100_000, 4
MAX_ITEMS = 10_000
"""The longest list of numbers that is kept; of others the length is."""

SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, LIST = 8, 9

TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}  # fmt: skip
"""ggml's types by number: the name, how many values a block has, and how many bytes (ggml.h)."""


class Entry(NamedTuple):
    """A tensor: its sizes with the last axis innermost, as torch has them; where its bytes are."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int


class Header(NamedTuple):
    """settings: by key; lists of strings, and long ones, by their length. start: of the data."""

    version: int
    settings: dict[str, Any]
    tensors: list[Entry]
    start: int


class _Short(Exception):
    """More bytes are needed."""


def header(blob: Blob) -> Header:
    """The header. Raises ReadError where it is none, or the tensors do not lie within the file."""
    size = min(FIRST, blob.size)
    while True:
        try:
            return _Reader(blob, blob.fetch(0, size)).header()
        except _Short:
            if size == blob.size:
                raise blob.error(
                    "the file ends within its header", size, hint="it is cut off; fetch it again"
                ) from None
            size = min(2 * size, blob.size)


class _Reader:
    def __init__(self, blob: Blob, data: bytes) -> None:
        self.blob = blob
        self.data = data
        self.at = 4
        self.order = "<"
        self.counts = "Q"

    def header(self) -> Header:
        blob = self.blob
        if self.data[:4] != MAGIC:
            raise blob.error("this is no GGUF file", 0, f"it begins {self.data[:4]!r}")
        version = self.number("I")
        if version & 0xFFFF == 0 and version:
            self.order, version = ">", version >> 24
        if not 1 <= version <= 3:
            raise blob.error("a version of GGUF that is not known", 4, f"version {version}")
        if version == 1:
            self.counts = "I"
        tensors, keys = self.number(self.counts), self.number(self.counts)
        for what, count, most in (("tensors", tensors, MAX_TENSORS), ("keys", keys, MAX_KEYS)):
            if count > most:
                raise blob.error(f"the file has too many {what}", 8, f"{count:,}, at most {most:,}")
        settings: dict[str, Any] = {}
        for _ in range(keys):
            key = self.text(65_535)
            if key in settings:
                raise blob.error(f"the key '{key[:80]}' stands twice", self.at)
            settings[key] = self.value(self.number("I"))
        step = settings.get("general.alignment", 32)
        if type(step) is not int or step < 1 or step % 8:
            raise blob.error("general.alignment is a multiple of 8", self.at, f"{step!r}"[:60])
        entries = [self.entry() for _ in range(tensors)]
        start = self.at + -self.at % step
        self.check(entries, start, step)
        return Header(version, settings, entries, start)

    def take(self, size: int) -> int:
        """Step over so many bytes; where they began."""
        at, self.at = self.at, self.at + size
        if self.at > len(self.data):
            if self.at > self.blob.size:
                raise self.blob.error(
                    "the file ends within its header", at, f"{size:,} bytes more expected",
                    "it is cut off; fetch it again",
                )  # fmt: skip
            raise _Short
        return at

    def number(self, code: str) -> Any:
        at = self.take(struct.calcsize(code))
        return struct.unpack_from(self.order + code, self.data, at)[0]

    def text(self, most: int = 2**31) -> str:
        size = self.number(self.counts)
        if size > most:
            raise self.blob.error("a string is too long", self.at, f"{size:,} bytes")
        at = self.take(size)
        try:
            return self.data[at : at + size].decode()
        except UnicodeDecodeError:
            raise self.blob.error("a string is no UTF-8", at) from None

    def value(self, kind: int, depth: int = 0) -> Any:
        """A value; of a list that is no short one of numbers, its length."""
        if kind in SCALARS:
            return self.number(SCALARS[kind])
        if kind == STRING:
            return self.text()
        if kind != LIST or depth == MAX_DEPTH:
            raise self.blob.error("a value of a type that is not known", self.at, f"type {kind}")
        inner, count = self.number("I"), self.number(self.counts)
        if inner in SCALARS:
            code = SCALARS[inner]
            size = struct.calcsize(code)
            if count > MAX_ITEMS:
                self.take(count * size)
                return count
            at = self.take(count * size)
            return struct.unpack_from(f"{self.order}{count}{code}", self.data, at)
        if count > self.blob.size:
            raise self.blob.error("a list is longer than the file", self.at, f"{count:,} items")
        if inner == STRING:
            self.skip_strings(count)
        else:
            for _ in range(count):
                self.value(inner, depth + 1)
        return count

    def skip_strings(self, count: int) -> None:
        """A vocabulary of 100,000 and more words is stepped over, and not decoded."""
        unpack = struct.Struct(self.order + self.counts).unpack_from
        width, at, data = struct.calcsize(self.counts), self.at, self.data
        try:
            for _ in range(count):
                at += width + unpack(data, at)[0]
        except struct.error:
            self.take(len(data) - self.at + 1)
        self.at = at
        self.take(0)

    def entry(self) -> Entry:
        name = self.text(65_535)
        axes = self.number("I")
        if axes > 8:
            raise self.blob.error(f"'{name[:80]}' has too many axes", self.at, f"{axes:,}")
        sizes = tuple(self.number(self.counts) for _ in range(axes))
        kind, offset = self.number("I"), self.number("Q")
        known = TYPES.get(kind)
        if known is None:
            raise self.blob.error(f"'{name[:80]}' has a type that is not known", self.at, f"{kind}")
        word, values, size = known
        count = prod(sizes)
        if count > 2**63 or (sizes and sizes[0] % values):
            raise self.blob.error(
                f"'{name[:80]}' does not fit its type", self.at,
                f"{'x'.join(map(str, sizes))[:80]}, {word} has blocks of {values}",
            )  # fmt: skip
        return Entry(name, sizes[::-1], word, offset, count // values * size)

    def check(self, entries: list[Entry], start: int, step: int) -> None:
        """ReadError where tensors lie over each other, beyond the end, or share a name."""
        names: set[str] = set()
        end = 0
        for entry in sorted(entries, key=lambda each: each.offset):
            if entry.name in names:
                raise self.blob.error(f"two tensors are called '{entry.name[:80]}'", start)
            names.add(entry.name)
            if entry.offset % step or entry.offset < end:
                what = "does not begin at a multiple of the alignment" if entry.offset % step else (
                    "lies over another tensor"
                )  # fmt: skip
                raise self.blob.error(f"'{entry.name[:80]}' {what}", start + entry.offset)
            end = entry.offset + entry.bytes
        if start + end > self.blob.size:
            raise self.blob.error(
                "the tensors lie beyond the end of the file", self.blob.size,
                f"{start + end:,} bytes expected, the file has {self.blob.size:,}",
                "it is cut off; fetch it again",
            )  # fmt: skip
