"""A tally for other programs: JSON, CSV, Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import plain
from ..errors import NettallyError, closest
from ..quantities import SUMS, certainty, is_known
from ._escape import csv_cell, escape, markdown_cell
from .columns import TOTALS, AtLeast, Column, chosen, shown, title, total_of
from .fields import described, size
from .tree import Line, lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..network import Shape
    from ..tally import Row, Tally

SCHEMA = "nettally/tally/1"
"""What the JSON is; the number rises when a field changes its meaning or goes."""


def as_json(tally: Tally, notes: Sequence[str] = ()) -> str:
    """All there is: shapes whole, batch first; null for what is not known. One row a layer.

    ``complete`` is false where a total is only "at least"; the parameters are exact where
    ``parameters_complete`` is true, and a total of which nothing is known is null. Names are
    escaped as JSON has it and not otherwise, so that a program finds them as they are.
    """
    import json

    network, accounting = tally.network, tally.accounting
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "network": network.name,
        "title": network.title,
        "source": str(network.source) if network.source else None,
        "accounting": {
            "name": accounting.name,
            "title": accounting.title,
            "source": accounting.source,
            "unit": accounting.unit,
        },
        "inputs": {name: _shape(shape) for name, shape in network.inputs.items()},
        "outputs": list(network.outputs),
        "totals": {
            **{
                name: None
                if certainty(tally.rows, name) == "unknown"
                else sum(plain(of(tally, row)) for row in tally)
                for name, of in SUMS.items()
            },
            "complete": tally.complete,
            "parameters_complete": tally.parameters_complete,
            "unknown": [row.node.name for row in tally.unknown],
        },
        "notes": [*network.notes, *notes],
    }
    # a line for each entry and each layer: it can be read, searched and compared line by line
    head = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items()]
    layers = [f"  {json.dumps(_record(tally, row))}" for row in tally.rows]
    body = ",\n".join([*head, ' "layers": [\n' + ",\n".join(layers) + "\n ]"])
    return "{\n" + body + "\n}\n"


def _shape(shape: Shape | None) -> list[int] | None:
    return None if shape is None else [int(n) for n in shape]


def _record(tally: Tally, row: Row) -> dict[str, Any]:
    node = row.node
    parameters = row.parameters
    return {
        "name": node.name,
        "kind": node.layer.kind,
        "layer": described(node),
        "module": node.module,
        "from": list(node.inputs),
        "source": str(node.source) if node.source else None,
        "inputs": [_shape(shape) for shape in row.inputs],
        "output": _shape(row.shape),
        "tensors": None
        if parameters is None
        else {name: _shape(shape) for name, shape in parameters.items()},
        "shared": dict(node.shared),
        **{
            name: plain(of(tally, row)) if is_known(name, row) else None
            for name, of in SUMS.items()
        },
    }


def as_csv(tally: Tally, columns: str | None = None) -> str:
    """One line a layer, numbers bare, an empty cell for what is not known (RFC 4180, but LF)."""
    picked = chosen(columns, tally)
    made = [",".join(["name", "module", "kind", *(each.name for each in picked)])]
    for row in tally.rows:
        line = Line(row.node.name, "", row.node.name, (row,))
        values = [_bare(column.cell(tally, line)) for column in picked]
        cells = (row.node.name, row.node.module, row.node.layer.kind, *values)
        made.append(",".join([csv_cell(cell) for cell in cells]))
    return "\n".join(made) + "\n"


def _bare(value: Any) -> Any:
    return None if isinstance(value, AtLeast) else value


def as_markdown(
    tally: Tally, columns: str | None = None, depth: int | None = None, notes: Sequence[str] = ()
) -> str:
    """The table and its totals for a README or an issue."""
    picked = chosen(columns, tally)
    heads = ["name", *(title(column, tally) for column in picked)]
    rows = [
        [escape(name), *((size(shape) or "") if each.name == "output" else "" for each in picked)]
        for name, shape in tally.network.inputs.items()
    ]
    for line in lines(tally, depth):
        indent = " " * len(line.branch)  # no-break spaces: Markdown drops the plain ones
        cells = ["" if line.module and not line.folded else _told(tally, c, line) for c in picked]
        rows.append([indent + markdown_cell(line.label), *map(markdown_cell, cells)])
    bar = [":--", *("--:" if column.number else ":--" for column in picked)]
    table = [heads, bar, *rows]
    made = ["| " + " | ".join(cells) + " |" for cells in table]
    neurons, parameters, operations = (total_of(tally, name) for name in TOTALS)
    made += [
        "",
        f"{markdown_cell(tally.network.name)}: {neurons} neurons, {parameters} parameters, "
        f"{operations} {tally.accounting.unit} (accounting: {tally.accounting.name}).",
    ]
    if tally.unknown:
        names = ", ".join(markdown_cell(row.node.name) for row in tally.unknown)
        what = "work not known" if tally.parameters_complete else "not known"
        made += ["", f"{what.capitalize()}, and not counted as zero: {names}."]
    for note in (*tally.network.notes, *notes):
        made += ["", f"Note: {markdown_cell(note)}"]
    return "\n".join(made) + "\n"


def _told(tally: Tally, column: Column, line: Line) -> str:
    return shown(column.cell(tally, line))


FORMATS = ("table", "json", "csv", "markdown")


def check_format(name: str) -> None:
    """NettallyError unless it is a format that we write."""
    if name not in FORMATS:
        raise NettallyError(f"there is no format '{name}'", hint=closest(name, FORMATS))
