"""A table: a command's answer with a heading and notes, before it has a format.

``contents.py`` makes tables from nouns; Markdown, HTML and LaTeX each write any of them. A cell is
unescaped text: whoever writes it escapes it.
"""

from __future__ import annotations

from typing import NamedTuple

from ...record import Record


class Head(NamedTuple):
    """A column. number: stands at the right. code: names and formulas.

    wide: its share of a line's width where it holds prose that wraps; 0 where it does not.
    """

    title: str
    number: bool = False
    code: bool = False
    wide: float = 0


class TableRow(NamedTuple):
    """A row. role: ``row``, ``group`` (a module or a heading), ``quiet``, ``total``.

    level: how deep its first cell is set in. status: of a verdict, for its colour. stack: a first
    line for each of several cells that stand above one another in the second column, with how
    often they are repeated; empty for a plain cell.
    """

    cells: tuple[str, ...]
    role: str = "row"
    level: int = 0
    status: str = ""
    stack: tuple[str, ...] = ()
    times: int = 1


class Table(Record):
    """title: what it shows. lead: the answer, in one sentence, or "". notes: sentences below it.

    groups: whether a ``group`` line heads the lines below it, down to the next of its level.
    name: a short name for labels and anchors.
    """

    name: str
    title: str
    lead: str
    heads: tuple[Head, ...]
    lines: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
