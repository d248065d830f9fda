"""Mixtures of experts, rotated keys and queries, and learned positions as torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import Function, makes

if TYPE_CHECKING:
    from ...network import Shape


class Experts(nn.Module):
    """Each token through the experts with its greatest scores, weighted by their softmax."""

    def __init__(self, layer: Any, xs: tuple[Shape, ...]) -> None:
        super().__init__()
        self.layer = layer
        for name, shape in layer.parameters(xs).items():
            start = torch.zeros(shape) if name.endswith("bias") else torch.randn(shape) * 0.02
            home, _, last = name.rpartition(".")
            submodule(self, home).register_parameter(last, nn.Parameter(start))

    def forward(self, x: Tensor, scores: Tensor) -> Tensor:
        weights, chosen = scores.flatten(0, -2).topk(self.layer.top, -1)
        runs = chosen.flatten()  # a token and one of its experts each
        y = x.flatten(0, -2).repeat_interleave(self.layer.top, 0)[:, None]
        function = getattr(functional, self.layer.function)
        if self.layer.stacked:
            w1, v1, w2 = (
                each.unflatten(0, (-1, self.layer.hidden))[runs] for each in self.parameters()
            )
            y = function(torch.bmm(y, w1.mT)) * torch.bmm(y, v1.mT)
            return self.weighted(torch.bmm(y, w2), weights, x)
        y = self.linear(y, "gate_up_proj" if self.layer.gated else "up_proj", runs)
        if self.layer.gated:
            gate, up = y.chunk(2, -1)
            y = function(gate) * up
        else:
            y = function(y)
        return self.weighted(self.linear(y, "down_proj", runs), weights, x)

    def weighted(self, y: Tensor, weights: Tensor, x: Tensor) -> Tensor:
        """What each token's experts put out, summed by the token's scores."""
        y = y.unflatten(0, (-1, self.layer.top))[:, :, 0]
        return (y * weights.softmax(-1)[..., None]).sum(1).reshape(x.shape)

    def linear(self, x: Tensor, name: str, runs: Tensor) -> Tensor:
        weight = self.stacked(name)[runs]
        weight = weight if self.layer.transposed else weight.mT
        if not self.layer.bias:
            return torch.bmm(x, weight)
        return torch.bmm(x, weight) + self.stacked(f"{name}_bias")[runs, None]

    def stacked(self, name: str) -> Tensor:
        """A tensor of all experts."""
        if not self.layer.separate:
            return self.get_parameter(name)
        each = self.layer.NAMES[name]
        return torch.stack(
            [self.get_parameter(f"expert_{i}.{each}") for i in range(self.layer.experts)]
        )


def submodule(module: nn.Module, path: str) -> nn.Module:
    """The module under a dotted path, made where there is none."""
    for name in path.split(".") if path else ():
        if not hasattr(module, name):
            module.add_module(name, nn.Module())
        module = module.get_submodule(name)
    return module


@makes("experts")
def _experts(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Experts(layer, xs)


@makes("rotary")
def _rotary(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    turned = layer.turned or layer.size

    def turn(x: Tensor) -> Tensor:
        heads = x.unflatten(-1, (-1, layer.size))
        half = turned // 2
        steps = torch.arange(half, device=x.device) / max(half, 1)
        places = layer.before + torch.arange(x.shape[1], device=x.device)
        angles = torch.outer(places, layer.base**-steps)[None, :, None, :]
        a, b, rest = heads[..., :half], heads[..., half : 2 * half], heads[..., 2 * half :]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        return torch.cat((a * cos - b * sin, b * cos + a * sin, rest), -1).flatten(-2)

    return Function("rotary", turn)


class PositionEmbedding(nn.Module):
    """x + the table's rows from ``before`` on."""

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.before = layer.before
        self.weight = nn.Parameter(torch.randn(layer.rows, int(x[2])) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[self.before : self.before + x.shape[1]]


@makes("position_embedding")
def _position_embedding(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return PositionEmbedding(layer, xs[0])


@makes("cache")
def _cache(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    """With a cache of zeros: what was kept belongs to a run and not to the network."""
    past = int(layer.shape(xs)[-2]) - int(xs[0][-2])

    def extend(x: Tensor) -> Tensor:
        return functional.pad(x, (0, 0, past, 0)) if layer.past else x

    return Function("cache", extend)
