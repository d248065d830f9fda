"""Every layer as a torch module that computes it.

Where torch has the layer, its own module is used, so that the names in a ``state_dict`` are
torch's; where it has not (windows that overhang, weights of their own for each position, a table
of connections, groups within a normalisation), a small module is made of what it has.
Layers themselves know nothing of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...errors import LayerError
from ...registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...network import Layer, Shape

    Maker = Callable[[Any, tuple[Shape, ...]], nn.Module]

FAMILIES = (
    "windows",
    "pooling",
    "values",
    "recurrent",
    "sequences",
    "states",
    "streams",
    "tensors",
)
"""The files beside this one that register modules."""
MODULES = Registry("torch modules of layers", __name__, fillers=FAMILIES)
"""By kind of layer: ``maker(layer, xs)`` gives the module."""


def torch_module(layer: Layer, xs: tuple[Shape, ...]) -> nn.Module:
    """The layer as a module whose forward takes the inputs in order; the batch may be another.

    xs: the shapes of the inputs, batch first. Raises LayerError where an input does not fit, where
    torch can't have the layer, and where no module is registered for its kind.
    """
    maker = MODULES.find(layer.kind)
    if maker is None:
        raise LayerError(
            f"what '{layer.kind}' computes is not known, so it has no torch module",
            hint="register one for a layer of your own: @nettally.building.layers.makes('...')",
        )
    layer.shape(xs)  # its complaints say more than torch's
    return maker(layer, xs)


def makes(*kinds: str) -> Callable[[Maker], Maker]:
    """Register a function of the layer and its inputs' shapes as what makes the kinds' modules."""

    def register(maker: Maker) -> Maker:
        for kind in kinds:
            MODULES.add(kind, maker)
        return maker

    return register


class Function(nn.Module):
    """A function of the inputs, without parameters, under the name of its layer."""

    def __init__(self, kind: str, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.kind = kind
        self.function = function

    def forward(self, *xs: Tensor) -> Tensor:
        return self.function(*xs)

    def extra_repr(self) -> str:
        return self.kind


def for_axes(name: str, axes: int) -> Any:
    """torch's module for a number of axes of space: ``Conv`` over two is ``nn.Conv2d``."""
    if not 1 <= axes <= 3:
        raise LayerError(f"torch has no {name} over {axes} axes of space", hint="it has 1, 2 and 3")
    return getattr(nn, f"{name}{axes}d")


def started(shape: Sequence[int], seen: int) -> nn.Parameter:
    """A parameter with torch's usual start: uniform within ±1/√(values that a unit sees)."""
    return nn.Parameter(torch.empty(*shape).uniform_(-(seen**-0.5), seen**-0.5))
