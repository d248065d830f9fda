"""Reductions along axes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..proto import INT64
from ..values import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Layer
    from ..builder import NodeCall


def reduce(call: NodeCall, operation: str, since: int = 18) -> None:
    """A reduction over axes from an attribute or, since a version, an input; all, if none."""
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    rank = len(x.shape)
    keep = bool(call.int("keepdims", 1))
    axes: list[int] | None
    if call.opset >= since and call.get(1) is not None:
        axes = call.integers(1)
    else:
        axes = call.ints("axes")
    if not axes:
        if call.int("noop_with_empty_axes") and call.opset >= since:
            call.emit(x.shape, lambda: call.b.layer("identity"), [x])
            return
        axes = list(range(rank))
    over = {call.axis(axis, rank) for axis in axes}
    if keep:
        out = tuple(1 if axis in over else size for axis, size in enumerate(x.shape))
    else:
        out = tuple(size for axis, size in enumerate(x.shape) if axis not in over)

    def make() -> Layer:
        if rank > 2 and over == set(range(2, rank)) and operation in _GLOBAL:
            return call.b.layer(_GLOBAL[operation], **({} if keep else {"keep": False}))
        return call.b.layer("reduce", operation=operation, axes=tuple(sorted(over)), keep=keep)

    call.emit(out, make, [x])


_GLOBAL = {"mean": "global_average_pool", "maximum": "global_max_pool"}


def place_of(call: NodeCall, operation: str) -> None:
    """ArgMax, ArgMin."""
    x = call.value(0)
    if x.shape is None:
        raise Unknown
    axis = call.axis(call.int("axis"), len(x.shape))
    keep = bool(call.int("keepdims", 1))
    out = (*x.shape[:axis], *((1,) if keep else ()), *x.shape[axis + 1 :])
    call.emit(
        out,
        lambda: call.b.layer("reduce", operation=operation, axes=(axis,), keep=keep),
        [x],
        dtype=INT64,
    )


_REDUCTIONS = {
    "ReduceMean": "mean",
    "ReduceMax": "maximum",
    "ReduceMin": "minimum",
    "ReduceProd": "product",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp",
    "ReduceSumSquare": "sum_of_squares",
}

RULES: dict[str, Callable[[NodeCall], None]] = {
    **{name: partial(reduce, operation=own) for name, own in _REDUCTIONS.items()},
    "ReduceSum": partial(reduce, operation="sum", since=13),
    "ArgMax": partial(place_of, operation="place_of_maximum"),
    "ArgMin": partial(place_of, operation="place_of_minimum"),
}
