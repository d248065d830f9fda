"""The torch module of a network: one submodule a node, under the node's name.

>>> net = nettally.build(nettally.read("alexnet"))
>>> net(images).shape, net.conv1.weight.shape
"""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from ..counting.tally import tally
from ..errors import LayerError, NetworkError
from .layers import torch_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..counting.rows import Row
    from ..counting.tally import Tally
    from ..network import Network, Node

RULES = ("arrange", "procedure")
"""Kinds that are known by their sizes only: how the values are placed is the source's secret."""

KEEP_THEIR_INPUT = (
    *("conv", "conv_transpose", "conv_map", "conv_sum", "local", "linear"),
    *("batch_norm", "lrn"),
)
"""Kinds whose gradient needs what goes in, never what came out: a relu may write over that."""


class Step(NamedTuple):
    """One node in the order of the forward. All places are indices into the values at hand.

    path: its module's, in parts. inputs: what it reads. output: where its value goes. dead: what
    nobody reads after it. computed: parameters that are values: (path in the module, place).
    """

    name: str
    path: tuple[str, ...]
    inputs: tuple[int, ...]
    output: int
    dead: tuple[int, ...]
    computed: tuple[tuple[str, int], ...]


class Group(nn.Module):
    """Modules whose nodes' names begin alike. It computes nothing."""


class Built(nn.Module):
    """A network as it runs. Its submodules bear the names of the nodes, dotted names nested.

    network: what it was built from. names: of each node, the name of its module here. renamed:
    those of them that torch does not take as they are. inputs, outputs: names in the network, in
    the order in which the forward takes and gives them.
    """

    network: Network
    names: Mapping[str, str]
    renamed: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """The outputs: a tensor where there is one, a tuple in the order of ``outputs`` else.

        The inputs in the order of ``inputs``, or by name. The batch need not be the network's.
        """
        if len(inputs) != len(self.inputs) or named:
            inputs = self._ordered(inputs, named)
        values = self._run(inputs)
        if len(self._gives) == 1:
            return values[self._gives[0]]
        return tuple([values[place] for place in self._gives])

    def values(self, *inputs: Tensor, of: Iterable[str], **named: Tensor) -> dict[str, Tensor]:
        """What the nodes (or inputs) of these names compute, by name; the rest is run as needed."""
        wanted = dict.fromkeys(of)
        for name in wanted:
            if name not in self._places:
                from ..errors import closest

                raise NetworkError(
                    f"{self.network.name} has no layer '{name}'", hint=closest(name, self._places)
                )
        if len(inputs) != len(self.inputs) or named:
            inputs = self._ordered(inputs, named)
        named_inputs = zip(self.inputs, inputs, strict=True)
        kept = {name: value for name, value in named_inputs if name in wanted}
        self._run(inputs, wanted, kept)
        return {name: kept[name] for name in wanted}

    def module_of(self, node: str) -> nn.Module:
        """The module of a node, by the node's own name."""
        return self.get_submodule(self.names[node])

    def extra_repr(self) -> str:
        return self.network.name

    def __deepcopy__(self, memo: dict[int, Any]) -> Built:
        memo[id(self.network)] = self.network  # which nobody changes
        memo[id(self)] = new = type(self).__new__(type(self))
        new.__setstate__(deepcopy(self.__dict__, memo))
        return new

    # What is below is set by ``build``. Plain tuples, which neither move nor are saved.
    _steps: tuple[Step, ...]
    _gives: tuple[int, ...]
    _places: dict[str, int]

    def _run(
        self,
        inputs: tuple[Any, ...],
        wanted: Mapping[str, Any] = MappingProxyType({}),
        kept: dict[str, Tensor] | None = None,
    ) -> list[Any]:
        values: list[Any] = [*inputs, *[None] * len(self._steps)]
        for name, path, reads, output, dead, computed in self._steps:
            module: Any = self
            for part in path:  # not kept in the step: a module may be replaced by another
                module = module._modules[part]
            arguments = [values[place] for place in reads]
            if computed:
                tensors = {tensor: values[place] for tensor, place in computed}
                value = torch.func.functional_call(module, tensors, tuple(arguments))
            else:
                value = module(*arguments)
            values[output] = value
            if kept is not None and name in wanted:
                kept[name] = value.clone()  # the next layer may write over it
                if len(kept) == len(wanted):
                    break
            for place in dead:
                values[place] = None
        return values

    def _ordered(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        """The inputs in order. Raises NetworkError where they are not those of the network."""
        left = self.inputs[len(inputs) :]
        if len(inputs) > len(self.inputs) or set(left) != set(named):
            raise NetworkError(
                f"{self.network.name} takes {len(self.inputs)} input(s)",
                values=f"{', '.join(self.inputs)}; given: {len(inputs)} in order"
                + (f", and {', '.join(named)}" if named else ""),
                hint=f"model({', '.join(each.replace('.', '_') for each in self.inputs)})",
            )
        return (*inputs, *[named[name] for name in left])


def build(network: Network, *, inplace: bool = True) -> Built:
    """The network as a torch module, with torch's own initial values.

    Each node becomes a submodule of its name (see ``Built``), on the device and in the type that
    torch is set to: under ``torch.device("meta")`` nothing is allocated. inplace: a relu writes
    over what a convolution or a fully connected layer gave, where nobody else reads that.

    Raises NetworkError where a layer is not known (opaque), or known by its sizes only, naming all
    of them; LayerError where torch can't have a layer as it is.
    """
    counted = tally(network)
    refuse_unknown(counted)
    built = Built()
    built.network = network
    built.inputs, built.outputs = tuple(network.inputs), network.outputs
    modules: dict[str, nn.Module] = {}
    names: dict[str, str] = {}
    for row in counted.rows:
        module = _module(row, network)
        modules[row.name] = module
        names[row.name] = _place(built, row.name, module)
    built.names = names
    built.renamed = {name: to for name, to in names.items() if name != to}
    computed = {row.name: _share(row, modules, network) for row in counted.rows}
    _lay(built, computed)
    if inplace:
        _write_over(network, modules)
    return built


def refuse_unknown(counted: Tally) -> None:
    """Raise NetworkError where layers are unknown, or known by their sizes only; it names them."""
    unknown = [row.node for row in counted.rows if row.node.layer.kind == "opaque"]
    if unknown:
        raise NetworkError(
            f"{counted.network.name} has layers that are not known, and can't be built",
            where=str(unknown[0].source or ""),
            values=_listed(f"{node.name} ({node.layer.fields()['type']})" for node in unknown),
            hint="a layer of your own in Python: docs/adding-a-layer.md",
        )
    ruled = [row.node for row in counted.rows if row.node.layer.kind in RULES]
    if ruled:
        raise NetworkError(
            f"{counted.network.name} has layers of which only the sizes are known, "
            "and can't be built",
            where=str(ruled[0].source or ""),
            values=_listed(
                f"{node.name} ({node.layer.kind} {node.layer.fields()['type']})" for node in ruled
            ),
            hint="where the source is a PyTorch module, that module itself runs",
        )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return ", ".join(every[:8]) + more


def _module(row: Row, network: Network) -> nn.Module:
    layer: Any = row.node.layer
    xs = tuple([tuple(map(int, x)) for x in row.inputs])
    try:
        return torch_module(layer, xs)
    except LayerError as error:
        raise error.at(str(row.node.source or network.source or ""), row.name) from None


# --- names --------------------------------------------------------------------------------------


def _place(root: nn.Module, name: str, module: nn.Module) -> str:
    """Hang the module in under its node's name, and return the name that it has got.

    A part that is empty, or that torch's modules have as an attribute (``type``, ``weight``),
    gets an underscore.
    """
    parent, path = root, []
    *groups, last = name.split(".")
    for part in groups:
        inner = parent._modules.get(part)
        if inner is None or _runs_its_children(inner):
            part = _free(parent, part)
            inner = Group()
            parent.add_module(part, inner)
        parent = inner
        path.append(part)
    last = _free(parent, last)
    parent.add_module(last, module)
    return ".".join((*path, last))


def _runs_its_children(module: nn.Module) -> bool:
    return isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))


def _free(parent: nn.Module, part: str) -> str:
    part = part or "_"
    while hasattr(parent, part):
        part += "_"
    return part


# --- shared weights -----------------------------------------------------------------------------


def places(module: nn.Module) -> Mapping[str, str]:
    """Where a layer's module keeps a tensor that the layer calls otherwise: by the layer's name."""
    return getattr(module, "tensor_names", MappingProxyType({}))


def holder_of(module: nn.Module, tensor: str) -> tuple[Any, str]:
    """The submodule that holds a layer's tensor, and the tensor's name in it."""
    path, _, name = places(module).get(tensor, tensor).rpartition(".")
    return module.get_submodule(path), name


def _share(
    row: Row, modules: Mapping[str, nn.Module], network: Network
) -> tuple[tuple[str, str], ...]:
    """Put the owners' tensors in the place of the node's own; those that are computed are returned.

    (its path in the module, the node that computes it).
    """
    computed: list[tuple[str, str]] = []
    module = modules[row.name]
    every = {**(row.buffers or {}), **(row.parameters or {})}
    for tensor, owner in row.node.shared.items():
        if tensor not in every:
            continue  # of another form of the layer: nothing to share
        mine, attribute = holder_of(module, tensor)
        if owner in modules:
            mine._parameters.pop(attribute, None)
            mine._buffers.pop(attribute, None)
            # what is computed takes its place in each forward
            mine.register_buffer(attribute, torch.empty(0), persistent=False)
            computed.append((places(module).get(tensor, tensor), owner))
            continue
        whose, _, theirs = owner.rpartition(".")
        holder, name = holder_of(modules[whose], theirs)
        kept = mine._parameters if attribute in mine._parameters else mine._buffers
        shared = holder._parameters.get(name)
        shared = holder._buffers.get(name) if shared is None else shared
        if shared is None or shared.shape != kept[attribute].shape:
            raise NetworkError(
                f"{row.name}: '{tensor}' is shared with '{owner}', which is not of its shape",
                where=str(row.node.source or network.source or ""),
                values=f"{tuple(kept[attribute].shape)} here, "
                f"{None if shared is None else tuple(shared.shape)} there",
            )
        del kept[attribute]
        if isinstance(shared, nn.Parameter):
            mine.register_parameter(attribute, shared)
        else:
            mine.register_buffer(attribute, shared)
    return tuple(computed)


# --- the order of the forward -------------------------------------------------------------------


def _lay(built: Built, computed: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
    """Give each value a place, and let it go after its last reader."""
    network = built.network
    where = {name: i for i, name in enumerate((*network.inputs, *built.names))}
    last: dict[str, str] = {}
    for node in network.nodes:
        for name in _reads(node, computed):
            last[name] = node.name
    ends: dict[str, list[int]] = {}
    for name, reader in last.items():
        if name not in network.outputs:
            ends.setdefault(reader, []).append(where[name])
    steps: list[Step] = []
    for node in network.nodes:
        dead = ends.get(node.name, [])
        if node.name not in last and node.name not in network.outputs:
            dead = [*dead, where[node.name]]  # nobody reads it at all
        steps.append(
            Step(
                node.name,
                tuple(built.names[node.name].split(".")),
                tuple([where[name] for name in node.inputs]),
                where[node.name],
                tuple(dead),
                tuple([(tensor, where[name]) for tensor, name in computed[node.name]]),
            )
        )
    built._steps = tuple(steps)
    built._gives = tuple([where[name] for name in network.outputs])
    built._places = where


def _reads(node: Node, computed: Mapping[str, tuple[tuple[str, str], ...]]) -> Iterator[str]:
    yield from node.inputs
    for _, name in computed[node.name]:
        yield name


def _write_over(network: Network, modules: Mapping[str, nn.Module]) -> None:
    """Let relus write over what only they read."""
    kinds = {node.name: node.layer.kind for node in network.nodes}
    readers: dict[str, int] = dict.fromkeys(network.outputs, 1)
    for node in network.nodes:
        for name in (*node.inputs, *node.shared.values()):
            readers[name] = readers.get(name, 0) + 1
    for node in network.nodes:
        module = modules[node.name]
        if isinstance(module, nn.ReLU):
            (name,) = node.inputs
            module.inplace = kinds.get(name) in KEEP_THEIR_INPUT and readers[name] == 1
