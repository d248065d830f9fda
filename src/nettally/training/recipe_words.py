"""A recipe with some of its fields set by words, as they are typed: ``rate=0.02``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NettallyError, closest
from .recipe import MODERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .recipe import Recipe

YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}


def changed(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with fields set by words: ``rate=0.02``, ``noise=``, ``drops=10,20``.

    Raises NettallyError for a field that there is not, and for a value of another kind.
    """
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign or name not in recipe.fields() or name in ("name", "source"):
            fields = [each for each in recipe.fields() if each not in ("name", "source")]
            raise NettallyError(
                f"a recipe has no '{name}' to set" if sign else f"'{setting}' sets nothing",
                hint=closest(name, fields) if sign else "--set rate=0.02",
            )
        try:
            value = _read(getattr(MODERN, name), name, text)
        except ValueError:
            raise NettallyError(
                f"{name} can't be '{text}'", hint=f"it is now {getattr(recipe, name)!r}"
            ) from None
        recipe = recipe.lasting(value) if name == "epochs" else recipe.replace(**{name: value})
    return recipe


def _read(like: Any, name: str, text: str) -> Any:
    if isinstance(like, bool):
        if text.lower() not in YES_OR_NO:
            raise ValueError(text)
        return YES_OR_NO[text.lower()]
    if isinstance(like, int):
        return int(text)
    if isinstance(like, float):
        return float(text)
    if isinstance(like, str):
        return text
    return tuple(_items(name, text))


def _items(name: str, text: str) -> Iterator[Any]:
    """``10,20`` for drops; ``conv1:67:0`` for frozen; ``conv3:0.03`` for deviations."""
    for item in text.split(",") if text else ():
        first, *rest = item.split(":")
        wanted = {"drops": 0, "ones": 0, "deviations": 1, "frozen": 2}[name]
        if len(rest) != wanted:
            raise ValueError(item)
        if name == "drops":
            yield float(first)
        elif name == "ones":
            yield first
        else:
            yield (first, *[float(each) for each in rest])
