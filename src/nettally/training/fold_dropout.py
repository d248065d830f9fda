"""Dropout as it is in testing, put into the weights of the layers that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..errors import NetworkError

if TYPE_CHECKING:
    from ..building.build import Built

WEIGHTED = ("conv", "linear", "local", "conv_transpose")
KEEP_FACTORS = (
    *("relu", "flatten", "reshape", "permute", "dropout", "max_pool", "average_pool"),
    *("global_average_pool", "global_max_pool", "adaptive_average_pool", "leaky_relu", "concat"),
)
"""Kinds that give c times as much for c times their input, c > 0."""


@torch.no_grad()
def fold_dropout(module: Built) -> None:
    """Multiply weights by what each dropout before them keeps in testing, as 2012's dropout does.

    The module's own dropouts are torch's, which do nothing in testing. A factor goes through
    layers that keep it, to the weights of the next ones. Raises NetworkError where a layer reads
    values of different factors, or one that no weight can take up.
    """
    network = module.network
    factors: dict[str, float] = {}
    for node in network.nodes:
        read = {factors.get(name, 1.0) for name in node.inputs}
        factor = read.pop() if len(read) == 1 else 0.0
        if node.layer.kind == "dropout":
            factors[node.name] = factor * (1 - node.layer.fields()["rate"])
        elif factor == 1.0:
            continue
        elif node.layer.kind in WEIGHTED and factor and not node.shared:
            weight: Any = module.module_of(node.name)
            weight.weight.mul_(factor)
        elif node.layer.kind in KEEP_FACTORS and factor:
            factors[node.name] = factor
        else:
            raise NetworkError(
                f"{node.name}: the dropout before it can't be put into weights",
                where=str(node.source or network.source or ""),
                values=f"it is a {node.layer.kind}",
                hint="a recipe with dropout=inverted needs nothing of the kind",
            )
    left = [name for name in network.outputs if factors.get(name, 1.0) != 1.0]
    if left:
        raise NetworkError(
            f"{left[0]}: the dropout before this output can't be put into weights",
            where=str(network.source or ""),
            hint="a recipe with dropout=inverted needs nothing of the kind",
        )
