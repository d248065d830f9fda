"""Bodies that are run for each piece of something: Scan and SequenceMap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..budget import NODE
from ..builder import NodeCall
from ..values import Unknown, Value, known
from .control_flow import MAX_UNROLLED, body_of, gathered, makers, opaque_output
from .sequence import define

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..proto import Graph

MAX_SCANNED = 20_000
"""How many nodes a Scan may have that is written out; a longer one is not counted."""


def scan(call: NodeCall) -> None:
    """Scan: written out where it is short; else opaque outputs with their shapes, and a note."""
    graph = call.graph("body")
    b = call.b
    number = call.int("num_scan_inputs")
    values = [value for value in call.inputs if value is not None]
    if call.opset < 9 or number < 1 or number > len(values):
        b.unresolved(call)
        return
    states, scanned = values[: len(values) - number], values[len(values) - number :]
    axes = call.ints("scan_input_axes") or [0] * number
    steps: Any = None
    pieces: list[Value] = []
    for value, axis in zip(scanned, axes, strict=False):
        shape = value.shape
        if shape is not None and shape:
            place = call.axis(axis, len(shape))
            steps = shape[place]
            shape = (*shape[:place], *shape[place + 1 :])
        piece = Value("", shape, value.dtype, value.node)
        pieces.append(piece)
    whole = type(steps) is int and 0 < steps <= MAX_UNROLLED and all(v.shape for v in scanned)
    if whole and steps * len(graph.nodes) <= MAX_SCANNED and len(axes) == number:
        _scan_unrolled(call, graph, states, pieces, steps)
        return
    probe = b.probe()
    for piece in pieces:  # which no node makes
        if piece.node is not None:
            shape = piece.shape if known(piece.shape) else None
            piece.node = probe.input(probe.free(f"{call.name}.piece"), shape)
    inner = NodeCall(probe, call.node, call.inputs, call.opset)
    inner.name = call.name
    outputs = body_of(inner, graph, [*states, *pieces], f"{call.name}.")
    b.note("a Scan of many rounds, or of a length that is not known: it is not counted")
    read = makers(values + b.outer([graph]))
    for place, value in enumerate(outputs[: len(call.node.outputs)]):
        shape = value.shape
        if place >= len(states) and shape is not None:
            shape = (steps, *shape)
        opaque_output(call, shape, read, place, value.dtype)


def _scan_unrolled(
    call: NodeCall, graph: Graph, states: list[Value], pieces: list[Value], rounds: int
) -> None:
    """Scan, written out: in each round the body is given a piece of each input."""
    b = call.b
    scanned = [value for value in call.inputs if value is not None][len(states) :]
    if len(graph.inputs) != len(states) + len(pieces) or len(graph.outputs) < len(states):
        raise call.error("its body has other inputs or outputs than it has")
    collected: list[list[Value]] = [[] for _ in graph.outputs[len(states) :]]
    if len(call.node.outputs) > len(graph.outputs):
        raise call.error("its body has fewer outputs than it has")
    for turn in range(rounds):
        b.budget.write_out(NODE * len(pieces))
        taken = [
            call.step(
                f"{turn}.piece{place}",
                piece.shape,
                lambda piece=piece, whole=whole: b.layer(
                    "arrange", type=call.node.op, size=piece.sizes, of=(whole.sizes,)
                ),
                [whole],
            )
            for place, (piece, whole) in enumerate(zip(pieces, scanned, strict=True))
        ]
        outputs = body_of(call, graph, [*states, *taken], f"{call.name}.{turn}.")
        states = outputs[: len(states)]
        for rows, value in zip(collected, outputs[len(states) :], strict=True):
            rows.append(value)
    axes = call.ints("scan_output_axes") or [0] * len(collected)
    if len(axes) != len(collected):
        raise call.error("its scan_output_axes are not as many as what it scans", f"{axes[:8]}")
    gathered(call, states, collected, axes)


def sequence_map(call: NodeCall) -> None:
    """SequenceMap: its body, run for each tensor of a sequence."""
    graph = call.graph("body")
    first = call.value(0).items
    if first is None or len(first) > MAX_UNROLLED or not first:
        raise Unknown
    values = [call.value(place) for place in range(len(call.inputs))]
    if len(graph.inputs) != len(values) or len(call.node.outputs) > len(graph.outputs):
        raise call.error("its body has other inputs or outputs than it has")
    results: list[list[Value]] = []
    for turn in range(len(first)):
        inputs: list[Value] = []
        for value in values:
            items = value.items
            if items is not None and len(items) != len(first):
                raise call.error("its sequences have different lengths", f"{len(items)}")
            inputs.append(value if items is None else items[turn])
        results.append(body_of(call, graph, inputs, f"{call.name}.{turn}."))
    for place, name in enumerate(call.node.outputs):
        if name:
            define(call, [outputs[place] for outputs in results], place)


RULES: dict[str, Callable[[NodeCall], None]] = {"Scan": scan, "SequenceMap": sequence_map}
