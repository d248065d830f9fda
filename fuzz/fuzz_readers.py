"""Fuzzes the readers: python fuzz/fuzz_readers.py [FORMAT…] [--seconds N]; see scripts/fuzz.

For each format a process feeds changed files to ``targets.TARGETS[FORMAT]``: led by coverage where
atheris is installed, else at random. What it finds is judged again, without instruments, in a
process with limits (tests/limited.py): a finding is an exception that is no NettallyError, over 2 s
of processor time, over 512 MB of memory, or anything that reading a file must not do. Each is kept
in fuzz/kept/findings, and ``--again FILE`` tries it anew. Ends with 1 where there is a finding.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
KEPT = HERE.parent / "kept"
"""Files that were worth trying, and findings, from run to run; not part of the project."""

SECONDS = 2.0
"""Processor time that a file may take; while fuzzing, with instruments, it has SLACK times that."""
SLACK = 5
MEMORY = 512 * 2**20
LONGEST = 2**15

sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(HERE.parent)]


# --- one format, in a process of its own ---------------------------------------------------------


class Stopped(BaseException):
    """A file took too long."""


class Trial:
    """Runs the target with one file after another, and keeps those that end badly, one a kind."""

    def __init__(self, name: str, run: Callable[[bytes], None]) -> None:
        self.name = name
        self.run = run
        self.count = 0
        self.kinds: set[str] = set()
        self.watched = [False]
        self.data = b""
        signal.signal(signal.SIGPROF, self.stop)

    def stop(self, *_: object) -> None:
        self.keep("too long")
        raise Stopped

    def arm(self) -> None:
        """From here on nothing may be touched but what reading needs."""
        import limited

        def say(_: str, text: str) -> None:
            self.keep(f"broke out: {text}")
            os._exit(70)

        roots = tuple(limited._roots())
        sys.addaudithook(limited._hook(self.watched, set(), roots, say))
        if os.path.exists("/proc/self/statm"):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    def __call__(self, data: bytes) -> None:
        self.data = data
        self.count += 1
        signal.setitimer(signal.ITIMER_PROF, SLACK * SECONDS)
        self.watched[0] = True
        try:
            self.run(data)
        except Stopped:
            pass
        except Exception as error:
            self.watched[0] = False
            trace = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in trace if "nettally" in frame.filename]
            place = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else "?"
            self.keep(f"{type(error).__name__} at {place}")
        finally:
            self.watched[0] = False
            signal.setitimer(signal.ITIMER_PROF, 0)

    def keep(self, kind: str) -> None:
        self.watched[0] = False
        if kind not in self.kinds:
            self.kinds.add(kind)
            print(f"found: {kind}", file=sys.stderr, flush=True)
            digest = hashlib.sha1(self.data).hexdigest()[:12]
            (KEPT / "findings" / f"{self.name}-{digest}").write_bytes(self.data)


def work(name: str, seconds: float, seed: int, plain: bool) -> None:
    """Fuzz one format for so long; the number of files tried is printed at the end."""
    if plain:
        trial, first = begin(name)
    else:
        import atheris

        # what is imported for the first files, late as it may be, gets atheris' instruments
        with atheris.instrument_imports(include=["nettally"], enable_loader_override=False):
            trial, first = begin(name)
    trial.arm()
    if plain:
        from mutate import Mutator

        mutator = Mutator(first, seed)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            trial(mutator.next())
        print(f"{trial.count} files")
        return
    from mutate import words

    folder = KEPT / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for data in first:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
    listed = KEPT / f"{name}.dict"
    listed.write_text("".join(f'"{word.decode()}"\n' for word in words(first)), "ascii")
    options = [
        *(f"-max_total_time={max(1, int(seconds))}", f"-seed={seed}", f"-dict={listed}"),
        *(f"-timeout={int(4 * SLACK * SECONDS)}", "-rss_limit_mb=0", f"-max_len={LONGEST}"),
        *(f"-artifact_prefix={KEPT}/findings/{name}-", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], trial)
    atheris.Fuzz()


def begin(name: str) -> tuple[Trial, list[bytes]]:
    """The trial of a format, and the files to begin with, each tried once."""
    from nettally import read, tally
    from seeds import seeds
    from targets import TARGETS, show

    show(tally(read("lenet-5")))  # imports what it does late
    trial = Trial(name, TARGETS[name].run)
    first = [data for data in seeds(name) if len(data) <= LONGEST]
    for data in first:
        trial(data)
    return trial, first


# --- all that are asked for ---------------------------------------------------------------------


class Report(NamedTuple):
    """files: how many were tried. found: the findings, each with what it is."""

    name: str
    files: int
    found: list[tuple[Path, str]]
    trouble: str = ""


def fuzz(name: str, seconds: float, seed: int, plain: bool) -> Report:
    """Fuzz one format; judge what it finds."""
    files, trouble = 0, ""
    broke: list[str] = []
    end = time.monotonic() + seconds
    for turn in range(10):
        left = end - time.monotonic() if turn else seconds
        if left < 1:
            break
        told = ["--worker", name, "--seconds", str(left), "--seed", str(seed + turn)]
        command = [sys.executable, str(HERE), *told, *(["--plain"] if plain else [])]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=left + 120
            )
            said, code = done.stdout + done.stderr, done.returncode
        except subprocess.TimeoutExpired:
            trouble = "did not end"
            break
        counts = re.findall(r"^(\d+) files$|number_of_executed_units: +(\d+)", said, re.M)
        files += max((int(a or b) for a, b in counts), default=0)
        if code == 0:
            break
        broke += re.findall(r"^found: (broke out: .*)$", said, re.M)
        if code != 70 and "ERROR: libFuzzer" not in said:
            trouble = said[-2000:]
            break
    found = judged(name)
    if broke and not found:  # of which the judge knows nothing: the fuzzer's own fault
        trouble = "\n".join([trouble, *broke]).strip()
    return Report(name, files, found, trouble)


def judged(name: str) -> list[tuple[Path, str]]:
    """The kept findings of a format that are findings without instruments too."""
    from limited import Limited

    found: list[tuple[Path, str]] = []
    with Limited() as limits:
        for path in sorted((KEPT / "findings").glob(f"{name}-*")):
            outcome = limits.read(path, target=name, seconds=SECONDS, memory=MEMORY)
            if outcome.survived:
                path.unlink()
            else:
                found.append((path, f"{outcome.how}: {outcome.text}"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="all, where none is named")
    parser.add_argument("--seconds", type=float, default=60, help="how long for each (60)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed tries the same (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="formats at once")
    parser.add_argument("--plain", action="store_true", help="at random, also where atheris is")
    parser.add_argument("--again", metavar="FILE", type=Path, help="try a finding anew")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    for folder in ("findings", "corpus"):
        (KEPT / folder).mkdir(parents=True, exist_ok=True)
    if asked.worker:
        work(asked.worker, asked.seconds, asked.seed, asked.plain)
        return 0
    from targets import TARGETS

    if asked.again:
        name = asked.again.name.partition("-")[0]
        TARGETS[name].run(asked.again.read_bytes())
        print("nothing wrong")
        return 0
    for name in asked.formats:
        if name not in TARGETS:
            parser.error(f"no format is called {name}; there are {', '.join(TARGETS)}")
    plain = asked.plain
    if not plain and find_spec("atheris") is None:
        print("atheris is not installed here: files are changed at random, without coverage")
        plain = True
    names = asked.formats or list(TARGETS)
    failed = False
    with ThreadPoolExecutor(max(1, asked.jobs)) as pool:
        for report in pool.map(lambda n: fuzz(n, asked.seconds, asked.seed, plain), names):
            print(
                f"{report.name:<14}{report.files:>10,} files, {len(report.found)} findings",
                flush=True,
            )
            for path, text in report.found:
                print(f"\n{os.path.relpath(path)}\n{text}\n")
            if report.trouble:
                print(report.trouble)
            if not report.files:
                print(f"{report.name}: nothing was tried")
            failed = failed or bool(report.found or report.trouble or not report.files)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
