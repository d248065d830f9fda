"""What all layers of cuda-convnet have in common: sizes, names, and the nodes that they become.

A layer is met three times. Its section is read (whatever is wrong there, is wrong for any input);
its output's size is worked out, perhaps for many inputs, until one is settled; then its nodes are
made. The sizes follow the code's own ``layer.py``, and are held to the shapes of our layers.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...network import MAX_SIZE, NOTHING
from ..graph_builder import GraphBuilder, by_axis
from .neurons import neurons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ...network import Layer
    from .ini import Section


class Extent(NamedTuple):
    """What a layer puts out: square maps, or with side 0 that many values and no maps."""

    channels: int
    side: int = 0

    @property
    def size(self) -> int:
        """How many values."""
        return self.channels * self.side * self.side if self.side else self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return (self.channels, self.side, self.side) if self.side else (self.channels,)

    def __str__(self) -> str:
        return by_axis(self.shape)


class Plan:
    """A layer of the file, read but not yet placed in a network."""

    arity: ClassVar[int] = 0  # how many inputs; 0 for one or more
    keeps_shape: ClassVar[bool] = False  # its first input's size is its output's
    trained: ClassVar[bool] = False  # it must have a section in the parameter file
    sizeless: ClassVar[bool] = False  # its nodes ask for no size
    unknown: ClassVar[str] = ""  # why its output's size is not known

    def __init__(self, section: Section, inputs: Sequence[Plan]) -> None:
        self.section = section
        self.name = section.name
        self.type = section.get("type")
        self.inputs = tuple(inputs)
        self.params: Section | None = None
        if self.arity and len(inputs) != self.arity:
            raise section.error(
                f"a layer of type {self.type} has {self.arity} input{'s' * (self.arity > 1)}",
                "inputs",
                values=f"{len(inputs)} given: {section.get('inputs')}",
            )
        self.neurons = neurons(section) if "neuron" in section else []
        self.read()

    def read(self) -> None:
        """Take from the section what the layer needs. Raises ReadError."""

    def wanted(self) -> tuple[int, ...]:
        """The channels that the section states for its inputs, one each; () where it doesn't."""
        return ()

    def join(self, params: Section) -> None:
        """Take from the parameter file's section what changes the network."""
        self.params = params

    def extent(self, xs: Sequence[Extent]) -> Extent:
        """The output's size for inputs of these sizes. Raises ReadError where they don't fit."""
        return xs[0]

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        """Add the layer's nodes; the name of the one that its readers read."""
        raise NotImplementedError

    def image(self, x: Extent, channels: int, index: int = 0) -> int:
        """The side of input ``index``'s maps, read as ``channels`` of them."""
        if x.side:
            if x.channels != channels:
                source = self.inputs[index]
                raise self.section.error(
                    f"'channels' does not match its input '{source.name}'",
                    "channels",
                    values=f"channels {channels}, the input has {x}",
                    hint=f"channels={x.channels}",
                )
            return x.side
        side = isqrt(x.size // channels)
        if side < 1 or side * side * channels != x.size:
            raise self.section.error(
                f"its input can't be read as {channels} square maps",
                "channels",
                values=f"{x.size:,} values",
                hint="the values must be channels x side x side",
            )
        return side


class CudaConvnetBuilder(GraphBuilder):
    """The nodes so far. heads: by a layer's name, the node that its readers read.

    joined: there is a parameter file. sized: the file states the sizes of its inputs. owners: of a
    layer's weight matrices, by its name and number.
    """

    AGAIN = "."

    def __init__(self, file: str, plans: Sequence[Plan], *, joined: bool) -> None:
        super().__init__(file)
        self.heads: dict[str, str] = {}
        self.joined = joined
        for plan in plans:
            self.free(plan.name)

    def add(
        self,
        plan: Plan,
        layer: Layer,
        inputs: Sequence[str],
        suffix: str = "",
        *,
        shared: Mapping[str, str] = NOTHING,
        written: Mapping[str, Any] = NOTHING,
    ) -> str:
        """Append a node under the layer's name, or with a suffix for what helps it; its name."""
        name = plan.name if not suffix else self.free(plan.name + suffix)
        return self.append(plan.section, name, layer, inputs, shared=shared, written=written)

    def make(self, plan: Plan, kind: str, inputs: Sequence[str], suffix: str = "", **k: Any) -> str:
        """Append a node of a kind of layer, given its fields."""
        return self.add(plan, self.layer(plan.section, kind, **k), inputs, suffix)

    def head(self, plan: Plan, index: int = 0) -> str:
        """The node that input ``index`` of a layer stands for."""
        return self.heads[plan.inputs[index].name]

    def maps(self, plan: Plan, x: Extent, channels: int, index: int = 0) -> str:
        """Input ``index`` as square maps."""
        name = self.head(plan, index)
        if x.side:
            return name
        side = plan.image(x, channels, index)
        suffix = f".maps{index}" if len(plan.inputs) > 1 else ".maps"
        return self.make(plan, "reshape", (name,), suffix, size=(channels, side, side))

    def values(self, plan: Plan, x: Extent, index: int = 0) -> str:
        """Input ``index`` without maps, as one row of values."""
        name = self.head(plan, index)
        if not x.side:
            return name
        suffix = f".values{index}" if len(plan.inputs) > 1 else ".values"
        return self.make(plan, "flatten", (name,), suffix)

    def alike(self, plan: Plan, xs: Sequence[Extent], *, channels: bool) -> list[str]:
        """All inputs, flattened unless their sides (and with ``channels``, these too) agree."""
        if all(x.side == xs[0].side and (not channels or x == xs[0]) for x in xs):
            return [self.head(plan, index) for index in range(len(xs))]
        return [self.values(plan, x, index) for index, x in enumerate(xs)]

    def build(self, plan: Plan, xs: Sequence[Extent | None], y: Extent | None) -> None:
        """Append a layer's nodes, and its activation behind them. xs, y: None: not known.

        Raises ReadError where the size that the code gives it is not that of our layers.
        """
        ready = [x for x in xs if x is not None]
        if len(ready) == len(xs) and y is not None:
            head = plan.build(self, ready, y)
            shape = self.shapes[head]
            if shape is not None and shape[1:] != y.shape:
                raise plan.section.error(
                    "its output has one size in cuda-convnet, and another here",
                    values=f"{by_axis(y.shape)} and {by_axis(shape[1:])}",
                )
        elif plan.sizeless:
            head = plan.build(self, [Extent(1)], Extent(1))
        else:
            if plan.unknown:
                self.note(f"{plan.name}: {plan.unknown}")
            layer = self.layer(
                plan.section, "opaque", type=plan.type, size=None if y is None else (y.size,)
            )
            head = self.add(plan, layer, [self.head(plan, i) for i in range(len(xs))])
        chain = [layer for layer in plan.neurons if layer.kind != "identity"]
        self.heads[plan.name] = self.activate(plan, chain, head, "_neuron")

    def activate(self, plan: Plan, chain: Sequence[Layer], head: str, suffix: str) -> str:
        """Append the layers of an activation, the last under the name with ``suffix``."""
        start = head
        for index, layer in enumerate(chain):
            step = suffix if index == len(chain) - 1 else f"{suffix}.{layer.kind}"
            inputs = (start, head) if layer.kind == "subtract" else (head,)
            head = self.add(plan, layer, inputs, step)
        return head


def check_extent(plan: Plan, y: Extent) -> Extent:
    """ReadError where an output is larger than anything is."""
    if y.channels > MAX_SIZE or y.side > MAX_SIZE:
        raise plan.section.error(
            "its output is too large", values=f"{y.channels:.3g} channels, side {y.side:.3g}"
        )
    return y
