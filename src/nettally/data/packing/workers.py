"""The processes that decode photographs: each makes one shard at a time."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import NettallyError
from ...files import plain_only
from .image import MAX_FILE, Broken, Square, decode
from .shard import Entry, Failed, Plan, Record, write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from .source import Photo

EVERY = 0.2
"""Seconds between two looks at how far the workers are."""


OWN_FAULT = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENOTDIR)
"""Errors of one file, which is then broken; any other ends the packing, and it can be resumed."""


class Task(NamedTuple):
    """The photographs of one shard."""

    plan: Plan
    photos: Sequence[Photo]
    square: Square


class Stopped(Exception):
    """The packing was given up while a worker was at it."""


class _Shared:
    """What a worker has of the others: how many images are done, and whether to go on."""

    done: Any = None
    stop: Any = None


def run_tasks(
    tasks: Sequence[Task], workers: int, tick: Callable[[int, Record | Failed | None], None]
) -> None:
    """Make all the shards. tick: is told how many images are done, and each record.

    After the first shard that fails no new one is begun. The output does not depend on the number
    of workers; one worker is this process itself.
    """
    if workers <= 1 or len(tasks) <= 1:
        _here(tasks, tick)
        return
    context = get_context("spawn")  # a fork of a process with threads may hang
    done, stop = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)), context, initializer=_begin, initargs=(done, stop)
    )
    waiting: set[Future[Record | Failed]] = set()
    left = iter(tasks)
    failed = False
    try:
        while True:
            while not failed and len(waiting) < 2 * workers:
                task = next(left, None)
                if task is None:
                    break
                waiting.add(pool.submit(_work, task))
            if not waiting:
                break
            ready, waiting = wait(waiting, EVERY, FIRST_COMPLETED)
            for future in ready:
                if future.cancelled():
                    continue
                outcome = future.result()
                if isinstance(outcome, Failed) and not failed:
                    failed = True
                    stop.set()
                    for each in waiting:
                        each.cancel()
                tick(done.value, outcome)
            tick(done.value, None)
    except BrokenProcessPool:
        raise NettallyError(
            "a process that decoded images was ended from outside",
            values=f"{workers} workers",
            hint="if memory was short, give fewer: --workers 1; what is packed already is kept",
        ) from None
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _here(tasks: Sequence[Task], tick: Callable[[int, Record | Failed | None], None]) -> None:
    """The same without other processes."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        tick(done, None)

    for task in tasks:
        outcome = make_shard(task, count)
        tick(done, outcome)
        if isinstance(outcome, Failed):
            return


def _begin(done: Any, stop: Any) -> None:
    """Make ready in a worker. It ends with the process that began it, also when that is killed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to see to
    _Shared.done, _Shared.stop = done, stop
    parent = parent_process()
    if parent is not None:

        def watch() -> None:
            wait_for([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _work(task: Task) -> Record | Failed:
    def count() -> None:
        if _Shared.stop.is_set():
            raise Stopped
        with _Shared.done.get_lock():
            _Shared.done.value += 1

    return make_shard(task, count)


def make_shard(task: Task, count: Callable[[], None]) -> Record | Failed:
    """Decode the photographs into their shard. An error of the disk is told, not raised."""
    try:
        return write_shard(task.plan, _decoded(task, count))
    except Stopped:
        return Failed(0, "stopped", "")
    except OSError as error:
        return Failed(error.errno or 0, error.strerror or str(error), error.filename or "")


def _decoded(task: Task, count: Callable[[], None]) -> Iterator[Entry]:
    files = _Files()
    try:
        for photo in task.photos:
            try:
                image = decode(io.BytesIO(files.read(photo)), task.square)
            except Broken as error:
                yield None, photo.label, photo.key, str(error)
            else:
                yield image, photo.label, photo.key, ""
            count()
    finally:
        files.close()


class _Files:
    """Reads photographs; a tar stays open from one to the next."""

    def __init__(self) -> None:
        self.path = ""
        self.file: Any = None

    def read(self, photo: Photo) -> bytes:
        """The file's bytes. Raises Broken."""
        if photo.size > MAX_FILE:
            raise Broken(f"the file is too long: {photo.size:,} bytes")
        try:
            if photo.file != self.path:
                self.close()
                self.file = open(photo.file, "rb", 0, opener=plain_only)  # noqa: SIM115 - see close
                self.path = photo.file
            self.file.seek(photo.offset)
            data = b""
            while len(data) < photo.size:
                more = self.file.read(photo.size - len(data))
                if not more:
                    break
                data = data + more if data else more
        except OSError as error:
            if error.errno not in OWN_FAULT or photo.offset:
                raise  # a disk, a server or a tar that is gone is not the image's fault
            raise Broken(f"can't read the file: {error.strerror}") from None
        if not data:
            raise Broken("the file is empty")
        if len(data) < photo.size:
            raise Broken(f"the file ends too soon: {len(data):,} of {photo.size:,} bytes")
        return data

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file, self.path = None, ""


def cores() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
