"""Nodes that do the same to inputs of the same sort: a rule is called for the first of them only.

A network of 100,000 nodes has a few dozen kinds of them. What the rule made of the first is kept
as a recipe, and written out for the others with their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...network import NOTHING, Node
from .layers import dotted
from .recorder import Recorder
from .values import Value, known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Shape
    from .proto import NodeDef
    from .state import NodeReader, State


_new_value = object.__new__
_new = tuple.__new__  # a third of the time of Node(...)


class Recipe(NamedTuple):
    """What a rule makes of such a node: one layer. data, weights: which of the inputs they are."""

    layer: Layer
    shape: Shape
    dtype: int
    sort: object
    data: tuple[int, ...]
    weights: tuple[tuple[str, int], ...]
    written: Mapping[str, Any]


class Repeats:
    """The recipes, by a node's kind and the sorts of its inputs.

    None stands for recipes that depend on the values of constants: these are kept by the constants
    themselves.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.recipes: dict[tuple[object, ...], Recipe | None] = {}
        self.sorts: dict[object, object] = {}

    # long: this is the inner loop for each node, where a call would be felt
    def run(self, nodes: Sequence[NodeDef], place: int) -> int:
        """Write out the nodes from ``place`` on by their recipes.

        Ends at the first that has none, or has more to it: that place is returned.
        """
        b, recipes, sort_of = self.state, self.recipes, self.sort
        values, names, stated, owners, out_nodes = b.values, b.names, b.stated, b.owners, b.nodes
        span, end = b.span, len(nodes)
        while place < end:
            _, name, kind, inputs, outputs = nodes[place]
            if len(outputs) != 1:
                break
            try:
                if len(inputs) == 1:
                    x = values[inputs[0]]
                    operands: tuple[Value, ...] = (x,)
                    recipe = recipes[kind, x.sort or sort_of(x)]
                elif len(inputs) == 2:
                    x, y = operands = values[inputs[0]], values[inputs[1]]
                    recipe = recipes[kind, x.sort or sort_of(x), y.sort or sort_of(y)]
                else:
                    operands = tuple([values[each] for each in inputs])
                    recipe = recipes[kind, *[x.sort or sort_of(x) for x in operands]]
                if recipe is None:
                    recipe = recipes[kind, *[x if x.node is None else x.sort for x in operands]]
            except KeyError:
                break
            assert recipe is not None
            layer, shape, dtype, sort, data, weights, written = recipe
            output = outputs[0]
            label, module = name or output, ""
            if "/" in label:
                label = dotted(label)
                if name:
                    module = label.rpartition(".")[0]
            if label in names or output in values or not label or not output:
                break
            if output in stated:
                _, stated_dtype, dims, other = stated[output]
                if (dims != shape and dims is not None) or other or stated_dtype not in (dtype, 0):
                    break
            names.add(label)
            # none of them is an input of the graph, so that nobody asks whether it is read
            if len(data) == 1:
                reads: tuple[Any, ...] = (operands[data[0]].node,)
            elif len(data) == 2:
                reads = (operands[data[0]].node, operands[data[1]].node)
            else:
                reads = tuple([operands[each].node for each in data])
            shared = NOTHING
            for parameter, each in weights:
                mine = f"{label}.{parameter}"
                owner = owners.setdefault(operands[each].root, mine)
                if owner is not mine:
                    shared = {**shared, parameter: owner}
            out_nodes.append(_new(Node, (label, layer, reads, shared, module, span, written)))
            value = values[output] = _new_value(Value)  # half the time of Value(...)
            value.name, value.shape, value.dtype, value.node = output, shape, dtype, label
            value.sort = sort
            place += 1
        return place

    def sort(self, value: Value) -> object:
        """The sort of a value: the same object for all that a rule can't tell apart."""
        stated = self.state.learned
        learned = stated.get(value.root) if stated and value.node is None else None
        key = (value.shape, value.dtype, value.node is None, value.is_input, learned)
        sort = self.sorts.get(key)
        if sort is None:
            sort = self.sorts[key] = object()  # whose hash costs nothing
        value.sort = sort
        return sort

    def record(self, rule: Callable[[Any], None], call: NodeReader) -> None:
        """Call the rule, and keep what it did as a recipe, if it can be one.

        It can where the rule made one layer of the node's inputs, and did nothing else.
        """
        b = self.state
        nodes, notes = len(b.nodes), sum(b.notes.values())
        recorder = b.recorder = Recorder()
        try:
            rule(call)
        finally:
            b.recorder = None
        if len(b.nodes) == nodes + 1 and sum(b.notes.values()) == notes:
            self.keep(call, recorder)

    def keep(self, call: NodeReader, recorder: Recorder) -> None:
        b, inputs = call.b, [x for x in call.inputs if x is not None]
        emitted = recorder.emitted[0] if len(recorder.emitted) == 1 else None
        value = b.values.get(call.node.outputs[0])
        if emitted is None or value is None or len(inputs) != len(call.inputs):
            return
        shape, data, weights, written = emitted
        places = {id(x): place for place, x in enumerate(inputs)}
        parameters = [(name, weight) for name, weight in weights.items() if weight is not None]
        if (
            len(places) < len(inputs)  # where two inputs are one value, which is meant is unclear
            or not known(shape)
            or value.shape != shape
            or value.node != call.name
            or not all(id(x) in places and x.node is not None for x in data)
            or not all(id(x) in places and x.node is None for _, x in parameters)
            or any(x.is_input for x in inputs)
        ):
            return
        key = (call.node.kind, *map(self.sort, inputs))
        if recorder.by_contents:
            self.recipes[key] = None
            key = (call.node.kind, *[x if x.node is None else x.sort for x in inputs])
        self.recipes[key] = Recipe(
            b.nodes[-1].layer,
            shape,
            value.dtype,
            self.sort(value),
            tuple(places[id(x)] for x in data),
            tuple((name, places[id(x)]) for name, x in parameters),
            written,
        )
