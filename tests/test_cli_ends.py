"""How a command ends where something is missing: a library, a stream, or our own wits."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from nettally.cli import run
from nettally.cli.parser import COMMANDS
from nettally.extras import EXTRAS, PACKAGES, missing_library, to_install
from test_cli import environment, nettally

ROOT = Path(__file__).parents[1]
OPTIONAL = sorted({module for modules in EXTRAS.values() for module in modules} | {"torchvision"})
"""Modules of extras; torchvision comes with none, and torch's half of it imports it."""


def without(
    modules: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command of a Python that has not these modules, with commas between them."""
    script = (
        "import sys\n"
        "for name in sys.argv.pop(1).split(','):\n"
        "    sys.modules[name] = None\n"
        "sys.argv[0] = 'nettally'\n"
        "from nettally.cli import main\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, modules, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        cwd=cwd,
        check=False,
        timeout=120,
    )


# What is not installed


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_extras_are_those_of_the_project(extra: str) -> None:
    """Each module belongs to a package that the extra asks for, or that such a package needs."""
    asked = " ".join(PROJECT["optional-dependencies"][extra]).lower().replace("[torch]", " torch ")
    comes_along = {"cairocffi"}  # with CairoSVG
    for module in set(EXTRAS[extra]) - comes_along:
        assert re.search(rf"\b{re.escape(PACKAGES.get(module, module).lower())}\b", asked)


NEEDS: dict[tuple[str, ...], str] = {
    ("classify", "run", "a.png"): "train",
    ("data", "info", "digits"): "train",
    ("data", "pack", "images", "out"): "train",
    ("data", "verify", "out"): "train",
    ("draw", "alexnet", "-o", "a.pdf"): "figures",
    ("draw", "alexnet", "-o", "a.png"): "figures",
    ("evaluate", "run"): "train",
    ("export", "alexnet", "-o", "a.onnx"): "torch",
    ("features", "run", "-o", "a.npy"): "train",
    ("show", "activations", "run", "-o", "a.png"): "train",
    ("show", "curve", "run", "-o", "a.svg"): "train",
    ("show", "filters", "run", "-o", "a.svg"): "train",
    ("show", "neighbours", "run", "-o", "a.svg"): "train",
    ("show", "predictions", "run", "-o", "a.svg"): "train",
    ("train", "alexnet"): "train",
    ("train", "alexnet", "--dry-run"): "train",
    ("train", "--resume", "run"): "train",
    ("check", "torchvision:alexnet"): "torch",
    ("diff", "alexnet", "file.py:Net"): "torch",
    ("draw", "timm:resnet18", "-o", "a.svg"): "torch",
    ("explain", "torchvision:alexnet", "parameters = 3"): "torch",
    ("memory", "torchvision:alexnet"): "torch",
    ("reconcile", "torchvision:alexnet"): "torch",
    ("report", "torchvision:alexnet", "-o", "a.html"): "torch",
    ("tally", "torchvision:alexnet"): "torch",
}
"""A command line, and the extra that it needs."""

NEEDS_NOTHING: tuple[tuple[str, ...], ...] = (
    ("check", "alexnet"),
    ("completion", "bash"),
    ("diff", "vgg-16", "vgg-19"),
    ("draw", "alexnet", "-o", "a.svg"),
    ("draw", "alexnet", "-o", "a.tex"),
    ("explain", "alexnet", "macs = 1.1G"),
    ("formats",),
    ("memory", "alexnet"),
    ("reconcile", "alexnet"),
    ("report", "lenet-5", "-o", "a.html"),
    ("schema", "tally"),
    ("tally", "alexnet"),
    ("zoo",),
)


def test_every_command_is_tried_without_its_libraries() -> None:
    tried = {words[0] for words in (*NEEDS, *NEEDS_NOTHING)}
    assert tried == set(COMMANDS)
    groups = {
        (name, each)
        for name in COMMANDS
        if isinstance(group := COMMANDS.find(name).command(), click.Group)
        for each in group.commands
    }
    assert groups <= {words[:2] for words in NEEDS}


@pytest.mark.parametrize("words", NEEDS, ids=" ".join)
def test_a_command_without_its_extra_says_which(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    done = without(",".join(OPTIONAL), *words, cwd=tmp_path)
    extra = NEEDS[words]
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"error: [^\n]*\n  try: [^\n]*\n\Z", done.stderr), done.stderr
    assert f"pip install 'nettally[{extra}]'" in done.stderr
    assert f"pip install -e '.[{extra}]'" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", NEEDS_NOTHING, ids=" ".join)
def test_counting_needs_no_extra(words: tuple[str, ...], tmp_path: Path) -> None:
    done = without(",".join(OPTIONAL), *words, cwd=tmp_path)
    assert done.returncode in (0, 1)
    assert done.stderr == ""


@pytest.mark.parametrize("module", EXTRAS["train"])
def test_training_says_which_library_is_missing(module: str, tmp_path: Path) -> None:
    """Each by itself: the others are there. Images are packed already, and need no Pillow."""
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "small.yaml").write_text(
        "nettally: 1\nname: n\ninput: 1x8x8\nlayers:\n  - f: linear 10\n", encoding="utf-8"
    )
    done = without(module, "train", "small.yaml", "--steps", "1", "-o", "run", cwd=tmp_path)
    if module == "PIL":
        assert done.returncode == 0
    else:
        assert done.returncode == 2
        assert PACKAGES.get(module, module) in done.stderr
        assert "nettally[train]" in done.stderr
        assert not (tmp_path / "run").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "is not installed"),
        (ImportError("libcudart.so: cannot open", name="torch._C"), "can't be imported here"),
        (ModuleNotFoundError("No module named 'frob'", name="frob"), "pip install frob"),
        (ImportError("cannot import name 'x'", name="nettally.cli"), None),
        (ImportError("no name"), None),
    ],
)
def test_what_is_missing_and_what_is_our_fault(error: ImportError, words: str | None) -> None:
    complaint = missing_library(error, "nettally train", "train")
    if words is None:
        assert complaint is None
    else:
        assert complaint is not None
        assert words in str(complaint)


def test_the_words_to_install_an_extra() -> None:
    assert to_install("torch", "name a file") == (
        "pip install 'nettally[torch]' (in a checkout: pip install -e '.[torch]'), or name a file"
    )


# What is our fault


def broken(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a nettally whose reader divides by zero."""
    script = (
        "import sys, nettally.cli.network as network\n"
        "network.read = lambda *_, **__: 1 // 0\n"
        "sys.argv[0] = 'nettally'\n"
        "from nettally.cli import main\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words", [("tally", "alexnet"), ("tally", "alexnet", "--depth", "1"), ("memory", "a b")]
)
def test_an_error_of_ours_is_one_line_and_70(words: tuple[str, ...]) -> None:
    done = broken(*words)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.count("\n") == 1
    assert re.match(
        r"error: nettally is at fault in cli/network\.py:\d+: ZeroDivisionError: .*; "
        r"please report it, with what this prints: nettally --debug (tally alexnet|memory 'a b')",
        done.stderr,
    )


@pytest.mark.parametrize("words", [("--debug", "tally", "x"), ("tally", "x", "--debug")])
def test_debug_shows_where(words: tuple[str, ...]) -> None:
    done = broken(*words)
    assert done.returncode == 70
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("please report it, with the traceback above")


def test_debug_behind_a_double_dash_is_a_word() -> None:
    done = nettally("tally", "--", "--debug")
    assert done.returncode == 2
    assert "there is no file '--debug'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_of_the_user_has_a_traceback_only_with_debug() -> None:
    assert "Traceback" not in nettally("tally", "no-such").stderr
    done = nettally("tally", "no-such", "--debug")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")


# Streams that are closed or full


posix = pytest.mark.skipif(os.name == "nt", reason="streams of a POSIX shell")


def shell(line: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which ``nettally`` is this one."""
    return subprocess.run(
        ["bash", "-c", f'nettally() {{ "{sys.executable}" -m nettally "$@"; }}\n{line}'],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        cwd=cwd,
        check=False,
        timeout=120,
    )


PRINTING = ("tally alexnet", "check alexnet --format json", "--help", "zoo", "completion bash",
            "draw lenet-5 -o -", "report lenet-5 -o -", "--version")  # fmt: skip


@posix
@pytest.mark.parametrize("words", PRINTING)
def test_a_closed_stdout_is_said(words: str) -> None:
    done = shell(f"nettally {words} >&-")
    assert (done.returncode, done.stderr) == (2, "error: standard output is closed\n")


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("words", PRINTING)
def test_a_full_stdout_is_said(words: str) -> None:
    done = shell(f"nettally {words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: can't write to standard output: No space left on device\n"


@posix
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_without_stderr_the_exit_code_remains(stderr: str) -> None:
    assert shell(f"nettally frob {stderr}").returncode == 2
    done = shell(f"nettally check alexnet {stderr}")
    assert (done.returncode, done.stdout) == (1, nettally("check", "alexnet").stdout)


@posix
def test_a_reader_that_ends_early_is_no_complaint() -> None:
    done = shell("nettally tally resnet-152 --format json | head -1; echo ${PIPESTATUS[0]}")
    assert done.stderr == ""
    assert done.stdout.splitlines() in (["{", "0"], ["{", "141"])


@posix
def test_all_streams_closed() -> None:
    assert shell("nettally zoo <&- >&- 2>&-").returncode == 2


@posix
def test_a_file_gets_no_standard_stream(tmp_path: Path) -> None:
    """A figure that was written under the number of a closed stdout would have text in it."""
    done = shell("nettally draw lenet-5 -o a.svg >&-", tmp_path)
    assert done.returncode == 2  # it can't say what it wrote
    alone = shell("nettally draw lenet-5 -o -")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == alone.stdout


# -o -


def written(*arguments: str, cwd: Path) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "nettally", *arguments],
        capture_output=True,
        env=environment(),
        cwd=cwd,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run of a small network in ``run``, and an image."""
    from PIL import Image

    path = tmp_path_factory.mktemp("runs")
    (path / "small.yaml").write_text(
        "nettally: 1\nname: small\ninput: 1x8x8\nlayers:\n"
        "  - c: conv 4, 3x3\n  - r: relu\n  - f: linear 10\n",
        encoding="utf-8",
    )
    Image.new("L", (8, 8), 7).save(path / "a.png")
    done = nettally("train", "small.yaml", "--steps", "2", "-o", "run", cwd=path)
    assert done.returncode == 0
    return path


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        ("draw alexnet", ".svg"),
        ("report lenet-5", ".html"),
        ("export run", ".onnx"),
        ("export small.yaml", ".onnx"),
        ("features run a.png", ".npy"),
        ("show filters run", ".svg"),
        ("show activations run --image a.png", ".svg"),
        ("show predictions run", ".svg"),
    ],
)
def test_a_dash_is_stdout(words: str, ending: str, folder: Path) -> None:
    """What goes to stdout are the bytes of the file, and nothing else."""
    piped = written(*words.split(), "-o", "-", cwd=folder)
    nettally(*words.split(), "-o", f"beside{ending}", cwd=folder)
    beside = (folder / f"beside{ending}").read_bytes()
    if ending == ".html":  # the page says how it was made
        piped = piped.replace(b"-o -", b"-o beside.html")
    assert piped == beside
    assert not (folder / "-").exists()


def test_labels_on_stdout(folder: Path) -> None:
    import numpy as np

    words = ("features", "run", "--split", "test", "-o", "x.npy", "--labels", "-")
    labels = np.load(io.BytesIO(written(*words, cwd=folder)))
    assert (labels.shape, labels.dtype) == ((360,), np.dtype("int64"))
    done = nettally("features", "run", "-o", "-", "--labels", "-", cwd=folder)
    assert done.returncode == 2
    assert "can't both go to standard output" in done.stderr


def _options(command: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(command, click.Group):
        return [
            x for name, each in command.commands.items() for x in _options(each, f"{path} {name}")
        ]
    return [(path, option) for option in command.params if "-o" in option.opts]


def test_every_output_says_what_a_dash_is() -> None:
    """… but those that are folders, which refuse it."""
    outputs = [each for name in COMMANDS for each in _options(COMMANDS.find(name).command(), name)]
    assert len(outputs) >= 9
    for path, option in outputs:
        assert "stdout" in option.help or path == "train", path
    for words in (("train", "alexnet", "-o", "-"), ("data", "pack", "a", "-")):
        done = nettally(*words)
        assert done.returncode == 2
        assert "is a folder, and can't go to standard output" in done.stderr


# The command line itself


@pytest.mark.parametrize(
    ("words", "complaint", "hint"),
    [
        ("talli alexnet", "there is no command 'talli'", "did you mean 'tally'?"),
        ("alexnet", "there is no command 'alexnet'", "nettally tally alexnet"),
        ("data pak", "there is no command of data 'pak'", "did you mean 'pack'?"),
        ("show frob", "there is no command of show 'frob'", "nettally show --help"),
        ("tally x --colums y", "there is no option '--colums'", "did you mean '--columns'?"),
        ("tally x --in 3", "there is no option '--in'", "did you mean '--input'?"),
        ("--verson", "there is no option '--verson'", "did you mean '--version'?"),
        (
            "--input 3x3 x",
            "there is no option '--input'",
            "the options of a command stand behind it: nettally COMMAND ... --input",
        ),
        (
            "explain alexnet -3",
            "a value that begins with a dash is taken for an option: -3",
            "put -- before it: nettally explain ... -- -3",
        ),
        ("tally", "tally needs NET", "nettally tally --help"),
        ("draw alexnet", "draw needs -o FILE", "nettally draw --help"),
        ("data pack a", "data pack needs OUT", "nettally data pack --help"),
        ("completion", "completion needs bash|zsh|fish", "nettally completion --help"),
        ("completion tcsh", "completion takes no 'tcsh'", "one of bash, fish, zsh"),
        ("tally x --input", "--input needs a value", "--input SIZE"),
        ("tally x --verbose=3", "--verbose takes no value", "nettally tally --help"),
        ("tally x --format jsn", "--format takes no 'jsn'", "did you mean 'json'?"),
        ("tally x y", "unexpected argument: y", "nettally tally --help"),
    ],
)
def test_usage_errors_in_our_words(words: str, complaint: str, hint: str) -> None:
    done = nettally(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {complaint}\n  try: {hint}\n"


@pytest.mark.parametrize(
    ("words", "complaint", "value"),
    [
        ("tally x --depth -3", "--depth takes a whole number, at least 0 and at most 40", "-3"),
        (
            "tally x --depth \x1b",
            "--depth takes a whole number, at least 0 and at most 40",
            "\\x1b",
        ),
        ("data pack a b --hold-out x", "--hold-out takes a number, at least 0 and below 1", "x"),
        ("train x --epochs 0", "--epochs takes a whole number of at least 1", "0"),
    ],
)
def test_a_value_out_of_range(words: str, complaint: str, value: str) -> None:
    done = nettally(*words.split(" "))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {complaint}\n  values: {value}\n  try: ")


@pytest.mark.parametrize("words", ["\x1b[31m", "tally --\x1b[31m", "tally a \u202eb"])
def test_usage_errors_steer_no_terminal(words: str) -> None:
    done = nettally(*words.split(" "))
    assert done.returncode == 2
    assert all(each.isprintable() or each == "\n" for each in done.stderr)


def _paths(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    groups = command.commands if isinstance(command, click.Group) else {}
    return [path, *(x for name, each in groups.items() for x in _paths(each, (*path, name)))]


HELPS = [
    (),
    *(path for name in COMMANDS for path in _paths(COMMANDS.find(name).command(), (name,))),
]


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_keeps_to_the_terminal(
    words: tuple[str, ...],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All but the lines that are there to be copied; and no ``\\b`` of click's is left in it."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    long = [line for line in lines if len(line) > columns and "nettally " not in line]
    assert not long
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("columns", [40, 71])
@pytest.mark.parametrize(
    "words",
    [
        "classify run a.png",
        "data info digits",
        "diff alexnet alexnet-torchvision",
        "diff alexnet alexnet",
        "draw alexnet -o beside.svg",
        "export run -o beside.onnx",
        "features run a.png -o beside.npy",
        "formats",
        "memory alexnet --all",
        "reconcile alexnet",
        "report lenet-5 -o beside.html",
        "show filters run -o beside.svg",
        "tally alexnet",
        "tally alexnet --columns output,parameters --input 2x3x227x227 -v",
        "tally resnet-50 --depth 1",
        "train small.yaml --dry-run --batch 1",
        "train small.yaml --steps 1",
        "zoo",
    ],
)
def test_what_is_printed_keeps_to_the_terminal(
    words: str,
    columns: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All but a word that is longer by itself, as a path may be."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(folder)
    assert run(words.split()) in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not [
        line
        for line in lines
        if len(line) > columns and len(line.replace(": ", ":").split()[-1]) < columns - 9
    ]


def test_the_group_without_a_command_is_a_usage_error() -> None:
    for words in ((), ("data",), ("show",)):
        done = nettally(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: nettally")
