"""Layers of several inputs: value by value (sizes of 1 are stretched), or laid side by side."""

from __future__ import annotations

from ..arith import total
from ..errors import LayerError
from ..network import SAME_PLACE, Layer, Shape, Window
from .fields import by_axis
from .registry import layer


def broadcast(xs: tuple[Shape, ...]) -> Shape:
    """The common shape, sizes of 1 stretched (numpy's rule). Raises LayerError where they clash."""
    first = xs[0]
    if all(x == first for x in xs):
        return first
    rank = max(len(x) for x in xs)
    sizes: list[int] = []
    for axis in range(-rank, 0):
        size = 1
        for x in xs:
            if -axis <= len(x) and x[axis] != 1:
                if size not in (1, x[axis]):
                    raise LayerError(
                        "the inputs' shapes do not agree",
                        values=", ".join(by_axis(each) for each in xs),
                        hint="the branches must end with the same sizes: a stride, a padding or a "
                        "number of channels differs",
                    )
                size = x[axis]
        sizes.append(size)
    return tuple(sizes)


def stretched(x: Shape, y: Shape) -> tuple[Window, ...] | None:
    """The window of a layer that stretches its input of shape ``x`` to ``y``."""
    if x[2:] == y[2:]:
        return SAME_PLACE
    if len(x) != len(y):
        return None  # other axes are those of space
    return tuple(Window(int(a == b)) for a, b in zip(x[2:], y[2:], strict=True))


class Elementwise(Layer):
    """One operation between the values in the same place."""

    arity = 0

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return broadcast(xs)

    def windows(self, xs: tuple[Shape, ...]) -> tuple[tuple[Window, ...] | None, ...]:
        y = self.shape(xs)
        return tuple(stretched(x, y) for x in xs)


@layer("add")
class Add(Elementwise):
    """The sum of the inputs."""


@layer("subtract")
class Subtract(Elementwise):
    """The first input less the others."""


@layer("multiply")
class Multiply(Elementwise):
    """The product of the inputs, value by value."""


@layer("maximum")
class Maximum(Elementwise):
    """The greatest of the inputs, value by value."""


@layer("minimum")
class Minimum(Elementwise):
    """The least of the inputs, value by value."""


@layer("average")
class Average(Elementwise):
    """The mean of the inputs, value by value."""


@layer("concat")
class Concat(Layer):
    """The inputs side by side along an axis (1, the channels, where nothing is said)."""

    arity = 0

    axis: int = 1

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        first = xs[0]
        if not isinstance(self.axis, int) or not -len(first) <= self.axis < len(first):
            raise LayerError(
                "concat's axis is outside its input",
                values=f"axis {self.axis}, input {by_axis(first)}",
            )
        axis = int(self.axis) % len(first)
        rest = (*first[:axis], *first[axis + 1 :])
        for x in xs:
            if len(x) != len(first) or (*x[:axis], *x[axis + 1 :]) != rest:
                raise LayerError(
                    "the inputs of a concat may differ only along its axis",
                    values=f"axis {axis}; " + ", ".join(by_axis(each) for each in xs),
                )
        return (*first[:axis], total(x[axis] for x in xs), *first[axis + 1 :])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if self.axis % len(xs[0]) > 1 else ()
