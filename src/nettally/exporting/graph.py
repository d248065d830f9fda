"""The graph of an ONNX file while it grows, and what a layer's rule sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

from ..building.build import holder_of
from ..registry import Registry
from . import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from ..network import Node, Shape

    Rule = Callable[["At"], str]

OPSET = 18
"""The lowest set of operators that has what is written; some layers ask for a later one."""

FAMILIES = ("windows", "pooling", "functions", "normalization", "reshaping", "products")
"""The files beside this one that register rules."""

RULES = Registry("ONNX rules of layers", __package__ or "", fillers=FAMILIES)
"""By kind of layer: a rule writes the layer and gives the name of the value that it made."""


def writes(*kinds: str) -> Callable[[Rule], Rule]:
    """Register the rule of some kinds of layers."""

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            RULES.add(kind, rule)
        return rule

    return register


def rule_of(kind: str) -> Rule | None:
    """The rule of a kind of layer; None where it can't be exported."""
    return RULES.find(kind)


class Refused(Exception):
    """A layer that ONNX has not as it is: why."""


class Graph:
    """Nodes, tensors, and the names that are taken."""

    def __init__(self) -> None:
        self.opset = OPSET
        self.nodes: list[bytes] = []
        self.initializers: list[wire.Initializer] = []
        self.names: set[str] = set()
        self.values: dict[str, str] = {}  # of a node or input of the network: its value here
        self.sharing: set[str] = set()  # layers whose tensors others have too
        self.learned: dict[str, bool] = {}  # tensors for which the reader's rule would be wrong
        self.stored: dict[
            int, tuple[str, Shape]
        ] = {}  # by id: a weight that is in the file already

    def unique(self, name: str) -> str:
        """The name, or with a number behind it where it is taken; ONNX has no empty ones."""
        name = name or "_"
        unique, count = name, 2
        while unique in self.names:
            unique, count = f"{name}_{count}", count + 1
        self.names.add(unique)
        return unique

    def add(
        self, op: str, name: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        self.nodes.append(wire.node(op, name, inputs, outputs, attributes))

    def hold(self, name: str, shape: Shape, values: Tensor | Sequence[int]) -> str:
        """A tensor of the file; its name."""
        name = self.unique(name)
        self.initializers.append(wire.Initializer(name, tuple(map(int, shape)), values))
        return name


class At:
    """One layer in its place: what its rule reads, and where it writes.

    xs, y: shapes, for a batch of 1 where the network allows that. inputs: names of values.
    """

    def __init__(
        self,
        graph: Graph,
        node: Node,
        xs: tuple[Shape, ...],
        y: Shape,
        module: nn.Module,
    ) -> None:
        self.graph = graph
        self.node = node
        self.layer: Any = node.layer
        self.xs = xs
        self.y = y
        self.module: Any = module
        self.inputs = [graph.values[name] for name in node.inputs]
        self.name = graph.values[node.name]

    @property
    def x(self) -> Shape:
        return self.xs[0]

    @property
    def shares(self) -> bool:
        """Whether another layer has a tensor of this one too, or this one another's."""
        return self.node.name in self.graph.sharing

    def refuse(self, why: str) -> NoReturn:
        raise Refused(why)

    def needs(self, opset: int) -> None:
        """What follows is in ONNX since this set of operators."""
        self.graph.opset = max(self.graph.opset, opset)

    # --- nodes ----------------------------------------------------------------------------------

    def put(self, op: str, *inputs: str, **attributes: Any) -> str:
        """The node that makes this layer's value; both have the layer's name."""
        self.graph.add(op, self.name, inputs, [self.name], **attributes)
        return self.name

    def step(self, suffix: str, op: str, *inputs: str, **attributes: Any) -> str:
        """A node on the way there, where the layer is more than one of ONNX's; its value."""
        name = self.graph.unique(f"{self.name}.{suffix}")
        self.graph.add(op, name, inputs, [name], **attributes)
        return name

    def parts(self, suffix: str, op: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """A node with several outputs; their values."""
        names = [self.graph.unique(f"{self.name}.{suffix}{i}") for i in range(count)]
        self.graph.add(op, names[0], inputs, names, **attributes)
        return names

    # --- tensors --------------------------------------------------------------------------------

    def weight(self, tensor: str, shape: Shape | None = None, *, counted: bool = True) -> str:
        """A tensor of the layer, seen in a shape. Shared ones are in the file once.

        counted: ONNX's reader takes it for learned where it has many values, so that it must be
        told where it has one.
        """
        value = self.values(tensor)
        shape = tuple(value.shape) if shape is None else tuple(map(int, shape))
        earlier = self.graph.stored.get(id(value))
        if earlier is None:
            name = self.graph.hold(f"{self.name}.{tensor}", shape, value)
            self.graph.stored[id(value)] = name, shape
            if counted and value.numel() == 1 and isinstance(value, nn.Parameter):
                self.graph.learned[name] = True
            return name
        name, stored = earlier
        if stored == shape:
            return name
        return self.step(f"{tensor}.view", "Reshape", name, self.ints(f"{tensor}.size", shape))

    def values(self, tensor: str) -> Tensor:
        """A tensor of the layer, by the layer's own name for it."""
        holder, name = holder_of(self.module, tensor)
        value = getattr(holder, name)
        if value.is_meta:
            self.refuse("its tensors have no values (they are on torch's meta device)")
        return value

    def fixed(self, suffix: str, values: Tensor) -> str:
        """A tensor that is not learned; the file says so."""
        name = self.graph.hold(f"{self.name}.{suffix}", tuple(values.shape), values)
        if values.numel() > 1:
            self.graph.learned[name] = False
        return name

    def constant(self, tensor: str, values: Tensor) -> str:
        """What stands in place of a tensor that the layer has not, and ONNX has."""
        name = self.graph.hold(f"{self.name}.{tensor}", tuple(values.shape), values)
        self.graph.learned[name] = False
        return name

    def scalar(self, suffix: str, value: float) -> str:
        """A number of the arithmetic."""
        return self.fixed(suffix, torch.tensor(float(value), device="cpu"))

    def ints(self, suffix: str, values: Sequence[int]) -> str:
        """Whole numbers: sizes, axes."""
        numbers = [int(each) for each in values]
        return self.graph.hold(f"{self.name}.{suffix}", (len(numbers),), numbers)

    # --- what several rules do ------------------------------------------------------------------

    def reshaped(self, suffix: str, x: str, size: Sequence[int]) -> str:
        """The value in another shape; 0 keeps a size, -1 is what is left."""
        return self.step(suffix, "Reshape", x, self.ints(f"{suffix}.size", size))

    def sliced(
        self, suffix: str, x: str, cuts: Sequence[tuple[int, int, int]], *, last: bool = False
    ) -> str:
        """Of each axis in (axis, start, stop) that part."""
        axes, starts, stops = zip(*cuts, strict=True)
        inputs = (
            x,
            self.ints(f"{suffix}.starts", starts),
            self.ints(f"{suffix}.ends", stops),
            self.ints(f"{suffix}.axes", axes),
        )
        return self.put("Slice", *inputs) if last else self.step(suffix, "Slice", *inputs)

    def fitted(
        self, x: str, sides: Sequence[tuple[int, int]], most: Sequence[int], fill: float = 0.0
    ) -> tuple[str, list[int]]:
        """The input and the pads of a window: what a window's own pads can't have is done before.

        sides: (before, after) each axis of space; a negative one cuts. most: pads up to this are
        the window's own. Returns the value and ONNX's ``pads``.
        """
        sides = [(int(a), int(b)) for a, b in sides]
        sizes = self.x[2:]
        wide = any(max(pair) > limit for pair, limit in zip(sides, most, strict=True))
        if wide:
            pads = [(max(a, 0), max(b, 0)) for a, b in sides]
            x = self.padded("padded", x, pads, fill)
            sizes = tuple(n + a + b for n, (a, b) in zip(sizes, pads, strict=True))
        cuts = [
            (axis, max(-a, 0), int(n) - max(-b, 0))
            for axis, ((a, b), n) in enumerate(zip(sides, sizes, strict=True), start=2)
            if a < 0 or b < 0
        ]
        if cuts:  # never more than the input has there
            x = self.sliced("cut", x, cuts)
        left = [(0, 0) if wide else (max(a, 0), max(b, 0)) for a, b in sides]
        return x, [a for a, _ in left] + [b for _, b in left]

    def padded(
        self, suffix: str, x: str, sides: Sequence[tuple[int, int]], fill: float = 0.0
    ) -> str:
        """Space with values around it."""
        pads = [0, 0, *(a for a, _ in sides), 0, 0, *(b for _, b in sides)]
        return self.step(
            suffix,
            "Pad",
            x,
            self.ints(f"{suffix}.pads", pads),
            self.scalar(f"{suffix}.value", fill),
        )
