"""The style of AlexNet's figure 2: each layer's output as a box to scale, in axonometric view.

Height and width of all boxes have one scale, their channels (along the horizontal edge) another,
and the bars of fully connected layers a third. A convolution's window is drawn on the map that it
slides over, with lines to the one unit that it makes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .fitting import MARGIN, fitted
from .model import Drawing
from .solids import legend
from .stages import stages_of
from .volume_links import connect, turn
from .volume_row import Row
from .volume_skips import Tags, draw_exits, draw_skips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.tally import Tally
    from .footnotes import Note
    from .model import Item

MOST_STAGES = 26


def draw(tally: Tally, wide: float | None, depth: int | None, notes: Sequence[Note]) -> Drawing:
    """The figure, no wider than ``wide`` where that is given: its rows, one under the other."""
    stages = stages_of(tally, MOST_STAGES, depth)
    scale, rows = fitted(stages, wide)
    tags = Tags(stages, rows)
    items: list[Item] = []
    y = MARGIN
    widest = 0.0
    for n, places in enumerate(rows):
        row = Row(stages, scale, places, notes, n == 0, n + 1 == len(rows))
        part = _drawn(row, tags)
        items += part.shifted(MARGIN, y)
        widest = max(widest, part.width)
        y += part.height + 14
    key = legend(stages, scale)
    widest = max(widest, key.width)
    items += key.shifted(MARGIN, y - 4)
    y += key.height
    return Drawing(widest + 2 * MARGIN, y + MARGIN - 4, tuple(items))


def _drawn(row: Row, tags: Tags) -> Drawing:
    """One row: its boxes, what joins them, skips, side branches, and the texts under them."""
    for i in row.places:  # all sizes first: what stands between makes room for them
        row.stage(i)
    for before, after in pairwise(row.places):
        connect(row, before, after)
    if not row.first:
        turn(row, row.places[0], into=True)
    if not row.last:
        turn(row, row.places[-1], into=False)
    draw_skips(row, tags)
    for i in row.places:
        draw_exits(row, i)
    row.under()
    return row.drawing()
