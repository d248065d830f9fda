"""What ``explain`` gives: hypotheses about one claim, and the answers about all that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..claims.comparison import shown_value
from ..display import Displayed
from ..record import Record

if TYPE_CHECKING:
    from ..claims.check import Verdict, Verdicts
    from ..claims.claim import Claim
    from ..counting.values import Value
    from .edits import Edit

LIKELY = 0.3
"""From this chance of an accidental hit on, an explanation is called weak."""


class Explanation(Record):
    """A hypothesis: the edits, what they give, and what they mean for everything else.

    bits: how surprising the edits are. score: the same, less what speaks for them, plus what
    speaks against. chance: that so small an edit hits by accident. ours: the figure it gives.
    fixes, breaks: other claims that it makes true, or false. supports: other claims that fit our
    figure and would not fit the printed one. effects: what changes elsewhere. similar: other
    values of the same edit that give the figure too. weak: a hit by accident is likely.
    """

    edits: tuple[Edit, ...]
    text: str
    bits: float
    score: float
    chance: float
    ours: Value
    status: str
    fixes: tuple[Claim, ...] = ()
    breaks: tuple[Claim, ...] = ()
    supports: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()

    def __str__(self) -> str:
        weak = " (weak)" if self.weak else ""
        return f"{self.text}: gives {shown_value(self.ours)}; {self.bits:.1f} bits{weak}"

    @property
    def weak(self) -> bool:
        return self.chance > LIKELY


class Explanations(Displayed, Record):
    """The answer to one question: the verdict, the hypotheses, the proofs, and what was tried."""

    claim: Claim
    verdict: Verdict
    found: tuple[Explanation, ...] = ()
    proofs: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Explanations of {self.claim.text}: {len(self.found)} found>"

    @property
    def explained(self) -> bool:
        """Whether some hypothesis is more than an accident."""
        return any(not explanation.weak for explanation in self.found)


class ExplainedClaims(Displayed, tuple[Explanations, ...]):
    """What ``explain`` gives without a claim: an answer for each claim that differs, in order.

    name: the network's. work: what the claims stand in. verdicts: on all of the claims.
    """

    name: str
    work: str
    verdicts: Verdicts

    def __repr__(self) -> str:
        return f"<ExplainedClaims of {self.name}: {len(self)} of {len(self.verdicts)} differ>"

    @property
    def by_place(self) -> dict[int, Explanations]:
        """The answers, by the place of the claim among all."""
        places = (i for i, verdict in enumerate(self.verdicts) if verdict.status == "differs")
        return dict(zip(places, self, strict=True))
