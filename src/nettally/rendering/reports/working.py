"""The arithmetic of one layer (or module) with the numbers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import Named, Num, formula, plain, product, show, total
from ...counting.quantities import certainty
from ...counting.rows import AXES, Row, named_shape
from ...counting.tally import matching, tally
from ..escape import escape
from ..layer_line import described, size
from ..terminal import Terminal, count, wrap, wrap_steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...counting.accounting import Accounting
    from ...network import Network, Shape

LABEL = 13


def working(network: Network, about: str, accounting: Accounting, terminal: Terminal) -> str:
    """How each count of a layer comes about; for a module, the terms that each count is the sum of.

    Raises ClaimError where no layer or module is called ``about``.
    """
    counted = tally(network, accounting, working=True)
    rows = matching(counted, about)
    accounting = counted.accounting  # as it counts in this very network
    single = [row for row in rows if row.node.name == about]
    if single:
        return "\n".join(_layer(single[0], accounting, terminal)) + "\n"
    return "\n".join(_module(about, rows, accounting, terminal)) + "\n"


def _module(
    about: str, rows: tuple[Row, ...], accounting: Accounting, terminal: Terminal
) -> list[str]:
    head = f"{terminal.style(escape(about), 'bold')}: {count(len(rows), 'layer')}"
    lines = [head, "", *_labelled("output", size(rows[-1].shape) or "not known", terminal)]
    for title, measure in (
        ("neurons", accounting.neurons),
        ("parameters", accounting.parameters),
        (accounting.unit, accounting.operations),
    ):
        quantity = "operations" if title == accounting.unit else title
        if certainty(rows, quantity) == "unknown":
            lines.extend(_labelled(title, "not known", terminal))
            continue
        parts = [(row, plain(measure(row))) for row in rows]
        terms = [Num(n, escape(row.node.name.rpartition(".")[2])) for row, n in parts if n]
        lines.extend(_quantity(title, total(terms), terminal))
    lines.extend(_incomplete(rows, terminal))
    lines.extend(_not_counted(rows, accounting, terminal))
    return lines


def _layer(row: Row, accounting: Accounting, terminal: Terminal) -> list[str]:
    node = row.node
    where = f"  ({escape(node.source)})" if node.source else ""
    name = escape(node.name)
    head = wrap(f"{name}: {escape(described(node))}{where}", terminal.prose, rest="  ")
    head[0] = terminal.style(name, "bold") + head[0][len(name) :]
    lines = [*head, ""]
    for source, shape in zip(node.inputs, row.inputs, strict=True):
        shown = size(shape) or "not known"
        lines.extend(_labelled("input", f"{shown}, from {escape(source)}", terminal))
    if row.shape is None:
        return [*lines, *_stated(row, accounting, terminal), *_incomplete((row,), terminal)]
    before: list[str] = []
    for axis, n in _axes(row.shape):
        if _is_given(n):
            continue
        edge = _edge(row, axis, terminal)
        steps = [step.replace(axis, "") for step in _steps(n, opened=True)] + edge
        if steps == before:
            lines.extend(_labelled(axis, f"{plain(n):,}, in the same way", terminal))
        else:
            lines.extend([*_quantity(axis, n, terminal, opened=True), *edge])
        before = steps
    lines.extend(_labelled("output", size(row.shape) or "", terminal))
    if row.work is None:
        return [*lines, *_stated(row, accounting, terminal), *_incomplete((row,), terminal)]
    named = _renamed(row)
    neurons = accounting.neurons(named)
    if neurons:
        lines.extend(_quantity("neurons", neurons, terminal))
    else:
        lines.extend(_labelled("neurons", f"none: {_no_neurons(accounting)}", terminal))
    lines.extend(_parameters(named, accounting, terminal))
    operations = accounting.operations(named)
    if operations:
        lines.extend(_quantity(accounting.unit, operations, terminal))
    elif accounting.knows(named):
        lines.extend(_labelled(accounting.unit, f"none, as '{accounting.name}' counts", terminal))
    lines.extend(_not_counted((named,), accounting, terminal))
    return [*lines, *_other_work(named, accounting, terminal)]


def _stated(row: Row, accounting: Accounting, terminal: Terminal) -> list[str]:
    """The parameters of a layer that is known by them only."""
    return [] if row.parameters is None else _parameters(row, accounting, terminal)


def _axes(shape: Shape) -> Iterable[tuple[str, int]]:
    names = AXES.get(len(shape)) or tuple(f"axis {i}" for i in range(1, len(shape)))
    return zip(names, shape[1:], strict=True)


def _renamed(row: Row) -> Row:
    """The row with an output whose sizes are names, so that 55 stands for its own arithmetic."""
    shape = row.shape
    assert shape is not None
    fresh = named_shape(tuple(plain(n) for n in shape))
    kept = [
        old if place == 1 and isinstance(old, Num) else new
        for place, (old, new) in enumerate(zip(shape, fresh, strict=True))
    ]
    y = tuple(kept)
    return row._replace(shape=y, work=row.node.layer.named().work(row.inputs, y))


def _edge(row: Row, axis: str, terminal: Terminal) -> list[str]:
    """What the windows drop or overhang along an axis, and which sizes would give the same."""
    layer: Any = row.node.layer
    spare = getattr(layer, "spare", None)
    names = [name for name, _ in _axes(row.shape or ())][1:]
    if spare is None or axis not in names or len(row.inputs) != 1:
        return []
    place = names.index(axis)
    x = tuple(plain(n) for n in row.inputs[0])
    left = spare(x)[place]
    step, out = layer.stride[place], layer.counts(x)[place]
    remarks: list[str] = []
    if left:
        room = (out - 1) * step + left
        remark = (
            f"the last {count(left, 'pixel')} are read by no window"
            if left > 1
            else "the last pixel is read by no window"
        )
        if left < 0:
            remark = f"the last window overhangs the edge by {count(-left, 'pixel')}"
        remarks.append(f"{room:,} / {step} does not come out even: {remark}")
    if step > 1:
        same = [n for n in range(x[2 + place] - step, x[2 + place] + step + 1) if n > 0]
        same = [n for n in same if _counts(layer, x, place, n) == out]
        if len(same) > 1:
            remarks.append(f"inputs from {same[0]:,} to {same[-1]:,} all give {out:,}")
    blank = " " * (LABEL + 2)
    return [
        terminal.style(line, "yellow" if left and not i else "dim")
        for i, text in enumerate(remarks)
        for line in wrap(text, terminal.prose, blank)
    ]


def _counts(layer: Any, x: Shape, place: int, n: int) -> int:
    """How many windows fit when the input's axis is ``n`` long; 0 where none does."""
    from ...errors import LayerError

    try:
        return layer.counts((*x[: 2 + place], n, *x[3 + place :]))[place]
    except LayerError:
        return 0


def _parameters(row: Row, accounting: Accounting, terminal: Terminal) -> list[str]:
    tensors = row.parameters or {}
    if not tensors:
        return _labelled("parameters", "none", terminal)
    lines: list[str] = []
    if len(tensors) > 1 or row.node.shared:
        for name, shape in tensors.items():
            owner = row.node.shared.get(name)
            if owner:
                lines.extend(_labelled(escape(name), f"shared with {escape(owner)}", terminal))
            else:
                lines.extend(_quantity(escape(name), product(shape), terminal))
    counted = accounting.parameters(row)
    parts = [
        Num(plain(product(shape)), escape(name))
        for name, shape in tensors.items()
        if name not in row.node.shared
    ]
    if lines and plain(counted) == sum(map(plain, parts)):
        lines.extend(_quantity("parameters", total(parts), terminal))
    elif counted or lines:
        lines.extend(_quantity("parameters", counted, terminal))
    else:
        lines.extend(_labelled("parameters", f"none, as '{accounting.name}' counts", terminal))
    return lines


_OTHER = {"bias_adds": "bias adds", "pooled": "values taken"}


def _other_work(row: Row, accounting: Accounting, terminal: Terminal) -> list[str]:
    """The steps of a layer that this accounting does not count."""
    counted = accounting.terms_of(row)
    assert row.work is not None
    lines: list[str] = []
    for fact, amount in zip(row.work._fields, row.work, strict=True):
        if fact in _OTHER and amount and fact not in counted:
            lines.extend(_quantity(_OTHER[fact], amount, terminal))
    return (
        ["", terminal.style("not counted as " + accounting.unit + ":", "dim"), *lines]
        if lines
        else []
    )


def _no_neurons(accounting: Accounting) -> str:
    if accounting.neurons_of == "conv":
        return f"'{accounting.name}' counts the outputs of convolutions"
    return "neurons are the outputs of layers that form weighted sums"


def _incomplete(rows: tuple[Row, ...], terminal: Terminal) -> list[str]:
    unknown = [row for row in rows if row.work is None]
    if not unknown:
        return []
    names = ", ".join(escape(row.node.name) for row in unknown[:12])
    if len(unknown) > 12:
        names += f" and {len(unknown) - 12:,} more"
    both = any(row.parameters is None for row in unknown)
    what = "the parameters and the work" if both else "the work"
    text = f"not known: {what} of {names}; unknown is not zero"
    return [terminal.style(line, "yellow") for line in wrap(text, terminal.prose, rest="  ")]


def _not_counted(rows: tuple[Row, ...], accounting: Accounting, terminal: Terminal) -> list[str]:
    """The layers of which the accounting does not say what it counts."""
    unknown = [row for row in rows if row.work is not None and not accounting.knows(row)]
    if not unknown:
        return []
    kinds = ", ".join(dict.fromkeys(row.node.layer.kind for row in unknown))
    text = f"not known: what '{escape(accounting.name)}' counts for {kinds}; unknown is not zero"
    return [terminal.style(line, "yellow") for line in wrap(text, terminal.prose, rest="  ")]


def _labelled(label: str, text: str, terminal: Terminal) -> list[str]:
    start = f"{label:<{LABEL}}  "
    return wrap(text, terminal.prose, start, " " * (LABEL + 2))


def _quantity(label: str, n: int, terminal: Terminal, *, opened: bool = False) -> list[str]:
    """A count and its working, the result in bold. opened: step by step."""
    start = f"{label:<{LABEL}}  "
    lines = wrap_steps(_steps(n, opened), terminal.prose, start)
    result = f"{plain(n):,}"
    if lines[-1].endswith(result):
        lines[-1] = lines[-1][: -len(result)] + terminal.style(result, "bold")
    return lines


def _steps(n: int, opened: bool) -> list[str]:
    """The working with names, and its result; opened: every step on the way."""
    if not isinstance(n, Num):
        return [f"{n:,}"]
    if opened:
        return show(n, names=True).split(" = ")
    return [formula(n, names=True)] if _is_given(n) else [formula(n, names=True), f"{plain(n):,}"]


def _is_given(n: int) -> bool:
    return not isinstance(n, Num) or isinstance(n.how, Named)
