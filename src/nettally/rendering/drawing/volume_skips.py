"""Skips (arcs, or letters across rows) and the names of side branches, in ``volumes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Path, arrow_head, line
from .solids import FONT
from .text_metrics import clean, elide, width
from .volume_row import MOST_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Rect, Step
    from .solids import Solid
    from .stages import Skip, Stage
    from .volume_row import Row

MOST_EXITS = 4
"""The side branches that are named at one stage."""


def draw_skips(row: Row, tags: Tags) -> None:
    """Arcs over the row from where a skip leaves to where it comes in; letters across rows."""
    inside = set(row.places)
    arcs = [(skip, i) for i in row.places for skip in row.stages[i].skips if skip.source in inside]
    arcs.sort(key=lambda arc: arc[1] - arc[0].source)
    levels: list[tuple[int, int, float]] = []
    for skip, i in arcs:
        j = skip.source
        spanned = [k for k in row.places if j <= k <= i]
        top = min(s.y - s.dy for k in spanned for s in row.solids[k])
        top = min([top, *(box.top for box in _labels_between(row, j, i))]) - 7
        for a, b, level in levels:
            if a < i and j < b:
                top = min(top, level - 6)
        levels.append((j, i, top))
        _arc(row, _source(row, skip), row.solids[i][0], top, skip.size)
    for name, skip, target in tags.across:
        if skip.source in inside:
            text = f"{name}: {skip.size}" if skip.size else name
            _tag(row, _source(row, skip), text, leaves=True)
        if target in inside:
            _tag(row, row.solids[target][0], name, leaves=False)


def _source(row: Row, skip: Skip) -> Solid:
    """The box that is read: the stage's own, or what its pooling leaves."""
    return (row.pooled if skip.pooled else row.solids)[skip.source][0]


def draw_exits(row: Row, i: int) -> None:
    """The names of side branches, over what they read."""
    names = [elide(clean(name), MOST_NAME / 2, FONT) for name in row.stages[i].exits]
    if len(names) > MOST_EXITS:
        names = [*names[: MOST_EXITS - 1], f"{len(names) - MOST_EXITS + 1} more"]
    for n, name in enumerate(names):
        if not n:
            _tag(row, row.solids[i][0], name, leaves=True)
            continue
        x = row.solids[i][0].on_left(0.65, 0)[0] + row.solids[i][0].w / 2
        row.above(name, x, row.taken[-1].top - 2)


def _labels_between(row: Row, j: int, i: int) -> list[Rect]:
    left = row.solids[j][0].x
    right = row.solids[i][0].x + row.solids[i][0].w
    return [box for box in row.taken if box.right > left and box.left < right]


def _arc(row: Row, source: Solid, target: Solid, top: float, size: str) -> None:
    """An arc; size: of what is carried, to be written over where it leaves, or ""."""
    x1, y1 = source.x + source.w / 2 + source.dx * 0.65, source.y - source.dy * 0.65
    x2, y2 = target.x + target.w / 2 + target.dx * 0.35, target.y - target.dy * 0.35
    r = min(5.0, abs(x2 - x1) / 2)
    steps: list[Step] = [("M", (x1, y1)), ("L", (x1, top + r))]
    steps += [("C", (x1, top, x1, top, x1 + r, top)), ("L", (x2 - r, top))]
    steps += [("C", (x2, top, x2, top, x2, top + r)), ("L", (x2, y2 - 1))]
    row.lines.append(Path(tuple(steps), stroke="merge.stroke", width=0.9))
    row.lines.append(arrow_head((x2, y2), (0, 1), fill="merge.stroke"))
    if size:
        row.above(size, x1 + r + width(size, FONT) / 2, top - 3)


def _tag(row: Row, solid: Solid, name: str, *, leaves: bool) -> None:
    share = 0.65 if leaves else 0.35
    x, y = solid.x + solid.w / 2 + solid.dx * share, solid.y - solid.dy * share
    top = min([y - 12, *(box.top - 2 for box in row.taken if box.left - 6 < x < box.right + 6)])
    row.lines.append(line([(x, y), (x, top)], "merge.stroke", 0.9))
    if not leaves:
        row.lines.append(arrow_head((x, y), (0, 1), fill="merge.stroke"))
    row.above(name, x, top - 2)


class Tags:
    """Letters for the skips that go from one row to another."""

    def __init__(self, stages: Sequence[Stage], rows: list[list[int]]) -> None:
        home = {i: n for n, row in enumerate(rows) for i in row}
        self.across: list[tuple[str, Skip, int]] = []
        for i, stage in enumerate(stages):
            for skip in stage.skips:
                if home[i] != home[skip.source]:
                    self.across.append((_letter(len(self.across)), skip, i))


def _letter(n: int) -> str:
    return (_letter(n // 26 - 1) if n >= 26 else "") + chr(ord("a") + n % 26)
