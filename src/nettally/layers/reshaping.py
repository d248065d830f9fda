"""Layers that move values and make none: views, padding, cropping, resizing."""

from __future__ import annotations

from typing import Any

from ..arith import ceildiv, product
from ..errors import LayerError
from ..network import Layer, Shape, Window, check_size
from .fields import by_axis, one_of, padded, per_axis, sides, space, square
from .registry import layer


@layer("flatten")
class Flatten(Layer):
    """All the axes from ``start`` on as one."""

    start: int = 1

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if not isinstance(self.start, int) or not 0 <= self.start < len(x):
            raise LayerError(
                "flatten starts outside its input",
                values=f"start {self.start}, input {by_axis(x)}",
            )
        start = int(self.start)
        return (*x[:start], product(x[start:]))

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return self.start == 1

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if len(xs[0]) > 2 else ()


@layer("reshape")
class Reshape(Layer):
    """The same values in another shape, the batch left alone. One size may be -1: what is left.

    whole: the size is all of the output's, the batch's own with it.
    """

    positional = ("size",)

    size: tuple[int, ...] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        size: Any = self.size
        size = tuple(size) if isinstance(size, (tuple, list)) else (size,)
        self.__dict__["size"] = size
        for each in size:
            if each != -1:
                check_size("size", each, 0 if self.whole else 1)
        if sum(each == -1 for each in size) > 1 or not (size or self.whole):
            raise LayerError("reshape needs its sizes, at most one of them -1")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if self.whole:
            return self._whole(x)
        values = int(product(x[1:]))
        known = int(product(each for each in self.size if each != -1))
        if values % known or (-1 not in self.size and values != known):
            raise LayerError(
                "reshape must keep the number of values",
                values=f"input {by_axis(x[1:])} = {values:,}, output {by_axis(self.size)}",
            )
        return (x[0], *(values // known if each == -1 else each for each in self.size))

    def _whole(self, x: Shape) -> Shape:
        values = int(product(x))
        known = int(product(each for each in self.size if each != -1))
        left = values // known if known else 0
        if known * (left if -1 in self.size else 1) != values:
            raise LayerError(
                "reshape must keep the number of values",
                values=f"input {by_axis(x)} = {values:,}, output {by_axis(self.size)}",
            )
        return tuple(left if each == -1 else each for each in self.size)

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return not self.whole

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("permute")
class Permute(Layer):
    """The axes in another order; ``order`` counts the batch as 0 and leaves it there.

    whole: the batch may move too.
    """

    positional = ("order",)

    order: tuple[int, ...] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        order: Any = self.order
        self.__dict__["order"] = tuple(order) if isinstance(order, (tuple, list)) else (order,)
        for axis in self.order:
            check_size("an axis of the order", axis, 0)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        moved = not self.whole and self.order[:1] != (0,)
        if moved or sorted(self.order) != list(range(len(x))):
            raise LayerError(
                "permute's order must name each axis once, the batch first",
                values=f"order {by_axis(self.order)}, input {by_axis(x)}",
            )
        return tuple(x[axis] for axis in self.order)

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return not self.whole

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("pad")
class Pad(Layer):
    """Values put around space. padding: as for conv; mode: what they are; value: of "constant"."""

    positional = ("padding",)

    padding: Any = 0
    mode: str = "zero"
    value: float = 0.0

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("zero", "reflect", "replicate", "constant"))
        axes = len(self.padding) if isinstance(self.padding, (tuple, list)) else 2
        self.__dict__["padding"] = sides(self.padding, axes)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        sizes = space(x, len(self.padding), self.kind)
        if self.mode == "reflect" and any(
            max(pair) >= size for size, pair in zip(sizes, self.padding, strict=True)
        ):
            raise LayerError(
                "there is too little to reflect",
                values=f"input {by_axis(sizes)}, padding {padded(self.padding)}",
                hint="a reflected border is narrower than its input",
            )
        return (
            x[0],
            x[1],
            *(size + a + b for size, (a, b) in zip(sizes, self.padding, strict=True)),
        )

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return tuple(Window(1, 1, before) for before, _ in self.padding)


@layer("crop")
class Crop(Layer):
    """Space without a border: ``border`` as padding is given, cut off and not put on."""

    positional = ("border",)

    border: Any = 0

    def __post_init__(self) -> None:
        axes = len(self.border) if isinstance(self.border, (tuple, list)) else 2
        self.__dict__["border"] = sides(self.border, axes)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        sizes = space(x, len(self.border), self.kind)
        left = tuple(size - a - b for size, (a, b) in zip(sizes, self.border, strict=True))
        if any(size < 1 for size in left):
            raise LayerError(
                "crop leaves nothing",
                values=f"input {by_axis(x[2:])}, border {padded(self.border)}",
            )
        return (x[0], x[1], *left)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return tuple(Window(1, 1, -before) for before, _ in self.border)


@layer("slice")
class Slice(Layer):
    """Part of one axis: from ``start`` up to ``stop`` (None: the end), every ``step``-th."""

    axis: int = 1
    start: int = 0
    stop: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        check_size("step", self.step)
        check_size("start", self.start, 0)
        if self.stop is not None:
            check_size("stop", self.stop)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if not isinstance(self.axis, int) or not 1 <= self.axis < len(x):
            raise LayerError(
                "slice's axis is outside its input", values=f"axis {self.axis}, input {by_axis(x)}"
            )
        axis = int(self.axis)
        stop = x[axis] if self.stop is None else self.stop
        if not self.start < stop <= x[axis]:
            raise LayerError(
                "slice takes nothing, or more than there is",
                values=f"start {self.start}, stop {stop}, size {x[axis]}",
            )
        length = stop if self.start == 0 else stop - self.start
        taken = length if self.step == 1 else ceildiv(length, self.step)
        return (*x[:axis], taken, *x[axis + 1 :])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        if self.axis == 1:
            return ()
        return tuple(
            Window(1, self.step, -self.start) if axis == self.axis else Window(1)
            for axis in range(2, len(xs[0]))
        )


@layer("upsample")
class Upsample(Layer):
    """Space made larger by whole factors, one or one an axis."""

    positional = ("scale",)

    scale: Any = 2
    mode: str = "nearest"

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("nearest", "linear", "cubic"))
        if isinstance(self.scale, (tuple, list)):
            self.__dict__["scale"] = per_axis(self.scale, len(self.scale), "scale")
        else:
            check_size("scale", self.scale)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        scale = self.scale if isinstance(self.scale, tuple) else (self.scale,) * (len(x) - 2)
        sizes = space(x, len(scale), self.kind)
        return (x[0], x[1], *(size * s for size, s in zip(sizes, scale, strict=True)))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        scale = self.scale if isinstance(self.scale, tuple) else (self.scale,) * (len(xs[0]) - 2)
        return tuple(_enlarged(self.mode, s) for s in scale)


@layer("resize")
class Resize(Layer):
    """Space brought to a given size."""

    positional = ("size",)

    size: Any = ()
    mode: str = "linear"

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("nearest", "linear", "cubic"))
        size = square(self.size, "size")
        self.__dict__["size"] = per_axis(size, len(size), "size")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        space(x, len(self.size), self.kind)
        return (x[0], x[1], *self.size)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        pairs = [(int(a), int(b)) for a, b in zip(xs[0][2:], self.size, strict=True)]
        if any(b % a for a, b in pairs):
            return None  # windows of different sizes
        return tuple(_enlarged(self.mode, b // a) for a, b in pairs)


def _enlarged(mode: str, scale: int) -> Window:
    """The window of an enlargement by a whole factor, as the transposed convolution that it is.

    Nearest: kernel and stride ``scale``. Linear (cubic): of the inputs nearer than 1 (2) to
    (i + 1/2) / scale - 1/2, half a pixel's centre being at 1/2; i.e. align_corners is off.
    """
    if scale == 1:
        return Window(1)
    if mode == "nearest":
        return Window(scale, 1, scale - 1, scale)
    reach = scale if mode == "linear" else 2 * scale
    return Window(2 * reach - scale % 2, 1, scale // 2 + reach - 1, scale)
