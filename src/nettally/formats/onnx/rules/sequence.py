"""Sequences of tensors, and values that may be missing: what is in them is known, or nothing is.

A sequence is a value that has its tensors as ``items``; no layer makes it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..budget import NODE
from ..builder import NodeCall
from ..constants import sliced
from ..proto import BOOL, INT64, Kind, NodeDef
from ..values import MAX_CONTENTS, Unknown, Value, known, shown
from ..windows import arranged
from .reshaping import concat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ....network import Layer
    from ..proto import Dims

MAX_ITEMS = 4096
"""A longer sequence is as one of which nothing is known."""


def define(call: NodeCall, items: Sequence[Value], place: int = 0) -> None:
    """An output that is a sequence of these tensors."""
    if len(items) > MAX_ITEMS:
        raise Unknown
    call.b.budget.write_out(len(items))
    value = Value(call.node.outputs[place], None, items[0].dtype if items else 0)
    value.items = tuple(items)
    call.b.define(value, call)


def items_of(call: NodeCall, place: int = 0) -> tuple[Value, ...]:
    """The tensors of a sequence. Raises Unknown."""
    items = call.value(place).items
    if items is None:
        raise Unknown
    call.b.budget.write_out(2 * len(items))
    return items


def _place(call: NodeCall, place: int, most: int, default: int) -> int:
    """A place in a sequence, counted from its end where it is negative."""
    if call.get(place) is None:
        return default
    position = call.integer(place)
    if position is None:
        raise Unknown
    if not -most <= position <= most:
        raise call.error("its position is outside its sequence", f"{position}, {most} tensors")
    return position + most if position < 0 else position


def construct(call: NodeCall) -> None:
    define(call, [call.value(place) for place in range(len(call.inputs))])


def empty(call: NodeCall) -> None:
    define(call, ())


def insert(call: NodeCall) -> None:
    items = items_of(call)
    place = _place(call, 2, len(items), len(items))
    define(call, (*items[:place], call.value(1), *items[place:]))


def erase(call: NodeCall) -> None:
    items = items_of(call)
    place = _place(call, 1, len(items), len(items) - 1)
    if not 0 <= place < len(items):
        raise call.error("its position is outside its sequence", f"{place}, {len(items)} tensors")
    define(call, (*items[:place], *items[place + 1 :]))


def at(call: NodeCall) -> None:
    items = items_of(call)
    place = _place(call, 1, len(items), 0)
    if place >= len(items):
        raise call.error("its position is outside its sequence", f"{place}, {len(items)} tensors")
    call.b.alias(items[place], call.node.outputs[0], call)


def length(call: NodeCall) -> None:
    call.b.define(Value(call.node.outputs[0], (), INT64, None, [len(items_of(call))]), call)


def split(call: NodeCall) -> None:
    """SplitToSequence: pieces of given sizes, of one size, or of size 1 without their axis."""
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    axis = call.axis(call.int("axis"), len(x.shape))
    size = x.shape[axis]
    if type(size) is not int:
        raise Unknown
    lengths = call.get(1)
    keep = lengths is not None or bool(call.int("keepdims", 1))
    if lengths is None:
        parts = [1] * size
    elif lengths.shape == ():
        each = call.integers(1)[0]
        if each < 1:
            raise call.error("its parts must be positive", f"split {each}")
        parts = [min(each, size - start) for start in range(0, size, each)]
    else:
        parts = call.integers(1)
        if sum(parts) != size or min(parts, default=0) < 0:
            raise call.error("its parts do not make up its input", f"{parts[:20]}, {size} values")
    if len(parts) > MAX_ITEMS:
        raise Unknown
    items: list[Value] = []
    start = 0
    for number, part in enumerate(parts):
        shape = (*x.shape[:axis], *([part] if keep else []), *x.shape[axis + 1 :])
        items.append(_piece(call, x, shape, axis, (start, part), f"part{number}"))
        start += part
    define(call, items)


def _piece(
    call: NodeCall, x: Value, shape: Dims, axis: int, taken: tuple[int, int], suffix: str
) -> Value:
    start, part = taken

    def make() -> Layer:
        if shape == x.shape:
            return call.b.layer("identity")
        if axis and part and len(shape) == len(x.sizes):
            return call.b.layer("slice", axis=axis, start=start, stop=start + part)
        return arranged(call, shape, [x])

    call.b.budget.write_out(NODE)
    piece = call.step(suffix, shape, make, [x])
    if piece.constant and known(shape) and known(x.shape) and call.b.spend(prod(shape) + 1):
        values = call.b.contents(x)
        if values is not None:
            places = [(start, part, 1) if a == axis else (0, n, 1) for a, n in enumerate(x.shape)]
            piece.contents = sliced(values, x.shape, places)
    return piece


def concat_from(call: NodeCall) -> None:
    """ConcatFromSequence: Concat of its tensors, with an axis of their number if it is new."""
    items = list(items_of(call))
    if not items or "axis" not in call.node.attributes:
        raise call.error("its sequence is empty, or its axis is missing")
    axis = call.int("axis")
    if call.int("new_axis"):
        first = items[0].shape
        if first is None or any(item.shape != first for item in items):
            if all(item.shape is not None for item in items):
                raise call.error(
                    "its tensors have different sizes",
                    ", ".join(shown(item.shape) for item in items[:8]),
                )
            raise Unknown
        axis = call.axis(axis, len(first) + 1)
        shape = (*first[:axis], 1, *first[axis:])
        items = [_unsqueezed(call, item, shape, n) for n, item in enumerate(items)]
    kind = Kind("Concat", "", "", {"axis": axis})
    node = NodeDef(call.node.at, call.node.name, kind, call.node.inputs, call.node.outputs)
    inner = NodeCall(call.b, node, list(items), call.opset)
    inner.name = call.name
    concat(inner)


def _unsqueezed(call: NodeCall, item: Value, shape: Dims, number: int) -> Value:
    call.b.budget.write_out(NODE)
    tensor = call.step(f"item{number}", shape, lambda: arranged(call, shape, [item]), [item])
    if tensor.constant and known(shape) and (values := call.b.contents(item)) is not None:
        tensor.contents = values if len(values) <= MAX_CONTENTS else None
    return tensor


# --- values that may be missing -------------------------------------------------------------------


def optional(call: NodeCall) -> None:
    """Optional: its input; without one, nothing is there."""
    x = call.get(0)
    if x is None:
        raise Unknown
    call.b.alias(x, call.node.outputs[0], call)


def has_element(call: NodeCall) -> None:
    x = call.get(0)
    if x is not None and x.shape is None and x.items is None:
        raise Unknown
    call.b.define(Value(call.node.outputs[0], (), BOOL, None, [int(x is not None)]), call)


RULES: dict[str, Callable[[NodeCall], None]] = {
    "SequenceConstruct": construct,
    "SequenceEmpty": empty,
    "SequenceInsert": insert,
    "SequenceErase": erase,
    "SequenceAt": at,
    "SequenceLength": length,
    "SplitToSequence": split,
    "ConcatFromSequence": concat_from,
    "Optional": optional,
    "OptionalGetElement": optional,
    "OptionalHasElement": has_element,
}
