"""One network under every accounting, each total taken apart into terms that say what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..counting.accounting import REGISTRY, accounting, fact_of
from ..counting.tally import tally
from ..display import Displayed
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..counting.accounting import Accounting
    from ..counting.rows import Row
    from ..counting.tally import Net, Tally
    from ..formats import Sizes


class Reckoning(Record):
    """One network under one accounting, term by term.

    parameters, operations: the totals. terms: what the operations are made of: the multiply-adds
    of weighted sums (times what each counts for), then what each kind of layer adds to them.
    complete: false where some layer, or what the accounting counts for it, is not known, so that
    the operations are "at least". unknown: the kinds of layers that the accounting does not know.
    """

    accounting: Accounting
    parameters: int
    operations: int
    terms: Mapping[str, int]
    complete: bool
    unknown: tuple[str, ...] = ()


SUMS = frozenset(
    {
        "macs",
        "weights_by_batch",
        "weights_at_outputs",
        "weights_by_steps",
        "products",
        "stretched",
        "dense",
        "transposed_macs",
        "unfused_macs",
        "einsum_pairs",
        "einsum_optimized",
        "einsum_fvcore",
    }
)
"""The facts that are somebody's number of multiply-adds; what they differ by has a name."""

DIFFERENCES = {
    "macs": "counted twice",
    "weights_by_batch": "positions left out",
    "weights_at_outputs": "at output positions",
    "weights_by_steps": "weights at each step",
    "stretched": "products stretched",
    "dense": "zeros of the table",
    "unfused_macs": "as a fused kernel",
    "transposed_macs": "divided by the groups twice",
    "einsum_pairs": "as products of pairs",
    "einsum_optimized": "in 4 digits",
    "einsum_fvcore": "in 4 digits",
}
"""What the difference to the multiply-adds is, by the fact that is counted in their place."""

PARTS = {
    "bias_adds": "biases",
    "transposed_biases": "biases",
    "biases_by_batch": "biases",
    "biases_at_outputs": "biases",
    "biases_by_steps": "biases",
    "plain_biases": "biases",
    "turned_biases": "biases",
    "unfused_biases": "biases",
    "unbiased_pairs": "pairs of channels without a bias",
    "outputs": "outputs",
    "inputs": "inputs",
    "pooled": "values in windows",
    "merged": "additions",
    "normed": "values normalised",
    "norm_tensors_by_batch": "scales and shifts",
    "states": "values of states",
    "gates": "values of gates",
    "projected": "projections",
    "unprojected": "projections as if there were none",
}
"""What else is counted for a layer with weighted sums, by the fact."""


class Reckonings(Displayed, tuple[Reckoning, ...]):
    """What ``reconcile`` gives: one reckoning for each accounting, in the order of the tables.

    tally: what is counted.
    """

    tally: Tally

    def __repr__(self) -> str:
        return f"<Reckonings of {self.tally.network.name}: {len(self)} accountings>"


def reconcile(
    network: Net, *, input_size: Sizes | None = None, input_data: Any = None
) -> Reckonings:
    """One network under every accounting; of a module that was read, what the tools print.

    network, input_size, input_data: as ``tally`` takes them.
    """
    counted = tally(network, input_size=input_size, input_data=input_data)
    reckonings = Reckonings(reckon(counted.under(accounting(name))) for name in REGISTRY)
    reckonings.tally = counted
    return reckonings


def reckon(counted: Tally) -> Reckoning:
    """One tally's totals, term by term, under the accounting that it is counted by."""
    convention = counted.accounting
    printed = convention.printed()
    if printed is not None:
        return printed
    base = 0
    others: dict[str, int] = {}
    unknown: dict[str, None] = {}
    for row in counted.rows:
        if row.work is None:
            continue
        if not convention.knows(row):
            unknown[row.node.layer.kind] = None
        sums, parts = terms_of(convention, row)
        base += sums
        for label, amount in parts.items():
            others[label] = others.get(label, 0) + amount
    label = "multiply-adds" if convention.per_mac == 1 else f"{convention.per_mac} × multiply-adds"
    terms = {label: base} if convention.per_mac else {}
    terms.update((label, amount) for label, amount in others.items() if amount)
    return Reckoning(
        convention,
        counted.parameters,
        counted.operations,
        terms,
        counted.operations_complete,
        tuple(unknown),
    )


def terms_of(convention: Accounting, row: Row) -> tuple[int, dict[str, int]]:
    """(multiply-adds at what each counts for, what is added or missing by its name) of one row.

    The two together are the row's operations. What a layer without weighted sums counts has the
    kind's own name.
    """
    assert row.work is not None
    kind = row.node.layer.kind
    terms = convention.terms_of(row)
    base = convention.per_mac * row.work.macs
    if not any(fact in SUMS for fact in terms) or not row.work.macs:
        amount = convention.operations(row)
        return 0, {kind: amount} if amount else {}
    parts: dict[str, int] = {}
    left = base
    for fact, times in terms.items():
        amount = times * fact_of(row, fact)
        if fact in SUMS:
            amount -= left
            left = 0
            label = f"{kind} {DIFFERENCES.get(fact, fact)}"
        else:
            label = f"{kind} {PARTS.get(fact, fact.replace('_', ' '))}"
        if amount:
            parts[label] = parts.get(label, 0) + amount
    return base, parts
