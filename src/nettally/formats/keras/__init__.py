"""Reads Keras' models: what ``model.to_json()``, ``model.save()`` and TensorFlow.js write.

Only the configuration is read, never the weights; no code in it is run. See docs/formats/keras.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ...network import Network, Span
from ..source import Format
from .builder import Builder, LayerCall, Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Shape
    from ..source import Source
    from .config import Inbound, Spec
    from .graph import Model

BINARY = True
"""Archives and HDF5 files are opened by this module, which takes their configuration only."""

FORMAT = Format(
    "Keras",
    (".json", ".keras", ".h5", ".hdf5"),
    "model.to_json() of Keras 1, 2 and 3; .keras archives; .h5; TensorFlow.js' layers models",
    (
        "models of classes of one's own, whose files list no layers, are refused",
        "weights are not read; files that hold nothing else are refused",
        "Lambda and layers of one's own are opaque; Keras 3 states the shapes of what they give",
    ),
)

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def sniff(head: bytes, name: str) -> bool:
    """Whether this is a model's JSON, a ``.keras`` archive, or an HDF5 file."""
    if head.startswith(HDF5):
        return True
    if head.startswith(ZIP):
        listed = b"config.json" in head and b"metadata.json" in head
        return listed or b"model.weights.h5" in head or name.endswith(".keras")
    start = head[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"{"):
        return False
    if b'"modelTopology"' in head or b'"weightsManifest"' in head:
        return True
    return b'"class_name"' in head and b'"config"' in head


def read(source: Source) -> Network:
    """The network of a model, for one example.

    Raises ReadError for what no model of Keras is, for settings that cannot be, for shapes that
    contradict those that the file states, and where the input's size is left open and not given.
    """
    from .files import config
    from .graph import model
    from .inputs import inputs as inputs_of
    from .layers import HANDLERS

    top = model(config(source), source.name)
    builder = Builder(source.name, HANDLERS)
    inputs = inputs_of(top, source, builder)
    outputs = _run(top, inputs, builder, "", top.trainable)
    names = list(dict.fromkeys(value.node for value in outputs))
    if not builder.nodes:
        raise ReadError("the model has no layers but its input", where=source.name)
    stem = os.path.splitext(os.path.basename(source.name))[0]
    shapes = {value.node: builder.shapes[value.node] for value in inputs}
    return Network(
        stem or "network",
        {name: shape for name, shape in shapes.items() if shape is not None},
        tuple(builder.nodes),
        outputs=tuple(name for name in names if name not in shapes),
        source=Span(source.name, 0),
        notes=(*_variables(builder), *builder.sentences()),
        title=top.name if top.name != stem else "",
    )


# --- running through a model ----------------------------------------------------------------------


def _run(
    top: Model, inputs: list[Value], builder: Builder, prefix: str, trainable: bool
) -> list[Value]:
    """Make the nodes of a model that is given these tensors; what it puts out."""
    if top.sequential:
        return _row(top, inputs, builder, prefix, trainable)
    from .graph import actual, order

    if len(inputs) != len(top.inputs):
        raise ReadError(
            f"the model '{top.name[:60]}' has {len(top.inputs)} inputs",
            where=top.file,
            values=f"{len(inputs)} given",
        )
    input_names = {ref.layer for ref in top.inputs}
    outputs: dict[tuple[str, int], list[Value]] = {}
    for ref, value in zip(top.inputs, inputs, strict=True):
        outputs[ref.layer, 0] = [value]

    def value_of(ref: Any, reader: Spec, *, end: bool = False) -> Value:
        source = top.layers[ref.layer]
        call = 0 if ref.layer in input_names else actual(source, ref, reader, end=end)
        values = outputs.get((ref.layer, call))
        if values is None or not 0 <= ref.output < len(values):
            raise reader.error(
                f"it reads output {ref.output} of '{ref.layer[:60]}'",
                f"which has {len(values or ())}",
            )
        return values[ref.output]

    last_read = _last_outputs_read(top, input_names)
    stated = _stated_shapes(top, input_names)
    for spec, call in order(top):
        inbound = spec.inbound[call]
        values = [value_of(ref, spec) for ref in inbound.refs()]
        first_shape = stated.get((spec.name, call, 0))
        resolve = _resolver(value_of, spec)
        outputs[spec.name, call] = _call(
            builder, spec, values, inbound, prefix, trainable, first_shape, resolve
        )
        _further(builder, outputs[spec.name, call], last_read.get((spec.name, call), 0), spec)
        for place, value in enumerate(outputs[spec.name, call]):
            _check_stated(builder, spec, value, stated.get((spec.name, call, place)))
    for spec in top.layers.values():
        if (
            spec.name not in input_names
            and not any((spec.name, i) in outputs for i in range(len(spec.inbound)))
            and not spec.module.startswith("keras.src.ops")
        ):
            builder.note("layers that lead to no output, left out as Keras does", spec.name)
    return [value_of(ref, top.layers[ref.layer], end=True) for ref in top.outputs]


def _last_outputs_read(top: Model, input_names: set[str]) -> dict[tuple[str, int], int]:
    """The last output that others read of a call, where it is not the first."""
    from .graph import actual

    last: dict[tuple[str, int], int] = {}
    for spec in top.layers.values():
        for inbound in spec.inbound:
            for ref in inbound.refs():
                if ref.output and ref.layer not in input_names:
                    call = ref.layer, actual(top.layers[ref.layer], ref, spec)
                    last[call] = max(last.get(call, 0), min(ref.output, 1000))
    return last


def _stated_shapes(top: Model, input_names: set[str]) -> dict[tuple[str, int, int], Any]:
    """The shapes that the file states, by layer, call and output."""
    from .graph import actual

    stated: dict[tuple[str, int, int], Any] = {}
    for ref, shape in top.stated.items():
        source = top.layers[ref.layer]
        if ref.layer not in input_names and source.inbound:
            stated[ref.layer, actual(source, ref, source), ref.output] = shape
    return stated


def _further(builder: Builder, values: list[Value], last: int, spec: Spec) -> None:
    """Give a layer that is not understood as many outputs as others read of it."""
    if not values or builder.nodes[-1].layer.kind != "opaque":
        return
    first = builder.nodes[-1]
    while len(values) <= last:
        layer = first.layer.replace(size=None)
        node = first.replace(name=builder.free(f"{first.name}.{len(values)}"), layer=layer)
        builder.add(node, None)
        values.append(Value(node.name, None))


def _resolver(value_of: Any, spec: Spec) -> Any:
    """Values for the Refs of an argument."""
    from ..encodings.json import array
    from .config import Ref

    def resolve(value: Any) -> Any:
        if isinstance(value, Ref):
            return value_of(value, spec)
        values = array(value)
        return value if values is None else [resolve(each) for each in values]

    return resolve


def _row(
    top: Model, inputs: list[Value], builder: Builder, prefix: str, trainable: bool
) -> list[Value]:
    """A Sequential: each layer reads the one before."""
    values = inputs
    for spec in top.layers.values():
        if spec.cls == "InputLayer":
            continue
        values = _call(builder, spec, values, None, prefix, trainable, None, None)
    return values


def _call(
    builder: Builder,
    spec: Spec,
    values: list[Value],
    inbound: Inbound | None,
    prefix: str,
    trainable: bool,
    stated: Any,
    resolve: Any,
) -> list[Value]:
    """One call of one layer, or of a model."""
    from .config import shape_of
    from .ops import keras_op

    if spec.model is not None:
        inside = builder.free(prefix + spec.name)
        return _run(spec.model, values, builder, f"{inside}.", trainable and spec.model.trainable)
    call = LayerCall(builder, spec, values, inbound, prefix=prefix, trainable=trainable)
    if resolve is not None:
        call.values = resolve
    if stated is not None and None not in stated[1:]:
        batch = next((value.shape[0] for value in values if value.shape is not None), 1)
        call.stated = (batch, *stated[1:])
    if spec.quantised:
        builder.note("QKeras' layers, counted as those with all their bits", spec.class_name)
    handler = builder.handlers.get(spec.cls)
    if spec.module.startswith(("keras.src.ops", "keras.ops")) or spec.cls == "GetItem":
        handler = keras_op
    if spec.cls == "Lambda":
        handler = None
        shape = shape_of(spec, spec.get("output_shape"))
        if call.stated is None and shape is not None and None not in shape:
            call.stated = (1, *shape)  # type: ignore[assignment] - none of them is None
    if handler is None:
        return [call.opaque("layers that are not understood", _type(spec))]
    try:
        outputs = handler(call)
    except Unknown:
        outputs = call.opaque()
    return outputs if isinstance(outputs, list) else [outputs]


def _type(spec: Spec) -> str:
    return "Lambda (code, which is not run)" if spec.cls == "Lambda" else spec.class_name


def _check_stated(builder: Builder, spec: Spec, value: Value, stated: Any) -> None:
    """ReadError where the file states another shape for what a layer puts out."""
    if stated is None or value.shape is None or not builder.stated_hold:
        return
    ours = value.shape
    if len(ours) != len(stated) or any(
        want is not None and want != size for want, size in zip(stated[1:], ours[1:], strict=True)
    ):
        raise spec.error(
            "the shape that the file states is not the one that its settings give",
            f"stated {'x'.join('?' if s is None else str(s) for s in stated[1:])}, "
            f"worked out {'x'.join(map(str, ours[1:]))} (as Keras has them, channels last)",
        )


def _variables(builder: Builder) -> list[str]:
    """Keras' own count, where some layers are frozen: trainable variables, and all of them."""
    if not builder.frozen:
        return []
    counts = {True: 0, False: 0}
    frozen = 0
    for node in builder.nodes:
        xs = [builder.shapes[name] for name in node.inputs]
        if node.layer.kind == "opaque" or None in xs:
            return ["some layers are frozen (trainable: false)"]
        shapes: tuple[Shape, ...] = tuple(xs)  # type: ignore[assignment] - none of them is None
        learned = _count(node.layer.parameters(shapes), node.shared)
        trains = node.name not in builder.frozen
        counts[trains] += learned
        counts[False] += _count(node.layer.buffers(shapes), node.shared)
        frozen += bool(learned and not trains)
    if not frozen:
        return []
    whole = counts[True] + counts[False]
    return [
        f"trainable: {counts[True]:,} of {whole:,} variables, as Keras counts them; "
        f"{frozen} layers are frozen (trainable: false), and are among the parameters here"
    ]


def _count(tensors: Mapping[str, Shape], shared: Mapping[str, str]) -> int:
    total = 0
    for name, shape in tensors.items():
        size = 1
        for each in shape:
            size *= each
        total += 0 if name in shared else size
    return total
