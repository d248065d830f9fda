"""Other code for methods of ``nn.Module``, for as long as a forward is followed.

Assigning to the class would do the same, and cost 60 µs a method and more: Python then looks at
every subclass there is, and these are hundreds. A function's code can be exchanged at no cost,
and the class never notices.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


class _Templates:
    """Methods that call what lies in their globals under a name of ours.

    Code fits into a function only where it has as many cells: ``super()`` needs one.
    """

    def without_cell(self, *args: Any, **kwargs: Any) -> Any:
        return _nettally_(self, *args, **kwargs)  # type: ignore[name-defined]  # noqa: F821 - see above

    def with_cell(self, *args: Any, **kwargs: Any) -> Any:
        __class__  # type: ignore[name-defined]  # noqa: B018 - makes the cell
        return _nettally_(self, *args, **kwargs)  # type: ignore[name-defined]  # noqa: F821 - see above


class Lent:
    """What was exchanged, until ``give_back``."""

    def __init__(self) -> None:
        self.codes: list[tuple[FunctionType, CodeType, str]] = []
        self.methods: list[tuple[type, str, Any]] = []

    def plain(self, name: str) -> Callable[..., Any]:
        """torch's own method, whatever is lent in its place."""
        method = nn.Module.__dict__[name]
        if type(method) is not FunctionType:
            return method
        made = FunctionType(
            method.__code__, method.__globals__, name, method.__defaults__, method.__closure__
        )
        made.__kwdefaults__ = method.__kwdefaults__
        return made

    def lend(self, name: str, ours: Callable[..., Any]) -> None:
        """Let ``nn.Module``'s method of that name be ours."""
        method: Any = nn.Module.__dict__[name]
        templates = {0: _Templates.without_cell, 1: _Templates.with_cell}
        cells = len(method.__code__.co_freevars) if type(method) is FunctionType else -1
        if cells not in templates:  # somebody else has put something there
            self.put(nn.Module, name, ours)
            return
        code = templates[cells].__code__
        word = f"_nettally_{name}"
        names = tuple([word if each == "_nettally_" else each for each in code.co_names])
        self.codes.append((method, method.__code__, word))
        method.__globals__[word] = ours
        method.__code__ = code.replace(co_names=names, co_freevars=method.__code__.co_freevars)

    def put(self, kind: type, name: str, ours: Callable[..., Any]) -> None:
        """Put ours in the place of a method that is not written in Python."""
        self.methods.append((kind, name, getattr(kind, name)))
        setattr(kind, name, ours)

    def give_back(self) -> None:
        """Everything as it was."""
        for method, code, word in self.codes:
            method.__code__ = code
            method.__globals__.pop(word, None)
        for kind, name, method in self.methods:
            setattr(kind, name, method)
        self.codes.clear()
        self.methods.clear()
