"""The search: the least surprising edits that give the printed figure, best first."""

from __future__ import annotations

import heapq
from math import exp, log2, prod
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import expression
from ..claims.check import TALLIES
from ..claims.comparison import compare
from ..counting.quantities import SUMS, NotDerivable
from ..counting.tally import Tally, matching, tally
from ..counting.values import ByAxis, Padding, compute
from ..errors import LayerError, NettallyError
from .conventions import accounting_edits, scalings
from .edits import Edit, field_edits
from .readings import padding_readings
from .recount import Recount, relevant
from .slips import (
    alike,
    digit_slips,
    factor_slips,
    parts_of_formula,
    row_slips,
    shown_factors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..claims.claim import Claim
    from ..counting.accounting import Accounting
    from ..counting.rows import Row
    from ..counting.values import Number, Value

MAX_PAIRS = 30_000
"""Pairs of edits that are tried, the least surprising first."""

MAX_COUNTED = 30_000
"""Rows that are counted again for pairs; it bounds the time on deep networks."""

MANY = 1000
"""From this value on, a multiple of a formula says something."""

NEAR_OCTAVES = 0.5
"""Results within this many octaves of the figure tell how densely the edits fall about it."""


class Hit(NamedTuple):
    """Edits that give the printed figure. rank: how many were tried that surprise no more."""

    edits: tuple[Edit, ...]
    bits: float
    value: Value
    status: str


class Trial(NamedTuple):
    """What one search did."""

    hits: tuple[Hit, ...]
    singles: int
    pairs: int
    complete: bool
    chance: Callable[[float], float]


class Target:
    """The figure that is asked about, measured again under each edit."""

    def __init__(self, base: Tally, claim: Claim) -> None:
        self.claim = claim
        self.printed = claim.printed
        self.whole = base
        near = relevant(base, claim)
        if len(near) < len(base.rows):
            nodes = tuple(row.node for row in base.rows if row.node.name in near)
            network = base.network.replace(nodes=nodes, outputs=())
            base = Tally(network, base.accounting, tally(network).rows)
        self.base = base
        self.near = near
        self.recount = Recount(base)
        self.about, self.quantity = claim.reference or ("", "")
        self.scope: frozenset[int] = frozenset()
        if self.quantity in SUMS:
            rows = base.rows if not self.about else _rows(base, self.about)
            self.scope = frozenset(self.recount.index[row.node.name] for row in rows)
        self.terms = 0 if claim.reference else len(set(expression.names(claim.tree)))
        self._parts: dict[tuple[str, str], list[int]] = {}

    def measure(self, edits: tuple[Edit, ...]) -> Value:
        """Our figure under the edits. Raises LayerError where they make no network."""
        changes: dict[str, Any] = {}
        inputs = None
        for edit in edits:
            if edit.value is not None:
                return edit.value
            if edit.changes:
                changes.update(edit.changes)
            if edit.inputs is not None:
                inputs = edit.inputs
        changed = self.recount.rows(changes, inputs) if changes or inputs else {}
        quantity, accounting = self.quantity, self.base.accounting
        without: set[str] = set()
        numerator, denominator, plus = 1, 1, 0
        for edit in edits:
            if edit.kind == "accounting":
                quantity = edit.quantity or quantity
                accounting = edit.accounting or accounting
                without |= edit.without
                numerator *= edit.factor[0]
                denominator *= edit.factor[1]
                plus += edit.plus
        if not self.scope:
            value = self.claim.value(self.recount.tally(changed, inputs))
            self.recount.counted += self.terms
        else:
            value = self._sum(quantity, accounting, without, changed) + plus
        if numerator == denominator or not isinstance(value, (int, float)):
            return value
        scaled = compute("*", value, numerator)
        even = isinstance(scaled, int) and scaled % denominator == 0
        return compute("//" if even else "/", scaled, denominator)

    def _sum(
        self,
        quantity: str,
        accounting: Accounting,
        without: set[str],
        changed: Mapping[int, Row],
    ) -> int:
        key = (quantity, accounting.name)
        measure = SUMS[quantity]
        base = self.base if accounting is self.base.accounting else self.base.under(accounting)
        parts = self._parts.get(key)
        if parts is None:
            parts = [measure(base, row) for row in base.rows]
            parts.append(sum(parts[i] for i in self.scope))
            self._parts[key] = parts
        value = parts[-1]
        for i, row in changed.items():
            if i in self.scope:
                value += measure(base, row) - parts[i]
        for name in without:
            i = self.recount.index.get(name)
            if i is not None and i in self.scope:
                value -= measure(base, changed[i]) if i in changed else parts[i]
        return value


def _rows(base: Tally, about: str) -> tuple[Row, ...]:
    try:
        return matching(base, about)
    except NettallyError:
        return ()


def singles(target: Target, ours: Value) -> list[Edit]:
    """All the edits that are tried by themselves, the least surprising first."""
    base, claim = target.base, target.claim
    edits = list(field_edits(base, target.near, target.about))
    if target.scope:
        edits += accounting_edits(base, target.about, target.quantity, claim.printed)
        edits += _slips(target, ours)
    elif claim.reference is None and isinstance(ours, (int, float)):
        if abs(claim.printed.value) >= MANY:  # almost anything is a multiple of a small number
            edits += scalings(claim.subject.rpartition(".")[2], claim.printed)
        edits += parts_of_formula(base, claim, ours)
        if isinstance(ours, int):
            edits += digit_slips(ours, claim.printed)
            working = tally(base.network, base.accounting, working=True)
            edits += factor_slips(alike(working, claim), claim.printed)
    if isinstance(ours, Padding) and target.about in target.recount.index:
        row = base.rows[target.recount.index[target.about]]
        edits += [
            edit
            for edit in padding_readings(row)
            if edit.value is not None and compare(edit.value, claim.printed)[0] in TALLIES
        ]
    edits.sort(key=lambda edit: edit.bits)
    return edits


def _slips(target: Target, ours: Value) -> Iterator[Edit]:
    base, printed, about = target.base, target.printed, target.about
    if isinstance(ours, int):
        yield from digit_slips(ours, printed)
    yield from row_slips(target.whole, about, target.quantity, printed)
    if not about:
        from .relatives import relatives  # it reads the zoo

        yield from relatives(base, target.quantity, printed)
    if about in target.recount.index:
        working = tally(base.network, base.accounting, working=True)
        for shown in shown_factors(working, about, target.quantity):
            yield from factor_slips(shown, printed)


def search(
    base: Tally, claim: Claim, ours: Value, most_pairs: int = MAX_PAIRS
) -> tuple[Target, Trial]:
    """Try single edits, then pairs in the order of their bits, within a bound on the work."""
    figure = Target(base, claim)
    edits = singles(figure, ours)
    axes = len(claim.printed.shape or ())
    target = _size(claim.printed.shape or (claim.printed.value,), axes)
    hits: list[Hit] = []
    useful: list[Edit] = []
    tried: list[tuple[float, float]] = []

    def attempt(candidate: tuple[Edit, ...], bits: float) -> bool:
        try:
            value = figure.measure(candidate)
        except (LayerError, NotDerivable, NettallyError, ZeroDivisionError):
            return False
        status, _ = compare(value, claim.printed, claim.relation)
        size = _size(value, axes)
        if size and target:
            tried.append((bits, log2(size) - log2(target)))
        if status in TALLIES:
            hits.append(
                Hit(candidate, bits + (1.0 if status == "truncates" else 0.0), value, status)
            )
            return True
        return value != ours

    for edit in edits:
        if edit.value is not None:
            status = compare(edit.value, claim.printed)[0]
            hits.append(Hit((edit,), edit.bits, edit.value, status))
            tried.append((edit.bits, 0.0))
            continue
        before = len(hits)
        if attempt((edit,), edit.bits) and len(hits) == before:
            useful.append(edit)
    pairs = 0
    complete = True
    most = figure.recount.counted + MAX_COUNTED
    for bits, one, two in _pairs(useful):
        if pairs >= most_pairs or figure.recount.counted >= most:
            complete = False
            break
        if one.touches & two.touches or (one.kind == two.kind == "accounting" and _same(one, two)):
            continue
        pairs += 1
        attempt((one, two), bits)
    hits.sort(key=lambda hit: hit.bits)
    return figure, Trial(tuple(hits), len(edits), pairs, complete, _chance(tried, claim))


def _same(one: Edit, two: Edit) -> bool:
    """Two conventions that would overrule each other."""
    return one.family == two.family or bool(one.quantity and two.quantity)


def _pairs(edits: list[Edit]) -> Iterator[tuple[float, Edit, Edit]]:
    """All pairs, by the sum of their bits; ``edits`` is in order."""
    if len(edits) < 2:
        return
    heap = [(edits[i].bits + edits[i + 1].bits, i, i + 1) for i in range(len(edits) - 1)]
    heapq.heapify(heap)
    while heap:
        bits, i, j = heap[0]
        if j + 1 < len(edits):
            heapq.heapreplace(heap, (edits[i].bits + edits[j + 1].bits, i, j + 1))
        else:
            heapq.heappop(heap)
        yield bits, edits[i], edits[j]


def _size(value: Value | tuple[Number, ...], axes: int) -> Number:
    """One positive number to compare results by; 0 where there is none. axes: of the printed."""
    number = value if isinstance(value, (int, float)) else None
    if isinstance(value, (ByAxis, Padding)):
        number = value.single
    elif isinstance(value, tuple):
        number = prod(value[-axes:])
    return number if number is not None and number > 0 else 0


def _chance(tried: list[tuple[float, float]], claim: Claim) -> Callable[[float], float]:
    """The chance that edits of so many bits or fewer hit the printed figure by accident.

    The edits tried are taken to fall about the figure as evenly as they do within half an octave
    of it. The interval that counts as a hit is what rounds or truncates to the figure.
    """
    printed = claim.printed
    if printed.shape is not None:  # whole sizes: half a step to either side, along each axis
        width = sum(log2((n + 0.5) / (n - 0.5)) if n > 0.5 else 1.0 for n in printed.shape)
    else:
        low = float(printed.low)
        high = float(printed.value) + float(printed.coarse or printed.step)
        if printed.is_exact:
            high = float(printed.value) + 0.5
        width = log2(high / low) if low > 0 else 1.0

    def chance(bits: float) -> float:
        near = sum(1 for b, octave in tried if b <= bits and abs(octave) <= NEAR_OCTAVES)
        return 1.0 - exp(-(near + 1) / (2 * NEAR_OCTAVES) * width)

    return chance
