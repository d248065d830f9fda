"""Functions of one value (and softmax, and dropout): the shape stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..arith import product
from ..errors import LayerError
from ..network import NO_WORK, WHOLE, Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Activation(Layer):
    """A function of each value by itself. steps: the work of one value."""

    steps: ClassVar[Work] = NO_WORK

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        if self.steps is NO_WORK:
            return NO_WORK
        values = product(y)
        return Work(*[values * each if each else 0 for each in self.steps])


@layer("relu")
class ReLU(Activation):
    """max(x, 0)."""

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(compares=product(y))


@layer("relu6")
class ReLU6(Activation):
    """min(max(x, 0), 6)."""

    steps = Work(compares=2)


@layer("clipped_relu")
class ClippedReLU(Activation):
    """min(max(x, 0), limit)."""

    positional = ("limit",)
    steps = Work(compares=2)

    limit: float = 1.0


@layer("leaky_relu")
class LeakyReLU(Activation):
    """x, or slope · x where x is negative."""

    positional = ("slope",)
    steps = Work(compares=1, multiplies=1)

    slope: float = 0.01


@layer("prelu")
class PReLU(Activation):
    """x, or a learned slope · x where x is negative (He et al. 2015): one slope a channel.

    shared: one in all. size: or of these sizes, without the batch, sizes of 1 being stretched
    (Keras has one for each value).
    """

    steps = Work(compares=1, multiplies=1)

    shared: bool = False
    size: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        size: Any = self.size
        if size is not None:
            self.__dict__["size"] = tuple(size) if isinstance(size, (tuple, list)) else (size,)
            for each in self.size or ():
                check_size("size", each)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, size = xs[0], self.size
        if size is not None and (
            len(size) != len(x) - 1
            or any(n not in (1, m) for n, m in zip(size, x[1:], strict=True))
        ):
            raise LayerError(
                "the slopes do not fit the input",
                values=f"size {by_axis(size)}, input {by_axis(x)}",
            )
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        if self.size is not None:
            return {"weight": self.size}
        return {"weight": (1,) if self.shared else (xs[0][1],)}

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return self.size is not None or not self.shared


@layer("elu")
class ELU(Activation):
    """x, or alpha · (eˣ - 1) where x is negative."""

    steps = Work(compares=1, transcendentals=1, adds=1, multiplies=1)

    alpha: float = 1.0


@layer("selu")
class SELU(Activation):
    """A fixed multiple of elu with a fixed alpha."""

    steps = Work(compares=1, transcendentals=1, adds=1, multiplies=2)


@layer("gelu")
class GELU(Activation):
    """x · Φ(x), Φ the normal distribution. approximate: by tanh."""

    steps = Work(transcendentals=1, adds=1, multiplies=3)

    approximate: bool = False


@layer("silu")
class SiLU(Activation):
    """x · sigmoid(x); also called swish."""

    steps = Work(transcendentals=1, adds=1, multiplies=1, divides=1)


@layer("mish")
class Mish(Activation):
    """x · tanh(log(1 + eˣ))."""

    steps = Work(transcendentals=3, adds=1, multiplies=1)


@layer("hard_swish")
class HardSwish(Activation):
    """x · min(max(x + 3, 0), 6) / 6."""

    steps = Work(compares=2, adds=1, multiplies=2)


@layer("hard_sigmoid")
class HardSigmoid(Activation):
    """min(max(x + 3, 0), 6) / 6."""

    steps = Work(compares=2, adds=1, multiplies=1)


@layer("sigmoid")
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    steps = Work(transcendentals=1, adds=1, divides=1)


@layer("tanh")
class Tanh(Activation):
    """scale · tanh(slope · x); LeCun's is 1.7159 · tanh(2/3 · x)."""

    steps = Work(transcendentals=1)

    scale: float = 1.0
    slope: float = 1.0


@layer("softplus")
class Softplus(Activation):
    """log(1 + eˣ)."""

    steps = Work(transcendentals=2, adds=1)


@layer("square")
class Square(Activation):
    """x²."""

    steps = Work(multiplies=1)


@layer("sqrt")
class Sqrt(Activation):
    """√x."""

    steps = Work(transcendentals=1)


@layer("power")
class Power(Activation):
    """x to a fixed exponent."""

    positional = ("exponent",)
    steps = Work(transcendentals=1)

    exponent: float = 1.0


@layer("exp")
class Exp(Activation):
    """eˣ."""

    steps = Work(transcendentals=1)


@layer("log")
class Log(Activation):
    """log(x + offset)."""

    steps = Work(transcendentals=1, adds=1)

    offset: float = 0.0


@layer("abs")
class Abs(Activation):
    """|x|."""

    steps = Work(compares=1)


@layer("affine")
class Affine(Activation):
    """slope · x + offset, both fixed."""

    steps = Work(multiplies=1, adds=1)

    slope: float = 1.0
    offset: float = 0.0


@layer("identity")
class Identity(Activation):
    """The input itself."""


@layer("dropout")
class Dropout(Activation):
    """In training each value is left out with the chance ``rate``; in use, the input itself."""

    positional = ("rate",)

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.rate, (int, float)) or not 0 <= self.rate <= 1:
            raise LayerError("rate is a chance", values=f"rate {self.rate}", hint="0 to 1")


class _Softmax(Layer):
    axis: int = 1

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if not isinstance(self.axis, int) or not -len(x) <= self.axis < len(x):
            raise LayerError(
                f"{self.kind}'s axis is outside its input",
                values=f"axis {self.axis}, input {by_axis(x)}",
            )
        return x

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        x = xs[0]
        axis = self.axis % len(x)
        if len(x) == 2 and axis == 1:
            return WHOLE
        return tuple(Window(int(i != axis)) for i in range(2, len(x))) if axis > 1 else ()


@layer("softmax")
class Softmax(_Softmax):
    """eˣ / Σ eˣ over an axis."""

    axis: int = 1

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        values = product(y)
        return Work(transcendentals=values, adds=values, divides=values)


@layer("log_softmax")
class LogSoftmax(_Softmax):
    """x - log Σ eˣ over an axis."""

    axis: int = 1

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        values = product(y)
        return Work(transcendentals=values, adds=values * 2)
