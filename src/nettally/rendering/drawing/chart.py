"""Bars of numbers that are no layer's own: one count by every convention, what a change makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figure import Figure
from .layer_rows import FONT, MARGIN, PITCH
from .layer_words import quantity
from .model import Box, Item, Label, line
from .text_metrics import ASCENT, clean, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...accountings.reckoning import Reckoning
    from ...counting.tally import Tally
    from ...diffing import Difference

Row = tuple[str, "Sequence[int | None]"]
"""A name, and a number for each column; None is not counted."""

WIDE, BETWEEN, HEAD = 720.0, 18.0, 22.0
MOST_ROWS = 60


def reconciled(counted: Tally, reckonings: Sequence[Reckoning]) -> Figure:
    """Operations and parameters under each convention."""
    least = "" if counted.complete else "at least: "
    rows: list[Row] = [
        (
            # what only some conventions do not know is said beside these
            f"{each.accounting.name}{'' if each.complete or least else ' (at least)'}",
            # Keras counts no operations, which is another thing than none
            (each.operations if each.accounting.counts_operations else None, each.parameters),
        )
        for each in reckonings
    ]
    name = counted.network.title or counted.network.name
    return _chart(
        f"{name}: one network, counted by {len(rows)} conventions",
        (f"{least}operations, as each calls them", f"{least}parameters"),
        rows,
    )


def compared(difference: Difference) -> Figure:
    """What each layer that differs adds to the second network, or takes from it."""
    changed = difference.changed
    rows: list[Row] = [
        (pair.name, (pair.parameters, pair.operations, pair.neurons)) for pair in changed
    ]
    more = len(rows) - MOST_ROWS
    if more > 0:
        rest = rows[MOST_ROWS - 1 :]
        sums = tuple(sum(values[i] or 0 for _, values in rest) for i in range(3))
        rows = [*rows[: MOST_ROWS - 1], (f"and {len(rest):,} more", sums)]
    whole = (difference.parameters, difference.operations, difference.neurons)
    rows.append(("in all", whole))
    a, b = difference.a.network.name, difference.b.network.name
    return _chart(
        f"{a} → {b}: what each difference adds", ("parameters", "operations", "neurons"), rows
    )


def _chart(title: str, heads: Sequence[str], rows: Sequence[Row]) -> Figure:
    """A row of bars for each name, a column for each head; bars below zero grow to the left."""
    names = [_short(clean(name), WIDE * 0.3) for name, _ in rows]
    column = max((width(name, FONT) for name in names), default=0.0)
    top = MARGIN + HEAD + 20
    left = MARGIN + column + 8
    panel = (WIDE - MARGIN - left - BETWEEN * (len(heads) - 1)) / len(heads)
    items: list[Item] = [
        Label(MARGIN, MARGIN + ASCENT * 11, _short(clean(title), WIDE - 2 * MARGIN), 11, bold=True)
    ]
    for n, name in enumerate(names):
        y = top + (n + 0.5) * PITCH
        items.append(Label(MARGIN + column, y + FONT * 0.35, name, FONT, "end"))
    bottom = top + PITCH * len(rows)
    for i, head in enumerate(heads):
        x = left + i * (panel + BETWEEN)
        items.append(Label(x, top - 8, head, FONT, bold=True))
        items += _column([values[i] for _, values in rows], x, panel, top, bottom)
    sentences: list[str] = []
    for name, values in rows[:40]:
        numbers = [
            f"{head} {'not counted' if value is None else f'{value:,}'}"
            for head, value in zip(heads, values, strict=True)
        ]
        sentences.append(f"{name}: {', '.join(numbers)}")
    desc = "; ".join(sentences)
    return Figure(
        "chart", WIDE, bottom + MARGIN, 1.0, clean(title), clean(desc), "auto", tuple(items)
    )


def _column(
    numbers: Sequence[int | None], x: float, wide: float, top: float, bottom: float
) -> list[Item]:
    values = [value or 0 for value in numbers]
    texts = [
        "–" if value is None else ("− " if value < 0 else "") + quantity(abs(value))
        for value in numbers
    ]
    below, above = -min([0, *values]), max([0, *values])
    room = max(width(text, FONT) for text in texts) + 6
    # texts stand at the far end of their bars, so each side that has bars keeps room for one
    span = wide - room * (2 if below and above else 1)
    scale = span / (below + above) if below + above else 0.0
    axis = x + (room + below * scale if below else 0.0)
    items: list[Item] = [line([(axis, top), (axis, bottom)], "line", 0.8)]
    for n, (value, text) in enumerate(zip(values, texts, strict=True)):
        y = top + (n + 0.5) * PITCH
        long = abs(value) * scale
        start = axis - long if value < 0 else axis
        if value:
            family = "linear" if value < 0 else "conv"
            items.append(Box(start, y - 4.2, max(long, 0.5), 8.4, f"{family}.side",
                             f"{family}.stroke", 0.5))  # fmt: skip
        at, anchor = (start - 3.5, "end") if value < 0 else (axis + long + 3.5, "start")
        colour = "ink" if value else "muted"
        items.append(Label(at, y + FONT * 0.35, text, FONT, anchor, colour=colour))
    return items


def _short(text: str, room: float) -> str:
    """The text itself, or as much of it as fits."""
    if width(text, FONT) <= room:
        return text
    while text and width(text + "…", FONT) > room:
        text = text[:-1]
    return text + "…"
