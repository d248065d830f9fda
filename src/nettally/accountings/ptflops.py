"""ptflops 0.7.5: ``get_model_complexity_info(model, input_res)``, its pytorch backend.

It sees the calls of modules whose class is in its table, and besides the calls of some functions,
wherever they are: a module that calls such a function in its forward counts twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product
from ..counting.accounting import Accounting
from .by_calls import register_tool
from .calls import aten
from .calls.facts import (
    Facts,
    Tool,
    ToolCount,
    aligned_left,
    composed,
    first,
    is_operation,
    operands,
    recurrent_weights,
)
from .calls.worksheet import (
    BETWEEN,
    COMPOSED,
    GATES,
    GATES_AND_BIASES,
    TWO_PLACES,
    Worksheet,
    left_out,
    tool_count,
)
from .kinds import (
    BIASED,
    BY_MATMUL,
    GLOBAL_MAXES,
    GLOBAL_MEANS,
    MACS,
    ON_A_CPU,
    TORCH_POOLS,
    TWO_PRODUCTS,
    each,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network import Call, Shape

Part = tuple[str, int]
"""What an amount belongs to ("" for weighted sums), and how much it is."""

BIASES = "biases"
NORMS = "norms"
ACTIVATIONS = "activations"
POOLING = "pooling"
TIMM_ATTENTION = "timm.layers.attention.Attention"
DEFORMED = "torchvision.ops.deform_conv.DeformConv2d"


def _outputs(label: str) -> Any:
    def part(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
        return [(label, product(y))]

    return part


def _inputs(label: str) -> Any:
    def part(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
        return [(label, product(x))]

    return part


def _conv(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    stored = facts.stored(call.path)
    kind = facts.modules[call.path].type
    positions = (x if kind.startswith("ConvTranspose") else y)[2:]
    # weights are (out, in / groups, …), and of transposed convolutions (in, out / groups, …)
    weight = stored.get("weight") or _of_layer(facts, call)
    extra = 0
    if kind == "DeformConv2d":
        extra = 24 * product(weight[2:]) * product(positions)
    sums = product(weight) * product(positions) + extra
    biases = product(y[1:]) if "bias" in stored else 0
    return [("", x[0] * sums), (BIASES, x[0] * biases)]


def _of_layer(facts: Facts, call: Call) -> Shape:
    """The weight's shape as the node states it, where the module does not hold it itself."""
    for row in facts.rows[call.first : call.last]:
        if row.parameters and "weight" in row.parameters:
            return row.parameters["weight"]
    return (0,)


def _linear(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    rows = product(x[:-1])
    biases = y[-1] if "bias" in facts.stored(call.path) else 0
    return [("", x[-1] * y[-1] * rows), (BIASES, biases * rows)]


def _norm(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    return [(NORMS, product(x) * (2 if "weight" in facts.stored(call.path) else 1))]


def _upsample(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    return [("upsampling", product(y[1:]))]


def _recurrent(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    """Weights and biases of the forward direction; a projection's weights are not among them."""
    module = facts.modules[call.path]
    how = module.options
    kind = module.type.removesuffix("Cell")
    weights = more = 0
    for of_input, of_state in recurrent_weights(kind, how):
        weights += product(of_input) + product(of_state)
        more += GATES[kind] * how["hidden_size"] + (2 * of_input[0] if how["bias"] else 0)
    times = x[0]
    if module.type == kind:
        times = product(x[:2]) * (2 if how["bidirectional"] else 1)
    return [("", times * weights), (GATES_AND_BIASES, times * more)]


def _attention(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    """nn.MultiheadAttention: q, k, v projected, multiplied, and what softmax and scaling cost."""
    how = facts.modules[call.path].options
    q, k, v = call.inputs[:3]
    batch, length = (0, 1) if how["batch_first"] else (1, 0)
    long, of_k, of_v = q[length], k[length], v[length]
    wide, wide_k, wide_v = q[2], k[2], v[2]
    heads = how["num_heads"]
    sums = long * wide * wide + of_k * wide_k * wide_k + of_v * wide_v * wide_v
    sums += heads * (long * of_k * (wide // heads) + long * of_k * (wide_v // heads))
    sums += long * wide_v * wide_v
    more = long * wide + heads * long * of_k + long * wide_v
    if "in_proj_bias" in facts.stored(call.path):
        more += (long + of_k + of_v) * wide
    return [("", q[batch] * sums), ("softmax, scaling and biases of attention", q[batch] * more)]


def _timm_attention(facts: Facts, call: Call, x: Shape, y: Shape) -> list[Part]:
    """timm's: the products only. Its projections stand in modules below, which are not entered."""
    batch, n, wide = x
    heads = _heads(facts, call)
    inner = _inner(facts, call) or wide
    sums = heads * 2 * n * n * (inner // heads)
    more = n * inner + heads * n * n
    return [("", batch * sums), ("softmax, scaling and biases of attention", batch * more)]


def _heads(facts: Facts, call: Call) -> int:
    for row in facts.rows[call.first : call.last]:
        if row.node.layer.kind == "attention":
            return row.node.layer.fields()["heads"]
        if row.node.layer.kind == "softmax":
            return row.inputs[0][1]
    return 1


def _inner(facts: Facts, call: Call) -> int:
    """Heads times their width: what goes into the last projection."""
    for row in reversed(facts.rows[call.first : call.last]):
        if row.node.layer.kind == "linear":
            return row.inputs[0][-1]
    return 0


_AXES = ("1d", "2d", "3d")
RULES: dict[str, Callable[[Facts, Call, Shape, Shape], list[Part]]] = {
    **{f"{kind}{n}": _conv for kind in ("Conv", "ConvTranspose") for n in _AXES},
    **{f"{kind}{n}": _norm for kind in ("BatchNorm", "InstanceNorm") for n in _AXES},
    **{
        f"{kind}{n}": _inputs(POOLING)
        for kind in ("MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool")
        for n in _AXES
    },
    **dict.fromkeys(("ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU"), _outputs(ACTIVATIONS)),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell"), _recurrent),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "GroupNorm": _norm,
    "LayerNorm": _inputs(NORMS),
    "Linear": _linear,
    "Upsample": _upsample,
    "MultiheadAttention": _attention,
    TIMM_ATTENTION: _timm_attention,
    DEFORMED: _conv,
}
"""By the class's own name in torch.nn, or with its home."""

_POOLS = tuple(
    f"F.{kind}{n}"
    for kind in ("avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
    for n in _AXES
)
WHOLE = {
    **dict.fromkeys(("F.relu", "F.prelu", "F.elu", "F.relu6", "F.gelu", "F.silu"), ACTIVATIONS),
    "F.softmax": "softmax",
    **dict.fromkeys(_POOLS, POOLING),
}
"""Functions that count their input's values, and what they are."""

PRODUCTS = ("torch.matmul", "torch.mm", "torch.bmm", "Tensor.matmul", "Tensor.mm", "Tensor.bmm")
SUMMED = ("torch.addmm", "torch.baddbmm", "Tensor.addmm", "Tensor.baddbmm")


def count(facts: Facts, tool: Tool) -> ToolCount:
    """Its (macs, params)."""
    sheet = Worksheet(facts, tool.per_mac)
    reached = facts.ways_past(lambda path: facts.kind_of(path) in RULES)
    modules = 0
    for call in facts.calls:
        rule = RULES.get(facts.kind_of(call.path))
        times = reached.get(call.path, 0)
        if rule is None or not times or not call.inputs:
            continue
        kind = facts.modules[call.path].type
        if kind == "MultiheadAttention" and len(call.inputs) < 3:
            continue
        for label, amount in rule(facts, call, call.inputs[0], first(call.outputs)):
            modules += times * amount
            if label:
                sheet.at_call(call, label, times * amount)
            else:
                sheet.sums(call.first, call.last, amount, f"{kind} counted otherwise")
                sheet.at_call(call, TWO_PLACES, (times - 1) * amount)
    batch = facts.batch()
    sheet.term("divided by the batch", modules // batch - modules)
    for place in range(len(facts.rows)):
        _function(facts, sheet, place)
    _, trained = facts.sizes()
    return tool_count(
        facts,
        tool,
        sheet,
        trained,
        left_out(facts),
        parameters_by_row=facts.parameters_by_row(trained_only=True),
    )


def _function(facts: Facts, sheet: Worksheet, place: int) -> None:
    """A call of a function that it knows by name."""
    name = facts.replaced(place)
    if not name:
        return
    row = facts.rows[place]
    label = WHOLE.get(name)
    if label is not None:
        inside = facts.inside[place]
        if inside >= 0 and facts.kind_of(facts.calls[inside].path) in RULES:
            label = f"{label} again, as functions"
        sheet.add(place, label, product(row.inputs[0]))
    elif name in PRODUCTS:
        a, b = row.inputs[:2]
        if row.node.layer.kind == "matmul":
            sheet.sums(place, place + 1, product(a) * b[-1], "matrix products stretched")
    elif name in SUMMED:
        if row.node.layer.kind == "matmul":
            a, b = row.inputs[:2]
            sheet.sums(place, place + 1, product(a) * b[-1], "matrix products stretched")
        elif is_operation(row.node, "add"):
            sheet.add(place, BIASES, product(operands(row)[-1]))
    elif name in BETWEEN:
        if is_operation(row.node, BETWEEN[name]):
            sheet.add(place, "additions and products of values", aligned_left(operands(row)))
    elif name.startswith(COMPOSED):
        sheet.add(place, "functions made of others", composed(row))
    elif name in ("F.interpolate", "F.upsample"):
        times = 2 if name == "F.upsample" else 1
        sheet.add(place, "upsampling", times * enlarged(facts, place))


def enlarged(facts: Facts, place: int) -> int:
    """What it counts for F.interpolate: the output's values, or the input's times the scale."""
    row = facts.rows[place]
    assert row.shape is not None
    scale = row.node.written.get("scale_factor")
    x = row.inputs[0]
    if scale is None:
        return product(row.shape)
    if isinstance(scale, tuple):
        return product(x) * int(product(scale))
    return int(product(x) * scale ** (len(x) - 2))


_BY_CLASS = "it knows modules by their exact class, and not those derived from it"
_TWICE = "relu prelu elu gelu"

register_tool(
    Tool(
        accounting=Accounting(
            name="ptflops",
            title="MACs with biases; norms added; ReLU, pooling and upsampling modules twice",
            source="ptflops 0.7.5, pytorch_ops.py, the pytorch backend, for layers that are "
            "modules",
            counts=each(
                {
                    "conv conv_transpose linear": BIASED,
                    "conv_sum local attention": MACS,
                    "matmul": {"stretched": 1},
                    "elman conv_elman conv_lstm": {"macs": 1, "plain_biases": 1, "normed": 2},
                    "rnn": {"macs": 1, "states": GATES["RNN"], "bias_adds": 1},
                    "gru": {"macs": 1, "states": GATES["GRU"], "bias_adds": 1},
                    "lstm": {"macs": 1, "projected": -1, "states": GATES["LSTM"], "bias_adds": 1},
                    "batch_norm group_norm": {"inputs": 2},
                    "layer_norm": {"inputs": 1},
                    "lrn": {"inputs": 4, "neighbours": 1},
                    f"{TORCH_POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 2},
                    f"{_TWICE} upsample": {"outputs": 2},
                    "leaky_relu silu relu6": {"outputs": 1},
                    "softmax": {"inputs": 1},
                }
            ),
            by_calls=True,
            leaves_out=(
                "einsum",
                "conv_map",
                "rbf",
            ),  # neither a class nor a function of its tables
            assumes={"attention": TWO_PRODUCTS, "matmul": BY_MATMUL},
        ),
        title="ptflops, its pytorch backend",
        version="0.7.5",
        call="get_model_complexity_info(model, (3, 224, 224))",
        rule=count,
        says={
            "activations again, as functions": "ReLU, GELU and pooling count as modules, and "
            "again as the functions that these call",
            "softmax, scaling and biases of attention": "attention counts with its softmax",
            "divided by the batch": "modules are divided by the batch, functions are not",
            "unseen linear layers": "F.linear, einsum, @ and fused attention are not among "
            "the functions that it counts",
            "unseen": f"{_BY_CLASS}; of functions it knows a few by name, and not F.linear, "
            "einsum, @ or fused attention",
        },
    )
)

register_tool(
    Tool(
        accounting=Accounting(
            name="ptflops-aten",
            title="MACs with biases, and nothing else",
            source="ptflops 0.7.5, aten_ops.py, the aten backend",
            counts=each(
                {
                    "conv conv_transpose linear": BIASED,
                    "rnn gru": {"macs": 1, "turned_biases": 1},
                    "lstm": {"unfused_macs": 1, "unfused_biases": 1},
                    "conv_sum local attention": MACS,
                    "conv_map": {"dense": 1, "bias_adds": 1},
                    "matmul": {"products": 1},
                    "einsum": {"einsum_pairs": 1},
                    "elman conv_elman conv_lstm": {"macs": 1, "plain_biases": 1},
                }
            ),
            by_calls=True,
            leaves_out=("rbf",),  # differences and squares of values, and no product
            assumes={"attention": TWO_PRODUCTS, "lstm": ON_A_CPU},
        ),
        title="ptflops, its aten backend",
        version="0.7.5",
        call='get_model_complexity_info(model, (3, 224, 224), backend="aten")',
        rule=aten.ptflops,
        says={
            "fused attention": "fused attention becomes a kernel that it has no rule for",
            "unseen": "it has no rule for the kernels that these become",
        },
    )
)
