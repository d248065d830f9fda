"""Writes ONNX files for the tests: the messages of onnx.proto, without a library.

Each function gives the bytes of one message. Also used by benchmarks/onnx.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 8, 9, 10, 11

TYPES = {
    "FLOAT": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7,
    "STRING": 8, "BOOL": 9, "FLOAT16": 10, "DOUBLE": 11, "UINT32": 12, "UINT64": 13,
    "COMPLEX64": 14, "COMPLEX128": 15, "BFLOAT16": 16,
}  # fmt: skip

RAW = {1: "f", 2: "B", 3: "b", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d"}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def tensor(
    name: str,
    dims: Sequence[int],
    values: Sequence[float] | None = None,
    dtype: int = FLOAT,
    *,
    raw: bytes | None = None,
    external: bool = False,
) -> bytes:
    """A TensorProto; without values it holds zeros, as raw data."""
    out = b"".join(number(1, size) for size in dims) + number(2, dtype)
    out += block(8, name) if name else b""
    if external:
        entry = block(1, "location") + block(2, "../../etc/passwd")
        return out + block(13, entry) + number(14, 1)
    if raw is not None:
        return out + block(9, raw)
    if values is None:
        return out + block(9, bytes(prod(dims) * struct.calcsize(RAW[dtype])))
    return out + block(9, struct.pack(f"<{len(values)}{RAW[dtype]}", *values))


class Tensor(bytes):
    """A TensorProto as an attribute's value; made by ``Tensor(tensor(...))``."""


class Graph(bytes):
    """A GraphProto as an attribute's value."""


class Ref(str):
    """The name of a function's attribute that an attribute refers to."""


def attribute(name: str, value: Any) -> bytes:
    out = block(1, name)
    if isinstance(value, Ref):
        return out + block(21, value) + number(20, 2)
    if isinstance(value, Tensor):
        return out + block(5, value) + number(20, 4)
    if isinstance(value, Graph):
        return out + block(6, value) + number(20, 5)
    if isinstance(value, bool) or type(value) is int:
        return out + number(3, int(value)) + number(20, 2)
    if isinstance(value, float):
        return out + single(2, value) + number(20, 1)
    if isinstance(value, (str, bytes)):
        return out + block(4, value) + number(20, 3)
    if all(type(each) is int for each in value):
        return out + b"".join(number(8, each) for each in value) + number(20, 7)
    return out + b"".join(single(7, each) for each in value) + number(20, 6)


def node(
    op: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    name: str = "",
    domain: str = "",
    **attributes: Any,
) -> bytes:
    out = b"".join(block(1, each) for each in inputs)
    out += b"".join(block(2, each) for each in outputs)
    out += (block(3, name) if name else b"") + block(4, op)
    out += b"".join(block(5, attribute(k, v)) for k, v in attributes.items() if v is not None)
    return out + (block(7, domain) if domain else b"")


def shape(dims: Iterable[int | str | None]) -> bytes:
    parts = []
    for size in dims:
        if size is None:
            parts.append(block(1, b""))
        else:
            inner = block(2, size) if isinstance(size, str) else number(1, size)
            parts.append(block(1, inner))
    return b"".join(parts)


def info(name: str, dims: Iterable[int | str | None] | None, dtype: int = FLOAT) -> bytes:
    """A ValueInfoProto; dims None: nothing is said of the shape."""
    kind = number(1, dtype) if dtype else b""
    if dims is not None:
        kind += block(2, shape(dims))
    return block(1, name) + block(2, block(1, kind))


def graph(
    nodes: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    initializers: Iterable[bytes] = (),
    infos: Iterable[bytes] = (),
    name: str = "g",
) -> bytes:
    return b"".join(
        (
            *(block(1, each) for each in nodes),
            block(2, name),
            *(block(5, each) for each in initializers),
            *(block(11, each) for each in inputs),
            *(block(12, each) for each in outputs),
            *(block(13, each) for each in infos),
        )
    )


def function(
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    nodes: Iterable[bytes],
    attributes: Sequence[str] = (),
    domain: str = "local",
    opsets: Mapping[str, int] | None = None,
) -> bytes:
    return b"".join(
        (
            block(1, name),
            *(block(4, each) for each in inputs),
            *(block(5, each) for each in outputs),
            *(block(6, each) for each in attributes),
            *(block(7, each) for each in nodes),
            *(block(9, opset(k, v)) for k, v in (opsets or {"": 17}).items()),
            block(10, domain),
        )
    )


def opset(domain: str, version: int) -> bytes:
    return (block(1, domain) if domain else b"") + number(2, version)


def model(
    graph: bytes,
    opsets: Mapping[str, int] | int = 17,
    functions: Iterable[bytes] = (),
    ir: int = 8,
) -> bytes:
    versions = {"": opsets} if isinstance(opsets, int) else opsets
    return b"".join(
        (
            number(1, ir),
            *(block(8, opset(k, v)) for k, v in versions.items()),
            block(7, graph),
            *(block(25, each) for each in functions),
        )
    )
