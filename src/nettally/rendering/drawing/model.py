"""The figure before it is SVG, PDF or TikZ: a list of paths, boxes, dots and labels, in pixels.

Colours are names of roles (``ink``, ``conv.fill``), which a theme gives a value. y grows downward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...record import Record
from .text_metrics import ASCENT, DESCENT, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Point = tuple[float, float]
Step = tuple[str, tuple[float, ...]]
"""``("M", (x, y))``, ``("L", (x, y))``, ``("C", (x1, y1, x2, y2, x, y))``, ``("Z", ())``."""


class Path(NamedTuple):
    steps: tuple[Step, ...]
    fill: str = ""
    stroke: str = ""
    width: float = 0.8
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


class Box(NamedTuple):
    """A rectangle, its corners rounded by ``r``."""

    x: float
    y: float
    w: float
    h: float
    fill: str = ""
    stroke: str = ""
    width: float = 0.8
    r: float = 0.0
    dash: tuple[float, ...] = ()


class Dot(NamedTuple):
    x: float
    y: float
    r: float
    fill: str = ""
    stroke: str = ""
    width: float = 0.8


class Label(NamedTuple):
    """A text on its baseline. anchor: start, middle or end of the text is at ``x``."""

    x: float
    y: float
    text: str
    size: float
    anchor: str = "start"
    colour: str = "ink"
    bold: bool = False

    @property
    def box(self) -> Rect:
        wide = width(self.text, self.size, self.bold)
        left = self.x - {"start": 0.0, "middle": wide / 2, "end": wide}[self.anchor]
        return Rect(left, self.y - ASCENT * self.size, left + wide, self.y + DESCENT * self.size)


class Group(NamedTuple):
    """Items that belong together, with what a pointer at rest shows: the whole name, the size."""

    title: str
    items: tuple[Item, ...]


Item = Path | Box | Dot | Label | Group


class Rect(NamedTuple):
    """left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Rect, slack: float = 0.01) -> bool:
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )


def line(points: Sequence[Point], stroke: str = "line", width: float = 0.8, **more: object) -> Path:
    """A line through the points."""
    steps: list[Step] = [("M", points[0])]
    steps += [("L", point) for point in points[1:]]
    return Path(tuple(steps), stroke=stroke, width=width, **more)  # type: ignore[arg-type] - Path's fields, by name


def polygon(points: Sequence[Point], fill: str, stroke: str = "", **more: object) -> Path:
    """A closed shape."""
    steps: list[Step] = [("M", points[0])]
    steps += [("L", point) for point in points[1:]]
    return Path((*steps, ("Z", ())), fill=fill, stroke=stroke, **more)  # type: ignore[arg-type] - Path's fields, by name


def arrow_head(tip: Point, heading: Point, size: float = 4.0, fill: str = "line") -> Path:
    """A small filled triangle with its tip there; heading: a unit vector."""
    (x, y), (dx, dy) = tip, heading
    back = (x - dx * size, y - dy * size)
    half = size * 0.42
    return polygon(
        [
            tip,
            (back[0] - dy * half, back[1] + dx * half),
            (back[0] + dy * half, back[1] - dx * half),
        ],
        fill,
    )


def moved(items: Iterable[Item], dx: float, dy: float) -> tuple[Item, ...]:
    """The same items elsewhere."""
    return tuple([_moved(item, dx, dy) for item in items])


def _moved(item: Item, dx: float, dy: float) -> Item:
    if isinstance(item, Path):
        steps: list[Step] = []
        for name, values in item.steps:
            shifted = [v + (dy if i % 2 else dx) for i, v in enumerate(values)]
            steps.append((name, tuple(shifted)))
        return item._replace(steps=tuple(steps))
    if isinstance(item, Group):
        return item._replace(items=moved(item.items, dx, dy))
    return item._replace(x=item.x + dx, y=item.y + dy)


def flat(items: Iterable[Item]) -> list[Path | Box | Dot | Label]:
    """All items in order of drawing, groups opened."""
    flattened: list[Path | Box | Dot | Label] = []
    for item in items:
        if isinstance(item, Group):
            flattened += flat(item.items)
        else:
            flattened.append(item)
    return flattened


def labels(items: Iterable[Item]) -> list[Label]:
    """All texts."""
    return [item for item in flat(items) if isinstance(item, Label)]


def extent(items: Iterable[Item]) -> Rect:
    """The box around all items (control points of curves counted with them)."""
    xs: list[float] = []
    ys: list[float] = []
    for item in flat(items):
        if isinstance(item, Path):
            for _, values in item.steps:
                xs += values[0::2]
                ys += values[1::2]
        elif isinstance(item, Label):
            box = item.box
            xs += (box.left, box.right)
            ys += (box.top, box.bottom)
        elif isinstance(item, Box):
            xs += (item.x, item.x + item.w)
            ys += (item.y, item.y + item.h)
        else:
            xs += (item.x - item.r, item.x + item.r)
            ys += (item.y - item.r, item.y + item.r)
    return Rect(min(xs), min(ys), max(xs), max(ys)) if xs else Rect(0, 0, 0, 0)


class Drawing(NamedTuple):
    """A part of a figure, or all of it: its size, and what is in it."""

    width: float
    height: float
    items: tuple[Item, ...]

    def shifted(self, dx: float, dy: float) -> tuple[Item, ...]:
        return moved(self.items, dx, dy)

    def framed(self, margin: float) -> Drawing:
        """The same with a margin around it."""
        items = self.shifted(margin, margin)
        return Drawing(self.width + 2 * margin, self.height + 2 * margin, items)


class FigureContent(Record):
    """All that a writer needs of a figure: its size in pixels before scaling, and what is in it.

    scale: what one of its pixels is shown as. title, desc: what is read out in its place.
    """

    style: str
    width: float
    height: float
    scale: float
    title: str
    desc: str
    theme: str
    items: tuple[Item, ...]
