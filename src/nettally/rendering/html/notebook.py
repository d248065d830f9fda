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

STYLE = """<style>
.nettally{font:inherit;line-height:1.45;max-width:100%;margin:.3em 0}
.nettally .nt-title{font-weight:600}
.nettally .nt-lead{opacity:.8;margin:.1em 0 .5em}
.nettally .nt-box{overflow:auto;max-width:100%;max-height:34em}
.nettally table{border-collapse:collapse;font-size:.93em;margin:0;border:0}
.nettally tr,.nettally table tbody tr:nth-child(n){background:none}
.nettally th,.nettally td{text-align:left;vertical-align:baseline;padding:.2em .9em .2em 0;border:0;
border-bottom:1px solid rgba(128,128,128,.25);font-weight:400;white-space:normal;max-width:30em;
overflow-wrap:break-word}
.nettally thead th{font-weight:600;border-bottom:1px solid rgba(128,128,128,.9);white-space:nowrap}
.nettally .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.nettally .c{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.95em;
padding-left:calc(var(--l,0)*1.1em)}
.nettally .w{min-width:12em}
.nettally tbody th:not(.c):not(.w){white-space:nowrap}
.nettally .quiet>*{opacity:.72}
.nettally .group th{font-weight:600;padding-top:.6em}
.nettally .total>*{font-weight:600;border-bottom:0;border-top:1px solid rgba(128,128,128,.9)}
.nettally .total+.total>*{border-top:0}
.nettally .differs>*{background:rgba(214,80,46,.13)}
.nettally .sign{font-weight:700}
.nettally .stack,.nettally .many{display:inline-flex;align-items:center;white-space:nowrap}
.nettally .many{flex-direction:column;align-items:flex-start;border:solid rgba(128,128,128,.8);
border-width:0 1px;padding:0 .4em;margin-right:.4em}
.nettally .nt-notes{font-size:.9em;opacity:.8;margin:.5em 0 0;padding-left:1.2em}
</style>"""


def notebook(noun: Any) -> str:
    """The markup of a Network, Tally, Verdicts, Reckonings, Memory, Explanations or Difference."""
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
