"""From an ONNX graph to a network: the order of the nodes, and a rule for each."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError
from ...network import MAX_SIZE
from ..graph_builder import listing, ordered
from .inputs import bind
from .layers import Layers, dotted
from .proto import Graph
from .repeats import Repeats
from .state import NodeReader, State
from .values import Unknown, Value, known, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Network, Shape
    from ..encodings.blob import Blob
    from ..source import Source
    from .proto import Dims, Function, Model, NodeDef, TensorProto


class NodeCall(NodeReader):
    """One node of the graph as its rule sees it."""

    __slots__ = ()

    b: OnnxBuilder  # not any State: only a builder makes these

    def __init__(
        self, b: OnnxBuilder, node: NodeDef, inputs: list[Value | None], opset: int
    ) -> None:
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
    function: what a call of one of the file's own functions becomes. backwards: by ``Operator``,
    the shape of a node's first input from that of its output.
    """

    operators: Mapping[str, Callable[[NodeCall], None]]
    function: Callable[[NodeCall, Function], None]
    backwards: Mapping[str, Callable[[NodeCall, Shape], Shape | None]]


class OnnxBuilder(Layers):
    """The state of one reading."""

    def __init__(self, model: Model, source: Source, blob: Blob, rules: Rules) -> None:
        super().__init__(blob, source.name)
        self.model = model
        self.learned = model.learned
        self.guesses = model.producer != "nettally"
        self.source = source
        graph = model.graph
        assert graph is not None
        self.whole = graph
        self.data = [info for info in graph.inputs if info.name not in graph.initializers]
        self.opsets: Mapping[str, int] = model.opsets
        self.depth = 0
        self.calls: tuple[tuple[str, str, str], ...] = ()
        self.used: set[str] | None = None
        self.rules = rules.operators
        self.function = rules.function
        self.backwards = rules.backwards

    # --- the whole ------------------------------------------------------------------------------

    def build(self) -> Network:
        """The network, with the inputs' sizes as the user gave them, or else the file."""
        defaults = [info for info in self.whole.inputs if info.name in self.whole.initializers]
        shapes, self.sizes = bind(self.data, defaults, self.source)
        for sentence in self.sizes.notes:
            self.note(sentence)
        self.start(shapes)
        outputs: list[str] = []
        for name in dict.fromkeys(info.name for info in self.whole.outputs):
            value = self.values.get(name)
            if value is None:
                raise self.error(f"the graph's output '{name[:80]}' is made by no node")
            outputs += map(self.node_of, self.with_items((value,)))
        self.read.update(outputs)
        self.drop_inputs()
        unknown = [f"{name} ({count})" for name, count in self.model.unknown.items()]
        if unknown:
            self.note(f"fields that ONNX has not, skipped: {listing(unknown)}")
        return self.network(outputs=outputs)

    def start(self, shapes: Mapping[str, Dims | None]) -> None:
        """Run through the graph from inputs of these shapes."""
        for info in self.data:
            shape = shapes.get(info.name)
            if not info.name:
                raise self.error("an input has no name")
            if info.name in self.values:
                raise self.error(f"two inputs are called '{info.name[:80]}'")
            if shape is None and not (info.dtype or info.kind):
                raise self.error(
                    f"the input '{info.name[:80]}' has neither a type nor sizes",
                    hint=f"--input {info.name}=3x224x224 gives its sizes",
                )
            fits = known(shape) and (self.counting or max(shape, default=0) <= MAX_SIZE)
            name = self.input(info.name, shape if known(shape) and fits else None)
            value = Value(info.name, shape, info.dtype, name)
            value.is_input = value.raw = not info.kind
            self.values[info.name] = value
            if info.kind:  # a sequence, a map: nothing is known of what is in it
                self.append(self, name, self.layer("opaque", type=info.kind, tensors=()), ())
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
                f"{listing(weights)}: inputs of the graph that are used as weights; they are "
                "counted as the layers' parameters"
            )
        if unread:
            self.note(f"{listing(unread)}: inputs that no layer reads as data; left out")
        for name in weights + unread:
            if name not in self.read:
                del self.inputs[name]

    # --- nodes ----------------------------------------------------------------------------------

    def run(self, nodes: Sequence[NodeDef], prefix: str) -> None:
        """Run nodes in order. prefix: put before the names of a body's nodes.

        Raises ReadError where a node reads what no node makes, or the graph goes in a circle.
        """
        values = self.values
        outside, self.prefix = self.prefix, prefix
        nodes_outside, self.running = self.running, nodes
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
                        self.run(_sorted(nodes[place:], values, self), prefix)
                        self.prefix, self.running = outside, nodes_outside
                        return
                    what = f"its input '{name}' is made by no node"
                    raise NodeCall(self, node, [], 0).error(what)
                inputs.append(value)
            self.node(node, inputs, prefix, repeats)
            place += 1
        self.prefix, self.running = outside, nodes_outside

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
        call.name = self.free(dotted(label) if "/" in label else label)
        if (
            inputs
            and inputs[0] is not None
            and inputs[0].shape is None
            and outputs[0] in self.stated
        ):
            self.infer_input(call, inputs[0])
        try:
            plain = not (node.domain or self.model.functions)
            rule = self.rules.get(node.op) if plain else self.rule(node)
            if rule is not None and repeats is not None and len(outputs) == 1:
                repeats.record(rule, call)
            elif rule is not None:
                rule(call)
            else:
                kind = f"{node.domain}:{node.op}" if node.domain else node.op
                self.note("not understood", kind[:80])
                self.unresolved(call)
        except Unknown:
            self.unresolved(call)
        except LayerError as error:
            raise call.error(error.what, error.values, error.hint) from None
        for name in outputs:
            if name and name not in self.values:
                self.note("not understood, an output", node.op)
                self.unresolved(call)
                break

    def infer_input(self, call: NodeCall, x: Value) -> None:
        """Tell the size of an unknown layer's output from that of the node that reads it."""
        place = self.open.get(x.node or "")
        rule = None if call.node.domain else self.backwards.get(call.node.op)
        out = self.merged(call.node.outputs[0], None, 0, call)
        shape = rule(call, out) if rule is not None and known(out) else None
        if place is None or shape is None or not all(0 <= size <= MAX_SIZE for size in shape):
            return
        node = self.nodes[place]
        layer = self.layer("opaque", **{**node.layer.fields(), "size": shape, "whole": True})
        self.nodes[place] = node.replace(layer=layer)
        x.shape = self.shapes[node.name] = shape
        self.note(f"told from what reads it, the output of '{node.name[:80]}' is {shown(shape)}")

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

    def probe(self) -> OnnxBuilder:
        """A builder that sees all that is known here, and whose layers are thrown away."""
        other = object.__new__(OnnxBuilder)
        other.__dict__.update(self.__dict__)
        other.nodes, other.inputs, other.read, other.weight_inputs = [], {}, set(), set()
        other.owners, other._notes, other.stated, other.holders, other.open = {}, {}, {}, {}, {}
        # flat, since a chain of chains takes twice the time a link
        maps = self.values.maps if isinstance(self.values, ChainMap) else [self.values]
        other.values = ChainMap({}, *maps)
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


def _sorted(nodes: Sequence[NodeDef], values: Mapping[str, Value], b: State) -> list[NodeDef]:
    """The nodes in an order in which each comes after what it reads.

    Raises ReadError where there is none.
    """
    makers: dict[str, int] = {}
    for place, node in enumerate(nodes):
        for name in node.outputs:
            makers.setdefault(name, place)
    needs = [
        [makers[name] for name in node.inputs if name and name not in values and name in makers]
        for node in nodes
    ]
    order = ordered(needs)
    if len(order) < len(nodes):
        done = set(order)
        stuck = next(node for place, node in enumerate(nodes) if place not in done)
        name = (stuck.name or "".join(stuck.outputs[:1]))[:80]
        raise b.error(
            "the graph goes in a circle",
            values=f"{stuck.op[:80]} '{name}' waits for its own result",
            hint="a graph has each node after those that it reads",
        )
    return [nodes[place] for place in order]
