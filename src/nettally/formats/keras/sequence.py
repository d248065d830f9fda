"""Keras' layers of sequences: recurrent ones and their wrappers, attention, embeddings."""

from __future__ import annotations

from typing import Any

from ..encodings.json import array, fields
from .builder import LayerCall, Value
from .config import Spec
from .running import outputs_of, run
from .values import word_of
from .variants import frozen_parameters, keep_scales, with_lora

KINDS = {"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm", "CuDNNGRU": "gru", "CuDNNLSTM": "lstm"}
CELLS = {"SimpleRNNCell": "SimpleRNN", "GRUCell": "GRU", "LSTMCell": "LSTM"}


def _biases(spec: Spec) -> int:
    """How many vectors of biases a recurrent layer has."""
    if spec.cls.startswith("CuDNN"):
        return 2
    if not spec.boolean("use_bias", True):
        return 0
    # since TensorFlow 2 a GRU resets after the product, which then has a bias of its own
    return 2 if spec.cls.startswith("GRU") and spec.boolean("reset_after", False) else 1


def recurrent(c: LayerCall) -> Value | list[Value]:
    """Over (batch, steps, features); the last step's output, or with return_sequences all."""
    return _recurrent(c, c.spec, 1)


def _recurrent(c: LayerCall, spec: Spec, directions: int, suffix: str = "") -> Value | list[Value]:
    x = c.plain(c.x)
    if x.rank != 3:
        raise c.error("its input needs 3 axes: batch, steps, features", "x".join(map(str, x.sizes)))
    kind = KINDS.get(spec.cls) or KINDS[CELLS[spec.cls]]
    units = spec.integer("units")
    activations = [word_of(spec.get(key)) for key in ("activation", "recurrent_activation")]
    usual = ("", "tanh", "sigmoid", "hard_sigmoid", "relu", "linear")
    for word in activations:
        if word not in usual:
            c.b.note("activations within recurrent layers, counted as the usual ones", word)
    y = c.make(
        kind,
        x,
        suffix,
        plain=True,
        features=units,
        sequence=spec.boolean("return_sequences", False),
        directions=directions,
        biases=_biases(spec),
    )
    if not spec.boolean("return_state", False):
        return y
    states = (2 if kind == "lstm" else 1) * directions
    return [y, *(_state(c, y, units, index) for index in range(states))]


def _state(c: LayerCall, y: Value, units: int, index: int) -> Value:
    """A state that a layer gives beside its output."""
    batch = y.sizes[0]
    of = tuple([value for value in (y.shape,) if value is not None])
    return c.make(
        "procedure", y, f".state{index}", plain=True, type="state", size=(batch, units), of=of
    )


def cells(c: LayerCall) -> Value | list[Value]:
    """RNN(cell), of one cell or several."""
    entry: Any = c.spec.get("cell")
    if isinstance(entry, list):
        entry = {"class_name": "StackedRNNCells", "config": {"cells": entry}}
    cell = _cell(c, entry)
    stack = [cell]
    if cell.cls == "StackedRNNCells":
        inside = array(cell.get("cells", []))
        if inside is None or not 0 < len(inside) < 1000:
            raise c.error("its cells are no list")
        stack = [_cell(c, each) for each in inside]
    if any(each.cls not in CELLS for each in stack):
        return c.opaque("cells that are not known", stack[0].cls)
    for index, each in enumerate(stack):
        last = index == len(stack) - 1
        sequence = not last or c.spec.boolean("return_sequences", False)
        each.config = {**each.config, "return_sequences": sequence, "return_state": False}
        y = _recurrent(c, each, 1, "" if last else f".cell{index}")
        assert isinstance(y, Value)
        if last:
            return y
        c.inputs = [y]
    raise AssertionError


def _cell(c: LayerCall, entry: Any) -> Spec:
    """A cell within a layer's settings, or the layer that reads backwards."""
    layer = fields(entry) or {}
    class_name = layer.get("class_name")
    if not isinstance(class_name, str):
        raise c.error("its cell is no layer")
    return Spec(c.spec.name, class_name, fields(layer.get("config")) or {}, c.spec.file)


def _inner(c: LayerCall) -> Spec:
    """The layer that a wrapper holds."""
    if c.spec.inner is None:
        raise c.error("its layer is no layer")
    return c.spec.inner


def bidirectional(c: LayerCall) -> Value | list[Value]:
    """A recurrent layer, and one that reads backwards; merge_mode says what of their outputs."""
    inner = _inner(c)
    if inner.cls not in KINDS:
        return c.opaque("Bidirectional of layers that are not known", inner.cls)
    backward: Any = c.spec.get("backward_layer")
    if backward is not None:
        behind = _cell(c, backward)
        if behind.cls != inner.cls or behind.get("units") != inner.get("units"):
            return c.opaque("Bidirectional of two different layers", behind.cls)
    mode = c.spec.config.get("merge_mode", "concat")
    units = inner.integer("units")
    if mode == "concat":
        return _recurrent(c, inner, 2)
    inner.config = {**inner.config, "return_state": False}
    both = _recurrent(c, inner, 2, ".both")
    assert isinstance(both, Value)
    axis = both.rank - 1
    left = c.make("slice", both, ".forward", plain=True, axis=axis, stop=units)
    right = c.make("slice", both, ".backward", plain=True, axis=axis, start=units)
    kinds = {"sum": "add", "mul": "multiply", "ave": "average"}
    if isinstance(mode, str) and mode in kinds:
        return c.make(kinds[mode], [left, right], plain=True)
    return [left, right]


def conv_lstm(c: LayerCall) -> Value:
    """Over steps of maps; the state's convolution keeps their size."""
    axes = next(int(letter) for letter in c.spec.cls if letter in "123")
    x = c.plain(c.x)
    if x.rank != axes + 3:
        raise c.error(f"its input needs {axes + 3} axes", "x".join(map(str, x.sizes)))
    spec = c.spec
    last = spec.last()
    if last:  # to (batch, steps, channels, space)
        order = (0, 1, x.rank - 1, *range(2, x.rank - 1))
        size = tuple(x.sizes[axis] for axis in order)
        x = c.make("permute", x, ".channels_first", plain=True, order=order)
        assert x.shape == size
    kernel = spec.sizes("kernel_size", axes)
    stride = spec.sizes("strides", axes, 1)
    dilation = spec.sizes("dilation_rate", axes, 1)
    padding: Any = ((0, 0),) * axes
    if spec.one_of("padding", "valid", ("valid", "same")) == "same":
        from .convolution import _same

        padding = tuple(map(_same, x.sizes[3:], kernel, stride, dilation))
    y = c.make(
        "conv_lstm",
        x,
        plain=True,
        filters=spec.integer("filters"),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        sequence=spec.boolean("return_sequences", False),
        biases=int(spec.boolean("use_bias", True)),
    )
    if spec.boolean("return_state", False):
        c.b.note("states that a ConvLSTM returns are not followed", spec.name)
    if not last:
        return y
    if y.rank == axes + 2:  # one step: channels, space
        shape = y.sizes
        return Value(y.node, (shape[0], *shape[2:], shape[1]), first=True)
    order = (0, 1, *range(3, y.rank), 2)
    return c.make("permute", y, ".channels_last", plain=True, order=order)


EACH = ("Dense", "Activation", "Dropout", "ReLU", "LeakyReLU", "ELU", "Rescaling")
"""Layers that do the same at each step and at all of them."""


def time_distributed(c: LayerCall) -> Any:
    """A layer or a model at each step: the steps are the examples of a batch."""
    inner, x = _inner(c), c.x
    if inner.cls in EACH and not x.steps and inner.model is None:
        return outputs_of(c.of(inner, [x]))
    batch, steps = x.sizes[:2]
    each = c.by_step(x)
    if inner.model is not None:
        trainable = c.trainable and inner.model.trainable
        outputs: Any = run(inner.model, [each], c.b, f"{c.name}.", trainable)
    else:
        inside = c.of(inner, [each])
        inside.stated = c.stated and (batch * steps, *c.stated[2:])
        outputs = outputs_of(inside)
    values: list[Value] = outputs if isinstance(outputs, list) else [outputs]
    return [
        value._replace(shape=value.shape and (batch, steps, *value.shape[1:]), steps=steps)
        for value in values
    ]


def spectral_norm(c: LayerCall) -> Any:
    """SpectralNormalization: the layer that it holds, its weights divided by their largest stretch.

    The vector that this is estimated with is kept and not learned, and counts as no parameter.
    """
    inner = _inner(c)
    handler = c.b.handlers.get(inner.cls)
    if handler is None or handler is spectral_norm:
        return c.opaque("SpectralNormalization of layers that are not followed", inner.cls)
    return handler(c.of(inner, c.inputs))


def embedding(c: LayerCall) -> Value:
    x = c.plain(c.x)
    rows, size = c.spec.integer("input_dim"), c.spec.integer("output_dim")

    def table(suffix: str, values: int, **more: Any) -> Value:
        return c.make("embedding", x, suffix, plain=True, rows=rows, size=(values,), **more)

    y = with_lora(
        c,
        table("", size, frozen=frozen_parameters(c)),
        lambda rank: table(".lora_embeddings_a", rank),
        lambda part: _projected(c, part, ".lora_embeddings_b", size, False),
    )
    keep_scales(c, size, rows, "embeddings")
    return y


def _projected(c: LayerCall, x: Value, suffix: str, features: int, bias: bool) -> Value:
    return c.make("linear", x, suffix, plain=True, features=features, bias=bias, axis=-1)


def multi_head(c: LayerCall) -> Value | list[Value]:
    """Query, key and value by linear layers, attention in heads, and a linear layer."""
    query = c.argument(0, "query", c.inputs[0] if c.inputs else None)
    value = c.argument(1, "value", query)
    key = c.argument(2, "key", None) or value
    if not all(isinstance(each, Value) for each in (query, key, value)):
        raise c.error("it takes a query and a value")
    q, k, v = c.plain(query), c.plain(key), c.plain(value)
    spec = c.spec
    grouped = spec.cls in ("GroupQueryAttention", "GroupedQueryAttention")
    heads = spec.integer("num_query_heads" if grouped else "num_heads")
    key_heads = spec.integer("num_key_value_heads") if grouped else heads
    size = spec.integer("head_dim" if grouped else "key_dim")
    value_size = size if grouped else spec.integer("value_dim", size)
    if {q.rank, k.rank, v.rank} != {3} or spec.get("attention_axes") not in (None, [1], 1):
        return c.opaque("attention over several axes")
    if spec.boolean("use_gate", False):
        return c.opaque("attention with a gate")
    bias = spec.boolean("use_bias", True)
    output_shape = spec.get("output_shape")
    shape = array(output_shape)
    out = q.sizes[-1]
    if shape is not None:
        out = 1
        for each in shape:
            out *= spec.whole("output_shape", each, 1)
    elif output_shape is not None:
        out = spec.integer("output_shape")
    parts = [
        _projected(c, q, ".query", heads * size, bias),
        _projected(c, k, ".key", key_heads * size, bias),
        _projected(c, v, ".value", key_heads * value_size, bias),
    ]
    more: dict[str, Any] = {"key_heads": key_heads} if key_heads != heads else {}
    y = c.make("attention", parts, ".attention", plain=True, heads=heads, **more)
    return _projected(c, y, "", out, bias)


def attention(c: LayerCall) -> Value | list[Value]:
    """Keras' Attention: query, value and perhaps key in a list; with use_scale one factor."""
    values = [c.plain(value) for value in c.inputs]
    if len(values) < 2:
        raise c.error("it takes a query and a value", f"{len(values)} given")
    query, value = values[:2]
    key = values[2] if len(values) > 2 else value
    if c.spec.cls == "AdditiveAttention":
        c.stated = (*query.sizes[:-1], value.sizes[-1])
        scales = (("scale", (query.sizes[-1],)),) if c.spec.boolean("use_scale", True) else ()
        return c.opaque("additive attention, whose work is not counted", tensors=scales)
    if word_of(c.spec.get("score_mode")) == "concat":
        c.stated = (*query.sizes[:-1], value.sizes[-1])
        return c.opaque("attention whose scores are sums")
    if c.spec.boolean("use_scale", False):
        query = c.make("scale", query, ".scale", plain=True, bias=False, axes=0)
    else:  # Keras does not divide by the root of the size, as our layer does
        slope = query.sizes[-1] ** 0.5
        query = c.make("affine", query, ".unscaled", plain=True, slope=slope)
    return c.make("attention", [query, key, value], plain=True)
