"""Markup of tables, lists and notes. Whatever comes from a file goes through ``html_text``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..escape import html_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..tables.table import Head, Table, TableRow

CLASS_OF = {
    "exact": "exact",
    "holds": "exact",
    "rounds": "near",
    "truncates": "near",
    "differs": "differs",
    "unknown": "unknown",
    "invalid": "differs",
}
"""A verdict's class: its colour, and how it is counted in the bar."""


def table_html(table: Table, caption: str = "", anchor: str = "") -> str:
    """The table in a box that scrolls by itself. caption: what it shows, "" for its title."""
    if not table.lines:
        return ""
    anchor = anchor or f"table-{table.name}"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{anchor}">\n<table>\n'
        f'<caption><span id="{anchor}">{html_text(caption or table.title)}</span></caption>\n'
        f"{rows_html(table)}</table>\n</div>\n"
    )


def rows_html(table: Table) -> str:
    """The table's head and body; each module's lines are a body of their own."""
    heads = "".join(
        f'<th scope="col"{_classes(head, th=True)}>{html_text(head.title)}</th>'
        for head in table.heads
    )
    pieces = [f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"]
    for place, line in enumerate(table.lines):
        if line.role == "group":
            if place:
                pieces.append("</tbody>\n<tbody>\n")
            pieces.append(_group(line, len(table.heads)))
        else:
            pieces.append(_row(line, table.heads))
    pieces.append("</tbody>\n")
    return "".join(pieces)


def _classes(head: Head, *, th: bool = False) -> str:
    names = [
        name
        for name, has in (("n", head.number), ("c", head.code and not th), ("w", head.wide))
        if has
    ]
    return f' class="{" ".join(names)}"' if names else ""


def _level(line: TableRow) -> str:
    return f' style="--l:{min(line.level, 8)}"' if line.level else ""


def _group(line: TableRow, columns: int) -> str:
    text = " ".join(html_text(cell) for cell in line.cells if cell)
    return (
        f'<tr class="group"><th scope="rowgroup" colspan="{columns}"{_level(line)}>'
        f"<code>{text}</code></th></tr>\n"
    )


def _row(line: TableRow, heads: Sequence[Head]) -> str:
    role = line.role if line.role != "row" else ""
    names = " ".join(name for name in (role, CLASS_OF.get(line.status, "")) if name)
    pieces = [f'<tr class="{names}">' if names else "<tr>"]
    for place, (cell, head) in enumerate(zip(line.cells, heads, strict=True)):
        tag, attributes = ("th", ' scope="row"') if not place else ("td", "")
        if not place:
            attributes += _level(line)
        text = _stack(line) if place == 1 and line.stack else _cell(cell, line, place)
        pieces.append(f"<{tag}{attributes}{_classes(head)}>{text}</{tag}>")
    return "".join([*pieces, "</tr>\n"])


def _cell(cell: str, line: TableRow, place: int) -> str:
    if not place and line.status:
        sign, _, how = cell.partition(" ")
        return f'<span class="sign" aria-hidden="true">{html_text(sign)}</span> {html_text(how)}'
    return html_text(cell)


def _stack(line: TableRow) -> str:
    """Layers above one another in brackets, and how often they are repeated."""
    times = f' <span class="times">×{line.times}</span>' if line.times > 1 else ""
    if len(line.stack) == 1:
        return html_text(line.stack[0]) + times
    inside = "".join(f"<span>{html_text(each)}</span>" for each in line.stack)
    return f'<span class="stack"><span class="many">{inside}</span>{times}</span>'


def notes_html(notes: Iterable[str]) -> str:
    """A list of notes, "" for none."""
    items = "".join(f"<li>{html_text(note)}</li>\n" for note in notes)
    return f'<ul class="notes">\n{items}</ul>\n' if items else ""
