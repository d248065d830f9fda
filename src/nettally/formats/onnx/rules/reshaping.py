"""Operators that keep all values: reshaping, exchanging axes, repeating, joining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..state import STALE
from ..values import Unknown, Value, known, shown, times
from .linear import broadcast_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Layer
    from ..builder import NodeCall
    from ..proto import Dim, Dims


def reshaped(call: NodeCall, x: Value, shape: Dims | None) -> None:
    """The same values in another shape; the batch stays where it stays in front."""
    b = call.b

    def make() -> Layer:
        before, after = x.sizes, shape
        assert known(after)
        if before == after:
            return b.layer("identity")
        if before and len(after) > 1 and before[0] == after[0] and 0 not in before:
            if len(before) > 2 and len(after) == 2:
                return b.layer("flatten")
            return b.layer("reshape", size=after[1:])
        return b.layer("reshape", size=after, whole=True)

    call.emit(shape, make, [x])


def reshape(call: NodeCall) -> None:
    """Reshape: 0 keeps a size (unless allowzero), -1 is what is left."""
    x = call.value(0)
    if call.opset < 5 and call.ints("shape") is not None:
        wanted: list[int] | None = call.ints("shape")
    else:
        target = call.value(1)
        values = call.contents(1)
        if values is None:
            _stated(call, x, target)
            return
        wanted = call.integers(1)
    assert wanted is not None
    if any(size < -1 for size in wanted) or wanted.count(-1) > 1:
        raise call.error("its shape can't be", f"shape {wanted}")
    literal = call.int("allowzero")
    if literal and 0 in wanted and -1 in wanted:
        raise call.error("its shape has both 0 and -1, and allowzero", f"shape {wanted}")
    sizes: list[Dim] = list(wanted)
    for axis, size in enumerate(wanted):
        if size == 0 and not literal:
            if x.shape is None:
                sizes[axis] = None
            elif axis >= len(x.shape):
                raise call.error(
                    "its shape keeps an axis that its input has not",
                    f"shape {wanted}, input {shown(x.shape)}",
                )
            else:
                sizes[axis] = x.shape[axis]
    total = None if x.shape is None else times(x.shape)
    if -1 in wanted:
        place = wanted.index(-1)
        rest = times([size for axis, size in enumerate(sizes) if axis != place])
        sizes[place] = None
        if type(total) is int and type(rest) is int:
            if not rest or total % rest:  # of no values, any size is as good as another
                raise call.error(
                    "its shape does not divide its input",
                    f"{shown(x.shape)} = {total:,} values to {wanted}",
                )
            sizes[place] = total // rest
    shape = tuple(sizes)
    if known(shape) and type(total) is int and times(shape) != total:
        raise call.error(
            "it does not keep the number of values", f"{shown(x.shape)} to {shown(shape)}"
        )
    reshaped(call, x, shape)


def _stated(call: NodeCall, x: Value, target: Value) -> None:
    """A shape that is not known: what the file states of the output, or only its axes."""
    name = call.node.outputs[0]
    rank = target.shape[0] if target.shape else None
    guess = (None,) * rank if type(rank) is int and rank <= 64 else None
    shape = call.b.merged(name, guess, 0, call)
    if known(shape) and known(x.shape) and times(shape) != times(x.shape):
        raise call.error(
            "the file states a shape for its output with another number of values",
            f"{shown(x.shape)} to {shown(shape)}",
            STALE,
        )
    reshaped(call, x, shape)


def flatten(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    rank = len(x.shape)
    axis = call.int("axis", 1)
    if not -rank <= axis <= rank:
        raise call.error("its axis is outside its input", f"axis {axis}, input {shown(x.shape)}")
    axis = axis if axis >= 0 else axis + rank
    reshaped(call, x, (times(x.shape[:axis]), times(x.shape[axis:])))


def axes_of(call: NodeCall, place: int, since: int) -> list[int] | None:
    """Axes from an attribute, or from an input since a version; None where they are not given."""
    if call.opset >= since and call.get(place) is not None:
        return call.integers(place)
    return call.ints("axes")


def squeeze(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    axes = axes_of(call, 1, 13)
    if axes is None:
        if not known(x.shape):
            raise Unknown
        over = {axis for axis, size in enumerate(x.shape) if size == 1}
    else:
        over = {call.axis(axis, len(x.shape)) for axis in axes}
        for axis in over:
            if type(x.shape[axis]) is int and x.shape[axis] != 1:
                raise call.error(
                    "it takes away an axis that is not of size 1",
                    f"axis {axis}, input {shown(x.shape)}",
                )
    reshaped(call, x, tuple(size for axis, size in enumerate(x.shape) if axis not in over))


def unsqueeze(call: NodeCall) -> None:
    x = call.value(0)
    axes = axes_of(call, 1, 13)
    if axes is None:
        raise call.error("its axes are missing")
    if x.shape is None:
        raise Unknown
    rank = len(x.shape) + len(axes)
    new = {call.axis(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise call.error("it makes an axis twice", f"axes {axes}")
    rest = iter(x.shape)
    reshaped(call, x, tuple(1 if axis in new else next(rest) for axis in range(rank)))


def transpose(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    rank = len(x.shape)
    order = call.ints("perm")
    if order is None:
        order = list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise call.error(
            "its perm must name each axis once", f"perm {order}, input {shown(x.shape)}"
        )
    fields: dict[str, Any] = {"order": tuple(order)}
    if order[:1] != [0]:
        fields["whole"] = True
    call.emit(
        tuple(x.shape[axis] for axis in order), lambda: call.b.layer("permute", **fields), [x]
    )


def expand(call: NodeCall) -> None:
    x = call.value(0)
    wanted = tuple(call.integers(1))
    if x.shape is None:
        raise Unknown
    if any(size < 0 for size in wanted):
        raise call.error("its shape can't be", f"shape {wanted}")
    shape = broadcast_shapes(call, x.shape, wanted)
    same = shape == x.shape
    call.emit(
        shape,
        lambda: call.b.layer("identity") if same else call.b.layer("expand", size=shape),
        [x],
    )


def tile(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    if call.opset < 6 and len(call.inputs) > 2:
        raise Unknown
    times_ = call.integers(1)
    if len(times_) != len(x.shape) or any(n < 0 for n in times_):
        raise call.error(
            "its repeats need one number an axis", f"repeats {times_}, input {shown(x.shape)}"
        )
    shape = tuple(
        size * n if type(size) is int else (size if n == 1 else None)
        for size, n in zip(x.shape, times_, strict=True)
    )
    call.emit(shape, lambda: call.b.layer("tile", times=tuple(times_)), [x])


def concat(call: NodeCall) -> None:
    values = [call.value(place) for place in range(len(call.inputs))]
    if not values:
        raise call.error("it has no inputs")
    shapes = [value.shape for value in values]
    if any(shape is None for shape in shapes):
        raise Unknown
    first = shapes[0]
    assert first is not None
    if not first:
        raise call.error("its inputs have no axes")
    if call.opset >= 4 and "axis" not in call.node.attributes:
        raise call.error("its axis is missing")
    axis = call.axis(call.int("axis", 1), len(first))
    sizes: list[Dim] = list(first)
    for shape in shapes[1:]:
        assert shape is not None
        if len(shape) != len(first):
            raise call.error("its inputs have different axes", ", ".join(map(shown, shapes)))
        for place, size in enumerate(shape):
            if place == axis:
                one = sizes[axis]
                sizes[axis] = one + size if type(one) is int and type(size) is int else None
            elif type(size) is int:
                if type(sizes[place]) is int and sizes[place] != size:
                    raise call.error(
                        "its inputs may differ only along its axis",
                        f"axis {axis}; " + ", ".join(map(shown, shapes[:8])),
                    )
                sizes[place] = size
    # an empty tensor adds nothing, and is often there for that
    data = [value for value in values if not (known(value.shape) and 0 in value.shape)] or values
    if len(data) == 1:
        call.emit(tuple(sizes), lambda: call.b.layer("identity"), data)
        return
    call.emit(tuple(sizes), lambda: call.b.layer("concat", axis=axis), data)


def kept(call: NodeCall) -> None:
    """An operator that puts values elsewhere within the same shape: Trilu, ReverseSequence."""
    x = call.value(0)
    data = [value for value in call.inputs if value is not None and not value.constant] or [x]
    if x.constant and len(data) == 1 and data[0] is not x:
        data = [x, *data]
    call.emit(
        x.shape, lambda: call.b.layer("arrange", type=call.node.op, size=x.sizes,
                                      of=tuple(v.sizes for v in data)), data, dtype=x.dtype
    )  # fmt: skip


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "Concat": concat,
    **dict.fromkeys(("Trilu", "ReverseSequence"), kept),
    **{f"Scatter{name}": kept for name in ("", "Elements", "ND")},
}
