"""calflops 0.3.2: ``calculate_flops(model, input_shape=...)``.

It puts functions of its own in the place of torch's, and sees what is called by their names inside
any module; of recurrent modules it sees the calls. What it sees is added up over the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product
from ..counting.accounting import Accounting, fact_of
from .by_calls import register_tool
from .calls.einsum import optimized
from .calls.facts import (
    Facts,
    Tool,
    ToolCount,
    aligned_left,
    composed,
    is_operation,
    norm_times,
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
    BY_MATMUL,
    FLOPS,
    GLOBAL_MAXES,
    GLOBAL_MEANS,
    OTHER_NORMS,
    TORCH_POOLS,
    TWO_PRODUCTS,
    each,
)

if TYPE_CHECKING:
    from ..counting.rows import Row
    from ..network import Call, Shape

RECURRENT = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
PRODUCTS = ("torch.matmul", "Tensor.matmul")
SUMMED = ("torch.addmm", "torch.baddbmm", "Tensor.addmm")
BIASES, NORMS, ACTIVATIONS, POOLING = "biases", "norms", "activations", "pooling"
_AXES = ("1d", "2d", "3d")
WHOLE = {
    **dict.fromkeys(
        ("F.relu", "F.prelu", "F.elu", "F.leaky_relu", "F.relu6", "F.silu", "F.gelu"), ACTIVATIONS
    ),
    "F.softmax": "softmax",
    **{
        f"F.{kind}{n}": POOLING
        for kind in ("avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
        for n in _AXES
    },
}
"""Functions that count their input's values, and what they are."""

NORMALISED = ("F.batch_norm", "F.layer_norm", "F.group_norm", "F.instance_norm")


class _Both:
    """The flops on a sheet, and the macs beside it."""

    def __init__(self, facts: Facts, tool: Tool) -> None:
        self.facts = facts
        self.sheet = Worksheet(facts, tool.per_mac)
        self.macs = 0

    def sums(self, place: int, times: int, macs: int, label: str) -> None:
        """Multiply-adds, at two flops each."""
        self.macs += times * macs
        if times:
            self.sheet.sums(place, place + 1, 2 * macs, label)
            self.sheet.add(place, TWO_PLACES, 2 * (times - 1) * macs)


def count(facts: Facts, tool: Tool) -> ToolCount:
    """Its (flops, macs, params)."""
    both = _Both(facts, tool)
    for call in facts.calls:
        if facts.kind_of(call.path) in RECURRENT and call.inputs:
            _recurrent(both, call)
    owners: dict[int, int] = {}
    for place in range(len(facts.rows)):
        name = facts.replaced(place)
        if name:
            inside = facts.inside[place]
            if inside not in owners:
                owners[inside] = _times(facts, inside)
            _function(both, place, name, owners[inside])
    _, trained = facts.sizes()
    return tool_count(
        facts,
        tool,
        both.sheet,
        trained,
        left_out(facts, by_function=True),
        others={"macs": both.macs},
        parameters_by_row=facts.parameters_by_row(trained_only=True),
    )


def _times(facts: Facts, inside: int) -> int:
    """How often its sum comes by the module in which a function ran, leaving out recurrent ones."""
    if inside < 0:
        return 0
    calls = facts.calls
    depth = calls[inside].depth
    while facts.kind_of(calls[inside].path) in RECURRENT and depth:
        depth -= 1
        while calls[inside].depth != depth:
            inside -= 1
    return facts.ways.get(calls[inside].path, 0)


def _recurrent(both: _Both, call: Call) -> None:
    """2 flops a product less one a gate, for each matrix; then gates and biases."""
    facts = both.facts
    module = facts.modules[call.path]
    how = module.options
    kind, cell = module.type.removesuffix("Cell"), module.type.endswith("Cell")
    products = more = 0
    for of_input, of_state in recurrent_weights(kind, how):
        products += 2 * product(of_input) + 2 * product(of_state)
        more += GATES[kind] * how["hidden_size"] - 2 * of_input[0]
        more += 2 * of_input[0] if how["bias"] else 0
    x = call.inputs[0]
    times = x[0] if cell else product(x[:2]) * (2 if how["bidirectional"] else 1)
    times *= facts.ways.get(call.path, 0)
    label = "recurrent layers counted otherwise"
    both.sheet.sums(call.first, call.last, times * products, label)
    both.sheet.at_call(call, GATES_AND_BIASES, times * more)


def _function(both: _Both, place: int, name: str, times: int) -> None:
    """A call of a function that it has replaced."""
    facts, sheet = both.facts, both.sheet
    row = facts.rows[place]
    kind = row.node.layer.kind
    x = row.inputs[0] if row.inputs else ()
    if name in WHOLE:
        sheet.add(place, WHOLE[name], times * product(x))
    elif name in NORMALISED:
        sheet.add(place, NORMS, times * product(x) * norm_times(row))
    elif name == "F.linear":
        if kind == "linear":
            both.sums(place, times, facts.macs[place], "")
    elif name.startswith("F.conv"):
        if kind == "conv_map":
            both.sums(place, times, fact_of(row, "dense"), "zeros of tables")
            biases = row.work.bias_adds if row.work is not None else 0
            sheet.add(place, BIASES, times * biases)
        elif kind in ("conv", "conv_transpose"):
            _convolution(both, place, row, times)
    elif name in PRODUCTS or name in SUMMED:
        if kind == "matmul":
            a, b = row.inputs[:2]
            both.sums(place, times, product(a) * b[-1], "matrix products stretched")
        elif is_operation(row.node, "add"):
            sheet.add(place, BIASES, times * product(operands(row)[-1]))
    elif name == "torch.einsum" and kind == "einsum":
        equation = row.node.layer.fields()["equation"]
        flops = int(optimized(equation, row.inputs))
        sheet.sums(place, place + 1, times * flops, "einsum in 4 digits")
    elif name in BETWEEN:
        if is_operation(row.node, BETWEEN[name]):
            amount = times * aligned_left(operands(row))
            sheet.add(place, "additions and products of values", amount)
    elif name.startswith(COMPOSED):
        sheet.add(place, "functions made of others", times * composed(row))
    elif name in ("F.interpolate", "F.upsample"):
        scale = row.node.written.get("scale_factor")
        if row.shape is not None:
            amount = product(x) if scale is not None else product(row.shape[2:])
            again = 2 if name == "F.upsample" else 1
            sheet.add(place, "upsampling", times * again * amount)


def _convolution(both: _Both, place: int, row: Row, times: int) -> None:
    """Its own formula for the output's size; transposed ones divide by the groups twice."""
    layer: Any = row.node.layer
    x = row.inputs[0]
    weight = _weight(row)
    kernel = weight[2:]
    space = [
        (n + 2 * _before(pad) - (step * (size - 1) + 1)) // stride + 1
        for n, pad, step, size, stride in zip(
            x[2:], layer.padding, layer.dilation, kernel, layer.stride, strict=True
        )
    ]
    if layer.kind == "conv":
        positions = x[0] * product(tuple(space))
        macs = product(kernel) * x[1] * (weight[0] // layer.groups) * positions
        channels = weight[0]
    else:
        positions = x[0] * product(tuple(space))
        macs = product(kernel) * x[1] * (weight[1] // layer.groups) * x[0] * product(x[2:])
        channels = weight[1]
    both.sums(place, times, macs, "convolutions by its own formula")
    if layer.bias:
        both.sheet.add(place, BIASES, times * channels * positions)


def _before(padding: Any) -> int:
    return padding[0] if isinstance(padding, tuple) else padding


def _weight(row: Row) -> Shape:
    return (row.parameters or {})["weight"]


register_tool(
    Tool(
        accounting=Accounting(
            name="calflops",
            title="2 operations a multiply-add, with convolutions' biases, norms, ReLU and pooling",
            source="calflops 0.3.2, pytorch_ops.py",
            counts=each(
                {
                    "conv": {"macs": 2, "bias_adds": 1},
                    "conv_transpose": {"transposed_macs": 2, "transposed_biases": 1},
                    "conv_map": {"dense": 2, "bias_adds": 1},
                    "conv_sum linear attention": FLOPS,
                    "matmul": {"stretched": 2},
                    "einsum": {"einsum_optimized": 1},
                    "elman": {"macs": 2, "normed": 2},
                    "conv_elman conv_lstm": {"macs": 2, "plain_biases": 1, "normed": 2},
                    "rnn": {"macs": 2, "states": GATES["RNN"], "gates": -2, "bias_adds": 1},
                    "gru": {"macs": 2, "states": GATES["GRU"], "gates": -2, "bias_adds": 1},
                    "lstm": {
                        "macs": 2,
                        "projected": -2,
                        "states": GATES["LSTM"],
                        "gates": -2,
                        "bias_adds": 1,
                    },
                    "batch_norm": {"inputs": 2},
                    OTHER_NORMS: {"inputs": 5},
                    "lrn": {"inputs": 4, "neighbours": 1},
                    f"{TORCH_POOLS} {GLOBAL_MEANS} {GLOBAL_MAXES}": {"inputs": 1},
                    "relu prelu elu gelu leaky_relu silu softmax": {"inputs": 1},
                }
            ),
            unit="FLOPs",
            per_mac=2,
            by_calls=True,
            leaves_out=("local", "rbf"),  # a product by @, which it does not see, and no product
            assumes={"attention": TWO_PRODUCTS, "matmul": BY_MATMUL},
        ),
        title="calflops",
        version="0.3.2",
        call="calculate_flops(model, input_shape=(1, 3, 224, 224))",
        rule=count,
        says={
            "norms": "batch norms count 2 a value, other norms 5",
            "unseen": "@, bmm and fused attention are not among the functions that it counts",
        },
    )
)
