"""Caffe's layers that compute values in their places: activations, norms, sums, inner products."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..graph_builder import by_axis
from .builder import MANY, CaffeBuilder, axis_of, caffe

if TYPE_CHECKING:
    from .net import Spec


@caffe("ReLU")
def relu(b: CaffeBuilder, s: Spec) -> str:
    slope = s.sub("relu_param").real("negative_slope", 0.0)
    if slope:
        return b.make(s, "leaky_relu", b.inputs_of(s), slope=slope)
    return b.make(s, "relu", b.inputs_of(s))


_PLAIN = {
    "ReLU6": "relu6",
    "Sigmoid": "sigmoid",
    "TanH": "tanh",
    "AbsVal": "abs",
    "BNLL": "softplus",
    "Swish": "silu",
    "HSwish": "hard_swish",
    "HSigmoid": "hard_sigmoid",
    "Mish": "mish",
}


@caffe(*_PLAIN)
def plain(b: CaffeBuilder, s: Spec) -> str:
    return b.make(s, _PLAIN[s.type], b.inputs_of(s))


@caffe("ELU")
def elu(b: CaffeBuilder, s: Spec) -> str:
    return b.make(s, "elu", b.inputs_of(s), alpha=s.sub("elu_param").real("alpha", 1.0))


@caffe("PReLU")
def prelu(b: CaffeBuilder, s: Spec) -> str:
    shared = s.sub("prelu_param").boolean("channel_shared", False)
    return b.learned(s, "prelu", b.inputs_of(s), shared=shared)


@caffe("Dropout")
def dropout(b: CaffeBuilder, s: Spec) -> str:
    rate = s.sub("dropout_param").real("dropout_ratio", 0.5)
    return b.make(s, "dropout", b.inputs_of(s), rate=rate)


@caffe("Softmax")
def softmax(b: CaffeBuilder, s: Spec) -> str:
    return b.make(s, "softmax", b.inputs_of(s), axis=s.sub("softmax_param").integer("axis", 1))


@caffe("Power")
def power(b: CaffeBuilder, s: Spec) -> str:
    """(shift + scale · x) ^ power."""
    settings = s.sub("power_param")
    exponent, scale = settings.real("power", 1.0), settings.real("scale", 1.0)
    shift = settings.real("shift", 0.0)
    (x,) = b.inputs_of(s)
    if exponent == 1:
        return b.make(s, "affine", (x,), slope=scale, offset=shift)
    if scale != 1 or shift:
        x = b.make(s, "affine", (x,), ".affine", slope=scale, offset=shift)
    kind = {2.0: "square", 0.5: "sqrt"}.get(exponent)
    return b.make(s, kind, (x,)) if kind else b.make(s, "power", (x,), exponent=exponent)


@caffe("Exp")
def exp(b: CaffeBuilder, s: Spec) -> str:
    """base ^ (shift + scale · x); the base is e where it is -1."""
    settings = s.sub("exp_param")
    scale, shift = settings.real("scale", 1.0), settings.real("shift", 0.0)
    (x,) = b.inputs_of(s)
    if settings.real("base", -1.0) != -1:
        from math import log

        base = settings.real("base", -1.0)
        if base <= 0:
            raise s.error("the base must be positive", values=f"base {base}")
        scale, shift = scale * log(base), shift * log(base)
    if scale != 1 or shift:
        x = b.make(s, "affine", (x,), ".affine", slope=scale, offset=shift)
    return b.make(s, "exp", (x,))


@caffe("Log")
def log(b: CaffeBuilder, s: Spec) -> str:
    """The logarithm of shift + scale · x, to a base that is e where it is -1."""
    settings = s.sub("log_param")
    scale, shift, base = (
        settings.real("scale", 1.0),
        settings.real("shift", 0.0),
        settings.real("base", -1.0),
    )
    (x,) = b.inputs_of(s)
    if scale != 1:
        x = b.make(s, "affine", (x,), ".scale", slope=scale)
    if base == -1:
        return b.make(s, "log", (x,), offset=shift)
    if base <= 0 or base == 1:
        raise s.error("the base must be positive, and not 1", values=f"base {base}")
    from math import log as natural

    x = b.make(s, "log", (x,), ".log", offset=shift)
    return b.make(s, "affine", (x,), slope=1 / natural(base))


@caffe("Threshold", "Clip")
def threshold(b: CaffeBuilder, s: Spec) -> str:
    """Compared with a number, or kept between two."""
    return b.make(s, "pointwise", b.inputs_of(s), function=s.type.lower())


@caffe("LRN", "LRNRistretto")
def lrn(b: CaffeBuilder, s: Spec) -> str:
    """alpha is divided by the window's values; within a channel there is no k (it is 1)."""
    settings = s.sub("lrn_param")
    within = settings.word("norm_region", ("ACROSS_CHANNELS", "WITHIN_CHANNEL"), "ACROSS_CHANNELS")
    size = settings.integer("local_size", 5)
    if size % 2 == 0:
        raise s.error("LRN only has odd sizes", values=f"local_size {size}")
    fields: dict[str, Any] = {
        "size": size,
        "alpha": settings.real("alpha", 1.0),
        "beta": settings.real("beta", 0.75),
        "k": settings.real("k", 1.0),
        "across": "channels",
    }
    if within == "WITHIN_CHANNEL":
        fields |= {"across": "space", "k": 1.0}
    return b.make(s, "lrn", b.inputs_of(s), **fields)


@caffe("MVN")
def mvn(b: CaffeBuilder, s: Spec) -> str:
    """Each map, or each example, less its mean and by its deviation; nothing is learned."""
    settings = s.sub("mvn_param")
    (x,) = b.inputs_of(s)
    shape = b.shape(x)
    across = settings.boolean("across_channels", False)
    if not settings.boolean("normalize_variance", True):
        return b.opaque(s, (x,), size=None if shape is None else shape[1:], kind="mean")
    if shape is None and not across:
        return b.opaque(s, (x,))
    groups = 1 if across or shape is None else shape[1]
    return b.make(s, "group_norm", (x,), groups=groups, weight=False, bias=False)


@caffe("BatchNorm")
def batch_norm(b: CaffeBuilder, s: Spec) -> str:
    """Caffe's own only keeps statistics, a Scale layer behind it learns.

    NVIDIA's learns both where ``scale_bias`` or a filler of either says so (batch_norm_layer.cpp).
    """
    settings = s.sub("batch_norm_param")
    learns = settings.boolean("scale_bias", False) or len(s.stored) == 5
    learns = learns or "scale_filler" in settings or "bias_filler" in settings
    inputs = b.inputs_of(s)
    shape = b.shape(inputs[0])
    if s.stored and shape is not None and any(prod(each) not in (1, shape[1]) for each in s.stored):
        raise s.error(
            "its stored statistics are not those of its input",
            values=f"{shape[1]} channels, stored {', '.join(str(prod(each)) for each in s.stored)}",
        )
    epsilon = settings.real("eps", 1e-5)
    return b.make(s, "batch_norm", inputs, weight=learns, bias=learns, epsilon=epsilon)


@caffe("BN", "CuDNNBatchNorm", "CudnnBatchNorm")
def bn(b: CaffeBuilder, s: Spec) -> str:
    """The forks' batch normalisation, which learns a weight and a bias itself."""
    epsilon = s.sub("bn_param").real("eps", 1e-5)
    return b.learned(s, "batch_norm", b.inputs_of(s), tensors=slice(2), epsilon=epsilon)


@caffe("Scale", "Bias", bottoms=(1, 2))
def scale(b: CaffeBuilder, s: Spec) -> str:
    """A factor (or a bias) a channel, learned; or another blob's values, along its axes."""
    bias_only = s.type == "Bias"
    settings = s.sub("bias_param" if bias_only else "scale_param")
    inputs = b.inputs_of(s)
    shape = b.shape(inputs[0])
    axis = settings.integer("axis", 1)
    bias = bias_only or settings.boolean("bias_term", False)
    if len(inputs) == 1:
        axes = settings.integer("num_axes", 1)
        fields: dict[str, Any] = {"weight": not bias_only, "bias": bias}
        if shape is not None:
            axis = axis_of(s, axis, len(shape))
        if (axis, axes) != (1, 1):
            fields |= {"axis": axis, "axes": axes}
        return b.learned(s, "scale", inputs, **fields)
    other = b.shape(inputs[1])
    kind = "add" if bias_only else "multiply"
    second = inputs[1]
    if shape is not None and other is not None:
        axis = 0 if len(other) == len(shape) else axis_of(s, axis, len(shape))
        if axis + len(other) > len(shape) or shape[axis : axis + len(other)] != other:
            raise s.error(
                "its second bottom does not fit its first",
                values=f"{by_axis(other)} at axis {axis} of {by_axis(shape)}",
                hint="axis: 0" if axis else "",
            )
        second = b.stretched(s, second, axis, len(shape), ".view")
    if bias and not bias_only:
        x = b.make(s, kind, (inputs[0], second), ".product")
        return b.learned(s, "scale", (x,), weight=False, bias=True)
    return b.make(s, kind, (inputs[0], second))


@caffe("Axpy", bottoms=3)
def axpy(b: CaffeBuilder, s: Spec) -> str:
    """A factor a channel times the second bottom, plus the third (SENet's layer)."""
    a, x, y = b.inputs_of(s)
    factor, first, second = b.shape(a), b.shape(x), b.shape(y)
    if factor is not None and first is not None and second is not None:
        if first != second or factor[:2] != first[:2] or set(factor[2:]) - {1}:
            raise s.error(
                "its bottoms are a factor a channel, and two blobs of one shape",
                values=", ".join(by_axis(each) for each in (factor, first, second)),
            )
        a = b.stretched(s, a, 0, len(first), ".view")
    product = b.make(s, "multiply", (a, x), ".product")
    return b.make(s, "add", (product, y))


@caffe("Eltwise", bottoms=(1, MANY))
def eltwise(b: CaffeBuilder, s: Spec) -> str:
    """Sum (with a coefficient each), product or maximum."""
    settings = s.sub("eltwise_param")
    inputs = b.inputs_of(s)
    operation = settings.word("operation", ("PROD", "SUM", "MAX"), "SUM")
    shapes = {shape for shape in map(b.shape, inputs) if shape is not None}
    if len(shapes) > 1:
        raise s.error(
            "its bottoms must have one shape",
            values=", ".join(
                f"{bottom} {by_axis(b.shape(x) or '?')}"
                for bottom, x in zip(s.bottoms, inputs, strict=True)
            ),
            hint="a stride, a padding or a number of channels of a branch differs",
        )
    coefficients = settings.reals("coeff")
    if coefficients and (len(coefficients) != len(inputs) or operation != "SUM"):
        raise s.error(
            "a sum has one 'coeff' a bottom, and others have none",
            values=f"{len(coefficients)} for {len(inputs)} bottoms, {operation}",
        )
    if len(inputs) == 2 and coefficients == [1, -1]:
        return b.make(s, "subtract", inputs)
    terms = [
        b.make(s, "affine", (x,), f".times{index}", slope=coefficient) if coefficient != 1 else x
        for index, (x, coefficient) in enumerate(
            zip(inputs, coefficients or [1.0] * len(inputs), strict=True)
        )
    ]
    kind = {"PROD": "multiply", "SUM": "add", "MAX": "maximum"}[operation]
    return b.make(s, kind, terms)


@caffe("MarginInnerProduct", bottoms=(1, 2))
def margin_inner_product(b: CaffeBuilder, s: Spec) -> str:
    """SphereFace's: a product without a bias, whose margin for the label is training's."""
    features = s.sub("margin_inner_product_param").integer("num_output", 0)
    if not features:
        raise s.error("no 'num_output' is given", hint="num_output: 10572")
    return b.learned(s, "linear", b.inputs_of(s, 1), features=features, bias=False)


@caffe("InnerProduct", "FcRistretto", bottoms=1)
def inner_product(b: CaffeBuilder, s: Spec) -> str:
    """All axes from ``axis`` on as one; ``transpose`` only turns how the weights are stored."""
    settings = s.sub("inner_product_param")
    inputs = b.inputs_of(s)
    shape = b.shape(inputs[0])
    axis = settings.integer("axis", 1)
    if shape is not None:
        axis = axis_of(s, axis, len(shape))
    if axis == 0:
        raise s.error("an axis of 0 would mix the examples", values="axis 0")
    features = settings.integer("num_output", 0)
    if not features:
        raise settings.error(f"{s.label}: no 'num_output' is given", hint="num_output: 1000")
    settings.boolean("transpose", False)
    bias = settings.boolean("bias_term", True)
    return b.learned(s, "linear", inputs, features=features, bias=bias, axis=axis)
