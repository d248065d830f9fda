"""A command's answer in the formats for papers, pages, readmes and other programs.

Each function takes the format's name and returns the text. ``table`` is the terminal's, and is
not written here. ``svg`` is a figure: of a tally where its numbers are, of a check the network
drawn, with what does not tally marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NettallyError, closest
from .tables import contents
from .tables import csv as as_csv
from .tables import json as as_json
from .tables.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..accountings.reckoning import Reckoning
    from ..claims.check import Verdict
    from ..counting.tally import Tally
    from ..diffing import Difference
    from ..explaining import Explanations
    from .tables.table import Table

FORMATS = ("table", "markdown", "latex", "html", "csv", "json", "svg")


def tally(
    form: str,
    counted: Tally,
    columns: str | None = None,
    depth: int | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A tally. In LaTeX it is a paper's table, with what is repeated on one line.

    columns, depth: as for the table; a depth gives each layer a line, in LaTeX too.
    """
    if form == "json":
        return as_json.tally_json(counted, notes)
    if form == "csv":
        return as_csv.tally_csv(counted, columns)
    if form == "svg":
        from .drawing import draw

        return draw(counted, "bars", theme="auto", depth=depth, claims=()).svg()
    if form == "latex" and depth is None:
        return _written(form, contents.architecture_table(counted, columns, notes))
    return _written(form, contents.tally_table(counted, columns, depth, notes))


def check(
    form: str,
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Verdicts on claims; explained: the likeliest explanations by the verdict's place."""
    if form == "json":
        return as_json.check_json(name, work, verdicts, explained, notes)
    if form == "csv":
        return as_csv.check_csv(verdicts, explained)
    if form == "svg":
        from .drawing import draw, style_for

        counted = next((each.counted for each in verdicts if each.counted is not None), None)
        if counted is None:
            raise NettallyError("no claim is about a figure of this network: nothing is drawn")
        return draw(counted, style_for(counted), theme="auto", claims=verdicts).svg()
    return _written(form, contents.check_table(name, work, verdicts, explained, notes))


def explain(form: str, name: str, explanations: Explanations, notes: Sequence[str] = ()) -> str:
    """What a published value that is not ours could mean."""
    if form == "json":
        return as_json.explain_json(name, explanations, notes)
    if form == "svg":
        from .drawing import svg_of

        counted = explanations.verdict.counted
        return (svg_of(counted, (explanations.verdict,)) if counted is not None else None) or ""
    if form == "csv":
        return as_csv.explain_csv(explanations)
    return _written(form, contents.explain_table(name, explanations, notes))


def reconcile(
    form: str, counted: Tally, reckonings: Sequence[Reckoning], notes: Sequence[str] = ()
) -> str:
    """One count under each accounting."""
    if form == "json":
        return as_json.reconcile_json(counted, reckonings, notes)
    if form == "svg":
        from .drawing.chart import reconciled

        return reconciled(counted, reckonings).svg()
    if form == "csv":
        return as_csv.reconcile_csv(counted, reckonings)
    return _written(form, contents.reconcile_table(counted, reckonings, notes))


def diff(form: str, difference: Difference, notes: Sequence[str] = ()) -> str:
    """What differs between two networks."""
    if form == "json":
        return as_json.diff_json(difference, notes)
    if form == "svg":
        from .drawing.chart import compared

        return compared(difference).svg()
    if form == "csv":
        return as_csv.diff_csv(difference)
    return _written(form, contents.diff_table(difference, notes))


def _written(form: str, table: Table) -> str:
    if form == "markdown":
        return markdown(table)
    if form == "latex":
        from .tables.latex import latex

        return latex(table)
    if form == "html":
        from .html import page

        return page(table)
    raise NettallyError(f"'{form}' is not written for this", hint=closest(form, FORMATS))
