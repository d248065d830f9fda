"""Local response normalisation by ``kernel.c``, on the threads that torch runs on.

Each thread takes one tile after the other, small enough for its caches, so that memory is read once
and written once. Before it is used, it is held to torch's operations on a few small tensors: a
compiler that makes rubbish costs time, and no numbers.
"""

from __future__ import annotations

import ctypes
import math
import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .blocks import laid_alike
from .compiling import NotCompiled, load
from .whole import Terms, whole, whole_gradient

TILE = 2**15
"""Values of each of a tile's buffers, of which there are five. They stay in a processor's second
cache; smaller ones would be read in runs too short to be read ahead."""

WINDOWS = 2**12
"""The same where whole windows lie one after the other, and may stay in the first cache."""

ALONE = 2**15
"""Values that are worth another thread."""

_STORED = {torch.float32: 1, torch.float64: 2, torch.float16: 3, torch.bfloat16: 4}

_PROCESS = os.getpid()


class _Work(ctypes.Structure):
    """``work``, of kernel.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "g", "made")),
        *((name, ctypes.c_int64) for name in ("outer", "axes")),
        ("length", ctypes.c_int64 * 3),
        *((name, ctypes.c_int64) for name in ("inner", "high", "wide", "size")),
        *((name, ctypes.c_double) for name in ("scale", "k", "beta")),
        *((name, ctypes.c_int64) for name in ("next", "failed")),
    )


class Compiled(NamedTuple):
    """The compiled function, or None; and how it was compiled or why it was not, for the user."""

    function: Any
    description: str


@cache  # two threads may both come first; they then find the same
def function(kind: torch.dtype) -> Compiled:
    """``lrn_run`` for tensors of a type."""
    if kind not in _STORED:
        return Compiled(None, f"not for {kind}")
    try:
        library, description = load(Path(__file__).with_name("kernel.c"), f"STORED={_STORED[kind]}")
    except NotCompiled as error:
        return Compiled(None, str(error))
    run: Any = getattr(library, "lrn_run", None)
    if run is None:
        return Compiled(None, "what the compiler made has not the function")
    run.argtypes = (ctypes.POINTER(_Work), ctypes.c_int, ctypes.c_void_p)
    run.restype = ctypes.c_int
    if not _is_right(run, kind):
        return Compiled(None, "what the compiler made does not compute what it should")
    return Compiled(run, description)


def normalised(x: Tensor, terms: Terms) -> Tensor | None:
    """The result, laid out as x is; None where there is nothing compiled for it."""
    run = _usable(x, terms)
    return None if run is None else _run(run, x, None, terms)


def gradient(x: Tensor, gradient: Tensor, terms: Terms) -> Tensor | None:
    """The gradient of x from that of the result; None where there is nothing compiled for it."""
    run = _usable(x, terms)
    if run is None or gradient.dtype != x.dtype or type(gradient) is not Tensor:
        return None
    return _run(run, x, gradient, terms)


def _usable(x: Tensor, terms: Terms) -> Any:
    # what torch makes up for its own tracing has no memory to be read from
    if type(x) not in (Tensor, torch.nn.Parameter) or x.device.type != "cpu":
        return None
    if terms.space and x.dim() > 5:
        return None
    return function(x.dtype).function


def _run(run: Any, x: Tensor, gradient: Tensor | None, terms: Terms) -> Tensor:
    x, result = laid_alike(x.detach().resolve_neg())
    if not x.numel():
        return result
    if gradient is not None:
        gradient = gradient.detach().resolve_neg()
        if gradient.stride() != x.stride() or gradient._is_zerotensor():
            gradient = torch.empty_like(x).copy_(gradient)
    last = not x.is_contiguous()
    if terms.space:
        axes = tuple(x.shape[2:])
        inner = x.shape[1] if last else 1
    else:
        axes = (x.shape[1] // terms.groups,)
        inner = 1 if last else x.numel() // (x.shape[0] * x.shape[1])
    outer = x.numel() // (math.prod(axes) * inner)
    size = min(terms.size, 2 * max(axes) - 1)  # farther than that there is nobody
    padded = math.prod(length + size - 1 for length in axes)
    most = WINDOWS if inner == 1 else TILE
    wide = _part(inner, max(16, most // padded))
    high = _part(outer, most // (padded * wide))
    work = _Work(
        x.data_ptr(),
        None if gradient is None else gradient.data_ptr(),
        result.data_ptr(),
        outer,
        len(axes),
        (ctypes.c_int64 * 3)(*axes),
        inner,
        high,
        wide,
        size,
        terms.scale(x.dim()),
        terms.k,
        terms.beta,
    )
    tiles = -(-outer // high) * -(-inner // wide)
    threads = max(1, min(torch.get_num_threads(), tiles, x.numel() // ALONE))
    if run(ctypes.byref(work), threads, _together()):  # without Python's lock
        raise MemoryError("no memory for the buffers of local response normalisation")
    return result


def _part(whole: int, most: int) -> int:
    """At most ``most``, or of 16 values where that divides nothing, so that parts are alike."""
    parts = -(-whole // max(1, most))
    part = -(-whole // parts)
    return min(whole, -(-part // 16) * 16) if part > 16 else part


def _together() -> int | None:
    """Where torch's OpenMP starts its threads; None where it has none, or they have been lost.

    A process that was forked has not its parent's threads, and OpenMP would wait for them.
    """
    return _openmp() if os.getpid() == _PROCESS else None


@cache
def _openmp() -> int | None:
    folder = Path(torch.__file__).parent / "lib"
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib"):
        try:
            # what torch is linked to is found through it: another OpenMP would fight with it
            library = ctypes.CDLL(str(folder / name), mode=os.RTLD_NOLOAD)
            return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None


def _is_right(run: Any, kind: torch.dtype) -> bool:
    """Whether it computes what torch's operations do, on a few tensors that are cut and padded."""
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        for across, shape in ((False, (2, 6, 5, 7)), (True, (2, 3, 6, 5))):
            x = torch.arange(math.prod(shape), dtype=torch.double, device="cpu")
            x = (x * 0.7).sin().mul_(3).reshape(shape).to(kind)
            g = x.flip(0).contiguous()
            for laid in (torch.contiguous_format, torch.channels_last):
                for size, beta in ((5, 0.75), (4, 0.6)):
                    terms = Terms(size, 0.7, beta, 1.5, 1 if across else 2, across)
                    mine = x.contiguous(memory_format=laid)
                    wide, narrow = x.double(), torch.finfo(kind).eps
                    pairs = (
                        (_run(run, mine, None, terms), whole(wide, terms)),
                        (_run(run, mine, g, terms), whole_gradient(wide, g.double(), terms)),
                    )
                    for ours, best in pairs:
                        if not torch.allclose(
                            ours.double(), best, rtol=64 * narrow, atol=16 * narrow
                        ):
                            return False
    return True
