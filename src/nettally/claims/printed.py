"""A printed figure is an interval: what can have been meant follows from how it is printed.

A figure is a number (60 million, 37.5 %, 3/4), sizes (55x55, (96, 55, 55), 6@28x28), paddings
before and after (0:3, 1x0:3, ((1, 1), (0, 3))) or a word (up, yes, whole input).
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING

from ..counting.values import is_long, scientific
from ..errors import ClaimError
from ..record import Record

if TYPE_CHECKING:
    from ..counting.values import Number

_UNITS = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "mio": 10**6,
    "bn": 10**9,
    "k": 10**3,
    "m": 10**6,
    "mm": 10**6,
    "g": 10**9,
    "b": 10**9,
    "t": 10**12,
}
_WHAT = (
    r"(?P<what>parameters?|params?|weights|neurons|units|connections|multiply-adds|mult-adds|madds|"
    r"macs?|flops?|ops|operations|values|px|pixels|bits|bytes|kernels|layers|features|b)"
)
_ABOUT = re.compile(r"^(about|around|approximately|approx\.?|roughly|some|nearly|~|≈)\s*", re.I)
_NUMBER = re.compile(
    r"^(?P<digits>\d{1,3}(?:[,_ ]\d{3})+|\d+)(?P<fraction>\.\d+)?"
    r"(?:\s*(?:[x×·*]\s*10\s*\^?|e)\s*(?P<exponent>[-+]?\d+))?"
    r"\s*(?P<unit>hundred|thousand|million|billion|trillion|mio|bn|mm|[kmgbt])?(?P<binary>i)?"
    rf"\s*-?(?P<percent>%|percent)?\s*{_WHAT}?$",
    re.I,
)
_SIZE = r"\d+(?:/\d+)?"
_SHAPE = re.compile(
    rf"^(?:(?P<maps>\d+)\s*(?:@|of\s)\s*)?(?P<sizes>{_SIZE}(?:\s*[x×]\s*{_SIZE})*)"
    r"\s*(?:\(?(?P<order>HWC|CHW)\)?)?$",
    re.I,
)
# what is seldom printed: these are compiled when they are first needed
_SIDES = r"^(?:\d+:)?\d+(?:\s*x\s*(?:\d+:)?\d+)*$"
_TUPLE = r"^[(\[](?P<items>[\d\s,()\[\]/]*)[)\]]\s*(?:\(?(?P<order>HWC|CHW|hwc|chw)\)?)?$"
_ITEM = rf"\s*(?:[(\[]\s*(\d+)\s*,\s*(\d+)\s*,?\s*[)\]]|({_SIZE}))\s*(?:,|$)"
_WORD = r"^[^\W\d_][^=<≤≥]*$"
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

MAX_LENGTH = 200
"""Characters of a figure."""

MAX_DIGITS = 60
"""Digits of each of its numbers."""


class Printed(Record):
    """A figure as printed, and the interval that it stands for.

    text: as printed. value: the number itself; for a shape, its product; 0 for pairs and words.
    step: one in the last printed place. low, high: what rounds to it, low ≤ x < high. coarse: a
    larger step that the trailing zeros of a whole number allow ("650,000" may be rounded to ten
    thousands, "800K" to 10K), or None.
    shape: the sizes of a printed shape; order: CHW, HWC, or "" where it is not said. pairs: of
    printed paddings, before and after, one for all axes or one an axis. word: a printed word.
    """

    text: str
    value: Number
    step: Number = 1
    coarse: int | None = None
    shape: tuple[Number, ...] | None = None
    order: str = ""
    about: bool = False
    pairs: tuple[tuple[int, int], ...] | None = None
    word: str = ""

    @property
    def is_number(self) -> bool:
        return self.shape is None and self.pairs is None and not self.word

    @property
    def is_exact(self) -> bool:
        """Whether it is a whole number to the last digit: no zeros at its end may be rounded."""
        whole = isinstance(self.value, int) and self.step == 1 and not self.coarse
        return whole and self.pairs is None and not self.word

    @property
    def low(self) -> Number:
        return half_below(self.value, self.coarse or self.step)

    @property
    def high(self) -> Number:
        return half_above(self.value, self.coarse or self.step)

    @property
    def why(self) -> str:
        """Why it is this interval, in words."""
        if self.shape is not None:
            return "a shape is exact"
        if self.pairs is not None or self.word or not self.step:
            return "it is exact"
        if self.coarse:
            places = f"{amount(self.step)}, or rounded to {self.coarse:,}"
            return f"printed to {places}: the zeros don't tell"
        return f"the last printed place is {amount(self.step)}"


def half_below(value: Number, step: Number) -> Number:
    """Where rounding to ``step`` begins to give ``value``."""
    if _in_ints(value, step):
        return value - int(step) // 2
    return value - step / 2


def half_above(value: Number, step: Number) -> Number:
    """Where rounding to ``step`` ceases to give ``value``."""
    if _in_ints(value, step):
        return value + (int(step) + 1) // 2
    return value + step / 2


def _in_ints(value: Number, step: Number) -> bool:
    """Whether half a step is whole, or is too little for a float to have beside ``value``."""
    return isinstance(step, int) and (
        step % 2 == 0 or (isinstance(value, int) and abs(value) >= 2**52)
    )


def parse_printed(text: str, *, thousand: int = 1000, words: bool = False) -> Printed:
    """Read a printed figure.

    thousand: what K is here, 1000 or 1024 (M is its square, and so on). words: a word is a figure
    too, since what is claimed may be one. Raises ClaimError for what is no figure.
    """
    shown = text.strip()
    if len(shown) > MAX_LENGTH:
        raise ClaimError("a figure is too long", values=shown[:40] + "…")
    plain = " ".join(shown.split()).translate(_SUPERSCRIPT)  # of many blanks \s* makes many ways
    rest = _ABOUT.sub("", plain).strip()
    if max(map(len, re.findall(r"\d+", rest)), default=0) > MAX_DIGITS:
        raise ClaimError(f"a figure of more than {MAX_DIGITS} digits", values=shown[:40] + "…")
    printed = _sizes(shown, rest) or _pairs(shown, rest) or _tuple(shown, rest)
    if printed is not None:  # before numbers: 102x102 is no 102·10²
        return printed
    number = _NUMBER.match(rest)
    if number is not None:
        return _number(shown, number, thousand, about=rest != plain)
    if "/" in rest and re.fullmatch(r"\d+/0*[1-9]\d*", rest):
        return Printed(shown, _size(rest), 0, about=rest != plain)
    if words and re.match(_WORD, unquoted := shown.strip("'\"")):
        return Printed(shown, 0, word=" ".join(unquoted.split()))
    raise ClaimError(
        "this is not a figure",
        values=shown[:80],
        hint="as in 60 million, 253,440, 3.8x10^9, 3.8G, 1 %, 55x55",
    )


def _number(shown: str, match: re.Match[str], thousand: int, about: bool) -> Printed:
    digits = re.sub(r"[,_ ]", "", match["digits"])
    fraction = (match["fraction"] or ".")[1:]
    power = match["exponent"] or "0"
    exponent = int(power) if len(power) < 10 else 10**9
    if len(digits) + len(fraction) > MAX_DIGITS or abs(exponent) > MAX_DIGITS:
        raise ClaimError(f"a figure of more than {MAX_DIGITS} digits", values=shown[:40] + "…")
    unit = match["unit"]
    scale = _UNITS[unit.lower()] if unit else 1
    kilo = 1024 if match["binary"] else thousand
    if unit and len(unit) == 1 and kilo != 1000:
        scale = kilo ** "kmgt".index("g" if unit.lower() == "b" else unit.lower()) * kilo
    percent = bool(match["percent"])
    power = exponent - len(fraction) - (2 if percent else 0)
    mantissa = int(digits + fraction)
    value, step = _scaled(mantissa, power, scale), _scaled(1, power, scale)
    coarse = None
    whole = not (fraction or exponent or percent)
    if whole and len(digits) >= (3 if unit else 5):
        # zeros at the end may be rounding, but two digits are taken to be meant
        zeros = min(len(digits) - len(digits.rstrip("0")), len(digits) - 2)
        if zeros >= (1 if unit else 2) and isinstance(step, int):
            coarse = step * 10**zeros
    return Printed(shown, value, step, coarse, about=about)


def _scaled(mantissa: int, power: int, scale: int) -> Number:
    """mantissa · 10^power · scale, whole where it is whole."""
    if power >= 0:
        return mantissa * 10**power * scale
    below = 10**-power
    return mantissa * scale // below if mantissa * scale % below == 0 else mantissa * scale / below


def _sizes(shown: str, text: str) -> Printed | None:
    """``55x55``, ``6@28x28``, ``8 of 3x32x32``, ``28x28x256 (HWC)``."""
    match = _SHAPE.match(text)
    if match is None or re.search(r"/0+\b", text):
        return None
    sizes = tuple(map(_size, re.findall(_SIZE, match["sizes"])))
    if len(sizes) == 1 and not match["maps"]:
        return None
    order = (match["order"] or "").upper()
    if match["maps"]:
        sizes, order = (int(match["maps"]), *sizes), "CHW"
    return _of_sizes(shown, sizes, order)


def _size(text: str) -> Number:
    over, _, under = text.partition("/")
    return int(over) / int(under) if under else int(over)


def _of_sizes(shown: str, sizes: tuple[Number, ...], order: str = "") -> Printed:
    value: Number = 1
    for size in sizes:
        value *= size
    return Printed(shown, value, shape=sizes, order=order)


def _pairs(shown: str, text: str) -> Printed | None:
    """``0:3``, before and after along each axis; ``1x0:3``, the axes' own."""
    text = text.lower().replace("×", "x")
    if ":" not in text or not re.match(_SIDES, text):
        return None
    sides = [[int(side) for side in part.split(":")] for part in text.split("x")]
    return Printed(shown, 0, pairs=tuple((side[0], side[-1]) for side in sides))


def _tuple(shown: str, text: str) -> Printed | None:
    """``(96, 55, 55)``, ``[3, 3]``; ``((1, 1), (0, 3))`` are pairs."""
    match = re.match(_TUPLE, text) if text[:1] in ("(", "[") else None
    if match is None:
        return None
    items = match["items"].strip()
    numbers: list[Number] = []
    pairs: list[tuple[int, int]] = []
    at = 0
    while at < len(items):
        item = re.match(_ITEM, items[at:])
        if item is None or re.search(r"/0+$", item[3] or ""):
            return None
        if item[3]:
            numbers.append(_size(item[3]))
        else:
            pairs.append((int(item[1]), int(item[2])))
        at += item.end()
    if numbers and not pairs:
        return _of_sizes(shown, tuple(numbers), (match["order"] or "").upper())
    return Printed(shown, 0, pairs=tuple(pairs)) if pairs and not numbers else None


def amount(n: Number, digits: int = 4) -> str:
    """A number for people: whole with commas, else to ``digits`` significant places."""
    if isinstance(n, int):
        return scientific(n, digits) if is_long(n) else f"{n:,}"
    if not isfinite(n):
        return str(n)
    if n.is_integer() and abs(n) < 1e15:
        return f"{int(n):,}"
    return f"{n:,.{digits}g}" if abs(n) < 10**digits else f"{n:,.1f}"
