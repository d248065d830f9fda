"""What DeepSeek-V4 (2026) adds: streams beside each other, and shorter sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..errors import LayerError
from ..network import Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("grouped_linear")
class GroupedLinear(Layer):
    """Connected layers side by side, each between its part of the channels and its part of theirs.

    Input: (…, channels), shared out to the groups in order; output: (…, features), each group's
    behind the last one's. The weight is one matrix of features · (channels / groups).
    """

    weighted = True
    positional = ("features", "groups")

    features: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        check_size("features", self.features)
        check_size("groups", self.groups)
        if int(self.features) % int(self.groups):
            raise LayerError(
                "the groups do not divide the features",
                values=f"features {self.features}, groups {self.groups}",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) < 2 or int(x[-1]) % int(self.groups):
            raise LayerError(
                "the groups do not divide the channels",
                values=f"{by_axis(x)}, groups {self.groups}",
            )
        return (*x[:-1], self.features)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": (self.features, xs[0][-1] // self.groups)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(product(y) * (xs[0][-1] // self.groups))

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("hyper_connection")
class HyperConnection(Layer):
    """How a token's streams are mixed before a part, behind it, and with each other (Xie 2026).

    Input: (batch, places, streams · channels). Output: for each place a weight of each stream for
    the part's input, one for its output, and a matrix of streams · streams, made doubly stochastic
    by ``rounds`` of normalising rows and columns. head: the first alone, at the model's end.
    """

    weighted = True
    positional = ("streams",)

    streams: int = 1
    rounds: int = 20
    head: bool = False

    def __post_init__(self) -> None:
        check_size("streams", self.streams)
        check_size("rounds", self.rounds)

    @property
    def _weights(self) -> int:
        return self.streams if self.head else self.streams * (2 + self.streams)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) != 3 or int(x[2]) % int(self.streams):
            raise LayerError(
                "the streams do not divide the channels",
                values=f"{by_axis(x)}, streams {self.streams}",
            )
        return (*x[:2], self._weights)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        prefix = "hc_" if self.head else ""
        return {
            f"{prefix}fn": (self._weights, xs[0][2]),
            f"{prefix}base": (self._weights,),
            f"{prefix}scale": (1 if self.head else 3,),
        }

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        return Work(product(y) * xs[0][2])

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("compress")
class Compress(Layer):
    """A sequence made shorter: of each ``rate`` places one, weighted by the softmax of a gate.

    Inputs: values and gates, each (batch, places, channels); places that fill no whole window are
    left out. overlap: half the channels weigh into the window after theirs, and half are put out.
    """

    arity = 2
    positional = ("rate",)

    rate: int = 1
    overlap: bool = False

    def __post_init__(self) -> None:
        check_size("rate", self.rate)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, gate = xs
        if len(x) != 3 or gate != x or (self.overlap and int(x[2]) % 2):
            raise LayerError(
                "compress reads (batch, places, channels) and a gate of the same size",
                values=f"{by_axis(x)}, {by_axis(gate)}",
            )
        return (x[0], x[1] // self.rate, x[2] // 2 if self.overlap else x[2])

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"position_bias": (self.rate, xs[0][2])}

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None
