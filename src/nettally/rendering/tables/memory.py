"""The table of memory: what a training step and a forward need, and which layers need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...counting.memory import HELD_RULE, INFERENCE_RULE, RULE, TRAINING_RULE
from ..escape import escape
from ..terminal import count, noted, wrap
from .terminal import grid

if TYPE_CHECKING:
    from collections.abc import Sequence

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
) -> str:
    """Both, side by side in bytes; then the layers that keep most; then the rules."""
    network = trained.tally.network
    shapes = " + ".join("x".join(map(str, shape)) for shape in network.inputs.values())
    kinds = trained.dtype or f"{trained.width} bytes a value"
    title = f"{escape(network.name)}: memory, input {shapes}, {kinds}"
    heading = [terminal.style(line, "bold") for line in wrap(title, terminal.prose)]
    lines = [*heading, "", _totals(trained, used, terminal), ""]
    if trained.rows:
        lines += [*_largest(trained, terminal, every=every), ""]
    lines += _rules(trained, used, terminal.prose)
    lines += noted(notes, terminal)
    return "\n".join(lines) + "\n"


def _totals(trained: Training, used: Inference, terminal: Terminal) -> str:
    """What training and inference need, kind by kind, in MB."""
    lines: list[tuple[str, int | None, int | None]] = [
        ("parameters", trained.parameters, used.parameters),
        ("buffers", trained.buffers, used.buffers),
        ("gradients", trained.gradients, None),
        (f"optimizer: {trained.optimizer_name}", trained.optimizer, None),
        ("input", trained.inputs, used.inputs),
        ("activations", trained.activations, used.peak - used.inputs),
        ("total", trained.total, used.total),
    ]
    rows = [[name, *("–" if n is None else _size(n) for n in numbers)] for name, *numbers in lines]
    heads = ["MB, 10⁶ bytes", "training", "inference"]
    return grid(heads, [False, True, True], rows, terminal, bold=[len(rows) - 1])


def _largest(trained: Training, terminal: Terminal, *, every: bool) -> list[str]:
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
        text = f"and {count(left, 'layer')} with {_size(rest)} MB (--all lists them)"
        lines += wrap(text, terminal.prose)
    return lines


def _rules(trained: Training, used: Inference, prose: int) -> list[str]:
    """Where the peak is, and by which rules memory is counted."""
    lines: list[str] = []
    if used.at:
        lines += wrap(f"inference: the most is alive at {escape(used.at)}; {INFERENCE_RULE}", prose)
    if used.held != used.peak:
        lines += wrap(
            f"{HELD_RULE}: {_size(used.held - used.inputs)} MB of activations, "
            f"at {escape(used.held_at)}",
            prose,
        )
    lines += wrap(f"training: {TRAINING_RULE}", prose)
    lines += wrap(RULE, prose)
    if not trained.tally.network.modules:
        lines += wrap(
            "a file does not say which layers work in place: each has a storage of its own", prose
        )
    if trained.unknown or used.unknown:
        lines += wrap(
            f"at least: {count(max(trained.unknown, used.unknown), 'layer')} of which it is not "
            "known what they keep",
            prose,
        )
    return lines


def _size(n: int) -> str:
    """Megabytes of 10⁶ bytes; three digits behind the point where there is little."""
    if not n:
        return "0"
    return f"{n / 1e6:,.2f}" if n >= 1e5 else f"{n / 1e6:,.4f}"
