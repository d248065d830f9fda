"""Names for TFLite's operators, which have none: taken from the tensors that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Graph, Operator, TensorInfo

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


class Names:
    """Gives each node a name that no other has."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.taken: set[str] = set()
        self.used: dict[str, int] = {}
        self.of_op: dict[tuple[int, int], str] = {}

    def free(self, name: str) -> str:
        """The name itself, or with a number behind it."""
        candidate = name
        while candidate in self.taken:
            self.used[name] = number = self.used.get(name, 1) + 1
            candidate = f"{name}_{number}"
        self.taken.add(candidate)
        return candidate

    def of_input(self, tensor: TensorInfo) -> str:
        """A network input's name: the tensor's own."""
        return self.free(_clean(tensor.name) or "input")

    def of(self, op: Operator, place: int) -> str:
        """The name of the node that makes an operator's output."""
        key = (op.number, place)
        if key not in self.of_op:
            self.of_op[key] = self.free(self._chosen(op, place))
        return self.of_op[key]

    def _chosen(self, op: Operator, place: int) -> str:
        tensors = self.graph.tensors
        known = PARTS.get(op.kind, ())
        at = WEIGHTS.get(op.kind)
        sources: list[str] = []
        if at is not None and at < len(op.inputs) and op.inputs[at] >= 0:
            sources.append(tensors[op.inputs[at]].name)
        output_name = tensors[op.outputs[place]].name
        sources.append(output_name)
        for name in sources:
            for part in name.split(";"):
                above, _, last = part.partition(":")[0].rpartition("/")
                if above and last.rstrip("0123456789_") in known:
                    return _clean(above)
        above, _, last = output_name.partition(";")[0].partition(":")[0].rpartition("/")
        return _clean(above or last) or f"{op.kind.lower()}_{op.number}"


def _clean(name: str) -> str:
    """A tensor's name as a dotted one."""
    return ".".join(part for part in name.partition(":")[0].replace(".", "_").split("/") if part)[
        :200
    ]
