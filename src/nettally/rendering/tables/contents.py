"""What each command says, as sheets: the tally, the check, an explanation, a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arith import plain
from ...claims.comparison import shown_value
from ...counting.quantities import certainty, is_known
from ..layer_line import size
from ..reports.verdicts import HOW, SIGNS, chance, ours, tallying
from . import tree
from .architecture import architecture
from .columns import TOTALS, Column, chosen, shown, title, total_of
from .compare import signed, terms, what_differs, written_size
from .table import Head, Table, TableRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...accountings.presets import Reckoning
    from ...claims.check import Verdict
    from ...counting.tally import Tally
    from ...diffing import Difference
    from ...explaining import Explanation, Explanations


def tally_table(
    tally: Tally, columns: str | None = None, depth: int | None = None, notes: Sequence[str] = ()
) -> Table:
    """Each layer in the tree of its modules, and the totals; ``depth`` as in ``tree.lines``."""
    picked = chosen(columns, tally)
    made = _inputs(tally, picked, 0)
    for line in tree.lines(tally, depth):
        opened = line.module and not line.folded
        cells = [
            "" if opened and each.name != "output" else shown(each.cell(tally, line))
            for each in picked
        ]
        role = "group" if opened else "row"
        if line.row is not None and not line.row.node.layer.weighted:
            role = "quiet"
        label = line.label + (" …" if line.folded else "")
        made.append(TableRow((label, *cells), role, len(line.branch) // 3))
    made.append(TableRow(("total", *_totals(tally, picked)), "total"))
    heads = (Head("layer", code=True), *_heads(tally, picked))
    return Table("tally", _title(tally), _lead(tally), heads, tuple(made), _notes(tally, notes))


def architecture_table(
    tally: Tally, columns: str | None = None, notes: Sequence[str] = ()
) -> Table:
    """The network as a paper's table has it, what is repeated on one line, and the totals."""
    usual = [each for each in chosen(None, tally) if each.name not in ("neurons", "field")]
    asked = chosen(columns, tally) if columns else usual
    picked = tuple(each for each in asked if each.name not in ("layer", "kind"))
    made = _inputs(tally, picked, 1)
    parts, said = architecture(tally)
    for part in parts:
        if part.heading:
            made.append(TableRow((part.name, *[""] * (1 + len(picked))), "group", part.level))
            continue
        whole = tree.TreeLine(part.name, "", part.name, part.rows, module=True, folded=True)
        cells = [shown(each.cell(tally, whole)) for each in picked]
        label = part.labels[0] if part.labels else ""
        quiet = not any(row.node.layer.weighted for row in part.rows)
        made.append(
            TableRow(
                (part.name, label, *cells),
                "quiet" if quiet else "row",
                part.level,
                stack=part.labels,
                times=part.times,
            )
        )
    made.append(TableRow(("total", "", *_totals(tally, picked)), "total"))
    heads = (Head("layer", code=True), Head("what it is"), *_heads(tally, picked))
    with_it = (
        "Normalisation, activation, dropout and rearranging are counted with the layer that they "
        "stand with."
        if any(len(part.rows) > part.times for part in parts)
        else ""
    )
    below = tuple(each for each in (with_it, *said) if each)
    return Table(
        "tally", _title(tally), _lead(tally), heads, tuple(made), (*below, *_notes(tally, notes))
    )


def _inputs(tally: Tally, picked: Sequence[Column], blanks: int) -> list[TableRow]:
    made: list[TableRow] = []
    for name, shape in tally.network.inputs.items():
        first = {"output": size(shape), "kind": "input", "layer": "input"}
        cells = [first.get(each.name) or "" for each in picked]
        made.append(TableRow((name, *["input"] * blanks, *cells), "quiet"))
    return made


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
    made: list[str] = []
    if tally.unknown:
        names = ", ".join(row.node.name for row in tally.unknown[:12])
        if len(tally.unknown) > 12:
            names += f" and {len(tally.unknown) - 12:,} more"
        what = "Work not known" if tally.parameters_complete else "Not known"
        made.append(f"{what}, and not counted as zero: {names}.")
    return (*made, *tally.network.notes, *notes)


def check_table(
    name: str,
    work: str,
    verdicts: Sequence[Verdict],
    explained: Mapping[int, Explanations] | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """One line a claim, in their order; what differs is told and, where there is one, explained."""
    made: list[TableRow] = []
    for place, verdict in enumerate(verdicts):
        told = [verdict.detail] if verdict.detail else []
        found = (explained or {}).get(place)
        if found is not None and found.found:
            weak = " (weak evidence)" if found.found[0].weak else ""
            told.append(f"perhaps {found.found[0].text}{weak}")
        claim = verdict.claim
        sign = f"{SIGNS[verdict.status]} {HOW[verdict.status]}"
        cells = (sign, claim.text, ours(verdict), claim.place, "; ".join(told))
        made.append(TableRow(cells, status=verdict.status))
    heads = (
        Head("verdict"),
        Head("claim", code=True, wide=0.26),
        Head("ours", number=True),
        Head("place", wide=0.15),
        Head("in detail", wide=0.22),
    )
    against = f"{name}, against {work}" if work else name
    lead = tallying(verdicts)
    return Table("check", against, lead, heads, tuple(made), tuple(notes))


def explain_table(name: str, found: Explanations, notes: Sequence[str] = ()) -> Table:
    """One line a hypothesis, the least surprising first; then proofs, and what was tried."""
    verdict = found.verdict
    heads = (
        Head("hypothesis", wide=0.27),
        Head("gives", number=True),
        Head("bits", number=True),
        Head("by accident", number=True),
        Head("for and against it", wide=0.3),
    )
    made = [
        TableRow(
            (
                each.text,
                shown_value(each.ours),
                f"{each.bits:.1f}",
                chance(each) or "–",
                "; ".join(evidence(each)),
            )
        )
        for each in found.found
    ]
    said = asked(name, verdict)
    if verdict.working:
        said += f". Ours is {verdict.working}"
    if verdict.detail:
        said += f"; {verdict.detail}"
    if verdict.status == "differs" and not made:
        said += "; unexplained: no small change gives it"
    below = [f"Certain: {proof}" for proof in found.proofs]
    below += [f"Tried: {text}" for text in found.tried if verdict.status == "differs"]
    return Table("explain", verdict.claim.text, said, heads, tuple(made), (*below, *notes))


def asked(name: str, verdict: Verdict) -> str:
    """What is asked and what we have: ``conv1.neurons = 253,440; alexnet has 290,400``."""
    claim, own = verdict.claim.text, ours(verdict)
    if verdict.status == "unknown":
        return f"{name}: {claim} cannot be derived"
    if verdict.status == "differs":
        return f"{claim}; {name} has {own}" if own else f"{claim} differs from {name}"
    return f"{claim} tallies with {name}" + (f": {own}" if own else "")


def evidence(found: Explanation) -> list[str]:
    """What speaks for a hypothesis and against it, and what else it would change."""
    told = [f"for it: {each}" for each in found.supports]
    for word, claims in (("mends", found.fixes), ("breaks", found.breaks)):
        if claims:
            more = f" and {len(claims) - 4} more" if len(claims) > 4 else ""
            told.append(f"{word} {', '.join(claims[:4])}{more}")
    if found.similar:
        told.append(f"so would {'; '.join(found.similar)}")
    return [*told, *found.effects]


def reconcile_table(
    tally: Tally, reckonings: Sequence[Reckoning], notes: Sequence[str] = ()
) -> Table:
    """One line an accounting: its totals, what it calls them, and what they are the sum of."""
    made: list[TableRow] = []
    unsure = certainty(tally.rows, "operations") == "unknown"
    for each in reckonings:
        convention = each.accounting
        counted = bool(convention.operations_by_kind)  # no operations is not zero operations
        operations = f"{plain(each.operations):,}" if counted else "–"
        of = terms(each.terms) if counted else ""
        if counted and unsure:
            operations = of = "?"
        cells = (convention.name, f"{plain(each.parameters):,}", operations, convention.unit, of)
        made.append(TableRow(cells))
    heads = (
        Head("accounting", code=True),
        Head("parameters", number=True),
        Head("operations", number=True),
        Head("called"),
        Head("the operations are", wide=0.33),
    )
    said = list(notes)
    if not tally.complete:
        least = "each of these counts is at least so much; unknown is not zero"
        said.insert(0, f"Some layers are not known: {least}.")
    lead = f"One network, counted by {len(reckonings)} conventions"
    return Table("reconcile", _title(tally), lead, heads, tuple(made), tuple(said))


def diff_table(difference: Difference, notes: Sequence[str] = ()) -> Table:
    """One line a layer that differs, what that costs in the second network, and the totals."""
    a, b = difference.a, difference.b
    made: list[TableRow] = []
    for name, (own, other) in difference.inputs.items():
        change = f"{written_size(own)} → {written_size(other)}"
        made.append(TableRow(("changed", name, change, "", "", "")))
    for pair in difference.changed:
        costs = [
            "?" if any(row and not is_known(name, row) for row in (pair.a, pair.b)) else signed(n)
            for name, n in (
                ("parameters", pair.parameters),
                ("operations", pair.operations),
                ("neurons", pair.neurons),
            )
        ]
        role = "quiet" if pair.status == "follows" else "row"
        made.append(TableRow((pair.status, pair.name, what_differs(pair), *costs), role))
    for each in (a, b):
        totals = [total_of(each, name) for name in ("parameters", "operations", "neurons")]
        made.append(TableRow(("total", each.network.name, "", *map(_brief, totals)), "total"))
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
    return Table("diff", title, lead, heads, tuple(made), tuple(notes))
