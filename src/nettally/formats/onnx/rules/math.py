"""Functions of values: of one tensor, of several, and of tensors with constants."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from ..proto import BOOL, FLOAT, FLOATS, UINT8
from ..values import Unknown, known, shown
from .linear import broadcast_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall


def unary(call: NodeCall, kind: str, fields: dict[str, Any], dtype: int | None = None) -> None:
    x = call.value(0)
    b = call.b
    b.emit(call, x.shape, lambda: b.layer(kind, **fields), [x], 0, dtype)


def _plain(kind: str, **fields: Any) -> Callable[[NodeCall], None]:
    return partial(unary, kind=kind, fields=fields)


def _function(name: str, dtype: int | None = None) -> Callable[[NodeCall], None]:
    return partial(unary, kind="pointwise", fields={"function": name}, dtype=dtype)


def _attributes(kind: str, **names: tuple[str, float]) -> Callable[[NodeCall], None]:
    """An activation whose fields are attributes: our name = (ONNX's name, its default)."""

    def rule(call: NodeCall) -> None:
        unary(call, kind, {field: call.float(*theirs) for field, theirs in names.items()})

    return rule


def hard_sigmoid(call: NodeCall) -> None:
    """ONNX's own default slope is 0.2, torch's (and our layer's) 1/6."""
    slope, offset = call.float("alpha", 0.2), call.float("beta", 0.5)
    if abs(slope - 1 / 6) < 1e-6 and offset == 0.5:
        unary(call, "hard_sigmoid", {})
    else:
        x, b = call.value(0), call.b
        line = call.step(
            "line", x.shape, lambda: b.layer("affine", slope=slope, offset=offset), [x]
        )
        call.emit(x.shape, lambda: b.layer("clipped_relu", limit=1.0), [line])


def gelu(call: NodeCall) -> None:
    unary(call, "gelu", {"approximate": call.word("approximate", "none") == "tanh"})


def prelu(call: NodeCall) -> None:
    x = call.value(0)
    slope = call.weight(1)
    shape = x.shape
    if slope is None:
        raise call.error("its slope is missing")
    sizes = slope.sizes
    count = 1
    for size in sizes:
        count *= size
    if shape is not None and len(shape) > 1:
        wide = sizes if len(sizes) == 1 and call.opset < 7 else None
        per_channel = (shape[1], *(1 for _ in shape[2:]))
        if count == 1:
            fields = {"shared": True}
        elif (
            sizes in (per_channel, (1, *per_channel))
            or wide == (shape[1],)
            or (len(shape) == 2 and sizes == (shape[1],))
        ):
            fields = {"shared": False}
        else:  # one slope a value, or a row of them
            common = broadcast_shapes(call, shape, sizes)
            if known(common) and known(shape) and common != shape:
                raise call.error(
                    "its slope does not fit its input", f"{shown(sizes)}, input {shown(shape)}"
                )
            whole = (*(1,) * (len(shape) - len(sizes)), *sizes)
            if whole[0] != 1:  # a slope for each example
                tensors = (("weight", sizes),)
                fields = {"type": "PRelu", "size": shape, "whole": True, "tensors": tensors}
                call.emit(shape, lambda: call.b.layer("opaque", **fields), [x])
                return
            fields = {"size": whole[1:]}
        call.emit(shape, lambda: call.b.layer("prelu", **fields), [x], weights={"weight": slope})
        return
    call.emit(shape, lambda: call.b.layer("prelu", shared=True), [x], weights={"weight": slope})


def clip(call: NodeCall) -> None:
    """Clip: limits are attributes before version 11, inputs since."""
    least: float | None
    most: float | None
    if call.opset < 11:
        least = call.float("min") if "min" in call.node.attributes else None
        most = call.float("max") if "max" in call.node.attributes else None
    else:
        limits = [call.contents(place) for place in (1, 2)]
        least, most = (float(each[0]) if each else None for each in limits)
    if least == 0 and most == 6:
        unary(call, "relu6", {})
    elif least == 0 and most is not None and most > 0:
        unary(call, "clipped_relu", {"limit": most})
    elif least == 0 and most is None and (call.opset < 11 or call.get(2) is None):
        unary(call, "relu", {})
    else:
        unary(call, "pointwise", {"function": "clip"})


def softmax(call: NodeCall, kind: str = "softmax") -> None:
    """Softmax: before version 13 over all the axes from ``axis`` on, as one."""
    x = call.value(0)
    shape = x.shape
    old = call.opset < 13
    if shape is None:
        raise Unknown
    if not shape:
        call.emit(shape, lambda: call.b.layer("arrange", type=call.node.op, size=()), [x])
        return
    axis = call.axis(call.int("axis", 1 if old else -1), len(shape))
    rest = shape[axis + 1 :]
    b = call.b
    if not old or all(size == 1 for size in rest) or not known(shape):
        call.emit(shape, lambda: b.layer(kind, axis=axis), [x])
        return
    flat = (prod(shape[:axis]), prod(shape[axis:]))
    rows = call.step("flat", flat, lambda: b.layer("reshape", size=flat, whole=True), [x])
    rows = call.step("rows", flat, lambda: b.layer(kind), [rows])
    call.emit(shape, lambda: b.layer("reshape", size=shape, whole=True), [rows])


def along(call: NodeCall, name: str, default: int | None = -1) -> None:
    """A function along an axis that keeps the shape: Hardmax, CumSum."""
    x = call.value(0)
    if default is not None and x.shape:
        call.axis(call.int("axis", default), len(x.shape))
    unary(call, "pointwise", {"function": name})


def cast(call: NodeCall) -> None:
    to = call.int("to") if call.node.op == "Cast" else call.value(1).dtype
    if call.node.op == "Cast" and "to" in call.node.attributes and call.opset < 6:
        word = call.node.attributes["to"]
        to = _NAMES.get(word.decode(), 0) if isinstance(word, bytes) else to
    x = call.value(0)
    call.emit(x.shape, lambda: call.b.layer("identity"), [x], dtype=to)


_NAMES = {"FLOAT": 1, "UINT8": 2, "INT8": 3, "INT32": 6, "INT64": 7, "BOOL": 9, "DOUBLE": 11}


def bit_cast(call: NodeCall) -> None:
    x = call.value(0)
    call.emit(x.shape, lambda: call.b.layer("identity"), [x], dtype=call.int("to", x.dtype))


def quantize(call: NodeCall) -> None:
    """QuantizeLinear: the type is that of the zero point."""
    x = call.value(0)
    zero = call.get(2)
    dtype = zero.dtype if zero is not None else call.int("output_dtype", 0) or UINT8
    call.emit(x.shape, lambda: call.b.layer("pointwise", function="quantize"), [x], dtype=dtype)


def dequantize(call: NodeCall) -> None:
    x, scale = call.value(0), call.get(1)
    dtype = scale.dtype if scale is not None and scale.dtype in FLOATS else FLOAT
    call.emit(x.shape, lambda: call.b.layer("pointwise", function="dequantize"), [x], dtype=dtype)


def dynamic_quantize(call: NodeCall) -> None:
    """DynamicQuantizeLinear: the values, their scale and their zero point."""
    x, b = call.value(0), call.b
    call.emit(x.shape, lambda: b.layer("pointwise", function="quantize"), [x], dtype=UINT8)
    axes = tuple(range(x.rank or 0))
    for place, dtype in ((1, FLOAT), (2, UINT8)):
        if place < len(call.node.outputs) and call.node.outputs[place]:
            call.emit(
                (),
                lambda: b.layer("reduce", operation="maximum", axes=axes, keep=False),
                [x],
                place=place,
                dtype=dtype,
            )


def bias_gelu(call: NodeCall, approximate: bool = False) -> None:
    x, bias = call.value(0), call.weight(1)
    b, shape = call.b, x.shape
    biased = x
    if bias is not None:
        layer = b.layer("combine", operation="add", size=bias.sizes)
        biased = b.step(call, "bias", shape, lambda: layer, [x], {"bias": bias})
    call.emit(shape, lambda: b.layer("gelu", approximate=approximate), [biased])


def quick_gelu(call: NodeCall) -> None:
    """x · sigmoid(alpha · x): silu of a scaled value."""
    unary(call, "silu", {})


def random(call: NodeCall) -> None:
    """Numbers by chance, as many as the input has."""
    x = call.value(0)
    dtype = call.int("dtype", x.dtype)
    call.emit(x.shape, lambda: call.b.layer("pointwise", function="random"), [x], dtype=dtype)


PLAIN = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Sqrt": "sqrt",
    "Exp": "exp",
    "Log": "log",
    "Abs": "abs",
    "Identity": "identity",
}
"""Functions without attributes, and our layers that are the same."""

RULES: dict[str, Callable[[NodeCall], None]] = {
    **{name: _plain(kind) for name, kind in PLAIN.items()},
    "Swish": _plain("silu"),
    "LeakyRelu": _attributes("leaky_relu", slope=("alpha", 0.01)),
    "Elu": _attributes("elu", alpha=("alpha", 1.0)),
    "Selu": _plain("selu"),
    "HardSigmoid": hard_sigmoid,
    "Gelu": gelu,
    "PRelu": prelu,
    "Clip": clip,
    "Softmax": softmax,
    "LogSoftmax": partial(softmax, kind="log_softmax"),
    "Hardmax": partial(along, name="hardmax"),
    "CumSum": partial(along, name="cumulative_sum", default=None),
    "CumProd": partial(along, name="cumulative_product", default=None),
    "Celu": _function("celu"),
    "ThresholdedRelu": _function("threshold"),
    "Shrink": _function("shrink"),
    "Softsign": _function("softsign"),
    "Erf": _function("erf"),
    "Sign": _function("sign"),
    "Neg": _function("negative"),
    "Reciprocal": _function("reciprocal"),
    **{name: _function(name.lower()) for name in ("Floor", "Ceil", "Round", "Sin", "Cos", "Tan")},
    **{name: _function(name.lower()) for name in ("Asin", "Acos", "Atan", "Sinh", "Cosh")},
    **{name: _function(name.lower()) for name in ("Asinh", "Acosh", "Atanh")},
    "Not": _function("not", BOOL),
    "BitwiseNot": _function("bit_not"),
    "IsNaN": _function("is_nan", BOOL),
    "IsInf": _function("is_inf", BOOL),
    **dict.fromkeys(("Bernoulli", "RandomNormalLike", "RandomUniformLike"), random),
    "Cast": cast,
    "CastLike": cast,
    "BitCast": bit_cast,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "com.microsoft:QuantizeLinear": quantize,
    "com.microsoft:DequantizeLinear": dequantize,
    "com.microsoft:QLinearSigmoid": _plain("sigmoid"),
    "com.microsoft:QLinearLeakyRelu": _attributes("leaky_relu", slope=("alpha", 0.01)),
    "com.microsoft:Gelu": gelu,
    "com.microsoft:FastGelu": partial(bias_gelu, approximate=True),
    "com.microsoft:BiasGelu": bias_gelu,
    "com.microsoft:QuickGelu": quick_gelu,
}
