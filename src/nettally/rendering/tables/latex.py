r"""LaTeX: any table, set with booktabs; the network's as authors print it.

What is written needs ``\usepackage{booktabs}``, compiles with every engine, and holds the table
environment only, so that it can be put into a paper with ``\input``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..escape import escape, latex_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .table import Head, Table, TableRow

LONG = 48
"""A table of more lines than this needs more than a page, and is one of ``longtable``."""


def latex(table: Table) -> str:
    """The table with its caption, and a comment that says what it needs; without lines, prose."""
    lines = [f"% {escape(table.title)}"]
    if not table.lines:
        texts = [_sentence(text) + r"\par" for text in (table.lead, *table.notes) if text]
        return "\n".join([*lines, *texts]) + "\n"
    long = sum(max(1, len(line.stack)) for line in table.lines) > LONG
    packages = "booktabs, longtable" if long else "booktabs"
    lines.append(f"% by nettally; needs \\usepackage{{{packages}}}")
    caption = f"\\caption{{{latex_text(table.title)}. {_sentence(table.lead)}}}"
    caption += f"\\label{{tab:{_label(table)}}}"
    columns = "".join(_column(head) for head in table.heads)
    heads = " & ".join(latex_text(head.title) for head in table.heads) + r" \\"
    body = list(_lines(table))
    small = r"\footnotesize" if any(head.wide for head in table.heads) else ""
    if long:
        lines.append("{" + small)
        lines += [rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}", caption + r" \\", r"\toprule"]
        lines += [
            heads,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            heads,
            r"\midrule",
            r"\endhead",
        ]
        lines += [*body, r"\bottomrule", r"\end{longtable}", "}"]
        lines += [rf"\noindent{{\footnotesize {text}\par}}" for text in _notes(table)]
        return "\n".join(lines) + "\n"
    lines += [r"\begin{table}", r"\centering" + small, caption]
    lines += [rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule", heads, r"\midrule"]
    lines += [*body, r"\bottomrule", r"\end{tabular}"]
    notes = _notes(table)
    if notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"]
        lines += [" \\par\n".join(notes), r"\end{minipage}"]
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def _notes(table: Table) -> list[str]:
    return [_sentence(note) for note in table.notes]


def _sentence(text: str) -> str:
    shown = latex_text(text)
    return shown if not shown or shown.endswith((".", "?", "!")) else shown + "."


def _label(table: Table) -> str:
    name = "".join(each for each in table.title.split(":")[0].lower() if each.isascii())
    words = "".join([each if each.isalnum() else "-" for each in name[:40]]).strip("-")
    return f"{table.name}-{words}" if words else table.name


def _column(head: Head) -> str:
    if head.wide:
        return f"p{{{head.wide}\\linewidth}}"
    return "r" if head.number else "l"


def _lines(table: Table) -> Iterable[str]:
    count = len(table.heads)
    for place, line in enumerate(table.lines):
        if line.role == "group":
            if place:
                yield r"\addlinespace"
            indent = _indent(line.level)
            cells = [cell for cell in line.cells if cell]
            text = " ".join(latex_text(cell) for cell in cells)
            yield f"\\multicolumn{{{count}}}{{@{{}}l}}{{{indent}\\textit{{{text}}}}} \\\\"
        elif line.role == "total":
            if place and table.lines[place - 1].role != "total":
                yield r"\midrule"
            yield _row(line, table.heads)
        else:
            yield _row(line, table.heads)
            if len(line.stack) > 1:
                yield r"\addlinespace[2pt]"


def _row(line: TableRow, heads: Sequence[Head]) -> str:
    cells: list[str] = []
    for place, (cell, head) in enumerate(zip(line.cells, heads, strict=True)):
        text = _stacked(line) if place == 1 and line.stack else _cell(cell, head, line)
        cells.append((_indent(line.level) if not place else "") + text)
    # after \raggedright the two backslashes would end a line of the cell
    return " & ".join(cells) + r" \tabularnewline"


def _indent(level: int) -> str:
    return f"\\hspace*{{{level}em}}" if level else ""


def _stacked(line: TableRow) -> str:
    r"""``conv3-256 $\times$3``; several layers above one another in brackets, as in He et al."""
    times = f" $\\times${line.times}" if line.times > 1 else ""
    if len(line.stack) == 1:
        return latex_text(line.stack[0]) + times
    inside = r" \\ ".join(latex_text(each) for each in line.stack)
    return rf"$\left[\begin{{tabular}}{{@{{}}l@{{}}}}{inside}\end{{tabular}}\right]${times}"


def _cell(text: str, head: Head, line: TableRow) -> str:
    if text == "–":
        return "--"
    # sizes as 3x224x224 are set with the sign: in a column of numbers there is no other x
    shown = latex_text(text)
    if head.number and "x" in text and text.replace("x", "").replace(",", "").isdigit():
        shown = shown.replace("x", "$\\times$")
    if head.code and text and line.role != "total":
        shown = f"\\texttt{{{shown}}}"
    return f"\\raggedright {_breakable(shown)}" if head.wide and text else shown


def _breakable(shown: str) -> str:
    """A name may be broken after its dots, underscores and slashes, a number not."""
    return re.sub(r"(?<=[^\W\d])([./]|\\_)(?=\w)", r"\1\\allowbreak{}", shown)
