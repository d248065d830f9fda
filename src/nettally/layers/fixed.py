"""Layers of old networks that nobody trains: transforms of images, and LeNet's output codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..errors import LayerError
from ..network import WHOLE, Layer, Shape, Window, Work, check_size
from .fields import one_of
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("blur")
class Blur(Layer):
    """A fixed Gaussian of ``size`` taps along each axis of space; the shape stays."""

    positional = ("size",)

    size: int = 0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        check_size("size", self.size)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return tuple(Window(self.size, 1, self.size // 2) for _ in xs[0][2:])


@layer("recolor")
class Recolor(Layer):
    """Red, green and blue to another colour space, ``yuv`` or ``lab``; the shape stays."""

    batch_first = True
    positional = ("to",)

    to: str = "yuv"

    def __post_init__(self) -> None:
        one_of("to", self.to, ("yuv", "lab"))

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if xs[0][1] != 3:
            raise LayerError("recolor needs 3 channels", values=f"channels {xs[0][1]}")
        return xs[0]


@layer("rbf")
class RadialBasis(Layer):
    """Euclidean radial basis units: each the squared distance of the input to a fixed code.

    LeCun et al. 1998, equation 7. The codes are fixed, so they are kept and not learned.
    """

    batch_first = True
    weighted = True
    positional = ("units",)

    units: int = 0

    def __post_init__(self) -> None:
        check_size("units", self.units)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return (xs[0][0], self.units)

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"codes": (self.units, product(xs[0][1:]))}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        # a connection is one difference, squared and accumulated
        return Work(product(y) * product(xs[0][1:]))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE
