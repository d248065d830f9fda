"""Darknet's layers of weights, windows and values, each as its own ``make_..._layer`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .builder import DarknetBuilder
    from .cfg import Section

EPSILON = 1e-6
"""What Darknet adds to the square root of the variance (src/blas.c, normalize_cpu)."""

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "logistic": ("sigmoid", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "gelu": ("gelu", {"approximate": True}),
    "swish": ("silu", {}),
    "mish": ("mish", {}),
    "tanh": ("tanh", {}),
    "leaky": ("leaky_relu", {"slope": 0.1}),
    "relie": ("leaky_relu", {"slope": 0.01}),
    "loggy": ("tanh", {"slope": 0.5}),  # 2 / (1 + e^-x) - 1
    "hardtan": ("pointwise", {"function": "hard_tanh"}),
    "normalize_channels_softmax": ("softmax", {}),
    "normalize_channels_softmax_maxval": ("softmax", {}),
}
"""Darknet's activations that are ours (src/activations.h)."""

ONE_STEP = ("plse", "stair", "lhtan", "hard_mish", "revleaky", "normalize_channels")
"""Those that are not: each value is counted one comparison."""


def activate(b: DarknetBuilder, s: Section, default: str) -> None:
    """Put the section's activation behind the layer."""
    word = s.text("activation", default) or default
    if word == "linear":
        return
    if word in PLAIN:
        kind, fields = PLAIN[word]
        b.make(s, kind, suffix=f".{word}", **fields)
    elif word == "ramp":  # x where it is positive, and x / 10 everywhere
        b.make(s, "leaky_relu", suffix=".ramp", slope=1 / 11)
        b.make(s, "affine", suffix=".ramp.scale", slope=1.1)
    elif word in ONE_STEP:
        b.note("activations that are counted one comparison a value", word)
        b.make(s, "pointwise", suffix=f".{word}", function="threshold")
    else:
        b.note("activations that are not known, and taken for relu, as Darknet does", word)
        b.make(s, "relu", suffix=".relu")


def _padding(s: Section, size: int) -> int:
    padding = s.integer("padding", 0, 0)
    return size // 2 if s.integer("pad", 0) else padding


def _strides(s: Section) -> tuple[int, int]:
    """The strides down and across."""
    stride = s.integer("stride", 1)
    across, down = s.integer("stride_x", -1), s.integer("stride_y", -1)
    strides = (down if down >= 1 else stride, across if across >= 1 else stride)
    if min(strides) < 1:
        raise s.error("'stride' must be at least 1", "stride", values=f"stride {min(strides)}")
    return strides


def _normalise(b: DarknetBuilder, s: Section, shared: dict[str, str] | None = None) -> None:
    if s.integer("cbn", 0):
        b.note("cbn: normalisation over several batches, in training", b.name)
    b.make(s, "batch_norm", suffix=".norm", epsilon=EPSILON, shared=shared or {})


def convolutional(b: DarknetBuilder, s: Section) -> None:
    filters = s.integer("filters", 1, 1)
    groups = max(s.integer("groups", 1), 1)
    size = s.integer("size", 1, 1)
    strides = _strides(s)
    dilation = s.integer("dilation", 1, 1) if size > 1 else 1
    padding = _padding(s, size)
    blurred = s.integer("antialiasing", 0)
    normalised = bool(s.integer("batch_normalize", 0) or s.integer("cbn", 0))
    if s.integer("xnor", 0):
        b.note("xnor: weights and inputs of one bit, counted as others are", b.name)
        groups = 1
    elif s.integer("binary", 0):
        b.note("binary: weights of one bit, counted as others are", b.name)
    image = b.image(s)
    pairs = ((padding, padding),) * 2
    if image is not None:
        conv_strides = strides if not blurred else (1, 1)
        pairs = tuple(
            _fitted(s, length, size, stride, padding, dilation)
            for length, stride in zip(image[1:], conv_strides, strict=True)
        )
    shared = _shared(b, s)
    b.make(
        s,
        "conv",
        filters=filters,
        kernel=(size, size),
        stride=(1, 1) if blurred else strides,
        padding=pairs,
        dilation=dilation,
        groups=groups,
        bias=not normalised,
        shared={name: f"{owner}.{name}" for name, owner in shared.items() if "_" not in name},
    )
    if shared:
        _agree(b, s, shared["weight"])
    if normalised:
        norm = shared.get("norm_")
        _normalise(b, s, {k: f"{norm}.{k}" for k in ("weight", "bias")} if norm else None)
    activate(b, s, "logistic")
    if blurred:
        blur(b, s, strides, blurred)


def _fitted(
    s: Section, length: int, size: int, stride: int, padding: int, dilation: int
) -> tuple[int, int]:
    """The padding along an axis that gives as many windows as Darknet makes.

    The number is (length + 2·padding - size) / stride + 1 without a word of the dilation, by which
    the padding is multiplied (src/convolutional_layer.c); C's division rounds to 0, so that an
    input may be less than a stride too short.
    """
    room = length + 2 * padding - size
    if room <= -stride:
        raise s.error(
            "the window is larger than its input",
            "size",
            values=f"size {size}, input {length}, padding {padding}",
        )
    count = max(room, 0) // stride + 1
    wide = padding * dilation
    span = dilation * (size - 1) + 1
    our_count = (length + 2 * wide - span) // stride + 1
    if our_count == count:
        return (wide, wide)
    if dilation == 1:
        return (wide, wide - room)
    raise s.error(
        "its dilation does not fit its padding: Darknet works out two sizes for its output",
        "dilation",
        values=f"{count} and {our_count}; size {size}, padding {padding}, dilation {dilation}",
        hint="pad=1, which is half the size, with an odd size",
    )


def _shared(b: DarknetBuilder, s: Section) -> dict[str, str]:
    """Whose the weights are: the owner's name by the parameter's."""
    if "share_index" not in s:
        return {}
    number = s.integer("share_index", 0)
    owner = b.layer_before(s, "share_index", number)
    nodes = b.by_name
    node = nodes.get(owner.first)
    if node is None or node.layer.kind != "conv":
        raise s.error(
            "it shares the weights of a layer that is no convolution",
            "share_index",
            values=f"{owner.section.name}",
        )
    names = ("weight", "bias") if node.layer.fields()["bias"] else ("weight",)
    shared = {
        name: node.shared.get(name, f"{owner.first}.{name}").rpartition(".")[0] for name in names
    }
    norm = nodes.get(f"{owner.first}.norm")
    if norm is not None:
        shared["norm_"] = norm.shared.get("weight", f"{norm.name}.").rpartition(".")[0]
    return shared


def _agree(b: DarknetBuilder, s: Section, owner: str) -> None:
    """ReadError where a layer shares weights of another size."""
    sizes: list[Any] = []
    for node in (b.by_name[owner], b.by_name[b.name]):
        x = b.shapes[node.inputs[0]]
        if x is None:
            return
        sizes.append(node.layer.parameters((x,))["weight"])
    if len(set(sizes)) > 1:
        shown = " and ".join("x".join(map(str, size)) for size in sizes)
        raise s.error("the weights that it shares are of another size", "share_index", values=shown)


def blur(b: DarknetBuilder, s: Section, strides: tuple[int, int], how: int) -> None:
    """Darknet's antialiasing (Zhang 2019): a fixed blur of each channel, with the stride."""
    if how == 2:
        b.make(s, "average_pool", suffix=".blur", kernel=(2, 2), stride=strides)
        return
    b.make(s, "blur", suffix=".blur", size=3, deviation=0.85)
    for axis, stride in zip((2, 3), strides, strict=True):
        if stride > 1:
            b.make(s, "slice", suffix=f".stride{axis}", axis=axis, step=stride)


def deconvolutional(b: DarknetBuilder, s: Section) -> None:
    size = s.integer("size", 1, 1)
    stride = s.integer("stride", 1, 1)
    normalised = bool(s.integer("batch_normalize", 0))
    filters = s.integer("filters", 1, 1)
    b.image(s)
    padding = _padding(s, size)
    b.make(
        s,
        "conv_transpose",
        filters=filters,
        kernel=(size, size),
        stride=stride,
        padding=padding,
        bias=not normalised,
    )
    if normalised:
        _normalise(b, s)
    activate(b, s, "logistic")


def local(b: DarknetBuilder, s: Section) -> None:
    """With a padding there are (length - 1) / stride + 1 windows, whatever it is."""
    size, stride = s.integer("size", 1, 1), s.integer("stride", 1, 1)
    pad = s.integer("pad", 0, 0)
    filters = s.integer("filters", 1, 1)
    image = b.image(s)
    pairs: list[tuple[int, int]] = [(0, 0), (0, 0)]
    if pad and image is not None:
        for axis, length in enumerate(image[1:]):
            whole = max((length - 1) // stride * stride + size - length, 0)
            pairs[axis] = (min(pad, whole), whole - min(pad, whole))
    b.make(s, "local", filters=filters, kernel=(size, size), stride=stride, padding=tuple(pairs))
    activate(b, s, "logistic")


def connected(b: DarknetBuilder, s: Section) -> None:
    normalised = bool(s.integer("batch_normalize", 0))
    b.make(s, "linear", features=s.integer("output", 1, 1), bias=not normalised)
    if normalised:
        _normalise(b, s)
    activate(b, s, "logistic")


def _pooled(b: DarknetBuilder, s: Section, kind: str) -> None:
    stride = s.integer("stride", 1)
    strides = (s.integer("stride_y", stride, 1), s.integer("stride_x", stride, 1))
    size = s.integer("size", stride, 1)
    padding = s.integer("padding", size - 1, 0)
    blurred = s.integer("antialiasing", 0) if kind == "max_pool" else 0
    image = b.image(s)
    pairs: list[tuple[int, int]] = [(padding // 2, padding - padding // 2)] * 2
    if image is not None:
        for axis, (length, stride) in enumerate(zip(image[1:], strides, strict=True)):
            short = size - padding - length
            if short >= (1 if blurred else stride):
                raise s.error(
                    "the window is larger than its input",
                    "size",
                    values=f"size {size}, input {length}, padding {padding} in all",
                )
            if short > 0:  # C's division rounds to 0: there is one window
                pairs[axis] = (pairs[axis][0], pairs[axis][1] + short)
    more: dict[str, Any] = {"count_padding": False} if kind == "average_pool" else {}
    b.make(
        s,
        kind,
        kernel=(size, size),
        stride=(1, 1) if blurred else strides,
        padding=tuple(pairs),
        **more,
    )
    if blurred:
        blur(b, s, strides, blurred)


def maxpool(b: DarknetBuilder, s: Section) -> None:
    """(length + padding - size) / stride + 1 windows; the padding is that of both sides."""
    if s.integer("maxpool_depth", 0):
        image = b.image(s)
        channels = s.integer("out_channels", 1, 1)
        b.note("maxpool_depth, the greatest of several channels, is not counted", b.name)
        size = None if image is None else (channels, *image[1:])
        b.make(s, "opaque", type="maxpool_depth", size=size)
        return
    _pooled(b, s, "max_pool")


def local_avgpool(b: DarknetBuilder, s: Section) -> None:
    _pooled(b, s, "average_pool")


def avgpool(b: DarknetBuilder, s: Section) -> None:
    b.image(s)
    b.make(s, "global_average_pool")


def normalization(b: DarknetBuilder, s: Section) -> None:
    """kappa + alpha · Σ x² to the power of -beta; alpha is not divided by the window's size."""
    size = s.integer("size", 5, 1)
    b.image(s)
    b.make(
        s,
        "lrn",
        size=size,
        alpha=s.number("alpha", 1e-4) * size,
        beta=s.number("beta", 0.75),
        k=s.number("kappa", 1.0),
    )


def batchnorm(b: DarknetBuilder, s: Section) -> None:
    b.image(s)
    b.make(s, "batch_norm", epsilon=EPSILON)


def activation(b: DarknetBuilder, s: Section) -> None:
    activate(b, s, "linear")


def dropout(b: DarknetBuilder, s: Section) -> None:
    rate = s.number("probability", 0.5)
    if not 0 <= rate <= 1:
        raise s.error("'probability' is from 0 to 1", "probability", values=str(rate))
    b.make(s, "dropout", rate=rate)


def logistic(b: DarknetBuilder, s: Section) -> None:
    b.make(s, "sigmoid")


def l2norm(b: DarknetBuilder, s: Section) -> None:
    b.make(s, "pointwise", function="lp_normalize")


def softmax(b: DarknetBuilder, s: Section) -> None:
    """Over all values, or with ``spatial`` over the channels of each place."""
    groups = s.integer("groups", 1, 1)
    if s.text("tree"):
        b.note("a softmax for each node of a tree that is in another file", b.name)
    shape = b.shapes[b.head]
    flat = shape is None or len(shape) == 2 or all(size == 1 for size in shape[2:])
    if groups == 1 and (flat or s.number("spatial", 0.0)):
        b.make(s, "softmax")
        return
    if shape is None:
        b.make(s, "opaque", type="softmax")
        return
    values = 1
    for size in shape[1:]:
        values *= size
    if values % groups:
        raise s.error(
            "the groups must divide the values", "groups", values=f"{values:,} in {groups}"
        )
    b.make(s, "reshape", suffix=".groups", size=(groups, values // groups))
    b.make(s, "softmax", axis=2)
    b.make(s, "reshape", suffix=".values", size=shape[1:])
