"""Loader and augmentation, images a second: python benchmarks/data.py [SECONDS [THREADS]]

Made-up packed data of two sizes: photographs of 256 x 256 in RGB in shards, of which crops of 224
are taken, and 28 x 28 in grey. Every row is measured SECONDS long (2), the rows of a size one after
the other and three times over; the median counts. The floor is a copy of the same crops out of the
mapped files into floats that are there already, image by image: one pass, nothing subtracted, no
memory asked for. On a GPU the same is measured where there is one.
Nothing here is a test; docs/data.md says what was measured.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch

from nettally.data.augment import Noise, Scaling, augment, draw, noise
from nettally.data.packed import Loader, Packed, open_packed
from nettally.data.packing.pack import Options, pack
from nettally.data.packing.source import Arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 3
# AlexNet in training consumes 22 to 29 images/s on two cores; the loader should give ten times that
TARGET = 290


def made(folder: str, name: str, shape: tuple[int, int, int], count: int) -> Packed:
    """Packed data of random bytes."""
    images = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
    labels = np.arange(count) % 10
    source = Arrays(
        "/nowhere", name, tuple("0123456789"), *shape,
        {"train": lambda: (images, labels)}, {"train": count}, name, True,
    )  # fmt: skip
    out = os.path.join(folder, name)
    pack(source, out, Options())
    return open_packed(out)


def epochs(data: Packed, batch: int, device: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches without an end."""
    split = data.splits["train"]
    generator = torch.Generator().manual_seed(0)
    while True:
        yield from Loader(
            split, torch.randperm(len(split), generator=generator), batch, device=device
        )


def rate(step: Callable[[], int], seconds: float, device: str) -> float:
    """Images a second."""
    step()
    begun, images = perf_counter(), 0
    while True:
        images += step()
        if perf_counter() - begun >= seconds:
            if device != "cpu":
                torch.cuda.synchronize()
            return images / (perf_counter() - begun)


def rows(data: Packed, crop: int, batch: int, device: str) -> dict[str, Callable[[], int]]:
    """What is measured, by name."""
    split = data.splits["train"]
    room = data.height - crop, data.width - crop
    generator = torch.Generator().manual_seed(0)
    scaling = Scaling(data.mean.to(device))
    draws = draw(generator, batch, room=room, mirror=True)
    order = torch.randperm(len(split), generator=generator)[:batch]
    held = split.images(order).to(device)
    floats = torch.empty(batch, crop, crop, data.channels, device=device)
    mapped = [image for shard in split._shards for image in shard]

    def crops(of: Noise | None, last: bool = True) -> int:
        augment(held, draws, (crop, crop), scaling, of, channels_last=last)
        return batch

    def floor() -> int:
        for into, i in zip(floats, order.tolist(), strict=True):
            into.copy_(mapped[i][:crop, :crop])
        return batch

    batches = epochs(data, batch, device)
    alone = epochs(data, batch, device)

    def loaded() -> int:
        return len(next(alone)[0])

    def both() -> int:
        images, _ = next(batches)
        now = draw(generator, len(images), room=room, mirror=True)
        augment(images, now, (crop, crop), scaling, of, channels_last=True)
        return len(images)

    of = noise("paper", data.covariance)
    found: dict[str, Callable[[], int]] = {}
    if device == "cpu":
        found["the floor: bytes copied, made floats"] = floor
    found["loader alone"] = loaded
    found["augment alone"] = lambda: crops(None)
    found["augment alone, colour noise"] = lambda: crops(of)
    found["augment alone, colour noise, not channels-last"] = lambda: crops(of, False)
    found["loader and augment, colour noise"] = both
    return found


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}")
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    if len(devices) == 1:
        print("no GPU here: nothing is measured on one")
    with tempfile.TemporaryDirectory() as folder:
        for name, shape, crop, batch, count in (
            ("photographs", (256, 256, 3), 224, 128, 3000),
            ("grey", (28, 28, 1), 28, 128, 60_000),
        ):
            data = made(folder, name, shape, count)
            for device in devices:
                size = "x".join(map(str, shape))
                print(f"\n{name} {size}, crops of {crop}, batch {batch}, {device}")
                asked = rows(data, crop, batch, device)
                found: dict[str, list[float]] = {each: [] for each in asked}
                for _ in range(ROUNDS):
                    for each, step in asked.items():
                        found[each].append(rate(step, seconds, device))
                for each, rates in found.items():
                    per_core = median(rates) / threads if device == "cpu" else 0
                    said = f"  ({per_core:,.0f} a thread)" if per_core else ""
                    print(f"  {each:<48}{median(rates):>12,.0f} images/s{said}")
                whole = median(found["loader and augment, colour noise"])
                if crop == 224 and device == "cpu":
                    print(f"  ten times what training consumes is {TARGET}: x {whole / TARGET:.1f}")


if __name__ == "__main__":
    main()
