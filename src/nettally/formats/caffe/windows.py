"""Caffe's layers that slide a window: convolutions and pooling (and regions of interest)."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..graph_builder import by_axis
from .builder import MANY, CaffeBuilder, caffe

if TYPE_CHECKING:
    from ...network import Shape
    from ..encodings.protobuf_tree import Message
    from .net import Spec


def _axes(spec: Spec, settings: Message, shape: Shape | None) -> int:
    """How many axes of space a window slides over: all that its input has."""
    if shape is not None:
        if len(shape) < 3:
            raise spec.error("its input has no axes of space", values=f"input {by_axis(shape)}")
        return len(shape) - 2
    names = ("kernel_size", "stride", "pad", "dilation")
    return max(2, *(len(settings.all(name)) for name in names))


def _sizes(
    spec: Spec, settings: Message, axes: int, name: str, default: int | None
) -> tuple[int, ...]:
    """A field that is given once, once an axis, or by its ``_h`` and ``_w``; one size an axis."""
    stem = name.removesuffix("_size")
    high, wide = f"{stem}_h", f"{stem}_w"
    values = settings.integers(name)
    if high in settings or wide in settings:
        if values:
            raise settings.error(
                f"{spec.label}: '{name}' and '{high}' or '{wide}' are both given",
                settings.all(name)[0],
                hint="give one or the other",
            )
        if axes != 2:
            raise spec.error(
                f"'{high}' and '{wide}' are for 2 axes of space", values=f"{axes} axes"
            )
        if default is None and not (high in settings and wide in settings):
            raise settings.error(f"{spec.label}: '{high}' and '{wide}' are both needed")
        return (settings.integer(high, default or 0), settings.integer(wide, default or 0))
    if not values:
        if default is None:
            raise settings.error(f"{spec.label}: no '{name}' is given", hint=f"{name}: 3")
        values = [default]
    if len(values) not in (1, axes):
        raise settings.error(
            f"{spec.label}: '{name}' is given once, or once an axis of space",
            settings.all(name)[-1],
            values=f"{', '.join(map(str, values))} for {axes} axes",
        )
    return tuple(values) * (axes if len(values) == 1 else 1)


@caffe(
    *("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise"),
    *("DepthwiseConvolutionLayer", "ConvolutionRistretto", "DeconvolutionRistretto"),
    bottoms=(1, MANY),
)
def convolution(b: CaffeBuilder, s: Spec) -> str:
    """Weights and biases once; with several bottoms, each is convolved with the same."""
    settings = s.sub("convolution_param")
    inputs = b.inputs_of(s)
    if len(s.tops) != len(inputs) and not (len(inputs) == 1 and not s.tops):
        raise s.error(
            "it has as many tops as bottoms", values=f"{len(inputs)} bottoms, {len(s.tops)} tops"
        )
    shape = b.shape(inputs[0])
    rank = len(shape) if shape is not None else 4
    axis = settings.integer("axis", 1)
    if axis not in (1, 1 - rank):
        raise s.error("only an axis of 1 is read", values=f"axis {axis}")
    axes = _axes(s, settings, shape)
    filters = settings.integer("num_output", 0)
    groups = settings.integer("group", 1)
    if "epthwise" in s.type and "group" not in settings and shape is not None:
        groups = shape[1]
        filters = filters or shape[1]
    if not filters:
        raise settings.error(f"{s.label}: no 'num_output' is given", hint="num_output: 64")
    fields: dict[str, Any] = {
        "filters": filters,
        "kernel": _sizes(s, settings, axes, "kernel_size", None),
        "stride": _sizes(s, settings, axes, "stride", 1),
        "padding": _sizes(s, settings, axes, "pad", 0),
        "dilation": _sizes(s, settings, axes, "dilation", 1),
        "groups": groups,
        "bias": settings.boolean("bias_term", True),
    }
    kind = "conv_transpose" if s.type.startswith("Deconv") else "conv"
    first = b.learned(s, kind, inputs[:1], **fields)
    if len(inputs) == 1:
        return first
    learned = b.nodes[-1]
    names = ("weight", "bias") if fields["bias"] else ("weight",)
    shared = {each: learned.shared.get(each, f"{first}.{each}") for each in names}
    more = [
        b.add(s, learned.layer, (x,), f".{index}", shared=shared)
        for index, x in enumerate(inputs[1:], 2)
    ]
    b.blobs.update(zip(s.tops, (first, *more), strict=True))
    return ""


@caffe("Im2col", sized=True)
def im2col(b: CaffeBuilder, s: Spec) -> str:
    """The patches that a convolution would see, as channels (Im2colLayer::Reshape)."""
    settings = s.sub("convolution_param")
    (x, *_), shape = b.sized(s)
    axes = _axes(s, settings, shape)
    kernel, stride, pad, dilation = (
        _sizes(s, settings, axes, name, default)
        for name, default in (("kernel_size", None), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    fields = {"kernel": kernel, "stride": stride, "padding": pad, "dilation": dilation}
    patches = b.layer(s, "conv", filters=1, **fields).shape((shape,))
    sides = kernel if isinstance(kernel, tuple) else (kernel,) * axes
    size = (shape[0], shape[1] * prod(sides), *patches[2:])
    return b.make(s, "arrange", (x,), type=s.type, size=size, of=(shape,))


_POOLS = {"MAX": "max_pool", "AVE": "average_pool", "STOCHASTIC": "stochastic_pool"}


@caffe("Pooling", "PoolingRistretto")
def pooling(b: CaffeBuilder, s: Spec) -> str:
    """Rounds up; where there is padding, a window that would start in it is left out.

    PoolingLayer::Reshape. ``round_mode`` (BVLC, 2018) and ``ceil_mode`` (forks) round down. A
    second top, the places of the maxima, is as large as the first, and no work of its own.
    """
    (x,) = b.inputs_of(s)
    name = _pool(b, s, s.sub("pooling_param"), x)
    if len(s.tops) < 2:
        return name
    b.unpooled[name] = x
    b.blobs.update(dict.fromkeys(s.tops, name))
    return ""


def _pool(b: CaffeBuilder, s: Spec, settings: Message, x: str) -> str:
    method = settings.word("pool", _POOLS, "MAX")
    kind = _POOLS[method]
    if settings.boolean("global_pooling", False):
        for name in ("kernel_size", "kernel_h", "kernel_w"):
            stated = settings.all(name)
            if stated and settings.integers(name) != [0]:
                raise settings.error(
                    f"{s.label}: global pooling has no '{name}'",
                    stated[0],
                    hint="its window is its input's size",
                )
        if method == "STOCHASTIC":
            return b.opaque(s, (x,), kind="global stochastic pooling")
        return b.make(s, f"global_{kind}", (x,))
    shape = b.shape(x)
    axes = _axes(s, settings, shape)
    padding = _sizes(s, settings, axes, "pad", 0)
    kernel = _sizes(s, settings, axes, "kernel_size", None)
    if any(pad >= size for pad, size in zip(padding, kernel, strict=True) if size > 0):
        raise settings.error(
            f"{s.label}: the padding must be smaller than the kernel",
            values=f"pad {by_axis(padding)}, kernel {by_axis(kernel)}",
        )
    down = settings.word("round_mode", ("CEIL", "FLOOR"), "CEIL") == "FLOOR"
    if "ceil_mode" in settings:
        down = not settings.boolean("ceil_mode", True)
    fields: dict[str, Any] = {
        "kernel": kernel,
        "stride": _sizes(s, settings, axes, "stride", 1),
        "padding": padding,
        "dilation": _sizes(s, settings, axes, "dilation", 1),
        "rounding": "down" if down else "clip" if any(padding) else "up",
    }
    return b.make(s, kind, (x,), **fields)


@caffe("SPP", sized=True)
def pyramid(b: CaffeBuilder, s: Spec) -> str:
    """Pooling to 1, 2, 4, ... bins along each side, side by side (SPPLayer::GetPoolingParam)."""
    settings = s.sub("spp_param")
    (x, *_), shape = b.sized(s)
    height = settings.integer("pyramid_height", 0)
    if not 1 <= height <= 10:
        raise s.error("'pyramid_height' is between 1 and 10", values=f"pyramid_height {height}")
    if len(shape) != 4:
        return b.opaque(s, (x,))
    kind = _POOLS[settings.word("pool", _POOLS, "MAX")]
    parts: list[str] = []
    for level in range(height):
        bins = 2**level
        kernel = tuple(-(-size // bins) for size in shape[2:])
        spare = [k * bins - size for k, size in zip(kernel, shape[2:], strict=True)]
        padding = tuple((each + 1) // 2 for each in spare)
        if any(pad >= side for pad, side in zip(padding, kernel, strict=True)):
            raise s.error(
                "a window would lie in the padding", values=f"{bins} bins of input {by_axis(shape)}"
            )
        rounding = "clip" if any(spare) else "up"
        fields = {"kernel": kernel, "stride": kernel, "padding": padding, "rounding": rounding}
        pool = b.make(s, kind, (x,), f".pool{level}", **fields)
        parts.append(b.make(s, "flatten", (pool,), f".flatten{level}"))
    return b.make(s, "concat", parts) if len(parts) > 1 else parts[0]
