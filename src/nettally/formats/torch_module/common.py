"""What the code of a module's classes reaches by itself: globals, variables around it, attributes.

The process shares these with the forward, whatever it does. Where the module holds the same object
too, it has to be the same for both, and so it is not copied.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .copying import ATOMS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_LANGUAGE = (
    type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.MethodType,
    property, staticmethod, classmethod, nn.Module,
)  # fmt: skip


@functools.cache
def _code_of(kind: type) -> tuple[tuple[types.FunctionType, tuple[str, ...]], ...]:
    """The functions of a class, with the names that they look up outside."""
    found: list[tuple[types.FunctionType, tuple[str, ...]]] = []
    for base in kind.__mro__:
        if base is object or base.__module__.startswith("torch."):
            continue
        for value in base.__dict__.values():
            function = getattr(value, "__func__", value)
            if isinstance(function, types.FunctionType):
                found.append((function, function.__code__.co_names))
    return tuple(found)


def _functions_of(modules: Iterable[nn.Module]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The functions of the modules' classes and of their hooks, with the names they look up."""
    kinds: dict[type, None] = {}
    for module in modules:
        kinds.setdefault(type(module))
        state = module.__dict__
        for hooks in (state.get("_forward_hooks"), state.get("_forward_pre_hooks")):
            for hook in list(hooks.values()) if hooks else ():
                function = getattr(getattr(hook, "func", hook), "__func__", hook)
                if isinstance(function, types.FunctionType):
                    yield function, function.__code__.co_names
    for kind in kinds:
        yield from _code_of(kind)


def _is_shared(thing: Any) -> bool:
    """Whether an object may change, and is no part of the language and no module."""
    return type(thing) not in ATOMS and not isinstance(thing, _LANGUAGE)


def reached_by_code(modules: Collection[nn.Module]) -> tuple[set[int], list[Any]]:
    """The ids of the objects, and the objects, so that the ids stay theirs."""
    things: list[Any] = []
    for function, names in _functions_of(modules):
        space = function.__globals__
        things += [each for name in names if _is_shared(each := space.get(name))]
    for kind in {type(module): None for module in modules}:
        for function, _ in _code_of(kind):
            for cell in function.__closure__ or ():
                things.append(cell)
                try:
                    value = cell.cell_contents
                except ValueError:  # nothing has been put into it yet
                    continue
                if _is_shared(value):
                    things.append(value)
        things += [
            value
            for base in kind.__mro__
            if base is not object and not base.__module__.startswith("torch.")
            for value in base.__dict__.values()
            if _is_shared(value) and not isinstance(value, torch.Tensor)
        ]
    return {id(each) for each in things}, things
