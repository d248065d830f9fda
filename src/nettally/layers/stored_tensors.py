"""Tensors that a network holds by itself: fed to a layer, combined with its values, looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LayerError
from ..network import NOTHING, SAME_PLACE, Layer, Shape, Window, check_size
from .fields import one_of
from .merging import broadcast, stretched
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATIONS = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power")
"""What can be done with a held tensor."""


def _sizes(name: str, value: Any) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for size in sizes:
        check_size(name, size, 0)
    return sizes


@layer("tensor")
class Tensor(Layer):
    """A tensor of a given size, the batch's own with it. It stands without inputs.

    learned: it is a parameter (a class token, positions), and not a constant of the arithmetic.
    kept: it is no parameter, and is kept with the network (a buffer).
    """

    arity = 0
    least = 0
    positional = ("size",)

    size: Any = ()
    learned: bool = True
    kept: bool = False

    def __post_init__(self) -> None:
        self.__dict__["size"] = _sizes("size", self.size)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return self.size

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": self.size} if self.learned else NOTHING

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"value": self.size} if self.kept else NOTHING

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return SAME_PLACE


@layer("combine")
class Combine(Layer):
    """One operation between each value and a held tensor's, sizes of 1 stretched (numpy's rule).

    operation: add, subtract, multiply, divide, maximum, minimum, power. size: the tensor's, its
    last axis under the input's last. first: the tensor stands left of the sign. learned: it is a
    parameter: ``bias`` where it is added, else ``weight``, or as ``tensor`` names it.
    """

    positional = ("operation", "size")

    operation: str = "add"
    size: Any = ()
    first: bool = False
    learned: bool = True
    tensor: str = ""

    def __post_init__(self) -> None:
        one_of("operation", self.operation, OPERATIONS)
        self.__dict__["size"] = _sizes("size", self.size)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return broadcast((xs[0], self.size))

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        name = self.tensor or ("bias" if self.operation == "add" else "weight")
        return {name: self.size} if self.learned else NOTHING

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return stretched(xs[0], self.shape(xs))


@layer("embedding")
class Embedding(Layer):
    """A table of ``rows`` entries, each of ``size`` values: one entry for each index of the input.

    The output has the input's axes, then the entry's.
    """

    positional = ("rows", "size")

    rows: int = 0
    size: Any = ()

    def __post_init__(self) -> None:
        check_size("rows", self.rows)
        self.__dict__["size"] = _sizes("size", self.size)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return (*xs[0], *self.size)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": (self.rows, *self.size)}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if len(xs[0]) > 2 else SAME_PLACE


@layer("gather")
class Gather(Layer):
    """Entries along an axis of the first input, those that the second, of whole numbers, names."""

    arity = 2

    axis: int = 0

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, indices = xs
        if not isinstance(self.axis, int) or not 0 <= self.axis < len(x):
            raise LayerError(
                "gather's axis is outside its first input",
                values=f"axis {self.axis}, {len(x)} axes",
            )
        axis = int(self.axis)
        return (*x[:axis], *indices, *x[axis + 1 :])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None
