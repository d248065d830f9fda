"""Computes the small constants of a graph, which its shapes are made of, in plain Python.

A function here takes the node's call, the output's shape and its place among the outputs, and
gives the values in order, or None where they can't be known. What the node's layer would read are
constants, but their values may be unknown.
"""

# pyright: reportUnknownLambdaType=false
# A lambda's numbers, ints or floats, can't be annotated.

from __future__ import annotations

import math
from itertools import product as places
from math import prod
from typing import TYPE_CHECKING, Any

from .proto import FLOATS
from .values import MAX_CONTENTS, cast, known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .state import NodeReader
    from .values import Numbers, Value

    Fold = Callable[[NodeReader, tuple[int, ...], int], Numbers | None]


def strides(shape: Sequence[int]) -> list[int]:
    """How far apart neighbours along each axis are in a list of all the values."""
    steps = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        steps[axis] = steps[axis + 1] * shape[axis + 1]
    return steps


def stretched(values: Numbers, shape: Sequence[int], to: Sequence[int]) -> Numbers:
    """The values of a tensor whose sizes of 1 are stretched (numpy's rule)."""
    if tuple(shape) == tuple(to):
        return values
    if len(values) == 1:
        return [values[0]] * prod(to)
    steps = [0] * (len(to) - len(shape)) + [
        0 if size == 1 else step for size, step in zip(shape, strides(shape), strict=True)
    ]
    return [values[sum(map(int.__mul__, place, steps))] for place in places(*map(range, to))]


def _all(call: NodeReader) -> list[Numbers] | None:
    contents: list[Numbers] = []
    for value in call.inputs:
        if value is not None:
            numbers = call.b.contents(value)
            if numbers is None:
                return None
            contents.append(numbers)
    return contents


def _broadcasting(function: Callable[..., Any]) -> Fold:
    def computed(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
        contents = _all(call)
        if contents is None:
            return None
        shapes = [value.sizes for value in call.inputs if value is not None]
        lists = [stretched(n, s, shape) for n, s in zip(contents, shapes, strict=True)]
        return [function(*each) for each in zip(*lists, strict=True)]

    return computed


def _divide(a: Any, b: Any) -> Any:
    if type(a) is int and type(b) is int:  # ONNX rounds the quotient of integers towards zero
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _modulo(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    function = math.fmod if call.int("fmod") else lambda a, b: a % b
    values = _broadcasting(function)(call, shape, place)
    if values is not None and call.value(0).dtype not in FLOATS:
        return [int(each) for each in values]
    return values


def _chain(function: Callable[[Any, Any], Any]) -> Fold:
    def several(*each: Any) -> Any:
        result = each[0]
        for other in each[1:]:
            result = function(result, other)
        return result

    return _broadcasting(several)


def _power(a: Any, b: Any) -> Any:
    if abs(b) > 64 or abs(a) > 2**63:
        raise ArithmeticError
    result = a**b
    if isinstance(result, complex):
        raise ValueError(a)
    return int(result) if type(a) is int and result == int(result) else result


def _round(a: Any) -> Any:
    return float(round(a))  # halves to the even number, as ONNX has it


def _cast(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    if values is None:
        return None
    to = call.int("to") if call.node.op == "Cast" else call.value(1).dtype
    return cast(values, to)


def _same(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    return call.contents(0)


def _expand(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    return None if values is None else stretched(values, call.value(0).sizes, shape)


def _tile(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    if values is None:
        return None
    sizes = call.value(0).sizes
    steps = strides(sizes)
    return [
        values[sum(p % n * s for p, n, s in zip(at, sizes, steps, strict=True))]
        for at in places(*map(range, shape))
    ]


def _gather(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values, indices = call.contents(0), call.contents(1)
    if values is None or indices is None:
        return None
    sizes = call.value(0).sizes
    axis = call.axis(call.int("axis"), len(sizes))
    before, size, after = prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :])
    result: list[Any] = []
    for outer in range(before):
        for index in indices:
            if not -size <= index < size:
                raise call.error(
                    "it takes a value that is not there", f"index {index}, {size} values"
                )
            start = (outer * size + int(index) % size) * after
            result.extend(values[start : start + after])
    return result


def _concat(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    contents = _all(call)
    if contents is None:
        return None
    axis = call.int("axis", 1) % len(shape)
    inner = [prod(value.sizes[axis:]) for value in call.inputs if value is not None]
    result: list[Any] = []
    for outer in range(prod(shape[:axis])):
        for numbers, size in zip(contents, inner, strict=True):
            result.extend(numbers[outer * size : (outer + 1) * size])
    return result


def _transpose(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    if values is None:
        return None
    sizes = call.value(0).sizes
    order = call.ints("perm") or list(range(len(sizes)))[::-1]
    steps = strides(sizes)
    moved = [steps[axis] for axis in order]
    return [values[sum(map(int.__mul__, at, moved))] for at in places(*map(range, shape))]


def sliced(values: Numbers, sizes: Sequence[int], taken: Sequence[tuple[int, int, int]]) -> Numbers:
    """The values at start, start + step, ... of each axis: taken is (start, count, step) each."""
    if len(taken) == 1:
        ((start, count, step),) = taken
        return [values[start + at * step] for at in range(count)]
    steps = strides(sizes)
    return [
        values[
            sum(
                (start + at * step) * width
                for at, (start, _, step), width in zip(position, taken, steps, strict=True)
            )
        ]
        for position in places(*(range(count) for _, count, _ in taken))
    ]


_REDUCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "ReduceSum": sum,
    "ReduceProd": prod,
    "ReduceMax": max,
    "ReduceMin": min,
    "ReduceMean": lambda values: sum(values) / len(values),
}


def _reduce(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    """Reduces a whole list, as shapes are; other reductions are not computed."""
    values = call.contents(0)
    value = call.value(0)
    if not values or value.rank != 1 or prod(shape) != 1:
        return None
    result = _REDUCTIONS[call.node.op](list(values))
    if call.node.op == "ReduceMean" and value.dtype not in FLOATS:
        result = int(result)
    return [result]


def _where(a: Any, b: Any, c: Any) -> Any:
    return b if a else c


def _nonzero(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    sizes = call.value(0).sizes
    if values is None:
        return None
    at = [
        position
        for position, value in zip(places(*map(range, sizes)), values, strict=True)
        if value
    ]
    return [position[axis] for axis in range(len(sizes)) for position in at]


def _scatter_nd(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values, indices, updates = call.contents(0), call.contents(1), call.contents(2)
    if values is None or indices is None or updates is None:
        return None
    sizes, of = call.value(0).sizes, call.value(1).sizes
    if len(of) != 2 or of[-1] != len(sizes) or call.word("reduction", "none") != "none":
        return None
    result: list[Any] = list(values)
    steps = strides(sizes)
    for row, update in enumerate(updates):
        index = indices[row * of[-1] : (row + 1) * of[-1]]
        if not all(-n <= i < n for i, n in zip(index, sizes, strict=True)):
            return None
        result[sum(int(i) % n * s for i, n, s in zip(index, sizes, steps, strict=True))] = update
    return result


def _cumulative(call: NodeReader, shape: tuple[int, ...], place: int) -> Numbers | None:
    values = call.contents(0)
    if values is None or len(shape) != 1 or call.int("exclusive") or call.int("reverse"):
        return None
    total: Any = 0
    result: list[Any] = []
    for each in values:
        total += each
        result.append(total)
    return result


COMPUTED: dict[str, Fold] = {
    "Add": _broadcasting(lambda a, b: a + b),
    "Sub": _broadcasting(lambda a, b: a - b),
    "Mul": _broadcasting(lambda a, b: a * b),
    "Div": _broadcasting(_divide),
    "Mod": _modulo,
    "Pow": _broadcasting(_power),
    "Sum": _chain(lambda a, b: a + b),
    "Min": _chain(min),
    "Max": _chain(max),
    "Equal": _broadcasting(lambda a, b: int(a == b)),
    "Greater": _broadcasting(lambda a, b: int(a > b)),
    "GreaterOrEqual": _broadcasting(lambda a, b: int(a >= b)),
    "Less": _broadcasting(lambda a, b: int(a < b)),
    "LessOrEqual": _broadcasting(lambda a, b: int(a <= b)),
    "And": _broadcasting(lambda a, b: int(bool(a) and bool(b))),
    "Or": _broadcasting(lambda a, b: int(bool(a) or bool(b))),
    "Xor": _broadcasting(lambda a, b: int(bool(a) != bool(b))),
    "Not": _broadcasting(lambda a: int(not a)),
    "Neg": _broadcasting(lambda a: -a),
    "Abs": _broadcasting(abs),
    "Sign": _broadcasting(lambda a: (a > 0) - (a < 0)),
    "Floor": _broadcasting(lambda a: float(math.floor(a))),
    "Ceil": _broadcasting(lambda a: float(math.ceil(a))),
    "Round": _broadcasting(_round),
    "Sqrt": _broadcasting(math.sqrt),
    "Exp": _broadcasting(math.exp),
    "Log": _broadcasting(math.log),
    "Reciprocal": _broadcasting(lambda a: 1 / a),
    "Where": _broadcasting(_where),
    "Cast": _cast,
    "CastLike": _cast,
    "Identity": _same,
    "Reshape": _same,
    "Flatten": _same,
    "Squeeze": _same,
    "Unsqueeze": _same,
    "Dropout": _same,
    "Expand": _expand,
    "Tile": _tile,
    "Gather": _gather,
    "Concat": _concat,
    "Transpose": _transpose,
    "NonZero": _nonzero,
    "ScatterND": _scatter_nd,
    "CumSum": _cumulative,
    **dict.fromkeys(_REDUCTIONS, _reduce),
}
"""How the values of constants are computed, by operator; Slice and Split do it themselves."""


def computed_constant(call: NodeReader, value: Value, most: int) -> Numbers | None:
    """The contents of a constant output, where they are few and can be known."""
    function = COMPUTED.get(call.node.op) if not call.node.domain else None
    if function is None:
        return None
    shape = value.shape
    if shape is None or not all(type(size) is int for size in shape):
        return None
    count = prod(shape)  # type: ignore[arg-type] - all ints, as just asked
    sizes = [prod(each.sizes) for each in call.inputs if each is not None and known(each.shape)]
    looked_at = sum([size for size in sizes if size <= MAX_CONTENTS])
    steps = count * (len(call.inputs) + len(shape)) + looked_at + 1
    if count > most or not call.b.spend(steps):
        return None
    try:
        values = function(call, shape, 0)  # type: ignore[arg-type] - all ints, as just asked
    except (ArithmeticError, ValueError, TypeError, LookupError):
        return None  # the values can't be computed
    if values is None or len(values) != count:
        return None
    # ONNX's integers have 64 bits; what does not fit wraps there, and is no size of anything
    return values if all(type(each) is float or abs(each) < 2**63 for each in values) else None
