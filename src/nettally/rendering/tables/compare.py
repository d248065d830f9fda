"""Tables of several counts side by side: two networks, all accountings, the zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import plain
from ...counting.certainty import certainty, knows
from ..escape import escape
from ..layer_line import described, shown, size
from ..terminal import Terminal, count, noted, wrap
from .columns import total_of
from .terminal import NARROW, grid, not_counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...counting.tally import Tally
    from ...diffing import Difference, Pair
    from ...formats import Format

INDENT = "    "
"""Before what belongs to a line above, where the terminal is narrow."""

_SIGNS = {"changed": "~", "moved": ">", "follows": "·", "removed": "-", "added": "+"}
_STYLES = {"~": "yellow", "-": "red", "+": "green"}


def diff_text(difference: Difference, terminal: Terminal, notes: Sequence[str] = ()) -> str:
    """What differs, layer by layer, and what each difference costs in b, with the totals."""
    a, b = difference.a, difference.b
    names = f"{escape(a.network.name)} → {escape(b.network.name)}"
    if difference.same:
        text = f"{names}: the same {count(len(a.rows), 'layer')}"
        return "\n".join([*wrap(text, terminal.prose), "", *_totals(difference, terminal)]) + "\n"
    heads = ["", "", "what differs", "parameters", a.accounting.unit, "neurons"]
    rows: list[list[str]] = []
    for name, (before, after) in difference.inputs.items():
        change = f"{written_size(before)} → {written_size(after)}"
        rows.append(["~", escape(name), change, "", "", ""])
    for pair in difference.changed:
        costs = [
            signed(n) if is_sure(difference, pair, name) else "?"
            for name, n in (
                ("parameters", pair.parameters),
                ("operations", pair.operations),
                ("neurons", pair.neurons),
            )
        ]
        rows.append([_SIGNS[pair.status], escape(pair.name), escape(what_differs(pair)), *costs])
    quiet = [i for i, row in enumerate(rows) if row[0] == "·"]
    table = grid(
        heads,
        [False, False, False, True, True, True],
        rows,
        terminal,
        dim=quiet,
        marks=_STYLES,
        wrap=True,
    )
    return (
        "\n".join(
            [
                terminal.style(names, "bold"),
                "",
                table,
                "",
                *_totals(difference, terminal),
                "",
                *_legend(difference, terminal),
                *noted(notes, terminal),
            ]
        )
        + "\n"
    )


def is_sure(difference: Difference, pair: Pair, quantity: str) -> bool:
    """Whether what a layer adds to the second network, or takes from it, is known."""
    sides = ((difference.a, pair.a), (difference.b, pair.b))
    return all(row is None or knows(tally, quantity, row) for tally, row in sides)


def what_differs(pair: Pair) -> str:
    """The difference of two layers in one line: ``stride 4 → 2, no bias``."""
    if pair.a is None or pair.b is None:
        row = pair.a or pair.b
        assert row is not None
        return described(row.node)
    if pair.status == "follows":
        first, second = pair.a.inputs, pair.b.inputs
        before, after = (" + ".join(map(written_size, shapes)) for shapes in (first, second))
        return f"input {before} → {after}"
    if "kind" in pair.changes:
        return f"{described(pair.a.node)} → {described(pair.b.node)}"
    return ", ".join(_change(name, a, b) for name, (a, b) in pair.changes.items())


def _change(name: str, a: Any, b: Any) -> str:
    if name == "after":
        return f"moved: after {b}, not {a}"
    return f"{name} {_value(a)} → {_value(b)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shown(value)


def written_size(shape: Any) -> str:
    """``96x55x55``; ``none`` where there is none."""
    return size(shape) or ("none" if shape is None else "1")


def signed(n: int) -> str:
    """A cost: ``+1,234``, ``-5``; – for none."""
    return f"{n:+,}" if n else "–"


def _totals(difference: Difference, terminal: Terminal) -> list[str]:
    a, b = difference.a, difference.b
    table = [
        ("parameters", "parameters", plain(a.parameters), difference.parameters),
        (a.accounting.unit, "operations", plain(a.operations), difference.operations),
        ("neurons", "neurons", plain(a.neurons), difference.neurons),
    ]
    texts = [[total_of(each, name) for each in (a, b)] for _, name, *_ in table]
    width = max(len(name) for name, *_ in table)
    wide = [max(len(pair[i]) for pair in texts) for i in (0, 1)]
    lines: list[str] = []
    for (name, number, amount, more), (left, right) in zip(table, texts, strict=True):
        line = f"{name:<{width}}  {left:>{wide[0]}} → {right:>{wide[1]}}"
        # what one of two accountings' totals leaves open, their difference leaves open too
        sure = number != "operations" or not (a.not_counted or b.not_counted)
        if more and sure and "not known" not in (left, right):
            share = f", {100 * more / amount:+.1f} %" if amount else ""
            line += f"   {signed(more)}{share}"
        lines += wrap(line, terminal.width, rest=INDENT) if len(line) > terminal.width else [line]
    for tally in (a, b):
        if tally.not_counted:
            lines.extend(terminal.style(line, "yellow") for line in not_counted(tally, terminal))
        if not tally.complete and not tally.parameters_complete:
            name = escape(tally.network.name)
            text = f"{name} has layers that are not known: its totals are at least these"
            lines.extend(terminal.style(line, "yellow") for line in wrap(text, terminal.prose))
    return lines


def _legend(difference: Difference, terminal: Terminal) -> list[str]:
    same = sum(pair.status == "same" for pair in difference.pairs)
    text = "~ changed, > moved, · follows from what comes in, - only in the first, "
    text += "+ only in the second"
    if same:
        text += f"; {count(same, 'layer')} the same"
    return [terminal.style(line, "dim") for line in wrap(text, terminal.prose)]


def reconcile_text(
    tally: Tally, reckonings: Sequence[Any], terminal: Terminal, notes: Sequence[str] = ()
) -> str:
    """One count under every accounting, and below it what it is made of, term by term."""
    printed = [each for each in reckonings if each.accounting.printed() or hasattr(each, "why")]
    if printed:
        from .tools import tools_part

        lines = tools_part(tally, [reckonings[0], *printed], terminal)
        reckonings = [each for each in reckonings[1:] if each not in printed]
        head = "Other conventions, by kinds of layers"
        lines += ["", *(terminal.style(line, "bold") for line in wrap(head, terminal.prose))]
    else:
        number = count(len(reckonings), "convention")
        head = f"{escape(tally.network.name)}: one network, counted by {number}"
        lines = [terminal.style(line, "bold") for line in wrap(head, terminal.prose)]
    nothing_known = certainty(tally, "operations") == "unknown"
    rows = [_reconcile_row(tally, each, nothing_known) for each in reckonings]
    heads = ("accounting", "parameters", "operations", "called")
    wide = [max(len(row[i]) for row in (heads, *rows)) for i in range(3)]

    def line(row: tuple[str, str, str, str]) -> str:
        return f"{row[0]:<{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]:>{wide[2]}}  {row[3]}"

    rule = ("─" if terminal.unicode else "-") * min(terminal.prose, sum(wide) + 24)
    head_lines = wrap(line(heads), terminal.prose, rest=INDENT)
    lines += ["", *(terminal.style(each, "bold") for each in head_lines), rule]
    blank = " " * (wide[0] + 2) if terminal.prose >= NARROW else INDENT
    for row, each in zip(rows, reckonings, strict=True):
        lines += wrap(line(row), terminal.prose, rest=INDENT)
        if row[2] != "?" and (
            len(each.terms) > 1 or any(not name.startswith("multiply") for name in each.terms)
        ):
            bound = terms(each.terms).replace(" ", "\xa0")
            bound = bound.replace("\xa0+\xa0", " +\xa0").replace("\xa0-\xa0", " -\xa0")
            wrapped = wrap(bound, terminal.prose, f"{blank}= ", f"{blank}  ")
            lines.extend(terminal.style(text.replace("\xa0", " "), "dim") for text in wrapped)
        for text in remarks(tally, each):
            wrapped = wrap(escape(text), terminal.prose, blank, f"{blank}  ")
            lines.extend(terminal.style(line, "cyan") for line in wrapped)
    if not tally.complete:
        what = "operations" if tally.parameters_complete else "counts"
        caution = f"some layers are not known: each of these {what} is at least so much"
        if nothing_known:
            caution = "the work of these layers is not known; unknown is not zero"
        lines.extend(
            ["", *(terminal.style(text, "yellow") for text in wrap(caution, terminal.prose))]
        )
    lines += _published_ways(tally, terminal)
    if notes:
        lines.extend(["", *noted(notes, terminal)])
    return "\n".join(lines) + "\n"


def _published_ways(tally: Tally, terminal: Terminal) -> list[str]:
    """Of a language model, what published formulas give for training; [] for other networks."""
    from ...accountings.language_models import estimates

    ways = estimates(tally)
    if not ways:
        return []
    width = max(len(each.way.name) for each in ways)
    amounts = [(f"{plain(each.flops):,}", f"{each.per_token:,}") for each in ways]
    wide = [max(len(pair[i]) for pair in amounts) for i in range(2)]
    tokens = count(ways[0].tokens, "token")
    head = f"Training on {tokens}, as published formulas have it (-forward: one pass alone)"
    lines = ["", *(terminal.style(line, "bold") for line in wrap(head, terminal.prose)), ""]
    blank = " " * (width + 2) if terminal.prose >= NARROW else INDENT
    for each, (flops, one) in zip(ways, amounts, strict=True):
        text = f"{each.way.name:<{width}}  {flops:>{wide[0]}} FLOPs, {one:>{wide[1]}} a token"
        lines += wrap(text, terminal.prose, rest=INDENT)
        wrapped = wrap(f"= {each.way.formula}", terminal.prose, blank, f"{blank}  ")
        lines += [terminal.style(line, "dim") for line in wrapped]
    return lines


def _reconcile_row(tally: Tally, each: Any, nothing_known: bool) -> tuple[str, str, str, str]:
    """The accounting, its parameters, its operations, and what it calls them."""
    # no operations is not zero operations
    counted = each.accounting.counts_operations
    operations = f"{plain(each.operations):,}" if counted else "–"
    if counted and nothing_known:
        operations = "?"
    elif counted and not each.complete and tally.complete:
        operations = f"at least {operations}"
    name, unit = escape(each.accounting.name), escape(each.accounting.unit)
    return name, f"{plain(each.parameters):,}", operations, unit


def remarks(tally: Tally, reckoning: Any) -> list[str]:
    """What an accounting does not know of this network, and what its count takes for granted."""
    texts: list[str] = []
    if reckoning.unknown:
        texts.append(f"what it counts for {', '.join(reckoning.unknown)} is not known")
    if reckoning.accounting.printed() is None and reckoning.accounting.assumes:
        kinds = {row.node.layer.kind for row in tally.rows}
        texts += [
            f"assumes {text}"
            for kind, text in reckoning.accounting.assumes.items()
            if kind in kinds
        ]
    return texts


def terms(by_kind: Any) -> str:
    """``724,406,816 multiply-adds + 659,272 conv biases``; ``2 × 724,406,816 multiply-adds``."""
    parts: list[str] = []
    for name, n in by_kind.items():
        amount, times = plain(n), ""
        factor, cross, rest = name.partition(" × ")
        if cross and factor.isdigit() and amount % int(factor) == 0:
            amount, times, name = amount // int(factor), f"{factor} × ", rest
        sign = "- " if amount < 0 else "+ " if parts else ""
        parts.append(f"{sign}{times}{abs(amount):,} {escape(name)}")
    return " ".join(parts) or "0"


def zoo_text(entries: Iterable[tuple[str, str, Tally]], terminal: Terminal) -> str:
    """The networks that come with nettally: name, title, parameters, MACs."""
    rows = [
        [escape(name), f"{plain(t.parameters):,}", f"{plain(t.operations):,}", escape(title)]
        for name, title, t in entries
    ]
    heads = ["name", "parameters", "MACs", "title"]
    return grid(heads, [False, True, True, False], rows, terminal, wrap=True) + "\n"


def formats_text(formats: Mapping[str, Format], terminal: Terminal) -> str:
    """What is read, and below it what of each format is not."""
    rows = [
        [escape(each.title), escape(" ".join(each.suffixes)), escape(each.versions)]
        for each in formats.values()
    ]
    heads = ["format", "files", "what is read"]
    lines = [grid(heads, [False, False, False], rows, terminal, wrap=True), ""]
    for each in formats.values():
        if each.gaps:
            head = wrap(f"not read of {escape(each.title)}:", terminal.prose)
            lines += [terminal.style(line, "bold") for line in head]
            for gap in each.gaps:
                lines.extend(wrap(escape(gap), terminal.prose, "- ", "  "))
            lines.append("")
    text = "a file is recognised by what is in it; its name is a hint at best"
    return "\n".join([*lines, *wrap(text, terminal.prose)]) + "\n"
