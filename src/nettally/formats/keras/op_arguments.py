"""What operations are called with: settings, constants of the file, tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..encodings.json import array, fields
from .builder import Value

if TYPE_CHECKING:
    from .builder import LayerCall

NOT_FOLLOWED = "operations that are not followed"


def whole(value: Any) -> int | None:
    return value if type(value) is int else None


def integers(value: Any) -> list[int] | None:
    """One whole number, or a list of them; None for anything else."""
    values = [value] if type(value) is int else array(value)
    return values if values is not None and all(type(n) is int for n in values) else None


def axis_of(c: LayerCall, x: Value, place: int = 1, default: int = -1) -> int | None:
    """An operation's axis, counted from the front; None where it is no axis of an example."""
    axis = whole(c.option(place, "axis", "dim", default=default))
    return (
        None if axis is None or not -x.rank <= axis < x.rank or not axis % x.rank else axis % x.rank
    )


def stored_size(value: Any) -> tuple[int, ...] | None:
    """The sizes of an array that the file holds; None for what is none.

    Keras 3: ``{"class_name": "__tensor__", ...}``; before: lists in lists.
    """
    config = fields((fields(value) or {}).get("config"))
    at = array(value if config is None else config.get("value"))
    sizes: list[int] = []
    while at and len(sizes) < 32:
        sizes.append(len(at))
        at = array(at[0])
    return tuple(sizes) or None


def tensor(c: LayerCall, place: int, *names: str) -> Value | None:
    """An argument that is a tensor, or an array of the file, which is no parameter."""
    value = c.argument(place, names[0])
    for name in names[1:]:
        value = c.argument(99, name) if value is None else value
    if isinstance(value, Value):
        return value
    size = stored_size(value)
    if size is None:
        return None
    return c.make("tensor", [], f".{names[0]}", plain=True, size=size, learned=False)


def arrange(c: LayerCall, size: tuple[int, ...], *values: Value, suffix: str = "") -> Value:
    """Values of tensors in other places, as the operation has it."""
    values = tuple(c.plain(value) for value in values or (c.x,))
    return c.make(
        "arrange", values, suffix, plain=True, type=c.spec.class_name[:80], size=size,
        of=tuple(value.sizes for value in values),
    )  # fmt: skip


def opaque_operation(c: LayerCall, word: str = "") -> Value:
    return c.opaque(NOT_FOLLOWED, word or c.word or c.spec.class_name)
