"""One run of a module on stand-ins: the nodes it makes, and in which module each was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...layers.data_movement import DataMovement
from ...layers.stored_tensors import Tensor
from ...network import NOTHING, Call, Layer, Node
from .shadow import POISON, Shadow, note, shadow, unseen

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from ...network import Shape

new_node = tuple.__new__

SMALL = 100_000
"""Tensors of at most so many whole numbers are computed for real, beside their stand-ins."""


class Trace:
    """What has been seen so far.

    path: the module whose forward runs. spelled: how the call at hand was written: ``F.relu``.
    owners: which node's tensor a parameter is, by its id. layers: layers by what they were made
    of, so that equal ones are one object. values: everything is computed for real, beside the
    stand-ins, since the forward depends on it; bypassed: that is going on just now, and torch is to
    see its own tensors.
    """

    def __init__(self, root: torch.nn.Module, device: torch.device, values: bool = False) -> None:
        self.device = device
        self.values = values
        self.bypassed = False
        self.spelled: Mapping[str, Any] = NOTHING
        self.name = ""
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.times: dict[str, int] = {}
        self.path = ""
        self.depth = 0
        self.calls: list[Call | None] = []
        self.owners: dict[int, str] = {}
        self.layers: dict[Any, Layer] = {}
        self.shapes: dict[Any, Shape] = {}
        self.fallbacks: dict[str, None] = {}
        self.saved: dict[int, Any] = {}
        self.paths: dict[int, str] = {}
        self.modules: dict[str, torch.nn.Module] = {}
        self.also: dict[str, list[str]] = {}  # further names of a module that has several
        self.dtypes: dict[str, torch.dtype] = {}  # of the inputs
        self.parameter_names: dict[int, str] = {}
        self.buffer_names: dict[int, str] = {}
        self.stand_ins: dict[int, Shadow] = {}
        self.kept: list[torch.Tensor] = []  # so that ids stay those of living tensors
        self._walk(root)

    def _walk(self, root: torch.nn.Module) -> None:
        """Every module, parameter and buffer by its id, under the first name that it has."""
        paths, modules = self.paths, self.modules
        todo: list[tuple[str, torch.nn.Module]] = [("", root)]
        while todo:
            path, module = todo.pop()
            if id(module) in paths:
                self.also.setdefault(paths[id(module)], []).append(path)
                continue
            paths[id(module)] = path
            modules[path] = module
            state = module.__dict__
            if "_parameters" not in state or "training" not in state:
                raise unseen(path)
            start = path + "." if path else ""
            for name, tensor in state["_parameters"].items():
                if tensor is not None:
                    self.parameter_names.setdefault(id(tensor), start + name)
            for name, tensor in state["_buffers"].items():
                if tensor is not None:
                    self.buffer_names.setdefault(id(tensor), start + name)
            children = state["_modules"]
            if children:
                todo.extend(
                    (start + name, child)
                    for name, child in reversed(children.items())
                    if child is not None
                )

    def adopt(self, module: torch.nn.Module) -> None:
        """A module that the forward itself has made, or that the walk could not see."""
        path = self.unused(f"{self.path}.{type(module).__name__}" if self.path else "new")
        self.paths[id(module)] = path
        self.modules[path] = module

    # --- stand-ins -----------------------------------------------------------------------------

    def parameter(self, tensor: torch.Tensor) -> Shadow:
        """The stand-in for a registered parameter."""
        stand_in = self.stand_ins.get(id(tensor))
        if stand_in is None:
            stand_in = shadow(tuple(tensor.shape), None, tensor.dtype)
            note(stand_in, stored=tensor, value=tensor.detach() if self.values else None)
            self.stand_ins[id(tensor)] = stand_in
            self.kept.append(tensor)
        return stand_in  # of a tensor changed in place: what it was changed to

    def buffer(self, tensor: torch.Tensor) -> Shadow:
        """The stand-in for a registered buffer; one of whole numbers keeps its values."""
        stand_in = self.parameter(tensor)
        if stand_in.value is None and not tensor.is_meta and not tensor.dtype.is_floating_point:
            note(stand_in, value=tensor)
        return stand_in

    def stand_in(self, tensor: Any) -> Shadow:
        """Any tensor as a stand-in: what is none becomes a constant."""
        if type(tensor) is Shadow:
            return tensor
        if id(tensor) in self.parameter_names:
            return self.parameter(tensor)
        if id(tensor) in self.buffer_names:
            return self.buffer(tensor)
        if tuple(tensor.shape) == POISON:
            raise unseen(self.path)
        value = None if tensor.is_meta else tensor.detach()
        self.kept.append(tensor)
        return shadow(tuple(tensor.shape), None, tensor.dtype, value)

    def name_of(self, x: Shadow) -> str:
        """The node or input that makes it; a tensor that nothing makes gets a node of its own."""
        name = x.name
        if name is None:
            name = self._hold(x)
        return name

    def _hold(self, x: Shadow) -> str:
        stored = x.stored
        later = x.__dict__.get("later")
        if later is not None:
            name = later().name
        elif stored is None:
            name = self.fresh("constant")
            self._append(name, Tensor(x.sizes, learned=False), (), NOTHING)
        elif id(stored) in self.parameter_names:
            full = self.parameter_names[id(stored)]
            name = self.unused(full)
            owner = self.owners.setdefault(id(stored), f"{name}.weight")
            shared = NOTHING if owner == f"{name}.weight" else {"weight": owner}
            self._append(name, Tensor(x.sizes), (), shared, full.rpartition(".")[0])
        else:
            full = self.buffer_names.get(id(stored), "buffer")
            name = self.unused(full)
            owner = self.owners.setdefault(id(stored), f"{name}.value")
            shared = NOTHING if owner == f"{name}.value" else {"value": owner}
            layer = Tensor(x.sizes, learned=False, kept=True)
            self._append(name, layer, (), shared, full.rpartition(".")[0])
        note(x, name=name)
        return name

    def states_buffers(self, name: str | None, buffers: Mapping[str, Any]) -> None:
        """The node states the running statistics itself; a second node of a module shares them."""
        owners = self.owners
        shared: dict[str, str] = {}
        for buffer in ("running_mean", "running_var"):
            tensor = buffers[buffer]
            mine = f"{name}.{buffer}"
            owner = owners.setdefault(id(tensor), mine)
            if owner is not mine:
                shared[buffer] = owner
        if shared:
            node = self.nodes[-1]
            self.nodes[-1] = node.replace(shared={**node.shared, **shared})

    # --- names ---------------------------------------------------------------------------------

    def fresh(self, word: str) -> str:
        """A name for what the running forward does now."""
        return self.unused(f"{self.path}.{word}" if self.path else word)

    def unused(self, name: str) -> str:
        """The name itself, or with the least number behind it that makes it new."""
        names = self.names
        if name not in names:
            names.add(name)
            return name
        times = self.times
        n = times.get(name, 1) + 1
        while f"{name}_{n}" in names:
            n += 1
        times[name] = n
        name = f"{name}_{n}"
        names.add(name)
        return name

    # --- nodes ---------------------------------------------------------------------------------

    def layer(self, cls: type[Layer], *key: Any, **fields: Any) -> Layer:
        """The layer of these fields; the same object for the same ones."""
        full = (cls, key, *fields.items()) if fields else (cls, key)
        layer = self.layers.get(full)
        if layer is None:
            layer = self.layers[full] = cls(*key, **fields)
        return layer

    def shape_of(self, layer: Layer, sizes: tuple[Shape, ...]) -> Shape:
        """The layer's output shape; worked out once for each input shape."""
        key = (id(layer), sizes)
        shape = self.shapes.get(key)
        if shape is None:
            shape = self.shapes[key] = layer.shape(sizes)
            self.layers.setdefault(id(layer), layer)  # so that its id stays its own
        return shape

    def add(
        self,
        word: str,
        layer: Layer,
        xs: tuple[Shadow, ...],
        kind: torch.dtype | None = None,
        tensors: Mapping[str, Shadow | None] = NOTHING,
        written: Mapping[str, Any] = NOTHING,
    ) -> Shadow:
        """A node for what the running forward does, and the stand-in for its output.

        word: what it is called in its module. tensors: the layer's, by the layer's names for them.
        A layer with a weight of the running module itself is called as the module is.
        """
        inputs = tuple([x.name or self.name_of(x) for x in xs])
        shape = self.shape_of(layer, tuple([x.sizes for x in xs]))
        module = self.path
        if tensors:
            name, module = self._name_of_owner(word, tensors)
            shared = self._shared(name, tensors)
        else:
            name, shared = self.fresh(word), NOTHING
        self._append(name, layer, inputs, shared, module, written)
        return shadow(shape, name, kind or xs[0].kind)

    def _name_of_owner(self, word: str, tensors: Mapping[str, Shadow | None]) -> tuple[str, str]:
        path = self.path
        if path:
            for tensor in tensors.values():
                if tensor is not None and tensor.stored is not None:
                    full = self.parameter_names.get(id(tensor.stored), "")
                    if full.rpartition(".")[0] == path and path not in self.names:
                        self.names.add(path)
                        return path, path.rpartition(".")[0]
                    break
        return self.fresh(word), path

    def _shared(self, name: str, tensors: Mapping[str, Shadow | None]) -> Mapping[str, str]:
        """Which of the tensors are not this node's own: another's, or computed."""
        shared: dict[str, str] = {}
        for field, stand_in in tensors.items():
            if stand_in is None:
                continue
            if stand_in.stored is None or stand_in.name is not None:
                shared[field] = self.name_of(stand_in)
                continue
            mine = f"{name}.{field}"
            owner = self.owners.setdefault(id(stand_in.stored), mine)
            if owner != mine:
                shared[field] = owner
            elif id(stand_in.stored) not in self.parameter_names:
                # a buffer in place of what is learned elsewhere: kept, and no parameter
                del self.owners[id(stand_in.stored)]
                shared[field] = self.name_of(stand_in)
        return shared or NOTHING

    def _append(
        self,
        name: str,
        layer: Layer,
        inputs: tuple[str, ...],
        shared: Mapping[str, str],
        module: str | None = None,
        written: Mapping[str, Any] = NOTHING,
    ) -> None:
        where = self.path if module is None else module
        # what Node's constructor does, in half its time
        spelling = written if written is not NOTHING else self.spelled
        self.nodes.append(new_node(Node, (name, layer, inputs, shared, where, None, spelling)))

    def says(self, **facts: Any) -> None:
        """Let the last node say something more of how it was written."""
        node = self.nodes[-1]
        self.nodes[-1] = node._replace(written={**node.written, **facts})

    def arrange(
        self,
        word: str,
        xs: tuple[Shadow, ...],
        shape: Shape,
        kind: torch.dtype | None = None,
        value: torch.Tensor | None = None,
    ) -> Shadow:
        """A node that puts the values of its inputs into other places."""
        sizes = tuple([x.sizes for x in xs])
        key = (DataMovement, word, shape, sizes)
        layer = self.layers.get(key)
        if layer is None:
            layer = self.layers[key] = DataMovement(word, shape, sizes)
        inputs = tuple([x.name or self.name_of(x) for x in xs])
        name = self.fresh(word)
        self._append(name, layer, inputs, NOTHING)
        return shadow(shape, name, kind or xs[0].kind, value)


def renamed(trace: Trace, output: Any, first: int, path: str) -> Any:
    """The one node that a module made, under the module's own name; several stay as they are."""
    nodes = trace.nodes
    if len(nodes) != first + 1 or type(output) is not Shadow:
        return output
    trace.names.discard(nodes[first].name)
    name = trace.unused(path)
    nodes[first] = nodes[first].replace(name=name, module=path.rpartition(".")[0])
    return note(output, name=name)
