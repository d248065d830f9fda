"""Local response normalisation beside torch's own: python benchmarks/lrn.py [PAIRS [BATCH]]

Forward and backward on 96 maps of 55x55 in float32, AlexNet's first, batch 64. Each pair is ours
and torch's one after the other, so that a busy machine slows both; of the pairs' ratios the median
counts. Ours is measured as it comes (compiled, where there is a C compiler), and without it.

The floor is what moving the same values takes, in the same pairs: a copy into a fresh tensor for
the forward, a product of two into one for the backward. Both results are asked for in large pages,
as ours are. Across space torch has none; its average pooling makes one here.

What a program asks of the system for memory is in all times, and is half of torch's: run with
THP_MEM_ALLOC_ENABLE=1 it is less for both. On a GPU the same is measured where there is one.
Nothing here is a test; docs/build.md says what was measured.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch
from torch import Tensor
from torch.nn import functional

from nettally.building.response_normalization import compiled, how_it_runs, local_response_norm
from nettally.building.response_normalization.blocks import laid_alike

PAIRS, BATCH = 7, 64
TARGET = 10
FIELDS = (5, 1e-4, 0.75, 2.0)

Normalise = Callable[[Tensor], Tensor]


def ours(x: Tensor) -> Tensor:
    return local_response_norm(x, *FIELDS)


def theirs(x: Tensor) -> Tensor:
    return functional.local_response_norm(x, *FIELDS)


def ours_in_groups(x: Tensor) -> Tensor:
    return local_response_norm(x, *FIELDS, groups=2)


def theirs_in_groups(x: Tensor) -> Tensor:
    """torch's, of which each group is a call."""
    return torch.cat([theirs(part) for part in x.chunk(2, 1)], 1)


def ours_across_space(x: Tensor) -> Tensor:
    return local_response_norm(x, 5, 1e-3, across="space")


def theirs_across_space(x: Tensor) -> Tensor:
    return x / (1 + 1e-3 * functional.avg_pool2d(x * x, 5, 1, 2)).pow(0.75)


Case = tuple[Normalise, Normalise, torch.memory_format, tuple[int, ...]]

FIRST, LAST = torch.contiguous_format, torch.channels_last
CASES: dict[str, Case] = {
    "contiguous": (ours, theirs, FIRST, (96, 55, 55)),
    "channels last": (ours, theirs, LAST, (96, 55, 55)),
    "two groups": (ours_in_groups, theirs_in_groups, FIRST, (96, 55, 55)),
    "across space": (ours_across_space, theirs_across_space, FIRST, (256, 27, 27)),
}
COUNTED = ("contiguous", "channels last", "two groups")  # to which the target applies


def seconds(normalise: Normalise, x: Tensor, g: Tensor) -> tuple[float, float]:
    """Of the forward, and of the backward."""
    x.grad = None
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    wait()
    begun = perf_counter()
    y = normalise(x)
    wait()
    middle = perf_counter()
    y.backward(g)
    wait()
    return middle - begun, perf_counter() - middle


def floor(x: Tensor, g: Tensor) -> float:
    """Seconds to move what forward and backward must: 2 and 3 tensors."""
    begun = perf_counter()
    y = laid_alike(x.detach())[1].copy_(x.detach())
    made = laid_alike(y)[1]
    torch.mul(y, g, out=made)
    return perf_counter() - begun


def case(name: str, pairs: int, batch: int, device: str) -> float:
    """Print the line of a case; the median of its pairs' ratios."""
    mine, other, laid, shape = CASES[name]
    x = torch.randn(batch, *shape, device=device).to(memory_format=laid).requires_grad_()
    g = torch.randn_like(x)
    seconds(mine, x, g)
    seconds(other, x, g)
    took = [(seconds(mine, x, g), seconds(other, x, g), floor(x, g)) for _ in range(pairs)]
    ratio = median(sum(b) / sum(a) for a, b, _ in took)
    above = median(sum(a) / c for a, _, c in took)
    forward, backward = (median(a[i] for a, _, _ in took) * 1e3 for i in (0, 1))
    whole = median(sum(b) for _, b, _ in took) * 1e3
    print(
        f"{name:<14}{forward + backward:>9.1f} ms = {forward:>5.1f} +{backward:>6.1f}"
        f"{whole:>10.1f} ms{ratio:>9.1f}x" + (f"{above:>14.1f}x" if device == "cpu" else "")
    )
    return ratio


def table(device: str, pairs: int, batch: int, how: str) -> float:
    """Print a table; the least ratio in it of those that count."""
    last = f"{'of the floor':>15}" if device == "cpu" else ""
    print(f"\n{how}\n{'':14}{'ours = forward + backward':>28}{'torch':>11}{'ratio':>12}{last}")
    ratios = {name: case(name, pairs, batch, device) for name in CASES}
    return min(ratios[name] for name in COUNTED)


def main() -> int:
    given = [int(word) for word in sys.argv[1:]]
    pairs, batch = (*given, *(PAIRS, BATCH)[len(given) :])
    said = ", THP_MEM_ALLOC_ENABLE" if os.environ.get("THP_MEM_ALLOC_ENABLE") else ""
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"batch {batch}, {pairs} pairs{said}"
    )
    worst = None
    if compiled.function(torch.float32).function is not None:
        worst = table("cpu", pairs, batch, how_it_runs())
        missing = compiled.Compiled(None, "not wanted")
        compiled.function = lambda _: missing  # as where there is no compiler
    plain = table("cpu", max(1, pairs // 2), batch, "by torch's operations, in blocks")
    if torch.cuda.is_available():
        table("cuda", pairs, batch, f"{torch.cuda.get_device_name()}, {how_it_runs(device='cuda')}")
    else:
        print("\nno GPU is here: nothing was measured on one")
    worst = plain if worst is None else worst
    print(f"target {TARGET}x on the processor: {'met' if worst >= TARGET else 'MISSED'}")
    return int(worst < TARGET)


if __name__ == "__main__":
    sys.exit(main())
