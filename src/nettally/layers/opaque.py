"""A layer that nobody has taught us: its work is unknown, which is not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LayerError
from ..network import Layer, Shape, Window, check_size
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping

Tensors = tuple[tuple[str, tuple[int, ...]], ...]
"""Tensors by name, each with its sizes, none for a single number."""

MAX_TENSOR = 2**63 - 1
"""The largest size of a tensor's axis that is believed."""


@layer("opaque")
class Opaque(Layer):
    """A layer known by its name only. size: the output without the batch, where it is stated.

    whole: the size is all of the output's, the batch's own with it.
    Its work is unknown, so that totals say "at least"; where its shape is unknown too, everything
    after it is. tensors, kept: its parameters and what it keeps unlearned, where a file states
    them; None where it does not, and then its parameters are unknown too. Such a layer may stand
    without inputs: a file of parameters tells of no graph.
    """

    arity = 0
    least = 0
    positional = ("type",)

    type: str = "unknown"
    size: tuple[int, ...] | None = None
    tensors: Tensors | None = None
    kept: Tensors = ()
    whole: bool = False

    def __post_init__(self) -> None:
        state = self.__dict__
        size: Any = self.size
        if size is not None:
            state["size"] = tuple(size) if isinstance(size, (tuple, list)) else (size,)
            for each in self.size or ():
                check_size("size", each, 0 if self.whole else 1)
        if self.tensors is not None:
            state["tensors"] = _settled("tensors", self.tensors)
        if self.kept:
            state["kept"] = _settled("kept", self.kept)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if self.size is None:
            raise LayerError(
                f"the output of '{self.type}' is not stated",
                hint="say it: `opaque NAME, size 64x7x7`",
            )
        if self.whole:
            return self.size
        return (xs[0][0] if xs and xs[0] else 1, *self.size)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return dict(self.tensors or ())

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        return dict(self.kept)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return None


def _settled(field: str, stated: Any) -> Tensors:
    """Pairs of a name and its sizes. Raises LayerError for what is none."""
    tensors: list[tuple[str, tuple[int, ...]]] = []
    seen: set[str] = set()
    for pair in stated:
        name, sizes = pair if isinstance(pair, (tuple, list)) and len(pair) == 2 else (None, None)
        if not isinstance(name, str) or not isinstance(sizes, (tuple, list)):
            raise LayerError(f"{field} are pairs of a name and its sizes")
        if name in seen:
            raise LayerError(f"{field} have a name twice", values=name[:80])
        seen.add(name)
        for each in sizes:
            if not isinstance(each, int) or not 0 <= each <= MAX_TENSOR:
                raise LayerError(
                    "a tensor's size is a whole number between 0 and 2^63 - 1", values=name[:80]
                )
        tensors.append((name, tuple(sizes)))
    return tuple(tensors)
