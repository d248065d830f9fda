"""CSV: one line an item, numbers bare, an empty cell for what is not known (RFC 4180, but LF).

Text that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import plain
from ...claims.comparison import in_form_of, shown_value
from ...counting.certainty import certainty, knows
from ...counting.quantities import LISTED, SUMS
from ..escape import csv_cell
from ..layer_line import described
from .columns import AtLeast, chosen
from .compare import is_sure, terms, what_differs, written_size
from .tree import TreeLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...accountings.reckoning import Reckoning
    from ...claims.check import Verdict
    from ...counting.tally import Tally
    from ...diffing import Difference
    from ...explaining import Explanations
    from ...network import Shape


def tally_csv(tally: Tally, columns: str | None = None) -> str:
    """One line a layer."""
    picked = chosen(columns, tally)
    heads = ["name", "module", "kind", *(each.name for each in picked)]
    rows: list[list[Any]] = []
    for row in tally.rows:
        line = TreeLine(row.node.name, "", row.node.name, (row,))
        values = [_bare(column.cell(tally, line)) for column in picked]
        rows.append([row.node.name, row.node.module, row.node.layer.kind, *values])
    return written(heads, rows)


def flat_rows(tally: Tally) -> list[dict[str, Any]]:
    """A dict a layer, of plain values only: ``pandas.DataFrame(tally.rows())``.

    name, type, module, layer (its fields in one line), inputs and output (shapes whole, batch
    first), then every quantity that adds up. None is not known.
    """
    return [
        {
            "name": row.node.name,
            "type": row.node.layer.kind,
            "module": row.node.module,
            "layer": described(row.node),
            "inputs": tuple(_sizes(shape) for shape in row.inputs),
            "output": _sizes(row.shape),
            **{
                name: plain(SUMS[name](tally, row)) if knows(tally, name, row) else None
                for name in LISTED
            },
        }
        for row in tally.rows
    ]


def _sizes(shape: Shape | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(int(n) for n in shape)


_CLAIM = ["status", "claim", "ours", "printed", "printed_value", "low", "high", "detail", "working"]


def check_csv(
    verdicts: Sequence[Verdict], explained: Mapping[int, Explanations] | None = None
) -> str:
    """One line a claim. ``ours`` and ``printed_value`` are bare numbers, shapes 96x55x55."""
    heads = [*_CLAIM, "explanation", "place", "quote", "work", "accounting", "input", "note"]
    rows: list[list[Any]] = []
    for place, verdict in enumerate(verdicts):
        claim, printed = verdict.claim, verdict.claim.printed
        explanations = (explained or {}).get(place)
        rows.append(
            [
                verdict.status,
                claim.text,
                None if verdict.ours is None else _number(in_form_of(printed, verdict.ours)),
                printed.text,
                printed.value if printed.is_number else printed.text,
                printed.low if printed.is_number else None,
                printed.high if printed.is_number else None,
                verdict.detail,
                verdict.working,
                explanations.found[0].text if explanations and explanations.found else "",
                claim.place,
                claim.quote,
                claim.work,
                claim.accounting,
                written_size(claim.input) if claim.input else "",
                claim.note,
            ]
        )
    return written(heads, rows)


def explain_csv(explanations: Explanations) -> str:
    """One line a hypothesis, the least surprising first."""
    heads = ["hypothesis", "gives", "bits", "score", "chance", "weak"]
    heads += ["supports", "mends", "breaks", "effects"]
    rows = [
        [
            each.text,
            _number(each.ours),
            each.bits,
            each.score,
            each.chance,
            "yes" if each.weak else "no",
            "; ".join(each.supports),
            *("; ".join(claim.text for claim in claims) for claims in (each.fixes, each.breaks)),
            "; ".join(each.effects),
        ]
        for each in explanations.found
    ]
    return written(heads, rows)


def reconcile_csv(tally: Tally, reckonings: Sequence[Reckoning]) -> str:
    """One line an accounting."""
    heads = ["accounting", "parameters", "operations", "called", "terms", "source", "complete"]
    unsure = certainty(tally, "operations") == "unknown"
    rows: list[list[Any]] = []
    for each in reckonings:
        known = each.accounting.counts_operations and not unsure
        rows.append(
            [
                each.accounting.name,
                plain(each.parameters),
                plain(each.operations) if known else None,
                each.accounting.unit,
                terms(each.terms).replace(",", "") if known else "",
                each.accounting.source,
                "yes" if each.complete else "no",
            ]
        )
    return written(heads, rows)


def diff_csv(difference: Difference) -> str:
    """One line a layer that differs; the numbers are the second network's less the first's."""
    rows: list[list[Any]] = [
        ["input", name, name, f"{written_size(before)} → {written_size(after)}", None, None, None]
        for name, (before, after) in difference.inputs.items()
    ]
    for pair in difference.changed:
        names = [row.node.name if row else "" for row in (pair.a, pair.b)]
        costs = [
            n if is_sure(difference, pair, name) else None
            for name, n in (
                ("parameters", pair.parameters),
                ("operations", pair.operations),
                ("neurons", pair.neurons),
            )
        ]
        rows.append([pair.status, *names, what_differs(pair), *costs])
    heads = ["status", "a", "b", "what_differs", "parameters", "operations", "neurons"]
    return written(heads, rows)


def written(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The lines of a file."""
    lines = [",".join(heads)]
    lines += [",".join([csv_cell(cell) for cell in row]) for row in rows]
    return "\n".join(lines) + "\n"


def _bare(value: Any) -> Any:
    return None if isinstance(value, AtLeast) else value


def _number(value: Any) -> Any:
    """A value of ours: a bare number; a shape as 96x55x55."""
    if not isinstance(value, (int, float)):
        return None if value is None else shown_value(value).replace(",", "")
    return plain(value) if isinstance(value, int) else value
