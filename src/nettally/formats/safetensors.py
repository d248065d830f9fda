"""Reads the header of safetensors files (https://github.com/huggingface/safetensors).

Eight bytes with the header's length, a header in JSON, then the tensors' bytes, of which none is
read. What the format's own reader refuses is refused here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .encodings.blob import Blob
from .source import Format, one_of_several

if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Match

    from ..network import Network
    from .named_tensor import NamedTensor
    from .source import Source

BINARY = True
"""The file is opened by this module, which fetches its header only."""

FORMAT = Format(
    "safetensors",
    (".safetensors", ".safetensors.index.json"),
    "all; the header only, at most 100 MB; a model in several files by its index",
    ("a table of parameters: no layers, shapes or work",),
)

MAX_HEADER = 100_000_000
"""The format's own limit, in bytes."""

BITS = {
    kind: bits
    for bits, kinds in {
        4: "F4",
        6: "F6_E2M3 F6_E3M2",
        8: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
        16: "I16 U16 F16 BF16",
        32: "I32 U32 F32",
        64: "C64 F64 I64 U64",
    }.items()
    for kind in kinds.split()
}
"""The kinds of numbers, and how many bits one takes."""

KEYS = ("dtype", "shape", "data_offsets")


def sniff(head: bytes, name: str) -> bool:
    """Whether a length and an opening brace begin the file; or it is called so."""
    if name.endswith(".safetensors"):
        return True
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 2**40


def read(source: Source) -> Network:
    """The table of parameters in the header.

    Raises ReadError for a header that is no such header, and for tensors that lie beyond the end,
    over each other, with bytes between them, or in more or fewer bytes than they take.
    """
    from .tensor_table import table

    tensors, notes = tensors_of(source)
    stem = os.path.splitext(os.path.basename(source.name))[0]
    return table(stem or "network", source.name, tensors, notes, one_of_several(source))


def tensors_of(source: Source) -> tuple[list[NamedTensor], list[str]]:
    """The tensors of the header, and notes. Raises ReadError as ``read`` does."""
    with Blob(source.name, source.path, source.data) as blob:
        header = _header(blob)
        start = 8 + len(header)
        notes: list[str] = []
        return list(_tensors(header, blob, start, notes)), notes


def _header(blob: Blob) -> bytes:
    if blob.size < 8:
        raise blob.error("the file is too short for a safetensors file", blob.size)
    size = int.from_bytes(blob.fetch(0, 8), "little")
    if size > MAX_HEADER:
        raise blob.error(
            "the header is longer than the format allows",
            0,
            f"{size:,} bytes, at most {MAX_HEADER:,}",
            "is this a safetensors file?",
        )
    if 8 + size > blob.size:
        raise blob.error(
            "the header is longer than the file",
            0,
            f"{size:,} bytes, the file has {blob.size:,}",
            "the file is cut off; fetch it again",
        )
    header = blob.fetch(8, size)
    if not header.startswith(b"{"):
        raise blob.error("the header does not begin with {", 8, f"{header[:8]!r}")
    return header


def _tensors(header: bytes, blob: Blob, start: int, notes: list[str]) -> Iterator[NamedTensor]:
    """The header's entries, each checked against its kind of numbers, and all against the file."""
    from .named_tensor import MAX_CONTENT, NamedTensor, checked, listing, most_tensors
    from .packed_weights import states_sizes

    places: list[tuple[int, int, str]] = []
    most = most_tensors(len(header))
    odd: dict[str, int] = {}
    kinds: dict[str, int] = {}
    aliases: dict[str, str] = {}
    tensors: dict[str, NamedTensor] = {}
    for name, entry, at in _entries(header, blob):
        if name == "__metadata__":
            aliases = {k: v for k, v in entry.items() if isinstance(v, str)}
            if len(aliases) < len(entry):
                raise blob.error("the metadata may hold only text", at)
            continue
        if len(tensors) >= most:
            raise blob.error("too many tensors", at, f"over {most:,}")
        where = f"{blob.name} at byte {at:,}"
        for key in KEYS:
            if key not in entry:
                raise blob.error(f"'{name[:80]}' has no {key}", at)
        dtype, shape, offsets = (entry[key] for key in KEYS)
        for key in entry:
            if key not in KEYS:
                odd[key[:40]] = odd.get(key[:40], 0) + 1
        if not isinstance(dtype, str) or not isinstance(shape, list):
            raise blob.error(f"'{name[:80]}' has no dtype or shape that can be one", at)
        sizes = checked(name, shape, where)
        begin, end = _offsets(name, offsets, blob, at)
        if dtype in BITS:
            _check_size(name, dtype, sizes, end - begin, blob, at)
        else:
            kinds[dtype[:40]] = kinds.get(dtype[:40], 0) + 1
        places.append((begin, end, name))
        tensors[name] = NamedTensor(name, sizes, dtype)
        if states_sizes(name) and end - begin <= MAX_CONTENT and start + end <= blob.size:
            content = blob.fetch(start + begin, end - begin)
            tensors[name] = tensors[name]._replace(content=content)
    _check_places(places, blob, start)
    if odd:
        notes.append(f"keys that the format does not have: {listing(list(odd))}")
    if kinds:
        notes.append(f"kinds of numbers whose sizes are not known: {listing(list(kinds))}")
    # a tensor with several names is stored once: the other names stand in the metadata
    others = {
        name: owner
        for name, owner in aliases.items()
        if owner in tensors and name not in tensors and name != "format"
    }
    owners = set(others.values())
    if len(tensors) + len(others) > most:
        raise blob.error("too many names of tensors", 8, f"over {most:,}")
    for name, owner in others.items():
        checked(name, (), blob.name)
        tensors[name] = tensors[owner]._replace(name=name, same=owner)
    for name in sorted(tensors, key=natural):  # the header's own order means nothing
        yield tensors[name]._replace(same=name) if name in owners else tensors[name]


def natural(name: str) -> str:
    """A key by which layers.2 comes before layers.10, and a module before what is longer."""
    from re import sub

    def counted(match: Match[str]) -> str:
        digits = match[0].lstrip("0")
        return f"\1{chr(len(digits))}{digits}"

    return sub("[0-9]+", counted, name.replace(".", "\0"))


def _offsets(name: str, offsets: Any, blob: Blob, at: int) -> tuple[int, int]:
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(each) is int and 0 <= each < 2**63 for each in offsets)
        or offsets[0] > offsets[1]
    ):
        raise blob.error(
            f"'{name[:80]}' has no data_offsets that can be any",
            at,
            f"{offsets!r:.80}",
            "a beginning and an end, in bytes",
        )
    return offsets[0], offsets[1]


def _check_size(
    name: str, dtype: str, sizes: tuple[int, ...], length: int, blob: Blob, at: int
) -> None:
    bits = BITS[dtype]
    for size in sizes:
        bits *= size
    if bits != length * 8:
        shown = f"{bits // 8:,}" if bits < 10**40 else "over 10^38"
        raise blob.error(
            f"'{name[:80]}' lies in another number of bytes than it takes",
            at,
            f"{dtype} {'x'.join(map(str, sizes)) or '1'} takes {shown}, lies in {length:,}",
        )


def _check_places(places: list[tuple[int, int, str]], blob: Blob, start: int) -> None:
    """Tensors fill the file from the header's end to its own, without overlaps or holes."""
    places.sort()
    last, before = 0, ""
    for begin, end, name in places:
        if begin != last:
            what = "lies over" if begin < last else "leaves a hole after"
            raise blob.error(
                f"'{name[:80]}' {what} '{before[:80]}'"
                if before
                else f"nothing lies before '{name[:80]}'",
                start + begin,
                f"begins at {begin:,}, the one before ends at {last:,}",
            )
        last, before = end, name
    if start + last != blob.size:
        what = (
            "lie beyond the end of the file" if start + last > blob.size else "end before the file"
        )
        raise blob.error(
            f"the tensors {what}",
            start + last,
            f"they take {last:,} bytes, the file has {blob.size - start:,}",
            "the file is cut off; fetch it again" if start + last > blob.size else "",
        )


def _entries(header: bytes, blob: Blob) -> Iterator[tuple[str, dict[str, Any], int]]:
    """The names of the header with their objects, and where each begins in the file.

    An object holds text, numbers and flat lists; whatever nests deeper is no header, so that
    nothing is built of what a hostile one may contain.
    """
    import json
    import re

    entry = re.compile(
        rb'\s*+"((?:[^"\\\x00-\x1f]++|\\.)*+)"\s*+:\s*+'
        rb'(\{(?:[^"{}\[\]]++|"(?:[^"\\\x00-\x1f]++|\\.)*+"|\[[^"{}\[\]]*+\])*+\})\s*+'
    )
    seen: set[str] = set()
    place = 1
    if empty := re.match(rb"\{\s*+\}", header):
        place = empty.end() - 1
    else:
        while True:
            match = entry.match(header, place)
            if match is None:
                raise blob.error(
                    "this is no entry of a header",
                    8 + place,
                    f"{header[place : place + 40]!r}",
                    '"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}',
                )
            try:
                name = json.loads(f'"{match[1].decode()}"')
                name.encode()  # half a surrogate pair is no text
                fields = json.loads(
                    match[2].decode(), object_pairs_hook=_unique, parse_constant=_refused
                )
            except RepeatedKey as error:
                raise blob.error(
                    f"'{error}' stands twice in one entry", 8 + match.start(2)
                ) from None
            except ValueError as error:
                raise blob.error(
                    "this is not JSON", 8 + match.start(2), str(error).partition(":")[0]
                ) from None
            if name in seen:
                raise blob.error(f"'{name[:80]}' stands twice", 8 + place)
            seen.add(name)
            yield name, fields, 8 + place
            place = match.end()
            sign = header[place : place + 1]
            if sign == b"}":
                break
            if sign != b",":
                raise blob.error(
                    "the header has no end" if not sign else "a comma is missing",
                    8 + place,
                    f"{header[place : place + 24]!r}",
                )
            place += 1
    if header[place + 1 :].strip(b" \t\r\n"):
        raise blob.error(
            "something follows the header's end", 9 + place, f"{header[place + 1 : place + 41]!r}"
        )


class RepeatedKey(Exception):
    """A key that stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise RepeatedKey(key[:80])
        members[key] = value
    return members


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no number")
