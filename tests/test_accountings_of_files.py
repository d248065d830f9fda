"""A file's count by a tool that looks at calls is that of the module that ``build`` makes of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from torch.utils.flop_counter import FlopCounterMode

import nettally
from nettally import ACCOUNTINGS
from nettally.accountings.by_calls import TOOLS
from nettally.counting.tally import Tally
from nettally.errors import NettallyError
from nettally.formats.torch_module import read_module
from nettally.network import Network, Node
from strategies import CASES

SUMMING = [
    "attention",
    "conv",
    "conv_elman",
    "conv_lstm",
    "conv_map",
    "conv_sum",
    "conv_transpose",
    "einsum",
    "elman",
    "gru",
    "linear",
    "local",
    "lstm",
    "matmul",
    "rbf",
    "rnn",
]
"""The kinds of layers that do multiply-accumulates; a law below holds them to be all."""

OF_OUR_OWN = {
    "FittedConv1d", "FittedConv2d", "FittedConv3d", "FlatLinear", "CutConvTranspose1d",
    "CutConvTranspose2d", "CutConvTranspose3d", "FittedMaxPool1d", "FittedMaxPool2d",
    "FittedMaxPool3d", "WindowMean", "_Steps",
}  # fmt: skip
"""Classes that ``build`` needs where torch's own modules do not have a layer's padding, rounding or
flattening. A file says nothing of them: its count is that of torch's own class, and tools that know
modules by their exact class, or see what such a class calls, count these otherwise."""

BY_CLASS = ("thop", "ptflops", "ptflops-aten", "calflops", "torchinfo")


def network_of(case: tuple[Any, tuple[Any, ...]]) -> Network:
    layer, xs = case
    inputs = {f"x{i}": x for i, x in enumerate(xs)}
    return Network("one", inputs, (Node("layer", layer, tuple(inputs)),))


def built(network: Network) -> torch.nn.Module:
    try:
        return nettally.build(network).eval()
    except (NettallyError, RuntimeError) as error:
        assume(False)
        raise AssertionError from error


def read_back(module: torch.nn.Module, network: Network) -> Tally:
    sizes = dict(network.inputs)
    return nettally.tally(
        read_module(module, sizes if len(sizes) > 1 else next(iter(sizes.values())))
    )


def reasons(module: torch.nn.Module) -> set[str]:
    return {type(each).__name__ for each in module.modules()} & OF_OUR_OWN


def differing(network: Network, module: torch.nn.Module) -> dict[str, tuple[int, int]]:
    """(the file's count, the module's) by each tool that counts the two differently."""
    file, back = nettally.tally(network), read_back(module, network)
    counts = {
        name: (
            int(file.under(ACCOUNTINGS[name]).operations),
            int(back.under(ACCOUNTINGS[name]).operations),
        )
        for name in TOOLS
    }
    return {name: pair for name, pair in counts.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("kind", SUMMING)
def test_a_layer_of_a_file_counts_as_the_module_made_of_it(kind: str) -> None:
    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    @given(CASES[kind])
    def law(case: tuple[Any, tuple[Any, ...]]) -> None:
        layer, xs = case
        network = network_of(case)
        module = built(network)
        different = differing(network, module)
        if reasons(module):
            for name in BY_CLASS:
                different.pop(name, None)
        if len(xs) == 1 and xs[0][0] != 1:
            different.pop("ptflops", None)  # it divides some of a batch, and not all
        if kind == "lstm":
            different.pop("torch", None)  # a file's is on meta; on a CPU a fused kernel is unseen
        assert not different, (layer, xs)

    law()


@pytest.mark.parametrize("kind", SUMMING)
def test_torchs_counter_on_meta_says_the_same(kind: str) -> None:
    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(CASES[kind])
    def law(case: tuple[Any, tuple[Any, ...]]) -> None:
        network = network_of(case)
        module = built(network).to("meta")
        inputs = [torch.empty(x, device="meta") for x in case[1]]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(*inputs)
        ours = nettally.tally(network).under(ACCOUNTINGS["torch"])
        assert ours.operations == counter.get_total_flops(), case
        assert ours.operations_complete

    law()
