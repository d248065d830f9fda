"""What the styles ``bars`` and ``field`` share: a row for each layer, its name at the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import footnotes
from .grouping import at_most, deepest, repeated
from .model import Group, Label
from .text_metrics import clean, elide, width
from .units import units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.tally import Tally
    from .footnotes import Note
    from .model import Item
    from .units import Unit, Units

FONT = 9.0
PITCH = 14.0
"""From one row to the next."""
MARGIN = 12.0
MOST_ROWS = 100
MOST_OPENED = 200
"""The rows where a depth is asked for."""


def rows_of(tally: Tally, depth: int | None) -> Units:
    """The units that get a row: all but the inputs, modules opened as deep as there is room."""
    most = MOST_ROWS if depth is None else MOST_OPENED
    deep = min(deepest(tally), 12)
    for tried in range(deep, -1, -1) if depth is None else (min(depth, deep),):
        units = units_of(tally, tried)
        if len(units) <= most:
            return tuple(unit for unit in units if not unit.input)
    units = at_most(repeated(units_of(tally, 0 if depth is None else depth), single=True), most)
    return tuple(unit for unit in units if not unit.input)


def name_of(unit: Unit) -> str:
    """The row's name."""
    name = clean(unit.name if unit.last == unit.name else f"{unit.name} – {unit.last}")
    return f"{name} ×{unit.times}" if unit.times > 1 else name


def names(
    units: Sequence[Unit], notes: Sequence[Note], most: float
) -> tuple[list[tuple[str, tuple[Note, ...]]], float]:
    """The names with their marks, and how wide the column is."""
    listed: list[tuple[str, tuple[Note, ...]]] = []
    wide = 30.0
    for unit in units:
        marks = footnotes.of_unit(notes, unit)
        room = most - footnotes.MARK * len(marks)
        text = _shortened(name_of(unit), unit, room)
        listed.append((text, marks))
        wide = max(wide, width(text, FONT) + footnotes.MARK * len(marks))
    return listed, wide


def _shortened(text: str, unit: Unit, most: float) -> str:
    """×n stays whole."""
    if unit.times == 1:
        return elide(text, most, FONT)
    head, _, tail = text.rpartition(" ")
    return f"{elide(head, most - width(' ' + tail, FONT), FONT)} {tail}"


def name_items(text: str, marks: Sequence[Note], x: float, y: float, title: str) -> Group:
    """A name that ends at ``x``, its marks before it; y: the row's middle."""
    items: list[Item] = [Label(x, y + FONT * 0.35, text, FONT, "end")]
    left = x - width(text, FONT) - 2
    for k, note in enumerate(marks):
        items += footnotes.mark(note, left - footnotes.MARK * k - 5.5, y)
    return Group(title, tuple(items))
