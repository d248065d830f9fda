"""The messages of onnx.proto, as far as a count needs them, decoded from the wire.

Field numbers are those of onnx/onnx.proto3 (IR version 3 to 12). Contents of tensors stay in the
file: a tensor knows where its own lie, and ``contents`` fetches them when a shape depends on them.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from ..encodings.protobuf import signed, varints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..encodings.blob import Blob

MAX_DEPTH = 16
"""How deep graphs may stand within each other (bodies of If, Loop and Scan)."""

MAX_RANK = 64
"""How many axes a tensor may have."""

MAX_NODES = 400_000
"""How many nodes, tensors and stated values a file may have together."""

MAX_EDGES = 1_500_000
"""How many inputs and outputs all nodes may have together."""

MAX_VALUES = 100_000
"""How many numbers an attribute may have."""

LEARNED = "nettally.learned:"
"""How the key of a note begins that says of a tensor whether it is learned. ONNX has no word for
that: its readers guess by a tensor's type and its place, and ``nettally export`` says where they
would be wrong."""

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL = 1, 2, 3, 4, 5, 6, 7, 8, 9
FLOAT16, DOUBLE, UINT32, UINT64 = 10, 11, 12, 13

TYPES = {
    FLOAT: "float32", UINT8: "uint8", INT8: "int8", UINT16: "uint16", INT16: "int16",
    INT32: "int32", INT64: "int64", STRING: "string", BOOL: "bool", FLOAT16: "float16",
    DOUBLE: "float64", UINT32: "uint32", UINT64: "uint64", 14: "complex64", 15: "complex128",
    16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2",
    20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0",
    25: "uint2", 26: "int2",
}  # fmt: skip
"""TensorProto.DataType."""

BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64,
    15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Bits of one value in raw_data; strings are not raw."""

FLOATS = frozenset((FLOAT, FLOAT16, DOUBLE, 14, 15, 16, 17, 18, 19, 20, 23, 24))
"""Types of real and complex numbers: what can be learned."""

PACKED = frozenset((UINT8, INT8, *range(17, 27)))
"""Types of a few bits, which stand for real numbers where weights are stored in them."""

_RAW = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d", 12: "I",
        13: "Q"}  # fmt: skip

Dim = int | str | None
"""A size; a symbol; None where the file states neither."""

Dims = tuple[Dim, ...]


_NO_NAMES = frozenset(("none", "null", "nan", "unk", "unknown", "undefined", "dynamic", "any"))


def symbol(dim_param: str) -> str | None:
    """The symbol that a size is; None where its text names none, as ``?``, ``-1`` or ``None``.

    Writers put such a text wherever a size is not known, so that two of them are two sizes.
    """
    if dim_param.casefold() in _NO_NAMES or not any(map(str.isalpha, dim_param)):
        return None
    return dim_param


class TensorProto:
    """A TensorProto: its name, type and sizes, and where its contents lie."""

    __slots__ = ("at", "data", "dims", "dtype", "external", "field", "name", "numbers", "size",
                 "sparse")  # fmt: skip

    def __init__(self) -> None:
        self.name = ""
        self.dims: tuple[int, ...] = ()
        self.dtype = 0
        self.field = 0  # the number of the field that holds the contents
        self.at = 0
        self.size = 0
        self.data: bytes | None = None
        self.external = False
        self.sparse = False
        self.numbers: list[int] | list[float] | None = None  # its contents, once fetched


class Info(NamedTuple):
    """A ValueInfoProto. dims: None where the file states none. kind: of what is no tensor."""

    name: str
    dtype: int
    dims: Dims | None
    kind: str = ""


class Kind:
    """What a node does: its operator and its attributes. Many nodes have the same one."""

    __slots__ = ("attributes", "domain", "op", "overload")

    def __init__(
        self, op: str, domain: str, overload: str, attributes: Mapping[str, object]
    ) -> None:
        self.op = op
        self.domain = domain
        self.overload = overload
        self.attributes = attributes


class NodeDef(NamedTuple):
    """A NodeProto. at: its place in the file."""

    at: int
    name: str
    kind: Kind
    inputs: list[str]
    outputs: list[str]

    @property
    def op(self) -> str:
        return self.kind.op

    @property
    def domain(self) -> str:
        return self.kind.domain

    @property
    def overload(self) -> str:
        return self.kind.overload

    @property
    def attributes(self) -> Mapping[str, object]:
        return self.kind.attributes


class Graph:
    """A GraphProto."""

    __slots__ = ("infos", "initializers", "inputs", "name", "nodes", "outputs")

    def __init__(self) -> None:
        self.name = ""
        self.nodes: list[NodeDef] = []
        self.initializers: dict[str, TensorProto] = {}
        self.inputs: list[Info] = []
        self.outputs: list[Info] = []
        self.infos: dict[str, Info] = {}


class Function:
    """A FunctionProto."""

    __slots__ = ("attributes", "defaults", "domain", "inputs", "name", "nodes", "opsets", "outputs",
                 "overload")  # fmt: skip

    def __init__(self) -> None:
        self.name = self.domain = self.overload = ""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.attributes: list[str] = []
        self.defaults: dict[str, object] = {}
        self.nodes: list[NodeDef] = []
        self.opsets: dict[str, int] = {}


class Ref(NamedTuple):
    """An attribute of a function's node that is the call's attribute of this name."""

    name: str


class Model:
    """A ModelProto."""

    __slots__ = ("functions", "graph", "ir", "learned", "opsets", "producer", "unknown")

    def __init__(self) -> None:
        self.ir = 0
        self.learned: dict[str, bool] = {}  # as our own files say it of some tensors
        self.producer = ""
        self.opsets: dict[str, int] = {}
        self.graph: Graph | None = None
        self.functions: dict[tuple[str, str, str], Function] = {}
        self.unknown: dict[str, int] = {}


def contents(blob: Blob, tensor: TensorProto, most: int) -> list[int] | list[float] | None:
    """The values of a tensor, in order; None where they can't be had, or are more than ``most``."""
    count = prod(tensor.dims)
    if count > most or tensor.external or tensor.sparse or tensor.dtype not in _RAW:
        return None
    if count == 0:
        return []
    if not tensor.field or tensor.field == 6 or tensor.size > 16 * most:
        return None
    data = tensor.data
    if data is None or len(data) < tensor.size:
        data = blob.fetch(tensor.at, tensor.size)
    field, dtype = tensor.field, tensor.dtype
    if field == 9:
        code = _RAW[dtype]
    elif field in (4, 10):
        code = "f" if field == 4 else "d"
    else:
        values = varints(blob, data, tensor.at)
        if dtype in (UINT64, UINT32):
            return values if len(values) == count else None
        if dtype == FLOAT16:
            return [struct.unpack("<e", (v & 65535).to_bytes(2, "little"))[0] for v in values]
        return [signed(value) for value in values] if len(values) == count else None
    if struct.calcsize(f"<{count}{code}") != len(data):
        return None
    return [int(v) if dtype == BOOL else v for v in struct.unpack(f"<{count}{code}", data)]
