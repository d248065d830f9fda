"""How a command ends that judged claims: its exit code, and its complaints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rendering.terminal import count
from .process import DIFFERS, TALLIES, UNUSABLE, complain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..claims.check import Verdict

MOST_NAMED = 5
"""How many claims that can't be judged a complaint names; the answer on stdout has them all."""


def code_of(verdicts: Sequence[Verdict]) -> int:
    """2 where something is no claim, which is complained about; else 1 where a claim differs."""
    errors = [(verdict.claim.text, verdict.error) for verdict in verdicts if verdict.error]
    if errors:
        text, first = errors[0]
        if len(errors) == 1:
            complain(
                first.what, where=first.where, values=first.values or text[:80], hint=first.hint
            )
            return UNUSABLE
        texts = [text for text, _ in errors[:MOST_NAMED]]
        more = f" and {len(errors) - MOST_NAMED} more" if len(errors) > MOST_NAMED else ""
        complain(
            f"{len(errors)} of {count(len(verdicts), 'claim')} cannot be judged",
            where=first.where,
            values=" · ".join(texts) + more,
            hint=first.hint,
        )
        return UNUSABLE
    return DIFFERS if any(verdict.status == "differs" for verdict in verdicts) else TALLIES


def code_of_document(verdicts: Sequence[Verdict]) -> int:
    """The same of a command that writes a page or a figure: 0 whatever its claims say."""
    return UNUSABLE if code_of(verdicts) == UNUSABLE else TALLIES
