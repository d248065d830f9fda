"""Fields and inputs for the layers of held tensors, functions by name, products and reductions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nettally.layers import layer_class
from nettally.layers.elementwise import FUNCTIONS
from nettally.layers.reduction import OPERATIONS as REDUCTIONS
from nettally.layers.stored_tensors import OPERATIONS

SETTINGS = {
    *("clip", "threshold", "shrink", "quantize", "dequantize", "random", "hardmax", "bit_not"),
    *("bit_and", "bit_or", "bit_xor", "shift_left", "shift_right", "cumulative_sum"),
    *("cumulative_product", "lp_normalize", "mean_variance_normalize"),
}
"""Functions that depend on more than their name says, or need whole numbers."""

small = st.integers(1, 5)
booleans = st.booleans()
sizes = st.lists(small, min_size=2, max_size=4).map(tuple)
"""Our own files, which tests write them to, give a batch and channels at least."""


@st.composite
def tensors(draw: Any) -> Any:
    return layer_class("tensor")(draw(sizes), learned=draw(booleans)), ()


@st.composite
def stretched(draw: Any, x: tuple[int, ...], least: int = 2) -> tuple[int, ...]:
    """Sizes that are stretched to x, or to more; ``least`` axes of them."""
    kept = x[draw(st.integers(0, len(x) - least)) :]
    return tuple(1 if draw(booleans) else size for size in kept)


@st.composite
def combines(draw: Any) -> Any:
    x = draw(sizes)
    operation = draw(st.sampled_from(OPERATIONS))
    first, learned = draw(booleans), draw(booleans)
    layer = layer_class("combine")(
        operation,
        draw(stretched(x, 0)),
        first=first,
        learned=learned,
        tensor=draw(st.sampled_from(("", "gamma"))),
    )
    return layer, (x,)


@st.composite
def embeddings(draw: Any) -> Any:
    size = draw(st.lists(small, max_size=2).map(tuple))
    return layer_class("embedding")(draw(small), size), (draw(sizes),)


@st.composite
def gathers(draw: Any) -> Any:
    x = draw(sizes)
    axis = draw(st.integers(0, len(x) - 1))
    return layer_class("gather")(axis=axis), (x, draw(sizes))


@st.composite
def pointwise(draw: Any) -> Any:
    name = draw(st.sampled_from(sorted(FUNCTIONS.keys() - SETTINGS)))
    x = draw(sizes)
    number = FUNCTIONS[name]
    xs = [x, *(draw(stretched(x)) for _ in range(number - 1))]
    return layer_class("pointwise")(name), tuple(xs)


@st.composite
def reductions(draw: Any) -> Any:
    x = draw(sizes)
    operation = draw(st.sampled_from(sorted(set(REDUCTIONS) - {"lp"})))
    few = 1 if operation.startswith("place") else len(x)
    least = 1 if operation.startswith("place") else 0
    axis = st.integers(-len(x), len(x) - 1)
    axes = draw(st.lists(axis, min_size=least, max_size=few, unique_by=lambda a: a % len(x)))
    return layer_class("reduce")(operation, tuple(axes), keep=draw(booleans)), (x,)


@st.composite
def expansions(draw: Any) -> Any:
    full = draw(sizes)
    return layer_class("expand")(full), (draw(stretched(full)),)


@st.composite
def tiles(draw: Any) -> Any:
    x = draw(sizes)
    return layer_class("tile")(tuple(draw(st.integers(1, 3)) for _ in x)), (x,)


@st.composite
def matmuls(draw: Any) -> Any:
    inner = draw(small)
    batch = draw(st.lists(small, max_size=2).map(tuple))
    a, b = (*batch, draw(small), inner), (*batch[draw(st.integers(0, 1)) :], inner, draw(small))
    flip_left, flip_right = draw(booleans), draw(booleans)
    a = (*a[:-2], a[-1], a[-2]) if flip_left else a
    b = (*b[:-2], b[-1], b[-2]) if flip_right else b
    flips = {"flip_left": flip_left, "flip_right": flip_right}
    held = draw(st.sampled_from(("none", "left", "right")))
    if held == "none":
        return layer_class("matmul")(**flips), (a, b)
    weight, x = (a, b) if held == "left" else (b, a)
    return layer_class("matmul")(weight=weight, left=held == "left", **flips), (x,)


@st.composite
def einsums(draw: Any) -> Any:
    i, j, k, b = (draw(st.integers(2, 5)) for _ in range(4))  # torch skips sizes of 1
    if draw(booleans):
        return layer_class("einsum")("bij,bjk->bik"), ((b, i, j), (b, j, k))
    left = draw(booleans)
    layer = layer_class("einsum")("ij,jk->ik", weight=(i, j) if left else (j, k), left=left)
    return layer, ((j, k) if left else (i, j),)


@st.composite
def attentions(draw: Any) -> Any:
    keys, times, wide, deep = (draw(st.integers(1, 3)) for _ in range(4))
    batch, rows, columns = (draw(small) for _ in range(3))
    heads = keys * times
    layer = layer_class("attention")(heads, key_heads=keys, sinks=draw(booleans))
    if draw(booleans):
        xs = ((batch, rows, heads * wide), (batch, columns, keys * wide))
        return layer, (*xs, (batch, columns, keys * deep))
    xs = ((batch, heads, rows, wide), (batch, keys, columns, wide), (batch, keys, columns, deep))
    return layer, (*xs, (rows, columns)) if draw(booleans) else xs


@st.composite
def whole_reshapes(draw: Any) -> Any:
    x = draw(sizes)
    return layer_class("reshape")(tuple(reversed(x)), whole=True), (x,)


@st.composite
def whole_permutes(draw: Any) -> Any:
    x = draw(sizes)
    return layer_class("permute")(tuple(draw(st.permutations(range(len(x))))), whole=True), (x,)


@st.composite
def arrangements(draw: Any, kind: str) -> Any:
    xs = tuple(draw(st.lists(sizes, max_size=2)))
    return layer_class(kind)("Unfold", draw(sizes), of=draw(st.sampled_from((xs, ())))), xs


@st.composite
def rms_norms(draw: Any) -> Any:
    x = draw(st.lists(small, min_size=2, max_size=4).map(tuple))
    axes = draw(st.integers(1, len(x) - 1))
    return layer_class("rms_norm")(axes=axes, weight=draw(booleans)), (x,)


@st.composite
def mixtures(draw: Any) -> Any:
    experts = draw(st.integers(1, 4))
    stored = (
        {"stacked": True} if draw(booleans) else
        {"gated": draw(booleans), "bias": draw(booleans), "transposed": draw(booleans),
         "separate": draw(booleans)}
    )  # fmt: skip
    layer = layer_class("experts")(
        experts, draw(st.integers(1, experts)), draw(small),
        function=draw(st.sampled_from(("silu", "gelu", "relu"))), **stored,
    )  # fmt: skip
    tokens = draw(st.lists(small, min_size=1, max_size=3).map(tuple))
    return layer, ((*tokens, draw(small)), (*tokens, experts))


@st.composite
def rotations(draw: Any) -> Any:
    size = 2 * draw(small)
    turned = draw(st.sampled_from((0, 2, size)))
    layer = layer_class("rotary")(size, turned=turned, before=draw(st.integers(0, 3)))
    return layer, ((draw(small), draw(small), size * draw(small)),)


@st.composite
def caches(draw: Any) -> Any:
    span = draw(st.sampled_from((0, 2, 4)))
    layer = layer_class("cache")(past=draw(st.integers(0, 6)), span=span, index=draw(booleans))
    return layer, (draw(st.lists(small, min_size=3, max_size=4).map(tuple)),)


@st.composite
def positions(draw: Any) -> Any:
    batch, places, before, more = (draw(small) for _ in range(4))
    channels = draw(st.integers(2, 5))  # one number is a constant to who reads it from ONNX
    layer = layer_class("position_embedding")(before + places + more - 1, before=before)
    return layer, ((batch, places, channels),)


@st.composite
def causal_convs(draw: Any) -> Any:
    x = (draw(small), draw(small), draw(small))
    return layer_class("causal_conv")(draw(small), bias=draw(booleans)), (x,)


@st.composite
def shifts(draw: Any) -> Any:
    return layer_class("shift")(), ((draw(small), draw(small), draw(small)),)


@st.composite
def scans(draw: Any) -> Any:
    batch, places, channels, state = (draw(st.integers(2, 4)) for _ in range(4))
    x, inner = (batch, places, channels), (batch, places, state)
    return layer_class("selective_scan")(state), (x, x, inner, inner)


@st.composite
def state_spaces(draw: Any) -> Any:
    batch, places, groups, times, size, state, chunk = (
        draw(st.integers(2, 4))
        for _ in range(7)  # torch skips sizes of 1
    )
    heads = groups * times
    layer = layer_class("state_space")(heads, state, groups=groups, chunk=chunk)
    x, inner = (batch, places, heads * size), (batch, places, groups * state)
    return layer, (x, (batch, places, heads), inner, inner)


@st.composite
def delta_rules(draw: Any) -> Any:
    batch, places, keys, times, size, values, chunk = (draw(st.integers(1, 4)) for _ in range(7))
    heads = keys * times
    layer = layer_class("delta_rule")(
        heads, size, key_heads=keys if times > 1 or draw(booleans) else 0, chunk=chunk
    )
    key, rates = (batch, places, keys * size), (batch, places, heads)
    return layer, (key, key, (batch, places, heads * values), rates, rates)


@st.composite
def wkvs(draw: Any) -> Any:
    x = (draw(small), draw(small), draw(small))
    return layer_class("wkv")(), (x, x)


@st.composite
def grouped_linears(draw: Any) -> Any:
    groups, size, features = (draw(small) for _ in range(3))
    lead = draw(st.lists(small, min_size=1, max_size=3).map(tuple))
    return layer_class("grouped_linear")(groups * features, groups), ((*lead, groups * size),)


@st.composite
def hyper_connections(draw: Any) -> Any:
    streams, size = draw(st.integers(1, 3)), draw(small)
    layer = layer_class("hyper_connection")(streams, draw(st.integers(1, 3)), head=draw(booleans))
    return layer, ((draw(small), draw(small), streams * size),)


@st.composite
def compressions(draw: Any) -> Any:
    rate, windows, more = draw(small), draw(small), draw(st.integers(0, 2))
    x = (draw(small), rate * windows + min(more, rate - 1), 2 * draw(small))
    return layer_class("compress")(rate, overlap=draw(booleans)), (x, x)


TENSOR_CASES: dict[str, Any] = {
    "tensor": tensors(),
    "combine": combines(),
    "embedding": embeddings(),
    "gather": gathers(),
    "pointwise": pointwise(),
    "reduce": reductions(),
    "expand": expansions(),
    "tile": tiles(),
    "matmul": matmuls(),
    "einsum": einsums(),
    "attention": attentions(),
    "rms_norm": rms_norms(),
    "cache": caches(),
    "experts": mixtures(),
    "rotary": rotations(),
    "causal_conv": causal_convs(),
    "shift": shifts(),
    "selective_scan": scans(),
    "state_space": state_spaces(),
    "delta_rule": delta_rules(),
    "wkv": wkvs(),
    "grouped_linear": grouped_linears(),
    "hyper_connection": hyper_connections(),
    "compress": compressions(),
    "position_embedding": positions(),
}

TENSOR_UNBUILT = {kind: arrangements(kind) for kind in ("arrange", "procedure")}
"""Rules of a source's own: torch has no module for what is known by name only."""
