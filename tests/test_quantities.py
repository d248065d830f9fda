"""What can be asked of a tally, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nettally
from nettally.counting.quantities import (
    SAME,
    SUMS,
    NotDerivable,
    count,
    measure,
)
from nettally.counting.tally import matching, names_like
from nettally.counting.values import ByAxis, Flag, Padding, Sizes
from nettally.errors import ClaimError
from nettally.formats import Source
from nettally.formats.native import read

if TYPE_CHECKING:
    from nettally.counting.tally import Tally


@pytest.fixture(scope="module")
def alexnet() -> Tally:
    return nettally.tally(nettally.read("alexnet"))


@pytest.fixture(scope="module")
def googlenet() -> Tally:
    return nettally.tally(nettally.read("googlenet"))


# The arithmetic of the 2012 network: neurons, parameters, macs.
LAYERS = {
    "conv1": (290_400, 34_944, 105_415_200),
    "conv2": (186_624, 307_456, 223_948_800),
    "conv3": (64_896, 885_120, 149_520_384),
    "conv4": (64_896, 663_936, 112_140_288),
    "conv5": (43_264, 442_624, 74_760_192),
    "fc6": (4096, 37_752_832, 37_748_736),
    "fc7": (4096, 16_781_312, 16_777_216),
    "fc8": (1000, 4_097_000, 4_096_000),
    "": (659_272, 60_965_224, 724_406_816),
}


@pytest.mark.parametrize("name", LAYERS)
def test_alexnet(alexnet: Tally, name: str) -> None:
    asked = ("neurons", "parameters", "macs")
    assert tuple(measure(alexnet, name, quantity) for quantity in asked) == LAYERS[name]
    assert measure(alexnet, name, "flops") == 2 * LAYERS[name][2]
    assert measure(alexnet, name, "memory") == 4 * LAYERS[name][1]


@pytest.mark.parametrize(
    ("about", "quantity", "value"),
    [
        ("", "weights", 60_954_656),
        ("", "biases", 10_568),
        ("conv1", "connections", 105_415_200 + 290_400),
        ("pool1", "connections", 9 * 96 * 27 * 27),
        ("pool1", "values", 96 * 27 * 27),
        ("pool1", "neurons", 0),
        ("conv1", "output", (96, 55, 55)),
        ("conv1", "shape", (96, 55, 55)),
        ("conv1", "size", (96, 55, 55)),
        ("norm1", "size", 5),  # a layer's own field comes before the shape
        ("conv1", "channels", 96),
        ("conv1", "height", 55),
        ("conv1", "features", 96 * 55 * 55),
        ("fc6", "features", 4096),
        ("conv1", "kernel", (11, 11)),
        ("conv1", "stride", ByAxis((4, 4))),
        ("conv1", "padding", Padding(((0, 0), (0, 0)))),
        ("conv2", "padding", Padding(((2, 2), (2, 2)))),
        ("conv2", "groups", 2),
        ("conv1", "rounding", "up"),
        ("conv2", "kernel_volume", (5, 5, 48)),
        ("conv2", "weight", (256, 48, 5, 5)),
        ("conv2", "bias", Flag(True, Sizes((256,)))),  # the field, and the sizes of the tensor
        ("norm1", "beta", 0.75),
        ("conv1", "receptive_field", ByAxis((11, 11))),
        ("conv2", "receptive_field", ByAxis((51, 51))),
        ("pool5", "effective_stride", ByAxis((32, 32))),
        ("", "layers", 8),
        ("", "output", (1000,)),
        ("", "params", 60_965_224),
        ("", "mult_adds", 724_406_816),
        ("input", "output", (3, 224, 224)),
        ("input", "width", 224),
        ("input", "neurons", 150_528),
    ],
)
def test_a_quantity(alexnet: Tally, about: str, quantity: str, value: Any) -> None:
    measured = measure(alexnet, about, quantity)
    assert measured == value
    assert not isinstance(value, tuple) or isinstance(measured, type(value))


def test_padding_that_differs_is_shown_as_it_is() -> None:
    text = b"nettally: 1\nname: n\ninput: 3x9x9\nlayers:\n  - c: conv 4, 3x3, padding 1:2\n"
    counted = nettally.tally(read(Source("n.yaml", text)))
    assert measure(counted, "c", "padding") == ((1, 2), (1, 2))


def test_a_module_is_the_sum_of_its_layers(googlenet: Tally) -> None:
    inside = matching(googlenet, "inception_3a")
    assert len(inside) > 7
    assert all(row.node.module.partition(".")[0] == "inception_3a" for row in inside)
    assert measure(googlenet, "inception_3a", "parameters") == 163_696
    assert measure(googlenet, "inception_3a", "output") == (256, 28, 28)
    modules = dict.fromkeys(row.node.module.partition(".")[0] for row in googlenet.rows)
    for quantity, of_row in SUMS.items():
        parts = [measure(googlenet, module, quantity) for module in modules if module]
        alone = sum(of_row(googlenet, row) for row in googlenet.rows if not row.node.module)
        assert sum(parts) + alone == measure(googlenet, "", quantity), quantity


@pytest.mark.parametrize("name", ["alexnet", "lenet-5", "resnet-50", "mobilenet-v1", "u-net"])
def test_sums_are_sums(name: str) -> None:
    counted = nettally.tally(nettally.read(name))
    for quantity in SUMS:
        parts = sum(measure(counted, row.name, quantity) for row in counted)
        assert parts == measure(counted, "", quantity), quantity
    whole = {quantity: measure(counted, "", quantity) for quantity in SUMS}
    assert whole["weights"] + whole["biases"] == whole["parameters"]
    assert whole["neurons"] <= whole["values"]
    assert whole["macs"] <= whole["connections"]
    assert whole["flops"] == 2 * whole["macs"]


def test_the_same_by_other_words(alexnet: Tally) -> None:
    for word, meant in SAME.items():
        assert measure(alexnet, "conv1", word) == measure(alexnet, "conv1", meant)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("conv", 5), ("convolutional", 5), ("linear", 3), ("fc", 3), ("pool", 3), ("weighted", 8),
     ("lrn", 3), ("dropout", 2), ("lstm", 0)],
)  # fmt: skip
def test_how_many(alexnet: Tally, kind: str, number: int) -> None:
    assert count(alexnet, kind) == number


def test_names_like_a_pattern(alexnet: Tally, googlenet: Tally) -> None:
    assert names_like(alexnet, "conv*") == ("conv1", "conv2", "conv3", "conv4", "conv5")
    assert names_like(alexnet, "fc[67]") == ("fc6", "fc7")
    assert names_like(alexnet, "zzz*") == ()
    assert names_like(googlenet, "inception_3?") == ("inception_3a", "inception_3b")


def test_a_shared_weight_is_counted_with_its_owner() -> None:
    text = b"""\
nettally: 1
name: tied
input: 10
layers:
  - one: linear 10
  - two: linear 10, weights one
"""
    counted = nettally.tally(read(Source("tied.yaml", text)))
    assert measure(counted, "one", "parameters") == 110
    assert measure(counted, "two", "parameters") == 0
    assert measure(counted, "", "parameters") == 110
    assert [measure(counted, name, "weights") for name in ("one", "two", "")] == [100, 0, 100]
    assert [measure(counted, name, "biases") for name in ("one", "two", "")] == [10, 0, 10]
    assert measure(counted, "two", "macs") == 100


@pytest.mark.parametrize(
    ("about", "quantity", "reason"),
    [
        ("", "top1_error", "measured: it cannot be derived"),
        ("conv1", "latency", "measured: it cannot be derived"),
        ("input", "latency", "measured: it cannot be derived"),
    ],
)
def test_what_cannot_be_derived(alexnet: Tally, about: str, quantity: str, reason: str) -> None:
    with pytest.raises(NotDerivable) as caught:
        measure(alexnet, about, quantity)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("about", "quantity", "what", "hint"),
    [
        ("conv11", "macs", "alexnet has no layer or module 'conv11'", "did you mean 'conv1'?"),
        ("conv1", "parameterz", "conv1 has no 'parameterz'", "did you mean 'parameters'?"),
        ("conv1", "strides", "conv1 has no 'strides'", "did you mean 'stride'?"),
        ("fc6", "height", "fc6 has no height", "one of output, features"),
    ],
)
def test_what_is_not_there(alexnet: Tally, about: str, quantity: str, what: str, hint: str) -> None:
    with pytest.raises(ClaimError) as caught:
        measure(alexnet, about, quantity)
    assert (caught.value.what, caught.value.hint) == (what, hint)
