"""``nettally train``: reads the network and the data, trains, and tells how it goes."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from ..training.allocator import keep_freed_memory
from ..training.loop import Report, resume, train
from ..training.recipe import recipe_called
from ..training.recipe_words import changed
from ..training.settings import Settings
from . import commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data.packed import Packed
    from ..network import Network
    from ..training.loop import Outcome
    from ..training.recipe import Recipe
    from ..training.run import Run

STOPPED = 130
"""The exit code of a training that was asked to stop: as after Ctrl-C."""


def run_training(
    net: str | None,
    *,
    data: str | None,
    output: str | None,
    recipe: str,
    epochs: int | None,
    batch: int | None,
    changes: Sequence[str],
    taken_up: str | None,
    dry: bool,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    **settings: Any,
) -> int:
    """``nettally train``; the exit code."""
    keep_freed_memory()
    asked = {name: value for name, value in settings.items() if value is not None}
    if taken_up is not None:
        return _take_up(taken_up, net, data, asked, changed_too=bool(changes or epochs or batch))
    if net is None:
        raise NettallyError(
            "which network?", hint="nettally train NET --data PACKED, or --resume RUN"
        )
    network, said = commands._network(net, inputs, companion, phase, stages)
    used = _recipe(recipe, epochs, batch, changes)
    _first(said)
    if dry:
        from .dry import dry_run

        _say(dry_run(network, used, Settings(**asked), commands._here(), data))
        return commands.TALLIES
    from ..data.packed import open_packed

    packed = open_packed(data or "digits")
    if data is None and _first():
        sys.stderr.write("no --data: scikit-learn's digits are taken\n")
    several = int(asked.get("devices", 1)) * int(asked.get("nodes", 1)) > 1
    path = output or _free_folder(network, several=several)
    told = Told()
    return _ended(train(network, packed, path, used, Settings(**asked), told), told)


def _recipe(name: str, epochs: int | None, batch: int | None, changes: Sequence[str]) -> Recipe:
    words = list(changes)
    if epochs is not None:
        words.append(f"epochs={epochs}")
    if batch is not None:
        words.append(f"batch={batch}")
    return changed(recipe_called(name), words)


def _take_up(
    path: str, net: str | None, data: str | None, asked: dict[str, Any], *, changed_too: bool
) -> int:
    from ..data.packed import open_packed
    from ..training.run import open_run

    if net is not None or changed_too:
        raise NettallyError(
            "a run is taken up as it was begun: with its network and its recipe",
            hint=f"nettally train --resume {path}",
        )
    run = open_run(path)
    packed: Packed = open_packed(data or run.data)
    told = Told()
    settings: Any = {**run.settings, "steps": 0, **asked}
    return _ended(resume(path, packed, Settings(**settings), told), told)


def _first(notes: Sequence[str] = ()) -> bool:
    """Whether this is the first of several processes; it tells the notes."""
    first = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
    if first:
        for note in notes:
            sys.stderr.write(f"note: {escape(note)}\n")
    return first


def _free_folder(network: Network, *, several: bool) -> str:
    """runs/NAME-1, or the next number that is free. Several processes have to be told one."""
    if several or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise NettallyError("where does the run go?", hint="several processes need -o RUN")
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in network.name) or "run"
    number = 1
    while os.path.exists(path := os.path.join("runs", f"{stem}-{number}")):
        number += 1
    return path


def _ended(outcome: Outcome, told: Told) -> int:
    told.close()
    if not told.active:
        return STOPPED if outcome.asked else commands.TALLIES
    path = escape(outcome.path)
    if outcome.stopped:
        _say(f"\nstopped at step {outcome.steps:,}; to go on:  nettally train --resume {path}")
        return STOPPED if outcome.asked else commands.TALLIES
    best = "" if outcome.best is None else f", least error {100 * outcome.best:.2f} %"
    _say(
        f"\n{outcome.epochs} epochs, {outcome.steps:,} steps{best}\n"
        f"the run is in {path}:  nettally evaluate {path}"
    )
    return commands.TALLIES


class Told(Report):
    """What is told: a bar on stderr where that is a terminal, and a line an epoch on stdout."""

    def __init__(self) -> None:
        self.active = False  # until the loop says that this process is the first
        self._bar: Any = None
        self._begun = monotonic()

    def begun(self, run: Run, per_epoch: int, steps: int, world: int, sends: int) -> None:
        """Print what is trained on what, and the head of the table of epochs."""
        self.active = True
        self._per_epoch, self._epochs = per_epoch, run.recipe.epochs
        here = commands._here()
        title = f"{escape(run.network.name)} on {escape(_short(run.data))}"
        more = f", {world} processes" if world > 1 else ""
        lines = [
            here.style(title, "bold"),
            f"recipe {run.recipe.name}: {run.recipe.epochs} epochs of {per_epoch:,} steps, "
            f"batch {run.recipe.batch}{more}; in {escape(run.path)}",
        ]
        if sends:
            lines.append(f"each column sends {sends:,} bytes a step, as counted of the network")
        if steps:
            lines.append(f"taken up at step {steps:,}, epoch {steps // per_epoch + 1}")
        lines += ["", here.style(HEAD, "dim")]
        _say("\n".join(lines))
        if sys.stderr.isatty():
            self._bar = _bar(self._epochs * per_epoch, steps)

    def step(self, epoch: int, at: int, loss: float, speed: float, waiting: float) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=epoch * self._per_epoch + at,
                description=f"epoch {epoch + 1}/{self._epochs}",
                told=f"loss {loss:.4g}  {_speed(speed)} images/s  waiting {100 * waiting:.0f} %",
            )

    def epoch(self, epoch: int, line: dict[str, Any]) -> None:
        """Print the line of an epoch."""
        held = line.get("held_out") or {}
        text = (
            f"{epoch + 1:>5}  {line['rate']:>8.2g}  {line['train']['loss']:>10.4f}  "
            f"{_percent(line['train']['error'])}  {_percent(held.get('top1'))}  "
            f"{_percent(held.get('top5'))}  {_speed(line['images_per_second']):>8}  "
            f"{100 * line['waiting']:>5.0f} %"
        )
        if self._bar is not None:
            self._bar.console.file.flush()
            self._bar.stop()
        _say(text)
        if self._bar is not None and epoch + 1 < self._epochs:
            self._bar.start()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _say(text: str) -> None:
    """A line on stdout, at once: who reads it may be waiting."""
    commands._print(text + "\n")
    sys.stdout.flush()


HEAD = (
    f"{'epoch':>5}  {'rate':>8}  {'train loss':>10}  {'error':>8}  {'top-1':>8}  {'top-5':>8}  "
    f"{'images/s':>8}  {'waiting':>7}"
)


def _percent(share: float | None) -> str:
    return f"{'–':>8}" if share is None else f"{100 * share:>6.2f} %"


def _speed(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}"


def _short(data: str) -> str:
    return os.path.basename(data.rstrip(os.sep)) or data


def _bar(steps: int, done: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    made = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    made.add_task("", total=steps, completed=done, told="")
    made.start()
    return made
