"""How objects are copied that are no plain containers: generators, arrays, locks, references."""

from __future__ import annotations

import copy
import dis
import functools
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from .twin import Twins


LARGE = 1 << 20
"""Arrays of more bytes than this are copied only for forwards that write to them."""


def share(twins: Twins, thing: Any) -> Any:
    return thing


def share_and_say(twins: Twins, thing: Any) -> Any:
    kind = type(thing)
    word = (
        kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    )
    twins.shared.add(word)
    return thing


def copy_reference(twins: Twins, reference: weakref.ref[Any]) -> Any:
    thing = reference()
    if thing is None:
        return reference
    twin = twins.shell(thing)
    return reference if twin is thing else weakref.ref(twin)


def copy_proxy(twins: Twins, proxy: Any) -> Any:
    try:
        thing = proxy.__dir__.__self__  # a bound method knows the object itself
    except ReferenceError:
        return proxy
    twin = twins.shell(thing)
    return proxy if twin is thing else weakref.proxy(twin)


def copy_weak(twins: Twins, thing: Any) -> Any:
    """A mapping or a set that holds its keys or its values weakly."""
    twin = type(thing)()
    if isinstance(thing, weakref.WeakSet):
        for value in list(thing):
            twin.add(twins.shell(value))
    else:
        for key, value in list(thing.items()):
            twin[twins.shell(key)] = twins.shell(value)
    return twin


def copy_generator(twins: Twins, generator: torch.Generator) -> torch.Generator:
    return generator.clone_state()


def deep_copy(twins: Twins, thing: Any) -> Any:
    return copy.deepcopy(thing)


def copy_lock(twins: Twins, lock: Any) -> Any:
    """One that nobody holds."""
    return threading.Lock() if type(lock) is LOCK else threading.RLock()


LOCK = type(threading.Lock())


def copy_iterator(twins: Twins, iterator: Any) -> Any:
    """One at the same place, over copies of what it goes through; a generator has no copy."""
    try:
        make, arguments, *state = iterator.__reduce__()
        twin = make(*[twins.shell(each) for each in arguments])
        if state and state[0] is not None:
            twin.__setstate__(state[0])
    except (TypeError, ValueError, AttributeError):
        return share_and_say(twins, iterator)
    return twin


def copy_array(twins: Twins, array: Any) -> Any:
    if array.nbytes > LARGE and not array.dtype.hasobject and not twins.written:
        twin = array.view()
        twin.flags.writeable = False  # where the forward writes to it, it is followed again
        return twin
    twin = array.copy(order="K")
    if array.dtype.hasobject:
        twins.todo.append((fill_array, array, twin))
    return twin


def fill_array(twins: Twins, array: Any, twin: Any) -> None:
    if array.dtype.names is None:
        for i, value in enumerate(array.flat):
            twin.flat[i] = twins.shell(value)


@functools.cache
def writes_cells(code: types.CodeType) -> bool:
    """Whether a function writes to the variables around it, or makes one that may."""
    inner = any(isinstance(each, types.CodeType) for each in code.co_consts)
    return inner or any(
        each.opname in ("STORE_DEREF", "DELETE_DEREF") and each.argval in code.co_freevars
        for each in dis.get_instructions(code)
    )


_WITH_DICT = 1 << 4  # CPython's flag of classes whose objects have a dict that it manages itself


@functools.cache
def base_of(kind: type) -> type:
    """The nearest class that is not written in Python: what says how an object is laid out."""
    for base in kind.__mro__:
        if "__slots__" not in base.__dict__ and not base.__flags__ & _WITH_DICT:
            return base
    return object


@functools.cache
def slots_of(kind: type) -> tuple[str, ...]:
    """The names of an object's slots, as the attributes are called."""
    names: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                names.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return tuple(names)
