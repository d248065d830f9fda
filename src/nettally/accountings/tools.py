"""The tools, with what each says of its differences."""

from __future__ import annotations

from .calls import aten, calflops, fvcore, ptflops, thop, torchinfo
from .calls.facts import Tool

_UNSEEN_FUNCTIONS = "it sees calls of modules, and not matrix products and attention by functions"
_BY_CLASS = "it knows modules by their exact class, and not those derived from it"

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "torchinfo",
            "torchinfo",
            "1.8.0",
            "mult-adds",
            1,
            "summary(model, input_size=...)",
            torchinfo.count,
            {
                "other positions of linear layers": "a linear layer counts once an example, not "
                "once a position of the sequence or map",
                "output positions of transposed convolutions": "transposed convolutions count at "
                "each position of their output",
                "unseen MultiheadAttention": "nn.MultiheadAttention is not a leaf, and its "
                "projections are not called as modules: it counts nothing of it",
                "unseen": _UNSEEN_FUNCTIONS,
            },
        ),
        Tool(
            "fvcore",
            "fvcore",
            "0.1.5.post20221221",
            "flops (multiply-adds)",
            1,
            "FlopCountAnalysis(model, inputs).total()",
            fvcore.count,
            {
                "norms": "batch norms count 2 a value, other norms 5",
                "unseen attention": "it has no rule for fused attention",
                "unseen convolutions": 'padding="same" is an operator that it has no rule for',
                "unseen": "it has no rule for these operators, and warns of them",
            },
        ),
        Tool(
            "thop",
            "thop",
            "0.1.1.post2209072238",
            "MACs",
            1,
            "profile(model, inputs=(x,))",
            thop.count,
            {
                "norms": "batch and layer norms count 4 a value, group norms nothing",
                "gates and biases of recurrent layers": "recurrent layers count biases and gates, "
                "and a projection as if there were none",
                "modules in two places, for each": "a module that stands in two others is hooked "
                "twice and added up twice",
                "unseen MultiheadAttention": "it has no rule for nn.MultiheadAttention",
                "unseen": f"{_BY_CLASS}, and nothing of functions",
            },
        ),
        Tool(
            "ptflops",
            "ptflops, its pytorch backend",
            "0.7.5",
            "MACs",
            1,
            "get_model_complexity_info(model, (3, 224, 224))",
            ptflops.count,
            {
                "activations again, as functions": "ReLU, GELU and pooling count as modules, and "
                "again as the functions that these call",
                "softmax, scaling and biases of attention": "attention counts with its softmax",
                "divided by the batch": "modules are divided by the batch, functions are not",
                "unseen linear layers": "F.linear, einsum, @ and fused attention are not among "
                "the functions that it counts",
                "unseen": f"{_BY_CLASS}; of functions it knows a few by name, and not F.linear, "
                "einsum, @ or fused attention",
            },
        ),
        Tool(
            "ptflops-aten",
            "ptflops, its aten backend",
            "0.7.5",
            "MACs",
            1,
            'get_model_complexity_info(model, (3, 224, 224), backend="aten")',
            aten.ptflops,
            {
                "fused attention": "fused attention becomes a kernel that it has no rule for",
                "unseen": "it has no rule for the kernels that these become",
            },
        ),
        Tool(
            "torch",
            "torch.utils.flop_counter, on a CPU in eval mode without gradients",
            "2.13.0",
            "FLOPs",
            2,
            "with FlopCounterMode() as counter: model(x)",
            aten.torch,
            {
                "fused attention": "on a CPU attention runs in fused kernels that it does not "
                "know; on a GPU or on meta it counts them",
                "unseen": "it has no rule for the kernels that these become on a CPU",
            },
        ),
        Tool(
            "calflops",
            "calflops",
            "0.3.2",
            "FLOPs",
            2,
            "calculate_flops(model, input_shape=(1, 3, 224, 224))",
            calflops.count,
            {
                "norms": "batch norms count 2 a value, other norms 5",
                "unseen": "@, bmm and fused attention are not among the functions that it counts",
            },
        ),
    )
}
"""By the names of their accountings."""
