"""A few steps on made-up images: what the memory and the time of a training are, measured."""

from __future__ import annotations

import os
import sys
import tempfile
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..counting.tally import tally
from ..data.packed import Loader, Packed, Split
from ..errors import NettallyError
from .run import sizes_of
from .seeded_random import generator_of, network_of_scores

if TYPE_CHECKING:
    from ..network import Network
    from .recipe import Recipe
    from .settings import Settings

WARM, MEASURED = 2, 5
"""Steps before the clock is started, and steps that are timed."""


class Measured(NamedTuple):
    """What some steps took. grown: bytes that the process, or the GPU's allocator, took at most,
    more than before the network was built. seconds: a step. waiting: the share of it spent waiting
    for data. peak: multiply-accumulates a second that a product of large matrices reached here.
    """  # noqa: D205 - the fields are the summary

    device: str
    grown: int
    seconds: float
    waiting: float
    peak: float


def measure(network: Network, recipe: Recipe, settings: Settings) -> Measured:
    """Train a few steps on noise, in a folder that is then taken away. Raises NettallyError."""
    from . import loop

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise NettallyError("a dry run is of one process", hint="leave torchrun away")
    packed = made_up(network, 2 * recipe.batch)
    with tempfile.TemporaryDirectory(prefix="nettally-dry-") as folder:
        path = os.path.join(folder, "run")
        clock = _Clock(loop, network, packed, path, recipe.replace(epochs=1), settings)
        clock.go()
    peak = matrix_peak(clock.device, settings.precision)
    return Measured(str(clock.device), clock.grown, clock.seconds, clock.waiting, peak)


class _Clock:
    """Runs the loop's own steps, and measures them."""

    def __init__(self, loop: Any, network: Any, packed: Any, path: str, *more: Any) -> None:
        recipe, settings = more
        loop.check_fit(network, packed)
        self.fabric = loop.fabric_of(settings)
        self.device = self.fabric.device
        run = loop.begin(path, network, recipe, packed, settings.seed, settings.fields())
        self.before = self._memory(begin=True)
        self.training = loop._Training(self.fabric, run, packed, settings, None)
        self.seconds = self.waiting = 0.0
        self.grown = 0

    def go(self) -> None:
        """Some steps to warm up, then those that count."""
        training = self.training
        order = torch.arange((WARM + MEASURED) * training.partition.local) % len(training.split)
        loader = Loader(training.split, order, training.partition.local, device=self.device)
        begun = waited = 0.0
        for at, (images, labels) in enumerate(loader):
            if at == WARM:
                self._wait()
                begun, waited = perf_counter(), loader.waited
            training.learner.update(images, labels, 0, at % 2, 0, stop=False)
        self._wait()
        took = perf_counter() - begun
        self.seconds = took / MEASURED
        self.waiting = (loader.waited - waited) / took
        self.grown = self._memory() - self.before

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _memory(self, *, begin: bool = False) -> int:
        """Bytes at most so far, of the GPU's allocator or of the process."""
        if self.device.type == "cuda":
            if begin:
                torch.cuda.reset_peak_memory_stats()
            return int(torch.cuda.max_memory_allocated())
        import resource

        if begin:
            return _resident()
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident() -> int:
    """Bytes of this process that are in memory now; where that can't be told, at most so far."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def matrix_peak(device: torch.device, precision: str = "32-true") -> float:
    """Multiply-accumulates a second of a product of large matrices here, the best of some."""
    kind = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}.get(
        precision.partition("-")[0], torch.float32
    )
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        begun = perf_counter()
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, perf_counter() - begun)
    return side**3 / best


def made_up(network: Network, images: int) -> Packed:
    """Noise as packed data, in memory: of the network's size, and as many classes as it tells."""
    channels, (height, width) = sizes_of(network)
    scores = network_of_scores(network)
    shapes = {row.name: row.shape for row in tally(scores).rows}
    shape = shapes[scores.outputs[-1]]
    assert shape is not None
    classes = int(shape[1])
    generator = generator_of("noise")
    pixels = torch.randint(
        256, (images, height, width, channels), dtype=torch.uint8, generator=generator
    )
    labels = torch.randint(classes, (images,), generator=generator)
    flat = pixels.view(-1, channels).double()
    return Packed(
        "",
        "noise",
        height,
        width,
        channels,
        tuple(map(str, range(classes))),
        True,
        pixels.float().mean(0),
        flat.mean(0),
        flat.T.cov().view(channels, channels),
        {"train": Split("train", labels, [pixels])},
        "noise",
    )
