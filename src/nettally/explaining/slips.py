"""Slips of the pen: one factor of the shown product replaced, digits lost, another row's value."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from .. import expression
from ..arith import factors, product
from ..claims.check import TALLIES
from ..claims.comparison import compare
from ..counting.quantities import LISTED, SUMS, NotDerivable
from ..counting.rows import unit_sizes
from ..errors import NettallyError
from ..record import Record
from .edits import KIND_BITS, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..claims.claim import Claim
    from ..claims.printed import Printed
    from ..counting.tally import Tally


class Factor(Record):
    """One factor replaced: ``48`` in the place of ``55``."""

    wrong: int
    right: int
    beside: bool


def hits(printed: Printed, value: int | float) -> bool:
    """Whether a value can have been printed so: exactly, or rounded to the printed place."""
    return value == printed.value or printed.low <= value < printed.high


def replaced_factors(shown: tuple[int, ...], printed: Printed) -> Iterator[Factor]:
    """Every whole number that, in the place of one factor, gives the printed figure.

    For an exact figure there is at most one for each factor. A rounded one is asked for the
    factors that stand beside, since almost any number would do.
    """
    whole = product(shown)
    seen: set[tuple[int, int]] = set()
    for factor in dict.fromkeys(shown):
        rest = whole // factor
        candidates = set(shown) - {factor}
        if printed.is_exact and printed.value % rest == 0:
            candidates.add(int(printed.value) // rest)
        for other in sorted(candidates):
            if other > 0 and (factor, other) not in seen and hits(printed, rest * other):
                seen.add((factor, other))
                yield Factor(other, factor, other in shown)


def factor_slips(shown: tuple[int, ...], printed: Printed) -> Iterator[Edit]:
    """One factor of the product as it is shown, replaced by another number."""
    if len(shown) < 2:
        return
    kinds = len(set(shown))
    dotted = "·".join(str(int(f)) for f in shown)
    for slip in replaced_factors(shown, printed):
        if slip.beside:
            bits = log2(kinds) + log2(max(1, kinds - 1))
            text = f"a slip: {slip.wrong} for {slip.right}, the number beside it, in {dotted}"
        else:
            bits = log2(kinds) + 3 + 2 * log2(1 + slip.wrong)
            text = f"a slip: {slip.wrong} for {slip.right} in {dotted}"
        value = product(shown) // slip.right * slip.wrong
        yield Edit("slip", text, KIND_BITS["slip"] + bits, value=value, family="factor")


def digit_slips(ours: int, printed: Printed) -> Iterator[Edit]:
    """Digits lost, doubled, swapped or mistaken, and powers of ten."""
    if ours <= 0 or not isinstance(printed.value, int) or printed.value <= 0:
        return
    base = KIND_BITS["slip"]
    for power in (1, 2, 3, 6, -1, -2, -3, -6):
        value = ours * 10**power if power > 0 else ours // 10**-power
        if value and hits(printed, value):
            text = f"a slip of 10^{power}: {ours:,} with the point in another place"
            yield Edit("slip", text, base + 2 + abs(power), value=value, family="power")
    if printed.step != 1 or printed.coarse or ours < 100:
        return
    mine, theirs = str(ours), str(printed.value)
    where = log2(len(mine))
    text = ""
    bits = base + 1 + where
    if len(theirs) == len(mine) - 1:
        at = next((i for i in range(len(mine)) if mine[:i] + mine[i + 1 :] == theirs), None)
        text = f"a digit lost: the {mine[at]} of {ours:,}" if at is not None else ""
    elif len(theirs) == len(mine) + 1:
        at = next((i for i in range(len(theirs)) if theirs[:i] + theirs[i + 1 :] == mine), None)
        if at is not None:
            doubled = theirs[at] in theirs[max(0, at - 1) : at] + theirs[at + 1 : at + 2]
            text = f"a digit {'doubled' if doubled else 'too many'}: the {theirs[at]}"
            bits += 0 if doubled else log2(10)
    elif len(theirs) == len(mine):
        wrong = [i for i in range(len(mine)) if mine[i] != theirs[i]]
        if len(wrong) == 1:
            text = f"one digit: {theirs[wrong[0]]} for the {mine[wrong[0]]} of {ours:,}"
            bits += log2(10)
        elif len(wrong) == 2 and wrong[1] == wrong[0] + 1:
            i, j = wrong
            if mine[i] == theirs[j] and mine[j] == theirs[i]:
                text = f"two digits swapped: {mine[i]}{mine[j]} of {ours:,}"
    if text:
        yield Edit("slip", text, bits, value=printed.value, family="digits")


def row_slips(tally: Tally, about: str, quantity: str, printed: Printed) -> Iterator[Edit]:
    """The figure of another row, or another quantity of the same row."""
    base = KIND_BITS["slip"]
    if not about:
        yield from _single_rows(tally, quantity, printed)
        return
    names = [row.node.name for row in tally.rows if SUMS[quantity](tally, row)]
    here = names.index(about) if about in names else None
    for place, name in enumerate(names):
        value = SUMS[quantity](tally, tally[name])
        if name == about or not hits(printed, value):
            continue
        away = abs(place - here) if here is not None else len(names)
        text = f"the value of another row: {name}'s {quantity}, {value:,}"
        yield Edit("slip", text, base + 1 + 2 * log2(1 + away), value=value, family="row")
    if about in names:
        for other in LISTED:
            value = SUMS[other](tally, tally[about])
            if other != quantity and hits(printed, value):
                text = f"another column: {about}'s {other}, {value:,}"
                yield Edit("slip", text, base + 3, value=value, family="column")


def _single_rows(tally: Tally, quantity: str, printed: Printed) -> Iterator[Edit]:
    """The figure of one layer, told of the whole network."""
    measure = SUMS[quantity]
    counted = [(row.name, measure(tally, row)) for row in tally.rows]
    counted = [(name, value) for name, value in counted if value]
    for name, value in counted if len(counted) > 1 else ():
        if hits(printed, value):
            text = f"the value of one layer: {name}'s {quantity}, {value:,}"
            bits = KIND_BITS["slip"] + 1 + log2(len(counted))
            yield Edit("slip", text, bits, value=value, family="row")


def parts_of_formula(tally: Tally, claim: Claim, ours: float) -> Iterator[Edit]:
    """One side of a formula alone: ``norm1.alpha`` for ``norm1.alpha / norm1.size``."""
    tree = expression.parse(claim.subject)
    if not isinstance(tree, expression.Operation):
        return
    sides = (claim.subject[: tree.at], claim.subject[tree.at + len(tree.sign) :])
    for side in sides:
        try:
            value = claim.replace(subject=side.strip()).value(tally)
        except (NettallyError, NotDerivable):  # "a)" of "(1 + a) * b" is no formula
            continue
        if value != ours and compare(value, claim.printed)[0] in TALLIES:
            text = f"{side.strip()} alone, not {claim.subject}"
            yield Edit("slip", text, KIND_BITS["slip"] + 2, value=value, family="side")


def alike(working: Tally, claim: Claim) -> tuple[int, ...]:
    """The factors of a sum over layers of one size: 55·55·48 and 2 for two columns, else ()."""

    def names(tree: expression.Tree) -> list[str]:
        if isinstance(tree, expression.Operation) and tree.sign == "+":
            return names(tree.left) + names(tree.right)
        return [tree.text] if isinstance(tree, expression.Name) else [""]

    quantities: set[str] = set()
    shown: set[tuple[int, ...]] = set()
    used = names(expression.parse(claim.subject))
    for name in used:
        about, _, quantity = name.rpartition(".")
        quantities.add(quantity)
        rows = [row for row in working.rows if row.name == about]
        if not rows or quantity not in ("neurons", "values"):
            return ()
        shown.update(shown_factors(working, about, quantity)[:1])
    return (*shown.pop(), len(used)) if len(shown) == len(quantities) == 1 else ()


def shown_factors(working: Tally, about: str, quantity: str) -> tuple[tuple[int, ...], ...]:
    """The products that a reader would see for a figure: whole, and with 96 opened to 48·2.

    Of neurons and of values: space, then channels, each size as found. Of the rest: the factors
    of the working.
    """
    row = working[about]
    if row.shape is None or row.work is None:
        return ()
    if quantity in ("neurons", "values") and SUMS[quantity](working, row):
        sizes = unit_sizes(row.shape, row.examples)
        whole = tuple(int(size) for size in sizes)
        opened = (*whole[:-1], *(int(f) for f in factors(sizes[-1]))) if whole else whole
        return (whole,) if whole == opened else (opened, whole)
    figure = SUMS[quantity](working, row)
    numbers = tuple(int(f) for f in factors(figure))
    return (numbers,) if len(numbers) > 1 else ()
