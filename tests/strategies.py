"""Layers and inputs for hypothesis to choose: fields of each kind, and shapes that fit them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from hypothesis import strategies as st

from nettally.layers import layer_class
from nettally.network import Layer, Shape
from strategies_tensors import TENSOR_CASES, TENSOR_UNBUILT, whole_permutes, whole_reshapes

Case = tuple[Layer, tuple[Shape, ...]]
"""A layer, and shapes of inputs that it takes."""

Draw = Callable[[st.SearchStrategy[Any]], Any]

batches = st.integers(1, 3)
channels = st.integers(1, 6)
sizes = st.integers(1, 8)
booleans = st.booleans()
reals = st.floats(0.25, 2.0, width=32)


@st.composite
def shapes(draw: Draw, least: int = 2, most: int = 5) -> Shape:
    """A whole tensor's shape of ``least`` to ``most`` axes."""
    rank = draw(st.integers(least, most))
    return (draw(batches), draw(channels), *(draw(sizes) for _ in range(rank - 2)))


def written(draw: Draw, values: tuple[Any, ...]) -> Any:
    """A field as a file may give it: one value for all axes where they agree, else one an axis."""
    alike = len(set(values)) == 1 and len(values) == 2
    return values[0] if alike and draw(booleans) else values


def same(padding: tuple[tuple[int, int], ...]) -> bool:
    return len(padding) == 2 and len({size for pair in padding for size in pair}) == 1


@st.composite
def windows(
    draw: Draw, *, rounding: bool = True, dilation: bool = True
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The fields of a sliding window, and sizes of space that at least one window fits in."""
    axes = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    spread = tuple(draw(st.integers(1, 2 if dilation else 1)) for _ in range(axes))
    pair = st.tuples(st.integers(0, 3), st.integers(0, 3))
    even = st.integers(0, 3).map(lambda n: (n, n))
    padding = tuple(draw(st.one_of(even, pair)) for _ in range(axes))
    least = [
        max(d * (k - 1) + 1 - a - b, 1)
        for k, d, (a, b) in zip(kernel, spread, padding, strict=True)
    ]
    space = tuple(size + draw(st.integers(0, 6)) for size in least)
    fields: dict[str, Any] = {
        "kernel": kernel if axes != 2 else written(draw, kernel),
        "stride": written(draw, stride),
        "padding": padding[0][0] if draw(booleans) and same(padding) else padding,
    }
    if dilation:
        fields["dilation"] = written(draw, spread)
    if rounding:
        fields["rounding"] = draw(st.sampled_from(("down", "up", "clip")))
    return fields, space


@st.composite
def convolutions(draw: Draw, kind: str) -> Case:
    fields, space = draw(windows(rounding=kind != "conv_transpose"))
    groups = draw(st.integers(1, 3))
    fields |= {
        "filters": groups * draw(st.integers(1, 3)),
        "groups": groups,
        "bias": draw(booleans),
    }
    if kind == "conv":
        fields["untied_bias"] = draw(booleans)
    x = (draw(batches), groups * draw(st.integers(1, 3)), *space)
    return layer_class(kind)(**fields), (x,)


@st.composite
def conv_transposes(draw: Draw) -> Case:
    axes = draw(st.integers(1, 3))
    each = range(axes)
    kernel = tuple(draw(st.integers(1, 4)) for _ in each)
    spread = tuple(draw(st.integers(1, 2)) for _ in each)
    space = tuple(draw(st.integers(1, 5)) for _ in each)
    stride = tuple(draw(st.integers(1, 3)) for _ in each)
    more = tuple(draw(st.integers(0, 2)) for _ in each)
    padding: list[tuple[int, int]] = []
    for k, d, s, size in zip(kernel, spread, stride, space, strict=True):
        most = (size - 1) * s + d * (k - 1)  # that one value of the output is left
        before = draw(st.integers(0, min(most // 2, 3)))
        after = before if draw(booleans) else draw(st.integers(0, min(most - before, 3)))
        padding.append((before, after))
    groups = draw(st.integers(1, 3))
    layer = layer_class("conv_transpose")(
        filters=groups * draw(st.integers(1, 3)),
        kernel=kernel,
        stride=stride,
        padding=tuple(padding),
        output_padding=more,
        dilation=spread,
        groups=groups,
        bias=draw(booleans),
    )
    return layer, ((draw(batches), groups * draw(st.integers(1, 3)), *space),)


@st.composite
def conv_sums(draw: Draw) -> Case:
    """Parts that agree: each with an input of its own, made for the same number of positions."""
    axes = draw(st.integers(1, 3))
    counts = [draw(st.integers(1, 4)) for _ in range(axes)]
    batch, filters = draw(batches), draw(st.integers(1, 4))
    parts: list[Layer] = []
    xs: list[Shape] = []
    for _ in range(draw(st.integers(1, 3))):
        kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
        stride = tuple(draw(st.integers(1, 2)) for _ in range(axes))
        space = tuple((n - 1) * s + k for n, s, k in zip(counts, stride, kernel, strict=True))
        groups = draw(st.sampled_from([g for g in (1, 2) if filters % g == 0]))
        fields = {"filters": filters, "kernel": kernel, "stride": stride, "groups": groups}
        parts.append(layer_class("conv")(**fields))
        xs.append((batch, groups * draw(st.integers(1, 3)), *space))
    layer = layer_class("conv_sum")(
        parts=tuple(parts), bias=draw(booleans), untied_bias=draw(booleans)
    )
    return layer, tuple(xs)


@st.composite
def conv_maps(draw: Draw) -> Case:
    fields, space = draw(windows())
    seen = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, seen - 1), min_size=1, max_size=seen, unique=True).map(tuple)
    table = tuple(draw(st.lists(row, min_size=1, max_size=4)))
    layer = layer_class("conv_map")(table=table, bias=draw(booleans), **fields)
    return layer, ((draw(batches), seen, *space),)


@st.composite
def pools(draw: Draw, kind: str) -> Case:
    fields, space = draw(windows())
    if kind == "average_pool":
        fields["count_padding"] = draw(booleans)
        if len(space) == 3:
            # torch's avg_pool3d, unlike the others, holds the kernel to the input without its
            # padding: "input image (T: 2 H: 2 W: 2) smaller than kernel size"
            space = tuple(map(max, space, fields["kernel"]))
    if draw(booleans):
        del fields["stride"]
    return layer_class(kind)(**fields), ((draw(batches), draw(channels), *space),)


@st.composite
def adaptive_pools(draw: Draw, kind: str) -> Case:
    x = draw(shapes(3))
    size = tuple(draw(st.integers(1, 5)) for _ in x[2:])
    return layer_class(kind)(size=size), (x,)


@st.composite
def global_pools(draw: Draw, kind: str) -> Case:
    return layer_class(kind)(keep=draw(booleans)), (draw(shapes(3)),)


@st.composite
def linears(draw: Draw) -> Case:
    x = draw(shapes())
    axis = draw(st.sampled_from([*range(1, len(x)), -1]))
    return layer_class("linear")(draw(channels), bias=draw(booleans), axis=axis), (x,)


@st.composite
def batch_norms(draw: Draw) -> Case:
    fields = {name: draw(booleans) for name in ("weight", "bias", "statistics")}
    x = draw(shapes())
    return layer_class("batch_norm")(**fields), ((x[0] + 1, *x[1:]),)  # torch refuses one value


@st.composite
def scales(draw: Draw) -> Case:
    x = draw(shapes())
    axis = draw(st.integers(1, len(x) - 1))
    axes = draw(st.integers(-1, len(x) - axis))
    fields = {"weight": draw(booleans), "bias": draw(booleans), "axis": axis, "axes": axes}
    return layer_class("scale")(**fields), (x,)


@st.composite
def group_norms(draw: Draw) -> Case:
    groups, each = draw(st.integers(1, 3)), draw(st.integers(2, 4))  # torch refuses one value
    x = draw(shapes(3))
    layer = layer_class("group_norm")(groups, weight=draw(booleans), bias=draw(booleans))
    return layer, ((x[0], groups * each, *x[2:]),)


@st.composite
def grouped(draw: Draw, kind: str, **fields: st.SearchStrategy[Any]) -> Case:
    """A layer whose groups divide its channels."""
    x = draw(shapes(3))
    groups = draw(st.integers(1, 3))
    layer = layer_class(kind)(groups=groups, **{k: draw(v) for k, v in fields.items()})
    return layer, ((x[0], x[1] * groups, *x[2:]),)


def local_norms(kind: str) -> st.SearchStrategy[Case]:
    across = st.sampled_from(("channels", "space"))
    return grouped(kind, size=st.integers(1, 6), alpha=reals, beta=reals, k=reals, across=across)


@st.composite
def layer_norms(draw: Draw) -> Case:
    x = draw(shapes())
    axes = draw(st.integers(1, len(x) - 1))
    return layer_class("layer_norm")(axes=axes, weight=draw(booleans), bias=draw(booleans)), (x,)


@st.composite
def unary(draw: Draw, kind: str, **fields: st.SearchStrategy[Any]) -> Case:
    """A layer that takes any input, with these fields."""
    return layer_class(kind)(**{k: draw(v) for k, v in fields.items()}), (draw(shapes()),)


@st.composite
def along_axis(draw: Draw, kind: str) -> Case:
    x = draw(shapes())
    return layer_class(kind)(axis=draw(st.integers(-len(x), len(x) - 1))), (x,)


@st.composite
def merges(draw: Draw, kind: str) -> Case:
    """Inputs of one shape, or some with sizes of 1 that are stretched."""
    full = draw(shapes(1 + 1))
    xs = [full]
    for _ in range(draw(st.integers(0, 3))):
        keep = [draw(st.integers(0, 3)) > 0 for _ in full[1:]]
        xs.append((full[0], *(n if k else 1 for n, k in zip(full[1:], keep, strict=True))))
    return layer_class(kind)(), tuple(draw(st.permutations(xs)))


@st.composite
def concats(draw: Draw) -> Case:
    x = draw(shapes())
    axis = draw(st.integers(1, len(x) - 1))
    xs = [x, *((*x[:axis], draw(sizes), *x[axis + 1 :]) for _ in range(draw(st.integers(0, 3))))]
    negative = draw(booleans)
    return layer_class("concat")(axis=axis - len(x) if negative else axis), tuple(xs)


@st.composite
def flattens(draw: Draw) -> Case:
    x = draw(shapes())
    return layer_class("flatten")(start=draw(st.integers(1, len(x) - 1))), (x,)


@st.composite
def reshapes(draw: Draw) -> Case:
    size = draw(shapes())[1:]
    x = (draw(batches), *draw(st.sampled_from(((prod(size),), tuple(reversed(size))))))
    guessed = draw(st.integers(0, len(size)))
    given = tuple(-1 if i == guessed else n for i, n in enumerate(size))
    return layer_class("reshape")(given), (x,)


@st.composite
def permutes(draw: Draw) -> Case:
    x = draw(shapes())
    order = (0, *draw(st.permutations(range(1, len(x)))))
    return layer_class("permute")(order), (x,)


@st.composite
def pads(draw: Draw) -> Case:
    x = draw(shapes(3))
    mode = draw(st.sampled_from(("zero", "reflect", "replicate", "constant")))
    most = [size - 1 if mode == "reflect" else 4 for size in x[2:]]
    padding = tuple((draw(st.integers(0, m)), draw(st.integers(0, m))) for m in most)
    return layer_class("pad")(padding=padding, mode=mode, value=draw(reals)), (x,)


@st.composite
def crops(draw: Draw) -> Case:
    x = draw(shapes(3))
    border = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in x[2:])
    space = tuple(size + a + b for size, (a, b) in zip(x[2:], border, strict=True))
    return layer_class("crop")(border=border), ((*x[:2], *space),)


@st.composite
def slices(draw: Draw) -> Case:
    x = draw(shapes())
    axis = draw(st.integers(1, len(x) - 1))
    start = draw(st.integers(0, x[axis] - 1))
    stop = draw(st.one_of(st.none(), st.integers(start + 1, x[axis])))
    layer = layer_class("slice")(axis=axis, start=start, stop=stop, step=draw(st.integers(1, 3)))
    return layer, (x,)


@st.composite
def enlargements(draw: Draw, kind: str) -> Case:
    x = draw(shapes(3))
    modes = ("nearest", "linear", "cubic") if len(x) == 4 else ("nearest", "linear")
    mode = draw(st.sampled_from(modes))
    if kind == "resize":
        size = tuple(draw(st.integers(1, 9)) for _ in x[2:])
        return layer_class(kind)(size, mode=mode), (x,)
    each = st.tuples(*[st.integers(1, 3)] * (len(x) - 2))
    return layer_class(kind)(draw(st.one_of(st.integers(1, 3), each)), mode=mode), (x,)


@st.composite
def recolors(draw: Draw) -> Case:
    x = draw(shapes(3))
    return layer_class("recolor")(draw(st.sampled_from(("yuv", "lab")))), ((x[0], 3, *x[2:]),)


@st.composite
def recurrents(draw: Draw, kind: str) -> Case:
    """Over a sequence, or over one step of it."""
    x = (draw(batches), draw(st.integers(1, 4)), draw(sizes))
    features = draw(sizes)
    # torch wants a projection to make the state smaller
    less = {"projection": draw(st.integers(0, features - 1))} if kind == "lstm" else {}
    layer = layer_class(kind)(
        features,
        **less,
        sequence=draw(booleans),
        directions=draw(st.integers(1, 2)),
        biases=draw(st.sampled_from((0, 2))),  # torch's have no single one
    )
    return layer, (x if draw(booleans) else (x[0], x[2]),)


@st.composite
def elmans(draw: Draw) -> Case:
    return layer_class("elman")(draw(sizes), draw(sizes), norm=draw(booleans)), (draw(shapes()),)


@st.composite
def conv_elmans(draw: Draw) -> Case:
    axes, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    half, spread = draw(st.integers(0, 1)), draw(st.integers(1, 2))
    layer = layer_class("conv_elman")(
        filters=groups * draw(st.integers(1, 3)),
        hidden=groups * draw(st.integers(1, 3)),
        kernel=(2 * half + 1,) * axes,
        padding=(half * spread,) * axes,
        dilation=spread,
        groups=groups,
        norm=draw(booleans),
    )
    space = tuple(draw(sizes) for _ in range(axes))
    return layer, ((draw(batches), groups * draw(st.integers(1, 3)), *space),)


@st.composite
def conv_lstms(draw: Draw) -> Case:
    """Over steps of maps, or over one of them."""
    fields, space = draw(windows(rounding=False))
    axes = len(space)
    fields["kernel"] = fields["kernel"] if axes != 2 else written(draw, (2, 3))
    fields["padding"] = tuple(draw(st.integers(0, 2)) for _ in range(axes))
    space = tuple(size + 9 for size in space)
    layer = layer_class("conv_lstm")(
        filters=draw(st.integers(1, 3)),
        biases=draw(st.integers(0, 2)),
        sequence=draw(booleans),
        **fields,
    )
    steps = (draw(st.integers(1, 3)),) if draw(booleans) else ()
    return layer, ((draw(batches), *steps, draw(channels), *space),)


@st.composite
def stretched(draw: Draw, kind: str, **fields: st.SearchStrategy[Any]) -> Case:
    """A layer with values of its own for each of the input's, or for some axes of it."""
    x = draw(shapes())
    size = tuple(n if draw(booleans) else 1 for n in x[1:])
    return layer_class(kind)(size=size, **{k: draw(v) for k, v in fields.items()}), (x,)


@st.composite
def heads(draw: Draw) -> Case:
    x = draw(shapes())
    sigmoids = draw(st.integers(0, x[1]))
    return layer_class("detect")(sigmoids, draw(st.integers(0, x[1] - sigmoids))), (x,)


# fmt: off
PLAIN = (
    "relu", "relu6", "selu", "silu", "mish", "hard_swish", "hard_sigmoid", "sigmoid", "softplus",
    "square", "sqrt", "abs", "identity",
)
# fmt: on

CASES: dict[str, st.SearchStrategy[Case]] = {
    **{kind: convolutions(kind) for kind in ("conv", "local")},
    "conv_sum": conv_sums(),
    "conv_map": conv_maps(),
    "conv_transpose": conv_transposes(),
    **{kind: pools(kind) for kind in ("max_pool", "average_pool", "stochastic_pool", "subsample")},
    "lp_pool": pools("lp_pool"),
    **{kind: global_pools(kind) for kind in ("global_max_pool", "global_average_pool")},
    **{kind: adaptive_pools(kind) for kind in ("adaptive_max_pool", "adaptive_average_pool")},
    "linear": linears(),
    "batch_norm": batch_norms(),
    "scale": scales(),
    "l2_norm": unary("l2_norm", across=st.sampled_from(("channels", "all")), shared=booleans),
    "power": unary("power", exponent=reals),
    "exp": unary("exp"),
    "lrn": local_norms("lrn"),
    "contrast_norm": local_norms("contrast_norm"),
    "layer_norm": layer_norms(),
    "group_norm": group_norms(),
    **{kind: unary(kind) for kind in PLAIN},
    "clipped_relu": unary("clipped_relu", limit=reals),
    "leaky_relu": unary("leaky_relu", slope=reals),
    "prelu": st.one_of(unary("prelu", shared=booleans), stretched("prelu")),
    "standardize": stretched("standardize", kept=booleans),
    "elu": unary("elu", alpha=reals),
    "gelu": unary("gelu", approximate=booleans),
    "tanh": unary("tanh", scale=reals, slope=reals),
    "log": unary("log", offset=reals),
    "affine": unary("affine", slope=reals, offset=reals),
    "dropout": unary("dropout", rate=st.floats(0, 1)),
    "softmax": along_axis("softmax"),
    "log_softmax": along_axis("log_softmax"),
    **{
        kind: merges(kind)
        for kind in ("add", "subtract", "multiply", "maximum", "minimum", "average")
    },
    "concat": concats(),
    "flatten": flattens(),
    "reshape": st.one_of(reshapes(), whole_reshapes()),
    "permute": st.one_of(permutes(), whole_permutes()),
    "pad": pads(),
    "crop": crops(),
    "slice": slices(),
    "upsample": enlargements("upsample"),
    "resize": enlargements("resize"),
    "blur": unary("blur", size=st.integers(1, 6), deviation=reals),
    "recolor": recolors(),
    "rbf": unary("rbf", units=st.integers(1, 5)),
    **{kind: recurrents(kind) for kind in ("rnn", "gru", "lstm")},
    "elman": elmans(),
    "conv_elman": conv_elmans(),
    "conv_lstm": conv_lstms(),
    "detect": heads(),
    **TENSOR_CASES,
    # `opaque` is not here: nobody knows what it computes
}
"""For each kind of layer that computes something, layers of it with inputs that fit."""


@st.composite
def region_pools(draw: Draw) -> Case:
    x = draw(shapes(4, 4))
    size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    own = draw(st.sampled_from((0, 2)))
    seen = own * size[0] * size[1] or x[1]
    layer = layer_class("roi_pool")(size, channels=own)
    return layer, ((x[0], seen, *x[2:]), (draw(st.integers(1, 5)), 5))


UNBUILT: dict[str, st.SearchStrategy[Case]] = {
    **TENSOR_UNBUILT,
    "roi_pool": region_pools(),  # what it takes in depends on the values of its second input
}
"""Layers that torch has not, and of which we make no module."""
