"""Words about verdicts and explanations that the formats share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..claims.check import Verdict
    from ..explaining import Explanation

SIGNS = {
    "exact": "✓",
    "holds": "✓",
    "rounds": "≈",
    "truncates": "≈",
    "differs": "✗",
    "unknown": "?",
}

HOW = {
    "exact": "exact",
    "holds": "holds",
    "rounds": "rounded",
    "truncates": "cut off",
    "differs": "differs",
    "unknown": "cannot be derived",
}
"""A verdict in words: how the printed value is true, or that it is not."""


def ours(verdict: Verdict) -> str:
    """Our value, in per cent where the printed one is; "" where there is none."""
    if verdict.ours is None:
        return ""
    return verdict.ours_shown


def tallying(verdicts: Sequence[Verdict]) -> str:
    """``50 of 54 claims tally, 4 differ; 15 more cannot be derived``."""
    derived = [verdict for verdict in verdicts if verdict.status != "unknown"]
    differ = sum(verdict.status == "differs" for verdict in derived)
    number = len(derived)
    if not derived:
        text = "nothing that can be derived is claimed"
    elif not differ:
        text = f"all {number} claims tally" if number > 1 else "the claim tallies"
    else:
        claims = "1 claim" if number == 1 else f"{number} claims"
        text = f"{number - differ} of {claims} tally, {differ} differ{'s' if differ == 1 else ''}"
    more = len(verdicts) - number
    return f"{text}; {more} more cannot be derived" if more else text


def chance(explanation: Explanation) -> str:
    """How likely so small an edit hits by accident: ``1 in 2,000``, ``71 %``, "" for never."""
    odds = explanation.chance
    if odds <= 0:
        return ""
    return f"1 in {round(1 / odds):,}" if odds < 0.1 else f"{100 * odds:.0f} %"
