"""albanie/convnet-burden: operations of MatConvNet's networks."""

from __future__ import annotations

from ..counting.accounting import Accounting, register
from .kinds import BIASED, CONVS, GLOBAL_MAXES, GLOBAL_MEANS, POOLS, each

ACCOUNTING = register(
    Accounting(
        name="convnet-burden",
        title='what it calls "flops" are MACs with biases; ReLU and pooling 2 a value',
        source="albanie/convnet-burden, core/burden.m, computeFlops",
        counts=each(
            {
                f"{CONVS} conv_transpose linear": BIASED,
                "relu leaky_relu": {"outputs": 2},
                POOLS: {"outputs_at_stride": 2},
                f"{GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 2},
                "lrn": {"outputs": 3, "positions": 2},
                "add": {"merged": 1},
            }
        ),
        unit="flops (multiply-adds)",
    )
)
"""MatConvNet has no other weighted layers; what they would count is not known."""
