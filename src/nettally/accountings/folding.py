"""Batch normalisation folded into the weighted layer before it, as compilers for inference do.

A norm with fixed statistics is a scale and a shift of each channel. Behind a convolution or a
connected layer the scale goes into its weights and the shift into its bias: where the layer has a
bias, nothing is left of the norm; where it has none, one shift a channel. Caffe's Scale behind its
BatchNorm is part of the norm. A norm that stands elsewhere remains a scale and a shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..counting.accounting import SETTLERS, Accounting, is_bias
from ..network import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..counting.accounting import Terms
    from ..counting.rows import Row
    from ..network import Network

WEIGHTED = ("conv", "conv_sum", "conv_transpose", "linear")
"""The kinds of layers that a norm is folded into."""

GONE, SHIFT, SCALE_AND_SHIFT = 0, 1, 2
"""What is left of a norm, in values a channel."""


class Folded(Accounting):
    """An accounting for one network, whose norms are folded.

    left: what is left of each norm and of each scale behind one, by the layer's name.
    """

    plain: Any = None
    left: Mapping[str, int] = NOTHING

    def parameters(self, row: Row) -> int:
        left = self.left.get(row.node.name)
        if left is None:
            return super().parameters(row)
        return left * row.inputs[0][1] if left else 0

    def terms_of(self, row: Row) -> Terms:
        left = self.left.get(row.node.name)
        if left is None:
            return super().terms_of(row)
        if left == GONE:
            return {}
        return self.terms("batch_norm" if left == SHIFT else "scale")

    def settled(self, network: Network, rows: Sequence[Row]) -> Accounting:
        return self.plain.settled(network, rows)


def settled(accounting: Accounting, network: Network, rows: Sequence[Row]) -> Accounting:
    """The accounting for this network, in which it is known what is left of each norm."""
    left = remainders(network, rows)
    if not left:
        return accounting
    return Folded(**accounting.fields(), plain=accounting, left=left)


def remainders(network: Network, rows: Sequence[Row]) -> dict[str, int]:
    """What is left of each norm, and of each scale behind one, in values a channel."""
    readers: dict[str, int] = dict.fromkeys(network.outputs, 1)
    for row in rows:
        for name in row.node.inputs:
            readers[name] = readers.get(name, 0) + 1
    by_name = {row.node.name: row for row in rows}
    left: dict[str, int] = {}
    norms: set[str] = set()  # norms, and scales that are part of one
    for row in rows:
        kind = row.node.layer.kind
        before = row.node.inputs[0] if row.node.inputs else ""
        alone = readers.get(before) == 1
        if kind == "batch_norm":
            source = by_name.get(before)
            if source is None or not alone or source.node.layer.kind not in WEIGHTED:
                left[row.node.name] = SCALE_AND_SHIFT
            else:
                biased = any(map(is_bias, source.parameters or NOTHING))
                left[row.node.name] = GONE if biased else SHIFT
            norms.add(row.node.name)
        elif kind == "scale" and before in norms and alone and _by_channel(row):
            left[row.node.name] = GONE
            norms.add(row.node.name)
    return left


def _by_channel(row: Row) -> bool:
    """Whether a scale has a factor a channel, as a norm has."""
    layer: Any = row.node.layer
    return layer.axis == 1 and layer.axes == 1


SETTLERS.add("fold_batch_norm", settled)
