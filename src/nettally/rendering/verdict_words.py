"""Words about verdicts and explanations that the formats share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..claims.check import Verdict
    from ..explaining import Explanation, Explanations

SIGNS = {
    "exact": "✓",
    "holds": "✓",
    "rounds": "≈",
    "truncates": "≈",
    "differs": "✗",
    "unknown": "?",
    "invalid": "!",
}

HOW = {
    "exact": "exact",
    "holds": "holds",
    "rounds": "rounded",
    "truncates": "cut off",
    "differs": "differs",
    "unknown": "cannot be derived",
    "invalid": "cannot be judged",
}
"""A verdict in words: how the printed value is true, or that it is not."""


def ours(verdict: Verdict) -> str:
    """Our value, in per cent where the printed one is; "" where there is none."""
    if verdict.ours is None:
        return ""
    return verdict.ours_shown


def tallying(verdicts: Sequence[Verdict]) -> str:
    """``50 of 54 claims tally, 4 differ; 15 more cannot be derived``."""
    derived = [verdict for verdict in verdicts if verdict.is_derived]
    differ = sum(verdict.status == "differs" for verdict in derived)
    number = len(derived)
    if not derived:
        text = "nothing that can be derived is claimed"
    elif not differ:
        text = f"all {number} claims tally" if number > 1 else "the claim tallies"
    else:
        claims = "1 claim" if number == 1 else f"{number} claims"
        text = f"{number - differ} of {claims} tally, {differ} differ{'s' if differ == 1 else ''}"
    return f"{text}{others(verdicts)}"


def others(verdicts: Sequence[Verdict]) -> str:
    """``; 15 more cannot be derived; 1 cannot be judged``, "" where all are true or false."""
    text = ""
    for status, more in (("unknown", " more"), ("invalid", "")):
        number = sum(verdict.status == status for verdict in verdicts)
        text += f"; {number}{more} {HOW[status]}" if number else ""
    return text


def searched(explanations: Explanations) -> bool:
    """Whether edits were tried at all: they are for one value that differs, not for a bound."""
    claim = explanations.verdict.claim
    return explanations.verdict.status == "differs" and claim.relation == "=" and not claim.every


def chance(explanation: Explanation) -> str:
    """How likely so small an edit hits by accident: ``1 in 2,000``, ``71 %``, "" for never."""
    odds = explanation.chance
    if odds <= 0:
        return ""
    return f"1 in {round(1 / odds):,}" if odds < 0.1 else f"{100 * odds:.0f} %"
