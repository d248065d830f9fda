"""Boxes in axonometric view: their sizes, numbers, windows, and the scale's legend."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, NamedTuple

from .model import Box, Drawing, Label, line, polygon
from .text_metrics import ASCENT, DESCENT, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Item, Point, Step
    from .stages import Stage
    from .unit_volume import Volume

ACROSS, UP = 0.36, 0.30
"""How far a pixel of width goes to the right and up, in pixels of height: cabinet projection."""

FONT = 9.0
SMALL = 8.5
BAR = 8.0
"""How thick a bar of units is."""


class Scale(NamedTuple):
    """Pixels of the figure a pixel of a map, a channel, a unit of a flat layer, and a position.

    A line of positions has a scale of its own: a text or a list of boxes may have 50,000 of them
    beside maps of 13 pixels.
    """

    space: float
    channels: float
    units: float
    positions: float


class Solid(NamedTuple):
    """A box as it is drawn: front face left, top, its sizes, and how far the sides go back."""

    x: float
    y: float
    w: float
    h: float
    dx: float
    dy: float
    flat: bool

    def on_right(self, u: float, v: float) -> Point:
        """A place on the right face: u along the width, from the front; v down."""
        return (self.x + self.w + u * self.dx, self.y + v * self.h - u * self.dy)

    def on_left(self, u: float, v: float) -> Point:
        return (self.x + u * self.dx, self.y + v * self.h - u * self.dy)


def numbers(volume: Volume, solid: Solid, upper: bool) -> list[Label]:
    """A box's channels, height and width, at its edges.

    The height stands beside the lines that come in: above them in the columns above, since there
    lines from the other columns come from below.
    """
    if not volume.known:
        middle = solid.y + solid.h / 2 + FONT * 0.36
        return [Label(solid.x + solid.w / 2, middle, "?", FONT, "middle")]
    under = solid.y + solid.h + ASCENT * FONT + 0.5
    text = number_of(volume.channels)
    channels = Label(solid.x + solid.w / 2, under, text, FONT, "middle", bold=not volume.flat)
    if volume.flat:
        return [channels]
    unit = solid.on_left(0.5, 0.5)[1]
    if upper:
        middle = min(solid.y + solid.h * 0.25, unit - FONT * 0.6)
    else:
        middle = max(solid.y + solid.h * 0.75, unit + FONT * 0.75)
    high = Label(solid.x - 3, middle + FONT * 0.36, number_of(volume.height), FONT, "end")
    if high.box.overlaps(channels.box, 0):
        high = high._replace(x=channels.box.left - 1.5)
    if volume.width == 1 and volume.height > 1:  # a line of positions
        return [channels, high]
    x, y = solid.on_right(0.5, 1)
    wide = Label(x + 3, y + FONT * 0.62, number_of(volume.width), FONT)
    if wide.box.overlaps(channels.box, 0):
        wide = wide._replace(x=channels.box.right + 1.5)
    return [channels, high, wide]


def solid_of(volume: Volume, scale: Scale, x: float, middle: float) -> Solid:
    """The box with its front face at ``x`` and the middle of its right face at ``middle``."""
    if volume.flat:
        high = max(volume.channels * scale.units, 2.0)
        return Solid(x, middle - high / 2, BAR, high, 0, 0, flat=True)
    if not volume.known:
        return Solid(x, middle - 11.5, 20, 30, 8, 7, flat=False)
    along = scale.positions if volume.sequence else scale.space
    high = max(volume.height * along, 1.5)
    wide = max(volume.channels * scale.channels, 1.5)
    dx = max(volume.width * along * ACROSS, 0.6)
    dy = max(volume.width * along * UP, 0.5)
    return Solid(x, middle - (high - dy) / 2, wide, high, dx, dy, flat=False)


def number_of(value: int) -> str:
    """A size as the figure writes it."""
    return f"{value}"


def window_on(source: Solid, volume: Volume, kernel: tuple[int, int], v: float) -> list[Point]:
    """The window's corners on the right face: near top, far top, far bottom, near bottom."""
    high = min(kernel[0] / volume.height, 1.0)
    wide = min(kernel[1] / volume.width, 1.0)
    high = max(high, min(1.6 / source.h, 1.0))
    wide = max(wide, min(1.2 / max(source.dx, 0.1), 1.0))
    top = min(max(v - high / 2, 0.0), 1 - high)
    near = 0.5 - wide / 2
    return [
        source.on_right(near, top),
        source.on_right(near + wide, top),
        source.on_right(near + wide, top + high),
        source.on_right(near, top + high),
    ]


def edge_labels(corners: Sequence[Point], high: int, wide: int) -> list[Label]:
    """The window's height and width, at its near edge and under it."""
    middle = (corners[0][1] + corners[3][1]) / 2 + FONT * 0.36
    left = Label(corners[0][0] - 2.5, middle, number_of(high), FONT, "end", "accent.ink")
    x = (corners[3][0] + corners[2][0]) / 2 + 1
    y = max(corners[3][1] + 1.5, left.box.bottom) + ASCENT * FONT
    return [left, Label(x, y, number_of(wide), FONT, "middle", "accent.ink")]


def closed(points: Sequence[Point]) -> tuple[Step, ...]:
    """The outline through these points, back to the first."""
    steps: list[Step] = [("M", points[0])]
    steps += [("L", point) for point in points[1:]]
    return (*steps, ("Z", ()))


def box_of(solid: Solid, family: str, *, known: bool = True) -> list[Item]:
    """The faces of a solid, in the colours of its family; grey where it is not known."""
    stroke = f"{family}.stroke"
    if solid.flat:
        return [Box(solid.x, solid.y, solid.w, solid.h, f"{family}.fill", stroke, 0.8)]
    x, y, w, h, dx, dy = solid.x, solid.y, solid.w, solid.h, solid.dx, solid.dy
    top = [(x, y), (x + dx, y - dy), (x + w + dx, y - dy), (x + w, y)]
    side = [(x + w, y), (x + w + dx, y - dy), (x + w + dx, y + h - dy), (x + w, y + h)]
    thin = 0.8 if h > 4 else 0.6
    dash = () if known else (2.0, 2.0)
    return [
        polygon(top, f"{family}.top", stroke, width=thin, dash=dash),
        polygon(side, f"{family}.side", stroke, width=thin, dash=dash),
        Box(x, y, w, h, f"{family}.fill", stroke, thin, dash=dash),
    ]


def legend(stages: Sequence[Stage], scale: Scale) -> Drawing:
    """What a length means, as the scale of a map has it."""
    volumes = [v for stage in stages for v in stage.volumes]
    kinds: list[tuple[float, str]] = []
    maps = [v for v in volumes if not v.flat and not v.sequence]
    square = any(v.width > 1 for v in maps)
    if maps:
        kinds.append((scale.space, "pixels high and wide" if square else "positions"))
    if any(v.sequence for v in volumes):
        kinds.append((scale.positions, "positions"))
    if any(not v.flat for v in volumes):
        kinds.append((scale.channels, "maps deep" if square else "channels"))
    if any(v.flat for v in volumes):
        kinds.append((scale.units, "units"))
    items: list[Item] = []
    x = 0.0
    y = ASCENT * SMALL
    for each, unit in kinds:
        count = _round(26 / each)
        long = count * each
        middle = y - SMALL * 0.34
        items.append(line([(x, middle - 2.5), (x, middle + 2.5)], "muted", 0.8))
        items.append(line([(x, middle), (x + long, middle)], "muted", 0.8))
        items.append(line([(x + long, middle - 2.5), (x + long, middle + 2.5)], "muted", 0.8))
        text = f"{count:,} {unit if count > 1 else unit.replace('s', '', 1)}"
        items.append(Label(x + long + 5, y, text, SMALL, colour="muted"))
        x += long + 5 + width(text, SMALL) + 16
    return Drawing(max(x - 16, 0), (ASCENT + DESCENT) * SMALL, tuple(items))


def _round(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … that is not below the value."""
    if value <= 1:
        return 1
    ten = 10 ** int(log10(value))
    return next(int(n * ten) for n in (1, 2, 5, 10) if n * ten >= value - 1e-9)
