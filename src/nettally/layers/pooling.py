"""Pooling: over windows, over everything, to a given size; and LeNet's subsampling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..arith import product
from ..errors import LayerError
from ..network import WHOLE, Layer, Shape, Window, Work
from .convolution import Windowed
from .fields import by_axis, per_axis, square
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Pool(Windowed):
    """A window slid over each channel by itself. stride: the kernel's size where none is given."""

    positional = ("kernel",)

    kernel: Any = ()
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    rounding: str = "down"

    def __post_init__(self) -> None:
        if self.stride is None:
            self.__dict__["stride"] = square(self.kernel, "kernel")
        super().__post_init__()

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        counts = self.counts(x)  # which complains where there are no channels
        return (x[0], x[1], *counts)


@layer("max_pool")
class MaxPool(Pool):
    """The greatest value of each window."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(y) * product(self.kernel))


@layer("average_pool")
class AveragePool(Pool):
    """The mean of each window. count_padding: zeros of the padding count in the divisor."""

    kernel: Any = ()
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    rounding: str = "down"
    count_padding: bool = True

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(y) * product(self.kernel))


@layer("lp_pool")
class LpPool(Pool):
    """The p-norm of each window: the ``power``-th root of the sum of |x|^power."""

    kernel: Any = ()
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    rounding: str = "down"
    power: float = 2.0

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(y) * product(self.kernel))


@layer("stochastic_pool")
class StochasticPool(Pool):
    """One value of each window, drawn with a chance proportional to it (Zeiler and Fergus 2013)."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(y) * product(self.kernel))


@layer("subsample")
class Subsample(Pool):
    """LeNet's pooling: the sum of a window times the channel's coefficient, plus its bias.

    LeCun et al. 1998, section II.B, layer S2.
    """

    weighted = True

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": (xs[0][1],), "bias": (xs[0][1],)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        units = product(y)
        return Work(bias_adds=units, pooled=units * product(self.kernel))

    def products(self, xs: tuple[Shape, ...], y: Shape) -> tuple[Shape, ...]:
        return ()


class GlobalPool(Layer):
    """Pooling over all of space. keep: leave sizes of 1 in place of the axes."""

    batch_first = True

    keep: bool = True

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) < 3:
            raise LayerError(f"{self.kind} needs axes of space", values=f"input {by_axis(x)}")
        return (x[0], x[1], *(1 for _ in x[2:])) if self.keep else (x[0], x[1])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE


@layer("global_max_pool")
class GlobalMaxPool(GlobalPool):
    """The greatest value of each channel."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(xs[0]))


@layer("global_average_pool")
class GlobalAveragePool(GlobalPool):
    """The mean of each channel."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=product(xs[0]))


class AdaptivePool(Layer):
    """Pooling to a given size: window i goes from ⌊i·I/O⌋ to ⌈(i+1)·I/O⌉ (torch's rule)."""

    batch_first = True
    positional = ("size",)

    size: Any = ()

    def __post_init__(self) -> None:
        size = square(self.size, "size")
        self.__dict__["size"] = per_axis(size, len(size), "size")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) != len(self.size) + 2:
            raise LayerError(
                f"{self.kind} to {by_axis(self.size)} needs {len(self.size)} axes of space",
                values=f"input {by_axis(x)}",
            )
        return (x[0], x[1], *self.size)

    def taken(self, x: Shape) -> int:
        """How many values all the windows take in; neighbours may overlap by one."""
        per_channel = 1
        for full, out in zip(x[2:], self.size, strict=True):
            # Σ ⌈(i+1)·I/O⌉ - ⌊i·I/O⌋ over all i: I by telescoping, and 1 for each i·I/O that does
            # not come out even, all but gcd(I, O) of the O.
            shared = math.gcd(int(full), int(out))
            along = full if shared == out else full + out - shared
            per_channel = along if per_channel == 1 else per_channel * along
        return x[1] * per_channel if x[0] == 1 else x[0] * x[1] * per_channel

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        windows: list[Window] = []
        for full, out in zip(xs[0][2:], self.size, strict=True):
            if out == 1:
                windows.append(Window(0))
            elif full % out == 0:
                windows.append(Window(full // out, full // out))
            else:
                return None  # windows of different sizes
        return tuple(windows)


@layer("adaptive_max_pool")
class AdaptiveMaxPool(AdaptivePool):
    """The greatest value of each window."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=self.taken(xs[0]))


@layer("adaptive_average_pool")
class AdaptiveAveragePool(AdaptivePool):
    """The mean of each window."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(pooled=self.taken(xs[0]))
