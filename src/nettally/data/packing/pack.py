"""Packs a source into a folder: planned, made shard by shard, resumed where it was left."""

from __future__ import annotations

import errno
import os
import shutil
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import NettallyError
from ...versions import version_of
from .finish import finish
from .image import RESAMPLES, Square, need_pillow
from .manifest import MAX_SIDE, Manifest
from .place import Folder, outside, size_text
from .shard import Failed, Plan, array_entries, read_record, write_shard
from .source import (
    Arrays,
    Photos,
    arrays_digest,
    hold_out,
    photos_digest,
    shuffled,
)
from .workers import Task, cores, run_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .shard import Record

SHARD_BYTES = 96 * 2**20
"""About how long a shard is: 512 images of 256 x 256 in RGB. It is what is lost by a kill, at most,
and what a worker holds alone."""

FEW, MANY = 128, 32
"""A split of photographs has so many shards, if it has so many images for each."""

SPARE = 2**20
"""Bytes that the manifest and the folder take, about."""

ORDERS = ("shuffled", "given")


class Progress(NamedTuple):
    """How far it is. resumed: images of an earlier attempt, which are done too."""

    done: int
    total: int
    broken: int
    resumed: int


class Report(NamedTuple):
    """What came of it. already: it was all there before. packed, broken: images, of this attempt.

    seconds: of packing, without reading what is in the source.
    """

    manifest: Manifest
    already: bool
    packed: int
    broken: int
    resumed: int
    seconds: float


class Options(NamedTuple):
    """How to pack. None: as the kind of source has it. shard: images of one; 0 is by their size."""

    square: Square = Square()
    order: str = "shuffled"
    hold_out: float = 0.0
    mirror: bool | None = None
    name: str = ""
    shard: int = 0


def pack(
    source: Photos | Arrays,
    out: str,
    options: Options | None = None,
    *,
    workers: int = 0,
    again: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Pack the source (``find``) into the folder ``out``.

    The same source and options give the same bytes, however many workers there are and however
    often it was killed and begun again. workers: processes that decode; 0 is one a core. With
    more than one, a script must guard what it does by ``if __name__ == "__main__"``.

    Raises NettallyError for a folder that holds something else, too little room on the disk, a
    source without an image that can be read.
    """
    options = options or Options()
    _check(source, options)
    if isinstance(source, Photos):
        need_pillow()
        source = _ordered(source, options)
    facts = _described(source, options)
    digest = _digest(source, facts)
    facts = {**facts, "source": digest, **_noted(source)}
    outside(source.root, out)
    with Folder(out) as folder:
        finished = folder.begin(digest, facts["name"], again)
        if finished is not None:
            return Report(finished, True, 0, 0, _images(finished), 0.0)
        plans = _plans(source, options, out)
        begun = time.perf_counter()
        have = {plan.name: read_record(plan) for _, plan, _ in plans}
        _room(source, plans, have, out)
        resumed = sum(_length(each) for each in have.values() if each is not None)
        count = _Count(progress, resumed, sum(stop - start for _, _, (start, stop) in plans))
        missing = [each for each in plans if have[each[1].name] is None]
        if isinstance(source, Photos):
            _pack_photos(source, missing, options, workers or cores(), count)
        else:
            _pack_arrays(source, missing, count)
        if count.failed is not None:
            raise _stopped(count.failed, out, source, plans, count)
        try:
            manifest = finish(source, out, [(name, plan) for name, plan, _ in plans], facts)
        except OSError as error:
            failed = Failed(error.errno or 0, error.strerror or str(error), "")
            raise _stopped(failed, out, source, plans, count) from None
        seconds = time.perf_counter() - begun
        return Report(manifest, False, count.packed, count.broken, resumed, seconds)


def _check(source: Photos | Arrays, options: Options) -> None:
    """Refuse options that make no sense, or not for this source."""
    square = options.square
    if not 1 <= square.side <= MAX_SIDE:
        raise NettallyError(
            "images cannot be that large", values=f"side {square.side}; 1 to {MAX_SIDE:,} are"
        )
    for kind, value, known in (
        ("way of resampling", square.resample, RESAMPLES),
        ("order", options.order, ORDERS),
    ):
        if value not in known:
            raise NettallyError(
                f"no {kind} is called so", values=repr(value[:60]), hint=", ".join(known)
            )
    if not 0 <= options.hold_out < 1:
        raise NettallyError(
            "what is held out is a part of the images",
            values=f"{options.hold_out}",
            hint="0.1 holds out a tenth",
        )
    if isinstance(source, Arrays) and square != Square():
        raise NettallyError(
            "images of an array are packed as they are",
            values=f"{source.height}x{source.width}x{source.channels}",
            hint="--side, --resample, --grey and --upright are for photographs; leave them out",
        )
    if options.hold_out and "validation" in source.splits:
        raise NettallyError(
            "the source has a validation split already",
            hint="leave out --hold-out, or give the folder of the training images only",
        )
    if options.hold_out and isinstance(source, Arrays):
        raise NettallyError(
            "what is held out is told by the images' names, and these have none",
            hint="train on all of it, and evaluate on its test split",
        )


def _ordered(photos: Photos, options: Options) -> Photos:
    """The photographs with some held out, and those to learn from in a mixed order."""
    splits = dict(photos.splits)
    if options.hold_out:
        train, held_out = hold_out(splits["train"], options.hold_out)
        if not train or not held_out:
            raise NettallyError(
                "one side would be without an image",
                values=f"{len(train):,} to learn from, {len(held_out):,} held out",
                hint="there are too few images for that --hold-out",
            )
        splits = {**splits, "train": train, "validation": held_out}
    if options.order == "shuffled":
        splits["train"] = shuffled(splits["train"])
    return photos._replace(splits=splits)


def _described(source: Photos | Arrays, options: Options) -> dict[str, Any]:
    """How it is packed, as the manifest tells it; the digest is of this too."""
    facts: dict[str, Any] = {
        "name": options.name or source.name,
        "mirror": _mirror(source, options),
    }
    if isinstance(source, Photos):
        facts.update(options.square._asdict(), order=options.order, hold_out=options.hold_out)
    facts["shard"] = options.shard
    return facts


def _digest(source: Photos | Arrays, facts: Mapping[str, Any]) -> str:
    """What tells this packing from any other."""
    if isinstance(source, Photos):
        return photos_digest(source, facts)
    return arrays_digest(source, facts)


def _noted(source: Photos | Arrays) -> dict[str, Any]:
    """What the manifest tells besides, and makes no other packing of it."""

    def of(name: str) -> str:
        return f"{name} {version_of(name)}".rstrip()

    noted: dict[str, Any] = {"by": [of("nettally")], "notes": list(source.notes)}
    if isinstance(source, Photos):
        noted["by"].append(of("Pillow"))
        noted["skipped"] = dict(sorted(source.skipped.items()))
    return noted


def _mirror(source: Photos | Arrays, options: Options) -> bool:
    if options.mirror is not None:
        return options.mirror
    return isinstance(source, Photos) or source.mirror


def shape_of(source: Photos | Arrays, square: Square) -> tuple[int, int, int]:
    """Height, width and channels of the packed images."""
    if isinstance(source, Photos):
        return square.side, square.side, square.channels
    return source.height, source.width, source.channels


Piece = tuple[str, Plan, tuple[int, int]]
"""A shard that is to be: its split, its plan, which images of the split it is made of."""


def _plans(source: Photos | Arrays, options: Options, out: str) -> list[Piece]:
    shape = shape_of(source, options.square)
    most = max(1, SHARD_BYTES // (shape[0] * shape[1] * shape[2]))
    plans: list[Piece] = []
    for split in source.splits:
        count = len(source.splits[split]) if isinstance(source, Photos) else source.counts[split]
        each = options.shard or most
        if isinstance(source, Photos) and not options.shard:
            # of few images so many shards that several workers have something to do
            each = min(most, max(FEW, -(-count // MANY)))
        for i, start in enumerate(range(0, count, each)):
            stop = min(start + each, count)
            plan = Plan(out, f"{split}-{i:05d}.u8", shape, split == "train", stop - start)
            plans.append((split, plan, (start, stop)))
    return plans


class _Count:
    """Adds up what is done, and tells it on."""

    def __init__(self, tell: Callable[[Progress], None] | None, resumed: int, total: int) -> None:
        self.tell = tell
        self.resumed = resumed
        self.total = total
        self.packed = self.broken = 0
        self.failed: Failed | None = None

    def tick(self, done: int, outcome: Record | Failed | None) -> None:
        if isinstance(outcome, Failed):
            self.failed = self.failed or outcome
        elif outcome is not None:
            self.packed += outcome.images
            self.broken += len(outcome.broken)
        if self.tell is not None:
            self.tell(Progress(self.resumed + done, self.total, self.broken, self.resumed))


def _pack_photos(
    photos: Photos, missing: Sequence[Piece], options: Options, workers: int, count: _Count
) -> None:
    tasks = [
        Task(plan, photos.splits[split][start:stop], options.square)
        for split, plan, (start, stop) in missing
    ]
    count.tick(0, None)
    run_tasks(tasks, workers, count.tick)


def _pack_arrays(arrays: Arrays, missing: Sequence[Piece], count: _Count) -> None:
    done = 0
    for split, read in arrays.splits.items():
        wanted = [each for each in missing if each[0] == split]
        if not wanted:
            continue
        images, labels = read()
        for _, plan, (start, stop) in wanted:
            try:
                record = write_shard(plan, array_entries(images[start:stop], labels[start:stop]))
            except OSError as error:
                count.failed = Failed(error.errno or 0, error.strerror or str(error), "")
                return
            done += stop - start
            count.tick(done, record)


def _length(record: Record) -> int:
    return record.images + len(record.broken)


def _images(manifest: Manifest) -> int:
    return sum(part.images for part in manifest.splits.values())


def _needed(plans: Sequence[Piece]) -> int:
    """Bytes of all shards, labels and sums, at most."""
    total = SPARE
    for _, plan, (start, stop) in plans:
        size = plan.shape[0] * plan.shape[1] * plan.shape[2]
        # labels twice: in the records they are text, until all are packed
        total += (stop - start) * (size + 16) + size * 4 * plan.sums
    return total


def _room(
    source: Photos | Arrays, plans: Sequence[Piece], have: Mapping[str, Record | None], out: str
) -> None:
    """Raises NettallyError where the disk has not the room for what is still to be written."""
    need = _needed([each for each in plans if have[each[1].name] is None])
    free = shutil.disk_usage(out).free
    if need > free:
        raise NettallyError(
            "the disk has not the room for the packed data",
            where=out,
            values=f"{size_text(need)} are needed, {size_text(free)} are free",
            hint="make room, or pack into a folder on another disk",
        )


def _stopped(
    failed: Failed, out: str, source: Photos | Arrays, plans: Sequence[Piece], count: _Count
) -> NettallyError:
    """What to say of a shard that could not be written."""
    complete = [plan for _, plan, _ in plans if read_record(plan) is not None]
    written = sum(os.path.getsize(os.path.join(out, plan.name)) for plan in complete)
    full = failed.number in (errno.ENOSPC, getattr(errno, "EDQUOT", -1))
    values = f"{len(complete):,} of {len(plans):,} shards are complete, {size_text(written)}"
    if full:
        left = [each for each in plans if each[1] not in complete]
        free = shutil.disk_usage(out).free
        values += f"; {size_text(_needed(left))} more are needed, {size_text(free)} are free"
    what = "the disk is full" if full else f"the packing was stopped: {failed.said}"
    return NettallyError(
        what,
        where=failed.where or out,
        values=values,
        hint=("make room, and " if full else "")
        + "give the same command again: it goes on after the shards that are complete",
    )
