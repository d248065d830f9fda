"""Streams beside each other, and sequences made shorter, as torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import makes

if TYPE_CHECKING:
    from ...network import Shape


class Stored(nn.Module):
    """A layer's parameters, at random."""

    def __init__(self, layer: Any, xs: tuple[Shape, ...]) -> None:
        super().__init__()
        self.layer = layer
        for name, shape in layer.parameters(xs).items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape) * 0.02))


class GroupedLinear(Stored):
    def forward(self, x: Tensor) -> Tensor:
        groups = self.layer.groups
        weight = self.get_parameter("weight").unflatten(0, (groups, -1))
        y = x.unflatten(-1, (groups, -1)).flatten(0, -3).transpose(0, 1)
        y = torch.bmm(y, weight.mT).transpose(0, 1)
        return y.reshape(*x.shape[:-1], -1)


@makes("grouped_linear")
def _grouped_linear(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return GroupedLinear(layer, xs)


class HyperConnection(Stored):
    def forward(self, x: Tensor) -> Tensor:
        fn, base, scale = self.parameters()
        count = self.layer.streams
        x = functional.linear(functional.rms_norm(x, x.shape[-1:]), fn)
        if self.layer.head:
            return torch.sigmoid(x * scale + base)
        before, behind, mixed = (
            part * scale[i] + base[start : start + size]
            for i, (part, start, size) in enumerate(
                zip(
                    x.split([count, count, count * count], -1),
                    (0, count, 2 * count),
                    (count, count, count * count),
                    strict=True,
                )
            )
        )
        mixed = mixed.unflatten(-1, (count, count)).softmax(-1)
        for axis in (-2, *(-1, -2) * (self.layer.rounds - 1)):
            mixed = mixed / mixed.sum(axis, keepdim=True)
        return torch.cat((before.sigmoid(), 2 * behind.sigmoid(), mixed.flatten(-2)), -1)


@makes("hyper_connection")
def _hyper_connection(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return HyperConnection(layer, xs)


class Compress(Stored):
    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        rate = self.layer.rate
        windows = x.shape[1] // rate
        x, gate = (each[:, : windows * rate].unflatten(1, (windows, rate)) for each in (x, gate))
        gate = gate + self.get_parameter("position_bias")
        if self.layer.overlap:
            x = self.overlapped(x, 0.0)
            gate = self.overlapped(gate, -torch.inf)
        return (x * gate.softmax(2)).sum(2)

    @staticmethod
    def overlapped(x: Tensor, fill: float) -> Tensor:
        """Of each window's channels half behind the other half of the window before."""
        early, late = x.chunk(2, -1)
        early = functional.pad(early, (0, 0, 0, 0, 1, 0), value=fill)[:, :-1]
        return torch.cat((early, late), 2)


@makes("compress")
def _compress(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Compress(layer, xs)
