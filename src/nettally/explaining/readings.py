"""Other readings of what a layer states: what a printed padding may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..counting.values import Padding
from .edits import KIND_BITS, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..counting.rows import Row
    from ..counting.values import Value
    from ..network import Layer


def padding_readings(row: Row) -> Iterator[Edit]:
    """What else the padding of a layer may mean: both sides together, or what rounding up needs.

    The value of each is the padding in all, or that of the sides; the sizes are the same.
    """
    layer: Any = row.node.layer
    before: tuple[tuple[int, int], ...] = layer.fields().get("padding") or ()
    pairs, name = before, row.node.name
    text = f"{name}: the padding of both sides together"
    if "rounding" in layer.fields() and hasattr(layer, "spare"):
        over = [max(-left, 0) for left in layer.spare(row.inputs[0])]
        if any(over):
            pairs = tuple((a, b + more) for (a, b), more in zip(before, over, strict=True))
            text = f"{name}: the padding that gives the same windows without rounding up"
    if not pairs:
        return
    changes = {}
    if pairs != before:
        changes = {name: layer.replace(padding=pairs, rounding="down")}
        yield _reading(text, 1.0, changes, Padding(pairs))
    if len({sum(pair) for pair in pairs}) == 1:
        first, last = pairs[0]
        text += f", in all ({first} before, {last} after)" if changes else f" ({first} + {last})"
        yield _reading(text, 1.2, changes, first + last)


def _reading(text: str, bits: float, changes: Mapping[str, Layer], value: Value) -> Edit:
    bits += KIND_BITS["field"]
    return Edit("field", text, bits, changes, value=value, family=f"reading {text}")
