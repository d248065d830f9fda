"""Where lines and texts meet: a label that a line goes through can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Box, Path, Rect, polygon
from .text_metrics import width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .model import Item, Label, Point

CAPITALS, DESCENDERS = 0.74, 0.22
"""How far letters reach above and below the baseline, in ems."""
CURVE = 6
"""The straight pieces that stand for a curve."""


def ink_of(label: Label) -> Rect:
    """The box of the letters themselves, without the room between lines."""
    wide = width(label.text, label.size, label.bold)
    left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    below = 0.0 if label.text.replace("×", "").isdigit() else DESCENDERS
    top, bottom = label.y - CAPITALS * label.size, label.y + below * label.size
    return Rect(left, top, left + wide, bottom)


def is_crossed(rect: Rect, items: Iterable[Item]) -> bool:
    """Whether one of the lines, or an edge of a box, goes through the rectangle."""
    return any(
        _enters(start, end, rect)
        for item in items
        if isinstance(item, (Path, Box)) and item.stroke
        for start, end in _pieces(item if isinstance(item, Path) else _outline(item), rect)
    )


def _outline(box: Box) -> Path:
    right, bottom = box.x + box.w, box.y + box.h
    corners = [(box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom)]
    return polygon(corners, "", box.stroke)


def _is_near(path: Path, rect: Rect) -> bool:
    xs = [x for _, values in path.steps for x in values[0::2]]
    ys = [y for _, values in path.steps for y in values[1::2]]
    return (
        min(xs) <= rect.right
        and max(xs) >= rect.left
        and min(ys) <= rect.bottom
        and max(ys) >= rect.top
    )


def _pieces(path: Path, rect: Rect) -> Iterator[tuple[Point, Point]]:
    """The path as straight pieces; none where it is far from the rectangle."""
    if not _is_near(path, rect):
        return
    at = start = (0.0, 0.0)
    for name, values in path.steps:
        if name == "M":
            at = start = (values[0], values[1])
        elif name == "C":
            begin = at
            for n in range(1, CURVE + 1):
                point = _on_curve(begin, values, n / CURVE)
                yield at, point
                at = point
        else:
            end = start if name == "Z" else (values[0], values[1])
            yield at, end
            at = end


def _on_curve(begin: Point, values: tuple[float, ...], t: float) -> Point:
    """The place on a cubic Bézier curve at ``t`` from 0 to 1."""
    u = 1 - t
    shares = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
    xs, ys = (begin[0], *values[0::2]), (begin[1], *values[1::2])
    return (
        sum(share * x for share, x in zip(shares, xs, strict=True)),
        sum(share * y for share, y in zip(shares, ys, strict=True)),
    )


def _enters(start: Point, end: Point, rect: Rect) -> bool:
    """Whether a part of the line lies within (Liang and Barsky 1984)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    first, last = 0.0, 1.0
    for step, room in (
        (-dx, start[0] - rect.left),
        (dx, rect.right - start[0]),
        (-dy, start[1] - rect.top),
        (dy, rect.bottom - start[1]),
    ):
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first < last
