"""TFLite: published networks, each operator that is understood, and files that can't be."""
# ruff: noqa: E501  (tables: a case a line)

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nettally import cli, read, tally
from nettally.errors import NettallyError, ReadError
from nettally.network import Network
from tflite_files import Tensor, Writer, conv, depthwise, model, pool, tree

T = Tensor


def written(path: Path, data: bytes) -> Network:
    path.write_bytes(data)
    return read(path)


# --- published ------------------------------------------------------------------------------

FOLDER = "tflite/mlcommons__tiny/benchmark/training"
PUBLISHED = {
    # multiply-accumulates as MLPerf Tiny's authors count them, parameters by hand: batch
    # normalisation is folded, a bias for each output
    "image_classification/trained_models/pretrainedResnet.tflite": (77_706, 12_501_632, (1, 3, 32, 32)),
    "image_classification/trained_models/pretrainedResnet_quant.tflite":
        (77_706, 12_501_632, (1, 3, 32, 32)),
    "image_classification/trained_models/pretrainedResnet_large_int8.tflite":
        (480_330, 76_473_920, (1, 3, 32, 32)),
    "keyword_spotting/trained_models/kws_ref_model.tflite": (22_604, 2_656_768, (1, 1, 49, 10)),
    "keyword_spotting/trained_models/kws_ref_model_float32.tflite":
        (22_604, 2_656_768, (1, 1, 49, 10)),
    "visual_wake_words/trained_models/vww_96_int8.tflite": (210_850, 7_489_664, (1, 3, 96, 96)),
    "streaming_wakeword/trained_models/str_ww_ref_model.tflite": (46_883, 826_368, (1, 40, 30, 1)),
    **{
        f"anomaly_detection/trained_models/ToyCar/baseline_tf23/model/model_ToyCar_quant{end}.tflite":
            (265_864, 264_192, (1, 640))
        for end in ("", "_fullint", "_fullint_micro_intio")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(corpus: Path, name: str) -> None:
    parameters, macs, size = PUBLISHED[name]
    network = read(corpus / FOLDER / name)
    counted = tally(network)
    assert (counted.parameters, counted.macs) == (parameters, macs)
    assert list(network.inputs.values()) == [size]
    assert counted.complete
    assert network.notes == ()  # every stated size is ours


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_never_depend_on_the_input(corpus: Path, name: str) -> None:
    """They are the file's: at another size there are as many, or the file does not fit it."""
    parameters, _, size = PUBLISHED[name]
    wider = (*size[:2], *(n + 8 for n in size[2:]))
    sizes = [(2, *size[1:]), wider, (1, size[1] + 1, *size[2:])]
    counts = [counted for each in sizes if (counted := _parameters(corpus / FOLDER / name, each))]
    assert set(counts) <= {parameters}
    assert counts, "no other size is read"


def _parameters(path: Path, size: tuple[int, ...]) -> int | None:
    try:
        return int(tally(read(path, inputs=size)).parameters)
    except NettallyError:
        return None


def test_the_whole_corpus_is_known(corpus: Path) -> None:
    there = {path.relative_to(corpus / FOLDER).as_posix() for path in corpus.rglob("*.tflite")}
    assert there == set(PUBLISHED)


def test_the_anomaly_detector_by_hand(corpus: Path) -> None:
    """Purohit et al. 2019: 640 - 128 x 4 - 8 - 128 x 4 - 640."""
    sizes = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    pairs = list(pairwise(sizes))
    path = next((corpus / FOLDER).rglob("model_ToyCar_quant.tflite"))
    counted = tally(read(path))
    assert counted.macs == sum(a * b for a, b in pairs)
    biases = sum(row.work.bias_adds for row in counted if row.work)
    assert counted.parameters == counted.macs + biases


# --- operators ------------------------------------------------------------------------------

X = T((1, 8, 10, 6))
"""An image of 6 channels, 8 high and 10 wide."""

IMAGE = ("MAX_POOL_2D", [0], [1], pool(1, (1, 1), (1, 1)))
"""What makes of the tensor 0 an image."""

# name: tensors, operator, kinds of layers, their shape, parameters, macs. The stated shapes are
# those that TensorFlow's own rules give; what the reader makes must be the same.
OPERATORS: dict[str, tuple[list[Tensor], Any, list[str], tuple[int, ...], int, int]] = {
    "conv same": ([X, T((4, 3, 5, 6), True), T((4,), True), T((1, 4, 5, 4))],
                  ("CONV_2D", [0, 1, 2], [3], conv(0, (2, 2))), ["conv"], (1, 4, 4, 5),
                  4 * 90 + 4, 4 * 5 * 4 * 90),
    "conv valid": ([X, T((4, 3, 5, 6), True), T((1, 6, 6, 4))],
                   ("CONV_2D", [0, 1], [2], conv(1)), ["conv"], (1, 4, 6, 6), 360, 36 * 360),
    "conv dilated": ([X, T((4, 3, 3, 6), True), T((1, 2, 6, 4))],
                     ("CONV_2D", [0, 1, -1], [2], conv(1, dilation=(3, 2))), ["conv"], (1, 4, 2, 6),
                     216, 12 * 216),
    "conv in groups": ([X, T((4, 1, 1, 3), True), T((1, 8, 10, 4))],
                       ("CONV_2D", [0, 1], [2], conv(1)), ["conv"], (1, 4, 8, 10), 12, 80 * 12),
    "conv and relu6": ([X, T((4, 1, 1, 6), True), T((1, 8, 10, 4))],
                       ("CONV_2D", [0, 1], [2], conv(1, fused=3)), ["conv", "relu6"],
                       (1, 4, 8, 10), 24, 80 * 24),
    "depthwise": ([X, T((1, 3, 3, 12), True), T((12,), True), T((1, 4, 5, 12))],
                  ("DEPTHWISE_CONV_2D", [0, 1, 2], [3], depthwise(0, (2, 2))), ["conv"],
                  (1, 12, 4, 5), 12 * 10, 20 * 108),
    "conv 3d": ([T((1, 4, 8, 10, 6)), T((2, 3, 3, 6, 5), True), T((1, 2, 4, 5, 5))],
                ("CONV_3D", [0, 1], [2], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("i", 2)}),
                ["conv"], (1, 5, 2, 4, 5), 540, 40 * 540),
    "transposed same": ([X, T((4,), [1, 16, 20, 5]), T((5, 3, 3, 6), True), T((1, 16, 20, 5))],
                        ("TRANSPOSE_CONV", [1, 2, 0], [3], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2)}),
                        ["conv_transpose"], (1, 5, 16, 20), 270, 80 * 270),
    "transposed valid": ([X, T((4,), [1, 17, 21, 5]), T((5, 3, 3, 6), True), T((1, 17, 21, 5))],
                         ("TRANSPOSE_CONV", [1, 2, 0], [3], {0: ("b", 1), 1: ("i", 2), 2: ("i", 2)}),
                         ["conv_transpose"], (1, 5, 17, 21), 270, 80 * 270),
    "max pool": ([X, T((1, 4, 4, 6))], ("MAX_POOL_2D", [0], [1], pool(1, (2, 3), (2, 2))),
                 ["max_pool"], (1, 6, 4, 4), 0, 0),
    "average pool": ([X, T((1, 3, 4, 6))], ("AVERAGE_POOL_2D", [0], [1], pool(0, (3, 3), (3, 3), 1)),
                     ["average_pool", "relu"], (1, 6, 3, 4), 0, 0),
    "l2 pool": ([X, T((1, 4, 5, 6))], ("L2_POOL_2D", [0], [1], pool(0, (2, 2), (2, 2))),
                ["lp_pool"], (1, 6, 4, 5), 0, 0),
    "fully connected": ([T((2, 7)), T((3, 7), True), T((3,), True), T((2, 3))],
                        ("FULLY_CONNECTED", [0, 1, 2], [3], {0: ("b", 1)}), ["linear", "relu"],
                        (2, 3), 24, 42),
    "fully connected, kept": ([T((1, 5, 7)), T((3, 7), True), T((1, 5, 3))],
                              ("FULLY_CONNECTED", [0, 1, -1], [2], {2: ("B", 1)}), ["linear"],
                              (1, 5, 3), 21, 105),
    "fully connected, rows": ([T((1, 5, 7)), T((3, 7), True), T((5, 3))],
                              ("FULLY_CONNECTED", [0, 1], [2], {}), ["reshape", "linear"], (5, 3),
                              21, 105),
    "fully connected, flat": ([T((2, 5, 7)), T((3, 35), True), T((2, 3))],
                              ("FULLY_CONNECTED", [0, 1], [2], {}), ["linear"], (2, 3), 105, 210),
    "matmul": ([T((2, 5, 7)), T((2, 4, 7)), T((2, 5, 4))],
               ("BATCH_MATMUL", [0, 1], [2], {1: ("B", 1)}), ["matmul"], (2, 5, 4), 0, 280),
    "matmul with weights": ([T((2, 5, 7)), T((7, 4), True), T((2, 5, 4))],
                            ("BATCH_MATMUL", [0, 1], [2], {}), ["matmul"], (2, 5, 4), 28, 280),
    "lstm": ([T((2, 5, 7)), *(T((3, 7), True) for _ in range(4)), *(T((3, 3), True) for _ in range(4)),
              *(T((3,), True) for _ in range(4)), T((2, 5, 3))],
             ("UNIDIRECTIONAL_SEQUENCE_LSTM", [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -1, -1, 9, 10, 11, 12],
              [13], {0: ("b", 4)}), ["lstm"], (2, 5, 3), 4 * 3 * 11, 4 * 3 * 10 * 10),
    "embedding": ([T((1, 5), type="int32"), T((20, 4), True), T((1, 5, 4))],
                  ("EMBEDDING_LOOKUP", [0, 1], [2], {}), ["embedding"], (1, 5, 4), 80, 0),
    "gather of weights": ([T((1, 5), type="int32"), T((20, 4), True), T((1, 5, 4))],
                          ("GATHER", [1, 0], [2], {}), ["embedding"], (1, 5, 4), 80, 0),
    "gather": ([T((1, 5, 4)), T((2,), [0, 3]), T((1, 2, 4))], ("GATHER", [0, 1], [2], {0: ("i", 1)}),
               ["arrange"], (1, 2, 4), 0, 0),
    "add": ([X, T((1, 1, 1, 6)), T((1, 8, 10, 6))], ("ADD", [0, 1], [2], {0: ("b", 1)}),
            ["add", "relu"], (1, 8, 10, 6), 0, 0),
    "add a bias": ([T((1, 9)), T((9,), True), T((1, 9))], ("ADD", [0, 1], [2], {}), ["combine"],
                   (1, 9), 9, 0),
    "divide by a number": ([T((1, 9)), T((), True), T((1, 9))], ("DIV", [0, 1], [2], {}), ["combine"],
                           (1, 9), 0, 0),
    "divide": ([T((1, 9)), T((1, 9)), T((1, 9))], ("DIV", [0, 1], [2], {}), ["pointwise"], (1, 9), 0, 0),
    "squared difference": ([T((1, 9)), T((1, 9)), T((1, 9))], ("SQUARED_DIFFERENCE", [0, 1], [2], {}),
                           ["subtract", "square"], (1, 9), 0, 0),
    "greater": ([T((1, 9)), T((1, 9)), T((1, 9), type="bool")], ("GREATER", [0, 1], [2], {}),
                ["pointwise"], (1, 9), 0, 0),
    "greater than a number": ([T((1, 9)), T((1,), True), T((1, 9))], ("GREATER", [0, 1], [2], {}),
                              ["tensor", "pointwise"], (1, 9), 0, 0),
    "add n": ([T((1, 9)), T((1, 9)), T((1, 9)), T((1, 9))], ("ADD_N", [0, 1, 2], [3], {}), ["add"],
              (1, 9), 0, 0),
    "softmax": ([T((1, 9)), T((1, 9))], ("SOFTMAX", [0], [1], {0: ("f", 1.0)}), ["softmax"], (1, 9), 0, 0),
    "leaky": ([T((1, 9)), T((1, 9))], ("LEAKY_RELU", [0], [1], {0: ("f", 0.25)}), ["leaky_relu"],
              (1, 9), 0, 0),
    "gelu": ([T((1, 9)), T((1, 9))], ("GELU", [0], [1], {0: ("B", 1)}), ["gelu"], (1, 9), 0, 0),
    "quantize": ([T((1, 9)), T((1, 9), type="int8")], ("QUANTIZE", [0], [1], {}), ["pointwise"],
                 (1, 9), 0, 0),
    "mean": ([T((1, 5, 7)), T((1,), [-1]), T((1, 5))], ("MEAN", [0, 1], [2], {}), ["reduce"], (1, 5), 0, 0),
    "global mean": ([X, T((2,), [1, 2]), T((1, 6))], ("MEAN", [0, 1], [2], {}),
                    ["global_average_pool"], (1, 6), 0, 0),
    "global mean, kept": ([X, T((2,), [1, 2]), T((1, 1, 1, 6))], ("MEAN", [0, 1], [2], {0: ("B", 1)}),
                          ["global_average_pool"], (1, 6, 1, 1), 0, 0),
    "arg max": ([T((1, 9)), T((), [1]), T((1,), type="int64")], ("ARG_MAX", [0, 1], [2], {}),
                ["reduce"], (1,), 0, 0),
    "reshape": ([T((1, 9, 4)), T((2,), [-1, 6]), T((6, 6))], ("RESHAPE", [0, 1], [2], {}), ["reshape"],
                (6, 6), 0, 0),
    "squeeze": ([T((1, 9, 1)), T((1, 9))], ("SQUEEZE", [0], [1], {0: ("i*", [2])}), ["flatten"],
                (1, 9), 0, 0),
    "expand": ([T((1, 9)), T((), [1]), T((1, 1, 9))], ("EXPAND_DIMS", [0, 1], [2], {}), ["reshape"],
               (1, 1, 9), 0, 0),
    "transpose": ([T((1, 5, 7)), T((3,), [0, 2, 1]), T((1, 7, 5))], ("TRANSPOSE", [0, 1], [2], {}),
                  ["permute"], (1, 7, 5), 0, 0),
    "concat": ([T((1, 5, 7)), T((1, 5, 7)), T((1, 5, 14))], ("CONCATENATION", [0, 1], [2], {0: ("i", -1)}),
               ["concat"], (1, 5, 14), 0, 0),
    "concat of a token": ([T((1, 5, 7)), T((1, 1, 7), True), T((1, 6, 7))],
                          ("CONCATENATION", [1, 0], [2], {0: ("i", 1)}), ["tensor", "concat"],
                          (1, 6, 7), 7, 0),
    "resize": ([X, T((2,), [16, 25]), T((1, 16, 25, 6))], ("RESIZE_BILINEAR", [0, 1], [2], {}),
               ["resize"], (1, 6, 16, 25), 0, 0),
    "tile": ([T((1, 5, 7)), T((3,), [2, 1, 3]), T((2, 5, 21))], ("TILE", [0, 1], [2], {}), ["tile"],
             (2, 5, 21), 0, 0),
    "depth to space": ([T((1, 8, 10, 8)), T((1, 16, 20, 2))], ("DEPTH_TO_SPACE", [0], [1], {0: ("i", 2)}),
                       ["arrange"], (1, 2, 16, 20), 0, 0),
    "slice": ([T((1, 9, 4)), T((3,), [0, 2, 0]), T((3,), [1, 5, 4]), T((1, 5, 4))],
              ("SLICE", [0, 1, 2], [3], {}), ["slice"], (1, 5, 4), 0, 0),
    "strided": ([T((1, 9, 4)), T((3,), [0, 0, 1]), T((3,), [1, 9, 4]), T((3,), [1, 2, 1]), T((1, 5, 3))],
                ("STRIDED_SLICE", [0, 1, 2, 3], [4], {}), ["arrange"], (1, 5, 3), 0, 0),
    "unknown": ([T((1, 9)), T((1, 3))], ("custom Mystery", [0], [1], {}), ["opaque"], (1, 3), 0, 0),
    "not of ours": ([T((1, 9)), T((1, 9))], ("SKIP_GRAM", [0], [1], {}), ["opaque"], (1, 9), 0, 0),
    "a procedure": ([T((1, 9)), T((1, 5))], ("RFFT2D", [0], [1], {}), ["procedure"], (1, 5), 0, 0),
    "of several outputs": ([T((1, 9)), T((1, 3)), T((1, 3))], ("TOPK_V2", [0], [1, 2], {}),
                           ["procedure", "procedure"], (1, 3), 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator(tmp_path: Path, name: str) -> None:
    tensors, op, kinds, shape, parameters, macs = OPERATORS[name]
    inputs = [i for i, t in enumerate(tensors) if t.held is None and i not in op[2]]
    network = written(tmp_path / "x.tflite", model(tensors, [op], inputs))
    assert [node.layer.kind for node in network.nodes] == kinds
    counted = tally(network)
    assert counted.rows[-1].shape == shape
    assert (counted.parameters, counted.macs) == (parameters, macs)
    assert not any("states other sizes" in note for note in network.notes), network.notes


def image(*ops: Any, tensors: list[Tensor]) -> bytes:
    """Operators on an image that a pool of one pixel has marked as one."""
    return model([X, T((1, 8, 10, 6)), *tensors], [IMAGE, *ops])


def test_what_images_are_done_to_is_channels_first(tmp_path: Path) -> None:
    data = image(
        ("PAD", [1, 2], [3], {}),
        ("SOFTMAX", [3], [4], {}),
        ("MUL", [4, 5], [6], {}),
        ("PRELU", [6, 7], [8], {}),
        ("SPLIT", [9, 8], [10, 11], {0: ("i", 2)}),
        ("CONCATENATION", [11, 10], [12], {0: ("i", 3)}),
        ("MEAN", [12, 13], [14], {0: ("B", 1)}),
        ("TRANSPOSE", [12, 15], [16], {}),
        ("RESHAPE", [12, 17], [18], {}),
        tensors=[
            T((4, 2), [0, 0, 1, 2, 3, 4, 0, 0]), T((1, 11, 17, 6)), T((1, 11, 17, 6)), T((6,), True),
            T((1, 11, 17, 6)), T((1, 1, 6), True), T((1, 11, 17, 6)), T((), [3]), T((1, 11, 17, 3)),
            T((1, 11, 17, 3)), T((1, 11, 17, 6)), T((1,), [3]), T((1, 11, 17, 1)),
            T((4,), [0, 3, 1, 2]), T((1, 6, 11, 17)), T((2,), [1, -1]), T((1, 1122)),
        ],
    )  # fmt: skip
    network = written(tmp_path / "x.tflite", data)
    by_kind = {node.layer.kind: node for node in network.nodes}
    assert by_kind["pad"].layer.padding == ((1, 2), (3, 4))
    assert by_kind["softmax"].layer.axis == 1
    assert by_kind["combine"].layer.size == (6, 1, 1)
    assert by_kind["prelu"].layer.shared is False
    assert by_kind["slice"].layer.axis == 1
    assert by_kind["concat"].layer.axis == 1
    assert by_kind["reduce"].layer.axes == (1,)
    assert by_kind["identity"].name == "t16"  # NHWC turned to NCHW is what we have
    assert by_kind["flatten"].name == "t18"
    counted = tally(network)
    assert counted["t16"].shape == (1, 6, 11, 17)
    assert counted.parameters == 6 + 6
    assert network.notes == ()


def test_heads_of_attention_lie_as_in_the_file(tmp_path: Path) -> None:
    tensors = [T((1, 10, 24)), T((4,), [1, 10, 4, 6]), T((1, 10, 4, 6)), T((4,), [0, 2, 1, 3]),
               T((1, 4, 10, 6)), T((1, 4, 10, 10)), T((1, 4, 10, 10)), T((1, 4, 10, 6))]  # fmt: skip
    ops = [
        ("RESHAPE", [0, 1], [2], {}), ("TRANSPOSE", [2, 3], [4], {}),
        ("BATCH_MATMUL", [4, 4], [5], {1: ("B", 1)}), ("SOFTMAX", [5], [6], {}),
        ("BATCH_MATMUL", [6, 4], [7], {}),
    ]  # fmt: skip
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    counted = tally(network)
    assert [node.layer.kind for node in network.nodes] == [
        "reshape", "permute", "matmul", "softmax", "matmul",
    ]  # fmt: skip
    assert network["t6"].layer.axis == 3
    assert counted["t7"].shape == (1, 4, 10, 6)
    assert counted.macs == 2 * 4 * 10 * 10 * 6


def test_a_vector_meets_an_image(tmp_path: Path) -> None:
    """Squeeze and excite: (1, 6) or (1, 1, 1, 6) times an image."""
    data = image(
        ("MEAN", [1, 2], [3], {}), ("LOGISTIC", [3], [4], {}), ("MUL", [1, 4], [5], {}),
        tensors=[T((2,), [1, 2]), T((1, 6)), T((1, 6)), T((1, 8, 10, 6))],
    )  # fmt: skip
    network = written(tmp_path / "x.tflite", data)
    assert tally(network)["t5"].shape == (1, 6, 8, 10)
    assert network.notes == ()


def test_names_come_from_tensors(tmp_path: Path) -> None:
    out = "net/act_1/Relu;net/bn_1/FusedBatchNormV3;net/conv_1/Conv2D"
    tensors = [X, T((4, 1, 1, 6), True, name="net/conv_1/Conv2D"), T((1, 8, 10, 4), name=out),
               T((1, 8, 10, 4), name="net/act_2/Relu;net/add_2/add"), T((1, 8, 10, 4), name="Identity")]  # fmt: skip
    ops = [("CONV_2D", [0, 1], [2], conv(fused=1)), ("ADD", [2, 2], [3], {0: ("b", 1)}),
           ("ABS", [3], [4], {})]  # fmt: skip
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert [node.name for node in network.nodes] == [
        "net.conv_1", "net.conv_1_relu", "net.add_2", "net.add_2_relu", "Identity",
    ]  # fmt: skip
    assert network.nodes[0].module == "net"


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    tensors = [T((1, 9), name="x") for _ in range(4)]
    ops = [("ABS", [i], [i + 1], {}) for i in range(3)]
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert [node.name for node in network.nodes] == ["x_2", "x_3", "x_4"]


def test_shared_weights_are_counted_once(tmp_path: Path) -> None:
    tensors = [T((1, 7)), T((7, 7), True), T((7,), True), T((1, 7)), T((1, 7))]
    ops = [("FULLY_CONNECTED", [0, 1, 2], [3], {}), ("FULLY_CONNECTED", [3, 1, 2], [4], {})]
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert tally(network).parameters == 56
    assert dict(network["t4"].shared) == {"weight": "t3.weight", "bias": "t3.bias"}


def test_a_bias_that_is_one_tensor_is_counted_once(tmp_path: Path) -> None:
    tensors = [T((1, 7)), T((7, 7), True), T((7,), True), T((1, 7)), T((7, 7), True), T((1, 7))]
    ops = [("FULLY_CONNECTED", [0, 1, 2], [3], {}), ("FULLY_CONNECTED", [3, 4, 2], [5], {})]
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert tally(network).parameters == 49 + 7 + 49
    assert dict(network["t5"].shared) == {"bias": "t3.bias"}


def test_biases_that_are_equal_are_two(corpus: Path) -> None:
    """Those of three convolutions are 0, and their tensors refer to one buffer."""
    network = read(corpus / FOLDER / "streaming_wakeword/trained_models/str_ww_ref_model.tflite")
    assert not any(node.shared for node in network.nodes)


@pytest.mark.parametrize("kind", ["custom Odd", "SVDF", "HASHTABLE_LOOKUP"])
def test_constants_behind_an_operator_that_is_not_understood(tmp_path: Path, kind: str) -> None:
    """They are the file's, and one that another operator has too is counted once."""
    tensors = [T((1, 7)), T((7, 7), True), T((3, 7), True), T((7,), True), T((), True), T((1, 7))]
    tensors += [T((1, 7))]
    ops = [("FULLY_CONNECTED", [0, 1, 3], [5], {}), (kind, [5, 1, 2, 3, 4], [6], {})]
    counted = tally(written(tmp_path / "x.tflite", model(tensors, ops)))
    assert counted.parameters == 49 + 7 + 21
    assert counted.parameters_complete
    assert not counted.complete


def test_weights_of_16_bits(tmp_path: Path) -> None:
    tensors = [T((1, 7)), T((3, 7), True, type="float16"), T((3, 7)), T((1, 3))]
    ops = [("DEQUANTIZE", [1], [2], {}), ("FULLY_CONNECTED", [0, 2], [3], {})]
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert [node.layer.kind for node in network.nodes] == ["linear"]
    assert tally(network).parameters == 21


def test_another_input(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    tensors = [X, T((4, 3, 3, 6), True), T((1, 8, 10, 4))]
    path.write_bytes(model(tensors, [("CONV_2D", [0, 1], [2], conv())]))
    assert tally(read(path, inputs=(6, 30, 20)))["t2"].shape == (1, 4, 30, 20)
    assert tally(read(path, inputs={"t0": (2, 6, 30, 20)}))["t2"].shape == (2, 4, 30, 20)
    with pytest.raises(ReadError, match="no input 'data'"):
        read(path, inputs={"data": (6, 30, 20)})
    with pytest.raises(ReadError, match="another number of axes"):
        read(path, inputs=(6, 30))


def test_sizes_left_open_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    tensors = [T((1, 1, 1, 6), signature=(-1, -1, -1, 6)), T((4, 3, 3, 6), True),
               T((1, 1, 1, 4), signature=(-1, -1, -1, 4))]  # fmt: skip
    path.write_bytes(model(tensors, [("CONV_2D", [0, 1], [2], conv())]))
    with pytest.raises(ReadError) as caught:
        read(path)
    assert "leaves sizes of the input 't0' open\n  values: ?x?x?x6, channels last" in str(
        caught.value
    )
    assert "--input t0=3x224x224" in str(caught.value)
    assert tally(read(path, inputs=(6, 30, 20)))["t2"].shape == (1, 4, 30, 20)


def test_an_open_batch_is_one(tmp_path: Path) -> None:
    tensors = [T((1, 7), signature=(-1, 7)), T((1, 7), signature=(-1, 7))]
    network = written(tmp_path / "x.tflite", model(tensors, [("ABS", [0], [1], {})]))
    assert network.inputs == {"t0": (1, 7)}


def test_where_the_file_states_another_size(tmp_path: Path) -> None:
    tensors = [X, T((4, 3, 3, 6), True), T((1, 8, 9, 4))]
    network = written(tmp_path / "x.tflite", model(tensors, [("CONV_2D", [0, 1], [2], conv())]))
    assert network.notes == (
        "the file states other sizes: t2 is 1x4x8x10 and stated as 1x4x8x9",
    )  # fmt: skip


def test_what_is_not_understood_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = [T((1, 9)), T((1, 9)), T((1, 9)), T((2, 9)), T((2, 9))]
    ops = [("custom Odd", [0], [1], {}), ("custom Odd", [1], [2], {}), ("WHILE", [2], [3], {}),
           ("ABS", [3], [4], {})]  # fmt: skip
    network = written(tmp_path / "x.tflite", model(tensors, ops, graphs=[{}]))
    assert network.notes == (
        "1 further subgraphs are not counted by themselves",
        "not understood: custom Odd (2x), WHILE",
    )
    counted = tally(network)
    assert not counted.complete
    assert counted["t3"].shape == (2, 9)  # stated, with another batch
    assert cli.run(["tally", str(tmp_path / "x.tflite")]) == 0
    assert "MACs        at least 0" in capsys.readouterr().out


def test_an_opaque_operator_keeps_its_weights(tmp_path: Path) -> None:
    tensors = [T((1, 7)), T((12, 7), True), T((12, 3), True), T((1, 4))]
    network = written(tmp_path / "x.tflite", model(tensors, [("SVDF", [0, 1, 2], [3], {})]))
    counted = tally(network)
    assert counted.parameters == 12 * 7 + 12 * 3
    assert counted.parameters_complete


def test_sizes_that_nobody_reads_are_left_out(tmp_path: Path) -> None:
    """SHAPE, STRIDED_SLICE, PACK before a RESHAPE, whose output states it."""
    n = T((1,), [0]), T((1,), [1]), T((1,), [1])
    tensors = [T((1, 4, 6)), T((3,), type="int32"), *n, T((), type="int32"), T((), [24]),
               T((2,), type="int32"), T((1, 24))]  # fmt: skip
    ops = [("SHAPE", [0], [1], {}), ("STRIDED_SLICE", [1, 2, 3, 4], [5], {4: ("i", 1)}),
           ("PACK", [5, 6], [7], {0: ("i", 2)}), ("RESHAPE", [0, 7], [8], {})]  # fmt: skip
    network = written(tmp_path / "x.tflite", model(tensors, ops))
    assert [node.layer.kind for node in network.nodes] == ["flatten"]


# --- malformed ------------------------------------------------------------------------------

FC = [T((1, 7)), T((3, 7), True), T((3,), True), T((1, 3))]
GOOD = model(FC, [("FULLY_CONNECTED", [0, 1, 2], [3], {})])


def with_root(number: int, value: Any) -> bytes:
    made = tree(FC, [("FULLY_CONNECTED", [0, 1, 2], [3], {})], [0], [3])
    if value is None:
        del made[number]
    else:
        made[number] = value
    return Writer().write(made)


def fc(tensors: list[Tensor] | None = None, inputs: list[int] | None = None, **more: Any) -> bytes:
    takes = more.pop("takes", [0, 1, 2])
    makes = more.pop("makes", [3])
    return model(tensors or FC, [("FULLY_CONNECTED", takes, makes, {})], inputs, **more)


def conv_of(x: Tensor, weight: Tensor, options: Any) -> bytes:
    return model([x, weight, T((1, 8, 10, 4))], [("CONV_2D", [0, 1], [2], options)])


MALFORMED = {
    "empty": (b"", "this is an empty file"),
    "short": (GOOD[:20], "an offset leads out of the file"),
    "half": (GOOD[: len(GOOD) // 2], "an offset leads out of the file"),
    "an older version": (GOOD.replace(b"TFL3", b"TFL2", 1), "of a version that is not read"),
    "another version": (with_root(0, ("I", 7)), "version 7\n  try: version 3 is"),
    "no version": (with_root(0, None), "version 0"),
    "no network": (with_root(2, None), "the file has no network"),
    "no kinds": (with_root(1, None), "an operator is of a kind that is not there"),
    "no buffers": (with_root(4, None), "a tensor's buffer is not there"),
    "no operators": (Writer().write(tree(FC, [], [0], [0])), "the file has no layers"),
    "no table": (b"\x08\0\0\0TFL3" + b"\0" * 32, "this is no table"),
    "root beyond": (b"\xff\xff\xff\x7fTFL3" + b"\0" * 32, "an offset leads out of the file"),
    "no such tensor": (fc(takes=[0, 1, 99]), "a tensor is named that is not there"),
    "no such input": (fc(inputs=[99]), "a tensor is named that is not there"),
    "negative tensor": (fc(takes=[0, 1, -2]), "a tensor is named that is not there"),
    "never made": (fc(inputs=[], takes=[0, 1, 2]), "it reads a tensor that nothing has made before"),
    "makes nothing": (model([T((1, 7))], [("ABS", [0], [], {})], outputs=[0]), "it has no output"),
    "makes none": (model([T((1, 7))], [("ABS", [0], [-1], {})], outputs=[0]), "it has no output"),
    "made twice": (model([T((1, 7)), T((1, 7))], [("ABS", [0], [1], {}), ("ABS", [0], [1], {})]),
                   "it makes a tensor that is there already"),
    "makes its input": (model([T((1, 7))], [("ABS", [0], [0], {})]), "that is there already"),
    "makes a constant": (model([T((1, 7)), T((1, 7), True)], [("ABS", [0], [1], {})]),
                         "that is there already"),
    "short constant": (fc([T((1, 7)), T((3, 7), b"\0" * 80), T((3,), True), T((1, 3))]),
                       "FLOAT32 3x7 in 80 bytes"),
    "negative constant": (fc([T((1, 7)), T((-3, 7), b"\0" * 84), T((3,), True), T((1, 3))]),
                          "has a size below 0"),
    "other biases": (fc([T((1, 7)), T((3, 7), True), T((4,), True), T((1, 3))]),
                     "its biases are not one a channel"),
    "other columns": (fc([T((1, 8)), T((3, 7), True), T((3,), True), T((1, 3))]),
                      "does not come out even in rows of its weights"),
    "weights of three axes": (fc([T((1, 7)), T((3, 7, 1), True), T((3,), True), T((1, 3))]),
                              "its weights cannot be such"),
    "empty input": (fc([T((1, 0)), T((3, 7), True), T((3,), True), T((1, 3))]),
                    "leaves sizes of the input 't0' open"),
    "no options": (conv_of(X, T((4, 3, 3, 6), True), {}), "it has no options"),
    "no stride": (conv_of(X, T((4, 3, 3, 6), True), {0: ("b", 0)}), "stride must be at least 1"),
    "padding": (conv_of(X, T((4, 3, 3, 6), True), conv(5)), "its padding is neither SAME nor VALID"),
    "activation": (conv_of(X, T((4, 3, 3, 6), True), conv(fused=77)), "its activation is none"),
    "channels": (conv_of(X, T((4, 3, 3, 5), True), conv()), "its weights see other channels"),
    "axes": (conv_of(T((1, 8, 6)), T((4, 3, 3, 6), True), conv()), "its input has not 4 axes"),
    "too large a window": (conv_of(X, T((4, 9, 9, 6), True), conv(1)), "the window is larger than"),
    "depthwise": (model([X, T((1, 3, 3, 7), True), T((1, 8, 10, 7))],
                        [("DEPTHWISE_CONV_2D", [0, 1], [2], depthwise())]), "are not some a channel"),
    "transpose": (model([T((1, 5, 7)), T((3,), [0, 1, 1]), T((1, 5, 7))],
                        [("TRANSPOSE", [0, 1], [2], {})]), "does not name each axis once"),
    "paddings": (model([T((1, 5, 7)), T((2,), [0, 1]), T((1, 5, 7))], [("PAD", [0, 1], [2], {})]),
                 "its paddings are not two for each axis"),
    "parts": (model([T((1, 5)), T((), [1]), T((1, 2)), T((1, 2))], [("SPLIT", [1, 0], [2, 3], {})]),
              "it does not come out even"),
    "reshape": (model([T((1, 5)), T((2,), [1, 7]), T((1, 7))], [("RESHAPE", [0, 1], [2], {})]),
                "reshape must keep the number of values"),
    "unequal": (model([T((1, 5)), T((1, 7)), T((1, 5))], [("ADD", [0, 1], [2], {})], [0, 1]),
                "the inputs' shapes do not agree"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    data, message = MALFORMED[name]
    with pytest.raises(NettallyError) as caught:
        written(tmp_path / "x.tflite", data)
    assert message in str(caught.value)
    assert "x.tflite" in str(caught.value)


@pytest.mark.parametrize("size", range(12, len(GOOD), 37))
def test_a_file_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(NettallyError):
        written(tmp_path / "x.tflite", GOOD[:size])


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    assert tally(written(tmp_path / "weights", GOOD)).parameters == 24
