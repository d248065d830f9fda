"""Which units are volumes of their own in the style ``volumes``, and what each of them reads.

Layers that only put values together are looked through. Pooling belongs to the volume before it,
where what comes next reads what the pooling leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .unit_volume import has_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...network import Shape
    from .units import Unit, Units

PASSING = frozenset({"concat", "crop", "add", "identity", "reshape", "permute", "slice"})
"""Layers that make no volume of their own where branches are drawn one by one."""


class Carried(NamedTuple):
    """What one unit reads of another. pooled: what the pooling after that one leaves."""

    shape: Shape | None
    pooled: bool


class Graph:
    """The units that are volumes, and who reads whom once the others are looked through.

    pool: the pooling that belongs to a unit. reads: the volumes that a volume reads.
    """

    def __init__(self, boxes: Units) -> None:
        self.boxes = boxes
        self.pool: dict[int, int] = {}
        self.reads: dict[int, tuple[int, ...]] = {}
        source: dict[int, tuple[int, ...]] = {}
        first = _first_readers(boxes)
        for i, unit in enumerate(boxes):
            read = tuple(dict.fromkeys(k for j in unit.inputs for k in source[j]))
            if _passes(unit) and read:
                source[i] = read
            elif self._belongs(i, read, first):
                self.pool[read[0]] = i
                source[i] = read
            else:
                source[i] = (i,)
                self.reads[i] = read

    def _belongs(self, i: int, read: tuple[int, ...], first: list[list[int]]) -> bool:
        """Whether the unit is pooling that is drawn with the volume that it reads.

        Others may read the map as it is before the pooling, but only further on: else the lines to
        them would begin at the wrong box.
        """
        unit = self.boxes[i]
        if not _pools(unit) or len(read) != 1 or read[0] in self.pool or unit.inputs != read:
            return False
        before = self.boxes[read[0]]
        if before.input or before.family == "pool":
            return False
        others = [reader for reader in first[read[0]] if reader != i]
        return not others or not first[i] or min(first[i]) < min(others)

    def feeds_tokens(self, i: int) -> bool:
        """Whether what reads this unit takes its last axis for features."""
        return any(has_tokens(unit) for unit in self.boxes if i in unit.inputs)

    def carried(self, i: int, k: int) -> Carried:
        """What the volume ``i`` reads of the volume ``k``, one of those in ``reads[i]``."""
        return next(self._carried(i, k))

    def _carried(self, i: int, k: int) -> Iterator[Carried]:
        names = {name for row in self.boxes[i].rows for name in row.node.inputs}
        for j in self.boxes[i].inputs:
            unit = self.boxes[j]
            if j == k or j == self.pool.get(k):
                shapes = [row.shape for row in unit.rows if row.node.name in names]
                yield Carried(shapes[-1] if shapes else unit.shape, pooled=j != k)
            elif j not in self.reads:  # it is looked through
                yield from self._carried(j, k)


def _first_readers(boxes: Units) -> list[list[int]]:
    """The volumes that read each unit, itself for one that passes on and is read by none."""
    readers: list[list[int]] = [[] for _ in boxes]
    for i in range(len(boxes) - 1, -1, -1):
        ends = (readers[i] or [i]) if _passes(boxes[i]) else [i]
        first = min(ends)
        for j in boxes[i].inputs:
            readers[j].append(first)
    return readers


def _passes(unit: Unit) -> bool:
    return unit.main is not None and unit.main.node.layer.kind in PASSING


def _pools(unit: Unit) -> bool:
    """Whether it is pooling that leaves a map."""
    if unit.main is None or unit.family != "pool" or unit.main.node.layer.weighted:
        return False
    return unit.shape is not None and any(n > 1 for n in unit.shape[2:])
