"""What becomes of each kind of layer where the channels of its input are dealt to columns.

A value is whole (every rank has all of it, and all have the same gradient for it), or split: rank
r has the r-th of ``columns`` equal parts of axis 1. A rule says how a layer reads its inputs, what
one column's share of it is, and whether what it gives is split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import NetworkError
from ...layers.activation import Activation
from ...layers.elementwise import ALONG

if TYPE_CHECKING:
    from ...counting.rows import Row
    from ...network import Layer, Shape

AS_IT_IS = "as it is"
OWN_PART = "own part"  # of a whole value
WHOLE_FOR_OWN = "whole, for filters of its own"  # each rank's gradient is a summand
WHOLE_FOR_ALL = "whole, for the same on every rank"  # each rank's gradient is all of it

BY_CHANNEL = (
    *("max_pool", "average_pool", "lp_pool", "stochastic_pool", "subsample"),
    *("global_max_pool", "global_average_pool", "adaptive_max_pool", "adaptive_average_pool"),
    *("batch_norm", "pad", "crop", "upsample", "resize", "blur"),
)
"""Kinds that work on each channel by itself, with parameters that are one a channel or none."""

BY_VALUE = ("add", "subtract", "multiply", "maximum", "minimum", "average", "pointwise")
"""Kinds that work on values in the same place of several inputs."""


class Rule(NamedTuple):
    """How a node is done in columns.

    reads: one of the four ways above for each input. layer: a column's share; the layer itself
    where it does not change. split: what it gives is split; else all ranks compute the same.
    """

    reads: tuple[str, ...]
    layer: Layer
    split: bool


def rule(row: Row, split: tuple[bool, ...], columns: int, last: bool) -> Rule:
    """The rule for a node.

    split: whether each input is. last: no weighted layer comes after it. Raises NetworkError where
    the node's groups can't be dealt to the columns, or where it would have to draw alike on all.
    """
    layer: Any = row.node.layer
    xs = row.inputs
    alone = Rule((WHOLE_FOR_ALL,) * len(xs), layer, False)
    if layer.kind in ("conv", "local", "conv_transpose"):
        return _convolution(row, split[0], columns) or alone
    if layer.kind == "linear":
        divides = layer.axis % len(xs[0]) == 1 and layer.features % columns == 0
        if last or not divides:
            return alone
        return Rule((WHOLE_FOR_OWN,), layer.replace(features=layer.features // columns), True)
    if not any(split):
        if layer.kind == "stochastic_pool":
            raise NetworkError(
                f"{row.name}: each column would draw for itself what all must have alike",
                where=str(row.node.source or ""),
                values="stochastic_pool of a value that every column holds",
                hint="another kind of pooling there",
            )
        return alone
    if all(split):
        share = _share(layer, xs, columns)
        if share is not None:
            return Rule((AS_IT_IS,) * len(xs), share, True)
    elif layer.kind in BY_VALUE and _alike(layer, xs):
        reads = tuple([AS_IT_IS if each else OWN_PART for each in split])
        return Rule(reads, layer, True)
    return alone


def _convolution(row: Row, split: bool, columns: int) -> Rule | None:
    """Filters are dealt out; with groups, each filter's input channels go with it."""
    layer: Any = row.node.layer
    if layer.groups == 1:
        if layer.filters % columns:
            return None
        return Rule((WHOLE_FOR_OWN,), layer.replace(filters=layer.filters // columns), True)
    if layer.groups % columns:
        raise NetworkError(
            f"{row.name}: its groups can't be dealt to {columns} columns",
            where=str(row.node.source or ""),
            values=f"groups {layer.groups}, columns {columns}",
            hint="as many columns as there are groups, or a divisor of that number",
        )
    share = layer.replace(filters=layer.filters // columns, groups=layer.groups // columns)
    return Rule((AS_IT_IS if split else OWN_PART,), share, True)


def _share(layer: Any, xs: tuple[Shape, ...], columns: int) -> Layer | None:
    """A column's share of a layer whose inputs are all split; None where it must see the whole."""
    kind: str = layer.kind
    if kind in BY_CHANNEL:
        return layer
    if kind == "prelu":
        return _slopes(layer, xs[0], columns)
    if kind in BY_VALUE:
        return layer if _alike(layer, xs) else None
    if isinstance(layer, Activation):
        return layer
    if kind in ("lrn", "contrast_norm") and layer.across == "space":
        return layer.replace(groups=1)  # of no effect there, but they must divide the channels
    if kind in ("lrn", "contrast_norm", "group_norm"):
        return layer.replace(groups=layer.groups // columns) if not layer.groups % columns else None
    if kind == "scale":
        return layer if layer.axis == 1 and layer.axes != 0 else None
    if kind == "flatten":
        return layer if layer.start >= 1 else None  # channels come first, so parts stay together
    if kind in ("softmax", "log_softmax", "concat"):
        return layer if layer.axis % len(xs[0]) > 1 else None
    if kind == "slice":
        return layer if layer.axis > 1 else None
    return None


def _slopes(layer: Any, x: Shape, columns: int) -> Layer | None:
    """Slopes that are one a channel are dealt out; those that channels share are not."""
    if layer.size is None:
        return None if layer.shared else layer
    first, *others = layer.size
    return layer.replace(size=(first // columns, *others)) if first == x[1] else None


def _alike(layer: Any, xs: tuple[Shape, ...]) -> bool:
    """Whether the inputs have their channels in the same places, so that parts meet parts."""
    if layer.kind == "pointwise" and layer.function in (*ALONG, "random"):
        return False
    return all(len(x) == len(xs[0]) and len(x) > 1 and x[1] == xs[0][1] for x in xs)
