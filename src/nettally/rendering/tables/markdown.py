"""Markdown for a readme, an issue, a notebook: any sheet, as GitHub's tables have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..escape import markdown_cell

if TYPE_CHECKING:
    from .table import Table, TableRow

INDENT = "\xa0\xa0\xa0"
"""No-break spaces: Markdown drops the plain ones."""


def markdown(sheet: Table) -> str:
    """The heading in bold, the answer, the table, the notes."""
    made = [f"**{markdown_cell(sheet.title)}**", ""]
    if sheet.lead:
        made += [f"{markdown_cell(sheet.lead)}.", ""]
    if sheet.lines:
        bars = ["--:" if head.number else ":--" for head in sheet.heads]
        heads = [markdown_cell(head.title) for head in sheet.heads]
        made += [_row(cells) for cells in (heads, bars, *map(_cells, sheet.lines))]
        made.append("")
    for note in sheet.notes:
        made += [markdown_cell(note), ""]
    return "\n".join(made).rstrip() + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(line: TableRow) -> list[str]:
    cells = [markdown_cell(cell) for cell in line.cells]
    if line.role == "total":
        cells = [f"**{cell}**" if cell else "" for cell in cells]
    cells[0] = INDENT * line.level + cells[0]
    return cells
