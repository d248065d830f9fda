"""How a run went, as a picture: the loss of each epoch and its errors, out of the run's log."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ReadError
from ..files import plain_only
from ..training.run import LOG
from .pictures import Block, Item, Picture, Stroke, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..training.run import Run

WIDTH, PANEL, MARGIN, LEFT, BETWEEN = 640, 170, 24, 58, 46
MOST = 200_000_000
"""Bytes of a log that are read."""


class Epoch(NamedTuple):
    """What the log says of one epoch; None where nothing was held out."""

    number: int
    loss: float
    error: float
    held_loss: float | None
    top1: float | None


def epochs_of(path: str) -> list[Epoch]:
    """The epochs in a run's log, in their order. Raises ReadError where it has none."""
    name = os.path.join(path, LOG)
    try:
        with open(name, encoding="utf-8", errors="replace", opener=plain_only) as file:
            lines = file.read(MOST).splitlines()
    except OSError as error:
        raise ReadError(f"can't read the log: {error.strerror}", where=name) from None
    epochs: list[Epoch] = []
    for line in lines:
        try:
            entry: Any = json.loads(line)
            train, held_out = entry["train"], entry.get("held_out") or {}
            numbers = (train["loss"], train["error"], held_out.get("loss"), held_out.get("top1"))
            values = [None if each is None else float(each) for each in numbers]
            epochs.append(Epoch(int(entry["epoch"]), *values))  # pyright: ignore[reportArgumentType] - the first two are there
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line of a step, or one that was cut short
    if not epochs:
        raise ReadError(
            "the log has no epoch yet", where=name, hint=f"nettally train --resume {path}"
        )
    return epochs


def curve(run: Run) -> Picture:
    """Two panels over the epochs: the loss, on a logarithmic scale, and the errors in percent."""
    epochs = epochs_of(run.path)
    last = max(each.number for each in epochs) + 1
    data = os.path.basename(run.data.rstrip(os.sep)) or run.data
    title = f"{run.network.name} on {data}, {run.recipe.name}"
    items: list[Item] = [Words(MARGIN, 26, title, 15.0, most=WIDTH - 2 * MARGIN)]
    has_held_out = any(each.top1 is not None for each in epochs)
    key = "training, with all that the recipe adds"
    items += [
        Stroke(((MARGIN, 45), (MARGIN + 26, 45)), "accent"),
        Words(MARGIN + 34, 49, key, 12.0, "muted"),
    ]
    if has_held_out:
        items += [
            Stroke(((WIDTH - 150, 45), (WIDTH - 124, 45)), "ink", dashed=True),
            Words(WIDTH - 116, 49, "held out", 12.0, "muted"),
        ]
    top = 84.0
    losses = [each.loss for each in epochs], [each.held_loss for each in epochs]
    items += _panel("loss", top, epochs, last, losses, _logarithmic(losses))
    errors = (
        [100 * each.error for each in epochs],
        [None if each.top1 is None else 100 * each.top1 for each in epochs],
    )
    items += _panel("error, %", top + PANEL + BETWEEN, epochs, last, errors, _linear(errors))
    bottom = round(top + 2 * PANEL + BETWEEN)
    items.append(Words(WIDTH / 2, bottom + 36, "epoch", 12.0, "muted", "middle"))
    desc = (
        f"{len(epochs)} epochs; at the end the training loss is {epochs[-1].loss:.4g} and the "
        f"training error {100 * epochs[-1].error:.2f} %"
    )
    return Picture(title, desc, WIDTH, bottom + 52, tuple(items))


class _Scale(NamedTuple):
    """Where a value stands, from 0 below to 1 above, and the values that are written."""

    place: Callable[[float], float]
    marks: tuple[float, ...]


Lines = tuple["Sequence[float]", "Sequence[float | None]"]


def _values(lines: Lines) -> list[float]:
    return [each for line in lines for each in line if each is not None and math.isfinite(each)]


def _linear(lines: Lines) -> _Scale:
    most = max([*_values(lines), 1e-9])
    step = 10.0 ** math.floor(math.log10(most))
    step = next(each for each in (step / 5, step / 2, step, 2 * step) if most / each <= 6)
    highest = math.ceil(most / step - 1e-9) * step
    marks = tuple([i * step for i in range(round(highest / step) + 1)])

    def place(value: float) -> float:
        return value / highest

    return _Scale(place, marks)


def _logarithmic(lines: Lines) -> _Scale:
    values = [max(each, 1e-6) for each in _values(lines)] or [1.0]
    low = math.floor(math.log10(min(values)) * 3) / 3
    high = max(low + 1 / 3, math.ceil(math.log10(max(values)) * 3) / 3)
    every = [m * 10.0**p for p in range(-7, 7) for m in (1, 2, 5)]
    marks = [each for each in every if low - 1e-9 <= math.log10(each) <= high + 1e-9]
    if len(marks) > 6:
        marks = [each for each in marks if f"{each:e}".startswith("1")]

    def place(value: float) -> float:
        return (math.log10(max(value, 1e-6)) - low) / (high - low)

    return _Scale(place, tuple(marks))


def _panel(
    name: str, top: float, epochs: list[Epoch], last: int, lines: Lines, scale: _Scale
) -> list[Item]:
    """One panel: its frame, its marks, and a line for training and one for what was held out."""
    right, bottom = WIDTH - MARGIN, top + PANEL
    items: list[Item] = [Words(MARGIN, top - 9, name, 12.0, "muted")]
    for mark in scale.marks:
        y = bottom - PANEL * scale.place(mark)
        items.append(Stroke(((LEFT, y), (right, y)), "faint", 1.0))
        items.append(Words(LEFT - 7, y + 4, f"{mark:g}", 11.0, "muted", "end"))
    items.append(Block(LEFT, top, right - LEFT, PANEL, stroke="faint"))

    def across(number: int) -> float:
        return LEFT + (right - LEFT) * (number + 1) / last

    step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 1000, 10**9) if last / each <= 10)
    items += [
        Words(across(number - 1), bottom + 16, str(number), 11.0, "muted", "middle")
        for number in range(step, last + 1, step)
    ]
    for values, colour in zip(lines, ("accent", "ink"), strict=True):
        points = tuple(
            [
                (across(epoch.number), bottom - PANEL * scale.place(value))
                for epoch, value in zip(epochs, values, strict=True)
                if value is not None and math.isfinite(value)
            ]
        )
        if len(points) > 1:
            items.append(Stroke(points, colour, dashed=colour == "ink"))
        elif points:
            ((x, y),) = points
            items.append(Block(x - 2, y - 2, 4, 4, colour))
    return items
