"""ONNX files made to harm: lengths that lie, graphs that explode, data that lies elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import hostile_growth_onnx as growth
import onnx_files as w

if TYPE_CHECKING:
    from conftest import Hostile

X, Y = w.info("x", [1, 3, 8, 8]), w.info("y", None, 0)
HEAD = w.number(1, 8) + w.block(8, w.opset("", 17))


def of(*nodes: bytes, held: tuple[bytes, ...] = (), functions: tuple[bytes, ...] = ()) -> bytes:
    return w.model(w.graph(nodes, [X], [Y], held), {"": 17, "d": 1}, functions)


def nested_ifs(deep: int) -> bytes:
    inner = w.graph([w.node("Relu", ["x"], ["y"])], [], [Y])
    for _ in range(deep):
        branches = {"then_branch": w.Graph(inner), "else_branch": w.Graph(inner)}
        inner = w.graph([w.node("If", ["c"], ["y"], **branches)], [], [Y])
    return w.model(w.block(5, w.tensor("c", [], [1], w.BOOL)) + w.block(11, X) + inner)


def functions_that_double(deep: int) -> bytes:
    bodies = [w.function("f0", ["a"], ["b"], [w.node("Relu", ["a"], ["b"])], domain="d")]
    for i in range(1, deep):
        call = f"f{i - 1}"
        nodes = [w.node(call, ["a"], ["m"], domain="d"), w.node(call, ["m"], ["b"], domain="d")]
        bodies.append(w.function(f"f{i}", ["a"], ["b"], nodes, domain="d", opsets={"d": 1, "": 17}))
    return of(w.node(f"f{deep - 1}", ["x"], ["y"], domain="d"), functions=tuple(bodies))


def loops_in_loops(deep: int) -> bytes:
    """1,000 rounds in each other."""
    ends = [w.info("on", [], w.BOOL), w.info("o", None, 0)]
    starts = [w.info("i", [], w.INT64), w.info("on", [], w.BOOL), w.info("v", None, 0)]
    body = w.graph([w.node("Relu", ["v"], ["o"])], starts, ends)
    for _ in range(deep):
        loop = w.node("Loop", ["n", "on", "v"], ["o"], body=w.Graph(body))
        body = w.graph([loop], starts, ends)
    held = (w.tensor("n", [], [1000], w.INT64),)
    return of(w.node("Loop", ["n", "", "x"], ["y"], body=w.Graph(body)), held=held)


def constants_that_grow() -> bytes:
    """60,000 sums of 1,000 numbers each, which no shape needs."""
    nodes = [w.node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(60_000)]
    nodes.append(w.node("Relu", ["x"], ["y"]))
    return of(*nodes, held=(w.tensor("c0", [1000], [1] * 1000, w.INT64),))


def dense(count: int) -> bytes:
    names = ["x", *(f"v{i}" for i in range(count))]
    nodes = [w.node("Sum", names[: i + 1], [f"v{i}"]) for i in range(count)]
    return w.model(w.graph(nodes, [X], [w.info(f"v{count - 1}", None, 0)]))


RELU = w.node("Relu", ["x"], ["y"])
CONV = w.node("Conv", ["x", "w"], ["y"])
EXTERNAL = w.tensor("w", [4, 3, 3, 3], external=True)

REFUSED = {
    "a long varint": (HEAD + b"\x28" + b"\xff" * 100_000, "a varint is longer than 10 bytes"),
    "64 bits": (HEAD + b"\x28" + b"\xff" * 9 + b"\x7f", "a varint has more than 64 bits"),
    "a varint cut off": (HEAD + b"\x28\xff", "the message ends within"),
    "a length past the end": (HEAD + b"\x3a\xff\xff\xff\xff\x0f", "a field is longer than"),
    "a length of 2^63": (HEAD + b"\x3a" + w.varint(2**63), "a field is longer than"),
    "groups": (HEAD + b"\x3b" * 100_000, "this is no field"),
    "field 0": (HEAD + b"\x00\x01" * 1000, "no field has this number"),
    "a graph of zeros": (HEAD + w.block(7, bytes(1_000_000)), "no field has this number"),
    "deep graphs": (nested_ifs(18), "graphs nest more than 16 deep"),
    "functions that double": (functions_that_double(30), "written out, are too long"),
    "deep functions": (functions_that_double(60), "bodies stand more than 40 deep"),
    "loops in loops": (loops_in_loops(3), "written out, are too long"),
    "too many axes": (of(RELU, held=(w.tensor("w", [1] * 1000, [1.0]),)), "has too many axes"),
    "axes of an input": (
        w.model(w.graph([RELU], [w.info("x", [1] * 100_000)], [Y])),
        "a shape has too many axes",
    ),
    "a huge size": (
        of(CONV, held=(w.tensor("w", [2**62, 3, 3, 3], external=True),)),
        "a size is larger than 2^31 - 1",
    ),
    "a size of 2^64": (of(RELU, held=(w.tensor("t", [2**32, 2**32], raw=b"12"),)), "contents"),
    "many nodes": (of(*[RELU] * 500_000), "the file has too many nodes"),
    "a node of many inputs": (
        of(w.block(4, "Sum") + w.block(1, "x") * 2_000_000 + w.block(2, "y")),
        "a node has too many inputs",
    ),
    "many numbers": (
        of(w.node("Relu", ["x"], ["y"]) + w.block(5, w.attribute("a", [1] * 300_000))),
        "an attribute has too many values",
    ),
    "a name of a megabyte": (of(w.node("Relu", ["x"], ["y"], "n" * 1_000_000)), "is too long"),
    "a circle": (
        of(*(w.node("Add", [f"v{(i + 1) % 50_000}", "x"], [f"v{i}"]) for i in range(50_000)), RELU),
        "the graph goes in a circle",
    ),
    "scales without end": (
        of(
            w.node("Resize", ["x", "", "s"], ["y"]),
            held=(w.tensor("s", [4], [1, 1, float("inf"), float("nan")]),),
        ),
        "its scales must be positive",
    ),
    "a scale of 10^38": (
        of(
            w.node("Resize", ["x", "", "s"], ["y"]),
            held=(w.tensor("s", [4], [1, 1, 1e38, 1e38]),),
        ),
        "a size is negative or too large",
    ),
    "tiles": (
        of(w.node("Tile", ["x", "t"], ["y"]), held=(w.tensor("t", [4], [2**40] * 4, w.INT64),)),
        "a size is larger than 2^31 - 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_lies(hostile: Hostile, name: str) -> None:
    data, message = REFUSED[name]
    assert message in hostile("x.onnx", data, seconds=20).refused


def test_data_elsewhere_is_never_looked_for(hostile: Hostile, tmp_path: Path) -> None:
    """The audit hook ends the process at any other file; here is one that could be opened."""
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    for where in ("weights.bin", "../../etc/passwd", "/dev/zero", "C:\\windows"):
        entry = w.block(1, "location") + w.block(2, where)
        lengths = b"".join(
            w.block(13, w.block(1, key) + w.block(2, "-1")) for key in ("offset", "length")
        )
        tensor = EXTERNAL + w.block(13, entry) + lengths
        found = hostile("x.onnx", of(CONV, held=(tensor,)))
        assert (found.how, found.parameters) == ("read", 108)


def test_constants_that_grow(hostile: Hostile) -> None:
    assert hostile("x.onnx", constants_that_grow(), seconds=30).how == "read"


def test_a_chain(hostile: Hostile) -> None:
    nodes = [w.node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(50_000)]
    data = w.model(w.graph(nodes, [w.info("v0", [1, 3])], [w.info("v50000", None, 0)]))
    found = hostile("x.onnx", data, seconds=30)
    assert (found.how, found.layers) == ("read", 50_000)


def test_the_same_backwards(hostile: Hostile) -> None:
    nodes = [w.node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in reversed(range(50_000))]
    data = w.model(w.graph(nodes, [w.info("v0", [1, 3])], [w.info("v50000", None, 0)]))
    assert hostile("x.onnx", data, seconds=30).layers == 50_000


def test_dense_inputs(hostile: Hostile) -> None:
    assert hostile("x.onnx", dense(1000), seconds=30).layers == 1000


def test_names_alike(hostile: Hostile) -> None:
    nodes = [w.node("Relu", [f"v{i}"], [f"v{i + 1}"], "same") for i in range(20_000)]
    data = w.model(w.graph(nodes, [w.info("v0", [1, 3])], [w.info("v20000", None, 0)]))
    assert hostile("x.onnx", data, seconds=30).layers == 20_000


def test_many_kinds_of_unknown_operators(hostile: Hostile) -> None:
    nodes = [w.node(f"Op{i}", [f"v{i}"], [f"v{i + 1}"], domain="d") for i in range(5000)]
    data = w.model(w.graph(nodes, [w.info("v0", [1, 3])], [w.info("v5000", None, 0)]))
    found = hostile("x.onnx", data, seconds=30)
    assert found.layers == 5000
    assert len(found.notes) < 60


@pytest.mark.parametrize("name", growth.GENERATORS)
def test_a_small_file_costs_little(hostile: Hostile, name: str) -> None:
    """Whatever it asks for: 20 kB that are written out, computed or joined without an end."""
    file, make = growth.GENERATORS[name]
    found = hostile(file, make(20_000), seconds=20)
    assert found.survived, found.text
    assert found.memory < 100 * 2**20


def test_names_with_escapes(hostile: Hostile) -> None:
    name = "\x1b]0;owned\x07/<script>alert(1)</script>/" + "é" * 5000
    data = w.model(w.graph([w.node("Relu", [name], ["y"], name)], [w.info(name, [1, 3])], [Y]))
    assert hostile("x.onnx", data).how == "read"
    data = w.model(
        w.graph([w.node("Conv", [name, name], ["y"], name)], [w.info(name, [1, 3])], [Y])
    )
    assert "its input needs 3 axes" in hostile("x.onnx", data).refused
