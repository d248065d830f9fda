"""A layer's bias additions and pooled values against the operations that torch carries out.

The module that ``building`` makes of a layer runs without values, and each of torch's own
operations (aten) is looked at: which tensors it adds, how large the windows are that it slides.
Multiply-accumulates are held to torch's counter in test_layers_torch.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given, settings

pytest.importorskip("torch")
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nettally.building.layers import torch_module
from nettally.layers import layer_class
from nettally.network import Work
from strategies import CASES, Case

ADDS = ("convolution", "addmm", "baddbmm", "add", "add_", "native_batch_norm")
"""Operations that add a bias among their arguments to each value that they give."""

WEIGHTED = [kind for kind in CASES if layer_class(kind).weighted]
POOLS = [kind for kind in CASES if kind.endswith("pool") or kind == "subsample"]


class Operations(TorchDispatchMode):
    """Counts, while it is on, the values that biases are added to and those that windows take."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.biases = {
            parameter.untyped_storage()._cdata
            for name, parameter in module.named_parameters()
            if "bias" in name.rpartition(".")[2]
        }
        self.bias_adds = 0
        self.pooled = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        assert "rnn" not in name, "a fused kernel, which shows no additions"
        first: Tensor = out[0] if isinstance(out, tuple) else out
        if self._rows(
            name, args
        ):  # rows of a table of biases are biases, and so is a table of them
            self.biases.add(out.untyped_storage()._cdata)
        if name in ADDS:
            self.bias_adds += first.numel() * any(map(self._is_bias, args))
        elif name.startswith(("avg_pool", "max_pool")):
            self.pooled += first.numel() * prod(args[1])
        elif "adaptive" in name:
            self.pooled += sum(_windows(args[0].shape, first.shape))
        elif name in ("mean", "amax") or (name == "sum" and not self.pooled):
            self.pooled += args[0].numel()  # a later sum is that of the divisors, or of chances
        return out

    def _rows(self, name: str, args: Any) -> bool:
        """Whether biases are taken out of a table of them, or put together as one."""
        if name == "index":
            return self._is_bias(args[0])
        return name in ("stack", "cat") and all(map(self._is_bias, args[0]))

    def _is_bias(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.untyped_storage()._cdata in self.biases


def _windows(x: Any, y: Any) -> list[int]:
    """How many values each window of an adaptive pool takes in, one after the other."""
    sizes = [1] * prod(x[:2])
    for full, out in zip(x[2:], y[2:], strict=True):
        ends = [(i * full // out, -(-(i + 1) * full // out)) for i in range(out)]
        sizes = [size * (last - first) for size in sizes for first, last in ends]
    return sizes


def run(case: Case) -> tuple[Work, Operations]:
    ours, xs = case
    with torch.device("meta"):
        module = torch_module(ours, xs).eval()
        with torch.no_grad(), Operations(module) as counted:
            module(*map(torch.empty, xs))
    return ours.work(xs, ours.shape(xs)), counted


@pytest.mark.parametrize("kind", WEIGHTED)
def test_biases_are_added_as_often_as_torch_adds_them(kind: str) -> None:
    @settings(max_examples=25)
    @given(CASES[kind])
    def check(case: Case) -> None:
        work, counted = run(case)
        assert work.bias_adds == counted.bias_adds

    check()


@pytest.mark.parametrize("kind", POOLS)
def test_windows_take_in_as_many_values_as_torchs(kind: str) -> None:
    @settings(max_examples=25)
    @given(CASES[kind])
    def check(case: Case) -> None:
        work, counted = run(case)
        assert work.pooled == counted.pooled

    check()


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind not in (*WEIGHTED, *POOLS)])
def test_other_layers_do_no_work_that_is_counted(kind: str) -> None:
    @settings(max_examples=25)
    @given(CASES[kind])
    def check(case: Case) -> None:
        ours, xs = case
        assert ours.work(xs, ours.shape(xs)) == Work()

    check()
