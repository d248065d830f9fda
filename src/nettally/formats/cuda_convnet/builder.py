"""What all layers of cuda-convnet have in common: sizes, names, and the nodes that they become.

A layer is met three times. Its section is read (whatever is wrong there, is wrong for any input);
its output's size is worked out, perhaps for many inputs, until one is settled; then its nodes are
made. The sizes follow the code's own ``layer.py`` and not our layers, whose shapes must then
agree: the tests hold them together.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...network import MAX_SIZE, NOTHING, Node, Span
from .neurons import neurons, new

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

    def __str__(self) -> str:
        return f"{self.channels}x{self.side}x{self.side}" if self.side else f"{self.channels}"


class Plan:
    """A layer of the file, read but not yet placed in a network."""

    arity: ClassVar[int] = 0  # how many inputs; 0 for one or more
    keeps_shape: ClassVar[bool] = False  # its first input's size is its output's
    trained: ClassVar[bool] = False  # it must have a section in the parameter file

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

    def build(self, builder: Builder, xs: Sequence[Extent], y: Extent) -> str:
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


class Builder:
    """The nodes of a network in the making."""

    def __init__(self, taken: Sequence[str], joined: bool) -> None:
        self.nodes: list[Node] = []
        self.heads: dict[str, str] = {}  # a layer's name: the node that its readers read
        self.tensors: dict[tuple[str, int], str] = {}  # a layer's weight matrix: whose it is
        self.notes: list[str] = []
        self.joined = joined
        self._taken = set(taken)

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
        name = plan.name if not suffix else self._free(plan.name + suffix)
        section = plan.section
        self.nodes.append(
            Node(
                name,
                layer,
                tuple(inputs),
                shared=shared,
                source=Span(section.file, section.line),
                written=written,
            )
        )
        return name

    def make(self, plan: Plan, kind: str, inputs: Sequence[str], suffix: str = "", **k: Any) -> str:
        """Append a node of a kind of layer, given its fields."""
        return self.add(plan, new(kind, **k), inputs, suffix)

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

    def finish(self, plan: Plan, head: str) -> None:
        """Put the layer's activation behind its nodes, and let its readers read that."""
        if plan.neurons:
            chain = [layer for layer in plan.neurons if layer.kind != "identity"]
            head = self.activate(plan, chain, head, "_neuron")
        self.heads[plan.name] = head

    def activate(self, plan: Plan, chain: Sequence[Layer], head: str, suffix: str) -> str:
        """Append the layers of an activation, the last under the name with ``suffix``."""
        start = head
        for index, layer in enumerate(chain):
            last = index == len(chain) - 1
            step = suffix if last else f"{suffix}.{layer.kind}"
            inputs = (start, head) if layer.kind == "subtract" else (head,)
            head = self.add(plan, layer, inputs, step)
        return head

    def note(self, note: str) -> None:
        """Say something about the network, once."""
        if note not in self.notes:
            self.notes.append(note)

    def _free(self, name: str) -> str:
        """The name, or where the file has a layer of that name, the next with a number."""
        number = 0
        free = name
        while free in self._taken:
            number += 1
            free = f"{name}.{number}"
        self._taken.add(free)
        return free


def check_extent(plan: Plan, y: Extent) -> Extent:
    """ReadError where an output is larger than anything is."""
    if y.channels > MAX_SIZE or y.side > MAX_SIZE:
        raise plan.section.error(
            "its output is too large", values=f"{y.channels:.3g} channels, side {y.side:.3g}"
        )
    return y
