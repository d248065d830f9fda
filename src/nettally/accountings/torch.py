"""torch's own counter, ``FlopCounterMode``: 2 operations a multiply-add of the operators that run.

Of a module it is worked out as it is mostly used, on a CPU, in eval mode and without gradients.
Of a file it is what the counter gives on tensors without values for the module that ``build``
makes.
"""

from __future__ import annotations

from ..counting.accounting import Accounting
from .by_calls import register_tool
from .calls import aten
from .calls.facts import Tool
from .kinds import CONVS, FLOPS, each

register_tool(
    Tool(
        accounting=Accounting(
            name="torch",
            title="2 operations a multiply-add of convolutions and matrix products, no biases",
            source="torch 2.13.0, utils/flop_counter.py",
            counts=each(
                {
                    f"{CONVS} local conv_transpose linear attention experts": FLOPS,
                    "selective_scan state_space delta_rule grouped_linear hyper_connection": FLOPS,
                    "rnn gru lstm elman conv_elman conv_lstm": FLOPS,
                    "conv_map": {"dense": 2},
                    "matmul": {"products": 2},
                    "einsum": {"einsum_pairs": 2},
                }
            ),
            unit="FLOPs",
            per_mac=2,
            by_calls=True,
            leaves_out=("rbf",),  # differences and squares of values, and no product
            assumes={
                "attention": "attention as two products, or on a GPU or meta; on a CPU its "
                "fused kernel counts nothing",
                "lstm": "an LSTM on meta; on a CPU its fused kernel counts nothing",
            },
        ),
        title="torch.utils.flop_counter, on a CPU in eval mode without gradients",
        version="2.13.0",
        call="with FlopCounterMode() as counter: model(x)",
        rule=aten.torch,
        says={
            "fused attention": "on a CPU attention runs in fused kernels that it does not "
            "know; on a GPU or on meta it counts them",
            "unseen": "it has no rule for the kernels that these become on a CPU",
        },
    )
)
