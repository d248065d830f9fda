"""What is asked before any reader: is it a file at all; and what comes after: what is printed."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING

import pytest

from nettally.cli import run
from nettally.formats import FORMATS, MAX_TEXT
from seeds import MADE
from targets import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Hostile
    from limited import Limited


def test_a_folder(hostile: Hostile, tmp_path: Path) -> None:
    (tmp_path / "x.cfg").mkdir()
    assert hostile("x.cfg").refused == "x.cfg: this is a folder\n  try: name a file in it"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_that_nobody_writes_to(hostile: Hostile, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.onnx")
    assert hostile("x.onnx").refused.startswith("x.onnx: this is a pipe, and not a file")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no /dev/zero")
def test_a_device_without_end(hostile: Hostile, tmp_path: Path) -> None:
    (tmp_path / "x.prototxt").symlink_to("/dev/zero")
    assert hostile("x.prototxt").refused.startswith("x.prototxt: this is a device, and not a file")


def test_a_link_to_nothing(hostile: Hostile, tmp_path: Path) -> None:
    (tmp_path / "x.pt").symlink_to(tmp_path / "nothing")
    assert "x.pt" in hostile("x.pt").refused


def test_a_link_to_itself(hostile: Hostile, tmp_path: Path) -> None:
    (tmp_path / "x.json").symlink_to(tmp_path / "x.json")
    assert "x.json" in hostile("x.json").refused


@pytest.mark.parametrize("suffix", ["", *sorted(set(SUFFIXES.values())), ".h5", ".keras", ".pth"])
def test_nothing_in_it(hostile: Hostile, suffix: str) -> None:
    assert hostile(f"x{suffix}", b"").refused.startswith(f"x{suffix}")


@pytest.mark.parametrize("byte", [b"\0", b"\x08", b"\x80", b"\xff", b"{", b"[", b"P", b" ", b"\n"])
@pytest.mark.parametrize("suffix", [".dat", *sorted(set(SUFFIXES.values())), ".h5", ".keras"])
def test_one_byte_over_and_over(hostile: Hostile, byte: bytes, suffix: str) -> None:
    assert hostile(f"x{suffix}", byte * 100_000).refused.startswith(f"x{suffix}")


@pytest.mark.parametrize(
    "name", ["native", "ncnn", "cuda_convnet", "darknet", "caffe", "keras", "language_models"]
)
def test_a_text_too_large(hostile: Hostile, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{SUFFIXES[name]}"
    seed = MADE[name][0]
    with path.open("wb") as file:
        file.write(seed.encode() if isinstance(seed, str) else seed)
        file.truncate(2 * MAX_TEXT)  # of nothing, which takes no place on a disk
    found = hostile(path.name)
    assert found.refused.startswith(path.name)
    assert found.memory < 2**26


@pytest.mark.parametrize("name", list(FORMATS))
def test_one_format_called_as_another(limited: Limited, tmp_path: Path, name: str) -> None:
    """A file is known by what it says: under another name it is read as it is, or refused."""
    seed = MADE[name][0]
    for suffix in {*SUFFIXES.values(), ".h5", ".keras", ""}:
        path = tmp_path / f"x{suffix}"
        path.write_bytes(seed.encode() if isinstance(seed, str) else seed)
        found = limited.read(path, inputs={"": (3, 32, 32)})
        assert found.survived, f"{name} as {suffix}: {found.text}"
        path.unlink()


# --- what is printed ----------------------------------------------------------------------------

LOUD = ["\x1b[2J=", "=1+1;", "<b>&;", "\u202ea=", "@SUM(", "|a|\n#"]
"""Names of five bytes: for a terminal, a spreadsheet, a browser, the eye, and Markdown."""

NAMED = {
    **dict.fromkeys(("ncnn", "caffe", "caffemodel", "safetensors", "checkpoint"), b"conv1"),
    "keras": b'conv"',
    "tflite": b"nsor3",
    "onnx": b"Conv_",
}


def loud(name: str, word: str) -> bytes:
    """The first seed of a format with five bytes of a name exchanged; JSON escapes them."""
    seed = MADE[name][0]
    data = seed.encode() if isinstance(seed, str) else seed
    new = word.encode()[:5].ljust(5, b"_")
    if name in ("keras", "safetensors"):
        spelled = json.dumps(new.decode("utf-8", "replace")).encode()[1:-1]
        if name == "keras":
            return data.replace(b'"conv"', b'"' + spelled + b'"')
        header = data[8 : 8 + int.from_bytes(data[:8], "little")].replace(b"conv1", spelled)
        return len(header).to_bytes(8, "little") + header + bytes(448)
    return data.replace(NAMED[name], new)


@pytest.mark.parametrize("name", list(NAMED))
@pytest.mark.parametrize("word", LOUD)
def test_names_are_printed_and_do_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, word: str
) -> None:
    path = tmp_path / f"x{SUFFIXES[name]}"
    path.write_bytes(loud(name, word))
    assert word.encode()[:4] in loud(name, word) or name in ("keras", "safetensors")
    for form in ("table", "csv", "markdown", "json"):
        code = run(["tally", str(path), "--format", form])
        said = "".join(capsys.readouterr())
        assert code in (0, 2), said
        assert "\x1b" not in said
        assert "\u202e" not in said
        if code == 0 and form == "csv":
            cells = [cell for row in csv.reader(io.StringIO(said)) for cell in row]
            assert not [cell for cell in cells if cell[:1] in ("=", "+", "@")]
        if code == 0 and form == "json":
            assert json.loads(said)
        if code == 0 and form == "markdown":
            assert "<b>" not in said
