"""mmcv's counter of complexity, which docs/adding-an-accounting.md builds up step by step."""

from __future__ import annotations

from ..counting.accounting import Accounting, register
from .kinds import BIASED, GLOBAL_MAXES, GLOBAL_MEANS, POOLS, each

ACCOUNTING = register(
    Accounting(
        name="mmcv",
        title="MACs with biases; activations and poolings 1 a value, batch norm 2 a value",
        source="open-mmlab/mmcv 1.7, mmcv/cnn/utils/flops_counter.py, get_model_complexity_info, "
        "which prints the sum as FLOPs",
        counts=each(
            {
                "conv conv_sum conv_transpose linear": BIASED,
                "relu prelu elu leaky_relu relu6": {"outputs": 1},
                f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 1},
                "batch_norm": {"inputs": 2},
                "upsample": {"outputs": 1},
            }
        ),
        unit="FLOPs (multiply-adds)",
        # it hooks the modules of its table: functions and other modules are not seen
        leaves_out=("matmul", "einsum", "attention", "rnn", "gru", "lstm"),
    )
)
