"""What the tests of training share: a small net, made-up data, and the command as a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nettally.data.packed import Packed, Split
from nettally.formats import Source, native
from nettally.network import Network

DECLARE = """
import contextlib
import torch
for name in ("nms", "qnms"):
    with contextlib.suppress(RuntimeError):
        torch.library.define(
            f"torchvision::{name}",
            "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        )
"""
"""torchmetrics imports torchvision, which beside this build of torch needs these two declared."""

MAIN = f"{DECLARE}\nfrom nettally.cli import main\nmain()\n"


def declare() -> None:
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


SMALL = """
nettally: 1
name: small
input: 1x8x8
layers:
  - conv1: conv 8, 3x3, padding 1
  - relu1: relu
  - pool1: max_pool 2x2
  - fc2: linear 16
  - relu2: relu
  - drop2: dropout 0.5
  - fc3: linear 10
  - prob: softmax
"""


def net(text: str = SMALL) -> Network:
    return native.read(Source("small.yaml", text.encode()))


def packed(
    images: int = 64,
    held_out: int = 16,
    *,
    size: tuple[int, int, int] = (8, 8, 1),
    classes: int = 10,
    mirror: bool = True,
    seed: int = 0,
) -> Packed:
    """Images of noise around a pattern for each class: what can be learnt, and not at once."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.rand(classes, *size, generator=generator)

    def made(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(classes, (count,), generator=generator)
        noise = torch.rand(count, *size, generator=generator)
        return labels, ((patterns[labels] * 0.6 + noise * 0.4) * 255).to(torch.uint8)

    splits: dict[str, Split] = {}
    for name, count in (("train", images), ("test", held_out)):
        if count:
            labels, pixels = made(count)
            splits[name] = Split(name, labels, [pixels])
    learnt: Any = splits["train"].images(torch.arange(images)).double()
    flat = learnt.reshape(-1, size[2])
    return Packed(
        "",
        "made up",
        *size,
        tuple(f"class {i}" for i in range(classes)),
        mirror,
        learnt.mean(0).float(),
        flat.mean(0),
        flat.T.cov().reshape(size[2], size[2]),
        splits,
        f"made up {seed}",
    )


def command(*arguments: str, prelude: str = "", **environment: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", prelude + MAIN, *arguments]


def run(
    *arguments: str, cwd: Path, prelude: str = "", timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command ``nettally`` in a process of its own, on one thread."""
    return subprocess.run(
        command(*arguments, prelude=prelude),
        cwd=cwd,
        env=surroundings(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def surroundings(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80", **more}


def tensors(path: Path) -> dict[str, Tensor]:
    from nettally.training.checkpoint import read_checkpoint

    return read_checkpoint(str(path)).part("")


def same(a: Path, b: Path) -> list[str]:
    """Names of tensors that are not the same in two checkpoints, to the bit."""
    first, second = tensors(a), tensors(b)
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]
