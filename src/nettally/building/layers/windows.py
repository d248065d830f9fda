"""Convolutions as torch modules: those that slide a window, and the fully connected."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import for_axes, makes, started

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...network import Layer, Shape


def flat_pads(sides: Iterable[tuple[int, int]]) -> list[int]:
    """Sides as ``functional.pad`` takes them: the last axis first."""
    return [size for pair in reversed(list(sides)) for size in pair]


def fitted_padding(layer: Any, x: Shape) -> list[tuple[int, int]]:
    """Padding with which torch, which rounds down, finds as many windows as the layer has.

    What the last window overhangs is added on the far side; where ``clip`` leaves a window out,
    what it would have read is cut off (a negative padding).
    """
    if layer.rounding == "down":
        return list(layer.padding)
    pairs = zip(layer.padding, layer.spare(x), strict=True)
    return [(before, after - spare) for (before, after), spare in pairs]


def padded(x: Tensor, pads: list[int], value: float = 0.0) -> Tensor:
    """``functional.pad`` that cuts (negative sizes) what has been padded, not the input alone."""
    if any(size > 0 for size in pads):
        x = functional.pad(x, [max(size, 0) for size in pads], value=value)
    if any(size < 0 for size in pads):
        x = functional.pad(x, [min(size, 0) for size in pads])
    return x


def same_on_both(sides: list[tuple[int, int]]) -> tuple[int, ...] | None:
    """Padding as torch's modules take it, or None where the sides differ."""
    return None if any(a != b for a, b in sides) else tuple(a for a, _ in sides)


def patches(x: Tensor, layer: Any, pads: list[int]) -> Tensor:
    """All windows, (batch, channels, *positions, *kernel); beyond the input are zeros."""
    x = padded(x, pads)
    for axis, (k, s, d) in enumerate(
        zip(layer.kernel, layer.stride, layer.dilation, strict=True), start=2
    ):
        x = x.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    return x


# --- convolutions -------------------------------------------------------------------------------


class _Fitted(nn.modules.conv._ConvNd):
    """Mixed into torch's convolutions: any padding a side, and a bias that may be one a unit."""

    pads: list[int]

    def forward(self, input: Tensor) -> Tensor:
        x = padded(input, self.pads)
        bias: Tensor | None = self.bias
        if bias is None or bias.dim() == 1:
            return self._conv_forward(x, self.weight, bias)
        return self._conv_forward(x, self.weight, None) + bias


class FittedConv1d(_Fitted, nn.Conv1d): ...


class FittedConv2d(_Fitted, nn.Conv2d): ...


class FittedConv3d(_Fitted, nn.Conv3d): ...


_FITTED: dict[int, Any] = {1: FittedConv1d, 2: FittedConv2d, 3: FittedConv3d}


@makes("conv")
def _conv(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    x = xs[0]
    axes = len(layer.kernel)
    plain = for_axes("Conv", axes)
    sides = fitted_padding(layer, x)
    both = same_on_both(sides)
    untied = layer.bias and layer.untied_bias
    make = plain if both is not None and not untied else _FITTED[axes]
    module = make(
        x[1],
        layer.filters,
        layer.kernel,
        layer.stride,
        both if make is plain else 0,
        layer.dilation,
        layer.groups,
        layer.bias and not untied,
    )
    if make is not plain:
        module.pads = flat_pads(sides)
    if untied:
        seen = math.prod(layer.kernel) * x[1] // layer.groups
        module.bias = started((layer.filters, *layer.counts(x)), seen)
    return module


class Local(nn.Module):
    """Weights of their own for each position: (*positions, filters, channels, *kernel)."""

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.layer = layer
        self.pads = flat_pads(fitted_padding(layer, x))
        seen = math.prod(layer.kernel) * x[1] // layer.groups
        shapes = layer.parameters((x,))
        self.weight = started(shapes["weight"], seen)
        self.bias = started(shapes["bias"], seen) if layer.bias else None

    def forward(self, x: Tensor) -> Tensor:
        layer, axes = self.layer, len(self.layer.kernel)
        windows = patches(x, layer, self.pads)
        counts = windows.shape[2 : 2 + axes]
        batch, groups, positions = len(x), layer.groups, math.prod(counts)
        # a product of matrices for each position and group: examples × seen, seen × filters
        windows = windows.reshape(batch, groups, -1, positions, math.prod(layer.kernel))
        windows = windows.permute(3, 1, 0, 2, 4).reshape(positions * groups, batch, -1)
        weight = self.weight.reshape(positions * groups, layer.filters // groups, -1)
        y = torch.bmm(windows, weight.transpose(1, 2)).reshape(positions, groups, batch, -1)
        y = y.permute(2, 1, 3, 0).reshape(batch, layer.filters, *counts)
        return y if self.bias is None else y + self.bias


@makes("local")
def _local(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Local(layer, xs[0])


def _call(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


class ConvSum(nn.Module):
    """A convolution an input, added up, and one bias."""

    def __init__(self, layer: Any, xs: tuple[Shape, ...]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            _conv(part, (x,)) for part, x in zip(layer.parts, xs, strict=True)
        )
        seen = sum(math.prod(p.kernel) * x[1] for p, x in zip(layer.parts, xs, strict=True))
        shape = layer.parameters(xs).get("bias")
        self.bias = None if shape is None else started(shape, seen)
        self.tensor_names = {f"weight{i}": f"parts.{i}.weight" for i in range(len(xs))}

    def forward(self, *xs: Tensor) -> Tensor:
        y: Tensor = reduce(operator.add, map(_call, self.parts, xs))
        if self.bias is None:
            return y
        return y + self.bias.reshape(*self.bias.shape, *[1] * (y.dim() - 1 - self.bias.dim()))


@makes("conv_sum")
def _conv_sum(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return ConvSum(layer, xs)


class ConvMap(nn.Module):
    """A kernel for each connection; torch's convolution does them, with zeros for the others."""

    filters: Tensor
    channels: Tensor

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        for_axes("Conv", len(layer.kernel))
        self.layer = layer
        self.pads = flat_pads(fitted_padding(layer, x))
        shapes = layer.parameters((x,))
        seen = math.prod(layer.kernel) * max(map(len, layer.table))
        self.weight = started(shapes["weight"], seen)
        self.bias = started(shapes["bias"], seen) if layer.bias else None
        pairs = [(filter_, channel) for filter_, row in enumerate(layer.table) for channel in row]
        for name, indices in zip(("filters", "channels"), zip(*pairs, strict=True), strict=True):
            self.register_buffer(name, torch.tensor(indices), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        layer, axes = self.layer, len(self.layer.kernel)
        dense = x.new_zeros(len(layer.table), x.shape[1], *layer.kernel)
        dense = dense.index_put((self.filters, self.channels), self.weight, accumulate=True)
        convolve = getattr(functional, f"conv{axes}d")
        x = padded(x, self.pads)
        return convolve(x, dense, self.bias, layer.stride, 0, layer.dilation)

    @property
    def stated_layer(self) -> Layer:
        """What a reader is to count: torch multiplies by zeros, the layer does not."""
        return self.layer


@makes("conv_map")
def _conv_map(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return ConvMap(layer, xs[0])


class _Cut(nn.modules.conv._ConvTransposeNd):
    """Mixed into torch's transposed convolutions: any padding a side, cut from the whole output."""

    pads: list[int]

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        transposed = getattr(functional, f"conv_transpose{len(self.kernel_size)}d")
        y = transposed(input, self.weight, None, self.stride, 0, 0, self.groups, self.dilation)
        y = padded(y, self.pads)
        bias: Tensor | None = self.bias
        return y if bias is None else y + bias.reshape(-1, *[1] * len(self.kernel_size))


class CutConvTranspose1d(_Cut, nn.ConvTranspose1d): ...


class CutConvTranspose2d(_Cut, nn.ConvTranspose2d): ...


class CutConvTranspose3d(_Cut, nn.ConvTranspose3d): ...


_CUT: dict[int, Any] = {1: CutConvTranspose1d, 2: CutConvTranspose2d, 3: CutConvTranspose3d}


@makes("conv_transpose")
def _conv_transpose(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    axes = len(layer.kernel)
    plain = for_axes("ConvTranspose", axes)
    both = same_on_both(list(layer.padding))
    more = layer.output_padding
    allowed = zip(more, layer.stride, layer.dilation, strict=True)
    make = plain if both is not None and all(m < max(s, d) for m, s, d in allowed) else _CUT[axes]
    module = make(
        xs[0][1],
        layer.filters,
        layer.kernel,
        layer.stride,
        both if make is plain else 0,
        more if make is plain else 0,
        layer.groups,
        layer.bias,
        layer.dilation,
    )
    if make is not plain:
        sides = zip(layer.padding, more, strict=True)
        module.pads = flat_pads((-before, extra - after) for (before, after), extra in sides)
    return module


class FlatLinear(nn.Linear):
    """Fully connected to all the axes from ``start`` on."""

    start: int

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(self.start))


class TransposedLinear(FlatLinear):
    """The same, with a weight that has the inputs' axis first."""

    def __init__(self, features: int, seen: int, bias: bool) -> None:
        super().__init__(features, seen, bias)
        if bias:
            self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input.flatten(self.start), self.weight.mT, self.bias)


@makes("linear")
def _linear(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    x = xs[0]
    axis = layer.axis % len(x)
    seen = math.prod(x[axis:])
    if layer.transposed:
        module = TransposedLinear(layer.features, seen, layer.bias)
        module.start = axis
        return module
    if axis == len(x) - 1:
        return nn.Linear(seen, layer.features, layer.bias)
    module = FlatLinear(seen, layer.features, layer.bias)
    module.start = axis
    return module
