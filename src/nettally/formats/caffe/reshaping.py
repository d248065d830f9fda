"""Caffe's layers that move values: side by side, apart, in other shapes, larger and smaller."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from ...network import MAX_SIZE
from ..graph_builder import by_axis
from .builder import MANY, CaffeBuilder, axis_of, caffe
from .net import MAX_AXES

if TYPE_CHECKING:
    from ...network import Shape
    from ..encodings.protobuf_tree import Message
    from .net import Spec

MAX_PARTS = 10_000
"""Into how many parts a layer may be cut, or how often repeated."""


def _axis(s: Spec, settings: Message, old: str) -> int:
    """``axis``, or its older name, which has no negative values."""
    if old in settings and "axis" in settings:
        raise settings.error(
            f"{s.label}: '{old}' and 'axis' are both given", settings.all(old)[0], hint="axis: 1"
        )
    axis = settings.integer(old, 1) if old in settings else settings.integer("axis", 1)
    if old in settings and axis < 0:
        raise settings.error(f"{s.label}: '{old}' counts from the front", settings.all(old)[0])
    return axis


@caffe("Concat", bottoms=(1, MANY))
def concat(b: CaffeBuilder, s: Spec) -> str:
    axis = _axis(s, s.sub("concat_param"), "concat_dim")
    return b.make(s, "concat", b.inputs_of(s), axis=axis)


@caffe("Split")
def split(b: CaffeBuilder, s: Spec) -> str:
    """One blob under several names: no layer of its own."""
    b.blobs.update(dict.fromkeys(s.tops, b.inputs_of(s)[0]))
    return ""


@caffe("Slice")
def slice_(b: CaffeBuilder, s: Spec) -> str:
    """Parts of an axis, up to each ``slice_point``, or as many as tops, of one size."""
    settings = s.sub("slice_param")
    (x,) = b.inputs_of(s)
    shape = b.shape(x)
    axis = _axis(s, settings, "slice_dim")
    points = settings.integers("slice_point")
    count = len(s.tops)
    if count > MAX_PARTS:
        raise s.error("it has too many tops", values=f"{count:,}, at most {MAX_PARTS:,}")
    if points and len(points) != count - 1:
        raise s.error(
            "it has one 'slice_point' between two tops",
            values=f"{len(points)} points, {count} tops",
        )
    if shape is None and not points:
        for top in s.tops:
            b.blobs[top] = b.opaque(s, (x,), f".{top}")
        return ""
    if shape is not None:
        axis = axis_of(s, axis, len(shape))
        if not points:
            if shape[axis] % count:
                raise s.error(
                    "its tops must divide the axis",
                    values=f"{count} tops, axis {axis} has {shape[axis]}",
                )
            points = [shape[axis] // count * index for index in range(1, count)]
    ends = [0, *points]
    if any(a >= z for a, z in pairwise(ends)):
        raise s.error("its slice points must rise", values=", ".join(map(str, points)))
    if shape is not None and ends[-1] >= shape[axis]:
        raise s.error(
            "its slice points leave nothing",
            values=f"last point {ends[-1]}, axis {axis} has {shape[axis]}",
        )
    for index, top in enumerate(s.tops):
        stop = ends[index + 1] if index + 1 < count else None
        if axis == 0:
            end = stop if stop is not None else shape[0] if shape is not None else 0
            size = None if shape is None else (end - ends[index], *shape[1:])
            known = size is not None
            kind = "Slice of the batch"
            node = b.opaque(s, (x,), f".{top}", kind, size=size, whole=known, tensors=())
            b.blobs[top] = node
        else:
            fields = {"axis": axis, "start": ends[index], "stop": stop}
            b.blobs[top] = b.make(s, "slice", (x,), f".{top}", **fields)
    return ""


@caffe("Flatten", sized=True)
def flatten(b: CaffeBuilder, s: Spec) -> str:
    settings = s.sub("flatten_param")
    (x, *_), shape = b.sized(s)
    rank = len(shape)
    start = axis_of(s, settings.integer("axis", 1), rank)
    end = axis_of(s, settings.integer("end_axis", -1), rank, "end_axis")
    if start > end:
        raise s.error("its axes are in the wrong order", values=f"axis {start}, end_axis {end}")
    if end == rank - 1 and start:
        return b.make(s, "flatten", (x,), start=start)
    return _reshaped(
        b, s, x, shape, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])
    )


def _reshaped(b: CaffeBuilder, s: Spec, x: str, shape: Shape, size: Shape) -> str:
    """The blob in another shape; where that changes the batch, the shape is whole."""
    if size[:1] == shape[:1] and len(size) > 1:
        return b.make(s, "reshape", (x,), size=size[1:])
    return b.make(s, "reshape", (x,), size=size, whole=True)


@caffe("Reshape", bottoms=(1, 2), sized=True)
def reshape(b: CaffeBuilder, s: Spec) -> str:
    """A dim of 0 is kept, one of -1 is what is left; ``axis`` and ``num_axes`` bound the part."""
    settings = s.sub("reshape_param")
    (x, *_), shape = b.sized(s)
    sizes = settings.message("shape")
    dims = [] if sizes is None else sizes.integers("dim")
    rank = len(shape)
    axis = settings.integer("axis", 0)
    start = axis if axis >= 0 else rank + axis + 1
    axes = settings.integer("num_axes", -1)
    if not 0 <= start <= rank or axes < -1 or (axes >= 0 and start + axes > rank):
        raise s.error(
            "its axes are outside its input",
            values=f"axis {axis}, num_axes {axes}, the input has {rank} axes",
        )
    end = rank if axes == -1 else start + axes
    if start + len(dims) + rank - end > MAX_AXES:
        raise s.error("its output has too many axes", values=f"at most {MAX_AXES}")
    if any(dim < -1 for dim in dims) or dims.count(-1) > 1:
        raise s.error(
            "a dim is a size, 0 to keep it, or once -1 for what is left",
            values=", ".join(map(str, dims)),
        )
    for place, dim in enumerate(dims):
        if dim == 0:
            if start + place >= rank:
                raise s.error(
                    "a dim of 0 keeps an axis that its input does not have",
                    values=f"dim {place} of {', '.join(map(str, dims))}, input {by_axis(shape)}",
                )
            dims[place] = shape[start + place]
    whole = [*shape[:start], *dims, *shape[end:]]
    values = prod(shape)
    if -1 in dims:
        known = prod(dim for dim in whole if dim != -1)
        if not known or values % known:
            raise s.error(
                "it must keep the number of values",
                values=f"input {by_axis(shape)} = {values:,}, dims {', '.join(map(str, dims))}",
            )
        whole[whole.index(-1)] = values // known
    elif prod(whole) != values:
        raise s.error(
            "it must keep the number of values",
            values=f"input {by_axis(shape)} = {values:,}, "
            f"output {by_axis(whole)} = {prod(whole):,}",
        )
    return _reshaped(b, s, x, shape, tuple(whole))


@caffe("Permute")
def permute(b: CaffeBuilder, s: Spec) -> str:
    order = s.sub("permute_param").integers("order")
    (x,) = b.inputs_of(s)
    shape = b.shape(x)
    if len(set(order)) != len(order) or any(axis < 0 for axis in order):
        raise s.error("its order names an axis twice", values=", ".join(map(str, order)))
    if shape is not None:
        if any(axis >= len(shape) for axis in order):
            raise s.error(
                "its order names an axis that its input does not have",
                values=f"{', '.join(map(str, order))}; {len(shape)} axes",
            )
        order += [axis for axis in range(len(shape)) if axis not in order]
    return b.make(s, "permute", (x,), order=tuple(order), whole=order[:1] != [0])


@caffe("Crop", bottoms=2, sized=True)
def crop(b: CaffeBuilder, s: Spec) -> str:
    """The first bottom, cut to the second's size from ``axis`` on, beginning at ``offset``."""
    settings = s.sub("crop_param")
    (x, reference), shape = b.sized(s)
    wanted = b.shape(reference)
    if wanted is None:
        return b.opaque(s, (x, reference))
    rank = len(shape)
    axis = axis_of(s, settings.integer("axis", 2), rank)
    offsets = settings.integers("offset")
    if len(offsets) > 1 and len(offsets) != rank - axis:
        raise s.error(
            "it has one 'offset', or one for each axis from 'axis' on",
            values=f"{len(offsets)} offsets, {rank - axis} axes",
        )
    if len(wanted) != rank:
        raise s.error("its bottoms have unlike numbers of axes", values=f"{rank}, {len(wanted)}")
    border: list[tuple[int, int]] = []
    for place in range(axis, rank):
        offset = (offsets[place - axis] if len(offsets) > 1 else offsets[0]) if offsets else 0
        after = shape[place] - wanted[place] - offset
        if after < 0 or offset < 0:
            raise s.error(
                "there is less than it should leave",
                values=f"axis {place}: {shape[place]}, from {offset}, {wanted[place]} wanted",
            )
        border.append((offset, after))
    for place in range(axis, min(2, rank)):
        before, after = border.pop(0)
        if place and (before or after):
            stop = shape[place] - after
            x = b.make(s, "slice", (x,), ".channels", axis=1, start=before, stop=stop)
    if rank == 2:
        return x if x != s.bottoms[0] else b.make(s, "identity", (x,))
    border = [(0, 0)] * (rank - 2 - len(border)) + border
    return b.make(s, "crop", (x,), border=tuple(border))


@caffe("Tile", sized=True)
def tile(b: CaffeBuilder, s: Spec) -> str:
    """The blob several times along an axis."""
    settings = s.sub("tile_param")
    (x, *_), shape = b.sized(s)
    tiles = settings.integer("tiles", 0)
    if not 1 <= tiles <= MAX_SIZE:
        raise s.error("'tiles' is a positive number", values=f"tiles {tiles}"[:80])
    axis = axis_of(s, settings.integer("axis", 1), len(shape))
    times = tuple(tiles if place == axis else 1 for place in range(len(shape)))
    return b.make(s, "tile", (x,), times=times)


_REDUCED = {"SUM": "sum", "ASUM": "l1", "SUMSQ": "sum_of_squares", "MEAN": "mean"}


@caffe("Reduction", sized=True)
def reduction(b: CaffeBuilder, s: Spec) -> str:
    """One number for all the axes from ``axis`` on, times ``coeff``."""
    settings = s.sub("reduction_param")
    (x, *_), shape = b.sized(s)
    operation = _REDUCED[settings.word("operation", ("", *_REDUCED), "SUM") or "SUM"]
    axis = settings.integer("axis", 0)
    coefficient = settings.real("coeff", 1.0)
    axes = tuple(range(axis_of(s, axis, len(shape)), len(shape)))
    suffix = ".sum" if coefficient != 1 else ""
    x = b.make(s, "reduce", (x,), suffix, operation=operation, axes=axes, keep=False)
    return b.make(s, "affine", (x,), slope=coefficient) if suffix else x


@caffe("Interp", bottoms=(1, 2), sized=True)
def interp(b: CaffeBuilder, s: Spec) -> str:
    """Space by factors, or to a size, or to another blob's; linear (DeepLab's, PSPNet's, ICNet's).

    ``shrink_factor`` keeps each n-th value, from the first on. ``zoom_factor`` puts n - 1 values
    between two (interp_layer.cpp of DeepLab v2); in some forks it multiplies the size.
    """
    settings = s.sub("interp_param")
    inputs, shape = b.sized(s)
    height, width = settings.integer("height", 0), settings.integer("width", 0)
    size: tuple[int, ...] = (height, width)
    factors = "zoom_factor" in settings or "shrink_factor" in settings
    if len(inputs) == 2:
        other = b.shape(inputs[1])
        size = (0, 0) if other is None else other[2:]
    elif len(shape) == 4 and (factors or not (height and width)):
        border = settings.integer("pad_beg", 0) + settings.integer("pad_end", 0)
        shrink, zoom = settings.integer("shrink_factor", 1), settings.integer("zoom_factor", 1)
        if shrink < 1 or zoom < 1:
            raise s.error(
                "its factors are positive", values=f"shrink_factor {shrink}, zoom_factor {zoom}"
            )
        small = [(each + border - 1) // shrink + 1 for each in shape[2:]]
        size = tuple(each * zoom - (0 if b.multiplies else zoom - 1) for each in small)
        if zoom > 1:
            b.zoomed.append(f"'{s.label}' {by_axis(small)} to {by_axis(size)}")
    if len(size) != 2 or not all(size):
        return b.opaque(s, inputs)
    return b.make(s, "resize", inputs[:1], size=size, mode="linear")


_UNPOOLING = ("Unpooling", "UnPooling", "Unpool", "MaxUnpool", "MaxUnpooling")


@caffe("Upsample", *_UNPOOLING, bottoms=(1, 2), sized=True)
def upsample(b: CaffeBuilder, s: Spec) -> str:
    """Space by whole factors, or to a size, or back to what a pooling read whose mask it reads.

    With a mask values go back where the maximum was, which is counted as nearest. Sizes as in
    SegNet's upsample_layer.cpp and DeconvNet's unpooling_layer.cpp.
    """
    unpools = s.type in _UNPOOLING
    settings = s.sub("unpooling_param" if unpools else "upsample_param")
    inputs, shape = b.sized(s)
    if len(shape) != 4:
        raise s.error("its input is a map", values=f"input {by_axis(shape)}")
    before = b.unpooled.get(inputs[1]) if len(inputs) == 2 else None
    if before is None and unpools and not settings.fields:
        return b.opaque(s, inputs)
    if len(inputs) == 2:
        b.note(f"{s.label}: puts values back where a pooling found them; counted as nearest")
    if before is not None and not settings.fields:
        size = (b.shape(before) or shape)[2:]
    else:
        sizes = _unpooled if unpools else _upsampled
        size = tuple([sizes(settings, axis, shape[2 + index]) for index, axis in enumerate("hw")])
    if not all(1 <= each <= MAX_SIZE for each in size):
        raise s.error("its output has a size that cannot be", values=by_axis(size)[:200])
    scale = size[0] // shape[2]
    stated = any(field.name.startswith(("upsample_", "unpool_")) for field in settings.fields)
    if not stated and size == tuple([each * scale for each in shape[2:]]):
        return b.make(s, "upsample", inputs[:1], scale=scale)
    return b.make(s, "resize", inputs[:1], size=size, mode="nearest")


def _upsampled(settings: Message, axis: str, size: int) -> int:
    scale = settings.integer(f"scale_{axis}", settings.integer("scale", 2))
    whole = size * scale - settings.boolean(f"pad_out_{axis}", False)
    return settings.integer(f"upsample_{axis}", 0) or whole


def _unpooled(settings: Message, axis: str, size: int) -> int:
    def setting(name: str, default: int) -> int:
        whole = settings.integer(f"{name}_size" if name in ("kernel", "unpool") else name, default)
        return settings.integer(f"{name}_{axis}", whole)

    stride, kernel = setting("stride", 1), setting("kernel", 1)
    return setting("unpool", 0) or (size - 1) * stride + kernel - 2 * setting("pad", 0)


@caffe("Reorg", sized=True)
def reorg(b: CaffeBuilder, s: Spec) -> str:
    """Blocks of space into channels (YOLOv2)."""
    settings = s.sub("reorg_param")
    (x, *_), shape = b.sized(s)
    stride = settings.integer("stride", 2)
    if len(shape) != 4 or stride < 1 or settings.boolean("reverse", False):
        return b.opaque(s, (x,))
    channels, height, width = shape[1:]
    if height % stride or width % stride:
        raise s.error(
            "the stride must divide its input", values=f"stride {stride}, {height}x{width}"
        )
    high, wide = height // stride, width // stride
    x = b.make(s, "reshape", (x,), ".blocks", size=(channels, high, stride, wide, stride))
    x = b.make(s, "permute", (x,), ".order", order=(0, 3, 5, 1, 2, 4))
    return b.make(s, "reshape", (x,), size=(channels * stride * stride, high, wide))


@caffe("Flip", sized=True)
def flip(b: CaffeBuilder, s: Spec) -> str:
    """The other way round; every size stays."""
    (x, *_), shape = b.sized(s)
    return b.make(s, "arrange", (x,), type=s.type, size=shape, of=(shape,))


@caffe("BatchReindex", bottoms=2, sized=True)
def batch_reindex(b: CaffeBuilder, s: Spec) -> str:
    """Examples by their numbers, one for each number (BatchReindexLayer::Reshape)."""
    (x, numbers), shape = b.sized(s)
    of = b.shape(numbers)
    if of is None:
        return b.opaque(s, (x, numbers))
    size = (prod(of), *shape[1:])
    return b.make(s, "arrange", (x, numbers), type=s.type, size=size, of=(shape, of))


@caffe("ShuffleChannel", sized=True)
def shuffle(b: CaffeBuilder, s: Spec) -> str:
    """The channels of the groups in turn (ShuffleNet)."""
    groups = s.sub("shuffle_channel_param").integer("group", 1)
    (x, *_), shape = b.sized(s)
    if len(shape) != 4:
        return b.opaque(s, (x,))
    if groups < 1 or shape[1] % groups:
        raise s.error(
            "the groups must divide the channels", values=f"group {groups}, channels {shape[1]}"
        )
    each = shape[1] // groups
    x = b.make(s, "reshape", (x,), ".groups", size=(groups, each, *shape[2:]))
    x = b.make(s, "permute", (x,), ".order", order=(0, 2, 1, 3, 4))
    return b.make(s, "reshape", (x,), size=shape[1:])
