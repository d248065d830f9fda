"""How our value for a claim comes about: a layer's, a sum over layers, a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import expression
from ...arith import plain
from ...claims.comparison import shown_value
from ...counting.quantities import SAME, SUMS, NotDerivable, evaluate
from ...counting.tally import matching, names_like
from ...counting.values import single_number
from ...errors import NettallyError
from ..tables.architecture import architecture

if TYPE_CHECKING:
    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...counting.tally import Tally

MOST = 40
"""Terms of a sum that are written out."""

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2}


def steps(verdict: Verdict, counted: Tally) -> tuple[str, ...]:
    """The working, one step a line; empty where there is nothing to show but the value itself."""
    claim = verdict.claim
    if verdict.ours is None and not claim.every:
        return ()
    try:
        counted = claim.counted_by(counted)
        if claim.every:
            return _each(claim, counted)
        if claim.reference is None:
            return _formula(claim, verdict, counted)
        if verdict.working:
            left, _, right = verdict.working.partition(" = ")
            return (verdict.working,) if left != right else ()
        return _sum(claim, verdict, counted)
    except (NettallyError, NotDerivable):
        return ()


def _each(claim: Claim, counted: Tally) -> tuple[str, ...]:
    names = names_like(counted, claim.every)
    lines = [
        f"{name}: {shown_value(claim.value(counted, name), claim.printed)}" for name in names[:MOST]
    ]
    if len(names) > MOST:
        lines.append(f"and {len(names) - MOST} more")
    return tuple(lines)


def _formula(claim: Claim, verdict: Verdict, counted: Tally) -> tuple[str, ...]:
    """The formula with its quantities' values: ``5 + 3 = 8``."""
    tree = expression.parse(claim.subject)
    values, ours = _with_values(tree, counted), verdict.ours_shown
    return (f"{claim.subject} = {values} = {ours}",) if values != ours else ()


def _with_values(tree: expression.Tree, counted: Tally, tight: int = 0) -> str:
    if isinstance(tree, expression.FunctionCall) and tree.function == "log2":
        return f"log2({_with_values(tree.arguments[0], counted)})"
    if not isinstance(tree, expression.Operation):
        value = evaluate(tree, counted)
        number = single_number(value)
        return shown_value(value if number is None else number)
    precedence = _PRECEDENCE[tree.sign]
    left = _with_values(tree.left, counted, precedence)
    right = _with_values(tree.right, counted, precedence + 1)
    text = f"{left} {'·' if tree.sign == '*' else tree.sign} {right}"
    return f"({text})" if precedence < tight else text


def _sum(claim: Claim, verdict: Verdict, counted: Tally) -> tuple[str, ...]:
    """The sum over the network's or a module's lines, by the lines of a paper's table."""
    assert claim.reference is not None
    about, quantity = claim.reference
    quantity = SAME.get(quantity, quantity)
    if quantity not in SUMS:
        return ()
    of = SUMS[quantity]
    if about:
        rows = matching(counted, about)
        terms = [(row.node.name, plain(of(counted, row))) for row in rows]
    else:
        terms = [
            (part.name, sum(plain(of(counted, row)) for row in part.rows))
            for part in architecture(counted)[0]
        ]
    terms = [(name, n) for name, n in terms if n]
    if about and len(terms) == 1:  # a module with one layer that counts
        alone = claim.replace(subject=f"{terms[0][0]}.{quantity}")
        working = verdict.replace(claim=alone).working
        return (working,) if working else ()
    if len(terms) < 2 or len(terms) > MOST:
        return ()
    addends = " + ".join(f"{n:,} ({name})" for name, n in terms)
    return (f"{addends} = {sum(n for _, n in terms):,}",)
