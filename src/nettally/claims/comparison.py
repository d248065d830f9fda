"""Our figure beside the printed one: whether they agree, and how far apart they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import Num
from .printed import Printed, amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network import Shape


def compare(ours: Any, printed: Printed, relation: str = "=") -> tuple[str, str]:
    """(status, detail) of our figure against the printed one."""
    if isinstance(ours, tuple):
        return _compare_shape(tuple(int(n) for n in ours), printed)
    if not isinstance(ours, (int, float)):
        return "differs", f"ours is {ours}"
    if relation != "=":
        value = printed.value
        tests: dict[str, Callable[[], bool]] = {
            "<=": lambda: ours <= value,
            "<": lambda: ours < value,
            ">=": lambda: ours >= value,
            ">": lambda: ours > value,
        }
        percent = "%" in printed.text
        return ("holds", "") if tests[relation]() else ("differs", shown_value(ours, percent))
    value, step = printed.value, printed.step
    if ours == value or (isinstance(ours, float) and abs(ours - value) < abs(value) * 1e-12):
        return "exact", ""
    coarse = printed.coarse or step
    if printed.low <= ours <= printed.high and (coarse != 1 or isinstance(ours, float)):
        return "rounds", f"rounded to {_place(coarse, printed)}"
    if value <= ours < value + coarse:
        return "truncates", f"cut off at {_place(coarse, printed)}; it rounds to " + _rounded(
            ours, printed, coarse
        )
    if printed.about and value - coarse <= ours <= value + coarse:
        return "rounds", "about"
    return "differs", difference(ours, value)


def _place(step: int | float, printed: Printed) -> str:
    if "%" in printed.text:
        return f"{amount(step * 100)} %"
    return amount(step)


def _rounded(ours: int | float, printed: Printed, step: int | float) -> str:
    """Our figure, rounded as the printed one is."""
    times = int(ours / step + 0.5)
    return shown_value(times * step, "%" in printed.text)


def difference(ours: int | float, printed: int | float) -> str:
    """By how much, and by what factor: ``36,960 less; ours is 1.146 times it (55/48)``."""
    gap = abs(ours - printed)
    more = "more" if printed > ours else "less"
    text = f"printed is {amount(gap)} {more} than ours"
    if not ours or not printed:
        return text
    ratio = printed / ours
    shown = _fraction(ours, printed)
    return f"{text}, {ratio:.4g} times it" + (f" ({shown})" if shown else "")


def _fraction(ours: int | float, printed: int | float) -> str:
    """The ratio as a small fraction, where it is one exactly."""
    if isinstance(ours, int) and isinstance(printed, int):
        from math import gcd

        ours = int(ours)
        common = gcd(ours, printed)
        if 1 < ours // common < 1000 and printed // common < 1000:
            return f"{printed // common}/{ours // common}"
    return ""


def _compare_shape(ours: Shape, printed: Printed) -> tuple[str, str]:
    sizes = printed.shape or (printed.value,)
    shown = "x".join(map(str, ours))
    last_first = (*ours[1:], ours[0]) if ours else ours
    if printed.order == "HWC":
        return ("exact", "") if sizes == last_first else ("differs", f"ours is {shown}")
    if sizes == ours:
        return "exact", ""
    if printed.order != "CHW":
        if sizes == last_first:
            return "exact", "printed height x width x channels"
        if len(sizes) == len(ours) - 1 and sizes == ours[1:]:
            return "exact", f"its space; {ours[0]} channels"
        without_ones = tuple(n for n in sizes if n != 1)
        if without_ones == tuple(n for n in ours if n != 1) and len(ours) != len(sizes):
            return "exact", ""
    return "differs", f"ours is {shown}"


def shown_value(ours: Any, percent: bool = False) -> str:
    """Our figure for people: with commas, sizes with x, a share in per cent."""
    if isinstance(ours, tuple):
        return "x".join(shown_value(n) for n in ours)
    if isinstance(ours, bool) or not isinstance(ours, (int, float)):
        return "unknown" if ours is None else str(ours)
    if percent:
        return f"{100 * float(ours):.4g} %"
    return amount(int(ours) if isinstance(ours, Num) else ours)
