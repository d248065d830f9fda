"""What stands between the boxes of the style ``volumes``: windows, their lines, arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fitting import TURN, slot_of
from .layer_words import times
from .model import Box, Label, Path, arrow_head, line, polygon
from .solids import ACROSS, FONT, UP, closed, edge_labels, number_of, window_on
from .text_metrics import ASCENT, LINE
from .volume_row import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Item, Point
    from .solids import Solid
    from .stages import Stage
    from .unit_volume import Volume
    from .volume_row import Row


def connect(row: Row, before: int, after: int) -> None:
    """What joins two stages: lines from a window to the unit that it makes, or an arrow."""
    stage = row.stages[after]
    if not stage.reads or not any(stage.reads):
        return
    pools = stage.pools and before in row.pooled
    sources = row.pooled[before] if pools else row.solids[before]
    volumes = row.stages[before].pooled if pools else row.stages[before].volumes
    targets = row.solids[after]
    # a linear layer over positions reads each by itself, and not the whole map
    dense = stage.family == "linear" and all(target.flat for target in targets)
    if stage.window is None and not dense:
        for target, read in zip(targets, stage.reads, strict=True):
            for column in read:
                _arrow(row, sources[column], target)
        if stage.carried:
            x = (sources[0].x + sources[0].w + sources[0].dx + targets[0].x) / 2
            row.above(stage.carried, x, min(s.y - s.dy for s in (sources[0], targets[0])) - 3)
        return
    for c, (target, read) in enumerate(zip(targets, stage.reads, strict=True)):
        unit = target.on_left(0.5, 0.5)
        if target.flat:
            unit = (target.x, target.y + target.h / 2)
        for column in read:
            source, volume = sources[column], volumes[column]
            if dense or source.flat or stage.window is None:
                _dense_lines(row, source, unit)
                continue
            spread = len(targets) > 1 and len(sources) == 1
            v = (c + 1) / (len(targets) + 1) if spread else 0.5
            _window(row, source, volume, stage.window, v, unit)
        _output_unit(row, target, stage.volumes[c], unit)
    x = (max(s.x + s.w + s.dx for s in sources) + targets[0].x) / 2
    if dense:
        low = max(solid.y + solid.h for solid in targets)
        row.texts.append(Text(x, ("dense",), "ink", 0, low=low + LINE * FONT))
    elif stage.window is not None:
        _kernel_size(row, sources, volumes, stage, len(targets))
        steps = set(stage.stride)
        if steps and steps != {1}:
            by = number_of(stage.stride[0]) if len(steps) == 1 else times(stage.stride)
            row.texts.append(Text(x, ("stride", f"of {by}"), "ink", 0))


def _arrow(row: Row, source: Solid, target: Solid) -> None:
    start = source.on_right(0.5, 0.5)
    end = target.on_left(0.5, 0.5)
    tip = (target.x - 2, end[1])
    begin = (source.x + source.w + source.dx + 2, start[1])
    if tip[0] - begin[0] < 4:
        begin = (tip[0] - 6, begin[1])
    row.lines += [line([begin, tip]), arrow_head(tip, (1, 0))]


def _dense_lines(row: Row, source: Solid, unit: Point) -> None:
    ends = [source.on_right(1 if source.dx else 0, 0), source.on_right(0, 1)]
    row.lines += [line([end, unit], "accent", 0.5, dash=(2, 1.6)) for end in ends]


def _window(
    row: Row, source: Solid, volume: Volume, kernel: tuple[int, int], v: float, unit: Point
) -> None:
    """The window on the right face, through all channels, and its lines to the unit."""
    corners = window_on(source, volume, kernel, v)
    items: list[Item] = []
    if source.w > 4:
        back = [(x - source.w, y) for x, y in corners]
        items.append(Path(closed(back), stroke="accent", width=0.4))
        items += [line([a, b], "accent", 0.4) for a, b in zip(back, corners, strict=True)]
    items.append(Path(closed(corners), fill="accent.fill", stroke="accent", width=0.8))
    items += [line([corner, unit], "accent", 0.5, dash=(2, 1.6)) for corner in corners]
    row.lines += items


def _output_unit(row: Row, target: Solid, volume: Volume, at: Point) -> None:
    """The one output unit, to scale, but never too small to be seen."""
    x, y = at
    if target.flat:
        row.lines.append(Box(x, y - 1.2, target.w, 2.4, fill="accent"))
        return
    high = max(row.scale.positions if volume.sequence else row.scale.space, 1.8)
    dx, dy = high * ACROSS, high * UP
    corners = [(x - dx / 2, y - high / 2 + dy / 2), (x + dx / 2, y - high / 2 - dy / 2)]
    corners += [(x + dx / 2, y + high / 2 - dy / 2), (x - dx / 2, y + high / 2 + dy / 2)]
    row.lines.append(polygon(corners, "accent", "accent", width=0.8))


def _kernel_size(
    row: Row, sources: list[Solid], volumes: Sequence[Volume], stage: Stage, targets: int
) -> None:
    """The window's size: a number at each of its edges where there is room, else above."""
    assert stage.window is not None
    high, wide = stage.window
    crossed = any(len(read) > 1 for read in stage.reads)
    spread = targets > 1 and len(sources) == 1
    for c, (source, volume) in enumerate(zip(sources, volumes, strict=True)):
        if crossed and 2 * c + 1 > len(sources):  # lines go up from here
            x, y = source.on_right(0.5, 1)
            under = y + source.dy / 2 + ASCENT * FONT + 1
            number = Label(x, under, stage.kernel, FONT, "middle", "accent.ink")
            while any(number.box.overlaps(box) for box in row.taken):
                number = number._replace(y=number.y + 2)
            row.labels.append(number)
            row.taken.append(number.box)
            continue
        places = [(k + 1) / (targets + 1) for k in range(targets)] if spread else [0.5]
        edges = [
            label
            for v in places
            for label in edge_labels(window_on(source, volume, stage.window, v), high, wide)
        ]
        free = not any(row.is_taken(label) for label in edges)
        if free and not stage.dilated and source.dx > 3.2 * FONT and source.h > 6 * FONT:
            row.labels += edges
            row.taken += [label.box for label in edges]
        else:
            x, y = source.on_right(0.5, 0)
            row.above(stage.kernel, x, y - source.dy / 2 - 3, accent=True)


def turn(row: Row, i: int, *, into: bool) -> None:
    """The arrow at a row's end or beginning."""
    for solid in row.solids[i] if into else (row.pooled.get(i) or row.solids[i]):
        y = solid.on_right(0.5, 0.5)[1]
        if into:
            left = solid.x - slot_of(row.stages[i], row.scale).left
            begin, tip = (left - TURN + 4, y), (left - 3, y)
        else:
            begin = (solid.x + solid.w + solid.dx + 3, y)
            tip = (row.right, y)
        row.lines += [line([begin, tip]), arrow_head(tip, (1, 0))]
