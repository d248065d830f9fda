"""The style ``bars``: where the parameters, MACs, memory and neurons are, layer by layer.

Memory is that of the activations: what every layer puts out, 4 bytes a value, for one example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...counting.certainty import knows
from ...counting.quantities import SUMS
from .boxes import tooltip
from .layer_rows import FONT, MARGIN, PITCH, name_items, names, rows_of
from .layer_words import quantity
from .model import Box, Drawing, Item, Label, line
from .text_metrics import ASCENT, LINE, clean, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.rows import Row
    from ...counting.tally import Tally
    from .footnotes import Note

NATURAL = 860.0
BETWEEN = 16.0
HEAD = 36.0


class Panel(NamedTuple):
    """One of the columns. of: the quantity (quantities.py). each: how much one is."""

    title: str
    of: str
    each: int = 1
    unit: str = ""


PANELS = (
    Panel("parameters", "parameters"),
    Panel("MACs", "macs"),
    Panel("activations", "values", 4, "B"),
    Panel("neurons", "neurons"),
)

FAMILIES = {
    "conv": "convolution",
    "linear": "fully connected",
    "mix": "attention, recurrent",
    "pool": "pooling",
    "merge": "merging",
    "module": "module",
    "norm": "activation, normalisation",
    "other": "other",
}


def draw(tally: Tally, wide: float | None, depth: int | None, notes: Sequence[Note]) -> Drawing:
    """The figure."""
    full = wide if wide is not None and wide < NATURAL else NATURAL
    room = full - 2 * MARGIN
    units = rows_of(tally, depth)
    named, column = names(units, notes, room * 0.3)
    panel = (room - column - 8 - BETWEEN * (len(PANELS) - 1)) / len(PANELS)
    items: list[Item] = []
    top = MARGIN + HEAD
    bottom = top + PITCH * len(units)
    left = MARGIN + column
    for n, (unit, (text, marks)) in enumerate(zip(units, named, strict=True)):
        y = top + (n + 0.5) * PITCH
        items.append(name_items(text, marks, left, y, tooltip(unit)))
        if n % 5 == 4 and n + 1 < len(units):
            items.append(
                line([(MARGIN, y + PITCH / 2), (full - MARGIN, y + PITCH / 2)], "faint", 0.5)
            )
    x = left + 8
    for each in PANELS:
        items += _panel(tally, each, x, panel, top, [unit.rows for unit in units])
        values = [_value(tally, each, unit.rows) for unit in units]
        items += _bars(each, values, [unit.family for unit in units], x, panel, top)
        items.append(line([(x, top), (x, bottom)], "line", 0.8))
        x += panel + BETWEEN
    legend, high = _legend([unit.family for unit in units], room)
    for item in Drawing(0, 0, tuple(legend)).shifted(MARGIN, bottom + 8):
        items.append(item)
    return Drawing(full, bottom + 8 + high + MARGIN, tuple(items))


def _value(tally: Tally, panel: Panel, rows: Sequence[Row]) -> int | None:
    """The sum over the rows; None where not a single one is known."""
    known = [row for row in rows if knows(tally, panel.of, row)]
    if rows and not known:
        return None
    return panel.each * sum(int(SUMS[panel.of](tally, row)) for row in known)


def _panel(
    tally: Tally, panel: Panel, x: float, wide: float, top: float, rows: Sequence[Sequence[Row]]
) -> list[Item]:
    """The heading: what it is, and how much in all."""
    every = [row for each in rows for row in each]
    total = _value(tally, panel, every)
    sure = all(knows(tally, panel.of, row) for row in every)
    text = "not known" if total is None else _shown(total, panel)
    if total is not None:
        exact = f"{total:,}{' bytes' if panel.unit == 'B' else ''}"
        text = exact if width(exact, FONT) <= wide else text
        text = text if sure else f"at least {text}"
    y = top - HEAD
    return [
        Label(x, y + ASCENT * 10, panel.title, 10, bold=True),
        Label(x, y + LINE * 10 + ASCENT * FONT, text, FONT, colour="muted"),
    ]


def _shown(value: int, panel: Panel) -> str:
    text = quantity(value)
    if not panel.unit:
        return text
    return f"{text}{panel.unit}" if " " in text else f"{text} {panel.unit}"


def _bars(
    panel: Panel,
    values: Sequence[int | None],
    families: Sequence[str],
    x: float,
    wide: float,
    top: float,
) -> list[Item]:
    most = max((value for value in values if value), default=1)
    texts = ["?" if v is None else _shown(v, panel) if v else "" for v in values]
    longest = max((width(text, FONT) for text in texts), default=0.0)
    scale = max(wide - longest - 4, 4.0) / most
    items: list[Item] = []
    for n, (value, family, text) in enumerate(zip(values, families, texts, strict=True)):
        y = top + (n + 0.5) * PITCH
        if value:
            long = max(value * scale, 0.5)
            items.append(Box(x, y - 4.2, long, 8.4, f"{family}.side", f"{family}.stroke", 0.5))
        else:
            long = 0.0
        if text:
            colour = "ink" if value else "muted"
            items.append(Label(x + long + 3.5, y + FONT * 0.35, text, FONT, colour=colour))
    return items


def _legend(families: Sequence[str], wide: float) -> tuple[list[Item], float]:
    """Which colour is which, and what the activations are."""
    items: list[Item] = []
    x = y = 0.0
    for family, title in FAMILIES.items():
        if family not in families:
            continue
        long = 12 + width(title, FONT) + 14
        if x and x + long > wide:
            x, y = 0.0, y + LINE * FONT + 2
        items.append(Box(x, y + 1.5, 8, 8, f"{family}.side", f"{family}.stroke", 0.5))
        items.append(Label(x + 12, y + ASCENT * FONT, title, FONT, colour="muted"))
        x += long
    y += LINE * FONT + 4
    note = clean("activations: what every layer puts out, 4 bytes a value, for one example")
    items.append(Label(0, y + ASCENT * FONT, note, FONT, colour="muted"))
    return items, y + LINE * FONT
