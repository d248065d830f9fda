"""ONNX operators that are met rarely: their shapes are those of onnx's own inference; counts."""

from __future__ import annotations

import math
from typing import Any

import pytest

import onnx_files as w
from nettally import tally
from nettally.errors import ReadError
from nettally.formats import Source
from nettally.formats import onnx as reader
from nettally.network import Network


def of(
    *nodes: bytes, x: Any = (1, 4, 6, 6), held: Any = (), opset: int = 21, outputs: str = "y"
) -> bytes:
    ends = [w.info("x", x)], [w.info(name, None, 0) for name in outputs.split()]
    return w.model(w.graph(nodes, *ends, held), {"": opset, "com.microsoft": 1})


def network(data: bytes) -> Network:
    return reader.read(Source("net.onnx", data))


def ints(name: str, *values: int, scalar: bool = False) -> bytes:
    return w.tensor(name, [] if scalar else [len(values)], values, w.INT64)


NODE = w.node
TWO, FOUR, ONE = (ints(n, v, scalar=True) for n, v in (("two", 2), ("four", 4), ("one", 1)))

CASES: list[tuple[str, list[bytes], dict[str, Any]]] = [
    (
        "a sequence that is joined",
        [
            NODE("Relu", ["x"], ["r"]),
            NODE("SequenceConstruct", ["x", "r"], ["s"]),
            NODE("ConcatFromSequence", ["s"], ["y"], axis=1),
        ],
        {},
    ),
    (
        "a sequence that is stacked",
        [
            NODE("SequenceConstruct", ["x", "x"], ["s"]),
            NODE("ConcatFromSequence", ["s"], ["y"], axis=-1, new_axis=1),
        ],
        {},
    ),
    (
        "pieces of one size",
        [
            NODE("SplitToSequence", ["x", "two"], ["s"], axis=1),
            NODE("SequenceAt", ["s", "one"], ["y"]),
        ],
        {"held": [TWO, ONE]},
    ),
    (
        "pieces without their axis",
        [
            NODE("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0),
            NODE("SequenceAt", ["s", "one"], ["y"]),
        ],
        {"held": [ONE]},
    ),
    ("Det", [NODE("Det", ["x"], ["y"])], {}),
    ("Multinomial", [NODE("Multinomial", ["x"], ["y"], sample_size=7)], {"x": (3, 10)}),
    *(
        (f"a loss, {how}", [NODE("SoftmaxCrossEntropyLoss", ["x", "t"], ["y"], reduction=how)],
         {"held": [w.tensor("t", [3], [0, 1, 2], w.INT64)], "x": (3, 10)})
        for how in ("mean", "none")
    ),
    ("DFT", [NODE("DFT", ["x", "", "one"], ["y"], onesided=1)],
     {"x": (1, 100, 1), "held": [ONE]}),
    ("DFT of a length", [NODE("DFT", ["x", "four"], ["y"])],
     {"x": (1, 100, 1), "held": [FOUR], "opset": 17}),
    ("DFT back", [NODE("DFT", ["x"], ["y"], onesided=1, inverse=1)],
     {"x": (1, 100, 2), "opset": 17}),
    ("STFT", [NODE("STFT", ["x", "two", "", "four"], ["y"], onesided=1)],
     {"x": (1, 100, 1), "held": [TWO, FOUR]}),
    ("BitCast", [NODE("BitCast", ["x"], ["y"], to=6)], {"opset": 26}),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "more"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_shapes_are_those_of_onnx(nodes: list[bytes], more: dict[str, Any]) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    data = of(*nodes, **more)
    ours = reader.inferred(Source("net.onnx", data))["y"].shape
    model = onnx.load_from_string(data)
    theirs = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0]
    sizes = theirs.type.tensor_type.shape.dim
    assert ours is not None
    assert None not in ours
    stated = [each.dim_value for each in sizes]  # 0: onnx does not say
    assert [size or own for size, own in zip(stated, ours, strict=True)] == list(ours)


def test_a_deformable_convolution_counts_as_the_convolution_that_it_is() -> None:
    held = [w.tensor("w", [8, 2, 3, 3]), w.tensor("b", [8]), w.tensor("off", [1, 18, 6, 6])]
    pads = {"pads": [1, 1, 1, 1], "group": 2, "kernel_shape": [3, 3]}
    deformed = network(
        of(NODE("DeformConv", ["x", "w", "off", "b"], ["y"], "d", **pads), held=held)
    )
    plain = network(of(NODE("Conv", ["x", "w", "b"], ["y"], "d", **pads), held=held))
    one, two = tally(deformed), tally(plain)
    assert one.complete
    # the offsets are a constant of this file, and are learned
    assert one.parameters - two.parameters == 18 * 6 * 6
    assert (one.macs, one.neurons) == (two.macs, two.neurons) == (8 * 36 * 2 * 9, 8 * 36)
    assert one["d"].shape == two["d"].shape


def body(op: str, state: Any, piece: Any, more: list[bytes] | None = None) -> w.Graph:
    nodes = [NODE(op, ["s", "p"], ["so"]), NODE("Relu", ["so"], ["out"]), *(more or [])]
    starts = [w.info("s", state), w.info("p", piece)]
    ends = [w.info("so", None, 0), w.info("out", None, 0)]
    return w.Graph(w.graph(nodes, starts, ends))


def test_a_short_scan_is_written_out_with_the_weights_shared() -> None:
    inner = w.graph(
        [
            NODE("MatMul", ["s", "weight"], ["h"]),
            NODE("Add", ["h", "p"], ["so"]),
            NODE("Tanh", ["so"], ["out"]),
        ],
        [w.info("s", [3]), w.info("p", [3])],
        [w.info("so", None, 0), w.info("out", None, 0)],
    )
    held = [w.tensor("weight", [3, 3]), w.tensor("s0", [3])]
    data = of(
        NODE("Scan", ["s0", "x"], ["last", "y"], body=w.Graph(inner), num_scan_inputs=1),
        x=(5, 3),
        held=held,
        outputs="y last",
    )
    counted = tally(network(data))
    assert counted.complete
    assert counted.macs == 5 * 9 - 9  # of the first round all is constant: s0 times the weights
    assert counted.rows[-1].shape == (5, 3)


def test_a_scan_of_unknown_length_or_of_many_rounds_is_said() -> None:
    data = of(
        NODE("Scan", ["s0", "x"], ["last", "y"], body=body("Add", [3], [3]), num_scan_inputs=1),
        x=(5000, 3),
        held=[w.tensor("s0", [3])],
    )
    net = network(data)
    assert any("a Scan of many rounds" in note for note in net.notes)
    assert not tally(net).complete


def test_a_map_over_a_sequence_is_run_for_each() -> None:
    inner = w.graph([NODE("Relu", ["p"], ["o"])], [w.info("p", None, 0)], [w.info("o", None, 0)])
    data = of(
        NODE("SplitToSequence", ["x"], ["s"], axis=1),
        NODE("SequenceMap", ["s"], ["t"], "map", body=w.Graph(inner)),
        NODE("SequenceLength", ["t"], ["n"]),
        NODE("ConcatFromSequence", ["t"], ["y"], axis=1),
    )
    net = network(data)
    assert [node.layer.kind for node in net.nodes].count("relu") == 4
    assert tally(net).rows[-1].shape == (1, 4, 6, 6)


def test_inserting_and_erasing() -> None:
    data = of(
        NODE("SequenceEmpty", [], ["e"]),
        NODE("Relu", ["x"], ["r"]),
        NODE("Sigmoid", ["x"], ["g"]),
        NODE("SequenceInsert", ["e", "r"], ["one"]),
        NODE("SequenceInsert", ["one", "g", "zero"], ["two"]),
        NODE("SequenceErase", ["two"], ["left"]),
        NODE("SequenceAt", ["left", "zero"], ["z"]),
        NODE("Tanh", ["z"], ["y"], "last"),
        held=[ints("zero", 0, scalar=True)],
    )
    net = network(data)
    assert net["last"].inputs == ("g",)


def test_a_value_that_may_be_missing_is_there() -> None:
    data = of(
        NODE("Optional", ["x"], ["o"]),
        NODE("OptionalGetElement", ["o"], ["v"]),
        NODE("Relu", ["v"], ["y"], "r"),
    )
    assert network(data)["r"].inputs == ("x",)


def test_quantised_weights_are_the_layers_and_are_counted_once() -> None:
    """As Brevitas and QONNX write them: Quant stands between each weight and its layer."""
    held = [w.tensor("w", [8, 4, 3, 3]), *(w.tensor(n, [], [1]) for n in ("s", "z", "bits"))]
    quant = {"domain": "qonnx.custom_op.general", "signed": 1}
    data = of(
        NODE("Quant", ["x", "s", "z", "bits"], ["q"], **quant),
        NODE("Quant", ["w", "s", "z", "bits"], ["v"], **quant),
        NODE("Conv", ["q", "v"], ["c"], "c"),
        NODE("BipolarQuant", ["c", "s"], ["y"], domain="onnx.brevitas"),
        held=held,
    )
    counted = tally(network(data))
    assert counted.complete
    assert (counted.parameters, counted.macs) == (8 * 36, 8 * 36 * 16)
    assert counted.rows[-1].shape == (1, 8, 4, 4)


def test_channels_last_is_counted_as_channels_first() -> None:
    last = {"domain": "qonnx.custom_op.channels_last"}
    pads = {"kernel_shape": [3, 3], "strides": [2, 2], "dilations": [1, 1], "pads": [1, 1, 1, 1]}
    data = of(
        NODE("Conv", ["x", "w"], ["c"], "c", group=1, **pads, **last),
        NODE("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"], "n", **last),
        NODE("MaxPool", ["n"], ["y"], "p", kernel_shape=[2, 2], strides=[1, 1], **last),
        x=(1, 7, 9, 4),
        held=[w.tensor("w", [8, 3, 3, 4]), *(w.tensor(n, [8]) for n in "gbmv")],
    )
    counted = tally(network(data))
    assert counted.complete
    assert counted["c"].shape == (1, 8, 4, 5)
    assert counted.rows[-1].shape == (1, 3, 4, 8)
    assert (counted.parameters, counted.macs) == (8 * 36 + 16, 8 * 36 * 20)


MS = {"domain": "com.microsoft"}

COUNTS: list[tuple[str, list[bytes], dict[str, Any], int, tuple[int, ...]]] = [
    ("ImageScaler", [NODE("ImageScaler", ["x"], ["y"], scale=0.5)], {"opset": 3}, 0, (1, 4, 6, 6)),
    ("Affine", [NODE("Affine", ["x"], ["y"], alpha=0.5)], {"opset": 3}, 0, (1, 4, 6, 6)),
    ("ScaledTanh", [NODE("ScaledTanh", ["x"], ["y"], alpha=2.0)], {"opset": 3}, 0, (1, 4, 6, 6)),
    ("Crop", [NODE("Crop", ["x"], ["y"], border=[1, 0, 2, 3])], {"opset": 3}, 0, (1, 4, 3, 3)),
    ("Crop to a size", [NODE("Crop", ["x"], ["y"], border=[1, 2, 0, 0], scale=[3, 4])],
     {"opset": 3}, 0, (1, 4, 3, 4)),
    ("rotary", [NODE("RotaryEmbedding", ["x", "c", "s"], ["y"])],
     {"opset": 23, "held": [w.tensor("c", [9, 3]), w.tensor("s", [9, 3])]}, 0, (1, 4, 6, 6)),
    ("QLinearConcat", [NODE("QLinearConcat", ["c", "z", "x", "c", "z", "x", "c", "z"], ["y"],
                            axis=1, **MS)],
     {"held": [w.tensor("c", [], [1]), w.tensor("z", [], [1])]}, 0, (1, 8, 6, 6)),
    ("QLinearAveragePool", [NODE("QLinearAveragePool", ["x", "c", "z", "c", "z"], ["y"],
                                 kernel_shape=[2, 2], strides=[2, 2], **MS)],
     {"held": [w.tensor("c", [], [1]), w.tensor("z", [], [1])]}, 0, (1, 4, 3, 3)),
    ("EmbedLayerNormalization",
     [NODE("EmbedLayerNormalization", ["x", "x", "words", "places", "kinds", "g", "b"], ["y", "m"],
           **MS)],
     {"x": (2, 5), "held": [w.tensor("words", [30, 8]), w.tensor("places", [12, 8]),
                            w.tensor("kinds", [2, 8]), w.tensor("g", [8]), w.tensor("b", [8])]},
     30 * 8 + 12 * 8 + 2 * 8 + 16, (2, 5, 8)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "more", "parameters", "shape"), [c[1:] for c in COUNTS], ids=[c[0] for c in COUNTS]
)
def test_counts(
    nodes: list[bytes], more: dict[str, Any], parameters: int, shape: tuple[int, ...]
) -> None:
    counted = tally(network(of(*nodes, **more)))
    assert counted.complete
    assert counted.parameters == parameters
    assert counted.rows[-1].shape == shape


BAD = [
    (NODE("Crop", ["x"], ["y"], border=[4, 0, 4, 0]), "its border cuts away more than there is"),
    (NODE("Crop", ["x"], ["y"], border=[1]), "its border needs 4 sizes"),
    (NODE("SplitToSequence", ["x", "many"], ["y"], axis=1), "its parts do not make up its input"),
    (NODE("HannWindow", ["less"], ["y"]), "its size is negative"),
]


@pytest.mark.parametrize(("node", "text"), BAD, ids=[each[1] for each in BAD])
def test_complaints(node: bytes, text: str) -> None:
    with pytest.raises(ReadError) as error:
        network(of(node, held=[ints("many", 3, 3), ints("less", -3, scalar=True)]))
    assert error.value.what == text


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([NODE("SequenceAt", ["s", "many"], ["y"])], "its position is outside its sequence"),
        ([NODE("SequenceErase", ["s", "many"], ["y"])], "its position is outside its sequence"),
        (
            [NODE("ConcatFromSequence", ["s"], ["y"])],
            "its sequence is empty, or its axis is missing",
        ),
    ],
)
def test_complaints_about_sequences(nodes: list[bytes], text: str) -> None:
    held = [ints("many", 2, scalar=True)]
    with pytest.raises(ReadError) as error:
        network(of(NODE("SequenceConstruct", ["x", "x"], ["s"]), *nodes, held=held))
    assert error.value.what == text


def test_what_is_taken_from_a_sequence_of_which_nothing_is_known_is_unknown() -> None:
    nodes = [
        NODE("Relu", ["x"], ["r"]),
        NODE("Mystery", ["r"], ["s"], domain="com.microsoft"),
        NODE("SequenceAt", ["s", "one"], ["y"]),
    ]
    counted = tally(network(of(*nodes, held=[ONE])))
    assert not counted.complete
    assert counted.rows[-1].shape is None


@pytest.mark.parametrize("order", ["x w", "w x", "x x"])
@pytest.mark.parametrize("added", ["", "row", "whole", "column", "x"])
@pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_of_whatever_stands_where(order: str, added: str, flips: tuple[int, int]) -> None:
    """Constants and computed tensors in each place: a product, its weights, what is added."""
    held = {"w": [6, 6], "row": [6], "whole": [6, 6], "column": [6, 1]}
    fields = {"transA": flips[0], "transB": flips[1], "alpha": 0.5}
    data = of(
        NODE("Gemm", [*order.split(), *added.split()], ["y"], **fields),
        x=(6, 6),
        held=[w.tensor(name, sizes) for name, sizes in held.items()],
    )
    counted = tally(network(data))
    assert counted.complete
    assert counted.rows[-1].shape == (6, 6)
    assert counted.macs == 6**3
    used = [held[name] for name in {*order.split(), added} if name in held]
    assert counted.parameters == sum(math.prod(sizes) for sizes in used)
