"""Counters of aten operators, on a CPU: torch's FlopCounterMode, and ptflops' aten backend.

They see what torch's functions become beneath: matrix products and convolutions, whoever calls
them. Fused kernels they do not know: attention, the LSTM, a whole encoder layer. Which kernel a
function becomes depends on whether gradients are recorded; ptflops leaves that on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import product
from ...counting.accounting import fact_of
from .einsum import pairs
from .facts import CAPTURED, Facts, Tool, ToolCount
from .worksheet import Worksheet, left_out, tool_count

if TYPE_CHECKING:
    from ...counting.rows import Row

NOT_COUNTED = ("torch.mv", "Tensor.mv", "torch.dot", "Tensor.dot", "torch.vdot", "torch.addmv",
               "torch.addbmm", "Tensor.addbmm", "torch.inner", "F.bilinear")  # fmt: skip
"""Products of vectors, and three more, that become operators without a rule."""

RECURRENT = ("rnn", "lstm", "gru")
BIASES = "biases"
ENCODER_LAYER, ATTENTION = CAPTURED[0], "MultiheadAttention"


def torch(facts: Facts, tool: Tool) -> ToolCount:
    """FlopCounterMode, in eval mode and under no_grad, as it is mostly used."""
    sheet = Worksheet(facts, tool.per_mac)
    fused = _fused_modules(facts)
    for place, row in enumerate(facts.rows):
        if facts.macs[place] and not fused[place]:
            _sums(facts, sheet, place, row, grad=None)
    parameters, trained = facts.sizes()
    return tool_count(facts, tool, sheet, parameters, _label(facts, fused), trainable=trained)


def ptflops(facts: Facts, tool: Tool) -> ToolCount:
    """ptflops' aten backend: (macs, params)."""
    sheet = Worksheet(facts, tool.per_mac)
    grad = _asks_for_gradients(facts)
    for place, row in enumerate(facts.rows):
        if facts.macs[place]:
            _sums(facts, sheet, place, row, grad)
            _biases(facts, sheet, place, row)
    _, trained = facts.sizes()
    fused = [False] * len(facts.rows)
    return tool_count(
        facts,
        tool,
        sheet,
        trained,
        _label(facts, fused),
        parameters_by_row=facts.parameters_by_row(trained_only=True),
    )


def _label(facts: Facts, fused: list[bool]) -> Any:
    plain = left_out(facts, by_function=True)

    def label(place: int) -> str:
        row = facts.rows[place]
        if fused[place]:
            return "fused attention"
        if row.node.layer.kind == "attention":
            return "fused attention"
        return plain(place)

    return label


def _sums(facts: Facts, sheet: Worksheet, place: int, row: Row, grad: set[str] | None) -> None:
    """The weighted sums of a node, if the operators that it becomes are known."""
    layer: Any = row.node.layer
    kind = layer.kind
    name = facts.function(place)
    amount = facts.macs[place]
    if kind == "attention":
        if _flash(facts, row, grad):
            return
    elif kind == "matmul":
        a, b = row.inputs[:2]
        if name in NOT_COUNTED or len(b) == 1:
            return
        if grad is not None and name in ("torch.baddbmm", "Tensor.baddbmm"):
            return
        if len(a) == 1:
            amount = product(b)
    elif kind == "einsum":
        if name in NOT_COUNTED:
            return
        amount = pairs(layer.equation, row.inputs)
    elif kind == "conv_map":
        amount = fact_of(row, "dense")
    elif kind == "rbf":
        return  # differences and squares of values: no product
    elif kind == "lstm" and not layer.projection and not _is_cell(facts, place):
        return
    sheet.sums(place, place + 1, sheet.per_mac * amount, _otherwise(kind))


def _otherwise(kind: str) -> str:
    return "zeros of tables" if kind == "conv_map" else "einsum as products of pairs"


def _biases(facts: Facts, sheet: Worksheet, place: int, row: Row) -> None:
    """What ptflops adds: biases, where they are part of the kernel."""
    layer: Any = row.node.layer
    kind = layer.kind
    assert row.work is not None
    if kind in ("conv", "conv_map", "conv_transpose"):
        sheet.add(place, BIASES, row.work.bias_adds)
    elif kind == "linear":
        if layer.bias and facts.contiguous(row):
            sheet.add(place, BIASES, row.work.bias_adds)
    elif kind == "matmul":
        if facts.function(place) in ("torch.addmm", "Tensor.addmm"):
            sheet.add(place, BIASES, product(row.shape or ()))
    elif kind in RECURRENT:
        _of_recurrent(facts, sheet, place, row)


def _is_cell(facts: Facts, place: int) -> bool:
    inside = facts.inside[place]
    return inside >= 0 and facts.kind_of(facts.calls[inside].path).endswith("Cell")


def _of_recurrent(facts: Facts, sheet: Worksheet, place: int, row: Row) -> None:
    """The biases of recurrent layers: of a first layer that is turned, only half of them."""
    inside = facts.inside[place]
    if inside < 0 or not row.parameters:
        return
    layer: Any = row.node.layer
    cell = _is_cell(facts, place)
    if layer.kind == "lstm" and not layer.projection and not cell:
        return
    how = facts.modules[facts.calls[inside].path].options
    if not how.get("bias"):
        return
    x = row.inputs[0]
    if cell:
        sheet.add(place, BIASES, x[0] * 2 * row.parameters["bias_ih"][0])
        return
    gates = sum(shape[0] for name, shape in row.parameters.items() if name.startswith("bias_hh"))
    first = place == next(
        i
        for i in range(facts.calls[inside].first, place + 1)
        if facts.rows[i].node.layer.kind == layer.kind
    )
    turned = first and how["batch_first"] and x[0] > 1 and x[1] > 1
    sheet.add(place, BIASES, x[0] * x[1] * gates * (1 if turned else 2))


# --- attention ----------------------------------------------------------------------------------


def _flash(facts: Facts, row: Row, grad: set[str] | None) -> bool:
    """Whether it becomes torch's fused kernel for a CPU, of which the counters know nothing."""
    q, k, v = row.inputs[:3]
    if row.node.written.get("dropout") or not len(q) == len(k) == len(v) == 4:
        return False
    if not (q[0] == k[0] == v[0] and k[1] == v[1] and q[3] == k[3] == v[3]):
        return False
    if len(row.inputs) > 3:
        mask = row.node.inputs[3]
        if len(row.inputs[3]) not in (2, 4):
            return False
        if grad is not None and mask in grad:
            return False
        if grad is None and mask in facts.parameters():
            return False
    return True


def _asks_for_gradients(facts: Facts) -> set[str]:
    """The nodes whose gradient is asked for: those that something trained goes into."""
    asked: set[str] = set()
    for row in facts.rows:
        node = row.node
        kind = node.layer.kind
        if (
            any(name in asked for name in node.inputs)
            or row.parameters
            or any(name in asked for name in node.shared.values())
        ) and kind not in ("argmax",):
            asked.add(node.name)
    return asked


def _fused_modules(facts: Facts) -> list[bool]:
    """Which nodes run in a kernel that stands for a whole module of torch."""
    fused = [False] * len(facts.rows)
    for place, call in enumerate(facts.calls):
        kind = facts.kind_of(call.path)
        if (kind == ATTENTION and _fast_attention(facts, place)) or (
            kind == ENCODER_LAYER and _fast_layer(facts, place)
        ):
            for i in range(call.first, call.last):
                fused[i] = True
    return fused


def _fast_attention(facts: Facts, place: int) -> bool:
    """torch's own conditions (``MultiheadAttention.forward``) for its fast path."""
    call = facts.calls[place]
    how, stored = facts.modules[call.path].options, facts.stored(call.path)
    if (
        not how["batch_first"]
        or how["num_heads"] % 2
        or how.get("add_zero_attn")
        or "bias_k" in stored
        or "in_proj_weight" not in stored
        or "in_proj_bias" not in stored
        or len(call.inputs[0]) != 3
        or len(call.inputs) > 3
    ):
        return False
    # one product makes q, k and v where they are the very same tensor
    shape = next(
        (r for r in facts.rows[call.first : call.last] if r.node.layer.kind == "linear"), None
    )
    return shape is not None and shape.node.layer.fields()["features"] == 3 * how["embed_dim"]


def _fast_layer(facts: Facts, place: int) -> bool:
    """torch's own conditions (``TransformerEncoderLayer.forward``) for its fast path."""
    path = facts.calls[place].path
    attention = f"{path}.self_attn" if path else "self_attn"
    module = facts.modules.get(attention)
    how = facts.modules[path].options
    return (
        module is not None
        and len(facts.calls[place].inputs[0]) == 3
        and bool(module.options.get("batch_first"))
        and module.options["num_heads"] % 2 == 0
        and "in_proj_bias" in facts.stored(attention)
        and "in_proj_weight" in facts.stored(attention)
        and how.get("activation_relu_or_gelu", 1) != 0
    )
