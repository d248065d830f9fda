"""One network from different files: AlexNet from Caffe, ONNX, Darknet, Keras and our zoo.

Every difference that comes out is a true one, and none is missing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nettally

if TYPE_CHECKING:
    from nettally.diffing import Difference

CAFFE = "caffe/BVLC__caffe/models/bvlc_alexnet/deploy.prototxt"
DARKNET = "darknet/pjreddie__darknet/cfg/alexnet.cfg"
ONNX = "onnx/onnx__onnx/onnx/backend/test/data/light/light_bvlc_alexnet.onnx"


def changes(found: Difference) -> dict[str, set[str]]:
    """The names of the fields that differ, by the first network's name of the layer."""
    changed = [pair for pair in found.pairs if pair.status == "changed"]
    return {pair.name.partition(" / ")[0]: set(pair.changes) - {"after"} for pair in changed}


def gone(found: Difference) -> list[str]:
    return [pair.name for pair in found.pairs if pair.status == "removed"]


@pytest.fixture(scope="module")
def caffe(corpus: Path) -> nettally.Network:
    return nettally.read(corpus / CAFFE)


def test_our_caffe_alexnet_is_caffes(caffe: nettally.Network) -> None:
    assert nettally.diff(nettally.read("caffe-alexnet"), caffe).same


def test_the_code_of_2012_and_caffe(caffe: nettally.Network) -> None:
    found = nettally.diff(nettally.read("alexnet"), caffe)
    assert found.inputs == {"data": ((1, 3, 224, 224), (1, 3, 227, 227))}
    convolutions = {f"conv{i}": {"rounding"} for i in range(1, 6)}
    assert changes(found) == {**convolutions, "norm1": {"k", "groups"}, "norm2": {"k", "groups"}}
    assert gone(found) == ["norm2_space"]
    assert (found.parameters, found.operations, found.neurons) == (0, 0, 0)


def test_caffe_and_darknet(caffe: nettally.Network, corpus: Path) -> None:
    found = nettally.diff(caffe, nettally.read(corpus / DARKNET))
    assert not found.inputs
    groups = {f"conv{i}": {"groups"} for i in (2, 4, 5)}
    pools = {f"pool{i}": {"rounding"} for i in (1, 2, 5)}
    assert changes(found) == {**groups, **pools}
    assert gone(found) == ["norm1", "norm2"]
    assert (found.parameters, found.operations) == (1_413_120, 410_849_280)


def test_caffe_and_the_light_onnx_model(caffe: nettally.Network, corpus: Path) -> None:
    light = nettally.read(corpus / ONNX)
    found = nettally.diff(caffe, light)
    ((before, after),) = found.inputs.values()
    assert (before[2:], after[2:]) == ((227, 227), (224, 224))
    # at 224 and rounding down the first maps have a side of 54, and pool5 pads to keep its 6
    counted = nettally.tally(light)
    assert counted.rows[0].shape == (1, 96, 54, 54)
    assert changes(found) == {
        "pool1": {"rounding"},
        "pool2": {"rounding"},
        "pool5": {"rounding", "padding"},
    }
    assert found.parameters == 0
    assert counted.macs == 654_560_384


def keras_alexnet() -> str:
    """AlexNet as one would write it in Keras: 227, no rounding up, groups, no normalisation."""
    layers: list[tuple[str, dict[str, Any]]] = [
        ("InputLayer", {"name": "data", "batch_input_shape": [None, 227, 227, 3]})
    ]

    def conv(i: int, filters: int, size: int, stride: int, padding: str, groups: int) -> None:
        fields = {"filters": filters, "kernel_size": [size, size], "strides": [stride, stride]}
        fields |= {"padding": padding, "groups": groups, "activation": "relu"}
        layers.append(("Conv2D", {"name": f"conv{i}", **fields}))

    def pool(i: int) -> None:
        fields = {"pool_size": [3, 3], "strides": [2, 2], "padding": "valid"}
        layers.append(("MaxPooling2D", {"name": f"pool{i}", **fields}))

    conv(1, 96, 11, 4, "valid", 1)
    pool(1)
    conv(2, 256, 5, 1, "same", 2)
    pool(2)
    conv(3, 384, 3, 1, "same", 1)
    conv(4, 384, 3, 1, "same", 2)
    conv(5, 256, 3, 1, "same", 2)
    pool(5)
    layers.append(("Flatten", {"name": "flatten"}))
    for name, units in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        activation = "softmax" if name == "fc8" else "relu"
        layers.append(("Dense", {"name": name, "units": units, "activation": activation}))
    written = [{"class_name": kind, "config": config} for kind, config in layers]
    config = {"name": "alexnet", "layers": written}
    return json.dumps({"class_name": "Sequential", "config": config, "keras_version": "2.15.0"})


def test_our_caffe_alexnet_and_one_in_keras(tmp_path: Path) -> None:
    (tmp_path / "alexnet.json").write_text(keras_alexnet())
    keras = nettally.read(tmp_path / "alexnet.json")
    found = nettally.diff(nettally.read("caffe-alexnet"), keras)
    assert not found.inputs
    assert {f"pool{i}": {"rounding"} for i in (1, 2, 5)}.items() <= changes(found).items()
    assert {"norm1", "norm2"} <= set(gone(found))
    assert (found.parameters, found.operations, found.neurons) == (0, 0, 0)
