"""ONNX in protobuf's text format and in JSON reads as the binary file does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nettally
from nettally.errors import ReadError
from nettally.formats import HEAD, Source
from nettally.formats.onnx import sniff
from nettally.formats.onnx.text import binary

TEXT = """# written by hand
ir_version: 8
opset_import { domain: "" version: 13 }
graph {
  name: "g"
  node { input: "x" input: "w" output: "y" op_type: "Gemm"
         attribute { name: "alpha" f: 1.5 type: FLOAT }
         attribute { name: "transB" i: 1 type: INT } }
  initializer { dims: 3 dims: 4 data_type: 1 name: "w" float_data: [0.5, -1, 2e3, 0, 0, 0]
    float_data: 1 float_data: 2 float_data: 3 float_data: 4 float_data: 5 float_data: 6.0f }
  input { name: "x" type { tensor_type { elem_type: 1 shape { dim { dim_value: 1 }
    dim { dim_value: 4 } } } } }
  output { name: "y" type { tensor_type { elem_type: 1 } } }
}
"""

JSON = {
    "irVersion": "8",
    "opsetImport": [{"domain": "", "version": "13"}],
    "graph": {
        "name": "g",
        "node": [
            {
                "input": ["x", "w"],
                "output": ["y"],
                "opType": "Gemm",
                "attribute": [
                    {"name": "alpha", "f": 1.5, "type": "FLOAT"},
                    {"name": "transB", "i": "1", "type": "INT"},
                ],
            }
        ],
        "initializer": [
            {
                "dims": ["3", "4"],
                "dataType": 1,
                "name": "w",
                "floatData": [0.5, -1, 2e3, 0, 0, 0, 1, 2, 3, 4, 5, 6],
            }
        ],
        "input": [
            {
                "name": "x",
                "type": {
                    "tensorType": {
                        "elemType": 1,
                        "shape": {"dim": [{"dimValue": "1"}, {"dimValue": "4"}]},
                    }
                },
            }
        ],
        "output": [{"name": "y", "type": {"tensorType": {"elemType": 1}}}],
    },
}


@pytest.mark.parametrize("name", ["net.onnxtxt", "net.pbtxt", "net.txt", "net.json", "net"])
@pytest.mark.parametrize("text", [TEXT, json.dumps(JSON), "\n  " + json.dumps(JSON, indent=1)])
def test_a_text_is_read_whatever_it_is_called(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    counted = nettally.tally(nettally.read(tmp_path / name))
    assert (counted.parameters, counted.macs) == (12, 12)
    assert counted.rows[-1].shape == (1, 3)


def test_text_and_json_say_the_same_as_onnx_reads_of_them() -> None:
    onnx = pytest.importorskip("onnx")
    text_format = pytest.importorskip("google.protobuf.text_format")
    model = text_format.Parse(TEXT, onnx.ModelProto())
    for text in (TEXT, json.dumps(JSON)):
        ours = onnx.ModelProto.FromString(binary(Source("net", b""), text.encode()))
        assert ours == model


def test_files_of_the_corpus_in_text_are_what_they_are_in_binary(shared: Path) -> None:
    """Every model, written by protobuf as text and as JSON, comes back byte for byte."""
    onnx = pytest.importorskip("onnx")
    text_format = pytest.importorskip("google.protobuf.text_format")
    json_format = pytest.importorskip("google.protobuf.json_format")
    folders = (shared / "corpus" / "onnx", shared / "corpus" / "onnx-node-tests")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.onnx"))]
    for path in [path for path in paths if path.stat().st_size < 300_000]:
        model = onnx.load(path, load_external_data=False)
        for text in (
            text_format.MessageToString(model),
            json_format.MessageToJson(model),
            json_format.MessageToJson(model, preserving_proto_field_name=True),
        ):
            assert sniff(text.encode()[:HEAD], "net")
            ours = onnx.ModelProto.FromString(binary(Source("net", b""), text.encode()))
            assert ours == model, path
    assert len(paths) > 300


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (TEXT.replace("op_type:", "op_tipe:"), "a Node has no field 'op_tipe'", "net:6"),
        (TEXT.replace("dims: 3", "dimms: 3"), "a Tensor has no field 'dimms'", "net:9"),
        (TEXT.replace("dims: 3", "dims: 3.5"), "'dims' is a whole number", "net:9"),
        (
            TEXT.replace("dims: 3", "dims: 99999999999999999999"),
            "'dims' is a whole number",
            "net:9",
        ),
        (TEXT.replace("dims: 3", "dims { }"), "'dims' is a whole number", "net:9"),
        (TEXT.replace("f: 1.5", "f: high"), "'f' is a number", "net:7"),
        (TEXT.replace("FLOAT }", "FLOTA }"), "'type' is a type", "net:7"),
        (TEXT.replace("graph {", "graph: 5\n functions {"), "a Graph is a message", ""),
        (TEXT.replace("dims: 3", "dims: 5"), "more or less contents", ""),
        (TEXT[:-3], "is never closed", "net:4"),
        (json.dumps({**JSON, "graph": [1]}), "a Graph is an object", "net"),
        (json.dumps({**JSON, "grph": {}}), "a Model has no field 'grph'", "net"),
        (json.dumps(JSON).replace('"name": "w"', '"name": "w", "rawData": "?"'), "in base64", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    text: str, what: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net").write_text(text)
    with pytest.raises(ReadError) as error:
        nettally.read("./net")
    assert what in error.value.what
    assert error.value.where.removeprefix("./").startswith(where)


def test_escapes_are_bytes_and_letters_are_letters() -> None:
    onnx = pytest.importorskip("onnx")
    text = TEXT.replace('name: "g"', r'name: "caf\303\251 Größe"'.replace(" Größe", ""))
    assert onnx.ModelProto.FromString(binary(Source("n", b""), text.encode())).graph.name == "café"
    text = TEXT.replace('name: "g"', 'name: "Größe"')
    assert onnx.ModelProto.FromString(binary(Source("n", b""), text.encode())).graph.name == "Größe"


SYNTAX = """<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
g (float[N, 3] x, float[3] b = {1, 2.5, -1e-3}) => (float[N, 5] y)
<float[3, 5] w = {0,1,2,3,4,5,6,7,8,9,10,11,12,13,14}, float[N, 5] h>
{
   [first] s = Add (x, b)  # a comment
   h = MatMul (s, w)
   y = mine.Twice <times: float = @t, body: graph = inner (i) => (o) { o = Relu (i) }> (h)
}
<domain: "mine", opset_import: ["" : 17]>
Twice <t: float = 2> (a) => (c) { c = Add (a, a) }
"""


def test_the_syntax_of_onnx_is_read(tmp_path: Path) -> None:
    (tmp_path / "net.onnxtxt").write_text(SYNTAX)
    found = nettally.tally(nettally.read(tmp_path / "net.onnxtxt", (4, 3)))
    assert found.parameters == 3 + 15
    assert found.macs == 4 * 3 * 5
    assert found["first"].shape == (4, 3)


def test_the_syntax_of_onnx_says_what_its_printer_printed(corpus: Path) -> None:
    """Models of the corpus, printed by onnx and read by us, print the same again."""
    onnx = pytest.importorskip("onnx")
    printer = pytest.importorskip("onnx.printer")
    read = 0
    for path in sorted(corpus.rglob("*.onnx")):
        if path.stat().st_size > 200_000:
            continue
        text = printer.to_text(onnx.load(path, load_external_data=False))
        again = onnx.ModelProto.FromString(binary(Source("n", b""), text.encode()))
        assert printer.to_text(again) == text, path.name
        read += 1
    assert read > 100


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("x, b)", "x b)"), "',' should come here"),
        (("= Add", "Add"), "'=' should come here"),
        (("float[3, 5]", "flout[3, 5]"), "'flout' is no type"),
        (('"mine" : 1', "mine : 1"), "text in quotation marks"),
        (("= {1, 2.5", "= {1, two"), "a number should come here"),
        (("(c) { c", "(c) { ! c"), "has no meaning here"),
    ],
)
def test_what_is_wrong_in_the_syntax_is_said_with_its_line(
    change: tuple[str, str], what: str
) -> None:
    assert change[0] in SYNTAX
    with pytest.raises(ReadError, match=what) as error:
        binary(Source("net.onnxtxt", b""), SYNTAX.replace(*change).encode())
    assert error.value.where.startswith("net.onnxtxt:")


@pytest.mark.parametrize("end", [10, 40, 90, 200, 300, 420])
def test_a_syntax_that_is_cut_off_is_refused(end: int) -> None:
    with pytest.raises(ReadError):
        binary(Source("n", b""), SYNTAX[:end].encode())


def test_python_that_speaks_of_onnx_is_no_model() -> None:
    assert not sniff(
        b"import onnx\ngraph = {}\nop_type: str = 'Gemm'\nir_version: int = 8\n", "x.py"
    )
    assert not sniff(b'{"graph": {"nodes": []}}', "x.json")
