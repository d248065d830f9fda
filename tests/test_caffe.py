"""Caffe's net descriptions: each syntax, phase and kind of layer, in small files of our own."""
# ruff: noqa: E501  (tables: a case a line)
# Lines of texts and of their errors are easier to compare whole.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, _read
from nettally.formats.caffe import sniff
from nettally.network import Network, Shape


def read(text: str, inputs: dict[str, Shape] | None = None, **options: str) -> Network:
    return _read(Source("net.prototxt", text.encode(), inputs or {}, options=options))


def layer(
    type_: str, rest: str = "", *, name: str = "x", bottoms: str = "data", top: str = "x"
) -> str:
    reads = " ".join(f"bottom: '{each}'" for each in bottoms.split())
    writes = " ".join(f"top: '{each}'" for each in top.split())
    return f"layer {{ name: '{name}' type: '{type_}' {reads} {writes} {rest} }}\n"


def given(*sizes: str) -> str:
    """Inputs data, b, c, ... of these sizes."""
    lines: list[str] = []
    for name, size in zip(("data", "b", "c", "d"), sizes, strict=False):
        dims = " ".join(f"dim: {n}" for n in size.split("x"))
        lines.append(f"layer {{ name: '{name}' type: 'Input' top: '{name}' "
                     f"input_param {{ shape {{ {dims} }} }} }}\n")  # fmt: skip
    return "".join(lines)


def last(text: str, **k: Any) -> tuple[Shape | None, int, int]:
    """The last layer's shape; all parameters, and MACs."""
    found = tally(read(text, **k))
    return found.rows[-1].shape, found.parameters, found.macs


# --- one layer a case ---------------------------------------------------------------------------

LAYERS: list[tuple[str, str, str, Shape, int, int]] = [
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", "1x3x8x9", (1, 4, 6, 7),
     4 * 27 + 4, 4 * 27 * 42),
    ("Convolution", "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 1 pad_h: 1 pad_w: 0 "
     "stride_h: 2 stride_w: 1 bias_term: false }", "1x3x8x8", (1, 4, 4, 8), 36, 36 * 32),
    ("Convolution", "convolution_param { num_output: 4 kernel_size: [3, 5] pad: [1, 2] }",
     "1x3x8x8", (1, 4, 8, 8), 4 * 45 + 4, 4 * 45 * 64),
    ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 dilation: 2 group: 3 }",
     "1x3x8x8", (1, 6, 4, 4), 6 * 9 + 6, 6 * 9 * 16),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", "1x3x5x6x7",
     (1, 2, 3, 4, 5), 2 * 81 + 2, 2 * 81 * 60),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 axis: -3 }", "1x3x5x6",
     (1, 2, 3, 4), 56, 54 * 12),
    ("DepthwiseConvolution", "convolution_param { num_output: 3 kernel_size: 3 pad: 1 }",
     "1x3x8x8", (1, 3, 8, 8), 30, 27 * 64),
    ("Deconvolution", "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 }",
     "1x3x5x5", (1, 2, 10, 10), 3 * 2 * 16 + 2, 3 * 25 * 16 * 2),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", "1x3x6x6", (1, 3, 3, 3), 0, 0),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 round_mode: FLOOR }", "1x3x6x6",
     (1, 3, 2, 2), 0, 0),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 ceil_mode: false }", "1x3x6x6",
     (1, 3, 2, 2), 0, 0),
    ("Pooling", "pooling_param { pool: AVE kernel_size: 2 }", "1x3x6x6", (1, 3, 5, 5), 0, 0),
    # the third window would start in the padding behind, and is left out
    ("Pooling", "pooling_param { kernel_size: 2 stride: 2 pad: 1 }", "1x1x3x3", (1, 1, 2, 2), 0, 0),
    ("Pooling", "pooling_param { kernel_size: 8 stride: 8 }", "1x3x7x7", (1, 3, 1, 1), 0, 0),
    ("Pooling", "pooling_param { pool: AVE global_pooling: true }", "1x3x6x5", (1, 3, 1, 1), 0, 0),
    ("Pooling", "pooling_param { pool: 2 kernel_size: 2 stride: 2 }", "1x3x6x6", (1, 3, 3, 3), 0, 0),
    ("SPP", "spp_param { pyramid_height: 3 }", "1x2x9x9", (1, 2 * (1 + 4 + 16)), 0, 0),
    ("InnerProduct", "inner_product_param { num_output: 5 }", "1x3x4x2", (1, 5), 125, 120),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: 2 bias_term: false "
     "transpose: true }", "1x3x4", (1, 3, 5), 20, 60),
    ("InnerProduct", "inner_product_param { num_output: 5 axis: -1 }", "1x3x4", (1, 3, 5), 25, 60),
    ("Embed", "embed_param { input_dim: 9 num_output: 4 }", "1x3", (1, 3, 4), 40, 0),
    ("ReLU", "relu_param { negative_slope: 0.1 }", "1x3x4x4", (1, 3, 4, 4), 0, 0),
    ("PReLU", "", "1x3x4x4", (1, 3, 4, 4), 3, 0),
    ("PReLU", "prelu_param { channel_shared: true }", "1x3x4x4", (1, 3, 4, 4), 1, 0),
    ("ELU", "", "1x3", (1, 3), 0, 0),
    ("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", "1x3x4x4", (1, 3, 4, 4), 0, 0),
    ("MVN", "", "1x3x4x4", (1, 3, 4, 4), 0, 0),
    ("BatchNorm", "", "1x3x4x4", (1, 3, 4, 4), 0, 0),
    ("BatchNorm", "batch_norm_param { scale_bias: true }", "1x3x4x4", (1, 3, 4, 4), 6, 0),
    ("BN", "", "1x3x4x4", (1, 3, 4, 4), 6, 0),
    ("Scale", "scale_param { bias_term: true }", "1x3x4x4", (1, 3, 4, 4), 6, 0),
    ("Scale", "scale_param { axis: 2 num_axes: 2 }", "1x3x4x5", (1, 3, 4, 5), 20, 0),
    ("Scale", "scale_param { num_axes: 0 }", "1x3x4x5", (1, 3, 4, 5), 1, 0),
    ("Bias", "bias_param { num_axes: -1 }", "1x3x4x5", (1, 3, 4, 5), 60, 0),
    ("Normalize", "norm_param { across_spatial: false channel_shared: false }", "1x3x4x4",
     (1, 3, 4, 4), 3, 0),
    ("Power", "power_param { power: 2 scale: 3 }", "1x3", (1, 3), 0, 0),
    ("Power", "power_param { power: 0.3 shift: 1 }", "1x3", (1, 3), 0, 0),
    ("Exp", "exp_param { base: 2 }", "1x3", (1, 3), 0, 0),
    ("Log", "log_param { base: 2 scale: 3 shift: 1 }", "1x3", (1, 3), 0, 0),
    ("Threshold", "", "1x3", (1, 3), 0, 0),
    ("Softmax", "softmax_param { axis: 2 }", "1x3x4", (1, 3, 4), 0, 0),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", "1x3x4x5", (1, 12, 5), 0, 0),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }", "1x3x4x5", (1, 30, 2), 0, 0),
    ("Reshape", "reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 1 }", "1x6x4",
     (1, 2, 3, 4), 0, 0),
    ("Reshape", "reshape_param { shape { dim: 1 } axis: -1 }", "1x6x4", (1, 6, 4, 1), 0, 0),
    ("Reshape", "reshape_param { shape { dim: -1 dim: 4 } }", "1x6x4", (6, 4), 0, 0),
    ("Permute", "permute_param { order: 0 order: 2 }", "1x3x4x5", (1, 4, 3, 5), 0, 0),
    ("Tile", "tile_param { axis: 2 tiles: 3 }", "1x3x4", (1, 3, 12), 0, 0),
    ("Reduction", "reduction_param { operation: MEAN axis: 2 }", "1x3x4x5", (1, 3), 0, 0),
    ("ArgMax", "argmax_param { axis: 1 }", "1x3x4x5", (1, 1, 4, 5), 0, 0),
    ("ArgMax", "argmax_param { top_k: 2 }", "1x9", (1, 1, 2), 0, 0),
    ("Interp", "interp_param { zoom_factor: 2 shrink_factor: 2 }", "1x3x9x9", (1, 3, 9, 9), 0, 0),
    ("Interp", "interp_param { height: 5 width: 7 }", "1x3x9x9", (1, 3, 5, 7), 0, 0),
    ("Upsample", "upsample_param { scale: 3 }", "1x3x4x5", (1, 3, 12, 15), 0, 0),
    ("Reorg", "reorg_param { stride: 2 }", "1x3x4x6", (1, 12, 2, 3), 0, 0),
    ("ShuffleChannel", "shuffle_channel_param { group: 3 }", "1x6x4x4", (1, 6, 4, 4), 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "rest", "size", "shape", "parameters", "macs"), LAYERS)
def test_a_layer(
    type_: str, rest: str, size: str, shape: Shape, parameters: int, macs: int
) -> None:
    assert last(given(size) + layer(type_, rest)) == (shape, parameters, macs)


SEVERAL: list[tuple[str, str, tuple[str, ...], Shape, int, int]] = [
    ("Eltwise", "", ("1x3x4", "1x3x4"), (1, 3, 4), 0, 0),
    ("Eltwise", "eltwise_param { operation: PROD }", ("1x3x4", "1x3x4", "1x3x4"), (1, 3, 4), 0, 0),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", ("1x3", "1x3"), (1, 3), 0, 0),
    ("Eltwise", "eltwise_param { coeff: 2 coeff: 0.5 }", ("1x3", "1x3"), (1, 3), 0, 0),
    ("Concat", "concat_param { axis: 2 }", ("1x3x4", "1x3x5"), (1, 3, 9), 0, 0),
    ("Concat", "concat_param { concat_dim: 1 }", ("1x3x4", "1x1x4"), (1, 4, 4), 0, 0),
    ("Crop", "crop_param { offset: 2 }", ("1x3x9x8", "1x7x4x5"), (1, 3, 4, 5), 0, 0),
    ("Crop", "crop_param { axis: 1 offset: 1 offset: 2 offset: 0 }", ("1x5x9x8", "1x2x4x5"),
     (1, 2, 4, 5), 0, 0),
    ("Scale", "scale_param { axis: 0 }", ("1x3x4x5", "1x3"), (1, 3, 4, 5), 0, 0),
    ("Scale", "scale_param { axis: 0 bias_term: true }", ("1x3x4x5", "1x3"), (1, 3, 4, 5), 3, 0),
    ("Bias", "", ("1x3x4x5", "1x3x4x5"), (1, 3, 4, 5), 0, 0),
    ("Axpy", "", ("1x3x1x1", "1x3x4x5", "1x3x4x5"), (1, 3, 4, 5), 0, 0),
    ("ROIPooling", "roi_pooling_param { pooled_h: 6 pooled_w: 7 }", ("1x8x20x20", "1x5"),
     (1, 8, 6, 7), 0, 0),
    ("PSROIPooling", "psroi_pooling_param { output_dim: 2 group_size: 3 }", ("1x18x20x20", "1x5"),
     (1, 2, 3, 3), 0, 0),
    # 1, 2, 1/2 and the larger box: 4 boxes of 4 corners
    ("PriorBox", "prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 1 }",
     ("1x8x5x5", "1x3x300x300"), (1, 2, 25 * 4 * 4), 0, 0),
    ("PriorBox", "prior_box_param { min_size: 30 min_size: 40 aspect_ratio: 2 flip: false }",
     ("1x8x5x5", "1x3x300x300"), (1, 2, 25 * 4 * 4), 0, 0),
    ("DetectionOutput", "detection_output_param { num_classes: 21 keep_top_k: 100 }",
     ("1x400", "1x2100", "1x2x400"), (1, 1, 100, 7), 0, 0),
    ("Interp", "", ("1x3x9x9", "1x8x4x6"), (1, 3, 4, 6), 0, 0),
    ("LSTM", "recurrent_param { num_output: 7 }", ("4x1x5", "4x1"), (4, 1, 7),
     28 * 5 + 28 * 7 + 28, 4 * 28 * 12),
    ("RNN", "recurrent_param { num_output: 7 }", ("4x1x5", "4x1"), (4, 1, 7),
     7 * 5 + 7 * 7 + 7 + 56, 4 * (7 * 12 + 49)),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "rest", "sizes", "shape", "parameters", "macs"), SEVERAL)
def test_a_layer_of_several_inputs(
    type_: str, rest: str, sizes: tuple[str, ...], shape: Shape, parameters: int, macs: int
) -> None:
    bottoms = " ".join(("data", "b", "c")[: len(sizes)])
    assert last(given(*sizes) + layer(type_, rest, bottoms=bottoms)) == (shape, parameters, macs)


def test_the_unit_tests_of_caffe_itself(oracles: Path) -> None:
    cases = json.loads((oracles / "caffe_unit_test_shapes.json").read_text())["cases"]
    done = 0
    for case in cases:
        if case["layer"] == "Im2col":
            continue
        done += 1
        settings = "pooling_param" if case["layer"] == "Pooling" else "convolution_param"
        fields = [f"num_output: {case['num_output']}"] if "num_output" in case else []
        for ours, theirs in (("kernel_size", "kernel"), ("stride", "stride"), ("pad", "pad")):
            value = case.get(theirs)
            if isinstance(value, list):
                fields += [f"kernel_h: {value[0]} kernel_w: {value[1]}"]
            elif value is not None:
                fields += [f"{ours}: {value}"]
        fields += [f"group: {case['group']}"] if "group" in case else []
        fields += ["global_pooling: true"] if case.get("global_pooling") else []
        size = "x".join(map(str, [1, *case["bottom"][1:]]))
        found = last(given(size) + layer(case["layer"], f"{settings} {{ {' '.join(fields)} }}"))
        assert found[0] == (1, *case["top"][1:]), case
    assert done == 11


def test_slices_are_nodes_of_their_own() -> None:
    net = read(given("1x6x4") + layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }",
                                      top="p q r"))  # fmt: skip
    assert [row.shape for row in tally(net)] == [(1, 1, 4), (1, 2, 4), (1, 3, 4)]
    assert [node.name for node in net.nodes] == ["x.p", "x.q", "x.r"]
    even = read(given("1x6x4") + layer("Slice", "", top="p q"))
    assert [row.shape for row in tally(even)] == [(1, 3, 4), (1, 3, 4)]
    batch = read(given("4x6") + layer("Slice", "slice_param { axis: 0 }", top="p q"))
    assert [row.shape for row in tally(batch)] == [(2, 6), (2, 6)]


def test_convolutions_of_several_blobs_share_their_weights() -> None:
    settings = "convolution_param { num_output: 4 kernel_size: 3 }"
    net = read(given("1x3x8x8", "1x3x4x4") + layer("Convolution", settings, bottoms="data b",
                                                   top="p q"))  # fmt: skip
    assert dict(net["x.2"].shared) == {"weight": "x.weight", "bias": "x.bias"}
    assert tally(net).parameters == 4 * 27 + 4


# --- syntaxes -----------------------------------------------------------------------------------

SETTINGS = "num_output: 4 kernel_size: 3 pad: 1"
TODAY = given("1x3x8x8") + (
    f"layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param {{ {SETTINGS} }} }}"
    "layer { name: 'r' type: 'ReLU' bottom: 'c' top: 'c' }"
    "layer { name: 'p' type: 'Pooling' bottom: 'c' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }"
)
V1 = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 " + (
    f"layers {{ name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' convolution_param {{ {SETTINGS} }} }}"
    "layers { name: 'r' type: RELU bottom: 'c' top: 'c' }"
    "layers { name: 'p' type: 17 bottom: 'c' top: 'p' pooling_param { kernel_size: 2 stride: 2 } }"
)
V0 = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 " + (
    "layers { layer { name: 'pad' type: 'padding' pad: 1 } bottom: 'data' top: 'padded' }"
    "layers { layer { name: 'c' type: 'conv' num_output: 4 kernelsize: 3 } bottom: 'padded' top: 'c' }"
    "layers { layer { name: 'r' type: 'relu' } bottom: 'c' top: 'c' }"
    "layers { layer { name: 'p' type: 'pool' kernelsize: 2 stride: 2 } bottom: 'c' top: 'p' }"
)


def test_three_syntaxes_one_network() -> None:
    nets = [read(text) for text in (TODAY, V1, V0)]
    for net in nets:
        assert sniff(b"name: 'x'\n" + V0.encode(), "x")
        assert dict(net.inputs) == {"data": (1, 3, 8, 8)}
        assert [node.name for node in net.nodes] == ["c", "r", "p"]
        assert [node.layer for node in net.nodes] == [node.layer for node in nets[0].nodes]
        assert [node.inputs for node in net.nodes] == [("data",), ("c",), ("r",)]
        assert net.outputs == ("p",)


def test_both_syntaxes_in_one_file_are_read_in_order_and_said() -> None:
    net = read(given("1x3x8x8") + "layers { name: 'r' type: RELU bottom: 'data' top: 'r' }")
    assert [node.name for node in net.nodes] == ["r"]
    assert (
        "the file mixes 'layer' and 'layers', of which Caffe itself would read only 'layers'"
        in net.notes
    )


def test_a_solver_with_a_net_in_it() -> None:
    net = read("base_lr: 0.1\ntest_state { stage: 's' }\nnet_param {\n" + TODAY
               + "layer { name: 'm' type: 'ReLU' bottom: 'p' top: 'm' include { stage: 's' } } }")  # fmt: skip
    assert [node.name for node in net.nodes] == ["c", "r", "p", "m"]
    assert net.notes[0] == "the file is a solver; read is its net_param at line 3"


@pytest.mark.parametrize(
    ("kind", "fields", "shape", "parameters"),
    [
        ("Im2col", "convolution_param { kernel_size: 3 pad: 1 stride: 2 }", (1, 27, 4, 5), 0),
        ("Im2col", "convolution_param { kernel_h: 3 kernel_w: 1 }", (1, 9, 6, 10), 0),
        ("Flip", "flip_param { flip_width: true }", (1, 3, 8, 10), 0),
        ("MarginInnerProduct", "margin_inner_product_param { num_output: 7 }", (1, 7), 1680),
        ("Yolov3DetectionOutput", "", (1, 1, 1, 7), 0),
    ],
)
def test_layers_that_are_met_rarely(
    kind: str, fields: str, shape: tuple[int, ...], parameters: int
) -> None:
    counted = tally(read(given("1x3x8x10") + "\n" + layer(kind, fields)))
    assert counted.rows[-1].shape == shape
    assert counted.parameters == parameters
    assert counted.complete


def test_examples_by_their_numbers() -> None:
    net = read(given("1x3x8", "2") + "\n" + layer("BatchReindex", bottoms="data b"))
    assert tally(net).rows[-1].shape == (2, 3, 8)


def test_names_groups_and_lines() -> None:
    net = read(given("1x3x8x8") + "\n" + layer("ReLU", name="a/b/c") + layer("ReLU", name="a/b/c"))
    assert [node.module for node in net.nodes] == ["a.b", "a.b"]
    assert [node.name for node in net.nodes] == ["a/b/c", "a/b/c.2"]
    assert str(net.nodes[0].source) == "net.prototxt:3"
    assert "names that more than one layer has: a/b/c" in net.notes


@pytest.mark.parametrize(
    ("names", "modules"),
    [
        (["a/b", "a/c"], ["a", "a"]),
        (["a", "a/relu", "a/scale"], ["", "", ""]),  # a layer has the name
        (["a/b", "c"], ["", ""]),  # it would be alone
        (["a/b/c", "a/d", "e"], ["a", "a", ""]),
        (["/a//b", "a/c/"], ["a", "a"]),
        (["a/b/c", "a/b/d", "a/b"], ["a", "a", "a"]),
    ],
)
def test_a_group_has_several_layers_and_no_layers_name(
    names: list[str], modules: list[str]
) -> None:
    text = "".join(layer("ReLU", name=name) for name in names)
    net = read(given("1x3x8x8") + "\n" + text)
    assert [node.module for node in net.nodes] == modules


def test_parameters_shared_by_name() -> None:
    def product(name: str, bottom: str) -> str:
        return layer("InnerProduct", "param { name: 'w' } param { name: 'v' } "
                     "inner_product_param { num_output: 4 }", name=name, bottoms=bottom, top=name)  # fmt: skip

    net = read(given("1x4") + product("one", "data") + product("two", "one"))
    assert dict(net["two"].shared) == {"weight": "one.weight", "bias": "one.bias"}
    assert tally(net).parameters == 20
    with pytest.raises(ReadError) as caught:
        read(given("1x3") + product("one", "data") + product("two", "one"))
    assert str(caught.value) == (
        "net.prototxt:3: two: its weight is shared with 'one.weight', and the sizes differ\n"
        "  values: 4x4 here, 4x3 there"
    )


# --- phases, inputs, and what is not counted ----------------------------------------------------

PHASES = (
    "layer { name: 'd' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } "
    "transform_param { crop_size: 9 mean_value: 1 mean_value: 2 mean_value: 3 } data_param { batch_size: 7 } }\n"
    "layer { name: 'd' type: 'ImageData' top: 'data' top: 'label' include { phase: TEST } "
    "image_data_param { new_height: 5 new_width: 6 is_color: false batch_size: 2 } }\n"
    + layer("ReLU", "exclude { stage: 'deploy' }", top="data", name="r")
    + layer("InnerProduct", "inner_product_param { num_output: 2 }")
    + layer("SoftmaxWithLoss", bottoms="x label", top="loss", name="loss")
    + layer("Power", bottoms="loss", top="half", name="half")
)


def test_phases_and_stages() -> None:
    test, train = read(PHASES), read(PHASES, phase="train")
    assert dict(test.inputs) == {"data": (1, 1, 5, 6)}
    assert dict(train.inputs) == {"data": (1, 3, 9, 9)}
    assert test.notes == (
        "input 'data' of 'd': new_height 5, new_width 6, 1 channel (gray)",
        "the file's batch of 2 is read as 1; --input 2x1x5x6 asks for it",
        "1 layer of other phases or stages left out (phase TEST); the file knows the stages deploy",
        "training's, not counted: SoftmaxWithLoss, Power",
    )
    assert [node.name for node in read(PHASES, stage="deploy").nodes] == ["x"]
    assert [node.name for node in test.nodes] == ["r", "x"]


def test_sizes_that_are_given() -> None:
    net = read(PHASES, {"data": (2, 4, 4)})
    assert dict(net.inputs) == {"data": (1, 2, 4, 4)}
    assert dict(read(PHASES, {"": (5, 2, 4, 4)}).inputs) == {"data": (5, 2, 4, 4)}
    asked = layer("ReLU")
    assert dict(read(asked, {"data": (3, 4, 4)}).inputs) == {"data": (1, 3, 4, 4)}


def test_what_is_not_known_is_opaque_and_said() -> None:
    net = read(given("1x3x4x4") + layer("Odd", top="y") + layer("ReLU", bottoms="y")
               + layer("Odd", bottoms="data", top="data") + layer("ReLU", name="z"))  # fmt: skip
    found = tally(net)
    assert [row.shape for row in found] == [None, None, (1, 3, 4, 4), (1, 3, 4, 4)]
    assert not found.complete
    assert net.notes[-2:] == (
        "not understood, so that parameters and work are not known: Odd (2x)",
        "names that more than one layer has: x (2x)",
    )
    known = read(given("1x3x4x4") + layer("Odd", top="y") + layer("ReLU", bottoms="y"),
                 {"y": (5, 2)})  # fmt: skip
    assert tally(known).rows[-1].shape == (1, 5, 2)


def test_fields_of_forks_are_said() -> None:
    net = read("quantized: true\n" + given("1x3x4x4")
               + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 1 odd: 3 }"))  # fmt: skip
    assert net.notes == (
        "fields that Caffe does not have, not followed: quantized, convolution_param.odd",
    )


def test_the_batch_is_kept_where_a_shape_needs_it() -> None:
    net = read(given("6x4") + layer("Reshape", "reshape_param { shape { dim: 3 dim: 2 dim: 4 } }"))
    assert dict(net.inputs) == {"data": (6, 4)}
    assert tally(net).rows[-1].shape == (3, 2, 4)
    assert "the file's batch is kept, since a layer's shape depends on it" in net.notes


def test_a_face_detectors_window_of_a_region() -> None:
    net = read(given("1x8x20x20", "300x5") + layer("ROIPooling",
               "roi_pooling_param { pooled_h: 2 pooled_w: 2 }", bottoms="data b"))  # fmt: skip
    assert "from 'x' on, the layers are counted for one region of the image" in net.notes


def test_regions_that_an_unknown_layer_proposes_are_counted_as_one() -> None:
    text = given("1x8x20x20") + layer("Odd", top="rois", name="o") + layer(
        "ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 }", bottoms="data rois")  # fmt: skip
    found = tally(read(text))
    assert found.rows[-1].shape == (1, 8, 2, 3)
    assert not found.complete


def test_what_follows_an_unknown_size_is_not_called_unknown_itself() -> None:
    net = read(given("1x8x4x4") + layer("Odd", top="y") + layer("Slice", bottoms="y", top="p q"))
    assert net.notes == ("not understood, so that parameters and work are not known: Odd",)


def test_notes_are_bounded() -> None:
    kinds = "".join(layer(f"Odd{index}", name=f"x{index}", top=f"y{index}") for index in range(50))
    net = read(given("1x8x4x4") + kinds)
    assert net.notes[-1].endswith("Odd6, Odd7 and 42 more")
