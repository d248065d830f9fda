"""Functions of the values in the same place of several tensors: sums, products, comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ...layers.elementwise import Pointwise
from ...layers.merging import Add, Maximum, Minimum, Multiply, Subtract, broadcast
from ...layers.stored_tensors import Combine
from .shadow import METHODS, Current, Shadow, call

if TYPE_CHECKING:
    from ...network import Layer

BOOL = torch.bool


def changed(x: Shadow, y: Shadow, inplace: bool) -> Shadow:
    """The result y, or, in place, x that has become it."""
    if not inplace:
        return y
    Current.trace.says(inplace=True)  # memory is counted by it
    return x.become(y)


_TWO = {"add": Add, "sub": Subtract, "mul": Multiply, "maximum": Maximum, "minimum": Minimum}
_COMBINED = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "pow": "power",
             "maximum": "maximum", "minimum": "minimum"}  # fmt: skip
_COMPARED = {"eq": "equal", "ne": "equal", "gt": "greater", "ge": "greater_equal", "lt": "less",
             "le": "less_equal"}  # fmt: skip
_LOGIC = {"logical_and": "and", "logical_or": "or", "logical_xor": "xor", "bitwise_and": "bit_and",
          "bitwise_or": "bit_or", "bitwise_xor": "bit_xor"}  # fmt: skip
_OTHER = {"div": "divide", "pow": "power", "remainder": "modulo", "fmod": "modulo",
          "floor_divide": "divide", "atan2": "power", "float_power": "power",
          "bitwise_left_shift": "shift_left", "bitwise_right_shift": "shift_right",
          **_COMPARED, **_LOGIC}  # fmt: skip
_WHOLE = ("remainder", "fmod", "floor_divide")


def _kind(word: str, x: Any, y: Any) -> torch.dtype:
    """The result's dtype: torch's promotion, a number giving way to a tensor of its category."""
    if word in _COMPARED or word.startswith("logical"):
        return BOOL
    if isinstance(x, Shadow) and isinstance(y, Shadow):
        a, b = x.kind, y.kind
        if a is b:
            kind = a
        elif not y.sizes and x.sizes and a.is_floating_point >= b.is_floating_point:
            kind = a  # a tensor without axes gives way, as a number does
        elif not x.sizes and y.sizes and b.is_floating_point >= a.is_floating_point:
            kind = b
        else:
            kind = torch.promote_types(a, b)
    else:
        tensor, number = (x, y) if isinstance(x, Shadow) else (y, x)
        kind = tensor.kind
        if isinstance(number, complex):
            kind = torch.promote_types(kind, torch.complex64)
        elif isinstance(number, float) and not (kind.is_floating_point or kind.is_complex):
            kind = torch.get_default_dtype()
        elif kind is BOOL and not isinstance(number, bool):
            kind = torch.int64
    if word == "div" and not (kind.is_floating_point or kind.is_complex):
        return torch.get_default_dtype()
    return kind


def binary(word: str, x: Any, y: Any) -> Shadow:
    """One of the functions above, between tensors or a tensor and a number, on either side."""
    trace = Current.trace
    first = type(x) is Shadow
    if first and type(y) is Shadow:
        kind = x.kind if x.kind is y.kind and word in _TWO else _kind(word, x, y)
        operation = _COMBINED.get(word)
        if operation is not None:
            if y.name is None and x.name is not None:
                return _combine(word, operation, x, y, False, kind)
            if x.name is None and y.name is not None:
                return _combine(word, operation, y, x, True, kind)
        if word in _TWO:
            return trace.add(word, trace.layer(_TWO[word]), (x, y), kind)
        return trace.add(word, trace.layer(Pointwise, _OTHER[word]), (x, y), kind)
    if x is None or y is None or isinstance(x, str) or isinstance(y, str):
        return NotImplemented
    tensor = x if first else y
    kind = _kind(word, x, y)
    operation = _COMBINED.get(word)
    if operation is not None:
        layer: Layer = trace.layer(Combine, operation, (), not first, False)
        return trace.add(word, layer, (tensor,), kind)
    layer = trace.layer(Combine, "divide" if word in _WHOLE else "subtract", (), not first, False)
    return trace.add(word, layer, (tensor,), kind)


def _combine(
    word: str, operation: str, x: Shadow, y: Shadow, first: bool, kind: torch.dtype
) -> Shadow:
    """A computed tensor with a stored one: a parameter, a buffer, a constant."""
    trace = Current.trace
    learned = trace.learned(y)
    if y.stored is not None and not learned and trace.stands_alone(y.stored):
        trace.name_of(y)
        a, b = (y, x) if first else (x, y)
        return binary(word, a, b)
    layer = trace.layer(Combine, operation, y.sizes, first, learned)
    tensor = "bias" if operation == "add" else "weight"
    return trace.add(word, layer, (x,), kind, {tensor: y} if learned else {})


def _two(word: str) -> Any:
    def two(
        input: Any, other: Any, *, alpha: Any = 1, rounding_mode: str | None = None, **_: Any
    ) -> Shadow:
        if alpha != 1:
            other = binary("mul", other, alpha) if isinstance(other, Shadow) else other * alpha
        return binary("floor_divide" if rounding_mode else word, input, other)

    return two


for _name in dict.fromkeys((*_TWO, *_OTHER)):
    call(_name)(_two(_name))
for _name, _same in {
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le",
    "not_equal": "ne", "fmax": "maximum", "fmin": "minimum",
}.items():  # fmt: skip
    call(_name)(_two(_same))


@call("rsub")
def rsub(input: Any, other: Any, alpha: Any = 1) -> Shadow:
    return binary("sub", other, input if alpha == 1 else binary("mul", input, alpha))


_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip


def _turned(word: str) -> Any:
    def turned(input: Any, other: Any) -> Shadow:
        return binary(word, other, input)

    return turned


def _onto(word: str) -> Any:
    def onto(input: Shadow, other: Any) -> Shadow:
        return changed(input, binary(word, input, other), True)

    return onto


for _sign, _word in _OPERATORS.items():
    call(f"__{_sign}__")(_two(_word))
    call(f"__r{_sign}__")(_turned(_word))
    call(f"__i{_sign}__")(_onto(_word))
for _sign in _COMPARED:
    call(f"__{_sign}__")(_two(_sign))


@call("__pos__", "positive")
def positive(input: Shadow) -> Shadow:
    return input


@call("addcmul")
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Shadow:
    return binary("add", input, binary("mul", tensor1, tensor2))


@call("addcdiv")
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Shadow:
    return binary("add", input, binary("div", tensor1, tensor2))


@call("lerp")
def lerp(input: Any, end: Any, weight: Any) -> Shadow:
    return binary("add", input, binary("mul", binary("sub", end, input), weight))


@call("where")
def where(condition: Shadow, input: Any = None, other: Any = None) -> Any:
    if input is None:
        return NotImplemented
    trace = Current.trace
    xs = tuple([x for x in (condition, input, other) if isinstance(x, Shadow)])
    xs = tuple([trace.stand_in(x) for x in xs])
    kinds = [x.kind for x in xs if x is not condition] or [torch.get_default_dtype()]
    kind = kinds[0] if len(set(kinds)) == 1 else torch.promote_types(*kinds)
    if len(xs) == 3:
        return trace.add("where", trace.layer(Pointwise, "where"), xs, kind)
    return trace.arrange("where", xs, broadcast(tuple([x.sizes for x in xs])), kind)


@call("masked_fill")
def masked_fill(input: Shadow, mask: Shadow, value: Any) -> Shadow:
    trace = Current.trace
    xs = (input, trace.stand_in(mask))
    return trace.arrange("masked_fill", xs, broadcast((input.sizes, xs[1].sizes)), input.kind)


@call("glu")
def glu(input: Shadow, dim: int = -1) -> Shadow:
    a, b = METHODS["chunk"](input, 2, dim)
    return binary("mul", a, METHODS["sigmoid"](b))
