"""Reads files in processes of their own, with limits, in which nothing else can be touched.

``Limited`` starts one server, which imports the readers once and forks a process a file: cheap, and
each file meets the same state. In the fork memory, time and written bytes are limited, and an audit
hook ends the process at whatever reading a file does not need: running code that is not ours or
Python's own, opening another file, a socket, a program, unpickling. The hook knows what it allows
and forbids the rest. It does not see what a library in C opens by itself.

Used by tests/hostile through its fixture, and by fuzz/ to judge what fuzzing found.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve()
SOURCE = str(HERE.parents[1] / "src")

MEMORY = 512 * 2**20
"""Bytes that reading one file may need, more than Python and nettally take by themselves."""

SECONDS = 5.0
"""Processor time that reading one file may take; most of our cases take a hundredth of it."""


class Outcome(NamedTuple):
    """What became of a file.

    how: "read", "refused" (a NettallyError: text), "crashed" (another exception: text is its
    trace), "broke out" (text says of what), "took too long" or "killed" (text says by which
    signal). seconds: of processor time. memory: peak, in bytes, above what the process began with.
    layers, parameters, complete: of the network that was read.
    """

    how: str
    text: str
    seconds: float = 0.0
    memory: int = 0
    layers: int = 0
    parameters: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> str:
        """The error's text. Fails where the file was not refused with an error of ours."""
        assert self.how == "refused", f"{self.how}: {self.text}"
        return self.text

    @property
    def survived(self) -> bool:
        """Whether it ended in a network or in an error of ours."""
        return self.how in ("read", "refused")


class Limited:
    """A server that reads files for us. Use it in a ``with``; it needs fork and setrlimit."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Limited:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            assert self._server.stdin is not None
            assert self._server.stdout is not None
            self._server.stdin.close()
            self._server.wait(20)
            self._server.stdout.close()
            self._server = None

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        target: str = "",
        inputs: dict[str, tuple[int, ...]] | None = None,
        options: dict[str, str] | None = None,
        companion: str | None = None,
        show: bool = False,
        table: bool = False,
        memory: int = MEMORY,
        seconds: float = SECONDS,
    ) -> Outcome:
        """Read and count the file at ``path`` as ``nettally tally`` does.

        target: what fuzz/targets.py calls so is done with its bytes instead. show: also print the
        network in each form; table: only as ``nettally tally`` does. memory, seconds: the limits;
        of real time ten times as much is given, as the machine may be busy.
        """
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-P", str(HERE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},
            )
        asked = {
            "path": os.path.abspath(path),
            "target": target,
            "inputs": inputs or {},
            "options": options or {},
            "companion": companion,
            "show": show,
            "table": table,
            "memory": memory,
            "seconds": seconds,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the server of tests/limited.py ended"
        found = json.loads(answer)
        return Outcome(**{**found, "notes": tuple(found.get("notes", ()))})


# --- the server, and what it forks --------------------------------------------------------------


def serve() -> None:
    """Answers lines of JSON on stdin with lines on stdout, one file each."""
    sys.path[:] = [SOURCE, *filter(os.path.isdir, sys.path)]
    from nettally import formats
    from nettally.counting.tally import tally

    formats.formats()  # imports each reader, and what finds those of other packages
    _show(tally(formats.read("lenet-5")))  # … and what prints
    if _there("h5py"):
        import_module("h5py")  # its own imports need more than a file may
    allowed = tuple({os.path.realpath(root) + os.sep for root in _roots()} | set(_roots()))
    for line in sys.stdin:
        answer = _forked(json.loads(line), allowed)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _there(module: str) -> bool:
    return find_spec(module) is not None


def _roots() -> list[str]:
    """The folders that modules may come from."""
    return [os.path.abspath(folder) + os.sep for folder in sys.path if folder]


def _forked(asked: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """What a process of its own makes of one file."""
    mine, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(mine)
        try:
            _judge(asked, allowed, its)
        finally:
            os._exit(0)
    os.close(its)
    said = b""
    last = time.monotonic() + 10 * asked["seconds"]
    while True:
        ready, _, _ = select.select([mine], [], [], max(0.0, last - time.monotonic()))
        part = os.read(mine, 65536) if ready else b""
        if not part:
            break
        said += part
    os.close(mine)
    late = not ready
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if said.endswith(b"\n"):
        return json.loads(said.splitlines()[-1])
    if late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"how": "took too long", "text": f"over {asked['seconds']:g} s"}
    return {"how": "killed", "text": f"wait status {status}"}


def _judge(asked: dict[str, Any], allowed: tuple[str, ...], out: int) -> None:
    """In the fork: read the file and say on ``out`` how it ended."""
    import resource

    def say(how: str, text: str, **more: object) -> None:
        watched[0] = False
        answer = {"how": how, "text": text[:20_000], **more}
        os.write(out, (json.dumps(answer) + "\n").encode())

    def used() -> int:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    watched = [True]
    path = asked["path"]
    given = {path, os.path.basename(path), *filter(None, [asked["companion"]])}
    work = _work(asked)
    os.chdir(os.path.dirname(path))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    gc.collect()
    _limit(asked["memory"], asked["seconds"])
    sys.addaudithook(_hook(watched, given, allowed, say))
    before, begun = used(), time.process_time()
    try:
        found = work()
    except BaseException as error:  # each is a finding, and is told as one
        from nettally.errors import NettallyError

        how = "refused" if isinstance(error, NettallyError) else "crashed"
        spent, peak = time.process_time() - begun, used() - before
        if how == "refused":
            try:
                text = str(error)
            except Exception as worse:
                how, text = "crashed", f"the error has no text: {worse!r}"
        else:
            watched[0] = False
            text = _trace(error)
    else:
        spent, peak = time.process_time() - begun, used() - before
        how, text = "read", ""
        say(how, text, seconds=spent, memory=peak, **found)
        return
    say(how, text, seconds=spent, memory=peak)


def _work(asked: dict[str, Any]) -> Any:
    """What is to be done with the file; all that it imports by itself is imported now."""
    from nettally import formats
    from nettally.counting.tally import tally

    if asked["target"]:
        sys.path.insert(0, str(HERE.parents[1] / "fuzz"))
        from targets import TARGETS

        target = TARGETS[asked["target"]]
        target.run(b"")  # imports what is imported late
        del sys.path[0]

        def try_target() -> dict[str, object]:
            with open(os.path.basename(asked["path"]), "rb") as file:
                data = file.read()
            target.run(data)
            return {}

        return try_target

    if asked["show"]:
        import_module("nettally.rendering.html").style()  # read once, from a file of our own
    if asked["table"]:
        gc.set_threshold(2_000_000)  # as the command has it

    def read_and_count() -> dict[str, object]:
        inputs = {name: tuple(sizes) for name, sizes in asked["inputs"].items()}
        network = formats.read(
            os.path.basename(asked["path"]),
            inputs=inputs or None,
            companion=asked["companion"],
            options=asked["options"],
        )
        counted = tally(network)
        found = {
            "layers": len(network.nodes),
            "parameters": int(counted.parameters),
            "complete": counted.complete and int(counted.operations) >= 0,
            "notes": list(network.notes),
        }
        if asked["show"]:
            _show(counted)
        elif asked["table"]:
            _table(counted)
        return found

    return read_and_count


def _show(counted: Any) -> None:
    """Print it in each form, and away."""
    from nettally.rendering import output

    _table(counted)
    for form in ("json", "csv", "markdown", "latex", "html"):
        output.tally(form, counted)


def _table(counted: Any) -> None:
    """Print the table, and away."""
    from nettally.rendering.tables.terminal import tally_text
    from nettally.rendering.terminal import Terminal

    tally_text(counted, Terminal())


def _limit(memory: int, seconds: float) -> None:
    import resource

    if hasattr(resource, "RLIMIT_AS") and os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    whole = max(1, int(seconds + 0.999))
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _trace(error: BaseException) -> str:
    import traceback

    lines = traceback.format_exception(error, limit=-4)
    return "".join(lines)[-6000:] + f"\n{type(error).__name__}"


QUIET = {
    *("array.__new__", "builtins.id", "mmap.__new__", "object.__getattr__"),
    *("object.__setattr__", "sys._getframe"),
    *("sys.unraisablehook", "sys.excepthook", "sys.settrace", "cpython.run_interactivehook"),
    *("gc.get_objects", "gc.get_referrers", "gc.get_referents", "os.fwalk", "os.walk"),
}
"""Events that do no harm."""

NO_MODULES = {
    *("antigravity", "asyncio", "code", "codeop", "ctypes", "dbm", "ftplib", "http", "imaplib"),
    *("imp", "multiprocessing", "pdb", "pickle", "_pickle", "poplib", "pty", "runpy", "shelve"),
    *("smtplib", "socket", "_socket", "socketserver", "subprocess", "_posixsubprocess"),
    *("telnetlib", "tempfile", "this", "tkinter", "torch", "urllib", "webbrowser", "xmlrpc"),
}
"""Modules that no reader needs."""

ABOUT = ("entry_points.txt", "METADATA", "PKG-INFO", "top_level.txt")
"""What is looked at of installed packages, to find readers of theirs."""

MAKERS = ("/collections/__init__.py", "/dataclasses.py", "/typing.py", "/enum.py", "/functools.py")
"""Where the standard library runs text that it has made itself, as for a namedtuple."""


def _hook(watched: list[bool], given: set[str], allowed: tuple[str, ...], say: Any) -> Any:
    """The audit hook: what is not allowed ends the process at once, so that nothing catches it."""

    def from_import(depth: int = 3) -> bool:
        return sys._getframe(depth).f_code.co_filename.startswith("<frozen importlib")

    def made(depth: int = 3) -> bool:
        name = sys._getframe(depth).f_code.co_filename
        return name.startswith(allowed) and name.endswith(MAKERS)

    def fine(event: str, args: tuple[Any, ...]) -> bool:
        if event == "open":
            path, _, flags = args
            if isinstance(path, int):  # a file that is open already
                return True
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
                return False
            path = os.fsdecode(path)
            if path in given:
                return True
            inside = path.startswith(allowed)
            return inside and (from_import() or path.endswith(ABOUT))
        if event == "import":
            name = args[0].partition(".")[0]
            return name not in NO_MODULES
        if event == "exec":
            where = args[0].co_filename
            return where.startswith((*allowed, "<frozen ")) or made()
        if event == "compile":
            return from_import() or made()
        if event == "marshal.loads":
            return from_import()
        if event in ("os.listdir", "os.scandir"):
            folder = os.fsdecode(args[0])  # the file's own is listed to suggest what is beside it
            return folder == "." or folder in given or (folder + os.sep).startswith(allowed)
        return event in QUIET

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not watched[0]:
            return
        watched[0] = False
        if not fine(event, args):
            shown = ", ".join(repr(each)[:200] for each in args)
            say("broke out", f"{event}({shown})")
            os._exit(0)
        watched[0] = True

    return hook


if __name__ == "__main__":
    serve()
