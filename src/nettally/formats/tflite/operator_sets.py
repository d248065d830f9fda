"""Sets of TFLite's operators that the builder treats alike, and the activations within others."""

from __future__ import annotations

FUSED = {1: ("relu", {}), 2: ("pointwise", {"function": "clip"}), 3: ("relu6", {}),
         4: ("tanh", {}), 5: ("pointwise", {"function": "sign"})}  # fmt: skip
"""Activations that stand within another operator, as layers."""

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

CALLS = frozenset(
    (
        *("IF", "WHILE", "CALL", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"),
        *("ASSIGN_VARIABLE", "DELEGATE"),
    )
)
"""Operators that run, or read, what stands elsewhere: not all their parameters are known."""
