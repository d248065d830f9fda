"""Weighted sums: convolutions, matrix products, attention; and tables of vectors."""

from __future__ import annotations

from typing import Any

import torch

from ...arith import product
from ...layers.attention import Attention, Einsum, MatMul
from ...layers.convolution import Conv, ConvTranspose
from ...layers.data_movement import Procedure
from ...layers.linear import Linear
from ...layers.stored_tensors import Combine, Embedding
from .activations import softmax
from .elementwise import binary
from .shadow import METHODS, Current, Shadow, call


def each(value: Any, axes: int) -> tuple[int, ...]:
    """One number an axis."""
    if isinstance(value, int):
        return (value,) * axes
    values = tuple([int(v) for v in value])
    return values * axes if len(values) == 1 else values


# --- convolutions -------------------------------------------------------------------------------


def _conv(axes: int) -> Any:
    def conv(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Shadow:
        trace = Current.trace
        x, w = trace.stand_in(input), trace.stand_in(weight)
        if len(x.sizes) == axes + 1:  # one example without a batch
            y = conv(METHODS["unsqueeze"](x, 0), w, bias, stride, padding, dilation, groups)
            return METHODS["squeeze"](y, 0)
        tensors = {"weight": w}
        if bias is not None:
            tensors["bias"] = trace.stand_in(bias)
        kernel = w.sizes[2:]
        dilation = each(dilation, axes)
        layer = trace.layer(
            Conv,
            w.sizes[0],
            kernel,
            stride=each(stride, axes),
            padding=sides(padding, kernel, dilation),
            dilation=dilation,
            groups=groups,
            bias=bias is not None,
        )
        if x.sizes[1] != w.sizes[1] * groups:
            raise TypeError  # torch says it better
        output = trace.add("conv", layer, (x,), None, tensors)
        if type(padding) is str:
            trace.says(padding_name=padding)  # to torch an operator of its own
        return output

    return conv


def sides(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """Padding as a convolution of torch has it; "same" puts the odd one at the far end."""
    if padding == "valid":
        return (0,) * len(kernel)
    if padding == "same":
        full = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple([(n // 2, n - n // 2) for n in full])
    return each(padding, len(kernel))


for _axes in (1, 2, 3):
    call(f"conv{_axes}d")(_conv(_axes))


def _conv_transpose(axes: int) -> Any:
    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Shadow:
        trace = Current.trace
        x, w = trace.stand_in(input), trace.stand_in(weight)
        if len(x.sizes) == axes + 1:
            y = conv_transpose(METHODS["unsqueeze"](x, 0), w, bias, stride, padding,
                               output_padding, groups, dilation)  # fmt: skip
            return METHODS["squeeze"](y, 0)
        tensors = {"weight": w}
        if bias is not None:
            tensors["bias"] = trace.stand_in(bias)
        layer = trace.layer(
            ConvTranspose,
            w.sizes[1] * groups,
            w.sizes[2:],
            stride=each(stride, axes),
            padding=each(padding, axes),
            output_padding=each(output_padding, axes),
            dilation=each(dilation, axes),
            groups=groups,
            bias=bias is not None,
        )
        if x.sizes[1] != w.sizes[0]:
            raise TypeError
        return trace.add("conv_transpose", layer, (x,), None, tensors)

    return conv_transpose


for _axes in (1, 2, 3):
    call(f"conv_transpose{_axes}d")(_conv_transpose(_axes))


# --- matrix products ----------------------------------------------------------------------------


@call("linear")
def linear(input: Any, weight: Any, bias: Any = None) -> Shadow:
    trace = Current.trace
    x, w = trace.stand_in(input), trace.stand_in(weight)
    if not x.sizes or x.sizes[-1] != w.sizes[-1] or len(w.sizes) != 2:
        raise TypeError
    if len(x.sizes) == 1:
        y = linear(METHODS["unsqueeze"](x, 0), w, bias)
        return METHODS["squeeze"](y, 0)
    tensors = {"weight": w}
    if bias is not None:
        tensors["bias"] = trace.stand_in(bias)
    axis = 1 if len(x.sizes) == 2 else -1
    layer = trace.layer(Linear, w.sizes[0], bias is not None, axis)
    return trace.add("linear", layer, (x,), None, tensors)


@call("matmul", "bmm", "mm", "mv", "dot", "inner", "__matmul__", "vdot")
def matmul(input: Any, other: Any, **_: Any) -> Shadow:
    trace = Current.trace
    a, b = trace.stand_in(input), trace.stand_in(other)
    entries = _sparse_entries(a)
    if entries is not None:
        return _sparse(a, b, entries)
    return trace.add("matmul", trace.layer(MatMul), (a, b))


def _sparse_entries(x: Shadow) -> int | None:
    """How many values a sparse matrix has; None of a dense one."""
    real = x.value if x.value is not None else x.stored
    return None if real is None or real.layout is torch.strided else real._nnz()


def _sparse(a: Shadow, b: Shadow, entries: int) -> Shadow:
    """A sparse matrix by a dense one: each value that is there, once a column."""
    trace = Current.trace
    if len(a.sizes) != 2 or len(b.sizes) not in (1, 2) or a.sizes[1] != b.sizes[0]:
        raise TypeError
    shape = (a.sizes[0], *b.sizes[1:])
    layer = Procedure("sparse_mm", shape, (a.sizes, b.sizes), entries * product(b.sizes[1:]))
    return trace.add("sparse_mm", layer, (a, b), b.kind)


@call("smm", "hspmm", "spmm")
def sparse_mm(input: Any, mat2: Any, *_: Any) -> Shadow:
    return matmul(input, mat2)


@call("__rmatmul__")
def rmatmul(input: Any, other: Any) -> Shadow:
    return matmul(other, input)


@call("addmm", "baddbmm", "addmv", "addbmm")
def addmm(
    input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1, **_: Any
) -> Shadow:
    y = matmul(mat1, mat2)
    return binary("add", y, input) if beta else y


@call("outer", "ger")
def outer(input: Any, vec2: Any) -> Shadow:
    return binary("mul", METHODS["unsqueeze"](input, 1), METHODS["unsqueeze"](vec2, 0))


@call("grouped_mm", "_grouped_mm")
def grouped_mm(input: Any, mat2: Any, *args: Any, **kwargs: Any) -> Shadow:
    """Rows of the first, each times the matrix of the group that it falls into."""
    trace = Current.trace
    a, b = trace.stand_in(input), trace.stand_in(mat2)
    if len(a.sizes) != 2 or len(b.sizes) != 3 or a.sizes[1] != b.sizes[1]:
        raise TypeError
    shape = (a.sizes[0], b.sizes[2])
    layer = Procedure("grouped_mm", shape, (a.sizes, b.sizes), shape[0] * shape[1] * a.sizes[1])
    return trace.add("grouped_mm", layer, (a, b))


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@call("einsum")
def einsum(equation: Any, *operands: Any) -> Shadow:
    trace = Current.trace
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise TypeError
    xs = tuple([trace.stand_in(x) for x in operands])
    text = _spelled_out(equation, [len(x.sizes) for x in xs])
    return trace.add("einsum", trace.layer(Einsum, text), xs)


def _spelled_out(equation: str, ranks: list[int]) -> str:
    """The equation with an arrow, without blanks, and letters for each axis of an ellipsis."""
    terms, arrow, output = equation.replace(" ", "").partition("->")
    parts = terms.split(",")
    if len(parts) != len(ranks):
        raise TypeError
    if not arrow:
        letters = sorted(set(terms.replace(",", "").replace(".", "")))
        once = [c for c in letters if terms.count(c) == 1]
        output = ("..." if "..." in terms else "") + "".join(once)
    spare = [c for c in LETTERS if c not in equation]
    width = max(
        (r - len(p) + 3 for r, p in zip(ranks, parts, strict=True) if "..." in p), default=0
    )
    names = "".join(spare[:width])
    full: list[str] = []
    for part, rank in zip(parts, ranks, strict=True):
        n = rank - len(part) + 3
        full.append(part.replace("...", names[width - n :] if n else "") if "..." in part else part)
    return ",".join(full) + "->" + output.replace("...", names)


@call("scaled_dot_product_attention")
def attend(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Shadow:
    trace = Current.trace
    q, k, v = (trace.stand_in(x) for x in (query, key, value))
    mask = () if attn_mask is None else (trace.stand_in(attn_mask),)
    xs = (q, k, v, *mask)
    rank = len(q.sizes)
    if rank == 4 and k.sizes[0] == q.sizes[0] == v.sizes[0] and k.sizes[1] == v.sizes[1]:
        heads, of_keys = q.sizes[1], k.sizes[1]
        if enable_gqa or heads == of_keys:
            layer = trace.layer(Attention, heads, of_keys if of_keys != heads else 0)
            y = trace.add("attention", layer, xs)
            if dropout_p:
                trace.says(dropout=dropout_p)  # memory is counted by it
            return y
    if rank == 3 and k.sizes[0] == q.sizes[0] == v.sizes[0]:
        return trace.add("attention", trace.layer(Attention, 1), xs)
    scores = matmul(q, METHODS["transpose"](k, -2, -1))
    if mask:
        scores = binary("add", scores, mask[0])
    return matmul(softmax(scores, -1), v)


@call("embedding")
def embedding(input: Any, weight: Any, *_: Any, **__: Any) -> Shadow:
    trace = Current.trace
    x, w = trace.stand_in(input), trace.stand_in(weight)
    layer = trace.layer(Embedding, w.sizes[0], w.sizes[1:])
    return trace.add("embedding", layer, (x,), w.kind, {"weight": w})


@call("bilinear")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Shadow:
    y = einsum("...i,oij,...j->...o", input1, weight, input2)
    if bias is None:
        return y
    trace = Current.trace
    b = trace.stand_in(bias)
    layer = trace.layer(Combine, "add", b.sizes)
    return trace.add("bias", layer, (y,), None, {"bias": b})
