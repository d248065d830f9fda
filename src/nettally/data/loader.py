"""Reads batches ahead of their use, in a thread; ``packed`` hands it on to users."""

from __future__ import annotations

import math
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import NettallyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .split import Split

PATIENCE = 0.05
"""Seconds between two looks of the thread at whether it is still wanted, while nobody takes."""


class _End:
    """What the thread puts last: nothing more comes, or the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Loader:
    """Batches of (images uint8 (n, height, width, channels), labels int64 (n,)) on ``device``.

    order: int64, the indices in the order that they are wanted; the last batch may be smaller.
    ahead: how many batches are kept ready. Each ``for`` begins anew, with a thread of its own that
    ends with it, also where it is left early; an error of the thread is raised to who waits.
    ``waited`` is how long, in seconds, batches have been waited for so far.
    """

    def __init__(
        self,
        split: Split,
        order: Tensor,
        batch: int,
        *,
        device: torch.device | str = "cpu",
        ahead: int = 4,
    ) -> None:
        if batch < 1 or ahead < 1:
            raise NettallyError(
                "a batch has at least one image, and at least one is read ahead",
                values=f"batch {batch}, ahead {ahead}",
            )
        if order.ndim != 1 or order.dtype != torch.int64:
            raise NettallyError(
                "the order is a row of whole numbers",
                values=f"{order.dtype}, {'x'.join(map(str, order.shape))}",
            )
        if len(order) and not 0 <= int(order.min()) <= int(order.max()) < len(split):
            raise NettallyError(
                "the order asks for images that are not there",
                values=f"{int(order.min())} to {int(order.max())} of {len(split):,}",
            )
        self.split = split
        self.order = order
        self.batch = batch
        self.device = torch.device(device)
        self.ahead = ahead
        self.waited = 0.0

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        ready: queue.Queue[Any] = queue.Queue(self.ahead)
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(ready, stop), daemon=True)
        thread.start()
        try:
            while True:
                begun = time.perf_counter()
                taken = ready.get()
                self.waited += time.perf_counter() - begun
                if isinstance(taken, _End):
                    if taken.error is not None:
                        raise taken.error
                    return
                images, labels, arrived = taken
                if arrived is not None:
                    # copied beside the computation: that waits for the copy, not the processor,
                    # and the memory is not given away before the computation is through with it
                    stream = torch.cuda.current_stream(self.device)
                    stream.wait_event(arrived)
                    images.record_stream(stream)
                    labels.record_stream(stream)
                yield images, labels
        finally:
            stop.set()
            thread.join()

    def _read(self, ready: queue.Queue[Any], stop: threading.Event) -> None:
        """The thread: one batch after another, until they are all read or nobody wants them."""
        end = _End()
        try:
            beside = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
            for begin in range(0, len(self.order), self.batch):
                which = self.order[begin : begin + self.batch]
                images, labels = self.split.images(which), self.split.labels[which]
                if not _put(ready, stop, self._moved(images, labels, beside)):
                    return
        except BaseException as error:  # raised to who waits for the batch
            end = _End(error)
        _put(ready, stop, end)

    def _moved(
        self, images: Tensor, labels: Tensor, beside: torch.cuda.Stream | None
    ) -> tuple[Tensor, Tensor, Any]:
        """The batch on its device; on a GPU with the event after which it is there."""
        if beside is None:
            if self.device.type == "cpu":
                return images, labels, None
            return images.to(self.device), labels.to(self.device), None
        with torch.cuda.stream(beside):
            # from pinned memory the copy goes on by itself; torch keeps that until it is done
            moved = tuple(
                each.pin_memory().to(self.device, non_blocking=True) for each in (images, labels)
            )
            return moved[0], moved[1], beside.record_event()


def _put(ready: queue.Queue[Any], stop: threading.Event, what: object) -> bool:
    """Put it where there is room; False where nobody wants it any longer."""
    while not stop.is_set():
        try:
            ready.put(what, timeout=PATIENCE)
        except queue.Full:
            continue
        return True
    return False
