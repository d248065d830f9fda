"""What the building of TFLite's networks is made of."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from .layout import first_axes, to_last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Shape
    from .model import TensorInfo

FUSED = {1: ("relu", {}), 2: ("pointwise", {"function": "clip"}), 3: ("relu6", {}),
         4: ("tanh", {}), 5: ("pointwise", {"function": "sign"})}  # fmt: skip
"""Activations that stand within another operator, as layers."""

WITH_PARAMETERS = frozenset(
    (
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"),
        *("RNN", "SVDF", "BATCH_MATMUL", "CONV_2D", "UNIDIRECTIONAL_SEQUENCE_RNN"),
        *("BIDIRECTIONAL_SEQUENCE_RNN", "EMBEDDING_LOOKUP", "DEPTHWISE_CONV_2D"),
        *("CONV_3D", "TRANSPOSE_CONV", "CONV_3D_TRANSPOSE", "FULLY_CONNECTED", "PRELU"),
    )
)
"""Operators whose constants are parameters also where the operator itself is not understood."""

PROCEDURES = frozenset(
    (
        *("TOPK_V2", "UNPACK", "UNIQUE", "WHERE", "MATRIX_SET_DIAG", "SCATTER_ND", "SEGMENT_SUM"),
        *("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "RFFT2D", "IMAG", "REAL"),
        *("COMPLEX_ABS", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"),
        *("BUCKETIZE", "MULTINOMIAL", "DYNAMIC_UPDATE_SLICE", "UNSORTED_SEGMENT_PROD"),
        *("UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_MIN", "ATAN2"),
        *("BITCAST", "BITWISE_XOR", "RIGHT_SHIFT", "HASHTABLE_FIND"),
        "custom TFLite_Detection_PostProcess",
    )
)
"""Operators without parameters or weighted sums: with the output's size all is known of them."""

FLOATS = frozenset(("FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16"))


class Value(NamedTuple):
    """A tensor that is computed. node: whose output it is. sizes: as our layers have it.

    first: its channels come first, else it lies as in the file. sizes None: not known.
    """

    node: str
    sizes: Shape | None
    first: bool

    @property
    def shape(self) -> Shape:
        """The sizes, where they are known."""
        return () if self.sizes is None else self.sizes

    def axis(self, axis: int) -> int:
        """Where an axis of the file's is in ``sizes``."""
        rank = len(self.shape)
        return first_axes(rank).index(axis % rank) if self.first else axis % rank

    @property
    def file(self) -> Shape:
        """The sizes in the file's order."""
        return to_last(self.shape) if self.first else self.shape


class NotUnderstood(Exception):
    """Why an operator becomes opaque."""


CALLS = frozenset(
    (
        *("IF", "WHILE", "CALL", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"),
        *("ASSIGN_VARIABLE", "DELEGATE"),
    )
)
"""Operators that run, or read, what stands elsewhere: their parameters are not known."""


def is_learned(tensor: TensorInfo) -> bool:
    """Whether a constant counts as a parameter: several numbers, or what stands for such."""
    return tensor.values > 1 and (tensor.type in FLOATS or tensor.quantized)


def by_axis(sizes: Sequence[int]) -> str:
    return "x".join("?" if n < 0 else str(n) for n in sizes) or "a single number"


def product(sizes: Sequence[int]) -> int:
    return prod(sizes)
