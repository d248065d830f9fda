"""What a pickle's values are to us: names, dictionaries as pairs, and what a call would make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Global(NamedTuple):
    """The name of a class or a function, as text."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:120]


class Dictionary:
    """A dictionary as its pairs, in order; keys may be anything and are never hashed."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: Sequence[tuple[Any, Any]] = ()

    def add(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.pairs = _longer(self.pairs, pairs)


class Thing:
    """Something that a call would have made. state, pairs, items: what was put into it."""

    __slots__ = ("args", "items", "maker", "pairs", "state")

    def __init__(self, maker: Any, args: Any) -> None:
        self.maker = maker
        self.args = args
        self.state: Any = None
        self.pairs: Sequence[tuple[Any, Any]] = ()
        self.items: Sequence[Any] = ()

    def add(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.pairs = _longer(self.pairs, pairs)

    def append(self, items: Iterable[Any]) -> None:
        self.items = _longer(self.items, items)


def _longer(row: Sequence[Any], more: Iterable[Any]) -> Sequence[Any]:
    """A row with more behind it. What is empty shares one tuple: a file may have millions."""
    if isinstance(row, list):
        row.extend(more)
        return row
    return list(more) or ()


class Mark:
    """Where a list of arguments begins, and what a number too long to be read becomes."""


def words_for(value: Any) -> str:
    """A few words for a value: a tuple of tuples of the same ones can't be written out."""
    return str(value) if isinstance(value, (Global, int)) else f"of type {type(value).__name__}"
