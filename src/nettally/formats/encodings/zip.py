"""The contents of a zip archive, checked before anything is unpacked.

Python's zipfile believes the central directory, entry by entry; entries that lie over each other
make an archive of 30 KB unpack to gigabytes (CVE-2024-0450). Here the whole directory is held
against the file first. After PKWARE's APPNOTE.TXT 6.3.10, with zip64.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...errors import ReadError
    from .blob import Blob

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"

STORED, DEFLATED = 0, 8

MAX_ENTRIES = 500_000
MAX_DIRECTORY = 128 * 2**20
"""How large the directory may be, in bytes."""

MAX_RATIO = 1032
"""What deflate can reach; an entry that states more lies."""


class Entry(NamedTuple):
    """A file in the archive. at: where its local header begins. packed, size: its bytes."""

    name: str
    method: int
    encrypted: bool
    crc: int
    packed: int
    size: int
    at: int
    limit: int


def entries(blob: Blob) -> dict[str, Entry]:
    """The archive's files by name.

    Raises ReadError for a directory that is damaged, names one twice, or lets files lie over each
    other, beyond the directory, or unpack to more than packing can reach.
    """
    count, size, start, ends = _end(blob)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY:
        raise blob.error(
            "the archive has too many files",
            start,
            f"{count:,} files in a directory of {size:,} bytes",
            f"at most {MAX_ENTRIES:,}",
        )
    if start + size > ends:
        raise blob.error("the archive's directory lies over its own end", start, f"{size:,} bytes")
    directory = blob.fetch(start, size)
    files: list[Entry] = []
    names: set[str] = set()
    place = 0
    for _ in range(count):
        entry, place = _central(blob, directory, place, start)
        if entry.name in names:
            raise blob.error(f"the archive has two files '{entry.name[:80]}'", start + place)
        names.add(entry.name)
        files.append(entry)
    if place != size:
        raise blob.error("the archive's directory has another length than it states", start + place)
    files.sort(key=lambda entry: entry.at)
    limits = [*[entry.at for entry in files], start][1:] if files else []
    by_name: dict[str, Entry] = {}
    for entry, limit in zip(files, limits, strict=True):
        if entry.at + 30 + entry.packed > limit:
            raise blob.error(
                f"'{entry.name[:80]}' lies over what follows it",
                entry.at,
                f"{entry.packed:,} bytes from {entry.at:,} on, the next begins at {limit:,}",
            )
        by_name[entry.name] = entry._replace(limit=limit)
    return by_name


def unpack(blob: Blob, entry: Entry, most: int) -> bytes:
    """A file's bytes. Raises ReadError as ``pieces`` does."""
    return b"".join(pieces(blob, entry, most, 2**24))


def pieces(blob: Blob, entry: Entry, most: int, piece: int) -> Iterator[bytes]:
    """A file's bytes, at most about ``piece`` of them at a time.

    Raises ReadError for more than ``most``, or, once they have been read, others than it states.
    """
    if entry.encrypted:
        raise blob.error(f"'{entry.name[:80]}' is encrypted", entry.at)
    if entry.method not in (STORED, DEFLATED):
        raise blob.error(
            f"'{entry.name[:80]}' is packed in a way that is not read",
            entry.at,
            f"method {entry.method}",
            "stored (0) and deflated (8) are",
        )
    if entry.size > most:
        raise blob.error(
            f"'{entry.name[:80]}' is too large", entry.at, f"{entry.size:,} bytes, at most {most:,}"
        )
    begin = data_at(blob, entry)
    if begin + entry.packed > entry.limit:
        raise blob.error(f"'{entry.name[:80]}' lies over what follows it", begin)
    import zlib

    size = crc = 0
    try:
        for data in _inflated(blob, entry, begin, piece):
            size, crc = size + len(data), zlib.crc32(data, crc)
            if size > entry.size:
                break
            yield data
    except zlib.error as error:
        raise blob.error(f"'{entry.name[:80]}' is damaged", begin, str(error)[:80]) from None
    if size != entry.size:
        raise blob.error(
            f"'{entry.name[:80]}' has another size than it states",
            begin,
            f"{entry.size:,} bytes stated",
        )
    if crc != entry.crc:
        raise blob.error(f"'{entry.name[:80]}' is damaged: its checksum is another", begin)


def _inflated(blob: Blob, entry: Entry, begin: int, piece: int) -> Iterator[bytes]:
    import zlib

    machine = zlib.decompressobj(-15)
    for at in range(begin, begin + entry.packed, piece):
        data = blob.fetch(at, min(piece, begin + entry.packed - at))
        if entry.method == STORED:
            yield data
            continue
        while data:
            yield machine.decompress(data, piece)
            data = machine.unconsumed_tail
    yield machine.flush()


def data_at(blob: Blob, entry: Entry) -> int:
    """Where a file's bytes begin. Raises ReadError where its own header is not as the directory."""
    head = blob.fetch(entry.at, 30)
    if head[:4] != LOCAL:
        raise blob.error(f"'{entry.name[:80]}' has no header of its own", entry.at)
    (method,) = struct.unpack_from("<H", head, 8)
    named, extra = struct.unpack_from("<HH", head, 26)
    name = blob.fetch(entry.at + 30, named)
    if _text(name) != entry.name or method != entry.method:
        raise blob.error(
            f"'{entry.name[:80]}' is another file by its own header", entry.at, f"{name[:80]!r}"
        )
    return entry.at + 30 + named + extra


def _end(blob: Blob) -> tuple[int, int, int, int]:
    """How many files, the directory's size and beginning, and where its end record begins."""
    tail = min(blob.size, 2**16 + 22)
    data = blob.fetch(blob.size - tail, tail)
    place = data.rfind(END)
    if place < 0 or len(data) - place < 22:
        raise _no_end(blob)
    at = blob.size - tail + place
    _, disk, first, here, count, size, start, comment = struct.unpack_from("<4s4H2IH", data, place)
    if place + 22 + comment != len(data):
        raise _no_end(blob)
    ends = at
    if at >= 20 and (locator := blob.fetch(at - 20, 20))[:4] == LOCATOR64:
        (record,) = struct.unpack_from("<Q", locator, 8)
        if record + 56 > at - 20:
            raise _no_end(blob)
        fields = struct.unpack("<4sQ2H2I4Q", blob.fetch(record, 56))
        if fields[0] != END64:
            raise _no_end(blob)
        disk, first, here, count, size, start = fields[4:]
        ends = record
    if disk or first or here != count:
        raise blob.error("the archive is one of several parts", at)
    return count, size, start, ends


def _no_end(blob: Blob) -> ReadError:
    return blob.error(
        "this zip archive has no end record",
        blob.size,
        hint="the file is cut off or damaged; fetch it again",
    )


def _central(blob: Blob, data: bytes, place: int, start: int) -> tuple[Entry, int]:
    """The directory's entry at ``place``, and where the next one begins."""
    if data[place : place + 4] != CENTRAL or place + 46 > len(data):
        raise blob.error("the archive's directory is damaged", start + place)
    flags, method = struct.unpack_from("<HH", data, place + 8)
    crc, packed, size, named, extra, comment = struct.unpack_from("<3I3H", data, place + 16)
    (at,) = struct.unpack_from("<I", data, place + 42)
    stop = place + 46 + named + extra + comment
    if stop > len(data):
        raise blob.error("the archive's directory is cut off", start + place)
    name = _text(data[place + 46 : place + 46 + named])
    if 0xFFFFFFFF in (packed, size, at):
        size, packed, at = _large(
            data[place + 46 + named : place + 46 + named + extra], size, packed, at
        )
    if size > packed * MAX_RATIO + MAX_RATIO or (method == STORED and size != packed):
        raise blob.error(
            f"'{name[:80]}' states more than packing can reach",
            start + place,
            f"{packed:,} bytes for {size:,}",
        )
    return Entry(name, method, bool(flags & 1), crc, packed, size, at, 0), stop


def _large(extra: bytes, size: int, packed: int, at: int) -> tuple[int, int, int]:
    """The sizes that zip64 puts into the extra field, for those that are all ones."""
    place = 0
    while place + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, place)
        if tag == 1:
            values = list(
                struct.unpack_from(
                    f"<{min(length, len(extra) - place - 4) // 8}Q", extra, place + 4
                )
            )
            sizes = [
                values.pop(0) if each == 0xFFFFFFFF and values else each
                for each in (size, packed, at)
            ]
            return sizes[0], sizes[1], sizes[2]
        place += 4 + length
    return size, packed, at


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
