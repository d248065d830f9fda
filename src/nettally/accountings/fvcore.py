"""fvcore 0.1.5.post20221221: ``FlopCountAnalysis(model, inputs).total()``.

It sees the functions that a jit trace records, as they were called and not what they are made of.
What it calls a flop is a multiply-add.
"""

from __future__ import annotations

from typing import Any

from ..arith import product
from ..counting.accounting import Accounting, fact_of
from .by_calls import register_tool
from .calls.einsum import fvcore_count
from .calls.facts import Facts, Tool, ToolCount, norm_times
from .calls.worksheet import Worksheet, left_out, tool_count
from .kinds import CONVS, GLOBAL_MEANS, MACS, OTHER_NORMS, TWO_PRODUCTS, each

NORMS, POOLING, UPSAMPLING = "norms", "pooling", "upsampling"
NOT_KNOWN = ("torch.baddbmm", "Tensor.baddbmm", "torch.addbmm", "Tensor.addbmm", "torch.mv",
             "Tensor.mv", "torch.dot", "Tensor.dot", "torch.vdot", "torch.addmv",
             "F.scaled_dot_product_attention", "F.bilinear")  # fmt: skip
"""Products that it has no rule for."""

NORMALISED = ("batch_norm", "layer_norm", "group_norm")
POOLED = ("global_average_pool", "adaptive_average_pool")
RESIZED = {"nearest": 1, "bilinear": 4}
"""What a value of an enlarged map counts for; with antialias it is another operator."""


def count(facts: Facts, tool: Tool) -> ToolCount:
    """Its total, and the parameters of fvcore.nn.parameter_count."""
    sheet = Worksheet(facts, tool.per_mac)
    for place, row in enumerate(facts.rows):
        layer: Any = row.node.layer
        kind = layer.kind
        x = row.inputs[0] if row.inputs else ()
        name = facts.function(place)
        if kind in NORMALISED:
            sheet.add(place, NORMS, product(x) * norm_times(row))
        elif kind in ("linear", "conv", "conv_transpose"):
            if row.node.written.get("padding_name"):
                continue  # "same" is an operator of its own, for which it has no rule
            sheet.sums(place, place + 1, facts.macs[place], "")
        elif kind == "conv_map":
            sheet.sums(place, place + 1, fact_of(row, "dense"), "zeros of tables")
        elif kind == "matmul":
            if name not in NOT_KNOWN:
                a, b = row.inputs[:2]
                sheet.sums(place, place + 1, product(a) * b[-1], "matrix products stretched")
        elif kind == "einsum":
            if name not in NOT_KNOWN:
                sheet.sums(place, place + 1, fvcore_count(layer.equation, row.inputs), "einsum")
        elif kind in POOLED:
            if len(x) == 4:
                sheet.add(place, POOLING, product(x))
        elif kind in ("upsample", "resize"):
            mode = row.node.written.get("interpolation", "")
            if mode == "area" and len(x) == 4:
                sheet.add(place, POOLING, product(x))
            elif len(x) == 4 and row.shape is not None:
                sheet.add(place, UPSAMPLING, RESIZED.get(mode, 0) * product(row.shape))
        elif kind == "procedure" and layer.type in ("grid_sample", "grid_sampler"):
            sheet.add(place, UPSAMPLING, 4 * product(row.shape or ()))
        elif facts.macs[place] and _cell(facts, place):
            sheet.sums(place, place + 1, facts.macs[place], "")
    parameters, _ = facts.sizes()

    label = left_out(facts, by_function=True)
    return tool_count(facts, tool, sheet, parameters, label)


def _cell(facts: Facts, place: int) -> bool:
    """One step of a recurrent layer, which is traced as the two linear layers that it is."""
    inside = facts.inside[place]
    return inside >= 0 and facts.kind_of(facts.calls[inside].path).endswith("Cell")


register_tool(
    Tool(
        accounting=Accounting(
            name="fvcore",
            title='what it calls "flops" are multiply-adds, with norms and global means added',
            source="fvcore 0.1.5.post20221221, nn/flop_count.py and nn/jit_handles.py",
            counts=each(
                {
                    f"{CONVS} local conv_transpose linear attention": MACS,
                    "conv_map": {"dense": 1},
                    "matmul": {"stretched": 1},
                    "einsum": {"einsum_fvcore": 1},
                    "elman conv_elman conv_lstm": {"macs": 1, "normed": 2},
                    "batch_norm": {"inputs": 2},
                    OTHER_NORMS: {"inputs": 5},
                    GLOBAL_MEANS: {"inputs": 1},
                }
            ),
            unit="flops (multiply-adds)",
            by_calls=True,
            leaves_out=(
                "rnn",
                "gru",
                "lstm",
                "rbf",
            ),  # operators that it has no rule for, and values
            assumes={"attention": TWO_PRODUCTS},
        ),
        title="fvcore",
        version="0.1.5.post20221221",
        call="FlopCountAnalysis(model, inputs).total()",
        rule=count,
        says={
            "norms": "batch norms count 2 a value, other norms 5",
            "unseen attention": "it has no rule for fused attention",
            "unseen convolutions": 'padding="same" is an operator that it has no rule for',
            "unseen": "it has no rule for these operators, and warns of them",
        },
    )
)
