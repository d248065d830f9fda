"""ONNX's messages on the wire, as formats/onnx/proto has them, the other way round.

Field numbers are those of onnx/onnx.proto3. What a file says does not depend on when or where it
is written: the same network and values give the same bytes.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from ..errors import NettallyError
from ..formats.onnx.proto import FLOAT, INT64
from ..versions import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import BinaryIO

    from torch import Tensor

    from ..network import Shape

    Attribute = int | float | str | Sequence[int]
    Dim = int | str | None

MOST = 2**31 - 1
"""How many bytes a message may have; protocol buffers' own limit."""


class Initializer(NamedTuple):
    """A tensor of the file: float32 values of torch's, or whole numbers."""

    name: str
    shape: Shape
    values: Tensor | Sequence[int]

    @property
    def size(self) -> int:
        """Bytes of its values."""
        count = 1
        for each in self.shape:
            count *= each
        return count * (8 if isinstance(self.values, (tuple, list)) else 4)


class Model(NamedTuple):
    """What a file says. nodes, inputs, outputs, infos: as they are on the wire."""

    name: str
    opset: int
    nodes: Sequence[bytes]
    initializers: Sequence[Initializer]
    inputs: Sequence[bytes]
    outputs: Sequence[bytes]
    infos: Sequence[bytes]
    notes: Mapping[str, str]


# --- fields ---------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as its 64 bits."""
    value &= 2**64 - 1
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def number(field: int, value: int) -> bytes:
    """A field that is a whole number."""
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes) -> bytes:
    """Bytes, or a message within another."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    """A field that is text, in UTF-8."""
    # a lone surrogate, which a name in a hostile file may have, is no UTF-8
    return block(field, value.encode("utf-8", "replace"))


# --- messages -------------------------------------------------------------------------------------


def attribute(name: str, value: Attribute) -> bytes:
    """An AttributeProto."""
    head = text(1, name)
    if isinstance(value, float):
        return head + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, int):
        return head + number(3, int(value)) + number(20, 2)
    if isinstance(value, str):
        return head + text(4, value) + number(20, 3)
    return head + b"".join(number(8, each) for each in value) + number(20, 7)


def node(
    op: str,
    name: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    attributes: Mapping[str, Attribute],
) -> bytes:
    """A NodeProto."""
    parts = [text(1, each) for each in inputs]
    parts += [text(2, each) for each in outputs]
    parts += [text(3, name), text(4, op)]
    parts += [block(5, attribute(key, attributes[key])) for key in sorted(attributes)]
    return b"".join(parts)


def info(name: str, kind: int, dims: Sequence[Dim]) -> bytes:
    """A ValueInfoProto of a tensor; a size is a number, a symbol, or not said."""
    sizes = [
        b"" if each is None else text(2, each) if isinstance(each, str) else number(1, each)
        for each in dims
    ]
    shape = b"".join(block(1, each) for each in sizes)
    return text(1, name) + block(2, block(1, number(1, kind) + block(2, shape)))


def _head(tensor: Initializer) -> bytes:
    """A TensorProto up to its values, which end it."""
    whole = isinstance(tensor.values, (tuple, list))
    sizes = b"".join(number(1, each) for each in tensor.shape)
    head = sizes + number(2, INT64 if whole else FLOAT) + text(8, tensor.name)
    return head + varint(9 << 3 | 2) + varint(tensor.size)


# --- the file -------------------------------------------------------------------------------------


def write(path: str, model: Model) -> int:
    """Write the file, whole or not at all; its size in bytes.

    Values are written one tensor after the other, without a copy of all. Raises NettallyError for
    what is over protocol buffers' limit, before anything is written, and where the disk refuses.
    """
    heads = [_head(tensor) for tensor in model.initializers]
    tensors = [
        (varint(5 << 3 | 2) + varint(len(head) + tensor.size) + head, tensor)
        for head, tensor in zip(heads, model.initializers, strict=True)
    ]
    before = b"".join([*(block(1, each) for each in model.nodes), text(2, model.name)])
    after = b"".join(
        block(field, each)
        for field, messages in ((11, model.inputs), (12, model.outputs), (13, model.infos))
        for each in messages
    )
    size = len(before) + sum(len(head) + tensor.size for head, tensor in tensors) + len(after)
    ir = 8 if model.opset < 19 else 9
    start = number(1, ir) + text(2, "nettally") + text(3, version_of("nettally"))
    start += block(8, text(1, "") + number(2, model.opset))
    for key in sorted(model.notes):
        start += block(14, text(1, key) + text(2, model.notes[key]))
    start += varint(7 << 3 | 2) + varint(size)
    total = len(start) + size
    if total > MOST:
        raise NettallyError(
            "an ONNX file holds less than 2 GiB",
            where=path,
            values=f"this one would have {total:,} bytes",
            hint="-o weights.safetensors writes the values alone, of any size",
        )
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.write(start)
            file.write(before)
            for head, tensor in tensors:
                file.write(head)
                _write(file, tensor)
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise NettallyError(f"can't write the file: {error.strerror}", where=path) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    return total


def _write(file: BinaryIO, tensor: Initializer) -> None:
    values = tensor.values
    if isinstance(values, (tuple, list)):
        file.write(struct.pack(f"<{len(values)}q", *values))
        return
    import torch

    from ..building.safetensors import write_values

    write_values(file, values.detach().to(torch.float32))  # type: ignore[union-attr] - a tensor, as just asked
