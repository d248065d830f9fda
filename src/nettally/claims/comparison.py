"""Our figure beside the printed one: whether they agree, and how far apart they are.

Each kind of value has its comparison with each kind of figure. Where two are no match (a flag and
a number, a word and a size), the claim differs and the detail says that they can't be compared.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from ..arith import Num, plain
from ..counting.values import ByAxis, Flag, Padding, PerCent, Shape, Sizes, compute, single_number
from .printed import Printed, amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..counting.values import Number, Value

Outcome = tuple[str, str]
"""(status, detail)"""

ORDERS: dict[str, Callable[[Number, Number], bool]] = {
    "<=": lambda ours, bound: ours <= bound,
    "<": lambda ours, bound: ours < bound,
    ">=": lambda ours, bound: ours >= bound,
    ">": lambda ours, bound: ours > bound,
}

YES_AND_NO = {
    **dict.fromkeys(("yes", "true", "on", "with"), True),
    **dict.fromkeys(("no", "false", "off", "without", "none"), False),
}
"""Words that a flag is compared with."""


def compare(ours: Value, printed: Printed, relation: str = "=", called: str = "printed") -> Outcome:
    """(status, detail) of our figure against the printed one.

    status: exact, rounds, truncates, holds (an inequality that is true) or differs. called: what
    the figure is called in a difference, which is printed or only claimed.
    """
    if isinstance(ours, (ByAxis, Padding)):
        return _by_axis(ours, printed, relation, called)
    if isinstance(ours, (int, float)):
        return _number(ours, printed, relation, called)
    if relation != "=":
        kind = "a flag" if isinstance(ours, Flag) else "a word" if isinstance(ours, str) else ""
        return _no_match(ours, printed, f"{kind or 'a shape'} has no order")
    if isinstance(ours, Flag):
        return _flag(ours, printed)
    if isinstance(ours, str):
        same = ours.casefold() in (printed.word.casefold(), printed.text.casefold())
        if same or printed.word:
            return ("exact", "") if same else ("differs", f"ours is {ours}")
        return _no_match(ours, printed, f"'{printed.text[:40]}' is not a word")
    return _sizes(ours, printed)


def _no_match(ours: Value, printed: Printed, why: str) -> Outcome:
    return "differs", f"can't be compared: {why}; ours is {shown_value(ours, printed)}"


def _number(ours: Number, printed: Printed, relation: str, called: str) -> Outcome:
    if isinstance(ours, PerCent):
        # 57.26 and 57.26 % are the same of a figure that is in per cent
        ours = ours / 100 if "%" in printed.text else float(ours)
    elif isinstance(ours, Num):
        ours = plain(ours)
    if printed.word or printed.pairs is not None:
        return _no_match(ours, printed, f"'{printed.text[:40]}' is not a number")
    if relation != "=":
        if ORDERS[relation](ours, printed.value):
            return "holds", ""
        return "differs", _beyond(ours, printed, relation)
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
    product = f"{printed.text} is {amount(value)}; " if printed.shape else ""
    return "differs", product + difference(ours, value, called)


def _beyond(ours: Number, printed: Printed, relation: str) -> str:
    """How far our figure is over a bound, or under one."""
    bound = printed.value
    gap = abs(compute("-", ours, bound))
    over = "over" if relation in ("<", "<=") else "under"
    shown, text = shown_value(ours, printed), printed.text
    if not gap:
        return f"{shown} is not {'under' if over == 'over' else 'over'} {text}"
    if "%" in text:
        return f"{shown} is {amount(100 * gap)} points {over} {text}"
    text = f"{shown} is {amount(gap)} {over} {text}"
    if not bound or not ours:
        return text
    ratio = compute("/", ours, bound)
    return f"{text}, {amount(ratio)} times as much"


def _place(step: Number, printed: Printed) -> str:
    if "%" in printed.text:
        return f"{amount(step * 100)} %"
    return amount(step)


def _rounded(ours: Number, printed: Printed, step: Number) -> str:
    """Our figure, rounded as the printed one is."""
    times = int(ours / step + 0.5)
    return shown_value(times * step, printed)


def difference(ours: Number, printed: Number, called: str = "printed") -> str:
    """By how much, and by what factor: ``36,960 less; ours is 1.146 times it (55/48)``."""
    gap = abs(compute("-", ours, printed))
    more = "more" if printed > ours else "less"
    text = f"{called} is {amount(gap)} {more} than ours"
    if not ours or not printed:
        return text
    ratio = compute("/", printed, ours)
    times = f"{ratio:.4g}" if isinstance(ratio, float) else amount(ratio)
    shown = _fraction(ours, printed)
    return f"{text}, {times} times it" + (f" ({shown})" if shown else "")


def _fraction(ours: Number, printed: Number) -> str:
    """The ratio as a small fraction, where it is one exactly."""
    if isinstance(ours, int) and isinstance(printed, int):
        ours = plain(ours)
        common = gcd(ours, printed)
        if 1 < ours // common < 1000 and printed // common < 1000:
            return f"{printed // common}/{ours // common}"
    return ""


def _by_axis(ours: ByAxis | Padding, printed: Printed, relation: str, called: str) -> Outcome:
    """One number stands for all axes, in ours and in the printed figure: 4 is 4x4 is (4, 4)."""
    if printed.word:
        if isinstance(ours, ByAxis) and relation == "=" and printed.word == ours.word:
            return "exact", ""
        return _no_match(ours, printed, f"'{printed.word[:40]}' is not a size")
    if printed.pairs is not None:
        if not isinstance(ours, Padding) or relation != "=":
            return _no_match(ours, printed, f"'{printed.text[:40]}' is a padding, before and after")
        pairs = printed.pairs * len(ours) if len(printed.pairs) == 1 else printed.pairs
        return ("exact", "") if pairs == ours else _differs_by_axis(ours, printed)
    sizes = printed.shape or (printed.value,)
    if relation != "=":
        return _order_by_axis(ours, sizes, printed, relation)
    single = ours.single
    if printed.is_number and single is not None:
        return _number(single, printed, relation, called)
    if len(sizes) == len(ours):
        same = all(
            size == one if not isinstance(one, tuple) else one == (size, size)
            for one, size in zip(ours, sizes, strict=True)
        )
    elif len(sizes) == 1:
        same = sizes == (single,)
    elif not isinstance(ours, Padding):  # along one axis, a kernel of 5 is also printed as 5x1
        same = _not_one(sizes) == _not_one(ours)
    else:
        same = len(sizes) == 2 * len(ours) and {*sizes} == {single}
        if len(sizes) == 2 * len(ours) and not same:
            return _no_match(ours, printed, "of a padding, 0:3 says 0 before and 3 after")
    return ("exact", "") if same else _differs_by_axis(ours, printed)


def _differs_by_axis(ours: ByAxis | Padding, printed: Printed) -> Outcome:
    detail = f"ours is {shown_value(ours, printed)}"
    if isinstance(ours, Padding) and any(before != after for before, after in ours):
        detail += ", before and after"
        totals = {before + after for before, after in ours}
        if len(totals) == 1:
            detail += f": {totals.pop()} in all"
    return "differs", detail


def _order_by_axis(
    ours: ByAxis | Padding, bounds: tuple[Number, ...], printed: Printed, relation: str
) -> Outcome:
    """An inequality holds where it holds along each axis, and on each side of a padding."""
    if len(bounds) not in (1, len(ours)) or not ours:
        return _no_match(ours, printed, f"{printed.text[:40]} has other axes")
    pairs = zip(ours, bounds * len(ours) if len(bounds) == 1 else bounds, strict=True)
    holds = all(
        ORDERS[relation](side, bound)
        for one, bound in pairs
        for side in (one if isinstance(one, tuple) else (one,))
    )
    if holds:
        return "holds", ""
    single = ours.single
    if single is None or not printed.is_number:
        return "differs", shown_value(ours, printed)
    return "differs", _beyond(single, printed, relation)


def _flag(ours: Flag, printed: Printed) -> Outcome:
    answer = YES_AND_NO.get(printed.word.casefold())
    if answer is not None:
        if answer == ours.is_set:
            return "exact", ""
        return "differs", f"ours is {shown_value(ours)}"
    if ours.sizes is None or printed.word or printed.pairs is not None:
        return _no_match(ours, printed, f"'{printed.text[:40]}' is neither yes nor no")
    status, detail = _sizes(ours.sizes, printed)
    if status == "differs":
        return status, f"ours is yes, with a tensor of {shown_value(ours.sizes)}"
    return status, detail or "the sizes of the tensor"


def _sizes(ours: Sizes, printed: Printed) -> Outcome:
    if printed.word == "scalar" and not ours:
        return "exact", ""
    if printed.word or printed.pairs is not None:
        return _no_match(ours, printed, f"'{printed.text[:40]}' is not a shape")
    reading = _reading(ours, printed)
    return ("differs", f"ours is {shown_value(ours)}") if reading is None else ("exact", reading)


def _reading(ours: Sizes, printed: Printed) -> str | None:
    """In which other order, or of which part, the printed sizes are ours; None where not."""
    sizes = printed.shape or (printed.value,)
    last_first = (*ours[1:], *ours[:1])
    if printed.order == "HWC":
        return "" if sizes == last_first else None
    if sizes == ours:
        return ""
    if isinstance(ours, Shape) and ours.batch and sizes == (ours.batch, *ours):
        return ""
    if printed.order:
        return None
    if isinstance(ours, Shape) and len(ours) > 1:
        if sizes == last_first:
            return "printed height x width x channels"
        if sizes == ours[1:] or (printed.is_number and {*sizes} == {*ours[1:]}):
            return f"its space; {ours[0]} channels"
    elif len(ours) > 2 and sizes == (*ours[2:], ours[1], ours[0]):  # as TensorFlow has weights
        return "printed kernel x channels x filters"
    ones_apart = len(sizes) != len(ours) and _not_one(sizes) == _not_one(ours)
    return "" if ones_apart else None


def _not_one(sizes: tuple[Number, ...]) -> list[Number]:
    return [size for size in sizes if size != 1]


def in_form_of(printed: Printed, ours: Value) -> Value:
    """Our figure as one number, where it is the same along each axis and one number is printed."""
    single = single_number(ours)
    return ours if single is None or not printed.is_number else single


def shown_value(ours: Value | None, printed: Printed | None = None) -> str:
    """Our figure for people, in the form of the printed one where there is one.

    With commas; a share in per cent; sizes with x; a padding as our own files have it.
    """
    if ours is None:
        return "unknown"
    if printed is not None and isinstance(ours, (ByAxis, Padding)):
        ours = in_form_of(printed, ours)
    if isinstance(ours, str):
        return ours
    if isinstance(ours, Flag):
        return "yes" if ours.is_set else "no"
    if isinstance(ours, (ByAxis, Padding)):
        return "x".join(_axis(one) for one in ours)
    if isinstance(ours, tuple):
        return "x".join(map(str, ours)) if len(ours) != 1 else amount(ours[0])
    if printed is not None and "%" in printed.text:
        return f"{float(ours) if isinstance(ours, PerCent) else 100 * float(ours):.4g} %"
    return amount(plain(ours) if isinstance(ours, Num) else ours)


def _axis(one: Number | tuple[int, int]) -> str:
    if not isinstance(one, tuple):
        return str(one) if isinstance(one, int) else amount(one)
    before, after = one
    return str(before) if before == after else f"{before}:{after}"
