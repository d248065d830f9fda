"""Receptive fields against published tables and another program's tests."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from field_nets import ALEXNET, Build, chain, conv, make
from nettally.counting.receptive_field import (
    NOT_ALIGNED,
    padding_depends_on_input,
    receptive_fields,
)
from nettally.counting.tally import tally
from nettally.formats import read
from nettally.network import Layer, Network


def tf_layer(build: Build, spec: list[Any]) -> None:
    if spec[0] == "pad":
        build(make("pad", tuple(map(tuple, spec[1]))))
        return
    kind, kernel, stride, padding = spec
    kernel = tuple(kernel)
    layer = conv(kernel, stride) if kind == "conv" else make("max_pool", kernel, stride=stride)
    if padding == "SAME":
        build.same(layer)
    else:
        build(layer)


def tf_block(build: Build, branches: list[Any]) -> None:
    start = build.last
    ends: list[str] = []
    for branch in branches:
        build.last = start
        for spec in branch:
            tf_layer(build, spec)
        ends.append(build.last)
    build(make("add"), *ends)


def tf_net(networks: Mapping[str, Any], name: str, size: list[int]) -> Network:
    """One of the test networks of google-research/receptive_field."""
    build = Build(data=(1, 1, *size))
    described: Any = networks[name]
    if name in ("6", "7"):
        described = networks["1"]
    if name in ("8", "9"):
        second = [[["conv", [1, 1], 2, "VALID"]], [["conv", [3, 3], 2, "VALID"]]]
        blocks: list[Any] = [networks["1"]["branches"], second]
        if name == "8":
            second[1].insert(0, ["pad", [[1, 0], [1, 0]]])
        else:
            blocks = [
                [[[*spec[:3], "SAME"] for spec in branch if spec[0] != "pad"] for branch in block]
                for block in blocks
            ]
        tf_block(build, blocks[0])
        build(make("relu"))
        tf_block(build, blocks[1])
    elif "chain" in described:
        for spec in described["chain"]:
            tf_layer(build, spec)
    else:
        branches = [list(branch) for branch in described["branches"]]
        tf_block(build, branches)
    if name == "6":
        build(make("dropout"))
    return build.network


def test_the_reference_cases_of_google_research(oracles: Path) -> None:
    file = json.loads((oracles / "tf_receptive_field_test_nets.json").read_text())
    assert len(file["expected"]) == 11
    for case in file["expected"]:
        name = case["net"]
        if case.get("input") == "unknown":
            sizes = [[9, 9], [8, 8]]
        else:
            sizes = [case.get("input") or ([16, 16] if name == "8" else [8, 8])]
        networks = [tf_net(file["networks"], name, size) for size in sizes]
        fields = [receptive_fields(network)[network.outputs[0]] for network in networks]
        if "error" in case:
            assert [field.status for field in fields] == [NOT_ALIGNED], case
            continue
        field = next(field for field in fields if field.known)
        size = case.get("rf") or case["rf_xy"][::-1]  # x is the width, our second axis
        assert (list(field.size), list(field.stride)) == (size, case["stride"]), case
        if case["padding"] == [None, None]:
            assert all(
                network.outputs[0] in padding_depends_on_input(network) for network in networks
            )
        else:
            assert [-start for start in field.start] == case["padding"], case


def _last(end: str) -> str:
    return end.rpartition("/")[2]


def _vgg(end: str) -> str:
    name = _last(end)
    return name if name.startswith("pool") else f"{name}.conv"


def _inception(end: str) -> str:
    kind, _, place = end.partition("_")
    place = place[:2]
    return {
        "Conv2d": f"conv_{place}.conv",
        "MaxPool": f"pool_{place}",
        "Mixed": f"mixed_{place}.output",
    }[kind]


def _mobilenet(end: str) -> str:
    number = end.split("_")[1]
    return "conv0" if number == "0" else f"conv{number}.pointwise"


def _resnet(*units: int) -> Callable[[str], str]:
    def name(end: str) -> str:
        stage = int(end[-1])
        return f"conv{stage + 1}_{units[stage - 1]}.relu3"

    return name


TABLE: dict[str, tuple[str, Callable[[str], str]]] = {
    "alexnet_v2": ("alexnet-tf-slim", _last),
    "vgg_a": ("vgg-a", _vgg),
    "vgg_16": ("vgg-16", _vgg),
    "inception_v3": ("inception-v3", _inception),
    "mobilenet_v1": ("mobilenet-v1", _mobilenet),
    "mobilenet_v1_075": ("mobilenet-v1", _mobilenet),  # narrower: the fields are the same
    "resnet_v1_50": ("resnet-50", _resnet(3, 4, 6, 3)),
    "resnet_v1_101": ("resnet-101", _resnet(3, 4, 23, 3)),
    "resnet_v1_152": ("resnet-152", _resnet(3, 8, 36, 3)),
}
"""The models of the table, what they are called in the zoo, and which of our nodes an end-point is.

Not in the zoo: Inception v2 and v4, Inception-ResNet v2, ResNet v1-200, ResNet v2.
"""


def test_the_published_table_of_receptive_fields(claims_folder: Path) -> None:
    """The table beside Araujo et al. 2019, for the networks of TF-Slim that are also in our zoo.

    ResNets: TF-Slim puts the stride of a stage at its end, on a unit whose field is the same, so
    fields and paddings agree and the stride is that of our next stage. At no given resolution the
    table leaves out a padding that the resolution decides.
    """
    compared = dict.fromkeys(TABLE, 0)
    counted = {name: tally(read(zoo)) for name, (zoo, _) in TABLE.items()}
    fields = {name: receptive_fields(net) for name, net in counted.items()}
    with (claims_folder / "receptive_field_araujo.csv").open(newline="") as file:
        for claim in csv.DictReader(file):
            name, size, quantity = claim["model_id"], claim["input_size"], claim["quantity"]
            if name not in TABLE or quantity == "flops":
                continue
            if not claim["notes"].startswith("end-point "):  # the last one again, in another table
                continue
            if size not in ("", "224"):  # our file's own input, but for Inception's
                continue
            end = claim["notes"].removeprefix("end-point ").partition(";")[0]
            field = fields[name][TABLE[name][1](end)]
            found = {
                "receptive_field": field.size,
                "effective_stride": field.stride,
                "effective_padding": tuple(-start for start in field.start),
            }[quantity]
            printed = int(claim["value_as_printed"])
            if name.startswith("resnet") and quantity == "effective_stride":
                printed = {8: 4, 16: 8, 32: 16}[printed] if "block4" not in end else printed
            assert found == (printed, printed), (name, end, quantity)
            compared[name] += 1
    assert compared == {
        "alexnet_v2": 42,
        "vgg_a": 78,
        "vgg_16": 78,
        "inception_v3": 108,
        "mobilenet_v1": 70,
        "mobilenet_v1_075": 70,
        "resnet_v1_50": 20,
        "resnet_v1_101": 20,
        "resnet_v1_152": 20,
    }


def test_fcn_table_1() -> None:
    """Long et al. 2015: 355 (AlexNet, fc6 as 6x6), 404 (VGG-16, fc6 as 7x7), 907 (GoogLeNet)."""
    layers = [layer for _, layer, *_ in ALEXNET]
    assert chain([*layers, conv(6)]).field.size == (355, 355)
    vgg: list[Layer] = []
    for convs in (2, 2, 3, 3, 3):
        vgg += [conv(3, padding=1)] * convs
        vgg.append(make("max_pool", 2))
    field = chain([*vgg, conv(7)]).field
    assert (field.size, field.stride) == ((404, 404), (32, 32))
    google = receptive_fields(tally(read("googlenet")))["pool5"]
    assert (google.size, google.stride) == ((907, 907), (32, 32))
