"""safetensors' headers: what they hold, and each way in which one can lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nettally import cli, read, tally
from nettally.errors import ReadError

SMALL = {
    "net.0.weight": ("F32", [8, 3, 5, 5]),
    "net.0.bias": ("F32", [8]),
    "net.10.weight": ("F16", [4, 8]),
    "net.2.running_mean": ("F32", [8]),
    "net.2.num_batches_tracked": ("I64", []),
    "net.2.weight": ("BF16", [8]),
    "token": ("F32", [1, 7]),
    "positions": ("I64", [1, 9]),
}
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "F4": 0.5}


def header(tensors: dict[str, tuple[str, list[int]]], **more: Any) -> tuple[dict[str, Any], int]:
    """The header's entries, one behind the other, and the bytes that they take."""
    made: dict[str, Any] = {}
    at = 0
    for name, (dtype, shape) in tensors.items():
        count = 1
        for size in shape:
            count *= size
        size = int(count * BYTES[dtype])
        made[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return {**made, **more}, at


def file(text: str | bytes | dict[str, Any], data: int = 0, *, length: int | None = None) -> bytes:
    """A file of a header and so many bytes behind it; length: that the file states for it."""
    if isinstance(text, dict):
        text = json.dumps(text)
    raw = text.encode() if isinstance(text, str) else text
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + b"\0" * data


def entry(
    offsets: str = "[0, 24]", shape: str = "[2, 3]", dtype: str = '"F32"', more: str = ""
) -> str:
    return f'{{"a": {{"dtype": {dtype}, "shape": {shape}, "data_offsets": {offsets}{more}}}}}'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    path.write_bytes(file(*header(SMALL)))
    return path


def test_a_table(small: Path) -> None:
    network = read(small)
    assert [node.name for node in network.nodes] == [
        "net.0", "net.2", "net.10", "positions", "token",
    ]  # fmt: skip
    assert {node.module for node in network.nodes} == {"net", ""}
    counted = tally(network)
    assert counted["net.0"].parameters == {"weight": (8, 3, 5, 5), "bias": (8,)}
    assert counted["net.2"].parameters == {"weight": (8,)}
    assert counted["net.2"].buffers == {"running_mean": (8,), "num_batches_tracked": ()}
    assert counted["positions"].parameters == {}
    # 8 filters of 3x5x5 and 8 biases; 4 rows of 8; 8 factors; 7 values of the token
    assert counted.parameters == 8 * 75 + 8 + 32 + 8 + 7
    assert counted.parameters_complete
    assert not counted.complete
    assert all(row.shape is None and row.work is None for row in counted)


def test_nothing_is_shown_as_zero(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tally", str(small)]) == 0
    shown = capsys.readouterr().out
    assert "MACs        not known" in shown.replace("-", "")
    assert "neurons     not known" in shown
    assert "parameters        655  647 weights + 8 biases" in shown
    assert "bias 8, weight 8x3x5x5" in shown
    assert cli.run(["tally", str(small), "--format", "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["parameters"], totals["macs"], totals["neurons"]) == (655, None, None)
    assert (totals["complete"], totals["parameters_complete"]) == (False, True)
    assert cli.run(["reconcile", str(small)]) == 0
    assert "the work of these layers is not known" in capsys.readouterr().out
    assert cli.run(["diff", str(small), "lenet-5"]) == 1
    assert "not known → 326,520" in capsys.readouterr().out
    assert cli.run(["tally", str(small), "--working", "net.0"]) == 0
    shown = capsys.readouterr().out
    assert "bias 8 + weight 600 = 608" in shown
    assert "not known: the work of net.0" in shown


def test_notes(small: Path) -> None:
    notes = read(small).notes
    assert notes[0].startswith("a table of parameters: it does not tell what the layers compute")
    assert notes[1] == "tensors: 8: 4 of F32, 2 of I64, 1 of BF16, 1 of F16"
    assert any("whole numbers are taken as kept and not learned: positions" in n for n in notes)


def test_names_of_one_tensor_are_counted_once(tmp_path: Path) -> None:
    made, size = header({"embed.weight": ("F32", [10, 4]), "norm.weight": ("F32", [4])})
    made["__metadata__"] = {"format": "pt", "head.weight": "embed.weight"}
    path = tmp_path / "tied.safetensors"
    path.write_bytes(file(made, size))
    network = read(path)
    assert tally(network).parameters == 44
    assert dict(network["head"].shared) == {"weight": "embed.weight"}
    assert "shared tensors are counted once: head.weight is embed.weight" in network.notes


def test_what_forks_add_is_said(tmp_path: Path) -> None:
    path = tmp_path / "fork.safetensors"
    path.write_bytes(file(entry(more=', "note": "x"'), 24))
    assert "keys that the format does not have: note" in read(path).notes
    path.write_bytes(file(entry(dtype='"F99"'), 24))
    assert "kinds of numbers whose sizes are not known: F99" in read(path).notes


def test_four_bits(tmp_path: Path) -> None:
    path = tmp_path / "four.safetensors"
    path.write_bytes(file(*header({"a.weight": ("F4", [4, 3])})))
    assert tally(read(path)).parameters == 12


def test_spaces_and_escapes(tmp_path: Path) -> None:
    text = ' {"\\u00e9.weight" : {"shape":[ 2 ] ,"data_offsets" : [0,8],"dtype":"F32"} }   '[1:]
    path = tmp_path / "odd.safetensors"
    path.write_bytes(file(text, 8))
    assert read(path).nodes[0].name == "é"


def test_against_the_format_itself(tmp_path: Path) -> None:
    """The format's own writer, where it is installed, of torch's parameters and buffers."""
    own = pytest.importorskip("safetensors.torch")
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.MultiheadAttention(8, 2))
    own.save_file(net.state_dict(), tmp_path / "net.safetensors")
    counted = tally(read(tmp_path / "net.safetensors"))
    assert counted.parameters == sum(p.numel() for p in net.parameters())
    kept = sum(n.numel() for n in net.buffers())
    assert sum(torch.Size(s).numel() for row in counted for s in row.buffers.values()) == kept


ONE = '"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}'
MALFORMED = {
    "empty": (b"", "this is an empty file"),
    "short": (b"\x10\0\0", "the file is too short"),
    "no tensors": (file("{}"), "the file has no tensors"),
    "only metadata": (file({"__metadata__": {"format": "pt"}}), "the file has no tensors"),
    "too long": (file("{}", length=100_000_001), "100,000,001 bytes, at most 100,000,000"),
    "longer than the file": (file("{}", length=99_999), "the header is longer than the file"),
    "negative": (file("{}", length=2**64 - 8), "the header is longer than the format allows"),
    "no brace": (file("[1]"), "the header does not begin with {"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "twice": (file(f"{{{ONE}, {ONE}}}", 24), "'a' stands twice"),
    "a key twice": (file(entry(more=', "shape": [6]'), 24), "'shape' stands twice in one entry"),
    "no shape": (file('{"a": {"dtype": "F32", "data_offsets": [0, 24]}}', 24), "'a' has no shape"),
    "no dtype": (file(entry(dtype="3"), 24), "no dtype or shape that can be one"),
    "shape of text": (file(entry(shape='"2"'), 24), "no dtype or shape that can be one"),
    "shape of fractions": (file(entry(shape="[2.0, 3]"), 24), "'a' has a size that is none"),
    "shape of truths": (file(entry(shape="[true, 6]"), 24), "'a' has a size that is none"),
    "negative size": (file(entry(shape="[-2, -3]"), 24), "'a' has a size that is none"),
    "wrapping": (file(entry(shape="[4294967296, 4294967296, 3]", offsets="[0, 0]")),
                 "F32 4294967296x4294967296x3 takes 221,360,928,884,514,619,392, lies in 0"),
    "wrapping to the size": (file(entry(shape=f"[{2**62}, 4, 1]", offsets="[0, 0]")),
                             "lies in another number of bytes than it takes"),
    "many axes": (file(entry(shape=str([1] * 100), offsets="[0, 4]"), 4), "'a' has too many axes"),
    "one offset": (file(entry(offsets="[24]"), 24), "no data_offsets that can be any"),
    "backwards": (file(entry(offsets="[24, 0]"), 24), "no data_offsets that can be any"),
    "too few bytes": (file(entry(offsets="[0, 20]"), 20), "F32 2x3 takes 24, lies in 20"),
    "overlap": (file(f'{{{ONE}, {ONE.replace("a", "b", 1).replace("[0, 24]", "[12, 36]")}}}', 36),
                "'b' lies over 'a'"),
    "the same place": (file(f'{{{ONE}, {ONE.replace("a", "b", 1)}}}', 24), "'b' lies over 'a'"),
    "hole": (file(f'{{{ONE}, {ONE.replace("a", "b", 1).replace("[0, 24]", "[32, 56]")}}}', 56),
             "'b' leaves a hole after 'a'"),
    "hole before": (file(entry(offsets="[8, 32]"), 32), "nothing lies before 'a'"),
    "past the end": (file(entry(), 20), "the tensors lie beyond the end of the file"),
    "before the end": (file(entry(), 32), "the tensors end before the file"),
    "behind the header": (file(entry() + "x", 24), "something follows the header's end"),
    "no end": (file(entry()[:-1], 24), "the header has no end"),
    "no comma": (file(f"{{{ONE} {ONE.replace('a', 'b', 1)}}}", 24), "a comma is missing"),
    "not a number": (file(entry(shape="[NaN]"), 24), "this is not JSON"),
    "huge number": (file(entry(shape="[1e999]"), 24), "'a' has a size that is none"),
    "long number": (file(entry(shape=f"[{'9' * 5000}]"), 24), "this is not JSON"),
    "metadata of numbers": (file('{"__metadata__": {"a": 1}, ' + ONE + "}", 24), "only text"),
    "half a surrogate": (file('{"\\ud800": ' + entry()[6:], 24), "this is not JSON"),
    "no text": (file(entry().encode().replace(b'"a"', b'"\xff"'), 24), "this is not JSON"),
    "nested": (file('{"a": {"dtype": {"b": 1}}}'), "this is no entry of a header"),
    "long name": (file('{"' + "x" * 5000 + '": ' + entry()[6:], 24), "a tensor's name is too long"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    data, message = MALFORMED[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(ReadError) as caught:
        read(path)
    assert message in str(caught.value)
    assert "x.safetensors" in str(caught.value)


def test_more_than_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettally.formats.named_tensor.MAX_TENSORS", 3)
    path = tmp_path / "x.safetensors"
    path.write_bytes(file(*header(SMALL)))
    with pytest.raises(ReadError, match="too many tensors\n  values: over 3"):
        read(path)


def test_it_is_known_by_its_content(small: Path) -> None:
    other = small.with_name("weights")
    other.write_bytes(small.read_bytes())
    assert len(read(other).nodes) == 5
