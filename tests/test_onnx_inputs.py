"""Inputs of ONNX graphs: sizes without a name, values, and branches that do not fit them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import onnx_files as w
from nettally import read, tally
from nettally.errors import ReadError
from nettally.formats import Source, onnx
from nettally.network import Network
from test_cli import nettally

Y = w.info("y", None, 0)


def network(data: bytes, options: dict[str, str] | None = None, **inputs: Any) -> Network:
    return onnx.read(Source("net.onnx", data, inputs, options=options or {}))


def either(then: bytes, other: bytes, condition: str = "c") -> bytes:
    branches = {"then_branch": w.Graph(then), "else_branch": w.Graph(other)}
    return w.node("If", [condition], ["y"], **branches)


def product(rows: int) -> bytes:
    """A branch that multiplies ``x`` by a weight of its own, of so many rows and 4 columns."""
    held = [w.tensor("weight", [rows, 4])]
    return w.graph([w.node("MatMul", ["x", "weight"], ["y"])], [], [Y], held)


def choice(then: int, other: int) -> bytes:
    """One product where ``rate`` is 16000, else another."""
    nodes = [w.node("Equal", ["rate", "k"], ["c"]), either(product(then), product(other))]
    inputs = [w.info("x", [1, "n"]), w.info("rate", [], w.INT64)]
    return w.model(w.graph(nodes, inputs, [Y], [w.tensor("k", [], [16000], w.INT64)]))


# --- sizes without a name -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["?", "", "-1", "None", "unk", "*"])
def test_a_size_without_a_name_is_no_symbol(text: str) -> None:
    nodes = [w.node("Add", ["x", "z"], ["y"])]
    inputs = [w.info("x", [text, 1, text]), w.info("z", [text, text, 1])]
    data = w.model(w.graph(nodes, inputs, [w.info("y", [text] * 3)]))
    net = network(data, x=(1, 1, 5), z=(1, 9, 1))
    assert tally(net)["y"].shape == (1, 9, 5)
    with pytest.raises(ReadError, match=r"x \[\?, 1, \?\]"):
        network(data)


def test_what_is_to_be_typed_keeps_the_sizes_of_the_file() -> None:
    nodes = [w.node("Identity", ["state"], ["y"])]
    for sizes, words in {
        (2, None, 8): "--input 2x128x8",
        ("batch", 7, None): "--input 7x128",
        ("seq", 8): "--input 128x8",
        (None, 3, None, 48): "--input 3x224x48",
        ("n",): "",
    }.items():
        data = w.model(w.graph(nodes, [w.info("state", sizes)], [Y]))
        if not words:
            assert network(data).inputs == {"state": (1,)}
            continue
        with pytest.raises(ReadError) as caught:
            network(data)
        assert caught.value.hint == f"give them: {words}"
        typed = tuple(map(int, words.split()[1].split("x")))
        assert network(data, **{"": typed}).inputs["state"][-len(typed) :] == typed


# --- values ---------------------------------------------------------------------------------------


def test_a_value_settles_a_condition() -> None:
    for rate, parameters in ((16000, 64), (8000, 20)):
        net = network(choice(16, 5), {"value:rate": str(rate)}, x=(1, 16 if rate > 9000 else 5))
        counted = tally(net)
        assert (counted.complete, counted.parameters) == (True, parameters)
        assert f"the input 'rate' has the value {rate}, as given" in net.notes
        assert "rate" not in net.inputs


def test_a_value_settles_a_shape() -> None:
    nodes = [w.node("Reshape", ["x", "to"], ["y"])]
    inputs = [w.info("x", [2, 6]), w.info("to", ["rank"], w.INT64)]
    data = w.model(w.graph(nodes, inputs, [Y]))
    for text in ("3,-1", "[3, -1]"):
        assert tally(network(data, {"value:to": text}))["y"].shape == (3, 4)


def test_a_value_of_an_input_that_the_file_has_one_for() -> None:
    inputs = [w.info("x", [2, 6]), w.info("to", [2], w.INT64)]
    graph = w.graph([w.node("Reshape", ["x", "to"], ["y"])], inputs, [Y],
                    [w.tensor("to", [2], [3, 4], w.INT64)])  # fmt: skip
    assert tally(network(w.model(graph)))["y"].shape == (3, 4)
    assert tally(network(w.model(graph), {"value:to": "4,3"}))["y"].shape == (4, 3)


def test_a_value_is_no_parameter() -> None:
    nodes = [w.node("Mul", ["x", "mask"], ["y"])]
    inputs = [w.info("x", [1, 3]), w.info("mask", [1, 3])]
    net = network(w.model(w.graph(nodes, inputs, [Y])), {"value:mask": "0.5,1,0"})
    assert (tally(net).parameters, tuple(net.inputs)) == (0, ("x",))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rat", "1", "the network has no input 'rat'"),
        ("rate", "fast", "this is no value of the input 'rate'"),
        ("rate", "1.5", "whole numbers"),
        ("rate", "inf", "this is no value"),
        ("rate", "9" * 50, "this is no value"),
        ("rate", "99999999999999999999999", "this is no value"),
        ("rate", str(-(2**63) - 1), "this is no value"),
        ("x", "3", "does not fit its sizes"),
        ("rate", "", "this is no value|does not fit"),
        ("rate", "1,2", "does not fit its sizes"),
        ("rate", ",".join(["1"] * 2000), "at most 1,024"),
    ],
)
def test_complaints_about_values(name: str, text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        network(choice(16, 5), {f"value:{name}": text}, x=(1, 16))


def test_words_of_true_and_false() -> None:
    graph = w.graph([either(product(16), product(5))],
                    [w.info("x", [1, "n"]), w.info("c", [1], w.BOOL)], [Y])  # fmt: skip
    for text, parameters in (("true", 64), ("False", 20), ("1", 64)):
        net = network(w.model(graph), {"value:c": text}, x=(1, parameters // 4))
        assert tally(net).parameters == parameters


def test_the_options_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(choice(16, 5))
    words = ("tally", "net.onnx", "--input", "x=1x16")
    done = nettally(*words, "--value", "rate=16000", cwd=tmp_path)
    assert done.returncode == 0
    assert "parameters  64" in done.stdout
    for value, text in (("rate", "NAME=VALUE"), ("=3", "NAME=VALUE"), ("rate=", "NAME=VALUE")):
        done = nettally(*words, "--value", value, cwd=tmp_path)
        assert (done.returncode, text in done.stderr) == (2, True)
    done = nettally(*words, "--value", "rate=1", "--value", "rate=2", cwd=tmp_path)
    assert "the input 'rate' is given two values" in done.stderr


def test_sizes_of_an_input_that_has_a_value_are_not_told_of_another(tmp_path: Path) -> None:
    nodes = [w.node("Mul", ["x", "z"], ["a"]), w.node("Mul", ["a", "gain"], ["y"])]
    inputs = [w.info("gain", []), w.info("x", ["n"]), w.info("z", [])]
    (tmp_path / "net.onnx").write_bytes(w.model(w.graph(nodes, inputs, [Y])))
    for words in (("--value", "x=3"), ("--value", "x=3", "--value", "z=2")):
        done = nettally("tally", "net.onnx", "--input", "x=1", *words, cwd=tmp_path)
        assert (done.returncode, "is read as" in done.stderr + done.stdout) == (0, False)


def test_only_onnx_files_take_values(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text("nettally: 1\ninput: 3x8x8\nlayers:\n  - c: relu\n", "utf-8")
    with pytest.raises(ReadError, match="inputs of this file have no values"):
        read(str(tmp_path / "n.yaml"), options={"value:data": "1"})

    with pytest.raises(ReadError, match="states no shapes that could be ignored"):
        read(str(tmp_path / "n.yaml"), options={"ignore_stated_shapes": "yes"})


def test_numbers_that_are_too_many_are_told_with_their_node() -> None:
    held = [w.tensor("zero", [], [0], w.INT64), w.tensor("one", [], [1], w.INT64)]
    graph = w.graph([w.node("Range", ["zero", "n", "one"], ["y"])], [w.info("n", [], w.INT64)],
                    [Y], held)  # fmt: skip
    assert network(w.model(graph), {"value:n": "7"})
    with pytest.raises(ReadError, match=r"(?s)Range 'y': it makes more than.*4000000000"):
        network(w.model(graph), {"value:n": "4000000000"})


# --- branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(16, 5), (5, 16)])
def test_a_branch_that_does_not_fit_leaves_the_other(sizes: tuple[int, int]) -> None:
    """Which is counted; that it is the one that is taken is not known, and a note says so."""
    net = network(choice(*sizes), x=(1, 16))
    counted = tally(net)
    assert (counted.parameters, counted.complete) == (64, False)
    assert counted[net.outputs[0]].shape == (1, 4)
    word = "then" if sizes[0] == 16 else "else"
    assert any(f"only its {word} branch fits" in note for note in net.notes)


def test_where_neither_branch_fits_the_first_says_why() -> None:
    with pytest.raises(ReadError, match="16 is not 5"):
        network(choice(5, 7), x=(1, 16))


def test_a_branch_that_is_taken_and_does_not_fit_is_named() -> None:
    with pytest.raises(ReadError, match="in the else branch of If 'y'") as caught:
        network(choice(16, 5), {"value:rate": "8000"}, x=(1, 16))
    assert "rate=8000" in (caught.value.hint or "")
    assert "16 is not 5" in caught.value.values


# --- shapes that are out of date ------------------------------------------------------------------


def stale(dims: tuple[int, ...] = (1, 3, 9, 9), dtype: int = w.FLOAT) -> bytes:
    nodes = [w.node("Relu", ["x"], ["a"]), w.node("Flatten", ["a"], ["y"])]
    infos = [w.info("a", dims, dtype)]
    return w.model(w.graph(nodes, [w.info("x", [1, 3, 8, 8])], [Y], infos=infos))


@pytest.mark.parametrize("data", [stale(), stale((1, 3, 8, 8), w.DOUBLE)])
def test_shapes_out_of_date_can_be_ignored(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        network(data)
    assert "--ignore-stated-shapes" in caught.value.hint
    net = network(data, {"ignore_stated_shapes": "yes"})
    assert tally(net)["y"].shape == (1, 192)
    assert net.notes == ("the shapes that the file states of its values are ignored, as asked",)


def test_the_command_ignores_them(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(stale())
    assert "--ignore-stated-shapes" in nettally("tally", "net.onnx", cwd=tmp_path).stderr
    assert nettally("tally", "net.onnx", "--ignore-stated-shapes", cwd=tmp_path).returncode == 0


# --- what is no batch -----------------------------------------------------------------------------


def test_the_first_axis_is_a_batch_where_the_layers_tell_it_as_one(tmp_path: Path) -> None:
    lstm = w.node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)
    held = [w.tensor("w", [1, 32, 4]), w.tensor("r", [1, 32, 8])]
    steps = w.model(w.graph([lstm], [w.info("x", ["seq", 1, 4])], [Y], held))
    gemm = w.graph([w.node("MatMul", ["x", "w"], ["y"])], [w.info("x", [4, 16])], [Y],
                   [w.tensor("w", [16, 4])])  # fmt: skip
    for data, words, batch in (
        (steps, ("--input", "5x1x4"), False),
        (w.model(gemm), (), True),
        (w.model(gemm), ("--input", "4x16"), True),
    ):
        (tmp_path / "net.onnx").write_bytes(data)
        text = nettally("tally", "net.onnx", *words, cwd=tmp_path).stdout
        assert ("batch of" in text) == batch, text


def test_no_values_are_not_divided() -> None:
    """0 · 1 · n is 0 for every n; onnx and ONNX Runtime refuse it as well."""
    for sizes, to, shape in (((0, 10), (0, 1, -1), None), ((0, 10), (-1, 5), (0, 5))):
        nodes = [w.node("Reshape", ["x", "to"], ["y"])]
        held = [w.tensor("to", [len(to)], to, w.INT64)]
        data = w.model(w.graph(nodes, [w.info("x", sizes)], [Y], held))
        if shape is not None:
            assert tally(network(data))["y"].shape == shape
            continue
        with pytest.raises(ReadError, match="its shape does not divide its input"):
            network(data)


# --- what is too large to be written out ----------------------------------------------------------


@pytest.mark.parametrize("rounds", [20, 900])
def test_a_loop_that_is_too_large_is_not_counted(rounds: int) -> None:
    """60 layers a round: 20 rounds are written out; of 900 the file is still read."""
    names = ["v", *(f"r{i}" for i in range(59)), "out"]
    nodes = [w.node("Relu", [before], [after]) for before, after in pairwise(names)]
    starts = [w.info("i", [], w.INT64), w.info("on", [], w.BOOL), w.info("v", None, 0)]
    body = w.graph(nodes, starts, [w.info("on", [], w.BOOL), w.info("out", None, 0)])
    loop = w.node("Loop", ["n", "", "x"], ["y"], body=w.Graph(body))
    held = [w.tensor("n", [], [rounds], w.INT64)]
    net = network(w.model(w.graph([loop], [w.info("x", [1, 3])], [Y], held)))
    counted = tally(net)
    assert counted[net.outputs[0]].shape == (1, 3)
    assert counted.complete == (rounds == 20)
    assert len(net.nodes) == (1200 if rounds == 20 else 1)
    assert ("too large to be written out" in "".join(net.notes)) == (rounds == 900)
