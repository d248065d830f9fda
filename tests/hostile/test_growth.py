"""The law: what a file costs, in time and in memory, is in proportion to its size.

Each module ``tests/hostile_growth_*.py`` has GENERATORS: by a name, what the file is called, and a
function from a size in bytes to a file of about that size. Each file is read, counted and printed
as ``nettally tally FILE`` does it, in a process with limits (tests/limited.py). Whether it is read
or refused: at 1 MB it takes at most SECONDS of processor time and MEMORY above what Python and
nettally take by themselves, and both grow at most linearly.

    python tests/hostile/test_growth.py [WORD ...]     # all sizes; a line for each generator
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "fuzz")]

from limited import Limited, Outcome  # noqa: E402 - it lies beside the generators

if TYPE_CHECKING:
    from collections.abc import Callable

KB, MB = 2**10, 2**20
SIZES = (64 * KB, 128 * KB, 256 * KB, 512 * KB, MB)
SAMPLE = (128 * KB, MB)
"""The sizes that every run of the tests looks at."""

SECONDS, MEMORY = 2.0, 200 * MB
"""What a file of 1 MB may take, on a machine that nobody else uses: see ``slowness``."""

QUIET = 0.06
"""The seconds that ``slowness`` takes on a usual machine of 2023 that has nothing else to do."""

STEEPEST = 1.25
"""The exponent that is still linear: n·log n over these sizes is 1.1, and clocks are not exact."""

TRIES, LEEWAY = 4, 2.0
"""How often the tests measure what seems too slow, and how much longer they let it take: other
tests run beside them. The table that this module prints has no leeway.
"""

NOISE_OF_TIME, NOISE_OF_MEMORY = 0.15, 20 * MB
"""What is below this says nothing of how it grows: a start is no growth."""

GENERATORS: dict[
    str, tuple[str, Callable[[int], bytes]] | tuple[str, Callable[[int], bytes], dict[str, Any]]
] = {}
for _module in sorted(HERE.parents[1].glob("hostile_growth_*.py")):
    GENERATORS.update(import_module(_module.stem).GENERATORS)


class Cost(NamedTuple):
    """The most that a generator's files took, and the exponents by which time and memory grow."""

    outcome: Outcome
    time_exponent: float
    memory_exponent: float


def cost(server: Limited, folder: Path, name: str, sizes: tuple[int, ...]) -> Cost:
    """Reads a generator's files of these sizes."""
    file, write, *more = GENERATORS[name]
    asked = more[0] if more else {}
    outcomes: list[Outcome] = []
    for size in sizes:
        path = folder / file
        path.write_bytes(write(size))
        outcomes.append(server.read(path, table=True, memory=2**30, seconds=5 * SECONDS, **asked))
        if not outcomes[-1].survived:
            break
    sizes = sizes[: len(outcomes)]
    seconds, memory = (
        max(getattr(each, what) for each in outcomes) for what in ("seconds", "memory")
    )
    if seconds > SECONDS:
        seconds /= slowness()
    return Cost(
        outcomes[-1]._replace(seconds=seconds, memory=memory),
        exponent(sizes, [each.seconds for each in outcomes], NOISE_OF_TIME),
        exponent(sizes, [each.memory for each in outcomes], NOISE_OF_MEMORY),
    )


def slowness() -> float:
    """How many times as long as on a quiet machine work like a reader's takes now; at least 1."""
    begun = time.process_time()
    texts = [f"layer {i}" for i in range(100_000)]
    table = {text: (text, len(text)) for text in texts}
    assert sum(len(table[text][0]) for text in texts) > 0
    return max(1.0, (time.process_time() - begun) / QUIET)


def exponent(sizes: tuple[int, ...], values: list[float], noise: float) -> float:
    """The slope in log-log of the values that noise does not hide; 0 where there are none."""
    points = [
        (math.log(size), math.log(max(value, noise / 4)))
        for size, value in zip(sizes, values, strict=True)
    ]
    if len(points) < 2 or values[-1] < noise:
        return 0.0
    middle = sum(x for x, _ in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * y for x, y in points) / spread


def complaints(found: Cost, leeway: float = 1.0) -> list[str]:
    """What breaks the law. leeway: how many times as long a file may take."""
    how, text, seconds, memory, *_ = found.outcome
    if how not in ("read", "refused"):
        return [f"{how}: {text[-300:]}"]
    wrong: list[str] = []
    if seconds > leeway * SECONDS:
        wrong.append(f"{seconds:.1f} s")
    if memory > MEMORY:
        wrong.append(f"{memory / 2**20:.0f} MB")
    if found.time_exponent > STEEPEST:
        wrong.append(f"time grows as n^{found.time_exponent:.2f}")
    if found.memory_exponent > STEEPEST:
        wrong.append(f"memory grows as n^{found.memory_exponent:.2f}")
    if len(text) > 4000:
        wrong.append(f"its message has {len(text):,} characters")
    return wrong


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds to all limits")
@pytest.mark.parametrize("name", GENERATORS)
def test_growth(name: str, limited: Limited, tmp_path: Path) -> None:
    found = complaints(cost(limited, tmp_path, name, SAMPLE), LEEWAY)
    tries = 1
    while found and tries < TRIES:
        tries += 1  # a machine may be busy; what is wrong is wrong each time
        found = complaints(cost(limited, tmp_path, name, SAMPLE), LEEWAY)
    assert not found


def test_the_law_can_be_broken() -> None:
    """The exponents of what is linear, of what is quadratic, and of noise."""
    for power in (1.0, 2.0):
        seconds = [(size / MB) ** power for size in SIZES]
        assert math.isclose(exponent(SIZES, seconds, 0.0), power)
    assert exponent(SIZES, [0.001, 0.01, 0.02, 0.04, 0.1], NOISE_OF_TIME) == 0.0
    linear = Cost(Outcome("read", "", 1.0, 2**20), 1.1, 0.0)
    assert not complaints(linear)
    assert complaints(linear._replace(time_exponent=1.9)) == ["time grows as n^1.90"]
    assert complaints(linear._replace(memory_exponent=1.5)) == ["memory grows as n^1.50"]
    slow = linear.outcome._replace(seconds=3.0, memory=300 * MB)
    assert complaints(linear._replace(outcome=slow)) == ["3.0 s", "300 MB"]
    wordy = linear.outcome._replace(how="refused", text="x" * 5000)
    assert complaints(linear._replace(outcome=wordy)) == ["its message has 5,000 characters"]
    late = linear.outcome._replace(how="took too long", text="over 10 s")
    assert complaints(linear._replace(outcome=late)) == ["took too long: over 10 s"]


def main(words: list[str]) -> int:
    """Writes a line for each generator whose name has one of the words; for all without words."""
    failed = 0
    write = sys.stdout.write
    write(f"{'generator':45} {'slope of time':>13} {'of memory':>9} {'seconds':>8} {'MB':>6}\n")
    with Limited() as server, tempfile.TemporaryDirectory() as folder:
        for name in GENERATORS:
            if words and not any(word in name for word in words):
                continue
            found = cost(server, Path(folder), name, SIZES)
            wrong = "; ".join(complaints(found))
            failed += bool(wrong)
            how, text, seconds, memory, *_ = found.outcome
            write(
                f"{name:45} {found.time_exponent:13.2f} {found.memory_exponent:9.2f} "
                f"{seconds:8.2f} {memory / 2**20:6.0f}  {how}  "
                f"{wrong or text.partition(chr(10))[0][:70]}\n"
            )
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
