"""x[...], x[...] = y, and what else gathers or scatters by indices."""

from __future__ import annotations

from typing import Any

import torch

from .fallback import meta
from .reshaping import part
from .shadow import Current, Shadow, call


@call("gather", "take_along_dim")
def gather(input: Shadow, dim: int, index: Any, **_: Any) -> Shadow:
    trace = Current.trace
    places = trace.stand_in(index)
    return trace.arrange("gather", (input, places), places.sizes, input.kind)


@call("index_select")
def index_select(input: Shadow, dim: int, index: Any) -> Shadow:
    trace = Current.trace
    places = trace.stand_in(index)
    axis = dim % len(input.sizes)
    sizes = (*input.sizes[:axis], places.numel(), *input.sizes[axis + 1 :])
    return trace.arrange("index_select", (input, places), sizes, input.kind)


@call("__getitem__")
def get_item(input: Any, index: Any) -> Any:
    trace = Current.trace
    indices = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(i, (Shadow, list, bool)) for i in indices):
        return _by_tensors(input, indices)
    rank = len(input.sizes)
    named = sum(1 for i in indices if i is not None and i is not Ellipsis)
    if Ellipsis not in indices:
        indices.append(Ellipsis)
    at = next(place for place, i in enumerate(indices) if i is Ellipsis)
    if rank < named:
        raise TypeError
    indices[at : at + 1] = [slice(None)] * (rank - named)
    sizes: list[int] = []
    cuts: list[tuple[int, int, int, int]] = []
    simple = True
    axis = 0
    for i in indices:
        if i is None:
            sizes.append(1)
            simple = False
        elif isinstance(i, slice):
            size = input.sizes[axis]
            start, stop, step = i.indices(size) if _known(i) else _settled(i, size)
            n = max(0, -(-(stop - start) // step)) if step > 0 else -1
            if n < 0:
                raise TypeError
            if n != size:
                cuts.append((axis, start, max(stop, start), step))
            sizes.append(n)
            axis += 1
        else:
            i = int(i)
            size = input.sizes[axis]
            if not -size <= i < size:
                raise IndexError(
                    f"index {i} is out of bounds for dimension {axis} with size {size}"
                )
            simple = False
            axis += 1
    if simple:
        if not cuts:
            return input
        if len(cuts) == 1:
            return part(input, *cuts[0])
    return trace.arrange("getitem", (input,), tuple(sizes))


def _known(i: slice) -> bool:
    return not any(isinstance(each, Shadow) for each in (i.start, i.stop, i.step))


def _settled(i: slice, size: int) -> tuple[int, int, int]:
    return slice(
        *(None if each is None else int(each) for each in (i.start, i.stop, i.step))
    ).indices(size)


def _by_tensors(x: Shadow, indices: list[Any]) -> Shadow:
    """x[index], with tensors among the indices: torch's own rule, on tensors without values."""
    trace = Current.trace
    places = tuple([trace.stand_in(i) for i in indices if isinstance(i, Shadow)])
    masks = [p for p in places if p.kind is torch.bool]
    if trace.values:
        known = [i.known("an index") if isinstance(i, Shadow) else i for i in indices]
        y = x.known("x[...]")[tuple(known)]
    elif masks:
        real = [i.known("a mask as an index") if isinstance(i, Shadow) else i for i in indices]
        y = torch.empty(x.sizes, device="meta")[tuple(_to_meta(i) for i in real)]
    else:
        y = meta(x)[tuple([meta(i) if isinstance(i, Shadow) else i for i in indices])]
    named = tuple([p for p in places if p.name is not None])
    return trace.arrange("index", (x, *named), tuple(y.shape), x.kind)


def _to_meta(i: Any) -> Any:
    """A mask as the whole numbers of what it picks, which need no values to index with."""
    if isinstance(i, torch.Tensor):
        if i.dtype is torch.bool:
            return (
                torch.empty(int(i.sum()), dtype=torch.int64, device="meta") if i.dim() == 1 else i
            )
        return i.to("meta")
    return i


@call("index_put", "index_fill", "masked_scatter", "scatter", "scatter_add", "index_add",
      "index_copy")  # fmt: skip
def set_item(input: Shadow, index: Any, *rest: Any) -> Shadow:
    xs = (input, *[x for x in rest if isinstance(x, Shadow)])
    return Current.trace.arrange("put", xs, input.sizes, input.kind)


@call("__setitem__")
def put(input: Shadow, index: Any, value: Any) -> None:
    """x[index] = value."""
    input.become(set_item(input, index, value))
