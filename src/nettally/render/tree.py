"""The lines of a table: layers in the tree of their modules, folded below a depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import Record

if TYPE_CHECKING:
    from ..tally import Row, Tally

MAX_DEPTH = 40
"""Modules nested deeper than this are shown as one level."""

FITTING = 60
"""The lines that a table may have before it is folded by itself."""


class Line(Record):
    """One line: a layer, or a module with the layers in it.

    label: the name without the modules that it stands in. branch: the glyphs before it. rows: the
    layer's row, or those of the whole module. folded: its layers are not shown below it.
    """

    label: str
    branch: str
    path: str
    rows: tuple[Row, ...]
    module: bool = False
    folded: bool = False

    @property
    def row(self) -> Row | None:
        """The layer's own row; None for a module."""
        return None if self.module else self.rows[0]


class _Group:
    def __init__(self, path: str) -> None:
        self.path = path
        self.members: list[_Group | Row] = []
        self.groups: dict[str, _Group] = {}
        self.rows: list[Row] = []


def lines(tally: Tally, depth: int | None = None) -> tuple[Line, ...]:
    """The table's lines, modules down to ``depth`` opened (0: none; None: as many as fit).

    Layers stand in their order; a module stands where its first layer does.
    """
    root = _grouped(tally)
    deepest = _deepest(root)
    if depth is None:
        depth = 0
        while depth < deepest and _length(root, depth + 1) <= FITTING:
            depth += 1
    made: list[Line] = []
    _open(root, depth, "", made)
    return tuple(made)


def full_depth(tally: Tally) -> int:
    """How deep modules are nested; 0 where there are none."""
    return _deepest(_grouped(tally))


def _grouped(tally: Tally) -> _Group:
    root = _Group("")
    root.rows = list(tally.rows)
    for row in tally.rows:
        group = root
        parts = row.node.module.split(".", MAX_DEPTH) if row.node.module else []
        for part in parts:
            below = group.groups.get(part)
            if below is None:
                below = _Group(f"{group.path}.{part}" if group.path else part)
                group.groups[part] = below
                group.members.append(below)
            group = below
            group.rows.append(row)
        group.members.append(row)
    return root


def _deepest(group: _Group) -> int:
    return max((1 + _deepest(below) for below in group.groups.values()), default=0)


def _length(group: _Group, depth: int) -> int:
    """The lines that the group's members take, modules opened down to ``depth``."""
    total = len(group.members)
    if depth > 0:
        total += sum(_length(below, depth - 1) for below in group.groups.values())
    return total


def _open(group: _Group, depth: int, branch: str, made: list[Line]) -> None:
    for place, member in enumerate(group.members, 1):
        last = place == len(group.members)
        # the top level has no glyphs: a network without modules is a plain list
        own = "" if not group.path else branch + ("└─ " if last else "├─ ")
        if isinstance(member, _Group):
            label = member.path[len(group.path) + 1 :] if group.path else member.path
            path, folded = member.path, depth <= 0
            made.append(Line(label, own, path, tuple(member.rows), module=True, folded=folded))
            if not folded:
                below = "" if not group.path else branch + ("   " if last else "│  ")
                _open(member, depth - 1, below, made)
        else:
            name = member.node.name
            within = group.path + "."
            label = name[len(within) :] if group.path and name.startswith(within) else name
            made.append(Line(label, own, name, (member,)))
