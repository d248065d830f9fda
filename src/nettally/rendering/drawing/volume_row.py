"""One row of the style ``volumes``: the boxes of its stages, their numbers, the texts below."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import footnotes
from .crossings import Lines, ink_of
from .fitting import TURN, gap_before, slot_of
from .layer_words import short, size, spec, tails
from .model import Box, Drawing, Group, Label, Rect, extent
from .solids import FONT, SMALL, Solid, box_of, numbers, solid_of
from .text_metrics import ASCENT, LINE, clean, elide, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .footnotes import Note
    from .model import Item
    from .solids import Scale
    from .stages import Stage

MOST_NAME = 130.0
"""The widest name under a box; longer ones are shortened."""


class Text(NamedTuple):
    """Lines of text under the row, centred on ``x``, not above ``low``; marks of notes after."""

    x: float
    lines: tuple[str, ...]
    colour: str
    level: int
    marks: tuple[Note, ...] = ()
    bold: bool = False
    low: float = -1e9


class Row:
    """One row of stages as it is drawn.

    places: which of the stages stand in it. starts, ends: whether it is the first or last row.
    solids, pooled: the boxes of each stage. taken: where something stands already. crossing, edges:
    the lines between the boxes, and the boxes' own, that are not to go through a text.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        scale: Scale,
        places: Sequence[int],
        notes: Sequence[Note],
        starts: bool,
        ends: bool,
    ) -> None:
        self.stages, self.scale, self.places, self.notes = stages, scale, places, notes
        self.solids: dict[int, list[Solid]] = {}
        self.pooled: dict[int, list[Solid]] = {}
        self.shapes: list[Item] = []
        self.lines: list[Item] = []
        self.labels: list[Item] = []
        self.texts: list[Text] = []
        self.taken: list[Rect] = []
        self.crossing, self.edges = Lines(self.lines), Lines(self.shapes)
        self.right = 0.0
        self.first, self.last = starts, ends
        self._place_solids()

    def _place_solids(self) -> None:
        """Where each box stands: x from the left, y around 0."""
        members = [self.stages[i] for i in self.places]
        columns = max(len(stage.volumes) for stage in members)
        half = 0.0
        for stage in members:
            if len(stage.volumes) == columns:
                for volume in (*stage.volumes, *stage.pooled):
                    solid = solid_of(volume, self.scale, 0, 0)
                    half = max(half, (solid.h + solid.dy) / 2)
        pitch = 2 * half + 2.9 * FONT
        x = 0.0 if self.first else TURN
        for n, i in enumerate(self.places):
            stage = self.stages[i]
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
            if n + 1 < len(self.places):
                x += gap_before(self.stages[self.places[n + 1]], self.scale)
        self.right = x if self.last else x + TURN

    def drawing(self) -> Drawing:
        """The row as it stands, its upper left corner at 0, 0."""
        # a number keeps its place at its box; a line that goes through it is interrupted there
        inks = [ink_of(each) for each in self.labels if isinstance(each, Label)]
        gaps = [
            Box(
                ink.left - 1,
                ink.top - 1,
                ink.right - ink.left + 2,
                ink.bottom - ink.top + 2,
                "paper",
            )
            for ink in inks
            if self.crossing.cross(ink)
        ]
        items: list[Item] = [*self.shapes, *self.lines, *gaps, *self.labels]
        box = extent(items)
        part = Drawing(max(box.right, self.right), box.bottom - box.top, tuple(items))
        return part._replace(items=part.shifted(max(-box.left, 0), -box.top))

    def stage(self, i: int) -> None:
        """The boxes of one stage with their numbers; its name is kept for ``under``."""
        stage = self.stages[i]
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
        self.texts.append(Text(middle, (name,), "muted", 1, tuple(marks)))
        if stage.pool is not None and i in self.pooled and stage.pool.main is not None:
            at = self.pooled[i][0]
            layer = stage.pool.main.node.layer
            kind = short(layer).replace(" pool", " pooling")
            self.texts.append(Text(at.x + (at.w + at.dx) / 2, _pooling(kind), "ink", 0))

    def is_taken(self, label: Label) -> bool:
        """Whether something stands where the label would, or a line goes through it."""
        if any(label.box.overlaps(box) for box in self.taken):
            return True
        return self.crossing.cross(ink_of(label))

    def above(
        self, text: str, x: float, y: float, *, bold: bool = False, accent: bool = False
    ) -> None:
        """A label there, or higher up where something stands already."""
        label = Label(x, y, text, FONT, "middle", "accent.ink" if accent else "ink", bold)
        left, right = label.box.left, label.box.right
        taken = [box for box in self.taken if box.left < right and box.right > left]
        while any(label.box.overlaps(box) for box in taken) or self.edges.cross(ink_of(label)):
            label = label._replace(y=label.y - 2)
        self.labels.append(label)
        self.taken.append(label.box)

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
        bottoms = [s.y + s.h for s in solids if s.x < right and s.x + s.w + s.dx > left]
        bottoms += [box.bottom for box in self.taken if box.left < right and box.right > left]
        return max(bottoms, default=0.0)

    def place_text(self, text: Text, y: float | None) -> None:
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
