"""Functions of the values in the same place that have no layer of their own, by their names."""

from __future__ import annotations

from ..errors import LayerError, closest
from ..network import SAME_PLACE, Layer, Shape, Window
from .merging import broadcast, stretched
from .registry import layer

FUNCTIONS: dict[str, int] = {
    **dict.fromkeys(("erf", "sin", "cos", "tan", "asin", "acos", "atan"), 1),
    **dict.fromkeys(("sinh", "cosh", "asinh", "acosh", "atanh"), 1),
    **dict.fromkeys(("negative", "reciprocal", "softsign", "floor", "ceil", "round"), 1),
    **dict.fromkeys(("sign", "not", "is_nan", "is_inf", "threshold", "clip"), 1),
    **dict.fromkeys(("shrink", "celu", "hard_tanh", "bit_not"), 1),
    **dict.fromkeys(("quantize", "dequantize", "random"), 0),
    **dict.fromkeys(("divide", "modulo", "power"), 2),
    **dict.fromkeys(("equal", "greater", "greater_equal", "less", "less_equal"), 2),
    **dict.fromkeys(("and", "or", "xor", "bit_and", "bit_or", "bit_xor"), 2),
    **dict.fromkeys(("shift_left", "shift_right"), 2),
    "where": 3,
    **dict.fromkeys(("cumulative_sum", "cumulative_product", "hardmax", "lp_normalize"), 1),
    "mean_variance_normalize": 1,
}
"""How many inputs each takes; 0: one or more."""

ALONG = ("cumulative_sum", "cumulative_product", "hardmax", "lp_normalize",
         "mean_variance_normalize")  # fmt: skip
"""Those that look along an axis, so that their windows are not known."""


@layer("pointwise")
class Pointwise(Layer):
    """A function of the values in the same place, by its name; sizes of 1 are stretched."""

    arity = 0
    positional = ("function",)

    function: str = ""

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise LayerError(
                f"no function is called '{self.function}'", hint=closest(self.function, FUNCTIONS)
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        takes = FUNCTIONS[self.function]
        if takes and len(xs) != takes:
            raise LayerError(f"'{self.function}' takes {takes} inputs", values=f"{len(xs)} given")
        return xs[0] if len(xs) == 1 else broadcast(xs)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if self.function in ALONG else SAME_PLACE

    def windows(self, xs: tuple[Shape, ...]) -> tuple[tuple[Window, ...] | None, ...]:
        if len(xs) == 1:
            return (self.window(xs),)
        y = self.shape(xs)
        return tuple(stretched(x, y) for x in xs)
