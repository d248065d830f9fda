"""Operations that take tensors apart, put them together, or move their values."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

from ..encodings.json import array, fields
from .builder import Value
from .merging import joined, reshaped
from .op_arguments import arrange, axis_of, integers, opaque_operation, stored_size, tensor, whole

if TYPE_CHECKING:
    from .builder import LayerCall

# --- apart ----------------------------------------------------------------------------------------


def _bounds(key: Any, size: int) -> tuple[int, int, int] | None:
    """Start, stop and step of a slice along an axis; None for what is none of ours."""
    members = fields(key)
    config = None if members is None else fields(members.get("config", members))
    if config is None:
        return None
    ends: list[int | None] = []
    for word in ("start", "stop", "step"):
        end = config.get(word)
        if end is not None and type(end) is not int:
            return None
        ends.append(end)
    if ends[2] == 0:
        return None
    return slice(*ends).indices(size)


def part(
    c: LayerCall, x: Value, axis: int, start: int, stop: int, suffix: str, step: int = 1
) -> Value:
    """From ``start`` up to ``stop`` along one of Keras' axes."""
    return c.make("slice", x, suffix, axis=c.axis(x, axis), start=start, stop=stop, step=step)


def get_item(c: LayerCall) -> Value:
    """``x[:, 1:3, 0, None]``; by whole numbers, slices with a positive step, new axes."""
    x = c.x
    key = c.argument(1, "key", c.argument(1, "slice_spec"))
    listed = array(key)
    keys: list[Any] = [key] if listed is None else listed
    dots = [
        i for i, each in enumerate(keys) if (fields(each) or {}).get("class_name") == "__ellipsis__"
    ]
    taken = sum(each is not None for each in keys) - len(dots)
    if len(dots) > 1 or taken > x.rank or len(keys) > 2 * x.rank + 1:
        return c.opaque("slices that are not followed", "getitem")
    rest: list[Any] = [{} for _ in range(x.rank - taken)]
    keys = [*keys[: dots[0]], *rest, *keys[dots[0] + 1 :]] if dots else [*keys, *rest]
    y, axis = x, 0
    target: list[int] = []
    for each in keys:
        if each is None:
            target.append(1)
            continue
        size = x.sizes[axis]
        if type(each) is int:
            start = each % size if -size <= each < size else -1
            bounds = (start, start + 1, 1) if start >= 0 else None
        else:
            bounds = _bounds(each, size)
        if bounds is None or bounds[2] < 1 or (axis == 0 and bounds != (0, size, 1)):
            return c.opaque("slices that are not followed", "getitem")
        start, stop, step = bounds
        count = len(range(start, stop, step))
        if not count:
            raise c.error("it slices nothing", f"axis {axis} of {size}")
        if count != size:
            y = part(c, y, axis, start, min(stop, size), f".axis{axis}", step)
        if type(each) is not int:
            target.append(count)
        axis += 1
    if tuple(target) != y.sizes:
        return reshaped(c, y, tuple(target[1:]))
    return c.make("identity", y) if y is x else y


def slice_of(c: LayerCall) -> Value:
    """From given places on, so many values along each axis."""
    x = c.x
    starts = integers(c.argument(1, "start_indices", c.argument(1, "begin")))
    sizes = integers(c.option(2, "shape", "size"))
    if starts is None or sizes is None or not len(starts) == len(sizes) == x.rank or starts[0]:
        return opaque_operation(c)
    y = x
    for axis in range(1, x.rank):
        size = x.sizes[axis] - starts[axis] if sizes[axis] == -1 else sizes[axis]
        if size != x.sizes[axis]:
            y = part(c, y, axis, starts[axis], starts[axis] + size, f".axis{axis}")
    return c.make("identity", y) if y is x else y


def split(c: LayerCall) -> Any:
    """Parts of equal size, between given places, or (TensorFlow) of given sizes; those read."""
    x = c.x
    sections = c.option(1, "indices_or_sections", "num_or_size_splits")
    axis, places = axis_of(c, x, 2, 0), integers(sections)
    if axis is None or places is None:
        return c.opaque("splits that are not followed", "split")
    size = x.sizes[axis]
    if type(sections) is int:
        if not 0 < sections <= size or size % sections:
            raise c.error("its parts do not divide the axis", f"{sections} parts of {size}")
        each = size // sections
        ends: Any = range(0, size + 1, each)
    elif c.spec.cls == "TFOpLambda":
        ends = [0, *accumulate(places)]
    else:
        ends = [0, *places, size]
    if type(sections) is not int and (ends != sorted(set(ends)) or ends[-1:] != [size]):
        return c.opaque("splits that are not followed", "split")
    return {
        index: part(c, x, axis, ends[index], ends[index + 1], f".part{index}")
        for index in sorted(c.read)
        if index < len(ends) - 1
    }


def unstack(c: LayerCall) -> Any:
    """Each place along an axis by itself; those that others read."""
    x = c.plain(c.x)
    axis = axis_of(c, x, 2, 0)
    if axis is None:
        return opaque_operation(c)
    rest = (*x.sizes[1:axis], *x.sizes[axis + 1 :])
    return {
        index: c.make(
            "reshape", part(c, x, axis, index, index + 1, f".part{index}"), f".{index}", plain=True,
            size=rest or (1,),
        )
        for index in sorted(c.read)
        if index < x.sizes[axis]
    }  # fmt: skip


def take(c: LayerCall) -> Value:
    """Entries along an axis, by a tensor of their places, or by places that the file states."""
    x = tensor(c, 0, "x", "params") or c.x
    indices = c.argument(1, "indices")
    axis = whole(c.option(2, "axis", default=0 if c.spec.cls == "TFOpLambda" else None))
    if axis is None or not -x.rank <= axis < x.rank:
        return opaque_operation(c)
    axis %= x.rank
    if isinstance(indices, Value):
        return c.make("gather", [c.plain(x), c.plain(indices)], plain=True, axis=axis)
    size = () if type(indices) is int else stored_size(indices)
    if size is None or not axis:
        return opaque_operation(c)
    return arrange(c, (*x.sizes[:axis], *size, *x.sizes[axis + 1 :]), x)


def take_along(c: LayerCall) -> Value:
    x, indices = c.plain(c.x), c.argument(1, "indices")
    axis = axis_of(c, x, 2)
    if not isinstance(indices, Value) or axis is None or indices.rank != x.rank:
        return opaque_operation(c)
    size = tuple(map(max, x.sizes, indices.sizes))
    return arrange(c, (*size[:axis], indices.sizes[axis], *size[axis + 1 :]), x, indices)


# --- together -------------------------------------------------------------------------------------


def concatenate(c: LayerCall) -> Value:
    axis = whole(c.option(1, "axis", default=-1))
    return joined(c, c.inputs, -1 if axis is None else axis)


def side_by_side(c: LayerCall) -> Value:
    return joined(c, c.inputs, 1)


def stack(c: LayerCall) -> Value:
    """Tensors of one shape along a new axis."""
    values = [c.plain(value) for value in c.inputs]
    axis = whole(c.option(1, "axis", default=0))
    if not values or axis is None or not axis % (values[0].rank + 1):
        return opaque_operation(c)
    axis %= values[0].rank + 1
    if axis > values[0].rank:
        return opaque_operation(c)
    parts = [
        c.make("reshape", value, ".axis", plain=True,
               size=(*value.sizes[1:axis], 1, *value.sizes[axis:]))
        for value in values
    ]  # fmt: skip
    return c.make("concat", parts, plain=True, axis=axis)


def mesh_grid(c: LayerCall) -> Any:
    """Each tensor's values along an axis of its own, repeated along the others."""
    counts = [prod(value.sizes) for value in c.inputs]
    if c.option(9, "indexing", default="xy") == "xy" and len(counts) > 1:
        counts[:2] = counts[1::-1]
    return {
        index: arrange(c, tuple(counts), c.inputs[index], suffix=f".{index}" if index else "")
        for index in sorted(c.read)
        if index < len(c.inputs)
    }


# --- other places ---------------------------------------------------------------------------------


def same_size(c: LayerCall) -> Value:
    """Sorted, turned, shifted, masked: as many values as before."""
    return arrange(c, c.x.sizes)


def transpose(c: LayerCall) -> Value:
    x = c.x
    order = integers(c.option(1, "axes", "perm"))
    if order is None or sorted(order) != list(range(x.rank)) or order[0]:
        return c.opaque("transposes that move the batch, or state no axes", "transpose")
    return c.make("permute", c.plain(x), plain=True, order=tuple(order))


def move_axes(c: LayerCall) -> Value:
    """swapaxes, moveaxis."""
    x = c.x
    swap = c.word == "swapaxes"
    sources = integers(c.option(1, "axis1" if swap else "source"))
    targets = integers(c.option(2, "axis2" if swap else "destination"))
    if sources is None or targets is None or len(sources) != len(targets):
        return opaque_operation(c)
    sources, targets = ([c.place(x, axis) for axis in axes] for axes in (sources, targets))
    if swap:
        order = list(range(x.rank))
        order[sources[0]], order[targets[0]] = order[targets[0]], order[sources[0]]
    else:
        order = [axis for axis in range(x.rank) if axis not in sources]
        for target, source in sorted(zip(targets, sources, strict=True)):
            order.insert(target, source)
    if order[0] or sorted(order) != list(range(x.rank)):
        return c.opaque("transposes that move the batch, or state no axes", c.word)
    return c.make("permute", c.plain(x), plain=True, order=tuple(order))


def reshape(c: LayerCall) -> Value:
    sizes = integers(c.option(1, "newshape", "shape"))
    if sizes is None or len(sizes) < 2:
        return c.opaque("reshapes whose shape is not a constant", "reshape")
    if sizes[0] not in (-1, c.x.sizes[0]):
        return c.opaque("reshapes that change the batch", "reshape")
    return reshaped(c, c.x, tuple(sizes[1:]))


def flatten(c: LayerCall) -> Value:
    return c.make("flatten", c.plain(c.x), plain=True) if c.x.rank >= 2 else opaque_operation(c)


def squeeze(c: LayerCall) -> Value:
    x = c.x
    axes = integers(c.option(1, "axis"))
    if axes is None:
        return c.opaque("squeezes of axes that are not stated", "squeeze")
    drop = {c.place(x, axis) for axis in axes}
    if 0 in drop or any(x.sizes[axis] != 1 for axis in drop):
        raise c.error("only axes of 1 can be squeezed", f"axis {axes}")
    return reshaped(c, x, tuple(n for axis, n in enumerate(x.sizes) if axis and axis not in drop))


def expand_dims(c: LayerCall) -> Value:
    """New axes of 1, whose places are those in the result."""
    x = c.x
    axes = integers(c.option(1, "axis", default=0)) or [0]
    rank = x.rank + len(axes)
    if not all(-rank <= axis < rank for axis in axes) or len(axes) > 32:
        raise c.error("there is no such axis", f"axis {str(axes)[:60]}, {rank} axes")
    places = {axis % rank for axis in axes}
    if 0 in places or len(places) < len(axes):
        return c.opaque("axes put before the batch", "expand_dims")
    sizes = iter(x.sizes)
    return reshaped(c, x, tuple(1 if i in places else next(sizes) for i in range(rank))[1:])


def tile(c: LayerCall) -> Value:
    x = c.plain(c.x)
    times = integers(c.option(1, "repeats", "multiples"))
    if times is None or len(times) > x.rank or any(n < 1 for n in times):
        return opaque_operation(c)
    times = [1] * (x.rank - len(times)) + times
    return (
        opaque_operation(c) if times[0] != 1 else c.make("tile", x, plain=True, times=tuple(times))
    )


def repeat(c: LayerCall) -> Value:
    """Each value so many times, along an axis."""
    x, times = c.plain(c.x), whole(c.option(1, "repeats"))
    axis = axis_of(c, x, 2, 0)
    if times is None or times < 1 or axis is None:
        return opaque_operation(c)
    return arrange(c, (*x.sizes[:axis], x.sizes[axis] * times, *x.sizes[axis + 1 :]), x)


def broadcast_to(c: LayerCall) -> Value:
    sizes = integers(c.option(1, "shape"))
    if sizes is None or sizes[:1] not in ([c.x.sizes[0]], [-1]) or any(n < 1 for n in sizes[1:]):
        return opaque_operation(c)
    return c.make("expand", c.plain(c.x), plain=True, size=(c.x.sizes[0], *sizes[1:]))


def pad(c: LayerCall) -> Value:
    """Values around the axes; not around the batch."""
    x = c.plain(c.x)
    width: Any = c.option(1, "pad_width", "paddings")
    pairs: list[Any] = [[width, width]] * x.rank if type(width) is int else array(width) or []
    if len(pairs) == 1 or (len(pairs) == 2 and type(pairs[0]) is int):
        pairs = [pairs[0] if len(pairs) == 1 else pairs] * x.rank
    widths = [integers(pair) for pair in pairs]
    if len(widths) != x.rank or any(
        each is None or len(each) != 2 or min(each) < 0 for each in widths
    ):
        return opaque_operation(c)
    borders: Any = [tuple(each or ()) for each in widths]
    if any(borders[0]):
        return opaque_operation(c)
    if x.rank > 2 and not any(borders[-1]):
        return c.make("pad", c.first(c.x), padding=tuple(borders[1:-1]))
    return arrange(c, tuple(n + a + b for n, (a, b) in zip(x.sizes, borders, strict=True)), x)


def one_hot(c: LayerCall) -> Value:
    """A row of as many numbers as there are classes, for each value, or for all of a row."""
    depth, x = whole(c.option(1, "num_classes", "depth")), c.x
    axis = whole(c.option(9, "axis", default=-1))
    if depth is None or depth < 1 or axis is None or not -x.rank - 1 <= axis <= x.rank:
        return opaque_operation(c)
    if c.word == "multihot":
        return arrange(c, (*x.sizes[:-1], depth) if x.rank > 1 else (*x.sizes, depth))
    axis %= x.rank + 1
    return arrange(c, (*x.sizes[:axis], depth, *x.sizes[axis:]))


def top_k(c: LayerCall) -> Any:
    """The greatest values of the last axis, and their places."""
    x, count = c.plain(c.x), whole(c.option(1, "k", default=1))
    if count is None or not 1 <= count <= x.sizes[-1]:
        raise c.error("'k' is more than there are, or none", f"k {count}, {x.sizes[-1]} values")
    size = (*x.sizes[:-1], count)
    return {
        index: c.make("procedure", x, f".{index}" if index else "", plain=True, type="top_k",
                      size=size, of=(x.sizes,))
        for index in sorted(c.read & {0, 1})
    }  # fmt: skip


def patches(c: LayerCall) -> Value:
    """Windows of an image, each as one row of channels."""
    x, (rows, columns) = c.x, c.spec.sizes("size", 2)
    steps = c.spec.sizes("strides", 2, [rows, columns])
    spans = [c.spec.integer("dilation_rate", 1) * (n - 1) + 1 for n in (rows, columns)]
    if x.rank != 4 or not c.spec.last():
        return opaque_operation(c)
    space = [
        -(-n // step)
        if c.spec.text("padding", "valid").lower() == "same"
        else (n - span) // step + 1
        for n, step, span in zip(x.sizes[1:3], steps, spans, strict=True)
    ]
    return arrange(c, (x.sizes[0], *space, rows * columns * x.sizes[-1]))


def depth_and_space(c: LayerCall) -> Value:
    """depth_to_space, space_to_depth."""
    x, block = c.x, whole(c.option(1, "block_size"))
    if block is None or block < 1 or x.rank != 4:
        return opaque_operation(c)
    batch, rows, columns, channels = x.sizes
    if c.word == "depthtospace":
        return arrange(c, (batch, rows * block, columns * block, channels // block**2))
    return arrange(c, (batch, rows // block, columns // block, channels * block**2))
