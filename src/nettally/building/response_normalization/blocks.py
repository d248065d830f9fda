"""Local response normalisation block by block, each small enough for the processor's cache.

Each step is one call of torch's on a block, into a buffer of that size. The neighbours' sum is
taken in a buffer with room around each group of them, where it is a few additions of the buffer to
itself, shifted. Where beta is 3/4, no power is taken: two reciprocals of square roots are.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .whole import Terms

BLOCK = 2**18
"""Values of a block, for each thread. Its buffers then stay in the last cache; smaller blocks would
stay in a nearer one, and lose more by the threads' waiting for each other at each step."""

MOST = 2**21
"""Blocks are not larger than this, however many threads there are."""

LARGE = 2**23
"""Bytes from which a result is asked for in large pages."""


def forward(x: Tensor, terms: Terms) -> Tensor:
    """The normalised values."""
    x, y = laid_alike(x)
    if x.numel():
        for each, blocks in _Blocks(x, terms).blocks(x, y):
            each.forward(*blocks)
    return y


def backward(x: Tensor, gradient: Tensor, terms: Terms) -> Tensor:
    """The gradient of the input, from the output's."""
    x, input_gradient = laid_alike(x)
    if x.numel():
        gradient = _like(gradient, x)
        for each, blocks in _Blocks(x, terms).blocks(x, gradient, input_gradient):
            each.backward(*blocks)
    return input_gradient


def _last(x: Tensor) -> Tensor:
    """x with its channels as the last axis."""
    return x.permute(0, *range(2, x.dim()), 1)


def laid_alike(x: Tensor) -> tuple[Tensor, Tensor]:
    """x, contiguous or channels last, and room for a result laid out as it is."""
    if not x.is_contiguous() and not _last(x).is_contiguous():
        x = x.contiguous()
    y = torch.empty_like(x)
    if type(y) is Tensor and y.nbytes >= LARGE:  # a traced one may have no number of bytes
        _in_large_pages(y)
    return x, y


_MADV_HUGEPAGE = 14  # of Linux, in <asm-generic/mman-common.h>


@cache
def _madvise() -> Any:
    """The C library's function, or None where there is none of that name."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None), "madvise", None)
    if function is not None:
        function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function


def _in_large_pages(fresh: Tensor) -> None:
    """Let the system back fresh memory by pages of 2 MiB: it is written three times as fast.

    A page of 4 KiB costs more to get than to fill. It is advice, and may be ignored.
    """
    advise = _madvise()
    if advise is not None:
        page = 4096
        start = -(-fresh.data_ptr() // page) * page
        end = (fresh.data_ptr() + fresh.nbytes) // page * page
        advise(start, end - start, _MADV_HUGEPAGE)


def _like(y: Tensor, x: Tensor) -> Tensor:
    """y laid out as x is, copied only where it is not."""
    if y.stride() == x.stride():
        return y
    return torch.empty_like(x).copy_(y)


class _Blocks:
    """Tensors as (outer, *axes of the windows, inner), cut into blocks along the first and last."""

    def __init__(self, x: Tensor, terms: Terms) -> None:
        self.last = not x.is_contiguous()
        whole = x.numel()
        if terms.space:
            self.axes = tuple(x.shape[2:])
            self.inner = x.shape[1] if self.last else 1
        else:
            self.axes = (x.shape[1] // terms.groups,)
            self.inner = 1 if self.last else whole // (x.shape[0] * x.shape[1])
        window = math.prod(self.axes)
        self.outer = whole // (window * self.inner)
        most = min(MOST, BLOCK * torch.get_num_threads())
        self.wide = _part(self.inner, most // window)
        self.high = _part(self.outer, most // (window * self.wide))
        self.terms = terms
        self.scale = terms.scale(x.dim())
        self.kind = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype

    def blocks(self, *tensors: Tensor) -> Iterator[tuple[_Block, list[Tensor]]]:
        """The same block of each tensor, one after the other, and what computes on its size."""
        sizes = (self.outer, *self.axes, self.inner)
        views = [(_last(each) if self.last else each).view(sizes) for each in tensors]
        kept: dict[tuple[int, int], _Block] = {}
        for start in range(0, self.outer, self.high):
            high = min(self.high, self.outer - start)
            rows = [each.narrow(0, start, high) for each in views]
            for left in range(0, self.inner, self.wide):
                wide = min(self.wide, self.inner - left)
                block = kept.get((high, wide))
                if block is None:
                    block = kept[high, wide] = _Block(self, high, wide)
                yield block, [each.narrow(-1, left, wide) for each in rows]


def _part(whole: int, most: int) -> int:
    """At most ``most``, and at least 1, such that the parts of the whole are nearly alike."""
    parts = -(-whole // max(1, most))
    return -(-whole // parts)


class _Block:
    """The steps on one block, in buffers of its size; the result's own block is one of them."""

    def __init__(self, work: _Blocks, high: int, wide: int) -> None:
        self.beta = work.terms.beta
        self.kind = kind = work.kind
        self.scale = work.scale
        self.sizes = (high, *work.axes, wide)
        self.scratch: list[Tensor] = []
        # Around the axes of the windows stand as many places as a window reaches over their ends,
        # and each place of n has its share of k, so that their sum is d and no pass adds k.
        size = work.terms.size
        share = work.terms.k / size ** len(work.axes)
        self.share = torch.tensor(share, dtype=kind)
        padded = torch.full((high, *[n + size - 1 for n in work.axes], wide), share, dtype=kind)
        other = torch.zeros_like(padded)
        self.squares = self._within(padded, size // 2)
        # Who sees a value stands the other way round than whom it sees.
        self.seen = self._within(other, (size - 1) // 2)
        room: list[Tensor] = []
        self.steps, base = _additions(padded, room, size)
        # the sums of what is seen may stand where those of the squares stood, but for d itself
        room = [each for each in room if each is not base]
        self.steps_seen, near = _additions(other, room, size)
        self.base, self.near = self._within(base, 0), self._within(near, 0)

    def _within(self, padded: Tensor, before: int) -> Tensor:
        """The block's own places in a buffer."""
        for axis, length in enumerate(self.sizes[1:-1], start=1):
            padded = padded.narrow(axis, before, length)
        return padded

    def forward(self, x: Tensor, y: Tensor) -> None:
        if y.dtype is self.kind:
            self._find_base(x)
            self._over_power(x, y)
        else:
            x, out = self._in_scratch(x)
            self._find_base(x)
            self._over_power(x, out)
            y.copy_(out)

    def backward(self, x: Tensor, gradient: Tensor, input_gradient: Tensor) -> None:
        whole = input_gradient
        if input_gradient.dtype is not self.kind:
            x, whole = self._in_scratch(x)
        self._find_base(x)
        self._over_power(gradient, whole)
        torch.mul(x, whole, out=self.seen)
        self.seen.div_(self.base)  # g · x · d^(-beta - 1)
        for a, b, out in self.steps_seen:
            torch.add(a, b, out=out)
        whole.addcmul_(x, self.near, value=-2 * self.beta * self.scale)
        if whole is not input_gradient:
            input_gradient.copy_(whole)

    def _in_scratch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x in the type that is computed in, and room for a result."""
        if not self.scratch:
            self.scratch = [torch.empty(self.sizes, dtype=self.kind) for _ in range(2)]
        return self.scratch[0].copy_(x), self.scratch[1]

    def _find_base(self, x: Tensor) -> None:
        """``base`` becomes d."""
        torch.addcmul(self.share, x, x, value=self.scale, out=self.squares)
        for a, b, out in self.steps:
            torch.add(a, b, out=out)

    def _over_power(self, values: Tensor, out: Tensor) -> None:
        """``out`` becomes values · d^-beta."""
        beta, base = self.beta, self.base
        if beta == 1:
            torch.div(values, base, out=out)
        elif beta == 0.75:  # d^(1/4) / d
            torch.rsqrt(base, out=out)
            out.rsqrt_().mul_(values).div_(base)
        elif beta == 0.5:
            torch.rsqrt(base, out=out)
            out.mul_(values)
        else:
            torch.pow(base, -beta, out=out)
            out.mul_(values)


Steps = list[tuple[Tensor, Tensor, Tensor]]
"""Additions: of the first to the second, into the third."""


def _additions(padded: Tensor, room: list[Tensor], size: int) -> tuple[Steps, Tensor]:
    """What to add for the sums of ``size`` neighbours along each inner axis; and where they are.

    A sum of 2 is the buffer added to itself, one place on; of 4, that of 2 to itself, two places
    on; to the largest the smaller ones are added that ``size`` is made of. The sums stand where
    their first neighbour does. room: buffers to use; what is missing is added to it.
    """
    steps: Steps = []
    total = padded
    for axis in range(1, padded.dim() - 1):
        place = padded.stride(axis)
        # the next axis may use those again that the last one no longer needs
        free = [each for each in room if each is not total]
        partial = [total]
        while 2 ** len(partial) <= size:
            if not free:
                free.append(torch.empty_like(padded))
                room.append(free[0])
            last, into = partial[-1], free.pop(0)
            steps.append(_shifted(last, last, place * 2 ** (len(partial) - 1), into))
            partial.append(into)
        total, taken = partial[-1], 2 ** (len(partial) - 1)
        for power in range(len(partial) - 2, -1, -1):
            if size & 2**power:
                steps.append(_shifted(total, partial[power], place * taken, total))
                taken += 2**power
    return steps, total


def _shifted(a: Tensor, b: Tensor, by: int, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    number = max(0, a.numel() - by)  # behind it, no window begins
    return a.flatten()[:number], b.flatten()[by:], out.flatten()[:number]
