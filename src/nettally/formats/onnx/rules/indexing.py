"""Constants, shapes as values, looking up, choosing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ....network import MAX_SIZE
from ..proto import FLOAT, FLOATS, INT64, STRING, TensorProto
from ..values import MAX_CONTENTS, Unknown, Value, known, shown, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Layer
    from ..builder import NodeCall
    from ..proto import Dim, Dims


def _define(
    call: NodeCall, shape: Dims | None, dtype: int, contents: Any = None, place: int = 0
) -> Value:
    """A constant output; it is made while the network runs, unless it gets a tensor."""
    name = call.node.outputs[place]
    value = Value(name, call.b.merged(name, shape, dtype, call), dtype)
    value.contents, value.parts = contents, ()
    if name:
        call.b.define(value, call)
    return value


def constant(call: NodeCall) -> None:
    attributes = call.node.attributes
    if len(attributes) != 1:
        raise call.error("a Constant has one value", f"attributes: {', '.join(attributes)}")
    ((name, value),) = attributes.items()
    if isinstance(value, TensorProto):
        output = _define(call, value.dims, value.dtype)
        output.tensor, output.parts = value, None
    elif name == "value_int" and type(value) is int:
        _define(call, (), INT64, [value])
    elif name == "value_float" and isinstance(value, float):
        _define(call, (), FLOAT, [value])
    elif name in ("value_ints", "value_floats") and isinstance(value, list):
        few = value if len(value) <= MAX_CONTENTS else None
        output = _define(call, (len(value),), INT64 if name == "value_ints" else FLOAT, few)
        output.parts = None
    elif name == "value_string":
        _define(call, (), STRING)
    elif name == "value_strings" and isinstance(value, list):
        _define(call, (len(value),), STRING)
    else:
        raise call.error("its value has another type than its name says", name)


def constant_of_shape(call: NodeCall) -> None:
    fill = call.node.attributes.get("value")
    dtype, number = FLOAT, 0.0
    if isinstance(fill, TensorProto):
        dtype = fill.dtype
        stored = Value("", fill.dims, fill.dtype)
        stored.tensor = fill
        contents = call.b.contents(stored)
        number = contents[0] if contents else None
    target = call.value(0)
    sizes = call.contents(0)
    if sizes is None:
        rank = target.shape[0] if target.shape and type(target.shape[0]) is int else None
        shape: Dims | None = (None,) * rank if rank is not None and rank <= 64 else None
        if target.node is None:
            _define(call, shape, dtype)
            return
        name = call.node.outputs[0]
        merged = call.b.merged(name, shape, dtype, call)
        call.emit(
            merged, lambda: call.b.layer("tensor", size=merged, learned=False), [], dtype=dtype
        )
        return
    if any(size < 0 for size in sizes):
        raise call.error("its shape has a negative size", f"shape {sizes}")
    shape = tuple(call.integers(0))
    count = math.prod(shape)
    few = None
    if count <= MAX_CONTENTS and number is not None and call.b.spend(count):
        few = [number] * count
    output = _define(call, shape, dtype, few)
    if target.parts is None:  # its size stands in the file: a weight that was left out of it
        output.parts, output.fill = None, number


def shape_of(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        _define(call, (None,), INT64)
        return
    rank = len(x.shape)
    start, end = call.int("start", 0), call.int("end", rank)
    start = min(max(start + rank if start < 0 else start, 0), rank)
    end = min(max(end + rank if end < 0 else end, 0), rank)
    part = x.shape[start : max(start, end)]
    _define(call, (len(part),), INT64, list(part) if known(part) else None)


def size_of(call: NodeCall) -> None:
    x = call.value(0)
    count = None if x.shape is None else times(x.shape)
    _define(call, (), INT64, [count] if type(count) is int else None)


def range_of(call: NodeCall) -> None:
    dtype = call.value(0).dtype
    contents = [call.contents(place) for place in range(3)]
    if any(each is None or len(each) != 1 for each in contents):
        data = [v for v in call.inputs if v is not None and v.node is not None]
        if data:
            raise Unknown
        _define(call, (None,), dtype)
        return
    start, limit, delta = (each[0] for each in contents)  # type: ignore[index] - none is None, as looked at above
    if not delta or not all(map(math.isfinite, (start, limit, delta))):
        raise call.error("its delta is 0, or no number", f"{start}, {limit}, {delta}")
    count = max(math.ceil((limit - start) / delta), 0)
    if count > MAX_SIZE and call.b.counting:
        raise call.error("it makes more than 2^31 - 1 numbers", f"{start} to {limit} by {delta}")
    values = None
    if count <= MAX_CONTENTS and call.b.spend(count):
        values = [start + step * delta for step in range(count)]
    _define(call, (count,), dtype, values)


def gather(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    if not x.shape:
        raise call.error("its input has no axes")
    looked_up(call, x, call.value(1), call.axis(call.int("axis"), len(x.shape)))


def looked_up(call: NodeCall, x: Value, indices: Value, axis: int) -> None:
    """Parts of a tensor along an axis: of a constant table by computed places, an embedding."""
    shape, of = x.shape, indices.shape
    table = x.constant and not indices.constant and x.dtype in FLOATS
    if shape is None or (of is None and not table):
        raise Unknown
    out = None if of is None else (*shape[:axis], *of, *shape[axis + 1 :])
    b = call.b
    if indices.constant and not x.constant:

        def make() -> Layer:
            index_values = b.contents(indices)
            size = x.sizes[axis]
            if (
                axis
                and index_values
                and len(index_values) == 1
                and -size <= index_values[0] < size
                and of in ((), (1,))
            ):
                place = int(index_values[0]) % size
                if of == (1,):
                    return b.layer("slice", axis=axis, start=place, stop=place + 1)
            return b.layer("arrange", type="Gather", size=out, of=(x.sizes,))

        call.emit(out, make, [x])
    elif x.constant and not indices.constant:
        learned = x.dtype != INT64 and axis == 0 and known(shape)
        learned = learned and not b.set_apart(call, "look up", x, None)
        if learned:
            call.emit(
                out,
                lambda: b.layer("embedding", rows=shape[0], size=shape[1:]),
                [indices],
                dtype=x.dtype,
                weights={"weight": x},
            )
        else:
            call.emit(out, lambda: b.layer("gather", axis=axis), [x, indices])
    else:
        call.emit(out, lambda: b.layer("gather", axis=axis), [x, indices])


def gather_elements(call: NodeCall) -> None:
    x, indices = call.value(0), call.value(1)
    _arrange(call, indices.shape, [x, indices], x.dtype)


def gather_nd(call: NodeCall) -> None:
    x, indices = call.value(0), call.value(1)
    shape, of = x.shape, indices.shape
    if shape is None or not of or type(of[-1]) is not int:
        raise Unknown
    batch = call.int("batch_dims")
    if batch < 0 or batch + of[-1] > len(shape):
        raise call.error("its indices do not fit its input", f"{shown(of)}, {shown(shape)}")
    _arrange(call, (*of[:-1], *shape[batch + of[-1] :]), [x, indices], x.dtype)


def _arrange(call: NodeCall, shape: Dims | None, data: list[Value], dtype: int) -> None:
    call.emit(
        shape,
        lambda: call.b.layer(
            "arrange", type=call.node.op, size=shape, of=tuple(v.sizes for v in data)
        ),
        data,
        dtype=dtype,
    )


def _procedure(
    call: NodeCall, shape: Dims | None, data: list[Value], place: int, dtype: int
) -> None:
    if place < len(call.node.outputs) and call.node.outputs[place]:
        call.emit(
            shape,
            lambda: call.b.layer("procedure", type=call.node.op, size=shape),
            data,
            place=place,
            dtype=dtype,
        )


def top_k(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    axis = call.axis(call.int("axis", -1), len(x.shape))
    number: Dim
    if call.opset < 10:
        number = call.int("k", 0)
    else:
        number = call.integer(1)
    out = (*x.shape[:axis], number, *x.shape[axis + 1 :])
    size = x.shape[axis]
    if type(number) is int and (number < 0 or (type(size) is int and number > size)):
        raise call.error("its k is more than there are", f"k {number}, input {shown(x.shape)}")
    _procedure(call, out, [x], 0, x.dtype)
    _procedure(call, out, [x], 1, INT64)


def non_zero(call: NodeCall) -> None:
    x = call.value(0)
    if x.constant:
        values = call.contents(0)
        if values is not None and known(x.shape) and call.b.spend(len(values)):
            count: Dim = sum(1 for each in values if each)
            call.emit((len(x.shape), count), lambda: call.b.layer("identity"), [x], dtype=INT64)
            return
    _procedure(call, (x.rank, None), [x], 0, INT64)


def one_hot(call: NodeCall) -> None:
    x = call.value(0)
    depth = call.integer(1)
    if x.shape is None:
        raise Unknown
    axis = call.axis(call.int("axis", -1), len(x.shape) + 1)
    out = (*x.shape[:axis], depth, *x.shape[axis:])
    data = [v for v in call.inputs[:1] if v is not None]
    values = call.get(2)
    dtype = values.dtype if values else FLOAT
    call.emit(
        out, lambda: call.b.layer("arrange", type="OneHot", size=out, of=(x.sizes,)), data,
        dtype=dtype,
    )  # fmt: skip


def non_max_suppression(call: NodeCall) -> None:
    data = [v for v in call.inputs[:2] if v is not None]
    _procedure(call, (None, 3), data, 0, INT64)


def grid_sample(call: NodeCall) -> None:
    x, grid = call.value(0), call.value(1)
    if x.shape is None or grid.shape is None:
        raise Unknown
    _procedure(call, (*x.shape[:2], *grid.shape[1:-1]), [x, grid], 0, x.dtype)


def random(call: NodeCall) -> None:
    """RandomNormal, RandomUniform: a tensor of their own; EyeLike: of its input's size."""
    shape = call.ints("shape")
    dtype = call.int("dtype", FLOAT)
    if shape is None or any(size < 0 for size in shape):
        raise call.error("its shape is missing, or can't be", f"shape {shape}")
    _define(call, tuple(shape), dtype)


def eye_like(call: NodeCall) -> None:
    x = call.value(0)
    _define(call, x.shape, call.int("dtype", x.dtype))


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Shape": shape_of,
    "Size": size_of,
    "Range": range_of,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "TopK": top_k,
    "NonZero": non_zero,
    "OneHot": one_hot,
    "NonMaxSuppression": non_max_suppression,
    "GridSample": grid_sample,
    "RandomNormal": random,
    "RandomUniform": random,
    "EyeLike": eye_like,
}
