"""Convolutions, and layers fully connected, as ONNX has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..building.layers.windows import fitted_padding
from .graph import At, writes

if TYPE_CHECKING:
    from ..network import Shape

ANY = 2**31
"""A convolution's own pads may be of any size."""


def _convolved(
    at: At, layer: Any, x: str, shape: Shape, weight: str, bias: str | None, suffix: str = ""
) -> str:
    """A convolution; suffix: of a node that is not the layer's last."""
    sides = fitted_padding(layer, shape)
    x, pads = at.fitted(x, sides, [ANY] * len(sides))
    inputs = [x, weight] if bias is None else [x, weight, bias]
    attributes = {
        "kernel_shape": layer.kernel,
        "strides": layer.stride,
        "dilations": layer.dilation,
        "pads": pads,
        "group": getattr(layer, "groups", 1),
    }
    if suffix:
        return at.step(suffix, "Conv", *inputs, **attributes)
    return at.put("Conv", *inputs, **attributes)


@writes("conv")
def _conv(at: At) -> str:
    layer = at.layer
    weight = at.weight("weight")
    if layer.bias and layer.untied_bias:
        product = _convolved(at, layer, at.inputs[0], at.x, weight, None, "product")
        return at.put("Add", product, at.weight("bias"))
    bias = at.weight("bias") if layer.bias else None
    return _convolved(at, layer, at.inputs[0], at.x, weight, bias)


@writes("conv_sum")
def _conv_sum(at: At) -> str:
    """One of all channels where the windows are alike; else one an input.

    Of several the first has the bias, where it is one a channel.
    """
    layer, tied = at.layer, at.layer.bias and not at.layer.untied_bias
    windows = {part.replace(filters=layer.parts[0].filters) for part in layer.parts}
    alike = len(windows) == 1 and layer.parts[0].groups == 1 and not at.shares
    if alike and len({x[2:] for x in at.xs}) == 1 and (tied or not layer.bias):
        return _side_by_side(at)
    parts = [
        _partly(at, place, at.weight("bias") if tied and not place else None)
        for place in range(len(layer.parts))
    ]
    if layer.bias and not tied:
        parts.append(at.weight("bias"))
    return at.put("Sum", *parts)


def _side_by_side(at: At) -> str:
    """A sum of convolutions with the same window is one of all their channels."""
    layer, x = at.layer, at.inputs[0]
    if len(at.inputs) > 1:
        x = at.step("side_by_side", "Concat", *at.inputs, axis=1)
    weights = [at.values(f"weight{place}") for place in range(len(layer.parts))]
    seen = sum(int(each.shape[1]) for each in weights)
    shape = (*weights[0].shape[:1], seen, *weights[0].shape[2:])
    weight = at.graph.hold(f"{at.name}.weight", shape, _joined(weights, 1))
    bias = at.weight("bias") if layer.bias else None
    return _convolved(at, layer.parts[0], x, at.x, weight, bias)


def _partly(at: At, place: int, bias: str | None) -> str:
    part, weight = at.layer.parts[place], at.weight(f"weight{place}")
    shape = at.xs[place]
    sides = fitted_padding(part, shape)
    x = at.inputs[place]
    cuts = [
        (axis, max(-a, 0), int(n) - max(-b, 0))
        for axis, ((a, b), n) in enumerate(zip(sides, shape[2:], strict=True), start=2)
        if a < 0 or b < 0
    ]
    if cuts:
        x = at.sliced(f"cut{place}", x, cuts)
    return at.step(
        f"part{place}",
        "Conv",
        *([x, weight] if bias is None else [x, weight, bias]),
        kernel_shape=part.kernel,
        strides=part.stride,
        dilations=part.dilation,
        pads=[max(a, 0) for a, _ in sides] + [max(b, 0) for _, b in sides],
        group=part.groups,
    )


@writes("conv_map")
def _conv_map(at: At) -> str:
    """Filters that see as many channels each are a convolution of one filter a group.

    Its input are the channels of the table, one after the other, some of them several times.
    """
    if at.shares:
        at.refuse("its weights are cut to pieces there, and another layer has them too")
    layer = at.layer
    weight = at.values("weight")
    bias = at.values("bias") if layer.bias else None
    starts = [0]
    for row in layer.table:
        starts.append(starts[-1] + len(row))
    maps: list[str] = []
    order: list[int] = []
    x, pads = at.fitted(at.inputs[0], fitted_padding(layer, at.x), [ANY] * len(layer.kernel))
    for seen in sorted({len(row) for row in layer.table}):
        filters = [i for i, row in enumerate(layer.table) if len(row) == seen]
        order += filters
        channels = [channel for i in filters for channel in layer.table[i]]
        part = f"see{seen}"
        taken = at.step(f"{part}.channels", "Gather", x, at.ints(f"{part}.table", channels), axis=1)
        kernels = [weight[starts[i] : starts[i + 1]] for i in filters]
        shape = (len(filters), seen, *layer.kernel)
        weights = [at.graph.hold(f"{at.name}.{part}.weight", shape, _joined(kernels))]
        if bias is not None:
            each = [bias[i : i + 1] for i in filters]
            weights.append(at.graph.hold(f"{at.name}.{part}.bias", (len(filters),), _joined(each)))
        maps.append(
            at.step(
                part,
                "Conv",
                taken,
                *weights,
                kernel_shape=layer.kernel,
                strides=layer.stride,
                dilations=layer.dilation,
                pads=pads,
                group=len(filters),
            )
        )
    if order == sorted(order):
        return at.put("Concat", *maps, axis=1)
    whole = at.step("filters", "Concat", *maps, axis=1)
    back = [order.index(i) for i in range(len(order))]
    return at.put("Gather", whole, at.ints("order", back), axis=1)


def _joined(parts: list[Any], axis: int = 0) -> Any:
    import torch

    return torch.cat(parts, axis)


@writes("conv_transpose")
def _conv_transpose(at: At) -> str:
    layer = at.layer
    more = layer.output_padding
    attributes = {
        "kernel_shape": layer.kernel,
        "strides": layer.stride,
        "dilations": layer.dilation,
        "group": layer.groups,
    }
    if all(extra < s for extra, s in zip(more, layer.stride, strict=True)):
        inputs = [at.inputs[0], at.weight("weight")]
        if layer.bias:
            inputs.append(at.weight("bias"))
        pads = [a for a, _ in layer.padding] + [b for _, b in layer.padding]
        return at.put("ConvTranspose", *inputs, pads=pads, output_padding=more, **attributes)
    # programs have no more than the stride: the whole is cut, or zeros are put on, by hand
    x = at.step("whole", "ConvTranspose", at.inputs[0], at.weight("weight"), **attributes)
    sides = [(-a, extra - b) for (a, b), extra in zip(layer.padding, more, strict=True)]
    x = at.padded("wide", x, [(0, max(b, 0)) for _, b in sides])
    whole = [int(n) - a - b for n, (a, b) in zip(at.y[2:], sides, strict=True)]
    cuts = [
        (axis, -a, size + b)
        for axis, (size, (a, b)) in enumerate(zip(whole, sides, strict=True), start=2)
    ]
    if not layer.bias:
        return at.sliced("cut", x, cuts, last=True)
    each = (layer.filters, *[1] * len(layer.kernel))
    return at.put("Add", at.sliced("cut", x, cuts), at.weight("bias", each))


@writes("local")
def _local(at: At) -> str:
    """Weights of its own for each position: its windows, gathered, and a product for each."""
    layer, axes = at.layer, len(at.layer.kernel)
    sides = fitted_padding(layer, at.x)
    x, pads = at.fitted(at.inputs[0], sides, [0] * axes)
    assert not any(pads)
    groups, filters = layer.groups, layer.filters // layer.groups
    counts = tuple(int(n) for n in at.y[2:])
    x = at.reshaped("groups", x, [0, groups, int(at.x[1]) // groups, *_space(at, sides)])
    for axis in range(axes):  # (batch, group, channel, count, kernel, count, kernel)
        k, s, d = layer.kernel[axis], layer.stride[axis], layer.dilation[axis]
        places = [i * s + tap * d for i in range(counts[axis]) for tap in range(k)]
        name = at.graph.hold(f"{at.name}.places{axis}", (counts[axis], k), places)
        x = at.step(f"windows{axis}", "Gather", x, name, axis=3 + 2 * axis)
    order = [*(3 + 2 * axis for axis in range(axes)), 1, 0, 2]
    order += [4 + 2 * axis for axis in range(axes)]
    x = at.step("by_position", "Transpose", x, perm=order)
    positions = math.prod(counts)
    seen = int(at.x[1]) // groups * math.prod(layer.kernel)
    x = at.reshaped("rows", x, [positions * groups, -1, seen])
    weight = at.weight("weight", (positions * groups, filters, seen))
    weight = at.step("weight.columns", "Transpose", weight, perm=[0, 2, 1])
    x = at.step("product", "MatMul", x, weight)
    x = at.reshaped("positions", x, [positions, groups, -1, filters])
    x = at.step("by_filter", "Transpose", x, perm=[2, 1, 3, 0])
    size = at.ints("size", [0, layer.filters, *counts])
    if not layer.bias:
        return at.put("Reshape", x, size)
    return at.put("Add", at.step("maps", "Reshape", x, size), at.weight("bias"))


def _space(at: At, sides: list[tuple[int, int]]) -> list[int]:
    return [int(n) + a + b for n, (a, b) in zip(at.x[2:], sides, strict=True)]


@writes("linear")
def _linear(at: At) -> str:
    layer, rank = at.layer, len(at.x)
    axis = layer.axis % rank
    x = at.inputs[0]
    if axis == 1:
        if rank > 2:
            x = at.step("flat", "Flatten", x, axis=1)
        inputs = [x, at.weight("weight")]
        if layer.bias:
            inputs.append(at.weight("bias"))
        return at.put("Gemm", *inputs, transB=int(not layer.transposed))
    if axis < rank - 1:
        x = at.reshaped("flat", x, [*[0] * axis, -1])
    weight = at.weight("weight")
    if not layer.transposed:
        weight = at.step("weight.columns", "Transpose", weight, perm=[1, 0])
    if not layer.bias:
        return at.put("MatMul", x, weight)
    return at.put("Add", at.step("product", "MatMul", x, weight), at.weight("bias"))
