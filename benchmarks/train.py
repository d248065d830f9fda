"""What training costs: python benchmarks/train.py [PAIRS [BATCH]]

On the processor, ratios in one run: AlexNet as it was (response normalisation, groups, overlapping
pooling) beside the same net without normalisation, and with torch's; the loader beside what
training takes in; what ``build`` makes of alexnet-torchvision beside torchvision's own module.
Steps are whole ones: forward, loss, backward, update. Of each kind one is taken in turn, so that a
busy machine slows all; of the rounds' ratios the median counts.

On a GPU, where there is one: images a second of forward and backward in bfloat16 at batches of 128
to 1024, with the share of what a large matrix product reaches there, and the loader's images a
second, apart. Nothing here is a test; docs/training.md says what was measured.
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import nettally
from nettally.data.augment import Scaling, augment, draw, noise
from nettally.data.packed import Loader, Split
from nettally.training.allocator import keep_freed_memory
from nettally.training.dry_run import matrix_peak
from nettally.training.recipe import PAPER, initialise, optimizer_of, set_rates
from nettally.training.seeded_random import generator_of, network_of_scores, with_dropout

if TYPE_CHECKING:
    from collections.abc import Callable

    from nettally.network import Network

ROUNDS, BATCH = 7, 64
WITHOUT, TORCHS, LOADER, OWN = 0.90, 1.5, 10.0, 0.98


def without_normalisation(network: Network) -> Network:
    """The same net with its response normalisation left out."""
    passed = {n.name: n.inputs[0] for n in network.nodes if n.layer.kind == "lrn"}

    def source(name: str) -> str:
        while name in passed:
            name = passed[name]
        return name

    nodes = [
        node.replace(inputs=tuple(map(source, node.inputs)))
        for node in network.nodes
        if node.name not in passed
    ]
    return network.replace(nodes=tuple(nodes))


class Torchs(nn.Module):
    """torch's LocalResponseNorm on each group; across space, by torch's pooling."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        self.terms = ours.size, ours.alpha, ours.beta, ours.k
        self.groups, self.space = ours.groups, ours.across == "space"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, alpha, beta, k = self.terms
        if self.space:
            mean = functional.avg_pool2d(x * x, size, 1, size // 2)
            return x * (k + alpha * mean) ** -beta
        parts = [functional.local_response_norm(p, *self.terms) for p in x.chunk(self.groups, 1)]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def stepper(
    module: nn.Module, x: torch.Tensor, y: torch.Tensor, update: bool = True
) -> Callable[[], None]:
    """One step of a module; the modules' optimizers are the recipe's."""
    module.train()
    optimizer = optimizer_of(module, PAPER)
    set_rates(optimizer, PAPER.replace(rate=1e-6), 0, 0)

    def step() -> None:
        loss = functional.cross_entropy(module(x), y)
        loss.backward()
        if update:
            optimizer.step()
        optimizer.zero_grad()

    return step


def made(network: Network, torchs: bool = False) -> nn.Module:
    module = nettally.build(network_of_scores(network))
    initialise(module, PAPER, generator_of(0))
    with_dropout(module, "2012")
    if torchs:
        for node in module.network.nodes:
            if node.layer.kind == "lrn":
                setattr(module, module.names[node.name], Torchs(module.module_of(node.name)))
    return module


def rounds(steps: dict[str, Callable[[], None]], count: int) -> dict[str, list[float]]:
    """Seconds of each step in each round, after one to warm up."""
    for step in steps.values():
        step()
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(count):
        for name, step in steps.items():
            begun = perf_counter()
            step()
            took[name].append(perf_counter() - begun)
    return took


def ratio(took: dict[str, list[float]], over: str, under: str) -> float:
    """How many times as fast ``over`` is."""
    return median(b / a for a, b in zip(took[over], took[under], strict=True))


def verdict(what: str, value: float, target: float) -> bool:
    met = value >= target
    print(f"{what:<58}{value:>8.3g} x  of {target:>5g}  {'met' if met else 'MISSED'}")
    return met


def on_processor(count: int, batch: int) -> bool:
    network = nettally.read("alexnet")
    y = torch.arange(batch) % 1000
    ok = True
    best = 0.0
    for laid in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(batch, 3, 224, 224).to(memory_format=laid)
        nets = {
            "ours": made(network),
            "without": made(without_normalisation(network)),
            "torch's": made(network, torchs=True),
        }
        for net in nets.values():
            net.to(memory_format=laid)
        took = rounds({name: stepper(net, x, y) for name, net in nets.items()}, count)
        name = str(laid).removeprefix("torch.").replace("_", " ")
        print(f"\nalexnet, batch {batch}, {name}")
        for each, seconds in took.items():
            print(f"  {each:<10}{batch / median(seconds):>8.1f} images/s")
        best = max(best, batch / median(took["ours"]))
        ok &= verdict(
            "  with our normalisation, to without any", ratio(took, "ours", "without"), WITHOUT
        )
        ok &= verdict(
            "  with our normalisation, to torch's", ratio(took, "ours", "torch's"), TORCHS
        )
        del nets, took
    print()
    ok &= verdict("the loader with augmentation, to training", loading("cpu") / best, LOADER)
    ok &= beside_torchvision(count, batch)
    return ok


def loading(device: str, images: int = 1024, batch: int = 128) -> float:
    """Images a second of the loader, with crop, reflection, mean and noise, of 256x256 packed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.u8"
        np.random.default_rng(0).integers(0, 256, images * 256 * 256 * 3, np.uint8).tofile(path)
        mapped = torch.from_file(
            str(path), shared=False, size=images * 256 * 256 * 3, dtype=torch.uint8
        ).view(-1, 256, 256, 3)
        split = Split("train", torch.zeros(images, dtype=torch.long), [mapped])
        covariance = torch.eye(3, dtype=torch.double) * 4000 + 2000
        chosen, scaling = noise("paper", covariance), Scaling(torch.full((256, 256, 3), 120.0), 1.0)
        best = 0.0
        for seed in range(3):
            order = torch.randperm(images, generator=generator_of(seed))
            begun = perf_counter()
            for pixels, _ in Loader(split, order, batch, device=device):
                drawn = draw(generator_of(seed), len(pixels), room=(32, 32), mirror=True)
                augment(pixels, drawn, (224, 224), scaling, chosen)
            if device == "cuda":
                torch.cuda.synchronize()
            best = max(best, images / (perf_counter() - begun))
    print(f"  {'loader':<10}{best:>8.1f} images/s, 256x256 to 224x224, the paper's noise")
    return best


def torchvisions() -> nn.Module | None:
    """torchvision's AlexNet; None where torchvision is not there."""
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
    try:
        from torchvision.models import alexnet
    except ImportError:
        return None
    return alexnet(weights=None)


def beside_torchvision(count: int, batch: int) -> bool:
    theirs = torchvisions()
    if theirs is None:
        print("torchvision is not installed: its module was not measured")
        return True
    x, y = torch.randn(batch, 3, 224, 224), torch.arange(batch) % 1000
    ours = nettally.build(nettally.read("alexnet-torchvision"))
    # without the update, which is the same, and would hide a difference
    steps = {"ours": stepper(ours, x, y, False), "theirs": stepper(theirs, x, y, False)}
    took = rounds(steps, 2 * count)
    return verdict(
        "build's alexnet-torchvision, to torchvision's module", ratio(took, "ours", "theirs"), OWN
    )


def on_gpu() -> None:
    print(f"\n{torch.cuda.get_device_name()}, bfloat16, channels last")
    peak = matrix_peak(torch.device("cuda"), "bf16-mixed")
    macs = int(nettally.tally(nettally.read("alexnet")).macs)
    module = made(nettally.read("alexnet")).cuda().to(memory_format=torch.channels_last)
    for batch in (128, 256, 512, 1024):
        x = torch.randn(batch, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)
        y = torch.arange(batch, device="cuda") % 1000

        def step(x: torch.Tensor = x, y: torch.Tensor = y) -> None:
            with torch.autocast("cuda", torch.bfloat16):
                loss = functional.cross_entropy(module(x), y)
            loss.backward()

        for _ in range(5):
            step()
        torch.cuda.synchronize()
        begun = perf_counter()
        for _ in range(20):
            step()
        torch.cuda.synchronize()
        speed = 20 * batch / (perf_counter() - begun)
        share = 100 * 3 * macs * speed / peak
        print(f"  batch {batch:<6}{speed:>10,.0f} images/s  {share:.0f} % of the peak")
    loading("cuda")


def main() -> int:
    given = [int(word) for word in sys.argv[1:]]
    count, batch = (*given, *(ROUNDS, BATCH)[len(given) :])
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{count} rounds"
    )
    keep_freed_memory()  # as nettally train does
    ok = on_processor(count, batch)
    if torch.cuda.is_available():
        on_gpu()
    else:
        print("no GPU is here: nothing was measured on one")
    return int(not ok)


if __name__ == "__main__":
    sys.exit(main())
