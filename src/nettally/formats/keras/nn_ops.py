"""Operations with the work of layers: convolutions, pools, products, attention, normalisations.

What they multiply with is a tensor like any other: computed before, or an array of the file. So
none of them has parameters of its own.
"""

from __future__ import annotations

from string import ascii_letters, ascii_uppercase
from typing import TYPE_CHECKING, Any

from ..encodings.json import array
from ..graph_builder import by_axis
from . import convolution as conv
from .config import Spec
from .op_arguments import arrange, integers, opaque_operation, tensor, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .builder import LayerCall, Value


def _as_layer(
    c: LayerCall, class_name: str, weights: Mapping[str, Value] | None = None, **config: Any
) -> LayerCall:
    """The call of a layer with these settings, on the operation's tensor."""
    spec = Spec(c.spec.name, class_name, config, c.spec.file)
    spec.owner = c.spec.owner
    inside = c.of(spec, c.inputs[:1])
    inside.weights = {name: value.node for name, value in (weights or {}).items()}
    return inside


def _window(c: LayerCall, axes: int, *, stride: Any = 1) -> dict[str, Any]:
    """Stride, padding, dilation and data format, as layers have them.

    TensorFlow's own functions have one number for each axis of the tensor, and NCHW for a format.
    """
    word = c.option(9, "data_format")
    first = isinstance(word, str) and (word.startswith("NC") or word == "channels_first")

    def space(value: Any) -> Any:
        listed = array(value)
        if listed is not None and len(listed) == axes + 2:
            return listed[2:] if first else listed[1:-1]
        return value

    return {
        "strides": space(c.option(2, "strides", "stride", default=stride)),
        "padding": c.option(3, "padding", default="valid"),
        "dilation_rate": space(c.option(9, "dilation_rate", "dilations", default=1)),
        "data_format": "channels_first" if first else "channels_last",
        "pool_size": space(c.option(1, "pool_size", "ksize", "window_shape", default=2)),
    }


def convolution(c: LayerCall) -> Any:
    """conv, depthwise_conv, separable_conv, conv_transpose: with a kernel of (space, in, out)."""
    kernel = tensor(c, 1, "kernel", "depthwise_kernel", "filters", "filter", "depthwise_filter")
    if kernel is None or kernel.rank != c.x.rank or not 3 <= kernel.rank <= 5:
        return opaque_operation(c)
    *space, seen, out = kernel.sizes
    axes = len(space)
    config = {**_window(c, axes), "kernel_size": space, "use_bias": False}
    last = config["data_format"] == "channels_last"
    channels = c.x.sizes[-1] if last else c.x.sizes[1]
    if "transpose" in c.word:
        if c.option(9, "output_padding") is not None:
            config["output_padding"] = c.option(9, "output_padding")
        inside = _as_layer(c, f"Conv{axes}DTranspose", {"weight": kernel}, filters=seen, **config)
        return conv.transpose(inside)
    if channels % seen or (c.word.startswith(("depthwise", "separable")) and channels != seen):
        raise c.error(
            "its kernel is for other channels",
            f"kernel {by_axis(kernel.sizes)}, {channels} channels",
        )
    if not c.word.startswith(("depthwise", "separable")):
        config |= {"filters": out, "groups": channels // seen}
        return conv.conv(_as_layer(c, f"Conv{axes}D", {"weight": kernel}, **config))
    config["depth_multiplier"] = out
    y = conv.depthwise(_as_layer(c, f"DepthwiseConv{axes}D", {"weight": kernel}, **config))
    if c.word.startswith("depthwise"):
        return y
    kernel = tensor(c, 2, "pointwise_kernel", "pointwise_filter")
    if kernel is None or kernel.rank != axes + 2:
        return opaque_operation(c)
    c.main = True
    c.inputs = [y]
    config = {"filters": kernel.sizes[-1], "kernel_size": 1, "use_bias": False,
              "data_format": config["data_format"]}  # fmt: skip
    return conv.conv(_as_layer(c, f"Conv{axes}D", {"weight": kernel}, **config))


def pool(c: LayerCall) -> Any:
    axes = c.x.rank - 2
    if not 1 <= axes <= 3:
        return opaque_operation(c)
    kind = "Average" if c.word.startswith(("average", "avg")) else "Max"
    return conv.pool(_as_layer(c, f"{kind}Pooling{axes}D", **_window(c, axes, stride=None)))


def adaptive_pool(c: LayerCall) -> Any:
    return conv.adaptive_pool(c) if 3 <= c.x.rank <= 5 else opaque_operation(c)


def resize(c: LayerCall) -> Any:
    """keras.ops.image.resize, tf.image.resize."""
    sizes = integers(c.option(1, "size"))
    mode = c.option(2, "interpolation", "method", default="bilinear")
    if sizes is None or len(sizes) != 2 or not isinstance(mode, str):
        return c.opaque("resizes whose size is not a constant", c.word)
    word = {"nearestneighbor": "nearest"}.get(c.word.removeprefix("resize"), mode)
    config = {"height": sizes[0], "width": sizes[1], "interpolation": word}
    return conv.resizing(_as_layer(c, "Resizing", **config, **_format(c)))


def _format(c: LayerCall) -> dict[str, Any]:
    return {"data_format": c.option(9, "data_format", default="channels_last")}


# --- products -------------------------------------------------------------------------------------


def matmul(c: LayerCall) -> Value:
    a, b = tensor(c, 0, "x1", "a", "x"), tensor(c, 1, "x2", "b", "y")
    if a is None or b is None:
        return opaque_operation(c)
    flips = [bool(c.option(9, f"transpose_{x}", f"adj_{x}", default=False)) for x in ("a", "b")]
    values = [c.plain(a), c.plain(b)]
    return c.make("matmul", values, plain=True, flip_left=flips[0], flip_right=flips[1])


def einsum(c: LayerCall) -> Value:
    """An equation over tensors, with ``...`` on either side, and perhaps without an output."""
    args = c.inbound.args if c.inbound is not None else ()
    first = args[0] if args and isinstance(args[0], str) else None
    equation = c.option(9, "subscripts", "equation", default=first)
    values = [c.plain(value) for value in c.inputs]
    if not isinstance(equation, str) or len(equation) > 1000:
        return opaque_operation(c)
    terms, arrow, output = equation.replace(" ", "").partition("->")
    inputs = terms.split(",")
    if not arrow:
        letters = terms.replace(",", "").replace(".", "")
        output = "..." * ("..." in terms)
        output += "".join(sorted(each for each in set(letters) if letters.count(each) == 1))
    free = [letter for letter in ascii_uppercase + ascii_letters if letter not in equation]
    if len(inputs) != len(values) or any(each.count("...") > 1 for each in (*inputs, output)):
        return opaque_operation(c)
    wide = [value.rank - len(each) + 3 for each, value in zip(inputs, values, strict=True)]
    most = max([n for n, each in zip(wide, inputs, strict=True) if "..." in each], default=0)
    if most < 0 or most > len(free) or min(wide) < 0:
        return opaque_operation(c)
    full = "".join(free[:most])  # an ellipsis of fewer axes stands for the last of them
    inputs = [each.replace("...", full[most - n :]) for each, n in zip(inputs, wide, strict=True)]
    output = output.replace("...", full)
    if any(len(set(each)) < len(each) for each in inputs):
        return opaque_operation(c)
    return c.make("einsum", values, plain=True, equation=f"{','.join(inputs)}->{output}")


def contraction(c: LayerCall) -> Value:
    """dot, tensordot, inner, outer, vdot: sums of products over axes of two tensors."""
    a, b = tensor(c, 0, "x1", "a"), tensor(c, 1, "x2", "b")
    if a is None or b is None:
        return opaque_operation(c)
    a, b = c.plain(a), c.plain(b)
    left, right = [a.rank - 1], [max(b.rank - 2, 0) if c.word == "dot" else b.rank - 1]
    if c.word == "outer":
        left = right = []
    elif c.word == "tensordot":
        axes = c.option(2, "axes", default=2)
        count = whole(axes)
        pairs = array(axes) or []
        if count is not None:
            left, right = list(range(a.rank - count, a.rank)), list(range(count))
        elif len(pairs) == 2:
            left, right = integers(pairs[0]) or [], integers(pairs[1]) or []
        else:
            return opaque_operation(c)
    if len(left) != len(right) or a.rank + b.rank > 40:
        return opaque_operation(c)
    first = ascii_letters[: a.rank]
    second = list(ascii_letters[a.rank : a.rank + b.rank])
    joint = [first[c.place(a, axis)] for axis in left]
    for letter, axis in zip(joint, right, strict=True):
        second[c.place(b, axis)] = letter
    output = [each for each in (*first, *second) if each not in joint]
    if not output or output[0] != first[0]:
        return c.opaque("products over the batch", c.word)
    return c.make(
        "einsum", [a, b], plain=True, equation=f"{first},{''.join(second)}->{''.join(output)}"
    )


def attention(c: LayerCall) -> Value:
    """dot_product_attention over (batch, places, heads, channels)."""
    parts = [tensor(c, place, name) for place, name in enumerate(("query", "key", "value"))]
    values = [value for value in parts if value is not None and value.rank == 4]
    if len(values) < 3:
        return opaque_operation(c)
    heads, key_heads = values[0].sizes[2], values[1].sizes[2]
    by_head = [
        c.make("permute", c.plain(value), f".{name}", plain=True, order=(0, 2, 1, 3))
        for value, name in zip(values, ("query", "key", "value"), strict=True)
    ]
    more: dict[str, Any] = {"key_heads": key_heads} if key_heads != heads else {}
    y = c.make("attention", by_head, ".attention", plain=True, heads=heads, **more)
    return c.make("permute", y, plain=True, order=(0, 2, 1, 3))


# --- normalisations -------------------------------------------------------------------------------


def normalize(c: LayerCall) -> Value:
    """Divided by a norm; or, with statistics that are tensors, a batch normalisation."""
    return c.make("pointwise", c.x, function="lp_normalize")


def batch_norm(c: LayerCall) -> Value:
    x = c.plain(c.x)
    return c.make("pointwise", x, plain=True, function="mean_variance_normalize")


def norm(c: LayerCall) -> Value:
    """rms_norm, layer_norm: over axes at the end; factors and offsets are tensors."""
    x = c.plain(c.x)
    axes = integers(c.option(9, "axis", default=-1)) or [-1]
    places = sorted({c.place(x, axis) for axis in axes})
    if places != list(range(x.rank - len(places), x.rank)) or not places[0]:
        return c.make("pointwise", x, plain=True, function="mean_variance_normalize")
    scale = tensor(c, 1, "scale", "gamma")
    offset = tensor(c, 2, "beta", "offset")
    c.weights = {
        name: value.node
        for name, value in (("weight", scale), ("bias", offset))
        if value is not None
    }
    more: dict[str, Any] = {} if c.word == "rmsnorm" else {"bias": offset is not None}
    kind = "rms_norm" if c.word == "rmsnorm" else "layer_norm"
    return c.make(kind, x, plain=True, axes=len(places), weight=scale is not None, **more)


def moments(c: LayerCall) -> Any:
    """The mean, and the mean square of what differs from it; those that others read."""
    x = c.plain(c.x)
    axes = integers(c.option(1, "axes", "axis"))
    if axes is None:
        return opaque_operation(c)
    over = tuple(sorted({c.place(x, axis) for axis in axes}))
    if 0 in over:
        return c.opaque("sums over the batch", c.word)
    keep = bool(c.option(9, "keepdims", default=False))
    outputs = {0: c.make("reduce", x, plain=True, operation="mean", axes=over, keep=keep)}
    if 1 in c.read:
        outputs[1] = spread_of(c, x, over, keep=keep, suffix=".1")
    return outputs


def spread_of(
    c: LayerCall, x: Value, axes: tuple[int, ...], *, keep: bool, suffix: str = ""
) -> Value:
    """The variance along axes."""
    mean = c.make("reduce", x, f"{suffix}.mean", plain=True, operation="mean", axes=axes, keep=True)
    apart = c.make("subtract", [x, mean], f"{suffix}.difference", plain=True)
    square = c.make("square", apart, f"{suffix}.square", plain=True)
    return c.make("reduce", square, suffix, plain=True, operation="mean", axes=axes, keep=keep)


def grayscale(c: LayerCall) -> Value:
    return arrange(c, (*c.x.sizes[:-1], 1)) if c.x.rank > 2 else opaque_operation(c)
