"""A figure of which nobody says what it counts: the quantities that it is, or is near to."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

from ..arith import plain
from ..claims.check import Verdict, judge
from ..claims.claim import read_claim
from ..claims.printed import parse_printed
from ..counting.quantities import NotDerivable, measure
from ..errors import NettallyError
from . import Explanations, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..claims.claim import Claim
    from ..claims.printed import Printed
    from ..counting.tally import Tally

COUNTS = (
    *("neurons", "parameters", "macs", "operations", "connections", "flops", "weights", "biases"),
    *("activations", "values", "memory", "active", "non_embedding"),
    *("active_without_input_embedding", "active_without_embeddings"),
)
"""The counts that a figure may be of, those first that are most often printed."""

ALONG = ("channels", "height", "width", "depth", "length")
"""The sizes of an output that a single number may be of."""

SIZES = ("output", "kernel_volume", "receptive_field")
"""What a printed shape may be of."""

NEAR_OCTAVES = 0.6
"""A count is near where it is at most so many octaves away: from two thirds to one and a half."""

EXPLAINED = 12
"""How many of the nearest counts are searched for an explanation."""


class Near(NamedTuple):
    """What a figure may be of. verdict: of the claim that it is. explanations: why it is not."""

    verdict: Verdict
    explanations: Explanations | None


def near(
    counted: Tally, figure: str, claims: Iterable[Claim] = (), most: int = 5
) -> tuple[Near, ...]:
    """The quantities that a figure is; where there are none, those it is near to, explained first.

    Of a layer's quantities that are the same number, one is named. claims: others about the
    network, which an explanation carries along. Raises ClaimError for what is
    no figure.
    """
    printed, others = parse_printed(figure), tuple(claims)
    verdicts = list(_verdicts(counted, printed))
    fitting = [verdict for verdict in verdicts if verdict.tallies]
    if fitting:
        fitting.sort(key=lambda verdict: verdict.status not in ("exact", "rounds"))
        return tuple(Near(verdict, None) for verdict in fitting[:most])
    distances = [(_octaves(verdict, printed), verdict) for verdict in verdicts]
    nearest = sorted(
        (pair for pair in distances if pair[0] <= NEAR_OCTAVES), key=lambda pair: pair[0]
    )
    answers = [
        Near(verdict, explain(counted, verdict.claim, others, most=1, pairs=0))
        for _, verdict in nearest[:EXPLAINED]
    ]
    answers.sort(key=_surprise)
    return tuple(answers[:most])


def _surprise(answer: Near) -> tuple[bool, float]:
    explanations = answer.explanations
    if explanations is None or not explanations.explained:
        return True, 0.0
    return False, explanations.found[0].score


def _octaves(verdict: Verdict, printed: Printed) -> float:
    ours = verdict.ours
    if not isinstance(ours, int) or ours <= 0 or printed.value <= 0 or printed.shape is not None:
        return float("inf")
    return abs(log2(plain(ours)) - log2(printed.value))


def _verdicts(counted: Tally, printed: Printed) -> Iterator[Verdict]:
    """The figure, claimed of each quantity of the network, of its modules and of its layers."""
    modules = dict.fromkeys(row.node.module for row in counted.rows if row.node.module)
    layers = dict.fromkeys(row.node.name for row in counted.rows)
    for about in ("", *counted.network.inputs, *layers, *(m for m in modules if m not in layers)):
        seen: set[object] = set()
        for quantity in (*COUNTS, *ALONG) if printed.shape is None else SIZES:
            try:
                ours = measure(counted, about, quantity)
            except (NettallyError, NotDerivable):
                continue
            if not ours or ours in seen:
                continue
            seen.add(ours)
            name = f"'{about}'" if any(sign in about for sign in " \t*+()/") else about
            text = f"{name}.{quantity}" if about else quantity
            claim = read_claim(f"{text} = {printed.text}")
            if claim.error is None:
                yield judge(counted, claim)
