"""Graphs within graphs: the functions of a file, If and Loop.

A body is run with its own names changed, so that two runs of it do not meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....errors import ReadError
from ..budget import cost_of, cost_of_body
from ..builder import NodeCall
from ..proto import INT64, Graph, Kind, NodeDef, Ref
from ..values import Value, known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..builder import OnnxBuilder
    from ..proto import Dims, Function

MAX_UNROLLED = 1024
"""How many rounds of a loop are written out."""

MAX_BODIES = 40
"""How deep functions may call each other, and bodies stand within each other."""


def renamed(
    b: OnnxBuilder,
    nodes: Sequence[NodeDef],
    names: dict[str, str],
    prefix: str,
    call_attributes: Mapping[str, object] | None = None,
) -> list[NodeDef]:
    """The nodes of a body under names of their own. Raises ReadError for too many of them.

    names: what the body's inputs are called outside, and what its outputs shall be; what else the
    body makes gets the prefix. call_attributes: of the call, which the body's may refer to.
    """
    b.budget.write_out(cost_of(nodes, prefix))
    for node in nodes:
        for name in node.outputs:
            if name:
                names.setdefault(name, prefix + name)
    result: list[NodeDef] = []
    for node in nodes:
        kind = node.kind
        attributes: dict[str, object] = {}
        for key, value in kind.attributes.items():
            if isinstance(value, Ref) and call_attributes is not None:
                if value.name in call_attributes:
                    attributes[key] = call_attributes[value.name]
            elif isinstance(value, Graph):
                attributes[key] = _renamed_graph(b, value, names, prefix, call_attributes)
            else:
                attributes[key] = value
        if attributes != kind.attributes:
            kind = Kind(kind.op, kind.domain, kind.overload, attributes)
        inputs = [names.get(name, name) for name in node.inputs]
        outputs = [names[name] if name else "" for name in node.outputs]
        result.append(NodeDef(node.at, node.name, kind, inputs, outputs))
    return result


def _renamed_graph(
    b: OnnxBuilder,
    graph: Graph,
    names: Mapping[str, str],
    prefix: str,
    call_attributes: Mapping[str, object] | None,
) -> Graph:
    """A body within a body: what it takes from outside has a new name."""
    b.budget.write_out(cost_of_body(graph) + len(names) // 4)
    inner_names = dict(names)
    for info in graph.inputs:
        inner_names[info.name] = info.name
    inner_names.update({name: name for name in graph.initializers})
    for node in graph.nodes:
        for name in node.outputs:
            inner_names[name] = prefix + name
    new = Graph()
    new.name, new.inputs, new.initializers = graph.name, graph.inputs, graph.initializers
    new.nodes = renamed(b, graph.nodes, inner_names, prefix, call_attributes)
    new.outputs = [
        info._replace(name=inner_names.get(info.name, info.name)) for info in graph.outputs
    ]
    return new


def function(call: NodeCall, body: Function) -> None:
    """A call of one of the file's own functions: its nodes, in its place."""
    b = call.b
    key = (body.domain, body.name, body.overload)
    if key in b.calls:
        raise call.error(
            "functions call each other in a circle",
            " calls ".join(name for _, name, _ in (*b.calls, key)),
        )
    if len(call.node.inputs) > len(body.inputs) or len(call.node.outputs) > len(body.outputs):
        raise call.error(
            "its function has fewer inputs or outputs",
            f"{len(body.inputs)} and {len(body.outputs)} of '{body.name}'",
        )
    b.budget.write_out(4 * (len(body.inputs) + len(body.outputs)) + len(body.defaults))
    names: dict[str, str] = dict.fromkeys(body.inputs, "")
    names.update(zip(body.inputs, call.node.inputs, strict=False))
    prefix = f"{call.name}."
    direct: list[tuple[str, str]] = []
    for inner, outer in zip(body.outputs, call.node.outputs, strict=False):
        if not outer:
            continue
        if inner in names:  # an input, handed through; or one value as two outputs
            direct.append((names[inner], outer))
        else:
            names[inner] = outer
    attributes = {**body.defaults, **call.node.attributes}
    nodes = renamed(b, body.nodes, names, prefix, attributes)
    opsets = b.opsets
    b.calls = (*b.calls, key)
    b.opsets = body.opsets or opsets
    _deeper(call, nodes, prefix)
    b.opsets = opsets
    b.calls = b.calls[:-1]
    for inner, outer in direct:
        b.alias(b.values[inner], outer, call)


def _deeper(call: NodeCall, nodes: Sequence[NodeDef], prefix: str) -> None:
    """Run the nodes of a body."""
    b = call.b
    if b.depth >= MAX_BODIES:
        raise call.error(f"bodies stand more than {MAX_BODIES} deep within each other")
    b.depth += 1
    b.run(nodes, prefix)
    b.depth -= 1


def if_(call: NodeCall) -> None:
    """If: the branch that is taken, where that is known; else what both have in common.

    Where one branch does not fit its inputs, as that for another sampling rate, the other is the
    only one that can run: its layers are counted, and its outputs are opaque, since whether it is
    taken is still not known. Raises ReadError where neither fits.
    """
    condition = call.contents(0)
    branches = [call.graph("then_branch"), call.graph("else_branch")]
    if condition is not None and len(condition) == 1:
        outputs = _chosen(call, "then" if condition[0] else "else")
        for value, name in zip(outputs, call.node.outputs, strict=True):
            if name:
                call.b.alias(value, name, call)
        return
    data = [v for v in call.inputs if v is not None]
    then, other = (_probed(call, graph) for graph in branches)
    if isinstance(then, ReadError) and isinstance(other, ReadError):
        raise then
    if isinstance(then, ReadError) or isinstance(other, ReadError):
        word, graph = (
            ("else", branches[1]) if isinstance(then, ReadError) else ("then", branches[0])
        )
        call.b.note(
            f"the condition of If '{call.name[:60]}' is computed, and only its {word} branch fits "
            "these inputs: that one is counted; --value NAME=VALUE, of an input, may settle it"
        )
        for place, value in enumerate(_branch(call, graph)):
            opaque_output(call, value.shape, makers([*data, value]), place, value.dtype)
        return
    call.b.note("an If whose condition is computed: neither branch is counted")
    read = makers(data + call.b.outer(branches))
    for place, (a, b) in enumerate(zip(then, other, strict=True)):
        opaque_output(call, common(a.shape, b.shape), read, place, a.dtype)


def _chosen(call: NodeCall, word: str) -> list[Value]:
    """Run the branch that is taken. A complaint says which it is, and which values settled it."""
    try:
        return _branch(call, call.graph(f"{word}_branch"))
    except ReadError as error:
        error.what += f", in the {word} branch of If '{call.name[:60]}'"
        values = call.b.sizes.values
        if values:
            listed = ", ".join(
                f"{name[:40]}={','.join(map(str, numbers[:8]))}" for name, numbers in values.items()
            )
            error.hint = f"with {listed} this branch is taken: other values, or other sizes"
        raise


def _branch(call: NodeCall, graph: Graph) -> list[Value]:
    """Run a branch: its outputs, as many as the node's."""
    if len(graph.outputs) != len(call.node.outputs):
        raise call.error("its branches have other outputs than it has")
    return body_of(call, graph, [], f"{call.name}.")


def _probed(call: NodeCall, graph: Graph) -> list[Value] | ReadError:
    """The outputs of a branch whose layers are thrown away, or why it does not fit."""
    inner = NodeCall(call.b.probe(), call.node, call.inputs, call.opset)
    inner.name = call.name
    try:
        return _branch(inner, graph)
    except ReadError as error:
        return error


def common(one: Dims | None, other: Dims | None) -> Dims | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def makers(data: Iterable[Value]) -> tuple[str, ...]:
    """The layers that make these tensors, each once; constants have none."""
    return tuple(dict.fromkeys(value.node for value in data if value.node is not None))


def opaque_output(
    call: NodeCall, shape: Dims | None, inputs: tuple[str, ...], place: int, dtype: int
) -> None:
    """An output of a body that is not counted. inputs: the layers that it reads."""
    name = call.node.outputs[place]
    if not name:
        return
    b = call.b
    shape = b.merged(name, shape, dtype, call)
    value = Value(name, shape, dtype)
    if inputs:
        size = {"size": shape, "whole": True} if known(shape) else {}
        label = call.name if place == 0 else b.free(f"{call.name}.{name}")
        b.place(call, value, label, b.layer("opaque", type=call.node.op, **size), inputs)
    b.define(value, call)


def body_of(call: NodeCall, graph: Graph, inputs: Sequence[Value], prefix: str) -> list[Value]:
    """Run a body once: its outputs."""
    b = call.b
    b.budget.write_out(cost_of_body(graph) * (1 + len(prefix) // 32))
    names: dict[str, str] = {}
    for info, value in zip(graph.inputs, inputs, strict=False):
        inner = f"{prefix}{info.name}"
        names[info.name] = inner
        b.alias(value, inner, call)
    for name, tensor in graph.initializers.items():
        names[name] = prefix + name
        value = b.constant(prefix + name, tensor)
        value.root = f"{name}@{tensor.at}"  # the same in each run
        b.define(value, call)
    nodes = renamed(b, graph.nodes, names, prefix)
    stated = b.stated
    b.stated = {}
    _deeper(call, nodes, prefix)
    b.stated = stated
    outputs: list[Value] = []
    for info in graph.outputs:
        value = b.values.get(names.get(info.name, info.name))
        if value is None:
            raise call.error(f"its body makes no '{info.name}'")
        outputs.append(value)
    return outputs


def loop(call: NodeCall) -> None:
    """Loop: written out where the number of rounds is known, so that its weights are shared."""
    graph = call.graph("body")
    b = call.b
    trip_count = call.contents(0)
    condition = call.contents(1) or None
    states = [call.value(place) for place in range(2, len(call.node.inputs))]
    if len(graph.inputs) != 2 + len(states) or len(graph.outputs) < 1 + len(states):
        raise call.error("its body has other inputs or outputs than it has")
    if len(call.node.outputs) > len(graph.outputs) - 1:
        raise call.error("its body has fewer outputs than it has")
    endless = call.get(1) is None or (condition is not None and bool(condition[0]))
    never = condition is not None and not condition[0]
    rounds = 0 if never else call.integer(0) if trip_count and endless else None
    why = "is not known"
    if rounds is not None and rounds >= 0 and _constant_condition(call, graph):
        cost = cost_of(graph.nodes, f"{call.name}.000.") + cost_of_body(graph)
        if rounds <= MAX_UNROLLED and rounds * cost <= b.budget.written:
            _unroll(call, graph, states, rounds)
            return
        why = "is too large to be written out"
    probe = b.probe()
    inner = NodeCall(probe, call.node, call.inputs, call.opset)
    inner.name = call.name
    counter, going = Value("", (), INT64), Value("", (), 9)
    outputs = body_of(inner, graph, [counter, going, *states], f"{call.name}.")[1:]
    b.note(f"a Loop whose number of rounds {why}: it is not counted")
    read = makers([v for v in call.inputs if v is not None] + b.outer([graph]))
    for place, value in enumerate(outputs[: len(call.node.outputs)]):
        if place < len(states):
            shape = common(value.shape, states[place].shape)
        else:
            shape = None if value.shape is None else (None, *value.shape)
        opaque_output(call, shape, read, place, value.dtype)


def _constant_condition(call: NodeCall, graph: Graph) -> bool:
    """Whether the body hands its condition through, or sets it to a constant."""
    wanted = graph.outputs[0].name
    if wanted == graph.inputs[1].name or wanted in graph.initializers:
        return True
    for node in graph.nodes:
        if wanted in node.outputs:
            if node.op == "Constant":
                return True
            if node.op in ("Identity", "Cast") and node.inputs:
                wanted = node.inputs[0]
                return wanted == graph.inputs[1].name or any(
                    wanted in other.outputs and other.op == "Constant" for other in graph.nodes
                )
            return False
    return False


def _unroll(call: NodeCall, graph: Graph, states: list[Value], rounds: int) -> None:
    b = call.b
    number = len(states)
    collected: list[list[Value]] = [[] for _ in graph.outputs[1 + number :]]
    going = Value("", (), 9, None, [1])
    for turn in range(rounds):
        counter = Value("", (), INT64, None, [turn])
        outputs = body_of(call, graph, [counter, going, *states], f"{call.name}.{turn}.")
        states = outputs[1 : 1 + number]
        for rows, value in zip(collected, outputs[1 + number :], strict=True):
            rows.append(value)
        stops = b.contents(outputs[0])
        if stops and not stops[0]:
            break
    gathered(call, states, collected, [0] * len(collected))


def gathered(
    call: NodeCall, states: list[Value], collected: list[list[Value]], axes: Sequence[int]
) -> None:
    """The outputs of rounds: the last states, then what each round gave, along a new axis."""
    b = call.b
    for place, name in enumerate(call.node.outputs):
        if not name:
            continue
        if place < len(states):
            b.alias(states[place], name, call)
            continue
        rows = collected[place - len(states)]
        first: Dims | None = rows[0].shape if rows else None
        for row in rows[1:]:
            first = common(first, row.shape)
        shape = None
        if first is not None:
            at = call.axis(axes[place - len(states)], len(first) + 1)
            shape = (*first[:at], len(rows), *first[at:])
        call.emit(
            shape,
            lambda shape=shape, rows=rows: b.layer(
                "arrange", type=call.node.op, size=shape, of=tuple(v.sizes for v in rows)
            ),
            rows,
            place=place,
        )


RULES: dict[str, Callable[[NodeCall], None]] = {"If": if_, "Loop": loop}
