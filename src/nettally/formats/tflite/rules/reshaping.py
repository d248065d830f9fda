"""TFLite's operators that move values and compute none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..layout import first_axes, to_first
from ..values import NotUnderstood, Value, is_learned, product
from .elementwise import stored_sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Layer, Shape
    from ..builder import TfliteBuilder
    from ..model import Operator


def reshape(b: TfliteBuilder, op: Operator) -> None:
    """RESHAPE: its second input, or an option, may hold the size; the output states it anyway."""
    x = b.value(op)
    sizes = x.shape
    stated = b.stated_of(op)
    first = b.is_first(op)
    if stated is None or product(stated) != product(sizes):
        tensor = b.tensor(op, 1)
        target = None if tensor is None else b.graph.contents(tensor)
        if target is None and op.options is not None:
            target = op.options.ints(0, 32, "axes")
        if target is None or target.count(-1) > 1 or any(n < -1 for n in target):
            raise NotUnderstood("its size is computed")
        rest = product([n for n in target if n != -1])
        if -1 in target and rest:
            target = tuple(product(sizes) // rest if n == -1 else n for n in target)
        stated = to_first(tuple(target)) if first else tuple(target)
    _reshaped(b, op, x, stated, first)


def _reshaped(b: TfliteBuilder, op: Operator, x: Value, size: Shape, first: bool) -> None:
    sizes = x.shape
    layer: Layer
    if size == sizes:
        layer = b.layer(op, "identity")
    elif sizes and len(size) > 1 and sizes[0] == size[0]:
        if len(size) == 2 and len(sizes) > 2:
            layer = b.layer(op, "flatten")
        else:
            layer = b.layer(op, "reshape", size=size[1:])
    else:
        layer = b.layer(op, "reshape", size=size, whole=True)
    b.emit(op, layer, [x], first=first)


def squeeze(b: TfliteBuilder, op: Operator) -> None:
    """SQUEEZE: axes of size 1 left out, those of the option or all."""
    x = b.value(op)
    axes = op.options.ints(0, 32, "axes") if op.options else None
    rank = len(x.file)
    out = {axis % rank for axis in axes or () if -rank <= axis < rank}
    size = tuple(n for axis, n in enumerate(x.file) if n != 1 or (axes and axis not in out))
    first = b.is_first(op)
    _reshaped(b, op, x, to_first(size) if first else size, first)


def expand_dims(b: TfliteBuilder, op: Operator) -> None:
    """EXPAND_DIMS: an axis of size 1 put in."""
    x = b.value(op)
    (axis,) = b.numbers(op, 1)[:1] or (0,)
    rank = len(x.file) + 1
    if not -rank <= axis < rank:
        raise op.error("its axis is outside its output", f"{axis} of {rank}")
    axis %= rank
    size = (*x.file[:axis], 1, *x.file[axis:])
    first = b.is_first(op)
    _reshaped(b, op, x, to_first(size) if first else size, first)


def transpose(b: TfliteBuilder, op: Operator) -> None:
    """TRANSPOSE: in our order of axes, which may be the same before and after."""
    x = b.value(op)
    order = b.numbers(op, 1)
    rank = len(x.shape)
    if sorted(order) != list(range(rank)):
        raise op.error("its order does not name each axis once", f"{order}, {rank} axes")
    first = b.is_first(op)
    turned = first_axes(rank) if first else tuple(range(rank))
    ours = tuple(x.axis(order[axis]) for axis in turned)
    if ours == tuple(range(rank)):
        layer = b.layer(op, "identity")
    else:
        layer = b.layer(op, "permute", order=ours, whole=ours[0] != 0)
    b.emit(op, layer, [x], first=first)


def pad(b: TfliteBuilder, op: Operator) -> None:
    """PAD, PADV2, MIRROR_PAD: before and after, an axis each."""
    x = b.value(op)
    rank = len(x.shape)
    numbers = b.numbers(op, 1)
    if len(numbers) != 2 * rank or any(n < 0 for n in numbers):
        raise op.error("its paddings are not two for each axis", f"{numbers[:16]}, {rank} axes")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    ours = [pairs[axis] for axis in (first_axes(rank) if x.first else range(rank))]
    sizes = x.shape
    mirrored = op.kind == "MIRROR_PAD"
    symmetric = mirrored and bool(op.options and op.options.i8(0))
    if rank > 2 and not any(map(any, ours[:2])) and not symmetric:
        mode = "reflect" if mirrored else "constant" if op.kind == "PADV2" else "zero"
        layer = b.layer(op, "pad", padding=tuple(ours[2:]), mode=mode)
    else:
        size = tuple(n + before + after for n, (before, after) in zip(sizes, ours, strict=True))
        layer = b.layer(op, "arrange", type=op.kind, size=size, of=(sizes,))
    b.emit(op, layer, [x])


def concat(b: TfliteBuilder, op: Operator) -> None:
    """CONCATENATION: constants among the inputs are tensors of the network's own."""
    values = [b.computed(op, place) for place in range(len(op.inputs))]
    known = [each for each in values if each is not None]
    if not known:
        raise NotUnderstood("its inputs are constants")
    first = all(each.first for each in known)
    rank = len(known[0].shape)
    inputs: list[Value] = []
    for place, each in enumerate(values):
        if each is not None:
            inputs.append(each if first else b.plain(op, each))
            continue
        tensor = b.tensor(op, place)
        if tensor is None or not tensor.constant:
            raise NotUnderstood("one of its inputs is left out")
        learned = is_learned(tensor)
        size = to_first(tensor.shape) if first else stored_sizes(b, op, tensor, rank, False)
        layer = b.layer(op, "tensor", size=size, learned=learned)
        weights = {"weight": tensor} if learned else {}
        inputs.append(
            b.emit(op, layer, [], suffix=f"constant{place}", first=first, weights=weights)
        )
    axis = op.options.i32(0) if op.options else 0
    if not -rank <= axis < rank:
        raise op.error("its axis is outside its inputs", f"{axis} of {rank}")
    fused = op.options.i8(1) if op.options else 0
    layer = b.layer(op, "concat", axis=inputs[0].axis(axis))
    b.emit(op, layer, inputs, fused=fused, first=first)


def _parts(b: TfliteBuilder, op: Operator, x: Value, axis: int, lengths: list[int]) -> None:
    """The input cut along one of the file's axes, an output each."""
    rank = len(x.shape)
    if not -rank <= axis < rank:
        raise op.error("its axis is outside its input", f"{axis} of {rank}")
    ours = x.axis(axis)
    size = x.shape[ours]
    if len(lengths) != len(op.outputs) or sum(lengths) != size or any(n < 1 for n in lengths):
        raise op.error("its parts are not the whole", f"{lengths[:16]} of {size}")
    start = 0
    for place, length in enumerate(lengths):
        if ours:
            layer = b.layer(op, "slice", axis=ours, start=start, stop=start + length)
        else:
            sizes = x.shape
            layer = b.layer(op, "arrange", type=op.kind, size=(length, *sizes[1:]), of=(sizes,))
        b.emit(op, layer, [x], place=place)
        start += length


def split(b: TfliteBuilder, op: Operator) -> None:
    """SPLIT: the axis, then what is cut into equal parts."""
    x, (axis,) = b.value(op, 1), b.numbers(op, 0)[:1] or (0,)
    count = len(op.outputs)
    size = x.file[axis] if -len(x.file) <= axis < len(x.file) else 0
    if not count or size % count:
        raise op.error("it does not come out even", f"{size} in {count}")
    _parts(b, op, x, axis, [size // count] * count)


def split_v(b: TfliteBuilder, op: Operator) -> None:
    """SPLIT_V: what is cut, the lengths (one may be -1: what is left), the axis."""
    x, lengths, (axis,) = b.value(op), list(b.numbers(op, 1)), b.numbers(op, 2)[:1] or (0,)
    size = x.file[axis] if -len(x.file) <= axis < len(x.file) else 0
    if lengths.count(-1) == 1:
        lengths[lengths.index(-1)] = size - sum(lengths) - 1
    _parts(b, op, x, axis, lengths)


def arranged(b: TfliteBuilder, op: Operator) -> None:
    """Values in other places, by a rule that only matters for its size, which the file states."""
    size = b.stated_of(op)
    inputs = [b.values[i] for i in op.inputs if i in b.values]
    if size is None or not inputs or len(op.outputs) != 1:
        raise NotUnderstood("its size is computed")
    layer = b.layer(op, "arrange", type=op.kind, size=size, of=tuple(each.sizes for each in inputs))
    b.emit(op, layer, inputs, first=b.is_first(op))


def sliced(b: TfliteBuilder, op: Operator) -> None:
    """SLICE and STRIDED_SLICE: along one axis a slice, else values in other places."""
    size = b.stated_of(op)
    x = b.value(op)
    sizes = x.shape
    if size is None or len(size) != len(sizes) or x.first != b.is_first(op) or len(op.inputs) < 3:
        arranged(b, op)
        return
    cut = [axis for axis, (n, m) in enumerate(zip(sizes, size, strict=True)) if n != m]
    try:
        begins, second = b.numbers(op, 1), b.numbers(op, 2)
        steps = b.numbers(op, 3) if op.kind == "STRIDED_SLICE" else (1,) * len(sizes)
    except NotUnderstood:
        arranged(b, op)
        return
    even = len(begins) == len(second) == len(steps) == len(sizes)
    if not even or any(step != 1 for step in steps) or len(cut) != 1 or not cut[0]:
        arranged(b, op)
        return
    axis = cut[0]
    place = first_axes(len(sizes))[axis] if x.first else axis
    start = begins[place] if begins[place] >= 0 else begins[place] + sizes[axis]
    masks = op.options.i32(0) if op.options and op.kind == "STRIDED_SLICE" else 0
    start = 0 if masks >> place & 1 else start
    if not 0 <= start < start + size[axis] <= sizes[axis]:
        raise op.error("it takes more than there is", f"{size[axis]} from {start} of {sizes[axis]}")
    layer = b.layer(op, "slice", axis=axis, start=start, stop=start + size[axis])
    b.emit(op, layer, [x])


def resize(mode: str) -> Callable[[TfliteBuilder, Operator], None]:
    def rule(b: TfliteBuilder, op: Operator) -> None:
        x = b.value(op)
        tensor = b.tensor(op, 1)
        target = None if tensor is None else b.graph.contents(tensor)
        stated = b.stated_of(op)
        size = target if target is not None else stated[2:] if stated else None
        if size is None or len(size) != 2 or any(n < 1 for n in size):
            raise NotUnderstood("its size is computed")
        b.emit(op, b.layer(op, "resize", size=tuple(size), mode=mode), [x])

    return rule


def tile(b: TfliteBuilder, op: Operator) -> None:
    x = b.value(op)
    times = b.numbers(op, 1)
    rank = len(x.shape)
    if len(times) != rank or any(n < 0 for n in times):
        raise op.error("its times are not one for each axis", f"{times[:16]}, {rank} axes")
    ours = tuple(times[axis] for axis in (first_axes(rank) if x.first else range(rank)))
    b.emit(op, b.layer(op, "tile", times=ours), [x])


RULES: dict[str, Callable[[TfliteBuilder, Operator], None]] = {
    "RESHAPE": reshape,
    "SQUEEZE": squeeze,
    "EXPAND_DIMS": expand_dims,
    "TRANSPOSE": transpose,
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": pad,
    "CONCATENATION": concat,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SLICE": sliced,
    "STRIDED_SLICE": sliced,
    "RESIZE_BILINEAR": resize("linear"),
    "RESIZE_NEAREST_NEIGHBOR": resize("nearest"),
    "TILE": tile,
    **dict.fromkeys(
        (
            *("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"),
            *("REVERSE_V2", "REVERSE_SEQUENCE", "GATHER_ND", "PACK", "BROADCAST_TO", "DILATE"),
            *("SHAPE", "RANK", "ONE_HOT", "FILL", "RANGE", "MATRIX_DIAG", "SPARSE_TO_DENSE"),
        ),
        arranged,
    ),
}
