"""Kinds of layers that accountings name together, and the terms that several of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..counting.accounting import Terms

CONVS = "conv conv_sum"
LOCAL_CONVS = "conv_map local"
MAX_POOLS = "max_pool"
MEAN_POOLS = "average_pool stochastic_pool subsample"
GLOBAL_MEANS = "global_average_pool adaptive_average_pool"
GLOBAL_MAXES = "global_max_pool adaptive_max_pool"
POOLS = f"{MAX_POOLS} {MEAN_POOLS}"
TORCH_POOLS = "max_pool average_pool"
"""The pools that are modules of torch's own, which tools know by class and by function."""

OTHER_NORMS = "layer_norm group_norm"

TWO_PRODUCTS = "attention as two products by torch.matmul, and not by a fused function"
BY_MATMUL = "products by torch.matmul, and not by @"
ON_A_CPU = "an LSTM on a CPU, where its fused kernel counts nothing (with a projection it has none)"
"""What several tools' counts by kind take for granted."""

MACS: Terms = {"macs": 1}
FLOPS: Terms = {"macs": 2}
BIASED: Terms = {"macs": 1, "bias_adds": 1}


def each(table: Mapping[str, Terms]) -> dict[str, Terms]:
    """``{"conv local": terms}`` as ``{"conv": terms, "local": terms}``."""
    return {kind: terms for kinds, terms in table.items() for kind in kinds.split()}
