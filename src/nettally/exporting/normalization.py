"""Normalisations as ONNX has them, or made of its sums and products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .graph import At, writes

if TYPE_CHECKING:
    from collections.abc import Sequence


@writes("batch_norm")
def _batch_norm(at: At) -> str:
    layer, channels = at.layer, int(at.x[1])
    if not layer.statistics:
        at.refuse("it normalises by the batch at hand, in use too")
    one, zero = torch.ones(channels, device="cpu"), torch.zeros(channels, device="cpu")
    return at.put(
        "BatchNormalization",
        at.inputs[0],
        # ONNX has both always: what the layer has not does nothing, and is said not to be learned
        at.weight("weight") if layer.weight else at.constant("weight", one),
        at.weight("bias") if layer.bias else at.constant("bias", zero),
        at.weight("running_mean", counted=False),
        at.weight("running_var", counted=False),
        epsilon=float(layer.epsilon),
    )


@writes("layer_norm")
def _layer_norm(at: At) -> str:
    layer = at.layer
    last = tuple(map(int, at.x[len(at.x) - layer.axes :]))
    one = torch.ones(last, device="cpu")
    weights = [at.weight("weight") if layer.weight else at.constant("weight", one)]
    if layer.bias:
        weights.append(at.weight("bias"))
    return at.put(
        "LayerNormalization",
        at.inputs[0],
        *weights,
        axis=-layer.axes,
        epsilon=float(layer.epsilon),
    )


@writes("rms_norm")
def _rms_norm(at: At) -> str:
    axes = list(range(-at.layer.axes, 0))
    x, weight = at.inputs[0], "weight" if at.layer.weight else ""
    length = _root(at, at.step("mean", "ReduceMean", at.step("square", "Mul", x, x),
                               at.ints("axes", axes), keepdims=1))  # fmt: skip
    if not weight:
        return at.put("Div", x, length)
    return at.put("Mul", at.step("normalised", "Div", x, length), at.weight("weight"))


def _root(at: At, x: str) -> str:
    """√(x + epsilon)."""
    return at.step(
        "root", "Sqrt", at.step("more", "Add", x, at.scalar("epsilon", at.layer.epsilon))
    )


@writes("l2_norm")
def _l2_norm(at: At) -> str:
    layer, x = at.layer, at.inputs[0]
    axes = list(range(1, len(at.x))) if layer.across == "all" else [1]
    squares = at.step("square", "Mul", x, x)
    length = _root(at, at.step("sum", "ReduceSum", squares, at.ints("axes", axes), keepdims=1))
    each = (1 if layer.shared else int(at.x[1]), *[1] * (len(at.x) - 2))
    return at.put("Mul", at.step("normalised", "Div", x, length), at.weight("weight", each))


@writes("group_norm")
def _group_norm(at: At) -> str:
    """Made of means: ONNX's own GroupNormalization has a factor a group before version 21."""
    layer = at.layer
    x = at.reshaped("groups", at.inputs[0], [0, layer.groups, -1])
    axes = at.ints("axes", [2])
    x = at.step("less_mean", "Sub", x, at.step("mean", "ReduceMean", x, axes, keepdims=1))
    squares = at.step("square", "Mul", x, x)
    deviation = _root(at, at.step("variance", "ReduceMean", squares, axes, keepdims=1))
    x = at.step("normalised", "Div", x, deviation)
    size = at.ints("size", [0, *at.x[1:]])
    each = (int(at.x[1]), *[1] * (len(at.x) - 2))
    return _scaled(at, "Reshape", (x, size), each)


def _scaled(at: At, op: str, inputs: Sequence[str], each: tuple[int, ...]) -> str:
    """A node, then the factor and the bias that the layer has."""
    layer = at.layer
    if not (layer.weight or layer.bias):
        return at.put(op, *inputs)
    x = at.step("maps", op, *inputs)
    if layer.weight and layer.bias:
        return at.put("Add", at.step("weighed", "Mul", x, at.weight("weight", each)),
                      at.weight("bias", each))  # fmt: skip
    if layer.weight:
        return at.put("Mul", x, at.weight("weight", each))
    return at.put("Add", x, at.weight("bias", each))


@writes("scale")
def _scale(at: At) -> str:
    layer, x = at.layer, at.inputs[0]
    each = tuple(map(int, at.module.shape))
    if layer.weight and layer.bias:
        x = at.step("weighed", "Mul", x, at.weight("weight", each))
        return at.put("Add", x, at.weight("bias", each))
    if layer.weight:
        return at.put("Mul", x, at.weight("weight", each))
    return at.put("Add", x, at.weight("bias", each)) if layer.bias else at.put("Identity", x)


@writes("standardize")
def _standardize(at: At) -> str:
    mean, variance = at.values("mean"), at.values("variance")
    less = at.step("less_mean", "Sub", at.inputs[0], at.fixed("mean", mean))
    return at.put("Div", less, at.fixed("deviation", variance.sqrt()))


@writes("lrn")
def _lrn(at: At) -> str:
    layer, x = at.layer, at.inputs[0]
    attributes = {
        "size": layer.size,
        "alpha": float(layer.alpha),
        "beta": float(layer.beta),
        "bias": float(layer.k),
    }
    # Of an even size ONNX takes the extra neighbour after, and the layer before; and programs have
    # LRN over maps of two axes only.
    if layer.across == "space" or layer.size % 2 == 0 or len(at.x) != 4:
        return _normalised(at, x)
    if layer.groups == 1:
        return at.put("LRN", x, **attributes)
    each = [int(at.x[1]) // layer.groups] * layer.groups
    split = at.ints("split", each)
    parts = at.parts("group", "Split", x, split, count=layer.groups, axis=1)
    normalised = [at.step(f"lrn{i}", "LRN", part, **attributes) for i, part in enumerate(parts)]
    return at.put("Concat", *normalised, axis=1)


@writes("contrast_norm")
def _contrast_norm(at: At) -> str:
    """lrn of each value less the mean of its neighbours that there are."""
    return _normalised(
        at, at.step("less", "Sub", at.inputs[0], _around(at, "near", at.inputs[0], 0))
    )


def _normalised(at: At, x: str) -> str:
    """x over (k + alpha · the mean of the neighbours' squares) ^ beta."""
    layer = at.layer
    squares = _around(at, "mean", at.step("square", "Mul", x, x), 1)
    part = at.step("part", "Mul", squares, at.scalar("alpha", layer.alpha))
    base = at.step("base", "Add", part, at.scalar("k", layer.k))
    return at.put("Div", x, at.step("power", "Pow", base, at.scalar("beta", layer.beta)))


def _around(at: At, suffix: str, x: str, zeros_count: int) -> str:
    """The mean of the neighbours, along the channels of a group, or the axes of space."""
    layer, axes = at.layer, len(at.x) - 2
    before, after = layer.size // 2, (layer.size - 1) // 2
    count = {"count_include_pad": zeros_count}
    if layer.across == "space":
        pads = [before] * axes + [after] * axes
        return at.step(suffix, "AveragePool", x, kernel_shape=[layer.size] * axes,
                       strides=[1] * axes, pads=pads, **count)  # fmt: skip
    # (batch, group, channel, place): a window over the channels
    x = at.reshaped(f"{suffix}.groups", x, [0, layer.groups, int(at.x[1]) // layer.groups, -1])
    x = at.step(f"{suffix}.window", "AveragePool", x, kernel_shape=[layer.size, 1], strides=[1, 1],
                pads=[before, 0, after, 0], **count)  # fmt: skip
    return at.reshaped(suffix, x, [0, *at.x[1:]])
