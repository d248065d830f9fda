"""What is put in the place of torch's methods while a forward is followed, and what is put back."""

from __future__ import annotations

import random
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules import module as internals

from ...errors import LayerError, ReadError
from ...network import NOTHING, Call
from .fallback import mapped, tensors_in, unknown
from .lent import Lent
from .modules import SEVERAL, handler_of
from .shadow import Current, Shadow, note

if TYPE_CHECKING:
    from ...network import Shape
    from .trace import Trace

CHANGES = (
    "__setattr__", "__delattr__", "register_buffer", "register_parameter", "add_module",
    "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
)  # fmt: skip
"""Methods by which a forward may change a module."""

SCRIPTED = torch.jit.ScriptFunction
"""A function of TorchScript."""


class Following:
    """While it is entered, calls of modules and reads of their tensors come to us, in this thread.

    On leaving, everything is as it was: torch's methods, the modules' modes and attributes, and
    the states of the generators of random numbers.
    """

    def __init__(self, trace: Trace, root: nn.Module, mode: str) -> None:
        self.trace, self.root, self.mode = trace, root, mode

    def __enter__(self) -> None:
        if Current.busy():
            raise ReadError(
                "a module is being read already",
                hint="one at a time: nettally.read is not for threads",
            )
        trace = self.trace
        Current.trace = trace
        self.thread = get_ident()
        self.random = (torch.get_rng_state(), random.getstate())
        self.buffers: list[tuple[torch.Tensor, torch.Tensor]] = []
        if trace.values:
            torch.manual_seed(0)
            self.buffers = [(each, each.clone()) for each in self.root.buffers()]
        self.modes: list[tuple[dict[str, Any], bool]] = []
        self.lists: list[tuple[Any, Any]] = []
        training = {"eval": False, "train": True}.get(self.mode)
        for module in trace.modules.values():
            state = module.__dict__
            if training is not None and state["training"] is not training:
                self.modes.append((state, state["training"]))
                state["training"] = training
            for name, value in state.items():
                kind = type(value)
                if (kind is list or kind is dict or kind is set) and name not in internals_names:
                    self.lists.append((value, value.copy()))
        self.grad = torch.no_grad()
        self.grad.__enter__()
        self.lent = follow(trace, self.thread)

    def __exit__(self, *_: object) -> None:
        self.lent.give_back()
        Current.trace = None
        for module, state, inner in self.trace.saved.values():
            now = module.__dict__
            now.clear()
            now.update(state)
            for living, saved in inner:
                if not _same(living.items(), saved.items()):
                    living.clear()
                    living.update(saved)
        for state, training in self.modes:
            state["training"] = training
        for value, before in self.lists:
            a, b = (value.items(), before.items()) if type(value) is dict else (value, before)
            if not _same(a, b):
                value.clear()
                if isinstance(value, list):
                    value.extend(before)
                else:
                    value.update(before)
        for living, saved in self.buffers:
            if not torch.equal(living, saved):
                living.copy_(saved)
        self.grad.__exit__(None, None, None)
        torch.set_rng_state(self.random[0])
        random.setstate(self.random[1])


def _same(living: Any, saved: Any) -> bool:
    """Whether both hold the very same objects in the same order; they are not compared further."""
    if len(living) != len(saved):
        return False
    for a, b in zip(living, saved, strict=True):
        if a is not b and not (type(a) is tuple and len(a) == 2 and a[0] is b[0] and a[1] is b[1]):
            return False
    return True


internals_names = frozenset(nn.Module().__dict__)
"""What torch itself keeps in every module."""


def follow(trace: Trace, thread: int) -> Lent:
    """Put our own methods in the place of ``nn.Module``'s, for this thread."""
    lent = Lent()
    lent.lend("__call__", _calling(trace, thread, lent.plain("__call__")))
    lent.lend("__getattr__", _reading(trace, thread, lent.plain("__getattr__")))
    lent.put(SCRIPTED, "__call__", _calling_scripted(thread))
    for name in CHANGES:
        lent.lend(name, _changing(trace, thread, lent.plain(name)))
    return lent


def _calling(trace: Trace, thread: int, plain: Any) -> Any:
    """``__call__``: one node where the module is one layer, else its own forward.

    It is one function, since every call of a module goes through it: a further one would cost
    time, and a further frame at each level of nested modules.
    """
    paths, calls, nodes = trace.paths, trace.calls, trace.nodes
    call_impl = nn.Module._call_impl

    def called(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if get_ident() != thread or trace.bypassed:
            return plain(self, *args, **kwargs)
        state = self.__dict__
        path = paths.get(id(self))
        if path is None:  # made during the forward
            trace.adopt(self)
            path = paths[id(self)]
        trace.spelled = NOTHING
        first = len(nodes)
        place = len(calls)
        calls.append(None)
        x = args[0] if len(args) == 1 and not kwargs else None
        alone = type(x) is Shadow
        # as they go in: a layer may work in place
        sizes = (x.sizes,) if alone else _shapes((args, kwargs))
        hooked = (
            state["_forward_hooks"]
            or state["_forward_pre_hooks"]
            or internals._global_forward_hooks
            or internals._global_forward_pre_hooks
        )
        output = None
        if not hooked:
            if alone and (handler := handler_of(type(self))) is not None:
                before = x.value
                try:
                    output = handler(trace, self, path, x)
                except LayerError:  # torch says it in its own words
                    del nodes[first:]
                if trace.values and type(output) is Shadow:
                    _compute(trace, self, before, output)
            if output is None and type(self) in SEVERAL and not trace.values:
                output = SEVERAL[type(self)](trace, self, path, *args, **kwargs)
        if output is None:
            outer = trace.path
            trace.path = path
            trace.depth += 1
            if hooked:
                output = call_impl(self, *args, **kwargs)
            else:
                output = self.forward(*args, **kwargs)
            # not in a finally: where the forward fails, the path says where
            trace.path = outer
            trace.depth -= 1
        outputs = (output.sizes,) if type(output) is Shadow else _shapes(output)
        calls[place] = Call(path, trace.depth, sizes, outputs, first, len(nodes))
        return output

    return called


def _calling_scripted(thread: int) -> Any:
    """``__call__`` of a function of TorchScript, which does not ask for overrides."""
    plain: Any = SCRIPTED.__call__

    def scripted(self: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = tensors_in((args, kwargs))
        if get_ident() != thread or not any(type(x) is Shadow for x in tensors):
            return plain(self, *args, **kwargs)
        return unknown(self, args, kwargs)

    return scripted


def _reading(trace: Trace, thread: int, plain: Any) -> Any:
    """``__getattr__``: stand-ins for parameters and buffers."""

    def got(self: nn.Module, name: str) -> Any:
        state = self.__dict__
        parameters = state.get("_parameters")
        if parameters is not None and name in parameters:
            tensor = parameters[name]
            if tensor is None or trace.bypassed or get_ident() != thread:
                return tensor
            if type(tensor) is Shadow:
                return tensor
            return trace.parameter(tensor)
        buffers = state.get("_buffers")
        if buffers is not None and name in buffers:
            tensor = buffers[name]
            if tensor is None or trace.bypassed or get_ident() != thread:
                return tensor
            if type(tensor) is Shadow:
                return tensor
            return trace.buffer(tensor)
        modules = state.get("_modules")
        if modules is not None and name in modules:
            return modules[name]
        return plain(self, name)

    return got


def _changing(trace: Trace, thread: int, plain: Any) -> Any:
    """A method that changes a module: before the first change the module's state is saved."""

    def changes(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if id(self) not in trace.saved and get_ident() == thread:
            state = self.__dict__
            inner = [
                (value, dict(value))
                for name, value in state.items()
                if name in internals_names and isinstance(value, dict)
            ]
            trace.saved[id(self)] = (self, dict(state), inner)
        return plain(self, *args, **kwargs)

    return changes


def _compute(trace: Trace, module: nn.Module, x: Any, y: Shadow) -> None:
    """The values of what a module of torch's own makes, by its own forward."""
    trace.bypassed = True
    try:
        note(y, value=module.forward(x))
    finally:
        trace.bypassed = False


def _shapes(value: Any) -> tuple[Shape, ...]:
    """The shapes of the tensors in it, through containers."""
    kind = type(value)
    if kind is Shadow:
        return (value.sizes,)
    if kind is tuple and len(value) == 1 and type(value[0]) is Shadow:
        return (value[0].sizes,)
    shapes: list[Shape] = []

    def take(x: Any) -> None:
        shapes.append(x.sizes if type(x) is Shadow else tuple(x.shape))

    mapped(value, take)
    return tuple(shapes)
