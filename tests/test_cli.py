"""The command line, as a process: what it prints, how it ends, and that it is quick to begin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nettally.cli import options, process
from nettally.cli.network import parse_input
from nettally.cli.parser import CODES, COMMANDS
from nettally.errors import NettallyError

GOLDEN = Path(__file__).parent / "golden"
UNUSUAL = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "_NETTALLY_COMPLETE", "PYTHONIOENCODING")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNUSUAL}
    return {**kept, "COLUMNS": "80", "PYTHONUTF8": "1", **more}


def nettally(
    *arguments: str, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nettally", *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(**more),
        cwd=cwd,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("check_alexnet", ("check", "alexnet"), 1),
        ("check_alexnet_all", ("check", "alexnet", "--all"), 1),
        ("explain_alexnet_253440", ("explain", "alexnet", "conv1.neurons = 253,440"), 1),
        ("tally_alexnet", ("tally", "alexnet"), 0),
        ("tally_resnet-50", ("tally", "resnet-50"), 0),
        ("working_alexnet_conv1", ("tally", "alexnet", "--working", "conv1"), 0),
        ("reconcile_alexnet", ("reconcile", "alexnet"), 0),
        ("zoo", ("zoo",), 0),
        ("help", ("--help",), 0),
        ("help_tally", ("tally", "--help"), 0),
    ],
)
def test_golden(name: str, arguments: tuple[str, ...], code: int) -> None:
    """Each command's output at 80 columns; NETTALLY_OVERWRITE_GOLDEN=1 writes the files anew."""
    done = nettally(*arguments)
    assert (done.returncode, done.stderr) == (code, "")
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.write_text(done.stdout, encoding="utf-8")
    assert done.stdout == path.read_text(encoding="utf-8")
    long = [line for line in done.stdout.splitlines() if len(line) > 80]
    assert all("nettally explain" in line for line in long), long  # one line, to be copied


def test_the_puzzle_is_answered_at_a_glance() -> None:
    """Whatever the layout: the header counts, and the first thing below is 253,440 and why."""
    lines = nettally("check", "alexnet").stdout.splitlines()
    assert lines[0].startswith("alexnet against Krizhevsky et al. 2012: ")
    top = " ".join(" ".join(lines[:16]).split())
    assert "✗ conv1.neurons = 253,440" in top
    assert "55 · 55 · 48 · 2 = 290,400" in top
    assert "48 for 55" in top
    assert "650,000" in top
    assert "is not a square" in top


def test_check_counts_what_it_lists() -> None:
    """The header's numbers are those of the lines that --all prints."""
    head, _, body = nettally("check", "alexnet", "--all").stdout.partition("\n\n")
    listed = body.split("\n\n")[-1]
    signs = [line[2] for line in listed.splitlines() if line[2:3] in "✓≈✗?"]
    head = " ".join(head.split())
    tallying = sum(sign in "✓≈" for sign in signs)
    derived = len(signs) - signs.count("?")
    assert f"{tallying} of {derived} claims tally, {signs.count('✗')} differ; " in head
    assert f"{signs.count('?')} more cannot be derived" in head


@pytest.mark.parametrize(
    ("claim", "code", "words"),
    [
        ("conv1.neurons = 290,400", 0, "conv1.neurons = 290,400 tallies with alexnet: 290,400"),
        ("parameters = 60 million", 0, "tallies"),
        ("top1_error = 37.5 %", 0, "cannot be derived"),
        ("parameters = 123,456,789,123", 1, "differs"),
    ],
)
def test_explain_ends_with_its_verdict(claim: str, code: int, words: str) -> None:
    done = nettally("explain", "alexnet", claim)
    assert done.returncode == code
    assert words in done.stdout or "alexnet has" in done.stdout


def test_diff_ends_with_1_where_something_differs() -> None:
    assert nettally("diff", "alexnet", "alexnet").returncode == 0
    assert nettally("diff", "vgg-16", "vgg-19").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tally",), "error: tally needs NET\n  try: nettally tally --help\n"),
        (("frob",), "error: there is no command 'frob'\n  try: nettally --help\n"),
        (
            ("tally", "alexnet", "--columns", "neuronz"),
            "error: there is no column 'neuronz'\n  try: did you mean 'neurons'?\n",
        ),
        (
            ("tally", "alexnet", "--accounting", "torchino"),
            "error: no accounting is called 'torchino'\n  try: did you mean 'torchinfo'?\n",
        ),
        (
            ("tally", "alexnet", "--working", "con1"),
            "error: alexnet has no layer or module 'con1'\n  try: did you mean 'conv1'?\n",
        ),
        (
            ("tally", "alexnet", "--input", "3by4"),
            "error: this is no size of an input\n  values: 3by4\n  try: channels, height, width: "
            "--input 3x224x224, or --input name=3x224x224\n",
        ),
        (
            ("tally", "alexnet", "--input", "3x5x5", "--input", "3x6x6"),
            "error: one input is given two sizes\n  values: 3x5x5, 3x6x6\n",
        ),
        (
            ("tally", "alexnat"),
            "error: there is no file 'alexnat', and no network of the zoo is called so\n"
            "  try: did you mean 'alexnet'?\n",
        ),
        (("tally", ".."), "error: ..: this is a folder\n  try: name a file in it\n"),
        (
            ("explain", "alexnet", "about many"),
            "error: a claim needs =, <, <=, > or >=\n  values: about many\n"
            "  try: as in conv1.neurons = 253,440\n",
        ),
    ],
)
def test_a_complaint_is_one_message_and_2(arguments: tuple[str, ...], message: str) -> None:
    done = nettally(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_network_without_claims_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text(
        "nettally: 1\nname: n\ninput: 3x8x8\nlayers:\n  - c: conv 2, 3x3\n", encoding="utf-8"
    )
    done = nettally("check", "n.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "--claims FILE" in done.stderr


def test_check_with_a_file_of_claims(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "nettally: 1\nwork: 'Me: My net. 2026'\nclaims:\n"
        "  - claim: parameters = 60,965,224\n    place: table 1\n",
        encoding="utf-8",
    )
    done = nettally("check", "alexnet", "--claims", "c.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("alexnet against Me 2026: the claim tallies")


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_bytes(
        b'nettally: 1\nname: "e\\e]0;owned\\ax"\ninput: 3x8x8\n'
        b'layers:\n  - "\\u202ec": conv 2, 3x3\n'
    )
    done = nettally("tally", "n.yaml", cwd=tmp_path)
    both = done.stdout + done.stderr
    assert both
    assert all(each.isprintable() or each == "\n" for each in both)
    complaint = nettally("tally", "no\x1b[31msuch\u202e", cwd=tmp_path)
    assert complaint.returncode == 2
    assert all(each.isprintable() or each == "\n" for each in complaint.stderr)


def test_the_reading_of_an_input_is_said() -> None:
    said = " ".join(nettally("tally", "alexnet", "--input", "8x3x227x227").stdout.split())
    assert (
        "input data: 8x3x227x227 is read as channels 3, height 227, width 227, a batch of 8"
    ) in said
    assert "for a batch of 8" in said


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("3x224x224", ("", (3, 224, 224))),
        ("data=10", ("data", (10,))),
        ("a=b=1x2", ("a=b", (1, 2))),
        ("3X4×5", ("", (3, 4, 5))),
    ],
)
def test_parse_input(text: str, read: tuple[str, tuple[int, ...]]) -> None:
    assert parse_input(text) == read


@pytest.mark.parametrize("text", ["", "x", "=3", "3x", "-1x2", "3x²", "1" * 50, "1_0", "3.5"])
def test_parse_input_refuses(text: str) -> None:
    with pytest.raises(NettallyError, match="this is no size of an input"):
        parse_input(text)


CAFFE = """
name: "n"
input: "image"
{shape}
layer {{ name: "c" type: "Convolution" bottom: "image" top: "c"
  convolution_param {{ num_output: 2 kernel_size: 3 }} }}
"""
MODULE = """
import torch
def Net(): return torch.nn.Conv2d(3, 4, 3)
"""
DARKNET = "[net]\nheight=9\nwidth=9\nchannels=4\n[convolutional]\nfilters=2\nsize=3\n"


@pytest.mark.parametrize(
    ("name", "text", "net", "size", "words"),
    [
        ("", "", "alexnet", "224x224", "--input 3x224x224"),
        ("", "", "alexnet", "data=100x100", "--input data=3x100x100"),
        ("", "", "alexnet", "7", "--input 3x224x224"),
        ("", "", "alexnet", "1x1x3x9x9", "--input 3x224x224"),
        ("", "", "lenet-5", "36x36", "--input 1x36x36"),
        ("n.cfg", DARKNET, "n.cfg", "20x30", "--input 4x20x30"),
        (
            "n.prototxt",
            CAFFE.format(shape="input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9"),
            "n.prototxt",
            "20x20",
            "--input 3x20x20",
        ),
        ("n.prototxt", CAFFE.format(shape=""), "n.prototxt", "20x20", "--input 3x20x20"),
        ("n.py", MODULE, "n.py:Net", "20x20", "--input 3x20x20"),
    ],
)
def test_a_size_without_channels(
    name: str, text: str, net: str, size: str, words: str, tmp_path: Path
) -> None:
    """The complaint ends with what to type; and typing that is the end of it."""
    if name:
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = nettally("tally", net, "--input", size, cwd=tmp_path)
    assert done.returncode == 2
    hint = done.stderr.splitlines()[-1]
    assert hint == f"  try: {words} (channels first, then space)"
    assert nettally("tally", net, *words.split(), cwd=tmp_path).returncode == 0


def test_another_trouble_with_a_size_keeps_its_hint(tmp_path: Path) -> None:
    assert "no input is called 'date'" in nettally("tally", "alexnet", "--input", "date=9x9").stderr
    done = nettally("tally", "alexnet", "--input", "3x9x9")
    assert "a larger input" in done.stderr


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_formats(form: str) -> None:
    done = nettally("tally", "alexnet", "--format", form)
    assert done.returncode == 0
    assert "60965224" in done.stdout or "60,965,224" in done.stdout or form == "csv"
    if form == "json":
        assert json.loads(done.stdout)["totals"]["parameters"] == 60_965_224
    if form == "csv":
        header, *rows = [line.split(",") for line in done.stdout.splitlines()]
        place = header.index("parameters")
        assert sum(int(row[place]) for row in rows) == 60_965_224


# How a process begins and ends


@pytest.mark.parametrize("command", ["tally", "reconcile", "check", "explain", "diff", "zoo"])
def test_each_command_has_an_example_in_its_help(command: str) -> None:
    text = nettally(command, "--help").stdout
    assert f"For example:\n    nettally {command}" in text


def test_help_says_the_exit_codes() -> None:
    text = nettally("--help").stdout
    for code, meaning in CODES.items():
        assert re.search(rf"\n  {code} +{re.escape(meaning[:30])}", text)
    assert {int(code) for code in CODES} == {
        process.TALLIES,
        process.DIFFERS,
        process.UNUSABLE,
        process.OUR_ERROR,
        process.INTERRUPTED,
        process.PIPE_CLOSED,
    }


def test_without_arguments_it_helps_and_is_a_usage_error() -> None:
    done = nettally()
    assert done.returncode == 2
    assert "Usage: nettally" in done.stderr + done.stdout


def test_version() -> None:
    done = nettally("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("nettally ")


@pytest.mark.skipif(os.name == "nt", reason="pipes of a POSIX shell")
@pytest.mark.parametrize("arguments", [("tally", "alexnet"), ("check", "alexnet"), ("zoo",)])
def test_a_closed_pipe_is_no_error(arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nettally", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(60) == 141


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    """A reader that waits for ever, interrupted."""
    script = (
        "import nettally.cli, nettally.cli.network as c, time, sys\n"
        "def wait(*_, **__):\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "c.read = wait\n"
        "sys.argv = ['nettally', 'tally', 'x']\n"
        "nettally.cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().strip() == b"waiting"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_colour_only_where_it_is_asked_for() -> None:
    assert "\x1b[" not in nettally("check", "alexnet").stdout
    for arguments in (("check", "alexnet"), ("tally", "alexnet")):
        assert "\x1b[" in nettally(*arguments, FORCE_COLOR="1").stdout
        assert "\x1b[" not in nettally(*arguments, FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_terminal_without_unicode() -> None:
    done = nettally("check", "alexnet", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "55 * 55 * 48 * 2 = 290,400" in done.stdout


def imported(*arguments: str) -> set[str]:
    script = (
        "import sys, nettally.cli as c\n"
        f"c.run({list(arguments)!r})\n"
        "print('imported', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


SLOW = {"click", "rich", "json", "csv", "inspect", "dataclasses", "pathlib", "importlib.metadata"}


def test_a_quick_answer_imports_nothing_slow() -> None:
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    slow = SLOW - set(bare.stdout.split())  # an editable install may import some of them
    assert not imported("check", "alexnet") & slow
    assert not imported("explain", "alexnet", "conv1.neurons = 253,440") & slow


def test_the_test_above_can_fail() -> None:
    assert {"click", "rich"} <= imported("tally", "alexnet", "--depth", "1")


def test_check_is_within_a_second() -> None:
    """Far from the aim (6 times an empty Python, see benchmarks), but no machine is this slow."""
    begun = time.perf_counter()
    nettally("check", "alexnet")
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    "arguments",
    [("check", "alexnet"), ("tally", "alexnet"), ("explain", "alexnet", "macs = 1.1G")],
)
def test_the_quick_way_and_clicks_way_say_the_same(arguments: tuple[str, ...]) -> None:
    """An empty option makes the same question unusual enough for click."""
    quick, slow = nettally(*arguments), nettally(arguments[0], "--", *arguments[1:])
    assert (quick.stdout, quick.stderr, quick.returncode) == (
        slow.stdout,
        slow.stderr,
        slow.returncode,
    )


# Options


@pytest.mark.parametrize(
    "name", [name for name in vars(options) if name.endswith("_option") and name != "form_option"]
)
def test_an_option_brings_no_other_along(name: str) -> None:
    @getattr(options, name)
    def command() -> None:
        pass

    assert len(command.__click_params__) == 1  # type: ignore[attr-defined] - click's own


@pytest.mark.parametrize(
    ("command", "without"),
    [("train", {"verbose", "self_check"}), ("zoo", {"inputs"}), ("evaluate", {"inputs", "phase"})],
)
def test_a_command_offers_what_it_uses(command: str, without: set[str]) -> None:
    assert not without & {each.name for each in COMMANDS.find(command).command().params}
