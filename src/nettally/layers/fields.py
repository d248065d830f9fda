"""Fields of windows: one number or one an axis, padding one or one a side; and how windows fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import ceildiv
from ..errors import LayerError
from ..network import Shape, check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

Sides = tuple[tuple[int, int], ...]
"""Zeros (or what stands for them) before and after, an axis of space each."""

ROUNDINGS = ("down", "up", "clip")
"""How many windows fit where the division does not come out even.

down: only whole windows; the pixels left over are dropped. up: one more window, which hangs over
the far edge. clip: as up, but a window that would start beyond the input and its leading padding
is left out (Caffe's pooling with padding, torch's ceil_mode).
"""


def square(value: Any, name: str) -> tuple[Any, ...]:
    """Sizes that say how many axes there are: one number is a square, as everywhere in the field.

    Raises LayerError where there is none.
    """
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if not sizes:
        raise LayerError(f"{name} is missing", hint=f"one number, or one an axis: {name} 3x3")
    return sizes


def per_axis(value: Any, axes: int, name: str, least: int = 1) -> tuple[int, ...]:
    """``value`` once an axis. Raises LayerError for a wrong number of values, or a wrong size."""
    values: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(values) != axes:
        raise LayerError(
            f"{name} has {len(values)} values for {axes} axes", values=f"{name} {by_axis(values)}"
        )
    for size in values:
        check_size(name, size, least)
    return values


def sides(value: Any, axes: int) -> Sides:
    """Padding as (before, after) an axis, from one number, one an axis, or pairs."""
    values: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(values) != axes:
        raise LayerError(f"padding has {len(values)} values for {axes} axes")
    pairs = tuple(tuple(v) if isinstance(v, (tuple, list)) else (v, v) for v in values)
    for pair in pairs:
        if len(pair) != 2:
            raise LayerError("padding is one number, or before and after", values=repr(pair))
        for size in pair:
            check_size("padding", size, 0)
    return pairs


def one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise LayerError where ``value`` is none of those that the field ``name`` may have."""
    if value not in allowed:
        raise LayerError(f"{name} is one of {', '.join(allowed)}", values=f"{name} {value}")


def by_axis(values: Sequence[int]) -> str:
    """Sizes an axis each: ``55x55``."""
    return "x".join(
        "(over 40 digits)" if isinstance(v, int) and abs(v) > 10**40 else str(v) for v in values
    )


def padded(pairs: Sides) -> str:
    """Padding, as our own file writes it: ``2``, ``0:3``, ``1x0:3``."""
    shown = [f"{a}" if a == b else f"{a}:{b}" for a, b in pairs]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)


def space(x: Shape, axes: int, kind: str) -> Shape:
    """The axes of space. Raises LayerError when the input has another number of them."""
    if len(x) != axes + 2:
        raise LayerError(
            f"{kind} over {axes} axes of space needs a {axes + 2}-axis input "
            "(batch, channels, space)",
            values=f"input {by_axis(x)}",
        )
    return x[2:]


def windows(
    x: Shape,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: Sides,
    dilation: tuple[int, ...],
    rounding: str,
) -> tuple[int, ...]:
    """How many windows fit along each axis: (size + padding - span) / stride, rounded, + 1.

    Dumoulin and Visin, "A guide to convolution arithmetic" (2016), relationship 6; the span of a
    dilated kernel is dilation · (kernel - 1) + 1, relationship 15.
    """
    counts: list[int] = []
    for axis, size in enumerate(x):  # a zip of five, strict, takes twice the time of the rest
        k, s, d = kernel[axis], stride[axis], dilation[axis]
        before, after = padding[axis]
        room = size + before + after - (k if d == 1 else d * (k - 1) + 1)
        if room < 0 and (rounding == "down" or room <= -s):  # else the one window hangs over
            raise LayerError(
                "the window is larger than its input",
                values=f"kernel {by_axis(kernel)}, dilation {by_axis(dilation)}, "
                f"input {by_axis(x)}, padding {padded(padding)}",
                hint="a larger input, more padding, or a smaller kernel",
            )
        if rounding == "down":
            counts.append(room // s + 1)
            continue
        count = ceildiv(room, s) + 1
        if rounding == "clip" and (count - 1) * s >= size + before:
            count = count - 1
        counts.append(count)
    return tuple(counts)


def spare(
    x: Shape,
    counts: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: Sides,
    dilation: tuple[int, ...],
) -> tuple[int, ...]:
    """Pixels an axis that no window reads (positive), or that the last overhangs (negative)."""
    return tuple(
        int(size) + int(a) + int(b) - (int(d) * (int(k) - 1) + 1) - (int(n) - 1) * int(s)
        for size, n, k, s, (a, b), d in zip(
            x, counts, kernel, stride, padding, dilation, strict=True
        )
    )
