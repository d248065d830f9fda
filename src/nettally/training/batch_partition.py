"""Who works on which images: batches of an epoch, and each process' part of them."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import NettallyError


class BatchPartition(NamedTuple):
    """images: of the split. batch: images an update, over all processes; the last of an epoch may
    be smaller. accumulate: parts in which a process goes through its images.
    """  # noqa: D205 - the fields are the summary

    images: int
    batch: int
    rank: int = 0
    world: int = 1
    accumulate: int = 1

    def checked(self) -> BatchPartition:
        """Itself. Raises NettallyError where the batch can't be divided, or there is nothing."""
        if not self.images:
            raise NettallyError("there are no images to train on", hint="nettally data info PACKED")
        parts = self.world * self.accumulate
        if self.batch % parts:
            raise NettallyError(
                "the batch can't be divided evenly",
                values=f"batch {self.batch}, {self.world} processes, accumulate {self.accumulate}",
                hint=f"--batch {max(1, self.batch // parts) * parts}",
            )
        if not self.per_epoch:
            raise NettallyError(
                "there are fewer images than processes",
                values=f"{self.images} images, {self.world} processes",
                hint="fewer processes",
            )
        return self

    @property
    def per_epoch(self) -> int:
        """Batches an epoch; of the last each process has an image at least, or it is left out."""
        whole, rest = divmod(self.images, self.batch)
        return whole + (rest >= self.world and rest > 0)

    @property
    def local(self) -> int:
        """Images of a whole batch that are this process'."""
        return self.batch // self.world

    def size(self, at: int) -> int:
        """Images of the batch at a place in the epoch, over all processes."""
        return min(self.batch, self.images - at * self.batch)

    def span(self, at: int) -> tuple[int, int]:
        """This process' part of that batch: from where, and how many."""
        each, more = divmod(self.size(at), self.world)
        return self.rank * each + min(self.rank, more), each + (self.rank < more)

    def part(self, order: Tensor, first: int = 0) -> Tensor:
        """The images of this process, batch after batch, from batch ``first`` on."""
        parts = [order[:0]]
        for at in range(first, self.per_epoch):
            start, count = self.span(at)
            begin = at * self.batch + start
            parts.append(order[begin : begin + count])
        return torch.cat(parts)

    def micro(self, count: int) -> list[tuple[int, int]]:
        """The parts in which so many images are gone through: from where, and how many."""
        edges = [count * i // self.accumulate for i in range(self.accumulate + 1)]
        return [(a, b - a) for a, b in pairwise(edges) if b > a]
