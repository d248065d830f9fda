"""ONNX Runtime's operators whose weights are packed, several values a byte or a block.

A parameter is each value that they stand for; scales and zero points, which say what a value is
worth, are none (https://github.com/microsoft/onnxruntime, docs/ContribOperators.md).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..proto import FLOAT, UINT8
from ..values import Unknown, Value, shown
from .indexing import looked_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Shape
    from ..builder import NodeCall

_BITS_OF_TYPES = {"fp4": 4, "nvfp4": 4, "wfp4afp8": 4, "fp8": 8}
"""QMoE's words for types of weights; of integers an attribute says how many bits they have."""


def _product(call: NodeCall, rows: int, columns: int, bias: int | None = None) -> None:
    """A matrix of rows times columns, packed, on the right. bias: which input may be one."""
    x, weight = call.value(0), call.weight(1)
    added = None if bias is None else call.weight(bias)
    if weight is None:
        raise Unknown
    if rows < 1 or columns < 1:
        raise call.error("its K and N say no size", f"K {rows}, N {columns}")
    if added is not None and added.sizes != (columns,):
        raise call.error("its bias does not fit", f"{shown(added.shape)}, {columns} columns")
    shape, axis = None, -1
    if x.shape is not None:
        if not x.shape or (type(x.shape[-1]) is int and x.shape[-1] != rows):
            raise call.error(
                "its K is not its input's last size", f"K {rows}, input {shown(x.shape)}"
            )
        shape, axis = (*x.shape[:-1], columns), 1 if len(x.shape) == 2 else -1
    fields = {"features": columns, "bias": added is not None, "axis": axis}
    call.emit(
        shape,
        lambda: call.b.layer("linear", **fields),
        [x],
        weights={"weight": unpacked(weight, (columns, rows), FLOAT), "bias": added},
    )


def product_of_blocks(call: NodeCall) -> None:
    """MatMulNBits and MatMulBnb4: K and N are the weights' sizes."""
    bias = 5 if call.node.op == "MatMulNBits" else None
    _product(call, call.int("K"), call.int("N"), bias)


def product_of_stated(call: NodeCall) -> None:
    """MatMulFpQ4: an input says the weights' sizes, K and N."""
    sizes = call.integers(2)
    if len(sizes) != 2:
        raise call.error("the shape of its weights needs two sizes", f"{sizes[:8]}")
    _product(call, *sizes)


def product_of_floats(call: NodeCall, values: int, bias: int) -> None:
    """Weights of N rows and K columns, so many values a byte."""
    columns, packed = call.value(1).sizes
    _product(call, packed * values, columns, bias)


def gather(call: NodeCall) -> None:
    """GatherBlockQuantized: rows of a table; a byte holds several values along the last axis."""
    table, scale = call.weight(0), call.value(2)
    if table is None:
        raise call.error("its table is missing")
    bits = call.int("bits", 4)
    values = 8 // bits if table.dtype == UINT8 and bits in (1, 2, 4) else 1
    if not table.sizes:
        raise call.error("its input has no axes")
    whole = unpacked(table, (*table.sizes[:-1], table.sizes[-1] * values), scale.dtype)
    looked_up(call, whole, call.value(1), call.axis(call.int("gather_axis"), len(whole.sizes)))


def unpacked(packed: Value, sizes: Shape, dtype: int) -> Value:
    """The constant that a packed one stands for: the same parameter of the file."""
    if packed.parts is not None:
        return packed
    value = Value(packed.name, sizes, dtype)
    value.root = packed.root
    return value


def mixture(call: NodeCall) -> None:
    """MoE and QMoE: experts, of which each place takes a few: their work is not known here.

    The weights of each of its products are (experts, outputs, inputs), the last axis packed.
    """
    x = call.value(0)
    quantized = call.node.op == "QMoE"
    each = 3 if quantized else 2  # weights, then scales, then a bias
    weights: dict[str, Value] = {}
    for number in (1, 2, 3):
        first = 2 + each * (number - 1)
        weight, bias = call.weight(first), call.weight(first + each - 1)
        if weight is None:
            continue
        sizes = weight.sizes
        if quantized and weight.dtype == UINT8 and sizes:
            sizes = (*sizes[:-1], sizes[-1] * 8 // _bits(call, number))
        weights[f"fc{number}.weight"] = unpacked(weight, sizes, FLOAT)
        if bias is not None:
            weights[f"fc{number}.bias"] = bias
    tensors = tuple((name, value.shape) for name, value in weights.items())
    fields: dict[str, Any] = {"type": call.node.op, "size": x.shape, "whole": True}
    make = partial(call.b.layer, "opaque", **fields, tensors=tensors)
    data = [x, *(value for value in (call.get(1),) if value is not None)]
    call.emit(x.shape, make, data, weights=weights)


def _bits(call: NodeCall, number: int) -> int:
    """How many bits each weight of a QMoE's product has."""
    kind = call.word("quant_type", "int")
    bits = call.int(f"fc{number}_expert_weight_bits") or call.int("expert_weight_bits", 4)
    bits = _BITS_OF_TYPES.get(kind, bits)
    if bits not in (1, 2, 3, 4, 8):
        raise call.error("its weights can't have so many bits", f"{bits}")
    return bits


RULES: dict[str, Callable[[NodeCall], None]] = {
    "com.microsoft:MatMulNBits": product_of_blocks,
    "com.microsoft:MatMulBnb4": product_of_blocks,
    "com.microsoft:MatMulFpQ4": product_of_stated,
    "com.microsoft:MatMulBlockQuantizedFp4Weight": partial(product_of_floats, values=2, bias=5),
    "com.microsoft:MatMulBlockQuantizedFp8Weight": partial(product_of_floats, values=1, bias=4),
    "com.microsoft:GatherBlockQuantized": gather,
    "com.microsoft:MoE": mixture,
    "com.microsoft:QMoE": mixture,
}
