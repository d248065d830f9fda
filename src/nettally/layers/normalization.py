"""Normalisation: by batch statistics, over neighbouring channels, over layers and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LayerError
from ..network import NOTHING, SAME_PLACE, WHOLE, Layer, Shape, Window, check_size
from .fields import by_axis, one_of
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("batch_norm")
class BatchNorm(Layer):
    """Batch normalisation: (x - mean) / √(variance + epsilon), then weight and bias a channel.

    Ioffe and Szegedy 2015. weight, bias: learned. statistics: running mean and variance are kept.
    In use it is one multiplication and one addition a value.
    """

    batch_first = True

    weight: bool = True
    bias: bool = True
    statistics: bool = True
    epsilon: float = 1e-5

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        channels = (xs[0][1],)
        if self.weight and self.bias:
            return {"weight": channels, "bias": channels}
        if self.weight:
            return {"weight": channels}
        return {"bias": channels} if self.bias else NOTHING

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        if not self.statistics:
            return NOTHING
        return {"running_mean": (xs[0][1],), "running_var": (xs[0][1],)}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        # without statistics of its own it takes those of the whole map
        return SAME_PLACE if self.statistics else tuple(Window(0) for _ in xs[0][2:])


@layer("scale")
class Scale(Layer):
    """One learned factor a channel, and one learned bias (Caffe's Scale and Bias).

    axis, axes: the axes that have factors of their own, ``axes`` of them from ``axis`` on; -1 for
    all that follow, 0 for one factor in all.
    """

    weight: bool = True
    bias: bool = True
    axis: int = 1
    axes: int = 1

    def __post_init__(self) -> None:
        check_size("axis", self.axis, 0)
        if self.axes != -1:
            check_size("axes", self.axes, 0)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if self.axis + max(self.axes, 0) > len(x):
            raise LayerError(
                "scale has axes that its input has not",
                values=f"axis {self.axis}, axes {self.axes}, input {by_axis(x)}",
            )
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        end = None if self.axes == -1 else int(self.axis + self.axes)
        each = tuple(xs[0][int(self.axis) : end]) or (1,)
        tensors = {"weight": each, "bias": each}
        return {k: v for k, v in tensors.items() if getattr(self, k)}

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        return self.axis == 1 and self.axes != 0

    def _named(self, fields: Mapping[str, Any]) -> Layer:
        layer = super()._named(fields)
        # they count axes, and are no sizes
        layer.__dict__.update(axis=int(self.axis), axes=int(self.axes))
        return layer


@layer("l2_norm")
class L2Norm(Layer):
    """Each value divided by the length of its vector, times a learned factor (ParseNet, SSD).

    across: the vector is the "channels" of one place, or "all" values of an example.
    shared: one factor, and not one a channel.
    """

    batch_first = True

    across: str = "channels"
    shared: bool = False
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        one_of("across", self.across, ("channels", "all"))

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return xs[0]

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": (1,) if self.shared else (xs[0][1],)}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE if self.across == "all" else ()


@layer("lrn")
class LocalResponseNorm(Layer):
    """Local response normalisation: x · (k + alpha/n · Σ x²)^-beta over n neighbours.

    Krizhevsky et al. 2012, section 3.3. alpha: as torch, Caffe and ONNX have it, divided by the
    number of values in the window (the paper's own formula, and TensorFlow's, is undivided).
    across: neighbouring "channels", within ``groups`` of them, or "space", within each map.
    """

    batch_first = True
    positional = ("size",)

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    groups: int = 1
    across: str = "channels"

    def __post_init__(self) -> None:
        check_size("size", self.size)
        check_size("groups", self.groups)
        one_of("across", self.across, ("channels", "space"))

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if int(x[1]) % int(self.groups):
            raise LayerError(
                "the groups must divide the input's channels",
                values=f"channels {x[1]}, groups {self.groups}",
            )
        return x

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        if self.across == "channels":
            return ()
        return tuple(Window(self.size, 1, self.size // 2) for _ in xs[0][2:])


@layer("contrast_norm")
class ContrastNorm(LocalResponseNorm):
    """Local contrast normalisation: as lrn, of each value less its window's mean (cuda-convnet)."""

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        # of each value in its window it takes the difference to the mean of that value's window
        windows = super().window(xs)
        if not windows:
            return windows
        return tuple(Window(2 * size - 1, 1, 2 * before) for size, _, before, _ in windows)


@layer("layer_norm")
class LayerNorm(Layer):
    """Normalisation over the last ``axes`` axes of each example (Ba et al. 2016)."""

    axes: int = 1
    weight: bool = True
    bias: bool = True
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_size("axes", self.axes)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if self.axes >= len(xs[0]):
            raise LayerError(
                "layer_norm has more axes than its input",
                values=f"axes {self.axes}, input {by_axis(xs[0])}",
            )
        return xs[0]

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        last = xs[0][len(xs[0]) - self.axes :]
        tensors = {"weight": last, "bias": last}
        return {k: v for k, v in tensors.items() if getattr(self, k)}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        rank = len(xs[0])
        if self.axes == rank - 1:
            return WHOLE
        return tuple(Window(int(axis < rank - self.axes)) for axis in range(2, rank))


@layer("rms_norm")
class RootMeanSquareNorm(Layer):
    """x / √(mean of x² + epsilon) over the last ``axes`` axes (Zhang and Sennrich 2019)."""

    axes: int = 1
    weight: bool = True
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_size("axes", self.axes)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if self.axes >= len(xs[0]):
            raise LayerError(
                "rms_norm has more axes than its input",
                values=f"axes {self.axes}, input {by_axis(xs[0])}",
            )
        return xs[0]

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": xs[0][len(xs[0]) - self.axes :]} if self.weight else NOTHING

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        rank = len(xs[0])
        if self.axes == rank - 1:
            return WHOLE
        return tuple(Window(int(axis < rank - self.axes)) for axis in range(2, rank))


@layer("group_norm")
class GroupNorm(Layer):
    """Normalisation over space and the channels of a group (Wu and He 2018).

    groups 1 is layer normalisation over channels and space; as many groups as channels is
    instance normalisation.
    """

    batch_first = True
    positional = ("groups",)

    groups: int = 32
    weight: bool = True
    bias: bool = True
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_size("groups", self.groups)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if int(x[1]) % int(self.groups):
            raise LayerError(
                "the groups must divide the input's channels",
                values=f"channels {x[1]}, groups {self.groups}",
            )
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        tensors = {"weight": (xs[0][1],), "bias": (xs[0][1],)}
        return {k: v for k, v in tensors.items() if getattr(self, k)}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE if self.groups == 1 else tuple(Window(0) for _ in xs[0][2:])


@layer("standardize")
class Standardize(Layer):
    """Each value less a mean, over a deviation, both measured before (Keras' Normalization).

    size: of the mean and of the variance, without the batch, sizes of 1 being stretched. kept:
    they are kept as variables, with how many values they were measured on; else they are constants.
    """

    size: Any = ()
    kept: bool = True

    def __post_init__(self) -> None:
        size = tuple(self.size) if isinstance(self.size, (tuple, list)) else (self.size,)
        self.__dict__["size"] = size
        for each in size:
            check_size("size", each)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, size = xs[0], self.size
        if len(size) != len(x) - 1 or any(
            n not in (1, m) for n, m in zip(size, x[1:], strict=True)
        ):
            raise LayerError(
                "the statistics do not fit the input",
                values=f"size {by_axis(size)}, input {by_axis(x)}",
            )
        return x

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        if not self.kept:
            return NOTHING
        return {"mean": self.size, "variance": self.size, "count": ()}
