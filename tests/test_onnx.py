"""ONNX files: shapes against ONNX's own tests, counts, inputs, bodies, complaints."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

import onnx_files as w
from nettally import read, tally
from nettally.errors import NettallyError, ReadError
from nettally.formats import Source, onnx
from nettally.formats.encodings.blob import Blob
from nettally.formats.onnx.decode import model as decode
from nettally.formats.onnx.values import Value
from nettally.network import Network


def network(data: bytes, **inputs: tuple[int, ...]) -> Network:
    """The network of these bytes; ``_`` stands for the only input."""
    given = {"" if name == "_" else name: shape for name, shape in inputs.items()}
    return onnx.read(Source("net.onnx", data, given))


def of(
    *nodes: bytes,
    x: Any = (1, 3, 8, 8),
    held: Any = (),
    outputs: Any = (("y", None),),
    opset: Any = 17,
    **more: Any,
) -> bytes:
    """A model of nodes that make ``y`` from ``x``; held are initializers."""
    inputs = [w.info("x", x)] if x is not None else []
    graph = w.graph(nodes, inputs, [w.info(*each, 0) for each in outputs], held, **more)
    return w.model(graph, opset)


def shapes(data: bytes) -> dict[str, Value]:
    return dict(onnx.inferred(Source("net.onnx", data)))


def kinds(net: Network) -> list[str]:
    return [node.layer.kind for node in net.nodes]


# --- ONNX's own tests ---------------------------------------------------------------------------


def case_file(case: dict[str, Any]) -> bytes:
    """A recorded case of ONNX's tests of shape inference, as a file."""
    nodes, made, held, inputs, infos = [], set(), [], [], []
    for node in case["nodes"]:
        attributes = {}
        for name, value in node["attrs"].items():
            if isinstance(value, str) and value.startswith("<class"):  # the one that they make
                value = w.Tensor(w.tensor("", [2], [3, 8], w.INT64))
            attributes[name] = value
        nodes.append(
            w.node(node["op"], node["inputs"], node["outputs"], domain=node["domain"], **attributes)
        )
        made |= set(node["outputs"])
    for name, value in case["initializers"].items():
        kind = (case["tensors"].get(name) or {}).get("elem") or "FLOAT"
        dtype = w.TYPES.get(kind, 0) if w.TYPES.get(kind, 0) in w.RAW else w.INT64
        held.append(w.tensor(name, value["shape"], value["values"], dtype))
    for name, value in case["tensors"].items():
        stated = None if value is None else value["shape"]
        info = w.info(name, stated, 0 if value is None else w.TYPES.get(value["elem"], 0))
        if name in made:
            infos += [] if value is None else [info]
        elif name not in case["initializers"]:
            inputs.append(info)
    versions = {k.replace("ai.onnx", ""): v for k, v in case["opset"].items()}
    return w.model(w.graph(nodes, inputs, [], held, infos), versions)


def test_every_case_of_onnxs_own_shape_inference(oracles: Path) -> None:
    cases = json.loads((oracles / "onnx_shape_inference_cases.json").read_text())["cases"]
    assert len(cases) > 400
    for case in cases:
        data = case_file(case)
        if case["kind"] == "must_fail":
            with pytest.raises(ReadError):
                shapes(data)
            continue
        found = shapes(data)
        for name, expected in (case["expected"] or {}).items():
            shape = None if expected is None else expected.get("shape")
            assert found[name].shape == (shape if shape is None else tuple(shape)), case["test"]
            if expected and expected.get("elem") and found[name].dtype:
                assert found[name].dtype == w.TYPES[expected["elem"]], case["test"]


def test_the_cases_with_numbers_are_counted_too(oracles: Path) -> None:
    """The same through the front door: the layers that are chosen make the shapes."""
    cases = json.loads((oracles / "onnx_shape_inference_cases.json").read_text())["cases"]
    counted = 0
    for case in cases:
        stated = [t and t["shape"] for t in case["tensors"].values()]
        sizes = [size for shape in stated for size in ([None] if shape is None else shape)]
        # two cases have an input of 2^63 - 1 values, which no program could hold
        if case["kind"] != "shape" or not all(type(n) is int and n < 2**31 for n in sizes):
            continue
        rows = {row.name: row.shape for row in tally(network(case_file(case)))}
        counted += 1
        for name, expected in case["expected"].items():
            if expected and expected.get("shape") and None not in expected["shape"]:
                ends = [row for row in rows if row == name or row.endswith(f".{name}")]
                assert not ends or rows[ends[0]] == tuple(expected["shape"]), case["test"]
    assert counted > 200


def test_node_tests_come_out_as_they_state(corpus: Path) -> None:
    """Their outputs state the shape that ONNX's reference implementation computes."""
    for path in sorted((corpus / "onnx-node-tests").rglob("*.onnx")):
        with Blob(path.name, str(path)) as blob:
            stated = decode(blob).graph
        net = read(path)
        assert not any("ceil_mode" in note for note in net.notes), path.name
        rows = tally(net)
        expected = [info.dims for info in stated.outputs if info.dims is not None]
        if len(expected) == len(net.outputs):
            found = [
                net.inputs[name] if name in net.inputs else rows[name].shape for name in net.outputs
            ]
            assert found == expected, path.name


def test_the_pool_whose_last_window_would_start_in_the_padding(corpus: Path) -> None:
    folder = corpus / "onnx-node-tests" / "onnx-1.16.2-wheel"
    path = folder / "test_maxpool_2d_ceil_output_size_reduce_by_one.onnx"
    rows = tally(read(path)).rows
    assert [row.shape for row in rows] == [(1, 1, 1, 1)]


def test_the_light_models_count_as_expected(corpus: Path, oracles: Path) -> None:
    folder = corpus / "onnx/onnx__onnx/onnx/backend/test/data/light"
    with open(oracles / "onnx_light_expected.csv") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 9
    for line in lines:
        counted = tally(read(folder / line["file"]))
        by_kind = {
            kind: [row for row in counted if row.node.layer.kind == kind]
            for kind in ("conv", "linear")
        }
        held = [
            math.prod(shape)
            for rows in by_kind.values()
            for row in rows
            for shape in (row.parameters or {}).values()
        ]
        assert counted.complete
        assert len(by_kind["conv"]) == int(line["conv_layers"])
        assert sum(held) == int(line["params_conv_fc(weights+bias)"])
        assert sum(r.work.macs for r in by_kind["conv"]) == int(line["MACs_conv"])
        assert sum(r.work.macs for r in by_kind["linear"]) == int(line["MACs_gemm"])
        assert list(counted.rows[-1].shape) == json.loads(line["output"])


def test_all_shapes_of_the_light_models_are_those_of_onnx(corpus: Path) -> None:
    library = pytest.importorskip("onnx")
    for path in sorted((corpus / "onnx/onnx__onnx/onnx/backend/test/data/light").glob("*.onnx")):
        made = library.shape_inference.infer_shapes(library.load(str(path)))
        ours = shapes(path.read_bytes())
        for info in made.graph.value_info:
            dims = tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
            assert ours[info.name].shape == dims, (path.name, info.name)


# --- counts -------------------------------------------------------------------------------------

FOUR = w.tensor("w", [4, 3, 3, 3])
SIZES = w.tensor("n", [4], [4, 3, 3, 3], w.INT64)
HALF = w.Tensor(w.tensor("", [1], [0.5]))
BYTES = w.tensor("q", [4, 3, 3, 3], dtype=w.INT8)
SCALE = w.tensor("s", [1], [0.1])

WEIGHTS: dict[str, tuple[list[bytes], list[bytes]]] = {
    "an initializer": ([], [FOUR]),
    "a Constant": ([w.node("Constant", [], ["w"], value=w.Tensor(FOUR))], []),
    "ConstantOfShape": ([w.node("ConstantOfShape", ["n"], ["w"], value=HALF)], [SIZES]),
    "an Identity": ([w.node("Identity", ["v"], ["w"])], [w.tensor("v", [4, 3, 3, 3])]),
    "a Cast": (
        [w.node("Cast", ["v"], ["w"], to=1)],
        [w.tensor("v", [4, 3, 3, 3], dtype=w.FLOAT16)],
    ),
    "DequantizeLinear": ([w.node("DequantizeLinear", ["q", "s"], ["w"])], [BYTES, SCALE]),
    "a Transpose": (
        [w.node("Transpose", ["v"], ["w"], perm=[3, 2, 0, 1])],
        [w.tensor("v", [3, 3, 3, 4])],
    ),
    "external data": ([], [w.tensor("w", [4, 3, 3, 3], external=True)]),
}


@pytest.mark.parametrize("form", WEIGHTS)
def test_weights_are_the_layers_parameters_in_any_form(form: str) -> None:
    before, held = WEIGHTS[form]
    net = network(of(*before, w.node("Conv", ["x", "w"], ["y"]), held=held))
    counted = tally(net)
    assert kinds(net) == ["conv"]
    assert (counted.parameters, counted.macs) == (108, 108 * 36)
    assert counted.complete


def test_weights_that_are_inputs_of_the_graph_are_said_to_be() -> None:
    inputs = [w.info("x", [1, 3, 8, 8]), w.info("w", [4, 3, 3, 3])]
    graph = w.graph([w.node("Conv", ["x", "w"], ["y"])], inputs, [w.info("y", None)])
    net = network(w.model(graph))
    assert list(net.inputs) == ["x"]
    assert net.notes == (
        "w: inputs of the graph that are used as weights; they are counted as the layers' "
        "parameters",
    )


COUNTS: list[tuple[str, bytes, int, int, tuple[int, ...]]] = [
    # what, the file, parameters, multiply-accumulates, the output's shape
    (
        "conv",
        of(
            w.node("Conv", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], group=3),
            held=[w.tensor("w", [6, 1, 3, 3]), w.tensor("b", [6])],
        ),
        6 * 9 + 6,
        6 * 9 * 16,
        (1, 6, 4, 4),
    ),
    (
        "conv, same",
        of(w.node("Conv", ["x", "w"], ["y"], auto_pad="SAME_LOWER", strides=[3, 3]), held=[FOUR]),
        108,
        108 * 9,
        (1, 4, 3, 3),
    ),
    (
        "transposed",
        of(
            w.node(
                "ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], output_padding=[1, 1], group=3
            ),
            held=[w.tensor("w", [3, 2, 3, 3])],
        ),
        54,
        64 * 9 * 6,
        (1, 6, 18, 18),
    ),
    (
        "transposed, to a size",
        of(
            w.node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], output_shape=[15, 15]),
            held=[w.tensor("w", [3, 2, 3, 3])],
        ),
        54,
        64 * 9 * 6,
        (1, 2, 15, 15),
    ),
    (
        "gemm",
        of(
            w.node("Flatten", ["x"], ["f"]),
            w.node("Gemm", ["f", "w", "b"], ["y"], transB=1),
            held=[w.tensor("w", [10, 192]), w.tensor("b", [10])],
        ),
        1930,
        1920,
        (1, 10),
    ),
    (
        "matmul by weights and a bias",
        of(
            w.node("MatMul", ["x", "w"], ["m"]),
            w.node("Add", ["m", "b"], ["y"]),
            x=(1, 7, 16),
            held=[w.tensor("w", [16, 5]), w.tensor("b", [5])],
        ),
        85,
        7 * 80,
        (1, 7, 5),
    ),
    (
        "matmul of two activations",
        of(
            w.node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            w.node("MatMul", ["x", "t"], ["y"]),
            x=(2, 7, 16),
        ),
        0,
        2 * 7 * 7 * 16,
        (2, 7, 7),
    ),
    (
        "weights on the left",
        of(w.node("MatMul", ["w", "x"], ["y"]), x=(2, 7, 16), held=[w.tensor("w", [5, 7])]),
        35,
        2 * 5 * 7 * 16,
        (2, 5, 16),
    ),
    (
        "einsum",
        of(
            w.node("Einsum", ["x", "w"], ["y"], equation="...i,ij->...j"),
            x=(2, 7, 16),
            held=[w.tensor("w", [16, 4])],
        ),
        64,
        2 * 7 * 16 * 4,
        (2, 7, 4),
    ),
    (
        "batch norm",
        of(
            w.node("BatchNormalization", ["x", *"abcd"], ["y"]),
            held=[w.tensor(each, [3]) for each in "abcd"],
        ),
        6,
        0,
        (1, 3, 8, 8),
    ),
    (
        "layer norm over two axes",
        of(
            w.node("LayerNormalization", ["x", "a", "b"], ["y"], axis=-2),
            held=[w.tensor("a", [8, 8]), w.tensor("b", [8, 8])],
        ),
        128,
        0,
        (1, 3, 8, 8),
    ),
    (
        "group norm of version 18: a scale a group",
        of(
            w.node("GroupNormalization", ["x", "a", "b"], ["y"], num_groups=2),
            x=(1, 6, 4, 4),
            held=[w.tensor("a", [2]), w.tensor("b", [2])],
            opset=18,
        ),
        4,
        0,
        (1, 6, 4, 4),
    ),
    (
        "embedding",
        of(w.node("Gather", ["w", "x"], ["y"]), x=(2, 7), held=[w.tensor("w", [100, 16])]),
        1600,
        0,
        (2, 7, 16),
    ),
    (
        "a class token beside the patches, and positions",
        of(
            w.node("Concat", ["t", "x"], ["c"], axis=1),
            w.node("Add", ["c", "p"], ["y"]),
            x=(1, 4, 8),
            held=[w.tensor("t", [1, 1, 8]), w.tensor("p", [1, 5, 8])],
        ),
        48,
        0,
        (1, 5, 8),
    ),
    (
        "quantised convolution",
        of(
            w.node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z", "b"], ["y"]),
            held=[
                w.tensor("w", [4, 3, 3, 3], dtype=w.UINT8),
                w.tensor("s", []),
                w.tensor("z", [], dtype=w.UINT8),
                w.tensor("b", [4], dtype=w.INT32),
            ],
        ),
        112,
        108 * 36,
        (1, 4, 6, 6),
    ),
    (
        "LSTM of two directions",
        of(
            w.node("LSTM", ["x", "w", "r", "b"], ["y"], direction="bidirectional", hidden_size=5),
            x=(7, 2, 3),
            held=[
                w.tensor("w", [2, 20, 3]),
                w.tensor("r", [2, 20, 5]),
                w.tensor("b", [2, 40]),
            ],
        ),
        2 * (20 * 8 + 40),
        2 * 14 * 20 * 8,
        (7, 2, 2, 5),
    ),
    (
        "GRU",
        of(
            w.node("GRU", ["x", "w", "r"], ["", "y"], hidden_size=5),
            x=(7, 2, 3),
            held=[w.tensor("w", [1, 15, 3]), w.tensor("r", [1, 15, 5])],
        ),
        15 * 8,
        14 * 15 * 8,
        (1, 2, 5),
    ),
    (
        "attention",
        of(
            w.node("Attention", ["x"] * 3, ["y"], q_num_heads=4, kv_num_heads=4),
            x=(1, 9, 32),
            opset=23,
        ),
        0,
        2 * 9 * 9 * 32,
        (1, 9, 32),
    ),
]


@pytest.mark.parametrize(("data", "parameters", "macs", "shape"), [c[1:] for c in COUNTS],
                         ids=[c[0] for c in COUNTS])  # fmt: skip
def test_counts(data: bytes, parameters: int, macs: int, shape: tuple[int, ...]) -> None:
    net = network(data)
    counted = tally(net)
    assert counted.complete
    assert (counted.parameters, counted.macs) == (parameters, macs)
    assert counted[net.outputs[0]].shape == shape


def test_a_single_number_is_a_constant_of_the_arithmetic() -> None:
    net = network(
        of(
            w.node("Mul", ["x", "h"], ["a"]),
            w.node("Pow", ["a", "two"], ["b"]),
            w.node("Div", ["b", "h"], ["y"]),
            held=[w.tensor("h", [], [0.5]), w.tensor("two", [1], [2.0])],
        )
    )
    assert kinds(net) == ["affine", "square", "affine"]
    assert net["y"].layer.fields() == {"slope": 2.0, "offset": 0.0}
    assert tally(net).parameters == 0


def test_weights_used_twice_are_counted_once() -> None:
    net = network(
        of(
            w.node("Gather", ["w", "x"], ["e"], name="embed"),
            w.node("Transpose", ["w"], ["t"], perm=[1, 0]),
            w.node("MatMul", ["e", "t"], ["y"], name="head"),
            x=(1, 7),
            held=[w.tensor("w", [100, 16])],
        )
    )
    assert net["head"].shared == {"weight": "embed.weight"}
    assert tally(net).parameters == 1600


def test_parts_of_a_weight_are_not_the_same_weight() -> None:
    net = network(
        of(
            w.node("Split", ["w"], ["a", "b"], axis=1),
            w.node("MatMul", ["x", "a"], ["p"]),
            w.node("MatMul", ["x", "b"], ["q"]),
            w.node("Add", ["p", "q"], ["y"]),
            x=(1, 8),
            held=[w.tensor("w", [8, 6])],
            opset=11,
        )
    )
    assert tally(net).parameters == 48


def test_modules_are_pytorchs() -> None:
    net = network(
        of(
            w.node("Relu", ["x"], ["a"], name="/layer1/layer1.0/relu/Relu"),
            w.node("Relu", ["a"], ["b"], name="/layer1/layer1.0/relu_1/Relu"),
            w.node("Relu", ["b"], ["y"], name="/layer1/layer1.0/relu_1/Relu"),
        )
    )
    assert [(node.name, node.module) for node in net.nodes] == [
        ("layer1.0.relu.Relu", "layer1.0.relu"),
        ("layer1.0.relu_1.Relu", "layer1.0.relu_1"),
        ("layer1.0.relu_1.Relu_2", "layer1.0.relu_1"),
    ]


# --- shapes as values ---------------------------------------------------------------------------


def test_shapes_that_are_computed_are_folded() -> None:
    """x.view(x.size(0), -1) as PyTorch writes it."""
    net = network(
        of(
            w.node("Shape", ["x"], ["s"]),
            w.node("Gather", ["s", "zero"], ["n"], axis=0),
            w.node("Unsqueeze", ["n", "axes"], ["u"]),
            w.node("Concat", ["u", "rest"], ["size"], axis=0),
            w.node("Reshape", ["x", "size"], ["y"]),
            x=("batch", 3, 8, 8),
            held=[
                w.tensor("zero", [], [0], w.INT64),
                w.tensor("axes", [1], [0], w.INT64),
                w.tensor("rest", [1], [-1], w.INT64),
            ],
        )
    )
    assert kinds(net) == ["flatten"]
    assert tally(net)["y"].shape == (1, 192)


FOLDED: list[tuple[str, list[bytes], list[int]]] = [
    ("Div", [w.node("Div", ["a", "b"], ["c"])], [-3, 3, 2]),
    ("Mod", [w.node("Mod", ["a", "b"], ["c"])], [1, 1, 1]),
    ("Slice", [w.node("Slice", ["a", "m", "l", "z", "m"], ["c"])], [5, 7, -7]),
    ("Where", [w.node("Less", ["a", "b"], ["t"]), w.node("Where", ["t", "a", "b"], ["c"])],
     [-7, 2, 2]),
    ("ReduceProd", [w.node("ReduceProd", ["b"], ["c"])], [8]),
    ("Range", [w.node("Range", ["i", "j", "k"], ["c"])], [1, 3, 5]),
    ("Cast", [w.node("Cast", ["a"], ["f"], to=1), w.node("Floor", ["f"], ["g"]),
              w.node("Cast", ["g"], ["c"], to=7)], [-7, 7, 5]),
    ("NonZero", [w.node("Sub", ["a", "b"], ["d"]), w.node("NonZero", ["d"], ["c"])], [0, 1, 2]),
    ("ConstantOfShape", [w.node("ConstantOfShape", ["p"], ["c"],
                                value=w.Tensor(w.tensor("", [1], [9], w.INT64)))], [9, 9]),
    ("ScatterND", [w.node("ScatterND", ["a", "at", "p"], ["c"])], [-7, 2, 5]),
    ("Tile", [w.node("Tile", ["p", "p"], ["c"])], [2, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "expected"), [f[1:] for f in FOLDED], ids=[f[0] for f in FOLDED])
def test_constants_are_computed(nodes: list[bytes], expected: list[int]) -> None:
    held = [
        w.tensor("a", [3], [-7, 7, 5], w.INT64),
        w.tensor("b", [3], [2, 2, 2], w.INT64),
        w.tensor("m", [1], [-1], w.INT64),
        w.tensor("l", [1], [-9], w.INT64),
        w.tensor("z", [1], [0], w.INT64),
        w.tensor("p", [1], [2], w.INT64),
        w.tensor("at", [1, 1], [1], w.INT64),
        *(w.tensor(n, [], [v], w.INT64) for n, v in (("i", 1), ("j", 6), ("k", 2))),
    ]
    found = shapes(of(*nodes, w.node("Relu", ["x"], ["y"]), held=held))
    assert found["c"].contents == expected


def test_an_output_that_others_do_not_state_is_taken_from_the_file() -> None:
    inputs = [w.info("x", [2, 3, 4]), w.info("size", [2], w.INT64)]
    nodes = [w.node("Reshape", ["x", "size"], ["y"])]
    net = network(w.model(w.graph(nodes, inputs, [w.info("y", [6, 4])])))
    assert list(net.inputs) == ["x"]
    assert tally(net)["y"].shape == (6, 4)


# --- inputs -------------------------------------------------------------------------------------

RELU = w.node("Relu", ["x"], ["y"])


def test_an_open_batch_is_one_and_that_is_said() -> None:
    net = network(of(RELU, x=("N", 3, 8, 8)))
    assert net.inputs == {"x": (1, 3, 8, 8)}
    assert net.notes == ("a batch of 1 is counted: 'N' is not a number",)


def test_other_open_sizes_are_asked_for() -> None:
    with pytest.raises(ReadError) as caught:
        network(of(RELU, x=("N", 3, "H", None)))
    assert str(caught.value) == (
        "net.onnx: the file leaves sizes of its inputs open\n"
        "  values: x [N, 3, H, ?]\n"
        "  try: give them: --input 3x224x224"
    )


@pytest.mark.parametrize("given", [(3, 8, 8), (1, 3, 8, 8)])
def test_sizes_that_are_given(given: tuple[int, ...]) -> None:
    assert network(of(RELU, x=("N", 3, "H", "W")), _=given).inputs == {"x": (1, 3, 8, 8)}


def test_a_symbol_is_the_same_everywhere() -> None:
    inputs = [w.info("ids", ["batch", "seq"], w.INT64), w.info("mask", ["batch", "seq"])]
    nodes = [w.node("Cast", ["ids"], ["i"], to=1), w.node("Mul", ["i", "mask"], ["y"])]
    data = w.model(w.graph(nodes, inputs, [w.info("y", ["batch", "seq"])]))
    net = network(data, ids=(1, 12))
    assert net.inputs == {"ids": (1, 12), "mask": (1, 12)}
    with pytest.raises(ReadError, match="'seq' is given two sizes"):
        network(data, ids=(1, 12), mask=(1, 13))


def test_given_sizes_go_before_the_files_and_its_shapes_hold_no_more() -> None:
    data = of(w.node("Flatten", ["x"], ["y"]), outputs=[("y", [1, 192])])
    assert tally(network(data))["y"].shape == (1, 192)
    net = network(data, _=(3, 4, 4))
    assert tally(net)["y"].shape == (1, 48)
    assert "the file has 8" in net.notes[0]


# --- bodies -------------------------------------------------------------------------------------


def test_functions_of_the_file_are_opened() -> None:
    body = w.function(
        "block",
        ["a", "v"],
        ["c"],
        [
            w.node("Conv", ["a", "v"], ["b"], name="conv", group=w.Ref("parts")),
            w.node("Relu", ["b"], ["c"], name="relu"),
        ],
        attributes=["parts"],
    )
    graph = w.graph(
        [
            w.node("block", ["x", "w"], ["m"], name="one", domain="local", parts=3),
            w.node("block", ["m", "w"], ["y"], name="two", domain="local", parts=3),
        ],
        [w.info("x", [1, 3, 8, 8])],
        [w.info("y", None)],
        [w.tensor("w", [3, 1, 3, 3])],
    )
    net = network(w.model(graph, {"": 17, "local": 1}, [body]))
    assert [node.name for node in net.nodes] == ["one.conv", "one.relu", "two.conv", "two.relu"]
    assert [node.module for node in net.nodes] == ["one", "one", "two", "two"]
    assert net["two.conv"].shared == {"weight": "one.conv.weight"}
    assert tally(net).parameters == 27


def branch(*nodes: bytes) -> w.Graph:
    return w.Graph(w.graph(nodes, [], [w.info("r", None)]))


THEN, ELSE = branch(w.node("Relu", ["x"], ["r"])), branch(w.node("Tanh", ["x"], ["r"]))


def test_the_branch_that_is_taken_stands_for_its_if() -> None:
    node = w.node("If", ["c"], ["y"], name="if", then_branch=THEN, else_branch=ELSE)
    for value, kind in ((1, "relu"), (0, "tanh")):
        net = network(of(node, held=[w.tensor("c", [], [value], w.BOOL)]))
        assert kinds(net) == [kind]
        assert net.outputs == ("if.r",)


def test_branches_that_agree_in_shape_are_opaque() -> None:
    inputs = [w.info("x", [1, 3, 8, 8]), w.info("c", [1], w.BOOL)]
    node = w.node("If", ["c"], ["y"], then_branch=THEN, else_branch=ELSE)
    net = network(w.model(w.graph([node], inputs, [w.info("y", None)])))
    assert tally(net)["y"].shape == (1, 3, 8, 8)
    assert not tally(net).complete
    assert net.notes == ("an If whose condition is computed: neither branch is counted",)


def test_a_loop_of_known_length_is_written_out() -> None:
    body = w.graph(
        [
            w.node("Conv", ["v", "w"], ["o"], pads=[1, 1, 1, 1], name="conv"),
            w.node("Identity", ["going"], ["on"]),
        ],
        [w.info("i", [], w.INT64), w.info("going", [], w.BOOL), w.info("v", None)],
        [w.info("on", [], w.BOOL), w.info("o", None)],
    )
    net = network(
        of(
            w.node("Loop", ["n", "", "x"], ["y"], name="loop", body=w.Graph(body)),
            held=[w.tensor("n", [], [3], w.INT64), w.tensor("w", [3, 3, 3, 3])],
        )
    )
    assert [node.name for node in net.nodes] == [f"loop.{i}.conv" for i in range(3)]
    assert (tally(net).parameters, tally(net).macs) == (81, 3 * 81 * 64)


# --- what is not known --------------------------------------------------------------------------


def test_an_operator_of_another_domain_is_opaque_with_the_stated_shape() -> None:
    net = network(
        of(
            w.node("Secret", ["x", "w"], ["a"], name="s", domain="com.acme"),
            w.node("Relu", ["a"], ["y"]),
            held=[w.tensor("w", [5, 5])],
            infos=[w.info("a", [1, 7, 2, 2])],
        )
    )
    counted = tally(net)
    assert counted["y"].shape == (1, 7, 2, 2)
    assert [row.name for row in counted.unknown] == ["s"]
    assert counted.parameters == 25
    assert net.notes == ("not understood: com.acme:Secret",)


def test_what_follows_an_unknown_shape_is_unknown() -> None:
    net = network(of(w.node("Secret", ["x"], ["a"], domain="d"), w.node("Relu", ["a"], ["y"])))
    assert tally(net)["y"].shape is None


def test_fields_of_forks_are_said() -> None:
    data = of(RELU) + w.number(99, 1)
    assert network(data).notes == ("fields that ONNX has not, skipped: ModelProto.99 (1)",)


def test_stated_shapes_after_a_pool_that_others_get_wrong_are_said() -> None:
    """ONNX's own inference counts a window that starts in the padding at the end."""
    pool = w.node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1)
    net = network(of(pool, x=(1, 1, 2, 2), outputs=[("y", [1, 1, 2, 2])]))
    assert tally(net)["y"].shape == (1, 1, 1, 1)
    assert net.notes[0].startswith("the file states other sizes for 'y' than ceil_mode gives")


# --- the file -----------------------------------------------------------------------------------


def test_weights_are_not_fetched(tmp_path: Path) -> None:
    head = w.number(1, 4096) + w.number(1, 9216) + w.number(2, w.FLOAT) + w.block(8, "w")
    size = 4096 * 9216 * 4
    tensor_head = head + w.varint(9 << 3 | 2) + w.varint(size)
    other = w.graph(
        [w.node("Gemm", ["x", "w"], ["y"], transB=1)], [w.info("x", [1, 9216])], [w.info("y", None)]
    )
    part = w.varint(5 << 3 | 2) + w.varint(len(tensor_head) + size) + tensor_head
    before = w.number(1, 8) + w.block(8, w.opset("", 13)) + w.varint(7 << 3 | 2)
    before += w.varint(len(part) + size + len(other)) + part
    path = tmp_path / "large.onnx"
    with open(path, "wb") as file:
        file.write(before)
        file.seek(size, 1)
        file.write(other)
    assert tally(read(path)).parameters == 4096 * 9216
    with Blob("large.onnx", str(path)) as blob:
        decode(blob)
        assert blob.fetched < 300_000


def test_nodes_in_another_order_are_put_in_order() -> None:
    net = network(of(w.node("Tanh", ["a"], ["y"]), w.node("Relu", ["x"], ["a"])))
    assert kinds(net) == ["relu", "tanh"]


@pytest.mark.parametrize("text", ["", "name: 'x'", "[net]\n", "{}", ":xR graph", "nettally: 1\n"])
def test_texts_are_no_onnx(text: str) -> None:
    assert not onnx.sniff(text.encode(), "file")


def test_a_model_is_known_by_what_it_says() -> None:
    assert onnx.sniff(of(RELU), "weights.bin")


# --- complaints ---------------------------------------------------------------------------------

GOOD = of(w.node("Conv", ["x", "w"], ["y"], name="c"), held=[FOUR])
CONV = "net.onnx: Conv 'c': "

BAD: list[tuple[str, bytes, str]] = [
    ("cut off", GOOD[:-7], "net.onnx at byte 9: a field is longer than the message that holds it"),
    ("no graph", w.number(1, 8), "net.onnx at byte 2: the model has no graph"),
    ("a long varint", w.number(1, 8) + b"\x28" + b"\xff" * 10 + b"\1",
     "net.onnx at byte 3: a varint is longer than 10 bytes"),
    ("a group", w.number(1, 8) + b"\x3b", "this is no field\n  values: wire type 3 of field 7"),
    ("two graphs", GOOD + w.block(7, b""), "the model has two graphs"),
    ("a negative size", of(RELU, held=[w.tensor("t", [-1, 2], raw=b"")]),
     "the tensor 't' has a negative size"),
    ("contents that do not fit", of(RELU, held=[w.tensor("t", [2, 2], raw=b"1234")]),
     "the tensor 't' has more or less contents than its dims say\n"
     "  values: dims 2x2 of float32: 16 bytes, 4 found"),
    ("no op", of(w.block(1, "x") + w.block(2, "y")), "a node has no op_type"),
    ("an attribute twice",
     of(w.node("Relu", ["x"], ["y"]) + 2 * w.block(5, w.attribute("a", 1))),
     "the attribute 'a' stands twice in a node"),
    ("a value made twice", of(RELU, RELU), "net.onnx: Relu 'y': the value 'y' is made twice"),
    ("two initializers", of(RELU, held=[FOUR, FOUR]), "two initializers are called 'w'"),
    ("a missing input", of(w.node("Relu", ["z"], ["y"])),
     "net.onnx: Relu 'y': its input 'z' is made by no node"),
    ("a missing output", of(RELU, outputs=[("z", None)]),
     "net.onnx: the graph's output 'z' is made by no node"),
    ("a circle", of(w.node("Add", ["x", "b"], ["a"]), w.node("Relu", ["a"], ["b"]),
                    outputs=[("b", None)]), "net.onnx: the graph goes in a circle"),
    ("channels", of(w.node("Conv", ["x", "w"], ["y"], name="c"), x=(1, 4, 8, 8), held=[FOUR]),
     CONV + "its weights are for another number of channels\n"
     "  values: input 1x4x8x8, weights 4x3x3x3, group 1"),
    ("kernel", of(w.node("Conv", ["x", "w"], ["y"], name="c", kernel_shape=[5, 5]), held=[FOUR]),
     CONV + "its kernel_shape is not its weights'\n  values: 5x5, 4x3x3x3"),
    ("bias", of(w.node("Conv", ["x", "w", "b"], ["y"], name="c"),
                held=[FOUR, w.tensor("b", [5])]), CONV + "its bias does not fit its weights"),
    ("a stated shape", of(w.node("Conv", ["x", "w"], ["y"], name="c"), held=[FOUR],
                          outputs=[("y", [1, 4, 7, 7])]),
     CONV + "the file states another shape for 'y' than the node makes\n"
     "  values: stated 1x4x7x7, found 1x4x6x6"),
    ("a large kernel", of(w.node("MaxPool", ["x"], ["y"], kernel_shape=[9, 9])),
     "the window is larger than its input"),
    ("reshape", of(w.node("Reshape", ["x", "s"], ["y"]),
                   held=[w.tensor("s", [2], [5, -1], w.INT64)]),
     "its shape does not divide its input\n  values: 1x3x8x8 = 192 values to [5, -1]"),
    ("matmul", of(w.node("MatMul", ["x", "w"], ["y"]), held=[w.tensor("w", [9, 2])]),
     "the factors' sizes do not agree\n  values: 1x3x8x8 times 9x2: 8 is not 9"),
    ("add", of(w.node("Flatten", ["x"], ["f"]), w.node("Add", ["x", "f"], ["y"])),
     "the inputs' shapes do not agree"),
    ("concat", of(w.node("Flatten", ["x"], ["f"]), w.node("Concat", ["x", "f"], ["y"], axis=1)),
     "its inputs have different axes"),
    ("an index", of(w.node("Shape", ["x"], ["s"]), w.node("Gather", ["s", "i"], ["g"]), RELU,
                    held=[w.tensor("i", [], [4], w.INT64)]),
     "it takes a value that is not there\n  values: index 4, 4 values"),
    ("a function in a circle", w.model(
        w.graph([w.node("f", ["x"], ["y"], domain="d")], [w.info("x", [1])], [w.info("y", None)]),
        {"": 17, "d": 1}, [w.function("f", ["a"], ["b"], [w.node("f", ["a"], ["b"], domain="d")],
                                      domain="d")]),
     "functions call each other in a circle\n  values: f calls f"),
    ("no such input", GOOD, "the network has no input 'z'"),
    ("axes", GOOD, "the input 'x' has 4 axes\n  values: 8x8 is given, the file has [1, 3, 8, 8]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "text"), BAD, ids=[each[0] for each in BAD])
def test_complaints(name: str, data: bytes, text: str) -> None:
    given = {"no such input": {"z": (3, 8, 8)}, "axes": {"x": (8, 8)}}.get(name, {})
    with pytest.raises(NettallyError) as caught:
        network(data, **given)
    assert text in str(caught.value)
    assert "{" not in str(caught.value)


def test_sizes_that_no_layer_can_have_are_refused() -> None:
    """2^63 - 1, which ONNX's own tests have, is no size that a program could hold."""
    with pytest.raises(ReadError, match="a size that cannot be"):
        network(of(RELU, x=(2**62,)))
