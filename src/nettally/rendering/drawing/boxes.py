"""The boxes of the style ``blocks``: what stands in each, and how large it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import footnotes
from .layer_words import filters, short, size, spec, stride_text, tails
from .model import Box, Dot, Group, Label
from .text_metrics import ASCENT, DESCENT, LINE, clean, elide, width
from .unit_volume import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.rows import Row
    from .footnotes import Note
    from .model import Item
    from .units import Unit, Units

FONT = 9.5
SMALL = 8.5
PAD = 7.0
MOST = 132.0
MOST_SPEC = 172.0
"""The widest name in a box, and the widest words for a layer; longer ones are shortened."""
CIRCLE = 8.0
IN = " "
"""The sign of the place where a module's input comes in: a dot."""
SIGNS = {"add": "+", "multiply": "×", "subtract": "−"}


class TextLine(NamedTuple):
    text: str
    size: float
    colour: str = "ink"
    bold: bool = False
    after: float = 0.0
    """Room after the text, for marks."""


class Content(NamedTuple):
    """What a box shows, and its size. badge: the letter of the inset that opens it."""

    unit: Unit
    lines: tuple[TextLine, ...]
    w: float
    h: float
    sign: str = ""
    badge: str = ""
    marks: tuple[Note, ...] = ()


def content(
    unit: Unit,
    before: Sequence[Unit],
    notes: Sequence[Note],
    badge: str = "",
    alike: Sequence[Unit] = (),
    sized: bool = True,
    within: Sequence[str] = (),
) -> Content:
    """What stands in the unit's box.

    before: the units that it reads. alike: the same unit in the other modules that are built
    alike; a size that differs among them is shown as a range, or not at all. sized: with the
    output's size where it differs from the input's. within: the sizes of what else is read of it.
    """
    marks = footnotes.of_unit(notes, unit)
    room = footnotes.MARK * len(marks)
    main = unit.main
    sign = SIGNS.get(main.node.layer.kind, "") if main is not None and unit.times == 1 else ""
    if sign and not marks:
        after = tails(unit.tails)
        if not after:
            return Content(unit, (), 2 * CIRCLE, 2 * CIRCLE, sign=sign)
        after_line = TextLine(elide(after, MOST, SMALL), SMALL, "muted")
        return _sized(Content(unit, (TextLine(sign, FONT, bold=True), after_line), 0, 0, "", badge))
    name = unit.name if unit.last == unit.name else f"{unit.name} – {unit.last}"
    if alike:
        name = name.rpartition(".")[2]
    lines: list[TextLine] = []
    repeat = f" ×{unit.times}" if unit.times > 1 else ""
    if main is None:
        bold = not unit.input
        shown = elide(clean(name), MOST, FONT, bold)
        lines.append(TextLine(shown + repeat, FONT, bold=bold, after=room + (15 if badge else 0)))
        if unit.input or sized:
            lines += [TextLine(each, SMALL, "muted") for each in (size_of(unit), *within)]
    else:
        if unit.leads:
            lines.append(TextLine(elide(tails(unit.leads), MOST, SMALL), SMALL, "muted"))
        words = elide(clean(_spec(unit, alike)), MOST_SPEC, FONT)
        lines.append(TextLine(words + repeat, FONT, bold=False))
        if unit.tails and tails(unit.tails):
            lines.append(TextLine(elide(tails(unit.tails), MOST, SMALL), SMALL, "muted"))
        if not alike or marks:
            shown = elide(clean(name), MOST, SMALL)
            lines.insert(0, TextLine(shown, SMALL, "muted", after=room))
        if unit.shape is None:
            lines.append(TextLine("size not known", SMALL, "muted"))
        elif sized and not alike and _resized(unit, before):
            lines.append(TextLine(size_of(unit), SMALL, "muted"))
    return _sized(Content(unit, tuple(lines), 0, 0, "", badge, marks))


def _sized(box: Content) -> Content:
    wide = max(width(line.text, line.size, line.bold) + line.after for line in box.lines)
    high = sum(LINE * line.size for line in box.lines)
    return box._replace(w=wide + 2 * PAD, h=high + PAD + 2)


def narrowed(box: Content) -> Content:
    """The same with what the layer is on two lines: ``2×2 up-conv,`` and ``512, ×2``."""
    if box.unit.main is None or box.sign:
        return box
    lines: list[TextLine] = []
    for line in box.lines:
        head, comma, tail = line.text.partition(", ")
        if comma and line.size == FONT and not line.after and width(line.text, FONT) > 86:
            lines += [line._replace(text=head + ","), line._replace(text=tail)]
        else:
            lines.append(line)
    return _sized(box._replace(lines=tuple(lines)))


MOST_WITHIN = 3
"""The further sizes that a box shows."""


def read_within(boxes: Units) -> list[tuple[str, ...]]:
    """The sizes of what is read of each unit and is not its output: ``and 256×76×76``."""
    home = {row.node.name: i for i, unit in enumerate(boxes) for row in unit.rows}
    names: list[dict[str, None]] = [{} for _ in boxes]
    for i, unit in enumerate(boxes):
        for row in unit.rows:
            for name in row.node.inputs:
                if home.get(name, i) != i:
                    names[home[name]][name] = None
    sizes: list[tuple[str, ...]] = []
    for unit, read in zip(boxes, names, strict=True):
        shapes = [row.shape for row in unit.rows if row.node.name in read]
        texts = dict.fromkeys(f"and {size(shape)}" for shape in shapes if shape != unit.shape)
        sizes.append(tuple(texts)[:MOST_WITHIN] if unit.module else ())
    return sizes


def _resized(unit: Unit, before: Sequence[Unit]) -> bool:
    """Whether the output's height and width differ from the input's."""
    if unit.shape is None or unit.family == "linear":
        return False
    return not before or before[0].shape is None or before[0].shape[2:] != unit.shape[2:]


def _spec(unit: Unit, alike: Sequence[Unit]) -> str:
    assert unit.main is not None
    main_spec = spec(unit.main)
    mains = [other.main for other in alike if other.main is not None]
    if all(spec(row) == main_spec for row in mains):
        return main_spec
    counts = [n for n in map(filters, mains) if n is not None]
    filters_text = ""
    if counts:
        least, most = min(counts), max(counts)
        filters_text = str(least) if least == most else f"{least}–{most}"
    text = spec(unit.main, filters_text)
    slash = stride_text(unit.main.node.layer, ", /")
    if slash and any(stride_text(row.node.layer, ", /") != slash for row in mains):
        text = text.replace(slash, "")
    return text


def drawn(box: Content, x: float, y: float) -> Group:
    """The box with its middle there."""
    unit = box.unit
    family = unit.family
    items: list[Item] = []
    if box.sign == IN:
        return Group("", (Dot(x, y, 3.0, "line"),))
    if box.sign:
        items.append(Dot(x, y, CIRCLE, f"{family}.fill", f"{family}.stroke"))
        items.append(Label(x, y + FONT * 0.35, box.sign, FONT, "middle", bold=True))
        return Group(tooltip(unit), tuple(items))
    left, top = x - box.w / 2, y - box.h / 2
    stroke = f"{family}.stroke"
    if unit.times > 1:
        items += [
            Box(left + back, top - back, box.w, box.h, f"{family}.fill", stroke, 0.7, 2.5)
            for back in (5.0, 2.5)
        ]
    dash = (2.5, 2.0) if unit.shape is None else ()
    items.append(Box(left, top, box.w, box.h, f"{family}.fill", stroke, 0.8, 2.5, dash))
    base = top + PAD / 2 + 1
    for n, line in enumerate(box.lines):
        middle = x - line.after / 2
        at = base + ASCENT * line.size + (LINE - ASCENT - DESCENT) / 2 * line.size
        items.append(Label(middle, at, line.text, line.size, "middle", line.colour, line.bold))
        if line.after and (n == 0 or len(box.lines) == 1):
            end = middle + width(line.text, line.size, line.bold) / 2
            items += _extras(box, end + 2.5, at - line.size * 0.34)
        base += LINE * line.size
    return Group(tooltip(unit), tuple(items))


def _extras(box: Content, x: float, y: float) -> list[Item]:
    """The badge and the marks after a box's name."""
    items: list[Item] = []
    if box.badge and box.unit.main is None:
        items.append(badge(box.badge, x + 6, y))
        x += 15
    for note in box.marks:
        items += footnotes.mark(note, x + 6, y)
        x += footnotes.MARK
    return items


def badge(letter: str, x: float, y: float) -> Group:
    """A letter in a ring: here, and at the inset that it leads to."""
    ring = Dot(x, y, 5.6, "paper", "module.stroke", 0.8)
    return Group("", (ring, Label(x, y + 2.6, letter, 7.5, "middle", "module.stroke", bold=True)))


def tooltip(unit: Unit) -> str:
    """What a pointer at rest shows: names, layers, size."""
    name = unit.name if unit.last == unit.name else f"{unit.name} to {unit.last}"
    parts = [name]
    if unit.main is not None:
        parts.append(spec(unit.main))
        parts += [tails(rows) for rows in (unit.leads, unit.tails) if rows]
    elif unit.rows:
        parts.append(f"{len(unit.rows):,} layers: " + _kinds(unit.rows))
    if unit.times > 1:
        parts.append(f"{unit.times} times")
    parts.append(size_of(unit) if unit.shape is not None else "size not known")
    return clean("; ".join(part for part in parts if part))


def _kinds(rows: Sequence[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        name = short(row.node.layer)
        counts[name] = counts.get(name, 0) + 1
    listed = sorted(counts.items(), key=lambda each: -each[1])[:5]
    return ", ".join(f"{count} {name}" for name, count in listed)
