"""Registries: entries found by a name or a type, whose modules are imported when first asked for.

Whoever asks knows the registry, which stands below, and not the modules that fill it. A registry
names modules of its own room only; those of rooms above it stand in ``FILLERS``, which the public
face writes. Nothing else in the package imports by a name, so that what this file imports is all
that import-linter does not see.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as type checkers know it: the public face imports this file, not typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

FILLERS: dict[str, tuple[str, ...]] = {}
"""The modules above a registry that fill it, by its name; the public face states them."""


class Registry:
    """Entries by key. A key that is registered twice with different entries is an error.

    name: what the registry holds, for errors and for ``FILLERS``. room: the package whose modules
    fill it. homes: for some keys, the module of the room that registers the entry. fillers: modules
    of the room that register many entries; they are imported when a key has no home. entries: those
    that are there from the beginning. of_modules: a key's home is itself its entry.
    """

    def __init__(
        self,
        name: str,
        room: str = "",
        homes: Mapping[str, str] | None = None,
        fillers: Iterable[str] = (),
        *,
        entries: Mapping[Any, Any] | None = None,
        of_modules: bool = False,
    ) -> None:
        self.name = name
        self.homes = {key: f"{room}.{module}" for key, module in (homes or {}).items()}
        self.fillers = tuple(f"{room}.{module}" for module in fillers)
        self.of_modules = of_modules
        self.entries: dict[Any, Any] = dict(entries or {})
        self._filled = False

    def add(self, key: Any, entry: Any) -> None:
        """Register an entry. Raises ValueError where the key has another one.

        An entry that would be found under the key counts as there, though it was never asked for.
        """
        first = self.entries.get(key)
        if first is None and not self._is_being_filled(key):
            first = self.find(key)
        if first is not None and first is not entry and not _is_the_same(first, entry):
            raise ValueError(f"two {self.name} are called '{key}': {first!r} and {entry!r}")
        self.entries[key] = entry

    def find(self, key: Any) -> Any:
        """The entry of a key, or None; the module that registers it is imported first."""
        entry = self.entries.get(key)
        if entry is not None:
            return entry
        home = self.homes.get(key)
        if home is None:
            self.fill()
            home = self.homes.get(key)  # a filler may name homes, and import none of them
        if home is not None and key not in self.entries:
            from importlib import import_module

            module = import_module(home)
            if self.of_modules:
                self.entries[key] = module
        return self.entries.get(key)

    def fill(self) -> None:
        """Import the modules that register many entries; once."""
        if self._filled:
            return
        from importlib import import_module

        self._filled = True  # they register, and so come here again
        try:
            for module in (*self.fillers, *FILLERS.get(self.name, ())):
                import_module(module)
        except BaseException:
            self._filled = False
            raise

    def __iter__(self) -> Iterator[Any]:
        """The keys, those with a home first; all entries are imported that have none."""
        self.fill()
        return iter(dict.fromkeys((*self.homes, *self.entries)))

    def _is_being_filled(self, key: Any) -> bool:
        """Whether it is one of the registry's own modules that registers, while it is imported."""
        home = self.homes.get(key)
        modules = (*self.fillers, *FILLERS.get(self.name, ()), *((home,) if home else ()))
        specs = (getattr(sys.modules.get(module), "__spec__", None) for module in modules)
        return any(getattr(spec, "_initializing", False) for spec in specs)


def _is_the_same(first: Any, entry: Any) -> bool:
    """Whether a module that is imported again, or a cell that is run again, registers the entry.

    A class is the same by where it is defined; a function by its place in its file too, since two
    may have one name; anything else by its value.
    """
    code, other = getattr(first, "__code__", None), getattr(entry, "__code__", None)
    if code is not None and other is not None:
        return (code.co_filename, code.co_firstlineno, code.co_code) == (
            other.co_filename,
            other.co_firstlineno,
            other.co_code,
        )
    if isinstance(first, type) and isinstance(entry, type):
        return (first.__module__, first.__qualname__) == (entry.__module__, entry.__qualname__)
    return bool(first == entry)
