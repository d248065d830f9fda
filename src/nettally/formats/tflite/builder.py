"""From a TFLite graph to a network: layouts, names, and one layer an operator or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError
from ...network import NOTHING
from ..graph_builder import GraphBuilder, sizes_from_user
from .layout import first_axes, layouts, to_first
from .names import clean, node_name
from .operator_sets import CALLS, FUSED, PROCEDURES
from .values import NotUnderstood, Value, by_axis, is_learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Network, Node, Shape
    from ..source import Source
    from .model import Graph, Operator, TensorInfo


class TfliteBuilder(GraphBuilder):
    """The nodes so far, and what is known of the graph's tensors, by their numbers.

    rules: a function for each kind of operator. They are parameters, since they use this class.
    values: of tensors that are computed. aliases: constants that another tensor only stands for.
    first: which tensors have their channels first.
    """

    MAX_EDGES = 2_000_000  # as many as the file itself may have: a model is read whole

    def __init__(
        self,
        graph: Graph,
        source: Source,
        rules: Mapping[str, Callable[[TfliteBuilder, Operator], None]],
    ) -> None:
        super().__init__(source.name)
        self.graph = graph
        self.rules = rules
        self.values: dict[int, Value] = {}
        self.aliases: dict[int, int] = {}
        self.output_names: dict[tuple[int, int], str] = {}
        self.first = layouts(graph)
        self.stated = True
        self._open_inputs(source)

    # --- the whole ---------------------------------------------------------------------------

    def read(self) -> Network:
        """The network. Raises ReadError."""
        if self.graph.others:
            self.note(f"{self.graph.others:,} further subgraphs are not counted by themselves")
        for op in self.graph.operators:
            self._operator(op)
        outputs = [self.values[i].node for i in self.graph.outputs if i in self.values]
        nodes = self._reached(set(outputs))
        known = {*self.inputs, *(node.name for node in nodes)}
        return self.network(nodes=nodes, outputs=[name for name in outputs if name in known])

    def _reached(self, wanted: set[str]) -> tuple[Node, ...]:
        """The nodes without those that only compute sizes that nobody reads."""
        kept: list[Node] = []
        whole = {self.values[t.number].node for t in self.graph.tensors
                 if t.number in self.values and t.type in ("INT32", "INT64", "BOOL")}  # fmt: skip
        for node in reversed(self.nodes):
            if node.name in wanted or node.name not in whole:
                kept.append(node)
                wanted.update(node.inputs)
        return tuple(reversed(kept))

    def _open_inputs(self, source: Source) -> None:
        tensors = [self.graph.tensors[index] for index in self.graph.inputs]
        names = [self.free(clean(tensor.name) or "input") for tensor in tensors]
        user_sizes = sizes_from_user(source, names)
        for name, tensor in zip(names, tensors, strict=True):
            first = self.first[tensor.number]
            shape = to_first(tensor.shape) if first else tensor.shape
            size = user_sizes.get(name)
            if size is not None:
                if len(size) not in (len(shape), len(shape) - 1):
                    raise ReadError(
                        f"the input '{name}' has another number of axes",
                        where=self.file,
                        values=f"given {by_axis(size)}, in the file {by_axis(shape)}",
                    )
                size = size if len(size) == len(shape) else (shape[0], *size)
                if size != shape:
                    shape, self.stated = size, False
            elif any(n < 0 for n in tensor.signature[1:]) or any(n < 1 for n in shape[1:]):
                raise ReadError(
                    f"the file leaves sizes of the input '{name}' open",
                    where=self.file,
                    values=f"{by_axis(tensor.signature or tensor.shape)}, channels last",
                    hint=f"--input {name}=3x224x224, channels first",
                )
            if shape and shape[0] < 1:
                shape = (1, *shape[1:])
            self.values[tensor.number] = Value(self.input(name, shape), shape, first)

    # --- one operator ------------------------------------------------------------------------

    def _operator(self, op: Operator) -> None:
        for i in op.inputs:
            if i >= 0 and i not in self.values and i not in self.aliases:
                tensor = self.graph.tensors[i]
                if not tensor.constant and not tensor.variable and tensor.values:
                    raise op.error(
                        "it reads a tensor that nothing has made before", f"'{tensor.name[:80]}'"
                    )
        for i in op.outputs:
            if i in self.values or (i >= 0 and self.graph.tensors[i].constant):
                raise op.error("it makes a tensor that is there already", f"tensor {i}")
        rule = self.rules.get(op.kind)
        if rule is not None and (not op.outputs or min(op.outputs) < 0):
            raise op.error("it has no output", f"outputs {op.outputs[:8]}")
        try:
            if rule is None:
                raise NotUnderstood
            if any(i in self.values and self.values[i].sizes is None for i in op.inputs):
                raise NotUnderstood
            rule(self, op)
        except NotUnderstood as reason:
            self.opaque(op, str(reason) if rule is not None else "")

    def tensor(self, op: Operator, place: int) -> TensorInfo | None:
        """An input's tensor; None where it is left out."""
        if place >= len(op.inputs) or op.inputs[place] < 0:
            return None
        index = op.inputs[place]
        return self.graph.tensors[self.aliases.get(index, index)]

    def computed(self, op: Operator, place: int) -> Value | None:
        """An input that is computed; None where it is a constant or left out."""
        return self.values.get(op.inputs[place]) if place < len(op.inputs) else None

    def value(self, op: Operator, place: int = 0) -> Value:
        """An input that has to be computed. Raises NotUnderstood for a constant."""
        value = self.computed(op, place)
        if value is None:
            raise NotUnderstood("its input is a constant")
        return value

    def weight(self, op: Operator, place: int, axes: int) -> TensorInfo:
        """A constant with so many axes. Raises NotUnderstood where it is computed."""
        tensor = self.tensor(op, place)
        if tensor is None or not tensor.constant:
            raise NotUnderstood("its weights are computed")
        if len(tensor.shape) != axes or 0 in tensor.shape:
            raise op.error("its weights cannot be such", by_axis(tensor.shape))
        return tensor

    def numbers(self, op: Operator, place: int) -> tuple[int, ...]:
        """The whole numbers of an input. Raises NotUnderstood where they are not in the file."""
        tensor = self.tensor(op, place)
        numbers = None if tensor is None else self.graph.contents(tensor)
        if numbers is None:
            raise NotUnderstood("what it is to do is computed")
        return numbers

    def is_first(self, op: Operator, place: int = 0) -> bool:
        """Whether an output has its channels first."""
        return self.first[op.outputs[place]]

    def stated_of(self, op: Operator, place: int = 0) -> Shape | None:
        """An output's sizes, in our order, where the file states them for these inputs."""
        index = op.outputs[place]
        tensor = self.graph.tensors[index]
        if not self.stated or any(n < 0 for n in (*tensor.signature[1:], *tensor.shape)):
            return None
        if not tensor.shape and not op.kind.startswith(("MEAN", "SUM", "REDUCE", "ARG", "SQUEEZE")):
            return None  # no sizes, which is how sizes that are not known are written too
        return to_first(tensor.shape) if self.first[index] else tensor.shape

    def plain(self, op: Operator, value: Value) -> Value:
        """The value as it lies in the file; where it was turned round it is turned back."""
        if not value.first or value.sizes is None:
            return value
        order = first_axes(len(value.sizes))
        back = tuple(order.index(axis) for axis in range(len(order)))
        layer = self.layer(op, "permute", order=back)
        name = self._node(op, self.free(f"{value.node}_channels_last"), layer, [value])
        return Value(name, value.file, False)

    def emit(
        self,
        op: Operator,
        layer: Layer,
        inputs: Sequence[Value],
        *,
        place: int = 0,
        first: bool | None = None,
        weights: Mapping[str, TensorInfo] = NOTHING,
        padding: str = "",
        fused: int = 0,
        suffix: str = "",
    ) -> Value:
        """Append the node of an operator's output, and that of its activation.

        The output's sizes are compared with those that the file states.

        first: how the output lies, by default as the inputs. weights: the tensors behind the
        layer's parameters. suffix: of a name for a step on the way, which is no output.
        """
        name = self._name(op, place)
        if suffix:
            name = self.free(f"{name}_{suffix}")
        lies_first = bool(inputs and inputs[0].first) if first is None else first
        self._node(op, name, layer, inputs, weights, padding)
        value = Value(name, self.shapes[name], lies_first)
        if fused:
            if fused not in FUSED:
                raise op.error("its activation is none that is known", f"{fused}")
            kind, fields = FUSED[fused]
            after = self.free(f"{name}_{fields.get('function', kind)}")
            self._node(op, after, self.layer(op, kind, **fields), [value], module=_module(name))
            value = value._replace(node=after)
        if not suffix:
            self.bind(op, place, value)
        return value

    def bind(self, op: Operator, place: int, value: Value) -> None:
        """The operator's output is this value; what the file states of it is compared."""
        index = op.outputs[place]
        stated = self.stated_of(op, place)
        if stated is not None and stated and value.sizes is not None and stated != value.sizes:
            same_batch = self.graph.tensors[index].signature[:1] == (-1,)
            if not (same_batch and stated[1:] == value.sizes[1:]):
                self.note(
                    "the file states other sizes",
                    f"{value.node} is {by_axis(value.sizes)} and stated as {by_axis(stated)}",
                )
        self.values[index] = value._replace(first=self.first[index] and value.first)

    def _name(self, op: Operator, place: int) -> str:
        """The name of the node that makes an operator's output."""
        key = (op.number, place)
        if key not in self.output_names:
            self.output_names[key] = self.free(node_name(self.graph, op, place))
        return self.output_names[key]

    def _node(
        self,
        op: Operator,
        name: str,
        layer: Layer,
        inputs: Sequence[Value],
        weights: Mapping[str, TensorInfo] = NOTHING,
        padding: str = "",
        module: str | None = None,
    ) -> str:
        """Append a node. Weights of one buffer are one parameter, and a bias of one tensor.

        Biases are told by tensors, since the converter keeps all that are equal, say 0, once.
        """
        keys = {
            each: -tensor.number - 1
            if each.startswith("bias") or not tensor.buffer
            else tensor.buffer
            for each, tensor in weights.items()
        }
        return self.append(
            op,
            name,
            layer,
            [each.node for each in inputs],
            shared=self.share(op, name, keys) if keys else NOTHING,
            module=_module(name) if module is None else module,
            written={"padding": padding} if padding else NOTHING,
        )

    def opaque(self, op: Operator, reason: str) -> None:
        """A node for each output of an operator that is not understood.

        The first has the operator's constants as parameters. One without parameters and weighted
        sums is a procedure, where the file states its sizes.
        """
        outputs = [place for place, index in enumerate(op.outputs) if index >= 0]
        sizes = {place: self.stated_of(op, place) for place in outputs}
        procedure = op.kind in PROCEDURES and None not in sizes.values()
        if not procedure:
            self.note("not understood", f"{op.kind}: {reason}" if reason else op.kind)
        inputs = [self.values[i] for i in op.inputs if i in self.values]
        weights = self._constants(op)
        for place, size in sizes.items():
            if size is not None and any(not 0 <= n < 2**31 for n in size):
                raise op.error("its output has a size that cannot be", by_axis(size))
            name = self._name(op, place)
            if procedure:
                self._node(op, name, self.layer(op, "procedure", type=op.kind, size=size), inputs)
            else:
                tensors = tuple([(each, tensor.shape) for each, tensor in weights.items()])
                whole = size is not None
                fields = {"size": size, "whole": whole, "tensors": tensors}
                if op.kind in CALLS:
                    fields["tensors"] = None
                self._node(
                    op, name, self.layer(op, "opaque", type=op.kind, **fields), inputs, weights
                )
            weights = {}
            self.values[op.outputs[place]] = Value(name, size, self.first[op.outputs[place]])

    def _constants(self, op: Operator) -> dict[str, TensorInfo]:
        """The constants of an operator that count as parameters, named by their places."""
        tensors: dict[str, TensorInfo] = {}
        for place in range(len(op.inputs)):
            tensor = self.tensor(op, place)
            if tensor is not None and tensor.constant and is_learned(tensor):
                tensors[f"{'bias' if len(tensor.shape) == 1 else 'weight'}{place}"] = tensor
        return tensors


def _module(name: str) -> str:
    return name.rpartition(".")[0]
