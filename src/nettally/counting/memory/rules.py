"""What autograd keeps of each kind of layer: the table, and where torch says so.

The rule is torch 2.13's on a CPU, with values of four bytes, in training. "Kept" is what a
backward formula of ``tools/autograd/derivatives.yaml`` names beside the gradient itself; the
composite functions (dropout, response normalisation, attention with dropout) are opened down to
such formulas. tests/test_memory.py holds each line to torch's own saved tensors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...network import Shape

    Extra = Callable[[Any, tuple[Shape, ...], Shape, int], int]

INPUT, OUTPUT, FACTORS, FIRST = 1, 2, 4, 8
"""What is kept: all inputs; the output; each input where another one's gradient is asked for; the
first input."""


class Rule(NamedTuple):
    """One kind's rule.

    keeps: INPUT, OUTPUT, FACTORS or FIRST, or 0. extra: bytes of what is made only to be kept
    (statistics, indices, a mask), of (layer, input shapes, output shape, bytes a value). source:
    the formula that names them. makes: how the output lies: "new", row after row; "each", a new
    one in the order of its input's axes; "space", a new one, channels innermost where the input's
    are; "view", the input itself, seen otherwise. whole: bytes a value of an output that is no
    number with a fraction (and has no gradient), else 0. written: what is kept where it works in
    place: "copy" of the input, or "output".
    """

    keeps: int = 0
    extra: Extra | None = None
    source: str = ""
    makes: str = "new"
    whole: int = 0
    written: str = "copy"


def _values(shape: Shape) -> int:
    return math.prod([int(n) for n in shape])


# --- what is made only to be kept -----------------------------------------------------------------


def _channel_statistics(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 2 * int(y[1]) * width


def _row_statistics(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 2 * _values(y[: len(y) - layer.axes]) * width


def _row_roots(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return _values(y[: len(y) - layer.axes]) * width


def _group_statistics(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 2 * int(y[0]) * int(layer.groups) * width


def _places(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 8 * _values(y)


def _noise(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return _values(y) * width if layer.rate else 0


def _half_of_places(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 4 * _values(y)  # of two nodes, one of the values and one of their places


def _indices(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return 8 * _values(xs[1]) if len(xs) > 1 else 0


def _truths(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return _values(y)


def _condition(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return _values(xs[0])


def _one_more(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    return _values(y) * width


def _response(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    """The squares with borders (input of the mean), the base of the power, and the power."""
    if layer.across != "channels":
        return 3 * _values(y) * width
    padded = (y[0], int(y[1]) + int(layer.size) - 1, *y[2:])
    return (_values(padded) + 2 * _values(y)) * width


def _root_of_powers(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    """Powers of the values, their mean, and four steps from it to the root."""
    return (_values(xs[0]) + 4 * _values(y)) * width


def _unit_lengths(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    """The length of each vector, and the quotients that the learned factor multiplies."""
    vectors = int(y[0]) if layer.across == "all" else _values((y[0], *y[2:]))
    return (2 * vectors + _values(y)) * width


# --- the table ------------------------------------------------------------------------------------

_CONV = Rule(INPUT, None, "convolution_backward(grad, input, weight, …)", "space")
_NEVER = Rule(source="no gradient", makes="each", whole=1)
_MOVED = Rule(source="sizes only")

RULES: dict[str, Rule] = {
    # weighted sums
    **dict.fromkeys(("conv", "conv_sum", "conv_map", "conv_transpose"), _CONV),
    "local": Rule(INPUT, None, "as a convolution"),
    "linear": Rule(INPUT, None, "addmm, mm: mat1, where mat2's gradient is asked for"),
    "matmul": Rule(FACTORS, None, "mm, bmm: each factor for the other's gradient"),
    "einsum": Rule(FACTORS, None, "einsum is bmm of its permuted operands"),
    "rbf": Rule(INPUT, None, "a distance: its input"),
    # normalisation
    "batch_norm": Rule(INPUT, _channel_statistics,
                       "native_batch_norm: input, result1, result2", "space"),
    "layer_norm": Rule(INPUT, _row_statistics, "native_layer_norm: input, result1, result2"),
    "rms_norm": Rule(INPUT, _row_roots, "_fused_rms_norm: input, result1"),
    "group_norm": Rule(INPUT, _group_statistics, "native_group_norm: input, result1, result2",
                       "space"),
    "lrn": Rule(INPUT, _response, "functional.local_response_norm: mul, avg_pool, pow, div"),
    "contrast_norm": Rule(INPUT, _response, "as lrn"),
    "l2_norm": Rule(INPUT, _unit_lengths, "linalg_vector_norm, div, mul"),
    "scale": Rule(INPUT, None, "mul: the other factor", "each"),
    "standardize": Rule(0, None, "sub, div by constants", "each"),
    # one value
    **{kind: Rule(OUTPUT, None, f"{torch}: result", "each", written="output")
       for kind, torch in (("relu", "relu"), ("sigmoid", "sigmoid"), ("tanh", "tanh"),
                           ("sqrt", "sqrt"), ("exp", "exp"))},
    **{kind: Rule(OUTPUT, None, f"_{kind}: result") for kind in ("softmax", "log_softmax")},
    **{kind: Rule(INPUT, None, f"{torch}: self, in place result", "each", written="output")
       for kind, torch in (("leaky_relu", "leaky_relu"), ("elu", "elu"), ("selu", "elu"))},
    **{kind: Rule(INPUT, None, f"{torch}: self", "each")
       for kind, torch in (("relu6", "hardtanh"), ("clipped_relu", "clamp"),
                           ("prelu", "_prelu_kernel"), ("gelu", "gelu"), ("silu", "silu"),
                           ("mish", "mish"), ("hard_swish", "hardswish"),
                           ("hard_sigmoid", "hardsigmoid"), ("softplus", "softplus"),
                           ("square", "pow"), ("power", "pow"), ("log", "log"), ("abs", "abs"))},
    "affine": Rule(0, None, "mul, add of numbers", "each"),
    "identity": Rule(source="the input itself", makes="view"),
    "dropout": Rule(0, _noise, "mul by the mask, which has the input's dtype on a CPU", "each",
                    written="output"),
    # pooling
    "max_pool": Rule(INPUT, _places, "max_pool2d_with_indices: self, result1", "space"),
    "average_pool": Rule(INPUT, None, "avg_pool2d: self", "space"),
    "lp_pool": Rule(INPUT, _root_of_powers, "functional.lp_pool2d: pow, avg_pool, sign, relu, pow"),
    "stochastic_pool": Rule(INPUT, _places, "as max_pool", "space"),
    "subsample": Rule(INPUT, _one_more, "avg_pool2d, mul", "space"),
    "global_max_pool": Rule(INPUT, _places, "adaptive_max_pool2d: self, result1", "space"),
    "global_average_pool": Rule(0, None, "mean: sizes only", "space"),
    "adaptive_max_pool": Rule(INPUT, _places, "adaptive_max_pool2d: self, result1", "space"),
    "adaptive_average_pool": Rule(INPUT, None, "_adaptive_avg_pool2d: self", "space"),
    "roi_pool": Rule(INPUT, _places, "as max_pool"),
    # several inputs
    **{kind: Rule(0, None, f"{kind}: sizes only", "each")
       for kind in ("add", "subtract", "average")},
    "multiply": Rule(FACTORS, None, "mul: other", "each"),
    "maximum": Rule(INPUT, None, "maximum: self, other", "each"),
    "minimum": Rule(INPUT, None, "minimum: self, other", "each"),
    "concat": Rule(0, None, "cat: sizes only", "space"),
    # the same values elsewhere
    **dict.fromkeys(("flatten", "reshape", "permute", "slice", "expand"),
                    Rule(source="a view", makes="view")),
    "crop": Rule(source="a view", makes="view"),
    "tile": _MOVED,
    "upsample": Rule(0, None, "upsample: sizes only", "space"),
    "resize": Rule(0, None, "upsample: sizes only", "space"),
    "gather": Rule(0, _indices, "index: indices"),
    "embedding": Rule(INPUT, None, "embedding: indices"),
    "tensor": Rule(source="held, or a constant"),
    "blur": Rule(0, None, "a convolution with a constant"),
    "recolor": Rule(0, None, "a product with a constant"),
    "detect": _MOVED,
    "rotary": Rule(0, None, "mul by the cosines and sines, which all layers share"),
    "position_embedding": Rule(0, None, "add: sizes only", "each"),
}  # fmt: skip
"""By kind. Kinds that depend on a field stand in ``BY_FIELD``; attention and recurrent layers have
functions of their own."""

BY_FIELD = {"pointwise": "function", "reduce": "operation", "arrange": "type", "pad": "mode",
            "cache": "past"}  # fmt: skip

_SELF = Rule(INPUT, None, "self", "each")
_PICKS = Rule(0, _indices, "index: indices")

OF_FIELD: dict[tuple[str, str | int], Rule] = {
    **{("pointwise", name): _SELF for name in
       ("erf", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh",
        "atanh", "threshold", "hard_tanh", "shrink", "celu", "clip", "power")},
    ("pointwise", "reciprocal"): Rule(OUTPUT, None, "reciprocal: result", "each",
                                      written="output"),
    ("pointwise", "softsign"): Rule(INPUT, _one_more, "div: self, other", "each"),
    ("pointwise", "divide"): Rule(INPUT, None, "div: self, other", "each"),
    ("pointwise", "where"): Rule(0, _condition, "where: condition", "each"),
    **{("pointwise", name): _NEVER for name in
       ("equal", "greater", "greater_equal", "less", "less_equal", "and", "or", "xor", "not",
        "bit_and", "bit_or", "bit_xor", "bit_not", "is_nan", "is_inf")},
    ("pointwise", "cumulative_product"): Rule(INPUT | OUTPUT, None, "cumprod: self, result"),
    ("pad", "reflect"): Rule(INPUT, None, "reflection_pad2d: self"),
    ("pad", "replicate"): Rule(INPUT, None, "replication_pad2d: self"),
    ("reduce", "maximum"): Rule(0, _places, "max.dim: indices"),
    ("reduce", "minimum"): Rule(0, _places, "min.dim: indices"),
    ("reduce", "product"): Rule(INPUT | OUTPUT, None, "prod: self, result"),
    ("reduce", "l1"): Rule(INPUT | OUTPUT, None, "linalg_vector_norm: self, result"),
    ("reduce", "l2"): Rule(INPUT | OUTPUT, None, "linalg_vector_norm: self, result"),
    ("reduce", "lp"): Rule(INPUT | OUTPUT, None, "linalg_vector_norm: self, result"),
    ("reduce", "sum_of_squares"): Rule(INPUT, None, "var: self"),
    ("reduce", "log_sum_exp"): Rule(INPUT | OUTPUT, None, "logsumexp: self, result"),
    ("reduce", "place_of_maximum"): Rule(source="no gradient", whole=8),
    ("reduce", "place_of_minimum"): Rule(source="no gradient", whole=8),
    **{("arrange", name): Rule(source="a view", makes="view")
       for name in ("select", "getitem", "unbind", "slice", "split", "narrow")},
    **{("arrange", name): Rule(source="no gradient", whole=8) for name in ("argsort", "indices")},
    ("arrange", "sort"): Rule(0, _half_of_places, "sort: indices"),
    ("arrange", "topk"): Rule(0, _half_of_places, "topk: indices"),
    ("arrange", "masked_fill"): Rule(0, _truths, "masked_fill: mask"),
    ("arrange", "where"): Rule(0, _truths, "where: condition"),
    ("arrange", "gather"): Rule(FIRST, _indices, "gather: self, index"),
    ("arrange", "index"): _PICKS,
    ("arrange", "index_select"): _PICKS,
    ("cache", 0): Rule(source="its input", makes="view"),
}  # fmt: skip
"""By kind and field. What is not here keeps nothing, as a sum or a change of places does."""

PLAIN = Rule(source="sizes only", makes="each")


def rule_of(layer: Any) -> Rule | None:
    """The rule of a layer; None for one whose rule is a function, or that nobody knows."""
    kind = layer.kind
    field = BY_FIELD.get(kind)
    if field is None:
        return RULES.get(kind)
    rule = OF_FIELD.get((kind, layer.__dict__[field]))
    if rule is not None:
        return rule
    return PLAIN if kind in ("pointwise", "reduce") else _MOVED


# --- rules that are functions ---------------------------------------------------------------------


def attention(layer: Any, xs: tuple[Shape, ...], fused: bool, rate: float, width: int) -> int:
    """Bytes that attention keeps beside query, key, value, mask and output.

    fused: by torch's fused kernel, which keeps a logarithm a query and head, and its inputs and
    output (_scaled_dot_product_flash_attention_for_cpu: query, key, value, output, logsumexp).
    Otherwise scaled queries and keys, the softmax, and with dropout the mask and their product
    (_scaled_dot_product_attention_math).
    """
    q, k = xs[0], xs[1]
    heads = 1 if len(q) == 4 else int(layer.heads)
    queries = _values(q[:-1]) * heads
    if fused:
        return queries * width
    pairs = queries * int(k[-2])
    return (_values(q) + _values(k) + (3 if rate else 1) * pairs) * width


def recurrent(layer: Any, xs: tuple[Shape, ...], width: int) -> tuple[int, int]:
    """(bytes kept beside the input and a sequence's output, bytes of outputs made only for it).

    A step of torch's own cells keeps the gates and what they are made of (at::native,
    RNN.cpp); an LSTM over a sequence is oneDNN's, which keeps its workspace.
    """
    x = xs[0]
    units, ways = int(layer.features), int(layer.directions)
    sequence = len(x) == 3
    batch, steps = int(x[0]), int(x[1]) if sequence else 1
    state = batch * units * width
    projection = int(layer.__dict__.get("projection") or 0)
    kind = layer.kind
    if kind == "lstm" and sequence and not projection and width == 4:
        kept = _workspace(steps, batch, int(x[-1]), units) + 4 * state
        if not layer.biases:
            kept += 4 * units * (int(x[-1]) + units) * width
        return kept * ways, steps * batch * units * width * ways
    if kind == "lstm":
        if sequence:
            return (batch * (projection or units) * width + 7 * state) * steps * ways, 0
        return 6 * state, 0
    if kind == "gru":
        return 7 * state * steps * ways, 0
    return state * (steps + 1) * ways, 0


STEPWISE = ("lstm", "gru", "rnn")
"""Layers with steps of their own, which torch runs steps first, whatever the batch's place."""


def working(layer: Any, xs: tuple[Shape, ...], y: Shape, width: int) -> int:
    """Bytes that torch makes beside a layer's output, and frees when it has worked."""
    kind = layer.kind
    if kind in ("max_pool", "global_max_pool", "adaptive_max_pool"):
        return 8 * _values(y)  # the places of the greatest values are made in any case
    if kind == "lrn":
        return 2 * _values(y) * width  # the means, and two steps of the power
    if kind == "attention":
        return attention(layer, xs, len(xs[0]) == 4, 0.0, width)
    if kind in ("layer_norm", "group_norm") and RULES[kind].extra is not None:
        return (
            _row_statistics(layer, xs, y, width)
            if kind == "layer_norm"
            else (_group_statistics(layer, xs, y, width))
        )
    if kind in ("gru", "rnn") and len(xs[0]) == 3:
        gates = 4 if kind == "gru" else 2  # of all steps, and the list of their outputs
        return gates * _values(y) * width
    return 0


def _workspace(steps: int, batch: int, channels: int, units: int) -> int:
    """Bytes of oneDNN's workspace for a layer of an LSTM in training, in one direction.

    Gates, and their products; then five kinds of states before and after each step, below and
    above the layer, three of them as wide as what is wider, input or state. Rows are rounded up to
    16 values, and not to a multiple of 256; each part begins a page (rnn_utils.cpp,
    set_offsets; found by measuring).
    """

    def row(n: int) -> int:
        wide = -(-n // 16) * 16
        return wide if wide % 256 else wide + 16

    places = steps * batch
    states = 2 * (steps + 1) * batch
    parts = (
        places * row(4 * units),
        places * units,
        *(states * row(max(channels, units)),) * 3,
        *(states * units,) * 2,
    )
    return sum(-(-4 * part // 4096) * 4096 for part in parts)


SOURCES = {
    "attention": "_scaled_dot_product_flash_attention_for_cpu, _scaled_dot_product_attention_math",
    "combine": "mul, div, pow: self, other",
    "lstm": "mkldnn_rnn_layer; steps of RNN.cpp where it projects",
    "gru": "steps of RNN.cpp",
    "rnn": "steps of RNN.cpp",
}
"""Where torch says it, of the kinds whose rules are functions."""

UNKNOWN = (
    "opaque", "procedure", "elman", "conv_elman", "conv_lstm", "experts",
    "selective_scan", "state_space", "delta_rule", "wkv", "grouped_linear", "hyper_connection",
    "compress", "causal_conv", "shift",
)  # fmt: skip
"""Kinds without a rule: torch has no such layer, or it is not known which function it was."""

NO_NAMES: frozenset[str] = frozenset()
