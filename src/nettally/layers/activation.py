"""Functions of one value (and softmax, and dropout): the shape stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LayerError
from ..network import WHOLE, Layer, Shape, Window, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Activation(Layer):
    """A function of each value by itself."""

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]


@layer("relu")
class ReLU(Activation):
    """max(x, 0)."""


@layer("relu6")
class ReLU6(Activation):
    """min(max(x, 0), 6)."""


@layer("clipped_relu")
class ClippedReLU(Activation):
    """min(max(x, 0), limit)."""

    positional = ("limit",)

    limit: float = 1.0


@layer("leaky_relu")
class LeakyReLU(Activation):
    """x, or slope · x where x is negative."""

    positional = ("slope",)

    slope: float = 0.01


@layer("prelu")
class PReLU(Activation):
    """x, or a learned slope · x where x is negative (He et al. 2015): one slope a channel.

    shared: one in all. size: or of these sizes, without the batch, sizes of 1 being stretched
    (Keras has one for each value).
    """

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

    alpha: float = 1.0


@layer("selu")
class SELU(Activation):
    """A fixed multiple of elu with a fixed alpha."""


@layer("gelu")
class GELU(Activation):
    """x · Φ(x), Φ the normal distribution. approximate: by tanh."""

    approximate: bool = False


@layer("silu")
class SiLU(Activation):
    """x · sigmoid(x); also called swish."""


@layer("mish")
class Mish(Activation):
    """x · tanh(log(1 + eˣ))."""


@layer("hard_swish")
class HardSwish(Activation):
    """x · min(max(x + 3, 0), 6) / 6."""


@layer("hard_sigmoid")
class HardSigmoid(Activation):
    """min(max(x + 3, 0), 6) / 6."""


@layer("sigmoid")
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""


@layer("tanh")
class Tanh(Activation):
    """scale · tanh(slope · x); LeCun's is 1.7159 · tanh(2/3 · x)."""

    scale: float = 1.0
    slope: float = 1.0


@layer("softplus")
class Softplus(Activation):
    """log(1 + eˣ)."""


@layer("square")
class Square(Activation):
    """x²."""


@layer("sqrt")
class Sqrt(Activation):
    """√x."""


@layer("power")
class Power(Activation):
    """x to a fixed exponent."""

    positional = ("exponent",)

    exponent: float = 1.0


@layer("exp")
class Exp(Activation):
    """eˣ."""


@layer("log")
class Log(Activation):
    """log(x + offset)."""

    offset: float = 0.0


@layer("abs")
class Abs(Activation):
    """|x|."""


@layer("affine")
class Affine(Activation):
    """slope · x + offset, both fixed."""

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


@layer("log_softmax")
class LogSoftmax(_Softmax):
    """x - log Σ eˣ over an axis."""

    axis: int = 1
