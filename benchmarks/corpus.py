"""How long the collected files take to read and count: python benchmarks/corpus.py [PROCESSES]

All files of the index, in PROCESSES processes (2) that each begin with nothing imported, as they
are read from Python; then each file that took longest, as a whole command. The target is a minute
for all of them on two cores. The files are beside the checkout, or where NETTALLY_SHARED says.
"""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("NETTALLY_SHARED") or ROOT.parent / "shared") / "corpus"
TARGET = 60.0
SLOWEST = 8


def one(path: str) -> float:
    """Seconds for one file, read or refused."""
    from nettally import read, tally
    from nettally.errors import NettallyError

    begun = perf_counter()
    try:
        counted = tally(read(path))
        sum((counted.parameters, counted.operations, counted.neurons))
    except NettallyError:
        pass
    return perf_counter() - begun


def command(path: str) -> float:
    """Seconds for ``nettally tally FILE``, from its start to its end."""
    more = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([str(ROOT / "src"), *([more] if more else [])])
    begun = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "nettally", "tally", path],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, 2) or b"Traceback" in done.stderr:
        sys.exit(done.stderr.decode())
    return perf_counter() - begun


def main() -> None:
    if not CORPUS.is_dir():
        sys.exit(f"the collected files are not there: {CORPUS}")
    sys.path.insert(0, str(ROOT / "src"))
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with (CORPUS / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["format"] != "oracle"]
    paths = [str(CORPUS / row["file"]) for row in rows]
    print(
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}; {processes} processes"
    )
    begun = perf_counter()
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=sys.path.insert,
                             initargs=(0, str(ROOT / "src"))) as pool:  # fmt: skip
        seconds = list(pool.map(one, paths, chunksize=16))
    whole = perf_counter() - begun
    verdict = "met" if whole <= TARGET else "MISSED"
    print(
        f"{len(paths)} files in {whole:.2f} s of {TARGET:g} {verdict}; in all {sum(seconds):.2f} s"
    )
    kinds: defaultdict[str, list[float]] = defaultdict(list)
    for row, took in zip(rows, seconds, strict=True):
        kinds[row["format"]].append(took)
    for kind, took in kinds.items():
        print(f"  {kind:<16} {len(took):>3} files {sum(took):>7.2f} s, at most {max(took):.3f} s")
    print("the slowest, in a process that has read others, and as a whole command:")
    for took, path in sorted(zip(seconds, paths, strict=True), reverse=True)[:SLOWEST]:
        print(f"  {took:.3f} s  {command(path):.3f} s  {os.path.relpath(path, CORPUS)}")


if __name__ == "__main__":
    main()
