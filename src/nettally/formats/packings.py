"""Packings of files: what lies in a gzip or bzip2 file, in a zip archive, or in a JSON string.

A packed file is unpacked in memory, a piece at a time and within a cap, and is then read as any
other: nothing is written. It is imported only where no reader recognises a file.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ReadError, closest
from ..files import plain_only
from .encodings.blob import Blob
from .encodings.zip import LOCAL, entries, pieces
from .shards import Shards, is_index
from .source import MAX_TEXT, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .encodings.zip import Entry

MAX_UNPACKED = 2**30
"""A file that is larger than this when it is unpacked, in bytes, is refused."""

MAX_RATIO = 100
"""How many times larger than packed a file may be, once it is larger than MAX_TEXT. Weights pack
twofold, texts twentyfold."""

MAX_LOOKED_INTO = 1000
"""Of how many files in an archive the beginning is looked at."""

PIECE = 2**20

GZIP, BZIP2 = b"\x1f\x8b", b"BZh"


class Packing(NamedTuple):
    """title: what the file is packed with. name: that of the file inside; "" for the same."""

    title: str
    name: str
    pieces: Iterator[bytes]


def packing(
    path: str, name: str, head: bytes, member: str, reader_of: Callable[[bytes, str], Any]
) -> Any:
    """The file that is packed in this one, where it is one that some reader recognises.

    name: what the user calls the file. member: the name of a file in the archive, or "".
    reader_of: the reader that takes a file which begins so and is called so, or None.

    Returns a Packing; or a reader, of a zip archive that is a format of its own and of an index of
    several files; or None for what is no packing. Raises ReadError for a damaged archive, for one
    with no network or with several, and for a member that is not in it.
    """
    if head.startswith(LOCAL):
        return _of_zip(path, name, member, reader_of)
    if member:
        raise ReadError(f"this is no zip archive that could hold '{member[:80]}'", where=name)
    inner = os.path.splitext(os.path.basename(name))[0]
    if head.startswith(GZIP):
        return Packing("a gzip file", inner, _decompressed(path, name, "gzip"))
    if head.startswith(BZIP2):
        return Packing("a bzip2 file", inner, _decompressed(path, name, "bzip2"))
    if is_index(head):
        return Shards(reader_of)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b'"{'):
        from .encodings.json import load

        text = load(read_bytes(path).decode("utf-8-sig", "replace"), name)
        return Packing("a JSON string", "", iter([text.encode()]))
    return None


def unpack(packing: Packing, path: str, name: str) -> bytes:
    """What is packed in the file at ``path``.

    Raises ReadError beyond MAX_UNPACKED and MAX_RATIO, and for damaged files.
    """
    packed_size = os.stat(path).st_size
    most = min(max(MAX_TEXT, MAX_RATIO * packed_size), MAX_UNPACKED)
    data = BytesIO()  # which hands over what was written to it without a copy
    for piece in packing.pieces:
        if data.tell() + len(piece) > most:
            raise ReadError(
                f"'{packing.name[:80]}' is too large when it is unpacked",
                where=name,
                values=f"over {most:,} bytes, of {packed_size:,} in {packing.title}",
                hint="unpack it yourself, if you trust it, and name the file",
            )
        data.write(piece)
    return data.getvalue()


def _decompressed(path: str, name: str, method: str) -> Iterator[bytes]:
    import bz2
    import gzip
    import zlib

    opener = gzip.open if method == "gzip" else bz2.open
    with open(path, "rb", opener=plain_only) as packed, opener(packed) as file:
        try:
            while piece := file.read(PIECE):
                yield piece
        except (OSError, EOFError, zlib.error) as error:
            raise ReadError(
                f"this {method} file is damaged or cut off",
                where=name,
                values=str(error)[:80],
                hint="fetch it again",
            ) from None


def _of_zip(path: str, name: str, member: str, reader_of: Callable[[bytes, str], Any]) -> Any:
    with Blob(name, path) as blob:
        files = entries(blob)
        if not member:
            directory = "\0".join(files).encode("utf-8", "replace")  # which is no text
            reader = reader_of(LOCAL + b"\0" + directory, name)
            if reader is not None:
                return reader
        elif member not in files:
            raise ReadError(
                f"the zip archive has no file '{member[:80]}'",
                where=name,
                hint=closest(member, files),
            )
        networks = [member] if member else _networks(blob, files, reader_of)
    if len(networks) > 1:
        names = ", ".join(each[:80] for each in networks[:12])
        more = f" and {len(networks) - 12} more" if len(networks) > 12 else ""
        raise ReadError(
            f"this zip archive holds {len(networks)} files that can be read",
            where=name,
            values=names + more,
            hint=f"name one: {name}:{networks[0][:80]}",
        )
    if not networks:
        from .kinds import of_archive

        raise of_archive(name, files)
    return Packing("a zip archive", networks[0], _inside(path, name, files[networks[0]]))


def _networks(
    blob: Blob, files: Mapping[str, Entry], reader_of: Callable[[bytes, str], Any]
) -> list[str]:
    """The files of an archive that some reader recognises."""
    from .source import HEAD

    names: list[str] = []
    for name, entry in list(files.items())[:MAX_LOOKED_INTO]:
        hidden = os.path.basename(name)[:1] in ("", ".", "_") or name.startswith("__MACOSX/")
        if entry.size and not hidden:
            head = next(pieces(blob, entry, entry.size, HEAD), b"")
            if reader_of(head, name) is not None:
                names.append(name)
    return names


def _inside(path: str, name: str, entry: Entry) -> Iterator[bytes]:
    with Blob(name, path) as blob:
        yield from pieces(blob, entry, MAX_UNPACKED, PIECE)
