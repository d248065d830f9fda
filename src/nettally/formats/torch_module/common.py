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
    from collections.abc import Iterable

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


def reached_by_code(kinds: Iterable[type]) -> tuple[set[int], list[Any]]:
    """The ids of the objects, and the objects, so that the ids stay theirs."""
    things: list[Any] = []
    for kind in kinds:
        for function, names in _code_of(kind):
            space = function.__globals__
            for name in names:
                value = space.get(name)
                if type(value) not in ATOMS and not isinstance(value, _LANGUAGE):
                    things.append(value)
            for cell in function.__closure__ or ():
                things.append(cell)
                try:
                    value = cell.cell_contents
                except ValueError:
                    continue
                if type(value) not in ATOMS and not isinstance(value, _LANGUAGE):
                    things.append(value)
        for base in kind.__mro__:
            if base is not object and not base.__module__.startswith("torch."):
                things.extend(
                    value
                    for value in base.__dict__.values()
                    if type(value) not in ATOMS
                    and not isinstance(value, (*_LANGUAGE, torch.Tensor))
                )
    return {id(each) for each in things}, things
