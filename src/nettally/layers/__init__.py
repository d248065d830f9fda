"""The layers: one file a family, one class a layer.

A family is imported when one of its layers is first asked for, so that a command pays only for
the layers that its network has.
"""

from __future__ import annotations

from importlib import import_module

from ..network import Layer
from .registry import FAMILIES, classes, layer

__all__ = ["FAMILIES", "Layer", "kinds", "layer", "layer_class"]

_FAMILY_OF = {kind: family for family, names in FAMILIES.items() for kind in names.split()}


def kinds() -> tuple[str, ...]:
    """All the names of layers, as our own files write them."""
    return tuple(dict.fromkeys((*_FAMILY_OF, *classes)))


def layer_class(kind: str) -> type[Layer]:
    """The class of a layer by its name. Raises LayerError for a name that is not known."""
    if kind not in classes:
        family = _FAMILY_OF.get(kind)
        if family is None:
            from ..errors import LayerError, closest

            raise LayerError(f"no layer is called '{kind}'", hint=closest(kind, kinds()))
        import_module(f".{family}", __name__)
    return classes[kind]
