"""An einsum as tools count it: by torch's pairs, and by numpy's ``einsum_path``, which two read."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from ...arith import product

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...network import Shape

MOST = 7
"""Factors of which every order is tried; of more the given order is taken."""


def optimized(equation: str, shapes: Sequence[Shape]) -> float:
    """The count of the cheapest order of pairs, as it is printed: four digits.

    numpy's rule (``_optimal_path``, ``_flop_count``): for each pair the sizes of all its letters,
    twice that where a letter is summed; no pair may make more values than the largest factor has.
    """
    terms, _, output = equation.replace(" ", "").partition("->")
    parts = terms.split(",")
    sizes: dict[str, int] = {}
    for part, shape in zip(parts, shapes, strict=True):
        for letter, n in zip(part, shape, strict=True):
            sizes[letter] = max(sizes.get(letter, 1), int(n))
    sets = [frozenset(part) for part in parts]
    wanted = frozenset(output)
    if len(sets) <= 2 or frozenset().union(*sets) == wanted or len(sets) > MOST:
        cost = _cost(sets, wanted, [], sizes)[0]
    else:
        most = max(_values(part, sizes) for part in (*parts, output))
        cost = _best(sets, wanted, sizes, most)
    return float(f"{cost + 1:.3e}")


def _values(letters: Iterable[str], sizes: dict[str, int]) -> int:
    n = 1
    for letter in letters:
        n *= sizes[letter]
    return n


def _cost(
    chosen: list[frozenset[str]],
    wanted: frozenset[str],
    others: list[frozenset[str]],
    sizes: dict[str, int],
) -> tuple[int, frozenset[str]]:
    """What it costs to multiply these, and the letters of what comes out."""
    letters = frozenset().union(*chosen)
    kept = letters & wanted.union(*others)
    times = max(1, len(chosen) - 1) + (1 if letters - kept else 0)
    return _values(letters, sizes) * times, kept


def _best(
    sets: list[frozenset[str]], wanted: frozenset[str], sizes: dict[str, int], most: int
) -> int:
    """The least cost of all orders of pairs."""
    results = [(0, sets)]
    while len(results[0][1]) > 1:
        longer: list[tuple[int, list[frozenset[str]]]] = []
        for cost, left in results:
            for i, j in combinations(range(len(left)), 2):
                others = [each for k, each in enumerate(left) if k not in (i, j)]
                more, kept = _cost([left[i], left[j]], wanted, others, sizes)
                if _values(kept, sizes) <= most:
                    longer.append((cost + more, [*others, kept]))
        if not longer:
            cost, left = min(results, key=lambda result: result[0])
            return cost + _cost(left, wanted, [], sizes)[0]
        results = longer
    return min(cost for cost, _ in results)


def pairs(equation: str, shapes: tuple[Any, ...]) -> int:
    """Multiply-adds of an einsum as torch works it out: one factor after another, from the left.

    What only one of two factors has, and is not needed later, is summed first. Where no letter of
    both is left to be summed it is no matrix product.
    """
    left, _, out = equation.partition("->")
    terms = left.split(",")
    current = dict(zip(terms[0], shapes[0], strict=True))
    total = 0
    for i in range(1, len(terms)):
        other = dict(zip(terms[i], shapes[i], strict=True))
        later = set("".join(terms[i + 1 :])) | set(out)
        summed = [letter for letter in {**current, **other} if letter not in later]
        for letter in list(summed):
            if current.get(letter, 1) == 1 or other.get(letter, 1) == 1:
                current.pop(letter, None)
                other.pop(letter, None)
                summed.remove(letter)
        both = {
            letter: max(current.get(letter, 1), other.get(letter, 1))
            for letter in {**current, **other}
        }
        if summed:
            total += product(tuple(both.values()))
        current = {letter: n for letter, n in both.items() if letter in later}
    return total


def fvcore_count(equation: str, shapes: tuple[Any, ...]) -> int:
    """As fvcore counts it: two patterns exactly; any other as numpy's path, halved."""
    letters = dict.fromkeys(each for each in equation if each.isalpha())
    names = {each: chr(97 + i) for i, each in enumerate(letters)}
    same = "".join(names.get(each, each) for each in equation)
    first, last = shapes[0], shapes[-1]
    if same == "abc,abd->acd":
        return product(first) * last[-1]
    if same == "abc,adc->adb":
        return product(first) * last[1]
    return int(optimized(equation, shapes) // 2)
