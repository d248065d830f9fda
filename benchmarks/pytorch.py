"""How long a full table of a PyTorch module takes: ours, beside the tools that people use for it.

Run as ``.venv/bin/python benchmarks/pytorch.py``, or with the names of some models, for the first
table alone. Each figure is the fastest of several runs in one process that has read the model
before, so that nothing but the counting is compared. Ratios of one run are what counts: machines
differ.

- table: ``str(nettally.summary(model, size, verbose=0))``: reading, counting, memory, the text.
- meta counter: torch's own FlopCounterMode, without gradients, on a copy of the module whose
  tensors have no values. It gives one number, and nothing that a user could do is faster. The copy
  is made beforehand. Its runs and ours take turns.
- torchinfo, thop, ptflops, calflops, counter: what their users call, on the real module.
- a Sequential of 5,000 layers: the time a layer, for 1,250, 2,500 and 5,000 layers.
- cold: a whole process that tallies torchvision's ResNet-50, and one that imports torch and
  torchvision and builds the same model, and nothing more.
"""

from __future__ import annotations

import contextlib
import copy
import io
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import torch

import nettally
import torch_models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODELS = {
    "alexnet": 224, "vgg16": 224, "resnet50": 224, "resnet152": 224, "efficientnet_b0": 224,
    "convnext_base": 224, "vit_b_16": 224,
}  # fmt: skip

SHIM = """
import torch, contextlib
try:
    import torchvision
except RuntimeError:
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            torch.library.define(
                "torchvision::" + name,
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
"""
BUILD = f"{SHIM}\nfrom torchvision import models\nmodels.get_model('resnet50', weights=None)\n"
TALLY = f"{SHIM}\nimport sys\nsys.argv = ['nettally', 'tally', 'torchvision:resnet50']\n"
TALLY += "from nettally.cli import main\nmain()\n"


def fastest(action: Callable[[], Any], seconds: float = 2.0, most: int = 30) -> float:
    """The least of several runs, in ms; as many as fit."""
    action()
    best, spent, times = float("inf"), 0.0, 0
    while times < 3 or (spent < seconds and times < most):
        start = time.perf_counter()
        action()
        took = time.perf_counter() - start
        best, spent, times = min(best, took), spent + took, times + 1
    return best * 1e3


def in_turns(*actions: Callable[[], Any], runs: int = 15) -> list[float]:
    """The least of each action's runs, in ms; they take turns, so that a busy moment meets all."""
    least = [float("inf")] * len(actions)
    for action in actions:
        action()
    for _ in range(runs):
        for i, action in enumerate(actions):
            start = time.perf_counter()
            action()
            least[i] = min(least[i], time.perf_counter() - start)
    return [seconds * 1e3 for seconds in least]


def flops_of(model: torch.nn.Module, x: torch.Tensor) -> Callable[[], int]:
    """What torch's own counter says of the model on this input."""
    from torch.utils.flop_counter import FlopCounterMode

    def count() -> int:
        with torch.no_grad(), FlopCounterMode(display=False) as mode:
            model(x)
        return mode.get_total_flops()

    return count


def peers(model: torch.nn.Module, size: int) -> dict[str, Callable[[], Any]]:
    """What users of the other tools call. Those that are not installed are left out."""
    shape = (1, 3, size, size)
    x = torch.rand(shape)
    found: dict[str, Callable[[], Any]] = {}
    with contextlib.suppress(ImportError):
        import torchinfo

        found["torchinfo"] = lambda: str(torchinfo.summary(model, shape, verbose=0, device="cpu"))
    with contextlib.suppress(ImportError):
        import thop

        found["thop"] = lambda: thop.profile(model, inputs=(x,), verbose=False)
    with contextlib.suppress(ImportError):
        import ptflops

        found["ptflops"] = lambda: ptflops.get_model_complexity_info(
            model, shape[1:], as_strings=False, print_per_layer_stat=False
        )
    with contextlib.suppress(ImportError):
        import calflops

        found["calflops"] = lambda: calflops.calculate_flops(
            model, shape, print_results=False, print_detailed=False
        )

    found["counter"] = flops_of(model, x)
    return found


def table(names: Sequence[str]) -> None:
    print(f"{'model':<16}{'table':>9}", end="")
    print(f"{'meta counter':>15}{'times':>8}{'fastest other':>22}{'times':>8}")
    for name in names:
        size = MODELS[name]
        model = torch_models.build("torchvision", name)
        on_meta = flops_of(
            copy.deepcopy(model).to("meta"), torch.empty(1, 3, size, size, device="meta")
        )
        ours, meta = in_turns(
            lambda m=model, s=size: str(nettally.summary(m, (1, 3, s, s), verbose=0)), on_meta
        )
        others: dict[str, float] = {}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for tool, action in peers(model, size).items():
                with contextlib.suppress(Exception):
                    others[tool] = fastest(action)
        tool = min(others, key=lambda each: others[each])
        theirs = others[tool]
        print(
            f"{name:<16}{ours:>6.2f} ms{meta:>12.2f} ms{meta / ours:>7.1f}x"
            f"{theirs:>9.1f} ms {tool:<10}{theirs / ours:>7.1f}x",
            flush=True,
        )


def long() -> None:
    print("\nSequential of n layers: us a layer")
    for n in (1250, 2500, 5000):
        layers = [torch.nn.Linear(8, 8) if i % 2 else torch.nn.ReLU() for i in range(n)]
        model = torch.nn.Sequential(*layers)
        took = fastest(lambda m=model: str(nettally.summary(m, (1, 8), verbose=0)))
        print(f"{n:>6} {took * 1e3 / n:7.1f}")


def cold() -> None:
    times: dict[str, list[float]] = {"build": [], "tally": []}
    for _ in range(5):
        for name, code in (("build", BUILD), ("tally", TALLY)):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            times[name].append(time.perf_counter() - start)
    build, tally = (sorted(times[name])[2] for name in ("build", "tally"))
    print(f"\ncold: import and build {build:.2f} s, tally {tally:.2f} s: {tally / build:.2f}x")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch_models.torchvision_ready()
    if named := sys.argv[1:]:
        table(named)
    else:
        table(list(MODELS))
        long()
        cold()
