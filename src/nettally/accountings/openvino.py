"""OpenVINO's model analyzer: its formula before version 10 of the representation, and since.

The analyzer reads what the model optimizer wrote, which folds batch normalisation into the
weighted layer before it: accountings/folding.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..counting.accounting import Accounting, register
from .kinds import CONVS, FLOPS, GLOBAL_MAXES, GLOBAL_MEANS, POOLS, each

if TYPE_CHECKING:
    from ..counting.accounting import Terms

_VALUES: dict[str, Terms] = {
    "relu relu6 leaky_relu prelu": {"outputs": 2},
    "elu sigmoid softplus": {"outputs": 3},
    "tanh": {"outputs": 6},
    "silu": {"outputs": 5},
    "mish": {"outputs": 10},
    "hard_swish hard_sigmoid": {"outputs": 4},
    "softmax": {"outputs": 5},
    "scale": {"outputs": 2},
}

BEFORE_V10 = register(
    Accounting(
        name="openvino",
        title="2 operations a multiply-add; batch norm folded; ReLU 2, additions 3 a value",
        source="openvinotoolkit/model_analyzer, layer_provider.py, the branch before IR v10, which "
        "gives the Open Model Zoo's older figures",
        counts=each(
            {
                f"{CONVS} linear": FLOPS,
                "conv_transpose": {"weights_at_outputs": 2},
                f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"pooled": 1},
                "lrn": {"outputs_by_size_squared": 4, "outputs": 1},
                **_VALUES,
                "add multiply maximum minimum average subtract": {"merged": 2, "outputs": 1},
            }
        ),
        unit="operations",
        fold_batch_norm=True,
        per_mac=2,
    )
)

V10 = register(
    Accounting(
        name="openvino-v10",
        title="2 operations a multiply-add; biases and folded shifts 1, ReLU 2, additions 1 a "
        "value",
        source="openvinotoolkit/model_analyzer, layer_provider.py, from IR v10 on; global means "
        "are not counted",
        counts=each(
            {
                f"{CONVS} linear conv_transpose": {"macs": 2, "bias_adds": 1},
                "batch_norm": {"outputs": 1},
                POOLS: {"pooled": 1},
                **_VALUES,
                "add multiply maximum minimum average subtract": {"merged": 1},
            }
        ),
        unit="operations",
        fold_batch_norm=True,
        per_mac=2,
    )
)
"""Neither leaves out weighted sums on purpose: products of matrices and recurrent layers have rules
in the source that are not written here, and are not known.
"""
