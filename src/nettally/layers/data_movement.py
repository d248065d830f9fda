"""Layers that put values in other places, or repeat them, and make none."""

from __future__ import annotations

from typing import Any

from ..errors import LayerError
from ..network import NO_WORK, Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .merging import broadcast, stretched
from .registry import layer


def _sizes(value: Any, least: int = 0) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for size in sizes:
        check_size("size", size, least)
    return sizes


@layer("expand")
class Expand(Layer):
    """Sizes of 1 stretched to a given whole size, the batch's own with it (numpy's rule)."""

    positional = ("size",)

    size: Any = ()

    def __post_init__(self) -> None:
        self.__dict__["size"] = _sizes(self.size)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return broadcast((xs[0], self.size))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return stretched(xs[0], self.shape(xs))


@layer("tile")
class Tile(Layer):
    """The input repeated along each axis; ``times`` has one number an axis, the batch's first."""

    positional = ("times",)

    times: Any = ()

    def __post_init__(self) -> None:
        self.__dict__["times"] = _sizes(self.times)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) != len(self.times):
            raise LayerError(
                "tile needs one number an axis",
                values=f"times {by_axis(self.times)}, input {by_axis(x)}",
            )
        return tuple(size * n for size, n in zip(x, self.times, strict=True))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if any(n != 1 for n in self.times[2:]) else ()


@layer("arrange")
class DataMovement(Layer):
    """Values of the inputs in places that the source's own rule gives them; none is computed.

    type: what the rule is called there. size: the whole output's, the batch's own with it.
    of: the inputs' whole sizes, for which it was worked out; for others it is not known.
    """

    arity = 0
    least = 0
    positional = ("type", "size")

    type: str = ""
    size: Any = ()
    of: Any = ()

    def __post_init__(self) -> None:
        self.__dict__["size"] = _sizes(self.size)
        self.__dict__["of"] = tuple(_sizes(each) for each in self.of)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if self.of and xs != self.of:
            raise LayerError(
                f"what '{self.type}' makes of another input is not known",
                values=f"{', '.join(map(by_axis, xs))}; it was worked out for "
                + ", ".join(map(by_axis, self.of)),
            )
        return self.size

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("procedure")
class Procedure(DataMovement):
    """A known procedure without parameters of its own: a choice of boxes, a sampling.

    Its comparisons and sums depend on the values, and are not counted. macs: the
    multiply-accumulates of the matrix products and convolutions in it, if there are any.
    """

    macs: int = 0

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(self.macs) if self.macs else NO_WORK
