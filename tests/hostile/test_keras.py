"""Keras files made to harm: JSON, archives, HDF5, graphs; nothing in them is run."""

from __future__ import annotations

import base64
import io
import json
import marshal
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import seeds

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Hostile

START = {
    "class_name": "InputLayer",
    "name": "a",
    "config": {"batch_input_shape": [None, 4], "name": "a"},
    "inbound_nodes": [],
}


def dense(name: str, *sources: str, cls: str = "Dense", **config: Any) -> dict[str, Any]:
    nodes = [[[source, 0, 0, {}] for source in sources]]
    config = {"name": name, "units": 4, **config}
    return {"class_name": cls, "name": name, "config": config, "inbound_nodes": nodes}


def functional(layers: list[Any], end: str) -> dict[str, Any]:
    config = {"name": "m", "layers": layers, "input_layers": [["a", 0, 0]]}
    return {"class_name": "Functional", "config": {**config, "output_layers": [[end, 0, 0]]}}


def chain(count: int) -> str:
    layers = [START, dense("d0", "a"), *(dense(f"d{i}", f"d{i - 1}") for i in range(1, count))]
    return json.dumps(functional(layers, f"d{count - 1}"))


def test_a_long_chain(hostile: Hostile) -> None:
    assert hostile("m.json", chain(10_000), seconds=20.0).layers == 10_000
    turned = json.loads(chain(5_000))
    turned["config"]["layers"].reverse()
    assert hostile("r.json", json.dumps(turned)).layers == 5_000
    many = functional([START] * 100_001, "a")
    assert "too many layers" in hostile("n.json", json.dumps(many)).refused


def test_one_layer_called_very_often(hostile: Hostile) -> None:
    layer = dense("d", "a")
    layer["inbound_nodes"] = [
        [["d", i - 1, 0, {}]] if i else [["a", 0, 0, {}]] for i in range(9000)
    ]
    said = functional([START, layer], "d")
    said["config"]["output_layers"] = [["d", 8999, 0]]
    found = hostile("m.json", json.dumps(said))
    assert (found.layers, found.parameters) == (9000, 20)


def test_dense_fan_out(hostile: Hostile) -> None:
    names = ["a"]
    layers: list[Any] = [START]
    for i in range(400):
        layers.append(dense(f"c{i}", *names, *(["a"] if len(names) == 1 else []), cls="Add"))
        names.append(f"c{i}")
    assert hostile("m.json", json.dumps(functional(layers, "c399"))).layers == 400
    wide = dense("w", *(["a"] * 300_000), cls="Add")
    again = dense("v", *(["a"] * 300_000), cls="Add")
    said = functional([START, wide, again], "w")
    assert "too many" in hostile("w.json", json.dumps(said)).refused


def test_sizes_that_double(hostile: Hostile) -> None:
    layers: list[Any] = [START]
    last = "a"
    for i in range(64):
        layers.append(dense(f"c{i}", last, last, cls="Concatenate", axis=-1))
        last = f"c{i}"
    assert "is too large" in hostile("m.json", json.dumps(functional(layers, last))).refused


def test_a_concatenation_of_nothing(hostile: Hostile) -> None:
    cat = {"class_name": "Concatenate", "name": "cat", "config": {"name": "cat"}}
    kept = {"args": [[]], "kwargs": {}}  # found by the fuzzer
    model = functional([START, {**cat, "inbound_nodes": [kept]}], "cat")
    assert "nothing" in hostile("a.json", json.dumps(model)).refused


def test_models_in_models(hostile: Hostile) -> None:
    said: Any = {"class_name": "Sequential", "config": {"layers": [START]}}
    for _ in range(60):
        said = {"class_name": "Sequential", "config": {"layers": [said]}}
    assert "too deep" in hostile("m.json", json.dumps(said)).refused
    # each calls the one inside it twice: 2^20 calls
    inner: Any = {"class_name": "Dense", "name": "x", "config": {"name": "x", "units": 4}}
    for depth in range(20):
        first = int(depth > 0)  # a model's calls are counted from 1
        calls = [[["a", 0, 0, {}]], [["x", first, 0, {}]]]
        inner = functional([START, {**inner, "inbound_nodes": calls}], "x")
        inner["config"]["output_layers"] = [["x", first + 1, 0]]
        inner["name"] = "x"
    assert "called again too often" in hostile("b.json", json.dumps(inner), seconds=2.0).refused


def again(layer: dict[str, Any], count: int, first: int) -> dict[str, Any]:
    """The layer, called again and again on what it gives."""
    name = layer["name"]
    calls = [[[name, first + i - 1, 0, {}]] if i else [["a", 0, 0, {}]] for i in range(count)]
    return {**layer, "inbound_nodes": calls}


def wide(name: str, count: int) -> dict[str, Any]:
    """A model of layers that all read its input; one of them leads to its output."""
    layers = [START, *(dense(f"d{i}", "a") for i in range(count))]
    return {**functional(layers, "d0"), "name": name}


def in_itself(depth: int, calls: int) -> dict[str, Any]:
    """A model that makes nothing, in models that each call the one inside."""
    inner = {**functional([START], "a"), "name": "x"}
    for _ in range(depth):
        inner = {**functional([START, again(inner, calls, 1)], "x"), "name": "x"}
        inner["config"]["output_layers"] = [["x", calls, 0]]
    return inner


def test_models_without_layers_that_are_called_again(hostile: Hostile) -> None:
    assert "called again too often" in hostile("m.json", json.dumps(in_itself(18, 9))).refused


CELLS = {"units": 4, "return_sequences": True, **{f"k{i}": 0 for i in range(20_000)}}
LARGE: dict[str, dict[str, Any]] = {
    "settings": dense("d", "a", words=["x"] * 100_000),
    "a wrapper's settings": dense(
        "d", "a", cls="Bidirectional", layer={"class_name": "LSTM", "config": CELLS}
    ),
    "an equation": dense(
        "d", "a", cls="EinsumDense", equation="ab,bc->ac" + " " * 500_000, output_shape=4
    ),
    "a model": wide("d", 3_000),
    "a model at each step": dense("d", "a", cls="TimeDistributed", layer=wide("m", 2_000)),
}


@pytest.mark.parametrize("what", LARGE)
def test_what_is_large_and_called_often(hostile: Hostile, what: str) -> None:
    """The work is that of the calls times the layer; it is asked for before it is done."""
    layer = again(LARGE[what], 10_000, int("config" in LARGE[what]["config"]))
    said = functional([START, layer], "d")
    said["config"]["output_layers"] = [["d", 9_999, 0]]
    found = hostile("m.json", json.dumps(said))
    assert found.refused
    assert found.seconds < 2
    assert found.memory < 2e8


def test_layers_that_lead_nowhere_are_not_looked_at_again(hostile: Hostile) -> None:
    said = functional([START, again(wide("x", 2_000), 9_000, 1)], "x")
    said["config"]["output_layers"] = [["x", 9_000, 0]]
    found = hostile("m.json", json.dumps(said))
    assert (found.layers, found.parameters) == (9_000, 20)
    assert found.seconds < 4


def test_an_axis_more_each_layer(hostile: Hostile) -> None:
    new = {"module": "keras.src.ops.numpy", "class_name": "ExpandDims", "config": {"axis": 1}}
    layers = [
        {**new, "name": f"e{i}", "inbound_nodes": [[[f"e{i - 1}" if i else "a", 0, 0, {}]]]}
        for i in range(7_000)
    ]
    text = json.dumps(functional([START, *layers], "e6999"))
    assert "too many axes" in hostile("m.json", text).refused


def test_names_of_models_in_models(hostile: Hostile) -> None:
    said: Any = {"class_name": "Sequential", "config": [dense("d")] * 1 + [START]}
    for _ in range(25):
        config = {"name": "y" * 900, "layers": [START, said]}
        said = {"class_name": "Sequential", "name": "y" * 900, "config": config}
    assert "too long" in hostile("m.json", json.dumps(said)).refused


GROWING = {
    "layers": lambda size: {"class_name": "Sequential", "config": {"layers": [
        START, *[{"class_name": "ReLU"}] * (size // 24)]}},
    "attention": lambda size: {"class_name": "Sequential", "config": {"layers": [
        {**START, "config": {"batch_input_shape": [None, 4, 4]}},
        *[{"class_name": "MultiHeadAttention", "config": {"num_heads": 1, "key_dim": 1}}]
        * (size // 80)]}},
    "inputs": lambda size: {"class_name": "Functional", "config": {
        "layers": [{**START, "name": f"i{i}"} for i in range(size // 140)]
        + [dense("e", *(f"i{i}" for i in range(size // 140)), cls="Add")],
        "input_layers": [[f"i{i}", 0, 0] for i in range(size // 140)],
        "output_layers": [["e", 0, 0]]}},
    "edges": lambda size: functional([START, dense("e", *["a"] * (size // 16), cls="Add")], "e"),
    "strings": lambda size: functional(
        [START, dense("e", "a", cls="StringLookup", vocabulary=[""] * (size // 4))], "e"),
    "objects": lambda size: functional([START, dense("e", "a", x=[{}] * (size // 4))], "e"),
}  # fmt: skip


@pytest.mark.parametrize("what", GROWING)
def test_a_megabyte_takes_at_most_two_seconds_and_200_megabytes(
    hostile: Hostile, what: str
) -> None:
    text = json.dumps(GROWING[what](10**6))
    assert 0.7e6 < len(text) < 1.5e6
    found = hostile("m.json", text, seconds=20.0)
    assert found.memory < 2e8
    assert found.seconds < 2 * 4  # of a machine that does other work


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"class_name": "Model", "config": ' + "[" * 10**5 + "]" * 10**5 + "}", "nests too deep"),
        ('{"class_name": "Model", "config": ' + '{"a":' * 10**5, "nests too deep"),
        ('{"class_name": "Model", "config": "' + '\\"' * 10**6, "no JSON"),
        ('{"class_name": "Model", "config": [' + "[]," * 2_000_000 + "[]]}", "too many parts"),
        ('{"class_name": "Model", "config": [' + "0," * 5_000_000 + "0]}", "too many parts"),
        ('{"class_name": "Model", "config": {}, "config": {}}', "a key twice"),
        ('{"class_name": "Model", "config": {"a": -Infinity}}', "a number that is none"),
        ('{"class_name": "Model", "config": {"a": 1' + "0" * 10**6 + "}}", "too large"),
        ('{"class_name": "Model", "config": {"a": 1e' + "9" * 10**5 + "}}", "too large"),
    ],
)
def test_json(hostile: Hostile, text: str, part: str) -> None:
    assert part in hostile("m.json", text).refused


def test_names_that_are_long_or_strange(hostile: Hostile) -> None:
    name = "<script>\x1b[31m\u202e" + "x" * 900
    said = functional([START, dense(name, "a")], name)
    assert hostile("m.json", json.dumps(said), show=True).layers == 1
    name = "y" * 10**6
    assert (
        "characters"
        in hostile("l.json", json.dumps(functional([START, dense(name, "a")], name))).refused
    )


def test_code_is_not_run(hostile: Hostile) -> None:
    """Lambda's code as Keras saved it: marshalled. It would end the process."""
    code = compile("import os\nos._exit(3)", "x", "exec")
    text = base64.b64encode(marshal.dumps(code)).decode()
    function = {"class_name": "__lambda__", "config": {"code": text, "defaults": None}}
    layers = [
        START,
        dense("l", "a", cls="Lambda", function=function, module="os"),
        dense("m", "l", cls="Lambda", function=[text, None, None], function_type="lambda"),
    ]
    found = hostile("m.json", json.dumps(functional(layers, "m")))
    assert (found.how, found.complete) == ("read", False)
    module = dense("l", "a", cls="function", module="os", registered_name="system")
    module["module"] = "os"
    assert not hostile("n.json", json.dumps(functional([START, module], "l"))).complete


# --- archives -----------------------------------------------------------------------------------


def archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name.replace("_json", ".json"), data)
    return made.getvalue()


def test_archives(hostile: Hostile) -> None:
    small = json.dumps(functional([START, dense("d", "a")], "d")).encode()
    whole = archive(config_json=small)
    assert hostile("m.keras", whole).parameters == 20
    bomb = archive(config_json=b" " * (200 * 2**20))
    assert len(bomb) < 300_000
    assert "too large" in hostile("b.keras", bomb).refused
    for cut in range(0, len(whole), 7):
        hostile("c.keras", whole[:cut] or b"PK\x03\x04")
    central = whole.index(b"PK\x01\x02")
    lying = bytearray(whole)
    struct.pack_into("<I", lying, central + 24, 10**6)
    assert hostile("l.keras", bytes(lying)).refused
    other = bytearray(whole)
    struct.pack_into("<I", other, central + 42, central)
    assert hostile("o.keras", bytes(other)).refused


def test_an_archive_with_two_configurations(hostile: Hostile) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("config.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("config.json", b"{}")
    assert "two files" in hostile("m.keras", made.getvalue()).refused


# --- HDF5 ---------------------------------------------------------------------------------------


def test_hdf5(hostile: Hostile, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py, which writes them, is not installed")
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(functional([START, dense("d", "a")], "d"))
        file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")
        file["soft"] = h5py.SoftLink("/soft")
    whole = path.read_bytes()
    assert hostile("m.h5", whole).parameters == 20
    for cut in range(8, len(whole), 499):
        hostile("c.h5", whole[:cut])
    for at in range(8, min(len(whole), 2000), 61):
        hostile("d.h5", whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])


def test_what_is_no_hdf5(hostile: Hostile) -> None:
    assert hostile("m.h5", b"\x89HDF\r\n\x1a\n" + b"\xff" * 10_000).refused


MADE = seeds.hdf5(json.dumps(functional([START, dense("d", "a")], "d")))
HEAP = MADE.index(b"GCOL")
VALUE = MADE.index(HEAP.to_bytes(8, "little"), 200) - 4
HEADER = 96


def patched(at: int, data: bytes) -> bytes:
    return MADE[:at] + data + MADE[at + len(data) :]


def going_on(count: int, at: int, size: int) -> bytes:
    """The header's messages are ``count`` that say that it goes on at ``at``."""
    messages = struct.pack("<HHB3xQQ", 0x10, 16, 0, at, size) * count
    return patched(HEADER, struct.pack("<BxHII4x", 1, count, 1, len(messages)) + messages)


LIES = {
    "a heap of nothing": (patched(HEAP + 16, bytes(64)), "the heap has no such object"),
    "a heap of empty objects": (
        patched(HEAP + 16, struct.pack("<HHIQ", 9, 1, 0, 0) * 200),
        "the heap has no such object",
    ),
    "a heap whose objects go back": (
        patched(HEAP + 16, struct.pack("<HHIQ", 9, 1, 0, 2**64 - 16)),
        "the heap has no such object",
    ),
    "a heap without end": (patched(HEAP + 8, b"\xff" * 8), "a heap is longer than the file"),
    "a heap at the end of all": (patched(VALUE + 4, b"\xff" * 8), "it leads beyond its end"),
    "a text of 4 GB": (patched(VALUE, b"\xff" * 4), "its model_config is too large"),
    "a text longer than its place": (patched(VALUE, b"\0\x10\0\0"), "longer than its place"),
    "a header that goes on in itself": (
        going_on(1, HEADER + 16, 24),
        "a header goes on without end",
    ),
    "a header that goes on everywhere": (going_on(4, 2**63, 24), "it leads beyond its end"),
    "a header of 4 GB": (patched(HEADER + 8, b"\xff" * 4), "a header goes on without end"),
    "a header elsewhere": (patched(64, b"\xff" * 8), "it leads beyond its end"),
    "addresses of 255 bytes": (patched(13, b"\xff"), "addresses of 255 bytes"),
    "a version that is none": (patched(8, b"\x09"), "of a version that is not read"),
}


@pytest.mark.parametrize("what", list(LIES))
def test_hdf5_that_lies(hostile: Hostile, what: str) -> None:
    data, said = LIES[what]
    found = hostile("m.h5", data)
    assert said in found.refused
    assert found.refused.startswith("m.h5")
    assert found.seconds < 1
    assert found.memory < 2**25


def test_hdf5_as_it_was_made(hostile: Hostile) -> None:
    assert hostile("m.h5", MADE).parameters == 20
