"""One entry of a file that has tensors by name: its sizes, its kind of numbers, what it is for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ReadError
from ..layers.opaque import MAX_TENSOR

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAME = 2000
"""The longest name of a tensor, in characters."""

MAX_AXES = 64
"""torch's own limit."""

MAX_TENSORS = 250_000
"""How many tensors a file may have."""

FEW_TENSORS, BYTES_OF_A_TENSOR = 5_000, 40
"""How many tensors any file may have, and for how many of its bytes one more: a tensor's name,
sizes and place take a hundred."""

MAX_CONTENT = 4096
"""How long a tensor may be, in bytes, whose values are the sizes of others."""

LEARNED = frozenset(("weight", "bias"))
"""What is a parameter though its numbers are whole: weights that were quantised."""


class NamedTensor(NamedTuple):
    """One entry of a table.

    name: with dots. shape: its sizes. dtype: as the file calls it. role: ``parameter``, ``buffer``
    or ``unknown`` (it stands for an unknown number of parameters) where that is known. same: what
    is equal for all names of one tensor, None where it has one. type: the class of its module.
    content: its bytes, where they say what other tensors are. home: the module that it belongs to,
    where the name does not say it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str = ""
    same: object = None
    type: str = ""
    content: bytes = b""
    home: str | None = None

    @property
    def last(self) -> str:
        """The name without the modules that it stands in."""
        return self.name.rpartition(".")[2] or self.name

    @property
    def module(self) -> str:
        return self.name.rpartition(".")[0] if self.home is None else self.home

    @property
    def numbers(self) -> Numbers:
        return numbers_of(self.dtype)


class Numbers(NamedTuple):
    """A kind of numbers. kind: ``real``, ``int``, ``uint``, ``bool`` or ``other``; bits: of one."""

    kind: str
    bits: int

    @property
    def whole(self) -> bool:
        """Whether they are whole, or true and false."""
        return self.kind in ("int", "uint", "bool")


_KINDS = {"f": "real", "bf": "real", "float": "real", "bfloat": "real", "i": "int", "int": "int",
          "u": "uint", "uint": "uint"}  # fmt: skip


@lru_cache(256)
def numbers_of(dtype: str) -> Numbers:
    """What a file's word for a kind of numbers says: ``F8_E4M3`` and ``float8_e4m3fn`` are one."""
    if dtype.endswith("_x2"):  # two numbers in a byte
        return Numbers("uint", 8)
    match = re.match(r"([a-z]+)(\d+)", dtype.lower())
    if match is None:
        return Numbers("bool", 8) if dtype.lower() == "bool" else Numbers("other", 0)
    return Numbers(_KINDS.get(match[1], "other"), int(match[2][:4]))


def most_tensors(size: int) -> int:
    """How many tensors a table of so many bytes may have."""
    return min(MAX_TENSORS, FEW_TENSORS + size // BYTES_OF_A_TENSOR)


def checked(name: str, shape: Sequence[object], where: str) -> tuple[int, ...]:
    """The sizes of a tensor. Raises ReadError for a name or sizes that cannot be."""
    if len(name) > MAX_NAME:
        raise ReadError(
            "a tensor's name is too long",
            where=where,
            values=f"{name[:40]}…, {len(name):,} characters, at most {MAX_NAME:,}",
        )
    if len(shape) > MAX_AXES:
        raise ReadError(
            f"'{name[:80]}' has too many axes", where=where, values=f"{len(shape):,} axes"
        )
    sizes: list[int] = []
    for size in shape:
        if type(size) is not int or not 0 <= size <= MAX_TENSOR:
            shown = f"{size}" if type(size) is int and abs(size) < 10**40 else f"{type(size)}"
            raise ReadError(
                f"'{name[:80]}' has a size that is none",
                where=where,
                values=shown,
                hint="sizes are whole numbers between 0 and 2^63 - 1",
            )
        sizes.append(size)
    return tuple(sizes)


def listing(names: Sequence[str], most: int = 12) -> str:
    """Names with commas, a dozen at most."""
    shown = ", ".join(name[:80] for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
