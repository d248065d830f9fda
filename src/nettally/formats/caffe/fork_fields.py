"""Fields that Caffe does not have: its forks' own, which are noted and not followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.protobuf_tree import Message
from .schema import fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .builder import Builder
    from .net import Spec

MOST = 12
"""How many such fields are named."""


def odd(b: Builder, net: Message, kept: Sequence[Spec]) -> None:
    """Note the fields of the net and of its layers that are not known."""
    unknown: dict[str, int] = {}
    _walk(net, "Net", unknown, deeper=False)
    for spec in kept:
        body = spec.outer
        kind = "V1Layer" if body.name == "layers" else "Layer"
        _walk(body, kind, unknown)
    if not unknown:
        return
    named = [f"{name} ({times} times)" if times > 1 else name for name, times in unknown.items()]
    more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
    b.note(f"fields that Caffe does not have, not followed: {', '.join(named[:MOST])}{more}")


def _walk(message: Message, kind: str, unknown: dict[str, int], *, deeper: bool = True) -> None:
    by_name, _ = fields(kind)
    if not by_name:
        return
    for field in message.fields:
        known = by_name.get(field.name)
        if known is None:
            if field.name == "param" or field.name in _EITHER:
                continue
            name = (
                field.name[:60]
                if kind in ("Net", "Layer", "V1Layer")
                else f"{message.name}.{field.name}"[:80]
            )
            unknown[name] = unknown.get(name, 0) + 1
        elif deeper and isinstance(field.value, Message):
            _walk(field.value, known.type, unknown)


_EITHER = frozenset(name for name in fields("Layer")[0] if name.endswith("_param"))
"""Settings of layers of today, which forks have in V1 too."""
