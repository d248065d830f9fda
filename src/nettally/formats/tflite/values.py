"""What is known of a tensor while a TFLite graph is read."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from .layout import first_axes, to_last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape
    from .model import TensorInfo

FLOATS = frozenset(("FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16"))


class Value(NamedTuple):
    """A tensor that is computed. node: whose output it is. sizes: as our layers have it.

    first: its channels come first, else it lies as in the file. sizes None: not known.
    """

    node: str
    sizes: Shape | None
    first: bool

    @property
    def shape(self) -> Shape:
        """The sizes, where they are known."""
        return () if self.sizes is None else self.sizes

    def axis(self, axis: int) -> int:
        """Where an axis of the file's is in ``sizes``."""
        rank = len(self.shape)
        return first_axes(rank).index(axis % rank) if self.first else axis % rank

    @property
    def file(self) -> Shape:
        """The sizes in the file's order."""
        return to_last(self.shape) if self.first else self.shape


class NotUnderstood(Exception):
    """Why an operator becomes opaque."""


def is_learned(tensor: TensorInfo) -> bool:
    """Whether a constant counts as a parameter: it has several numbers, real or quantized."""
    return tensor.values > 1 and (tensor.type in FLOATS or tensor.quantized)


def by_axis(sizes: Sequence[int]) -> str:
    return "x".join("?" if n < 0 else str(n) for n in sizes) or "a single number"


def product(sizes: Sequence[int]) -> int:
    return prod(sizes)
