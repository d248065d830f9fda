"""What arithmetic shows: why nothing of a kind can work."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from .slips import hits, replaced_factors, shown_factors

if TYPE_CHECKING:
    from ..claims.claim import Claim
    from ..claims.printed import Printed
    from ..counting.tally import Tally

_EXPONENTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def factorised(n: int) -> str:
    """The prime factors: ``2⁹·3²·5·11``. For numbers up to 10¹², "" beyond."""
    if not 1 < n <= 10**12:
        return ""
    parts: list[str] = []
    divisor, rest = 2, n
    while divisor * divisor <= rest:
        power = 0
        while rest % divisor == 0:
            rest //= divisor
            power += 1
        if power:
            parts.append(f"{divisor}{str(power).translate(_EXPONENTS) if power > 1 else ''}")
        divisor += 1 if divisor == 2 else 2
    if rest > 1:
        parts.append(str(rest))
    return "·".join(parts)


def proofs(working: Tally, claim: Claim) -> tuple[str, ...]:
    """What can be proved about an exact figure of one layer."""
    reference = claim.reference
    printed = claim.printed
    if reference is None or not printed.is_exact or printed.shape is not None:
        return ()
    about, quantity = reference
    names = [row.node.name for row in working.rows]
    if about not in names or quantity not in ("neurons", "values"):
        return ()
    row = working[about]
    if row.shape is None or len(row.shape) < 4:
        return ()
    sentences: list[str] = []
    value = int(printed.value)
    primes = factorised(value)
    if primes:
        sentences.append(f"{value:,} = {primes}")
    channels = int(row.shape[1])
    if value % channels:
        sentences.append(
            f"{value:,} is not a multiple of {channels}: no {channels} maps of any one size "
            "have so many units"
        )
    else:
        each = value // channels
        side = isqrt(each)
        square = len(set(map(int, row.shape[2:]))) == 1 and len(row.shape) == 4
        if square and side * side != each:
            sentences.append(
                f"{value:,} / {channels} = {each:,} is not a square ({side}² = {side * side:,}, "
                f"{side + 1}² = {(side + 1) ** 2:,}): no input size, kernel, stride or padding "
                f"gives it with {channels} square maps"
            )
    sentences.extend(_replacements(working, about, quantity, printed))
    return tuple(sentences)


def _replacements(working: Tally, about: str, quantity: str, printed: Printed) -> list[str]:
    """How many replacements of one factor give the figure, here and one pixel to either side."""
    products = shown_factors(working, about, quantity)
    if not products:
        return []
    sentences: list[str] = []
    shown = products[0]
    dotted = "·".join(map(str, shown))
    slips = list(replaced_factors(shown, printed))
    if not slips:
        return [f"no other number in the place of one factor of {dotted} gives it"]
    replaced = ", ".join(f"{slip.right} → {slip.wrong}" for slip in slips)
    count = "exactly one" if len(slips) == 1 else str(len(slips))
    sentences.append(
        f"of all the replacements of one factor in {dotted}, {count} gives it: {replaced}"
    )
    side = shown[0]
    if shown.count(side) >= 2:
        empty: list[str] = []
        for other in (side - 1, side + 1):
            near = tuple(other if f == side else f for f in shown)
            if other > 0 and not list(replaced_factors(near, printed)):
                empty.append("·".join(map(str, near)))
        if empty:
            sentences.append(f"from {' or '.join(empty)}, none does")
    return sentences


__all__ = ["factorised", "hits", "proofs"]
