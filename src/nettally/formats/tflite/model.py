"""The contents of a TFLite file, after tensorflow/lite/schema/schema.fbs, version 3."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from ..encodings.flatbuffers import Flat, Table

if TYPE_CHECKING:
    from ..encodings.blob import Blob

VERSION = 3

MAX_OPERATORS = 200_000
MAX_TENSORS = 400_000
MAX_EDGES = 2_000_000
MAX_GRAPHS = 10_000
MAX_CODES = 10_000
MAX_AXES = 32
MAX_NAME = 2000
NAMES_A_BYTE = 4
"""How long all tensors' names may be, for each byte of the file: many can be one and the same."""
MAX_CONTENTS = 4096
"""The longest constant that is read, in values: sizes, axes, paddings are far shorter."""

TYPES = {
    0: ("FLOAT32", 32), 1: ("FLOAT16", 16), 2: ("INT32", 32), 3: ("UINT8", 8), 4: ("INT64", 64),
    5: ("STRING", 0), 6: ("BOOL", 8), 7: ("INT16", 16), 8: ("COMPLEX64", 64), 9: ("INT8", 8),
    10: ("FLOAT64", 64), 11: ("COMPLEX128", 128), 12: ("UINT64", 64), 13: ("RESOURCE", 0),
    14: ("VARIANT", 0), 15: ("UINT32", 32), 16: ("UINT16", 16), 17: ("INT4", 4),
    18: ("BFLOAT16", 16), 19: ("INT2", 2), 20: ("UINT4", 4),
}  # fmt: skip
"""The kinds of numbers, and the bits that one takes; 0 where that varies."""

WHOLE = {"INT32": "i", "INT64": "q"}
"""The types of sizes and axes, and their codes for struct."""


class TensorInfo(NamedTuple):
    """A tensor. shape: as the file has it, channels last; sizes that are open are in ``signature``.

    constant: it has numbers of its own. quantized: they stand for others. at: where they begin.
    """

    number: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: str
    buffer: int
    constant: bool
    quantized: bool
    variable: bool
    at: int
    size: int

    @property
    def values(self) -> int:
        """How many values it has."""
        count = 1
        for size in self.shape:
            count *= size
        return count


class Operator(NamedTuple):
    """One operation. inputs: tensors by number, -1 for none."""

    number: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    at: int


class Graph(NamedTuple):
    """The first subgraph, which is the network; the others are called from it."""

    flat: Flat
    tensors: list[TensorInfo]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[Operator]
    others: int
    notes: list[str]

    def contents(self, tensor: TensorInfo) -> tuple[int, ...] | None:
        """The whole numbers that a constant holds; None where it holds others, or too many."""
        form = WHOLE.get(tensor.type)
        if not tensor.constant or form is None or tensor.values > MAX_CONTENTS:
            return None
        wide = Struct(f"<{tensor.values}{form}")
        if wide.size != tensor.size:
            return None
        return wide.unpack(self.flat.bytes(tensor.at, wide.size)) if tensor.values else ()


def model(blob: Blob) -> Graph:
    """The network of a file. Raises ReadError where it is damaged, or of another version."""
    flat = Flat(blob)
    name = flat.bytes(4, 4)
    if name[:3] == b"TFL" and name != b"TFL3":
        raise flat.error(
            "this is a TFLite file of a version that is not read", 4, f"{name!r}", "version 3 is"
        )
    root = flat.root()
    version = root.u32(0)
    if version != VERSION:
        raise flat.error(
            "this is no TFLite file of the version that is read",
            root.at,
            f"version {version}",
            f"version {VERSION} is",
        )
    kinds = [_kind(code) for code in root.tables(1, MAX_CODES, "kinds of operators")]
    graphs = root.tables(2, MAX_GRAPHS, "subgraphs")
    if not graphs:
        raise flat.error("the file has no network", root.at)
    buffers = root.vector(4, 4)
    graph = graphs[0]
    tensors: list[TensorInfo] = []
    room = NAMES_A_BYTE * flat.size
    for i, each in enumerate(graph.tables(0, MAX_TENSORS, "tensors")):
        tensors.append(_tensor(i, each, flat, buffers))
        room -= len(tensors[-1].name)
        if room < 0:
            raise flat.error("the tensors' names are too long", each.at)
    inputs, outputs = graph.ints(1, MAX_TENSORS, "inputs"), graph.ints(2, MAX_TENSORS, "outputs")
    operators: list[Operator] = []
    edges = 0
    for i, each in enumerate(graph.tables(3, MAX_OPERATORS, "operators")):
        operator = _operator(i, each, flat, kinds)
        edges += len(operator.inputs) + len(operator.outputs)
        if edges > MAX_EDGES:
            raise flat.error("the operators have too many inputs", each.at, f"over {MAX_EDGES:,}")
        for tensor in (*operator.inputs, *operator.outputs):
            if not -1 <= tensor < len(tensors):
                raise _no_tensor(flat, each.at, tensor, len(tensors))
        operators.append(operator)
    for tensor in (*(inputs or ()), *(outputs or ())):
        if not 0 <= tensor < len(tensors):
            raise _no_tensor(flat, graph.at, tensor, len(tensors))
    return Graph(flat, tensors, inputs or (), outputs or (), operators, len(graphs) - 1, [])


def _no_tensor(flat: Flat, at: int, tensor: int, count: int) -> Exception:
    return flat.error("a tensor is named that is not there", at, f"tensor {tensor} of {count:,}")


def _kind(code: Table) -> str:
    """An operator's name. The old field has one byte: a number above 127 stands in the new one."""
    from .codes import BUILTIN

    number = max(code.i8(0), code.i32(3))
    if number == 32:
        return "custom " + (code.text(1, MAX_NAME) or "?")
    return BUILTIN.get(number, f"operator {number}")


def _operator(index: int, table: Table, flat: Flat, kinds: list[str]) -> Operator:
    code = table.u32(0)
    if code >= len(kinds):
        raise flat.error(
            "an operator is of a kind that is not there", table.at, f"{code} of {len(kinds)}"
        )
    inputs = table.ints(1, MAX_EDGES, "inputs") or ()
    outputs = table.ints(2, MAX_EDGES, "outputs") or ()
    options = table.table(4) or table.table(12)
    return Operator(index, kinds[code], inputs, outputs, options, table.at)


def _tensor(index: int, table: Table, flat: Flat, buffers: tuple[int, int]) -> TensorInfo:
    shape = table.ints(0, MAX_AXES, "axes of a tensor") or ()
    signature = table.ints(7, MAX_AXES, "axes of a tensor") or ()
    kind, bits = TYPES.get(table.i8(1), (f"type {table.i8(1)}", 0))
    name = table.text(3, MAX_NAME)
    number = table.u32(2)
    at, size = _buffer_span(number, flat, buffers, table.at)
    quantization = table.table(4)
    quantized = bool(quantization and quantization.vector(2, 4)[1])
    if any(n < 0 for n in shape) and size:
        raise flat.error(f"the constant '{name[:80]}' has a size below 0", table.at, f"{shape}")
    tensor = TensorInfo(
        index,
        name,
        shape,
        signature,
        kind,
        number,
        bool(size),
        quantized,
        bool(table.u8(5)),
        at,
        size,
    )
    sparse = table.place(6)
    if size and bits and not sparse and (tensor.values * bits + 7) // 8 != size:
        raise flat.error(
            f"the constant '{name[:80]}' has another length than it takes",
            at,
            f"{kind} {'x'.join(map(str, shape)) or '1'} in {size:,} bytes",
        )
    return tensor


def _buffer_span(number: int, flat: Flat, buffers: tuple[int, int], at: int) -> tuple[int, int]:
    """Where a buffer's bytes begin, and how many there are; none are fetched."""
    start, count = buffers
    if not number:
        return 0, 0
    if number >= count:
        raise flat.error("a tensor's buffer is not there", at, f"buffer {number} of {count:,}")
    table = Table(flat, flat.follow(start + 4 * number))
    begin, size = table.vector(0, 1)
    offset, length = table.u64(1), table.u64(2)
    if offset > 1:  # outside of the flatbuffer, in files of over 2 GB
        if offset + length > flat.size:
            raise flat.error("a buffer lies beyond the end of the file", table.at, f"{offset:,}")
        return offset, length
    return begin, size
