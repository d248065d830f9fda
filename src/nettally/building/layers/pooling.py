"""Pooling as torch modules."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import Function, for_axes, makes, started
from .windows import fitted_padding, flat_pads, padded, patches, same_on_both

if TYPE_CHECKING:
    from ...network import Shape


class _FittedMaxPool(nn.modules.pooling._MaxPoolNd):
    """Mixed into torch's pooling: any padding a side, which no maximum takes in."""

    pads: list[int]

    def forward(self, input: Tensor) -> Tensor:
        pool = getattr(functional, f"max_pool{len(self.pads) // 2}d")
        x = padded(input, self.pads, -math.inf)
        return pool(x, self.kernel_size, self.stride, 0, self.dilation)


class FittedMaxPool1d(_FittedMaxPool, nn.MaxPool1d): ...


class FittedMaxPool2d(_FittedMaxPool, nn.MaxPool2d): ...


class FittedMaxPool3d(_FittedMaxPool, nn.MaxPool3d): ...


_FITTED_POOLS: dict[int, Any] = {1: FittedMaxPool1d, 2: FittedMaxPool2d, 3: FittedMaxPool3d}


@makes("max_pool")
def _max_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    make = for_axes("MaxPool", len(layer.kernel))
    sides = fitted_padding(layer, xs[0])
    both = same_on_both(sides)
    if both is not None and all(0 <= p <= k // 2 for p, k in zip(both, layer.kernel, strict=True)):
        return make(layer.kernel, layer.stride, both, layer.dilation)
    module = _FITTED_POOLS[len(layer.kernel)](layer.kernel, layer.stride, 0, layer.dilation)
    module.pads = flat_pads(sides)
    return module


class WindowMean(nn.Module):
    """The mean of each window, by the number of values that count in it.

    Values of the input count, those of the padding where the layer says so, and never what lies
    beyond both. A window of nothing gives 0.
    """

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.layer = layer
        self.pads = flat_pads(fitted_padding(layer, x))
        self.padding = flat_pads(layer.padding)
        self.beyond = [a - b for a, b in zip(self.pads, self.padding, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        axes = tuple(range(-len(layer.kernel), 0))
        total = patches(x, layer, self.pads).sum(axes)
        inside = x.new_ones(1, 1, *x.shape[2:])
        inside = functional.pad(inside, self.padding, value=float(layer.count_padding))
        return total / patches(inside, layer, self.beyond).sum(axes).clamp(min=1)


@makes("average_pool")
def _average_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    sides = fitted_padding(layer, xs[0])
    both = same_on_both(sides)
    if (
        both is not None
        and all(0 <= p <= k // 2 for p, k in zip(both, layer.kernel, strict=True))
        and sides == list(layer.padding)
        and all(d == 1 for d in layer.dilation)
        and len(both) <= 3
    ):
        make = for_axes("AvgPool", len(both))
        return make(layer.kernel, layer.stride, both, count_include_pad=layer.count_padding)
    return WindowMean(layer, xs[0])


class StochasticPool(nn.Module):
    """In training a value of each window, drawn in proportion to it; else the expected one.

    Zeiler and Fergus 2013. Values below zero, which have no chance there, count as zero.
    """

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.layer = layer
        self.pads = flat_pads(fitted_padding(layer, x))

    def forward(self, x: Tensor) -> Tensor:
        windows = patches(x.clamp(min=0), self.layer, self.pads)
        windows = windows.flatten(-len(self.layer.kernel))
        total = windows.sum(-1, keepdim=True)
        chances = windows / total.clamp(min=torch.finfo(x.dtype).tiny)
        if not self.training:
            return (chances * windows).sum(-1)
        # where all are zero, any of them is drawn, and is zero
        rows = torch.where(total > 0, chances, torch.ones_like(chances)).flatten(0, -2)
        drawn = torch.multinomial(rows, 1)
        return windows.flatten(0, -2).gather(1, drawn).reshape(windows.shape[:-1])


@makes("stochastic_pool")
def _stochastic_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return StochasticPool(layer, xs[0])


class Subsample(nn.Module):
    """The sum of each window times its channel's coefficient, plus its channel's bias."""

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.layer = layer
        self.pads = flat_pads(fitted_padding(layer, x))
        self.weight = started((x[1],), math.prod(layer.kernel))
        self.bias = nn.Parameter(torch.zeros(x[1]))

    def forward(self, x: Tensor) -> Tensor:
        axes = len(self.layer.kernel)
        total = patches(x, self.layer, self.pads).sum(tuple(range(-axes, 0)))
        shape = (-1, *[1] * axes)
        return total * self.weight.reshape(shape) + self.bias.reshape(shape)


@makes("subsample")
def _subsample(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Subsample(layer, xs[0])


@makes("global_max_pool", "global_average_pool")
def _global_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    if layer.kind == "global_average_pool" and layer.keep and 3 <= len(xs[0]) <= 5:
        return for_axes("AdaptiveAvgPool", len(xs[0]) - 2)(1)  # which tools that count know
    over: Any = torch.amax if layer.kind == "global_max_pool" else torch.mean
    axes = tuple(range(2, len(xs[0])))
    return Function(layer.kind, partial(over, dim=axes, keepdim=layer.keep))


@makes("adaptive_max_pool", "adaptive_average_pool")
def _adaptive_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    name = "AdaptiveMaxPool" if layer.kind == "adaptive_max_pool" else "AdaptiveAvgPool"
    return for_axes(name, len(layer.size))(layer.size)
