"""Boxes joined by arrows: routes as paths, boxes and routes as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .boxes import drawn
from .model import Drawing, Path, arrow_head, extent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .boxes import Content
    from .model import Item, Point, Step
    from .units import Units


def rounded(points: Sequence[Point], r: float = 5.0) -> Path:
    """Straight lines with rounded corners."""
    steps: list[Step] = [("M", points[0])]
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        before, after = _towards(b, a, r), _towards(b, c, r)
        steps += [("L", before), ("C", (*b, *b, *after))]
    steps.append(("L", points[-1]))
    return Path(tuple(steps), stroke="line", width=0.9)


def _towards(a: Point, b: Point, far: float) -> Point:
    dx, dy = b[0] - a[0], b[1] - a[1]
    long = (dx * dx + dy * dy) ** 0.5
    share = min(far / long, 0.5) if long else 0.0
    return (a[0] + dx * share, a[1] + dy * share)


def same(point: Point) -> Point:
    """The point itself: a figure that goes to the right."""
    return point


def turned(point: Point) -> Point:
    """The point with its axes exchanged: a figure that goes down."""
    return (point[1], point[0])


def edges_of(boxes: Units) -> list[tuple[int, int]]:
    """(from, to) of each arrow, by the places of the boxes."""
    return [(j, i) for i, unit in enumerate(boxes) for j in unit.inputs]


def curved(route: Sequence[Point], turn: Callable[[Point], Point]) -> Path:
    """Straight through the ranks and curved between them; the last piece ends in an arrow."""
    steps: list[Step] = [("M", turn(route[0]))]
    for n in range(0, len(route), 2):
        a, b = route[n], route[n + 1]
        if n:
            (x0, y0), (x1, y1) = route[n - 1], a
            if abs(x1 - x0) < 0.5:
                steps.append(("L", turn(a)))
            else:
                half = (y1 - y0) / 2
                curve = (*turn((x0, y0 + half)), *turn((x1, y1 - half)), *turn(a))
                steps.append(("C", curve))
        if abs(b[1] - a[1]) > 0.01:
            steps.append(("L", turn(b)))
    return Path(tuple(steps), stroke="line", width=0.9)


def placed(
    contents: Sequence[Content],
    centres: Sequence[Point],
    routes: Sequence[Path],
    *,
    trim: bool = True,
) -> Drawing:
    """Boxes and routes as a drawing; an arrow's head at the end of each route."""
    items: list[Item] = []
    for path in routes:
        items += [path, _head(path)]
    items += [drawn(c, *at) for c, at in zip(contents, centres, strict=True)]
    if not trim:
        return Drawing(0, 0, tuple(items))
    box = extent(items)
    drawing = Drawing(box.right - box.left, box.bottom - box.top, tuple(items))
    return drawing._replace(items=drawing.shifted(-box.left, -box.top))


def _head(path: Path) -> Path:
    """The arrow's head: the last piece is straight, or a curve that ends along an axis."""
    end = (path.steps[-1][1][-2], path.steps[-1][1][-1])
    values = path.steps[-1][1]
    before = (values[-4], values[-3]) if len(values) > 2 else _end_of(path.steps[-2])
    dx, dy = end[0] - before[0], end[1] - before[1]
    long = (dx * dx + dy * dy) ** 0.5 or 1.0
    return arrow_head(end, (dx / long, dy / long))


def _end_of(step: Step) -> Point:
    return (step[1][-2], step[1][-1])
