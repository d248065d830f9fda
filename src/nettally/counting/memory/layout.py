"""How a tensor lies in memory: what can be seen in place, and what must be copied.

Strides count values, not bytes. A tensor that lies row after row has none here: the walks keep
strides only of those that lie otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...network import Shape

Strides = tuple[int, ...]


def row_major(sizes: Shape) -> Strides:
    """The strides of a tensor that lies row after row."""
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.append(step)
        step *= size if size > 1 else 1
    strides.reverse()
    return tuple(strides)


def settled(sizes: Shape, strides: Strides) -> Strides | None:
    """The strides, or None where they are those of row after row; axes of size 1 say nothing."""
    step = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1:
            if stride != step:
                return strides
            step *= size
    return None


def viewed(sizes: Shape, strides: Strides, new: Shape) -> Strides | None:
    """The strides of the same values in new sizes; None where they must be copied for it.

    torch's rule: ``computeStride`` in ATen/TensorUtils.cpp.
    """
    if not sizes or not all(sizes):
        return row_major(new)
    new_strides = [0] * len(new)
    at = len(new) - 1
    base = strides[-1]
    old_values = new_values = 1
    for axis in range(len(sizes) - 1, -1, -1):
        old_values *= sizes[axis]
        if axis and (sizes[axis - 1] == 1 or strides[axis - 1] == old_values * base):
            continue  # the axis before goes on where this one ends
        while at >= 0 and (new_values < old_values or new[at] == 1):
            new_strides[at] = new_values * base
            new_values *= new[at]
            at -= 1
        if new_values != old_values:
            return None
        if axis:
            base = strides[axis - 1]
            old_values = new_values = 1
    return tuple(new_strides) if at < 0 else None


def in_order_of(sizes: Shape, strides: Strides) -> Strides | None:
    """The strides of a new tensor whose axes lie in the same order, without gaps.

    torch's rule: TensorIterator, which makes the outputs of functions of the values in one place.
    """
    order = sorted(range(len(sizes)), key=lambda axis: -strides[axis])
    new_strides = [0] * len(sizes)
    step = 1
    for axis in reversed(order):
        new_strides[axis] = step
        step *= sizes[axis] if sizes[axis] > 1 else 1
    return settled(sizes, tuple(new_strides))


def channels_last(sizes: Shape, strides: Strides) -> bool:
    """Whether the channels lie innermost, so that convolutions and pools keep it so.

    torch's rule: ``is_channels_last_strides_2d_s4`` in c10/core/MemoryFormat.h.
    """
    rank = len(sizes)
    if rank not in (4, 5) or not strides[1]:
        return False
    least = 0
    for axis in (1, *range(rank - 1, 1, -1), 0):
        if not sizes[axis] or strides[axis] < least or (not axis and least == strides[1]):
            return False
        least = strides[axis] * (sizes[axis] if sizes[axis] > 1 else 1)
    return True


def innermost(sizes: Shape) -> Strides | None:
    """The strides of a tensor whose channels lie innermost."""
    strides = [0] * len(sizes)
    step = 1
    for axis in (1, *range(len(sizes) - 1, 1, -1), 0):
        strides[axis] = step
        step *= sizes[axis] if sizes[axis] > 1 else 1
    return settled(sizes, tuple(strides))


def picked(sizes: Shape, strides: Strides, new: Shape) -> Strides | None:
    """The strides of ``x[i]``: of one place of an axis, or of all with a new axis of size 1.

    Which axis, the sizes alone tell, and not always: the first that fits is taken. None where no
    axis fits.
    """
    if len(new) == len(sizes) - 1:
        for axis in range(len(sizes)):
            if (*sizes[:axis], *sizes[axis + 1 :]) == new:
                return (*strides[:axis], *strides[axis + 1 :])
        return None
    if [n for n in sizes if n != 1] == [n for n in new if n != 1]:
        return viewed(sizes, strides, new)
    if len(new) == len(sizes) and all(a <= b for a, b in zip(new, sizes, strict=True)):
        return strides  # ranges of several axes
    return None
