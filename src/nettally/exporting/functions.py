"""Functions of values, merges and reductions as ONNX has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from .graph import At, writes

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "relu": ("Relu", lambda _: {}),
    "leaky_relu": ("LeakyRelu", lambda layer: {"alpha": float(layer.slope)}),
    "elu": ("Elu", lambda layer: {"alpha": float(layer.alpha)}),
    "selu": ("Selu", lambda _: {}),
    "mish": ("Mish", lambda _: {}),
    "hard_swish": ("HardSwish", lambda _: {}),
    "hard_sigmoid": ("HardSigmoid", lambda _: {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", lambda _: {}),
    "softplus": ("Softplus", lambda _: {}),
    "sqrt": ("Sqrt", lambda _: {}),
    "exp": ("Exp", lambda _: {}),
    "abs": ("Abs", lambda _: {}),
    "identity": ("Identity", lambda _: {}),
    "softmax": ("Softmax", lambda layer: {"axis": layer.axis}),
    "log_softmax": ("LogSoftmax", lambda layer: {"axis": layer.axis}),
}
"""Kinds that are one node: its operator, and its attributes by the layer."""


@writes(*_PLAIN)
def _plain(at: At) -> str:
    op, attributes = _PLAIN[at.layer.kind]
    return at.put(op, at.inputs[0], **attributes(at.layer))


@writes("relu6", "clipped_relu")
def _clipped(at: At) -> str:
    most = 6.0 if at.layer.kind == "relu6" else at.layer.limit
    return at.put("Clip", at.inputs[0], at.scalar("least", 0.0), at.scalar("most", most))


@writes("gelu")
def _gelu(at: At) -> str:
    at.needs(20)
    return at.put("Gelu", at.inputs[0], approximate="tanh" if at.layer.approximate else "none")


@writes("silu")
def _silu(at: At) -> str:
    return at.put("Mul", at.inputs[0], at.step("sigmoid", "Sigmoid", at.inputs[0]))


@writes("tanh")
def _tanh(at: At) -> str:
    layer, x = at.layer, at.inputs[0]
    if layer.scale == layer.slope == 1:
        return at.put("Tanh", x)
    x = at.step("tanh", "Tanh", at.step("sloped", "Mul", x, at.scalar("slope", layer.slope)))
    return at.put("Mul", x, at.scalar("scale", layer.scale))


@writes("square", "power")
def _power(at: At) -> str:
    exponent = 2.0 if at.layer.kind == "square" else at.layer.exponent
    return at.put("Pow", at.inputs[0], at.scalar("exponent", exponent))


@writes("log")
def _log(at: At) -> str:
    x = at.inputs[0]
    if at.layer.offset:
        x = at.step("moved", "Add", x, at.scalar("offset", at.layer.offset))
    return at.put("Log", x)


@writes("affine")
def _affine(at: At) -> str:
    slope, offset = at.scalar("slope", at.layer.slope), at.layer.offset
    if not offset:
        return at.put("Mul", at.inputs[0], slope)
    return at.put("Add", at.step("sloped", "Mul", at.inputs[0], slope), at.scalar("offset", offset))


@writes("prelu")
def _prelu(at: At) -> str:
    layer = at.layer
    if layer.size is not None:
        return at.put("PRelu", at.inputs[0], at.weight("weight"))
    size = (1,) if layer.shared else (at.x[1], *[1] * (len(at.x) - 2))
    return at.put("PRelu", at.inputs[0], at.weight("weight", size))


@writes("dropout")
def _dropout(at: At) -> str:
    """The identity in use; with another form of it, what that does in use is asked of it."""
    if at.layer.rate == 1:  # a Dropout that leaves out everything is refused by programs
        return at.put("Identity", at.inputs[0])
    if isinstance(at.module, (nn.Dropout, nn.Identity)):
        return at.put("Dropout", at.inputs[0], at.scalar("ratio", at.layer.rate))
    factor = _factor_in_use(at)
    dropped = at.step("dropout", "Dropout", at.inputs[0], at.scalar("ratio", at.layer.rate))
    return at.put("Mul", dropped, at.scalar("factor", factor))


def _factor_in_use(at: At) -> float:
    """What the values are multiplied by in use: 1 - rate in the dropout of 2012."""
    import torch

    module, ones = at.module, torch.ones(1, 4)
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            once, twice = module(ones.clone()), module(2 * ones)
    finally:
        module.train(training)
    factor = float(once[0, 0])
    if not (bool((once == factor).all()) and torch.equal(twice, 2 * once)):
        at.refuse(f"what its module ({type(module).__name__}) does in use is no factor")
    return factor


# --- merges ---------------------------------------------------------------------------------------

_MERGES = {
    "add": ("Add", "Sum"),
    "subtract": ("Sub", ""),
    "multiply": ("Mul", ""),
    "maximum": ("Max", "Max"),
    "minimum": ("Min", "Min"),
    "average": ("Mean", "Mean"),
}
"""The operator of two inputs, and that of any number where there is one."""


@writes(*_MERGES)
def _merge(at: At) -> str:
    two, any_number = _MERGES[at.layer.kind]
    first, *others = at.inputs
    if not others:
        return at.put("Identity", first)
    if at.layer.kind == "average" and len({*at.xs}) > 1:
        # what ONNX's text says of Mean's stretching, not all programs do
        total = at.step("sum", "Sum", *at.inputs)
        return at.put("Mul", total, at.scalar("share", 1 / len(at.inputs)))
    if len(others) == 1 or any_number:
        return at.put(two if len(others) == 1 else any_number, *at.inputs)
    for place, other in enumerate(others[:-1], 1):
        first = at.step(f"step{place}", two, first, other)
    return at.put(two, first, others[-1])


@writes("concat")
def _concat(at: At) -> str:
    return at.put("Concat", *at.inputs, axis=at.layer.axis)


# --- functions by name ----------------------------------------------------------------------------

_BY_NAME = {
    **{name: name.capitalize() for name in ("erf", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: name.capitalize() for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
    **{name: name.capitalize() for name in ("floor", "ceil", "round", "sign", "reciprocal")},
    **{name: name.capitalize() for name in ("softsign", "celu")},
    "negative": "Neg",
    "divide": "Div",
    "power": "Pow",
}


@writes("pointwise")
def _pointwise(at: At) -> str:
    name = at.layer.function
    if name == "hard_tanh":
        return at.put("Clip", at.inputs[0], at.scalar("least", -1.0), at.scalar("most", 1.0))
    if name not in _BY_NAME:
        at.refuse(f"the function '{name}' is not exported")
    return at.put(_BY_NAME[name], *at.inputs)


_REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "maximum": "ReduceMax",
    "minimum": "ReduceMin",
    "product": "ReduceProd",
    "l1": "ReduceL1",
    "l2": "ReduceL2",
    "log_sum": "ReduceLogSum",
    "log_sum_exp": "ReduceLogSumExp",
    "sum_of_squares": "ReduceSumSquare",
}


@writes("reduce")
def _reduce(at: At) -> str:
    layer = at.layer
    axes = sorted({axis % len(at.x) for axis in layer.axes})
    if not axes:
        return at.put("Identity", at.inputs[0])
    op = _REDUCTIONS.get(layer.operation)
    if op is None:
        at.refuse(f"the reduction '{layer.operation}' gives whole numbers, and is not exported")
    return at.put(op, at.inputs[0], at.ints("axes", axes), keepdims=int(layer.keep))
