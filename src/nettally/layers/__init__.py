"""The layers: one file a family, one class a layer.

A family is imported when one of its layers is first asked for, so that a command pays only for
the layers that its network has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..network import Layer
from .registry import FAMILIES, LAYERS, OTHER_WORDS, layer

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FAMILIES", "Layer", "closest_kind", "kinds", "layer", "layer_class"]


def kinds() -> tuple[str, ...]:
    """All the names of layers, as our own files write them."""
    return tuple(LAYERS)


def layer_class(kind: str) -> type[Layer]:
    """The class of a layer by its name. Raises LayerError for a name that is not known."""
    known = LAYERS.find(kind)
    if known is None:
        from ..errors import LayerError

        raise LayerError(f"no layer is called '{kind}'", hint=closest_kind(kind))
    return known


def closest_kind(word: str, more: Iterable[str] = ()) -> str:
    """A suggestion for a word that names no layer: "did you mean 'linear'?" for ``Dense``.

    more: other names that could stand there, such as the blocks of a file.
    """
    from ..errors import closest

    known = (*kinds(), *more)
    stem = word[:-2] if word[-2:].lower() in ("1d", "2d", "3d") else word
    stem = stem[:-5] if stem.lower().endswith("layer") else stem
    return closest(stem.rstrip("_-") or word, known, OTHER_WORDS)
