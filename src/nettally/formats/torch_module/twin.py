"""A copy of everything that a module can reach, with other tensors in it: nothing live is left.

Each object is copied once, whatever the way to it, so that what was the same object is the same
object in the copy. What holds no state is shared, and so are functions of the language: classes,
modules of Python, functions without a closure.
"""

from __future__ import annotations

import operator
import types
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .copying import ATOMS, COPIERS, FAMILIES, copier_of
from .shadow import scripted
from .special import slots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container

_HOOKS = frozenset(
    [name for name, value in nn.Module().__dict__.items() if type(value) is OrderedDict]
)
"""What torch keeps in every module and is nearly always empty."""

_TABLES = ("_parameters", "_buffers", "_modules")

_BEGIN = tuple(nn.Module().__dict__)
"""The names of what torch itself puts into a module, before its class does."""

_hooks_of = operator.itemgetter(*_HOOKS, "_non_persistent_buffers_set")


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


ATOMS.add(Unhooked)


class Twins:
    """The copies by what they were made of.

    stand_in: gives the tensor that stands for one of the user's. call: runs a twin of a module, in
    the place of its own ``__call__``. listed: the ids of modules whose parameters are not copied
    before somebody looks at them. unhooked: hooks of all twins that have none, together. shared:
    the classes of what could not be copied. common: the ids of what the classes' code reaches by
    itself. written: the forward writes to large arrays, which are copied, too.
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
        self.common: set[int] = set()
        self.written = False
        self.owners: list[nn.Module] = []
        self.numbered: list[tuple[Any, int]] = []  # containers, and numbers that may be ids
        self.made: list[dict[str, Any]] = []
        self.todo: list[tuple[Callable[..., None], Any, Any]] = []

    def of(self, thing: Any) -> Any:
        """The copy of an object and of all that it reaches."""
        twin = self.shell(thing)
        todo = self.todo
        while todo:
            fill, original, copied = todo.pop()
            fill(self, original, copied)
        for container, number in self.numbered:  # what is known by the id of what was copied
            if number in self.memo:
                known = id(self.memo[number])
                if isinstance(container, dict):
                    dict.__setitem__(container, known, dict.pop(container, number))
                else:
                    set.discard(container, number)
                    set.add(container, known)
        self.numbered.clear()
        return twin

    def retire(self) -> None:
        """Twins of modules with a ``__del__`` go without it: the user's module has its own."""
        for twin in self.owners:
            object.__setattr__(twin, "__class__", nn.Module)
        self.owners.clear()

    def shell(self, thing: Any) -> Any:
        """The copy, which is filled later: objects may reach each other in circles."""
        kind = type(thing)
        if kind in ATOMS:
            return thing
        known = self.memo.get(id(thing))
        if known is not None:
            return known
        if id(thing) in self.common:
            return thing
        twin = self._copier(kind)(self, thing)
        if twin is not thing:
            self.memo[id(thing)] = twin
            self.kept.append((thing, twin))
        return twin

    def _copier(self, kind: type) -> Callable[[Twins, Any], Any]:
        copier = COPIERS.get(kind)
        if copier is None:
            copier = copier_of(kind)
            if not issubclass(kind, type):
                COPIERS[kind] = copier
        return copier

    def clear(self) -> None:
        """Takes the copies apart, so that what they hold is free at once."""
        self.retire()
        for state in self.made:
            state.clear()
        self.memo.clear()
        self.kept.clear()


# --- tensors and modules ------------------------------------------------------------------------


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
Lazy.__reduce_ex__ = lambda self, protocol: (dict, (self.full(),))


def module(twins: Twins, live: nn.Module) -> nn.Module:
    """The module's twin: of its class, with all of its attributes."""
    twin = object.__new__(type(live))
    number = id(live)
    twins.memo[number] = twin
    if isinstance(live, torch.jit.ScriptModule):
        raise scripted("", live)
    state = live.__dict__.copy()
    unhooked = twins.unhooked
    values = iter(state.items())
    plain = unhooked is not None and tuple(islice(state, len(_BEGIN))) == _BEGIN
    if plain and not any(_hooks_of(state)):  # as nearly always
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
    kind = type(live)
    if hasattr(kind, "__del__"):
        twins.owners.append(twin)
    for name in slots_of(kind):
        value = getattr(live, name, twins)
        if value is not twins:
            object.__setattr__(twin, name, twins.shell(value))
    twins.made.append(state)
    return twin


def _table(twins: Twins, twin: nn.Module, state: dict[str, Any], name: str, listed: bool) -> None:
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
    for value in values:  # noqa: SIM110 - all() takes twice as long, and this is asked often
        if type(value) not in ATOMS:
            return False
    return True


FAMILIES[nn.Module] = module
