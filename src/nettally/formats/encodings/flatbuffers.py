"""FlatBuffers, read from a file without what is large in it (https://flatbuffers.dev/internals).

A table begins with the distance back to its vtable, which says where each field lies; what is not
a number lies further on, at a distance that a field holds. All distances are held against the file.
They only ever lead onwards, so that nothing can go round in a circle.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...errors import ReadError
    from .blob import Blob

BLOCK = 2**14
"""How many bytes are fetched at once."""

BYTES_A_TABLE = 16
"""What a table takes at least, with its place in a vector; many places may hold the same one."""

MAX_BLOCKS = 256
"""How many of them are kept."""

LEAST_TABLE = 16
"""How many bytes a table in a vector takes at least, with its entry: where there are more tables
than the file has room for, entries lead to the same ones over and over."""

_U8, _I8, _U16, _U16_U16 = Struct("<B"), Struct("<b"), Struct("<H"), Struct("<HH")
_I32, _U32, _U64, _F32 = Struct("<i"), Struct("<I"), Struct("<Q"), Struct("<f")


class Flat:
    """A file as the bytes of a flatbuffer."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.size = blob.size
        self.tables = 0
        self._blocks: dict[int, bytes] = {}

    def error(self, what: str, at: int, values: str = "", hint: str = "") -> ReadError:
        return self.blob.error(what, at, values, hint)

    def bytes(self, at: int, size: int) -> bytes:
        """Some bytes. Raises ReadError where they lie beyond the end."""
        if at < 0 or at + size > self.size:
            raise self.error(
                "an offset leads out of the file", max(at, 0), f"{size:,} bytes from {at:,} on"
            )
        first, last = at // BLOCK, (at + size - 1) // BLOCK
        if first == last:
            start = at - first * BLOCK
            return self._block(first)[start : start + size]
        return self.blob.fetch(at, size)

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= MAX_BLOCKS:
                self._blocks.clear()
            at = number * BLOCK
            block = self._blocks[number] = self.blob.fetch(at, min(BLOCK, self.size - at))
        return block

    def u32(self, at: int) -> int:
        return _U32.unpack(self.bytes(at, 4))[0]

    def follow(self, at: int) -> int:
        """Where the offset at this place leads."""
        step = self.u32(at)
        if not step or at + step >= self.size:
            raise self.error("an offset leads out of the file", at, f"{step:,} onwards")
        return at + step

    def root(self) -> Table:
        """The table that all begins with."""
        return Table(self, self.follow(0))


class Table:
    """A table. Fields are asked for by their number in the schema; each has a default."""

    __slots__ = ("at", "flat", "vtable", "wide")

    def __init__(self, flat: Flat, at: int) -> None:
        self.flat = flat
        self.at = at
        (back,) = _I32.unpack(flat.bytes(at, 4))
        self.vtable = at - back
        wide, size = _U16_U16.unpack(flat.bytes(self.vtable, 4))
        if wide < 4 or wide % 2 or size < 4:
            raise flat.error(
                "this is no table", at, f"its vtable at {self.vtable:,} has {wide} bytes"
            )
        self.wide = wide

    def place(self, number: int) -> int:
        """Where a field lies; 0 where it is not given."""
        where = 4 + 2 * number
        if where + 2 > self.wide:
            return 0
        (offset,) = _U16.unpack(self.flat.bytes(self.vtable + where, 2))
        return self.at + offset if offset else 0

    def _number(self, number: int, form: Struct, default: int) -> int:
        at = self.place(number)
        return form.unpack(self.flat.bytes(at, form.size))[0] if at else default

    def i8(self, number: int, default: int = 0) -> int:
        return self._number(number, _I8, default)

    def u8(self, number: int, default: int = 0) -> int:
        return self._number(number, _U8, default)

    def i32(self, number: int, default: int = 0) -> int:
        return self._number(number, _I32, default)

    def u32(self, number: int, default: int = 0) -> int:
        return self._number(number, _U32, default)

    def u64(self, number: int, default: int = 0) -> int:
        return self._number(number, _U64, default)

    def f32(self, number: int, default: float = 0.0) -> float:
        at = self.place(number)
        return _F32.unpack(self.flat.bytes(at, 4))[0] if at else default

    def table(self, number: int) -> Table | None:
        at = self.place(number)
        return Table(self.flat, self.flat.follow(at)) if at else None

    def vector(self, number: int, wide: int) -> tuple[int, int]:
        """Where a vector's entries begin, ``wide`` bytes each, and how many there are."""
        at = self.place(number)
        if not at:
            return 0, 0
        start = self.flat.follow(at)
        count = self.flat.u32(start)
        if start + 4 + count * wide > self.flat.size:
            raise self.flat.error(
                "a vector is longer than the file", start, f"{count:,} entries of {wide} bytes"
            )
        return start + 4, count

    def tables(self, number: int, most: int, what: str) -> list[Table]:
        """The tables of a vector. Raises ReadError for more than ``most`` or than a file holds."""
        start, count = self.vector(number, 4)
        self._bound(start, count, min(most, self.flat.size // BYTES_A_TABLE), what)
        flat = self.flat
        flat.tables += count
        if flat.tables > flat.size // LEAST_TABLE:
            raise flat.error(f"the file has no room for so many {what}", start, f"{count:,}")
        return [Table(flat, flat.follow(start + 4 * i)) for i in range(count)]

    def ints(self, number: int, most: int, what: str) -> tuple[int, ...] | None:
        """The whole numbers of a vector, of 4 bytes each; None where it is not given."""
        start, count = self.vector(number, 4)
        if not start:
            return None
        self._bound(start, count, most, what)
        return Struct(f"<{count}i").unpack(self.flat.bytes(start, 4 * count)) if count else ()

    def text(self, number: int, most: int) -> str:
        """A string, cut off after ``most`` bytes."""
        start, count = self.vector(number, 1)
        if not count:
            return ""
        return self.flat.bytes(start, min(count, most)).decode("utf-8", "replace")

    def _bound(self, start: int, count: int, most: int, what: str) -> None:
        if count > most:
            raise self.flat.error(f"too many {what}", start, f"{count:,}, at most {most:,}")
