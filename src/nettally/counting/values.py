"""What a quantity can be: a count, a ratio, a shape, numbers by axis, paddings, a flag or a word.

Counts are ints (Nums where the tally has its working), ratios are floats and words are strings.
The other kinds have a class here, so that whoever compares, computes or shows one knows what it
holds. Arithmetic of counts and ratios is here too: no size of a number makes it fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import Num, plain
from ..errors import ClaimError
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Number = int | float

MAX_DIGITS = 60
"""Whole numbers with more digits are shown as 1.234e+75."""

_IN_FULL = 10**MAX_DIGITS
_MOST_BITS = 14_000
"""Python writes and reads no whole number of more than 4,300 digits."""

_FLOATS = 2**1000
"""From here on a quotient is given as a whole number: floats end at 2^1024."""


class Sizes(tuple[int, ...]):
    """Sizes whose order counts: those of a weight tensor, or of a kernel with its channels."""


class Shape(Sizes):
    """What a layer gives for one example: channels, then space.

    batch: the examples, or windows or heads, that stand before these sizes; 0 where none do.
    """

    batch: int

    def __new__(cls, sizes: Iterable[int], batch: int = 1) -> Shape:
        self = super().__new__(cls, sizes)
        self.batch = batch
        return self


class ByAxis(tuple[Number, ...]):
    """One number for each axis of the space: a kernel, a stride, a receptive field.

    word: what a table shows in place of the numbers ("whole input"), or "".
    """

    word: str

    def __new__(cls, numbers: Iterable[Number], word: str = "") -> ByAxis:
        self = super().__new__(cls, numbers)
        self.word = word
        return self

    @property
    def single(self) -> Number | None:
        """The one number that stands for all axes; None where they differ."""
        return self[0] if len(set(self)) == 1 else None


class Padding(tuple[tuple[int, int], ...]):
    """The padding before and after, for each axis of the space."""

    __slots__ = ()

    @property
    def single(self) -> int | None:
        """The one number that stands for all sides; None where they differ."""
        sides = {side for pair in self for side in pair}
        return sides.pop() if len(sides) == 1 else None


class Flag(Record):
    """Whether a layer has something. sizes: those of the tensor of that name, where it is one."""

    is_set: bool
    sizes: Sizes | None = None


class PerCent(float):
    """A ratio in hundredths: 57.26 for 57.26 %."""

    __slots__ = ()


Value = int | float | str | Sizes | ByAxis | Padding | Flag


def single_number(value: Value) -> Number | None:
    """The number that a value is or, the same along each axis, stands for; None for the rest."""
    if isinstance(value, (ByAxis, Padding)):
        return value.single
    return value if isinstance(value, (int, float)) else None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
}


def compute(sign: str, left: Number, right: Number) -> Number:
    """``left sign right``, the sign one of + - * / //; counts keep their working but in a quotient.

    What is too large for a float is worked out exactly and given as a whole number. Raises
    ZeroDivisionError, and ClaimError for what has thousands of digits.
    """
    operation = _OPERATIONS[sign]
    bare = sign == "/" or isinstance(left, float) or isinstance(right, float)
    if bare:
        left, right = (plain(n) if isinstance(n, Num) else n for n in (left, right))
    try:
        result = operation(left, right)
        if isinstance(result, int):
            if result.bit_length() > _MOST_BITS:
                raise ClaimError("a number of more than 4,000 digits", hint="a shorter formula")
            return result
        if abs(result) < _FLOATS:
            return result
    except OverflowError:
        pass
    from fractions import Fraction  # only numbers of hundreds of digits need it

    try:
        exact = operation(Fraction(left), Fraction(right))
    except (OverflowError, ValueError):  # an infinity, or what is no number, among the fields
        return float("nan")
    return int(exact) if abs(exact) >= _FLOATS else float(exact)


def scientific(n: int, digits: int) -> str:
    """``1.234e+75``, for whole numbers of any size."""
    from decimal import Context, Decimal

    # Decimal, unlike str and float, takes a whole number of any length
    return f"{Context(prec=digits).create_decimal(Decimal(n)):.{digits - 1}e}"


def is_long(n: int) -> bool:
    """Whether a whole number has too many digits to be shown in full."""
    return abs(n) >= _IN_FULL
