"""Where lines and texts meet: a label that a line goes through can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Box, Group, Path, Rect
from .text_metrics import width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Item, Label, Point

CAPITALS, DESCENDERS = 0.74, 0.22
"""How far letters reach above and below the baseline, in ems."""
CURVE = 6
"""The straight pieces that stand for a curve."""
STRIP = 48.0
"""Lines are looked up by upright strips of the figure so wide, in pixels."""


def ink_of(label: Label) -> Rect:
    """The box of the letters themselves, without the room between lines."""
    wide = width(label.text, label.size, label.bold)
    left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    below = 0.0 if label.text.replace("×", "").isdigit() else DESCENDERS
    top, bottom = label.y - CAPITALS * label.size, label.y + below * label.size
    return Rect(left, top, left + wide, bottom)


class Lines:
    """The lines and the edges of boxes of a list that may still grow."""

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._seen = 0
        self._strips: dict[int, list[tuple[Point, Point]]] = {}

    def cross(self, rect: Rect) -> bool:
        """Whether one of them goes through the rectangle."""
        for item in self._items[self._seen :]:
            self._add(item)
        self._seen = len(self._items)
        for strip in range(int(rect.left // STRIP), int(rect.right // STRIP) + 1):
            for start, end in self._strips.get(strip, ()):
                (x0, y0), (x1, y1) = start, end
                if (
                    (y0 >= rect.top or y1 >= rect.top)
                    and (y0 <= rect.bottom or y1 <= rect.bottom)
                    and (x0 >= rect.left or x1 >= rect.left)
                    and (x0 <= rect.right or x1 <= rect.right)
                    and _enters(start, end, rect)
                ):
                    return True
        return False

    def _add(self, item: Item) -> None:
        if isinstance(item, Group):
            for each in item.items:
                self._add(each)
        elif isinstance(item, (Path, Box)) and item.stroke:
            for start, end in _pieces(item) if isinstance(item, Path) else _edges(item):
                left, right = min(start[0], end[0]), max(start[0], end[0])
                for strip in range(int(left // STRIP), int(right // STRIP) + 1):
                    self._strips.setdefault(strip, []).append((start, end))


def _edges(box: Box) -> tuple[tuple[Point, Point], ...]:
    left, top, right, bottom = box.x, box.y, box.x + box.w, box.y + box.h
    a, b, c, d = (left, top), (right, top), (right, bottom), (left, bottom)
    return ((a, b), (b, c), (c, d), (d, a))


def _pieces(path: Path) -> Iterator[tuple[Point, Point]]:
    """The path as straight pieces."""
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
