"""What is done to each value by itself, and between the values in the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ...layers.activation import (
    ELU,
    GELU,
    SELU,
    Abs,
    ClippedReLU,
    Dropout,
    Exp,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Log,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Sqrt,
    Square,
    Tanh,
)
from ...layers.elementwise import Pointwise
from ...layers.merging import Add, Maximum, Minimum, Multiply, Subtract, broadcast
from ...layers.stored_tensors import Combine
from .shadow import Current, Shadow, call

if TYPE_CHECKING:
    from ...network import Layer

BOOL = torch.bool

# --- one value ----------------------------------------------------------------------------------

_PLAIN: dict[str, Layer] = {
    "relu": ReLU(),
    "relu6": ReLU6(),
    "selu": SELU(),
    "silu": SiLU(),
    "mish": Mish(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "hardswish": HardSwish(),
    "hardsigmoid": HardSigmoid(),
    "sqrt": Sqrt(),
    "square": Square(),
    "exp": Exp(),
    "log": Log(),
    "abs": Abs(),
}
_WORDS = {"absolute": "abs", "hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid"}

_FUNCTIONS = {
    **{name: name for name in ("erf", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: name for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
    "neg": "negative",
    "reciprocal": "reciprocal",
    "softsign": "softsign",
    **{name: name for name in ["floor", "ceil", "round", "sign"]},
    "trunc": "round",
    "frac": "round",
    "sgn": "sign",
    "logical_not": "not",
    "bitwise_not": "bit_not",
    "isnan": "is_nan",
    "isinf": "is_inf",
    "threshold": "threshold",
    "hardtanh": "hard_tanh",
    "hardshrink": "shrink",
    "softshrink": "shrink",
    "celu": "celu",
    "clamp_min": "clip",
    "clamp_max": "clip",
    "clip": "clip",
    "nan_to_num": "where",
}
_TRUE_OR_FALSE = ("not", "is_nan", "is_inf")


def _changed(x: Shadow, y: Shadow, inplace: bool) -> Shadow:
    if not inplace:
        return y
    Current.trace.says(inplace=True)  # memory is counted by it
    return x.become(y)


def _plain(word: str, layer: Layer) -> Any:
    def one(input: Shadow, inplace: bool = False, **_: Any) -> Shadow:
        return _changed(input, Current.trace.add(word, layer, (input,)), inplace)

    return one


for _name, _layer in _PLAIN.items():
    call(_name)(_plain(_WORDS.get(_name, _name), _layer))
call("absolute")(_plain("abs", _PLAIN["abs"]))


def _function(word: str, layer: Layer, kind: torch.dtype | None) -> Any:
    def one(input: Shadow, *_: Any, inplace: bool = False, **__: Any) -> Shadow:
        return _changed(input, Current.trace.add(word, layer, (input,), kind), inplace)

    return one


for _name, _function_name in _FUNCTIONS.items():
    if _function_name != "where":
        _gives = BOOL if _function_name in _TRUE_OR_FALSE else None
        call(_name)(_function(_name, Pointwise(_function_name), _gives))


@call("gelu")
def gelu(input: Shadow, approximate: str = "none") -> Shadow:
    layer = Current.trace.layer(GELU, approximate == "tanh")
    return Current.trace.add("gelu", layer, (input,))


@call("leaky_relu")
def leaky_relu(input: Shadow, negative_slope: float = 0.01, inplace: bool = False) -> Shadow:
    trace = Current.trace
    layer = trace.layer(LeakyReLU, negative_slope)
    return _changed(input, trace.add("leaky_relu", layer, (input,)), inplace)


@call("rrelu")
def rrelu(input: Shadow, *_: Any, inplace: bool = False, **__: Any) -> Shadow:
    trace = Current.trace
    return _changed(input, trace.add("rrelu", trace.layer(LeakyReLU, 0.23), (input,)), inplace)


@call("elu")
def elu(input: Shadow, alpha: float = 1.0, *_: Any, inplace: bool = False) -> Shadow:
    trace = Current.trace
    return _changed(input, trace.add("elu", trace.layer(ELU, alpha), (input,)), inplace)


@call("softplus")
def softplus(input: Shadow, beta: float = 1.0, threshold: float = 20.0) -> Shadow:
    return Current.trace.add("softplus", Current.trace.layer(Softplus), (input,))


@call("logsigmoid")
def logsigmoid(input: Shadow) -> Shadow:
    return Current.trace.add("logsigmoid", Current.trace.layer(Softplus), (input,))


@call("log1p", "log2", "log10")
def log(input: Shadow) -> Shadow:
    return Current.trace.add("log", Current.trace.layer(Log), (input,))


@call("exp2", "expm1")
def exp(input: Shadow) -> Shadow:
    return Current.trace.add("exp", Current.trace.layer(Exp), (input,))


@call("rsqrt")
def rsqrt(input: Shadow) -> Shadow:
    return Current.trace.add("rsqrt", Current.trace.layer(Sqrt), (input,))


@call("prelu")
def prelu(input: Shadow, weight: Any) -> Shadow:
    trace = Current.trace
    slopes = trace.stand_in(weight)
    layer = trace.layer(PReLU, slopes.sizes == (1,))
    return trace.add("prelu", layer, (input,), None, {"weight": slopes})


@call("clamp")
def clamp(input: Shadow, min: Any = None, max: Any = None) -> Shadow:
    trace = Current.trace
    if isinstance(min, torch.Tensor) or isinstance(max, torch.Tensor):
        y = input if min is None else binary("maximum", input, min)
        return y if max is None else binary("minimum", y, max)
    if min == 0 and type(max) in (int, float) and max > 0:
        return trace.add("clamp", trace.layer(ClippedReLU, max), (input,))
    return trace.add("clamp", trace.layer(Pointwise, "clip"), (input,))


def _axis(x: Shadow, dim: int | None) -> int:
    rank = len(x.sizes)
    return (1 if rank > 1 else 0) if dim is None else dim % rank if rank else 0


@call("softmax")
def softmax(
    input: Shadow, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Shadow:
    trace = Current.trace
    if isinstance(_stacklevel, torch.dtype):
        dtype = _stacklevel
    layer = trace.layer(Softmax, _axis(input, dim))
    return trace.add("softmax", layer, (input,), dtype)


@call("softmin")
def softmin(input: Shadow, dim: int | None = None, *_: Any, **__: Any) -> Shadow:
    return softmax(input, dim)


@call("log_softmax")
def log_softmax(
    input: Shadow, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Shadow:
    trace = Current.trace
    layer = trace.layer(LogSoftmax, _axis(input, dim))
    return trace.add("log_softmax", layer, (input,), dtype)


@call("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout",
      "feature_alpha_dropout")  # fmt: skip
def dropout(input: Shadow, p: float = 0.5, training: bool = False, inplace: bool = False) -> Shadow:
    trace = Current.trace
    if not training or not p:
        return input
    return _changed(input, trace.add("dropout", trace.layer(Dropout, p), (input,)), inplace)


# --- several values -----------------------------------------------------------------------------

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
    if first and not isinstance(y, torch.Tensor):
        tensor = x
    elif type(y) is Shadow and not isinstance(x, torch.Tensor):
        tensor = y
    else:
        return binary(word, trace.stand_in(x), trace.stand_in(y))
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
    learned = y.stored is not None and id(y.stored) in trace.parameter_names
    if y.stored is not None and not learned:  # a buffer stands by itself, so that it is counted
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
        return _changed(input, binary(word, input, other), True)

    return onto


for _sign, _word in _OPERATORS.items():
    call(f"__{_sign}__")(_two(_word))
    call(f"__r{_sign}__")(_turned(_word))
    call(f"__i{_sign}__")(_onto(_word))
for _sign in _COMPARED:
    call(f"__{_sign}__")(_two(_sign))
call("__neg__")(_function("neg", Pointwise("negative"), None))
call("__abs__")(_plain("abs", _PLAIN["abs"]))
call("__invert__")(_function("bitwise_not", Pointwise("bit_not"), None))


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
    xs = tuple([x for x in (condition, input, other) if isinstance(x, torch.Tensor)])
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
    from .shadow import METHODS

    a, b = METHODS["chunk"](input, 2, dim)
    return binary("mul", a, METHODS["sigmoid"](b))
