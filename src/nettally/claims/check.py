"""Verdicts: whether what was published about a network tallies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import Named, Num, formula, show
from ..counting.certainty import certainty
from ..counting.quantities import NotDerivable
from ..counting.quantities import certainty as certainty_of_facts
from ..counting.quantity_names import IS_MEASURED, SAME
from ..counting.tally import Rows, Tally, matching, names_like, tally
from ..display import Displayed
from ..errors import ClaimError, NettallyError
from ..record import Record
from .comparison import compare, shown_value
from .published import as_claims, no_claims_about, own_claims

if TYPE_CHECKING:
    from ..counting.rows import Row
    from ..counting.tally import Net
    from ..counting.values import Value
    from ..formats import Sizes
    from ..network import Shape
    from .claim import Claim
    from .published import Published

TALLIES = frozenset({"exact", "rounds", "truncates", "holds"})
"""The verdicts that say that a claim is true."""


class Verdict(Displayed, Record):
    """What came of a claim.

    ours: our figure, None where there is none. status: exact, rounds, truncates, holds (an
    inequality that is true), differs, unknown (cannot be derived), invalid (it is no claim about
    this network). detail: by how much, by what factor, or why not. counted: the tally that our
    figure is of. error: of an invalid claim, the whole complaint.
    """

    claim: Claim
    ours: Value | None
    status: str
    detail: str = ""
    counted: Tally | None = None
    error: NettallyError | None = None

    @property
    def working(self) -> str:
        """The arithmetic of one layer's figure in one line; "" for sums over many layers."""
        return _working(self.counted, self.claim, self.ours) if self.counted is not None else ""

    def __repr__(self) -> str:
        outcome = f"{self.status}: {self.detail}" if self.detail else self.status
        return f"Verdict({self.claim.text!r}, ours={self.ours_shown}, {outcome})"

    @property
    def ours_shown(self) -> str:
        """Our figure for people, in the form of the printed one."""
        return shown_value(self.ours, self.claim.printed)

    @property
    def tallies(self) -> bool:
        return self.status in TALLIES

    @property
    def is_measured(self) -> bool:
        """Whether nothing but a measurement could tell, so that it cannot be derived."""
        return self.status == "unknown" and self.detail == IS_MEASURED

    @property
    def is_derived(self) -> bool:
        """Whether our figure follows, so that the claim is true or false."""
        return self.status not in ("unknown", "invalid")


class Verdicts(Displayed, tuple[Verdict, ...]):
    """What ``check`` gives: the verdicts in the claims' order. Printed, a line each."""

    __slots__ = ()


def check(
    network: Net,
    claims: Published | None = None,
    *,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Verdicts:
    """A verdict for each claim, whatever becomes of the others.

    network, input_size, input_data: as ``tally`` takes them. claims: Claims, a claim, its text, a
    list of either, or the path of a file; None: those that come with a network of the zoo.
    What is no claim, or is about a layer or a quantity that is not there, has the status invalid.
    Raises ClaimError where no claims are known, and for what is neither a text nor a claim.
    """
    published = own_claims(network) if claims is None else as_claims(claims)
    counted = tally(network, input_size=input_size, input_data=input_data)
    if published is None:
        raise no_claims_about(counted)
    return Verdicts(_verdict(counted, claim) for claim in published.claims)


def _verdict(counted: Tally, claim: Claim) -> Verdict:
    try:
        return judge(counted, claim)
    except NettallyError as error:
        text = f"{error.what}: {error.hint}" if error.hint else error.what
        return Verdict(claim, None, "invalid", text, error=error)


def judge(counted: Tally, claim: Claim) -> Verdict:
    """The verdict on one claim. Raises ClaimError for what is no claim about this network."""
    if claim.error is not None:
        raise claim.error
    if claim.measured:
        return Verdict(claim, None, "unknown", IS_MEASURED)
    try:
        by = claim.counted_by(counted)  # its accounting and its input, which it may state
        reason = _not_counted(claim, by)
        if claim.every:
            return _judge_every(counted, claim, reason)
        ours = claim.value(counted)
    except NotDerivable as because:
        return Verdict(claim, None, "unknown", str(because))
    except ClaimError as error:
        raise error.at(str(claim.source or "")) from None
    called = "printed" if claim.is_printed else "claimed"
    status, detail = compare(ours, claim.printed, claim.relation, called)
    if reason and not _is_refuted(claim, ours, status):
        return Verdict(claim, ours if reason.startswith("at least") else None, "unknown", reason)
    if _may_grow(by, claim, ours, status):
        return Verdict(claim, ours, "unknown", "at least this: some layers are not known")
    return Verdict(claim, ours, status, detail, counted)


def _not_counted(claim: Claim, counted: Tally) -> str:
    """Why the operations that are claimed are "at least", or not to be had, by this accounting; "".

    counted: by the accounting of the claim.
    """
    convention = counted.accounting
    for about, quantity in claim.quantities:
        if quantity != "operations":
            continue
        if not convention.counts_operations:
            return f"the accounting '{convention.name}' counts no operations"
        rows = _rows(claim, counted, about)
        if certainty(counted, "operations", rows) == "exact":
            continue
        kinds = dict.fromkeys(
            row.node.layer.kind
            for row in rows
            if row.work is not None and not convention.knows(row)
        )
        if kinds:
            return (
                f"at least this: what '{convention.name}' counts for {', '.join(kinds)} is not "
                "known"
            )
    return ""


def _rows(claim: Claim, counted: Tally, about: str) -> tuple[Row, ...]:
    """The rows that a figure is the sum of; of a pattern, those of every name that matches."""
    if not about:
        return counted.rows
    names = names_like(counted, about) if about == claim.every else (about,)
    return tuple(row for name in names for row in matching(counted, name))


def _is_refuted(claim: Claim, ours: Value, status: str) -> bool:
    """Whether a count that is at least ``ours`` contradicts the claim already."""
    return (
        status == "differs"
        and claim.reference is not None
        and claim.relation in ("=", "<", "<=")
        and isinstance(ours, (int, float))
        and ours > claim.printed.value
    )


def _may_grow(counted: Tally, claim: Claim, ours: Value, status: str) -> bool:
    """Whether layers that are not known could still make a figure of the whole net true, or false.

    What is at least so much may be equal to a larger figure, and may be beyond a bound.
    """
    about, quantity = claim.reference or ("no sum", "")
    if about or not isinstance(ours, int):
        return False
    if certainty_of_facts(counted.rows, SAME.get(quantity, quantity)) == "exact":
        return False
    if claim.relation in ("<", "<="):
        return status == "holds"
    return status == "differs" and ours < claim.printed.value


def _judge_every(counted: Tally, claim: Claim, reason: str) -> Verdict:
    """reason: why what is claimed of some of them is not known; ""."""
    if reason:
        return Verdict(claim, None, "unknown", reason)
    names = names_like(counted, claim.every)
    if not names:
        raise ClaimError(f"no layer matches '{claim.every}'", where=str(claim.source or ""))
    values = {name: claim.value(counted, name) for name in names}
    results = {name: compare(v, claim.printed, claim.relation)[0] for name, v in values.items()}
    worst = [name for name, status in results.items() if status == "differs"]
    if not worst:
        status = "holds" if claim.relation != "=" else max(results.values())
        return Verdict(claim, None, status, f"for each of {len(names)}: {', '.join(names)}")
    shown = ", ".join(f"{name} ({shown_value(values[name], claim.printed)})" for name in worst)
    return Verdict(claim, values[worst[0]], "differs", f"not for {shown}")


def _working(counted: Tally, claim: Claim, ours: Value | None) -> str:
    reference = claim.reference
    if reference is None or not reference[0] or not isinstance(ours, int):
        return ""
    about = reference[0]
    row = next((row for row in counted.rows if row.node.name == about), None)
    if row is None or not row.known:
        return ""
    from ..counting.rows import count_node, unit_sizes

    shapes = dict(zip(row.node.inputs, row.inputs, strict=True))
    counted_row = count_node(row.node, shapes, working=True)
    if reference[1] in ("neurons", "values") and counted_row.shape is not None:
        return _working_of_units(unit_sizes(counted_row.shape, row.examples)) + _left_over(row)
    single = Tally(counted.network, counted.accounting, Rows((counted_row,)))
    value = claim.value(single)
    return show(value) if isinstance(value, Num) else ""


def _working_of_units(sizes: Shape) -> str:
    """``55 · 55 · 96 = 290,400, where 55 = ⌈(224 - 11) / 4⌉ + 1``."""
    text = " · ".join(formula(n) if n is sizes[-1] else f"{int(n):,}" for n in sizes)
    value = 1
    for size in sizes:
        value *= int(size)
    parts = dict.fromkeys(
        f"{int(n):,} = {formula(n)}"
        for n in sizes[:-1]
        if isinstance(n, Num) and not isinstance(n.how, Named)
    )
    return f"{text} = {value:,}" + (", where " + ", ".join(parts) if parts else "")


def _left_over(row: Row) -> str:
    """Where a division does not come out even: the pixels dropped, or overhung."""
    layer: Any = row.node.layer
    if not hasattr(layer, "spare"):
        return ""
    left = layer.spare(row.inputs[0])[0]
    if not left:
        return ""
    pixels = f"{abs(left)} pixel{'s' if abs(left) > 1 else ''}"
    if left > 0:
        return f", rounded down: {pixels} at the edge are dropped"
    return f", rounded up: the last window hangs {pixels} over the edge"
