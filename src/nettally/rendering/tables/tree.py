"""The lines of a table: layers in the tree of their modules, collapsed below a depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.rows import Row
    from ...counting.tally import Tally

LONG = 2000
"""A table of more rows than this is not for a screen, and is written plainly."""

SHOWN, END = 500, 20
"""Of a network with more lines than that so many are shown where no depth is asked for, and so
many of these are its last ones."""

MAX_DEPTH = 40
"""Modules nested deeper than this are shown as one level."""

FITTING = 60
"""The lines that a table may have before modules are collapsed unasked."""


class TreeLine(NamedTuple):
    """One line: a layer, or a module with the layers in it.

    label: the name without the modules that it stands in. branch: the glyphs before it. rows: the
    layer's row, or those of the whole module. collapsed: its layers are not shown below it.
    """

    label: str
    branch: str
    path: str
    rows: tuple[Row, ...]
    module: bool = False
    collapsed: bool = False

    @property
    def row(self) -> Row | None:
        """The layer's own row; None for a module."""
        return None if self.module else self.rows[0]


def last_of(rows: Sequence[Row]) -> Row:
    """The row of a module's output: the last that reads anything, and not a stored tensor."""
    return next((row for row in reversed(rows) if row.node.inputs), rows[-1])


class Group:
    """A module: its layers and modules in order (members), and all the layers in it (rows)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.members: list[Group | Row] = []
        self.groups: dict[str, Group] = {}
        self.rows: list[Row] = []


def lines(tally: Tally, depth: int | None = None) -> tuple[TreeLine, ...]:
    """The table's lines, modules down to ``depth`` opened (0: none; None: as many as fit).

    Layers stand in their order; a module stands where its first layer does.
    """
    root = grouped(tally)
    deepest = _deepest(root)
    if depth is None:
        depth = 0
        while depth < deepest and _length(root, depth + 1) <= FITTING:
            depth += 1
    tree_lines: list[TreeLine] = []
    _open(root, depth, "", tree_lines)
    return tuple(tree_lines)


def some_lines(tally: Tally) -> tuple[tuple[TreeLine, ...], int]:
    """The first and the last lines of a network that has more than anybody reads.

    Then how many layers and modules stand between; of other networks, all lines, and 0.
    """
    root = grouped(tally)
    cut = len(root.members) - SHOWN
    if len(root.members) <= LONG:
        return lines(tally), 0
    root.members = [*root.members[: SHOWN - END], *root.members[-END:]]
    tree_lines: list[TreeLine] = []
    _open(root, 0, "", tree_lines)
    return tuple(tree_lines), cut


def full_depth(tally: Tally) -> int:
    """How deep modules are nested; 0 where there are none."""
    return _deepest(grouped(tally))


def grouped(tally: Tally) -> Group:
    """The tree of modules, from their dotted names; its root is the network."""
    root = Group("")
    root.rows = list(tally.rows)
    for row in tally.rows:
        group = root
        parts = row.node.module.split(".", MAX_DEPTH) if row.node.module else []
        for part in parts:
            below = group.groups.get(part)
            if below is None:
                below = Group(f"{group.path}.{part}" if group.path else part)
                group.groups[part] = below
                group.members.append(below)
            group = below
            group.rows.append(row)
        group.members.append(row)
    return root


def _deepest(group: Group) -> int:
    return max((1 + _deepest(below) for below in group.groups.values()), default=0)


def _length(group: Group, depth: int) -> int:
    """The lines that the group's members take, modules opened down to ``depth``."""
    total = len(group.members)
    if depth > 0:
        total += sum(_length(below, depth - 1) for below in group.groups.values())
    return total


def _open(group: Group, depth: int, branch: str, tree_lines: list[TreeLine]) -> None:
    for place, member in enumerate(group.members, 1):
        last = place == len(group.members)
        # the top level has no glyphs: a network without modules is a plain list
        glyphs = "" if not group.path else branch + ("└─ " if last else "├─ ")
        if isinstance(member, Group):
            label = member.path[len(group.path) + 1 :] if group.path else member.path
            path, collapsed = member.path, depth <= 0
            tree_lines.append(
                TreeLine(label, glyphs, path, tuple(member.rows), module=True, collapsed=collapsed)
            )
            if not collapsed:
                below = "" if not group.path else branch + ("   " if last else "│  ")
                _open(member, depth - 1, below, tree_lines)
        else:
            name = label = member.node.name
            if group.path:
                within = group.path + "."
                # Caffe's and TensorFlow's names have strokes where the module has dots
                if name.replace("/", ".").startswith(within):
                    label = name[len(within) :]
            tree_lines.append(TreeLine(label, glyphs, name, (member,)))
