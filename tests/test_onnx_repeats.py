"""ONNX nodes of which a rule is not asked again: what comes out is the same as if it were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import onnx_files as w
from nettally import read
from nettally.errors import NettallyError
from nettally.formats import Source, onnx
from nettally.formats.encodings.blob import Blob
from nettally.formats.onnx.decode import _Decoder
from nettally.formats.onnx.decode import model as decode
from nettally.formats.onnx.proto import NodeDef
from nettally.formats.onnx.repeats import Repeats
from nettally.network import Network

HELD = [
    w.tensor("two", [], [2]),
    w.tensor("three", [], [3]),
    w.tensor("zero", [], [0]),
    w.tensor("row", [4, 1, 1]),
    w.tensor("other_row", [4, 1, 1]),
    w.tensor("w", [4, 4, 3, 3]),
    w.tensor("other_w", [4, 4, 3, 3]),
    w.tensor("small_w", [4, 1, 1, 1]),
    w.tensor("bias", [4]),
    w.tensor("square", [3], [1, 4, 36], w.INT64),
    w.tensor("flat", [4], [1, 4, 9, 4], w.INT64),
    w.tensor("whole", [4], [1, 4, 6, 6], w.INT64),
]
PAD = {"pads": [1, 1, 1, 1]}
STEPS: list[tuple[str, list[str], dict[str, object]]] = [
    ("Relu", ["."], {}),
    ("Relu6Like", ["."], {}),
    ("LeakyRelu", ["."], {"alpha": 0.1}),
    ("LeakyRelu", ["."], {"alpha": 0.2}),
    ("Add", [".", "two"], {}),
    ("Add", [".", "three"], {}),
    ("Add", ["two", "."], {}),
    ("Mul", [".", "row"], {}),
    ("Mul", [".", "other_row"], {}),
    ("Add", [".", "."], {}),
    ("Add", [".", "?"], {}),
    ("Sub", ["?", "."], {}),
    ("Sum", [".", "?", "."], {}),
    ("Concat", [".", "?"], {"axis": 2}),
    ("Conv", [".", "w"], PAD),
    ("Conv", [".", "other_w", "bias"], PAD),
    ("Conv", [".", "w", "bias"], PAD),
    ("Conv", [".", "small_w", ""], {"group": 4}),
    ("Clip", [".", "zero", "two"], {}),
    ("Clip", [".", "zero", "three"], {}),
    ("Clip", [".", "", "three"], {}),
    ("Reshape", [".", "flat"], {}),
    ("Reshape", [".", "whole"], {}),
    ("Reshape", [".", "square"], {}),
    ("Transpose", ["."], {"perm": [0, 1, 3, 2]}),
    ("MaxPool", ["."], {"kernel_shape": [3, 3], **PAD}),
    ("HardSigmoid", ["."], {}),
    ("Shape", ["."], {}),
]


def chain(steps: Sequence[tuple[int, int]], names: str = "", stated: bool = False) -> bytes:
    """A model of these STEPS one after another; ``?`` is an earlier value, by the second number."""
    nodes, infos, made = [], [], ["x"]
    for place, (step, back) in enumerate(steps):
        op, inputs, attributes = STEPS[step]
        old = made[back % len(made)]
        reads = [made[-1] if each == "." else old if each == "?" else each for each in inputs]
        name = names and f"{names}{place}"
        nodes.append(w.node(op, reads, [f"v{place}"], name, **attributes))
        if stated:
            infos.append(w.info(f"v{place}", [1, 4, 6, 6]))
        made.append(f"v{place}")
    ends = [w.info("x", [1, 4, 6, 6])], [w.info(made[-1], None, 0)]
    return w.model(w.graph(nodes, *ends, HELD, infos=infos), 17)


def found(data: bytes) -> object:
    """The network, or the complaint."""
    try:
        return parts(onnx.read(Source("net.onnx", data)))
    except NettallyError as error:
        return error.what, error.where, error.values


def parts(net: Network) -> object:
    return net.inputs, net.nodes, net.outputs, net.notes


def slowly(data: bytes) -> object:
    """The same, each node's rule being asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repeats, "run", lambda self, nodes, place: place)
        return found(data)


@given(
    st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 3)), min_size=2, max_size=25),
    st.sampled_from(["", "layer", "/features/features.", "v"]),
    st.booleans(),
)
@example([(4, 0), (5, 0), (4, 0), (5, 0)], "", False)  # numbers of one size that differ
@example([(0, 0), (9, 0), (10, 0), (9, 0), (10, 1)], "", False)  # a value twice, and two values
@example([(14, 0), (15, 0), (14, 0), (15, 0), (16, 0)], "conv", True)  # weights that are shared
@example([(21, 0), (22, 0), (21, 0), (22, 0), (0, 0)], "", True)  # the file states other sizes
def test_what_is_repeated_is_what_the_rule_would_have_made(
    steps: list[tuple[int, int]], names: str, stated: bool
) -> None:
    data = chain(steps, names, stated)
    assert found(data) == slowly(data)


def test_most_of_a_long_chain_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    record = Repeats.record
    monkeypatch.setattr(
        Repeats,
        "record",
        lambda self, rule, call: (asked.append(call.name), record(self, rule, call)),
    )
    steps = [(0, 0), (14, 0), (8, 0), (4, 0), (13, 0), (10, 1)]
    data = chain(steps[:4] * 50, "layer")
    net = onnx.read(Source("net.onnx", data))
    assert len(net.nodes) == 200
    assert asked == [f"layer{i}" for i in range(5)]  # the first input may be a weight: asked again


def test_the_corpus_is_read_the_same_either_way(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((corpus / "onnx").rglob("*.onnx"))
    assert files
    quick = [parts(read(file)) for file in files]
    monkeypatch.setattr(Repeats, "run", lambda self, nodes, place: place)
    assert quick == [parts(read(file)) for file in files]


# --- decoding -----------------------------------------------------------------------------------


def decoded(data: bytes) -> object:
    with Blob("net.onnx", None, data) as blob:
        try:
            graph = decode(blob).graph
        except NettallyError as error:
            return error.what, error.where
    assert graph is not None
    return [plainly(node) for node in graph.nodes]


def plainly(node: NodeDef) -> object:
    attributes = [(name, repr(value)) for name, value in node.attributes.items()]
    return node.at, node.name, node.op, node.domain, attributes, node.inputs, node.outputs


def one_by_one(data: bytes) -> object:
    """The same, each node being taken apart by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Decoder, "nodes", lambda self, into, depth: None)
        return decoded(data)


NODES = [
    w.node("Relu", ["x"], ["y"]),
    w.node("Relu", ["y"], ["z"], "a name"),
    w.node("Relu", ["é"], ["ü" * 40], "名前"),
    w.node("Relu", ["n" * 127], ["m" * 128], "l" * 129),
    w.node("Relu", ["n" * 16_383], ["m" * 16_384], "l" * 20_000),
    w.node("Relu", ["n" * 40_000], ["m"]),  # longer than what is handed over whole
    w.node("Conv", ["y", "w"], ["z"], kernel_shape=[3, 3], strides=[2, 2]),
    w.node("Conv", ["y", "w"], ["z"], kernel_shape=[3, 3], strides=[1, 1]),
    w.node("Thing", ["y"], ["z"], domain="other", text=b"a" * 300),
    w.node("Split", ["y"], ["a", "b", "c"]),
    w.node("Random", [], ["a"]),
    w.node("Nothing", [], []),
    w.node("Optional", ["", ""], [""]),
    w.block(4, "Relu") + w.block(1, "x") + w.block(2, "y"),  # another order
    w.block(2, "y") + w.block(1, "x") + w.block(4, "Relu"),
    w.block(1, "x") + w.block(4, "Relu") + w.block(6, "what it is for") + w.block(3, "late"),
    w.block(1, "x") + w.block(4, "Relu") + w.block(4, "Sigmoid"),
    w.block(1, "x") + w.block(4, "Relu") + w.number(99, 1),
    w.block(1, "x") + w.block(2, "y") + w.block(3, ""),
    w.block(1, "x") + w.block(2, "y"),
    w.block(1, b"\xff") + w.block(4, "Relu"),
    w.block(1, "x") + w.block(4, b"\xff"),
    w.block(1, "x") + b"\x22\x7fRelu",  # a length past the end
    w.block(1, "x") + b"\x12\x7fy",
    w.block(1, "x") + b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    w.block(1, "x") + b"\x12",
    b"",
    w.number(1, 5),
]


@given(st.lists(st.sampled_from(NODES), min_size=1, max_size=12), st.integers(0, 99))
def test_nodes_that_stand_together_are_what_each_is(nodes: list[bytes], seed: int) -> None:
    parts = [w.block(1, node) for node in nodes]
    if seed % 2:
        parts += [w.block(11, w.info("x", [1])), w.block(5, w.tensor("w", [seed]))]
        random.Random(seed).shuffle(parts)
    data = w.number(1, 8) + w.block(8, w.opset("", 17)) + w.block(7, b"".join(parts))
    assert decoded(data) == one_by_one(data)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_what_is_damaged_is_refused_the_same_way(noise: bytes, at: int) -> None:
    nodes = b"".join(w.block(1, node) for node in NODES[:3] * 3)
    graph = nodes[:at] + noise + nodes[at:]
    data = w.number(1, 8) + w.block(8, w.opset("", 17)) + w.block(7, graph)
    assert decoded(data) == one_by_one(data)
