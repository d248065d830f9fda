"""Keras: parameters, with the statistics that batch normalisation keeps; no operations."""

from __future__ import annotations

from ..counting.accounting import EVERYTHING_ELSE, Accounting, register

ACCOUNTING = register(
    Accounting(
        name="keras",
        title="all variables: running statistics of batch normalisation are parameters too",
        source="Keras 3.15.1, utils/summary_utils.py, count_params; it counts no operations",
        counts={},
        unit="(no operations)",
        tensors=("weights", "biases", "buffers"),
        per_mac=0,
        leaves_out=EVERYTHING_ELSE,
    )
)
