"""Keras' convolutions, pools, and what moves or fills space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import ceildiv
from ..encodings.json import array, fields
from ..graph_builder import by_axis
from .values import activate
from .variants import frozen_parameters, with_lora

if TYPE_CHECKING:
    from ...network import Shape
    from .builder import LayerCall, Value

SAME = {"padding": "same"}


def _image(c: LayerCall, axes: int = 0) -> tuple[int, Value]:
    """How many axes of space there are, and the tensor as convolutions take it.

    axes: by the layer's name where nothing is said (Conv2D has 2), else its input's. Raises
    ReadError for a tensor with another number of them.
    """
    axes = axes or next((int(letter) for letter in c.spec.cls if letter in "123"), c.x.rank - 2)
    x = c.channels(c.x, c.spec.last())
    if x.rank != axes + 2:
        raise c.error(
            f"its input needs {axes + 2} axes: batch, {axes} of space, channels", by_axis(x.sizes)
        )
    return axes, x


def _space(c: LayerCall, x: Value) -> Shape:
    return x.sizes[1:-1] if c.spec.last() else x.sizes[2:]


def _channels(c: LayerCall, x: Value) -> int:
    return x.sizes[-1] if c.spec.last() else x.sizes[1]


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's SAME along one axis: the odd pixel stands behind."""
    span = dilation * (kernel - 1) + 1
    total = max((ceildiv(size, stride) - 1) * stride + span - size, 0)
    return (total // 2, total - total // 2)


def _window(
    c: LayerCall, x: Value, kernel: tuple[int, ...], words: tuple[str, ...]
) -> dict[str, Any]:
    """Stride, dilation and padding of a convolution."""
    axes = len(kernel)
    stride = c.spec.sizes("strides", axes, 1)
    dilation = c.spec.sizes("dilation_rate", axes, 1)
    word = c.spec.one_of("padding", "valid", words)
    space = _space(c, x)
    padding: Any = ((0, 0),) * axes
    if word == "same":
        padding = tuple(map(_same, space, kernel, stride, dilation))
    elif word == "causal":
        padding = ((dilation[0] * (kernel[0] - 1), 0),)
    written = SAME if word == "same" else {}
    fields: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    return {"kernel": kernel, **fields, "written": written}


WORDS = ("valid", "same")


def conv(c: LayerCall) -> Value:
    axes, x = _image(c)
    kernel = c.spec.sizes("kernel_size", axes)
    window = _window(c, x, kernel, (*WORDS, "causal") if axes == 1 else WORDS)
    filters, groups = c.spec.integer("filters"), c.spec.integer("groups", 1)
    y = c.make(
        "conv",
        x,
        filters=filters,
        groups=groups,
        bias=c.spec.boolean("use_bias", True),
        frozen=frozen_parameters(c),
        **window,
    )

    def down(rank: int) -> Value:
        suffix = ".lora_kernel_a"
        return c.make("conv", x, suffix, filters=rank, groups=groups, bias=False, **window)

    def up(part: Value) -> Value:
        suffix = ".lora_kernel_b"
        return c.make("conv", part, suffix, filters=filters, kernel=(1,) * axes, bias=False)

    return activate(c, with_lora(c, y, down, up))


def depthwise(c: LayerCall) -> Value:
    axes, x = _image(c)
    kernel = c.spec.sizes("kernel_size", axes)
    channels = _channels(c, x)
    y = c.make(
        "conv",
        x,
        filters=channels * c.spec.integer("depth_multiplier", 1),
        groups=channels,
        bias=c.spec.boolean("use_bias", True),
        **_window(c, x, kernel, WORDS),
    )
    return activate(c, y)


def separable(c: LayerCall) -> Value:
    """A depthwise convolution without a bias, and one of 1 × 1 with the layer's own."""
    axes, x = _image(c)
    kernel = c.spec.sizes("kernel_size", axes)
    channels = _channels(c, x)
    deep = c.make(
        "conv",
        x,
        ".depthwise",
        filters=channels * c.spec.integer("depth_multiplier", 1),
        groups=channels,
        bias=False,
        **_window(c, x, kernel, (*WORDS, "causal") if axes == 1 else WORDS),
    )
    y = c.make(
        "conv",
        deep,
        filters=c.spec.integer("filters"),
        kernel=(1,) * axes,
        bias=c.spec.boolean("use_bias", True),
    )
    return activate(c, y)


def transpose(c: LayerCall) -> Value:
    """``same`` gives size · stride; without an output_padding ``valid`` gives at least that."""
    axes, x = _image(c)
    kernel = c.spec.sizes("kernel_size", axes)
    stride = c.spec.sizes("strides", axes, 1)
    dilation = c.spec.sizes("dilation_rate", axes, 1)
    word = c.spec.one_of("padding", "valid", WORDS)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    written: dict[str, Any] = {}
    padding: Any = ((0, 0),) * axes
    if "output_padding" in c.spec:
        more = c.spec.sizes("output_padding", axes, least=0)
        if word == "same":
            padding = tuple((span // 2, span // 2) for span in spans)
    else:
        more = tuple(max(s - span, 0) for s, span in zip(stride, spans, strict=True))
        if word == "same":
            written = SAME
            wide = [max(span - s, 0) for s, span in zip(stride, spans, strict=True)]
            padding = tuple((each // 2, each - each // 2) for each in wide)
    y = c.make(
        "conv_transpose",
        x,
        filters=c.spec.integer("filters"),
        kernel=kernel,
        stride=stride,
        padding=padding,
        output_padding=more,
        dilation=dilation,
        groups=c.spec.integer("groups", 1),
        bias=c.spec.boolean("use_bias", True),
        written=written,
    )
    return activate(c, y)


def local(c: LayerCall) -> Value:
    axes, x = _image(c)
    y = c.make(
        "local",
        x,
        filters=c.spec.integer("filters"),
        bias=c.spec.boolean("use_bias", True),
        **_window(c, x, c.spec.sizes("kernel_size", axes), WORDS),
    )
    return activate(c, y)


def pool(c: LayerCall) -> Value:
    """Pools; a mean leaves the padding out of its divisor."""
    axes, x = _image(c)
    kernel = c.spec.sizes("pool_size", axes, 2)
    stride = c.spec.sizes("strides", axes) if "strides" in c.spec else kernel
    space = _space(c, x)
    word = c.spec.one_of("padding", "valid", WORDS)
    padding: Any = ((0, 0),) * axes
    if word == "same":
        padding = tuple(map(_same, space, kernel, stride, (1,) * axes))
    mean = c.spec.cls.startswith("Average")
    more: dict[str, Any] = {"count_padding": False} if mean and word == "same" else {}
    return c.make(
        "average_pool" if mean else "max_pool",
        x,
        kernel=kernel,
        stride=stride,
        padding=padding,
        written=SAME if word == "same" else {},
        **more,
    )


def global_pool(c: LayerCall) -> Value:
    _, x = _image(c)
    kind = "global_average_pool" if "Average" in c.spec.cls else "global_max_pool"
    return c.make(kind, x, keep=c.spec.boolean("keepdims", False))


def adaptive_pool(c: LayerCall) -> Value:
    axes, x = _image(c)
    kind = "adaptive_average_pool" if "Average" in c.spec.cls else "adaptive_max_pool"
    return c.make(kind, x, size=c.spec.sizes("output_size", axes))


MODES = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


def upsample(c: LayerCall) -> Value:
    axes, x = _image(c)
    word = c.spec.text("interpolation", "nearest").lower()
    if word not in MODES:
        c.b.note("interpolations that are counted as bicubic ones", word)
    mode = MODES.get(word, "cubic")
    return c.make("upsample", x, scale=c.spec.sizes("size", axes, 2), mode=mode)


def _borders(c: LayerCall, key: str, axes: int) -> tuple[tuple[int, int], ...]:
    """Widths before and after: one number, one an axis, or pairs; over one axis a pair."""
    value: Any = c.spec.get(key, 1)
    sides = fields(value)
    if sides is not None:  # Keras 1: {"top_pad": 1, ...}
        flat = [sides.get(f"{name}_pad", 0) for name in ("top", "bottom", "left", "right")]
        value = [flat[:2], flat[2:]]
    listed = array(value)
    values: list[Any] = [value] * axes if listed is None else listed
    if axes == 1 and len(values) == 2:
        values = [values]
    if axes == 2 and len(values) == 4:
        values = [values[:2], values[2:]]
    pairs: list[tuple[int, int]] = []
    for each in values:
        both: list[Any] = array(each) or [each, each]
        if len(both) != 2 or not all(type(size) is int and 0 <= size < 2**31 for size in both):
            raise c.error(f"'{key}' is a width, one an axis, or pairs", f"{key} {str(value)[:60]}")
        pairs.append((both[0], both[1]))
    if len(pairs) != axes:
        raise c.error(f"'{key}' needs {axes} values", f"{key} {str(value)[:60]}")
    return tuple(pairs)


def pad(c: LayerCall) -> Value:
    axes, x = _image(c)
    return c.make("pad", x, padding=_borders(c, "padding", axes))


def crop(c: LayerCall) -> Value:
    axes, x = _image(c)
    return c.make("crop", x, border=_borders(c, "cropping", axes))


def resizing(c: LayerCall) -> Value:
    _, x = _image(c, 2)
    word = c.spec.text("interpolation", "bilinear").lower()
    size = (c.spec.integer("height"), c.spec.integer("width"))
    return c.make("resize", x, size=size, mode=MODES.get(word, "cubic"))


def center_crop(c: LayerCall) -> Value:
    """The middle; of a smaller image, a resized one (so does Keras)."""
    _, x = _image(c, 2)
    space = _space(c, x)
    wanted = (c.spec.integer("height"), c.spec.integer("width"))
    if any(want > size for want, size in zip(wanted, space, strict=True)):
        return c.make("resize", x, size=wanted)
    border = [
        ((size - want) // 2, size - want - (size - want) // 2)
        for want, size in zip(wanted, space, strict=True)
    ]
    return c.make("crop", x, border=tuple(border))
