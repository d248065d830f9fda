"""One attribute of an HDF5 file's root group, and nothing else of the file.

After the HDF5 File Format Specification 3.0. libhdf5 is not asked: a damaged heap of 6 KB keeps it
busy for ever. No link is followed, no group opened, no data set looked at, and each address is held
against the file before anything is fetched from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...errors import ReadError
    from .blob import Blob

SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_MESSAGES = 10_000
"""Messages of the root's header; a file of Keras has some ten."""
MAX_BLOCKS = 100
MAX_HEADER = 2**22
"""How large a block of the header may be, in bytes."""
MAX_HEAP = 2**28
"""How large a collection of the global heap may be; of it little is fetched."""

CONTINUED, ATTRIBUTE, ATTRIBUTE_INFO, SYMBOL_TABLE = 0x10, 0x0C, 0x15, 0x11
FIXED_TEXT, VARIABLE = 3, 9


class Root(NamedTuple):
    """How the file is laid out, and where its root group's object header lies.

    offset, length: how many bytes an address and a length take.
    """

    offset: int
    length: int
    header: int


class Attribute(NamedTuple):
    """An attribute as its message has it: datatype, dataspace and data, and where it lies."""

    name: str
    kind: bytes
    space: bytes
    data: bytes
    at: int


def text(blob: Blob, name: str, most: int) -> str | None:
    """The root's attribute ``name``, which is one text; None where there is no such attribute.

    most: how many bytes it may take. Raises ReadError for a file that is damaged, and for what is
    stored in a way that is not read.
    """
    root = _root(blob)
    for attribute in attributes(blob, root):
        if attribute.name == name:
            return _text(blob, root, attribute, most)
    return None


def holds(blob: Blob, names: tuple[str, ...]) -> bool:
    """Whether the root has an attribute or a member called one of these, as far as that is easy."""
    root = _root(blob)
    for kind, _, data, at in _messages(blob, root):
        if kind == ATTRIBUTE and _attribute(blob, data, at).name in names:
            return True
        if kind == SYMBOL_TABLE:  # a tree of members, and a heap with their names
            heap = _fetch(
                blob,
                _number(blob, data, root.offset, root.offset, at),
                8 + 2 * root.length + root.offset,
            )
            size = _number(blob, heap, 8, root.length, at)
            place = _number(blob, heap, 8 + 2 * root.length, root.offset, at)
            members = _fetch(blob, place, min(size, 2**16)).split(b"\0")
            if any(name.encode() in members for name in names):
                return True
    return False


def attributes(blob: Blob, root: Root) -> Iterator[Attribute]:
    """The root's attributes that lie in its header."""
    for kind, flags, data, at in _messages(blob, root):
        if kind == ATTRIBUTE:
            if flags & 2:
                raise blob.error("an attribute is shared, which is not read", at)
            yield _attribute(blob, data, at)
        elif kind == ATTRIBUTE_INFO and len(data) >= 2:
            place = 2 + (2 if data[1] & 1 else 0)
            if data[place : place + root.offset].strip(b"\xff"):
                raise blob.error(
                    "the root group keeps its attributes in a heap of their own, which is not read",
                    at,
                    hint="save the model as .keras, or in HDF5's earliest layout, as Keras does",
                )


def _fetch(blob: Blob, at: int, size: int) -> bytes:
    if at + size > blob.size:
        raise blob.error(
            "this HDF5 file is damaged: it leads beyond its end",
            min(at, blob.size),
            f"{size:,} bytes at {at:,}, the file has {blob.size:,}",
            "the file is cut off; fetch it again",
        )
    return blob.fetch(at, size)


def _number(blob: Blob, data: bytes, at: int, size: int, where: int) -> int:
    if at + size > len(data):
        raise blob.error("this HDF5 file is damaged: a message ends too soon", where)
    return int.from_bytes(data[at : at + size], "little")


def _root(blob: Blob) -> Root:
    """Where the root group's header lies, as the superblock says."""
    head = blob.fetch(0, min(blob.size, 128))
    if not head.startswith(SIGNATURE):
        raise blob.error("this is no HDF5 file", 0)
    version = _number(blob, head, 8, 1, 8)
    if version > 3:
        raise blob.error("this HDF5 file is of a version that is not read", 8, f"{version}")
    sizes = 13 if version < 2 else 9
    offset, length = _number(blob, head, sizes, 1, sizes), _number(blob, head, sizes + 1, 1, sizes)
    if offset not in (2, 4, 8) or length not in (2, 4, 8):
        raise blob.error("this HDF5 file is damaged", sizes, f"addresses of {offset} bytes")
    place = (24, 28, 12, 12)[version]
    base = _number(blob, head, place, offset, place)
    place += (5 if version < 2 else 3) * offset  # the root's entry begins with the offset of a name
    header = _number(blob, head, place, offset, place)
    if base:
        raise blob.error("this HDF5 file begins elsewhere, which is not read", 0, f"at {base:,}")
    return Root(offset, length, header)


def _messages(blob: Blob, root: Root) -> Iterator[tuple[int, int, bytes, int]]:
    """The messages of the root's header: type, flags, data, and where the data begins."""
    start = _fetch(blob, root.header, 16)
    new = start.startswith(b"OHDR")
    if new:
        flags = start[5]
        place = root.header + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(_fetch(blob, place, width), "little")
        blocks = [(place + width, size)]
        prefix = 6 if flags & 4 else 4
    elif start[0] == 1:
        blocks = [(root.header + 16, int.from_bytes(start[8:12], "little"))]
        prefix = 8
    else:
        raise blob.error("this HDF5 file is damaged: this is no header of a group", root.header)
    count = 0
    seen: set[int] = set()
    for at, size in blocks:  # the list grows with what the header says goes on elsewhere
        if at in seen or len(seen) >= MAX_BLOCKS or size > MAX_HEADER:
            raise blob.error(
                "this HDF5 file is damaged: a header goes on without end", min(at, blob.size)
            )
        seen.add(at)
        data = _fetch(blob, at, size)
        place = 0
        while place + prefix <= size:
            if new:
                kind, flags = data[place], data[place + 3]
                length = int.from_bytes(data[place + 1 : place + 3], "little")
            else:
                kind = int.from_bytes(data[place : place + 2], "little")
                length = int.from_bytes(data[place + 2 : place + 4], "little")
                flags = data[place + 4]
            place += prefix
            count += 1
            if count > MAX_MESSAGES:
                raise blob.error("the root group's header has too many messages", at)
            if place + length > size:
                if new:  # a gap at the end of a block is shorter than a message
                    break
                raise blob.error("this HDF5 file is damaged: a message ends too late", at + place)
            body = data[place : place + length]
            if kind == CONTINUED:
                where = _number(blob, body, 0, root.offset, at + place)
                long = _number(blob, body, root.offset, root.length, at + place)
                if new:  # between the signature OCHK and a checksum
                    where, long = where + 4, max(0, long - 8)
                blocks.append((where, long))
            else:
                yield kind, flags, body, at + place
            place += length


def _attribute(blob: Blob, data: bytes, at: int) -> Attribute:
    version = _number(blob, data, 0, 1, at)
    if version not in (1, 2, 3):
        raise blob.error(
            "this HDF5 file is damaged: this is no attribute", at, f"version {version}"
        )
    if version > 1 and _number(blob, data, 1, 1, at) & 3:
        raise blob.error("an attribute's type lies elsewhere, which is not read", at)
    place = 9 if version == 3 else 8
    parts: list[bytes] = []
    for i in range(3):
        size = _number(blob, data, 2 + 2 * i, 2, at)
        if place + size > len(data):
            raise blob.error("this HDF5 file is damaged: an attribute ends too soon", at)
        parts.append(data[place : place + size])
        place += -(-size // 8) * 8 if version == 1 else size
    name = parts[0].split(b"\0", 1)[0].decode("utf-8", "replace")
    return Attribute(name, parts[1], parts[2], data[place:], at)


def _text(blob: Blob, root: Root, attribute: Attribute, most: int) -> str:
    """The attribute's text, from the message itself or from the global heap."""
    kind = _number(blob, attribute.kind, 0, 1, attribute.at) & 15
    size = _number(blob, attribute.kind, 4, 4, attribute.at)
    rank = _number(blob, attribute.space, 1, 1, attribute.at)
    version = _number(blob, attribute.space, 0, 1, attribute.at)
    null = version == 2 and _number(blob, attribute.space, 3, 1, attribute.at) == 2
    variable = kind == VARIABLE and _number(blob, attribute.kind, 1, 1, attribute.at) & 15 == 1
    if rank or null or not (variable or kind == FIXED_TEXT):
        raise blob.error(f"its {attribute.name} is no text", attribute.at)
    if kind == FIXED_TEXT:
        if size > most:
            raise _too_large(blob, attribute, size, most)
        data = attribute.data[:size]
        if len(data) < size:
            raise blob.error("this HDF5 file is damaged: an attribute ends too soon", attribute.at)
    else:
        data = _from_heap(blob, root, attribute, most)
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _from_heap(blob: Blob, root: Root, attribute: Attribute, most: int) -> bytes:
    """An object of the global heap: its length, the collection's address, its number there."""
    size = _number(blob, attribute.data, 0, 4, attribute.at)
    heap = _number(blob, attribute.data, 4, root.offset, attribute.at)
    index = _number(blob, attribute.data, 4 + root.offset, 4, attribute.at)
    if size > most:
        raise _too_large(blob, attribute, size, most)
    start = _fetch(blob, heap, 8 + root.length)
    if not start.startswith(b"GCOL\x01"):
        raise blob.error("this HDF5 file is damaged: this is no heap", heap)
    long = int.from_bytes(start[8:], "little")
    if long > MAX_HEAP or heap + long > blob.size:
        raise blob.error("this HDF5 file is damaged: a heap is longer than the file", heap)
    prefix = 8 + root.length
    place, end = heap + prefix, heap + long
    for _ in range(2**16):  # an object's number has 16 bits
        if place + prefix > end:
            break
        entry = _fetch(blob, place, prefix)
        number, length = int.from_bytes(entry[:2], "little"), int.from_bytes(entry[8:], "little")
        if number == 0:
            break
        if number == index:
            if size > length or place + prefix + size > end:
                raise blob.error(
                    "this HDF5 file is damaged: a text is longer than its place", place
                )
            return _fetch(blob, place + prefix, size)
        place += prefix + -(-length // 8) * 8
    raise blob.error("this HDF5 file is damaged: the heap has no such object", heap, f"{index}")


def _too_large(blob: Blob, attribute: Attribute, size: int, most: int) -> ReadError:
    values = f"{size:,} bytes, at most {most:,}"
    return blob.error(f"its {attribute.name} is too large", attribute.at, values)
