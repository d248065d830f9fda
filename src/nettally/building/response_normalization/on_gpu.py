"""Local response normalisation across channels by a kernel of Triton's, on CUDA devices.

One kernel for the forward and one for the gradient. A program has a block of values: of a
contiguous tensor so many channels of so many neighbouring places, of one with its channels last
what lies side by side. It reads the neighbours of each, again where two share one: they are in the
nearest cache then, so that memory is read once and written once, and nothing but x is kept for the
gradient.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .blocks import laid_alike

if TYPE_CHECKING:
    from .whole import Terms

BLOCK = 1024
"""Values of a program."""

WIDE = 32
"""Places side by side in a block of a contiguous tensor; the rest of it are channels."""

MOST = 9
"""Neighbours, above which a value is read too often: the gradient reads it up to size² times."""

KINDS = (torch.float32, torch.float16, torch.bfloat16)


def can(x: Tensor, terms: Terms) -> bool:
    """Whether a tensor is normalised here."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and why_not(x.dtype, x.device.type) is None
        and not terms.space
        and terms.size <= MOST
        and 0 < x.numel() < 2**31
    )


def why_not(kind: torch.dtype, device: str) -> str | None:
    """Why Triton is not used for a type on a device, for the user; None where it is."""
    if device != "cuda":
        return f"no kernel for {device}"
    if kind not in KINDS:
        return f"no kernel for {kind}"
    return None if _is_there() else "Triton is not installed"


@cache
def _is_there() -> bool:
    return find_spec("triton") is not None


def normalised(x: Tensor, terms: Terms) -> Tensor:
    """The normalised values."""
    x, y = laid_alike(x)
    _launch("forward", (x, y), terms)
    return y


def gradient(x: Tensor, gradient: Tensor, terms: Terms) -> Tensor:
    """The gradient of the input, from the output's."""
    x, input_gradient = laid_alike(x)
    if gradient.stride() != x.stride():
        gradient = torch.empty_like(x).copy_(gradient)
    _launch("backward", (x, gradient, input_gradient), terms)
    return input_gradient


def _launch(name: str, tensors: tuple[Tensor, ...], terms: Terms) -> None:
    x = tensors[0]
    last = not x.is_contiguous()
    channels = x.shape[1] // terms.groups
    inner = 1 if last else x.numel() // (x.shape[0] * x.shape[1])
    outer = x.numel() // (channels * inner)
    wide = 1 if inner == 1 else WIDE
    high = BLOCK // wide
    # neighbours side by side are one block whatever group they are of; else a block is of one group
    programs = (
        -(-x.numel() // BLOCK) if inner == 1 else outer * -(-channels // high) * -(-inner // wide)
    )
    kernel: Any = getattr(_kernels(), name)
    with torch.cuda.device(x.device) if x.is_cuda else _nowhere():
        kernel[(programs,)](
            *tensors,
            x.numel(),
            channels,
            inner,
            terms.scale(x.dim()),
            terms.k,
            terms.beta,
            SIZE=terms.size,
            HIGH=high,
            WIDE=wide,
        )


def _nowhere() -> Any:
    from contextlib import nullcontext

    return nullcontext()


@cache
def _kernels() -> Any:
    from . import triton_kernels

    return triton_kernels
