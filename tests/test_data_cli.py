"""``nettally data``: what is printed, the exit codes, the bar, and the examples of docs/data.md."""

from __future__ import annotations

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_files import encoded, folder, packed, picture
from nettally import cli
from nettally.cli import progress
from nettally.cli.data.pack import _class_names
from test_docs import ROOT, blocks, commands, mismatch

FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = cli.run(["data", *map(str, arguments)])
    done = capsys.readouterr()
    return code, done.out, done.err


def test_packing_tells_what_came_of_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    folder(tmp_path / "in", train=6, val=2)
    inside = tmp_path / "in" / "train" / "class0"
    for i in range(7):
        (inside / f"bad\x1b[31m{i}.jpg").write_bytes(b"<html>")
    (inside / "notes.txt").write_text("x")
    (tmp_path / "in" / "train" / "nothing").mkdir()
    out = tmp_path / "out"
    code, said, _ = run(capsys, "pack", tmp_path / "in", out, "--side", 16, "--workers", 1)
    assert code == 0
    assert re.match(
        rf"packed: 16 images, 15\.5 kB, in {re.escape(str(out))}; \d+\.\d s, [\d,]+ images/s ",
        " ".join(said.split()),
    )
    assert "train           12       0 to 6       1  9.22 kB\n" in said
    assert "validation       4       0 to 2       1  3.07 kB\n" in said
    assert "7 images are broken and left out:\n" in said
    assert "  train/class0/bad\\x1b[31m0.jpg: no image that is known here\n" in said
    assert said.count("no image that is known") == 5
    assert f"  all of them: nettally data info {out} --broken\n" in said
    assert "1 other file was skipped: 1 .txt\n" in said
    assert "note: without an image: train/nothing\n" in said
    code, said, _ = run(capsys, "pack", tmp_path / "in", out, "--side", 16)
    assert (code, said.split(":")[0]) == (0, "already packed")
    code, said, _ = run(capsys, "info", out, "--broken")
    assert (code, len(said.splitlines())) == (0, 7)
    code, said, _ = run(capsys, "info", out)
    assert "in: 16x16x3, 3 classes (class0, class1, nothing)" in said
    assert "packed            shorter side to 16 (area), the middle of it; shuffled order" in said
    assert "mirrored images   as good as any" in said


def test_what_is_refused_is_told_and_ends_with_2(tmp_path, capsys):
    (tmp_path / "in" / "a").mkdir(parents=True)
    for arguments, said in (
        (("pack", tmp_path / "nowhere", tmp_path / "out"), "there is no such folder or file"),
        (("pack", tmp_path / "in", tmp_path / "out"), "no image is in a class folder"),
        (("info", tmp_path / "in"), "the folder holds no packed data"),
        (("verify", tmp_path / "in"), "the folder holds no packed data"),
        (("pack", tmp_path / "in", tmp_path / "out", "--hold-out", 1), "--hold-out"),
        (("pack", tmp_path / "in"), "data pack needs OUT"),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert said in err


def test_verify_ends_with_1_where_a_file_was_changed(tmp_path, capsys):
    packed(tmp_path / "out")
    code, said, _ = run(capsys, "verify", tmp_path / "out")
    assert (code, said) == (0, "7 files, 2.08 kB: all as they were packed\n")
    (tmp_path / "out" / "train-00001.u8").write_bytes(bytes(480))
    code, said, _ = run(capsys, "verify", tmp_path / "out")
    assert code == 1
    assert said == (
        "1 of 7 files are not as they were packed:\n"
        "  train-00001.u8: its checksum is another: it was changed\n"
    )


def test_names_of_classes_come_from_a_file(tmp_path, capsys):
    for data, said in (
        (None, "can't open the file"),
        (b"\n\n", "it is empty"),
        (b"\xff\n", "no UTF-8"),
        (b"x" * 2000, "one name a line"),
    ):
        path = tmp_path / "names"
        if data is not None:
            path.write_bytes(data)
        code, _, err = run(capsys, "pack", tmp_path, tmp_path / "out", "--classes", path)
        assert code == 2
        assert said in err
    path.write_text("one\n two \n\n")
    assert _class_names(str(path)) == ("one", "two")


def test_where_stderr_is_no_terminal_a_line_is_told_now_and_then(tmp_path, capsys, monkeypatch):
    folder(tmp_path / "in", train=4, val=0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    _, _, err = run(capsys, "pack", tmp_path / "in", tmp_path / "out", "--side", 8, "--workers", 1)
    lines = err.splitlines()
    assert re.fullmatch(r"packing: 8 of 8 images, [\d,]+ a second, 0\.0 s left", lines[-1]), lines[
        -1
    ]
    monkeypatch.undo()
    _, _, err = run(capsys, "pack", tmp_path / "in", tmp_path / "out", "--side", 8, "--again")
    assert err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar_that_goes_away(tmp_path, capsys, monkeypatch):
    folder(tmp_path / "in", train=4, val=0)
    (tmp_path / "in" / "train" / "class0" / "x.jpg").write_bytes(b"")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    code = cli.run(["data", "pack", str(tmp_path / "in"), str(tmp_path / "out"), "--side", "8"])
    assert code == 0
    drawn = terminal.getvalue()
    assert "packing" in drawn
    assert "9/9" in drawn
    assert "1 broken" in drawn
    assert drawn.rstrip().endswith("\x1b[2K")  # the line is erased


def test_stopped_by_the_keyboard_it_says_how_to_go_on(tmp_path):
    folder(tmp_path / "in", train=150, val=0, side=300)
    command = [
        sys.executable, "-m", "nettally", "data", "pack", str(tmp_path / "in"),
        str(tmp_path / "out"), "--workers", "2", "--side", "700",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.glob("out/*.part")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "stopped; the same command goes on after the last whole shard\n"
    assert not list(tmp_path.glob("out/*.part"))


def test_times_for_people():
    assert [progress.time_text(each) for each in (0.04, 59.9, 61, 3600, 6720)] == [
        "0.0 s", "59.9 s", "1 min", "1 h 0 min", "1 h 52 min",
    ]  # fmt: skip


# --- the examples of docs/data.md -----------------------------------------------------------------

TIMES = re.compile(r"; [\d.]+ (s|min), [\d,]+ images/s")


def photographs(root: Path) -> None:
    """What the example packs: 2 classes, a broken file and one that is no image."""
    for c, name in enumerate(("cat", "dog")):
        inside = root / "photographs" / name
        inside.mkdir(parents=True)
        for i in range(40):
            data = encoded(picture(100 * c + i, 400 + 10 * c, 300 + i))
            (inside / f"{i:03d}.jpg").write_bytes(data)
    (root / "photographs" / "cat" / "007.jpg").write_bytes(encoded(picture(7, 400, 300))[:2000])
    (root / "photographs" / "dog" / "notes.txt").write_text("")


@pytest.mark.parametrize("kind", ["photographs", "fashion-mnist"])
def test_the_examples_of_the_docs(tmp_path, capsys, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setenv("NO_COLOR", "1")
    if kind == "photographs":
        photographs(tmp_path)
    elif FASHION.is_dir():
        os.symlink(FASHION, tmp_path / "fashion-mnist")
    else:
        pytest.skip("Debian's dataset-fashion-mnist is not there")
    done = 0
    for block in blocks((ROOT / "docs" / "data.md").read_text("utf-8")):
        if block.language != "text" or not block.lines[0].startswith("$ nettally data"):
            continue
        if kind not in " ".join(block.lines):
            continue
        for command, shown in commands(block.lines):
            cli.run(shlex.split(command)[1:])
            printed = "".join(capsys.readouterr()).splitlines()
            printed = [TIMES.sub("; T", line) for line in printed]
            wrong = mismatch([TIMES.sub("; T", line) for line in shown], printed)
            assert not wrong, f"docs/data.md:{block.line}: $ {command}\n{wrong}"
            done += 1
    assert done
