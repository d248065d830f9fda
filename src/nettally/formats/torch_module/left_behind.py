"""Stand-ins that a forward has left in what outlives it: globals, classes, caches of functions."""

from __future__ import annotations

import functools
import gc
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

DEPTH = 5
"""How many containers within one another are gone through, from a stand-in to a name."""

_CACHED = type(functools.lru_cache(int))


def left_behind(stand_ins: list[torch.Tensor], key: str) -> list[str]:
    """The names under which stand-ins can be reached, once nothing of the run holds them.

    key: the attribute that holds what is known of them; how one lies in memory holds others.

    Only Python's own list of objects tells, and to go through it takes some 20 ms: it is asked
    where something does hold one.
    """
    for known in [x.__dict__[key] for x in stand_ins]:
        known.laid = None
    held = [x for x in stand_ins if sys.getrefcount(x) > 3]  # the list, x, and the argument
    if not held:
        return []
    names: dict[str, None] = {}
    seen = {id(held), id(stand_ins), id(sys._getframe())}
    things: list[Any] = held
    for _ in range(DEPTH):
        holders = [each for each in gc.get_referrers(*things) if id(each) not in seen]
        seen.update(id(each) for each in holders)
        seen.add(id(holders))
        further: list[Any] = []
        for holder in holders:
            name = _name_of(holder, things)
            if name:
                names.setdefault(name)
            elif not isinstance(holder, (types.FrameType, types.ModuleType)):
                further.append(holder)
        if not further:
            break
        things = further
        seen.add(id(things))
    return list(names)


def _name_of(holder: Any, things: Iterable[Any]) -> str:
    """What holds them, if it has a name that outlives the forward."""
    if isinstance(holder, dict) and "__name__" in holder and "__spec__" in holder:
        ids = {id(each) for each in things}
        names = [name for name, value in holder.items() if id(value) in ids]
        return f"{holder['__name__']}.{names[0]}" if names else ""
    if isinstance(holder, (type, types.FunctionType, _CACHED)):
        name = f"{holder.__module__}.{holder.__qualname__}"
        return "" if name.startswith("nettally.") else name
    return ""
