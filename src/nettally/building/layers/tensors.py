"""Stored tensors, functions by name, reductions and matrix products as torch modules."""
# pyright: reportUnknownLambdaType=false
# A lambda's tensors can't be annotated.

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import LayerError
from . import Function, makes, started
from .windows import fitted_padding, flat_pads, patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...network import Shape


class StoredTensor(nn.Module):
    """A tensor by itself."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        if layer.learned:
            self.weight = nn.Parameter(torch.zeros(layer.size))
        else:
            self.register_buffer("weight", torch.zeros(layer.size), persistent=False)

    def forward(self, *xs: Tensor) -> Tensor:
        return self.weight


@makes("tensor")
def _tensor(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return StoredTensor(layer)


_OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "power": torch.pow,
}


class Combine(nn.Module):
    """One operation between each value and a stored tensor's; it begins with ones, or zeros."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.first = layer.first
        self.operation = _OPERATIONS[layer.operation]
        self.tensor_name = layer.tensor or ("bias" if layer.operation == "add" else "weight")
        start = torch.zeros if layer.operation in ("add", "subtract") else torch.ones
        if layer.learned:
            self.register_parameter(self.tensor_name, nn.Parameter(start(layer.size)))
        else:
            self.register_buffer(self.tensor_name, start(layer.size), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        tensor = getattr(self, self.tensor_name)
        return self.operation(tensor, x) if self.first else self.operation(x, tensor)


@makes("combine")
def _combine(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Combine(layer)


class Embedding(nn.Module):
    """torch's own, for entries of any shape, and indices of any type."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(layer.rows, *layer.size))

    def forward(self, x: Tensor) -> Tensor:
        rows = functional.embedding(x.long(), self.weight.reshape(len(self.weight), -1))
        return rows.reshape((*x.shape, *self.weight.shape[1:]))


@makes("embedding")
def _embedding(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Embedding(layer)


@makes("gather")
def _gather(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    def gather(x: Tensor, indices: Tensor) -> Tensor:
        taken = x.index_select(layer.axis, indices.long().flatten())
        size = (*x.shape[: layer.axis], *indices.shape, *x.shape[layer.axis + 1 :])
        return taken.reshape(size)

    return Function("gather", gather)


def _as_bool(x: Tensor) -> Tensor:
    return x != 0


_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    **{name: getattr(torch, name) for name in ("erf", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: getattr(torch, name) for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
    **{name: getattr(torch, name) for name in ("floor", "ceil", "round", "sign", "reciprocal")},
    "negative": torch.neg,
    "softsign": functional.softsign,
    "not": lambda x: ~_as_bool(x),
    "is_nan": torch.isnan,
    "is_inf": torch.isinf,
    "celu": functional.celu,
    "hard_tanh": functional.hardtanh,
    "divide": torch.div,
    "modulo": torch.remainder,
    "power": torch.pow,
    "equal": torch.eq,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "and": lambda a, b: _as_bool(a) & _as_bool(b),
    "or": lambda a, b: _as_bool(a) | _as_bool(b),
    "xor": lambda a, b: _as_bool(a) ^ _as_bool(b),
    "where": lambda a, b, c: torch.where(_as_bool(a), b, c),
}


@makes("pointwise")
def _pointwise(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    function = _FUNCTIONS.get(layer.function)
    if function is None:
        raise LayerError(f"'{layer.function}' has settings that are not kept, so it has no module")
    return Function(layer.function, function)


_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "maximum": torch.amax,
    "minimum": torch.amin,
    "l1": partial(torch.linalg.vector_norm, ord=1),
    "l2": partial(torch.linalg.vector_norm, ord=2),
    "log_sum_exp": torch.logsumexp,
    "log_sum": lambda x, dim, keepdim: torch.sum(x, dim=dim, keepdim=keepdim).log(),
    "sum_of_squares": lambda x, dim, keepdim: torch.sum(x.square(), dim=dim, keepdim=keepdim),
}


@makes("reduce")
def _reduce(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    axes = tuple(sorted({axis % len(xs[0]) for axis in layer.axes}))
    if not axes:
        return nn.Identity()
    operation = _REDUCTIONS.get(layer.operation)
    if operation is not None:
        return Function(layer.operation, partial(operation, dim=axes, keepdim=layer.keep))
    if layer.operation == "product":

        def product(x: Tensor) -> Tensor:
            for axis in reversed(axes):
                x = x.prod(axis, keepdim=layer.keep)
            return x

        return Function("product", product)
    places = {"place_of_maximum": torch.argmax, "place_of_minimum": torch.argmin}
    if layer.operation in places and len(axes) == 1:
        chosen = partial(places[layer.operation], dim=axes[0], keepdim=layer.keep)
        return Function(layer.operation, chosen)
    raise LayerError(f"torch has no '{layer.operation}' over these axes")


@makes("expand")
def _expand(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    size = layer.shape(xs)
    return Function("expand", lambda x: x.expand(size))


@makes("tile")
def _tile(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return Function("tile", lambda x: x.repeat(layer.times))


class _Product(nn.Module):
    """A product of two factors, of which one may be learned."""

    def __init__(self, layer: Any, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.left = layer.left
        self.weight = None if layer.weight is None else started(layer.weight, layer.weight[-1])

    def forward(self, *xs: Tensor) -> Tensor:
        if self.weight is None:
            return self.function(*xs)
        factors = (self.weight, *xs) if self.left else (*xs, self.weight)
        return self.function(*factors)


@makes("matmul")
def _matmul(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    def product(a: Tensor, b: Tensor) -> Tensor:
        a = a.mT if layer.flip_left and a.dim() > 1 else a
        b = b.mT if layer.flip_right and b.dim() > 1 else b
        return torch.matmul(a, b)

    return _Product(layer, product)


@makes("einsum")
def _einsum(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return _Product(layer, lambda *factors: torch.einsum(layer.equation, *factors))


class Attention(Function):
    """Attention with a learned score for each head that has no value."""

    def __init__(self, function: Callable[..., Tensor], heads: int) -> None:
        super().__init__("attention", function)
        self.sinks = nn.Parameter(torch.zeros(heads))

    def forward(self, *xs: Tensor) -> Tensor:
        return self.function(*xs, sinks=self.sinks)


@makes("attention")
def _attention(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    keys = layer.key_heads or layer.heads

    def apart(x: Tensor, heads: int) -> Tensor:
        return x if x.dim() == 4 else x.unflatten(2, (heads, -1)).transpose(1, 2)

    def attend(
        q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, sinks: Tensor | None = None
    ) -> Tensor:
        whole = q.dim() == 3
        q, k, v = apart(q, layer.heads), apart(k, keys), apart(v, keys)
        k, v = (each.repeat_interleave(layer.heads // keys, 1) for each in (k, v))
        scores = torch.matmul(q, k.mT) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores + mask
        if sinks is not None:
            scores = torch.cat((scores, sinks[:, None, None].expand(*scores.shape[:-1], 1)), -1)
        out = torch.matmul(scores.softmax(-1)[..., : v.shape[2]], v)
        return out.transpose(1, 2).flatten(2) if whole else out

    return Attention(attend, layer.heads) if layer.sinks else Function("attention", attend)


@makes("lp_pool")
def _lp_pool(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    pads = flat_pads(fitted_padding(layer, xs[0]))
    axes = tuple(range(-len(layer.kernel), 0))

    def pool(x: Tensor) -> Tensor:
        return patches(x.abs() ** layer.power, layer, pads).sum(axes) ** (1 / layer.power)

    return Function("lp_pool", pool)


class RMSNorm(nn.Module):
    """x / √(mean of x² + epsilon) over the last axes, times a learned factor."""

    def __init__(self, layer: Any, x: Shape) -> None:
        super().__init__()
        self.axes = tuple(range(-layer.axes, 0))
        self.epsilon = layer.epsilon
        self.weight = nn.Parameter(torch.ones(x[len(x) - layer.axes :])) if layer.weight else None

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.rsqrt(x.square().mean(self.axes, keepdim=True) + self.epsilon)
        return x if self.weight is None else x * self.weight


@makes("rms_norm")
def _rms_norm(layer: Any, xs: tuple[Shape, ...]) -> nn.Module:
    return RMSNorm(layer, tuple(map(int, xs[0])))
