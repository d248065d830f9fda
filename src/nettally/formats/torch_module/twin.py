"""A copy of everything that a module can reach, with other tensors in it: nothing live is left.

Each object is copied once, whatever the way to it, so that what was the same object is the same
object in the copy. What holds no state is shared, and so are functions of the language: classes,
modules of Python, functions without a closure.
"""

from __future__ import annotations

import array
import collections
import copy
import enum
import functools
import logging
import operator
import pathlib
import random
import re
import threading
import types
import weakref
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Container

ATOMS: set[type] = set(
    (int, float, bool, str, bytes, complex, type(None), type(...), type(NotImplemented), range,
     slice, object, type, types.ModuleType, torch.dtype, torch.device, torch.Size, torch.layout,
     torch.memory_format)
)  # fmt: skip
"""Types whose objects can't change, and that are met often."""

SHARED = (
    type, types.ModuleType, types.CodeType, property, staticmethod, classmethod, enum.Enum,
    re.Pattern, pathlib.PurePath, logging.Logger, torch.dtype, torch.device, torch.finfo,
    torch.iinfo, torch.ScriptObject, torch.jit.ScriptFunction, torch.Stream,
    types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.MethodWrapperType, torch._ops.OpOverload,
    torch._ops.OpOverloadPacket,
)  # fmt: skip
"""Types whose objects a forward does not change."""

BASES = (
    dict, list, set, tuple, frozenset, collections.deque, OrderedDict, collections.defaultdict,
    types.SimpleNamespace,
)  # fmt: skip
"""Types of Python's own that a class may extend and still be copied."""

_HOOKS = frozenset(
    [
        name
        for name, value in nn.Module().__dict__.items()
        if type(value) is OrderedDict
    ]
)
"""What torch keeps in every module and is nearly always empty."""

_TABLES = ("_parameters", "_buffers", "_modules")

_BEGIN = tuple(nn.Module().__dict__)
"""The names of what torch itself puts into a module, before its class does."""

_hooks_of = operator.itemgetter(*_HOOKS, "_non_persistent_buffers_set")

_HEAP = 1 << 9  # CPython's flag of types that are made at run time


@functools.cache
def _base(kind: type) -> type:
    """The nearest class that is not written in Python: what says how an object is laid out."""
    for base in kind.__mro__:
        new = base.__dict__.get("__new__")
        if not base.__flags__ & _HEAP or (
            isinstance(new, types.BuiltinFunctionType) and new.__self__ is base
        ):
            return base
    return object


@functools.cache
def _slots(kind: type) -> tuple[str, ...]:
    """The names of an object's slots, as the attributes are called."""
    names: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                names.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return tuple(names)


class Unhooked(OrderedDict[Any, Any]):
    """The hooks of all twins that have none: one object, since most forwards add none.

    Where one does, ``hooked`` says so, and raises: each twin then needs hooks of its own.
    """

    __slots__ = ("hooked",)

    def __init__(self, hooked: Callable[[], None]) -> None:
        self.hooked = hooked

    def __setitem__(self, key: Any, value: Any) -> None:
        self.hooked()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OrderedDict, ()  # a copy is hooks of its own

    def setdefault(self, key: Any, default: Any = None) -> None:
        self.hooked()

    def update(self, *_: Any, **__: Any) -> None:
        self.hooked()


ATOMS |= {Unhooked}


class Twins:
    """The copies by what they were made of.

    stand_in: gives the tensor that stands for one of the user's. call: runs a twin of a module, in
    the place of its own ``__call__``. listed: the ids of modules whose parameters are not copied
    before somebody looks at them. unhooked: hooks of all twins that have none, together. shared: the classes of what
    could not be copied.
    """

    def __init__(
        self,
        stand_in: Callable[[torch.Tensor], torch.Tensor],
        call: Callable[..., Any] | None = None,
        listed: Container[int] = (),
        unhooked: Unhooked | None = None,
    ) -> None:
        self.stand_in = stand_in
        self.call = call
        self.listed = listed
        self.unhooked = unhooked
        self.no_hooks = dict.fromkeys(_HOOKS, unhooked)
        self.memo: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that ids stay those of living objects
        self.shared: set[str] = set()
        self.classes: set[type] = set()
        self.made: list[dict[str, Any]] = []
        self.todo: list[tuple[Callable[..., None], Any, Any]] = []

    def of(self, thing: Any) -> Any:
        """The copy of an object and of all that it reaches."""
        twin = self.shell(thing)
        todo = self.todo
        while todo:
            fill, original, copied = todo.pop()
            fill(self, original, copied)
        return twin

    def shell(self, thing: Any) -> Any:
        """The copy, which is filled later: objects may reach each other in circles."""
        kind = type(thing)
        if kind in ATOMS:
            return thing
        known = self.memo.get(id(thing))
        if known is not None:
            return known
        twin = self._copier(kind)(self, thing)
        if twin is not thing:
            self.memo[id(thing)] = twin
            self.kept.append((thing, twin))
        return twin

    def _copier(self, kind: type) -> Callable[[Twins, Any], Any]:
        copier = COPIERS.get(kind)
        if copier is None:
            copier = _copier_of(kind)
            if not issubclass(kind, type):
                COPIERS[kind] = copier
        return copier

    def clear(self) -> None:
        """Takes the copies apart, so that what they hold is free at once."""
        for state in self.made:
            state.clear()
        self.memo.clear()
        self.kept.clear()


def _share(twins: Twins, thing: Any) -> Any:
    return thing


def _share_and_say(twins: Twins, thing: Any) -> Any:
    kind = type(thing)
    word = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    twins.shared.add(word)
    return thing


# --- tensors and modules ------------------------------------------------------------------------


def _tensor(twins: Twins, tensor: torch.Tensor) -> torch.Tensor:
    twin = twins.stand_in(tensor)
    state = tensor.__dict__
    if state:
        twins.todo.append((_fill_attributes, state.copy(), twin.__dict__))
    return twin


def _fill_attributes(twins: Twins, state: dict[str, Any], copied: dict[str, Any]) -> None:
    for name, value in state.items():
        copied.setdefault(name, value if type(value) in ATOMS else twins.shell(value))


def module(twins: Twins, live: nn.Module) -> nn.Module:
    """The module's twin: of its class, with all of its attributes."""
    twin = object.__new__(type(live))
    number = id(live)
    twins.memo[number] = twin
    state = live.__dict__.copy()
    unhooked = twins.unhooked
    values = iter(state.items())
    if unhooked is not None and tuple(islice(state, len(_BEGIN))) == _BEGIN:
        if not any(_hooks_of(state)):  # as nearly always
            state.update(twins.no_hooks)
            state["_non_persistent_buffers_set"] = set()
            values = islice(values, len(_BEGIN), None)
            for name in _TABLES:
                _table(twins, twin, state, name, number in twins.listed)
    for name, value in values:
        kind = type(value)
        if kind in ATOMS:
            continue
        if kind is OrderedDict and not value and name in _HOOKS:
            state[name] = OrderedDict() if unhooked is None else unhooked
        elif kind is set and not value:
            state[name] = set()
        elif kind is dict and name in _TABLES:
            _table(twins, twin, state, name, number in twins.listed)
        elif kind is not tuple or not _plain(value):
            state[name] = twins.shell(value)
    if twins.call is not None:
        state["_compiled_call_impl"] = types.MethodType(twins.call, twin)
    object.__setattr__(twin, "__dict__", state)
    twins.made.append(state)
    return twin


def _table(
    twins: Twins, twin: nn.Module, state: dict[str, Any], name: str, listed: bool
) -> None:
    """A module's parameters, buffers or modules, in the state of its twin."""
    value = state[name]
    if not value:
        state[name] = {}
    elif name == "_modules":
        state[name] = children = {}
        twins.todo.append((_fill_modules, value.copy(), children))
    elif listed:
        state[name] = Lazy(twins, twin, name, value)
    else:
        state[name] = twins.shell(value)


def _fill_modules(twins: Twins, modules: dict[str, Any], children: dict[str, Any]) -> None:
    memo, copiers = twins.memo, COPIERS
    for name, child in modules.items():
        twin = memo.get(id(child))
        if twin is None:
            listed = id(child) in twins.listed and copiers.get(type(child)) is module
            twin = module(twins, child) if listed else twins.shell(child)
        children[name] = twin


def _plain(values: tuple[Any, ...]) -> bool:
    for value in values:
        if type(value) not in ATOMS:
            return False
    return True


class Lazy(dict[str, Any]):
    """A module's parameters or buffers, whose stand-ins are made when somebody first looks.

    Most are never looked at: torch's own layers are counted from their settings.
    """

    __slots__ = ("live", "name", "twin", "twins")

    def __init__(self, twins: Twins, twin: nn.Module, name: str, live: dict[str, Any]) -> None:
        self.twins, self.twin, self.name, self.live = twins, twin, name, live

    def full(self) -> dict[str, Any]:
        """A plain dict of stand-ins, which takes the place of this one."""
        state = self.twin.__dict__
        if state.get(self.name) is self:
            twins = self.twins
            with torch._C.DisableTorchFunction():
                state[self.name] = {name: twins.of(each) for name, each in self.live.copy().items()}
        return state[self.name]


def _through(name: str) -> Any:
    def through(self: Lazy, *args: Any) -> Any:
        return getattr(self.full(), name)(*args)

    return through


for _name in (
    "__contains__", "__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__", "__eq__",
    "__or__", "__ror__", "__ior__", "__reversed__", "__repr__", "get", "items", "keys", "values",
    "pop", "popitem", "copy", "update", "setdefault", "clear",
):  # fmt: skip
    setattr(Lazy, _name, _through(_name))
Lazy.__reduce_ex__ = lambda self, protocol: (dict, (self.full(),))  # type: ignore[method-assign, assignment, return-value] - a copy is a plain dict


# --- containers ---------------------------------------------------------------------------------


def _list(twins: Twins, thing: list[Any]) -> list[Any]:
    twin: list[Any] = []
    twins.todo.append((_fill_list, thing.copy(), twin))
    return twin


def _fill_list(twins: Twins, thing: Any, twin: Any) -> None:
    for value in thing:
        twin.append(value if type(value) in ATOMS else twins.shell(value))


def _dict(twins: Twins, thing: dict[Any, Any]) -> dict[Any, Any]:
    twin: dict[Any, Any] = {}
    twins.todo.append((_fill_dict, thing.copy(), twin))
    return twin


def _fill_dict(twins: Twins, thing: Any, twin: Any) -> None:
    put = type(twin).__setitem__ if type(twin) in BASES else dict.__setitem__
    if isinstance(twin, OrderedDict):
        put = OrderedDict.__setitem__
    for key, value in thing.items():
        key = key if type(key) in ATOMS else twins.shell(key)
        put(twin, key, value if type(value) in ATOMS else twins.shell(value))


def _set(twins: Twins, thing: set[Any]) -> set[Any]:
    twin: set[Any] = set()
    twins.todo.append((_fill_set, thing.copy(), twin))
    return twin


def _fill_set(twins: Twins, thing: Any, twin: Any) -> None:
    for value in thing:
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
    twin: collections.deque[Any] = collections.deque((), thing.maxlen)
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


def _reference(twins: Twins, reference: weakref.ref[Any]) -> Any:
    thing = reference()
    if thing is None:
        return reference
    twin = twins.shell(thing)
    return reference if twin is thing else weakref.ref(twin)


# --- what draws random numbers; arrays ----------------------------------------------------------


def _weak(twins: Twins, thing: Any) -> Any:
    """A mapping or a set that holds its keys or its values weakly."""
    twin = type(thing)()
    if isinstance(thing, weakref.WeakSet):
        for value in list(thing):
            twin.add(twins.shell(value))
    else:
        for key, value in list(thing.items()):
            twin[twins.shell(key)] = twins.shell(value)
    return twin


def _generator(twins: Twins, generator: torch.Generator) -> torch.Generator:
    return generator.clone_state()


def _copy(twins: Twins, thing: Any) -> Any:
    return copy.deepcopy(thing)


def _lock(twins: Twins, lock: Any) -> Any:
    """One that nobody holds."""
    return threading.Lock() if type(lock) is _LOCK else threading.RLock()


_LOCK = type(threading.Lock())


def _iterator(twins: Twins, thing: Any) -> Any:
    try:
        return copy.copy(thing)
    except TypeError:
        return _share_and_say(twins, thing)


def _array(twins: Twins, array: Any) -> Any:
    twin = array.copy(order="K")
    if array.dtype.hasobject:
        twins.todo.append((_fill_array, array, twin))
    return twin


def _fill_array(twins: Twins, array: Any, twin: Any) -> None:
    if array.dtype.names is None:
        for i, value in enumerate(array.flat):
            twin.flat[i] = twins.shell(value)


# --- objects of other classes -------------------------------------------------------------------


def _object(twins: Twins, thing: Any) -> Any:
    """An object of a class that is written in Python: attributes, slots, and what its base holds."""
    kind = type(thing)
    twins.classes.add(kind)
    base = _base(kind)
    if base is tuple or base is frozenset:
        values = [twins.shell(value) for value in base.__iter__(thing)]
        twin = base.__new__(kind, values)
    else:
        try:
            twin = base.__new__(kind)
        except TypeError:  # made in C, and nowhere else
            return _share_and_say(twins, thing)
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
        twins.made.append(copied)
    for name in _slots(type(thing)):
        try:
            value = object.__getattribute__(thing, name)
        except AttributeError:
            continue
        object.__setattr__(twin, name, twins.shell(value))


def _copier_of(kind: type) -> Callable[[Twins, Any], Any]:
    """How objects of a class are copied."""
    if issubclass(kind, nn.Module):
        return module
    if issubclass(kind, torch.Tensor):
        return _tensor
    for base, copier in FAMILIES.items():
        if issubclass(kind, base):
            return copier
    if issubclass(kind, SHARED) or kind.__module__ == "numpy":
        return _share
    base = _base(kind)
    if base is object or base in BASES:
        return _object
    if base in (int, float, str, bytes, complex) or base.__module__ == "datetime":
        return _share
    if issubclass(base, BaseException):
        return _share
    if kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__"):
        return _iterator
    return _share_and_say


FAMILIES: dict[type, Callable[[Twins, Any], Any]] = {
    functools.partial: _partial,
    weakref.ref: _reference,
    weakref.WeakSet: _weak,
    weakref.WeakKeyDictionary: _weak,
    weakref.WeakValueDictionary: _weak,
    torch.Generator: _generator,
    random.Random: _copy,
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
    bytearray: _copy,
    array.array: _copy,
    _LOCK: _lock,
    type(threading.RLock()): _lock,
    torch.Tensor: _tensor,
    nn.Parameter: _tensor,
}
"""Copiers by the exact class; further classes are added as they are met."""


def with_numpy() -> None:
    """Copiers of numpy's arrays and generators, where somebody has imported it."""
    import sys

    numpy = sys.modules.get("numpy")
    if numpy is not None and numpy.ndarray not in FAMILIES:
        COPIERS[numpy.ndarray] = FAMILIES[numpy.ndarray] = _array
        random_numbers = getattr(numpy, "random", None)
        if random_numbers is not None:
            for name in ("Generator", "RandomState", "BitGenerator"):
                FAMILIES[getattr(random_numbers, name)] = _copy
