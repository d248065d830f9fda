"""From a TFLite graph to a network: layouts, names, and one layer an operator or more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...errors import LayerError, ReadError, closest
from ...layers import layer_class
from ...layers.same_padding import resolve
from ...network import NOTHING, Network, Node, Span
from ..tensor_table import listing
from .layout import first_axes, layouts, to_first
from .names import Names
from .operator_sets import CALLS, FUSED, PROCEDURES, WITH_PARAMETERS
from .values import NotUnderstood, Value, by_axis, is_learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Shape
    from ..source import Source
    from .model import Graph, Operator, TensorInfo


class Builder:
    """The state of one reading.

    rules: a function for each kind of operator. They are parameters, since they use this class.
    """

    def __init__(
        self, graph: Graph, source: Source, rules: Mapping[str, Callable[[Builder, Operator], None]]
    ) -> None:
        self.graph = graph
        self.source = source
        self.rules = rules
        self.nodes: list[Node] = []
        self.values: dict[int, Value] = {}
        self.aliases: dict[int, int] = {}
        self.inputs: dict[str, Shape] = {}
        self.names = Names(graph)
        self.first = layouts(graph)
        self.owners: dict[int, str] = {}
        self.notes: list[str] = []
        self.not_understood: dict[str, int] = {}
        self.mismatches: list[str] = []
        self.stated = True
        self.span = Span(source.name, 0)

    # --- the whole ---------------------------------------------------------------------------

    def network(self) -> Network:
        """The network. Raises ReadError."""
        self._inputs()
        for op in self.graph.operators:
            try:
                self._operator(op)
            except LayerError as error:
                raise ReadError(
                    f"{op.kind}: {error.what}",
                    where=self.where(op),
                    values=error.values,
                    hint=error.hint,
                ) from None
        stem = os.path.splitext(os.path.basename(self.source.name))[0]
        outputs = tuple(
            dict.fromkeys(self.values[i].node for i in self.graph.outputs if i in self.values)
        )
        nodes = self._reached(set(outputs))
        known = {*self.inputs, *(node.name for node in nodes)}
        if not nodes:
            raise ReadError("the network has no operators", where=self.source.name)
        return Network(
            stem or "network",
            self.inputs,
            nodes,
            outputs=tuple(name for name in outputs if name in known),
            source=self.span,
            notes=tuple(self._all_notes()),
        )

    def _all_notes(self) -> list[str]:
        notes = list(self.notes)
        if self.graph.others:
            notes.append(f"{self.graph.others:,} further subgraphs are not counted by themselves")
        if self.not_understood:
            kinds = [
                f"{kind} ({n:,})" if n > 1 else kind for kind, n in self.not_understood.items()
            ]
            notes.append(f"not understood: {listing(kinds)}")
        if self.mismatches:
            notes.append(f"the file states other sizes: {listing(self.mismatches)}")
        return notes

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

    def _inputs(self) -> None:
        user_shapes = dict(self.source.inputs)
        for index in self.graph.inputs:
            tensor = self.graph.tensors[index]
            name = self.names.of_input(tensor)
            first = self.first[index]
            shape = to_first(tensor.shape) if first else tensor.shape
            size = user_shapes.pop(name, None)
            if size is None and len(self.graph.inputs) == 1:
                size = user_shapes.pop("", None)
            if size is not None:
                if len(size) not in (len(shape), len(shape) - 1):
                    raise ReadError(
                        f"the input '{name}' has another number of axes",
                        where=self.source.name,
                        values=f"given {by_axis(size)}, in the file {by_axis(shape)}",
                    )
                size = size if len(size) == len(shape) else (shape[0], *size)
                if size != shape:
                    shape, self.stated = size, False
            elif any(n < 0 for n in tensor.signature[1:]) or any(n < 1 for n in shape[1:]):
                open_sizes = tensor.signature or tensor.shape
                raise ReadError(
                    f"the file leaves sizes of the input '{name}' open",
                    where=self.source.name,
                    values=f"{by_axis(open_sizes)}, channels last",
                    hint=f"--input {name}=3x224x224, channels first",
                )
            if shape and shape[0] < 1:
                shape = (1, *shape[1:])
            if any(n < 1 for n in shape):
                raise ReadError(
                    f"the input '{name}' has a size that cannot be",
                    where=self.source.name,
                    values=by_axis(shape),
                )
            self.inputs[name] = shape
            self.values[index] = Value(name, shape, first)
        if user_shapes:
            unknown = next(iter(user_shapes))
            raise ReadError(
                f"no input is called '{unknown}'" if unknown else "the file has several inputs",
                where=self.source.name,
                hint=closest(unknown, self.inputs),
            )

    def where(self, op: Operator) -> str:
        return f"{self.source.name} at byte {op.at:,}, operator {op.number}"

    def error(self, op: Operator, what: str, values: str = "", hint: str = "") -> ReadError:
        return ReadError(f"{op.kind}: {what}", where=self.where(op), values=values, hint=hint)

    # --- one operator ------------------------------------------------------------------------

    def _operator(self, op: Operator) -> None:
        for i in op.inputs:
            if i >= 0 and i not in self.values and i not in self.aliases:
                tensor = self.graph.tensors[i]
                if not tensor.constant and not tensor.variable and tensor.values:
                    raise self.error(
                        op,
                        "it reads a tensor that nothing has made before",
                        f"'{tensor.name[:80]}'",
                    )
        for i in op.outputs:
            if i in self.values or (i >= 0 and self.graph.tensors[i].constant):
                raise self.error(op, "it makes a tensor that is there already", f"tensor {i}")
        rule = self.rules.get(op.kind)
        if rule is not None and (not op.outputs or min(op.outputs) < 0):
            raise self.error(op, "it has no output", f"outputs {op.outputs[:8]}")
        try:
            if rule is None:
                raise NotUnderstood
            if any(i in self.values and self.values[i].sizes is None for i in op.inputs):
                raise NotUnderstood
            rule(self, op)
        except NotUnderstood as reason:
            self.opaque(op, str(reason), rule is not None)

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
            raise self.error(op, "its weights cannot be such", by_axis(tensor.shape))
        return tensor

    def numbers(self, op: Operator, place: int) -> tuple[int, ...]:
        """The whole numbers of an input. Raises NotUnderstood where they are not in the file."""
        tensor = self.tensor(op, place)
        numbers = None if tensor is None else self.graph.contents(tensor)
        if numbers is None:
            raise NotUnderstood("what it is to do is computed")
        return numbers

    def layer(self, kind: str, **fields: Any) -> Layer:
        return layer_class(kind)(**fields)

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
        layer = self.layer("permute", order=back)
        name = self.names.free(f"{value.node}_channels_last")
        self._add(Node(name, layer, (value.node,), module=_module(name), source=self.span))
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
        name = self.names.of(op, place)
        if suffix:
            name = self.names.free(f"{name}_{suffix}")
        module = _module(name)
        xs = tuple(each.sizes for each in inputs)
        written = {"padding": padding} if padding else NOTHING
        node = Node(
            name,
            layer,
            tuple(each.node for each in inputs),
            shared=self._shared(name, weights),
            module=module,
            source=self.span,
            written=written,
        )
        if padding:
            node = node.replace(layer=resolve(node, xs))  # type: ignore[arg-type] - none of them is None, as the caller saw to
        y = node.layer.shape(xs)  # type: ignore[arg-type] - none of them is None, as the caller saw to
        self._add(node)
        lies_first = bool(inputs and inputs[0].first) if first is None else first
        value = Value(name, y, lies_first)
        if fused:
            if fused not in FUSED:
                raise self.error(op, "its activation is none that is known", f"{fused}")
            kind, fields = FUSED[fused]
            after = self.names.free(f"{name}_{fields.get('function', kind)}")
            self._add(
                Node(after, self.layer(kind, **fields), (name,), module=module, source=self.span)
            )
            value = Value(after, y, lies_first)
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
                self.mismatches.append(
                    f"{value.node} is {by_axis(value.sizes)} and stated as {by_axis(stated)}"
                )
        self.values[index] = value._replace(first=self.first[index] and value.first)

    def _add(self, node: Node) -> None:
        self.nodes.append(node)

    def _shared(self, name: str, weights: Mapping[str, TensorInfo]) -> Mapping[str, str]:
        """Which of the parameters another layer has.

        Constants that are equal are kept once by the converter, so that a bias is shared only
        where the weights are.
        """
        shared: dict[str, str] = {}
        for parameter, tensor in weights.items():
            key = tensor.buffer or -tensor.number - 1
            owner = self.owners.setdefault(key, f"{name}.{parameter}")
            if owner != f"{name}.{parameter}" and (
                parameter != "bias" or shared or len(weights) == 1
            ):
                shared[parameter] = owner
        return shared

    def opaque(self, op: Operator, reason: str, known: bool) -> None:
        """A node for each output of an operator that is not understood.

        One without parameters and weighted sums is a procedure, where the file states its sizes.
        """
        procedure = op.kind in PROCEDURES and all(
            index < 0 or self.stated_of(op, place) is not None
            for place, index in enumerate(op.outputs)
        )
        message = f"{op.kind}: {reason}" if known and reason else op.kind
        if not procedure:
            self.not_understood[message] = self.not_understood.get(message, 0) + 1
        inputs = [self.values[i] for i in op.inputs if i in self.values]
        tensors: tuple[tuple[str, Shape], ...] | None = None
        if not op.kind.startswith(("custom", "operator", "STABLEHLO")) and op.kind not in CALLS:
            tensors = self._parameters(op) if op.kind in WITH_PARAMETERS else ()
        for place, index in enumerate(op.outputs):
            if index < 0:
                continue
            size = self.stated_of(op, place)
            if size is not None and any(not 0 <= n < 2**31 for n in size):
                raise self.error(op, "its output has a size that cannot be", by_axis(size))
            if procedure:
                layer = self.layer("procedure", type=op.kind, size=size)
            else:
                layer = self.layer(
                    "opaque",
                    type=op.kind,
                    size=size,
                    whole=size is not None,
                    tensors=tensors if place == 0 else (),
                )
            name = self.names.of(op, place)
            self._add(
                Node(
                    name,
                    layer,
                    tuple(each.node for each in inputs),
                    module=_module(name),
                    source=self.span,
                )
            )
            self.values[index] = Value(name, size, self.first[index])

    def _parameters(self, op: Operator) -> tuple[tuple[str, Shape], ...]:
        tensors: dict[str, Shape] = {}
        for place in range(len(op.inputs)):
            tensor = self.tensor(op, place)
            if tensor is not None and tensor.constant and is_learned(tensor):
                tensors[f"{'bias' if len(tensor.shape) == 1 else 'weight'}{place}"] = tensor.shape
        return tuple(tensors.items())


def _module(name: str) -> str:
    return name.rpartition(".")[0]
