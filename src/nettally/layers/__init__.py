"""The layers: one file a family, one class a layer.

A family is imported when one of its layers is first asked for, so that a command pays only for
the layers that its network has.
"""

from __future__ import annotations

from ..network import Layer
from .registry import FAMILIES, LAYERS, layer

__all__ = ["FAMILIES", "Layer", "kinds", "layer", "layer_class"]


def kinds() -> tuple[str, ...]:
    """All the names of layers, as our own files write them."""
    return tuple(LAYERS)


def layer_class(kind: str) -> type[Layer]:
    """The class of a layer by its name. Raises LayerError for a name that is not known."""
    known = LAYERS.find(kind)
    if known is None:
        from ..errors import LayerError, closest

        raise LayerError(f"no layer is called '{kind}'", hint=closest(kind, kinds()))
    return known
