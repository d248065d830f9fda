"""Pooling as ONNX has it: windows that overhang are pads of their own, never ``ceil_mode``.

ONNX's text on ``ceil_mode`` changed with version 19, and its programs differ; pads say the same
to all of them. A maximum takes no padding in, and a mean does or does not, as the layer has it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from ..building.layers.pooling import WindowMean
from ..building.layers.windows import fitted_padding, patches
from .graph import At, writes

if TYPE_CHECKING:
    from torch import Tensor


def _attributes(at: At, pads: list[int]) -> dict[str, Any]:
    layer = at.layer
    attributes = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": pads}
    if any(d != 1 for d in layer.dilation):
        attributes["dilations"] = layer.dilation
    return attributes


def _zeros_beyond(at: At, suffix: str, x: str, op: str, **more: Any) -> str:
    """A pool of whole windows, with zeros put where they lie beyond the input."""
    x, pads = at.fitted(x, fitted_padding(at.layer, at.x), [0] * len(at.layer.kernel))
    attributes = {**_attributes(at, pads), **more}
    return at.step(suffix, op, x, **attributes) if suffix else at.put(op, x, **attributes)


def _dilated(at: At, since: int) -> None:
    if any(d != 1 for d in at.layer.dilation):
        at.needs(since)


@writes("max_pool")
def _max_pool(at: At) -> str:
    # programs want pads that are smaller than the kernel
    limits = [k - 1 for k in at.layer.kernel]
    x, pads = at.fitted(at.inputs[0], fitted_padding(at.layer, at.x), limits, -math.inf)
    return at.put("MaxPool", x, **_attributes(at, pads))


@writes("average_pool")
def _average_pool(at: At) -> str:
    layer = at.layer
    _dilated(at, 19)
    sides = fitted_padding(layer, at.x)
    padded = any(map(any, sides))
    plain = all(0 <= size < k for pair, k in zip(sides, layer.kernel, strict=True) for size in pair)
    # a dilated window may lie in the padding as a whole
    plain = plain and (not padded or all(d == 1 for d in layer.dilation))
    if plain and (not padded or sides == list(layer.padding) or not layer.count_padding):
        pads = [a for a, _ in sides] + [b for _, b in sides]
        padding = {"count_include_pad": int(layer.count_padding)} if padded else {}
        return at.put("AveragePool", at.inputs[0], **_attributes(at, pads), **padding)
    mean = _zeros_beyond(at, "mean", at.inputs[0], "AveragePool")
    return at.put("Mul", mean, at.fixed("shares", math.prod(layer.kernel) / _divisors(at)))


def _divisors(at: At) -> Tensor:
    """How many values count in each window."""
    layer = at.layer
    mean = WindowMean(layer, at.x)
    inside = torch.ones(1, 1, *map(int, at.x[2:]), device="cpu")
    inside = functional.pad(inside, mean.padding, value=float(layer.count_padding))
    axes = tuple(range(-len(layer.kernel), 0))
    return patches(inside, layer, mean.beyond).sum(axes).clamp(min=1)


@writes("lp_pool")
def _lp_pool(at: At) -> str:
    power = float(at.layer.power)
    if not power.is_integer() or power < 1:
        at.refuse(f"ONNX has whole powers only, and this one is {at.layer.power}")
    return _zeros_beyond(at, "", at.inputs[0], "LpPool", p=int(power))


@writes("stochastic_pool")
def _stochastic_pool(at: At) -> str:
    """What it gives in use: of each window Σx² / Σx, the values below zero as zeros."""
    _dilated(at, 19)
    x = at.step("positive", "Relu", at.inputs[0])
    squares = _zeros_beyond(at, "squares", at.step("squared", "Mul", x, x), "AveragePool")
    values = _zeros_beyond(at, "values", x, "AveragePool")
    # a window of zeros gives 0
    least = at.step("divisors", "Max", values, at.scalar("least", 1e-37))
    return at.put("Div", squares, least)


@writes("subsample")
def _subsample(at: At) -> str:
    """The mean times the window's size times a coefficient, plus a bias; LeNet's."""
    _dilated(at, 19)
    layer, each = at.layer, (at.x[1], *[1] * len(at.layer.kernel))
    mean = _zeros_beyond(at, "mean", at.inputs[0], "AveragePool")
    total = at.step("sum", "Mul", mean, at.scalar("size", math.prod(layer.kernel)))
    weighed = at.step("weighed", "Mul", total, at.weight("weight", each))
    return at.put("Add", weighed, at.weight("bias", each))


@writes("global_max_pool", "global_average_pool")
def _global_pool(at: At) -> str:
    if at.layer.kind == "global_average_pool" and at.layer.keep:
        return at.put("GlobalAveragePool", at.inputs[0])
    # the same by its more general name, which also leaves the axes out
    op = "ReduceMax" if at.layer.kind == "global_max_pool" else "ReduceMean"
    axes = at.ints("axes", range(2, len(at.x)))
    return at.put(op, at.inputs[0], axes, keepdims=int(at.layer.keep))


@writes("adaptive_max_pool", "adaptive_average_pool")
def _adaptive_pool(at: At) -> str:
    """Windows of one size where the sizes divide; else each along each axis by itself."""
    largest = at.layer.kind == "adaptive_max_pool"
    sizes = [(int(full), int(out)) for full, out in zip(at.x[2:], at.y[2:], strict=True)]
    if all(full % out == 0 for full, out in sizes):
        steps = [full // out for full, out in sizes]
        op = "MaxPool" if largest else "AveragePool"
        return at.put(op, at.inputs[0], kernel_shape=steps, strides=steps)
    # a mean over a rectangle is the mean of its rows' means, and a maximum likewise
    x, op = at.inputs[0], "ReduceMax" if largest else "ReduceMean"
    for axis, (full, out) in enumerate(sizes, start=2):
        parts: list[str] = []
        over = at.ints(f"axis{axis}", [axis])
        for i in range(out):
            start, stop = i * full // out, -(-(i + 1) * full // out)
            part = at.sliced(f"part{axis}_{i}", x, [(axis, start, stop)])
            parts.append(at.step(f"pooled{axis}_{i}", op, part, over, keepdims=1))
        last = axis == len(sizes) + 1
        x = (
            at.put("Concat", *parts, axis=axis)
            if last
            else at.step(f"pooled{axis}", "Concat", *parts, axis=axis)
        )
    return x
