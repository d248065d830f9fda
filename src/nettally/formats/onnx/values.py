"""What is known of a tensor while an ONNX graph is read, and what a rule sees of its node."""

from __future__ import annotations

import math
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

from ...errors import ReadError
from .proto import Graph, Ref, TensorProto

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Shape
    from .builder import Builder
    from .proto import Dim, Dims, NodeDef

MAX_CONTENTS = 1024
"""How many values of a constant are looked at; shapes are made of fewer."""

MAX_SHOWN, MAX_TOLD = 80, 600
"""How much of a name, and of a sentence with names, an error tells."""

MAX_DIM = 2**63 - 1
"""The largest size that ONNX can write; a larger one is an overflow there."""

Numbers = list[int] | list[float]


class Value:
    """A tensor: its sizes (None: not even how many), its type, and what makes it.

    node: the layer or input that makes it, None for a constant. contents: of a small constant.
    tensor: where a constant's contents lie. root: the tensor of the file that a constant comes
    from by views, so that two uses of one weight are known as one; else its name. is_input:
    whether it is an input of the graph. items: the tensors of a value that is a sequence. sort:
    the same object for all values of one shape, type and so on.
    """

    # what few have, and no __slots__, so that the many are made quickly
    contents: Numbers | None = None
    tensor: TensorProto | None = None
    is_input: bool = False
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


class NodeCall:
    """One node of the graph as its rule sees it."""

    __slots__ = ("b", "inputs", "name", "node", "opset")

    def __init__(self, b: Builder, node: NodeDef, inputs: list[Value | None], opset: int) -> None:
        self.b = b
        self.node = node
        self.inputs = inputs
        self.opset = opset
        self.name = ""

    # --- inputs ---------------------------------------------------------------------------------

    def get(self, place: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def value(self, place: int) -> Value:
        """An input that must be there."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if value is None:
            raise self.error(
                f"its input {place} is missing", f"{len(self.node.inputs)} inputs are given"
            )
        return value

    def weight(self, place: int) -> Value | None:
        """An input that stands for a learned tensor: a constant, or an input of the graph.

        None where there is none. Raises Unknown where it is computed from the data.
        """
        value = self.get(place)
        if value is None or value.node is None:
            return value
        if value.is_input:
            self.b.weight_inputs.add(value.name)
            return value
        raise Unknown

    def contents(self, place: int) -> Numbers | None:
        """The values of a constant input; None where there is none, or they are not known."""
        value = self.get(place)
        return None if value is None else self.b.contents(value)

    def integers(self, place: int) -> list[int]:
        """The values of a constant input of integers. Raises Unknown."""
        values = self.contents(place)
        if values is None:
            raise Unknown
        if not all(math.isfinite(each) for each in values):
            raise self.error(f"its input {place} must be whole numbers", f"{values[:8]}")
        return [int(each) for each in values]

    def integer(self, place: int) -> int | None:
        """The value of a constant input of one integer; None where it is not known."""
        if not self.contents(place):
            return None
        return self.integers(place)[0]

    # --- attributes -----------------------------------------------------------------------------

    def attribute(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self.node.attributes.get(name, default)
        if value is default:
            return default
        if isinstance(value, Ref):
            raise self.error(f"its attribute '{name}' refers to one that is not there")
        if not isinstance(value, kind):
            raise self.error(f"its attribute '{name}' has another type", f"{type(value).__name__}")
        return value

    def int(self, name: str, default: int = 0) -> int:
        return self.attribute(name, int, default)

    def float(self, name: str, default: float = 0.0) -> float:
        return short(self.attribute(name, (float, int), default))

    def word(self, name: str, default: str = "") -> str:
        value = self.attribute(name, bytes, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def ints(self, name: str) -> list[int] | None:
        values = self.attribute(name, list, None)
        if values is not None and not all(type(each) is int for each in values):
            raise self.error(f"its attribute '{name}' is no list of integers")
        return values

    def floats(self, name: str) -> list[float] | None:
        values = self.attribute(name, list, None)
        if values is not None and not all(isinstance(each, (int, float)) for each in values):
            raise self.error(f"its attribute '{name}' is no list of numbers")
        return values

    def graph(self, name: str) -> Graph:
        graph = self.attribute(name, Graph, None)
        if graph is None:
            raise self.error(f"its attribute '{name}' is missing")
        return graph

    def axis(self, axis: int, rank: int, what: str = "axis") -> int:
        """An axis counted from the front. Raises ReadError outside the tensor."""
        if not -rank <= axis < rank:
            raise self.error(f"its {what} is outside its input", f"{what} {axis}, {rank} axes")
        return axis % rank

    # --- results --------------------------------------------------------------------------------

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        node = self.node
        label = node.name or "".join(node.outputs[:1])
        where = f"{self.b.name}: {node.op[:MAX_SHOWN]} '{label[:MAX_SHOWN]}'"
        return ReadError(what[:MAX_TOLD], where=where, values=values[:MAX_TOLD], hint=hint)

    def emit(
        self,
        shape: Dims | None,
        make: Callable[[], Layer],
        data: Sequence[Value],
        *,
        place: int = 0,
        dtype: int | None = None,
        weights: Mapping[str, Value | None] | None = None,
        written: Mapping[str, Any] | None = None,
    ) -> Value:
        """An output: its shape, the layer that makes it, and what the layer reads.

        make is called where the shape is known. dtype: the first input's where it is not said.
        """
        return self.b.emit(self, shape, make, data, place, dtype, weights, written)

    def step(
        self,
        suffix: str,
        shape: Dims | None,
        make: Callable[[], Layer],
        data: Sequence[Value],
        weights: Mapping[str, Value | None] | None = None,
    ) -> Value:
        """A layer on the way to an output, where ONNX's node is more than one of ours."""
        return self.b.step(self, suffix, shape, make, data, weights)
