"""Reads ncnn's ``.param`` files, whose tensors have no batch: their axis 0 is our axis 1."""
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from itertools import permutations
from typing import Any

from ..network import Network, Shape, Span
from .encodings.param_text import MAGIC, ParamLine, param_lines
from .named_graph import NamedGraphBuilder, Rule, Steps, step
from .source import Format, Source

FORMAT = Format("ncnn", (".param",), "text, magic 7767517", ("weights (.bin) are not read",))
OPERATIONS = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power")
FUSED = ("relu", "", "", "sigmoid", "mish", "hard_swish")


def window(s: ParamLine, x: Shape, stride: int) -> dict[str, Any]:
    """Fields of a window. stride: the number of the width's, from which others follow."""
    left, top = s(stride + 1), s(stride + 11, s(stride + 1))
    sides = ((top, s(stride + 13, top)), (left, s(stride + 12, left)))[4 - len(x) :]
    strides = (s(stride + 10, s(stride, 1)), s(stride, 1))[4 - len(x) :]
    padding = {-233: "same", -234: "same_lower"}.get(left, sides)
    return {"kernel": (s(11, s(1)), s(1))[4 - len(x) :], "stride": strides, "padding": padding}


def activated(s: ParamLine, kind: str, **fields: Any) -> Steps:
    first, second = [*s.many(10, float), 0.0, 0.0][:2]
    last = {0: [], 2: [step("leaky_relu", slope=first)], 3: [step("clipped_relu", limit=second)]}
    return [step(kind, **fields), *(last[s(9)] if s(9) in last else [step(FUSED[s(9) - 1])])]


def conv(s: ParamLine, x: Shape) -> Steps:
    fields = {"filters": s(0), "groups": s(7, 1), "bias": s(5, False), **window(s, x, 3)}
    fields["dilation"] = (s(12, s(2, 1)), s(2, 1))[4 - len(x) :]
    if s.kind.startswith("Conv"):
        return [] if s(19) else activated(s, "conv", **fields)
    fields["output_padding"] = (s(19, s(18)), s(18))[4 - len(x) :]
    return [] if s(20) or s(4) < 0 else activated(s, "conv_transpose", **fields)


def pool(s: ParamLine, x: Shape) -> Steps:
    kind = "average_pool" if s(0) else "max_pool"
    if s(4) or s(7):
        return step(f"global_{kind}", keep=False) if s(4) or s(8) == 1 else []
    fields = window(s, x, 2) | ({"count_padding": s(6, False)} if s(0) else {})
    fields |= {"padding": "same" if s(5) == 2 else "same_lower"} if s(5) > 1 else {}
    return step(kind, **fields, rounding="down" if s(5) else "up")


def binary(s: ParamLine, *xs: Shape) -> Steps:
    """An input with fewer axes gets sizes of 1 behind its own, or before a row of values."""
    word = (*OPERATIONS, "subtract", "divide")[s(0)]
    if s(1):
        return step("combine", operation=word, first=s(0) > 6, learned=False)
    last = step("pointwise", function=word) if word in ("divide", "power") else step(word)
    few, many = sorted((0, 1), key=lambda i: len(xs[i]))
    sizes, ones = xs[few][1:], (1,) * (len(xs[many]) - len(xs[few]))
    size = sizes + ones if len(sizes) > 1 or sizes[:1] == xs[many][1:2] else ones + sizes
    last = last._replace(reads=(-1, 1) if few == 0 else (0, -1)) if ones else last
    return [step("reshape", few, size=size), last] if ones else last


def reshape(s: ParamLine, x: Shape) -> Steps:
    sizes = [n for n in (s(key, -233) for key in (2, 11, 1, 0)) if n != -233]
    size = tuple(n or x[i - len(sizes)] for i, n in enumerate(sizes))
    return [step("reshape", size=size)] if size and 6 not in s.values else []


def slices(s: ParamLine, x: Shape) -> Steps:
    """Its sizes one after another, -233 for an even share of what is left."""
    axis, start, sizes = s(1) % (len(x) - 1) + 1, 0, s.many(0)
    for i, size in enumerate(sizes):
        stop = start + ((x[axis] - start) // (len(sizes) - i) if size == -233 else size)
        yield step("slice", 0, axis=axis, start=start, stop=stop)
        start = stop


PLAIN = (
    "AbsVal=abs BNLL=softplus Cast=identity Dropout=dropout Flatten=flatten Mish=mish SELU=selu "
    "HardSigmoid=hard_sigmoid HardSwish=hard_swish Noop=identity Packing=identity Swish=silu "
    "Sigmoid=sigmoid Softplus=softplus TanH=tanh"
)
RULES: dict[str, tuple[str, Rule]] = {  # the tensors that a type stores, and what it becomes
    **{a: ("", lambda s, x, b=b: step(b)) for a, _, b in (p.partition("=") for p in PLAIN.split())},
    **{f"{a}olution{b}": ("6 0*5", conv) for a in ("Conv", "Deconv")
       for b in ("", "1D", "DepthWise", "DepthWise1D")},
    "BatchNorm": ("0 0", lambda s, x: step("batch_norm", epsilon=s(1, 0.0))),
    "BinaryOp": ("", binary),
    "Clip": ("", lambda s, x: step("pointwise", function="clip") if s(0, -1.0) else
             step("clipped_relu", limit=s(1, 1e38))),
    "Concat": ("", lambda s, *xs: step("concat", axis=s(0) % (len(xs[0]) - 1) + 1)),
    "Eltwise": ("", lambda s, *xs: step(("multiply", "add", "maximum")[s(0)])),
    "ELU": ("", lambda s, x: step("elu", alpha=s(0, 0.1))),
    "Embed": ("3 0*2", lambda s, x: step("embedding", rows=s(1), size=s(0))),
    "GELU": ("", lambda s, x: step("gelu", approximate=s(0, False))),
    "GroupNorm": ("1*3:1 1*3:1", lambda s, x: step(
        "group_norm", groups=s(0, 1), weight=s(3, True), bias=s(3, True))),
    "InnerProduct": ("2 0*1", lambda s, x: activated(
        s, "linear", features=s(0), bias=s(1, False), axis=-1 if x[2:] == (s(2) // s(0),) else 1)),
    "InstanceNorm": ("0*2:1 0*2:1", lambda s, x: step(
        "group_norm", groups=x[1], weight=s(2, True), bias=s(2, True))),
    "Interp": ("", lambda s, x: step("resize", mode=("", "nearest", "linear", "cubic")[s(0)], size=(
        s(3) or int(x[2] * s(1, 1.0)), s(4) or int(x[3] * s(2, 1.0))))),
    "LayerNorm": ("0*2:1 0*2:1", lambda s, x: step(
        "layer_norm", axes=1 + (x[-1] != s(0)), weight=s(2, True), bias=s(2, True))),
    "LRN": ("", lambda s, x: step(
        "lrn", size=s(1, 5), alpha=s(2, 1.0), beta=s(3, 0.75), k=s(4, 1.0))),
    "MatMul": ("", lambda s, *xs: step("matmul", flip_right=s(0, False))),
    "MemoryData": ("0:1*1:1*2:1*11:1", lambda s: step("tensor", size=(1, *s.size))),
    "MultiHeadAttention": ("2 0 2 0 2 0 2 0", lambda s, *xs: [
        *[step("linear", min(i, len(xs) - 1 - s(5)), features=s(0), axis=-1) for i in range(3)],
        step("attention", -3, -2, -1, *range(len(xs) - s(5), len(xs)), heads=s(1, 1)),
        step("linear", features=s(2) // s(0), axis=-1)]),
    "Padding": ("6", lambda s, x: step("pad", padding=((s(0), s(1)), (s(2), s(3))))),
    "Permute": ("", lambda s, x: step("permute", order=[*permutations(range(len(x)))][s(0)])),
    "PixelShuffle": ("", lambda s, x: step(
        "arrange", type=s.kind, of=(x,), size=(1, x[1] // s(0) ** 2, x[2] * s(0), x[3] * s(0)))),
    "Pooling": ("", pool),
    "PReLU": ("0", lambda s, x: step("prelu", shared=s(0) == 1)),
    "ReLU": ("", lambda s, x: step("leaky_relu", slope=s(0, 0.0)) if s(0, 0.0) else step("relu")),
    "Reshape": ("", reshape),
    "Scale": ("0 0*1", lambda s, x: step("scale", bias=s(1, False))),
    "ShuffleChannel": ("", lambda s, x: step("arrange", type=s.kind, size=x, of=(x,))),
    "Slice": ("", slices),
    "Softmax": ("", lambda s, x: step("softmax", axis=s(0) % (len(x) - 1) + 1)),
}  # fmt: skip


def sniff(head: bytes, name: str) -> bool:
    return head.partition(b"\n")[0].strip() == MAGIC.encode()


def read(source: Source) -> Network:
    """The network of a ``.param`` file. Raises ReadError with ``file:line``."""
    builder = NamedGraphBuilder(source.name)
    lines = list(param_lines(source.text, source.name, Span))
    inputs = [line for line in lines if line.kind == "Input"]
    builder.open_inputs(source, {name: line.size for line in inputs for name in line.outputs})
    for line in lines:
        stored, rule = RULES.get(line.kind, (None, None))
        if line.kind == "Split":
            builder.alias(line)
        elif line.kind != "Input":
            builder.add(line, rule, line.products(stored), line.stated_sizes)
    return builder.network()
