"""Local response normalisation, fast where torch's own is slow.

y = x · d^-beta, d = k + alpha/n · S, where S is the sum of x² over n neighbours (Krizhevsky et al.
2012, section 3.3, with alpha divided by n as in its code). With g the gradient of y, and S' the sum
over the neighbours that see a value:

    gradient of x = g · d^-beta - 2 · alpha · beta / n · x · S'(g · x · d^(-beta - 1))

torch's own pads, makes a pooling of it, and keeps each step for the gradient; every step goes
through the whole tensor, from memory and back. Here x alone is kept for the gradient, and what the
forward made of it is made again, which costs less than to fetch it. On a processor all steps are
done on one block after the other, small enough for its cache: by C that the user's own compiler has
made fit for it (``compiled``), and by torch's operations where there is none
(``blocks``). On a GPU it is a kernel of Triton's (``on_gpu``), and elsewhere torch's
operations on the whole tensor (``whole``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...errors import LayerError
from ...layers import normalization
from . import blocks, compiled, on_gpu
from .blocks import laid_alike
from .whole import Terms, whole, whole_gradient

if TYPE_CHECKING:
    from ...network import Layer


def local_response_norm(
    x: Tensor,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    groups: int = 1,
    *,
    across: str = "channels",
) -> Tensor:
    """x over (k + alpha/n · the sum of n neighbours' squares)^beta; of x's shape and type.

    x: (batch, channels, …), contiguous or channels last, of which the result is then too. The n =
    ``size`` neighbours of channel i are i - size//2 to i + (size - 1)//2, within its group of
    channels; across "space", they are those along each axis of the map, size² of them in an image.
    The first arguments are those of ``torch.nn.functional.local_response_norm``, which for one
    group gives the same, to rounding. float16 and bfloat16 are computed in float32.

    Raises LayerError where x has no such axes, or the groups do not divide its channels.
    """
    space = across == "space"
    terms = Terms(int(size), float(alpha), float(beta), float(k), int(groups), space)
    if not _is_traced() and (
        x.dim() < 2 + space
        or terms.groups < 1
        or x.shape[1] % terms.groups
        or terms.size < 1
        or across not in ("channels", "space")
    ):
        raise LayerError(
            "lrn normalises across channels, which the groups divide, or across space",
            values=f"input {tuple(x.shape)}, size {size}, groups {groups}, across {across!r}",
            hint="the input is (batch, channels, …)",
        )
    if not isinstance(x, Tensor) or _is_exported() or not _has_a_way(x, terms):
        return whole(x, terms)
    if torch.compiler.is_compiling():
        return whole(x, terms) if _operation is None else _operation(x, *terms)
    result: Any = _Normalise.apply(x, terms)
    return result


def how_it_runs(kind: torch.dtype = torch.float32, device: str = "cpu") -> str:
    """Which way is taken for tensors of a type on a device, and why, in words for the user."""
    if device == "cpu":
        native = compiled.function(kind)
        return (
            native.description
            if native.function
            else f"by torch's operations, in blocks: {native.description}"
        )
    why = on_gpu.why_not(kind, device)
    return "by Triton" if why is None else f"by torch's operations, on the whole tensor: {why}"


class LocalResponseNorm(nn.Module):
    """``local_response_norm`` as a module; without parameters."""

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        groups: int = 1,
        *,
        across: str = "channels",
    ) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.groups, self.across = groups, across

    def forward(self, x: Tensor) -> Tensor:
        return local_response_norm(
            x, self.size, self.alpha, self.beta, self.k, self.groups, across=self.across
        )

    @property
    def stated_layer(self) -> Layer:
        """What a reader is to count: torch's own layer has neither groups nor space."""
        return normalization.LocalResponseNorm(
            self.size, self.alpha, self.beta, self.k, self.groups, self.across
        )

    def extra_repr(self) -> str:
        groups = f", groups={self.groups}" if self.groups != 1 else ""
        across = ", across=space" if self.across == "space" else ""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}{groups}{across}"


# --- the ways it is computed ----------------------------------------------------------------------


def _has_a_way(x: Tensor, terms: Terms) -> bool:
    """Whether it is not torch's operations on the whole tensor anyway."""
    return x.device.type == "cpu" or on_gpu.can(x, terms)


def _forward(x: Tensor, terms: Terms) -> Tensor:
    if x.device.type != "cpu":
        return on_gpu.normalised(x, terms)
    y = compiled.normalised(x, terms)
    return blocks.forward(x, terms) if y is None else y


def _backward(x: Tensor, gradient: Tensor, terms: Terms) -> Tensor:
    if x.device.type != "cpu":
        return on_gpu.gradient(x, gradient, terms)
    input_gradient = compiled.gradient(x, gradient, terms)
    return blocks.backward(x, gradient, terms) if input_gradient is None else input_gradient


class _Normalise(torch.autograd.Function):
    """Forward and gradient; x alone is kept between them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, terms: Terms) -> Tensor:
        ctx.save_for_backward(x)
        ctx.terms = terms
        return _forward(x.detach(), terms)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        terms: Terms = ctx.terms
        if torch.is_grad_enabled():  # the gradient's own gradient will be asked for
            return whole_gradient(x, gradient, terms), None
        return _backward(x, gradient, terms), None


def _is_traced() -> bool:
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage] - it is documented


def _is_exported() -> bool:
    """Whether the operations are written down for another program, which has not ours."""
    exporting = getattr(torch.compiler, "is_exporting", None)  # since torch 2.7
    return _is_traced() or (exporting is not None and exporting())


# --- within torch.compile -------------------------------------------------------------------------


def _registered() -> Any:
    """The same as an operation that torch's compiler calls, and does not look into.

    What it makes of the formula takes several times as long. None before torch 2.4.
    """
    if not hasattr(torch.library, "custom_op"):
        return None

    def normalise(x: Tensor, *terms: Any) -> Tensor:
        return _forward(x, Terms(*terms))

    def find_gradient(x: Tensor, gradient: Tensor, *terms: Any) -> Tensor:
        return _backward(x, gradient, Terms(*terms))

    def fake(x: Tensor, *_: Any) -> Tensor:
        return laid_alike(x)[1]

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.terms = inputs[1:]

    kinds = "int size, float alpha, float beta, float k, int groups, bool space"
    operation = torch.library.custom_op(
        "nettally::lrn", normalise, mutates_args=(), schema=f"(Tensor x, {kinds}) -> Tensor"
    )
    of_gradient = torch.library.custom_op(
        "nettally::lrn_gradient",
        find_gradient,
        mutates_args=(),
        schema=f"(Tensor x, Tensor gradient, {kinds}) -> Tensor",
    )

    def gradient_of(ctx: Any, gradient: Tensor) -> Any:
        return of_gradient(ctx.saved_tensors[0], gradient, *ctx.terms), *[None] * len(ctx.terms)

    for each in (operation, of_gradient):
        each.register_fake(fake)
    operation.register_autograd(gradient_of, setup_context=keep)
    return operation


_operation = _registered()
