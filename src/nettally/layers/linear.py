"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..errors import LayerError
from ..network import WHOLE, Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("linear")
class Linear(Layer):
    """Fully connected: y = weight · x + bias over all the axes from ``axis`` on.

    axis 1 reads all of an example, channels × height × width (Caffe's InnerProduct,
    cuda-convnet's fc); axis -1 reads the last axis only and keeps the others (torch's Linear).
    transposed: the weight is stored with the inputs' axis first (GPT-2's checkpoints).
    """

    weighted = True
    positional = ("features",)

    features: int = 0
    bias: bool = True
    axis: int = 1
    transposed: bool = False

    def __post_init__(self) -> None:
        check_size("features", self.features)
        if type(self.axis) is not int:
            raise LayerError("axis must be a whole number", values=f"axis {self.axis!r}")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        axis = self.axis
        if axis == 1:
            return (x[0], self.features)
        if not -len(x) < axis < len(x) or axis == 0:
            raise LayerError(
                "linear's axis is outside its input",
                values=f"axis {axis}, input {by_axis(x)}",
                hint="axis 1 for a whole example, -1 for the last axis",
            )
        return (*x[: int(axis)], self.features)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        weight = (self.features, product(xs[0][int(self.axis) :]))
        if self.transposed:
            weight = (weight[1], weight[0])
        return {"weight": weight, "bias": (self.features,)} if self.bias else {"weight": weight}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        units = product(y)
        return Work(units * product(xs[0][int(self.axis) :]), units if self.bias else 0)

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return self.axis % len(xs[0]) == 1

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        rank = len(xs[0])
        axis = self.axis % rank
        return WHOLE if axis == 1 else tuple(Window(int(i < axis)) for i in range(2, rank))
