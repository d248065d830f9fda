"""Protocol buffers' wire format, read from a file without what is large in it.

A message is a row of fields: a tag (number and wire type), then a varint, 4 or 8 bytes, or a
length and that many bytes (https://protobuf.dev/programming-guides/encoding). Nothing is decoded
that is not asked for, and what is longer than ``SMALL`` is never fetched as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...errors import ReadError
    from .blob import Blob

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""The wire types; 3 and 4 were groups, which are refused."""

SMALL = 2**15
"""What is at most this long, in bytes, is handed over whole."""

WINDOW = 2**16
"""How many bytes are fetched at once; more than ``SMALL`` and a tag."""

MAX_NUMBER = 2**29 - 1
"""The largest number of a field."""

Field = tuple[int, int, int, "bytes | None", int]
"""A field: its number; its wire type; its value, of bytes their length; the bytes themselves, None
where there are more than ``SMALL`` or it is a number; and where the value begins in the file."""


def fields(blob: Blob, at: int, size: int, data: bytes | None = None) -> Iterable[Field]:
    """The fields of the message that lies there; ``data`` are its bytes, where they are at hand.

    Raises ReadError for what is no message: a varint over 10 bytes, a length past the end.
    """
    if data is not None:
        return split(blob, data, at)
    if size <= SMALL:
        return split(blob, blob.fetch(at, size), at)
    return walk(blob, at, size)


def split(blob: Blob, data: bytes, base: int) -> list[Field]:
    """The fields of a message of which all bytes are at hand; ``base`` is where it begins."""
    parts: list[Field] = []
    place, end = 0, len(data)
    try:
        while place < end:
            tag = data[place]
            place += 1
            if tag > 127:
                tag, place = _varint(blob, data, place - 1, end, base)
            wire = tag & 7
            if wire == 2:
                size = data[place]
                place += 1
                if size > 127:
                    size, place = _varint(blob, data, place - 1, end, base)
                stop = place + size
                if stop > end:
                    raise _too_long(blob, base + place, size, base + end)
                parts.append((tag >> 3, 2, size, data[place:stop], base + place))
                place = stop
            elif wire == 0:
                start = place
                value = data[place]
                place += 1
                if value > 127:
                    value, place = _varint(blob, data, place - 1, end, base)
                parts.append((tag >> 3, 0, value, None, base + start))
            elif wire in (1, 5):
                stop = place + (8 if wire == 1 else 4)
                if stop > end:
                    raise IndexError
                number = int.from_bytes(data[place:stop], "little")
                parts.append((tag >> 3, wire, number, None, base + place))
                place = stop
            else:
                raise _no_wire(blob, base + place - 1, tag)
            if not 8 <= tag <= MAX_NUMBER << 3 | 7:
                raise _no_field(blob, base + place, tag)
    except IndexError:
        raise blob.error("the message ends within a field", base + end) from None
    return parts


def walk(
    blob: Blob, at: int, size: int, quick: Callable[[bytes, int, int], int] | None = None
) -> Iterator[Field]:
    """The fields of a message that may be too long to be fetched, what is long in it skipped.

    quick: is given what was fetched, a place in it where a field begins, and where the first byte
    lies in the file. It takes as many fields as it likes, and returns the place after them.
    """
    data, base, stop = b"", at, at + size
    while at < stop:
        place = at - base
        if (place + 20 > len(data) and base + len(data) < stop) or place < 0:
            data, base = blob.fetch(at, min(WINDOW, stop - at)), at
            place = 0
        if quick is not None:
            after = quick(data, place, base)
            if after > place:
                at = base + after
                continue
        end = len(data)
        tag = data[place]
        place += 1
        if tag > 127:
            tag, place = _varint(blob, data, place - 1, end, base)
        wire = tag & 7
        if not 8 <= tag <= MAX_NUMBER << 3 | 7:
            raise _no_field(blob, at, tag)
        if wire == BYTES:
            size = data[place] if place < end else 128
            place += 1
            if size > 127:
                size, place = _varint(blob, data, place - 1, end, base)
            at = base + place
            if at + size > stop:
                raise _too_long(blob, at, size, stop)
            if size > SMALL:
                yield tag >> 3, wire, size, None, at
                at += size
                if at >= base + end:
                    data, base = b"", at
                continue
            if place + size > end:
                data, base, place = blob.fetch(at, min(WINDOW, stop - at)), at, 0
            yield tag >> 3, wire, size, data[place : place + size], at
            at += size
        elif wire == VARINT:
            start = place
            value, place = _varint(blob, data, place, end, base)
            yield tag >> 3, wire, value, None, base + start
            at = base + place
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if place + size > end:
                raise blob.error("the message ends within a field", base + place)
            number = int.from_bytes(data[place : place + size], "little")
            yield tag >> 3, wire, number, None, base + place
            at = base + place + size
        else:
            raise _no_wire(blob, at, tag)


def _varint(blob: Blob, data: bytes, place: int, end: int, base: int) -> tuple[int, int]:
    """A varint of at most 10 bytes and 64 bits, and where it ends."""
    value = shift = 0
    start = place
    while place < end:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >> 64:
                raise blob.error("a varint has more than 64 bits", base + start)
            return value, place
        shift += 7
        if shift >= 70:
            raise blob.error("a varint is longer than 10 bytes", base + start)
    raise blob.error("the message ends within a varint", base + start)


def varints(blob: Blob, data: bytes, base: int) -> list[int]:
    """All the varints of a packed field."""
    values: list[int] = []
    place, end = 0, len(data)
    while place < end:
        value = data[place]
        place += 1
        if value > 127:
            value, place = _varint(blob, data, place - 1, end, base)
        values.append(value)
    return values


def signed(value: int) -> int:
    """A varint as a signed number of 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def _too_long(blob: Blob, at: int, size: int, stop: int) -> ReadError:
    return blob.error(
        "a field is longer than the message that holds it",
        at,
        f"{size:,} bytes, {max(stop - at, 0):,} are left",
        "the file is cut off or damaged; fetch it again",
    )


def _no_wire(blob: Blob, at: int, tag: int) -> ReadError:
    return blob.error(
        "this is no field", at, f"wire type {tag & 7} of field {tag >> 3}", "is the file damaged?"
    )


def _no_field(blob: Blob, at: int, tag: int) -> ReadError:
    return blob.error("no field has this number", at, f"field {tag >> 3}")
