"""Local response normalisation in one piece: any device, differentiable as often as one likes.

The formulas are those of ``lrn``, written in torch's operations. This is what is exported, what
gives a gradient's own gradient, and what the compiled forms are held to.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Terms(NamedTuple):
    """The constants of the formula, and who is a neighbour of whom.

    groups: of the channels. space: neighbours are those within each map, along all its axes.
    """

    size: int
    alpha: float
    beta: float
    k: float
    groups: int
    space: bool

    def scale(self, rank: int) -> float:
        """alpha/n, for an input of so many axes."""
        return self.alpha / self.size ** (rank - 2 if self.space else 1)


def whole(x: Tensor, terms: Terms) -> Tensor:
    """x · d^-beta; float16 and bfloat16 are computed in float32."""
    values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return (values * _base(values, terms) ** -terms.beta).to(x.dtype)


def whole_gradient(x: Tensor, gradient: Tensor, terms: Terms) -> Tensor:
    """The gradient of x from that of the result, by operations that are differentiable too."""
    kind = x.dtype
    if kind in (torch.float16, torch.bfloat16):
        x, gradient = x.float(), gradient.float()
    base = _base(x, terms)
    power = base**-terms.beta
    after = (terms.size - 1) // 2  # who sees a value stands the other way round
    seen = _near(gradient * x * power / base, terms, after)
    return (gradient * power - 2 * terms.beta * terms.scale(x.dim()) * x * seen).to(kind)


def _base(x: Tensor, terms: Terms) -> Tensor:
    """d = k + alpha/n · the neighbours' squares."""
    return terms.k + terms.scale(x.dim()) * _near(x * x, terms, terms.size // 2)


def _near(values: Tensor, terms: Terms, before: int) -> Tensor:
    """The sum over the neighbours, ``before`` of them before along each axis; beyond all are 0."""
    shape, size = values.shape, terms.size
    total = values
    if not terms.space:
        inner = math.prod(shape[2:])
        total = values.reshape(shape[0], terms.groups, shape[1] // terms.groups, inner)
    for axis in range(2, total.dim() if terms.space else 3):
        pads = [0, 0] * (total.dim() - 1 - axis) + [before, size - 1 - before]
        padded = nn.functional.pad(total, pads)
        length = total.shape[axis]
        total = padded.narrow(axis, 0, length)
        for shift in range(1, size):
            total = total + padded.narrow(axis, shift, length)
    return total.reshape(shape)
