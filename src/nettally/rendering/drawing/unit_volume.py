"""What a unit puts out as a volume: which axis counts the channels, and which are space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...arith import plain
from .layer_words import family, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.rows import Row
    from .units import Unit


class Volume(NamedTuple):
    """What one column of a stage puts out.

    flat: height and width are 1; a bar of units. sequence: ``height`` counts positions along a
    line, and no pixels; width is 1.
    """

    channels: int
    height: int
    width: int
    flat: bool
    known: bool = True
    sequence: bool = False


OVER_POSITIONS = frozenset(["linear", "layer_norm", "rms_norm"])
"""Layers whose last axis are the features, however many axes of positions there are."""

TOKENS = OVER_POSITIONS | frozenset(
    ["attention", "matmul", "embedding", "rnn", "gru", "lstm", "expand", "tile"]
)
"""Layers whose last axis are the features, of each position that the axis before it counts."""


def volume_of(unit: Unit, *, tokens: bool = False) -> Volume:
    """What the unit puts out: its own layer, before it is flattened for the next.

    tokens: of an input, whether its last axis are features.
    """
    shape = unit.shape if unit.main is None else unit.main.shape
    if shape is None:
        return Volume(1, 1, 1, flat=False, known=False)
    sizes = [plain(n) for n in shape]
    if len(sizes) < 3:
        return Volume(sizes[1] if len(sizes) > 1 else 1, 1, 1, flat=True)
    rows = unit.rows
    if unit.main is not None:
        rows = rows[: next(n for n, row in enumerate(rows) if row is unit.main) + 1]
    axis = len(sizes) - 1 if unit.input and tokens and len(sizes) == 3 else _channel_axis(rows)
    channels = sizes[axis]
    space = [n for place, n in enumerate(sizes) if place not in (0, axis)]
    if all(n == 1 for n in space) and not (len(space) == 1 and axis == 2):
        return Volume(channels, 1, 1, flat=True)
    if len(space) == 1:
        return Volume(channels, space[0], 1, flat=False, sequence=True)
    for n in space[:-2]:  # further axes of space lie beside the channels
        channels *= n
    return Volume(channels, space[-2], space[-1], flat=False)


def has_tokens(unit: Unit) -> bool:
    """Whether its output is features at positions, and not channels along a line."""
    for row in reversed(unit.rows):
        if row.node.layer.kind in TOKENS:
            return True
        if family(row.node.layer) in ("conv", "pool"):
            return False
    return False


def size_of(unit: Unit) -> str:
    """The unit's output as ``96×55×55``: the channels of a map first, wherever they are kept."""
    shape = unit.shape
    if shape is not None and len(shape) == 4 and _channel_axis(unit.rows) == 3:
        shape = (shape[0], shape[3], shape[1], shape[2])
    return size(shape)


def _channel_axis(rows: Sequence[Row]) -> int:
    """The axis of the channels, or features, of the last layer; 1 where nothing tells."""
    first = next((n for n in range(len(rows) - 1, -1, -1) if _axis_stated(rows[n])), None)
    if first is None:
        return 1
    axis = _axis_stated(rows[first])
    for row in rows[first + 1 :]:
        axis = _carried(row, axis)
    last = rows[-1].shape
    return axis if last is not None and 0 < axis < len(last) else 1


def _axis_stated(row: Row) -> int:
    """Where a layer of this kind has its channels; 0 where its kind does not tell."""
    layer, shape = row.node.layer, row.shape
    if shape is None:
        return 0
    kinds = TOKENS if len(shape) == 3 else OVER_POSITIONS
    if layer.kind in kinds:
        return len(shape) - 1
    return 1 if family(layer) in ("conv", "pool") else 0


def _carried(row: Row, axis: int) -> int:
    """Where the channels are after a layer that moves axes; else where they were."""
    before, after = row.inputs[0] if row.inputs else None, row.shape
    if row.node.layer.kind == "permute":
        order: Any = row.node.layer.fields()["order"]
        return order.index(axis) if axis in order else axis
    if before is None or after is None or axis >= len(before) or len(before) == len(after):
        return axis
    return _after_reshape(after, before[axis])


def _after_reshape(shape: Sequence[int], channels: int) -> int:
    """The axis that is as long as the channels were; else, of two, the shorter one.

    What was made of maps by reshaping, as boxes and their scores are, has more positions than
    features.
    """
    same = [place for place in range(1, len(shape)) if shape[place] == channels]
    if same:
        return same[0] if same[0] == 1 else same[-1]
    return 2 if len(shape) == 3 and shape[2] < shape[1] else 1
