"""A printed figure is an interval: what can have been meant follows from how it is printed."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING

from ..errors import ClaimError
from ..record import Record

if TYPE_CHECKING:
    from ..network import Shape

Number = int | float

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
_SHAPE = re.compile(
    r"^(?:(?P<maps>\d+)\s*@\s*)?(?P<sizes>\d+(?:\s*[x×]\s*\d+)+)\s*(?:\(?(?P<order>HWC|CHW)\)?)?$",
    re.I,
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

MAX_LENGTH = 200
"""Characters of a figure."""


class Printed(Record):
    """A figure as printed, and the interval that it stands for.

    text: as printed. value: the number itself; for a shape, its product. step: one in the last
    printed place. low, high: what rounds to it, low ≤ x < high. coarse: a larger step that the
    trailing zeros of a whole number allow ("650,000" may be rounded to ten thousands, "800K" to
    10K), or None.
    shape: the sizes of a printed shape; order: CHW, HWC, or "" where it is not said.
    """

    text: str
    value: Number
    step: Number = 1
    coarse: int | None = None
    shape: Shape | None = None
    order: str = ""
    about: bool = False

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


def parse_printed(text: str, *, thousand: int = 1000) -> Printed:
    """Read a printed figure. thousand: what K is here, 1000 or 1024 (M is its square, and so on).

    Raises ClaimError for what is no figure.
    """
    shown = text.strip()
    if len(shown) > MAX_LENGTH:
        raise ClaimError("a figure is too long", values=shown[:40] + "…")
    plain = " ".join(shown.split()).translate(_SUPERSCRIPT)  # of many blanks \s* makes many ways
    rest = _ABOUT.sub("", plain).strip()
    about = rest != plain
    shape = _SHAPE.match(rest)
    if shape:
        return _shape(shown, shape)
    match = _NUMBER.match(rest)
    if match is None:
        raise ClaimError(
            "this is not a figure",
            values=shown[:80],
            hint="as in 60 million, 253,440, 3.8x10^9, 3.8G, 1 %, 55x55",
        )
    digits = re.sub(r"[,_ ]", "", match["digits"])
    fraction = (match["fraction"] or ".")[1:]
    power = match["exponent"] or "0"
    exponent = int(power) if len(power) < 10 else 10**9
    if len(digits) + len(fraction) > 60 or abs(exponent) > 60:
        raise ClaimError("a figure of more than 60 digits", values=shown[:40] + "…")
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


def _shape(text: str, match: re.Match[str]) -> Printed:
    if max(map(len, re.findall(r"\d+", text))) > 60:
        raise ClaimError("a figure of more than 60 digits", values=text[:40] + "…")
    sizes = tuple(map(int, re.findall(r"\d+", match["sizes"])))
    order = (match["order"] or "").upper()
    if match["maps"]:
        sizes, order = (int(match["maps"]), *sizes), "CHW"
    value = 1
    for size in sizes:
        value *= size
    return Printed(text, value, shape=sizes, order=order)


def amount(n: Number, digits: int = 4) -> str:
    """A number for people: whole with commas, else to ``digits`` significant places."""
    if isinstance(n, int):
        return f"{n:,}"
    if not isfinite(n):
        return str(n)
    if n.is_integer() and abs(n) < 1e15:
        return f"{int(n):,}"
    return f"{n:,.{digits}g}" if abs(n) < 10**digits else f"{n:,.1f}"
