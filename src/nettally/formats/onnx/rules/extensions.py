"""Operators that are not in the standard now: of old sets, of ONNX Runtime, QONNX and Brevitas."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..builder import NodeCall
from ..proto import FLOAT, INT32, Kind, NodeDef
from ..values import Unknown, Value, shown
from .indexing import grid_sample
from .math import softmax, unary
from .pooling import pool
from .reshaping import concat, kept

if TYPE_CHECKING:
    from collections.abc import Callable


# --- of sets before the seventh, which converters of that time wrote ------------------------------


def image_scaler(call: NodeCall) -> None:
    """ImageScaler: one factor for all, and an offset for each channel; no parameters."""
    x = call.value(0)
    call.emit(x.shape, lambda: call.b.layer("affine", slope=call.float("scale", 1.0)), [x])


def affine(call: NodeCall) -> None:
    slope, offset = call.float("alpha", 1.0), call.float("beta")
    unary(call, "affine", {"slope": slope, "offset": offset})


def scaled_tanh(call: NodeCall) -> None:
    unary(call, "tanh", {"scale": call.float("alpha", 1.0), "slope": call.float("beta", 1.0)})


def crop(call: NodeCall) -> None:
    """Crop: a border off (left, top, right, bottom), or a size from the border's corner."""
    x = call.value(0)
    border = call.ints("border")
    if x.shape is None:
        raise Unknown
    if border is None or len(border) != 4 or min(border) < 0 or len(x.shape) != 4:
        raise call.error("its border needs 4 sizes", f"border {border}, input {shown(x.shape)}")
    left, top, right, bottom = border
    scale = call.ints("scale")
    height, width = x.shape[2:]
    if type(height) is not int or type(width) is not int:
        raise Unknown
    if scale:
        if len(scale) != 2:
            raise call.error("its scale needs 2 sizes", f"scale {scale}")
        bottom, right = height - top - scale[0], width - left - scale[1]
    size = (*x.shape[:2], height - top - bottom, width - left - right)
    if min(size[2], size[3], right, bottom) < 0:
        raise call.error("its border cuts away more than there is", f"{border}, {shown(x.shape)}")
    sides = ((top, bottom), (left, right))
    call.emit(size, lambda: call.b.layer("crop", border=sides), [x])


# --- ONNX Runtime's -------------------------------------------------------------------------------


def quantized_concat(call: NodeCall) -> None:
    """QLinearConcat: the result's scale and zero point, then three inputs for each tensor."""
    if len(call.inputs) < 5:
        raise call.error("it has no tensors", f"{len(call.inputs)} inputs")
    kind = Kind("Concat", "", "", call.node.attributes)
    node = NodeDef(call.node.at, call.node.name, kind, call.node.inputs[2::3], call.node.outputs)
    inner = NodeCall(call.b, node, call.inputs[2::3], 13)
    inner.name = call.name
    concat(inner)


def quantized_pool(call: NodeCall) -> None:
    if call.int("channels_last"):
        raise Unknown
    pool("average_pool", count_padding=lambda call: bool(call.int("count_include_pad")))(call)


def embedded(call: NodeCall) -> None:
    """EmbedLayerNormalization: the embeddings of words, places and segments, their sum normalised.

    Inputs: words, segments, and the tables of words, places and segments, gamma, beta.
    """
    words, segments = call.value(0), call.get(1)
    quantized = call.node.op == "QEmbedLayerNormalization"
    tables = [call.weight(place) for place in (2, 3, 4)]
    gamma, beta = call.weight(5), call.weight(6)
    table, places, kinds = tables
    if table is None or places is None or words.rank != 2:
        raise Unknown
    batch, length = words.sizes
    rows, size = table.sizes
    if length > places.sizes[0]:
        raise call.error(
            "its input is longer than its table of places", f"{length}, {shown(places.shape)}"
        )
    shape, b = (batch, length, size), call.b
    dtype = FLOAT if quantized else table.dtype
    embed = b.layer("embedding", rows=rows, size=(size,))
    embeddings = b.step(call, "words", shape, lambda: embed, [words], {"weight": table})
    embeddings.dtype = dtype
    # the first rows are added to each example; those of longer inputs are parameters as well
    place_table = b.layer("tensor", size=places.sizes)
    row = Value("", places.shape, places.dtype)
    b.place(call, row, b.free(f"{call.name}.places"), place_table, (), {"weight": places})
    part = Value("", (length, size), places.dtype)
    first = b.layer("arrange", type="first rows", size=(length, size), of=(places.sizes,))
    b.place(call, part, b.free(f"{call.name}.used"), first, (row.node or "",))
    parts = [embeddings, part]
    if kinds is not None and segments is not None:
        other = b.layer("embedding", rows=kinds.sizes[0], size=(size,))
        parts.append(b.step(call, "segments", shape, lambda: other, [segments], {"weight": kinds}))
    added = call.step("sum", shape, lambda: b.layer("add"), parts)
    added.dtype = dtype
    fields = {"axes": 1, "epsilon": call.float("epsilon", 1e-12)}
    fields |= {"weight": gamma is not None, "bias": beta is not None}
    call.emit(
        shape,
        lambda: b.layer("layer_norm", **fields),
        [added],
        dtype=dtype,
        weights={"weight": gamma, "bias": beta},
    )
    outputs = call.node.outputs
    if len(outputs) > 1 and outputs[1]:  # how long each example is
        count = b.layer("procedure", type="lengths", size=(batch,))
        call.emit((batch,), lambda: count, [words], place=1, dtype=INT32)
    if len(outputs) > 2 and outputs[2]:
        call.emit(shape, lambda: b.layer("identity"), [added], place=2, dtype=dtype)


# --- QONNX's and Brevitas' ------------------------------------------------------------------------


def channels_last(call: NodeCall) -> None:
    """The standard's operator on a map whose channels are its last axis; Conv's weights as well."""
    b, op = call.b, call.node.op
    x = call.value(0)
    rank = x.rank
    if rank is None or rank < 3:
        raise Unknown
    order = (0, rank - 1, *range(1, rank - 1))
    inputs = [_turned(call, x, order, "channels_first"), *call.inputs[1:]]
    if op == "Conv":
        weight = call.weight(1)
        if weight is None or weight.rank != rank:
            raise Unknown
        inputs[1] = _turned(call, weight, order, "")
    output = f"{call.node.outputs[0]}@channels_first"
    kind = Kind(op, "", "", call.node.attributes)
    node = NodeDef(call.node.at, call.node.name, kind, call.node.inputs, [output])
    inner = NodeCall(b, node, inputs, 13)
    inner.name = call.name
    b.rules[op](inner)
    result = b.values[output]
    if result.shape is None or len(result.shape) != rank:
        raise Unknown
    shape = (result.shape[0], *result.shape[2:], result.shape[1])
    back = (0, *range(2, rank), 1)
    call.name = b.free(f"{call.name}.channels_last")
    call.emit(shape, lambda: b.layer("permute", order=back), [result])


def _turned(call: NodeCall, x: Value, order: tuple[int, ...], suffix: str) -> Value:
    assert x.shape is not None
    shape = tuple(x.shape[axis] for axis in order)
    if x.constant:
        return x.view(x.name, shape, x.dtype)
    return call.step(suffix, shape, lambda: call.b.layer("permute", order=order), [x])


_QUANTIZE = partial(unary, kind="pointwise", fields={"function": "quantize"})
"""A value to the nearest that its bits can hold: the result is a real number as before."""


RULES: dict[str, Callable[[NodeCall], None]] = {
    "ImageScaler": image_scaler,
    "Affine": affine,
    "ScaledTanh": scaled_tanh,
    "ParametricSoftplus": partial(unary, kind="softplus", fields={}),
    "Crop": crop,
    "com.microsoft:QLinearConcat": quantized_concat,
    "com.microsoft:QLinearAveragePool": quantized_pool,
    "com.microsoft:QLinearSoftmax": softmax,
    "com.microsoft:Trilu": kept,
    "com.microsoft:GridSample": grid_sample,
    "com.microsoft:EmbedLayerNormalization": embedded,
    "com.microsoft:QEmbedLayerNormalization": embedded,
    **{
        f"{domain}:{op}": _QUANTIZE
        for domain in ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
        for op in ("Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc")
    },
    **{
        f"qonnx.custom_op.channels_last:{op}": channels_last
        for op in ("Conv", "MaxPool", "AveragePool", "BatchNormalization")
    },
}
