"""torch's own composite modules: a second one that is equal does what the first one did.

A transformer has a dozen attention modules of the same settings and sizes. What such a module's
forward does follows from these alone, since its code is torch's, so the nodes of the first one are
repeated for the others, under their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from ...network import Call, Node
from .copying import ATOMS
from .fallback import mapped
from .modules import is_torch, parameters_of
from .shadow import Shadow, shadow
from .twin import Unhooked

if TYPE_CHECKING:
    from .trace import Trace

COMPOSITE = frozenset((nn.MultiheadAttention,))
"""The classes, exactly."""

_TABLES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")


class Done(NamedTuple):
    """What a module did: its nodes and calls, who owns its parameters, and what it gave.

    inputs: the names of the nodes that it read.
    """

    path: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    calls: tuple[Call, ...]
    first: int
    depth: int
    owners: tuple[str, ...]
    output: Any


class Repeating:
    """What modules have done in this run, by all that it follows from."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.done: dict[Any, Done] = {}

    def key_of(self, module: nn.Module, arguments: Any) -> Any:
        """All that its forward follows from; None where there is more. arguments: with shadows."""
        if type(module) not in COMPOSITE or not is_torch(type(module).forward):
            return None
        settings = _settings(module, self.trace.key)
        if settings is None:
            return None
        inputs: list[Any] = []
        names: list[str] = []

        def look(x: Shadow) -> None:
            plain = x.name is not None and x.value is None and x.stored is None and x.laid is None
            if plain and x.name not in names:
                names.append(x.name or "")
            inputs.append((names.index(x.name or ""), x.sizes, x.kind) if plain else None)

        rest = repr(mapped(arguments, look))
        if None in inputs:
            return None
        return type(module), settings, rest, tuple(inputs), tuple(names)

    def keep(
        self, key: Any, path: str, module: nn.Module, first: int, call: int, output: Any
    ) -> None:
        """Keeps what a module has just done. first, call: where its nodes and its calls begin."""
        trace = self.trace
        names = key[-1]
        nodes = tuple(trace.nodes[first:])
        inside = {node.name for node in nodes}
        owners = tuple([trace.owners.get(number, "") for number in _numbers(trace, module)])
        shadows: list[Shadow] = []
        mapped(output, shadows.append)
        start = path + "."
        if (
            path
            and all(node.name == path or node.name.startswith(start) for node in nodes)
            and all(each in inside or each in names for node in nodes for each in node.inputs)
            and all(owner.startswith(start) for node in nodes for owner in node.shared.values())
            and all(owner.startswith(start) for owner in owners)
            and all(x.name in inside and x.value is None and x.stored is None for x in shadows)
            and None not in trace.calls[call:]
        ):
            calls: Any = tuple(trace.calls[call:])
            self.done[key[:-1]] = Done(
                path, names, nodes, calls, first, trace.depth, owners, output
            )

    def again(self, key: Any, path: str, module: nn.Module) -> Any:
        """The same, by another module; None where no equal one has done it."""
        done = self.done.get(key[:-1])
        if done is None or not path:
            return None
        trace = self.trace
        length = len(done.path)
        own = path + "."
        numbers = _numbers(trace, module)
        if any(number in trace.owners for number in numbers) or any(
            path + node.name[length:] in trace.names for node in done.nodes
        ):
            return None
        names = dict(zip(done.inputs, key[-1], strict=True))
        above, now_above = done.path.rpartition(".")[0], path.rpartition(".")[0]
        first = len(trace.nodes)
        for node in done.nodes:
            name = names[node.name] = path + node.name[length:]
            trace.names.add(name)
            inputs = tuple([names[each] for each in node.inputs])
            shared = node.shared and {
                field: own + owner[length + 1 :] for field, owner in node.shared.items()
            }
            where = node.module
            where = now_above if where == above else path + where[length:]
            trace.nodes.append(node._replace(name=name, inputs=inputs, shared=shared, module=where))
        for number, owner in zip(numbers, done.owners, strict=True):
            trace.owners[number] = path + owner[length:]
        for call in done.calls:
            trace.calls.append(
                Call(
                    path + call.path[length:], call.depth + trace.depth - done.depth, call.inputs,
                    call.outputs, call.first + first - done.first, call.last + first - done.first,
                )
            )  # fmt: skip

        def renamed(x: Shadow) -> Shadow:
            y = shadow(x.sizes, names[x.name or ""], x.kind)
            y.laid = x.laid
            return y

        return mapped(done.output, renamed)


def _settings(module: nn.Module, key: str) -> Any:
    """A module's attributes and the sizes of what it stores, in it and below; None for others."""
    state = module.__dict__
    values: list[Any] = [type(module)]
    for name, value in state.items():
        kind = type(value)
        if kind is Unhooked or name in _TABLES or name == "_compiled_call_impl":
            continue
        if kind not in ATOMS:
            return None
        values.append((name, value))
    if state["_buffers"] or "forward" in state:
        return None
    for name, tensor in parameters_of(module).items():
        if tensor is not None and key in tensor.__dict__:
            return None  # somebody has looked at it, and may have changed it
        values.append((name, None if tensor is None else (tuple(tensor.shape), tensor.dtype)))
    for name, child in state["_modules"].items():
        below = None if child is None else _settings(child, key)
        if below is None and child is not None:
            return None
        values.append((name, below))
    return tuple(values)


def _numbers(trace: Trace, module: nn.Module) -> list[int]:
    """The ids of the parameters in a module and below."""
    numbers: list[int] = []
    for each in module.modules():
        for tensor in parameters_of(each).values():
            if tensor is not None:
                x = tensor.__dict__.get(trace.key)
                numbers.append(id(tensor if x is None else x.stored))
    return numbers
