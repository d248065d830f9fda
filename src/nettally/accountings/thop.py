"""thop 0.1.1.post2209072238: ``profile(model, inputs=(x,))``.

It sees the calls of modules whose class is in its table, by hooks; a class derived from one in the
table is not. It adds up over the tree, and so counts twice what stands in it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..counting.accounting import Accounting
from .by_calls import register_tool
from .calls.facts import Facts, Tool, ToolCount, first
from .calls.worksheet import COUNTED_TWICE, TWO_PLACES, Worksheet, left_out, tool_count
from .kinds import CONVS, GLOBAL_MEANS, MACS, each

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network import Call, Shape

Rule = tuple[int, str]
"""How much, and the term that it belongs to; "" for weighted sums."""

NOTHING_OF_IT: Rule = (0, "")
MODES = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}
CONTAINERS = ("Sequential",)


def _conv(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    weight = facts.stored(call.path).get("weight", (1, 1))
    layers = [facts.rows[place].node.layer for place in range(call.first, call.last)]
    groups = next((layer.fields()["groups"] for layer in layers if "groups" in layer.fields()), 1)
    return product(y) * (x[1] // groups) * product(weight[2:]), ""


def _norm(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    return product(x) * (4 if "weight" in facts.stored(call.path) else 2), "norms"


def _linear(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    return x[-1] * product(y), ""


def _nothing(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    return NOTHING_OF_IT


def _average(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    return product(y), "pooling"


def _adaptive(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    times = 1.0
    for a, b in zip(x[2:], y[2:], strict=False):
        times *= a / b
    return int((times + 1) * product(y)), "pooling"


def _prelu(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    return product(x), "activations"


def _softmax(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    axis = facts.modules[call.path].options.get("dim")
    n = x[axis if axis is not None else 1]
    return product(x) // n * (3 * n - 1), "softmax"


def _upsample(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    mode = facts.modules[call.path].options.get("mode", "nearest")
    return product(y) * MODES.get(mode, 0), "upsampling"


def _cell(kind: str, inputs: int, hidden: int, bias: bool) -> int:
    one = (hidden + inputs) * hidden + hidden + (2 * hidden if bias else 0)
    return {"RNN": one, "GRU": 3 * one + 4 * hidden, "LSTM": 4 * one + 4 * hidden}[kind]


def _step(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    module = facts.modules[call.path]
    how = module.options
    one = _cell(module.type[:-4], how["input_size"], how["hidden_size"], how["bias"])
    return one * x[0], ""


def _recurrent(facts: Facts, call: Call, x: Shape, y: Shape) -> Rule:
    module = facts.modules[call.path]
    how = module.options
    hidden, bias, ways = how["hidden_size"], how["bias"], 2 if how["bidirectional"] else 1
    one = ways * _cell(module.type, how["input_size"], hidden, bias)
    one += (how["num_layers"] - 1) * ways * _cell(module.type, hidden * ways, hidden, bias)
    return one * product(x[:2]), ""


_AXES = ("1d", "2d", "3d")
RULES: dict[str, Callable[[Facts, Call, Shape, Shape], Rule]] = {
    **{f"{kind}{n}": _conv for kind in ("Conv", "ConvTranspose") for n in _AXES},
    **{f"{kind}{n}": _norm for kind in ("BatchNorm", "InstanceNorm") for n in _AXES},
    **{f"{kind}{n}": _nothing for kind in ("MaxPool", "AdaptiveMaxPool") for n in _AXES},
    **{f"AvgPool{n}": _average for n in _AXES},
    **{f"AdaptiveAvgPool{n}": _adaptive for n in _AXES},
    **dict.fromkeys(
        ("ReLU", "ReLU6", "LeakyReLU", "Dropout", "ZeroPad2d", "PixelShuffle", "Sequential"),
        _nothing,
    ),
    **dict.fromkeys(("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"), _upsample),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell"), _step),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "SyncBatchNorm": _norm,
    "LayerNorm": _norm,
    "Linear": _linear,
    "PReLU": _prelu,
    "Softmax": _softmax,
}
"""By the class's own name in torch.nn."""


def count(facts: Facts, tool: Tool) -> ToolCount:
    """Its (macs, params)."""
    sheet = Worksheet(facts, tool.per_mac)

    def listed(path: str) -> bool:
        kind = facts.kind_of(path)
        return kind in RULES and kind not in CONTAINERS

    # a module is hooked once for each way to it, and added up once for each way past the listed
    reached = facts.ways_past(lambda path: bool(path) and listed(path))
    called: dict[str, None] = {}
    for call in facts.calls:
        kind = facts.kind_of(call.path)
        rule = RULES.get(kind)
        if rule is None:
            continue
        called[call.path] = None
        if not call.inputs or not reached.get(call.path):
            continue
        amount, label = rule(facts, call, call.inputs[0], first(call.outputs))
        times = facts.ways[call.path] * reached[call.path]
        if label:
            sheet.at_call(call, label, times * amount)
        elif amount:
            sheet.sums(call.first, call.last, amount, _too_much(kind))
            sheet.at_call(call, TWO_PLACES, (times - 1) * amount)
    parameters, terms = _parameters(facts, called, reached)
    return tool_count(
        facts,
        tool,
        sheet,
        parameters,
        left_out(facts),
        parameter_terms=terms,
        parameters_by_row=facts.parameters_by_row(
            lambda path: reached.get(path, 0) if path and path in called else 0
        ),
    )


def _too_much(kind: str) -> str:
    if kind.startswith("ConvTranspose"):
        return "transposed convolutions at the output's size"
    return "gates and biases of recurrent layers"


def _parameters(
    facts: Facts, called: dict[str, None], reached: dict[str, int]
) -> tuple[int, dict[str, int]]:
    """The parameters of the modules that have a rule and were called, and what is not in them."""
    printed = total = 0
    without: dict[str, int] = {}
    for path, module in facts.modules.items():
        count = sum(product(shape) for _, shape in facts.learned(path))
        if not count:
            continue
        first_here = sum(
            product(tensor.shape) for tensor in module.stored if tensor.learned and not tensor.same
        )
        total += first_here
        if path and path in called and module.leaf:
            printed += count * reached.get(path, 0)
        elif first_here:
            if facts.kind_of(path) in RULES and path not in called:
                label = "never called"
            else:
                label = f"unseen {module.type}" if module.leaf else f"bare in {module.type}"
            without[label] = without.get(label, 0) - first_here
    more = printed - total - sum(without.values())
    terms = {"parameters": total}
    if more:
        terms[COUNTED_TWICE] = more
    terms.update(sorted(without.items(), key=lambda pair: pair[1]))
    return printed, terms


_BY_CLASS = "it knows modules by their exact class, and not those derived from it"

register_tool(
    Tool(
        accounting=Accounting(
            name="thop",
            title="MACs, with 4 a value for batch and layer norms, means and softmax added",
            source="thop 0.1.1.post2209072238, vision/basic_hooks.py and vision/calc_func.py",
            counts=each(
                {
                    f"{CONVS} linear": MACS,
                    "conv_transpose": {"weights_at_outputs": 1},
                    "elman conv_elman conv_lstm": {"macs": 1, "normed": 4},
                    "rnn": {"macs": 1, "states": 1, "bias_adds": 1},
                    "gru": {"macs": 1, "states": 7, "bias_adds": 1},
                    "lstm": {"macs": 1, "unprojected": 1, "states": 8, "bias_adds": 1},
                    "batch_norm layer_norm": {"inputs": 4},
                    "average_pool": {"outputs": 1},
                    GLOBAL_MEANS: {"inputs": 1, "outputs": 1},
                    "softmax": {"inputs": 3, "rows": -1},
                    "prelu": {"inputs": 1},
                }
            ),
            by_calls=True,
            # functions are not seen, nor modules of classes that are not in its table
            leaves_out=("matmul", "einsum", "attention", "local", "conv_map", "rbf"),
        ),
        title="thop",
        version="0.1.1.post2209072238",
        call="profile(model, inputs=(x,))",
        rule=count,
        says={
            "norms": "batch and layer norms count 4 a value, group norms nothing",
            "gates and biases of recurrent layers": "recurrent layers count biases and gates, "
            "and a projection as if there were none",
            "modules in two places, for each": "a module that stands in two others is hooked "
            "twice and added up twice",
            "unseen MultiheadAttention": "it has no rule for nn.MultiheadAttention",
            "unseen": f"{_BY_CLASS}, and nothing of functions",
        },
    )
)
