"""What moves values and makes none, reductions along axes, and constants made of a stand-in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch

from ...layers.data_movement import Expand, Tile
from ...layers.merging import Concat
from ...layers.reduction import Reduce
from ...layers.reshaping import Flatten, Permute, Reshape, Slice
from .shadow import Current, Shadow, call, note, shadow

Sizes = tuple[int, ...]


def _sizes(arguments: Any) -> Sizes:
    """Sizes given one by one, or as one tuple or list."""
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
    sizes = _filled(input, _sizes(shape or tuple(kwargs.values())))
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
    order = tuple([axis % rank for axis in _sizes(dims or tuple(kwargs.values()))])
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


Shadow.T = property(t)  # type: ignore[assignment]
Shadow.mT = property(lambda x: transpose(x, -1, -2))  # type: ignore[assignment]
Shadow.H = property(t)  # type: ignore[assignment]


@call("expand", "broadcast_to")
def expand(input: Shadow, *size: Any, **kwargs: Any) -> Shadow:
    x = input.sizes
    sizes = list(_sizes(size or tuple(v for k, v in kwargs.items() if k == "size")))
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
    times = _sizes(repeats or tuple(kwargs.values()))
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
        if input.name is None:
            return tuple([trace.stand_in(value) for value in values])
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


# --- the same values ----------------------------------------------------------------------------


@call("contiguous")
def contiguous(input: Shadow, *_: Any, **__: Any) -> Shadow:
    """No node: the one that made the tensor says that it was laid row after row; memory asks."""
    trace = Current.trace
    if trace.nodes and trace.nodes[-1].name == input.name:
        trace.says(contiguous=True)
    return input


@call("detach", "detach_", "cpu", "cuda", "requires_grad_", "fill_", "zero_",
      "pin_memory", "resolve_conj", "resolve_neg", "coalesce", "normal_", "uniform_",
      "share_memory_", "bernoulli_", "as_subclass", "refine_names", "view_as_real_")  # fmt: skip
def unchanged(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return input


@call("clone", "alias")
def clone(input: Shadow, *_: Any, **__: Any) -> Shadow:
    return shadow(input.sizes, Current.trace.name_of(input), input.kind, input.value)


_KINDS = {"float": torch.float32, "double": torch.float64, "half": torch.float16,
          "bfloat16": torch.bfloat16, "int": torch.int32, "long": torch.int64,
          "bool": torch.bool, "short": torch.int16, "char": torch.int8,
          "byte": torch.uint8}  # fmt: skip


def as_kind(x: Shadow, kind: torch.dtype) -> Shadow:
    """The same tensor in another dtype: no node of its own, since no one counts it."""
    if kind is x.kind:
        return x
    value = x.value.to(kind) if x.value is not None else None
    if x.name is None and x.stored is None and value is not None:
        return shadow(x.sizes, None, kind, value)
    y = shadow(x.sizes, x.name, kind, value)
    if x.name is None:
        note(y, stored=x.stored)
    return y


def _to_kind(kind: torch.dtype) -> Any:
    def converted(input: Shadow, *_: Any, **__: Any) -> Shadow:
        return as_kind(input, kind)

    return converted


for _name, _kind in _KINDS.items():
    call(_name)(_to_kind(_kind))


@call("to", "type")
def to(input: Shadow, *args: Any, **kwargs: Any) -> Any:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, torch.dtype):
            return as_kind(input, argument)
        if isinstance(argument, torch.Tensor):
            return as_kind(input, argument.dtype)
    if not args and not kwargs:
        return f"torch.{str(input.kind)[6:].capitalize()}Tensor"
    return input


@call("type_as")
def type_as(input: Shadow, other: Any) -> Shadow:
    return as_kind(input, other.dtype)


@call("copy_", "set_")
def copy_(input: Any, src: Any = None, *_: Any, **__: Any) -> Any:
    x = Current.trace.stand_in(src)
    if not isinstance(input, Shadow):
        raise TypeError
    y = x if x.sizes == input.sizes else expand(x, input.sizes)
    return input.become(as_kind(y, input.kind))


# --- constants ----------------------------------------------------------------------------------


def _like(make: Any) -> Any:
    def like(input: Any, *args: Any, **kwargs: Any) -> Shadow:
        kwargs.pop("memory_format", None)
        kind = kwargs.pop("dtype", None) or input.dtype
        sizes = tuple(input.shape)
        n = 1
        for size in sizes:
            n *= size
        small = n <= 1_000_000 and make is not torch.empty
        real = make(sizes, *args, dtype=kind) if small else None
        return shadow(sizes, None, kind, real)

    return like


for _name in ("zeros", "ones", "empty", "full"):
    call(f"{_name}_like")(_like(getattr(torch, _name)))
for _name in ("rand", "randn"):
    call(f"{_name}_like")(_like(torch.empty))


def _new(make: Any) -> Any:
    def new(input: Any, *arguments: Any, **kwargs: Any) -> Shadow:
        size = list(arguments)
        kind = kwargs.pop("dtype", None) or input.dtype
        fill: tuple[Any, ...] = ()
        if make is torch.full:
            fill = (kwargs["fill_value"] if "fill_value" in kwargs else size.pop(),)
        sizes = _sizes(tuple(size) or (kwargs["size"],))
        n = 1
        for each in sizes:
            n *= each
        small = n <= 1_000_000 and make is not torch.empty
        return shadow(sizes, None, kind, make(sizes, *fill, dtype=kind) if small else None)

    return new


for _name in ("zeros", "ones", "empty", "full"):
    call(f"new_{_name}")(_new(getattr(torch, _name)))


@call("new_tensor")
def new_tensor(input: Any, data: Any, dtype: Any = None, **_: Any) -> Shadow:
    return Current.trace.stand_in(torch.tensor(data, dtype=dtype or input.dtype))


# --- along axes ---------------------------------------------------------------------------------


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
        if isinstance(dim, torch.Tensor):
            from .elementwise import binary

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
    from ...layers.elementwise import Pointwise

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
