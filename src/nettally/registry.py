"""Registries: entries found by a name or a type, whose modules are imported when first asked for.

Whoever asks knows the registry, which stands below, and not the modules that fill it. Modules of
the same room are named where the registry is made; those of rooms above it only in ``FILLERS``, by
the public face. Nothing else in the package imports by a name, so that what this file imports is
all that import-linter does not see.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: the public face imports this file, not typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

FILLERS: dict[str, tuple[str, ...]] = {}
"""The modules above a registry that fill it, by its name; the public face states them."""


class Registry:
    """Entries by key. A key that is registered twice with different entries is an error.

    name: what the registry holds, for errors and for ``FILLERS``. homes: for some keys, the module
    that registers the entry, or that is itself the entry. fillers: modules that register many
    entries; they are imported when a key has no home.
    """

    def __init__(
        self, name: str, homes: Mapping[str, str] | None = None, fillers: Iterable[str] = ()
    ) -> None:
        self.name = name
        self.homes: dict[str, str] = dict(homes or {})
        self.fillers = tuple(fillers)
        self.entries: dict[Any, Any] = {}
        self._filled = False

    def add(self, key: Any, entry: Any) -> None:
        """Register an entry. Raises ValueError where the key has another one."""
        first = self.entries.setdefault(key, entry)
        if first is not entry and _origin(first) != _origin(
            entry
        ):  # a reloaded module's is the same
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
            home = self.homes.get(key)  # a filler may name the homes, and import none of them
        if home is not None and key not in self.entries:
            from importlib import import_module

            module = import_module(home)
            self.entries.setdefault(key, module)
        return self.entries.get(key)

    def fill(self) -> None:
        """Import the modules that register many entries; once."""
        if self._filled:
            return
        from importlib import import_module

        for module in (*self.fillers, *FILLERS.get(self.name, ())):
            import_module(module)
        self._filled = True

    def __iter__(self) -> Iterator[Any]:
        """The keys, those with a home first; all entries are imported that have none."""
        self.fill()
        return iter(dict.fromkeys((*self.homes, *self.entries)))


def _origin(entry: Any) -> Any:
    """What tells two entries apart: where a class or function is defined, else the entry itself."""
    name = getattr(entry, "__qualname__", None)
    return entry if name is None else (getattr(entry, "__module__", None), name)
