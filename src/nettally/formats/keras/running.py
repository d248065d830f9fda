"""Running through a model of Keras: each call in its turn makes its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ..graph_builder import by_axis
from .builder import MAX_PREFIX, KerasBuilder, LayerCall, Unknown, Value
from .config import Ref, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Spec
    from .graph import Call, Model


def run(
    model: Model, inputs: list[Value], builder: KerasBuilder, prefix: str, trainable: bool
) -> list[Value]:
    """Make the nodes of a model that is given these tensors; what it puts out."""
    if not model.sequential and len(inputs) != len(model.inputs):
        raise ReadError(
            f"the model '{model.name[:60]}' has {len(model.inputs)} inputs",
            where=model.file,
            values=f"{len(inputs)} given",
        )
    shape = inputs[0].shape if model.sequential and inputs else None
    if shape is not None and model.built is not None and len(shape) == len(model.built) == 2:
        size, wanted = shape[1], model.built[1]
        if wanted is not None and size != wanted:
            raise ReadError(
                f"the model '{model.name[:60]}' reads rows of another length",
                where=model.file,
                values=f"{size:,} given, its own input has {wanted:,}",
                hint="one of the two sizes in the file is mistaken",
            )
    if len(prefix) > MAX_PREFIX:
        raise ReadError(
            "the names of models within models are too long",
            where=model.file,
            values=f"{len(prefix):,} characters, at most {MAX_PREFIX}",
        )
    values = {Ref(ref.layer, 0, 0): x for ref, x in zip(model.inputs, inputs, strict=False)}
    if model not in builder.entered:
        builder.entered.add(model)
        for name in model.unused:
            builder.note("layers that lead to no output, left out as Keras does", name)

    def value_of(ref: Ref, reader: Spec | None = None) -> Value:
        value = values.get(ref)
        if value is None:
            raise (reader or model.layers[ref.layer]).error(
                f"it reads output {ref.output} of '{ref.layer[:60]}'", "which is not there"
            )
        return value

    row = inputs
    for call in model.calls:
        spec = call.spec

        def values_of(ref: Ref, spec: Spec = spec) -> Value:
            return value_of(model.meant(ref, spec), spec)

        if call.inbound is not None:
            row = [value_of(ref, spec) for ref in call.inbound.sources]
        outputs = _outputs(builder, call, row, prefix, trainable, model, values_of)
        for place, value in outputs.items():
            ref = Ref(spec.name, call.number, place)
            values[ref] = value
            _check_stated(builder, spec, value, model.shapes.get(ref))
        row = [value for _, value in sorted(outputs.items())]
    return row if model.sequential else [value_of(ref) for ref in model.outputs]


def _outputs(
    builder: KerasBuilder,
    call: Call,
    inputs: list[Value],
    prefix: str,
    trainable: bool,
    model: Model,
    values: Callable[[Ref], Value],
) -> dict[int, Value]:
    """What a call of a layer, or of a model, puts out, by its place."""
    spec = call.spec
    name = builder.free(prefix + spec.name)
    if spec.model is not None:
        trainable = trainable and spec.model.trainable
        return dict(enumerate(run(spec.model, inputs, builder, f"{name}.", trainable)))
    c = LayerCall(builder, call, inputs, name, prefix.rstrip("."), trainable, values)
    batch = next((value.shape[0] for value in inputs if value.shape is not None), 1)

    def stated(place: int) -> Any:
        shape = model.shapes.get(Ref(spec.name, call.number, place))
        if shape is None and spec.cls == "Lambda" and not place:
            shape = shape_of(spec, spec.get("output_shape"))
            shape = None if shape is None else (None, *shape)
        return None if shape is None or None in shape[1:] else (batch, *shape[1:])

    c.stated = stated(0)
    results: Any = outputs_of(c)
    results = dict(enumerate(results)) if isinstance(results, list) else results
    outputs: dict[int, Value] = results if isinstance(results, dict) else {0: results}
    if builder.nodes and builder.nodes[-1].layer.kind == "opaque" and len(outputs) == 1:
        for place in sorted(call.read - {0}):
            c.stated = stated(place)
            outputs[place] = c.opaque(suffix=f".{place}")
    return outputs


def outputs_of(c: LayerCall) -> Any:
    """What a layer puts out: a Value, a list of them, or some by their places."""
    spec = c.spec
    if spec.class_name.startswith("Q") and spec.class_name != spec.cls:
        c.b.note("QKeras' layers, counted as those with all their bits", spec.class_name)
    if spec.cls != "TimeDistributed":
        c.inputs = [c.in_steps(value) for value in c.inputs]
    handler = c.b.handlers.get(spec.cls)
    if spec.module.startswith(("keras.src.ops", "keras.ops")) or spec.cls == "GetItem":
        handler = c.b.handlers["keras.ops"]
    if handler is None or spec.cls == "Lambda":
        code = spec.cls == "Lambda"
        kind = "Lambda (code, which is not run)" if code else spec.class_name
        return c.opaque("layers that are not understood", kind)
    try:
        return handler(c)
    except Unknown:
        return c.opaque()


def _check_stated(builder: KerasBuilder, spec: Spec, value: Value, stated: Any) -> None:
    """ReadError where the file states another shape for what a layer puts out."""
    if stated is None or value.shape is None or not builder.stated_hold:
        return
    ours = value.shape
    if len(ours) != len(stated) or any(
        want is not None and want != size for want, size in zip(stated[1:], ours[1:], strict=True)
    ):
        raise spec.error(
            "the shape that the file states is not the one that its settings give",
            f"stated {by_axis(['?' if size is None else size for size in stated[1:]])}, "
            f"worked out {by_axis(ours[1:])} (as Keras has them, channels last)",
        )
