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

_HOW = {
    "exact": "exact",
    "holds": "holds",
    "rounds": "rounded",
    "truncates": "cut off",
    "differs": "differs",
    "unknown": "not known",
    "invalid": "cannot be judged",
}
MEASURED = "cannot be derived"


def how(verdict: Verdict) -> str:
    """A verdict in words: how the printed value is true, or that it is not, or why nobody knows."""
    return MEASURED if verdict.is_measured else _HOW[verdict.status]


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
    words = [how(verdict) for verdict in verdicts if not verdict.is_derived]
    text = ""
    for each in (MEASURED, _HOW["unknown"], _HOW["invalid"]):
        more = "" if each == _HOW["invalid"] else "more "
        text += f"; {words.count(each)} {more}{each}" if each in words else ""
    return text


def open_words(verdict: Verdict) -> str:
    """What is said of a claim that is neither true nor false: that it ``cannot be derived``."""
    word = how(verdict)
    return f"is {word}" if word == _HOW["unknown"] else word


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
