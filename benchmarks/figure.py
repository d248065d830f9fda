"""How long figures take: whole processes of the command line, and a graph of 10,000 layers.

    python benchmarks/figure.py

Each line: the best and the median of 5 runs, in seconds, and what is promised.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
COMMANDS = (
    (0.3, ("alexnet",)),
    (0.3, ("alexnet", "--style", "blocks")),
    (0.3, ("alexnet", "--style", "bars")),
    (0.3, ("alexnet", "--style", "field")),
    (1.0, ("resnet-152", "--style", "blocks")),
    (1.0, ("densenet-121", "--style", "blocks")),
)
LAYERS = 10_000


def main() -> None:
    """Print a line a command, and a line a large graph."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "figure.svg")
        for most, words in COMMANDS:
            times = [_run([*words, "-o", out]) for _ in range(RUNS)]
            _line("nettally draw " + " ".join(words), times, most)
        for name, text in (("chain", _chain()), ("residual", _residual()), ("tangle", _tangle())):
            path = Path(folder) / f"{name}.yaml"
            path.write_text(text, encoding="utf-8")
            for style in ("blocks", "volumes", "bars"):
                times = [_run([str(path), "--style", style, "-o", out])]
                _line(f"{LAYERS:,} layers, {name}, {style}", times, 10.0)


def _run(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "nettally", "draw", *words], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def _line(what: str, times: list[float], most: float) -> None:
    best, middle = min(times), statistics.median(times)
    print(f"{what:<44} {best:6.3f} {middle:6.3f}   under {most:g}")


HEAD = "nettally: 1\nname: large\ninput: 4x16x16\nlayers:\n"


def _chain() -> str:
    """No two neighbours alike, so that nothing repeats."""
    return HEAD + "".join(
        f"  - c{i}: conv {4 + i * 7919 % 13}, 3x3, padding 1\n" for i in range(LAYERS)
    )


def _residual() -> str:
    """Blocks of four layers with a way around them, as a file without modules has them."""
    lines = ["  - stem: conv 8, 3x3, padding 1\n"]
    before = "stem"
    for i in range(LAYERS // 4):
        lines += [
            f"  - a{i}: conv 8, 3x3, padding 1 from {before}\n",
            f"  - r{i}: relu\n",
            f"  - b{i}: conv 8, 3x3, padding 1\n",
            f"  - s{i}: add from b{i}, {before}\n",
        ]
        before = f"s{i}"
    return HEAD + "".join(lines)


def _tangle() -> str:
    """Each layer reads one before it and one far before: no place is one line wide."""
    lines = ["  - n0: relu\n", "  - n1: relu\n"]
    for i in range(2, LAYERS):
        far = max(0, i - 2 - i * 7919 % 97)
        lines.append(f"  - n{i}: add from n{i - 1}, n{far}\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    main()
