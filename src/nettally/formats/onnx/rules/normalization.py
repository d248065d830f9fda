"""Normalisations and dropout."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..proto import BOOL, FLOAT
from ..values import Unknown, Value, known, short, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dim, Dims


def _vector(call: NodeCall, place: int, x: Dims | None, what: str) -> Value | None:
    """A weight of one value a channel."""
    weight = call.weight(place)
    if weight is None or weight.shape is None:
        return weight
    if len(weight.shape) != 1:
        raise call.error(f"its {what} needs one axis", f"{what} {shown(weight.shape)}")
    size: Dim = weight.shape[0]
    channels: Dim = x[1] if x is not None and len(x) > 1 else (1 if x is not None else None)
    if type(size) is int and type(channels) is int and size != channels:
        raise call.error(
            f"its {what} does not fit its input's channels",
            f"{what} {size}, input {shown(x)}",
        )
    return weight


def batch_norm(call: NodeCall) -> None:
    x = call.value(0)
    shape = x.shape
    if shape == ():
        raise call.error("its input has no axes")
    if not call.int("spatial", 1) and call.opset < 9 and shape is not None and len(shape) > 2:
        raise Unknown  # a mean for each value: no layer of ours
    vectors = [
        _vector(call, place, shape, what)
        for place, what in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance"))
    ]
    parameters = {
        name: value
        for name, value in (("weight", vectors[0]), ("bias", vectors[1]))
        if value is None or call.b.is_learned(value, True)
    }
    if shape is not None and len(shape) == 1:
        call.emit(shape, lambda: call.b.layer("opaque", type="BatchNormalization", size=shape,
                                              whole=True), [x])  # fmt: skip
    else:
        call.emit(
            shape,
            lambda: call.b.layer(
                "batch_norm",
                epsilon=call.float("epsilon", 1e-5),
                **{name: False for name in ("weight", "bias") if name not in parameters},
            ),
            [x],
            weights=parameters,
        )
    for place in range(1, len(call.node.outputs)):
        # in training, the new mean and variance, which nothing but the next step reads
        statistic = vectors[2 if place in (1, 3) else 3]
        axes = tuple(axis for axis in range(len(shape or ())) if axis != 1)
        call.emit(
            None if statistic is None else statistic.shape,
            partial(call.b.layer, "reduce", operation="mean", axes=axes, keep=False),
            [x],
            place=place,
            dtype=x.dtype if statistic is None else statistic.dtype,
        )


def instance_norm(call: NodeCall) -> None:
    x = call.value(0)
    scale = _vector(call, 1, x.shape, "scale")
    bias = _vector(call, 2, x.shape, "bias")
    if x.shape is not None and len(x.shape) < 3:
        raise call.error("its input needs 3 axes at least", f"input {shown(x.shape)}")
    call.emit(
        x.shape,
        lambda: call.b.layer("group_norm", groups=x.sizes[1], epsilon=call.float("epsilon", 1e-5)),
        [x],
        weights={"weight": scale, "bias": bias},
    )


def group_norm(call: NodeCall) -> None:
    """GroupNormalization: a scale and a bias a group; since version 21, a channel."""
    x = call.value(0)
    shape = x.sizes
    groups = call.int("num_groups", call.int("groups", 0))
    if groups < 1 or len(shape) < 3 or shape[1] % groups:
        raise call.error(
            "its groups do not divide its channels", f"{groups} groups, input {shown(shape)}"
        )
    scale, bias = call.weight(1), call.weight(2)
    epsilon = call.float("epsilon", 1e-5)
    per = [w.shape for w in (scale, bias) if w is not None]
    if all(each == (shape[1],) for each in per):
        call.emit(
            shape,
            lambda: call.b.layer(
                "group_norm",
                groups=groups,
                weight=scale is not None,
                bias=bias is not None,
                epsilon=epsilon,
            ),
            [x],
            weights={"weight": scale, "bias": bias},
        )
        return
    if any(each != (groups,) for each in per) or scale is None or bias is None:
        raise call.error(
            "its scale and bias fit neither the channels nor the groups",
            f"{', '.join(map(shown, per))}; {shape[1]} channels, {groups} groups",
        )
    b = call.b
    normalized = call.step(
        "normalized",
        shape,
        lambda: b.layer("group_norm", groups=groups, weight=False, bias=False, epsilon=epsilon),
        [x],
    )
    split = (shape[0], groups, -1)
    rest = (shape[0], groups, shape[1] // groups * _product(shape[2:]))
    normalized = call.step("groups", rest, lambda: b.layer("reshape", size=split[1:]), [normalized])
    for suffix, operation, weight in (("scale", "multiply", scale), ("bias", "add", bias)):
        layer = b.layer("combine", operation=operation, size=(groups, 1))
        parameter = "bias" if operation == "add" else "weight"
        normalized = b.step(
            call, suffix, rest, lambda layer=layer: layer, [normalized], {parameter: weight}
        )
    call.emit(shape, lambda: b.layer("reshape", size=shape[1:]), [normalized])


def _product(sizes: tuple[int, ...]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def layer_norm(call: NodeCall, kind: str = "layer_norm") -> None:
    x = call.value(0)
    shape = x.shape
    if shape is None:
        raise Unknown
    axis = call.axis(call.int("axis", -1), len(shape))
    last = shape[axis:]
    scale = call.weight(1)
    if scale is not None and scale.shape == last and not call.b.is_learned(scale, True):
        scale = None  # ONNX has it always; this one is there to do nothing
    bias = call.weight(2) if kind == "layer_norm" else None
    if bias is not None and bias.shape == last and not call.b.is_learned(bias, True):
        bias = None
    plain = all(w is None or w.shape == last for w in (scale, bias)) and axis > 0
    fields = {"axes": len(shape) - axis, "epsilon": call.float("epsilon", 1e-5)}
    if plain:
        if kind == "layer_norm":
            fields |= {"weight": scale is not None, "bias": bias is not None}
        call.emit(
            shape, lambda: call.b.layer(kind, **fields), [x],
            weights={"weight": scale, "bias": bias},
        )  # fmt: skip
    else:  # a scale that is stretched, or a batch that is normalised over too
        tensors = tuple(
            (parameter, w.sizes)
            for parameter, w in (("weight", scale), ("bias", bias))
            if w is not None
        )
        call.emit(
            shape,
            lambda: call.b.layer(
                "opaque", type=call.node.op, size=shape, whole=True, tensors=tensors
            ),
            [x],
        )
    for place, name in enumerate(call.node.outputs[1:], 1):
        if name:
            small = (*shape[:axis], *(1 for _ in last))
            axes = tuple(range(axis, len(shape)))
            call.emit(
                small,
                lambda axes=axes: call.b.layer("reduce", operation="mean", axes=axes),
                [x],
                place=place,
                dtype=FLOAT,
            )


def skip_layer_norm(call: NodeCall, kind: str = "layer_norm") -> None:
    """SkipLayerNormalization: the sum of two inputs (and a bias), normalised over the last axis."""
    x, skip = call.value(0), call.value(1)
    with_beta = kind == "layer_norm"
    scale = call.weight(2)
    beta = call.weight(3) if with_beta else None
    bias = call.weight(4 if with_beta else 3)
    b = call.b
    shape = x.sizes
    total = call.step("sum", shape, lambda: b.layer("add"), [x, skip])
    if bias is not None:
        layer = b.layer("combine", operation="add", size=bias.sizes)
        total = b.step(call, "bias", shape, lambda: layer, [total], {"bias": bias})
    fields: dict[str, object] = {"axes": 1, "epsilon": call.float("epsilon", 1e-12)}
    if with_beta:
        fields |= {"weight": scale is not None, "bias": beta is not None}
    call.emit(
        shape, lambda: b.layer(kind, **fields), [total], weights={"weight": scale, "bias": beta}
    )
    outputs = call.node.outputs
    if len(outputs) > 3 and outputs[3]:
        call.emit(shape, lambda: b.layer("identity"), [total], place=3)


def lrn(call: NodeCall) -> None:
    x = call.value(0)
    size = call.int("size", 0)
    if size < 1:
        raise call.error("its size must be positive", f"size {size}")
    call.emit(
        x.shape,
        lambda: call.b.layer(
            "lrn",
            size=size,
            alpha=call.float("alpha", 1e-4),
            beta=call.float("beta", 0.75),
            k=call.float("bias", 1.0),
        ),
        [x],
    )


def dropout(call: NodeCall) -> None:
    x = call.value(0)
    rate = call.float("ratio", 0.5)
    if call.opset >= 12 and call.get(1) is not None:
        ratio = call.contents(1)
        rate = short(float(ratio[0])) if ratio else 0.5
    call.emit(x.shape, lambda: call.b.layer("dropout", rate=rate), [x])
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        # which values were kept; a type of its own since version 7
        dtype = BOOL if call.opset >= 10 else x.dtype
        call.emit(
            x.shape,
            lambda: call.b.layer("arrange", type="Dropout's mask", size=x.sizes, of=(x.sizes,)),
            [x],
            place=1,
            dtype=dtype,
        )


def mean_variance(call: NodeCall) -> None:
    x = call.value(0)
    call.emit(x.shape, lambda: call.b.layer("pointwise", function="mean_variance_normalize"), [x])


def lp_normalize(call: NodeCall) -> None:
    x = call.value(0)
    if known(x.shape):
        call.axis(call.int("axis", -1), len(x.shape))
    call.emit(x.shape, lambda: call.b.layer("pointwise", function="lp_normalize"), [x])


RULES: dict[str, Callable[[NodeCall], None]] = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": lambda call: layer_norm(call, "rms_norm"),
    "SimplifiedLayerNormalization": lambda call: layer_norm(call, "rms_norm"),
    "com.microsoft:SkipLayerNormalization": skip_layer_norm,
    "com.microsoft:SkipSimplifiedLayerNormalization": lambda call: skip_layer_norm(
        call, "rms_norm"
    ),
    "LRN": lrn,
    "Dropout": dropout,
    "MeanVarianceNormalization": mean_variance,
    "LpNormalization": lp_normalize,
}
