"""What each tool counts, to the unit, and that each sum can be told term by term."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nettally
from nettally.accountings import ACCOUNTINGS
from nettally.accountings.reckoning import reconcile
from nettally.claims.comparison import compare
from nettally.claims.printed import parse_printed
from nettally.counting.accounting import FACTS, NETTALLY, Accounting, accounting
from nettally.counting.tally import Tally
from nettally.errors import NettallyError
from nettally.formats import zoo
from nettally.layers import layer_class
from nettally.network import Network, Node, Work
from strategies import CASES


@cache
def counted(name: str) -> Tally:
    return nettally.tally(nettally.read(name))


def at(name: str, size: int) -> Tally:
    base = counted(name)
    (channels,) = {shape[1] for shape in base.network.inputs.values()}
    return base.at((1, channels, size, size))


# Each tool was run on torchvision's two networks at 224, one image; these are its own totals.
RUN = [
    ("torchinfo", 714_682_664, 4_089_238_376),
    ("fvcore", 714_197_696, 4_111_512_576),
    ("thop", 714_206_912, 4_133_742_592),
    ("ptflops", 716_441_128, 4_132_436_968),
    ("ptflops-aten", 714_682_664, 4_089_185_256),
    ("torch", 1_428_376_960, 8_178_368_512),
    ("calflops", 1_429_741_184, 8_211_108_352),
    ("nettally", 714_188_480, 4_089_184_256),
    ("conv+linear", 714_188_480, 4_089_184_256),
    ("darknet", 1_428_376_960, 8_178_368_512),
    ("keras", 0, 0),
]


@pytest.mark.parametrize(("name", "alexnet", "resnet"), RUN)
def test_the_tools_own_totals(name: str, alexnet: int, resnet: int) -> None:
    assert counted("alexnet-torchvision").under(accounting(name)).operations == alexnet
    assert counted("resnet-50-torchvision").under(accounting(name)).operations == resnet


@pytest.mark.parametrize(
    ("net", "name", "parameters"),
    [
        ("alexnet-torchvision", "nettally", 61_100_840),
        ("resnet-50-torchvision", "nettally", 25_557_032),
        ("resnet-50-torchvision", "keras", 25_610_152),  # with 53,120 running statistics
        ("resnet-50", "keras", 25_610_152),
        ("resnet-50-torchvision", "openvino", 25_530_472),  # with 26,560 scales folded away
        ("resnet-50-torchvision", "openvino-v10", 25_530_472),
        ("resnet-18", "openvino", 11_684_712),
        ("resnet-34", "openvino", 21_789_160),
        ("inception-v3", "openvino", 23_817_352),
        ("squeezenet-1.1", "openvino", 1_235_496),
        ("xception", "keras", 22_910_480),
        ("xception", "nettally", 22_855_952),
    ],
)
def test_parameters(net: str, name: str, parameters: int) -> None:
    assert counted(net).under(accounting(name)).parameters == parameters


# Figures that were published with these conventions: network, input, accounting, as printed.
PRINTED = [
    # Open Model Zoo, GFLOPs
    ("resnet-50-torchvision", 224, "openvino", "8.216 G"),
    ("resnet-50-torchvision", 224, "openvino-v10", "8.216 G"),  # the two can't be told apart
    ("resnet-18", 224, "openvino", "3.637 G"),
    ("vgg-16", 224, "openvino", "30.974 G"),
    ("vgg-19", 224, "openvino", "39.3 G"),
    ("squeezenet-1.0", 227, "openvino", "1.737 G"),
    ("inception-v3", 299, "openvino", "11.469 G"),
    # thop's README
    ("alexnet-torchvision", 224, "thop-2019", "0.77 G"),
    ("vgg-a", 224, "thop-2019", "7.74 G"),
    ("vgg-16", 224, "thop-2019", "15.61 G"),
    ("vgg-19", 224, "thop-2019", "19.77 G"),
    ("resnet-18", 224, "thop-2019", "1.82 G"),
    ("resnet-34", 224, "thop-2019", "3.68 G"),
    ("resnet-50-torchvision", 224, "thop-2019", "4.14 G"),
    ("densenet-121", 224, "thop-2019", "2.90 G"),
    ("squeezenet-1.1", 224, "thop-2019", "0.35 G"),
    # imgclsmob's tables, FLOPs/2
    ("vgg-16", 224, "imgclsmob", "15480.10M"),
    ("resnet-18", 224, "imgclsmob", "1820.41M"),
    ("resnet-34", 224, "imgclsmob", "3672.68M"),
    ("zfnet", 224, "imgclsmob", "1170.33M"),
    ("resnet-50", 224, "imgclsmob", "3877.95M"),
    ("resnet-50-torchvision", 224, "imgclsmob", "4110.48M"),
    ("resnet-101", 224, "imgclsmob", "7597.95M"),
    ("densenet-121", 224, "imgclsmob", "2872.13M"),
    ("squeezenet-1.1", 224, "imgclsmob", "352.02M"),
    ("mobilenet-v1", 224, "imgclsmob", "579.80M"),
    ("inception-v3", 299, "imgclsmob", "5743.06M"),
    ("xception", 299, "imgclsmob", "8403.63M"),
    ("nin", 32, "imgclsmob", "222.97M"),
    # convnet-burden
    ("squeezenet-1.1", 224, "convnet-burden", "360 M"),
    ("mobilenet-v1", 224, "convnet-burden", "579 M"),
    # ptflops' README, the pytorch backend
    ("alexnet-torchvision", 224, "ptflops", "0.72 G"),
    ("resnet-50-torchvision", 224, "ptflops", "4.13 G"),
    ("densenet-121", 224, "ptflops", "2.90 G"),
    # Darknet's own page
    ("alexnet-darknet", 227, "darknet", "2.27 Bn"),
    # calflops' README
    ("resnet-50-torchvision", 224, "calflops", "8.21 G"),
]


@pytest.mark.parametrize(("net", "size", "name", "text"), PRINTED)
def test_published_figures(net: str, size: int, name: str, text: str) -> None:
    ours = at(net, size).under(accounting(name)).operations
    half = name == "imgclsmob"
    printed = parse_printed(text)
    assert compare(ours / 2 if half else ours, printed)[0] in ("rounds", "exact")


def test_openvinos_first_formula_scales_the_input() -> None:
    """Where a mean and a scale are given, each value of the input counts 2 more."""
    for net, printed in (("resnet-34", "7.3409 G"), ("squeezenet-1.1", "0.785 G")):
        base = counted(net)
        each = sum(shape[1] * shape[2] * shape[3] for shape in base.network.inputs.values())
        softmax = sum(5 * row.shape[1] for row in base.rows if row.node.layer.kind == "softmax")
        ours = base.under(accounting("openvino")).operations - softmax
        assert compare(ours, parse_printed(printed))[0] == "differs"
        assert compare(ours + 2 * each, parse_printed(printed))[0] == "rounds"


@pytest.mark.parametrize("net", zoo.names())
def test_the_terms_sum_to_the_operations(net: str) -> None:
    base = counted(net)
    reckonings = reconcile(base)
    assert [r.accounting.name for r in reckonings] == list(ACCOUNTINGS)
    for reckoning in reckonings:
        under = base.under(reckoning.accounting)
        assert reckoning.operations == under.operations
        assert reckoning.parameters == under.parameters
        assert sum(reckoning.terms.values()) == reckoning.operations
        # who differs from the bare multiply-adds says by what
        weight = reckoning.accounting.per_mac
        if weight and reckoning.operations != weight * base.macs:
            assert len(reckoning.terms) > 1 or reckoning.operations < weight * base.macs
        if weight == 1:
            assert reckoning.terms.get("multiply-adds", 0) <= base.macs


def test_the_terms_say_what_each_counts() -> None:
    told = {r.accounting.name: dict(r.terms) for r in reconcile(counted("resnet-50-torchvision"))}
    assert told["thop"] == {
        "multiply-adds": 4_089_184_256,
        "batch_norm": 4 * 11_113_984,
        "global_average_pool": 100_352 + 2_048,
    }
    assert told["openvino"] == {
        "2 × multiply-adds": 8_178_368_512,
        "relu": 19_217_408,
        "max_pool": 1_806_336,
        "add": 16_558_080,
        "global_average_pool": 100_352,
    }
    assert told["torchinfo"]["linear biases"] == 1000
    assert told["keras"] == {}


def test_each_preset_says_who_and_where() -> None:
    assert len(ACCOUNTINGS) >= 14
    needed = {"nettally", "torchinfo", "fvcore", "thop", "torch", "keras", "darknet", "openvino"}
    assert needed | {"conv+linear", "ptflops", "calflops"} <= set(ACCOUNTINGS)
    assert ACCOUNTINGS["nettally"] is NETTALLY
    facts = {*Work._fields, *FACTS}
    for name, each in ACCOUNTINGS.items():
        assert each.name == name
        assert isinstance(each, Accounting)
        assert len(each.source) > 10 or name == "nettally"
        assert each.title
        assert len({each.title for each in ACCOUNTINGS.values()}) == len(ACCOUNTINGS)
        for kind, terms in each.counts.items():
            assert kind == "*" or layer_class(kind).kind == kind
            assert set(terms) <= facts


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(NettallyError, match="no accounting is called 'torchinf'") as caught:
        accounting("torchinf")
    assert caught.value.hint == "did you mean 'torchinfo'?"


def test_what_batches_do() -> None:
    """Every accounting is for the whole batch: twice the images, twice the operations."""
    network = nettally.read("resnet-18")
    two = network.replace(inputs={k: (2, *v[1:]) for k, v in network.inputs.items()})
    one, both = counted("resnet-18"), nettally.tally(two)
    for each in ACCOUNTINGS.values():
        assert both.under(each).operations == 2 * one.under(each).operations, each.name
        assert both.under(each).parameters == one.under(each).parameters


@settings(max_examples=60)
@given(st.sampled_from(sorted(CASES)).flatmap(lambda kind: CASES[kind]), st.data())
def test_no_layer_upsets_an_accounting(case, data) -> None:
    """Every accounting counts every layer, in whole numbers that are not negative."""
    layer, xs = case
    inputs = {f"x{i}": x for i, x in enumerate(xs)}
    base = nettally.tally(Network("one", inputs, (Node("layer", layer, tuple(inputs)),)))
    each = data.draw(st.sampled_from(list(ACCOUNTINGS.values())))
    under = base.under(each)
    assert type(under.operations) is int
    assert type(under.parameters) is int
    assert under.operations >= 0
    assert under.parameters >= 0
    (reckoning,) = [r for r in reconcile(base) if r.accounting is each]
    assert sum(reckoning.terms.values()) == reckoning.operations
