"""The zoo against figures from elsewhere: frameworks' own counts, papers, the story of AlexNet.

No figure here was copied from our own output. "torchvision" and "keras" are the counts that these
programs give of their own models: the sizes of their parameters, torch's FlopCounterMode halved,
and the outputs of their convolutions and linears.
"""

from __future__ import annotations

from itertools import product as pairs
from math import isqrt
from typing import Any, NamedTuple

import pytest

from nettally.claims.check import check
from nettally.claims.claim import load
from nettally.counting.accounting import accounting
from nettally.counting.tally import Tally, tally
from nettally.formats import read, zoo
from nettally.network import Network


class Known(NamedTuple):
    """What is known of a network (None where nobody says), and by whom."""

    parameters: int
    macs: int | None
    neurons: int | None
    source: str


def conv_macs(*layers: tuple[int, int, int, int]) -> int:
    """Multiply-accumulates of convolutions: side of the output, kernel, channels in and out."""
    return sum(side**2 * kernel**2 * seen * made for side, kernel, seen, made in layers)


VGG_16 = 15_470_264_320
ALEXNET = "docs, the arithmetic of AlexNet, computed from the code of 2012"

# fmt: off
KNOWN = {
    "alexnet": Known(60_965_224, 724_406_816, 659_272, ALEXNET),
    "alexnet-two-column": Known(60_965_224, 724_406_816, 659_272, ALEXNET),
    "caffe-alexnet": Known(60_965_224, 724_406_816, 659_272, "the same layers, 227 rounding down"),
    "caffenet": Known(60_965_224, 724_406_816, 659_272, "the same layers, 227 rounding down"),
    "alexnet-torchvision": Known(61_100_840, 714_188_480, 494_184, "torchvision 0.28"),
    "alexnet-tf-slim": Known(
        50_303_912,
        conv_macs((54, 11, 3, 64), (26, 5, 64, 192), (12, 3, 192, 384), (12, 3, 384, 384),
                  (12, 3, 384, 256), (1, 5, 256, 4096), (1, 1, 4096, 4096), (1, 1, 4096, 1000)),
        54**2 * 64 + 26**2 * 192 + 12**2 * (384 + 384 + 256) + 4096 + 4096 + 1000,
        "TF-Slim's variables; the operations by hand, 54, 26, 12 and 5 a side",
    ),
    "alexnet-darknet": Known(62_378_344, 1_135_256_096, 659_272, "Darknet: 2.27 Bn operations"),
    # conv3 sees half: 13·13·384·128·9 multiply-accumulates fewer than alexnet
    "alexnet-soumith": Known(
        60_522_856, 724_406_816 - 13 * 13 * 384 * 128 * 9, 659_272, "the Torch file's sizes"
    ),
    "alexnet-tflearn": Known(
        87_711_121,
        conv_macs((57, 11, 3, 96), (29, 5, 96, 256), (15, 3, 256, 384), (15, 3, 384, 384),
                  (15, 3, 384, 256), (1, 8, 256, 4096), (1, 1, 4096, 4096), (1, 1, 4096, 17)),
        57**2 * 96 + 29**2 * 256 + 15**2 * (384 + 384 + 256) + 4096 + 4096 + 17,
        "by hand: SAME windows, 57, 29, 15 and 8 a side",
    ),
    # LeCun et al. give connections; the multiplications are those of C1, C3, C5, F6 and the output
    "lenet-5": Known(
        60_000,
        122_304 - 4_704 + 151_600 - 1_600 + 48_120 - 120 + 10_164 - 84 + 840,
        None,
        "LeCun et al. 1998, connections less biases",
    ),
    "zfnet": Known(62_357_608, None, None, "osmr/imgclsmob"),
    "nin": Known(966_986, None, None, "osmr/imgclsmob"),
    "vgg-a": Known(132_863_336, 7_609_090_048, 7_435_240, "torchvision 0.28, vgg11"),
    "vgg-b": Known(133_047_848, 11_308_466_176, 12_252_136, "torchvision 0.28, vgg13"),
    "vgg-16": Known(138_357_544, VGG_16, 13_556_712, "torchvision 0.28, vgg16"),
    "vgg-19": Known(143_667_240, 19_632_062_464, 14_861_288, "torchvision 0.28, vgg19"),
    # three kernels of D, 3x3, become 1x1: eight ninths of them are gone
    "vgg-c": Known(
        138_357_544 - 8 * (256**2 + 2 * 512**2),
        VGG_16 - 8 * (56**2 * 256**2 + 28**2 * 512**2 + 14**2 * 512**2),
        13_556_712,
        "torchvision's vgg16 less the difference of columns C and D",
    ),
    "googlenet": Known(6_998_552, 1_582_671_872, None, "torchvision, 5x5 and biases put back"),
    "googlenet-with-heads": Known(13_378_280, 1_591_044_096, None, "the same, with its heads"),
    "resnet-18": Known(11_689_512, 1_814_073_344, 2_484_712, "torchvision 0.28"),
    "resnet-34": Known(21_797_672, 3_663_761_408, 3_739_112, "torchvision 0.28"),
    "resnet-50": Known(25_557_032, 3_857_973_248, None, "torchvision; keras 3 for the MACs"),
    "resnet-50-torchvision": Known(25_557_032, 4_089_184_256, 11_114_984, "torchvision 0.28"),
    "resnet-101": Known(44_549_160, 7_570_194_432, None, "torchvision; keras 3 for the MACs"),
    "resnet-152": Known(60_192_808, 11_282_415_616, None, "torchvision; keras 3 for the MACs"),
    # torchvision's at 227 has no padding at conv10: 15x15 against 13x13 there
    "squeezenet-1.0": Known(
        1_248_424,
        832_667_936 + (15**2 - 13**2) * 512 * 1000,
        4_451_272 + (15**2 - 13**2) * 1000,
        "torchvision 0.28 at 227, and the padding of the released file",
    ),
    "squeezenet-1.1": Known(1_235_496, 387_747_520, 2_763_104, "torchvision 0.28 at 227"),
    "mobilenet-v1": Known(4_231_976, 568_740_352, None, "keras 3"),
    "u-net": Known(31_030_658, None, None, "the paper's figure 1, by hand"),
    "inception-v3": Known(23_834_568, 5_713_216_096, 8_968_488, "torchvision 0.28; keras 3"),
    "xception": Known(22_855_952, 8_357_403_496, None, "keras 3"),
    "densenet-121": Known(7_978_856, 2_834_161_664, 6_900_200, "torchvision 0.28; keras 3"),
}
# fmt: on


def counted(name: str) -> Tally:
    return tally(read(name))


def test_every_network_has_a_known_count_and_claims() -> None:
    assert set(zoo.names()) == set(KNOWN)
    assert all(zoo.claims_path(name) for name in KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_counts(name: str) -> None:
    known, ours = KNOWN[name], counted(name)
    assert ours.complete
    assert ours.parameters == known.parameters, known.source
    if known.macs is not None:
        assert ours.macs == known.macs, known.source
    if known.neurons is not None:
        assert ours.neurons == known.neurons, known.source


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("resnet-18", 1.8e9), ("resnet-34", 3.6e9), ("resnet-50", 3.8e9), ("resnet-101", 7.6e9),
        ("resnet-152", 11.3e9), ("mobilenet-v1", 569e6), ("zfnet", 1_170e6), ("nin", 223e6),
    ],
)  # fmt: skip
def test_macs_are_near_what_is_printed(name: str, printed: float) -> None:
    """Printed figures are cut or rounded (3.858 G is printed 3.8): within 2 %."""
    assert counted(name).macs == pytest.approx(printed, rel=0.02)


# Keras: all variables, those of the moving statistics too.
@pytest.mark.parametrize(
    ("name", "variables"),
    [("xception", 22_910_480), ("mobilenet-v1", 4_253_864), ("densenet-121", 8_062_504),
     ("vgg-16", 138_357_544)],
)  # fmt: skip
def test_keras_counts_statistics_too(name: str, variables: int) -> None:
    assert counted(name).under(accounting("keras")).parameters == variables


def test_inception_without_the_scale_is_keras_own() -> None:
    network = read("inception-v3")
    norms = [node for node in network.nodes if node.layer.kind == "batch_norm"]
    ours = tally(network.edit({node.name: node.layer.replace(weight=False) for node in norms}))
    assert ours.parameters == 23_817_352
    assert ours.under(accounting("keras")).parameters == 23_851_784


# AlexNet, the arithmetic: output, neurons, parameters, share in per cent, MACs.
ARITHMETIC = [
    ("conv1", (96, 55, 55), 290_400, 34_944, 0.057, 105_415_200),
    ("conv2", (256, 27, 27), 186_624, 307_456, 0.504, 223_948_800),
    ("conv3", (384, 13, 13), 64_896, 885_120, 1.452, 149_520_384),
    ("conv4", (384, 13, 13), 64_896, 663_936, 1.089, 112_140_288),
    ("conv5", (256, 13, 13), 43_264, 442_624, 0.726, 74_760_192),
    ("fc6", (4096,), 4_096, 37_752_832, 61.925, 37_748_736),
    ("fc7", (4096,), 4_096, 16_781_312, 27.526, 16_777_216),
    ("fc8", (1000,), 1_000, 4_097_000, 6.720, 4_096_000),
]


@pytest.mark.parametrize("row", ARITHMETIC, ids=lambda row: row[0])
@pytest.mark.parametrize("name", ["alexnet", "caffe-alexnet", "caffenet"])
def test_alexnet_layer(name: str, row: Any) -> None:
    layer, output, neurons, parameters, share, macs = row
    ours = counted(name)
    assert ours[layer].shape == (1, *output)
    assert ours.accounting.neurons(ours[layer]) == neurons
    assert ours.accounting.parameters(ours[layer]) == parameters
    assert 100 * parameters / ours.parameters == pytest.approx(share, abs=0.0006)
    assert ours[layer].work is not None
    assert ours[layer].work.macs == macs


@pytest.mark.parametrize("row", ARITHMETIC[:7], ids=lambda row: row[0])
def test_alexnet_column(row: Any) -> None:
    """Each of the two columns has half of everything, and their sum is the grouped layer's."""
    layer, output, neurons, parameters, _, macs = row
    ours = counted("alexnet-two-column")
    a, b = ours[layer + "a"], ours[layer + "b"]
    assert a.shape == b.shape == (1, output[0] // 2, *output[1:])
    for quantity, whole in [
        (ours.accounting.neurons, neurons),
        (ours.accounting.parameters, parameters),
        (lambda row: row.work.macs, macs),
    ]:
        assert quantity(a) == quantity(b) == whole // 2


def test_alexnet_weights_and_biases() -> None:
    tensors = [item for row in counted("alexnet") for item in (row.parameters or {}).items()]
    size = {"weight": 0, "bias": 0}
    for name, shape in tensors:
        values = 1
        for each in shape:
            values *= each
        size[name] += values
    assert size == {"weight": 60_954_656, "bias": 10_568}


def test_alexnet_without_groups() -> None:
    network = read("alexnet")
    ungrouped = tally(
        network.edit(
            {n.name: n.layer.replace(groups=1) for n in network.nodes if n.layer.kind == "conv"}
        )
    )
    assert (ungrouped.parameters, ungrouped.macs) == (62_378_344, 1_135_256_096)


def conv1(network: Network, inputs: int, **fields: Any) -> tuple[int, ...] | None:
    edited = network.edit({"conv1": network["conv1"].layer.replace(**fields)})
    return tally(edited.replace(inputs={next(iter(network.inputs)): (1, 3, inputs, inputs)}))[
        "conv1"
    ].shape


@pytest.mark.parametrize(
    ("inputs", "fields", "side"),
    [
        (224, {"rounding": "up"}, 55),  # cuda-convnet
        (224, {"rounding": "down"}, 54),  # Torch, Caffe; TensorFlow's VALID
        (224, {"rounding": "down", "padding": ((3, 4), (3, 4))}, 56),  # TensorFlow's SAME
        (224, {"rounding": "down", "padding": ((0, 3), (0, 3))}, 55),  # the same as rounding up
        (224, {"rounding": "down", "padding": 2}, 55),  # torchvision
        (227, {"rounding": "down"}, 55),  # Caffe, Darknet, CS231n
    ],
)
def test_how_55_comes_out(inputs: int, fields: dict[str, Any], side: int) -> None:
    assert conv1(read("alexnet"), inputs, **fields) == (1, 96, side, side)


def test_253440_is_no_square_map_and_one_factor_away() -> None:
    printed = 253_440
    assert printed == 2**9 * 3**2 * 5 * 11
    assert printed % 96 == 0
    assert isqrt(printed // 96) ** 2 != printed // 96 == 2640
    written = (55, 55, 48, 2)
    values = set(range(1, 300))
    one_off = {
        (was, now)
        for place, now in pairs(range(4), values)
        if (was := written[place]) * printed == 290_400 * now
    }
    assert one_off == {(55, 48)}
    assert 659_272 - 290_400 + printed == 622_312


# The paper's claims and what comes of them. A claim that stands more than once stands once here.
VERDICTS = {
    "parameters = 60 million": "truncates",
    "neurons = 650,000": "truncates",
    "count(conv) = 5": "exact",
    "count(linear) = 3": "exact",
    "fc8.neurons = 1000": "exact",
    "every conv*.parameters / parameters <= 1 %": "differs",
    "fc6.parameters / parameters > 50 %": "holds",
    "(conv1.height - 2 + 1) // 2 + 1 - pool1.height = 0": "differs",
    "conv1.kernel_volume = 11x11x3": "exact",
    "conv2.kernel_volume = 5x5x48": "exact",
    "conv3.kernel_volume = 3x3x256": "exact",
    "conv4.kernel_volume = 3x3x192": "exact",
    "conv5.kernel_volume = 3x3x192": "exact",
    "input.values = 150,528": "exact",
    "conv1.neurons = 253,440": "differs",
    "conv2.neurons = 186,624": "exact",
    "conv3.neurons = 64,896": "exact",
    "conv4.neurons = 64,896": "exact",
    "conv5.neurons = 43,264": "exact",
    "fc6.neurons = 4096": "exact",
    "fc7.neurons = 4096": "exact",
    "conv1.output = 55x55": "exact",
    "log2(fc8.neurons) = 10": "rounds",
    "(256 - input.width) * (256 - input.width) * 2 = 2048": "exact",
    "conv1.channels / 2 = 48": "exact",
    "top1_error = 37.5 %": "unknown",
    "top5_error = 17.0 %": "unknown",
    "top1_error = 40.7 %": "unknown",
    "top5_error = 18.2 %": "unknown",
    "top1_error = 38.1 %": "unknown",
    "top5_error = 16.4 %": "unknown",
    "top1_error = 39.0 %": "unknown",
    "top5_error = 16.6 %": "unknown",
    "top1_error = 36.7 %": "unknown",
    "top5_error = 15.4 %": "unknown",
}


def claimed(name: str) -> dict[str, Any]:
    path = zoo.claims_path(name)
    assert path is not None
    return {verdict.claim.text: verdict for verdict in check(read(name), load(path))}


def test_the_papers_claims() -> None:
    verdicts = claimed("alexnet")
    assert {text: verdicts[text].status for text in VERDICTS} == VERDICTS
    share = verdicts["every conv*.parameters / parameters <= 1 %"].detail
    assert "conv3 (1.452 %)" in share
    assert "conv4 (1.089 %)" in share
    assert not any(f"conv{i}" in share for i in (1, 2, 5))


def test_lenet_has_all_its_parameters_and_connections() -> None:
    verdicts = claimed("lenet-5")
    assert {v.status for v in verdicts.values()} == {"exact"}
    assert "connections = 340,908" in verdicts


@pytest.mark.parametrize("name", KNOWN)
def test_claims_can_be_judged(name: str) -> None:
    verdicts = claimed(name)
    assert verdicts
    for text, verdict in verdicts.items():
        assert verdict.claim.quote, text
        assert verdict.claim.place, text
        assert verdict.claim.work, text
        assert verdict.status != "unknown" or verdict.claim.measured, (text, verdict.detail)


# The re-creations: input and padding of conv1, channels, groups, normalisations, parameters.
RECREATIONS = [
    ("caffe-alexnet", 227, 0, (96, 256, 384, 384, 256), 2, "relu lrn max_pool"),
    ("caffenet", 227, 0, (96, 256, 384, 384, 256), 2, "relu max_pool lrn"),
    ("alexnet-torchvision", 224, 2, (64, 192, 384, 256, 256), 1, "relu max_pool conv"),
    ("alexnet-tf-slim", 224, 0, (64, 192, 384, 384, 256), 1, "relu max_pool conv"),
    ("alexnet-darknet", 227, 0, (96, 256, 384, 384, 256), 1, "relu max_pool conv"),
    ("alexnet-tflearn", 227, (4, 4), (96, 256, 384, 384, 256), 1, "relu max_pool lrn"),
]


@pytest.mark.parametrize("row", RECREATIONS, ids=lambda row: row[0])
def test_recreation(row: Any) -> None:
    name, side, padding, channels, groups, order = row
    network = read(name)
    assert next(iter(network.inputs.values())) == (1, 3, side, side)
    layers = {node.name: node.layer for node in network.nodes}
    fields = [layers[f"conv{i}"].fields() for i in range(1, 6)]
    before_after = padding if isinstance(padding, tuple) else (padding, padding)
    assert fields[0]["padding"] == (before_after, before_after)
    assert tuple(each["filters"] for each in fields) == channels
    assert [each["groups"] for each in fields] == [1, groups, 1, groups, groups]
    assert [node.layer.kind for node in network.nodes[1:4]] == order.split()


@pytest.mark.parametrize(
    ("name", "sides"),
    [("alexnet-tf-slim", (54, 26, 12, 5)), ("alexnet-tflearn", (57, 29, 15, 8)),
     ("alexnet", (55, 27, 13, 6)), ("alexnet-darknet", (55, 27, 13, 6))],
)  # fmt: skip
def test_sides(name: str, sides: tuple[int, ...]) -> None:
    ours = counted(name)
    found = tuple(ours[layer].shape[2] for layer in ("conv1", "pool1", "pool2", "pool5"))
    assert found == sides


def test_soumith_never_crosses_and_alexnet_does() -> None:
    assert counted("alexnet-soumith")["left.conv3"].parameters == {
        "weight": (192, 128, 3, 3), "bias": (192,)
    }  # fmt: skip
    assert counted("alexnet-two-column")["conv3a"].parameters == {
        "weight": (192, 256, 3, 3), "bias": (192,)
    }  # fmt: skip


def test_the_order_of_the_code_of_2012() -> None:
    kinds = [node.layer.kind for node in read("alexnet").nodes]
    assert " ".join(kinds) == (
        "conv lrn max_pool relu conv relu lrn lrn max_pool conv relu conv relu conv max_pool relu "
        "linear relu dropout linear relu dropout linear softmax"
    )


@pytest.mark.parametrize("name", ["alexnet", "alexnet-two-column"])
def test_normalisation_is_the_codes(name: str) -> None:
    """Alpha is divided by the window in the code: torch's alpha 1e-4, undivided 2e-5."""
    norms = [node.layer.fields() for node in read(name).nodes if node.layer.kind == "lrn"]
    columns = [norm for norm in norms if norm["across"] == "channels"]
    assert {(n["size"], n["alpha"], n["beta"], n["k"]) for n in columns} == {(5, 1e-4, 0.75, 2)}
    space = [norm for norm in norms if norm["across"] == "space"]
    assert {(n["size"], n["alpha"], n["beta"]) for n in space} == {(5, 1e-3, 0.75)}


def test_calflops_printed_three_times_the_macs() -> None:
    assert round(3 * counted("alexnet-torchvision").macs / 1e9, 4) == 2.1426
