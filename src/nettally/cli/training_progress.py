"""How a training goes, as it goes: a bar on stderr where that is a terminal, a line an epoch."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..rendering.escape import escape
from ..training.loop import Report
from .output import here, prose, show

if TYPE_CHECKING:
    from ..training.run import Run


class TrainingProgress(Report):
    """What is printed: a bar on stderr where that is a terminal, and a line an epoch on stdout."""

    def __init__(self) -> None:
        self.active = False  # until the loop says that this process is the first
        self._bar: Any = None
        self._begun = monotonic()

    def begun(self, run: Run, per_epoch: int, steps: int, world: int, sends: int) -> None:
        """Print what is trained on what, and the head of the table of epochs."""
        self.active = True
        self._per_epoch, self._epochs = per_epoch, run.recipe.epochs
        terminal = here()
        title = f"{escape(run.network.name)} on {escape(_short(run.data))}"
        more = f", {world} processes" if world > 1 else ""
        texts = [
            f"recipe {run.recipe.name}: {run.recipe.epochs} epochs of {per_epoch:,} steps, "
            f"batch {run.recipe.batch}{more}; in {escape(run.path)}",
        ]
        if sends:
            texts.append(f"each column sends {sends:,} bytes a step, as counted of the network")
        if steps:
            texts.append(f"taken up at step {steps:,}, epoch {steps // per_epoch + 1}")
        head = _line({name: name for name in COLUMNS})
        title = "\n".join(terminal.style(line, "bold") for line in prose(title))
        say("\n".join([title, *prose(*texts), "", terminal.style(head, "dim")]))
        if sys.stderr.isatty():
            self._bar = _bar(self._epochs * per_epoch, steps)

    def step(self, epoch: int, at: int, loss: float, speed: float, waiting: float) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=epoch * self._per_epoch + at,
                description=f"epoch {epoch + 1}/{self._epochs}",
                loss=f"loss {loss:.4g}  {_speed(speed)} images/s  waiting {100 * waiting:.0f} %",
            )

    def epoch(self, epoch: int, line: dict[str, Any]) -> None:
        """Print the line of an epoch."""
        held_out = line.get("held_out") or {}
        text = _line(
            {
                "epoch": str(epoch + 1),
                "rate": f"{line['rate']:.2g}",
                "train loss": f"{line['train']['loss']:.4f}",
                "error": _percent(line["train"]["error"]),
                "top-1": _percent(held_out.get("top1")),
                "top-5": _percent(held_out.get("top5")),
                "images/s": _speed(line["images_per_second"]),
                "waiting": f"{100 * line['waiting']:.0f} %",
            }
        )
        if self._bar is not None:
            self._bar.console.file.flush()
            self._bar.stop()
        say(text)
        if self._bar is not None and epoch + 1 < self._epochs:
            self._bar.start()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def say(text: str) -> None:
    """A line on stdout, at once: who reads it may be waiting."""
    show(text + "\n")
    sys.stdout.flush()


COLUMNS = {
    "epoch": 5,
    "rate": 8,
    "train loss": 10,
    "error": 8,
    "top-1": 8,
    "top-5": 8,
    "images/s": 8,
    "waiting": 7,
}
"""The columns of the table of epochs, and their widths."""

LEFT_OUT = ("waiting", "images/s", "rate", "top-5", "error")
"""What a narrow terminal does not show, the first first."""


def _line(cells: dict[str, str]) -> str:
    """A line of the table of epochs, of the columns that the terminal has room for."""
    terminal, names = here(), [*COLUMNS]
    for name in LEFT_OUT:
        if terminal.wide or sum(COLUMNS[each] + 2 for each in names) - 2 <= terminal.width:
            break
        names.remove(name)
    return "  ".join(f"{cells[name]:>{COLUMNS[name]}}" for name in names)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _speed(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}"


def _short(data: str) -> str:
    return os.path.basename(data.rstrip(os.sep)) or data


def _bar(steps: int, done: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=steps, completed=done, loss="")
    bar.start()
    return bar
