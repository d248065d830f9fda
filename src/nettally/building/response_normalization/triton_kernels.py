"""The kernels of ``triton``; importing this imports Triton.

Both compute in float32, whatever is in memory. d^-beta is exp2(-beta · log2(d)), which makes no
number of a d below zero, as a power does, and is right where d is zero or infinite.
"""
# pyright: basic
# ruff: noqa: N803, RET505
# Triton reads this file's own text, and has a language of its own within these functions.

from __future__ import annotations

import triton  # pyright: ignore[reportMissingImports] - imported only where it is installed
import triton.language as tl  # pyright: ignore[reportMissingImports]


@triton.jit
def find(number, channels, inner, HIGH: tl.constexpr, WIDE: tl.constexpr):
    """The block's values: where they are, whether there are such, and of which channel."""
    program = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, HIGH * WIDE)
    if WIDE == 1:
        at = program * HIGH + i
        return at, at < number, (at % channels).to(tl.int32)
    else:
        across = (inner + WIDE - 1) // WIDE
        down = (channels + HIGH - 1) // HIGH
        place = (program % across * WIDE) + i % WIDE
        channel = (program // across % down * HIGH) + i // WIDE
        outer = program // across // down
        at = (outer * channels + channel) * inner + place
        return at, (place < inner) & (channel < channels), channel.to(tl.int32)


@triton.jit
def base(x, at, real, channel, channels, inner, scale, k, SIZE: tl.constexpr):
    """d of the values at ``at``; of those that are not real, something."""
    total = tl.zeros(at.shape, tl.float32)
    for j in tl.static_range(SIZE):
        shift = j - SIZE // 2
        there = real & (channel + shift >= 0) & (channel + shift < channels)
        value = tl.load(x + at + shift * inner, mask=there, other=0.0).to(tl.float32)
        total += value * value
    return k + scale * total


@triton.jit
def forward(
    x, y, number, channels, inner, scale, k, beta,
    SIZE: tl.constexpr, HIGH: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    at, real, channel = find(number, channels, inner, HIGH, WIDE)
    d = base(x, at, real, channel, channels, inner, scale, k, SIZE)
    value = tl.load(x + at, mask=real, other=0.0).to(tl.float32)
    result = value * tl.exp2(-beta * tl.log2(d))
    tl.store(y + at, result.to(y.dtype.element_ty), mask=real)


@triton.jit
def backward(
    x, g, out, number, channels, inner, scale, k, beta,
    SIZE: tl.constexpr, HIGH: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    at, real, channel = find(number, channels, inner, HIGH, WIDE)
    d = base(x, at, real, channel, channels, inner, scale, k, SIZE)
    value = tl.load(x + at, mask=real, other=0.0).to(tl.float32)
    first = tl.load(g + at, mask=real, other=0.0).to(tl.float32) * tl.exp2(-beta * tl.log2(d))
    seen = tl.zeros(at.shape, tl.float32)
    for j in tl.static_range(SIZE):
        shift = j - (SIZE - 1) // 2  # who sees a value stands the other way round
        there = real & (channel + shift >= 0) & (channel + shift < channels)
        other = at + shift * inner
        d = base(x, other, there, channel + shift, channels, inner, scale, k, SIZE)
        power = tl.exp2((-beta - 1) * tl.log2(d))
        theirs = tl.load(x + other, mask=there, other=0.0).to(tl.float32)
        theirs *= tl.load(g + other, mask=there, other=0.0).to(tl.float32)
        seen += tl.where(there, theirs * power, 0.0)
    result = first - 2 * beta * scale * value * seen
    tl.store(out + at, result.to(out.dtype.element_ty), mask=real)
