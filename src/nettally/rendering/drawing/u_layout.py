"""The layout of a U: each box at the height of its map's scale, so that skips run level."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from .arrows import placed, rounded, same, turned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .boxes import Content
    from .model import Drawing, Path
    from .units import Units


def levels_of(boxes: Units) -> list[int] | None:
    """How often each unit's map was halved, where it is a U: it grows again, and skips cross."""
    level: list[int] = []
    shown: list[int] = []  # what makes a map larger stands at the height of what it reads
    skips = 0
    for i, unit in enumerate(boxes):
        if not unit.inputs:
            level.append(0)
            shown.append(0)
            continue
        before = level[unit.inputs[0]]
        x, y = boxes[unit.inputs[0]].shape, unit.shape
        if x is None or y is None or len(x) < 3 or len(y) != len(x):
            return None
        cut = unit.main is not None and unit.main.node.layer.kind in ("crop", "slice", "pad")
        ratio = int(x[-1]) / max(int(y[-1]), 1)
        halvings = before
        if not cut and (ratio >= 1.6 or ratio <= 0.625):
            halvings += round(log2(ratio))
        level.append(halvings)
        shown.append(max(halvings, before))
        skips += sum(level[j] == halvings and i - j > 3 for j in unit.inputs)
    if not level or max(level) < 2 or min(level) < 0 or level[-1] > max(level) - 2 or skips < 2:
        return None
    return shown


def by_level(
    boxes: Units, contents: Sequence[Content], levels: Sequence[int], down: bool
) -> Drawing | None:
    """Boxes by their rank along, and by their scale across; None where two would meet."""
    ranks: list[int] = []
    for unit in boxes:
        ranks.append(1 + max((ranks[j] for j in unit.inputs), default=-1))
    for i in range(len(boxes)):  # what is cut to fit stands beside what it is to fit
        readers = [k for k, unit in enumerate(boxes) if i in unit.inputs]
        if readers and not boxes[i].input:
            ranks[i] = min(ranks[k] for k in readers) - 1
    taken = {(ranks[i], levels[i]) for i in range(len(boxes))}
    if len(taken) < len(boxes):
        return None
    along = [(c.h if down else c.w) for c in contents]
    across = [(c.w if down else c.h) for c in contents]
    starts = _tracks(ranks, along, 13.0)
    tops = _tracks(levels, across, 26.0 if not down else 16.0)
    turn = turned if down else same
    centres = [turn((starts[r], tops[k])) for r, k in zip(ranks, levels, strict=True)]
    paths: list[Path] = []
    for i, unit in enumerate(boxes):
        for j in unit.inputs:
            a, b = turn(centres[j]), turn(centres[i])
            start = (a[0] + along[j] / 2, a[1])
            if levels[i] == levels[j]:
                between = range(ranks[j] + 1, ranks[i])
                if any((r, levels[i]) in taken for r in between):
                    return None
                points = [start, (b[0] - along[i] / 2, b[1])]
            else:
                sign = 1 if levels[i] > levels[j] else -1
                points = [start, (b[0], a[1]), (b[0], b[1] - sign * across[i] / 2)]
            paths.append(rounded([turn(point) for point in points]))
    return placed(contents, centres, paths)


def _tracks(place: Sequence[int], sizes: Sequence[float], gap: float) -> dict[int, float]:
    """The middle of each rank or level."""
    largest: dict[int, float] = {}
    for p, size in zip(place, sizes, strict=True):
        largest[p] = max(largest.get(p, 0.0), size)
    middles: dict[int, float] = {}
    at = 0.0
    for p in sorted(largest):
        middles[p] = at + largest[p] / 2
        at += largest[p] + gap
    return middles
