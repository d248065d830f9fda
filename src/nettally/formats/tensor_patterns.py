"""Patterns of tensors that lie side by side in a file: their names, kinds of numbers and sizes.

A pattern is a line of text, ``NAMES KIND SIZES; NAMES KIND SIZES; …``, of which the first tensor
leads to the others:

- names: ``*`` is any name, and a name without it stands in the same module. ``a|b``: one of them at
  least. A ``?`` before them: where they are there.
- kinds: see ``KINDS``; ``=``: the tensor's own values are the sizes.
- sizes: a letter is an unknown size, the same in all tensors; ``I/p``: divided by how many numbers
  one number of the first tensor holds; ``..``: axes that are the same in all; ``~``: any sizes.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ReadError
from .named_tensor import MAX_AXES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .named_tensor import NamedTensor, Numbers

BITS = (1, 2, 3, 4, 5, 6, 7, 8)
"""How many bits a number may have of which several are in one."""

KINDS: dict[str, Callable[[str, Numbers], bool]] = {
    "any": lambda dtype, numbers: True,
    "=": lambda dtype, numbers: numbers.whole,
    "real": lambda dtype, numbers: numbers.kind == "real" and numbers.bits > 8,
    "whole": lambda dtype, numbers: numbers.whole,
    "word": lambda dtype, numbers: numbers.whole and numbers.bits in (16, 32),
    "byte": lambda dtype, numbers: numbers.whole and numbers.bits == 8,
    "uint8": lambda dtype, numbers: numbers == ("uint", 8),
    "int8": lambda dtype, numbers: numbers == ("int", 8),
    "float8": lambda dtype, numbers: numbers == ("real", 8),
    "e4m3": lambda dtype, numbers: "8_e4m3" in dtype.lower(),
    "scale8": lambda dtype, numbers: numbers == ("uint", 8) or "8_e8m0" in dtype.lower(),
}


class Term(NamedTuple):
    """A tensor of a packing. names: one of which it has; sizes: an expression for each axis."""

    names: tuple[str, ...]
    optional: bool
    kind: str
    sizes: tuple[str, ...]


class Match(NamedTuple):
    """Tensors that fit a pattern, the first one first. full: the whole name of one of its names."""

    tensors: tuple[NamedTensor, ...]
    equations: Equations
    stem: str
    module: str

    def full(self, name: str) -> str:
        return self.stem + name[1:] if name.startswith("*") else self.module + name


def pattern(line: str) -> tuple[Term, ...]:
    """The terms of a pattern."""
    return tuple(_term(each.split()) for each in line.split(";"))


def _term(words: Sequence[str]) -> Term:
    names, kind, *sizes = words
    return Term(tuple(names.lstrip("?").split("|")), names.startswith("?"), kind, tuple(sizes))


def match(
    terms: Sequence[Term], end: str, tensor: NamedTensor, by_name: Mapping[str, NamedTensor]
) -> Match | None:
    """What lies beside a tensor whose name has this end, where all is as the pattern says."""
    if not KINDS[terms[0].kind](tensor.dtype, tensor.numbers):
        return None
    stem = tensor.name[: len(tensor.name) - len(end)]
    module = tensor.name[: tensor.name.rfind(".") + 1]
    if f"*{end}" in terms[0].names:
        module = stem[: stem.rfind(".") + 1]
    elif stem != module:
        return None
    tensors, equations = [tensor], Equations(tensor.numbers.bits)
    match = Match((), equations, stem, module)
    if not equations.add(terms[0], tensor):
        return None
    for term in terms[1:]:
        present = [each for name in term.names if (each := by_name.get(match.full(name)))]
        if not present and not term.optional:
            return None
        for each in present:
            if not KINDS[term.kind](each.dtype, each.numbers) or not equations.add(term, each):
                return None
        tensors += [each for each in present if each is not tensor]
    return match._replace(tensors=tuple(tensors)) if equations.are_solved() else None


def ends(name: str) -> list[str]:
    """What a pattern may call the name: all of it, and what follows one of the last "." and "_"."""
    places = [match.start() for match in re.finditer(r"[._]", name)][-6:]
    after = [end for place in places for end in (name[place:], name[place + 1 :])]
    return list(dict.fromkeys([name, *after]))


class Equations:
    """Sizes of tensors as products of unknown ones, and of how many numbers one number holds.

    bits: of a number that holds several.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.values: dict[str, int] = {}
        self.axes: tuple[int, ...] | None = None
        self.capacity: Fraction | None = None
        self.ratios: list[tuple[str, Fraction, int, int]] = []

    def add(self, term: Term, tensor: NamedTensor) -> bool:
        """Whether the tensor can have the term's sizes."""
        expressions = term.sizes
        shape = stated_sizes(tensor) if term.kind == "=" else tensor.shape
        if shape is None:
            return False
        if expressions == ("~",):
            return True
        if expressions[:1] == ("..",):
            expressions = expressions[1:]
            rest = len(shape) - len(expressions)
            if rest < 0 or self.axes not in (None, shape[:rest]):
                return False
            self.axes, shape = shape[:rest], shape[rest:]
        if len(shape) != len(expressions):
            return False
        for expression, size in zip(expressions, shape, strict=True):
            name, factor, power = _factors(expression)
            if power:
                self.ratios.append((name, factor, power, size))
            elif not self._bind(name, size / factor):
                return False
        return True

    def _bind(self, name: str, size: Fraction) -> bool:
        if size.denominator != 1 or size < 1:
            return False
        return self.values.setdefault(name, int(size)) == size if name else size == 1

    def are_solved(self) -> bool:
        """Whether one number of things fits all sizes that were waiting for it."""
        for name, factor, power, size in self.ratios:
            if name in self.values and size:
                capacity = (size / (factor * self.values[name])) ** power
                if self.capacity not in (None, capacity) or self.bits / capacity not in BITS:
                    return False
                self.capacity = capacity
        return not self.ratios or (
            self.capacity is not None
            and all(
                self._bind(name, size / (factor * self.capacity**power))
                for name, factor, power, size in self.ratios
            )
        )

    def sizes(self, expressions: Sequence[str]) -> tuple[int, ...] | None:
        """What the expressions, products each, come to; None where a factor is not known."""
        sizes: list[int] = []
        for expression in expressions:
            if expression == "..":
                sizes += self.axes or ()
                continue
            factors = [int(e) if e.isdigit() else self.values.get(e) for e in expression.split("*")]
            if None in factors:
                return None
            sizes.append(prod(each for each in factors if each is not None))
        return tuple(sizes)


@cache
def _factors(expression: str) -> tuple[str, Fraction, int]:
    """A size as a name ("" for none), times a number, times a power of how many one holds."""
    name, factor, power = "", Fraction(1), 0
    for sign, word in re.findall(r"([*/]?)(\w+)", expression):
        if word == "p":
            power += -1 if sign == "/" else 1
        elif word.isdigit():
            factor = factor / int(word) if sign == "/" else factor * int(word)
        else:
            name = word
    return name, factor, power


def stated_sizes(tensor: NamedTensor) -> tuple[int, ...] | None:
    """The sizes that a tensor's values are; None where they are not read, or can't be sizes."""
    content, width = tensor.content, tensor.numbers.bits // 8
    if content.startswith(b"{"):
        from .encodings.json import array, fields, load

        try:
            values = array((fields(load(content.decode(), tensor.name)) or {}).get("shape"))
        except (ReadError, UnicodeDecodeError):
            return None
    elif width and content:
        places = range(0, min(len(content), MAX_AXES * width), width)
        values = [int.from_bytes(content[i : i + width], "little") for i in places]
    else:
        values = None
    if not values or not all(type(each) is int and 0 < each < 2**63 for each in values):
        return None
    return tuple(values)
