"""Markdown for a readme, an issue, a notebook: any table, in GitHub's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..escape import markdown_cell

if TYPE_CHECKING:
    from .table import Table, TableRow

INDENT = "\xa0\xa0\xa0"
"""No-break spaces: Markdown drops the plain ones."""


def markdown(table: Table) -> str:
    """The heading in bold, the answer, the table, the notes."""
    lines = [f"**{markdown_cell(table.title)}**", ""]
    if table.lead:
        lines += [f"{markdown_cell(table.lead)}.", ""]
    if table.lines:
        bars = ["--:" if head.number else ":--" for head in table.heads]
        heads = [markdown_cell(head.title) for head in table.heads]
        lines += [_row(cells) for cells in (heads, bars, *map(_cells, table.lines))]
        lines.append("")
    for note in table.notes:
        lines += [markdown_cell(note), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(line: TableRow) -> list[str]:
    cells = [markdown_cell(cell) for cell in line.cells]
    if line.role == "total":
        cells = [f"**{cell}**" if cell else "" for cell in cells]
    cells[0] = INDENT * line.level + cells[0]
    return cells
