"""A network that is packed is read: from a zip archive, a gzip or bzip2 file, a JSON string."""

from __future__ import annotations

import bz2
import gzip
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

import nettally
from nettally import cli
from nettally.errors import NettallyError, ReadError
from nettally.formats import names_code, names_member, names_zoo, packings
from seeds import seeds
from targets import TARGETS

YAML = b"nettally: 1\ninput: 3x8x8\nlayers:\n  - c: conv 4, 3x3\n"


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def complaint(path: Path | str) -> ReadError:
    with pytest.raises(ReadError) as error:
        nettally.read(path)
    return error.value


@pytest.mark.parametrize("name", [name for name in nettally.formats.FORMATS if name in TARGETS])
def test_packed_and_plain_are_the_same(name: str, tmp_path: Path) -> None:
    """Every format reads the same out of a packing as from its own file."""
    data, suffix = seeds(name)[0], TARGETS[name].suffix
    sizes = (3, 32, 32) if name == "cuda_convnet" else None
    (tmp_path / f"net{suffix}").write_bytes(data)
    plain = nettally.tally(nettally.read(tmp_path / f"net{suffix}", sizes))
    (tmp_path / f"net{suffix}.gz").write_bytes(gzip.compress(data))
    (tmp_path / f"net{suffix}.bz2").write_bytes(bz2.compress(data))
    write_zip(tmp_path / "a.zip", {"about.txt": b"A net.", f"nets/net{suffix}": data})
    write_zip(
        tmp_path / "b.zip", {f"net{suffix}": data, f"other{suffix}": data}, zipfile.ZIP_STORED
    )
    for packed in (
        tmp_path / f"net{suffix}.gz",
        tmp_path / f"net{suffix}.bz2",
        tmp_path / "a.zip",
        f"{tmp_path / 'a.zip'}:nets/net{suffix}",
        f"{tmp_path / 'b.zip'}:net{suffix}",
    ):
        counted = nettally.tally(nettally.read(packed, sizes))
        assert counted.network.name == plain.network.name
        assert [(row.node.name, row.shape, row.parameters) for row in counted] == [
            (row.node.name, row.shape, row.parameters) for row in plain
        ]


def test_several_networks_are_listed_and_one_can_be_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "nets.zip", {"a.yaml": YAML, "b/c.yaml": YAML, "x.txt": b"x"})
    error = complaint(path)
    assert "2 files that can be read" in error.what
    assert error.values == "a.yaml, b/c.yaml"
    assert error.hint == f"name one: {path}:a.yaml"
    assert nettally.read(f"{path}:b/c.yaml").name == "c"
    error = complaint(f"{path}:c.yaml")
    assert "has no file 'c.yaml'" in error.what
    assert error.hint


def test_a_member_is_named_in_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_zip(tmp_path / "nets.zip", {"a.yaml": YAML, "b.yaml": YAML})
    for command in (["tally"], ["check", "--claim", "parameters = 112"], ["report"]):
        words = [command[0], f"{path}:a.yaml", *command[1:]]
        if command == ["report"]:
            words += ["-o", str(tmp_path / "r.html")]
        assert cli.run(words) == 0, words
    assert "112" in capsys.readouterr().out


def test_what_names_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_zip(tmp_path / "nets.zip", {"a.yaml": YAML})
    (tmp_path / "net.py").write_text("x = 1\n")
    for name, is_member in {
        "nets.zip:a.yaml": True,
        "net.py:Net": False,
        "torchvision:resnet50": False,
        "nets.zip:": False,
        "nets.zip": False,
    }.items():
        assert names_member(name) == is_member
    assert not names_code("nets.zip:a.yaml")
    assert not names_zoo("nets.zip:a.yaml")
    assert names_code("net.py:Net")


def test_a_member_of_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_bytes(YAML)
    assert "no zip archive" in complaint(f"{tmp_path / 'net.yaml'}:a").what


def test_complaints_about_a_packed_file_say_where_it_lies(tmp_path: Path) -> None:
    bad = YAML.replace(b"conv 4", b"cnov 4")
    path = write_zip(tmp_path / "n.zip", {"a.yaml": bad})
    with pytest.raises(NettallyError) as error:
        nettally.read(path)
    assert error.value.where == f"{path}/a.yaml:4"
    assert "it lies in a zip archive" in error.value.values
    (tmp_path / "a.yaml.gz").write_bytes(gzip.compress(bad))
    with pytest.raises(NettallyError) as error:
        nettally.read(tmp_path / "a.yaml.gz")
    assert "it lies in a gzip file" in error.value.values


def test_what_is_packed_twice_is_refused(tmp_path: Path) -> None:
    twice = gzip.compress(gzip.compress(YAML))
    (tmp_path / "a.yaml.gz.gz").write_bytes(twice)
    assert "no format" in complaint(tmp_path / "a.yaml.gz.gz").what
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"a".ljust(257, b"\0") + b"ustar\0"))
    error = complaint(tmp_path / "a.tar.gz")
    assert "a tar archive" in error.what
    assert "tar -xf" in error.hint


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx.gz"
    path.write_bytes(gzip.compress(bytes(80 * 2**20)))
    assert "too large when it is unpacked" in complaint(path).what
    path = write_zip(tmp_path / "net.zip", {"net.yaml": b"nettally: 1\n#" + bytes(200 * 2**20)})
    assert "too large when it is unpacked" in complaint(path).what


@pytest.mark.parametrize("opener", [gzip, bz2])
def test_damaged_files_are_refused(opener: Any, tmp_path: Path) -> None:
    whole = opener.compress(YAML * 50)
    for cut in (len(whole) // 2, len(whole) - 3):
        (tmp_path / "net.yaml.gz").write_bytes(whole[:cut])
        assert "damaged or cut off" in complaint(tmp_path / "net.yaml.gz").what
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 255
    (tmp_path / "net.yaml.gz").write_bytes(broken)
    assert "damaged or cut off" in complaint(tmp_path / "net.yaml.gz").what


def test_a_member_that_is_not_what_the_directory_says_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "n.zip", {"a.yaml": YAML * 30}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    assert "checksum" in complaint(path).what


def test_keras_json_in_a_json_string(tmp_path: Path) -> None:
    config = json.loads(seeds("keras")[0])
    (tmp_path / "plain.json").write_text(json.dumps(config))
    (tmp_path / "string.json").write_text("\n " + json.dumps(json.dumps(config)))
    plain = nettally.tally(nettally.read(tmp_path / "plain.json"))
    string = nettally.tally(nettally.read(tmp_path / "string.json"))
    assert (string.parameters, string.macs) == (plain.parameters, plain.macs)
    (tmp_path / "thrice.json").write_text(json.dumps(json.dumps(json.dumps(config))))
    assert "no format" in complaint(tmp_path / "thrice.json").what


def test_torchscript_is_known_whatever_it_is_called(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(160, 160), torch.nn.Linear(160, 2))
    with warnings.catch_warnings(action="ignore"):  # newer torch warns of jit
        torch.jit.save(torch.jit.script(module), str(tmp_path / "net.jit"))
    count = 160 * 161 + 161 * 2
    (tmp_path / "scripted").write_bytes((tmp_path / "net.jit").read_bytes())
    for name in ("net.jit", "scripted"):
        assert nettally.tally(nettally.read(tmp_path / name)).parameters == count
    with zipfile.ZipFile(tmp_path / "net.jit") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    pickle = next(name for name in files if name.endswith("/data.pkl"))
    last = {name: data for name, data in files.items() if name != pickle} | {pickle: files[pickle]}
    path = write_zip(tmp_path / "again.model", last, zipfile.ZIP_STORED)
    assert nettally.tally(nettally.read(path)).parameters == count


def test_an_empty_network_is_refused(tmp_path: Path) -> None:
    empty = b"\x08\x08\x12\x05maker\x3a\x03\x12\x01g"
    (tmp_path / "net.onnx").write_bytes(empty)
    assert "is empty" in complaint(tmp_path / "net.onnx").what
    error = complaint(write_zip(tmp_path / "net.zip", {"net.onnx": empty}))
    assert "zip" in error.values


def test_the_caps_are_as_they_are_described() -> None:
    assert packings.MAX_UNPACKED == 2**30
    assert packings.MAX_RATIO == 100
