"""mmcv's counter, by which OpenMMLab's tables print FLOPs; docs/adding-an-accounting.md builds it.

It hooks the modules of a table. Of transposed convolutions its bias takes the output's height
twice, which is the same for square maps.
"""

from __future__ import annotations

from ..counting.accounting import Accounting, register
from .kinds import BIASED, GLOBAL_MAXES, GLOBAL_MEANS, MACS, TORCH_POOLS, each

ACCOUNTING = register(
    Accounting(
        name="mmcv",
        title="MACs, with convolutions' biases; activations and poolings 1 a value, norms 2",
        source="open-mmlab/mmcv 1.x, mmcv/cnn/utils/flops_counter.py, get_model_complexity_info",
        counts=each(
            {
                "conv conv_sum conv_transpose": BIASED,
                "linear": MACS,
                "relu prelu elu leaky_relu relu6": {"outputs": 1},
                f"{TORCH_POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 1},
                "batch_norm group_norm layer_norm": {"inputs": 2},
                "upsample": {"outputs": 1},
            }
        ),
        unit="FLOPs (multiply-adds)",
        leaves_out=("matmul", "einsum", "attention", "rnn", "gru", "lstm"),
    )
)
"""Functions and the modules that its table does not name are left out."""
