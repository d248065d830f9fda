"""What moves values and computes none: other shapes, parts, and tensors put together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch

from ...layers.data_movement import Expand, Tile
from ...layers.merging import Concat
from ...layers.reshaping import Flatten, Permute, Reshape, Slice
from .shadow import Current, Shadow, call, shadow

Sizes = tuple[int, ...]


def as_sizes(arguments: Any) -> Sizes:
    """The sizes, which come one by one, or in one tuple or list."""
    if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)):
        arguments = arguments[0]
    return tuple([int(size) for size in arguments])


# --- other shapes -------------------------------------------------------------------------------


def reshaped(x: Shadow, sizes: Sizes, word: str = "reshape") -> Shadow:
    """The same values in these sizes, all of them known."""
    trace = Current.trace
    if sizes == x.sizes:
        return x
    if len(sizes) > 1 and sizes[:1] == x.sizes[:1] and len(sizes) == 2 and len(x.sizes) > 2:
        layer = trace.layer(Flatten, 1)
    else:
        layer = trace.layer(Reshape, sizes, True)
    return trace.add(word, layer, (x,))


def _filled(x: Shadow, sizes: Sizes) -> Sizes:
    if -1 not in sizes:
        return sizes
    known = 1
    for size in sizes:
        if size != -1:
            known *= size
    if not known or x.numel() % known:
        raise TypeError
    left = x.numel() // known
    return tuple([left if size == -1 else size for size in sizes])


@call("view", "reshape")
def reshape(input: Shadow, *shape: Any, **kwargs: Any) -> Shadow:
    if shape and isinstance(shape[0], torch.dtype):
        raise TypeError
    sizes = _filled(input, as_sizes(shape or tuple(kwargs.values())))
    n = 1
    for size in sizes:
        n *= size
    if n != input.numel():
        raise TypeError
    return reshaped(input, sizes)


@call("view_as", "reshape_as")
def view_as(input: Shadow, other: Any) -> Shadow:
    return reshape(input, tuple(other.shape))


@call("flatten")
def flatten(input: Shadow, start_dim: int = 0, end_dim: int = -1) -> Shadow:
    x = input.sizes
    if not x:
        return reshaped(input, (1,), "flatten")
    start, end = start_dim % len(x), end_dim % len(x)
    if start >= end:
        return input
    n = 1
    for size in x[start : end + 1]:
        n *= size
    trace = Current.trace
    if end == len(x) - 1:
        return trace.add("flatten", trace.layer(Flatten, start), (input,))
    return reshaped(input, (*x[:start], n, *x[end + 1 :]), "flatten")


@call("ravel")
def ravel(input: Shadow) -> Shadow:
    return flatten(input)


@call("unflatten")
def unflatten(input: Shadow, dim: int, sizes: Any) -> Shadow:
    x = input.sizes
    axis = dim % len(x)
    parts = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,)
    if -1 in parts:
        known = 1
        for size in parts:
            known *= size if size != -1 else 1
        parts = tuple([x[axis] // known if size == -1 else size for size in parts])
    return reshape(input, (*x[:axis], *parts, *x[axis + 1 :]))


@call("squeeze")
def squeeze(input: Shadow, dim: Any = None) -> Shadow:
    x = input.sizes
    if dim is None:
        sizes = tuple([size for size in x if size != 1])
    else:
        axes = {a % len(x) for a in ((dim,) if isinstance(dim, int) else dim)} if x else set()
        sizes = tuple([size for i, size in enumerate(x) if i not in axes or size != 1])
    return reshaped(input, sizes, "squeeze")


@call("unsqueeze")
def unsqueeze(input: Shadow, dim: int) -> Shadow:
    axis = dim % (len(input.sizes) + 1)
    return reshaped(input, (*input.sizes[:axis], 1, *input.sizes[axis:]), "unsqueeze")


@call("permute")
def permute(input: Shadow, *dims: Any, **kwargs: Any) -> Shadow:
    rank = len(input.sizes)
    order = tuple([axis % rank for axis in as_sizes(dims or tuple(kwargs.values()))])
    trace = Current.trace
    if order == tuple(range(rank)):
        return input
    return trace.add("permute", trace.layer(Permute, order, True), (input,))


@call("transpose", "swapaxes", "swapdims")
def transpose(input: Shadow, dim0: int, dim1: int) -> Shadow:
    rank = len(input.sizes)
    order = list(range(rank))
    if rank:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return permute(input, order)


@call("t")
def t(input: Shadow) -> Shadow:
    return permute(input, tuple(reversed(range(len(input.sizes)))))


@call("movedim", "moveaxis")
def movedim(input: Shadow, source: Any, destination: Any) -> Shadow:
    rank = len(input.sizes)
    a = [axis % rank for axis in ((source,) if isinstance(source, int) else source)]
    b = [axis % rank for axis in ((destination,) if isinstance(destination, int) else destination)]
    order = [axis for axis in range(rank) if axis not in a]
    for at, axis in sorted(zip(b, a, strict=True)):
        order.insert(at, axis)
    return permute(input, order)


def turned_matrices(input: Shadow) -> Shadow:
    """Each matrix of a batch, transposed."""
    return transpose(input, -1, -2)


@call("expand", "broadcast_to")
def expand(input: Shadow, *size: Any, **kwargs: Any) -> Shadow:
    x = input.sizes
    sizes = list(as_sizes(size or tuple(v for k, v in kwargs.items() if k == "size")))
    for i in range(1, len(sizes) + 1):
        if sizes[-i] == -1:
            sizes[-i] = x[-i]
    trace = Current.trace
    if tuple(sizes) == x:
        return input
    return trace.add("expand", trace.layer(Expand, tuple(sizes)), (input,))


@call("expand_as")
def expand_as(input: Shadow, other: Any) -> Shadow:
    return expand(input, tuple(other.shape))


@call("repeat", "tile")
def repeat(input: Shadow, *repeats: Any, **kwargs: Any) -> Shadow:
    times = as_sizes(repeats or tuple(kwargs.values()))
    x = input
    if len(times) > len(x.sizes):
        x = reshaped(x, (1,) * (len(times) - len(x.sizes)) + x.sizes, "unsqueeze")
    times = (1,) * (len(x.sizes) - len(times)) + times
    trace = Current.trace
    if all(n == 1 for n in times):
        return x
    return trace.add("repeat", trace.layer(Tile, times), (x,))


@call("repeat_interleave")
def repeat_interleave(
    input: Shadow, repeats: Any = None, dim: int | None = None, **_: Any
) -> Shadow:
    if not isinstance(repeats, int):
        raise TypeError
    x = input if dim is not None else flatten(input)
    axis = (dim or 0) % len(x.sizes)
    sizes = (*x.sizes[:axis], x.sizes[axis] * repeats, *x.sizes[axis + 1 :])
    return Current.trace.arrange("repeat_interleave", (x,), sizes)


# --- parts --------------------------------------------------------------------------------------


def part(x: Shadow, axis: int, start: int, stop: int, step: int = 1, word: str = "slice") -> Shadow:
    """From start up to stop along an axis."""
    trace = Current.trace
    size = x.sizes[axis]
    if start == 0 and stop >= size and step == 1:
        return x
    if axis and start < stop <= size:
        layer = trace.layer(Slice, axis, start, None if stop == size else stop, step)
        return trace.add(word, layer, (x,))
    n = max(0, -(-(min(stop, size) - start) // step))
    return trace.arrange(word, (x,), (*x.sizes[:axis], n, *x.sizes[axis + 1 :]))


@call("narrow")
def narrow(input: Shadow, dim: int, start: Any, length: int) -> Shadow:
    return part(input, dim % len(input.sizes), int(start), int(start) + length)


@call("select")
def select(input: Shadow, dim: int, index: Any) -> Shadow:
    axis = dim % len(input.sizes)
    return Current.trace.arrange("select", (input,), input.sizes[:axis] + input.sizes[axis + 1 :])


@call("split", "split_with_sizes", "tensor_split_sizes")
def split(input: Shadow, split_size: Any = None, dim: int = 0, **kwargs: Any) -> tuple[Shadow, ...]:
    if split_size is None:
        split_size = next(iter(kwargs.values()))
    axis = dim % len(input.sizes)
    size = input.sizes[axis]
    if isinstance(split_size, int):
        whole, rest = divmod(size, split_size)
        parts = [split_size] * whole + ([rest] if rest or not size else [])
    else:
        parts = [int(n) for n in split_size]
        if sum(parts) != size:
            raise TypeError
    pieces: list[Shadow] = []
    start = 0
    for n in parts:
        pieces.append(_own(input, part(input, axis, start, start + n, 1, "split")))
        start += n
    return tuple(pieces)


def _own(x: Shadow, y: Shadow) -> Shadow:
    """A stand-in of its own, where the part is the whole."""
    return shadow(x.sizes, Current.trace.name_of(x), x.kind, x.value) if y is x else y


@call("chunk")
def chunk(input: Shadow, chunks: int, dim: int = 0) -> tuple[Shadow, ...]:
    size = input.sizes[dim]
    return split(input, max(1, -(-size // chunks)), dim)


@call("tensor_split")
def tensor_split(input: Shadow, indices_or_sections: Any, dim: int = 0) -> tuple[Shadow, ...]:
    size = input.sizes[dim]
    if isinstance(indices_or_sections, int):
        n, more = divmod(size, indices_or_sections)
        parts = [n + 1] * more + [n] * (indices_or_sections - more)
    else:
        edges = [0, *[min(int(i), size) for i in indices_or_sections], size]
        parts = [b - a for a, b in pairwise(edges)]
    return split(input, parts, dim)


@call("unbind")
def unbind(input: Shadow, dim: int = 0) -> tuple[Shadow, ...]:
    axis = dim % len(input.sizes)
    trace = Current.trace
    sizes = input.sizes[:axis] + input.sizes[axis + 1 :]
    values = [None] * input.sizes[axis]
    if input.value is not None:
        values = list(input.value.unbind(axis))
    return tuple([trace.arrange("unbind", (input,), sizes, None, value) for value in values])


# --- together -----------------------------------------------------------------------------------


def _tensors(tensors: Any) -> tuple[Shadow, ...]:
    return tuple([Current.trace.stand_in(x) for x in tensors])


@call("cat", "concat", "concatenate")
def cat(tensors: Any, dim: int = 0, **kwargs: Any) -> Shadow:
    trace = Current.trace
    xs = [x for x in _tensors(tensors) if x.sizes != (0,)]
    if len(xs) == 1:
        return xs[0]
    axis = kwargs.get("axis", dim) % len(xs[0].sizes)
    kinds = {x.kind for x in xs}
    kind = xs[0].kind
    for other in kinds:
        kind = torch.promote_types(kind, other)
    return trace.add("concat", trace.layer(Concat, axis), tuple(xs), kind)


@call("stack")
def stack(tensors: Any, dim: int = 0, **_: Any) -> Shadow:
    xs = _tensors(tensors)
    axis = dim % (len(xs[0].sizes) + 1)
    if any(x.sizes != xs[0].sizes for x in xs):
        raise TypeError
    sizes = (*xs[0].sizes[:axis], len(xs), *xs[0].sizes[axis:])
    return Current.trace.arrange("stack", xs, sizes)


@call("roll", "flip", "fliplr", "flipud", "tril", "triu", "bernoulli", "contiguous_moved")
def same_shape(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return Current.trace.arrange("rearrange", (input,), input.sizes)


@call("pixel_shuffle")
def pixel_shuffle(input: Shadow, upscale_factor: int) -> Shadow:
    *rest, c, h, w = input.sizes
    r = upscale_factor
    if c % (r * r):
        raise TypeError
    sizes = (*rest, c // (r * r), h * r, w * r)
    return Current.trace.arrange("pixel_shuffle", (input,), sizes)


@call("pixel_unshuffle")
def pixel_unshuffle(input: Shadow, downscale_factor: int) -> Shadow:
    *rest, c, h, w = input.sizes
    r = downscale_factor
    if h % r or w % r:
        raise TypeError
    sizes = (*rest, c * r * r, h // r, w // r)
    return Current.trace.arrange("pixel_unshuffle", (input,), sizes)


@call("channel_shuffle")
def channel_shuffle(input: Shadow, groups: int) -> Shadow:
    return Current.trace.arrange("channel_shuffle", (input,), input.sizes)
