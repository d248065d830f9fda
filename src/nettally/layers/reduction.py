"""Many values to one: along axes."""

from __future__ import annotations

from typing import Any

from ..errors import LayerError
from ..network import SAME_PLACE, WHOLE, Layer, Shape, Window
from .fields import by_axis, one_of
from .registry import layer

# fmt: off
OPERATIONS = (
    "sum", "mean", "maximum", "minimum", "product", "l1", "l2", "lp", "sum_of_squares", "log_sum",
    "log_sum_exp", "place_of_maximum", "place_of_minimum",
)
# fmt: on


@layer("reduce")
class Reduce(Layer):
    """The sum, mean, greatest, ... along some axes (0 is the batch).

    keep: leave sizes of 1 in place of the axes.
    """

    positional = ("operation", "axes")

    operation: str = "mean"
    axes: Any = ()
    keep: bool = True

    def __post_init__(self) -> None:
        one_of("operation", self.operation, OPERATIONS)
        axes: Any = self.axes
        axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
        if not all(isinstance(axis, int) for axis in axes):
            raise LayerError("axes are whole numbers", values=f"axes {axes}")
        self.__dict__["axes"] = axes

    def _over(self, x: Shape) -> set[int]:
        over: set[int] = set()
        for axis in self.axes:
            if not -len(x) <= axis < len(x):
                raise LayerError(
                    "reduce's axis is outside its input", values=f"axis {axis}, input {by_axis(x)}"
                )
            over.add(int(axis) % len(x))
        return over

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        over = self._over(x)
        if self.keep:
            return tuple(1 if axis in over else size for axis, size in enumerate(x))
        return tuple(size for axis, size in enumerate(x) if axis not in over)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        x = xs[0]
        over = self._over(x)
        space = set(range(2, len(x)))
        if not space or not over or (self.keep and over.isdisjoint(space)):
            return SAME_PLACE
        if space <= over:
            return WHOLE
        if not self.keep:
            return None  # other axes are those of space
        return tuple(Window(0 if axis in over else 1) for axis in range(2, len(x)))
