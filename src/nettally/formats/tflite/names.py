"""Names for TFLite's operators, which have none: taken from the tensors that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Graph, Operator

PARTS = {
    "CONV_2D": ("Conv2D", "Conv1D"),
    "DEPTHWISE_CONV_2D": ("depthwise", "DepthwiseConv2dNative", "separable_conv2d"),
    "FULLY_CONNECTED": ("MatMul", "Tensordot"),
    "TRANSPOSE_CONV": ("conv2d_transpose", "Conv2DTranspose"),
    "ADD": ("add", "AddV2", "Add"),
    "MUL": ("mul", "Mul"),
    "AVERAGE_POOL_2D": ("AvgPool",),
    "MAX_POOL_2D": ("MaxPool",),
    "CONCATENATION": ("concat",),
    "MEAN": ("Mean",),
}
"""The last parts of the names that an operator had in TensorFlow, where several were fused."""

WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1}
"""Where an operator's weights are, whose name tells the layer best."""


def node_name(graph: Graph, op: Operator, place: int) -> str:
    """A name for the node that makes an operator's output."""
    known = PARTS.get(op.kind, ())
    at = WEIGHTS.get(op.kind)
    output_name = graph.tensors[op.outputs[place]].name
    sources = [output_name]
    if at is not None and at < len(op.inputs) and op.inputs[at] >= 0:
        sources.insert(0, graph.tensors[op.inputs[at]].name)
    for name in sources:
        for part in name.split(";"):
            above, _, last = part.partition(":")[0].rpartition("/")
            if above and last.rstrip("0123456789_") in known:
                return clean(above)
    above, _, last = output_name.partition(";")[0].partition(":")[0].rpartition("/")
    return clean(above or last) or f"{op.kind.lower()}_{op.number}"


def clean(name: str) -> str:
    """A tensor's name as a dotted one."""
    parts = name.partition(":")[0].replace(".", "_").split("/")
    return ".".join(part for part in parts if part)[:200]
