"""What each command says, as tables: the tally, the check, an explanation, a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arith import plain
from ...claims.comparison import shown_value
from ...counting.certainty import certainty
from ..layer_line import size
from ..verdict_words import SIGNS, chance, how, open_words, ours, tallying
from . import tree
from .architecture import architecture
from .columns import TOTALS, Column, chosen, shown, title, total_of
from .compare import is_sure, remarks, signed, terms, what_differs, written_size
from .table import Head, Table, TableRow
from .terminal import not_counted_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...accountings.reckoning import Reckoning
    from ...claims.check import Verdict
    from ...counting.tally import Tally
    from ...diffing import Difference
    from ...explaining import Explanation, Explanations


def tally_table(
    tally: Tally, columns: str | None = None, depth: int | None = None, notes: Sequence[str] = ()
) -> Table:
    """Each layer in the tree of its modules, and the totals; ``depth`` as in ``tree.lines``."""
    picked = chosen(columns, tally)
    rows = _inputs(tally, picked, 0)
    for line in tree.lines(tally, depth):
        opened = line.module and not line.collapsed
        cells = [
            "" if opened and each.name != "output" else shown(each.cell(tally, line))
            for each in picked
        ]
        role = "group" if opened else "row"
        if line.row is not None and not line.row.node.layer.weighted:
            role = "quiet"
        label = line.label + (" …" if line.collapsed else "")
        rows.append(TableRow((label, *cells), role, len(line.branch) // 3))
    rows.append(TableRow(("total", *_totals(tally, picked)), "total"))
    heads = (Head("layer", code=True), *_heads(tally, picked))
    return Table("tally", _title(tally), _lead(tally), heads, tuple(rows), _notes(tally, notes))


def architecture_table(
    tally: Tally, columns: str | None = None, notes: Sequence[str] = ()
) -> Table:
    """The network as a paper's table has it, what is repeated on one line, and the totals."""
    usual = [each for each in chosen(None, tally) if each.name not in ("neurons", "field")]
    asked = chosen(columns, tally) if columns else usual
    picked = tuple(each for each in asked if each.name not in ("layer", "kind"))
    rows = _inputs(tally, picked, 1)
    parts, sentences = architecture(tally)
    for part in parts:
        if part.heading:
            rows.append(TableRow((part.name, *[""] * (1 + len(picked))), "group", part.level))
            continue
        whole = tree.TreeLine(part.name, "", part.name, part.rows, module=True, collapsed=True)
        cells = [shown(each.cell(tally, whole)) for each in picked]
        label = part.labels[0] if part.labels else ""
        quiet = not any(row.node.layer.weighted for row in part.rows)
        rows.append(
            TableRow(
                (part.name, label, *cells),
                "quiet" if quiet else "row",
                part.level,
                stack=part.labels,
                times=part.times,
            )
        )
    rows.append(TableRow(("total", "", *_totals(tally, picked)), "total"))
    heads = (Head("layer", code=True), Head("what it is"), *_heads(tally, picked))
    with_it = (
        "Normalisation, activation, dropout and rearranging are counted with the layer that they "
        "stand with."
        if any(len(part.rows) > part.times for part in parts)
        else ""
    )
    below = tuple(each for each in (with_it, *sentences) if each)
    return Table(
        "tally", _title(tally), _lead(tally), heads, tuple(rows), (*below, *_notes(tally, notes))
    )


def _inputs(tally: Tally, picked: Sequence[Column], blanks: int) -> list[TableRow]:
    rows: list[TableRow] = []
    for name, shape in tally.network.inputs.items():
        first = {"output": size(shape), "kind": "input", "layer": "input"}
        cells = [first.get(each.name) or "" for each in picked]
        rows.append(TableRow((name, *["input"] * blanks, *cells), "quiet"))
    return rows


def _heads(tally: Tally, picked: Sequence[Column]) -> tuple[Head, ...]:
    return tuple(
        Head(title(each, tally), each.number, wide=0 if each.number else 0.25) for each in picked
    )


def _totals(tally: Tally, picked: Sequence[Column]) -> list[str]:
    """The sums of the columns that are sums; "" for the others."""
    from ...counting.quantities import SUMS

    cells: list[str] = []
    for each in picked:
        if each.name not in SUMS:
            cells.append("")
            continue
        cells.append(_brief(total_of(tally, each.name)))
    return cells


def _brief(number: str) -> str:
    """A total in a cell: ``≥ 1,234``, ``?``."""
    return "?" if number == "not known" else number.replace("at least", "≥")


def _title(tally: Tally) -> str:
    network = tally.network
    says = network.title if network.title and network.title != network.name else ""
    return f"{network.name}: {says}" if says else network.name


def _lead(tally: Tally) -> str:
    """``659,272 neurons, 60,965,224 parameters, 724,406,816 MACs (accounting: nettally)``."""
    neurons, parameters, operations = (total_of(tally, name) for name in TOTALS)
    return (
        f"{neurons} neurons, {parameters} parameters, {operations} {tally.accounting.unit} "
        f"(accounting: {tally.accounting.name})"
    )


def _notes(tally: Tally, notes: Sequence[str]) -> tuple[str, ...]:
    texts: list[str] = []
    if tally.not_counted:
        texts.append(f"{not_counted_text(tally)}.")
    if tally.unknown:
        names = ", ".join(row.node.name for row in tally.unknown[:12])
        if len(tally.unknown) > 12:
            names += f" and {len(tally.unknown) - 12:,} more"
        what = "Work not known" if tally.parameters_complete else "Not known"
        texts.append(f"{what}, and not counted as zero: {names}.")
    return (*texts, *tally.network.notes, *notes)


def check_table(
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations] | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """One line a claim, in their order; of one that differs, by how much and, if known, why."""
    rows: list[TableRow] = []
    for place, verdict in enumerate(verdicts):
        details = [verdict.detail] if verdict.detail else []
        explanations = (explained or {}).get(place)
        if explanations is not None and explanations.found:
            weak = " (weak evidence)" if explanations.found[0].weak else ""
            details.append(f"perhaps {explanations.found[0].text}{weak}")
        claim = verdict.claim
        sign = f"{SIGNS[verdict.status]} {how(verdict)}"
        cells = (sign, claim.text, ours(verdict), claim.place, "; ".join(details))
        rows.append(TableRow(cells, status=verdict.status))
    heads = (
        Head("verdict"),
        Head("claim", code=True, wide=0.26),
        Head("ours", number=True),
        Head("place", wide=0.15),
        Head("in detail", wide=0.22),
    )
    against = f"{name}, against {work}" if work else name
    lead = tallying(verdicts)
    return Table("check", against, lead, heads, tuple(rows), tuple(notes))


def explain_table(name: str, explanations: Explanations, notes: Sequence[str] = ()) -> Table:
    """One line a hypothesis, the least surprising first; then proofs, and what was tried."""
    verdict = explanations.verdict
    heads = (
        Head("hypothesis", wide=0.27),
        Head("gives", number=True),
        Head("bits", number=True),
        Head("by accident", number=True),
        Head("for and against it", wide=0.3),
    )
    rows = [
        TableRow(
            (
                each.text,
                shown_value(each.ours),
                f"{each.bits:.1f}",
                chance(each) or "–",
                "; ".join(evidence(each)),
            )
        )
        for each in explanations.found
    ]
    lead = asked(name, verdict)
    if verdict.working:
        lead += f". Ours is {verdict.working}"
    if verdict.detail:
        lead += f"; {verdict.detail}"
    if verdict.status == "differs" and not rows:
        lead += "; unexplained: no small change gives it"
    below = [f"Certain: {proof}" for proof in explanations.proofs]
    below += [f"Tried: {text}" for text in explanations.tried if verdict.status == "differs"]
    return Table("explain", verdict.claim.text, lead, heads, tuple(rows), (*below, *notes))


def asked(name: str, verdict: Verdict) -> str:
    """What is asked and what we have: ``conv1.neurons = 253,440; alexnet has 290,400``."""
    claim, value = verdict.claim.text, ours(verdict)
    if not verdict.is_derived:
        return f"{name}: {claim} {open_words(verdict)}"
    if verdict.status == "differs":
        return f"{claim}; {name} has {value}" if value else f"{claim} differs from {name}"
    return f"{claim} tallies with {name}" + (f": {value}" if value else "")


def evidence(explanation: Explanation) -> list[str]:
    """What speaks for a hypothesis and against it, and what else it would change."""
    texts = [f"for it: {each}" for each in explanation.supports]
    for word, claims in (("mends", explanation.fixes), ("breaks", explanation.breaks)):
        if claims:
            more = f" and {len(claims) - 4} more" if len(claims) > 4 else ""
            texts.append(f"{word} {', '.join(claim.words for claim in claims[:4])}{more}")
    if explanation.similar:
        texts.append(f"so would {'; '.join(explanation.similar)}")
    return [*texts, *explanation.effects]


def reconcile_table(
    tally: Tally, reckonings: Sequence[Reckoning], notes: Sequence[str] = ()
) -> Table:
    """One line an accounting: its totals, what it calls them, and what they are the sum of."""
    rows: list[TableRow] = []
    unsure = certainty(tally, "operations") == "unknown"
    for each in reckonings:
        convention = each.accounting
        counted = convention.counts_operations  # no operations is not zero operations
        operations = f"{plain(each.operations):,}" if counted else "–"
        of = terms(each.terms) if counted else ""
        if counted and unsure:
            operations = of = "?"
        elif counted and not each.complete:
            operations = f"≥ {operations}"
        of = "; ".join([of, *remarks(tally, each)]) if of else of
        cells = (convention.name, f"{plain(each.parameters):,}", operations, convention.unit, of)
        rows.append(TableRow(cells))
    heads = (
        Head("accounting", code=True),
        Head("parameters", number=True),
        Head("operations", number=True),
        Head("called"),
        Head("the operations are", wide=0.33),
    )
    below = list(notes)
    if not tally.complete:
        least = "each of these counts is at least so much; unknown is not zero"
        below.insert(0, f"Some layers are not known: {least}.")
    lead = f"One network, counted by {len(reckonings)} conventions"
    return Table("reconcile", _title(tally), lead, heads, tuple(rows), tuple(below))


def diff_table(difference: Difference, notes: Sequence[str] = ()) -> Table:
    """One line a layer that differs, what that costs in the second network, and the totals."""
    a, b = difference.a, difference.b
    rows: list[TableRow] = []
    for name, (before, after) in difference.inputs.items():
        change = f"{written_size(before)} → {written_size(after)}"
        rows.append(TableRow(("changed", name, change, "", "", "")))
    for pair in difference.changed:
        costs = [
            signed(n) if is_sure(difference, pair, name) else "?"
            for name, n in (
                ("parameters", pair.parameters),
                ("operations", pair.operations),
                ("neurons", pair.neurons),
            )
        ]
        role = "quiet" if pair.status == "follows" else "row"
        rows.append(TableRow((pair.status, pair.name, what_differs(pair), *costs), role))
    for each in (a, b):
        totals = [total_of(each, name) for name in ("parameters", "operations", "neurons")]
        rows.append(TableRow(("total", each.network.name, "", *map(_brief, totals)), "total"))
    same = sum(pair.status == "same" for pair in difference.pairs)
    count = len(difference.changed) + len(difference.inputs)
    lead = (
        f"The same {len(a.rows)} layers"
        if difference.same
        else f"{count} {'difference' if count == 1 else 'differences'}; {same} layers are the same"
    )
    heads = (
        Head("change"),
        Head("layer", code=True),
        Head("what differs", wide=0.3),
        Head("parameters", number=True),
        Head(a.accounting.unit, number=True),
        Head("neurons", number=True),
    )
    title = f"{a.network.name} → {b.network.name}"
    return Table("diff", title, lead, heads, tuple(rows), tuple(notes))
