"""Files of tensors made to cost more than their size, as large as one likes.

``GENERATORS`` names them: each is a file's name, and what makes its bytes, of about so many.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

from checkpoint_files import pickled, sizes, storage, stream, tensor, text

if TYPE_CHECKING:
    from collections.abc import Callable

    Maker = Callable[[int], bytes]

STORAGE = {"0": b"\0" * 24}


def archive(pickle: bytes, *, deflated: bool = False, more: int = 0, name: int = 8) -> bytes:
    """What torch.save writes. more: how many files without content, with names of such a length."""
    content = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(content, "w", how) as file:
        file.writestr(zipfile.ZipInfo("a/data.pkl"), pickled(pickle), how)
        file.writestr(zipfile.ZipInfo("a/data/0"), STORAGE["0"])
        for place in range(more):
            file.writestr(zipfile.ZipInfo(f"a/data/{place:0{name}x}"), b"")
    return content.getvalue()


def repeated(part: bytes, before: bytes = b"(", after: bytes = b"t", used: int = 0) -> Maker:
    """A checkpoint of a pickle that says the same again and again. used: bytes that ``part`` has
    for each one counted."""
    return lambda size: archive(before + part * (size // (used or len(part))) + after)


def numbered(part: Callable[[int], bytes], before: bytes = b"}(", after: bytes = b"u") -> Maker:
    """A checkpoint of a pickle whose parts differ."""
    each = len(part(1000))
    return lambda size: archive(before + b"".join(map(part, range(size // each))) + after)


def reused(large: Maker, again: bytes, before: bytes = b"", after: bytes = b"") -> Maker:
    """A pickle that makes something of half the size, and uses it for the other half."""

    def make(size: int) -> bytes:
        first = large(size // 2) + b"r\x09\0\0\0" + b"0("
        return archive(before + first + again * (size // 2 // len(again)) + after + b"t")

    return make


def many(part: bytes) -> Maker:
    return lambda size: b"(" + part * (size // len(part)) + b"t"


def keys(size: int) -> bytes:
    parts = [text(f"{place:06x}") + b"N" for place in range(size // 12)]
    return b"}(" + b"".join(parts) + b"u"


DICTIONARY = b"ccollections\nOrderedDict\nq\x000"
TENSOR = tensor((2, 3)) + b"q\x010"
DEEP = b"j\x09\0\0\0"


def laughs(size: int) -> bytes:
    """A tuple of twice the one before it, and so on."""
    return b")q\x00" + b"0h\x00h\x00\x86q\x00" * (size // 8)


def protocol_of_laughs(size: int) -> bytes:
    """The old stream of pickles, with such a tuple where a number should stand."""
    return stream(b"}").replace(b"\x80\x02M\xe9\x03.", pickled(laughs(size)), 1)


def maker_of_laughs(size: int) -> bytes:
    return archive(laughs(size) + b")R")


def long_names(size: int) -> bytes:
    """A key that is long, of a dictionary that holds one tensor under many names."""
    inside = b"".join(text(f"{place:x}") + b"h\x01" for place in range(size // 10))
    return archive(TENSOR + b"}(" + text("k" * 1900) + b"}(" + inside + b"uu")


def long_key(size: int) -> bytes:
    """A key of half the file, of a list of tensors, beside another list."""
    parts = b"(" + b"h\x01" * (size // 4) + b"t"
    return archive(TENSOR + b"}(" + text("k" * (size // 2)) + parts + text("other") + parts + b"u")


def modules(size: int) -> bytes:
    """A module that holds one tensor as many attributes."""
    inside = b"".join(text(f"{'k' * 30}{place:x}") + b"h\x01" for place in range(size // 42))
    state = text("_parameters") + b"}" + text("_modules") + b"}" + inside
    return archive(TENSOR + b"cx\ny\n)\x81}(" + state + b"ub")


def storages(size: int) -> bytes:
    """The old stream, of tensors with a storage each."""
    names = [f"{place:x}" for place in range(size // 180)]
    value = b"".join(text(f"l{key}.w") + tensor((1,), key, 1, old=True) for key in names)
    return stream(b"}(" + value + b"u", dict.fromkeys(names, 1))


def safetensors(entries: Callable[[int], str], *, data: int = 0) -> Maker:
    """A file of entries, numbered. data: bytes that each has."""

    def make(size: int) -> bytes:
        each = len(entries(100_000)) + data + 2
        header = "{" + ", ".join(map(entries, range(max(1, size // each)))) + "}"
        return struct.pack("<Q", len(header)) + header.encode() + bytes(data * (size // each))

    return make


def entry(name: str, dtype: str = "F32", shape: str = "0", at: int = 0, bytes_: int = 0) -> str:
    begin = at * bytes_
    where = f'"data_offsets":[{begin},{begin + bytes_}]'
    return f'"{name}":{{"dtype":"{dtype}","shape":[{shape}],{where}}}'


def metadata(part: Callable[[int], str]) -> Maker:
    """A file of one tensor, and of as many words about it as there is room for."""

    def make(size: int) -> bytes:
        words = ",".join(map(part, range(size // (len(part(100_000)) + 1))))
        header = f'{{"__metadata__":{{{words}}},{entry("a")}}}'.encode()
        return struct.pack("<Q", len(header)) + header

    return make


PICKLES: dict[str, Maker] = {
    "lists": repeated(b"]"),
    "dictionaries": repeated(b"}"),
    "sets": repeated(b"\x8f"),
    "frozen sets": repeated(b"(\x91"),
    "tuples": repeated(b"N\x85"),
    "lists with one in them": repeated(b"]Na"),
    "dictionaries with one in them": repeated(b"}NNs"),
    "numbers": repeated(b"M\xff\xff"),
    "fractions": repeated(b"G" + b"@" * 8),
    "texts": repeated(b"X\1\0\0\0\xff"),
    "long numbers": repeated(b"\x8a\x40" + b"\x7f" * 64),
    "names": repeated(b"cx\ny\n"),
    "names of texts": repeated(b"h\x00h\x00\x93", text("x") + b"q\x000("),
    "calls": repeated(b"h\x00)R", b"cx\ny\nq\x000("),
    "new objects": repeated(b"h\x00)\x81", b"cx\ny\nq\x000("),
    "mappings": repeated(b"h\x00)R", DICTIONARY + b"("),
    "marks": repeated(b"(", b"", b""),
    "values left over": repeated(b"N", b"", b""),
    "pops": repeated(b"N0", b"N", b""),
    "memo": repeated(b"\x94", b"N", b""),
    "places of the memo": numbered(lambda i: b"r" + struct.pack("<I", 97 * i), b"N", b""),
    "deep tuples": repeated(b"\x85", b")", b""),
    "deep lists": lambda size: archive(b"]" * (size // 2) + b"a" * (size // 2 - 1)),
    "deep dictionaries": lambda size: archive(b"}" * (size // 3) + b"N" + b"Ns" * (size // 3)),
    "deep things": repeated(b")R", b"cx\ny\n", b""),
    "mappings of twice themselves": repeated(
        b"0h\x00(h\x01h\x01tRq\x01", DICTIONARY + b"}q\x01", b""
    ),
    "pairs of twice themselves": lambda size: archive(laughs(size)),
    "an object made by such pairs": maker_of_laughs,
    "a mapping again and again": reused(keys, b"h\x00" + DEEP + b"\x85R", DICTIONARY),
    "names of an object again": reused(keys, b"h\x00)" + DEEP + b"\x92", b"cx\ny\nq\x000"),
    "arguments again and again": reused(many(b"]"), b"h\x00" + DEEP + b"R", b"cx\ny\nq\x000"),
    "a state again and again": reused(keys, b"h\x00)R" + DEEP + b"b", b"cx\ny\nq\x000"),
    "a state of a tuple": reused(many(b"]"), b"h\x00)R" + DEEP + b"b", b"cx\ny\nq\x000"),
    "sizes again and again": reused(
        many(b"K\x01"), b"h\x00" + DEEP + b"\x85R", b"ctorch\nSize\nq\x000"
    ),
    "sizes of tensors again": reused(
        many(b"K\x00"),
        b"h\x00(h\x01K\x00" + DEEP + DEEP + b"tR",
        b"ctorch._utils\n_rebuild_tensor_v2\nq\x000" + storage() + b"q\x010",
    ),
    "references again and again": reused(many(text("storage")), DEEP + b"Q"),
    "parameters again and again": reused(
        many(b"N"), b"h\x00" + DEEP + b"R", b"ctorch.nn.parameter\nParameter\nq\x000"
    ),
    "one tensor in a list": repeated(b"h\x01", TENSOR + b"("),
    "one tensor under many names": numbered(lambda i: text(f"{i:x}.w") + b"h\x01", TENSOR + b"}("),
    "one tensor under one name": repeated(text("w") + b"h\x01", TENSOR + b"}(", b"u"),
    "tensors": numbered(lambda i: text(f"l{i:x}.w") + tensor((2, 3), "0", 6)),
    "tensors of no size": numbered(
        lambda i: text(f"{i:x}.w") + b"h\x00(h\x01K\x00K\x00\x85h\x02tR",
        b"ctorch._utils\n_rebuild_tensor_v2\nq\x000"
        + storage()
        + b"q\x010"
        + sizes(1)
        + b"q\x020}(",
    ),
    "long names": long_names,
    "a long key": long_key,
    "attributes of a module": modules,
    "unknown calls": numbered(lambda i: text("w") + f"ctorch.x{i}\ny\n".encode() + b")R"),
    "a line": lambda size: archive(b"V" + b"x" * size),
    "digits": lambda size: archive(b"(" + (b"I" + b"7" * 60_000 + b"\n") * (size // 60_000) + b"t"),
    "packed pops": lambda size: archive(b"N" + b"20" * (size * 400) + b"", deflated=True),
    "packed lists": lambda size: archive(b"(" + b"]" * (size * 800) + b"t", deflated=True),
    "packed memo": lambda size: archive(b"N" + b"\x94" * (size * 800), deflated=True),
    "files in the archive": lambda size: archive(b"}", more=size // 140),
    "files with long names": lambda size: archive(b"}", more=size // 2100, name=1000),
    "storages": storages,
    "a protocol of twice itself": protocol_of_laughs,
}
"""Checkpoints of torch.save, by what there is much of in them."""

HEADERS: dict[str, Maker] = {
    "entries": safetensors(lambda i: entry(f"{i:x}")),
    "modules": safetensors(lambda i: entry(f"{i:x}.w")),
    "deep modules": safetensors(lambda i: entry(f"{'a.' * 900}{i:x}")),
    "digits": safetensors(lambda i: entry(f"{'a1' * 900}{i:x}")),
    "dots": safetensors(lambda i: entry("." * 1800 + f"{i:x}")),
    "lines below": safetensors(lambda i: entry("_" * 1800 + f"{i:x}")),
    "axes": safetensors(lambda i: entry(f"{i:x}", shape="0," * 63 + "0")),
    "large axes": safetensors(lambda i: entry(f"{i:x}", shape=f"{2**63 - 1}," * 63 + "0")),
    "kinds": safetensors(lambda i: entry(f"{i:x}", f"{i:x}")),
    "keys": safetensors(lambda i: entry(f"{i:x}")[:-1] + f',"k{i:x}":0}}'),
    "one long list": lambda size: safetensors(lambda i: entry("a", shape="1," * (size // 2) + "1"))(
        1
    ),
    "one long name": lambda size: safetensors(lambda i: entry("a" * size))(1),
    "quotes": lambda size: safetensors(lambda i: entry('\\"' * (size // 2)))(1),
    "stated sizes": safetensors(lambda i: entry(f"{i:x}.weight_shape", "U8", "64", i, 64), data=64),
    "packed weights": safetensors(lambda i: entry(f"{i:x}.qweight", "I32", "0,0")),
    "blocks": safetensors(lambda i: entry(f"{i:x}_blocks", "U8", "0,0,16")),
    "averages": safetensors(lambda i: entry(f"{'ema' if i % 2 else 'net'}.{i // 2:x}.w")),
    "names of one tensor": metadata(lambda i: f'"{i:x}.w":"a"'),
    "words": metadata(lambda i: f'"{i:x}":""'),
    "nothing": lambda size: struct.pack("<Q", size) + b"{" + b" " * (size - 1),
    "commas": lambda size: struct.pack("<Q", size) + b"{" + b"," * (size - 1),
    "brackets": lambda size: struct.pack("<Q", size) + b'{"a":' + b"[" * (size - 5),
}
"""safetensors' headers, by what there is much of in them."""

GENERATORS: dict[str, tuple[str, Maker]] = {
    **{f"pickle: {name}": ("x.pt", make) for name, make in PICKLES.items()},
    **{f"safetensors: {name}": ("x.safetensors", make) for name, make in HEADERS.items()},
}


def growing(kind: str) -> Maker:
    """What makes a file of this kind, of about so many bytes."""
    return GENERATORS[kind][1]
