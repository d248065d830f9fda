"""Fields that Caffe does not have: its forks' own, which are noted and not followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.protobuf_tree import Message
from .schema import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .builder import CaffeBuilder
    from .net import Spec


def note_unknown_fields(b: CaffeBuilder, net: Message, kept: Iterable[Spec]) -> None:
    """Note the fields of the net and of its layers that are not known."""
    for name in _unknown(net, "Net", deeper=False):
        b.note(NOT_FOLLOWED, name)
    for spec in kept:
        kind = "V1Layer" if spec.outer.name == "layers" else "Layer"
        for name in _unknown(spec.outer, kind):
            b.note(NOT_FOLLOWED, name)


NOT_FOLLOWED = "fields that Caffe does not have, not followed"

_EITHER = frozenset(("param", *(name for name in fields("Layer")[0] if name.endswith("_param"))))
"""Settings of layers of today, which forks have in V1 too."""


def _unknown(message: Message, kind: str, *, deeper: bool = True) -> Iterator[str]:
    """The names of unknown fields. A message that is known by its name only may have any."""
    by_name, _ = fields(kind)
    for field in message.fields if by_name else ():
        known = by_name.get(field.name)
        if known is None:
            if field.name not in _EITHER:
                outer = "" if kind in ("Net", "Layer", "V1Layer") else f"{message.name}."
                yield f"{outer}{field.name[:60]}"
        elif deeper and isinstance(field.value, Message):
            yield from _unknown(field.value, known.type)
