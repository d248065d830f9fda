"""The convention of most papers: multiply-accumulates of convolutions and connected layers."""

from __future__ import annotations

from ..counting.accounting import EVERYTHING_ELSE, Accounting, register
from .kinds import CONVS, LOCAL_CONVS, MACS, each

ACCOUNTING = register(
    Accounting(
        name="conv+linear",
        title="multiply-accumulates of convolutions and fully connected layers only",
        source="the convention of most papers from 2014 on; torchvision's metadata "
        "(torchvision 0.28.0, Weights.meta['_ops'], printed as GFLOPS)",
        counts=each({f"{CONVS} {LOCAL_CONVS} conv_transpose linear": MACS}),
        leaves_out=EVERYTHING_ELSE,
    )
)
