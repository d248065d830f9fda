"""How each kind of object is copied: containers, functions, generators, objects of any class.

A copier takes the ``Twins`` and the object, and gives the copy, or the object itself where nothing
in it can change. What is in the copy is filled in later, since objects may reach each other.
"""

from __future__ import annotations

import array
import collections
import enum
import functools
import logging
import pathlib
import random
import re
import threading
import types
import weakref
from collections import OrderedDict
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...record import Record
from .special import (
    LOCK,
    base_of,
    copy_array,
    copy_generator,
    copy_iterator,
    copy_lock,
    copy_proxy,
    copy_reference,
    copy_weak,
    deep_copy,
    share,
    share_and_say,
    slots_of,
    writes_cells,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .twin import Twins

ATOMS: set[type] = {
     int, float, bool, str, bytes, complex, type(None), type(...), type(NotImplemented), range,
     slice, object, type, types.ModuleType, torch.dtype, torch.device, torch.Size, torch.layout,
     torch.memory_format,
}  # fmt: skip
"""Types whose objects can't change, and that are met often."""

SHARED = (
    type, types.ModuleType, types.CodeType, property, staticmethod, classmethod, enum.Enum,
    re.Pattern, pathlib.PurePath, logging.Logger, torch.dtype, torch.device, torch.finfo,
    torch.iinfo, torch.ScriptObject, torch.jit.ScriptFunction, torch.Stream,
    types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.MethodWrapperType, torch._ops.OpOverload,
    torch._ops.OpOverloadPacket, Record,
)  # fmt: skip
"""Types whose objects a forward does not change."""

BASES = (
    dict, list, set, tuple, frozenset, collections.deque, OrderedDict, collections.defaultdict,
    types.SimpleNamespace,
)  # fmt: skip
"""Types of Python's own that a class may extend and still be copied."""


# --- tensors ---


def _tensor(twins: Twins, tensor: torch.Tensor) -> torch.Tensor:
    twin = twins.stand_in(tensor)
    state = tensor.__dict__
    if state:
        twins.todo.append((_fill_attributes, state.copy(), twin.__dict__))
    return twin


def _fill_attributes(twins: Twins, state: dict[str, Any], copied: dict[str, Any]) -> None:
    for name, value in state.items():
        copied.setdefault(name, value if type(value) in ATOMS else twins.shell(value))


# --- containers ---------------------------------------------------------------------------------


LONG = 100
"""Containers of more values than this are looked at as a whole first."""

ID = 1 << 32
"""A larger whole number may be the id of an object."""


def _all_atoms(values: Any) -> bool:
    """Whether none of many values can change: numbers, texts, and tuples of these."""
    kinds = set(map(type, values))
    if tuple in kinds:
        kinds.discard(tuple)
        kinds.update(map(type, chain.from_iterable(v for v in values if type(v) is tuple)))
    return kinds <= ATOMS


def _list(twins: Twins, thing: list[Any]) -> list[Any]:
    if len(thing) > LONG and _all_atoms(thing):
        return thing.copy()
    twin: list[Any] = []
    twins.todo.append((_fill_list, thing.copy(), twin))
    return twin


def _fill_list(twins: Twins, thing: Any, twin: Any) -> None:
    for value in thing:
        twin.append(value if type(value) in ATOMS else twins.shell(value))


def _dict(twins: Twins, thing: dict[Any, Any]) -> dict[Any, Any]:
    if len(thing) > LONG and _all_atoms(thing) and _all_atoms(thing.values()):
        return thing.copy()
    twin: dict[Any, Any] = {}
    twins.todo.append((_fill_dict, thing.copy(), twin))
    return twin


def _fill_dict(twins: Twins, thing: Any, twin: Any) -> None:
    put = type(twin).__setitem__ if type(twin) in BASES else dict.__setitem__
    if isinstance(twin, OrderedDict):
        put = OrderedDict.__setitem__
    for key, value in thing.items():
        if type(key) is int and key > ID:
            twins.numbered.append((twin, key))
        key = key if type(key) in ATOMS else twins.shell(key)
        put(twin, key, value if type(value) in ATOMS else twins.shell(value))


def _set(twins: Twins, thing: set[Any]) -> set[Any]:
    twin: set[Any] = set()
    twins.todo.append((_fill_set, thing.copy(), twin))
    return twin


def _fill_set(twins: Twins, thing: Any, twin: Any) -> None:
    for value in thing:
        if type(value) is int and value > ID:
            twins.numbered.append((twin, value))
        set.add(twin, value if type(value) in ATOMS else twins.shell(value))


def _tuple(twins: Twins, thing: tuple[Any, ...]) -> tuple[Any, ...]:
    values = [value if type(value) in ATOMS else twins.shell(value) for value in thing]
    known = twins.memo.get(id(thing))  # it may have been reached again by what is in it
    if known is not None:
        return known
    if all(a is b for a, b in zip(values, thing, strict=True)):
        return thing
    return tuple.__new__(type(thing), values)


def _frozenset(twins: Twins, thing: frozenset[Any]) -> frozenset[Any]:
    values = [twins.shell(value) for value in thing]
    return thing if all(v in thing for v in values) else frozenset.__new__(type(thing), values)


def _deque(twins: Twins, thing: collections.deque[Any]) -> collections.deque[Any]:
    twin: collections.deque[Any] = collections.deque(maxlen=thing.maxlen)
    twins.todo.append((_fill_list, list(thing), twin))
    return twin


def _default(twins: Twins, thing: collections.defaultdict[Any, Any]) -> Any:
    twin: Any = collections.defaultdict(twins.shell(thing.default_factory))
    twins.todo.append((_fill_dict, dict(thing), twin))
    return twin


def _ordered(twins: Twins, thing: OrderedDict[Any, Any]) -> Any:
    twin: Any = OrderedDict()
    twins.todo.append((_fill_dict, thing.copy(), twin))
    return twin


# --- functions ----------------------------------------------------------------------------------


def _function(twins: Twins, function: types.FunctionType) -> Any:
    """A function with a closure gets cells of its own; one that is compiled is read uncompiled."""
    original = getattr(function, "_torchdynamo_orig_callable", None)
    if original is not None:
        return twins.shell(original)
    cells = function.__closure__
    if not cells or (function.__module__ or "").startswith("torch."):
        return function
    if not function.__dict__ and _is_constant(function, cells):
        return function
    copied = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple([twins.shell(cell) for cell in cells]),
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__qualname__ = function.__qualname__
    copied.__module__ = function.__module__
    copied.__dict__.update(function.__dict__)
    twins.todo.append((_fill_defaults, function, copied))
    return copied


def _is_constant(function: types.FunctionType, cells: tuple[types.CellType, ...]) -> bool:
    """Whether a closure holds nothing that can change."""
    try:
        values = [cell.cell_contents for cell in cells]
    except ValueError:
        return False
    constant = all(type(value) in ATOMS for value in values)
    return constant and not writes_cells(function.__code__)


def _fill_defaults(twins: Twins, function: Any, copied: Any) -> None:
    copied.__defaults__ = twins.shell(function.__defaults__)
    copied.__kwdefaults__ = twins.shell(function.__kwdefaults__)
    for name, value in function.__dict__.items():
        copied.__dict__[name] = twins.shell(value)


def _cell(twins: Twins, cell: types.CellType) -> types.CellType:
    copied = types.CellType()
    twins.todo.append((_fill_cell, cell, copied))
    return copied


def _fill_cell(twins: Twins, cell: types.CellType, copied: types.CellType) -> None:
    try:
        copied.cell_contents = twins.shell(cell.cell_contents)
    except ValueError:  # nothing has been put into it yet
        return


def _method(twins: Twins, method: types.MethodType) -> Any:
    function, owner = twins.shell(method.__func__), twins.shell(method.__self__)
    if function is method.__func__ and owner is method.__self__:
        return method
    return types.MethodType(function, owner)


def _builtin_method(twins: Twins, method: Any) -> Any:
    """``items.append`` of a list, which is a method of the list's copy."""
    owner = method.__self__
    if owner is None or isinstance(owner, (type, types.ModuleType)):
        return method
    twin = twins.shell(owner)
    return method if twin is owner else getattr(twin, method.__name__)


def _partial(twins: Twins, partial: functools.partial[Any]) -> Any:
    function, args = twins.shell(partial.func), twins.shell(partial.args)
    keywords = {name: twins.shell(value) for name, value in partial.keywords.items()}
    return type(partial)(function, *args, **keywords)


# --- objects of other classes -------------------------------------------------------------------


def _object(twins: Twins, thing: Any) -> Any:
    """An object of a class written in Python: attributes, slots, and what its base holds."""
    kind = type(thing)
    if hasattr(kind, "__del__"):  # it owns something, and a copy would give it up
        return share_and_say(twins, thing)
    base: Any = base_of(kind)
    if base is object and not getattr(thing, "__dict__", None) and not slots_of(kind):
        return thing  # nothing to change: it is there to be known by its identity
    if base is tuple or base is frozenset:
        values = [twins.shell(value) for value in base.__iter__(thing)]
        twin = base.__new__(kind, values)
    else:
        try:
            twin = base.__new__(kind)
        except TypeError:  # made in C, and nowhere else
            return share_and_say(twins, thing)
    twins.memo[id(thing)] = twin
    if issubclass(base, dict):
        if base is collections.defaultdict:
            twin.default_factory = twins.shell(thing.default_factory)
        twins.todo.append((_fill_dict, dict(base.items(thing)), twin))
    elif base is list:
        twins.todo.append((_fill_base, list.copy(thing), (list.append, twin)))
    elif base is set:
        twins.todo.append((_fill_set, set.copy(thing), twin))
    elif base is collections.deque:
        if thing.maxlen is not None:
            collections.deque.__init__(twin, (), thing.maxlen)
        fill = (collections.deque.append, twin)
        twins.todo.append((_fill_base, list(collections.deque.__iter__(thing)), fill))
    twins.todo.append((_fill_object, thing, twin))
    return twin


def _fill_base(twins: Twins, values: list[Any], append_to: Any) -> None:
    append, twin = append_to
    for value in values:
        append(twin, twins.shell(value))


def _fill_object(twins: Twins, thing: Any, twin: Any) -> None:
    state = getattr(thing, "__dict__", None)
    if type(state) is dict:
        copied = twin.__dict__
        for name, value in state.copy().items():
            copied[name] = value if type(value) in ATOMS else twins.shell(value)
    for name in slots_of(type(thing)):
        try:
            value = object.__getattribute__(thing, name)
        except AttributeError:
            continue
        object.__setattr__(twin, name, twins.shell(value))


def copier_of(kind: type) -> Callable[[Twins, Any], Any]:
    """How objects of a class are copied."""
    for base, copier in FAMILIES.items():
        if issubclass(kind, base):
            return copier
    if issubclass(kind, SHARED) or kind.__module__ == "numpy":
        return share
    base = base_of(kind)
    if base is object or base in BASES:
        return _object
    if base in (int, float, str, bytes, complex) or base.__module__ == "datetime":
        return share
    if issubclass(base, BaseException):
        return share
    if kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__"):
        return copy_iterator
    return share_and_say


FAMILIES: dict[type, Callable[[Twins, Any], Any]] = {
    torch.Tensor: _tensor,
    functools.partial: _partial,
    weakref.ref: copy_reference,
    weakref.WeakSet: copy_weak,
    weakref.WeakKeyDictionary: copy_weak,
    weakref.WeakValueDictionary: copy_weak,
    weakref.ProxyType: copy_proxy,
    weakref.CallableProxyType: copy_proxy,
    torch.Generator: copy_generator,
    random.Random: deep_copy,
}
"""Copiers of classes, and of those that extend them."""

COPIERS: dict[type, Callable[[Twins, Any], Any]] = {
    list: _list,
    dict: _dict,
    set: _set,
    tuple: _tuple,
    frozenset: _frozenset,
    collections.deque: _deque,
    collections.defaultdict: _default,
    OrderedDict: _ordered,
    types.FunctionType: _function,
    types.CellType: _cell,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin_method,
    bytearray: deep_copy,
    array.array: deep_copy,
    LOCK: copy_lock,
    type(threading.RLock()): copy_lock,
    torch.Tensor: _tensor,
    nn.Parameter: _tensor,
}
"""Copiers by the exact class; further classes are added as they are met."""


def with_numpy() -> None:
    """Copiers of numpy's arrays and generators, where somebody has imported it."""
    import sys

    numpy = sys.modules.get("numpy")
    if numpy is not None and numpy.ndarray not in FAMILIES:
        COPIERS[numpy.ndarray] = FAMILIES[numpy.ndarray] = copy_array
        random_numbers = getattr(numpy, "random", None)
        if random_numbers is not None:
            for name in ("Generator", "RandomState", "BitGenerator"):
                FAMILIES[getattr(random_numbers, name)] = deep_copy
