"""RNN, LSTM and GRU, one node a layer of the stack; and sequences of different lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import PackedSequence

from ...layers.recurrent import GRU, LSTM, SimpleRNN
from .shadow import METHODS, Current, Shadow, call, note, shadow

if TYPE_CHECKING:
    from .trace import Trace

KINDS = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": SimpleRNN, "RNN_RELU": SimpleRNN}
TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def recurrent(trace: Trace, module: Any, path: str, x: Shadow, hx: Any = None) -> Any:
    """(output, state) of torch's recurrent modules. Steps first, or the batch first."""
    if isinstance(x, PackedSequence):
        return _packed(trace, module, path, x)
    layer_type = KINDS[module.mode]
    parameters = module._parameters
    y = x
    if len(x.sizes) == 2:
        y = METHODS["unsqueeze"](y, 0 if module.batch_first else 1)
    if not module.batch_first:
        y = METHODS["transpose"](y, 0, 1)
    batch = y.sizes[0]
    ways = 2 if module.bidirectional else 1
    out = module.proj_size or module.hidden_size
    if module.num_layers > 1:
        trace.names.add(path)  # its layers are l0, l1, … in it, and none of them is it
    for n in range(module.num_layers):
        fields: dict[str, Any] = {"directions": ways, "biases": 2 if module.bias else 0}
        if module.proj_size:
            fields["projection"] = module.proj_size
        layer = trace.layer(layer_type, module.hidden_size, **fields)
        tensors = {
            f"{name}{way}": trace.shadow_of(tensor)
            for way in ("", "_reverse")[:ways]
            for name in TENSORS
            if (tensor := parameters.get(f"{name}_l{n}{way}")) is not None
        }
        before = trace.path
        trace.path = path
        y = trace.add(f"l{n}", layer, (y,), None, tensors)
        if module.dropout and module.training and n + 1 < module.num_layers:
            y = METHODS["dropout"](y, module.dropout, True)
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


def _packed(trace: Trace, module: Any, path: str, x: PackedSequence) -> Any:
    """Sequences of different lengths: each of their steps is one step, whichever it belongs to."""
    steps = METHODS["unsqueeze"](x.data, 0 if module.batch_first else 1)
    y, state = recurrent(trace, module, path, steps)
    y = METHODS["squeeze"](y, 0 if module.batch_first else 1)
    sizes = x.batch_sizes
    batch = int((sizes.known("the sizes of batches") if isinstance(sizes, Shadow) else sizes)[0])
    states = state if isinstance(state, tuple) else (state,)
    for each in states:
        note(each, sizes=(each.sizes[0], batch, each.sizes[2]), later=None)
        _read_later(trace, each, y)
    return x._replace(data=y), state


def _read_later(trace: Trace, state: Shadow, x: Shadow) -> None:
    sizes, kind = state.sizes, x.kind

    def later() -> Shadow:
        return trace.arrange("state", (x,), sizes, kind)

    note(state, later=later)


def _state(trace: Trace, x: Shadow, sizes: tuple[int, ...]) -> Shadow:
    """What the last step leaves behind; it gets a node of its own only if somebody reads it."""
    state = shadow(sizes, None, x.kind)
    _read_later(trace, state, x)
    return state


def cell(trace: Trace, module: Any, path: str, x: Shadow, hx: Any = None) -> Any:
    """One step: RNNCell, LSTMCell, GRUCell."""
    kind = type(module).__name__
    layer_type = {"LSTMCell": LSTM, "GRUCell": GRU}.get(kind, SimpleRNN)
    layer = trace.layer(layer_type, module.hidden_size, biases=2 if module.bias else 0)
    tensors = {
        name: trace.shadow_of(tensor)
        for name in TENSORS
        if (tensor := module._parameters.get(name)) is not None
    }
    before = trace.path
    trace.path = path
    y = trace.add("step", layer, (x,), None, tensors)
    trace.path = before
    return (y, _state(trace, y, y.sizes)) if kind == "LSTMCell" else y


# --- sequences of different lengths -------------------------------------------------------------


@call("_pack_padded_sequence")
def pack(input: Any, lengths: Any, batch_first: bool) -> tuple[Shadow, Any]:
    """(the steps of all sequences in one, how many sequences go on at each step)."""
    trace = Current.trace
    x = trace.stand_in(input)
    real = lengths.known("the lengths of sequences") if isinstance(lengths, Shadow) else lengths
    steps = [int((real > step).sum()) for step in range(int(real.max()))]
    data = trace.arrange("pack", (x,), (sum(steps), *x.sizes[2:]))
    sizes = torch.tensor(steps)
    return data, shadow((len(steps),), None, torch.int64, sizes)


@call("_pad_packed_sequence")
def unpack(
    data: Any, batch_sizes: Any, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Shadow, Shadow]:
    trace = Current.trace
    x = trace.stand_in(data)
    steps = batch_sizes.known("the sizes of batches").tolist() if isinstance(
        batch_sizes, Shadow
    ) else batch_sizes.tolist()  # fmt: skip
    lengths = torch.tensor([sum(n > i for n in steps) for i in range(steps[0])])
    long = max(len(steps), total_length)
    sizes = (steps[0], long) if batch_first else (long, steps[0])
    padded = trace.arrange("unpack", (x,), (*sizes, *x.sizes[1:]))
    return padded, shadow(tuple(lengths.shape), None, lengths.dtype, lengths)
