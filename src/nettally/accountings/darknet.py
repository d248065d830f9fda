"""Darknet's two sums: ``numops`` of the original, and the BFLOPS that the fork prints."""

from __future__ import annotations

from ..counting.accounting import EVERYTHING_ELSE, Accounting, register
from .kinds import CONVS, FLOPS, MAX_POOLS, each

NUMOPS = register(
    Accounting(
        name="darknet",
        title="2 operations a multiply-add of convolutions, connected and recurrent layers "
        "(Bn Ops)",
        source="pjreddie/darknet, examples/darknet.c, numops; local layers are left out, as there",
        counts=each({f"{CONVS} conv_map linear elman gru lstm": FLOPS}),
        unit="operations",
        per_mac=2,
        leaves_out=EVERYTHING_ELSE,  # numops asks for these types, and adds nothing for any other
    )
)

BFLOPS = register(
    Accounting(
        name="darknet-bflops",
        title="2 operations a multiply-add of convolutions; pooling and additions 1 a value "
        "(BFLOPS)",
        source="AlexeyAB/darknet, src/*_layer.c, l.bflops, whose sum is printed as Total BFLOPS",
        counts=each(
            {
                f"{CONVS} conv_map conv_elman conv_lstm": FLOPS,
                f"{MAX_POOLS} average_pool": {"pooled": 1},
                "add": {"merged": 1},
            }
        ),
        unit="operations",
        per_mac=2,
        # Darknet has these layers, and their files set no bflops
        leaves_out=("linear", "local", "elman", "gru", "lstm"),
    )
)
