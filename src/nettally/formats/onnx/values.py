"""What is known of a tensor while an ONNX graph is read."""

from __future__ import annotations

import math
from math import prod
from typing import TYPE_CHECKING, TypeGuard

from .proto import BITS, BOOL, FLOATS, INT8, INT16, INT32, INT64, PACKED, UINT8, UINT16, UINT32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape
    from .proto import Dim, Dims, TensorProto

MAX_CONTENTS = 1024
"""The most values of a constant that are read; shapes have fewer."""

MAX_DIM = 2**63 - 1
"""The largest size that ONNX can write; a larger one is an overflow there."""

Numbers = list[int] | list[float]


class Value:
    """A tensor: its sizes (None: not even how many), its type, and what makes it.

    node: the layer or input that makes it, None for a constant. contents: of a small constant.
    tensor: where a constant's contents lie. root: the tensor of the file that a constant comes
    from by views, so that two uses of one weight are known as one; else its name. origin: that
    tensor itself. parts: the constants that one is computed from, as far as they may be learned;
    None where it stands in the file. fill: the number that it is filled with. number: the one
    number of the file that it repeats. packed: whole numbers of few bits stand for reals. is_input:
    whether it is an input of the graph. raw: whether it is one, or moved and normalised only.
    items: the tensors of a value that is a sequence. sort: the same object for all values of one
    shape, type and so on.
    """

    # class attributes that few values change, and no __slots__: so the many are made quickly
    contents: Numbers | None = None
    tensor: TensorProto | None = None
    is_input: bool = False
    raw: bool = False
    packed: bool = False
    fill: float | None = None
    number: Value | None = None
    parts: tuple[Value, ...] | None = None
    origin: Value | None = None
    made_by: str = ""  # the operator that computes a constant of its parts
    label: str = ""  # the name of its node
    pattern: str | None = None  # see ``patterns``, once it is known
    items: tuple[Value, ...] | None = None
    _root: str | None = None

    def __init__(
        self,
        name: str,
        shape: Dims | None,
        dtype: int = 0,
        node: str | None = None,
        contents: Numbers | None = None,
        sort: object = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.node = node
        if contents is not None:
            self.contents = contents
        self.sort = sort

    @property
    def root(self) -> str:
        return self.name if self._root is None else self._root

    @root.setter
    def root(self, root: str) -> None:
        self._root = root

    def view(self, name: str, shape: Dims | None, dtype: int) -> Value:
        """The same tensor under another name, in another shape or type; not its contents."""
        view = Value(name, shape, dtype, self.node)
        view._root, view.origin = self.root, self.origin or self
        view.parts, view.made_by, view.fill = self.parts, self.made_by, self.fill
        view.number = self.number
        view.packed = self.packed or (self.dtype in PACKED and dtype not in PACKED)
        return view

    @property
    def constant(self) -> bool:
        return self.node is None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def sizes(self) -> Shape:
        """The shape, all of it known. Raises Unknown."""
        shape = self.shape
        if not known(shape):
            raise Unknown
        return shape


class Unknown(Exception):
    """The shape depends on what is not known."""


def known(shape: Dims | None) -> TypeGuard[tuple[int, ...]]:
    """Whether all the sizes are numbers."""
    if shape is None:
        return False
    for size in shape:  # noqa: SIM110 (all() is slower, and each tensor is asked)
        if type(size) is not int:
            return False
    return True


def times(sizes: Sequence[Dim]) -> Dim:
    """The product, None where a size is not known (and no other is 0)."""
    if all(type(size) is int for size in sizes):
        return prod(sizes)  # type: ignore[arg-type] - all ints, as just asked
    if len(sizes) == 1:
        return sizes[0]
    rest = [size for size in sizes if size != 1]
    return rest[0] if len(rest) == 1 else None


def short(value: float) -> float:
    """The shortest number that is the same in 32 bits: 0.0001, and not 9.999999747378752e-05."""
    return float(f"{value:.7g}")


def shown(shape: Dims | None) -> str:
    """A shape for people: ``1x3x?x224``."""
    if shape is None:
        return "unknown"
    return "x".join("?" if size is None else str(size) for size in shape) or "a scalar"


def _limit(dtype: int) -> tuple[int, int]:
    bits = BITS[dtype]
    if dtype in (INT8, INT16, INT32, INT64):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def cast(values: Numbers, dtype: int) -> Numbers | None:
    """The values as another type."""
    if dtype in FLOATS:
        return [float(each) for each in values]
    if dtype == BOOL:
        return [int(each != 0) for each in values]
    if dtype in (INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, 13):
        least, most = _limit(dtype)
        if not all(math.isfinite(each) and least <= int(each) <= most for each in values):
            return None
        return [int(each) for each in values]
    return None
