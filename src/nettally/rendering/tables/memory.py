"""The table of memory: what a training step and a forward need, and which layers need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...counting.caches import WIDTH as CACHE_WIDTH
from ...counting.memory import HELD_RULE, INFERENCE_RULE, RULE, TRAINING_RULE, WIDTHS
from ..escape import escape
from ..terminal import count, noted, wrap
from .table import Head, Table, TableRow
from .terminal import grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.caches import Cache
    from ...counting.memory import Inference, Training
    from ..terminal import Terminal

SHOWN = 10
"""How many layers are listed, those that keep most."""


def memory_text(
    trained: Training,
    used: Inference,
    terminal: Terminal,
    notes: Sequence[str] = (),
    *,
    every: bool = False,
    more: str = "--all lists them",
) -> str:
    """Both, side by side in bytes; then the layers that keep most; then the rules.

    every: all layers are listed; else ``more`` says what lists them.
    """
    network = trained.tally.network
    shapes = " + ".join("x".join(map(str, shape)) for shape in network.inputs.values())
    title = f"{escape(network.name)}: memory, input {shapes}, {_kinds(trained)}"
    heading = [terminal.style(line, "bold") for line in wrap(title, terminal.prose)]
    lines = [*heading, "", _totals(trained, used, terminal), ""]
    if trained.rows:
        lines += [*_largest(trained, terminal, every, more), ""]
    for rule in _rules(trained, used):
        lines += wrap(escape(rule), terminal.prose)
    lines += noted(notes, terminal)
    return "\n".join(lines) + "\n"


def memory_table(trained: Training, used: Inference) -> Table:
    """Both for a page: what is needed, kind by kind, then the layers that keep most."""
    network = trained.tally.network
    shapes = " + ".join("x".join(map(str, shape)) for shape in network.inputs.values())
    heads = (Head("MB, 10⁶ bytes"), Head("training", number=True), Head("inference", number=True))
    needs = [TableRow(cells) for cells in _needs(trained, used)]
    lines = [*needs[:-1], needs[-1]._replace(role="total")]
    largest = sorted(trained.rows, key=lambda row: -row.bytes)[:SHOWN]
    if largest:
        lines.append(TableRow(("kept for the backward pass, by layer", "", ""), "group"))
        lines += [TableRow((row.name, _size(row.bytes), "")) for row in largest]
    if left := len(trained.rows) - len(largest):
        rest = trained.activations - sum(row.bytes for row in largest)
        lines.append(TableRow((f"and {count(left, 'layer')}", _size(rest), ""), "quiet"))
    return Table(
        "memory",
        f"{network.name}: memory",
        f"input {shapes}, {_kinds(trained)}",
        heads,
        tuple(lines),
        (*_rules(trained, used), *network.notes),
    )


def cache_line(sizes: Cache, dtype: str = "") -> str:
    """What a language model keeps of the tokens before, in words. dtype: "" for 16 bits a value."""
    width = WIDTHS[dtype] if dtype else CACHE_WIDTH
    size = sizes.values * width
    text = f"kept of {count(sizes.context, 'token')}: {_size(size)} MB ({size / 2**30:,.3f} GiB)"
    parts = [
        f"{values:,} {what}"
        for values, what in (
            (sizes.keys_and_values, "keys and values"),
            (sizes.index_keys, "keys of an index"),
            (sizes.state, "values of states"),
        )
        if values
    ]
    return f"{text}: {', '.join(parts)}, {dtype or '16 bits'} each"


def _kinds(trained: Training) -> str:
    return trained.dtype or f"{trained.width} bytes a value"


def _totals(trained: Training, used: Inference, terminal: Terminal) -> str:
    """What training and inference need, kind by kind, in MB."""
    rows = [list(cells) for cells in _needs(trained, used)]
    heads = ["MB, 10⁶ bytes", "training", "inference"]
    return grid(heads, [False, True, True], rows, terminal, bold=[len(rows) - 1])


def _needs(trained: Training, used: Inference) -> list[tuple[str, str, str]]:
    """A line a kind, its name and MB of both; the last is the total."""
    lines: list[tuple[str, int | None, int | None]] = [
        ("parameters", trained.parameters, used.parameters),
        ("buffers", trained.buffers, used.buffers),
        ("gradients", trained.gradients, None),
        (f"optimizer: {trained.optimizer_name}", trained.optimizer, None),
        ("input", trained.inputs, used.inputs),
        ("activations", trained.activations, used.peak - used.inputs),
        ("total", trained.total, used.total),
    ]
    sizes = [[name, *("–" if n is None else _size(n) for n in both)] for name, *both in lines]
    return [(name, first, second) for name, first, second in sizes]


def _largest(trained: Training, terminal: Terminal, every: bool, more: str) -> list[str]:
    """The layers that keep most; every: all of them, in the network's order."""
    largest = sorted(trained.rows, key=lambda row: -row.bytes)
    shown = trained.rows if every else largest[:SHOWN]
    total = trained.activations or 1
    heads = ["kept for the backward pass", "layer", "MB", "share"]
    table = [
        [escape(row.name), row.kind, _size(row.bytes), f"{row.bytes / total:.1%}"] for row in shown
    ]
    lines = [grid(heads, [False, False, True, True], table, terminal)]
    left = len(largest) - len(shown)
    if left > 0:
        rest = sum(row.bytes for row in largest[SHOWN:])
        text = f"and {count(left, 'layer')} with {_size(rest)} MB ({more})"
        lines += wrap(text, terminal.prose)
    return lines


def _rules(trained: Training, used: Inference) -> list[str]:
    """Where the peak is, and by which rules memory is counted; a sentence each, unescaped."""
    rules: list[str] = []
    if used.at:
        rules.append(f"inference: the most is alive at {used.at}; {INFERENCE_RULE}")
    if used.held != used.peak:
        activations = _size(used.held - used.inputs)
        rules.append(f"{HELD_RULE}: {activations} MB of activations, at {used.held_at}")
    rules += [f"training: {TRAINING_RULE}", RULE]
    if not trained.tally.network.modules:
        rules.append(
            "a file does not say which layers work in place: each has a storage of its own"
        )
    if trained.unknown or used.unknown:
        layers = count(max(trained.unknown, used.unknown), "layer")
        rules.append(f"at least: {layers} of which it is not known what they keep")
    return rules


def _size(n: int) -> str:
    """Megabytes of 10⁶ bytes; three digits behind the point where there is little."""
    if not n:
        return "0"
    return f"{n / 1e6:,.2f}" if n >= 1e5 else f"{n / 1e6:,.4f}"
