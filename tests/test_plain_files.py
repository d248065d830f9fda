"""Pipes, devices, sockets and folders are refused at once, wherever a command opens a file."""

from __future__ import annotations

import ast
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

import nettally
from nettally import cli
from nettally.cli.parser import cli as commands
from nettally.errors import ReadError
from nettally.files import plain_only

SOURCES = Path(nettally.__file__).parent
SECONDS = 20


@contextmanager
def at_once() -> Iterator[None]:
    """What waits for ever is interrupted, and fails."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"it waits for more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def strange(tmp_path: Path) -> dict[str, str]:
    os.mkfifo(tmp_path / "pipe.yaml")
    return {"pipe": str(tmp_path / "pipe.yaml"), "device": "/dev/zero", "folder": str(tmp_path)}


def test_the_opener_refuses_all_but_plain_files(strange: dict[str, str], tmp_path: Path) -> None:
    for kind, path in strange.items():
        for mode in ("rb", "ab", "wb"):
            with at_once(), pytest.raises(ReadError, match=f"a {kind}, and not a file"):
                open(path, mode, opener=plain_only)  # noqa: SIM115 - nothing is opened
    with pytest.raises(FileNotFoundError):
        open(tmp_path / "none", "rb", opener=plain_only)  # noqa: SIM115 - nothing is opened
    with open(tmp_path / "new", "w", opener=plain_only) as file:
        file.write("text")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with open(tmp_path / "link", opener=plain_only) as file:
        assert file.read() == "text"
    (tmp_path / "to a pipe").symlink_to(strange["pipe"])
    with at_once(), pytest.raises(ReadError, match="a pipe"):
        open(tmp_path / "to a pipe", "rb", opener=plain_only)  # noqa: SIM115 - nothing is opened


NETS = ("check", "diff", "draw", "explain", "export", "memory", "reconcile", "report", "tally",
        "train")  # fmt: skip

LINES = [
    *[[command, "{}"] for command in NETS],
    ["diff", "lenet-5", "{}"],
    ["tally", "layers.cfg", "--params", "{}"],
    ["tally", "lenet-5", "--accounting", "{}"],
    ["check", "lenet-5", "--claims", "{}"],
    ["check", "{}", "--claims", "{}"],
    ["draw", "lenet-5", "--claims", "{}", "-o", "x.svg"],
    ["explain", "lenet-5", "parameters = 1", "--claims", "{}"],
    ["report", "lenet-5", "--claims", "{}", "-o", "x.html"],
    ["export", "lenet-5", "x.onnx", "--weights", "{}"],
    ["train", "lenet-5", "--data", "{}", "--output", "run"],
    ["train", "lenet-5", "--recipe", "{}", "--data", "digits", "--output", "run"],
    ["train", "lenet-5", "--weights", "{}", "--data", "digits", "--output", "run"],
    ["train", "--resume", "{}"],
    ["data", "pack", "{}", "out"],
    ["data", "pack", "images", "out", "--classes", "{}"],
    ["data", "pack", "images", "out", "--devkit", "{}"],
    ["data", "info", "{}"],
    ["data", "verify", "{}"],
    ["evaluate", "{}"],
    ["classify", "{}", "x.png"],
    ["features", "{}", "x.png", "-o", "x.npy"],
    ["show", "curve", "{}", "-o", "x.png"],
    ["show", "filters", "{}", "-o", "x.png"],
    ["show", "activations", "{}", "-o", "x.png"],
    ["show", "predictions", "{}", "-o", "x.png"],
    ["show", "neighbours", "{}", "-o", "x.png"],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_no_command_waits_for_a_pipe_or_reads_a_device(
    line: list[str],
    strange: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layers.cfg").write_text("[data]\ntype=data\ndataIdx=0\n")
    for path in (strange["pipe"], strange["device"]):
        with at_once():
            assert cli.run([word.replace("{}", path) for word in line]) == 2
        assert "Traceback" not in capsys.readouterr().err


RUNS = [
    ["evaluate", "run"],
    ["train", "--resume", "run"],
    ["classify", "run", "x.png"],
    ["show", "curve", "run", "-o", "x.png"],
]
"""Commands on a folder whose files are pipes."""


@pytest.mark.parametrize("line", RUNS, ids=" ".join)
def test_a_run_whose_files_are_pipes(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("run")
    for name in ("run.json", "network.yaml", "log.jsonl", "last.safetensors", "best.safetensors"):
        os.mkfifo(f"run/{name}")
    with at_once():
        assert cli.run(line) == 2


@pytest.mark.parametrize(
    "names",
    [
        ["manifest.json"],
        ["packing.json"],
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
        ["data_batch_1", "data_batch_2", "batches.meta"],
        ["ILSVRC2012_img_train.tar"],
        ["a.tar"],
    ],
    ids=" ".join,
)
def test_data_whose_files_are_pipes(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "out"):
        os.mkdir(folder)
        for name in names:
            os.mkfifo(f"{folder}/{name}")
    for line in (["data", "pack", "images", "new"], ["data", "info", "out"]):
        with at_once():
            assert cli.run(line) == 2, line


def _leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield (*path, name), command


def test_images_that_are_pipes(strange: dict[str, str]) -> None:
    from nettally.data.packing.image import Square
    from nettally.viewing.classify import image_of

    with at_once(), pytest.raises(ReadError, match="a pipe"):
        image_of(strange["pipe"], Square(8))


OUTPUTS = {"--labels", "-o", "--output", "--svg", "--onnx", "out", "output", "file"}


def test_every_argument_that_names_a_file_is_tried() -> None:
    """A new option that takes a path needs a line above, or is where something is written."""
    tried = {word for line in LINES for word in line if word.startswith("-")} | {"--image"}
    for path, command in _leaves(commands):
        for param in command.params:
            if not isinstance(param.type, click.Path):
                continue
            if isinstance(param, click.Argument):
                assert param.name in OUTPUTS or [*path] in [line[: len(path)] for line in LINES]
            else:
                assert {*param.opts} & (tried | OUTPUTS), (path, param.opts)


def test_files_are_opened_by_the_opener_for_plain_files() -> None:
    """In the sources: what is not written beside, made in memory or the system's has the opener."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "open" or any(each.arg == "opener" for each in node.keywords):
                continue
            name = ast.unparse(node.args[0])
            mode = ast.unparse(node.args[1]) if len(node.args) > 1 else "'r'"
            where = f"{path.relative_to(SOURCES)}:{node.lineno}: {ast.unparse(node)}"
            assert "w" in mode or "/proc/" in name or (path.name, name) in OURS, where


OURS = {
    ("zoo.py", "os.path.join(folder, 'network.yaml')"),
    ("output.py", "path"),  # which was written a moment before
    ("process.py", "descriptor"),
}
