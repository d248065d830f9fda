"""Reductions along axes, cumulative sums, and sorting."""

from __future__ import annotations

from typing import Any

import torch

from ...layers.elementwise import Pointwise
from ...layers.reduction import Reduce
from .elementwise import binary
from .shadow import Current, Shadow, call


def reduced(
    x: Shadow, operation: str, dim: Any, keep: bool, word: str, kind: torch.dtype | None = None
) -> Shadow:
    """One value for all along the axes; all of them where none is named."""
    trace = Current.trace
    rank = len(x.sizes)
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        axes = tuple(range(rank))
    elif isinstance(dim, (tuple, list)):
        axes = tuple(sorted([axis % rank for axis in dim]))
    else:
        axes = (dim % rank,) if rank else ()
    layer = trace.layer(Reduce, operation, axes, keep)
    return trace.add(word, layer, (x,), kind)


def _reduce(operation: str, word: str, whole: bool = False) -> Any:
    def reduce(
        input: Shadow,
        dim: Any = None,
        keepdim: bool = False,
        *_: Any,
        dtype: Any = None,
        **more: Any,
    ) -> Shadow:
        dim = more.get("axis", dim)
        kind = dtype
        if kind is None and whole and not input.kind.is_floating_point:
            kind = torch.int64
        return reduced(input, operation, dim, keepdim, word, kind)

    return reduce


for _name, _operation in {"mean": "mean", "amax": "maximum", "amin": "minimum", "logsumexp":
                          "log_sum_exp", "nansum": "sum", "nanmean": "mean"}.items():  # fmt: skip
    call(_name)(_reduce(_operation, _name))
call("sum")(_reduce("sum", "sum", True))


@call("prod")
def prod(input: Shadow, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Shadow:
    return reduced(input, "product", dim, keepdim, "prod", dtype)


def _extreme(operation: str, place: str, word: str) -> Any:
    def extreme(input: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
        if isinstance(dim, Shadow):
            return binary(operation, input, dim)
        if dim is None:
            return reduced(input, operation, None, False, word)
        values = reduced(input, operation, dim, keepdim, word)
        places = reduced(input, place, dim, keepdim, f"arg{word}", torch.int64)
        return getattr(torch.return_types, word)((values, places))

    return extreme


call("max")(_extreme("maximum", "place_of_maximum", "max"))
call("min")(_extreme("minimum", "place_of_minimum", "min"))


@call("argmax")
def argmax(input: Shadow, dim: Any = None, keepdim: bool = False) -> Shadow:
    return reduced(input, "place_of_maximum", dim, keepdim, "argmax", torch.int64)


@call("argmin")
def argmin(input: Shadow, dim: Any = None, keepdim: bool = False) -> Shadow:
    return reduced(input, "place_of_minimum", dim, keepdim, "argmin", torch.int64)


@call("any", "all")
def any_(input: Shadow, dim: Any = None, keepdim: bool = False) -> Shadow:
    return reduced(input, "maximum", dim, keepdim, "any", torch.bool)


@call("norm")
def norm(
    input: Shadow,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    *_: Any,
    dtype: Any = None,
) -> Shadow:
    return reduced(input, "l1" if p == 1 else "l2", dim, keepdim, "norm", dtype)


@call("var", "std")
def var(input: Shadow, dim: Any = None, *args: Any, keepdim: bool = False, **_: Any) -> Shadow:
    if isinstance(dim, bool):
        dim = None
    if args:
        keepdim = bool(args[-1])
    return reduced(input, "sum_of_squares", dim, keepdim, "variance")


@call("var_mean", "std_mean")
def var_mean(input: Shadow, dim: Any = None, *args: Any, keepdim: bool = False, **_: Any) -> Any:
    if args:
        keepdim = bool(args[-1])
    return (
        reduced(input, "sum_of_squares", dim, keepdim, "variance"),
        reduced(input, "mean", dim, keepdim, "mean"),
    )


@call("cumsum", "cumprod", "logcumsumexp")
def cumsum(input: Shadow, dim: int, *, dtype: Any = None, **_: Any) -> Shadow:
    trace = Current.trace
    kind = dtype or (input.kind if input.kind.is_floating_point else torch.int64)
    return trace.add("cumsum", trace.layer(Pointwise, "cumulative_sum"), (input,), kind)


@call("topk")
def topk(input: Shadow, k: Any, dim: int = -1, *_: Any, **__: Any) -> Any:
    axis = dim % len(input.sizes)
    sizes = (*input.sizes[:axis], int(k), *input.sizes[axis + 1 :])
    trace = Current.trace
    values = trace.arrange("topk", (input,), sizes)
    places = trace.arrange("topk", (input,), sizes, torch.int64)
    return torch.return_types.topk((values, places))


@call("sort")
def sort(input: Shadow, *_: Any, **__: Any) -> Any:
    trace = Current.trace
    values = trace.arrange("sort", (input,), input.sizes)
    places = trace.arrange("sort", (input,), input.sizes, torch.int64)
    return torch.return_types.sort((values, places))


@call("argsort")
def argsort(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return Current.trace.arrange("argsort", (input,), input.sizes, torch.int64)
