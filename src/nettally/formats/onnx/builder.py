"""From an ONNX graph to a network: the order of the nodes, and a rule for each."""

from __future__ import annotations

import os
from collections import ChainMap
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError, ReadError
from ...network import Network
from .inputs import bind
from .layers import Layers, dotted, listed
from .proto import Graph
from .repeats import Repeats
from .state import NodeReader
from .values import Unknown, Value, known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...network import Layer, Shape
    from ..encodings.blob import Blob
    from ..source import Source
    from .proto import Dims, Function, Model, NodeDef, TensorProto

MAX_NOTES = 40
"""The most kinds of notes that are kept."""


class NodeCall(NodeReader):
    """One node of the graph as its rule sees it."""

    __slots__ = ()

    b: Builder  # not any State: only a builder makes these

    def __init__(self, b: Builder, node: NodeDef, inputs: list[Value | None], opset: int) -> None:
        super().__init__(b, node, inputs, opset)

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


class Rules(NamedTuple):
    """The rules that a builder calls. It imports none of them, since they use it.

    operators: by ``Operator``, or ``domain:Operator`` where the domain is not ONNX's own.
    function: what a call of one of the file's own functions becomes.
    """

    operators: Mapping[str, Callable[[NodeCall], None]]
    function: Callable[[NodeCall, Function], None]


class Builder(Layers):
    """The state of one reading."""

    def __init__(self, model: Model, source: Source, blob: Blob, rules: Rules) -> None:
        super().__init__(blob, source.name)
        self.model = model
        self.learned = model.learned
        self.source = source
        graph = model.graph
        assert graph is not None
        self.whole = graph
        self.data = [info for info in graph.inputs if info.name not in graph.initializers]
        self.inputs: dict[str, Shape] = {}
        self.opsets: Mapping[str, int] = model.opsets
        self.depth = 0
        self.calls: tuple[tuple[str, str, str], ...] = ()
        self.used: set[str] | None = None
        self.rules = rules.operators
        self.function = rules.function

    # --- the whole ------------------------------------------------------------------------------

    def network(self) -> Network:
        """The network, with the inputs' sizes as the user gave them, or else the file."""
        defaults = [info for info in self.whole.inputs if info.name in self.whole.initializers]
        shapes, self.sizes = bind(self.data, defaults, self.source)
        self.start(shapes)
        outputs: list[str] = []
        for name in dict.fromkeys(info.name for info in self.whole.outputs):
            value = self.values.get(name)
            if value is None:
                raise ReadError(
                    f"the graph's output '{name[:80]}' is made by no node", where=self.name
                )
            outputs += map(self.node_of, self.with_items((value,)))
        self.read.update(outputs)
        self.drop_inputs()
        stem = os.path.splitext(os.path.basename(self.name))[0]
        return Network(
            stem or self.whole.name or "network",
            self.inputs,
            tuple(self.nodes),
            tuple(dict.fromkeys(outputs)),
            source=self.span,
            notes=tuple(self.all_notes()),
        )

    def start(self, shapes: Mapping[str, Dims | None]) -> None:
        """Run through the graph from inputs of these shapes."""
        for info in self.data:
            shape = shapes.get(info.name)
            if not info.name or info.name in self.values:
                raise ReadError(
                    f"two inputs are called '{info.name[:80]}'"
                    if info.name
                    else "an input has no name",
                    where=self.name,
                )
            if shape is None and not (info.dtype or info.kind):
                raise ReadError(
                    f"the input '{info.name[:80]}' has neither a type nor sizes",
                    where=self.name,
                    hint=f"--input {info.name}=3x224x224 gives its sizes",
                )
            name = self.unique(info.name)
            value = Value(info.name, shape, info.dtype, name)
            value.is_input = not info.kind
            self.values[info.name] = value
            if known(shape):
                self.inputs[name] = shape
            if info.kind:  # a sequence, a map: nothing is known of what is in it
                self.append_node(name, self.layer("opaque", type=info.kind, tensors=()))
        graph = self.whole
        for name, tensor in graph.initializers.items():
            self.values[name] = self.constant(name, tensor)
        for name, numbers in self.sizes.values.items():
            value = self.values[name]
            self.inputs.pop(value.node or "", None)
            value.node, value.is_input, value.tensor, value.contents = None, False, None, numbers
            self.learned = {**self.learned, name: False}
        if not self.sizes.ignored:
            self.stated = {**graph.infos, **{info.name: info for info in graph.outputs}}
        self.run(graph.nodes, "")

    def drop_inputs(self) -> None:
        """Leave out the inputs that are weights, and those that no layer reads."""
        weights = [name for name in self.inputs if name in self.weight_inputs]
        unread = [
            name for name in self.inputs if name not in self.read and name not in self.weight_inputs
        ]
        if len(unread) == len(self.inputs) - len(weights):
            unread = unread[1:]  # one input at least
        if weights:
            self.note(
                f"{listed(weights)}: inputs of the graph that are used as weights; they are "
                "counted as the layers' parameters"
            )
        if unread:
            self.note(f"{listed(unread)}: inputs that no layer reads as data; left out")
        for name in weights + unread:
            if name not in self.read:
                del self.inputs[name]

    def all_notes(self) -> Iterable[str]:
        yield from self.sizes.notes
        notes = list(self.notes.items())
        for text, count in notes[:MAX_NOTES]:
            yield f"{text} ({count} times)" if count > 1 else text
        if len(notes) > MAX_NOTES:
            yield f"and {len(notes) - MAX_NOTES:,} other notes"
        if self.model.unknown:
            parts = [f"{name} ({count})" for name, count in self.model.unknown.items()]
            yield f"fields that ONNX has not, skipped: {listed(parts)}"

    # --- nodes ----------------------------------------------------------------------------------

    def run(self, nodes: Sequence[NodeDef], prefix: str) -> None:
        """Run nodes in order. prefix: put before the names of a body's nodes.

        Raises ReadError where a node reads what no node makes, or the graph goes in a circle.
        """
        values = self.values
        outside, self.prefix = self.prefix, prefix
        repeats = None if prefix or self.model.functions else Repeats(self)
        place, end = 0, len(nodes)
        while place < end:
            if repeats is not None:
                place = repeats.run(nodes, place)
                if place == end:
                    break
            node = nodes[place]
            inputs: list[Value | None] = []
            for name in node.inputs:
                value = values.get(name) if name else None
                if value is None and name:
                    if any(name in later.outputs for later in nodes[place:]):
                        self.run(_sorted(nodes[place:], values, self.name), prefix)
                        self.prefix = outside
                        return
                    what = f"its input '{name}' is made by no node"
                    raise NodeCall(self, node, [], 0).error(what)
                inputs.append(value)
            self.node(node, inputs, prefix, repeats)
            place += 1
        self.prefix = outside

    def node(
        self,
        node: NodeDef,
        inputs: list[Value | None],
        prefix: str,
        repeats: Repeats | None,
    ) -> None:
        call = NodeCall(self, node, inputs, self.opsets.get(node.domain, 1))
        outputs = node.outputs
        if not outputs:
            raise call.error("it has no outputs")
        label = node.name or next(filter(None, outputs), "")
        if prefix and (node.name or not label.startswith(prefix)):  # values have it already
            label = prefix + label
        call.name = self.unique(dotted(label) if "/" in label else label)
        try:
            plain = not (node.domain or self.model.functions)
            rule = self.rules.get(node.op) if plain else self.rule(node)
            if rule is not None and repeats is not None and len(outputs) == 1:
                repeats.record(rule, call)
            elif rule is not None:
                rule(call)
            else:
                kind = f"{node.domain}:{node.op}" if node.domain else node.op
                self.note(f"{kind[:80]} is not understood")
                self.unresolved(call)
        except Unknown:
            self.unresolved(call)
        except LayerError as error:
            raise call.error(error.what, error.values, error.hint) from None
        for name in outputs:
            if name and name not in self.values:
                self.note(f"{node.op} has an output that is not understood")
                self.unresolved(call)
                break

    def rule(self, node: NodeDef) -> Callable[[NodeCall], None] | None:
        """The rule of an operator; a function of the file goes before ours."""
        functions = self.model.functions
        if functions:
            body = functions.get((node.domain, node.op, node.overload))
            if body is not None:
                return lambda call: self.function(call, body)
        return self.rules.get(f"{node.domain}:{node.op}" if node.domain else node.op)

    def constant(self, name: str, tensor: TensorProto) -> Value:
        value = Value(name, tensor.dims, tensor.dtype)
        value.tensor = tensor
        return value

    def needed(self, name: str) -> bool:
        """Whether something reads a value; a value within a body always counts as read."""
        if not name or self.calls or self.prefix:
            return bool(name)
        if self.used is None:
            self.used = {info.name for info in self.whole.outputs}
            waiting = [self.whole]
            while waiting:
                for node in waiting.pop().nodes:
                    self.used.update(node.inputs)
                    for value in node.attributes.values():
                        if isinstance(value, Graph):
                            waiting.append(value)
                            self.used.update(info.name for info in value.outputs)
        return name in self.used

    # --- bodies ---------------------------------------------------------------------------------

    def probe(self) -> Builder:
        """A builder that sees all that is known here, and whose layers are thrown away."""
        other = object.__new__(Builder)
        other.__dict__.update(self.__dict__)
        other.nodes, other.names, other.read = [], set(), set()
        other.numbers, other.owners, other.notes, other.stated = {}, {}, {}, {}
        other.weight_inputs = set()
        # flat, since a chain of chains takes twice the time a link
        maps = self.values.maps if isinstance(self.values, ChainMap) else [self.values]
        other.values = ChainMap({}, *maps)
        other.probing = True
        return other

    def outer(self, graphs: Sequence[Graph]) -> list[Value]:
        """The computed values outside that bodies read."""
        values: dict[str, Value] = {}
        waiting = list(graphs)
        while waiting:
            graph = waiting.pop()
            for node in graph.nodes:
                for name in node.inputs:
                    value = self.values.get(name)
                    if value is not None and value.node is not None:
                        values[name] = value
                waiting.extend(v for v in node.attributes.values() if isinstance(v, Graph))
        return list(values.values())


def _sorted(nodes: Sequence[NodeDef], values: Mapping[str, Value], where: str) -> list[NodeDef]:
    """The nodes in an order in which each comes after what it reads.

    Raises ReadError where there is none.
    """
    makers: dict[str, int] = {}
    for place, node in enumerate(nodes):
        for name in node.outputs:
            if name:
                makers.setdefault(name, place)
    waiting = [0] * len(nodes)
    readers: list[list[int]] = [[] for _ in nodes]
    for place, node in enumerate(nodes):
        for name in {*node.inputs}:
            if name and name not in values and name in makers:
                waiting[place] += 1
                readers[makers[name]].append(place)
    ready = [place for place in range(len(nodes) - 1, -1, -1) if not waiting[place]]
    order: list[NodeDef] = []
    while ready:
        place = ready.pop()
        order.append(nodes[place])
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(order) < len(nodes):
        stuck = next(node for place, node in enumerate(nodes) if waiting[place])
        name = (stuck.name or "".join(stuck.outputs[:1]))[:80]
        raise ReadError(
            "the graph goes in a circle",
            where=where,
            values=f"{stuck.op[:80]} '{name}' waits for its own result",
            hint="a graph has each node after those that it reads",
        )
    return order
