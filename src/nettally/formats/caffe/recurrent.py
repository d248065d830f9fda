"""Caffe's recurrent layers, and its lookup of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph_builder import by_axis
from .builder import CaffeBuilder, caffe

if TYPE_CHECKING:
    from .net import Spec


@caffe("LSTM", "RNN", bottoms=(2, 5), sized=True)
def recurrent(b: CaffeBuilder, s: Spec) -> str:
    """A sequence of steps x batch x values, and whether each step goes on from the one before.

    LSTM: weights 4·H of the input and of the state, one bias. RNN: state = tanh(W x + U state + b),
    and an output tanh(V state + c) of the same width.
    """
    settings = s.sub("recurrent_param")
    (x, steps, *more), shape = b.sized(s)
    features = settings.integer("num_output", 0)
    if not features:
        raise settings.error(f"{s.label}: no 'num_output' is given", hint="num_output: 256")
    if more:  # a static input, or states that go in and out
        size = (*shape[:2], features)
        return b.opaque(
            s, (x, steps, *more), kind=f"{s.type} with further inputs", size=size, whole=True
        )
    if len(shape) < 3:
        raise s.error(
            "its input has axes of steps, batch and values",
            values=f"input {by_axis(shape)}",
        )
    going_on = b.shape(steps)
    if going_on is not None and going_on[:2] != shape[:2]:
        raise s.error(
            "its second bottom has one number a step and example",
            values=f"{by_axis(going_on)} for {by_axis(shape)}",
        )
    if len(shape) > 3:
        x = b.make(s, "flatten", (x,), ".values", start=2)
    x = b.make(s, "permute", (x,), ".examples", order=(1, 0, 2), whole=True)
    kind = s.type.lower()
    x = b.make(s, kind, (x,), f".{kind}", features=features, biases=1)
    if kind == "rnn":
        x = b.make(s, "linear", (x,), ".output", features=features, axis=2)
        x = b.make(s, "tanh", (x,), ".tanh")
    return b.make(s, "permute", (x,), order=(1, 0, 2), whole=True)


@caffe("Embed")
def embed(b: CaffeBuilder, s: Spec) -> str:
    """A row of a table for each whole number, and a bias that all rows have in common."""
    settings = s.sub("embed_param")
    inputs = b.inputs_of(s)
    rows, size = settings.integer("input_dim", 0), settings.integer("num_output", 0)
    if not rows or not size:
        raise settings.error(f"{s.label}: 'input_dim' and 'num_output' are needed")
    bias = settings.boolean("bias_term", True)
    if not bias:
        return b.learned(s, "embedding", inputs, rows=rows, size=(size,))
    x = b.learned(s, "embedding", inputs, ".rows", tensors=slice(1), rows=rows, size=(size,))
    return b.learned(s, "combine", (x,), tensors=slice(1, 2), operation="add", size=(size,))
