"""Frozen records without the cost of ``dataclasses``.

A frozen dataclass costs about 0.5 ms to define (it writes and compiles source), and importing
``dataclasses`` brings ``inspect`` with it. A command that should answer in 60 ms cannot define
forty of them. ``Record`` reads the annotations instead: same use, same type checking
(``dataclass_transform``), 20 µs a class. See docs/decisions/0001-records.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
class Record:
    """A frozen record: its fields are the annotated names, in order, a base's before its own."""

    __slots__ = ("__dict__", "__weakref__", "_memo")
    _memo: dict[Any, Any]

    _fields: ClassVar[tuple[str, ...]] = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        declared: list[str] = [
            name
            for name, kind in cls.__dict__.get("__annotations__", {}).items()
            if not str(kind).startswith(("ClassVar", "typing.ClassVar"))
        ]
        inherited = cls._fields
        # a field that is declared anew stands where the class declares it: Conv(96, 11)
        cls._fields = (*(name for name in inherited if name not in declared), *declared)
        cls.__match_args__ = cls._fields
        defaults = dict(cls._defaults)
        defaults.update({name: cls.__dict__[name] for name in declared if name in cls.__dict__})
        cls._defaults = defaults

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = self._fields
        if len(values) > len(fields):
            raise TypeError(
                f"{type(self).__name__} takes {len(fields)} fields, {len(values)} given"
            )
        state = self.__dict__
        state.update(self._defaults)
        state.update(zip(fields, values, strict=False))
        if named:
            for name in named:
                if name not in fields:
                    raise TypeError(f"{type(self).__name__} has no field '{name}'")
            state.update(named)
        if len(state) != len(fields):
            missing = ", ".join(name for name in fields if name not in state)
            raise TypeError(f"{type(self).__name__} needs {missing}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check and normalise the fields; ``self.__dict__`` may be written here, and only here."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; use replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def fields(self) -> dict[str, Any]:
        """The fields and their values, in order."""
        state = self.__dict__
        return {name: state[name] for name in self._fields}

    def replace(self, **changes: Any) -> Self:
        """The same record with some fields changed; it is checked anew."""
        return type(self)(**{**self.fields(), **changes})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash((type(self), *self.fields().values()))

    def once(self, function: Callable[[Self], T]) -> T:
        """``function(self)``, computed when it is first asked for and kept with the record.

        What is kept is no field: it is neither compared, hashed, pickled nor carried by
        ``replace``. The function must not give what refers to the record: it would never be freed
        by counting references.
        """
        try:
            kept = self._memo
        except AttributeError:
            kept = {}
            object.__setattr__(self, "_memo", kept)
        try:
            return kept[function]
        except KeyError:
            value = kept[function] = function(self)
            return value

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __repr__(self) -> str:
        defaults = self._defaults
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self.fields().items()
            if name not in defaults or defaults[name] != value
        )
        return f"{type(self).__name__}({shown})"
