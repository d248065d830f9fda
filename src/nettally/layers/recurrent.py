"""Layers with a state: simple, gated, convolutional; over all steps of a sequence, or for one step.

A sequence is (batch, steps, features), one step of it (batch, features). One step of a sequence of
maps is (batch, channels, space), all of it (batch, steps, channels, space).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..arith import product
from ..errors import LayerError
from ..network import NOTHING, WHOLE, Layer, Shape, Window, Work, check_size
from .fields import by_axis, per_axis, sides, square, windows
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Recurrent(Layer):
    """A layer whose units see the step's input and the units' own values one step before.

    sequence: all steps' outputs, else the last one's. directions 2: a second layer of the kind
    reads the sequence backwards, and their outputs stand side by side. biases: vectors of biases,
    2 where the input's and the state's products have one each (torch, ONNX, cuDNN), 1 where one is
    added (Keras), or 0. norm: each product is batch normalised, with factors (Darknet).
    """

    batch_first = True
    weighted = True
    positional = ("features",)
    gates: ClassVar[int] = 1

    features: int = 0
    sequence: bool = True
    directions: int = 1
    biases: int = 2
    norm: bool = False

    def __post_init__(self) -> None:
        check_size("features", self.features)
        if self.directions not in (1, 2):
            raise LayerError("directions is 1 or 2", values=f"directions {self.directions}")
        if self.biases not in (0, 1, 2):
            raise LayerError("biases is 0, 1 or 2", values=f"biases {self.biases}")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) not in (2, 3):
            raise LayerError(
                f"{self.kind} reads (batch, steps, features), or one step of it",
                values=f"input {by_axis(x)}",
            )
        wide = self.features if self.directions == 1 else self.features * self.directions
        return (x[0], x[1], wide) if len(x) == 3 and self.sequence else (x[0], wide)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        tensors: dict[str, Shape] = {}
        rows = self.features if self.gates == 1 else self.gates * self.features
        for way in ("", "_reverse")[: int(self.directions)]:
            tensors[f"weight_ih{way}"] = (rows, xs[0][-1])
            tensors[f"weight_hh{way}"] = (rows, self.features)
            if self.biases:
                tensors[f"bias_ih{way}"] = (rows,)
            if self.biases == 2:
                tensors[f"bias_hh{way}"] = (rows,)
            if self.norm:
                tensors[f"scale_ih{way}"] = tensors[f"scale_hh{way}"] = (rows,)
        return tensors

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return _statistics(self.parameters(xs)) if self.norm else NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        x = xs[0]
        units = product(x[:-1]) * self.features
        if self.directions != 1:
            units = units * self.directions
        sums = units if self.gates == 1 else units * self.gates
        return Work(sums * (x[-1] + self.features), sums * self.biases if self.biases else 0)

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        # what reads a sequence backwards too can't go on
        return xs[0][0] * self.features if self.directions == 1 else 0

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE if len(xs[0]) == 2 else (Window(0),)


@layer("rnn")
class SimpleRNN(Recurrent):
    """h = tanh(W x + U h + b), or relu for tanh."""


@layer("gru")
class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014): a reset and an update gate, and the candidate."""

    gates = 3


@layer("lstm")
class LSTM(Recurrent):
    """Long short-term memory: an input, a forget and an output gate, and the candidate.

    Hochreiter and Schmidhuber 1997; Gers et al. 2000. projection: the state is brought to so many
    values by a learned matrix (Sak et al. 2014); 0: it is not.
    """

    gates = 4

    projection: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size("projection", self.projection, 0)

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        cells = super().cache_size(xs, context)
        return cells + (xs[0][0] * self.projection if cells and self.projection else cells)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        y = super().shape(xs)
        if not self.projection:
            return y
        wide = self.projection if self.directions == 1 else self.projection * self.directions
        return (*y[:-1], wide)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        tensors = super().parameters(xs)
        if not self.projection:
            return tensors
        weights: dict[str, Shape] = {}
        for name, shape in tensors.items():
            weights[name] = (shape[0], self.projection) if name.startswith("weight_hh") else shape
        for way in ("", "_reverse")[: int(self.directions)]:
            weights[f"weight_hr{way}"] = (self.projection, self.features)
        return weights

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        work = super().work(xs, y)
        if not self.projection:
            return work
        x = xs[0]
        steps = product(x[:-1]) * self.directions
        gates = steps * self.gates * self.features * (x[-1] + self.projection)
        return work._replace(macs=gates + steps * self.features * self.projection)


@layer("elman")
class Elman(Layer):
    """Darknet's [rnn]: state = f(W x) + f(U state); y = f(V state), each with a bias (Elman 1990).

    norm: each of the three is batch normalised. features: of y. It works on one step.
    """

    batch_first = True
    weighted = True
    positional = ("features", "hidden")

    features: int = 0
    hidden: int = 0
    norm: bool = False

    def __post_init__(self) -> None:
        check_size("features", self.features)
        check_size("hidden", self.hidden)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        return (xs[0][0], self.features)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return _three(
            (self.hidden, product(xs[0][1:])),
            (self.hidden, self.hidden),
            (self.features, self.hidden),
            self.norm,
        )

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return _statistics(self.parameters(xs)) if self.norm else NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        batch, seen, hidden = xs[0][0], product(xs[0][1:]), self.hidden
        units = (hidden if batch == 1 else batch * hidden) * 1
        macs = units * seen + units * hidden + units * self.features
        return Work(macs=macs, bias_adds=units + units + product(y))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return WHOLE


class _Maps(Layer):
    """The fields of a convolution from step to step; the state's keeps the size of its maps."""

    batch_first = True

    def _settle(self) -> None:
        state = self.__dict__
        kernel = square(state["kernel"], "kernel")
        axes = len(kernel)
        state["kernel"] = per_axis(kernel, axes, "kernel")
        state["stride"] = per_axis(state["stride"], axes, "stride")
        state["padding"] = sides(state["padding"], axes)
        state["dilation"] = per_axis(state["dilation"], axes, "dilation")
        check_size("groups", state["groups"])

    def maps(self, x: Shape) -> tuple[int, Shape]:
        """The axis of the channels, and the sizes of the maps that come out."""
        kernel: tuple[int, ...] = self.__dict__["kernel"]
        axes = len(kernel)
        if len(x) not in (axes + 2, axes + 3):
            raise LayerError(
                f"{self.kind} reads (batch, channels, {axes} axes of space), or steps of it",
                values=f"input {by_axis(x)}",
            )
        state = self.__dict__
        channel = len(x) - axes - 1
        if int(x[channel]) % int(state["groups"]):
            raise LayerError(
                "the groups must divide the input's channels",
                values=f"channels {x[channel]}, groups {state['groups']}",
            )
        space = windows(
            x[-axes:], kernel, state["stride"], state["padding"], state["dilation"], "down"
        )
        return channel, space

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None  # through the state, a step sees further at each step


@layer("conv_elman")
class ConvElman(_Maps):
    """Darknet's [crnn]: as elman, with convolutions. filters: of the output. It works on one step.

    The state's convolution and the last one are those of the input, but for their channels.
    """

    weighted = True
    positional = ("filters", "hidden", "kernel")

    filters: int = 0
    hidden: int = 0
    kernel: Any = 3
    padding: Any = 1
    dilation: Any = 1
    stride: Any = 1
    groups: int = 1
    norm: bool = False

    def __post_init__(self) -> None:
        self._settle()
        for name in ("filters", "hidden"):
            check_size(name, getattr(self, name))
            if int(getattr(self, name)) % int(self.groups):
                raise LayerError(
                    f"the groups must divide {name}",
                    values=f"{name} {getattr(self, name)}, groups {self.groups}",
                )
        if any(s != 1 for s in self.stride):
            raise LayerError("a state keeps its size: its stride is 1")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        _, space = self.maps(x)
        if tuple(space) != tuple(x[2:]):
            raise LayerError(
                "a state keeps its size",
                values=f"maps {by_axis(x[2:])} become {by_axis(space)}",
                hint="a padding of half the kernel",
            )
        return (x[0], self.filters, *x[2:])

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        seen, groups = xs[0][1], self.groups
        return _three(
            (self.hidden, seen // groups, *self.kernel),
            (self.hidden, self.hidden // groups, *self.kernel),
            (self.filters, self.hidden // groups, *self.kernel),
            self.norm,
        )

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return _statistics(self.parameters(xs)) if self.norm else NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        places = product((y[0], *y[2:]))
        weights = [v for k, v in self.parameters(xs).items() if k.startswith("weight")]
        macs = places * (product(weights[0]) + product(weights[1]) + product(weights[2]))
        return Work(macs=macs, bias_adds=places * (2 * self.hidden + self.filters))


@layer("conv_lstm")
class ConvLSTM(_Maps):
    """Long short-term memory whose products are convolutions (Shi et al. 2015).

    biases, norm, sequence: as for lstm. peephole: the gates see the cell by convolutions of their
    own (Darknet). bottleneck: one convolution of twice the channels stands for the state's four
    (Darknet). The state's convolutions keep the size of the maps.
    """

    weighted = True
    positional = ("filters", "kernel")

    filters: int = 0
    kernel: Any = 3
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    sequence: bool = True
    biases: int = 1
    peephole: bool = False
    bottleneck: bool = False
    norm: bool = False

    def __post_init__(self) -> None:
        self._settle()
        check_size("filters", self.filters)
        if int(self.filters) % int(self.groups):
            raise LayerError(
                "the groups must divide the filters",
                values=f"filters {self.filters}, groups {self.groups}",
            )
        if self.biases not in (0, 1, 2):
            raise LayerError("biases is 0, 1 or 2", values=f"biases {self.biases}")

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        channel, space = self.maps(x)
        if channel == 2 and self.sequence:
            return (x[0], x[1], self.filters, *space)
        return (x[0], self.filters, *space)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        x, filters, groups = xs[0], self.filters, self.groups
        kernel = self.kernel
        seen = x[len(x) - len(kernel) - 1] // groups
        each = filters // groups
        tensors: dict[str, Shape] = {"weight_ih": (4 * filters, seen, *kernel)}
        tensors["weight_hh"] = (4 * filters, each, *kernel)
        rows = 4 * filters
        if self.bottleneck:
            tensors["weight_hh"] = (filters, 2 * filters // groups, *kernel)
            rows = 1 * filters
        if self.peephole:
            tensors["weight_peephole"] = (3 * filters, each, *kernel)
        if self.biases:
            tensors["bias_ih"] = (4 * filters,)
        if self.biases == 2:
            tensors["bias_hh"] = (rows,)
            if self.peephole:
                tensors["bias_peephole"] = (3 * filters,)
        if self.norm:
            for name in [name for name in tensors if name.startswith("weight")]:
                tensors["scale" + name[6:]] = tensors[name][:1]
        return tensors

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return _statistics(self.parameters(xs)) if self.norm else NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        x = xs[0]
        channel, space = self.maps(x)
        places = product((*x[:channel], *space))
        macs: Any = 0
        biases: Any = 0
        for name, shape in self.parameters(xs).items():
            if name.startswith("weight"):
                macs = macs + places * product(shape)
            elif name.startswith("bias"):
                biases = biases + places * shape[0]
        return Work(macs, biases)


def _three(first: Shape, state: Shape, last: Shape, norm: bool) -> dict[str, Shape]:
    """The parameters of three products in a row, each with a bias."""
    tensors: dict[str, Shape] = {}
    for name, shape in (("in", first), ("state", state), ("out", last)):
        tensors[f"weight_{name}"] = shape
        tensors[f"bias_{name}"] = shape[:1]
        if norm:
            tensors[f"scale_{name}"] = shape[:1]
    return tensors


def _statistics(tensors: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """The running means and variances of the products that have a factor."""
    kept: dict[str, Shape] = {}
    for name, shape in tensors.items():
        if name.startswith("scale"):
            kept[f"running_mean{name[5:]}"] = kept[f"running_var{name[5:]}"] = shape
    return kept
