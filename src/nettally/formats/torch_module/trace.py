"""One run of a module on stand-ins: the nodes it makes, and in which module each was made."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import torch
from torch import nn

from ...layers.data_movement import DataMovement
from ...layers.stored_tensors import Tensor
from ...network import NOTHING, Call, Layer, Node
from .inventory import stored_tensors
from .shadow import Shadow, Slipped, note, scripted, shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...network import Shape, StoredTensor

new_node = tuple.__new__


class Hooked(BaseException):
    """The forward has added a hook to a module, whose twin is to have hooks of its own."""


class Written(BaseException):
    """The forward writes to a large array, which was not copied."""


class Alike(BaseException):
    """The forward has made a tensor of a stand-in, and which one can't be told."""


KEPT = 100_000
"""So many layers are kept for the next read."""


class _Kept:
    """Layers by what they are made of, for the reads to come: they do not change."""

    layers: ClassVar[dict[Any, Layer]] = {}


_numbers = itertools.count()


class Met(BaseException):
    """The forward has used a parameter of a module that it reaches past the twin."""


class Trace:
    """What has been seen so far.

    path: the module whose forward runs. spelled: how the call at hand was written: ``F.relu``.
    owners: which node's tensor a parameter is, by its id. layers: layers by what they were made
    of, so that equal ones are one object. values: everything is computed for real, beside the
    stand-ins, since the forward depends on it. key: the attribute by which a stand-in of this run
    is known. shadow_of: what is known of a tensor. outside: parameters that stand in no module of
    the tree, by their ids. guarded: calls of modules that are no twins are seen too. again: why the
    forward is to be followed once more.
    """

    def __init__(self, root: nn.Module, device: torch.device, values: bool = False) -> None:
        self.device = device
        self.values = values
        self.key = f"_nettally_{next(_numbers)}"
        self.guarded = False
        self.again: Met | Slipped | Hooked | Alike | Written | None = None
        self.shadow_of: Callable[[torch.Tensor], Shadow] = self.stand_in
        self.outside: dict[int, tuple[int, str]] = {}
        self.spelled: Mapping[str, Any] = NOTHING
        self.name = ""
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.times: dict[str, int] = {}
        self.path = ""
        self.depth = 0
        self.calls: list[Call | None] = []
        self.owners: dict[int, str] = {}
        if len(_Kept.layers) > KEPT:
            _Kept.layers = {}  # another one: a run in another thread goes on
        self.layers = _Kept.layers
        self.shapes: dict[Any, Shape] = {}
        self.pinned: list[Layer] = []
        self.fallbacks: dict[str, None] = {}
        self.paths: dict[int, str] = {}  # of the user's modules and of their twins
        self.listed: set[int] = set()  # the user's modules of the tree
        self.modules: dict[str, nn.Module] = {}
        self.also: dict[str, list[str]] = {}  # further names of a module that has several
        self.dtypes: dict[str, torch.dtype] = {}  # of the inputs
        self.parameter_names: dict[int, str] = {}
        self.buffer_names: dict[int, str] = {}
        self.stored: dict[str, tuple[StoredTensor, ...]] = {}  # of each module, by its path
        self.tensors: dict[int, torch.Tensor] = {}  # so that ids stay those of living tensors
        self._walk(root)

    def _walk(self, root: nn.Module) -> None:
        """Every module, parameter and buffer by its id, under the first name that it has."""
        paths, modules = self.paths, self.modules
        todo: list[tuple[str, nn.Module]] = [("", root)]
        while todo:
            path, module = todo.pop()
            if id(module) in paths:
                self.also.setdefault(paths[id(module)], []).append(path)
                continue
            paths[id(module)] = path
            modules[path] = module
            self.listed.add(id(module))
            state = module.__dict__
            if "_parameters" not in state or (
                "_c" in state and isinstance(module, torch.jit.ScriptModule)
            ):
                raise scripted(path, module)
            start = path + "." if path else ""
            if state["_parameters"] or state["_buffers"]:
                self.stored[path] = stored_tensors(self, module, path)
            children = state["_modules"]
            if children:
                todo.extend(
                    (start + name, child)
                    for name, child in reversed(list(children.items()))
                    if child is not None
                )

    def adopt(self, module: nn.Module) -> str:
        """The path of a module that the walk could not see: it stands in no module."""
        path = self.unused(f"{self.path}.{type(module).__name__}" if self.path else "new")
        self.names.discard(path)
        self.paths[id(module)] = path
        return path

    # --- stand-ins -----------------------------------------------------------------------------

    def learned(self, x: Shadow) -> bool:
        """Whether it is a parameter of the module, as it was."""
        return x.stored is not None and id(x.stored) in self.parameter_names

    def stands_alone(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor gets a node of its own, so that it is counted or named: a buffer."""
        return id(tensor) in self.buffer_names or isinstance(tensor, nn.Parameter)

    def met(self, tensor: torch.Tensor) -> None:
        """A parameter that the forward reaches past the twin: by a global, or a class."""
        if id(tensor) in self.parameter_names:  # of the module itself, by another way
            return
        if not self.guarded:
            self.again = Met()
            raise self.again
        self.outside.setdefault(id(tensor), (tensor.numel(), self.path))

    def slip(self) -> NoReturn:
        """A call has got past torch's function protocol."""
        self.again = Slipped()
        raise self.again

    def hooked(self) -> NoReturn:
        """A forward registers hooks."""
        self.again = Hooked()
        raise self.again

    def alike(self) -> NoReturn:
        """A tensor may be any of several stand-ins that lie in one storage."""
        self.again = Alike()
        raise self.again

    def made_outside(self, x: Shadow) -> None:
        """A parameter that the forward itself has made."""
        self.outside.setdefault(id(x), (x.numel(), self.path))

    def stand_in(self, tensor: Any) -> Shadow:
        """What is known of a tensor; one that is none of ours is a constant."""
        if type(tensor) is Shadow:
            return tensor
        return shadow(tuple(tensor.shape), None, tensor.dtype, tensor)

    def name_of(self, x: Shadow) -> str:
        """The node or input that makes it; a tensor that nothing makes gets a node of its own."""
        name = x.name
        if name is None:
            name = self._hold(x)
        return name

    def _hold(self, x: Shadow) -> str:
        stored, later = x.stored, x.later
        if later is not None:
            name = later().name or ""
        elif stored is None or not (
            id(stored) in self.parameter_names or id(stored) in self.buffer_names
        ):
            if isinstance(stored, nn.Parameter):
                self.outside.setdefault(id(stored), (x.numel(), self.path))
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
            known = tensor.__dict__.get(self.key)
            if known is not None and known.stored is not None:
                tensor = known.stored
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
            self.pinned.append(layer)  # so that its id stays its own
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
