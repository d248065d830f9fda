"""Caffe's files that contradict themselves: each complaint with its place and values."""
# ruff: noqa: E501  (tables: a case a line)
# Lines of texts and of their errors are easier to compare whole.

from __future__ import annotations

import pytest

from nettally.errors import ReadError
from nettally.formats import Source, _read

HEAD = "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n"
TWO = (
    HEAD
    + "layer { name: 'b' type: 'Input' top: 'b' input_param { shape { dim: 1 dim: 4 dim: 8 } } }\n"
)


def conv(settings: str, head: str = HEAD) -> str:
    return (
        head
        + f"layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'c'\n convolution_param {{ {settings} }} }}"
    )


def pool(settings: str) -> str:
    return (
        HEAD
        + f"layer {{ name: 'p' type: 'Pooling' bottom: 'data' top: 'p'\n pooling_param {{ {settings} }} }}"
    )


def one(type_: str, settings: str = "", bottoms: str = "bottom: 'data'", head: str = HEAD) -> str:
    return head + f"layer {{ name: 'x' type: '{type_}' {bottoms} top: 'x' {settings} }}"


CASES: list[tuple[str, str]] = [
    (conv("kernel_size: 3"),
     "net:3: c: no 'num_output' is given\n  try: num_output: 64"),
    (conv("num_output: 4"), "net:3: c: no 'kernel_size' is given\n  try: kernel_size: 3"),
    (conv("num_output: 4 kernel_size: 3 group: 2"),
     "net:2: c: the groups must divide the input's channels\n  values: channels 3, groups 2"),
    (conv("num_output: 4 kernel_size: 3 kernel_h: 2 kernel_w: 2"),
     "net:3: c: 'kernel_size' and 'kernel_h' or 'kernel_w' are both given\n  values: kernel_size: 3\n"
     "  try: give one or the other"),
    (conv("num_output: 4 kernel_h: 2"), "net:3: c: 'kernel_h' and 'kernel_w' are both needed"),
    (conv("num_output: 4 kernel_size: 3 kernel_size: 3 kernel_size: 3"),
     "net:3: c: 'kernel_size' is given once, or once an axis of space\n  values: 3, 3, 3 for 2 axes"),
    (conv("num_output: 4 num_output: 5 kernel_size: 3"),
     "net:3: convolution_param: 'num_output' is given twice\n  values: 4, 5 (line 3, line 3)\n"
     "  try: it may be given once: which is meant?"),
    (conv("num_output: 4 kernel_size: 9"),
     "net:2: c: the window is larger than its input\n"
     "  values: kernel 9x9, dilation 1x1, input 8x8, padding 0\n"
     "  try: a larger input, more padding, or a smaller kernel"),
    (conv("num_output: 4 kernel_size: -3"),
     "net:2: c: kernel must be at least 1\n  values: kernel -3"),
    (conv("num_output: 4.5 kernel_size: 3"),
     "net:3: 'num_output' is a whole number\n  values: num_output: 4.5"),
    (pool("kernel_size: 3 pool: MEAN"),
     "net:3: 'pool' is one of MAX, AVE, STOCHASTIC\n  values: pool: MEAN\n"
     "  try: one of AVE, MAX, STOCHASTIC"),
    (pool("kernel_size: 2 pad: 2"),
     "net:3: p: the padding must be smaller than the kernel\n  values: pad 2x2, kernel 2x2"),
    (pool("kernel_size: 2 global_pooling: true"),
     "net:3: p: global pooling has no 'kernel_size'\n  values: kernel_size: 2\n"
     "  try: its window is its input's size"),
    (one("LRN", "lrn_param { local_size: 4 }"), "net:2: x: LRN only has odd sizes\n  values: local_size 4"),
    (one("InnerProduct"), "net:2: x: no 'num_output' is given\n  try: num_output: 1000"),
    (one("ReLU", "", "bottom: 'dat'"),
     "net:2: x: its bottom 'dat' is made by no layer, and is no input\n  try: did you mean 'data'?"),
    (one("ReLU", "", "bottom: 'y'") + "layer { name: 'y' type: 'ReLU' bottom: 'x' top: 'y' }",
     "net:2: x: its bottom 'y' is made after it\n  values: 'y' at line 2 makes it\n"
     "  try: layers stand in the order in which they run"),
    (HEAD + "layer { name: 'y' type: 'ReLU' bottom: 'data' top: 'y' include { phase: TRAIN } }\n"
     "layer { name: 'z' type: 'ReLU' bottom: 'y' top: 'z' }",
     "net:3: z: its bottom 'y' is made by no layer in phase TEST\n"
     "  values: 'y' at line 2 makes it: include { phase TRAIN }\n"
     "  try: --phase train; or --input y=3x224x224, its size, would stand for it"),
    (one("ReLU", "include { phase: TEST } exclude { phase: TRAIN }"),
     "net:2: x: a layer has rules to include it or to exclude it, not both\n"
     "  values: include at line 2, exclude at line 2"),
    (one("Eltwise", "", "bottom: 'data' bottom: 'b'", TWO),
     "net:3: x: its bottoms must have one shape\n  values: data 1x3x8x8, b 1x4x8\n"
     "  try: a stride, a padding or a number of channels of a branch differs"),
    (one("Eltwise", "eltwise_param { coeff: 1 }", "bottom: 'data' bottom: 'data'"),
     "net:2: x: a sum has one 'coeff' a bottom, and others have none\n  values: 1 for 2 bottoms, SUM"),
    (one("ReLU", "", "bottom: 'data' bottom: 'b'", TWO),
     "net:3: x: a layer of type ReLU has 1 bottom\n  values: 2 given: data, b"),
    (one("Concat", "concat_param { axis: 1 }", "bottom: 'data' bottom: 'b'", TWO),
     "net:3: x: the inputs of a concat may differ only along its axis\n"
     "  values: axis 1; 1x3x8x8, 1x4x8"),
    (one("Reshape", "reshape_param { shape { dim: 0 dim: 7 } }"),
     "net:2: x: it must keep the number of values\n"
     "  values: input 1x3x8x8 = 192, output 1x7 = 7"),
    (one("Reshape", "reshape_param { shape { dim: -1 dim: -1 } }"),
     "net:2: x: a dim is a size, 0 to keep it, or once -1 for what is left\n  values: -1, -1"),
    (one("Slice", "slice_param { slice_point: 1 slice_point: 2 }"),
     "net:2: x: it has one 'slice_point' between two tops\n  values: 2 points, 1 tops"),
    (one("Slice", "slice_param { slice_point: 5 } top: 'y'"),
     "net:2: x: its slice points leave nothing\n  values: last point 5, axis 1 has 3"),
    (one("Crop", "crop_param { offset: 4 }", "bottom: 'data' bottom: 'data'"),
     "net:2: x: there is less than it should leave\n  values: axis 2: 8, from 4, 8 wanted"),
    (one("Softmax", "softmax_param { axis: 4 }"),
     "net:2: x: softmax's axis is outside its input\n  values: axis 4, input 1x3x8x8"),
    (one("Scale", "", "bottom: 'data' bottom: 'b'", TWO),
     "net:3: x: its second bottom does not fit its first\n"
     "  values: 1x4x8 at axis 1 of 1x3x8x8\n  try: axis: 0"),
    (HEAD + "layer { name: 'x' bottom: 'data' top: 'x' }",
     "net:2: the layer 'x' has no type\n  values: name, bottom, top\n  try: type: \"Convolution\""),
    ("input: 'data' input_dim: 1 input_dim: 3\nlayer { type: 'ReLU' bottom: 'data' top: 'x' }",
     "net:1: each input has four 'input_dim': batch, channels, height, width\n"
     "  values: 2 for 1 inputs (data)"),
    ("input: 'data' input_shape { dim: 1 dim: 0 }\nlayer { type: 'ReLU' bottom: 'data' top: 'x' }",
     "net:1: an input has a size that cannot be\n  values: 1x0\n  try: sizes are between 1 and 2^31 - 1"),
    ("input: 'data'\nlayer { type: 'ReLU' bottom: 'data' top: 'x' }",
     "net: the size of input 'data' is not in the file\n  values: the file gives the net no size\n"
     "  try: --input data=3x224x224, with its own size"),
    ("layer { name: 'd' type: 'Data' top: 'data' top: 'label' }\n" + one("ReLU", head=""),
     "net:1: the size of input 'data' of 'd' is not in the file\n"
     "  values: its size is in the database that it loads\n"
     "  try: --input data=3x224x224, with its own size"),
    ("net: 'train_val.prototxt'\nbase_lr: 0.1\nlr_policy: 'step'",
     "net: this is a solver: it says how a net is trained, and describes none\n"
     "  values: its net is in train_val.prototxt\n  try: nettally tally train_val.prototxt"),
    ("layers { layer { name: 'c' type: 'convv' } bottom: 'data' top: 'c' }",
     "net:1: no type of layer was called 'convv' in Caffe's first syntax\n  values: type: \"convv\"\n"
     "  try: did you mean 'conv'?"),
    ("input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n"
     "layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'data' top: 'p' }\n"
     "layers { layer { name: 'r' type: 'relu' } bottom: 'p' top: 'r' }",
     "net:3: a padding layer is read by a layer of type relu\n"
     "  try: only conv and pool layers may read one"),
    ("layers { type: 99 bottom: 'data' top: 'x' }", "net:1: no type of layer has this number\n"
     "  values: type: 99"),
    (HEAD, "net: no layer is left in phase TEST, nor in the other phase\n"
     "  values: 1 layers in the file, 1 of them in this state, which load data or train: data (Input)"),
    (HEAD + "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' include { phase: TRAIN } }",
     "net: no layer is left in phase TEST\n"
     "  values: 2 layers in the file, 1 of them in this state, which load data or train: data (Input)\n"
     "  try: --phase train"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error"), CASES)
def test_each_says_what_and_where(text: str, error: str) -> None:
    with pytest.raises(ReadError) as caught:
        _read(Source("net", text.encode()))
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"dat": (3, 8, 8)},
         "net: no input is called 'dat'\n  values: inputs: data\n  try: did you mean 'data'?"),
        ({"data": (8, 8)}, "the input 'data' has 3 axes, without the batch\n"
         "  values: 8x8 given, the file has 1x3x8x8\n  try: --input data=3x8x8"),
        ({"data": (3, 0, 8)}, "an input has a size that cannot be\n  values: data 3x0x8"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit(inputs: dict[str, tuple[int, ...]], error: str) -> None:
    with pytest.raises(ReadError) as caught:
        _read(Source("net", one("ReLU").encode(), inputs))
    assert str(caught.value) == error


def test_a_phase_that_there_is_not() -> None:
    with pytest.raises(ReadError, match="there is no phase 'deploy'"):
        _read(Source("net", one("ReLU").encode(), options={"phase": "deploy"}))
