"""The style ``field``: how the receptive field and the stride grow, layer by layer.

Each row is one unit in the middle of the layer's map: which pixels of the input it sees, and how
far apart the fields of neighbours lie.
"""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import TYPE_CHECKING

from ...counting.receptive_field import receptive_fields
from .boxes import tooltip
from .layer_rows import FONT, MARGIN, PITCH, name_items, names, rows_of
from .layer_words import times
from .model import Box, Drawing, Group, Item, Label, Path, line, polygon
from .text_metrics import ASCENT, DESCENT, clean, elide, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.receptive_field import Field
    from ...counting.receptive_field.axis import Axis
    from ...counting.tally import Tally
    from ...network import Shape
    from .footnotes import Note

NATURAL = 760.0
HEAD = 34.0
MOST_BEYOND = 1.0
"""How far beyond the input, in its sizes a side, a field is drawn; further ones are cut off."""


def draw(tally: Tally, wide: float | None, depth: int | None, notes: Sequence[Note]) -> Drawing:
    """The figure."""
    full = wide if wide is not None and wide < NATURAL else NATURAL
    room = full - 2 * MARGIN
    units = rows_of(tally, depth)
    fields = receptive_fields(tally)
    # a layer's own field, and not that of a normalisation after it that looks around
    seen = [fields[(unit.main or unit.rows[-1]).node.name] for unit in units]
    named, column = names(units, notes, room * 0.32)
    texts = [_size_text(field) for field in seen]
    text_wide = min(max((width(text, FONT) for text in texts), default=0.0), room * 0.22)
    texts = [elide(text, text_wide, FONT) for text in texts]
    stride_wide = min(120.0, room * 0.2)
    left = MARGIN + column + 8
    chart = room - column - 8 - text_wide - 14 - stride_wide - 18
    top = MARGIN + HEAD
    bottom = top + PITCH * len(units)
    items: list[Item] = []
    size = _input_size(tally, seen)
    low, high = _range(seen, [unit.shape for unit in units], size)
    scale = chart / max(high - low, 1)
    zero = left - low * scale
    items.append(Box(zero, top - 2, size * scale, bottom - top + 4, "wash", "faint", 0.6))
    heading = top - HEAD + ASCENT * 10
    items.append(Label(left, heading, "receptive field", 10, bold=True))
    subtitle = f"pixels of the input, {size:,} wide" if size else "pixels of the input"
    items.append(Label(left, heading + 12, elide(subtitle, chart, FONT), FONT, colour="muted"))
    at = left + chart + 14 + text_wide + 18
    items.append(Label(at, heading, "stride", 10, bold=True))
    items.append(Label(at, heading + 12, "pixels", FONT, colour="muted"))
    for n, (unit, (text, marks)) in enumerate(zip(units, named, strict=True)):
        y = top + (n + 0.5) * PITCH
        items.append(name_items(text, marks, left - 8, y, tooltip(unit)))
        items.append(
            Group(
                clean(f"{unit.name}: {seen[n]}"),
                tuple(_bar(seen[n], unit.shape, unit.family, zero, scale, (low, high), size, y)),
            )
        )
        items.append(Label(left + chart + 12, y + FONT * 0.35, texts[n], FONT))
    items += _strides(seen, at, stride_wide, top)
    items += _axis(zero, scale, size, bottom + 3)
    return Drawing(full, bottom + 3 + 8 + (ASCENT + DESCENT) * FONT + MARGIN, tuple(items))


def _last(field: Field) -> Axis | None:
    """The field along the width; None where it is not known."""
    return field.axes[-1] if field.known and field.axes else None


def _size_text(field: Field) -> str:
    if field.status:
        return field.status
    if field.whole:
        return "whole input"
    sizes = field.size
    if not sizes:
        return ""
    return str(sizes[0]) if len(set(sizes)) == 1 else times(sizes)


def _input_size(tally: Tally, seen: Sequence[Field]) -> int:
    """How wide the input is that the fields are in; 0 where it has no width."""
    known = [along.of for along in map(_last, seen) if along is not None]
    widths = [int(shape[-1]) for shape in tally.network.inputs.values() if len(shape) > 2]
    return max(known or widths, default=0)


def _of_middle(along: Axis, shape: Shape | None) -> tuple[float, float]:
    """First pixel and the one after the last that the unit in the map's middle sees."""
    if along.whole:
        return (0, along.of)
    units = int(shape[-1]) if shape is not None and len(shape) > 2 else 1
    first = along.start + ((units - 1) // 2) * along.step / along.period
    return (first, first + along.size)


def _range(seen: Sequence[Field], shapes: Sequence[Shape | None], size: int) -> tuple[float, float]:
    low, high = 0.0, float(size)
    for field, shape in zip(seen, shapes, strict=True):
        along = _last(field)
        if along is not None:
            first, last = _of_middle(along, shape)
            low, high = min(low, first), max(high, last)
    return max(low, -MOST_BEYOND * size), min(high, (1 + MOST_BEYOND) * size)


def _bar(
    field: Field,
    shape: Shape | None,
    family: str,
    zero: float,
    scale: float,
    limits: tuple[float, float],
    size: int,
    y: float,
) -> list[Item]:
    """The field as a bar, lighter where it lies outside the input."""
    along = _last(field)
    if along is None:
        return []
    first, last = _of_middle(along, shape)
    a, b = max(first, limits[0]), min(last, limits[1])
    if b <= a:
        return []
    items: list[Item] = []
    high = 8.0
    outside = [(a, min(b, 0.0)), (max(a, float(size)), b)]
    for begin, end in outside:
        if end > begin:
            x = zero + begin * scale
            items.append(
                Box(
                    x,
                    y - high / 2,
                    (end - begin) * scale,
                    high,
                    "paper",
                    f"{family}.stroke",
                    0.5,
                    dash=(1.5, 1.5),
                )
            )
    begin, end = max(a, 0.0), min(b, float(size))
    if end > begin:
        x = zero + begin * scale
        long = max((end - begin) * scale, 0.8)
        items.append(Box(x, y - high / 2, long, high, f"{family}.side", f"{family}.stroke", 0.5))
    for beyond, x, way in ((first < a, zero + a * scale, -1), (last > b, zero + b * scale, 1)):
        if beyond:  # it goes on further than is drawn
            tip = [(x - way * 3.5, y - 2.4), (x, y), (x - way * 3.5, y + 2.4)]
            items.append(polygon(tip, f"{family}.stroke"))
    return items


def _strides(seen: Sequence[Field], x: float, wide: float, top: float) -> list[Item]:
    """Dots on a scale of powers of two, joined by a line; the stride beside each that changes."""
    values: list[float | None] = []
    shown: list[str] = []
    for field in seen:
        along = _last(field)
        step = along.stride if along is not None and along.step else None
        values.append(float(step) if step is not None else None)
        shown.append(str(step) if step is not None else "")
    known = [log2(value) for value in values if value]
    if not known:
        return []
    low, high = min(*known, 0.0) if len(known) > 1 else min(known[0], 0.0), max(known)
    longest = max(width(text, FONT) for text in shown)
    scale = (wide - longest - 10) / max(high - low, 1.0)
    dots: list[Item] = []
    points: list[tuple[float, float]] = []
    before = ""
    for n, (value, text) in enumerate(zip(values, shown, strict=True)):
        if value is None:
            before = ""
            continue
        at = (x + 3 + (log2(value) - low) * scale, top + (n + 0.5) * PITCH)
        points.append(at)
        dots.append(Box(at[0] - 2.2, at[1] - 2.2, 4.4, 4.4, "accent", r=2.2))
        if text != before:
            dots.append(Label(at[0] + 6, at[1] + FONT * 0.35, text, FONT))
        before = text
    steps: list[Path] = []
    if len(points) > 1:
        corners = [points[0]]
        for (_, y0), (x1, y1) in pairwise(points):
            corners += [(corners[-1][0], (y0 + y1) / 2), (x1, (y0 + y1) / 2), (x1, y1)]
        steps.append(line(corners, "accent", 0.8))
    return [*steps, *dots]


def _axis(zero: float, scale: float, size: int, y: float) -> list[Item]:
    """Ticks at the input's two edges and its middle."""
    items: list[Item] = []
    if not size:
        return items
    right = -1e9
    for place, anchor in ((0, "start"), (size, "end"), (size / 2, "middle")):
        x = zero + place * scale
        text = f"{place:g}"
        label = Label(x, y + 5 + ASCENT * FONT, text, FONT, anchor, "muted")
        if anchor == "end" and label.box.left < right + 4:
            continue
        if anchor == "middle" and any(
            label.box.overlaps(o.box, -3) for o in items if isinstance(o, Label)
        ):
            continue
        items.append(line([(x, y), (x, y + 3.5)], "muted", 0.6))
        items.append(label)
        right = max(right, label.box.right)
    return items
