"""What sequences of tokens have beside attention: mixtures of experts, and positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..arith import product
from ..errors import LayerError
from ..network import Layer, Shape, Window, Work, check_size
from .fields import by_axis
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


@layer("experts")
class Experts(Layer):
    """Feed-forward networks of which each token runs through ``top`` (Shazeer et al. 2017).

    Inputs: the tokens (…, channels), and for each the router's scores (…, experts). An expert is
    down(act(up(x))), or with ``gated`` down(act(gate(x)) · up(x)) (Shazeer 2020), whose gate and up
    are stored as one tensor. function: silu, gelu or relu. hidden: the values between.
    transposed: tensors are stored with the inputs' axis before the outputs'. stacked: an expert's
    rows stand under those of the one before, in w1 (gate), v1 (up) and w2 (down, transposed).
    separate: those of each expert are stored by themselves (expert_0.wi, expert_0.wo). Which
    experts run depends on the token; how many does not.
    """

    arity = 2
    weighted = True
    NAMES: ClassVar[Mapping[str, str]] = {
        "up_proj": "wi.weight", "gate_up_proj": "wi.weight", "down_proj": "wo.weight",
        "up_proj_bias": "wi.bias", "gate_up_proj_bias": "wi.bias", "down_proj_bias": "wo.bias",
    }  # fmt: skip

    experts: int = 0
    top: int = 1
    hidden: int = 0
    gated: bool = True
    function: str = "silu"
    bias: bool = False
    transposed: bool = False
    stacked: bool = False
    separate: bool = False

    def __post_init__(self) -> None:
        check_size("experts", self.experts)
        check_size("top", self.top)
        check_size("hidden", self.hidden)
        if self.function not in ("silu", "gelu", "relu"):
            raise LayerError(
                "an expert's function is silu, gelu or relu", values=f"function {self.function}"
            )
        if self.stacked and (self.bias or self.transposed or not self.gated):
            raise LayerError("stacked experts have a gate and no bias, and are not transposed")
        if self.top > self.experts:
            raise LayerError(
                "a token runs through more experts than there are",
                values=f"top {self.top}, experts {self.experts}",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x, scores = xs
        if scores != (*x[:-1], self.experts):
            raise LayerError(
                "the router gives one score for each token and expert",
                values=f"tokens {by_axis(x)}, scores {by_axis(scores)}, experts {self.experts}",
            )
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        width, wide = xs[0][-1], self.hidden * (2 if self.gated else 1)
        up = "gate_up_proj" if self.gated else "up_proj"
        tensors: dict[str, Shape]
        if self.stacked:
            size = (self.experts * self.hidden, width)
            return {"w1": size, "v1": size, "w2": size}
        if self.transposed:
            tensors = {
                up: (self.experts, width, wide),
                "down_proj": (self.experts, self.hidden, width),
            }
        else:
            tensors = {
                up: (self.experts, wide, width),
                "down_proj": (self.experts, width, self.hidden),
            }
        if self.bias:
            tensors[f"{up}_bias"] = (self.experts, wide)
            tensors["down_proj_bias"] = (self.experts, width)
        if self.separate:
            return self._each(tensors)
        return tensors

    def _each(self, tensors: Mapping[str, Shape]) -> Mapping[str, Shape]:
        """Tensors of all experts as those of each."""
        return {
            f"expert_{i}.{self.NAMES[name]}": shape[1:]
            for i in range(self.experts)
            for name, shape in tensors.items()
        }

    def routed(self) -> tuple[int, int]:
        return self.top, self.experts

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        x = xs[0]
        runs = product(x[:-1]) * self.top
        matrices = 3 if self.gated else 2
        biases = self.hidden * (matrices - 1) + x[-1] if self.bias else 0
        return Work(runs * matrices * x[-1] * self.hidden, runs * biases)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("rotary")
class Rotary(Layer):
    """Each pair of values turned by an angle that grows with the place (Su et al. 2021).

    Input: (batch, places, heads · size). size: of a head. turned: how many of its values are, 0
    for all. base: the angles of a place are the place times base^(-2i / turned). before: places
    of the sequence that stand before those of the input.
    """

    positional = ("size",)

    size: int = 0
    turned: int = 0
    base: float = 10_000.0
    before: int = 0

    def __post_init__(self) -> None:
        check_size("size", self.size)
        check_size("turned", self.turned, 0)
        check_size("before", self.before, 0)

    def after(self, context: int) -> Layer:
        return self.replace(before=self.before + context)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) != 3 or int(x[2]) % int(self.size) or self.turned > self.size:
            raise LayerError(
                "rotary's heads do not divide the channels",
                values=f"{by_axis(x)}, heads of {self.size}, of which {self.turned} are turned",
            )
        return x

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


@layer("position_embedding")
class PositionEmbedding(Layer):
    """x + the table's row of each place (Vaswani et al. 2017; learned, Gehring et al. 2017).

    Input: (batch, places, channels). rows: of the table, the longest sequence and what the table
    keeps before the first place.
    """

    positional = ("rows",)

    rows: int = 0
    before: int = 0

    def __post_init__(self) -> None:
        check_size("rows", self.rows)
        check_size("before", self.before, 0)

    def after(self, context: int) -> Layer:
        return self.replace(before=self.before + context)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if len(x) != 3 or x[1] + self.before > self.rows:
            before = f", {self.before} of them before it" if self.before else ""
            raise LayerError(
                "the sequence is longer than the table of positions",
                values=f"input {by_axis(x)}, rows {self.rows}{before}",
            )
        return x

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return {"weight": (self.rows, xs[0][2])}
