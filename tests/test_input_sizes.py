"""A note where parameters follow from an input size that the user gave; nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nettally
from nettally.formats import FORMATS, format_module

if TYPE_CHECKING:
    from pathlib import Path

YAML = "nettally: 1\ninput: 3x8x8\nlayers:\n  - conv: conv 4, 3x3\n  - fc: linear 10\n"
CAFFE = """input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 10 } }
"""
DARKNET = """[net]
height=8
width=8
channels=3
[convolutional]
filters=4
size=3
activation=linear
[connected]
output=10
activation=linear
"""
BEFORE, AFTER = 4 * 6 * 6 * 10 + 10, 4 * 8 * 8 * 10 + 10


@pytest.mark.parametrize(
    ("name", "text", "layer"),
    [
        ("x.yaml", YAML, "fc"),
        ("x.prototxt", CAFFE, "fc"),
        ("x.cfg", DARKNET, "connected_1"),
    ],
)
def test_a_size_that_the_user_gave(tmp_path: Path, name: str, text: str, layer: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert nettally.read(path).notes == ()
    assert nettally.read(path, (3, 8, 8)).notes == ()  # the file's own
    assert nettally.read(path, (7, 3, 8, 8)).notes == ()  # another batch
    assert nettally.read(path, (3, 10, 10)).notes == (
        f"the parameters of {layer} follow from the size of the input: {AFTER:,} with 3x10x10, "
        f"and {BEFORE:,} with 3x8x8, the size where none is given",
    )


def test_a_size_that_the_file_does_not_state(tmp_path: Path) -> None:
    path = tmp_path / "x.prototxt"
    path.write_text("input: 'data'\n" + CAFFE.partition("\n")[2])
    net = nettally.read(path, (3, 8, 8))
    assert net.notes[-1] == (
        "the parameters of fc follow from the size of the input, which the file does not state"
    )


@pytest.mark.parametrize(
    ("layers", "size", "note"),
    [
        ("  - p: global_average_pool no keep\n  - fc: linear 10\n", (3, 10, 10), ""),
        ("  - c: conv 4, 3x3\n", (3, 10, 10), ""),
        ("  - c: conv 4, 3x3\n", (1, 8, 8),
         "the parameters of c follow from the size of the input: 40 with 1x8x8, and 112 with "
         "3x8x8, the size where none is given"),
        ("".join(f"  - f{i}: linear 2 from data\n" for i in range(5)), (3, 1, 1),
         "the parameters of f0, f1, f2 and 2 more follow from the size of the input: 40 with "
         "3x1x1, and 1,930 with 3x8x8, the size where none is given"),
        ("  - o: opaque what, size [4, 8, 8]\n  - fc: linear 1\n", (3, 10, 10), ""),
        ("  - f: linear 2\n  - g: linear 2, weights f from data\n", (3, 4, 4),
         "the parameters of f follow from the size of the input: 98 with 3x4x4, and 386 with "
         "3x8x8, the size where none is given"),
    ],
)  # fmt: skip
def test_which_layers(tmp_path: Path, layers: str, size: tuple[int, ...], note: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("nettally: 1\ninput: 3x8x8\nlayers:\n" + layers)
    assert nettally.read(path, size).notes == ((note,) if note else ())


def test_of_several_inputs_those_that_were_given_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "nettally: 1\ninput: {a: 3x8x8, b: 4}\nlayers:\n  - f: linear 1\n  - g: linear 1 from b\n"
    )
    assert nettally.read(path, {"b": (6,)}).notes == (
        "the parameters of g follow from the size of the input: 7 with b 6, and 5 with b 4, the "
        "size where none is given",
    )


def test_files_that_state_their_tensors_are_read_once() -> None:
    follow = {name for name in FORMATS if format_module(name).FORMAT.sizes_follow_input}
    assert follow == {"native", "caffe", "darknet", "cuda_convnet"}
