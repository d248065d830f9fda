"""``nettally data``: images packed, looked at, held against their checksums."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from . import DIFFERS, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data.packing.manifest import Manifest
    from ..data.packing.pack import Progress, Report

SHOWN = 5
"""How many broken images are named; all are with ``data info --broken``."""

EVERY = 30.0
"""Seconds from one line to the next where stderr is no terminal."""

MAX_NAMES = 16 * 2**20


def pack(
    source: str,
    out: str,
    *,
    side: int = 256,
    resample: str = "area",
    grey: bool = False,
    upright: bool = False,
    order: str = "shuffled",
    held: float = 0.0,
    mirror: bool | None = None,
    name: str = "",
    classes: str | None = None,
    devkit: str | None = None,
    workers: int = 0,
    again: bool = False,
) -> int:
    """Pack, with a progress bar, and say what came of it. 0, also where images are broken."""
    from ..data.packing.find import find
    from ..data.packing.image import Square
    from ..data.packing.pack import Options, pack
    from ..data.packing.source import Photos

    names = _class_names(classes) if classes else ()
    found = find(source, name=name, classes=names, devkit=devkit)
    options = Options(Square(side, resample, grey, upright), order, held, mirror, name)
    with _Bar("packing", "images") as bar:
        try:
            report = pack(
                found,
                out,
                options,
                workers=workers,
                again=again,
                progress=lambda now: bar.show(now.done, now.total, _broken_so_far(now)),
            )
        except KeyboardInterrupt:
            bar.close()
            sys.stderr.write("stopped; the same command goes on after the last whole shard\n")
            raise
    lines = [_outcome(report, out), "", _splits(report.manifest)]
    lines += _left_out(report.manifest, out)
    if isinstance(found, Photos) and found.skipped:
        each = ", ".join(f"{count:,} {escape(end)}" for end, count in sorted(found.skipped.items()))
        total = sum(found.skipped.values())
        lines += ["", f"{total:,} other file{'s were' if total != 1 else ' was'} skipped: {each}"]
    lines += [f"note: {escape(note)}" for note in found.notes]
    commands._print("\n".join(lines) + "\n")
    return commands.TALLIES


def info(path: str, *, broken: bool = False) -> int:
    """Print what a packed folder holds; ``broken``: every image that was left out, one a line."""
    if path == "digits" and not os.path.isdir(path):
        return _digits()
    from ..data.packing.manifest import read_manifest

    manifest = read_manifest(path)
    if broken:
        lines = [f"{escape(name)}: {escape(why)}" for name, why in manifest.broken]
        commands._print("".join(f"{line}\n" for line in lines))
        return commands.TALLIES
    size = f"{manifest.height}x{manifest.width}x{manifest.channels}"
    lines = [_title(manifest.name, size, manifest.classes), "", _splits(manifest), ""]
    deviation = [max(manifest.covariance[i][i], 0.0) ** 0.5 for i in range(manifest.channels)]
    lines += _pixels(manifest.rgb_mean, deviation, manifest.mirror, manifest.identity)
    told = manifest.packed
    if "side" in told:
        turned = ", turned as EXIF says" * bool(told.get("upright"))
        how = f"shorter side to {told['side']} ({told.get('resample')}), the middle of it{turned}"
        lines.append(f"{'packed':<18}{escape(how)}; {escape(told.get('order'))} order")
    lines += _left_out(manifest, path)
    commands._print("\n".join(lines) + "\n")
    return commands.TALLIES


def _digits() -> int:
    """The same of scikit-learn's digits, which lie in no folder."""
    from ..data.packed import open_packed

    data = open_packed("digits")
    rows: list[list[str]] = []
    for name, split in data.splits.items():
        counts = split.labels.bincount().tolist()
        rows.append([name, f"{len(split):,}", f"{min(counts):,} to {max(counts):,}"])
    size = f"{data.height}x{data.width}x{data.channels}"
    head = ["split", "images", "a class has"]
    lines = [_title(data.name, size, data.classes), ""]
    lines += [grid(head, [False, True, True], rows, commands._here()), ""]
    deviation = data.covariance.diagonal().sqrt().tolist()
    lines += _pixels(data.rgb_mean.tolist(), deviation, data.mirror, data.identity)
    commands._print("\n".join(lines) + "\n")
    return commands.TALLIES


def _title(name: str, size: str, classes: Sequence[str]) -> str:
    some = ", ".join(escape(each[:30]) for each in classes[:3]) + ", …" * (len(classes) > 3)
    title = f"{escape(name)}: {size}, {len(classes):,} class{'es' * (len(classes) != 1)} ({some})"
    return commands._here().style(title, "bold")


def _pixels(
    mean: Sequence[float], deviation: Sequence[float], mirror: bool, identity: str
) -> list[str]:
    """What is known of the pixels to learn from, in 0..255."""
    return [
        _row("mean of a pixel", mean),
        _row("its deviation", deviation),
        f"{'mirrored images':<18}{'as good as any' if mirror else 'are not used'}",
        f"{'identity':<18}{identity}",
    ]


def verify(path: str) -> int:
    """Hold every file against its checksum. 1 where one differs."""
    from ..data.packing.place import size_text
    from ..data.packing.verify import verify

    with _Bar("reading", "bytes") as bar:
        checked = verify(path, bar.show)
    if not checked.wrong:
        said = f"{checked.files:,} files, {size_text(checked.bytes)}: all as they were packed"
        commands._print(said + "\n")
        return commands.TALLIES
    lines = [f"{len(checked.wrong):,} of {checked.files:,} files are not as they were packed:"]
    lines += [f"  {escape(name)}: {escape(what)}" for name, what in checked.wrong]
    commands._print("\n".join(lines) + "\n")
    return DIFFERS


def _class_names(path: str) -> tuple[str, ...]:
    """The names in a file, one a line. Raises NettallyError."""
    try:
        if os.path.getsize(path) > MAX_NAMES:
            raise NettallyError("the file of names is too long", where=path)
        with open(path, encoding="utf-8") as file:
            names = tuple(line.strip() for line in file.read().splitlines() if line.strip())
    except OSError as error:
        raise NettallyError(f"can't open the file: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise NettallyError("the file of names is no UTF-8", where=path) from None
    long = next((each for each in names if len(each) > 1000), None)
    if long is not None or not names:
        raise NettallyError(
            "the file has no names of classes",
            where=path,
            values=f"{long[:40]}…" if long else "it is empty",
            hint="one name a line, in the order of the labels",
        )
    return names


def _broken_so_far(now: Progress) -> str:
    return f"{now.broken:,} broken" if now.broken else ""


def _outcome(report: Report, out: str) -> str:
    """One line: what was done."""
    from ..data.packing.place import size_text

    manifest = report.manifest
    images = sum(part.images for part in manifest.splits.values())
    size = size_text(sum(each.size for each in manifest.files()))
    there = f"{images:,} image{'s' * (images != 1)}, {size}, in {escape(out)}"
    if report.already:
        return f"already packed: {there}"
    done = report.packed + report.broken
    rate = f"{done / max(report.seconds, 1e-3):,.0f} images/s"
    said = f"packed: {there}; {time_text(report.seconds)}, {rate}"
    if report.resumed:
        said += f"; {report.resumed:,} were there from before"
    return said


def _splits(manifest: Manifest) -> str:
    """The splits as a table: images, how many a class has, shards, bytes."""
    from ..data.packing.place import size_text
    from ..data.packing.verify import class_counts

    rows: list[list[str]] = []
    for name, part in manifest.splits.items():
        counts = class_counts(manifest, part)
        if counts is None:
            each = "labels that are no class"
        else:
            least, most = min(counts), max(counts)
            each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        size = sum(stored.size for stored in part.shards)
        rows.append([name, f"{part.images:,}", each, f"{len(part.shards):,}", size_text(size)])
    head = ["split", "images", "a class has", "shards", "size"]
    return grid(head, [False, True, True, True, True], rows, commands._here())


def _row(name: str, numbers: Sequence[float]) -> str:
    return f"{name:<18}" + "  ".join(f"{each:.2f}" for each in numbers)


def _left_out(manifest: Manifest, folder: str) -> list[str]:
    """The images that are broken: the first few of them, and where all are listed."""
    count = len(manifest.broken)
    if not count:
        return []
    lines = ["", f"{count:,} image{'s are' if count != 1 else ' is'} broken and left out:"]
    lines += [f"  {escape(path)}: {escape(why)}" for path, why in manifest.broken[:SHOWN]]
    if count > SHOWN:
        lines.append(f"  all of them: nettally data info {escape(folder)} --broken")
    return lines


def time_text(seconds: float) -> str:
    """A time for people: 1 h 52 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


class _Bar:
    """A progress bar on stderr; where that is no terminal, a line now and then."""

    def __init__(self, what: str, unit: str) -> None:
        self.what = what
        self.unit = unit
        self.begun = self.told = time.monotonic()
        self.first: int | None = None
        self.progress: Any = None
        self.task: Any = None
        self.show: Callable[..., None] = self._line

    def __enter__(self) -> _Bar:
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
        if now - self.told < EVERY:
            return
        self.told = now
        left = f", {time_text((total - done) / rate)} left" if rate > 0 else ""
        said = f"{self.what}: {done:,} of {total:,} {self.unit}, {rate:,.0f} a second{left}"
        sys.stderr.write(f"{said}{', ' * bool(more)}{more}\n")
        sys.stderr.flush()
