"""Which values share a storage, how they lie in it, and what it holds: one walk over the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import rules
from .layout import (
    Strides,
    channels_last,
    in_order_of,
    innermost,
    picked,
    row_major,
    settled,
    viewed,
)

if TYPE_CHECKING:
    from ...network import Node, Shape
    from ..rows import Row
    from ..tally import Tally


class Storages:
    """The storages of all values, and whose gradient is asked for.

    of: the storage of each node and input, by name. sizes: its bytes, 0 where it is a parameter's.
    lies: strides, of those values that do not lie row after row. inputs: how many storages are
    the network's inputs; they come first.
    """

    __slots__ = ("inputs", "lies", "of", "shapes", "sizes", "width")

    def __init__(self, tally: Tally, width: int) -> None:
        self.width = width
        self.of: dict[str, int] = {}
        self.sizes: list[int] = []
        self.lies: dict[str, Strides] = {}
        whole = indices(tally)
        for name, shape in tally.network.inputs.items():
            self.of[name] = len(self.sizes)
            self.sizes.append(math.prod(map(int, shape)) * (8 if name in whole else width))
        self.inputs = len(self.sizes)

    def new(self, size: int) -> int:
        """A new storage of so many bytes."""
        self.sizes.append(size)
        return len(self.sizes) - 1

    def view(self, node: Node, x: Shape, y: Shape) -> int:
        """The storage of what only changes the shape: its input's, or a new one where it must."""
        source = node.inputs[0]
        lies = self.lies
        source_strides = lies.get(source)
        kind = node.layer.kind
        if source_strides is None and kind in ("flatten", "reshape", "identity"):
            return self.of[source]
        x = tuple(map(int, x))
        y = tuple(map(int, y))
        strides = source_strides or row_major(x)
        laid: Strides | None = None
        layer: Any = node.layer
        if kind in ("flatten", "reshape"):
            laid = viewed(x, strides, y)
            if laid is None:
                return self.new(math.prod(y) * self.width)
        elif kind == "permute":
            laid = tuple([strides[axis] for axis in layer.order])
        elif kind == "slice":
            axis = int(layer.axis)
            step = int(layer.step)
            laid = (*strides[:axis], strides[axis] * step, *strides[axis + 1 :])
        elif kind == "expand":
            lead = len(y) - len(x)
            padded = (0,) * lead + strides
            sizes = (1,) * lead + x
            laid = tuple([0 if a != b else s for a, b, s in zip(sizes, y, padded, strict=True)])
        elif kind in ("identity", "dropout", "crop"):
            laid = strides
        else:
            laid = picked(x, strides, y)
        if laid is not None:
            laid = settled(y, laid)
            if laid is not None:
                if node.written and node.written.get("contiguous"):
                    return self.new(math.prod(y) * self.width)
                lies[node.name] = laid
        return self.of[source]

    def lay(self, row: Row, makes: str) -> None:
        """How a new output lies, where an input does not lie row after row."""
        lies = self.lies
        y = row.shape
        assert y is not None
        for x, name in zip(row.inputs, row.node.inputs, strict=True):
            strides = lies.get(name)
            if len(x) != len(y) or (strides is None and x != y):
                continue
            if strides is None:
                return  # the first input of the output's size decides
            x = tuple(map(int, x))
            y = tuple(map(int, y))
            if makes == "each":
                if x != y:
                    continue
                new_strides = in_order_of(y, strides)
            else:
                new_strides = innermost(y) if channels_last(x, strides) else None
            if new_strides is not None and not row.node.written.get("contiguous"):
                lies[row.node.name] = new_strides
            return

    def turn(self, node: Node, x: Shape, y: Shape) -> bool:
        """Note that a recurrent layer's output lies steps first; whether its input does too."""
        if len(x) != 3 or len(y) != 3 or x[0] == 1 or x[1] == 1:
            return True
        batch, channels, features = int(x[0]), int(x[2]), int(y[2])
        turned = self.lies.get(node.inputs[0]) == (channels, batch * channels, 1)
        self.lies[node.name] = (features, batch * features, 1)
        return turned

    def matrix_copy(self, name: str, x: Shape, keep: int) -> int:
        """Bytes of the copy that a product makes of a factor to see it as matrices; 0 for none.

        keep: how many of the last axes are the matrix's own; those before are made one.
        """
        strides = self.lies.get(name)
        if strides is None or len(x) <= keep + 1:
            return 0
        x = tuple(map(int, x))
        cut = len(x) - keep
        if viewed(x[:cut], strides[:cut], (math.prod(x[:cut]),)) is not None:
            return 0
        return math.prod(x) * self.width


def indices(tally: Tally) -> frozenset[str]:
    """The network's inputs that are whole numbers of eight bytes: those that tables are read by."""
    names: list[str] = []
    inputs = tally.network.inputs
    for row in tally.rows:
        layer = row.node.layer
        if layer.kind == "embedding" and row.node.inputs[0] in inputs:
            names.append(row.node.inputs[0])
    return frozenset(names) if names else rules.NO_NAMES
