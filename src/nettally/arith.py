"""Numbers that remember how they were made.

``Num`` is an ``int`` with a ``how``: the same formula, run on plain ints, gives the number fast,
and run on ``Num``s gives the number and its working, so that the working can't drift from the
number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

from .record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Named(Record):
    """A number that was given, not computed: ``stride 4``."""

    name: str


class Sum(Record):
    terms: tuple[int, ...]


class Difference(Record):
    left: int
    right: int


class Product(Record):
    factors: tuple[int, ...]


class FloorDiv(Record):
    left: int
    right: int


class CeilDiv(Record):
    left: int
    right: int


How = Named | Sum | Difference | Product | FloorDiv | CeilDiv


class Num(int):
    """An int that remembers the arithmetic that made it.

    ``+``, ``-``, ``*``, ``//`` and ``ceildiv`` are remembered, also through ``sum`` and
    ``math.prod``. The operations that would lose the working in silence raise ``TypeError``.
    """

    how: How

    def __new__(cls, value: int, how: How | str) -> Num:
        self = super().__new__(cls, value)
        self.how = Named(how) if isinstance(how, str) else how
        return self

    def __add__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        if not isinstance(other, Num) and other == 0:  # sum() begins with a bare 0
            return self
        return Num(int(self) + int(other), Sum((*_terms(self), *_terms(other))))

    def __radd__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        if other == 0:
            return self
        return Num(int(other) + int(self), Sum((*_terms(other), *_terms(self))))

    def __sub__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        return Num(int(self) - int(other), Difference(self, other))

    def __rsub__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        return Num(int(other) - int(self), Difference(other, self))

    def __mul__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        if not isinstance(other, Num) and other == 1:  # math.prod() begins with a bare 1
            return self
        return Num(int(self) * int(other), Product((*_factors(self), *_factors(other))))

    def __rmul__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        if other == 1:
            return self
        return Num(int(other) * int(self), Product((*_factors(other), *_factors(self))))

    def __floordiv__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        return Num(int(self) // int(other), FloorDiv(self, other))

    def __rfloordiv__(self, other: int) -> Num:
        if not isinstance(other, int):
            return self._other(other)
        return Num(int(other) // int(self), FloorDiv(other, self))

    def _other(self, other: object) -> Any:
        """A float would take the number and lose its working; what else there is may decide."""
        return self._refuse() if isinstance(other, float) else NotImplemented

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(
            "this operation would lose a Num's working; use + - * //, ceildiv, product or total, "
            "or int(n) where no working is wanted"
        )

    __neg__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refuse
    __pow__ = __rpow__ = __truediv__ = __rtruediv__ = _refuse
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refuse
    __invert__ = _refuse

    def __reduce__(self) -> tuple[type[Num], tuple[int, How]]:
        return Num, (int(self), self.how)


def _terms(n: int) -> tuple[int, ...]:
    return n.how.terms if isinstance(n, Num) and isinstance(n.how, Sum) else (n,)


def _factors(n: int) -> tuple[int, ...]:
    return n.how.factors if isinstance(n, Num) and isinstance(n.how, Product) else (n,)


def ceildiv(a: int, b: int) -> int:
    """a / b, rounded up; remembered where either is a ``Num``."""
    if type(a) is int and type(b) is int:
        return -(-a // b)
    return Num(-(-int(a) // int(b)), CeilDiv(a, b))


product: Callable[[Iterable[int]], int] = math.prod
"""The product of all, 1 for none. ``math.prod`` is in C, and keeps the working: the bare 1 that
it begins with, and any other bare 1, is left out of a ``Num``'s factors."""

total: Callable[[Iterable[int]], int] = sum
"""The sum of all, 0 for none; a bare 0 is left out of the working."""


def factors(n: int) -> tuple[int, ...]:
    """The factors of the shown product, opened down to what was given: 96 written 48·2 is two."""
    if isinstance(n, Num) and isinstance(n.how, Product):
        return tuple(leaf for factor in n.how.factors for leaf in factors(factor))
    return (n,)


def plain(n: int) -> int:
    """The same number without its working."""
    return int(n)


_PRECEDENCE = {Sum: 1, Difference: 1, Product: 2, FloorDiv: 3, CeilDiv: 3}


def _bare(n: int) -> int:
    """``n`` without outer steps that do nothing: less 0, divided by 1, a sum of one term."""
    while isinstance(n, Num):
        how = n.how
        if isinstance(how, Sum):
            terms = [term for term in how.terms if int(term) != 0]
            if len(terms) != 1:
                return n
            n = terms[0]
        else:
            idle = 0 if isinstance(how, Difference) else 1
            if isinstance(how, Named | Product) or int(how.right) != idle:
                return n
            n = how.left
    return n


def formula(n: int, *, names: bool = False, depth: int = 99) -> str:
    """The arithmetic of ``n`` in one line: ``⌈(224 - 11) / 4⌉ + 1``.

    names: put each given number's name before it. depth: how many levels to open.
    """
    n = _bare(n)
    if not isinstance(n, Num):
        return f"{n:,}"
    how = n.how
    if isinstance(how, Named):
        return f"{how.name} {int(n):,}" if names and how.name else f"{int(n):,}"
    if depth <= 0:
        return f"{int(n):,}"

    def part(m: int, tight: int) -> str:
        m = _bare(m)
        text = formula(m, names=names, depth=depth - 1)
        opened = isinstance(m, Num) and not isinstance(m.how, Named) and depth > 1
        loose = opened and _PRECEDENCE[type(m.how)] < tight  # type: ignore[union-attr] - ``opened`` says that it is a Num
        return f"({text})" if loose or (int(m) < 0 and not opened) else text

    if isinstance(how, Sum):
        shown = [t for t in how.terms if int(t) != 0] or [how.terms[0]]
        return " + ".join(part(t, 1) for t in shown)
    if isinstance(how, Difference):
        return f"{part(how.left, 1)} - {part(how.right, 2)}"
    if isinstance(how, Product):
        return " · ".join(part(f, 2) for f in how.factors)
    left, right = part(how.left, 2), part(how.right, 3)
    return f"⌊{left} / {right}⌋" if isinstance(how, FloorDiv) else f"⌈{left} / {right}⌉"


def show(n: int, *, names: bool = False) -> str:
    """The whole working, outermost last: ``⌈(224 - 11) / 4⌉ + 1 = ⌈213 / 4⌉ + 1 = 54 + 1 = 55``."""
    if not isinstance(n, Num):
        return f"{n:,}"
    steps: list[str] = []
    if names:
        steps.append(formula(n, names=True))
    for depth in range(_height(n), -1, -1):
        step = formula(n, depth=depth)
        if not steps or steps[-1] != step:
            steps.append(step)
    return " = ".join(steps)


def _height(n: int) -> int:
    n = _bare(n)
    if not isinstance(n, Num) or isinstance(n.how, Named):
        return 0
    how = n.how
    if isinstance(how, Sum):
        return 1 + max(map(_height, how.terms))
    if isinstance(how, Product):
        return 1 + max(map(_height, how.factors))
    return 1 + max(_height(how.left), _height(how.right))
