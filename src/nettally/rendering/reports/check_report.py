"""The reports of ``check`` and ``explain``: the verdict first, then the evidence.

Plain text of our own layout: ``nettally check`` answers before a table library is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...claims.comparison import shown_value
from ..escape import escape
from ..terminal import BOUND, Terminal, count, noted, wrap
from ..verdict_words import open_words, others, searched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...explaining import Explanation, Explanations

SEPARATOR = " · "


def check_report(
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    terminal: Terminal,
    explained: Mapping[int, Explanations] | None = None,
    *,
    every: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """The verdicts on a network's claims.

    First how many tally; then each claim that differs, with the working of our value and the
    likeliest explanation (``explained``: Explanations by the verdict's place in the list), those
    that have one first; then what can't be judged, and why; then the claims that hold only when
    rounded, those that hold, and those that can't be derived, by where they are printed. every: one
    line a claim, in their order.
    """
    lines = _verdict_first(name, work, verdicts, terminal)
    answers = explained or {}
    differing = [(i, v) for i, v in enumerate(verdicts) if v.status == "differs"]
    differing.sort(key=lambda item: item[0] not in answers or not answers[item[0]].explained)
    for i, verdict in differing:
        lines.append("")
        lines.extend(_differing(name, verdict, answers.get(i), terminal))
    for verdict in verdicts:
        if verdict.status == "invalid":
            lines.extend(["", *_line(verdict, terminal)])
            lines.extend(wrap(escape(verdict.detail), terminal.prose, " " * 4))
    lines.append("")
    if every:
        lines.extend(_each(verdicts, terminal))
    else:
        lines.extend(_by_place(verdicts, terminal))
    lines.extend(noted(notes, terminal))
    return "\n".join(lines).rstrip() + "\n"


def _verdict_first(
    name: str, work: str, verdicts: Sequence[Verdict], terminal: Terminal
) -> list[str]:
    derived = [verdict for verdict in verdicts if verdict.is_derived]
    differ = sum(verdict.status == "differs" for verdict in derived)
    against = f" against {short_work(escape(work))}" if work else ""
    if not derived:
        text = f"{escape(name)}{against}: nothing that can be derived is claimed"
    elif not differ:
        all_of_them = (
            f"all {len(derived)} claims tally" if len(derived) > 1 else "the claim tallies"
        )
        text = f"{escape(name)}{against}: {all_of_them}"
    else:
        text = (
            f"{escape(name)}{against}: {len(derived) - differ} of {count(len(derived), 'claim')} "
            f"tally, {differ} differ{'s' if differ == 1 else ''}"
        )
    text += others(verdicts)
    return [terminal.style(line, "bold") for line in wrap(text, terminal.prose, rest="  ")]


def short_work(work: str) -> str:
    """``Krizhevsky, Sutskever, Hinton: … NeurIPS 2012`` as ``Krizhevsky et al. 2012``."""
    authors, colon, rest = work.partition(":")
    if not colon or len(authors) > 120:
        return work
    names = authors.replace(" and ", ", ").split(", ")
    who = authors
    if len(names) > 2:
        who = f"{names[0]} et al."
    elif len(names) == 2:
        who = f"{names[0]} and {names[1]}"
    words = rest.replace(".", " ").replace(",", " ").split()
    years = [
        word for word in words if len(word) == 4 and word[:2] in ("19", "20") and word.isdigit()
    ]
    return f"{who} {years[-1]}" if years else who


def _differing(
    name: str, verdict: Verdict, explanations: Explanations | None, terminal: Terminal
) -> list[str]:
    """A claim that differs: ours with its working, by how much, and why perhaps."""
    claim = verdict.claim
    lines = _line(verdict, terminal)
    blank = " " * 4
    if " = " in verdict.working:
        lines.extend(_arithmetic(verdict, terminal, f"{blank}ours     "))
    if verdict.detail:
        lines.extend(wrap(escape(verdict.detail), terminal.prose, f"{blank}differs  "))
    lines.extend(_quotation(claim, terminal, f"{blank}printed  "))
    if claim.note:
        lines.extend(wrap(escape(claim.note), terminal.prose, f"{blank}note     "))
    if explanations is None:
        return lines
    if explanations.found:
        first = explanations.found[0]
        weak = f" (weak: {100 * first.chance:.0f} % by accident)" if first.weak else ""
        wrapped = wrap(escape(first.text) + weak, terminal.prose, f"{blank}perhaps  ")
        wrapped[0] = wrapped[0].replace("perhaps", terminal.style("perhaps", "cyan"), 1)
        lines.extend(wrapped)
        lines.extend(_evidence(first, terminal, " " * 13, full=False))
        for proof in [each for each in explanations.proofs if " no" in each][:1]:
            lines.extend(wrap(escape(proof), terminal.prose, f"{blank}proof    "))
    lines.extend(
        terminal.style(line, "dim")
        for line in wrap(
            f"nettally explain {escape(name)} '{escape(claim.text)}'",
            10**6,  # one line, to be copied
            f"{blank}more     ",
        )
    )
    return lines


def _quotation(claim: Claim, terminal: Terminal, first: str) -> list[str]:
    """What is printed, where the claim is a formula that we made of it."""
    if claim.reference is not None or not claim.quote:
        return []
    return wrap(f"“{escape(claim.quote)}”", terminal.prose, first)


def verdict_line(verdict: Verdict, terminal: Terminal) -> str:
    """One verdict: ``✗ conv1.neurons = 253,440   ours 290,400   figure 2, caption``, and how."""
    lines = [line[2:] for line in _line(verdict, terminal)]
    if verdict.detail:
        lines += wrap(escape(verdict.detail), terminal.prose, " " * 4)
    return "\n".join(lines)


def _line(verdict: Verdict, terminal: Terminal) -> list[str]:
    """The sign, the claim, ours, where it is printed; on two lines where one is too short."""
    claim = verdict.claim
    text = f"  {_sign(verdict)} {escape(claim.text)}"
    ours = "" if verdict.ours is None else f"ours {_ours(verdict)}"
    place = escape(claim.place)
    rest = "   ".join(part for part in (ours, place) if part)
    if len(text) + 3 + len(rest) <= terminal.prose:
        lines = [f"{text}   {rest}" if rest else text]
    else:
        lines = [*wrap(text, terminal.prose, rest=" " * 6), *wrap(rest, terminal.prose, " " * 6)]
    lines[0] = lines[0].replace(_sign(verdict), terminal.mark(verdict.status), 1)
    if verdict.status == "differs":
        lines[0] = lines[0].replace(escape(claim.text), terminal.style(escape(claim.text), "bold"))
    return lines


def _sign(verdict: Verdict) -> str:
    return Terminal().mark(verdict.status)


def _ours(verdict: Verdict) -> str:
    return escape(verdict.ours_shown)


def _arithmetic(verdict: Verdict, terminal: Terminal, first: str) -> list[str]:
    """The working of our value, the value in bold."""
    lines = wrap(escape(verdict.working), terminal.prose, first)
    ours = f"= {_ours(verdict)}"
    bold = f"= {terminal.style(_ours(verdict), 'bold')}"
    return [line.replace(ours, bold, 1) for line in lines]


def _evidence(
    explanation: Explanation, terminal: Terminal, blank: str, *, full: bool = True
) -> list[str]:
    """What speaks for an explanation, what it would mend and break; full: and change elsewhere."""
    lines: list[str] = []
    for support in explanation.supports:
        lines.extend(wrap(f"for it: {escape(support)}", terminal.prose, blank, blank + "  "))
    if full:
        if explanation.similar:
            shown = "; ".join(map(escape, explanation.similar))
            lines.extend(wrap(f"so would: {shown}", terminal.prose, blank, blank + "  "))
        for effect in explanation.effects:
            lines.extend(wrap(escape(effect), terminal.prose, blank, blank + "  "))
    for word, claims in (("mends", explanation.fixes), ("breaks", explanation.breaks)):
        if claims:
            texts = [escape(each.words) for each in claims]
            shown = SEPARATOR.join(texts[:4])
            if len(texts) > 4:
                shown += f" and {len(texts) - 4} more"
            line = f"{word} {count(len(texts), 'other claim')}: {shown}"
            lines.extend(wrap(line, terminal.prose, blank, blank + "  "))
    return lines


def _each(verdicts: Sequence[Verdict], terminal: Terminal) -> list[str]:
    """One line a claim: the sign, the claim, ours, how, where."""
    texts = [escape(verdict.claim.text) for verdict in verdicts]
    ours = ["" if v.ours is None else _ours(v) for v in verdicts]
    left = min(max(map(len, texts), default=0), max(24, terminal.prose - 48))
    middle = min(max(map(len, ours), default=0), 16)
    lines: list[str] = []
    for verdict, text, value in zip(verdicts, texts, ours, strict=True):
        place = escape(verdict.claim.place)
        how = {"rounds": "rounded", "truncates": "cut off"}.get(verdict.status, "")
        tail = SEPARATOR.join(part for part in (how, place) if part)
        sign = terminal.mark(verdict.status)
        if len(text) > left:
            lines.append(f"  {sign} {text}")
            text = sign = " "
        start = f"  x {text:<{left}}  {value:>{middle}}  "
        wrapped = wrap(tail, terminal.prose, start)
        lines.append(f"  {sign} " + wrapped[0][4:])
        lines.extend(wrapped[1:])
    return lines


def _by_place(verdicts: Sequence[Verdict], terminal: Terminal) -> list[str]:
    lines: list[str] = []
    for verdict in verdicts:
        is_open = verdict.status == "unknown" and not verdict.is_measured
        if is_open or verdict.status in ("rounds", "truncates"):
            lines.extend(_line(verdict, terminal))
            if verdict.detail:
                lines.extend(wrap(escape(verdict.detail), terminal.prose, " " * 6))
    if lines:
        lines.append("")
    for status, statuses in (("exact", ("exact", "holds")), ("unknown", ("unknown",))):
        places: dict[str, list[Claim]] = {}
        for verdict in verdicts:
            if verdict.status in statuses and (verdict.is_derived or verdict.is_measured):
                places.setdefault(verdict.claim.place, []).append(verdict.claim)
        for place, claims in places.items():
            texts = dict.fromkeys(escape(claim.text) for claim in claims)
            bound = [text.replace(" ", BOUND) if len(text) < 60 else text for text in texts]
            head = f"{escape(place)}: " if place else ""
            wrapped = wrap(head + f"{BOUND}· ".join(bound), terminal.prose, "  x ")
            wrapped = [line.replace(BOUND, " ") for line in wrapped]
            lines.append(f"  {terminal.mark(status)} {wrapped[0][4:]}")
            lines.extend(wrapped[1:])
        if places:
            lines.append("")
    if len(verdicts) > 1:
        shown = f"--all lists each of the {len(verdicts)} claims with our figure"
        lines.append(terminal.style(shown, "dim"))
    return lines


def explain_report(
    name: str, explanations: Explanations, terminal: Terminal, notes: Sequence[str] = ()
) -> str:
    """Explanations of one claim: our working, the likeliest first, proofs, what was tried."""
    verdict = explanations.verdict
    lines = [terminal.style(line, "bold") for line in _asked(name, verdict, terminal)]
    if " = " in verdict.working:
        lines.extend(_arithmetic(verdict, terminal, "ours     "))
    if verdict.detail:
        lines.extend(wrap(escape(verdict.detail), terminal.prose, "         "))
    shown = explanations.found
    lines.extend(_quotation(verdict.claim, terminal, "printed  "))
    if searched(explanations) and not shown:
        lines.extend(
            ["", terminal.style("unexplained", "yellow", "bold") + ": no small change gives it"]
        )
    elif shown:
        head = "What could have been meant, the least surprising first (hypotheses all):"
        lines.extend(["", *wrap(head, terminal.prose)])
    for place, each in enumerate(shown, 1):
        lines.append("")
        wrapped = wrap(escape(each.text), terminal.prose, f"{place:>2}. ")
        wrapped[0] = wrapped[0][:4] + terminal.style(wrapped[0][4:], "cyan")
        lines.extend(wrapped)
        odds = wrap(_odds(each), terminal.prose, "    ")
        lines.extend(terminal.style(line, "dim") for line in odds)
        lines.extend(_evidence(each, terminal, "    "))
    tried = explanations.tried if verdict.status == "differs" else ()
    for heading, texts in (("Certain:", explanations.proofs), ("Tried:", tried)):
        if texts:
            lines.extend(["", heading])
            for text in texts:
                lines.extend(wrap(escape(text), terminal.prose, "  - "))
    if notes:
        lines.extend(["", *noted(notes, terminal)])
    return "\n".join(lines) + "\n"


def _asked(name: str, verdict: Verdict, terminal: Terminal) -> list[str]:
    claim = escape(verdict.claim.text)
    network = escape(name)
    if not verdict.is_derived:
        text = f"{network}: {claim} {open_words(verdict)}"
    elif verdict.status == "differs":
        ours = (
            f"; {network} has {_ours(verdict)}"
            if verdict.ours is not None
            else f" differs from {network}"
        )
        text = claim + ours
    else:
        text = f"{claim} tallies with {network}" + (
            "" if verdict.ours is None else f": {_ours(verdict)}"
        )
    return wrap(text, terminal.prose, rest="  ")


def _odds(explanation: Explanation) -> str:
    """How surprising it is, and how likely so small a change would hit the value by accident."""
    chance = explanation.chance
    text = f"gives {escape(shown_value(explanation.ours))}; {explanation.bits:.1f} bits"
    if chance > 0:
        odds = f"1 in {round(1 / chance):,}" if chance < 0.1 else f"{100 * chance:.0f} %"
        text += f"; chance that so small an edit hits by accident: {odds}"
    if explanation.weak:
        text += " (so it is weak evidence)"
    return text


def explain_reports(
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations],
    terminal: Terminal,
    notes: Sequence[str] = (),
) -> str:
    """How many claims tally, then the explanations of each that differs, one after the other."""
    lines = _verdict_first(name, work, verdicts, terminal)
    reports = [explain_report(name, each, terminal) for each in explained.values()]
    if notes:
        reports.append("\n".join(noted(notes, terminal)) + "\n")
    return "\n\n".join(["\n".join(lines) + "\n", *reports])


def near_report(
    name: str,
    figure: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations],
    terminal: Terminal,
    notes: Sequence[str] = (),
) -> str:
    """Which quantities a figure is; or to which it is near, those with an explanation first."""
    shown, network = escape(figure), escape(name)
    if any(verdict.tallies for verdict in verdicts):
        head = f"{network} has {shown}:"
    elif verdicts:
        head = f"{network} has no {shown}. Near to it, the likeliest first (hypotheses all):"
    else:
        head = f"{network} has no {shown}, and nothing near to it"
    lines = [terminal.style(line, "bold") for line in wrap(head, terminal.prose)]
    if any(verdict.tallies for verdict in verdicts):
        lines.append("")
    for place, verdict in enumerate(verdicts):
        if not verdict.tallies:
            lines.extend(["", *_differing(name, verdict, explained.get(place), terminal)])
            continue
        lines.extend(_line(verdict, terminal))
        if verdict.detail:
            lines.extend(wrap(escape(verdict.detail), terminal.prose, " " * 6))
    lines.extend(noted(notes, terminal))
    return "\n".join(lines) + "\n"
