"""A model in several files is read through its index, and no other file is opened."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import nettally
from nettally.errors import ReadError


def write_safetensors(path: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    header: dict[str, Any] = {}
    at = 0
    for name, shape in tensors.items():
        size = 4
        for each in shape:
            size *= each
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    data = json.dumps(header).encode()
    path.write_bytes(len(data).to_bytes(8, "little") + data + bytes(at))


def complaint(path: Path) -> ReadError:
    with pytest.raises(ReadError) as error:
        nettally.read(path)
    return error.value


PARTS = {
    "model-00001-of-00002.safetensors": {"a.weight": (3, 5), "a.bias": (3,)},
    "model-00002-of-00002.safetensors": {"b.weight": (7, 3)},
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    for name, tensors in PARTS.items():
        write_safetensors(tmp_path / name, tensors)
    path = tmp_path / "model.safetensors.index.json"
    write_index(path, {tensor: name for name, tensors in PARTS.items() for tensor in tensors})
    return path


def write_index(path: Path, weight_map: Any) -> None:
    path.write_text(json.dumps({"metadata": {"total_size": 156}, "weight_map": weight_map}))


def test_an_index_reads_all_its_files(index: Path) -> None:
    counted = nettally.tally(nettally.read(index))
    assert counted.parameters == 15 + 3 + 21
    assert counted.parameters_complete
    assert counted.network.name == "model"
    assert any("read from 2 files" in note for note in counted.network.notes)


def test_one_file_says_that_it_is_one_of_several(index: Path) -> None:
    counted = nettally.tally(nettally.read(index.with_name("model-00002-of-00002.safetensors")))
    assert (counted.parameters, counted.parameters_complete) == (21, False)
    note = next(note for note in counted.network.notes if "file 2 of 2" in note)
    assert str(index) in note
    index.unlink()
    network = nettally.read(index.with_name("model-00002-of-00002.safetensors"))
    assert any("the others hold the rest" in note for note in network.notes)


def test_a_file_that_is_missing_is_named(index: Path) -> None:
    index.with_name("model-00002-of-00002.safetensors").unlink()
    error = complaint(index)
    assert "model-00002-of-00002.safetensors" in error.what
    assert "index" in error.what
    assert error.where == str(index)


@pytest.mark.parametrize(
    "file", ["../x.safetensors", "/etc/passwd", "a/b.bin", "..", "", "c:x", "a\\b", "a\0b", 5, None]
)
def test_only_files_beside_the_index_are_opened(file: Any, index: Path) -> None:
    write_index(index, {"a.weight": file})
    assert "can't be one beside it" in complaint(index).what


def test_a_file_beside_that_is_no_table_is_not_shown(index: Path) -> None:
    index.with_name("secret").write_text("the password is xyzzy")
    write_index(index, {"a.weight": "secret"})
    error = complaint(index)
    assert "no table of tensors" in error.what
    assert "xyzzy" not in str(error)
    os.mkfifo(index.with_name("pipe"))
    write_index(index, {"a.weight": "pipe"})
    assert "a pipe" in complaint(index).what


def test_an_index_that_is_not_of_its_files_is_refused(index: Path) -> None:
    one, two = PARTS
    write_index(index, {"a.weight": two, "b.weight": two})
    assert complaint(index).values == "missing: a.weight"
    write_safetensors(index.with_name(two), {"a.weight": (2,), "b.weight": (7, 3)})
    write_index(index, {"a.weight": one, "b.weight": two})
    assert "two files hold the tensor 'a.weight'" in complaint(index).what
    for weight_map in ({}, [], 5):
        write_index(index, weight_map)
        assert "no weight_map" in complaint(index).what


def test_checkpoints_in_several_files(tmp_path: Path) -> None:
    """Storages have the same numbers in every file, and are not shared for that."""
    torch = pytest.importorskip("torch")
    files = {"pytorch_model-00001-of-00002.bin": "a", "pytorch_model-00002-of-00002.bin": "b"}
    for file, name in files.items():
        tensor = torch.zeros(4, 5)
        torch.save({f"{name}.weight": tensor, f"{name}.tied": tensor}, tmp_path / file)
    names = {f"{name}.{part}": file for file, name in files.items() for part in ("weight", "tied")}
    write_index(tmp_path / "pytorch_model.bin.index.json", names)
    counted = nettally.tally(nettally.read(tmp_path / "pytorch_model.bin.index.json"))
    assert counted.parameters == 2 * 20
