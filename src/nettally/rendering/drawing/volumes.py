"""The style of AlexNet's figure 2: each layer's output as a box to scale, in axonometric view.

Height and width of all boxes have one scale, their channels (along the horizontal edge) another,
and the bars of fully connected layers a third. A convolution's window is drawn on the map that it
slides over, with lines to the one unit that it makes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from . import footnotes
from .fitting import MARGIN, TURN, fitted, gap_before, slot_of
from .layer_words import short, size, times
from .model import Box, Drawing, Group, Label, Path, Rect, arrow_head, line, polygon
from .solids import (
    ACROSS,
    FONT,
    SMALL,
    UP,
    Scale,
    Solid,
    box_of,
    closed,
    edge_labels,
    legend,
    number_of,
    numbers,
    solid_of,
    window_on,
)
from .stages import Stage, Volume, stages_of
from .text_metrics import ASCENT, LINE, clean, elide, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.tally import Tally
    from .footnotes import Note
    from .model import Item, Point, Step

MOST_STAGES = 26
MOST_NAME = 130.0
MOST_EXITS = 4


def draw(tally: Tally, wide: float | None, depth: int | None, notes: Sequence[Note]) -> Drawing:
    """The figure, no wider than ``wide`` where that is given."""
    found = stages_of(tally, MOST_STAGES, depth)
    scale, rows = fitted(found, wide)
    return _Row.all(found, scale, rows, notes)


class _Text(NamedTuple):
    """Lines of text under the row, centred on ``x``, not above ``low``; marks of notes after."""

    x: float
    lines: tuple[str, ...]
    colour: str
    level: int
    marks: tuple[Note, ...] = ()
    bold: bool = False
    low: float = -1e9


class _Row:
    """One row of stages, drawn."""

    def __init__(
        self,
        found: Sequence[Stage],
        scale: Scale,
        row: Sequence[int],
        notes: Sequence[Note],
        starts: bool,
        ends: bool,
    ) -> None:
        self.found, self.scale, self.row, self.notes = found, scale, row, notes
        self.solids: dict[int, list[Solid]] = {}
        self.pooled: dict[int, list[Solid]] = {}
        self.shapes: list[Item] = []
        self.lines: list[Item] = []
        self.labels: list[Item] = []
        self.texts: list[_Text] = []
        self.taken: list[Rect] = []
        self.right = 0.0
        self.first, self.last = starts, ends
        self.place()

    @classmethod
    def all(
        cls, found: Sequence[Stage], scale: Scale, rows: list[list[int]], notes: Sequence[Note]
    ) -> Drawing:
        """All the rows, one under the other."""
        made = [
            cls(found, scale, row, notes, n == 0, n + 1 == len(rows)) for n, row in enumerate(rows)
        ]
        tags = _Tags(found, rows)
        items: list[Item] = []
        y = MARGIN
        wide = 0.0
        for row in made:
            row.draw(tags)
            part = row.drawing()
            items += part.shifted(MARGIN, y)
            wide = max(wide, part.width)
            y += part.height + 14
        key = legend(found, scale)
        wide = max(wide, key.width)
        items += key.shifted(MARGIN, y - 4)
        y += key.height
        return Drawing(wide + 2 * MARGIN, y + MARGIN - 4, tuple(items))

    def place(self) -> None:
        """Where each box stands: x from the left, y around 0."""
        stages = [self.found[i] for i in self.row]
        columns = max(len(stage.volumes) for stage in stages)
        half = 0.0
        for stage in stages:
            if len(stage.volumes) == columns:
                for volume in (*stage.volumes, *stage.pooled):
                    solid = solid_of(volume, self.scale, 0, 0)
                    half = max(half, (solid.h + solid.dy) / 2)
        pitch = 2 * half + 2.9 * FONT
        x = 0.0 if self.first else TURN
        for n, i in enumerate(self.row):
            stage = self.found[i]
            slot = slot_of(stage, self.scale)
            x += slot.left
            count = len(stage.volumes)
            middles = [(c - (count - 1) / 2) * pitch for c in range(count)]
            if 1 < count < columns:
                middles = [middle * (columns - 1) / (count - 1) for middle in middles]
            self.solids[i] = [
                solid_of(v, self.scale, x, m) for v, m in zip(stage.volumes, middles, strict=True)
            ]
            if stage.pooled:
                self.pooled[i] = [
                    solid_of(v, self.scale, x + slot.pooled_at, m)
                    for v, m in zip(stage.pooled, middles, strict=True)
                ]
            x += slot.right
            if n + 1 < len(self.row):
                x += gap_before(self.found[self.row[n + 1]], self.scale)
        self.right = x if self.last else x + TURN

    def draw(self, tags: _Tags) -> None:
        for i in self.row:  # all sizes first: what stands between makes room for them
            self.stage(i)
        for before, after in pairwise(self.row):
            self.connection(before, after)
        if not self.first:
            self.turn(self.row[0], into=True)
        if not self.last:
            self.turn(self.row[-1], into=False)
        self.skips(tags)
        for i in self.row:
            self.exits(i)
        self.under()

    def drawing(self) -> Drawing:
        from .model import extent

        items: list[Item] = [*self.shapes, *self.lines, *self.labels]
        box = extent(items)
        part = Drawing(max(box.right, self.right), box.bottom - box.top, tuple(items))
        return part._replace(items=part.shifted(max(-box.left, 0), -box.top))

    # -- one stage --

    def stage(self, i: int) -> None:
        stage = self.found[i]
        shapes: list[Item] = []
        for column, (volume, solid) in enumerate(zip(stage.volumes, self.solids[i], strict=True)):
            shapes += box_of(solid, stage.family, known=volume.known)
            if i in self.pooled:
                shapes += box_of(self.pooled[i][column], "pool")
            for label in numbers(volume, solid, 2 * column + 1 < len(stage.volumes)):
                self.labels.append(label)
                self.taken.append(label.box)
        self.shapes.append(Group(_tooltip(stage), tuple(shapes)))
        first = self.solids[i][0]
        if stage.times > 1:
            x = first.x + first.w / 2 + first.dx
            self.above(f"×{stage.times}", x, first.y - first.dy - 3, bold=True)
        marks: dict[Note, None] = {}
        for unit in (*stage.units, *([stage.pool] if stage.pool else [])):
            marks.update(dict.fromkeys(footnotes.of_unit(self.notes, unit)))
        middle = first.x + (first.w + first.dx) / 2 if not first.flat else first.x + first.w / 2
        name = elide(clean(_name(stage)), MOST_NAME, SMALL)
        self.texts.append(_Text(middle, (name,), "muted", 1, tuple(marks)))
        if stage.pool is not None and i in self.pooled and stage.pool.main is not None:
            at = self.pooled[i][0]
            layer = stage.pool.main.node.layer
            kind = short(layer).replace(" pool", " pooling")
            self.texts.append(_Text(at.x + (at.w + at.dx) / 2, _pooling(kind), "ink", 0))

    def above(
        self, text: str, x: float, y: float, *, bold: bool = False, accent: bool = False
    ) -> None:
        """A label there, or higher up where something stands already."""
        made = Label(x, y, text, FONT, "middle", "accent" if accent else "ink", bold)
        while any(made.box.overlaps(other) for other in self.taken):
            made = made._replace(y=made.y - 2)
        self.labels.append(made)
        self.taken.append(made.box)

    # -- between stages --

    def connection(self, before: int, after: int) -> None:
        stage = self.found[after]
        if not stage.reads or not any(stage.reads):
            return
        sources = self.pooled.get(before) or self.solids[before]
        volumes = self.found[before].pooled or self.found[before].volumes
        targets = self.solids[after]
        # a linear layer over positions reads each by itself, and not the whole map
        dense = stage.family == "linear" and all(target.flat for target in targets)
        if stage.window is None and not dense:
            for target, read in zip(targets, stage.reads, strict=True):
                for column in read:
                    self.arrow(sources[column], target)
            return
        for c, (target, read) in enumerate(zip(targets, stage.reads, strict=True)):
            unit = target.on_left(0.5, 0.5)
            if target.flat:
                unit = (target.x, target.y + target.h / 2)
            for column in read:
                source, volume = sources[column], volumes[column]
                if dense or source.flat or stage.window is None:
                    self.dense(source, unit)
                    continue
                spread = len(targets) > 1 and len(sources) == 1
                v = (c + 1) / (len(targets) + 1) if spread else 0.5
                self.window(source, volume, stage.window, v, unit)
            self.unit(target, stage.volumes[c], unit)
        x = (max(s.x + s.w + s.dx for s in sources) + targets[0].x) / 2
        if dense:
            low = max(solid.y + solid.h for solid in targets)
            self.texts.append(_Text(x, ("dense",), "ink", 0, low=low + LINE * FONT))
        elif stage.window is not None:
            self.kernel(sources, volumes, stage, len(targets))
            steps = set(stage.stride)
            if steps and steps != {1}:
                by = number_of(stage.stride[0]) if len(steps) == 1 else times(stage.stride)
                self.texts.append(_Text(x, ("stride", f"of {by}"), "ink", 0))

    def arrow(self, source: Solid, target: Solid) -> None:
        start = source.on_right(0.5, 0.5)
        end = target.on_left(0.5, 0.5)
        tip = (target.x - 2, end[1])
        begin = (source.x + source.w + source.dx + 2, start[1])
        if tip[0] - begin[0] < 4:
            begin = (tip[0] - 6, begin[1])
        self.lines += [line([begin, tip]), arrow_head(tip, (1, 0))]

    def dense(self, source: Solid, unit: Point) -> None:
        ends = [source.on_right(1 if source.dx else 0, 0), source.on_right(0, 1)]
        self.lines += [line([end, unit], "accent", 0.5, dash=(2, 1.6)) for end in ends]

    def window(
        self, source: Solid, volume: Volume, kernel: tuple[int, int], v: float, unit: Point
    ) -> None:
        """The window on the right face, through all channels, and its lines to the unit."""
        corners = window_on(source, volume, kernel, v)
        made: list[Item] = []
        if source.w > 4:
            back = [(x - source.w, y) for x, y in corners]
            made.append(Path(closed(back), stroke="accent", width=0.4))
            made += [line([a, b], "accent", 0.4) for a, b in zip(back, corners, strict=True)]
        made.append(Path(closed(corners), fill="accent.fill", stroke="accent", width=0.8))
        made += [line([corner, unit], "accent", 0.5, dash=(2, 1.6)) for corner in corners]
        self.lines += made

    def unit(self, target: Solid, volume: Volume, at: Point) -> None:
        """The one output unit, to scale, but never too small to be seen."""
        x, y = at
        if target.flat:
            self.lines.append(Box(x, y - 1.2, target.w, 2.4, fill="accent"))
            return
        high = max(self.scale.space, 1.8)
        dx, dy = high * ACROSS, high * UP
        corners = [(x - dx / 2, y - high / 2 + dy / 2), (x + dx / 2, y - high / 2 - dy / 2)]
        corners += [(x + dx / 2, y + high / 2 - dy / 2), (x - dx / 2, y + high / 2 + dy / 2)]
        self.lines.append(polygon(corners, "accent", "accent", width=0.8))

    def kernel(
        self, sources: list[Solid], volumes: Sequence[Volume], stage: Stage, targets: int
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
                made = Label(x, under, stage.kernel, FONT, "middle", "accent")
                while any(made.box.overlaps(box) for box in self.taken):
                    made = made._replace(y=made.y + 2)
                self.labels.append(made)
                self.taken.append(made.box)
                continue
            places = [(k + 1) / (targets + 1) for k in range(targets)] if spread else [0.5]
            found = [
                label
                for v in places
                for label in edge_labels(window_on(source, volume, stage.window, v), high, wide)
            ]
            free = all(not label.box.overlaps(box) for label in found for box in self.taken)
            if free and not stage.dilated and source.dx > 3.2 * FONT and source.h > 6 * FONT:
                self.labels += found
                self.taken += [label.box for label in found]
            else:
                x, y = source.on_right(0.5, 0)
                self.above(stage.kernel, x, y - source.dy / 2 - 3, accent=True)

    def turn(self, i: int, *, into: bool) -> None:
        """The arrow at a row's end or beginning."""
        for solid in self.solids[i] if into else (self.pooled.get(i) or self.solids[i]):
            y = solid.on_right(0.5, 0.5)[1]
            if into:
                left = solid.x - slot_of(self.found[i], self.scale).left
                begin, tip = (left - TURN + 4, y), (left - 3, y)
            else:
                begin = (solid.x + solid.w + solid.dx + 3, y)
                tip = (self.right, y)
            self.lines += [line([begin, tip]), arrow_head(tip, (1, 0))]

    def skips(self, tags: _Tags) -> None:
        """Arcs over the row from where a skip leaves to where it comes in; letters across rows."""
        inside = set(self.row)
        arcs = [(j, i) for i in self.row for j in self.found[i].skips if j in inside]
        arcs.sort(key=lambda arc: arc[1] - arc[0])
        levels: list[tuple[int, int, float]] = []
        for j, i in arcs:
            spanned = [k for k in self.row if j <= k <= i]
            top = min(s.y - s.dy for k in spanned for s in self.solids[k])
            top = min([top, *(box.top for box in self._labels_between(j, i))]) - 7
            for a, b, level in levels:
                if a < i and j < b:
                    top = min(top, level - 6)
            levels.append((j, i, top))
            self.arc(self.solids[j][0], self.solids[i][0], top)
        for name, source, target in tags.across:
            if source in inside:
                self.tag(self.solids[source][0], name, leaves=True)
            if target in inside:
                self.tag(self.solids[target][0], name, leaves=False)

    def exits(self, i: int) -> None:
        """The names of side branches, over what they read."""
        names = [elide(clean(name), MOST_NAME / 2, FONT) for name in self.found[i].exits]
        if len(names) > MOST_EXITS:
            names = [*names[: MOST_EXITS - 1], f"{len(names) - MOST_EXITS + 1} more"]
        for n, name in enumerate(names):
            if not n:
                self.tag(self.solids[i][0], name, leaves=True)
                continue
            x = self.solids[i][0].on_left(0.65, 0)[0] + self.solids[i][0].w / 2
            self.above(name, x, self.taken[-1].top - 2)

    def _labels_between(self, j: int, i: int) -> list[Rect]:
        left = self.solids[j][0].x
        right = self.solids[i][0].x + self.solids[i][0].w
        return [box for box in self.taken if box.right > left and box.left < right]

    def arc(self, source: Solid, target: Solid, top: float) -> None:
        x1, y1 = source.x + source.w / 2 + source.dx * 0.65, source.y - source.dy * 0.65
        x2, y2 = target.x + target.w / 2 + target.dx * 0.35, target.y - target.dy * 0.35
        r = min(5.0, abs(x2 - x1) / 2)
        steps: list[Step] = [("M", (x1, y1)), ("L", (x1, top + r))]
        steps += [("C", (x1, top, x1, top, x1 + r, top)), ("L", (x2 - r, top))]
        steps += [("C", (x2, top, x2, top, x2, top + r)), ("L", (x2, y2 - 1))]
        self.lines.append(Path(tuple(steps), stroke="merge.stroke", width=0.9))
        self.lines.append(arrow_head((x2, y2), (0, 1), fill="merge.stroke"))

    def tag(self, solid: Solid, name: str, *, leaves: bool) -> None:
        share = 0.65 if leaves else 0.35
        x, y = solid.x + solid.w / 2 + solid.dx * share, solid.y - solid.dy * share
        top = min(
            [y - 12, *(box.top - 2 for box in self.taken if box.left - 6 < x < box.right + 6)]
        )
        self.lines.append(line([(x, y), (x, top)], "merge.stroke", 0.9))
        if not leaves:
            self.lines.append(arrow_head((x, y), (0, 1), fill="merge.stroke"))
        self.above(name, x, top - 2)

    # -- under the row --

    def under(self) -> None:
        """The texts under the boxes: of what lies between them first, then a row of names."""
        y = self.floor(0, self.right)
        for level in (0, 1):
            for text in sorted((t for t in self.texts if t.level == level), key=lambda t: t.x):
                self.place_text(text, y + 5 if level else None)
            y = self.floor(0, self.right)

    def floor(self, left: float, right: float) -> float:
        """The lowest point of what stands between two places."""
        solids = [s for row in (*self.solids.values(), *self.pooled.values()) for s in row]
        found = [s.y + s.h for s in solids if s.x < right and s.x + s.w + s.dx > left]
        found += [box.bottom for box in self.taken if box.left < right and box.right > left]
        return max(found, default=0.0)

    def place_text(self, text: _Text, y: float | None) -> None:
        """Below what stands there, or from ``y`` down where nothing stands."""
        marks = footnotes.MARK * len(text.marks)
        wide = max(width(part, SMALL, text.bold) for part in text.lines) + marks
        left = max(min(text.x - wide / 2, self.right - wide), 0.0)
        high = len(text.lines) * LINE * SMALL
        top = max(self.floor(left - 2, left + wide + 2), text.low) + 2 if y is None else y
        room = Rect(left - 2, top, left + wide + 2, top + high)
        while any(room.overlaps(box) for box in self.taken):
            top += 2
            room = Rect(room.left, top, room.right, top + high)
        self.taken.append(room)
        base = top + ASCENT * SMALL
        middle = left + (wide - marks) / 2
        for k, part in enumerate(text.lines):
            at = base + k * LINE * SMALL
            self.labels.append(Label(middle, at, part, SMALL, "middle", text.colour, text.bold))
        for k, note in enumerate(text.marks):
            x = left + wide - footnotes.MARK * (len(text.marks) - k) + 7.5
            self.labels += footnotes.mark(note, x, base - SMALL * 0.34)


class _Tags:
    """Letters for the skips that go from one row to another."""

    def __init__(self, found: Sequence[Stage], rows: list[list[int]]) -> None:
        home = {i: n for n, row in enumerate(rows) for i in row}
        self.across: list[tuple[str, int, int]] = []
        for i, stage in enumerate(found):
            for j in stage.skips:
                if home[i] != home[j]:
                    self.across.append((_letter(len(self.across)), j, i))


def _letter(n: int) -> str:
    return (_letter(n // 26 - 1) if n >= 26 else "") + chr(ord("a") + n % 26)


def _pooling(kind: str) -> tuple[str, ...]:
    head, _, tail = kind.partition(" ")
    return (head, tail) if tail else (head,)


def _name(stage: Stage) -> str:
    unit = stage.units[0]
    if len(stage.units) == 1 and unit.last != unit.name:
        return f"{unit.name} – {unit.last}"
    return stage.name


def _tooltip(stage: Stage) -> str:
    """What a pointer at rest shows."""
    from .layer_words import spec, tails

    unit = stage.units[0]
    parts = [clean(_name(stage))]
    if unit.main is not None:
        parts.append(spec(unit.main))
    elif unit.module:
        parts.append(f"{len(unit.rows)} layers")
    if unit.tails:
        parts.append(tails(unit.tails))
    parts.append(size(unit.shape))
    return clean("; ".join(part for part in parts if part))
