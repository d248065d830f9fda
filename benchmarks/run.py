"""How long nettally takes, beside its targets: python benchmarks/run.py [RUNS]

Standard library only. Whole processes are measured in pairs, one after the other, so that a busy
machine slows both; of the pairs' ratios the median counts. Of times the least counts, since what
else the machine does can only add to them; the median stands beside it. RUNS is the number of
pairs (default 25). docs/benchmarks.md says what was measured, where and when. Nothing here is a
test.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).resolve().parents[1] / "src"
PAIRS = 25
NULL = os.open(os.devnull, os.O_RDWR)
CACHE = tempfile.TemporaryDirectory()  # of bytecode, as an installation has it
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONPYCACHEPREFIX": CACHE.name}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


class Line(NamedTuple):
    """One result. target: what it should be at most, or None."""

    what: str
    value: float
    unit: str
    target: float | None
    detail: str

    def __str__(self) -> str:
        shown = f"{self.what:<44} {self.value:>8.3g} {self.unit:<3}"
        if self.target is None:
            return f"{shown} {'':22}  {self.detail}"
        share = self.value / self.target
        verdict = "met" if share <= 1 else "MISSED"
        return f"{shown} of {self.target:>4g} ({share:>4.2f}) {verdict:<6}  {self.detail}"


class Run(NamedTuple):
    """A whole process. seconds: from its start to its end; memory: its peak, in bytes."""

    seconds: float
    memory: int
    code: int


def process(*arguments: str, python: str = sys.executable) -> Run:
    """This Python, or another, with these arguments, its output thrown away."""
    begun = perf_counter()
    child = os.posix_spawn(
        python,
        [python, *arguments],
        ENVIRONMENT,
        file_actions=[(os.POSIX_SPAWN_DUP2, NULL, stream) for stream in (0, 1, 2)],
    )
    _, status, usage = os.wait4(child, 0)
    seconds = perf_counter() - begun
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Run(seconds, usage.ru_maxrss * unit, os.waitstatus_to_exitcode(status))


def pairs(count: int, *arguments: str) -> tuple[list[Run], list[Run]]:
    """Runs of an empty Python and of ours, turn by turn, after one of each that is not counted."""
    empty: list[Run] = []
    ours: list[Run] = []
    for turn in range(count + 1):
        one, two = process("-c", "pass"), process(*arguments)
        if turn:
            empty.append(one)
            ours.append(two)
    return empty, ours


def repeated(work: Callable[[], object], least: float = 1.0) -> list[float]:
    """Seconds a call: of batches of about 20 ms each, for ``least`` seconds in all."""
    begun = perf_counter()
    work()
    size = max(1, int(0.02 / max(perf_counter() - begun, 1e-9)))
    times: list[float] = []
    end = perf_counter() + least
    while perf_counter() < end or len(times) < 3:
        begun = perf_counter()
        for _ in range(size):
            work()
        times.append((perf_counter() - begun) / size)
    return times


def check_alexnet(count: int) -> list[Line]:
    """The whole command, against an empty Python."""
    empty, ours = pairs(count, "-m", "nettally", "check", "alexnet")
    if any(run.code != 1 for run in ours):  # 1: a claim differs, and one does
        sys.exit(f"check alexnet ended with {ours[-1].code}")
    ratio = median(b.seconds / a.seconds for a, b in zip(empty, ours, strict=True))
    each = f"{1e3 * median(r.seconds for r in ours):.1f} ms to "
    each += f"{1e3 * median(r.seconds for r in empty):.1f} ms"
    memory = max(run.memory for run in ours)
    least = "at most: this script's own share of a new process counts too"
    return [
        Line("check alexnet, a process, to python -c pass", ratio, "x", 6, each),
        Line("its peak memory", memory / 1e6, "MB", 60, least),
    ]


def importing(count: int) -> Line:
    """What ``import nettally`` adds to an empty Python."""
    empty, ours = pairs(count, "-c", "import nettally")
    added = [b.seconds - a.seconds for a, b in zip(empty, ours, strict=True)]
    least = min(run.seconds for run in ours) - min(run.seconds for run in empty)
    return Line(
        "import nettally, more than python -c pass", 1e3 * least, "ms", 15, middle(added, 1e3)
    )


def counting() -> Line:
    """AlexNet in plain ints: its rows and the three totals."""
    from nettally import read, tally

    network = read("alexnet")

    def count() -> tuple[int, int, int]:
        counted = tally(network)
        return counted.parameters, counted.macs, counted.neurons

    if count() != (60_965_224, 724_406_816, 659_272):
        sys.exit(f"AlexNet counts as {count()}")
    times = repeated(count)
    return Line("tally of alexnet and its totals", 1e6 * min(times), "µs", 100, middle(times, 1e6))


def searching() -> Line:
    """All that ``explain`` tries for 253,440: single edits and pairs."""
    from nettally import explain, read
    from nettally.claims.claim import load
    from nettally.formats.zoo import claims_path

    network = read("alexnet")
    claims = load(claims_path("alexnet") or "").claims

    def search() -> object:
        return explain(network, "conv1.neurons = 253,440", claims)

    found = search()
    if "48 for 55" not in found.found[0].text:  # type: ignore[attr-defined]
        sys.exit("the first explanation is another")
    times = repeated(search, 3.0)
    return Line("search of edits and pairs for 253,440", min(times), "s", 1, middle(times))


def reading() -> Line:
    """The largest network of the zoo by layers, from its file."""
    from nettally import read

    times = repeated(lambda: read("resnet-152"))
    layers = len(read("resnet-152").nodes)
    detail = f"{layers} layers; {middle(times, 1e3)}"
    return Line("read resnet-152 of the zoo", 1e3 * min(times), "ms", None, detail)


def middle(times: list[float], scale: float = 1.0) -> str:
    return f"median {scale * median(times):.3g} of {len(times)}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    if not hasattr(os, "posix_spawn") or not hasattr(os, "wait4"):
        sys.exit("this measures processes as POSIX systems have them")
    sys.path.insert(0, str(SOURCE))
    where = f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs"
    print(f"{where}, load {os.getloadavg()[0]:.1f}; {count} pairs of processes")
    for line in (*check_alexnet(count), importing(count), counting(), searching(), reading()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
