"""Darknet's layers that read several others, or move values: route, shortcut, reorg, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph_builder import by_axis
from .layers import activate

if TYPE_CHECKING:
    from ...network import Shape
    from .builder import BuiltLayer, DarknetBuilder
    from .cfg import Section


def route(b: DarknetBuilder, s: Section) -> None:
    """The channels of other layers side by side; of ``groups``, of each the one ``group_id``."""
    groups, group = s.integer("groups", 1, 1), s.integer("group_id", 0, 0)
    _route(b, s, groups, group)


def route_lhalf(b: DarknetBuilder, s: Section) -> None:
    """A route of the first half of the channels, of forks."""
    _route(b, s, 2, 0)


def _route(b: DarknetBuilder, s: Section, groups: int, group: int) -> None:
    if group >= groups:
        raise s.error("there is no such group", "group_id", values=f"group_id {group} of {groups}")
    heads = [layer.head for layer in b.layers(s, "layers")]
    if groups > 1:
        heads = [_part(b, s, head, groups, group, i) for i, head in enumerate(heads)]
    shapes = [b.shapes[head] for head in heads]
    known = [shape for shape in shapes if shape is not None]
    unequal = len({shape[2:] for shape in known}) > 1
    if unequal:
        b.note("maps of different sizes are joined, as values without space", b.name)
        heads = [
            b.make(s, "flatten", (head,), f".values{i}") if len(b.shapes[head] or ()) > 2 else head
            for i, head in enumerate(heads)
        ]
    if len(heads) == 1 and groups == 1:
        b.make(s, "identity", heads)
    elif len(heads) > 1:
        b.make(s, "concat", heads)
    if unequal:
        b.without_map[b.head] = ", ".join(by_axis(shape[1:]) for shape in known[:8])


def _part(b: DarknetBuilder, s: Section, head: str, groups: int, group: int, i: int) -> str:
    """One group of the channels of a node."""
    shape = b.shapes[head]
    if shape is None:
        return b.make(s, "opaque", (head,), f".group{i}", type="route")
    if shape[1] % groups:
        raise s.error(
            "the groups must divide the channels",
            "groups",
            values=f"channels {shape[1]}, groups {groups}",
        )
    each = shape[1] // groups
    suffix = f".group{i}" if s.text("layers", "") and "," in (s.text("layers") or "") else ""
    return b.make(s, "slice", (head,), suffix, start=group * each, stop=(group + 1) * each)


def shortcut(b: DarknetBuilder, s: Section) -> None:
    """What the layer before puts out, with other layers' values added to it."""
    wanted = s.text("weights_type", "none")
    if wanted not in ("none", "per_feature", "per_layer", "per_channel"):
        raise s.error(
            "'weights_type' is none, per_feature or per_channel",
            "weights_type",
            values=f"weights_type={str(wanted)[:40]}",
        )
    if s.text("weights_normalization", "none") != "none":
        b.note("weights_normalization: its few steps are not counted", b.name)
    terms = [b.head, *(layer.head for layer in b.layers(s, "from"))]
    for term in terms:
        b.check_map(s, term)
    y = b.shapes[terms[0]]
    if any(b.shapes[term] is None for term in terms):
        b.make(s, "opaque", terms, type="shortcut", size=None if y is None else y[1:])
        activate(b, s, "linear")
        return
    assert y is not None
    heads = [terms[0]]
    for i, term in enumerate(terms[1:]):
        shape = b.shape(s, term)
        if shape == y:
            heads.append(term)
            continue
        fitted = _fitted(b, s, term, shape, y, i)
        if fitted is None:
            b.note("smaller maps added to some places of larger ones, which is not counted", b.name)
            b.make(s, "opaque", terms, type="shortcut", size=y[1:])
            activate(b, s, "linear")
            return
        b.note("maps of different sizes are added in the channels and places of both", b.name)
        heads[0], term = _padded(b, s, heads[0], fitted, y, i)
        if term:
            heads.append(term)
    if wanted != "none":
        axes = 1 if wanted == "per_channel" else 0
        heads = [
            b.make(s, "scale", (head,), f".weight{i}", bias=False, axes=axes)
            for i, head in enumerate(heads)
        ]
    if len(heads) > 1:
        b.make(s, "add", heads)
    activate(b, s, "linear")


def _fitted(b: DarknetBuilder, s: Section, term: str, x: Shape, y: Shape, i: int) -> str | None:
    """``term`` at the places of ``y``'s maps, with no more channels than it; None: can't be.

    Of larger maps every second (third, ...) place is taken (src/blas.c, shortcut_cpu).
    """
    if len(x) != len(y):
        return None
    name = term
    for axis in range(2, len(x)):
        step = x[axis] // y[axis]
        if step < 1:
            return None
        if x[axis] != y[axis]:
            stop = (y[axis] - 1) * step + 1
            name = b.make(s, "slice", (name,), f".at{i}.{axis}", axis=axis, stop=stop, step=step)
    if x[1] > y[1]:
        name = b.make(s, "slice", (name,), f".channels{i}", stop=y[1])
    return name


def _padded(
    b: DarknetBuilder, s: Section, head: str, term: str, y: Shape, i: int
) -> tuple[str, str]:
    """The two to be added; where the second has fewer channels, the sum and nothing."""
    few = b.shape(s, term)[1]
    if few == y[1]:
        return head, term
    first = b.make(s, "slice", (head,), f".first{i}", stop=few)
    rest = b.make(s, "slice", (head,), f".rest{i}", start=few)
    added = b.make(s, "add", (first, term), f".sum{i}")
    return b.make(s, "concat", (added, rest), f".both{i}"), ""


def _one(b: DarknetBuilder, s: Section) -> BuiltLayer:
    layers = b.layers(s, "from")
    return layers[0]


def scale_channels(b: DarknetBuilder, s: Section) -> None:
    """The maps of another layer, each times one value of the layer before (or each place)."""
    other = _one(b, s).head
    image, maps = b.image(s), b.shapes[other]
    whole = s.integer("scale_wh", 0)
    if image is not None and maps is not None:
        fits = image[0] == 1 and image[1:] == maps[2:] if whole else image == (maps[1], 1, 1)
        if not fits:
            want = "one map of its size" if whole else "one value a channel"
            raise s.error(
                f"the layer before it must put out {want}",
                values="it has " + "x".join(map(str, image)) + ", layer "
                f"{s.text('from')} " + "x".join(map(str, maps[1:])),
            )
    b.make(s, "multiply", (other, b.head))
    activate(b, s, "linear")


def sam(b: DarknetBuilder, s: Section) -> None:
    """The layer before times another of its size (Woo et al. 2018, point by point)."""
    other = _one(b, s).head
    x, y = b.shapes[b.head], b.shapes[other]
    if x is not None and y is not None and x != y:
        raise s.error(
            "the two layers must be of one size",
            "from",
            values="x".join(map(str, x[1:])) + " and " + "x".join(map(str, y[1:])),
        )
    b.make(s, "multiply", (b.head, other))
    activate(b, s, "linear")


def upsample(b: DarknetBuilder, s: Section) -> None:
    stride = s.integer("stride", 2)
    factor = s.number("scale", 1.0)
    b.image(s)
    if stride > 0:
        b.make(s, "upsample", scale=stride)
    elif stride == 0:
        raise s.error("'stride' must not be 0", "stride")
    else:  # the way back of an upsampling: the sum of each window
        b.make(s, "average_pool", kernel=(-stride, -stride))
        factor *= stride * stride
    if factor != 1:
        b.make(s, "affine", suffix=".scale", slope=factor)


def reorg(b: DarknetBuilder, s: Section) -> None:
    """[reorg]: pixels to channels, of values read as they lie in memory (src/blas.c, reorg_cpu).

    The values are first read as c/stride² maps of stride times the size, those pixels become
    channels, and what comes out is read as c·stride² maps. It is not what its name says.
    """
    stride = s.integer("stride", 1, 1)
    back, extra = s.integer("reverse", 0), s.integer("extra", 0, 0)
    flat = s.integer("flatten", 0)
    image = b.image(s)
    if image is None:
        b.make(s, "opaque", type="reorg")
        return
    c, h, w = image
    area = stride * stride
    if extra:
        b.note("extra: values and some more that are put behind them", b.name)
        _procedure(b, s, "reorg", (c * h * w + extra,))
        return
    if back and c % area:
        raise s.error("stride² must divide the channels", "stride", values=f"{c} in {area}")
    if not back and (h % stride or w % stride):
        raise s.error(
            "'stride' must divide the maps", "stride", values=f"maps {h}x{w}, stride {stride}"
        )
    out = (c // area, h * stride, w * stride) if back else (c * area, h // stride, w // stride)
    if stride == 1 and not flat:
        b.make(s, "identity")
    elif flat or c % area:
        b.note("values are moved in an order that is not followed", b.name)
        b.make(s, "reshape", size=out)
    elif back:
        # as backwards: read as maps of the size that it had, channels become pixels
        _to_pixels(b, s, (c, h, w), stride, ".pixels")
    else:
        b.make(s, "reshape", suffix=".memory", size=(c // area, h * stride, w * stride))
        _to_channels(b, s, (c // area, h * stride, w * stride), stride, ".channels")
        b.make(s, "reshape", size=out)


def reorg3d(b: DarknetBuilder, s: Section) -> None:
    """[reorg3d]: pixels to channels, or with ``reverse`` channels to pixels."""
    stride, back = s.integer("stride", 1, 1), s.integer("reverse", 0)
    image = b.image(s)
    if image is None:
        b.make(s, "opaque", type="reorg3d")
        return
    c, h, w = image
    if (back and c % (stride * stride)) or (not back and (h % stride or w % stride)):
        raise s.error("'stride' must divide its input", "stride", values=f"{c}x{h}x{w}, {stride}")
    (_to_pixels if back else _to_channels)(b, s, (c, h, w), stride, "")


def _to_channels(
    b: DarknetBuilder, s: Section, image: tuple[int, int, int], stride: int, suffix: str
) -> None:
    c, h, w = image
    size = (c, h // stride, stride, w // stride, stride)
    b.make(s, "reshape", suffix=f"{suffix}.blocks", size=size)
    b.make(s, "permute", suffix=f"{suffix}.order", order=(0, 3, 5, 1, 2, 4))
    b.make(s, "reshape", suffix=suffix, size=(c * stride * stride, h // stride, w // stride))


def _to_pixels(
    b: DarknetBuilder, s: Section, image: tuple[int, int, int], stride: int, suffix: str
) -> None:
    c, h, w = image
    each = c // (stride * stride)
    b.make(s, "reshape", suffix=f"{suffix}.blocks", size=(stride, stride, each, h, w))
    b.make(s, "permute", suffix=f"{suffix}.order", order=(0, 3, 4, 1, 5, 2))
    b.make(s, "reshape", suffix=suffix, size=(each, h * stride, w * stride))


def crop(b: DarknetBuilder, s: Section) -> None:
    """The middle of the image, as in use; its values go from 0..1 to -1..1."""
    high, wide = s.integer("crop_height", 1, 1), s.integer("crop_width", 1, 1)
    image = b.image(s)
    plain = s.integer("noadjust", 0)
    border: list[tuple[int, int]] = []
    for length, wanted in zip(image[1:] if image else (high, wide), (high, wide), strict=True):
        if wanted > length:
            raise s.error(
                "it cuts more than there is",
                values=f"crop {high}x{wide}, input "
                + "x".join(map(str, image[1:] if image else ())),
            )
        border.append(((length - wanted) // 2, length - wanted - (length - wanted) // 2))
    if image is None:
        b.make(s, "opaque", type="crop", size=None)
        return
    b.make(s, "crop", border=tuple(border))
    if not plain:
        b.make(s, "affine", suffix=".adjust", slope=2.0, offset=-1.0)


def empty(b: DarknetBuilder, s: Section) -> None:
    b.make(s, "identity")


def history(b: DarknetBuilder, s: Section) -> None:
    """The maps of the last few steps side by side."""
    steps = s.integer("history_size", 4, 1)
    image = b.image(s)
    b.note("maps of the steps before are kept", b.name)
    _procedure(b, s, "history", None if image is None else (image[0] * steps, *image[1:]))


def _procedure(b: DarknetBuilder, s: Section, type_: str, size: tuple[int, ...] | None) -> None:
    """What takes values from elsewhere and computes none. size: the output without the batch."""
    x = b.shapes[b.head]
    if x is None or size is None:
        b.make(s, "opaque", type=type_)
    else:
        b.make(s, "procedure", type=type_, size=(x[0], *size), of=(x,))


def implicit(b: DarknetBuilder, s: Section) -> None:
    """Learned values that read nothing."""
    filters, atoms = s.integer("filters", 128, 1), s.integer("atoms", 1, 1)
    b.make(s, "tensor", (), size=(1, filters, atoms, 1))
