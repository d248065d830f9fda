"""Caffe's trained nets: counted from their layers and their tensors' shapes, the weights unread."""
# ruff: noqa: E501  (tables: a case a line)
# Lines of texts and of their errors are easier to compare whole.

from __future__ import annotations

from pathlib import Path

import pytest

from caffe_files import blobs, caffemodel, encode, field, varint
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source
from nettally.formats import read as read_file
from nettally.formats.caffe.caffemodel import read, sniff
from nettally.formats.encodings.prototxt import parse
from nettally.network import Network, Shape

NET = """
name: "small"
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "split" type: "Split" bottom: "conv" top: "a" top: "b" }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "odd" type: "Odd" bottom: "sum" top: "sum" }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc"
        inner_product_param { num_output: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
TENSORS: dict[str, list[Shape]] = {
    "conv": [(4, 3, 3, 3), (4,)],
    "bn": [(4,), (4,), (1,)],
    "odd": [(7, 2)],
    "fc": [(5, 4 * 6 * 6), (5,)],
}
PARAMETERS = 112 + 14 + 725


def of(data: bytes, inputs: dict[str, Shape] | None = None) -> Network:
    assert sniff(data[:65536], "x")
    return read(Source("x.caffemodel", data, inputs or {}))


def test_with_the_size_of_its_input() -> None:
    net = of(caffemodel(NET, TENSORS), {"": (3, 8, 8)})
    found = tally(net)
    assert [node.name for node in net.nodes] == ["conv", "bn", "sum", "odd", "fc"]
    assert dict(net.inputs) == {"data": (1, 3, 8, 8)}
    assert found.parameters == PARAMETERS
    assert found.macs == 27 * 4 * 36 + 144 * 5
    assert not found.complete
    assert found["odd"].parameters == {"blob0": (7, 2)}


def test_without_the_size_of_its_input_the_tensors_are_counted() -> None:
    net = of(caffemodel(NET, TENSORS))
    found = tally(net)
    assert found.parameters == PARAMETERS
    assert not found.complete
    assert found["bn"].buffers == {"running_mean": (4,), "running_var": (4,), "factor": (1,)}
    assert found["fc"].parameters == {"weight": (5, 144), "bias": (5,)}
    assert net["sum"].inputs == ("bn",)
    assert net.notes == (
        "the size of the input is not in the file ('data' is an input): counted are the stored "
        "tensors; --input 3x224x224, its own size, gives shapes and MACs",
    )


def test_a_size_that_is_in_the_file_is_taken() -> None:
    stated = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }'
    found = tally(of(caffemodel(stated + NET, TENSORS)))
    assert (found.parameters, found.macs) == (PARAMETERS, 27 * 4 * 36 + 144 * 5)


def test_what_is_stored_behind_an_unknown_layer_is_counted() -> None:
    net = NET.replace('bottom: "sum" top: "sum"', 'bottom: "sum" top: "odd"').replace(
        'bottom: "sum" top: "fc"', 'bottom: "odd" top: "fc"'
    )
    found = tally(of(caffemodel(net, TENSORS), {"data": (3, 8, 8)}))
    assert found.parameters == PARAMETERS
    assert found["fc"].parameters == {"weight": (5, 144), "bias": (5,)}


@pytest.mark.parametrize(("kind", "stored"), [("BatchNorm", 5), ("BN", 4)])
def test_a_norm_s_statistics_are_not_learned(kind: str, stored: int) -> None:
    tensors: dict[str, list[Shape]] = {
        "n": [*[(3,)] * 2, *([(1,)] if stored == 5 else []), *[(3,)] * 2]
    }
    data = caffemodel(f'layer {{ name: "n" type: "{kind}" bottom: "data" top: "n" }}', tensors)
    for inputs in ({}, {"data": (3, 8, 8)}):
        assert tally(of(data, inputs)).parameters == 6


def test_old_files_have_four_sizes() -> None:
    old = (
        NET.replace("layer {", "layers {")
        .replace('"BatchNorm"', "BNLL")
        .replace('"Odd"', "SIGMOID")
    )
    for new, word in (("Convolution", "CONVOLUTION"), ("Split", "SPLIT"), ("Eltwise", "ELTWISE"),
                      ("InnerProduct", "INNER_PRODUCT"), ("SoftmaxWithLoss", "SOFTMAX_LOSS")):  # fmt: skip
        old = old.replace(f'"{new}"', word)
    tensors = {name: TENSORS[name] for name in ("conv", "fc")}
    for fill in (True, False):
        data = caffemodel(old, tensors, old=True, fill=fill)
        assert tally(of(data)).parameters == 112 + 725
        assert tally(of(data, {"data": (3, 8, 8)})).parameters == 112 + 725


def test_a_data_layer_says_the_size_and_the_weights_the_channels() -> None:
    source = ('layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } '
              "transform_param { crop_size: 8 } data_param { batch_size: 32 } }")  # fmt: skip
    tensors = {**TENSORS, "conv": [(4, 1, 3, 3), (4,)]}
    net = of(caffemodel(source + NET, tensors))
    assert dict(net.inputs) == {"data": (1, 1, 8, 8)}
    assert net.notes[0] == "input 'data' of 'd': crop_size 8, 1 channel by the stored weights"
    assert dict(of(caffemodel(source + NET, TENSORS), {"": (2, 3, 8, 8)}).inputs) == {
        "data": (2, 3, 8, 8)
    }


@pytest.mark.parametrize(
    ("tensors", "size", "error"),
    [
        ({"conv": [(4, 3, 3, 3)]}, (3, 8, 8),
         "conv: its stored weights are not those of such a layer\n"
         "  values: stored 4x3x3x3; it has weight 4x3x3x3, bias 4"),
        ({"fc": [(5, 144), (5,)]}, (3, 9, 9),
         "fc: its stored weights are not those of such a layer\n"
         "  values: stored 5x144, 5; it has weight 5x196, bias 5"),
        ({"bn": [(5,), (5,), (1,)]}, (3, 8, 8),
         "bn: its stored statistics are not those of its input\n  values: 4 channels, stored 5, 5, 1"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit(tensors: dict[str, list[Shape]], size: Shape, error: str) -> None:
    with pytest.raises(ReadError) as caught:
        of(caffemodel(NET, tensors), {"data": size})
    assert error in str(caught.value)
    assert "x.caffemodel at byte" in str(caught.value)


def test_more_values_than_the_shape() -> None:
    blob = field(7, field(7, field(1, varint(4))) + field(5, bytes(20)))
    net = parse("x", NET)
    with pytest.raises(ReadError) as caught:
        of(encode(net, weights={"conv": blob}))
    assert "a stored tensor has not as many values as its shape says" in str(caught.value)
    assert "values: 4 = 4, 5 values" in str(caught.value)


def test_a_net_of_200_megabytes_is_not_fetched(tmp_path: Path) -> None:
    from nettally.formats.caffe.binary import decode
    from nettally.formats.encodings.blob import Blob

    path = tmp_path / "large.caffemodel"
    head = encode(parse("x", 'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" '
                             "inner_product_param { num_output: 50000 bias_term: false } }"))  # fmt: skip
    size = 4 * 50_000 * 1000
    shape = field(7, field(1, varint(50_000) + varint(1000)))
    blob = shape + varint(5 << 3 | 2) + varint(size)
    body = head[len(varint(100 << 3 | 2)) :]
    inner = body[len(varint(len(body) - 1)) :]
    inner += varint(7 << 3 | 2) + varint(len(blob) + size) + blob
    with path.open("wb") as file:
        file.write(varint(100 << 3 | 2) + varint(len(inner) + size) + inner)
        file.truncate(file.tell() + size)  # zeros that take no room
    with Blob(str(path), str(path)) as opened:
        decode(opened)
        assert opened.fetched < 2**18
    assert tally(read_file(path)).parameters == 50_000_000


@pytest.mark.parametrize("text", ["", "nettally: 1", '{"a": 1}', "layer { }", "\x08\x07"])
def test_what_is_none_is_not_taken_for_one(text: str) -> None:
    assert not sniff(text.encode(), "x.caffemodel")


def test_blobs_of_a_layer_are_named_by_what_they_are() -> None:
    assert blobs([(2, 3)])[:1] == varint(7 << 3 | 2)
