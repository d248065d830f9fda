"""A picture of everything that can be reached from some objects: equal before and after, or not.

Used by the tests which hold that reading a module leaves it alone. A picture maps a path to what
stands there: the type, the identity and the content of the object. The walk follows attributes,
slots, items, closures, defaults, bound objects, hooks, classes of the user's own and the globals
that functions of the user's own name.
"""

from __future__ import annotations

import _thread
import collections
import functools
import gc
import hashlib
import io
import itertools
import operator
import queue
import random
import sys
import types
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as torch_module_internals


class Picture(dict[str, Any]):
    """What stands at each path. It keeps the objects alive, so that no identity is given twice."""

    alive: list[Any]


PLAIN = (
    bool, int, float, complex, str, bytes, type(None), type(...), range, slice,
    torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format,
)  # fmt: skip
LOCKS = (_thread.LockType, type(_thread.RLock()))
WRITTEN_BY_PYTHON = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__slotnames__"}
)
LIBRARIES = frozenset(
    {"torch", "torchvision", "numpy", "timm", "transformers", "nettally", "pytest"}
)
"""Packages whose classes and functions are not the user's own: where the walk ends."""


def picture(*things: Any, identity: bool = True) -> Picture:
    """All that can be reached from these objects, by the way to it.

    identity: whether another object of the same content counts as a change; without it the pictures
    of two modules that were built alike are equal.
    """
    walk = _Walk(identity)
    for i, thing in enumerate(things):
        walk.pending.append((f"#{i}", thing))
    while walk.pending:
        walk.look(*walk.pending.pop())
    walk.facts.alive = walk.alive
    return walk.facts


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is new, gone or other, a line each; those at the shortest paths first."""
    lines: list[str] = []
    for path in sorted({*before, *after}, key=lambda path: (len(path), path)):
        if path not in after:
            lines.append(f"{path} is gone")
        elif path not in before:
            lines.append(f"{path} is new")
        elif before[path] != after[path]:
            lines.append(f"{path} was {before[path]!r:.150}, is {after[path]!r:.150}")
    return lines


class _Walk:
    def __init__(self, identity: bool) -> None:
        self.identity = identity
        self.facts = Picture()
        self.paths: dict[int, str] = {}
        self.alive: list[Any] = []
        self.pending: list[tuple[str, Any]] = []

    def look(self, path: str, thing: Any) -> None:
        if type(thing) in PLAIN:
            self.facts[path] = (type(thing).__qualname__, repr(thing))
            return
        if id(thing) in self.paths:
            self.facts[path] = f"the same as {self.paths[id(thing)]}"
            return
        self.paths[id(thing)] = path
        self.alive.append(thing)
        kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
        try:
            content = self.content(path, thing)
        except Exception as error:  # a stand-in, say, that answers nothing any more
            content = ("can't be looked at", type(error).__name__)
        self.facts[path] = (kind, id(thing) if self.identity else 0, *content)

    def also(self, path: str, thing: Any) -> None:
        self.pending.append((path, thing))

    def content(self, path: str, thing: Any) -> tuple[Any, ...]:
        """What is compared of the object itself; what it refers to is put on the list."""
        if isinstance(thing, torch.Tensor):
            return self.tensor(path, thing)
        if isinstance(thing, type):
            self.own_class(path, thing)
            return ()
        if isinstance(thing, (types.ModuleType, *LOCKS)):
            return (thing.locked(),) if hasattr(thing, "locked") else ()
        if isinstance(thing, (types.FunctionType, types.MethodType, types.BuiltinMethodType)):
            return self.function(path, thing)
        state = state_of(thing)
        self.items(path, thing)
        self.attributes(path, thing)
        return state

    def tensor(self, path: str, x: torch.Tensor) -> tuple[Any, ...]:
        for name, value in vars(x).items():
            self.also(f"{path}.{name}", value)
        if isinstance(x, nn.parameter.UninitializedTensorMixin):
            return ("not initialised", x.dtype, x.device)
        self.also(f"{path}.grad", x.grad if x.is_leaf else None)
        facts = (
            x.dtype, x.device, x.layout, tuple(x.shape), x.requires_grad, x.is_leaf,
            type(x.grad_fn).__name__, values_of(x),
        )  # fmt: skip
        if self.identity and not x.is_inference():
            facts = (*facts, x._version)
        if self.identity and x.layout is torch.strided:
            facts = (*facts, x.stride(), x.storage_offset(), x.untyped_storage().data_ptr())
        return facts

    def function(self, path: str, function: Any) -> tuple[Any, ...]:
        if isinstance(function, types.BuiltinMethodType):
            if not isinstance(function.__self__, types.ModuleType):
                self.also(f"{path}.__self__", function.__self__)
            return (function.__name__,)
        if isinstance(function, types.MethodType):
            self.also(f"{path}.__self__", function.__self__)
            self.also(f"{path}.__func__", function.__func__)
            return ()
        for i, cell in enumerate(function.__closure__ or ()):
            name = function.__code__.co_freevars[i]
            try:
                self.also(f"{path}<{name}>", cell.cell_contents)
            except ValueError:
                self.facts[f"{path}<{name}>"] = "an empty cell"
        self.also(f"{path}.__dict__", vars(function))
        self.also(f"{path}.__defaults__", function.__defaults__)
        self.also(f"{path}.__kwdefaults__", function.__kwdefaults__)
        if is_own(function):
            for name in named_by(function.__code__):
                if name in function.__globals__:
                    self.also(f"{path}→{name}", function.__globals__[name])
        return (id(function.__code__) if self.identity else 0,)

    def own_class(self, path: str, cls: type) -> None:
        if not is_own(cls):
            return
        for base in cls.__mro__[1:]:
            self.also(f"{path}'s base {base.__qualname__}", base)
        for name, value in vars(cls).items():
            if name in WRITTEN_BY_PYTHON:
                continue
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if isinstance(value, property):
                value = (value.fget, value.fset, value.fdel)
                for part in value:
                    self.also(f"{path}.{name}", part)
            else:
                self.also(f"{path}.{name}", value)

    def items(self, path: str, thing: Any) -> None:
        if isinstance(thing, (dict, types.MappingProxyType)):
            # torch numbers the hooks of all modules in one row
            hooks = not self.identity and "_hooks" in path.rpartition(".")[2]
            keys = [f"hook {i}" for i in range(len(thing))] if hooks else list(thing)
            self.facts[f"{path} keys"] = [
                repr(key) if type(key) in PLAIN else (id(key) if self.identity else 0)
                for key in keys
            ]
            for i, (key, value) in enumerate(zip(keys, thing.values(), strict=True)):
                label = repr(key)[:80] if type(key) in PLAIN else f"key {i}"
                if type(key) not in PLAIN:
                    self.also(f"{path} {label}", key)
                self.also(f"{path}[{label}]", value)
        elif isinstance(thing, (list, tuple, collections.deque)):
            for i, value in enumerate(thing):
                self.also(f"{path}[{i}]", value)
        elif isinstance(thing, functools.partial):
            for name in ("func", "args", "keywords"):
                self.also(f"{path}.{name}", getattr(thing, name))
        elif isinstance(thing, weakref.ref):
            self.also(f"{path}()", thing())
        elif isinstance(thing, types.GeneratorType) and thing.gi_frame is not None:
            self.also(f"{path}.gi_locals", dict(thing.gi_frame.f_locals))
        elif isinstance(thing, queue.SimpleQueue):
            self.facts[f"{path} length"] = thing.qsize()
        elif isinstance(thing, np.ndarray) and thing.dtype == object:
            for i, value in enumerate(thing.flat):
                self.also(f"{path}[{i}]", value)

    def attributes(self, path: str, thing: Any) -> None:
        self.also(f"{path}'s class", type(thing))
        for cls in type(thing).__mro__:
            slots = vars(cls).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else tuple(slots):
                stored = f"_{cls.__name__.lstrip('_')}{name}" if name.startswith("__") else name
                if name not in ("__dict__", "__weakref__") and hasattr(thing, stored):
                    self.also(f"{path}.{stored}", getattr(thing, stored))
        attributes = getattr(thing, "__dict__", None)
        if isinstance(attributes, dict):
            self.facts[f"{path} attributes"] = tuple(attributes)
            for name, value in attributes.items():
                self.also(f"{path}.{name}", value)


def state_of(thing: Any) -> tuple[Any, ...]:
    """The content of the objects that are neither containers nor have attributes."""
    if isinstance(thing, np.ndarray):
        content = b"" if thing.dtype == object else thing.tobytes()
        return (thing.dtype, thing.shape, thing.strides, thing.flags.writeable, content)
    if isinstance(thing, torch.Generator):
        return (thing.get_state().numpy().tobytes(),)
    if isinstance(thing, np.random.Generator):
        return (repr(_plain(thing.bit_generator.state)),)
    if isinstance(thing, np.random.RandomState):
        return (repr(_plain(thing.get_state(legacy=False))),)
    if isinstance(thing, random.Random):
        return (thing.getstate(),)
    if isinstance(thing, (bytearray, memoryview)):
        return (bytes(thing),)
    if isinstance(thing, (io.StringIO, io.BytesIO)):
        return (thing.getvalue(), thing.tell())
    if isinstance(thing, io.IOBase):
        return (thing.closed, None if thing.closed or not thing.seekable() else thing.tell())
    if isinstance(thing, (set, frozenset)):
        return (len(thing), sorted(repr(each) for each in thing if type(each) in PLAIN))
    if isinstance(thing, collections.deque):
        return (len(thing), thing.maxlen)
    if isinstance(thing, (list, tuple, dict)):
        return (len(thing), repr(getattr(thing, "default_factory", None)))
    if isinstance(thing, types.GeneratorType):
        return (thing.gi_frame.f_lasti if thing.gi_frame else "exhausted",)
    if isinstance(thing, itertools.count):
        return (repr(thing),)
    if isinstance(thing, Iterator):
        return (operator.length_hint(thing, -1),)
    if isinstance(thing, functools._lru_cache_wrapper):
        return (thing.cache_info(),)
    return ()


def _plain(value: Any) -> Any:
    """Arrays as bytes, since numpy's repr leaves out the middle."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.tobytes() if isinstance(value, np.ndarray) else value


def values_of(x: torch.Tensor) -> str:
    """A digest of the tensor's bits."""
    if x.is_meta:
        return "no values"
    with torch.no_grad():
        x = x.detach()
        if x.is_quantized:
            x = x.int_repr()
        elif x.layout is torch.sparse_coo:
            return f"{values_of(x._indices())} {values_of(x._values())}"
        elif x.layout is not torch.strided:
            x = x.to_dense()
        flat = x.resolve_conj().resolve_neg().contiguous().reshape(-1)
        array = flat.view(torch.uint8).numpy() if flat.numel() else np.zeros(0, np.uint8)
    return hashlib.blake2b(array.data, digest_size=12).hexdigest()


def is_own(thing: Any) -> bool:
    """Whether a class or function is the user's own, and not a library's."""
    package = (thing.__module__ or "").partition(".")[0]
    return package not in LIBRARIES and package not in sys.stdlib_module_names


def named_by(code: types.CodeType) -> set[str]:
    """The global names that the code uses, and what is defined in it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= named_by(constant)
    return names


def random_states() -> dict[str, Any]:
    """The states of the process's generators of random numbers."""
    return {
        "torch's random numbers": torch.get_rng_state().numpy().tobytes(),
        "Python's random numbers": random.getstate(),
        "numpy's random numbers": repr(_plain(np.random.get_state(legacy=False))),
    }


def settings() -> dict[str, Any]:
    """What the process, and this thread, has set in torch, Python and nn's classes."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    facts: dict[str, Any] = {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads of torch": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "multi-head fast path": torch.backends.mha.get_fastpath_enabled(),
        "compiler stance": str(dynamo._stance.stance) if dynamo else "default",
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "saved tensors hooks": torch._C._autograd._saved_tensors_hooks_is_enabled(),
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "recursion limit": sys.getrecursionlimit(),
        "tracing": (sys.gettrace(), sys.getprofile()),
        # of Python's own kinds: a library that is first imported brings some for its own
        "warnings": [each[:3] for each in warnings.filters if each[2].__module__ == "builtins"],
        "printing": (id(sys.stdout), id(sys.stderr)),
    }
    for device in ("cpu", "cuda"):
        facts[f"autocast on {device}"] = torch.is_autocast_enabled(device)
        facts[f"autocast dtype on {device}"] = torch.get_autocast_dtype(device)
    for name, value in vars(torch_module_internals).items():
        if name.startswith("_global_"):
            facts[name] = len(value) if hasattr(value, "__len__") else value
    spaces = [torch, torch.Tensor, nn, nn.functional, nn.init, *nn_classes()]
    for space in spaces:
        for name, value in vars(space).items():
            # torch imports some of its parts only when they are asked for
            if not isinstance(value, types.ModuleType):
                code = getattr(value, "__code__", None)
                facts[f"{space.__name__}.{name}"] = (id(value), id(code) if code else None)
    return facts


@functools.cache
def nn_classes() -> tuple[type, ...]:
    """torch's own classes of modules."""
    return tuple(
        each for each in vars(nn).values() if isinstance(each, type) and issubclass(each, nn.Module)
    )
