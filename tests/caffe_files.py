"""Caffe's binary files for tests: a text net as bytes, with weights for its layers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from nettally.formats.caffe.schema import WORDS, fields
from nettally.formats.caffe.types import V1_WORDS
from nettally.formats.encodings.protobuf_tree import Message
from nettally.formats.encodings.prototxt import parse
from nettally.network import Shape

PACKED = frozenset((("BlobShape", "dim"), ("Blob", "data"), ("Blob", "double_data")))


def varint(value: int) -> bytes:
    """A whole number as protobuf has it; negative ones take 10 bytes."""
    value &= (1 << 64) - 1
    made = bytearray()
    while True:
        byte, value = value & 127, value >> 7
        made.append(byte | (128 if value else 0))
        if not value:
            return bytes(made)


def field(number: int, payload: bytes | int) -> bytes:
    """A varint field, or one of bytes."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def encode(
    message: Message, kind: str = "Net", weights: Mapping[str, bytes] | None = None
) -> bytes:
    """A parsed text as the binary of the same message. weights: blobs to add, by layers' names."""
    by_name, _ = fields(kind)
    made: list[bytes] = []
    done: set[str] = set()
    for each in message.fields:
        known = by_name.get(each.name)
        if known is None or not known.number or each.name in done:
            continue
        if (kind, each.name) in PACKED:
            done.add(each.name)
            made.append(
                field(known.number, b"".join(varint(n) for n in message.integers(each.name)))
            )
            continue
        value = each.value
        if isinstance(value, Message):
            made.append(field(known.number, encode(value, known.type, weights)))
        elif known.type == "s":
            made.append(field(known.number, value.encode()))
        elif known.type == "f":
            made.append(varint(known.number << 3 | 5) + struct.pack("<f", float(value)))
        elif known.type == "b":
            made.append(field(known.number, int(value in ("true", "1"))))
        elif known.type == "V1TYPE":
            made.append(field(known.number, V1_WORDS.index(value)))
        elif known.type in WORDS:
            made.append(field(known.number, WORDS[known.type].index(value)))
        else:
            made.append(field(known.number, int(value)))
    if weights and kind in ("Layer", "V1Layer") and message.text("name") in weights:
        made.append(weights[message.text("name")])
    return b"".join(made)


def blobs(
    shapes: Iterable[Shape], number: int = 7, *, old: bool = False, fill: bool = True
) -> bytes:
    """Tensors of a layer: their shapes and zeros. old: as four sizes. number: 6 in V1 layers."""
    made: list[bytes] = []
    for shape in shapes:
        if old:
            four = (*(1,) * (4 - len(shape)), *shape)
            head = b"".join(field(i + 1, size) for i, size in enumerate(four))
        else:
            head = field(7, field(1, b"".join(map(varint, shape))))
        made.append(field(number, head + (field(5, bytes(4 * prod(shape))) if fill else b"")))
    return b"".join(made)


def caffemodel(text: str, tensors: Mapping[str, Sequence[Shape]], **k: bool) -> bytes:
    """A trained net: a text's layers with tensors of these shapes, by layers' names."""
    net = parse("net", text)
    number = 6 if "layers" in net else 7
    weights = {name: blobs(shapes, number, **k) for name, shapes in tensors.items()}
    return encode(net, weights=weights)
