"""Functions of the values in the same place that have no layer of their own, by their names."""

from __future__ import annotations

from ..arith import product
from ..errors import LayerError, closest
from ..network import SAME_PLACE, Layer, Shape, Window, Work
from .merging import broadcast
from .registry import layer

ONE = "transcendentals"

FUNCTIONS: dict[str, tuple[int, str]] = {
    **dict.fromkeys(("erf", "sin", "cos", "tan", "asin", "acos", "atan"), (1, ONE)),
    **dict.fromkeys(("sinh", "cosh", "asinh", "acosh", "atanh"), (1, ONE)),
    "negative": (1, "adds"),
    "reciprocal": (1, "divides"),
    "softsign": (1, "divides"),
    **dict.fromkeys(("floor", "ceil", "round"), (1, "adds")),
    **dict.fromkeys(("sign", "not", "is_nan", "is_inf", "threshold", "clip"), (1, "compares")),
    **dict.fromkeys(("shrink", "celu", "hard_tanh", "bit_not"), (1, "compares")),
    **dict.fromkeys(("quantize", "dequantize"), (0, "multiplies")),
    "divide": (2, "divides"),
    "modulo": (2, "divides"),
    "power": (2, ONE),
    **dict.fromkeys(("equal", "greater", "greater_equal", "less", "less_equal"), (2, "compares")),
    **dict.fromkeys(("and", "or", "xor", "bit_and", "bit_or", "bit_xor"), (2, "compares")),
    **dict.fromkeys(("shift_left", "shift_right"), (2, "multiplies")),
    "where": (3, "compares"),
    "cumulative_sum": (1, "adds"),
    "cumulative_product": (1, "multiplies"),
    "hardmax": (1, "compares"),
    "lp_normalize": (1, "multiplies"),
    "mean_variance_normalize": (1, "multiplies"),
    "random": (0, ""),
}
"""How many inputs each takes (0: one or more), and of what kind of work a value's step is."""

ALONG = ("cumulative_sum", "cumulative_product", "hardmax", "lp_normalize",
         "mean_variance_normalize")  # fmt: skip
"""Those that look along an axis, so that their windows are not known."""


@layer("pointwise")
class Pointwise(Layer):
    """A function of the values in the same place, by its name; sizes of 1 are stretched.

    Its work is one step a value, of the kind that ``FUNCTIONS`` has.
    """

    arity = 0
    positional = ("function",)

    function: str = ""

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise LayerError(
                f"no function is called '{self.function}'", hint=closest(self.function, FUNCTIONS)
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        takes = FUNCTIONS[self.function][0]
        if takes and len(xs) != takes:
            raise LayerError(f"'{self.function}' takes {takes} inputs", values=f"{len(xs)} given")
        return xs[0] if len(xs) == 1 else broadcast(xs)

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        step = FUNCTIONS[self.function][1]
        return Work(**{step: product(y)}) if step else Work()

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None if self.function in ALONG else SAME_PLACE
