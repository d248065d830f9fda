"""thop as of 2019, whose figures its README still prints."""

from __future__ import annotations

from ..counting.accounting import Accounting, register
from .kinds import BIASED, CONVS, GLOBAL_MEANS, MEAN_POOLS, each

ACCOUNTING = register(
    Accounting(
        name="thop-2019",
        title="MACs with convolutions' biases; fully connected layers twice; norms and means added",
        source="Lyken17/pytorch-OpCounter, thop/count_hooks.py as of 2019, whose figures its "
        "README still prints",
        counts=each(
            {
                CONVS: BIASED,
                "linear": {"macs": 2, "outputs": -1},
                "conv_transpose": {"weights_at_outputs": 1},
                "batch_norm": {"inputs": 4},
                f"{MEAN_POOLS} {GLOBAL_MEANS}": {"pooled": 1, "outputs": 1},
                "softmax": {"inputs": 3, "rows": -1},
            }
        ),
        # it hooks modules: functions are not seen, and of recurrent layers it had no hook
        leaves_out=("matmul", "einsum", "attention", "rnn", "gru", "lstm"),
    )
)
