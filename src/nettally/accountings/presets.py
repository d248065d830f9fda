"""The accountings that people meet: what each tool adds up, to the unit, with its source.

Each was held against the tool itself or, where it says so, against printed figures only; see
docs/accounting.md for the sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import total
from ..counting.accounting import NETTALLY, Accounting, Terms, register
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..counting.tally import Tally

CONVS = "conv conv_sum conv_map local"
MAX_POOLS = "max_pool"
MEAN_POOLS = "average_pool stochastic_pool subsample"
GLOBAL_MEANS = "global_average_pool adaptive_average_pool"
GLOBAL_MAXES = "global_max_pool adaptive_max_pool"
POOLS = f"{MAX_POOLS} {MEAN_POOLS}"
NORMS = "layer_norm group_norm"


def _kinds(table: Mapping[str, Terms]) -> dict[str, Terms]:
    """``{"conv local": terms}`` as ``{"conv": terms, "local": terms}``."""
    return {kind: terms for kinds, terms in table.items() for kind in kinds.split()}


MACS: Terms = {"macs": 1}
FLOPS: Terms = {"macs": 2}
BIASED: Terms = {"macs": 1, "bias_adds": 1}

_OPENVINO: dict[str, Terms] = {
    "relu relu6 leaky_relu prelu": {"outputs": 2},
    "elu sigmoid softplus": {"outputs": 3},
    "tanh": {"outputs": 6},
    "silu": {"outputs": 5},
    "mish": {"outputs": 10},
    "hard_swish hard_sigmoid": {"outputs": 4},
    "softmax": {"outputs": 5},
}

_PTFLOPS_TWICE = "relu prelu elu gelu"

ACCOUNTINGS: dict[str, Accounting] = {
    accounting.name: accounting
    for accounting in (
        NETTALLY,
        Accounting(
            "conv+linear",
            "multiply-accumulates of convolutions and fully connected layers only",
            "the convention of most papers from 2014 on; torchvision's metadata "
            "(torchvision 0.28.0, Weights.meta['_ops'], printed as GFLOPS)",
            _kinds({f"{CONVS} conv_transpose linear": MACS}),
        ),
        Accounting(
            "torchinfo",
            "mult-adds: weights and biases of a module, once a position; norms by parameter",
            "torchinfo 1.8.0, layer_info.py, calculate_macs",
            _kinds(
                {
                    f"{CONVS} conv_transpose": {"parameters_at_outputs": 1},
                    f"linear batch_norm {NORMS} prelu": {"parameters_by_batch": 1},
                }
            ),
            unit="mult-adds",
            of_calls=True,
        ),
        Accounting(
            "fvcore",
            'what it calls "flops" are multiply-adds, with norms and global means added',
            "fvcore 0.1.5.post20221221, nn/flop_count.py and nn/jit_handles.py",
            _kinds(
                {
                    f"{CONVS} conv_transpose linear": MACS,
                    "batch_norm": {"inputs": 2},
                    NORMS: {"inputs": 5},
                    GLOBAL_MEANS: {"inputs": 1},
                }
            ),
            unit="flops (multiply-adds)",
            of_calls=True,
        ),
        Accounting(
            "thop",
            "MACs, with 4 a value for batch and layer norms, means and softmax added",
            "thop 0.1.1.post2209072238, vision/basic_hooks.py and vision/calc_func.py",
            _kinds(
                {
                    f"{CONVS} linear": MACS,
                    "conv_transpose": {"weights_at_outputs": 1},
                    "batch_norm layer_norm": {"inputs": 4},
                    MEAN_POOLS: {"outputs": 1},
                    GLOBAL_MEANS: {"inputs": 1, "outputs": 1},
                    "softmax": {"inputs": 3, "rows": -1},
                    "prelu": {"inputs": 1},
                }
            ),
            of_calls=True,
        ),
        Accounting(
            "thop-2019",
            "MACs with convolutions' biases; fully connected layers twice; norms and means added",
            "Lyken17/pytorch-OpCounter, thop/count_hooks.py as of 2019, whose figures its README "
            "still prints",
            _kinds(
                {
                    CONVS: BIASED,
                    "linear": {"macs": 2, "outputs": -1},
                    "conv_transpose": {"weights_at_outputs": 1},
                    "batch_norm": {"inputs": 4},
                    f"{MEAN_POOLS} {GLOBAL_MEANS}": {"pooled": 1, "outputs": 1},
                    "softmax": {"inputs": 3, "rows": -1},
                }
            ),
        ),
        Accounting(
            "ptflops",
            "MACs with biases; norms added; ReLU, pooling and upsampling modules twice",
            "ptflops 0.7.5, pytorch_ops.py, the pytorch backend, for layers that are modules",
            _kinds(
                {
                    f"{CONVS} conv_transpose linear": BIASED,
                    "batch_norm group_norm": {"inputs": 2},
                    "layer_norm": {"inputs": 1},
                    "lrn": {"inputs": 4, "neighbours": 1},
                    f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 2},
                    f"{_PTFLOPS_TWICE} upsample": {"outputs": 2},
                    "leaky_relu silu relu6": {"outputs": 1},
                    "softmax": {"inputs": 1},
                }
            ),
            of_calls=True,
        ),
        Accounting(
            "ptflops-aten",
            "MACs with biases, and nothing else",
            "ptflops 0.7.5, aten_ops.py, the aten backend",
            _kinds({f"{CONVS} conv_transpose linear": BIASED}),
            of_calls=True,
        ),
        Accounting(
            "torch",
            "2 operations a multiply-add of convolutions and matrix products, no biases",
            "torch 2.13.0, utils/flop_counter.py",
            _kinds({f"{CONVS} conv_transpose linear": FLOPS}),
            unit="FLOPs",
            per_mac=2,
            of_calls=True,
        ),
        Accounting(
            "calflops",
            "2 operations a multiply-add, with convolutions' biases, norms, ReLU and pooling",
            "calflops 0.3.2, pytorch_ops.py",
            _kinds(
                {
                    f"{CONVS} conv_transpose": {"macs": 2, "bias_adds": 1},
                    "linear": FLOPS,
                    "batch_norm": {"inputs": 2},
                    NORMS: {"inputs": 5},
                    "lrn": {"inputs": 4, "neighbours": 1},
                    f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 1},
                    "relu prelu elu gelu leaky_relu silu softmax": {"inputs": 1},
                }
            ),
            unit="FLOPs",
            per_mac=2,
            of_calls=True,
        ),
        Accounting(
            "keras",
            "all variables: running statistics of batch normalisation are parameters too",
            "Keras 3.15.1, utils/summary_utils.py, count_params; it counts no operations",
            {},
            unit="(no operations)",
            tensors=("weights", "biases", "buffers"),
            per_mac=0,
        ),
        Accounting(
            "darknet",
            "2 operations a multiply-add of convolutions, connected and recurrent layers (Bn Ops)",
            "pjreddie/darknet, examples/darknet.c, numops; local layers are left out, as there",
            _kinds({"conv conv_sum conv_map linear elman gru lstm": FLOPS}),
            unit="operations",
            per_mac=2,
        ),
        Accounting(
            "darknet-bflops",
            "2 operations a multiply-add of convolutions; pooling and additions 1 a value (BFLOPS)",
            "AlexeyAB/darknet, src/*_layer.c, l.bflops, whose sum is printed as Total BFLOPS",
            _kinds(
                {
                    "conv conv_sum conv_map conv_elman conv_lstm": FLOPS,
                    f"{MAX_POOLS} average_pool": {"pooled": 1},
                    "add": {"merged": 1},
                }
            ),
            unit="operations",
            per_mac=2,
        ),
        Accounting(
            "imgclsmob",
            "2 operations a multiply-add; batch norm 4 a value; ReLU and pooling (printed halved)",
            "osmr/imgclsmob, gluon/utils.py, measure_model; its tables print FLOPs/2",
            _kinds(
                {
                    "conv": {"macs": 2, "unbiased_pairs": -1},
                    "conv_sum conv_map local linear": FLOPS,
                    "batch_norm": {"inputs": 4},
                    "relu relu6 sigmoid": {"inputs": 1},
                    f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"pooled": 1},
                }
            ),
            unit="FLOPs",
            per_mac=2,
        ),
        Accounting(
            "convnet-burden",
            'what it calls "flops" are MACs with biases; ReLU and pooling 2 a value',
            "albanie/convnet-burden, core/burden.m, computeFlops",
            _kinds(
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
        ),
        Accounting(
            "openvino",
            "2 operations a multiply-add; batch norm folded; ReLU 2, additions 3 a value",
            "openvinotoolkit/model_analyzer, layer_provider.py, the branch before IR v10, which "
            "gives the Open Model Zoo's older figures",
            _kinds(
                {
                    f"{CONVS} linear": FLOPS,
                    "conv_transpose": {"weights_at_outputs": 2},
                    f"{POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"pooled": 1},
                    "lrn": {"outputs_by_size_squared": 4, "outputs": 1},
                    **_OPENVINO,
                    "add multiply maximum minimum average subtract": {"merged": 2, "outputs": 1},
                    "scale": {"outputs": 2},
                }
            ),
            unit="operations",
            fold=True,
            per_mac=2,
        ),
        Accounting(
            "openvino-v10",
            "2 operations a multiply-add; biases and folded shifts 1, ReLU 2, additions 1 a value",
            "openvinotoolkit/model_analyzer, layer_provider.py, from IR v10 on; global means are "
            "not counted",
            _kinds(
                {
                    f"{CONVS} linear conv_transpose": {"macs": 2, "bias_adds": 1},
                    "batch_norm": {"outputs": 1},
                    POOLS: {"pooled": 1},
                    **_OPENVINO,
                    "add multiply maximum minimum average subtract": {"merged": 1},
                    "scale": {"outputs": 2},
                }
            ),
            unit="operations",
            fold=True,
            per_mac=2,
        ),
    )
}
"""The presets by name."""

for _preset in ACCOUNTINGS.values():
    register(_preset)


class Reckoning(Record):
    """One network under one accounting, term by term.

    parameters, operations: the totals. terms: what the operations are made of: the multiply-adds
    of weighted sums (times what each counts for), then what each kind of layer adds to them.
    complete: false where some layer is not known, so that the totals are "at least".
    """

    accounting: Accounting
    parameters: int
    operations: int
    terms: Mapping[str, int]
    complete: bool


def reconcile(counted: Tally) -> tuple[Reckoning, ...]:
    """One network under every accounting; of a module that was read, what the tools print."""
    return tuple(_reckon(counted.under(each)) for each in ACCOUNTINGS.values())


def _reckon(counted: Tally) -> Reckoning:
    convention = counted.accounting
    printed = convention.printed()
    if printed is not None:
        return printed
    weighted = 0
    others: dict[str, int] = {}
    for row in counted.rows:
        if row.work is None:
            continue
        operations = convention.operations(row)
        kind = row.node.layer.kind
        sums = convention.per_mac * row.work.macs if convention.counts(kind) else 0
        weighted += sums
        if operations != sums:
            label = f"{kind} biases" if sums else kind
            others[label] = others.get(label, 0) + operations - sums
    label = "multiply-adds" if convention.per_mac == 1 else f"{convention.per_mac} × multiply-adds"
    terms = {label: weighted} if convention.per_mac else {}
    terms.update(others)
    return Reckoning(
        convention,
        total(convention.parameters(row) for row in counted.rows),
        total(convention.operations(row) for row in counted.rows),
        terms,
        counted.complete,
    )
