"""Pooling, padding and enlarging."""

from __future__ import annotations

from typing import Any

import torch

from ...layers.pooling import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    AveragePool,
    GlobalAveragePool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
)
from ...layers.reshaping import Pad, Resize, Upsample
from .shadow import METHODS, Current, Shadow, call
from .weights import each

# --- pooling ------------------------------------------------------------------------------------


def _batched(handler: Any, axes: int) -> Any:
    """The handler of a pool, for one example without a batch too."""

    def pool(input: Shadow, *args: Any, **kwargs: Any) -> Any:
        if len(input.sizes) != axes + 1:
            return handler(input, *args, **kwargs)
        output = handler(METHODS["unsqueeze"](input, 0), *args, **kwargs)
        if isinstance(output, tuple):
            return tuple([METHODS["squeeze"](y, 0) for y in output])
        return METHODS["squeeze"](output, 0)

    return pool


def _max_pool(axes: int) -> Any:
    def max_pool(
        input: Shadow,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        trace = Current.trace
        kernel = each(kernel_size, axes)
        layer = trace.layer(
            MaxPool,
            kernel,
            stride=kernel if stride is None or stride == [] else each(stride, axes),
            padding=each(padding, axes),
            dilation=each(dilation, axes),
            rounding="clip" if ceil_mode else "down",
        )
        y = trace.add("max_pool", layer, (input,))
        if return_indices:
            return y, trace.arrange("indices", (y,), y.sizes, torch.int64)
        return y

    return _batched(max_pool, axes)


def _with_indices(pool: Any) -> Any:
    def both(*args: Any, **kwargs: Any) -> Any:
        return pool(*args, **{**kwargs, "return_indices": True})

    return both


def _average_pool(axes: int) -> Any:
    def average_pool(
        input: Shadow,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Shadow:
        trace = Current.trace
        kernel = each(kernel_size, axes)
        layer = trace.layer(
            AveragePool,
            kernel,
            stride=kernel if stride is None or stride == [] else each(stride, axes),
            padding=each(padding, axes),
            rounding="clip" if ceil_mode else "down",
            count_padding=count_include_pad,
        )
        return trace.add("avg_pool", layer, (input,))

    return _batched(average_pool, axes)


def _adaptive(axes: int, whole: Any, to_size: Any, word: str) -> Any:
    def adaptive(input: Shadow, output_size: Any, return_indices: bool = False) -> Any:
        trace = Current.trace
        space = input.sizes[2:]
        targets: Any = (output_size,) * axes if isinstance(output_size, int) else tuple(output_size)
        if len(targets) == 1:
            targets = targets * axes
        sizes = tuple(
            [n if size is None else int(size) for n, size in zip(space, targets, strict=True)]
        )
        layer = trace.layer(whole) if set(sizes) == {1} else trace.layer(to_size, sizes)
        y = trace.add(word, layer, (input,))
        if return_indices:
            return y, trace.arrange("indices", (y,), y.sizes, torch.int64)
        return y

    return _batched(adaptive, axes)


def _lp_pool(axes: int) -> Any:
    def lp_pool(
        input: Shadow,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Shadow:
        trace = Current.trace
        kernel = each(kernel_size, axes)
        layer = trace.layer(
            LpPool,
            kernel,
            stride=kernel if stride is None else each(stride, axes),
            rounding="clip" if ceil_mode else "down",
            power=float(norm_type),
        )
        return trace.add("lp_pool", layer, (input,))

    return _batched(lp_pool, axes)


for _axes in (1, 2, 3):
    call(f"max_pool{_axes}d")(_max_pool(_axes))
    call(f"max_pool{_axes}d_with_indices")(_with_indices(_max_pool(_axes)))
    call(f"avg_pool{_axes}d")(_average_pool(_axes))
    call(f"lp_pool{_axes}d")(_lp_pool(_axes))
    call(f"adaptive_avg_pool{_axes}d")(
        _adaptive(_axes, GlobalAveragePool, AdaptiveAveragePool, "avg_pool")
    )
    call(f"adaptive_max_pool{_axes}d")(_adaptive(_axes, GlobalMaxPool, AdaptiveMaxPool, "max_pool"))


# --- padding and enlarging ----------------------------------------------------------------------

_PADDING = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}


@call("pad")
def pad(input: Shadow, pad: Any, mode: str = "constant", value: float | None = None) -> Shadow:
    trace = Current.trace
    widths = [int(n) for n in pad]
    rank = len(input.sizes)
    pairs = [(widths[i], widths[i + 1]) for i in range(0, len(widths), 2)]
    if not any(widths):
        return input
    pairs += [(0, 0)] * (rank - len(pairs))
    pairs.reverse()
    sizes = tuple([n + a + b for n, (a, b) in zip(input.sizes, pairs, strict=True)])
    space = pairs[2:]
    if rank > 2 and pairs[:2] == [(0, 0)] * 2 and min(widths) >= 0 and mode in _PADDING:
        kind = "zero" if mode == "constant" and not value else _PADDING[mode]
        number = float(value or 0.0) if kind == "constant" else 0.0
        return trace.add("pad", trace.layer(Pad, tuple(space), kind, number), (input,))
    return trace.arrange("pad", (input,), sizes)


_RESIZING = {"nearest": "nearest", "nearest-exact": "nearest", "area": "nearest",
             "linear": "linear", "bilinear": "linear", "trilinear": "linear",
             "bicubic": "cubic"}  # fmt: skip


@call("interpolate", "upsample")
def interpolate(
    input: Shadow,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Shadow:
    trace = Current.trace
    space = input.sizes[2:]
    how = _RESIZING[mode]
    if size is not None:
        known = size.known("a size").tolist() if isinstance(size, Shadow) else size
        sizes = each(known, len(space))
    else:
        scales = (
            tuple(scale_factor)
            if isinstance(scale_factor, (tuple, list))
            else (scale_factor,) * len(space)
        )
        sizes = tuple([int(n * s) for n, s in zip(space, scales, strict=True)])
    times = {b // a if a and b % a == 0 else 0 for a, b in zip(space, sizes, strict=True)}
    if len(times) == 1 and (scale := times.pop()) > 1:
        y = trace.add("upsample", trace.layer(Upsample, scale, how), (input,))
    else:
        y = trace.add("resize", trace.layer(Resize, tuple(sizes), how), (input,))
    # what other counters go by
    facts = {"interpolation": f"{mode}, antialiased" if antialias else mode}
    trace.says(**facts, **({} if size is not None else {"scale_factor": scale_factor}))
    return y
