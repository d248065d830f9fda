"""Explaining: the least surprising thing that someone could have done to get a published number.

An explanation is a hypothesis and is worded as one. "Unexplained" is a good answer.
"""

from __future__ import annotations

import os
from math import log2
from typing import TYPE_CHECKING, Any, overload

from ..arith import plain
from ..claims.check import Verdict, Verdicts, check, judge
from ..claims.claim import Claim, Claims, parse_claim, read_claim
from ..claims.comparison import compare, in_form_of
from ..claims.published import as_claims, no_claims_about, own_claims
from ..counting.quantities import SUMS
from ..counting.tally import Tally, tally
from ..errors import ClaimError, LayerError, NettallyError
from .edits import Edit
from .explanation import ExplainedClaims, Explanation, Explanations
from .proofs import proofs
from .recount import Recount
from .search import MAX_PAIRS, Hit, Target, Trial, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..claims.published import Published
    from ..counting.rows import Row
    from ..counting.tally import Net
    from ..formats import Sizes
    from ..network import Shape

__all__ = ["Edit", "ExplainedClaims", "Explanation", "Explanations", "explain"]

BREAK_BITS = 2.0
"""What an explanation loses by another claim that it makes false; by n of them, log2(1 + n) times
that, since claims about one network mostly fall together."""

MISFIT_BITS = 8.0
"""What it loses when the network no longer fits together."""

FIX_BITS = 3.0
"""What it gains by each other claim that it makes true, or that speaks for it."""

NOISE = 0.9
"""From this chance on, an explanation is left out where there is a better one."""

CONSIDERED = 40
"""Hits, the least surprising, that are held against the other claims."""

MOST_TIES = 4
"""Hits of the same kind that are told with one; conventions that give one figure are all told."""


@overload
def explain(
    network: Net,
    claim: Claim | str,
    claims: Published | Iterable[Claim | Verdict] | None = None,
    *,
    most: int = 5,
    pairs: int = MAX_PAIRS,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Explanations: ...
@overload
def explain(
    network: Net,
    claim: None = None,
    claims: Published | Iterable[Claim | Verdict] | None = None,
    *,
    most: int = 5,
    pairs: int = MAX_PAIRS,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> ExplainedClaims: ...
def explain(
    network: Net,
    claim: Claim | str | None = None,
    claims: Published | Iterable[Claim | Verdict] | None = None,
    *,
    most: int = 5,
    pairs: int = MAX_PAIRS,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Explanations | ExplainedClaims:
    """Why a published figure differs from ours; without a claim, each that differs.

    network, input_size, input_data: as ``tally`` takes them. claims: the other claims about the
    network, or their verdicts; an explanation carries them along. None: those that come with a
    network of the zoo; a text that stands among those is meant with all that they say of it.
    most: how many hypotheses are given. pairs: how many pairs of edits are tried at most.
    Raises ClaimError for what is no claim, or is about no layer; without a claim, where no claims
    are known.
    """
    known = _known(network, claims)
    base = tally(network, input_size=input_size, input_data=input_data)
    if claim is None:
        if known is None:
            raise no_claims_about(base)
        return _each_that_differs(base, *known, most, pairs)
    others = known[1] if known is not None else ()
    asked = parse_claim(claim) if isinstance(claim, str) else claim
    if isinstance(claim, str) and claims is None:
        stated = (each.claim if isinstance(each, Verdict) else each for each in others)
        asked = next((each for each in stated if each.text == asked.text), asked)
    return _explained(base, asked, others, most, pairs)


def _known(
    network: Net, claims: Published | Iterable[Claim | Verdict] | None
) -> tuple[str, Sequence[Claim | Verdict]] | None:
    """The work, and the claims or verdicts one by one; None where none are known."""
    if claims is None:
        published = own_claims(network)
    elif isinstance(claims, (str, os.PathLike, Claim, Claims)):
        published = as_claims(claims)
    else:
        return "", [read_claim(each) if isinstance(each, str) else each for each in claims]
    return None if published is None else (published.work, published.claims)


def _each_that_differs(
    base: Tally, work: str, claims: Sequence[Claim | Verdict], most: int, pairs: int
) -> ExplainedClaims:
    judged = (each if isinstance(each, Verdict) else check(base, each)[0] for each in claims)
    verdicts = Verdicts(judged)
    answers = ExplainedClaims(
        _explained(base, verdict.claim, verdicts, most, pairs)
        for verdict in verdicts
        if verdict.status == "differs"
    )
    answers.name, answers.work, answers.verdicts = base.network.name, work, verdicts
    return answers


def _explained(
    base: Tally, asked: Claim, claims: Sequence[Claim | Verdict], most: int, pairs: int
) -> Explanations:
    """The answer about one claim. Raises ClaimError for one that is about no layer."""
    try:
        base, asked = asked.counted_by(base), asked.replace(accounting="", input=None)
    except ClaimError as error:
        raise error.at(str(asked.source or "")) from None
    verdict = judge(base, asked)
    if verdict.tallies or verdict.ours is None or asked.every or asked.relation != "=":
        return Explanations(asked, verdict, tried=(_not_searched(verdict, asked),))
    ours = plain(verdict.ours) if isinstance(verdict.ours, int) else verdict.ours
    target, trial = search(base, asked, ours, pairs)
    others = _companions(base, asked, claims)
    grouped = _minimal(trial.hits)
    full = Recount(base)
    tried = [
        _tell(target, full, hit, similar, others, trial.chance(hit.bits))
        for hit, similar in grouped[:CONSIDERED]
    ]
    tried.sort(key=lambda explanation: (explanation.weak, explanation.score))
    telling = [explanation for explanation in tried if explanation.chance < NOISE] or tried[:1]
    working = tally(target.base.network, base.accounting, working=True)
    return Explanations(
        asked,
        verdict,
        tuple(telling[:most]),
        proofs(working, asked),
        _account(trial, asked, len(tried) - len(telling)),
    )


def _not_searched(verdict: Verdict, claim: Claim) -> str:
    if verdict.tallies:
        return "nothing: the figure tallies"
    if verdict.ours is None:
        return "nothing: " + verdict.detail
    return f"nothing: edits are searched for one figure, not for '{claim.text}'"


def _account(trial: Trial, asked: Claim, accidents: int) -> tuple[str, ...]:
    kinds = (
        "input sizes, rounding, padding, stride, kernel, dilation, filters, groups, biases, layers "
        "left out, strides moved; other conventions, multiples and parts; slips of factors, "
        "digits, powers of ten and rows"
    )
    hits = len(trial.hits)
    left = f"; {accidents} kinds are left out as likely accidents" if accidents else ""
    figure = "the printed figure" if asked.is_printed else "the figure that is claimed"
    end = "all there are" if trial.complete else "the least surprising; the rest was not tried"
    return (
        f"{trial.singles:,} single edits ({kinds})",
        f"{trial.pairs:,} pairs of them: {end}",
        f"{hits:,} of these give{'s' if hits == 1 else ''} {figure}{left}",
    )


def _minimal(hits: tuple[Hit, ...]) -> list[tuple[Hit, tuple[Hit, ...]]]:
    """Hits of which no part is a hit itself, others of the same family told with the first."""
    groups: dict[tuple[str, ...], list[Hit]] = {}
    for hit in hits:
        key = tuple(sorted(edit.family or edit.text for edit in hit.edits))
        groups.setdefault(key, []).append(hit)
    return [(group[0], tuple(group[1:])) for group in groups.values()]


def _companions(base: Tally, asked: Claim, claims: Iterable[Claim | Verdict]) -> list[Verdict]:
    """The other claims that can be derived, with their verdicts as the network stands.

    What is said of the very figure that is asked about is a rival, and speaks for nothing.
    """
    verdicts: list[Verdict] = []
    for other in claims:
        claim = other.claim if isinstance(other, Verdict) else other
        if claim.measured or claim.subject == asked.subject:
            continue
        try:
            verdicts.append(other if isinstance(other, Verdict) else judge(base, claim))
        except NettallyError:
            continue
    return [verdict for verdict in verdicts if verdict.is_derived]


def _tell(
    target: Target,
    full: Recount,
    hit: Hit,
    similar: tuple[Hit, ...],
    others: list[Verdict],
    chance: float,
) -> Explanation:
    fixes: tuple[Claim, ...] = ()
    breaks: tuple[Claim, ...] = ()
    supports: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    against = 0.0
    if any(edit.kind == "field" for edit in hit.edits):
        changes: dict[str, Any] = {}
        inputs = None
        for edit in hit.edits:
            changes.update(edit.changes)
            inputs = edit.inputs or inputs
        try:
            changed = full.rows(changes, inputs)
            fixes, breaks = _carried(full.tally(changed, inputs), others)
            effects = _effects(target, full, changes, changed)
        except LayerError as error:
            effects = (f"the network no longer fits together: {error.what}",)
            against = MISFIT_BITS
    elif any(edit.kind == "slip" for edit in hit.edits):
        supports = _supports(target, full.base, others)
    score = hit.bits + against + BREAK_BITS * log2(1 + len(breaks))
    score -= FIX_BITS * len((*fixes, *supports))
    return Explanation(
        hit.edits,
        "; and ".join(edit.text for edit in hit.edits),
        hit.bits,
        score,
        chance,
        in_form_of(target.printed, hit.value),
        hit.status,
        fixes,
        breaks,
        supports,
        effects,
        tuple(_alternative(target, other) for other in _ties(hit, similar)),
    )


def _ties(hit: Hit, similar: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """The other hits of one edit that are told with a hit: a few, and of conventions all."""
    single = tuple(other for other in similar if len(other.edits) == 1)
    return single if hit.edits[0].family == "convention" else single[:MOST_TIES]


def _alternative(target: Target, hit: Hit) -> str:
    text = hit.edits[0].text
    fit = _fit(target, hit.edits[0].changes, hit.edits[0].inputs)
    return f"{text} ({fit})" if fit else text


def _carried(edited: Tally, others: list[Verdict]) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The other claims that the edited network makes true, and those that it makes false."""
    fixes: dict[str, Claim] = {}
    breaks: dict[str, Claim] = {}
    for verdict in others:
        try:
            after = judge(edited, verdict.claim)
        except NettallyError:
            continue
        if after.tallies and not verdict.tallies:
            fixes.setdefault(verdict.claim.text, verdict.claim)
        elif verdict.tallies and not after.tallies:
            breaks.setdefault(verdict.claim.text, verdict.claim)
    return tuple(fixes.values()), tuple(breaks.values())


def _supports(target: Target, base: Tally, others: list[Verdict]) -> tuple[str, ...]:
    """Claims of the whole that fit with our figure as a part, and not with the printed one."""
    about, quantity = target.about, target.quantity
    printed = target.printed.value
    if not about or quantity not in SUMS or not isinstance(printed, int):
        return ()
    ours = target.measure(())
    if not isinstance(ours, int):
        return ()
    supports: list[str] = []
    for verdict in others:
        if verdict.claim.reference != ("", quantity) or not verdict.tallies:
            continue
        if not isinstance(verdict.ours, int):
            continue
        whole = plain(verdict.ours)
        with_printed = whole - ours + printed
        status, _ = compare(with_printed, verdict.claim.printed)
        if status == "differs":
            place = f" ({verdict.claim.place})" if verdict.claim.place else ""
            supports.append(
                f"{verdict.claim.text}{place} fits {whole:,}, with {ours:,} here, and not "
                f"{with_printed:,}, with {printed:,}"
            )
    return tuple(supports)


def _fit(target: Target, changes: Mapping[str, Any], inputs: Any) -> str:
    """How the windows of the layer asked about fit after an edit: pixels dropped or overhung."""
    index = target.recount.index.get(target.about)
    if index is None or not (changes or inputs):
        return ""
    row = target.recount.rows(changes, inputs).get(index)
    if row is None or not hasattr(row.node.layer, "spare"):
        return ""
    layer: Any = row.node.layer
    left: tuple[int, ...] = layer.spare(row.inputs[0])
    if not any(left):
        return "the division comes out even"
    amount = abs(left[0])
    pixels = f"{amount} pixel{'s' if amount > 1 else ''}"
    if left[0] > 0:
        return f"{pixels} dropped"
    return f"the last window hangs {pixels} over"


def _sizes(shape: Shape) -> str:
    return "x".join(str(int(size)) for size in shape[1:])


def _effects(
    target: Target, full: Recount, changes: Mapping[str, Any], changed: Mapping[int, Row]
) -> tuple[str, ...]:
    """What an edit means elsewhere: shapes that move, and the totals."""
    effects: list[str] = []
    fit = _fit(target, changes if target.about in changes else {}, None)
    inputs = None
    if not fit and not changes:
        rows = [changed[i] for i in sorted(changed)]
        inputs = {
            name: shape
            for row in rows
            for name, shape in zip(row.node.inputs, row.inputs, strict=True)
            if name in full.base.network.inputs
        }
        fit = _fit(target, {}, inputs)
    if fit:
        effects.append(f"at {target.about}: {fit}")
    moved: list[str] = []
    for i in sorted(changed):
        old, new = full.base.rows[i], changed[i]
        layer = new.node.layer
        if old.shape == new.shape or not new.shape or not old.shape:
            continue
        shapely = layer.weighted or "kernel" in layer.fields()
        if shapely and new.node.name != target.about:
            moved.append(f"{new.node.name} {_sizes(old.shape)} → {_sizes(new.shape)}")
    if moved:
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        effects.append("then " + ", ".join(moved[:3]) + more)
    after = full.tally(changed)
    for name in ("parameters", "macs", "neurons"):
        before_total, after_total = getattr(full.base, name), getattr(after, name)
        if before_total != after_total:
            effects.append(f"{name} {before_total:,} → {after_total:,}")
    if not moved and len(effects) <= 1:
        effects.append("no other layer changes")
    return tuple(effects)
