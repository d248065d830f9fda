"""What a notebook shows of a noun: a small table with a style of its own, on light and on dark.

The text takes the notebook's colour and font; rules and washes are half-transparent greys, so that
they are seen on either ground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...counting.tally import tally
from ...errors import NettallyError
from ..escape import html_text
from ..layer_line import described, size
from ..tables.contents import (
    architecture_table,
    check_table,
    diff_table,
    explain_table,
    reconcile_table,
    tally_table,
)
from ..tables.memory import memory_table
from ..tables.table import Head, Table, TableRow
from .parts import rows_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...claims.check import Verdict
    from ...network import Network

MOST = 200
"""Lines of a table in a notebook; what is beyond them is counted."""

RULES = (
    ("", "font:inherit;line-height:1.45;max-width:100%;margin:.3em 0"),
    (" .nt-title", "font-weight:600"),
    (" .nt-lead", "opacity:.8;margin:.1em 0 .5em"),
    (" .nt-box", "overflow:auto;max-width:100%;max-height:34em"),
    (
        " table",
        "border-collapse:collapse;table-layout:auto;width:auto;font-size:.93em;line-height:inherit;"
        "color:inherit;margin:0;border:0",
    ),
    (" :is(thead,tbody,tr)", "background:none;border:0!important;text-align:left"),
    (
        " :is(th,td)",
        "text-align:left;vertical-align:baseline;padding:.2em .9em .2em 0;border:0!important;"
        "border-bottom:1px solid rgba(128,128,128,.25)!important;font-weight:400;"
        "line-height:inherit;white-space:normal;overflow:visible;max-width:30em;overflow-wrap:break-word",
    ),
    (
        " thead th",
        "font-weight:600;border-bottom:1px solid rgba(128,128,128,.9)!important;white-space:nowrap",
    ),
    (" .n", "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"),
    (
        " .c",
        'font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.95em;'
        "padding-left:calc(var(--l,0)*1.1em)",
    ),
    (" .w", "min-width:12em"),
    (" tbody th:not(.c):not(.w)", "white-space:nowrap"),
    (" .quiet>*", "opacity:.72"),
    (" .group th", "font-weight:600;padding-top:.6em"),
    (" code", "background:none;padding:0"),
    (
        " .total>*",
        "font-weight:600;border-bottom:0!important;"
        "border-top:1px solid rgba(128,128,128,.9)!important",
    ),
    (" .total+.total>*", "border-top:0!important"),
    (" .differs>*", "background:rgba(214,80,46,.13)"),
    (" .sign", "font-weight:700"),
    (" :is(.stack,.many)", "display:inline-flex;align-items:center;white-space:nowrap"),
    (
        " .many",
        "flex-direction:column;align-items:flex-start;border:solid rgba(128,128,128,.8);"
        "border-width:0 1px;padding:0 .4em;margin-right:.4em",
    ),
    (" .nt-notes", "font-size:.9em;opacity:.8;margin:.5em 0 0;padding-left:1.2em"),
)
"""What is within our markup, and how it looks."""

OURS = ".nettally" * 4
"""Said four times, which weighs more than any rule of JupyterLab (three classes and an element: it
sets all cells right), and is said of nobody else's. VS Code takes all borders away by an
``!important``, which only another one outweighs."""

STYLE = "\n".join(
    ("<style>", *(f"{OURS}{inside}{{{rules}}}" for inside, rules in RULES), "</style>")
)


def notebook(noun: Any) -> str:
    """The markup of a noun that ``nettally.displays`` shows as a table."""
    kind = type(noun).__name__
    if kind == "Tally":
        return fragment(tally_table(noun))
    if kind == "Network":
        return fragment(_network(noun))
    if kind == "Verdicts":
        return fragment(_verdicts(noun))
    if kind == "Reckonings":
        return fragment(reconcile_table(noun.tally, noun))
    if kind == "Memory":
        return fragment(memory_table(noun.training, noun.inference))
    if kind == "Explanations":
        counted = noun.verdict.counted
        name = counted.network.name if counted is not None else "the network"
        return fragment(explain_table(name, noun))
    if kind == "ExplainedClaims":
        return fragment(check_table(noun.name, noun.work, noun.verdicts, noun.by_place))
    return fragment(diff_table(noun))


def fragment(table: Table) -> str:
    """A table as a part of somebody else's page."""
    title = f'<div class="nt-title">{html_text(table.title)}</div>'
    lines = [STYLE, '<div class="nettally">', title]
    if table.lead:
        lines.append(f'<div class="nt-lead">{html_text(table.lead)}</div>')
    if table.lines:
        shown = table.lines
        if len(shown) > MOST:
            left = len(shown) - MOST + 1
            shown = (*shown[: MOST - 1], TableRow((f"and {left:,} more lines",), "group"))
        markup = rows_html(table.replace(lines=shown))
        lines.append(f'<div class="nt-box"><table>{markup}</table></div>')
    if table.notes:
        items = "".join(f"<li>{html_text(note)}</li>" for note in table.notes)
        lines.append(f'<ul class="nt-notes">{items}</ul>')
    return "\n".join([*lines, "</div>"])


def _network(network: Network) -> Table:
    """What it is made of; one that can't be counted is listed as it was written."""
    try:
        return architecture_table(tally(network), "output,parameters")
    except NettallyError as error:
        heads = (Head("layer", code=True), Head("what it is"), Head("reads", code=True))
        inputs = [TableRow((name, "input", ""), "quiet") for name in network.inputs]
        inputs = [
            line._replace(cells=(line.cells[0], f"input {size(shape) or ''}".strip(), ""))
            for line, shape in zip(inputs, network.inputs.values(), strict=True)
        ]
        lines = [
            TableRow((node.name, described(node), ", ".join(node.inputs))) for node in network.nodes
        ]
        lead = f"It can't be counted: {error.what}"
        return Table("network", network.name, lead, heads, (*inputs, *lines), network.notes)


def _verdicts(verdicts: Sequence[Verdict]) -> Table:
    counted = next((each.counted for each in verdicts if each.counted is not None), None)
    works = dict.fromkeys(each.claim.work for each in verdicts)
    name = counted.network.name if counted is not None else "the network"
    return check_table(name, next(iter(works), "") if len(works) == 1 else "", verdicts)
