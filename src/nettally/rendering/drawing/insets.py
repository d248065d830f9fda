"""What is inside the modules: a frame for each kind of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arrows import curved, edges_of, placed, same
from .boxes import IN, Content, badge, content
from .grouping import deepest, repeated, signature
from .layered_layout import layered
from .model import Box, Drawing, Group, Label
from .text_metrics import clean, elide, width
from .units import Unit, Units, units_of

if TYPE_CHECKING:
    from ...counting.rows import Row
    from ...counting.tally import Tally
    from .model import Item

MOST_INSETS = 6
MOST_INSIDE = 24
"""The boxes of an inset; the units of a module with more are grouped."""


class Insets:
    """The frames, and which units lead to which, by letter."""

    def __init__(self) -> None:
        self.drawings: list[Drawing] = []
        self.letters: dict[str, str] = {}

    def letter(self, unit: Unit) -> str:
        return self.letters.get(unit.name, "") if unit.module else ""


def insets_of(tally: Tally, boxes: Units, room: float) -> Insets:
    """Frames for the kinds of module with the most layers, in their order in the network."""
    kinds: dict[object, list[Unit]] = {}
    for unit in boxes:
        if unit.module and len(unit.once) > 1 and unit.natural:
            kinds.setdefault(signature(_core(unit), loose=True), []).append(unit)
    weights = sorted(kinds.values(), key=lambda each: -sum(len(unit.rows) for unit in each))
    insets = Insets()
    for kind in kinds.values():
        if any(kind is other for other in weights[:MOST_INSETS]):
            letter = chr(ord("A") + len(insets.drawings))
            drawing = _inset(tally, letter, kind, room)
            if drawing is not None:
                insets.drawings.append(drawing)
                insets.letters.update(dict.fromkeys((unit.name for unit in kind), letter))
    return insets


def _core(unit: Unit) -> tuple[Row, ...]:
    """The module's own layers, without an activation that follows it."""
    count = len(unit.tails)
    rows = unit.once
    return rows[: len(rows) - count] if count and rows[-count:] == unit.tails else rows


def _inset(tally: Tally, letter: str, kind: list[Unit], room: float) -> Drawing | None:
    """A frame with what is inside modules of this kind; None where it can't be shown."""
    first = kind[0]
    rows = _core(first)
    inner: Units = ()
    for deep in range(deepest(tally) + 1):
        inner = units_of(tally, deep, rows)
        if sum(not unit.input for unit in inner) > 1:
            break
    if len(inner) > MOST_INSIDE:
        inner = repeated(inner, single=True)
    if len(inner) > MOST_INSIDE:
        return None
    places = {row.node.name: n for n, row in enumerate(rows)}
    others = [_core(unit) for unit in kind]
    contents: list[Content] = []
    for unit in inner:
        alike = [unit]
        if unit.main is not None:
            at = places[unit.main.node.name]
            alike = [unit._replace(main=each[at]) for each in others if len(each) == len(rows)]
        if unit.input:
            contents.append(_source())
        else:
            contents.append(content(unit, [], (), alike=alike, sized=False))
    layout = layered([(c.w, c.h) for c in contents], edges_of(inner), 16, 9)
    body = placed(contents, layout.centres, [curved(r, same) for r in layout.routes])
    count = sum(unit.times for unit in kind)
    name = first.name if first.last == first.name else f"{first.name} – {first.last}"
    more = len(kind) - 1
    shown_name = elide(clean(name), 150, 8.5)
    heading = f"{shown_name}, {more} more like it" if more else shown_name
    if count > len(kind):
        heading += f"; {count} in all"
    wide = max(body.width, width(heading, 8.5) + 20)
    if wide + 24 > room:
        return None
    head = 24.0
    w, h = wide + 24, body.height + head + 14
    items: list[Item] = [Box(0.4, 0.4, w - 0.8, h - 0.8, "wash", "faint", 0.8, 4)]
    items.append(badge(letter, 13, 13))
    items.append(Label(23, 13 + 8.5 * 0.36, heading, 8.5, colour="muted"))
    items += body.shifted(12 + (wide - body.width) / 2, head + 2)
    return Drawing(w, h, (Group("", tuple(items)),))


def _source() -> Content:
    """Where a module's input comes in."""
    unit = Unit("in", "in", (), None, (), (), (), None, input=True)
    return Content(unit, (), 6.0, 6.0, sign=IN)
