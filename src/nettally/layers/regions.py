"""Layers that look at regions of an image."""

from __future__ import annotations

from typing import Any

from ..arith import product
from ..errors import LayerError
from ..network import Layer, Shape, Window, check_size
from .fields import by_axis, per_axis
from .registry import layer


@layer("roi_pool")
class RegionPool(Layer):
    """Regions of a map, each pooled to one size (Girshick 2015); the second input lists them.

    The second input has a row of numbers a region, and their number is the output's batch.
    channels: how many come out, each place of the output from channels of its own (R-FCN, Dai et
    al. 2016); 0: all, from the same. What a window takes in depends on the region, so that what
    it compares or adds is not counted.
    """

    batch_first = True
    arity = 2
    positional = ("size",)

    size: Any = ()
    channels: int = 0

    def __post_init__(self) -> None:
        size = self.size
        if type(size) is int:
            size = (size, size)
        self.__dict__["size"] = per_axis(size, len(size), "size")
        check_size("channels", self.channels, 0)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, regions = xs
        if len(x) != len(self.size) + 2:
            raise LayerError(
                f"regions of {by_axis(self.size)} need {len(self.size)} axes of space",
                values=f"input {by_axis(x)}",
            )
        if self.channels and x[1] != self.channels * product(self.size):
            raise LayerError(
                "each place of the output needs channels of its own",
                values=f"channels {x[1]}, not {self.channels} · {by_axis(self.size)}",
            )
        return (regions[0], self.channels or x[1], *self.size)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None
