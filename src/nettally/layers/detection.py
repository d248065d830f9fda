"""What Darknet's detectors put last."""

from __future__ import annotations

from ..errors import LayerError
from ..network import Layer, Shape, check_size
from .registry import layer


@layer("detect")
class Detect(Layer):
    """Darknet's heads: some channels go through the logistic function, some through a softmax.

    sigmoids, softmaxes: how many channels (values, where there is no space); the others stay.
    The boxes that a program makes of them are no part of the network. Redmon et al. 2016; Redmon
    and Farhadi 2017.
    """

    batch_first = True

    sigmoids: int = 0
    softmaxes: int = 0

    def __post_init__(self) -> None:
        check_size("sigmoids", self.sigmoids, 0)
        check_size("softmaxes", self.softmaxes, 0)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if self.sigmoids + self.softmaxes > x[1]:
            raise LayerError(
                "the input has too few channels",
                values=f"channels {x[1]}, sigmoids {self.sigmoids}, softmaxes {self.softmaxes}",
            )
        return x
