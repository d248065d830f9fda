"""The limits and the audit hook themselves: what they must stop, they stop; what is needed, works.

Readers that misbehave, each in the way that it is called, are installed as those of other packages
are; a hook that forbade nothing would pass all other tests here.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from limited import Limited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BAD = '''
"""A reader that does what the file says."""

import os

def sniff(head, name):
    return head.startswith(b"bad ")

def read(source):
    try:
        exec_or_not(source.text.partition("\\n")[2])
    except Exception:
        pass  # swallows what a hook could only raise
    raise SystemExit("it was done")

def exec_or_not(text):
    ACTIONS[text.strip()]()

def nothing():
    from nettally.errors import ReadError
    raise ReadError("x")

def eat():
    kept = [b"x" * 2**20 for _ in range(4000)]
    os._exit(0)

def spin():
    while True:
        pass

def sleep():
    import time
    time.sleep(600)

def deep():
    deep()

def crash():
    import signal
    signal.raise_signal(signal.SIGSEGV)

def harmless():
    import collections, dataclasses, json, difflib, zipfile, struct, wave
    collections.namedtuple("Point", "x y")(1, 2)
    dataclasses.make_dataclass("Point", ["x"])(1)

ACTIONS = {
    "eval": lambda: eval("1 + 1"),
    "exec": lambda: exec("x = 1"),
    "compile": lambda: compile("x", "x", "exec"),
    "literal": lambda: __import__("ast").literal_eval("[1]"),
    "system": lambda: __import__("os").system("true"),
    "spawn": lambda: __import__("os").posix_spawn("/bin/true", ["true"], {}),
    "fork": lambda: __import__("os").fork(),
    "subprocess": lambda: __import__("subprocess").run(["true"]),
    "socket": lambda: __import__("socket").socket(),
    "pickle": lambda: __import__("pickle").loads(b"cos\\nsystem\\n."),
    "marshal": lambda: __import__("marshal").loads(b"N"),
    "other file": lambda: open("/etc/passwd"),
    "neighbour": lambda: open("secret"),
    "own source": lambda: open(__file__.replace("bad.py", "secret.py")),
    "other folder": lambda: __import__("os").listdir("/etc"),
    "write": lambda: open("bad.bad", "wb"),
    "remove": lambda: __import__("os").remove("bad.bad"),
    "mkdir": lambda: __import__("os").mkdir("made"),
    "module of the data": lambda: __import__("canary"),
    "fetch": lambda: __import__("urllib.request"),
    "eat": eat, "spin": spin, "sleep": sleep, "deep": deep, "crash": crash,
    "nothing": nothing, "harmless": harmless,
}
'''


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    """A server that has the bad reader."""
    packages = tmp_path_factory.mktemp("packages")
    about = packages / "nettally_bad-1.0.dist-info"
    about.mkdir()
    (packages / "bad.py").write_text(BAD)
    (packages / "secret.py").write_text("")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nettally-bad\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nettally.formats]\nbad = bad\n")
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        with Limited() as server:
            yield server


def tried(server: Limited, folder: Path, action: str, **limits: float) -> tuple[str, str]:
    (folder / "bad.bad").write_text(f"bad \n{action}\n")
    (folder / "secret").write_text("secret")
    (folder / "canary.py").write_text("open('made', 'w')")
    found = server.read(folder / "bad.bad", **limits)
    assert not (folder / "made").exists()
    return found.how, found.text


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("eval", "compile("),
        ("exec", "compile("),
        ("compile", "compile("),
        ("literal", "compile("),
        ("system", "os.system("),
        ("spawn", "os.posix_spawn("),
        ("fork", "os.fork("),
        ("subprocess", "subprocess.Popen("),
        ("socket", "socket.__new__("),
        ("pickle", "pickle.find_class("),
        ("marshal", "marshal.loads("),
        ("other file", "open('/etc/passwd'"),
        ("neighbour", "open('secret'"),
        ("own source", "secret.py'"),
        ("other folder", "os.listdir('/etc'"),
        ("write", "open('bad.bad', 'w'"),
        ("remove", "os.remove('bad.bad'"),
        ("mkdir", "os.mkdir('made'"),
        ("fetch", "import('urllib"),
    ],
)
def test_it_stops(broken: Limited, tmp_path: Path, action: str, event: str) -> None:
    how, text = tried(broken, tmp_path, action)
    assert how == "broke out"
    assert event in text


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds to all limits")
@pytest.mark.parametrize(
    ("action", "how", "text"),
    [
        ("spin", "took too long", "over 0.3 s"),
        ("sleep", "took too long", "over 0.3 s"),
        ("crash", "killed", "wait status"),
        ("deep", "crashed", "it was done"),
        ("module of the data", "crashed", "it was done"),
        ("harmless", "crashed", "it was done"),
        ("nothing", "crashed", "it was done"),
        ("eat", "crashed", "it was done"),  # the reader swallows its MemoryError: it had one
    ],
)
def test_it_says(broken: Limited, tmp_path: Path, action: str, how: str, text: str) -> None:
    found = tried(broken, tmp_path, action, seconds=0.3, memory=200 * 2**20)
    assert found[0] == how
    assert text in found[1]


def test_a_server_goes_on_after_each(broken: Limited, tmp_path: Path) -> None:
    tried(broken, tmp_path, "crash")
    (tmp_path / "x.yaml").write_text("nettally: 1\ninput: 3x8x8\nlayers:\n  - a: conv 4, 3x3\n")
    found = broken.read(tmp_path / "x.yaml", show=True)
    assert (found.how, found.layers, found.parameters) == ("read", 1, 4 * (3 * 3 * 3 + 1))
    assert found.seconds < 1


def test_what_is_no_format_is_refused(broken: Limited, tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes(b"\0\1\2")
    found = broken.read(tmp_path / "x.dat")
    assert "no format that nettally reads is recognised" in found.refused
    with pytest.raises(AssertionError, match="crashed: "):
        _ = found._replace(how="crashed").refused
