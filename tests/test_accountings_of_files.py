"""A file's count by a tool that looks at calls is that of the module that ``build`` makes of it."""

from __future__ import annotations

from pathlib import Path
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
from nettally.formats import native
from nettally.formats.source import Source
from nettally.formats.torch_module import read_module
from nettally.layers import layer_class
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
    "delta_rule",
    "einsum",
    "elman",
    "experts",
    "grouped_linear",
    "gru",
    "hyper_connection",
    "linear",
    "local",
    "lstm",
    "matmul",
    "rbf",
    "rnn",
    "selective_scan",
    "state_space",
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
    """Why tools that know modules by class may count it otherwise than the file.

    Besides classes of our own: a file that names a layer's activation in the layer's own line has
    it as a module inside that layer, which is then no leaf.
    """
    own = {type(each).__name__ for each in module.modules()} & OF_OUR_OWN
    inside = {
        f"{type(each).__name__} with an activation inside"
        for each in module.modules()
        if isinstance(each, (torch.nn.Linear, torch.nn.Conv2d)) and list(each.children())
    }
    return own | inside


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


def knows(name: str, kind: str) -> bool:
    """Whether a tool says what it makes of a kind of layer: a total without it is "at least"."""
    tool = ACCOUNTINGS[name]
    return kind in tool.counts or "*" in tool.counts or kind in tool.leaves_out


@pytest.mark.parametrize("kind", SUMMING)
def test_a_layer_of_a_file_counts_as_the_module_made_of_it(kind: str) -> None:
    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    @given(CASES[kind])
    def law(case: tuple[Any, tuple[Any, ...]]) -> None:
        layer, xs = case
        network = network_of(case)
        module = built(network)
        different = {
            name: pair for name, pair in differing(network, module).items() if knows(name, kind)
        }
        if reasons(module):
            for name in BY_CLASS:
                different.pop(name, None)
        if len(xs) == 1 and xs[0][0] != 1:
            different.pop("ptflops", None)  # it divides some of a batch, and not all
        if kind == "lstm":
            different.pop("torch", None)  # a file's is on meta; on a CPU a fused kernel is unseen
        assert not different, (layer, xs)

    law()


def made(kind: str, **fields: Any) -> Any:
    return layer_class(kind)(**fields)


SEVERAL = ((1, 6), (6, 5), (5, 4))
RARE = [
    (made("lstm", features=4, projection=2), ((1, 3, 5),)),
    (made("lstm", features=4, projection=3, directions=2, biases=0), ((1, 3, 5),)),
    (made("einsum", equation="ab,bc,cd->ad"), SEVERAL),
    (made("einsum", equation="ab,bc,cd->ad", weight=(5, 4)), SEVERAL[:2]),
    (made("einsum", equation="abc,abd->acd"), ((1, 3, 2), (1, 3, 5))),
    (made("einsum", equation="abc,adc->adb"), ((1, 3, 2), (1, 4, 2))),
    (made("matmul"), ((2, 3, 4), (4,))),
    (made("matmul"), ((3,), (3, 5))),
    (made("matmul"), ((3, 4), (2, 4, 5))),
    (made("gru", features=3), ((2, 4, 5),)),
]


@pytest.mark.parametrize("case", RARE, ids=lambda case: f"{case[0]} {case[1]}"[:60])
def test_what_is_rare_counts_as_the_module_made_of_it(case: Any) -> None:
    network = network_of(case)
    different = differing(network, nettally.build(network).eval())
    if case[0].kind == "lstm":
        different.pop("torch", None)
    if case[1][0][0] != 1:
        different.pop("ptflops", None)
    assert not different


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


# --- whole networks -------------------------------------------------------------------------------

ZOO = ("alexnet", "lenet-5", "mobilenet-v1", "nin", "resnet-18", "squeezenet-1.0", "squeezenet-1.1")


def holds(network: Network) -> None:
    """The file's count is the module's by every tool, but for modules of our own classes."""
    module = nettally.build(network).eval()
    different = differing(network, module)
    if reasons(module):
        different = {name: pair for name, pair in different.items() if name not in BY_CLASS}
    assert not different


@pytest.mark.parametrize("name", ZOO)
def test_a_network_of_the_zoo_counts_as_the_module_made_of_it(name: str) -> None:
    holds(nettally.read(name))


CORPUS = (
    "caffe/forresti__SqueezeNet/SqueezeNet_v1.0/deploy.prototxt",
    "keras-json/mlcommons__tiny",
    "darknet/pjreddie__darknet/cfg/cifar.cfg",
    "darknet/pjreddie__darknet/cfg/rnn.cfg",
    "darknet/pjreddie__darknet/cfg/gru.cfg",
)


@pytest.mark.parametrize("place", CORPUS)
def test_a_network_of_the_corpus_counts_as_the_module_made_of_it(place: str, shared: Path) -> None:
    path = shared / "corpus" / place
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    assert files
    for file in files:
        holds(nettally.read(str(file)))


class Heads(torch.nn.Module):
    """Attention written out: two products by torch.matmul."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = torch.nn.Linear(16, 16), torch.nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k = self.q(x), self.k(x)
        return torch.matmul(torch.softmax(torch.matmul(q, k.mT), -1), k)


def test_a_module_written_to_a_file_counts_as_before() -> None:
    module = Heads().eval()
    live = nettally.tally(read_module(module, (1, 64, 16)))
    file = nettally.tally(native.read(Source("net.yaml", nettally.write(live.network).encode())))
    assert not file.network.calls
    for name in ("torch", "fvcore", "ptflops-aten", "calflops"):
        ours = file.under(ACCOUNTINGS[name])
        softmax = 64 * 64 if name == "calflops" else 0  # which it sees as F.softmax only
        assert ours.operations == live.under(ACCOUNTINGS[name]).operations + softmax, name
    assert file.under(ACCOUNTINGS["torch"]).operations == 2 * (32_768 + 131_072)
