"""RNN, LSTM and GRU: one node a layer of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...layers.recurrent import GRU, LSTM, SimpleRNN
from .shadow import METHODS, Shadow, note, shadow

if TYPE_CHECKING:
    from .trace import Trace

KINDS = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": SimpleRNN, "RNN_RELU": SimpleRNN}
TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def recurrent(trace: Trace, module: Any, path: str, x: Shadow, hx: Any = None) -> Any:
    """(output, state) of torch's recurrent modules. Steps first, or the batch first."""
    if not isinstance(x, Shadow):
        return None  # a packed sequence
    layer_type = KINDS[module.mode]
    held = module._parameters
    y = x
    if len(x.sizes) == 2:
        y = METHODS["unsqueeze"](y, 0 if module.batch_first else 1)
    if not module.batch_first:
        y = METHODS["transpose"](y, 0, 1)
    batch = y.sizes[0]
    ways = 2 if module.bidirectional else 1
    out = module.proj_size or module.hidden_size
    for n in range(module.num_layers):
        fields: dict[str, Any] = {"directions": ways, "biases": 2 if module.bias else 0}
        if module.proj_size:
            fields["projection"] = module.proj_size
        layer = trace.layer(layer_type, module.hidden_size, **fields)
        own = {
            f"{name}{way}": trace.parameter(tensor)
            for way in ("", "_reverse")[:ways]
            for name in TENSORS
            if (tensor := held.get(f"{name}_l{n}{way}")) is not None
        }
        before = trace.path
        trace.path = path
        y = trace.add(f"l{n}", layer, (y,), None, own)
        trace.path = before
    last = y
    if not module.batch_first:
        y = METHODS["transpose"](y, 0, 1)
    state = _state(trace, last, (module.num_layers * ways, batch, out))
    if len(x.sizes) == 2:
        y = METHODS["squeeze"](y, 0 if module.batch_first else 1)
        state = METHODS["squeeze"](state, 1)
    if module.mode != "LSTM":
        return y, state
    cell = _state(trace, last, (module.num_layers * ways, batch, module.hidden_size))
    if len(x.sizes) == 2:
        cell = METHODS["squeeze"](cell, 1)
    return y, (state, cell)


def _state(trace: Trace, x: Shadow, sizes: tuple[int, ...]) -> Shadow:
    """What the last step leaves behind; it gets a node of its own only if somebody reads it."""
    made = shadow(sizes, None, x.kind)

    def later() -> Shadow:
        return trace.arrange("state", (x,), sizes, x.kind)

    return note(made, later=later)


def cell(trace: Trace, module: Any, path: str, x: Shadow, hx: Any = None) -> Any:
    """One step: RNNCell, LSTMCell, GRUCell."""
    kind = type(module).__name__
    layer_type = {"LSTMCell": LSTM, "GRUCell": GRU}.get(kind, SimpleRNN)
    layer = trace.layer(layer_type, module.hidden_size, biases=2 if module.bias else 0)
    own = {
        name: trace.parameter(tensor)
        for name in TENSORS
        if (tensor := module._parameters.get(name)) is not None
    }
    before = trace.path
    trace.path = path
    y = trace.add("step", layer, (x,), None, own)
    trace.path = before
    return (y, _state(trace, y, y.sizes)) if kind == "LSTMCell" else y
