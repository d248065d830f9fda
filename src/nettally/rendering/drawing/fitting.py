"""How large ``volumes`` are drawn, and in how many rows, so that they fit the width."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .solids import Scale, numbers, solid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .stages import Stage

TALLEST = 190.0
"""The largest map's side, in pixels of the figure, at full size."""
LEAST = 0.2
"""How thin maps may get before a figure goes on in a second row."""
MARGIN = 12.0
MOST_WIDE = 1080.0
"""How wide a figure gets when nobody says."""
TURN = 22.0
"""The room of the arrow at a row's end, and at its beginning."""


class Slot(NamedTuple):
    """The room left of a stage's front face, and right of it; where its pooled map begins."""

    left: float
    right: float
    pooled_at: float


def _full_scale(stages: Sequence[Stage]) -> Scale:
    deep = [v for stage in stages for v in (*stage.volumes, *stage.pooled) if not v.flat]
    maps = [v for v in deep if not v.sequence]
    longest = max((v.height for v in deep if v.sequence), default=1)
    flats = [v for stage in stages for v in stage.volumes if v.flat]
    side = max((max(v.height, v.width) for v in maps), default=1)
    most = max((v.channels for v in deep), default=1)
    every = sum(stage.volumes[0].channels for stage in stages if not stage.volumes[0].flat)
    units = max((v.channels for v in flats), default=1)
    channels = min(72 / most, 520 / max(every, 1))
    return Scale(TALLEST / side, channels, 105 / units, (105 if maps else TALLEST) / longest)


def fitted(stages: Sequence[Stage], wide: float | None) -> tuple[Scale, list[list[int]]]:
    """The largest scale that fits the width, and the stages of each row."""
    full = _full_scale(stages)
    everything = [list(range(len(stages)))]
    natural = MOST_WIDE if not any(stage.skips for stage in stages) else 1.3 * MOST_WIDE
    room = (wide if wide is not None else natural) - 2 * MARGIN
    for step in range(100, int(LEAST * 100) - 1, -2):
        # the maps may be drawn thinner before they are drawn lower
        scale = _scaled(full, 0.5 + 0.5 * step / 100, step / 100)
        if _length(stages, scale, everything[0]) <= room:
            return scale, everything
    for count in range(2, len(stages) + 1):
        for step in range(100, 49, -5):
            scale = _scaled(full, step / 100, step / 100)
            rows = _broken(stages, scale, room, count)
            if rows is not None:
                return scale, rows
    return _scaled(full, 0.1, 0.1), [[i] for i in range(len(stages))]


def _scaled(full: Scale, space: float, channels: float) -> Scale:
    return Scale(
        full.space * space, full.channels * channels, full.units * space, full.positions * space
    )


def _broken(
    stages: Sequence[Stage], scale: Scale, room: float, count: int
) -> list[list[int]] | None:
    """At most ``count`` rows of about the same length; None where they do not fit."""
    share = _length(stages, scale, list(range(len(stages)))) / count
    rows: list[list[int]] = [[]]
    for i in range(len(stages)):
        tried = [*rows[-1], i]
        long = _length(stages, scale, tried) + 2 * TURN
        if rows[-1] and (long > room or (long > share * 1.12 + TURN and len(rows) < count)):
            rows.append([i])
        elif long > room:
            return None
        else:
            rows[-1] = tried
    return rows if len(rows) <= count else None


def _length(stages: Sequence[Stage], scale: Scale, row: Sequence[int]) -> float:
    total = 0.0
    slots: dict[tuple[object, ...], Slot] = {}  # many stages are alike
    for n, i in enumerate(row):
        key = (stages[i].volumes, stages[i].pooled)
        slot = slots.get(key)
        if slot is None:
            slot = slots[key] = slot_of(stages[i], scale)
        total += slot.left + slot.right
        if n + 1 < len(row):
            total += gap_before(stages[row[n + 1]], scale)
    return total


def gap_before(after: Stage, scale: Scale) -> float:
    """The space before a stage, in pixels: wider where a window is drawn in it."""
    if after.window is not None or (after.family == "linear" and after.volumes[0].flat):
        along = scale.positions if after.volumes[0].sequence else scale.space
        return 15 + min(16, along * 12)
    return 17


def slot_of(stage: Stage, scale: Scale) -> Slot:
    """How much room a stage takes to the left and to the right of its place."""
    left = right = pooled_at = 0.0
    for place, volume in enumerate(stage.volumes):
        solid = solid_of(volume, scale, 0, 0)
        boxes = [label.box for upper in (True, False) for label in numbers(volume, solid, upper)]
        left = max(left, *(-box.left for box in boxes))
        edge = max(solid.w + solid.dx, *(box.right for box in boxes))
        if stage.pooled:
            pooled = solid_of(stage.pooled[place], scale, 0, 0)
            pooled_at = max(pooled_at, edge + 3)
            edge = pooled_at + pooled.w + pooled.dx
        right = max(right, edge)
    return Slot(left, right, pooled_at)
