"""Completion: what a shell is told, and that shells do with it what they should."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettally.accountings import ACCOUNTINGS
from nettally.cli.parser import COMMANDS
from nettally.cli.shells import SHELLS, split
from nettally.formats import read
from nettally.formats.zoo import names
from nettally.rendering.tables.columns import COLUMNS
from test_cli import environment, nettally

posix = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")


def answers(line: str, cwd: Path | None = None) -> set[str]:
    """The values that bash is told at the end of a line; "file" stands for its own files."""
    done = nettally(_NETTALLY_COMPLETE="bash_complete", COMP_LINE=line, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    fields = [each.split("\t") for each in done.stdout.splitlines() if each]
    return {value if kind in ("plain", "open") else kind for kind, value, _ in fields}


ALEXNET = [node.name for node in read("alexnet").nodes]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nettally ", set(COMMANDS)),
        ("nettally che", {"check"}),
        ("nettally data ", {"info", "pack", "verify"}),
        ("nettally completion ", set(SHELLS)),
        ("nettally tally alexnet --acc", {"--accounting"}),
        ("nettally tally net.onnx --val", {"--value"}),
        ("nettally check net.onnx --ign", {"--ignore-stated-shapes"}),
        ("nettally tally alexnet --accounting ", set(ACCOUNTINGS)),
        ("nettally tally alexnet --accounting torchi", {"torchinfo"}),
        ("nettally tally alexnet --accounting=torchi", {"torchinfo"}),
        ("nettally tally alexnet --accounting my", {"file"}),
        ("nettally tally --format la", {"latex"}),
        ("nettally tally alexnet --columns ", set(COLUMNS)),
        ("nettally tally alexnet --columns output,para", {"output,parameters"}),
        (
            "nettally tally alexnet --columns output,stride,",
            {f"output,stride,{name}" for name in COLUMNS if name not in ("output", "stride")},
        ),
        ("nettally tally alexnet --working con", {n for n in ALEXNET if n.startswith("con")}),
        ("nettally tally alexnet --depth 1 --working fc6", {"fc6"}),
        ("nettally tally --working c", set()),
        ("nettally tally no-such --working c", set()),
        ("nettally tally torchvision:alexnet --working c", set()),
        ("nettally check alexnet --claims ", {"file"}),
        ("nettally explain alexnet 'conv1.neurons = 2", {"conv1.neurons = 253,440"}),
        (r"nettally explain alexnet conv1.neurons\ =\ 2", {r"\ 253,440"}),
        ("nettally explain resnet-50 conv1.mac", {"conv1.macs"}),
        ("nettally check resnet-50 --claim conv1.mac", {"conv1.macs"}),
        ("nettally explain - conv1.mac", set()),
        ("nettally explain nin po", {"pool1.", "pool2.", "pool3."}),
        ("nettally explain resnet-50 opera", {"operations"}),
        ("nettally train --recipe alexnet-2012-", {"alexnet-2012-code"}),
        ("nettally schema r", {"reconcile"}),
    ],
)  # fmt: skip
def test_what_could_come_next(line: str, expected: set[str]) -> None:
    assert answers(line) == expected


OF_RUNS = ("classify", "evaluate", "features")
"""Commands that take a run, of which the shell completes the folder."""


@pytest.mark.parametrize(
    "command",
    [
        name
        for name in COMMANDS
        if COMMANDS.find(name).command().params and name not in (*OF_RUNS, "completion", "schema")
    ],
)
def test_the_networks_of_the_zoo_are_completed(command: str) -> None:
    """… beside files, and they are all that the shell is not left to find by itself."""
    expected = {name for name in names() if name.startswith("alexnet-t")}
    assert answers(f"nettally {command} alexnet-t") == {*expected, "file"}


@pytest.mark.parametrize("command", OF_RUNS)
def test_a_run_is_a_path(command: str) -> None:
    assert answers(f"nettally {command} ru") == {"file"}


def test_layers_of_a_file_and_of_a_run(tmp_path: Path) -> None:
    text = "nettally: 1\nname: n\ninput: 3x8x8\nlayers:\n  - one: conv 2, 3x3\n  - other: relu\n"
    (tmp_path / "n.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "network.yaml").write_text(text, encoding="utf-8")
    assert answers("nettally tally n.yaml --working o", tmp_path) == {"one", "other"}
    assert answers("nettally show filters run --layer o", tmp_path) == {"one", "other"}
    assert answers("nettally explain n.yaml one.mac", tmp_path) == {"one.macs"}


def test_completing_runs_no_code(tmp_path: Path) -> None:
    """A module's layers are known only when its code has run, which a key must not do."""
    (tmp_path / "net.py").write_text("open('ran', 'w').close()\nNet = None\n", encoding="utf-8")
    assert answers("nettally tally net.py:Net --working c", tmp_path) == set()
    assert answers("nettally explain net.py:Net c", tmp_path) == set()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b c", (["a", "b"], "c", "")),
        ("a b ", (["a", "b"], "", "")),
        ("a 'b c", (["a"], "b c", "'")),
        ('a "b c', (["a"], "b c", '"')),
        (r"a b\ c", (["a"], "b c", "")),
        ("", ([], "", "")),
    ],
)
def test_a_line_is_split_at_the_cursor(line: str, expected: tuple[list[str], str, str]) -> None:
    assert split(line) == expected


# The shells themselves


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which ``nettally`` is this one."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "nettally"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nettally "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_a_script(shell: str) -> None:
    done = nettally("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_NETTALLY_COMPLETE={shell}_complete" in done.stdout
    assert "%(" not in done.stdout
    assert "%%" not in done.stdout.replace("%%$'\\t'", "")


@posix
def test_bash_takes_the_script_without_a_word(path: str) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", "source <(nettally completion bash) && complete -p nettally"],
        capture_output=True,
        text=True,
        env=environment(PATH=path),
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "complete -o nosort -F _nettally_completion nettally\n"


class Bash:
    """An interactive bash at a terminal, in which keys are typed."""

    def __init__(self, path: str, folder: Path) -> None:
        import pty

        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            more = {"PATH": path, "TERM": "dumb", "PS1": "> ", "COLUMNS": "500"}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment(**more))
        self.type("bind 'set bell-style none' 2>/dev/null; source <(nettally completion bash)")
        self.type("; echo re''ady\n")
        self.until("ready\r\n> ")
        self.type("\n")  # for a prompt that nobody has read yet

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, text: str, seconds: float = 30) -> str:
        """What is shown until the text is, without what steers a terminal."""
        shown, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.descriptor], [], [], 0.2)[0]:
                piece = os.read(self.descriptor, 65536).decode("utf-8", "replace")
                shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown + piece)
            if text in shown:
                return shown
        raise AssertionError(f"{text!r} is not in {shown!r}")

    def close(self) -> None:
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def bash(path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bash]:
    folder = tmp_path_factory.mktemp("typed")
    (folder / "my-claims.yaml").write_text("", encoding="utf-8")
    (folder / "alexnet-own.onnx").write_bytes(b"")
    (folder / "only one.onnx").write_bytes(b"")
    shell = Bash(path, folder)
    yield shell
    shell.close()


@posix
@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("che", "check "),
        ("tally alexnet --accounting=torchi", "tally alexnet --accounting=torchinfo "),
        (
            "tally alexnet --columns output,para",
            "tally alexnet --columns output,parameters ",
        ),
        ("tally alexnet --working relu1", "tally alexnet --working relu1 "),
        ("check alexnet --claims my", "check alexnet --claims my-claims.yaml "),
        ("check alexnet --claims=my", "check alexnet --claims=my-claims.yaml "),
        (
            "explain alexnet 'conv1.neurons = 2",
            "explain alexnet 'conv1.neurons = 253,440' ",
        ),
        (
            r"explain alexnet conv1.neurons\ =\ 2",
            r"explain alexnet conv1.neurons\ =\ 253,440 ",
        ),
        ("explain resnet-50 conv1.mac", "explain resnet-50 conv1.macs "),
        ("tally alexnet-ow", "tally alexnet-own.onnx "),
        ("tally only", r"tally only\ one.onnx "),
    ],
)
def test_a_key_in_bash(keys: str, line: str, bash: Bash) -> None:
    bash.type(f"nettally {keys}\t")
    try:
        assert bash.until(f"> nettally {line}")
    finally:
        bash.type("\x15\n")
        time.sleep(0.1)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nettally che", "check"),
        ("nettally tally alexnet --accounting=torchi", "--accounting=torchinfo"),
        ("nettally tally alexnet --columns output,para", "output,parameters"),
        ("nettally tally alexnet --working conv1", "conv1"),
    ],
)
def test_fish_completes(line: str, expected: str, path: str) -> None:
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"nettally completion fish | source; complete -C '{line}'"],
        capture_output=True,
        text=True,
        env=environment(PATH=path),
        check=False,
        timeout=60,
    )
    assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == [expected]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script(path: str) -> None:
    done = subprocess.run(
        ["zsh", "-f", "-c", "autoload -Uz compinit; compinit -u -D; "
         "source <(nettally completion zsh); print $_comps[nettally]"],
        capture_output=True,
        text=True,
        env=environment(PATH=path),
        check=False,
        timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("_nettally_completion\n", "")
