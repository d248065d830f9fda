"""Recurrent layers: LSTM, GRU and RNN, of one or two directions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..state import FIRST_STATES
from ..values import Unknown, Value, known, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ....network import Shape
    from ..builder import NodeCall

GATES = {"LSTM": 4, "DynamicQuantizeLSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(call: NodeCall, kind: str) -> None:
    """X is (steps, batch, features), or with layout 1 (batch, steps, features).

    Y is (steps, directions, batch, hidden), or (batch, steps, directions, hidden); Y_h, and Y_c of
    an LSTM, are the last states.
    """
    x = call.value(0)
    weight, state = call.weight(1), call.weight(2)
    if weight is None or state is None:
        raise call.error("it has no weights", f"{len(call.inputs)} inputs")
    bias = call.weight(3)
    if not known(x.shape):
        raise Unknown
    w, r = weight.sizes, state.sizes
    gates = GATES[call.node.op]
    if call.node.op == "DynamicQuantizeLSTM" and len(w) == len(r) == 3:  # its matrices lie turned
        w, r = (w[0], w[2], w[1]), (r[0], r[2], r[1])
    word = call.word("direction", "forward").lower()
    directions = 2 if word == "bidirectional" else 1
    hidden = call.int("hidden_size", r[-1] if r else 0)
    if len(x.shape) != 3:
        raise call.error("its input needs 3 axes", f"input {shown(x.shape)}")
    expected: dict[str, tuple[Shape, Shape]] = {
        "W": (w, (directions, gates * hidden, x.shape[2])),
        "R": (r, (directions, gates * hidden, hidden)),
    }
    if bias is not None:
        expected["B"] = (bias.sizes, (directions, 2 * gates * hidden))
    for name, (actual, fitting) in expected.items():
        if actual != fitting or hidden < 1:
            raise call.error(
                f"its {name} does not fit", f"{shown(actual)}, {shown(fitting)} expected"
            )
    first = call.int("layout") == 1
    batch, steps = (x.shape[:2]) if first else (x.shape[1], x.shape[0])
    whole = (batch, steps, directions * hidden)
    b = call.b
    tensors = {"weight": weight, "state": state}
    sequence = x
    if not first:
        turned = (batch, steps, x.shape[2])
        sequence = call.step(
            "batch_first",
            turned,
            lambda: b.layer("permute", order=(1, 0, 2), whole=True),
            [x],
        )
    peephole = call.weight(7) if kind == "lstm" else None
    if peephole is not None:
        stored = [("weight_ih", w), ("weight_hh", r), ("peephole", peephole.sizes)]
        stored += [("bias", bias.sizes)] if bias is not None else []
        layer = b.layer("opaque", type="LSTM", size=whole, whole=True, tensors=tuple(stored))
    else:
        layer = b.layer(
            kind, features=hidden, directions=directions, biases=2 if bias is not None else 0
        )
    _hold_first_states(call)
    sequence = _own(call, layer, whole, sequence, tensors)
    _outputs(call, sequence, first, (batch, steps, directions, hidden))


def _hold_first_states(call: NodeCall) -> None:
    """A layer for each stored state before the first step; zeros need none.

    The recurrent layer reads the sequence alone, so that nothing reads these.
    """
    b = call.b
    for place in FIRST_STATES[call.node.op]:
        state = call.get(place)
        if state is not None and b.may_be_learned(state) and not b.holds_zeros(state):
            b.node_of(state)


def _own(
    call: NodeCall, layer: Any, whole: tuple[int, ...], x: Value, tensors: Mapping[str, Value]
) -> Value:
    """The layer itself; all its tensors are shared where another has the same weights."""
    roots = tensors["weight"].root, tensors["state"].root
    names = layer.parameters(((whole[0], whole[1], x.sizes[-1]),))
    keys = {name: (*roots, name) for name in names}
    return call.b.step(call, layer.kind, whole, lambda: layer, [x], None, keys)


def _outputs(
    call: NodeCall, sequence: Value, first: bool, sizes: tuple[int, int, int, int]
) -> None:
    batch, steps, directions, hidden = sizes
    b = call.b
    if call.node.outputs and call.node.outputs[0]:
        split = (batch, steps, directions, hidden)
        if first:
            call.emit(split, lambda: b.layer("reshape", size=split[1:]), [sequence])
        else:
            apart = call.step("ways", split, lambda: b.layer("reshape", size=split[1:]), [sequence])
            call.emit(
                (steps, directions, batch, hidden),
                lambda: b.layer("permute", order=(1, 2, 0, 3), whole=True),
                [apart],
            )
    last = (batch, directions, hidden) if first else (directions, batch, hidden)
    for place in (1, 2):
        call.emit(
            last,
            lambda: b.layer("arrange", type="the last state", size=last, of=(sequence.sizes,)),
            [sequence],
            place=place,
        )


RULES: dict[str, Callable[[NodeCall], None]] = {
    "LSTM": partial(recurrent, kind="lstm"),
    "GRU": partial(recurrent, kind="gru"),
    "RNN": partial(recurrent, kind="rnn"),
    "com.microsoft:DynamicQuantizeLSTM": partial(recurrent, kind="lstm"),
}
