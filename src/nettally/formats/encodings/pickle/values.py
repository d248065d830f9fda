"""What a pickle's values are to us: names, dictionaries as pairs, and what a call would make."""

from __future__ import annotations

from typing import Any, NamedTuple


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
        self.pairs: list[tuple[Any, Any]] = []


class Thing:
    """Something that a call would have made. state, pairs, items: what was put into it."""

    __slots__ = ("args", "items", "maker", "pairs", "state")

    def __init__(self, maker: Any, args: Any) -> None:
        self.maker = maker
        self.args = args
        self.state: Any = None
        self.pairs: list[tuple[Any, Any]] = []
        self.items: list[Any] = []


class Mark:
    """Where a list of arguments begins, and what a number too long to be read becomes."""
