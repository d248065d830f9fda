"""ONNX: what is a parameter. Learned is what stands in the file, once, at its stored size."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnx_files as w
from nettally import Tally, tally
from nettally.errors import NettallyError
from nettally.formats import Source, onnx
from onnx_files import node

Case = tuple[list[bytes], dict[str, Sequence[Any]], list[bytes], int]


def counted(
    nodes: Sequence[bytes],
    inputs: dict[str, Sequence[Any]],
    held: Sequence[bytes] = (),
    sizes: dict[str, tuple[int, ...]] | None = None,
    outputs: Sequence[tuple[str, Any]] = (("y", None),),
) -> Tally:
    """The tally of a graph. inputs: sizes by name, the type behind them where it is no float."""
    ends = [w.info(name, [n for n in of if n not in TYPES], TYPES.get(of[-1], w.FLOAT))
            for name, of in inputs.items()]  # fmt: skip
    graph = w.graph(nodes, ends, [w.info(*each, 0) for each in outputs], held)
    data = w.model(graph, {"": 18, "other": 1, "ai.onnx.ml": 3})
    return tally(onnx.read(Source("net.onnx", data, sizes or {})))


TYPES = {"integers": w.INT64, "booleans": w.BOOL, "bytes": w.UINT8}


def normal(name: str, *dims: int) -> bytes:
    """A tensor as training leaves it."""
    random.seed(math.prod(dims))
    return w.tensor(name, dims, [random.gauss(0, 0.3) for _ in range(math.prod(dims))])


def whole(name: str, *values: int) -> bytes:
    return w.tensor(name, [len(values)], values, w.INT64)


def one(name: str, value: float) -> bytes:
    return w.tensor(name, [], [value])


def triangle(name: str, size: int, low: float, dims: Sequence[int] = ()) -> bytes:
    """0 up to the diagonal, ``low`` behind it."""
    values = [0.0 if key <= query else low for query in range(size) for key in range(size)]
    return w.tensor(name, dims or [1, 1, size, size], values)


def waves(name: str, length: int, width: int, dims: Sequence[int], first: int = 0) -> bytes:
    """The cosines of rotary positions, or the sines, by the name; both halves turn alike."""
    function = math.cos if name == "cos" else math.sin
    rates = [10_000 ** (-2 * i / width) for i in range(width // 2)] * 2
    values = [function((first + place) * rate) for place in range(length) for rate in rates]
    return w.tensor(name, dims, values)


# --- what is made while the network runs --------------------------------------------------------

SHAPE = node("Shape", ["x"], ["s"])
FROM = [w.tensor("zero", [], [0], w.INT64), w.tensor("step", [], [1], w.INT64)]
REST = node("Slice", ["s", "from", "to"], ["part"])

GROWN: dict[str, Case] = {
    "zeros of the input's shape": (
        [SHAPE, node("ConstantOfShape", ["s"], ["z"]), node("Add", ["x", "z"], ["y"])],
        {"x": ["n", 6]}, [], 0),
    "ones of the input's shape": (
        [SHAPE, node("ConstantOfShape", ["s"], ["z"], value=w.Tensor(w.tensor("", [1], [1.0]))),
         node("Mul", ["x", "z"], ["y"])],
        {"x": ["n", 6]}, [], 0),
    "zeros of a stated shape": (
        [node("ConstantOfShape", ["to"], ["z"]), node("Add", ["x", "z"], ["y"])],
        {"x": ["n", 6]}, [whole("to", 1, 6)], 0),
    "a product with ones": (
        [SHAPE, node("ConstantOfShape", ["s"], ["o"]), node("Transpose", ["o"], ["t"]),
         node("MatMul", ["x", "t"], ["y"])],
        {"x": ["n", 6]}, [], 0),
    "numbered places": (
        [SHAPE, node("Gather", ["s", "zero"], ["n"]), node("Range", ["zero", "n", "step"], ["r"]),
         node("Cast", ["r"], ["f"], to=1), node("Add", ["x", "f"], ["y"])],
        {"x": ["n"]}, FROM, 0),
    "a unit matrix": (
        [node("EyeLike", ["x"], ["e"]), node("Add", ["x", "e"], ["y"])],
        {"x": ["n", 6]}, [], 0),
    "a token for each example": (
        [SHAPE, node("Slice", ["s", "from", "to"], ["n"]),
         node("Concat", ["n", "rest"], ["all"], axis=0),
         node("Expand", ["token", "all"], ["t"]), node("Concat", ["t", "x"], ["y"], axis=1)],
        {"x": ["n", 16, 8]}, [whole("from", 0), whole("to", 1), whole("rest", 1, 8),
                              normal("token", 1, 1, 8)], 8),
    "the first rows of a table": (
        [SHAPE, node("Slice", ["s", "from", "to"], ["n"]),
         node("Slice", ["table", "start", "n", "start"], ["p"]), node("Add", ["x", "p"], ["y"])],
        {"x": ["n", 8]}, [whole("from", 0), whole("to", 1), whole("start", 0),
                          normal("table", 32, 8)], 256),
    "numbered rows of a table": (
        [SHAPE, node("Gather", ["s", "zero"], ["n"]), node("Range", ["zero", "n", "step"], ["r"]),
         node("Gather", ["table", "r"], ["p"]), node("Add", ["x", "p"], ["y"])],
        {"x": ["n", 8]}, [*FROM, normal("table", 32, 8)], 256),
    "a row that is tiled": (
        [node("Tile", ["row", "times"], ["t"]), node("Add", ["x", "t"], ["y"])],
        {"x": ["n", 9, 5]}, [normal("row", 1, 1, 5), whole("times", 1, 9, 1)], 5),
    "weights joined of three": (
        [node("Concat", ["a", "b", "c"], ["w"], axis=1), node("MatMul", ["x", "w"], ["y"])],
        {"x": ["n", 8]}, [normal("a", 8, 4), normal("b", 8, 4), normal("c", 8, 2)], 80),
    "weights times a number": (
        [node("Mul", ["w", "half"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
        {"x": ["n", 8]}, [normal("w", 8, 4), one("half", 0.5)], 32),
    "weights times what was not cut away": (
        [node("Mul", ["w", "m"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
        {"x": ["n", 8]}, [normal("w", 8, 4), w.tensor("m", [8, 4], [0, 1] * 16)], 32),
    "bytes times a scale": (
        [node("Cast", ["w"], ["v"], to=1), node("Mul", ["v", "scale"], ["u"]),
         node("MatMul", ["x", "u"], ["y"])],
        {"x": ["n", 8]}, [w.tensor("w", [8, 4], dtype=w.INT8), normal("scale", 4)], 32),
    "a part of a weight, and all of it": (
        [node("Slice", ["w", "start", "end"], ["p"]), node("MatMul", ["x", "p"], ["a"]),
         node("MatMul", ["z", "w"], ["b"]), node("Add", ["a", "b"], ["y"])],
        {"x": ["n", 4], "z": ["n", 8]}, [normal("w", 8, 5), whole("start", 0), whole("end", 4)],
        40),
}  # fmt: skip


@pytest.mark.parametrize("name", GROWN)
def test_what_grows_with_the_input_is_no_parameter(name: str) -> None:
    nodes, inputs, held, parameters = GROWN[name]
    for n in (1, 3, 7):
        sizes = {
            each: tuple(n if size == "n" else size for size in of) for each, of in inputs.items()
        }
        total = counted(nodes, inputs, held, sizes)
        assert total.parameters == parameters
        assert total.complete


def test_weights_that_are_computed_of_others_are_weights_still() -> None:
    nodes, inputs, held, _ = GROWN["weights joined of three"]
    total = counted(nodes, inputs, held, {"x": (5, 8)})
    assert total.macs == 5 * 8 * 10
    assert [row.name for row in total] == ["a", "b", "c", "w", "y"]
    assert total["y"].node.shared == {"weight": "w"}


STATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("op", STATES)
@pytest.mark.parametrize("grows", [False, True])
def test_a_first_state_that_is_no_zeros_is_learned(op: str, grows: bool) -> None:
    rows = 8 * STATES[op]
    nodes = [
        SHAPE,
        node("Slice", ["s", "one", "two"], ["n"]),
        node("Concat", ["one", "n", "eight"], ["to"], axis=0),
        node("Expand", ["h", "to"], ["first"]),
        node(op, ["x", "w", "r", "", "", "first" if grows else "h"], ["y"], hidden_size=8),
    ]
    held = [normal("w", 1, rows, 4), normal("r", 1, rows, 8), whole("one", 1), whole("two", 2),
            whole("eight", 8)]  # fmt: skip
    for state, more in ((normal("h", 1, 1, 8), 8), (w.tensor("h", [1, 1, 8]), 0)):
        for n in (1, 5) if grows else (1,):
            total = counted(nodes if grows else nodes[-1:], {"x": [5, "n", 4]}, [*held, state],
                            {"x": (5, n, 4)})  # fmt: skip
            assert (total.parameters, total.complete) == (12 * rows + more, True)
            assert total.macs == 5 * n * 12 * rows


# --- masks, sines, and what normalises the input ------------------------------------------------

ADDED = [node("Add", ["x", "m"], ["a"]), node("Softmax", ["a"], ["y"], axis=-1)]
SCORES = {"x": [1, 2, 16, 16]}
TURN = [
    node("Mul", ["x", "cos"], ["a"]),
    node("Mul", ["z", "sin"], ["b"]),
    node("Add", ["a", "b"], ["y"]),
]
HEADS = {"x": [1, 2, 16, 8], "z": [1, 2, 16, 8]}
LOOKED_UP = [
    node("Gather", ["cos", "ids"], ["c"]),
    node("Gather", ["sin", "ids"], ["s"]),
    node("Mul", ["x", "c"], ["a"]),
    node("Mul", ["z", "s"], ["b"]),
    node("Sub", ["a", "b"], ["y"]),
]
PICTURE = {"x": [1, 3, 8, 8]}
CONV = node("Conv", ["b", "w"], ["y"])
FILTERS = normal("w", 4, 3, 3, 3)


def normalized(first: str, second: str) -> list[bytes]:
    return [node(first, ["x", "p"], ["a"]), node(second, ["a", "q"], ["b"])]


def heads(of: Any, *dims: int) -> bytes:
    """Two heads of 16 by 16 places, each a function of the head and of how far two are apart."""
    rows = range(16) if len(dims) == 4 and dims[2] > 1 else range(1)
    values = [of(head, query - key) for head in range(2) for query in rows for key in range(16)]
    return w.tensor("m", dims, values)


TABLE = [[math.sin(step * step + 2.5 * head) for step in range(31)] for head in range(2)]

MEANS = [w.tensor("p", [3, 1, 1], [0.485, 0.456, 0.406]),
         w.tensor("q", [3, 1, 1], [0.229, 0.224, 0.225])]  # fmt: skip

APART: dict[str, Case] = {
    "a triangle of -10^9": (ADDED, SCORES, [triangle("m", 16, -1e9)], 0),
    "a triangle of -infinity": (ADDED, SCORES, [triangle("m", 16, -math.inf)], 0),
    "half precision": (ADDED, SCORES, [w.tensor(
        "m", [16, 16], [0 if k <= q else -65504 for q in range(16) for k in range(16)],
        w.FLOAT16)], 0),
    "windows that are shifted": (
        [node("Reshape", ["x", "in"], ["r"]), node("Add", ["r", "m"], ["a"]),
         node("Reshape", ["a", "out"], ["b"]), node("Softmax", ["b"], ["y"], axis=-1)],
        SCORES, [triangle("m", 16, -100.0), whole("in", 1, 2, 16, 16), whole("out", 2, 16, 16)], 0),
    "a part of a triangle": (
        [node("Slice", ["m", "from", "to", "axis"], ["c"]), node("Add", ["x", "c"], ["a"]),
         node("Softmax", ["a"], ["y"])],
        {"x": [1, 2, 8, 16]},
        [triangle("m", 16, -1e4), whole("from", 0), whole("to", 8), whole("axis", 2)], 0),
    "multiplied, then subtracted": (
        [node("Mul", ["x", "keep"], ["a"]), node("Sub", ["a", "m"], ["b"]),
         node("Softmax", ["b"], ["y"])],
        SCORES, [triangle("keep", 16, 1.0), triangle("m", 16, 1e4)], 0),
    "chosen where a condition is true": (
        [node("Where", ["c", "x", "m"], ["a"]), node("Softmax", ["a"], ["y"])],
        {**SCORES, "c": [1, 2, 16, 16, "booleans"]},
        [w.tensor("m", [16, 16], [-3e38] * 256)], 0),
    "a bias before a softmax": (ADDED, SCORES, [normal("m", 1, 2, 16, 16)], 512),
    "a bias that starts at 0": (ADDED, SCORES, [w.tensor("m", [1, 2, 16, 16])], 512),
    "rotary tables": (TURN, HEADS, [waves("cos", 16, 8, [16, 8]), waves("sin", 16, 8, [16, 8])], 0),
    "rotary tables of later places": (
        TURN, HEADS, [waves("cos", 16, 8, [16, 8], 5), waves("sin", 16, 8, [16, 8], 5)], 0),
    "rotary tables, places first": (
        TURN, {"x": [16, 1, 2, 8], "z": [16, 1, 2, 8]},
        [waves("cos", 16, 8, [16, 1, 1, 8]), waves("sin", 16, 8, [16, 1, 1, 8])], 0),
    "rotary tables that are looked up": (
        LOOKED_UP, {"x": [1, 9, 8], "z": [1, 9, 8], "ids": [1, 9, "integers"]},
        [waves("cos", 64, 8, [64, 8]), waves("sin", 64, 8, [64, 8])], 0),
    "sines that are added": (
        [node("Add", ["x", "sin"], ["y"])], {"x": [1, 16, 8]}, [waves("sin", 16, 8, [16, 8])], 0),
    "angles of given places": (
        [node("MatMul", ["f", "x"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
         node("Cos", ["t"], ["c"]), node("Sin", ["t"], ["s"]), node("Mul", ["c", "s"], ["y"])],
        {"x": [1, 1, 16]}, [w.tensor("f", [1, 4, 1], [1.0, 0.1, 0.01, 0.001])], 0),
    "two learned gains": (TURN, HEADS, [normal("cos", 16, 8), normal("sin", 16, 8)], 256),
    "gains that start at 1 and 0": (
        TURN, HEADS, [w.tensor("cos", [16, 8], [1.0] * 128), w.tensor("sin", [16, 8])], 256),
    "learned places": (
        [node("Add", ["x", "t"], ["y"])], {"x": [1, 16, 8]}, [normal("t", 16, 8)], 128),
    "a picture's mean and deviation": (
        [*normalized("Sub", "Div"), CONV], PICTURE, [*MEANS, FILTERS], 108),
    "a picture scaled and shifted": (
        [*normalized("Mul", "Add"), CONV], PICTURE, [*MEANS, FILTERS], 108),
    "a mean picture": (
        [node("Sub", ["x", "p"], ["b"]), CONV], PICTURE, [normal("p", 3, 8, 8), FILTERS], 108),
    "channels last, in bytes": (
        [node("Cast", ["x"], ["f"], to=1), node("Sub", ["f", "p"], ["a"]),
         node("Div", ["a", "q"], ["c"]), node("Transpose", ["c"], ["b"], perm=[0, 3, 1, 2]),
         CONV],
        {"x": [1, 8, 8, 3, "bytes"]}, [normal("p", 3), normal("q", 3), FILTERS], 108),
    "the mean of frequency bands": (
        [*normalized("Sub", "Mul"), node("MatMul", ["b", "v"], ["y"])],
        {"x": [1, 20, 80]}, [normal("p", 80), normal("q", 80), normal("v", 80, 2)], 160),
    "a learned row of the input": (
        [node("Add", ["x", "p"], ["y"])], {"x": [1, 8, 64]}, [normal("p", 64)], 64),
    "a learned scale and shift": (
        [node("Conv", ["x", "w"], ["c"]), node("Mul", ["c", "p"], ["d"]),
         node("Add", ["d", "q"], ["y"])],
        PICTURE, [FILTERS, normal("p", 1, 4, 1, 1), normal("q", 4, 1, 1)], 116),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_masks_sines_and_means_are_buffers(name: str) -> None:
    nodes, inputs, held, parameters = APART[name]
    total = counted(nodes, inputs, held)
    assert total.parameters == parameters
    told = any("no parameters, but buffers" in note for note in total.network.notes)
    assert told == all(word not in f" {name}" for word in (" learned", "start", "a bias", "nobody"))


def test_a_mask_is_a_buffer_that_is_kept_once() -> None:
    nodes = [*ADDED[:1], node("Add", ["a", "m"], ["b"]), node("Softmax", ["b"], ["y"])]
    total = counted(nodes, SCORES, [triangle("m", 16, -1e9)])
    assert total["m"].buffers == {"value": (1, 1, 16, 16)}
    assert [row.name for row in total] == ["m", "a", "b", "y"]
    assert total.network.notes == ("masks before a softmax: no parameters, but buffers: m",)


CLASSES = [0.0, -1e4, 0.0, -1e4, 0.0]


@pytest.mark.parametrize("values", [CLASSES, [0.0, -math.inf, 0.0, 0.0, 0.0], [0.0] * 5])
@pytest.mark.parametrize("dims", [[5], [1, 5]])
def test_a_row_that_is_added_to_a_product_is_its_bias(values: list[float], dims: list[int]) -> None:
    held = [normal("w", 8, 5), w.tensor("b", dims, values)]
    end = node("Softmax", ["s"], ["y"])
    gemm = counted([node("Gemm", ["x", "w", "b"], ["s"]), end], {"x": [1, 8]}, held)
    added = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["b", "p"], ["s"]), end]
    total = counted(added, {"x": [1, 8]}, held)
    assert (total.parameters, gemm.parameters, total.network.notes) == (45, 45, ())


def test_a_mask_behind_a_product_by_a_weight_has_rows() -> None:
    nodes = [node("MatMul", ["x", "w"], ["s"]), node("Add", ["s", "m"], ["a"]), ADDED[1]]
    total = counted(nodes, {"x": [16, 8]}, [normal("w", 8, 16), triangle("m", 16, -1e9, [16, 16])])
    assert total.parameters == 128


def test_what_our_own_files_say_of_a_tensor_goes_before_its_looks() -> None:
    nodes, inputs, held, _ = APART["rotary tables"]
    graph = w.graph(nodes, [w.info(k, v) for k, v in inputs.items()], [w.info("y", None, 0)], held)
    said = b"".join(
        w.block(14, w.block(1, f"nettally.learned:{name}") + w.block(2, "true"))
        for name in ("cos", "sin")
    )
    data = w.model(graph, 18) + said
    assert tally(onnx.read(Source("net.onnx", data))).parameters == 256


@given(
    st.floats(0.2, 1.5), st.floats(-3, 3), st.floats(0.1, 1.5), st.integers(4, 20),
    st.integers(2, 9),
)  # fmt: skip
def test_any_sines_of_places_are_told(
    rate: float, phase: float, size: float, length: int, width: int
) -> None:
    values = [
        size * math.sin(phase + place * rate / (1 + i))
        for place in range(length)
        for i in range(width)
    ]
    total = counted([node("Add", ["x", "t"], ["y"])], {"x": [1, length, width]},
                    [w.tensor("t", [length, width], values)])  # fmt: skip
    assert total.parameters == 0


@given(st.integers(0, 2**32), st.integers(2, 20), st.integers(2, 9), st.floats(1e-3, 1))
def test_what_is_random_is_learned(seed: int, length: int, width: int, size: float) -> None:
    numbers = random.Random(seed)
    values = [numbers.gauss(0, size) for _ in range(length * width)]
    held = [w.tensor("t", [length, width], values)]
    total = counted([node("Add", ["x", "t"], ["y"])], {"x": [1, length, width]}, held)
    assert total.parameters == length * width


# --- behind what is not known -------------------------------------------------------------------

ODD = node("Odd", ["x"], ["a"], domain="other")
LSTM = [normal("w", 1, 32, 4), normal("r", 1, 32, 8), normal("b", 1, 64), normal("h", 1, 1, 8)]
BEHIND: dict[str, tuple[list[bytes], list[bytes], int]] = {
    "Conv": ([node("Conv", ["a", "w", "b"], ["y"])], [FILTERS, normal("b", 4)], 112),
    "ConvTranspose": (
        [node("ConvTranspose", ["a", "w", "b"], ["y"])],
        [normal("w", 3, 4, 2, 2), normal("b", 4)], 52),
    "Gemm": ([node("Gemm", ["a", "w", "b"], ["y"])], [normal("w", 8, 4), normal("b", 4)], 36),
    "MatMul": ([node("MatMul", ["a", "w"], ["y"])], [normal("w", 8, 4)], 32),
    "Einsum": ([node("Einsum", ["a", "w"], ["y"], equation="ij,jk->ik")], [normal("w", 8, 4)], 32),
    "BatchNormalization": (
        [node("BatchNormalization", ["a", "w", "b", "m", "v"], ["y"])],
        [normal("w", 4), normal("b", 4), normal("m", 4), normal("v", 4)], 8),
    "LayerNormalization": (
        [node("LayerNormalization", ["a", "w", "b"], ["y"])],
        [normal("w", 4), normal("b", 4)], 8),
    "LSTM": ([node("LSTM", ["a", "w", "r", "b", "", "h", "h"], ["y"], hidden_size=8)], LSTM, 456),
    "LSTM from zeros": (
        [node("LSTM", ["a", "w", "r", "b", "", "h", "h"], ["y"], hidden_size=8)],
        [*LSTM[:3], w.tensor("h", [1, 1, 8])], 448),
    "Gather": (
        [node("Cast", ["a"], ["i"], to=7), node("Gather", ["w", "i"], ["y"])],
        [normal("w", 9, 4)], 36),
    "Add and PRelu": (
        [node("Add", ["a", "w"], ["b"]), node("PRelu", ["b", "s"], ["y"])],
        [normal("w", 4, 1, 1), normal("s", 4, 1, 1)], 8),
    "Concat": ([node("Concat", ["t", "a"], ["y"], axis=1)], [normal("t", 1, 1, 8)], 8),
    "one weight twice": (
        [node("MatMul", ["a", "w"], ["b"]), node("MatMul", ["b", "w"], ["y"])],
        [normal("w", 8, 8)], 64),
    "a part of a weight": (
        [node("Slice", ["w", "from", "to"], ["p"]), node("MatMul", ["a", "p"], ["y"])],
        [normal("w", 8, 4), whole("from", 0), whole("to", 4)], 32),
    "scales of Resize": (
        [node("Resize", ["a", "", "s"], ["y"])], [w.tensor("s", [4], [1, 1, 2, 2])], 0),
    "its own": ([node("Odd", ["a", "w"], ["y"], domain="other")], [normal("w", 8, 4)], 32),
    "ConvInteger": (
        [node("ConvInteger", ["a", "w"], ["y"])], [w.tensor("w", [4, 3, 3, 3], dtype=w.INT8)], 108),
    "QLinearConv": (
        [node("QLinearConv", ["a", "s", "z", "w", "s", "z", "s", "z", "b"], ["y"])],
        [w.tensor("w", [4, 3, 3, 3], dtype=w.INT8), w.tensor("b", [4], dtype=w.INT32),
         one("s", 0.1), w.tensor("z", [], [0], w.INT8)], 112),
    "values": (
        [node("NonZero", ["x"], ["i"]), node("Cast", ["i"], ["c"], to=1),
         node("MatMul", ["c", "w"], ["y"])],
        [normal("w", 8, 4)], 32),
}  # fmt: skip


@pytest.mark.parametrize("name", BEHIND)
def test_parameters_behind_an_unknown_operator_are_the_files(name: str) -> None:
    nodes, held, parameters = BEHIND[name]
    total = counted([ODD, *nodes], {"x": [4, 4]}, held)
    assert total.parameters == parameters
    assert total.parameters_complete
    assert not total.complete


def test_packed_weights_of_an_unknown_operator_are_not_known() -> None:
    odd = node("Odd", ["x", "w"], ["y"], domain="other")
    total = counted([odd], {"x": [4, 4]}, [w.tensor("w", [8, 4], dtype=w.UINT8)])
    assert not total.parameters_complete


REPEATED: dict[str, Case] = {
    "PRelu": ([node("PRelu", ["x", "many"], ["y"])], {"x": [2, 8, 4, 4]},
              [whole("to", 8, 1, 1)], 1),
    "Conv": ([node("Conv", ["x", "w", "many"], ["y"])], {"x": [2, 3, 8, 8]},
             [FILTERS, whole("to", 4)], 109),
    "Gemm": ([node("Gemm", ["x", "w", "many"], ["y"])], {"x": [2, 8]},
             [normal("w", 8, 4), whole("to", 4)], 33),
    "LayerNormalization": (
        [node("LayerNormalization", ["x", "many"], ["y"])], {"x": [2, 8]}, [whole("to", 8)], 1),
    "behind what is not known": (
        [ODD, node("PRelu", ["a", "many"], ["y"])], {"x": [2, 8]}, [whole("to", 8)], 1),
    "twice": (
        [node("PRelu", ["x", "many"], ["a"]), node("PRelu", ["a", "many"], ["y"])],
        {"x": [2, 8, 4, 4]}, [whole("to", 8, 1, 1)], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("op", ["Expand", "Tile"])
def test_one_number_that_a_weight_repeats_is_one_parameter(name: str, op: str) -> None:
    nodes, inputs, held, parameters = REPEATED[name]
    dims = [1, 1, 1] if name in ("PRelu", "twice") else [1]
    for value, less in ((0.25, 0), (1.0, 1)):
        number = w.tensor("one", dims, [value])
        total = counted([node(op, ["one", "to"], ["many"]), *nodes], inputs, [*held, number])
        assert total.parameters == parameters - less
        assert total.parameters_complete


STATED: list[tuple[list[bytes], tuple[int, ...], int]] = [
    ([node("Conv", ["a", "w"], ["y"])], (1, 4, 10, 10), 400 * 27),
    ([node("Conv", ["a", "w"], ["y"], strides=[2, 2], pads=[1] * 4)], (1, 4, 10, 10), 400 * 27),
    ([node("Relu", ["a"], ["b"]), node("Conv", ["b", "w"], ["y"], auto_pad="SAME_UPPER")],
     (1, 4, 10, 10), 400 * 27),
    ([node("Gemm", ["a", "v"], ["y"], transB=1)], (5, 8), 5 * 8 * 4),
    ([node("MatMul", ["a", "v"], ["y"])], (5, 2, 4), 5 * 2 * 8 * 4),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(STATED)))
def test_an_input_that_is_not_stated_follows_from_the_output(place: int) -> None:
    nodes, shape, macs = STATED[place]
    held = [FILTERS, normal("v", 8, 4)]
    total = counted([ODD, *nodes], {"x": [4, 4]}, held, outputs=[("y", shape)])
    assert total["y"].shape == shape
    assert total.macs == macs
    assert any("told from what reads it" in note for note in total.network.notes)


CLASSIC: dict[str, tuple[dict[str, Any], int]] = {
    "LinearRegressor": ({"coefficients": [1.0] * 10, "intercepts": [0.5], "targets": 1}, 11),
    "LinearClassifier": ({"coefficients": [1.0] * 30, "intercepts": [0.5] * 3}, 33),
    "SVMRegressor": ({"coefficients": [1.0] * 4, "support_vectors": [1.0] * 40, "rho": [0.5]}, 45),
    "Scaler": ({"offset": [1.0] * 10, "scale": [2.0] * 10}, 0),
}


@pytest.mark.parametrize("op", CLASSIC)
def test_coefficients_in_attributes_are_parameters(op: str) -> None:
    attributes, parameters = CLASSIC[op]
    outputs = ["l", "y"] if op == "LinearClassifier" else ["y"]
    classic = node(op, ["x"], outputs, domain="ai.onnx.ml", **attributes)
    assert counted([classic], {"x": [1, 10]}).parameters == parameters


# --- the law ------------------------------------------------------------------------------------


def at_two_sizes(path: Path) -> list[int]:
    """The parameters with the inputs as the file states them, and with a larger batch."""
    parameters: list[int] = []
    sizes: dict[str, tuple[int, ...]] = {}
    for _ in range(2):
        try:
            net = onnx.read(Source(path.name, b"", sizes, path=str(path)))
        except NettallyError:  # it stands for one size only
            break
        parameters.append(tally(net).parameters)
        # weights that are inputs of the graph are none of the network's
        sizes = {name: (3 * of[0], *of[1:]) for name, of in net.inputs.items() if of}
    return parameters


def test_parameters_of_no_file_depend_on_the_input(corpus: Path) -> None:
    both = 0
    for path in sorted(
        [*(corpus / "onnx").rglob("*.onnx"), *(corpus / "onnx-node-tests").rglob("*.onnx")]
    ):
        parameters = at_two_sizes(path)
        both += len(parameters) == 2
        assert len(set(parameters)) <= 1, path.name
    assert both > 150
