"""Caffe's files made to harm: text that nests or never ends, binary that lies about its lengths."""
# ruff: noqa: E501  (tables: a case a line)
# Lines of texts and of their errors are easier to compare whole.

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from caffe_files import caffemodel, encode, field, varint
from nettally.formats.encodings.prototxt import parse

if TYPE_CHECKING:
    from conftest import Hostile

HEAD = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n"
RELU = "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }\n"
NET = 'layer { name: "r" type: "ReLU" bottom: "data" top: "data" }'

TEXTS = {
    "deep": (HEAD + "layer " + "{ a " * 100_000, "messages nest more than"),
    "deep angles": (HEAD + "layer " + "< a " * 100_000, "messages nest more than"),
    "deep lists": (HEAD + "layer " + "{ a: [" * 100_000, "messages nest more than"),
    "open": (HEAD + RELU + "layer {", "is never closed"),
    "quotes": (HEAD + RELU + 'a: "' + '\\"' * 500_000, "a quotation mark is never closed"),
    "many quotes": (HEAD + RELU + "a: " + "''" * 300_000 + "'", "never closed"),
    "digits": (HEAD + RELU.replace("'r' }", "'r' relu_param { negative_slope: " + "9" * 1_000_000 + "} }"),
               "is a number"),
    "digits and letters": (HEAD + RELU + "a: " + "1" * 1_000_000 + "x", "a number ends in letters"),
    "points": (HEAD + RELU + "a: " + "1." * 500_000, "a number ends in letters"),
    "huge size": (HEAD.replace("8", "99999999999999999999") + RELU, "a size that cannot be"),
    "negative size": (HEAD.replace("8", "-8") + RELU, "a size that cannot be"),
    "long digits": (HEAD.replace("8", "9" * 5000) + RELU, "is a whole number"),
    "huge filters": (HEAD + "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' "
                     "convolution_param { num_output: 99999999999 kernel_size: 1 } }", "at most 2^31"),
    "huge kernel": (HEAD + "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' "
                    "pooling_param { kernel_size: 9999999999 } }", "at most 2^31"),
    "cycle": (HEAD + "layer { name: 'a' type: 'ReLU' bottom: 'b' top: 'a' }\n"
              "layer { name: 'b' type: 'ReLU' bottom: 'a' top: 'b' }", "is made after it"),
    "tiles": (HEAD + "layer { name: 't' type: 'Tile' bottom: 'data' top: 't' "
              "tile_param { tiles: 99999999999 } }", "'tiles' is a positive number"),
    "pyramid": (HEAD + "layer { name: 's' type: 'SPP' bottom: 'data' top: 's' "
                "spp_param { pyramid_height: 1000000 } }", "between 1 and 10"),
    "names": (HEAD + "layer { name: 'r' type: 'ReLU' bottom: '" + "x" * 1_000_000 + "' top: 'r' }",
              "is made by no layer"),
    "axes": (HEAD + "layer { name: 'r' type: 'Reshape' bottom: 'data' top: 'r' reshape_param { shape { "
             + "dim: 9999999999 " * 70_000 + "} } }", "too many axes"),
    "axes of an input": ("layer { type: 'Input' top: 'data' input_param { shape { "
                         + "dim: 2147483647 " * 70_000 + "} } }\n" + RELU, "at most 32 axes"),
    "ratios": (HEAD + "layer { type: 'PriorBox' bottom: 'data' top: 'p' prior_box_param { min_size: 1 "
               + " ".join(f"aspect_ratio: {1 + i / 1000}" for i in range(40_000)) + " aspect_ratio: 0 } }",
               "an aspect ratio cannot be"),
    "closing": (HEAD + RELU + "}" * 100_000, "closes nothing"),
    "nothing": ("layer { }", "has no type"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_refused(hostile: Hostile, name: str) -> None:
    text, error = TEXTS[name]
    assert error in hostile("x.prototxt", text).refused


def test_twenty_thousand_layers(hostile: Hostile) -> None:
    lines = [HEAD]
    before = "data"
    for index in range(20_000):
        lines.append(
            f"layer {{ name: 'r{index}' type: 'ReLU' bottom: '{before}' top: 'r{index}' }}"
        )
        before = f"r{index}"
    found = hostile("x.prototxt", "\n".join(lines), seconds=30)
    assert (found.how, found.layers) == ("read", 20_000)


def test_many_layers_of_one_name(hostile: Hostile) -> None:
    found = hostile("x.prototxt", HEAD + "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'data' }\n"
                    * 20_000, seconds=30)  # fmt: skip
    assert (found.how, found.layers) == ("read", 20_000)


def test_dense_bottoms_are_bounded(hostile: Hostile) -> None:
    line = "layer { name: 'e' type: 'Eltwise' " + "bottom: 'data' " * 10_000 + "top: 'e' }\n"
    assert "read too many others" in hostile("x.prototxt", HEAD + line * 21, seconds=30).refused


def test_names_that_would_speak_to_a_terminal(hostile: Hostile) -> None:
    text = HEAD + "layer { name: '\\x1b]0;x\\x07<script>' type: 'ReLU' bottom: 'data' top: 'r' }"
    found = hostile("x.prototxt", text, show=True)
    assert found.how == "read"


def test_bytes_that_are_no_utf_8(hostile: Hostile) -> None:
    data = b"# \xb3\xcc\xd0\xf2\n" + HEAD.encode() + RELU.encode().replace(b"'r'", b"'\xb3\xcc'")
    assert hostile("x.prototxt", data).how == "read"


BINARY = {
    "many tensors": (encode(parse("x", NET)) + field(100, field(1, b"f") + field(2, b"Odd") + field(3, b"data")
                                                     + field(7, b"") * 400_000), "too many fields"),
    "many sizes": (encode(parse("x", NET)) + field(100, field(1, b"f") + field(2, b"Odd")
                   + field(7, field(7, field(1, b"\x01" * 30_000))) * 8), "too many fields"),
    "cut": (caffemodel(NET, {"r": [(4,)]})[:-3], "longer than the message"),
    "length past the end": (encode(parse("x", NET)) + b"\xa2\x06\x7f\x0a\x01x", "longer than"),
    "overlong varint": (encode(parse("x", NET)) + b"\x28" + b"\xff" * 11, "varint"),
    "cut varint": (encode(parse("x", NET)) + b"\x28\xff", "within a varint"),
    "group": (encode(parse("x", NET)) + b"\x0b", "this is no field"),
    "number 0": (encode(parse("x", NET)) + b"\x02\x00", "no field has this number"),
    "string for a message": (encode(parse("x", NET)) + field(100, b"\xff" * 20), ""),
    "half a value": (field(100, field(2, b"ReLU") + field(3, b"data") + field(7, field(5, bytes(6)))),
                     "end within a value"),
    "huge tensor": (field(100, field(1, b"f") + field(2, b"Odd") + field(3, b"data")
                          + field(7, field(7, field(1, varint(2**62) * 30)))), None),
    "negative tensor": (field(100, field(1, b"f") + field(2, b"Odd") + field(3, b"data")
                              + field(7, field(7, field(1, varint(-5))))), "a size that cannot be"),
    "long string": (encode(parse("x", NET)) + field(100, field(1, b"x" * 100_000)), "is not of its type"),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_file(hostile: Hostile, name: str) -> None:
    data, error = BINARY[name]
    found = hostile("x.caffemodel", data)
    if error is not None:
        assert error in found.refused


def test_many_fields_of_a_text(hostile: Hostile) -> None:
    found = hostile("x.prototxt", HEAD + RELU + "a:1 " * 1_100_000, seconds=20)
    assert "too many fields" in found.refused


def test_weights_in_a_text_are_counted_and_not_kept(hostile: Hostile) -> None:
    blob = "blobs { shape { dim: 2000000 } " + "data: 0 " * 2_000_000 + "}"
    found = hostile("x.prototxt", HEAD + RELU.replace("'r' }", "'r' " + blob + " }"), seconds=30,
                    memory=128 * 2**20)  # fmt: skip
    assert found.how == "read"


def test_many_empty_fields(hostile: Hostile) -> None:
    head = encode(parse("x", NET))
    found = hostile("x.caffemodel", head + b"\x28\x01" * 1_100_000, seconds=20)
    assert "too many fields" in found.refused
