"""How far a command is, on stderr: a bar where that is a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = 30.0
"""Seconds from one line to the next where stderr is no terminal."""


class CountBar:
    """A bar on stderr where that is a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def time_text(seconds: float) -> str:
    """A time for people: 1 h 52 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


class RateBar:
    """A progress bar on stderr; where that is no terminal, a line now and then."""

    def __init__(self, what: str, unit: str) -> None:
        self.what = what
        self.unit = unit
        self.begun = self.written = time.monotonic()
        self.first: int | None = None
        self.progress: Any = None
        self.task: Any = None
        self.show: Callable[..., None] = self._line

    def __enter__(self) -> RateBar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            of_bytes = self.unit == "bytes"
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                DownloadColumn() if of_bytes else MofNCompleteColumn(),
                TransferSpeedColumn() if of_bytes else TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[more]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self.task = self.progress.add_task(self.what, total=None, rate="", more="")
            self.progress.start()
            self.show = self._bar
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.progress is not None:
            self.progress.stop()

    def _rate(self, done: int) -> float:
        """A second's images, without those that were there from before."""
        if self.first is None:
            self.first = done
        return (done - self.first) / max(time.monotonic() - self.begun, 1e-3)

    def _bar(self, done: int, total: int, more: str = "") -> None:
        rate = f"{self._rate(done):,.0f}/s"
        self.progress.update(self.task, completed=done, total=total, rate=rate, more=more)

    def _line(self, done: int, total: int, more: str = "") -> None:
        rate = self._rate(done)
        now = time.monotonic()
        if now - self.written < EVERY:
            return
        self.written = now
        left = f", {time_text((total - done) / rate)} left" if rate > 0 else ""
        line = f"{self.what}: {done:,} of {total:,} {self.unit}, {rate:,.0f} a second{left}"
        sys.stderr.write(f"{line}{', ' * bool(more)}{more}\n")
        sys.stderr.flush()
