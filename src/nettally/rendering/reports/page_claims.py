"""The claims of a report: a card for each that differs, a line for each of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...claims.comparison import shown_value
from ..escape import html_text
from ..html.parts import CLASS_OF
from ..tables.contents import evidence
from ..verdict_words import SIGNS, chance, how, ours, searched
from .check_report import short_work
from .steps import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...counting.tally import Tally
    from ...explaining import Explanation, Explanations
    from .audit import Audit

SPOKEN = '<span class="spoken">ours </span>'
"""A word for those who hear the page; others see it by its place."""


def differing_html(audit: Audit) -> str:
    """A card for each claim that differs, those with an explanation first."""
    places = [i for i, verdict in enumerate(audit.verdicts) if verdict.status == "differs"]
    places.sort(key=lambda i: i not in audit.explained or not audit.explained[i].explained)
    return "".join(_card(audit, i) for i in places)


def _card(audit: Audit, place: int) -> str:
    verdict = audit.verdicts[place]
    claim = verdict.claim
    explanations = audit.explained.get(place)
    pieces = [f'<article class="card" id="claim-{place + 1}">\n<h3>']
    pieces.append('<span class="sign differs" role="img" aria-label="differs:">✗</span> ')
    pieces.append(f"{html_text(claim.text)}</h3>\n")
    if claim.place and not claim.quote:
        pieces.append(f'<p class="place">{html_text(claim.place)}</p>\n')
    pieces.append(_pair(verdict))
    pieces.append(_quotation(claim, audit.work))
    if claim.note:
        pieces.append(f"<p>{html_text(claim.note)}</p>\n")
    pieces.append(_working(verdict, audit.tally, "How ours comes about"))
    if explanations is not None:
        pieces.append(_explained(explanations))
    return "".join([*pieces, "</article>\n"])


def _pair(verdict: Verdict) -> str:
    claim = verdict.claim
    relation = {"<=": "≤", ">=": "≥", "=": ""}.get(claim.relation, claim.relation)
    printed = f"{relation} " if relation else ""
    called = "printed" if claim.is_printed else "claimed"
    cells = [f"<div><dt>{called}</dt><dd>{html_text(printed + claim.printed.text)}</dd></div>"]
    if verdict.ours is not None:
        cells.append(f"<div><dt>ours</dt><dd>{html_text(ours(verdict))}</dd></div>")
    if verdict.detail:
        cells.append(
            f'<div class="text"><dt>the difference</dt><dd>{html_text(verdict.detail)}</dd></div>'
        )
    return f'<dl class="pair">{"".join(cells)}</dl>\n'


def _quotation(claim: Claim, work: str) -> str:
    """What is printed, and where; "" where it is not quoted."""
    if not claim.quote:
        return ""
    named = claim.work == work or claim.place.startswith(claim.work)
    other = "" if named else short_work(claim.work)
    place = ", ".join(html_text(each) for each in (other, claim.place) if each)
    footer = f"<footer>{place}</footer>" if place else ""
    return f"<blockquote><p>“{html_text(claim.quote)}”</p>{footer}</blockquote>\n"


def _working(verdict: Verdict, tally: Tally, summary: str) -> str:
    lines = steps(verdict, tally)
    if not lines:
        return ""
    text = "\n".join(html_text(line) for line in lines)
    return f'<details><summary>{summary}</summary>\n<p class="math">{text}</p></details>\n'


def _explained(explanations: Explanations) -> str:
    """The likeliest hypothesis, the others on a click, what is certain, and what was tried."""
    pieces: list[str] = []
    if explanations.found:
        first, *others = explanations.found
        head = f"<h4><span>Perhaps</span> {html_text(first.text)}</h4>"
        pieces.append(f'<div class="perhaps">\n{head}\n{_hypothesis(first)}</div>\n')
        if others:
            items = "".join(
                f"<li><b>{html_text(each.text)}</b>\n{_hypothesis(each)}</li>\n" for each in others
            )
            count = f"{len(others)} other " + ("hypotheses" if len(others) > 1 else "hypothesis")
            pieces.append(
                f"<details><summary>{count}</summary>\n"
                f'<ol class="others" start="2">\n{items}</ol></details>\n'
            )
    elif searched(explanations):
        text = "Unexplained: no small change gives the printed figure."
        pieces.append(f'<p class="certain">{text}</p>\n')
    if explanations.proofs:
        items = "".join(f"<li>{html_text(each)}</li>\n" for each in explanations.proofs)
        pieces.append(f'<h4 class="certain">Certain</h4>\n<ul class="evidence">\n{items}</ul>\n')
    if explanations.tried and searched(explanations):
        items = "".join(f"<li>{html_text(each)}</li>\n" for each in explanations.tried)
        tried = f'<ul class="evidence">\n{items}</ul>'
        pieces.append(
            f'<details class="tried"><summary>What was tried</summary>\n{tried}</details>\n'
        )
    return "".join(pieces)


def _hypothesis(explanation: Explanation) -> str:
    odds = f"gives {shown_value(explanation.ours)}; {explanation.bits:.1f} bits of surprise"
    accident = chance(explanation)
    if accident:
        odds += f"; chance that so small a change hits by accident: {accident}"
    if explanation.weak:
        odds += " (so it is weak evidence)"
    items = "".join(f"<li>{html_text(each)}</li>\n" for each in evidence(explanation))
    listed = f'<ul class="evidence">\n{items}</ul>\n' if items else ""
    return f'<p class="odds">{html_text(odds)}</p>\n{listed}'


def tallying_html(audit: Audit) -> str:
    """Claims that are true, by how, then by where they are printed."""
    pieces: list[str] = []
    near = [v for v in audit.verdicts if v.status in ("rounds", "truncates")]
    exact = [v for v in audit.verdicts if v.status in ("exact", "holds")]
    if not near and not exact:
        return ""
    pieces.append(
        '<p class="intro">Each opens to what is printed and how our figure comes about.</p>\n'
    )
    if near:
        pieces.append('<h3 class="place-head">As rounded, or as cut off</h3>\n')
        pieces.append(_claims(audit, near))
    places: dict[str, list[Verdict]] = {}
    for verdict in exact:
        places.setdefault(verdict.claim.place, []).append(verdict)
    for place, verdicts in places.items():
        head = html_text(place[:1].upper() + place[1:]) if place else "Exactly"
        pieces.append(f'<h3 class="place-head">{head}</h3>\n{_claims(audit, verdicts)}')
    return "".join(pieces)


def open_html(audit: Audit) -> str:
    """Claims that nothing but a measurement could tell."""
    verdicts = [verdict for verdict in audit.verdicts if verdict.is_measured]
    return _unjudged(audit, verdicts, "No description of a network tells these.")


def unknown_html(audit: Audit) -> str:
    """Claims about what a layer that is not known may add to."""
    verdicts = [v for v in audit.verdicts if v.status == "unknown" and not v.is_measured]
    return _unjudged(audit, verdicts, "Some layers are not known, and these hang on them.")


def invalid_html(audit: Audit) -> str:
    """What stands among the claims and is none about this network."""
    verdicts = [verdict for verdict in audit.verdicts if verdict.status == "invalid"]
    return _unjudged(audit, verdicts, "These are no claims about this network; each says why.")


def _unjudged(audit: Audit, verdicts: Sequence[Verdict], intro: str) -> str:
    return f'<p class="intro">{intro}</p>\n{_claims(audit, verdicts)}' if verdicts else ""


def _claims(audit: Audit, verdicts: Sequence[Verdict]) -> str:
    return f'<ul class="claims">\n{"".join(_claim(audit, each) for each in verdicts)}</ul>\n'


def _claim(audit: Audit, verdict: Verdict) -> str:
    """One line, which opens where there is more to say."""
    claim = verdict.claim
    details = [_quotation(claim, audit.work)]
    if verdict.detail and not claim.measured:
        details.append(f"<p>{html_text(verdict.detail[:1].upper() + verdict.detail[1:])}.</p>\n")
    if claim.note:
        details.append(f"<p>{html_text(claim.note)}</p>\n")
    lines = steps(verdict, audit.tally)
    if lines:
        text = "\n".join(html_text(line) for line in lines)
        details.append(f'<p class="math">{text}</p>\n')
    inside = "".join(details)
    name = CLASS_OF[verdict.status]
    word = how(verdict) if verdict.is_derived else ""
    value = html_text(ours(verdict))
    line = (
        f'<span class="sign {name}" aria-hidden="true">{SIGNS[verdict.status]}</span> '
        f"<code>{html_text(claim.text)}</code> "
        f'<span class="ours">{value and SPOKEN + value}</span> '
        f'<span class="how">{html_text(word)}</span>'
    )
    if not inside:
        return f'<li><div class="row">{line}</div></li>\n'
    return (
        f'<li><details><summary>{line}</summary>\n<div class="inside">\n{inside}</div>'
        "</details></li>\n"
    )
