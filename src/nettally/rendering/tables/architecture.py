"""The network as authors print it: ``conv3-256 ×3``, one line for what is repeated.

What stands with a layer (its normalisation, its activation, a dropout) is counted in that layer's
line; layers alike that follow one another share a line, and so do blocks alike, in brackets, as
in table 1 of the residual networks' paper. The first of a row of blocks may differ from the rest
in its stride and in a projection on its shortcut; a note below then says so. Nothing is left out:
the lines add up to the totals.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ...arith import plain
from ...layers import FAMILIES
from ..layer_line import described, size
from .tree import Group, grouped, last_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...counting.rows import Row
    from ...counting.tally import Tally

BRACKET = 12
"""A module of more layers than this is opened, and does not stand in brackets."""

CHAIN = 40
"""The characters of a branch on one line."""

_SHOWN = {"lrn", "contrast_norm", "softmax", "log_softmax"}
_REARRANGED = "flatten reshape permute expand tile arrange tensor cache"
_ELEMENTWISE = "add subtract multiply pointwise"
QUIET = (
    frozenset(
        f"{FAMILIES['normalization']} {FAMILIES['activation']} {_ELEMENTWISE} {_REARRANGED}".split()
    )
    - _SHOWN
)
"""Kinds that stand with the layer before them and have no line of their own."""


class Part(NamedTuple):
    """One line: ``name`` is a layer or module, or the first and last of those that are alike.

    labels: the layers, one or several in brackets. times: how often they are repeated. rows: all
    of them. heading: a module whose parts follow, with no numbers of its own.
    """

    name: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    times: int = 1
    level: int = 0
    heading: bool = False


class _Unit(NamedTuple):
    head: Row
    rows: list[Row]
    label: str


class _Block(NamedTuple):
    group: Group
    labels: tuple[str, ...]  # of the layers on its longest way or of its branches, with strides
    shortcut: tuple[str, ...]  # of the layers beside it
    chain: bool

    @property
    def path(self) -> str:
        return self.group.path

    @property
    def rows(self) -> list[Row]:
        return self.group.rows

    @property
    def core(self) -> tuple[str, ...]:
        return tuple(_unstrided(label) for label in self.labels)


def architecture(tally: Tally) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The lines, and a note for each block that differs from those it stands with."""
    notes: list[str] = []
    return tuple(_parts(grouped(tally), 0, notes)), tuple(notes)


def _parts(group: Group, level: int, notes: list[str]) -> Iterator[Part]:
    """A group's members: layers in runs, blocks in runs, other modules opened below a heading."""
    parts: list[Part] = []
    run: list[Row] = []
    blocks: list[_Block] = []

    def flush() -> None:
        if blocks:
            parts.extend(_of_blocks(blocks, level, notes))
            blocks.clear()
        if run:
            _add_layers(parts, run, level)
            run.clear()

    for member in group.members:
        rows = member.rows if isinstance(member, Group) else [member]
        if not isinstance(member, Group) or all(map(_is_quiet, rows)):
            if blocks:
                flush()
            run.extend(rows)
            continue
        if run:
            flush()
        block = _block(member)
        if block is not None and blocks and not _alike(blocks, block):
            flush()
        if block is not None:
            blocks.append(block)
            continue
        flush()
        parts.extend(_opened(member, level, notes))
    flush()
    yield from parts


def _opened(group: Group, level: int, notes: list[str]) -> Iterator[Part]:
    """A module's parts below its name; one part alone stands in the module's place."""
    inside = list(_parts(group, level + 1, notes))
    if len(inside) == 1 and not inside[0].heading:
        yield inside[0]._replace(level=level)
        return
    yield Part(group.path, (), (), level=level, heading=True)
    yield from inside


def _is_quiet(row: Row) -> bool:
    return row.node.layer.kind in QUIET


def _add_layers(parts: list[Part], rows: Sequence[Row], level: int) -> None:
    """Lines for layers that stand side by side in one module."""
    units = _units(rows)
    if units and not units[0].label:  # what only belongs to a layer, after a module
        stray = units.pop(0)
        last = parts[-1] if parts and not parts[-1].heading and parts[-1].level == level else None
        if last is not None and not any(row.parameters for row in stray.rows):
            parts[-1] = last._replace(rows=(*last.rows, *stray.rows))
        else:
            labels = tuple(described(row.node) for row in stray.rows if row.parameters)
            label = labels or (described(stray.head.node),)
            parts.append(Part(_span(stray.rows), label, tuple(stray.rows), level=level))
    for alike in _runs(units):
        rows = [row for unit in alike for row in unit.rows]
        heads = [unit.head for unit in alike]
        parts.append(Part(_span(heads), (alike[0].label,), tuple(rows), len(alike), level))


def _units(rows: Sequence[Row]) -> list[_Unit]:
    """Each layer with what stands with it; the first has no label where nothing else is there."""
    units: list[_Unit] = []
    waiting: list[Row] = []
    for row in rows:
        if not _is_quiet(row):
            units.append(_Unit(row, [*waiting, row], label(row)))
            waiting = []
        elif units:
            units[-1].rows.append(row)
        else:
            waiting.append(row)
    return units if not waiting else [_Unit(waiting[0], waiting, ""), *units]


def _runs(units: Sequence[_Unit]) -> list[list[_Unit]]:
    """Layers alike that read one another and give the same size."""
    runs: list[list[_Unit]] = []
    for unit in units:
        before = runs[-1][-1] if runs else None
        if (
            before is not None
            and before.label == unit.label
            and last_of(before.rows).shape == last_of(unit.rows).shape
            and unit.rows[0].node.inputs == (last_of(before.rows).node.name,)
        ):
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return runs


def _block(group: Group) -> _Block | None:
    """A module that can stand in brackets; None where it is to be opened."""
    units = _units(group.rows)
    if not units or len(units) > BRACKET or not units[0].label:
        return None
    on = _longest(group.rows)
    adds = any(row.node.layer.kind == "add" and len(row.inputs) > 1 for row in group.rows)
    main = [unit for unit in units if unit.head.node.name in on] if adds else units
    beside = [unit for unit in units if unit.head.node.name not in on] if adds else []
    shown = [unit for unit in main if unit.head.node.layer.kind != "concat"]
    if not shown:
        return None
    branched = not adds and len(shown) < len(main)
    labels = _branches(shown) if branched else [unit.label for unit in shown]
    chain = not beside and all(len(row.inputs) == 1 for row in group.rows)
    return _Block(group, tuple(labels), tuple(unit.label for unit in beside), chain)


def _branches(units: Sequence[_Unit]) -> list[str]:
    """What runs side by side, a line each: ``conv1-96 → conv3-128``."""
    read = [name for unit in units for name in unit.rows[0].node.inputs[:1]]
    branches: list[list[_Unit]] = []
    for unit in units:
        before = next(iter(unit.rows[0].node.inputs), "")
        for branch in branches:
            if before == last_of(branch[-1].rows).node.name and read.count(before) == 1:
                branch.append(unit)
                break
        else:
            branches.append([unit])
    if len(branches) == 1:
        return [unit.label for unit in units]
    return [line for branch in branches for line in _chain([unit.label for unit in branch])]


def _chain(labels: Sequence[str]) -> list[str]:
    """``conv1-96 → conv3-128``; a long one goes on in another line: ``→ conv3-128``."""
    lines = [labels[0]]
    for each in labels[1:]:
        if len(lines[-1]) + len(each) > CHAIN:
            lines.append("")
        lines[-1] += f" → {each}" if lines[-1] else f"→ {each}"
    return lines


def _repeats(group: Group) -> bool:
    """Whether two neighbouring modules somewhere in it are alike, so that it is better opened."""
    below = [member for member in group.members if isinstance(member, Group)]
    blocks = [_block(each) for each in below]
    alike = any(
        a is not None and b is not None and len(a.core) > 1 and a.core == b.core
        for a, b in pairwise(blocks)
    )
    return alike or any(map(_repeats, below))


def _longest(rows: Sequence[Row]) -> set[str]:
    """The layers on the longest way to the last of them, by name."""
    inside = {row.node.name: row for row in rows}
    length: dict[str, int] = {}
    for row in rows:
        is_counted = not _is_quiet(row)
        length[row.node.name] = is_counted + max(
            (length.get(name, 0) for name in row.node.inputs), default=0
        )
    on: set[str] = set()
    name: str | None = last_of(rows).node.name
    while name is not None:
        on.add(name)
        before = [each for each in inside[name].node.inputs if each in inside]
        name = max(before, key=lambda each: length[each]) if before else None
    return on


def _alike(blocks: Sequence[_Block], block: _Block) -> bool:
    """Whether a block goes on what stands there; the first may differ in stride and shortcut."""
    if block.core != blocks[0].core:
        return False
    return len(blocks) == 1 or (block.labels, block.shortcut) == (
        blocks[1].labels,
        blocks[1].shortcut,
    )


def _of_blocks(blocks: Sequence[_Block], level: int, notes: list[str]) -> Iterator[Part]:
    first, usual = blocks[0], blocks[-1]
    rows = tuple(row for block in blocks for row in block.rows)
    name = _joined(first.path, usual.path)
    if len(blocks) > 1:
        if (first.labels, first.shortcut) != (usual.labels, usual.shortcut):
            notes.append(f"{first.path}: {_other(first, usual)}")
        elif first.shortcut:
            notes.append(f"{name}: {', '.join(first.shortcut)} on the shortcut")
        yield Part(name, usual.labels, rows, len(blocks), level)
        return
    if (first.chain and len(first.labels) > 2) or _repeats(first.group):
        yield from _opened(first.group, level, notes)
        return
    if first.shortcut:
        notes.append(f"{first.path}: {', '.join(first.shortcut)} on the shortcut")
    alike = first.chain and len(set(first.labels)) == 1
    if alike:
        yield Part(name, first.labels[:1], rows, len(first.labels), level)
    else:
        yield Part(name, first.labels, rows, 1, level)


def _other(first: _Block, usual: _Block) -> str:
    """How the first of the blocks differs from the others."""
    differences = [
        text for text, other in zip(first.labels, usual.labels, strict=True) if text != other
    ]
    differences += [
        f"{each} on the shortcut" for each in first.shortcut if first.shortcut != usual.shortcut
    ]
    return "; ".join(differences)


def _span(rows: Sequence[Row]) -> str:
    return _joined(rows[0].node.name, rows[-1].node.name)


def _joined(first: str, last: str) -> str:
    """``conv3_1–conv3_4``; ``layer1.0–2`` where both stand in one module."""
    if first == last:
        return first
    head, dot, _ = first.rpartition(".")
    other, _, end = last.rpartition(".")
    return f"{first}–{end}" if dot and head == other else f"{first}–{last}"


def _unstrided(text: str) -> str:
    return re.sub(r", stride [\dx]+", "", text)


_NAMES = {
    "max_pool": "maxpool",
    "average_pool": "avgpool",
    "global_average_pool": "global avgpool",
    "global_max_pool": "global maxpool",
    "adaptive_average_pool": "avgpool",
    "adaptive_max_pool": "maxpool",
    "log_softmax": "log-softmax",
    "softmax": "softmax",
    "lrn": "LRN",
    "conv_transpose": "upconv",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
}


def label(row: Row) -> str:
    """The layer as authors write it: ``conv3-256``, ``maxpool 3x3, stride 2``, ``FC-4096``."""
    layer = row.node.layer
    fields = layer.fields()
    kind = layer.kind
    name = _NAMES.get(kind, kind.replace("_", " "))
    if kind in ("conv", "conv_transpose", "local"):
        kernel = _sizes(fields.get("kernel"))
        text = f"{name}{kernel}-{fields.get('filters')}"
        groups = fields.get("groups", 1)
        if groups > 1:
            channels = row.inputs[0][1] if row.inputs and row.inputs[0] else 0
            text += ", depthwise" if groups == channels else f", {groups} groups"
        if any(n != 1 for n in fields.get("dilation") or ()):
            text += f", dilation {_sizes(fields['dilation'])}"
        return text + _stride(fields)
    if kind == "linear":
        return f"FC-{fields.get('features')}"
    if kind in ("max_pool", "average_pool", "lp_pool", "stochastic_pool"):
        return f"{name} {_sizes(fields.get('kernel'), 'x')}{_stride(fields)}"
    if kind.startswith("adaptive"):
        return f"{name} to {size(row.shape[1:]) if row.shape else '?'}"
    if kind == "lrn" and fields.get("across") == "space":
        return "LRN across space"
    if kind == "opaque":
        return f"{fields.get('type') or 'unknown layer'}"
    if kind in _NAMES:
        return name
    return described(row.node).replace("_", " ")


def _sizes(value: object, twice: str = "") -> str:
    """``3`` for a square kernel (``3x3`` with ``twice``), ``1x7`` for another."""
    if not isinstance(value, tuple) or not value:
        return ""
    sizes = [str(plain(n)) for n in value]
    return sizes[0] if len(set(sizes)) == 1 and not twice else "x".join(sizes)


def _stride(fields: dict[str, object]) -> str:
    stride = fields.get("stride")
    if not isinstance(stride, tuple) or all(n == 1 for n in stride):
        return ""
    return f", stride {_sizes(stride)}"
