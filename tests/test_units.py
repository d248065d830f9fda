"""Neurons and values of one example, wherever a network puts the batch, and activations."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nettally
import torch_models
from nettally.counting.quantities import measure
from nettally.counting.rows import activations, unit_sizes, units
from nettally.layers import layer_class
from nettally.network import Network, Node
from onnx_files import INT64, graph, info, model, node, tensor

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
import torch
from torch import nn

sizes = st.integers(1, 6)


def counted(module: nn.Module, *size: int) -> nettally.Tally:
    return nettally.tally(nettally.read(module, input_size=size))


@pytest.mark.parametrize(
    ("shape", "examples", "expected"),
    [
        ((1, 96, 55, 55), 1, (55, 55, 96)),
        ((8, 96, 55, 55), 8, (55, 55, 96)),
        ((64, 49, 96), 1, (64, 96, 49)),  # windows in the leading axis
        ((128, 49, 96), 2, (64, 96, 49)),
        ((50, 2, 768), 2, (25, 768, 2)),  # the batch second: the product is the same
        ((49, 2, 768), 2, (37632,)),  # 49 · 768
        ((7, 3), 2, (7, 3)),  # of no example
        ((4, 10), 4, (10,)),
        ((169,), 1, (169,)),
        ((), 1, ()),
    ],
)
def test_the_sizes_of_one_example(
    shape: tuple[int, ...], examples: int, expected: tuple[int, ...]
) -> None:
    assert unit_sizes(shape, examples) == expected


@given(st.lists(sizes, min_size=1, max_size=5).map(tuple), st.integers(1, 4), st.integers(0, 4))
def test_a_batch_in_any_axis_counts_once(shape: tuple[int, ...], examples: int, place: int) -> None:
    """The batch as an axis of its own, anywhere, or multiplied into an axis."""
    one = units((1, *shape))
    assert one == units(shape)
    at = place % (len(shape) + 1)
    assert units((*shape[:at], examples, *shape[at:]), examples) == one
    folded = (*shape[: place % len(shape)], shape[place % len(shape)] * examples)
    assert units((*folded, *shape[place % len(shape) + 1 :]), examples) == one


def test_where_no_layer_tells_a_batch_the_whole_input_is_one_example() -> None:
    assert counted(nn.Linear(3, 5), 4, 16, 3).neurons == 4 * 16 * 5
    assert counted(nn.Linear(10, 5), 8, 10).neurons == 5
    assert (
        counted(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), 4, 16, 3)["2"].examples
        == 1
    )


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (nn.Conv1d(3, 5, 3), (3, 16)),
        (nn.ConvTranspose2d(3, 4, 2), (3, 5, 5)),
        (nn.Sequential(nn.MaxPool2d(2), nn.Linear(2, 3)), (3, 4, 4)),
        (nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Linear(2, 3)), (3, 4, 4)),
        (nn.Sequential(nn.BatchNorm1d(6), nn.Linear(5, 3)), (6, 5)),
        (nn.Sequential(nn.GroupNorm(2, 6), nn.Linear(5, 3)), (6, 5)),
        (nn.Sequential(nn.LocalResponseNorm(2), nn.Linear(5, 3)), (6, 5)),
        (nn.Sequential(nn.PReLU(6), nn.Linear(5, 3)), (6, 5)),
        (nn.Sequential(nn.Flatten(), nn.Linear(30, 3)), (6, 5)),
        (nn.LSTM(3, 5, batch_first=True), (16, 3)),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (6, 8)),
        (nn.Linear(6, 2), (6,)),
    ],
)
def test_the_neurons_do_not_depend_on_the_batch(module: nn.Module, size: tuple[int, ...]) -> None:
    one, many = (counted(module.eval(), batch, *size) for batch in (1, 6))
    assert one.neurons == many.neurons
    for a, b in zip(one.rows, many.rows, strict=True):
        assert units(a.shape or (), a.examples) == units(b.shape or (), b.examples)


class Windows(nn.Module):
    """Windows of 2x2 folded into the batch, as Swin does, with a computed table of biases."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 2, 2)
        self.table = nn.Parameter(torch.zeros(2, 4))
        self.bias = nn.Linear(4, 4)
        self.mix = nn.Linear(4, 8)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(n * (h // 2) * (w // 2), 4, c)
        return self.mix(x + self.bias(self.table).sum(0))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_windows_folded_into_the_batch_belong_to_the_example(batch: int) -> None:
    tally = counted(Windows(), batch, 3, 8, 8)
    # the convolution, the table's product, which is no example's, and 4 windows of 4 places
    assert tally.neurons == 4 * 4 * 4 + 2 * 4 + 4 * 4 * 8
    by_hand = nettally.tally(tally.network, working=True)
    assert by_hand.neurons == tally.neurons


@pytest.mark.parametrize("batch", [1, 2])
def test_windows_of_a_file(batch: int, tmp_path: Path) -> None:
    size = 4 * batch
    path = tmp_path / "windows.onnx"
    nodes = [
        node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1]),
        node("Reshape", ["y", "to"], ["z"]),
        node("MatMul", ["z", "m"], ["out"]),
    ]
    held = [
        tensor("w", (12, 3, 1, 1)),
        tensor("to", (3,), [size, 4, 12], INT64),
        tensor("m", (12, 5)),
    ]
    path.write_bytes(
        model(graph(nodes, [info("x", (batch, 3, 4, 4))], [info("out", (size, 4, 5))], held))
    )
    tally = nettally.tally(nettally.read(path))
    assert tally.neurons == 12 * 16 + 16 * 5
    assert [row.examples for row in tally.rows] == [batch] * 3


def test_an_edited_network_keeps_its_examples() -> None:
    tally = counted(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)), 5, 3, 8, 8)
    assert tally.at((5, 3, 10, 10)).neurons == 8 * 8 * 6
    first = tally.network.nodes[0]
    from nettally.explaining.recount import Recount

    recount = Recount(tally)
    edited = recount.tally(recount.rows({first.name: first.layer.replace(padding=1)}))
    assert edited.neurons == 8 * 8 * 6


def test_inputs_that_disagree_have_no_batch() -> None:
    layer = nettally.read("lenet-5").nodes[0].layer
    nodes = (Node("a", layer, ("x",)), Node("b", layer, ("y",)))
    network = Network("two", {"x": (2, 1, 32, 32), "y": (3, 1, 32, 32)}, nodes)
    assert {row.examples for row in nettally.tally(network).rows} == {1}


@pytest.mark.parametrize("batch", [1, 2])
def test_swins_windows(batch: int) -> None:
    """The figure is also fvcore's count of activations, for one image."""
    module = torch_models.build("torchvision", "swin_t")
    assert counted(module, batch, 3, 224, 224).neurons == 17_055_352


class Tokens(nn.Module):
    """A class token, the network's own, is stretched to the batch before it joins the others."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(3, 4, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.head = nn.Linear(4, 5)

    def forward(self, x: Any) -> Any:
        x = self.stem(x).transpose(1, 2)
        token = self.head(self.token.expand(x.shape[0], -1, -1) * 2.0)
        return token + self.head(x)


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_what_is_stretched_to_the_batch_belongs_to_each_example(batch: int) -> None:
    # 4 places of the convolution, the token, and 4 places again
    assert counted(Tokens(), batch, 3, 8).neurons == 4 * 4 + 5 + 4 * 5


def test_an_input_of_one_example_does_not_hide_the_batch_of_another() -> None:
    layer = nettally.read("lenet-5").nodes[0].layer
    nodes = (Node("a", layer, ("x",)), Node("b", layer, ("y",)))
    network = Network("two", {"x": (8, 1, 32, 32), "y": (1, 1, 32, 32)}, nodes)
    assert nettally.tally(network)["a"].examples == 8
    assert nettally.tally(network)["a"].shape == (8, 6, 28, 28)
    assert nettally.tally(network).neurons == 2 * 6 * 28 * 28


def test_a_layer_of_another_leading_size_says_nothing_of_the_batch() -> None:
    """Folded to 64 rows of 3, a fully connected layer tells rows from features, not 4 from 16."""
    nodes = (
        Node("fold", layer_class("reshape")((64, 3), whole=True), ("x",)),
        Node("fc", layer_class("linear")(5, axis=-1), ("fold",)),
    )
    assert nettally.tally(Network("folded", {"x": (4, 16, 3)}, nodes)).neurons == 64 * 5


@pytest.mark.parametrize(
    ("kind", "fields", "x", "batched"),
    [
        ("l2_norm", {}, (2, 3, 4), True),
        ("lrn", {}, (2, 3, 4), True),
        ("contrast_norm", {}, (2, 3, 4), True),
        ("scale", {}, (2, 3, 4), True),
        ("scale", {"axis": 2, "axes": -1}, (2, 3, 4), False),
        ("scale", {"axes": 0}, (2, 3, 4), False),
        ("prelu", {}, (2, 3, 4), True),
        ("prelu", {"shared": True}, (2, 3, 4), False),
        ("prelu", {"size": (3, 1)}, (2, 3, 4), True),
        ("flatten", {}, (2, 3, 4), True),
        ("flatten", {"start": 2}, (2, 3, 4), False),
        ("flatten", {"start": 0}, (2, 3, 4), False),
        ("reshape", {"size": (12,)}, (2, 3, 4), True),
        ("reshape", {"size": (2, 12), "whole": True}, (2, 3, 4), False),
        ("permute", {"order": (0, 2, 1)}, (2, 3, 4), True),
        ("permute", {"order": (0, 2, 1), "whole": True}, (2, 3, 4), False),
        ("linear", {"features": 5}, (2, 3, 4), True),
        ("linear", {"features": 5, "axis": -1}, (2, 3, 4), False),
        ("linear", {"features": 5, "axis": -1}, (2, 3), True),
        ("detect", {}, (2, 3, 4), True),
        ("recolor", {}, (2, 3, 4), True),
        ("rbf", {"units": 5}, (2, 3, 4), True),
        ("roi_pool", {"size": 2}, (2, 3, 4, 4), True),
        ("elman", {"features": 2, "hidden": 2}, (2, 3), True),
        ("conv_lstm", {"filters": 2}, (2, 3, 4, 4), True),
        ("conv_map", {"table": [[0]], "kernel": 1}, (2, 3, 4, 4), True),
        ("global_max_pool", {}, (2, 3, 4), True),
        ("relu", {}, (2, 3, 4), False),
        ("layer_norm", {}, (2, 3, 4), False),
        ("matmul", {"weight": (4, 5)}, (2, 3, 4), False),
    ],
)
def test_which_layers_tell_a_batch_from_the_next_axis(
    kind: str, fields: dict[str, Any], x: tuple[int, ...], batched: bool
) -> None:
    assert layer_class(kind)(**fields).batched((x,)) is batched


# --- activations --------------------------------------------------------------------------------

COUNTED_BY_FVCORE = ("alexnet", "mobilenet_v3_small", "convnext_tiny", "vit_b_32", "swin_t")


@pytest.mark.parametrize("name", COUNTED_BY_FVCORE)
def test_activations_are_those_that_fvcore_counts(name: str) -> None:
    analysis = pytest.importorskip("fvcore.nn")
    module = torch_models.build("torchvision", name).eval()
    x = torch.zeros(1, 3, 224, 224)
    with torch_models.quiet():
        theirs = analysis.ActivationCountAnalysis(module, x)
        theirs.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        expected = theirs.total()
    if name.startswith("vit"):  # the fused kernel of attention is not in its list
        attention = [row for row in counted(module, *x.shape) if row.node.layer.kind == "attention"]
        assert attention
        expected += sum(map(activations, attention))
    assert measure(counted(module, *x.shape), "", "activations") == expected


def timms_name(name: str) -> str:
    """``RegNetX-1.6GF`` is timm's ``regnetx_016``."""
    family, _, size = name.partition("-")
    if family in ("RegNetX", "RegNetY"):
        hundreds = float(size[:-2]) * (10 if size.endswith("GF") else 0.01)
        return f"{family.lower()}_{round(hundreds):03d}"
    if family == "EfficientNet":
        return f"tf_efficientnet_{size.lower()}"
    return family.lower() + size + ("_32x4d" if family == "ResNeXt" else "")


def test_activations_with_pooling_are_those_that_pycls_prints(claims_folder: Path) -> None:
    torch_models.torchvision_ready()
    timm = pytest.importorskip("timm")
    with (claims_folder / "pycls_model_zoo.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quantity"] == "activations"]
    checked = 0
    for row in rows:
        name = row["model_id"]
        if name == "ResNeXt-152":  # timm has none
            continue
        with torch.device("meta"):
            module = timm.create_model(timms_name(name)).eval()
        size = module.default_cfg["input_size"] if name[0] == "E" else (3, 224, 224)
        ours = measure(counted(module, 1, *size), "", "activations_with_pooling")
        assert f"{ours / 1e6:.1f}" == row["value_as_printed"], name
        checked += 1
    assert checked == 35


def test_attention_puts_out_two_products() -> None:
    layer = layer_class("attention")(heads=2)
    nodes = (Node("attend", layer, ("q", "k", "v")),)
    inputs = {"q": (3, 7, 8), "k": (3, 5, 8), "v": (3, 5, 6)}
    tally = nettally.tally(Network("n", inputs, nodes))
    assert measure(tally, "", "activations") == 2 * 7 * 5 + 7 * 6
    assert measure(tally, "", "neurons") == 7 * 6
    lenet = nettally.tally(nettally.read("lenet-5"))
    assert measure(lenet, "s2", "activations") == 0  # a coefficient a channel is no product
    assert measure(lenet, "s2", "activations_with_pooling") == 14 * 14 * 6
