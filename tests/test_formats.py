"""What is said of the formats that are read, and that each reader says it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nettally import cli, formats, read, tally
from nettally.errors import NettallyError
from nettally.formats import FORMATS, Format
from seeds import seeds
from targets import TARGETS


def test_each_format_is_listed_in_the_order_of_asking() -> None:
    assert list(formats.formats())[: len(FORMATS)] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_reader_says_what_it_reads(name: str) -> None:
    said = formats.format_module(name).FORMAT
    assert isinstance(said, Format)
    assert said.title
    assert said.versions
    assert all(each.startswith(".") for each in said.suffixes)
    assert all(gap and gap[0] != " " and not gap.endswith(".") for gap in said.gaps)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["formats"]) == 0
    shown = capsys.readouterr().out
    for said in formats.formats().values():
        assert said.title in shown
        for suffix in said.suffixes:
            assert suffix in shown


def test_a_reader_that_says_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "silent.py").write_text("def sniff(head, name): return False\n")
    about = tmp_path / "silent-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: silent\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[nettally.formats]\nquiet = silent\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert formats.formats()["quiet"] == Format("quiet")
    assert cli.run(["formats"]) == 0
    assert "quiet" in capsys.readouterr().out
    sys.modules.pop("silent", None)


def test_the_former_group_of_entry_points_is_read_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "former.py").write_text("def sniff(head, name): return False\n")
    about = tmp_path / "former-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: former\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[nettally.readers]\nolder = former\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(FutureWarning, match="nettally.readers is now nettally.formats, .*: older"):
        listed = formats.formats()
    assert listed["older"] == Format("older")
    sys.modules.pop("former", None)


def test_sniffing_imports_little() -> None:
    """Modules that are only asked whether a file is theirs: no json, zipfile, re."""
    import subprocess

    code = """
import sys
before = set(sys.modules)
from nettally import formats
for name in ("safetensors", "checkpoint", "tflite"):
    formats.format_module(name).sniff(b"PK\\x03\\x04" + b"x" * 300, "x")
print(*sorted({"json", "zipfile", "zlib", "pickle", "struct"} & set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_a_file_whose_name_is_no_utf8_is_read(name: str, tmp_path: Path) -> None:
    """POSIX names files by bytes; what is no text in them comes out escaped."""
    path = os.path.join(os.fsencode(tmp_path), b"net\xe9" + TARGETS[name].suffix.encode())
    try:
        with open(path, "wb") as file:
            file.write(seeds(name)[0])
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error}")
    sizes = (3, 32, 32) if name == "cuda_convnet" else None
    counted = tally(read(os.fsdecode(path), sizes))
    assert counted.rows
    str(counted).encode()  # what is printed is text
    with open(path, "wb") as file:
        file.write(seeds(name)[0][:9])
    with pytest.raises(NettallyError) as error:
        read(os.fsdecode(path), sizes)
    assert "net" in str(error.value)
