"""osmr/imgclsmob: what ``measure_model`` adds up; its tables print half of it."""

from __future__ import annotations

from ..counting.accounting import Accounting, register
from .kinds import FLOPS, GLOBAL_MAXES, GLOBAL_MEANS, POOLS, each

ACCOUNTING = register(
    Accounting(
        name="imgclsmob",
        title="2 operations a multiply-add; batch norm 4 a value; ReLU and pooling (printed "
        "halved)",
        source="osmr/imgclsmob, gluon/utils.py, measure_model; its tables print FLOPs/2",
        counts=each(
            {
                "conv": {"macs": 2, "unbiased_pairs": -1},
                "conv_sum linear": FLOPS,
                "batch_norm": {"inputs": 4},
                "relu relu6 sigmoid": {"inputs": 1},
                f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"pooled": 1},
            }
        ),
        unit="FLOPs",
        per_mac=2,
    )
)
"""What it has no rule for is not known: it leaves out no weighted sums on purpose."""
