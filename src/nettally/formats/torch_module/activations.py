"""Activations, and other functions of each value by itself."""

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
from .elementwise import BOOL, binary, changed
from .shadow import Current, Shadow, call

if TYPE_CHECKING:
    from ...network import Layer


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


def _plain(word: str, layer: Layer) -> Any:
    def one(input: Shadow, inplace: bool = False, **_: Any) -> Shadow:
        return changed(input, Current.trace.add(word, layer, (input,)), inplace)

    return one


for _name, _layer in _PLAIN.items():
    call(_name)(_plain(_WORDS.get(_name, _name), _layer))
call("absolute")(_plain("abs", _PLAIN["abs"]))


def _function(word: str, layer: Layer, kind: torch.dtype | None) -> Any:
    def one(input: Shadow, *_: Any, inplace: bool = False, **__: Any) -> Shadow:
        return changed(input, Current.trace.add(word, layer, (input,), kind), inplace)

    return one


for _name, _function_name in _FUNCTIONS.items():
    if _function_name != "where":
        _gives = BOOL if _function_name in _TRUE_OR_FALSE else None
        call(_name)(_function(_name, Pointwise(_function_name), _gives))
call("__neg__")(_function("neg", Pointwise("negative"), None))
call("__abs__")(_plain("abs", _PLAIN["abs"]))
call("__invert__")(_function("bitwise_not", Pointwise("bit_not"), None))


@call("gelu")
def gelu(input: Shadow, approximate: str = "none") -> Shadow:
    layer = Current.trace.layer(GELU, approximate == "tanh")
    return Current.trace.add("gelu", layer, (input,))


@call("leaky_relu")
def leaky_relu(input: Shadow, negative_slope: float = 0.01, inplace: bool = False) -> Shadow:
    trace = Current.trace
    layer = trace.layer(LeakyReLU, negative_slope)
    return changed(input, trace.add("leaky_relu", layer, (input,)), inplace)


@call("rrelu")
def rrelu(input: Shadow, *_: Any, inplace: bool = False, **__: Any) -> Shadow:
    trace = Current.trace
    return changed(input, trace.add("rrelu", trace.layer(LeakyReLU, 0.23), (input,)), inplace)


@call("elu")
def elu(input: Shadow, alpha: float = 1.0, *_: Any, inplace: bool = False) -> Shadow:
    trace = Current.trace
    return changed(input, trace.add("elu", trace.layer(ELU, alpha), (input,)), inplace)


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
    if isinstance(min, Shadow) or isinstance(max, Shadow):
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
    return changed(input, trace.add("dropout", trace.layer(Dropout, p), (input,)), inplace)
