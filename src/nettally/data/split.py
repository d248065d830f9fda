"""The images of one split, out of shards that are mapped into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL, FEW = 2**15, 16
"""Images of fewer bytes, out of fewer shards, are copied shard by shard, else one by one."""


class Split:
    """The images of one split, in shards that are mapped and not read, and their labels.

    name: "train", "validation" or "test". labels: int64 (n,).
    """

    def __init__(self, name: str, labels: Tensor, shards: Sequence[Tensor]) -> None:
        """shards: uint8 (images of it, height, width, channels), at least one."""
        self.name = name
        self.labels = labels
        self._shards = list(shards)
        ends = np.cumsum([len(each) for each in shards])
        self._begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self._ends = ends.astype(np.int64)
        self.shape: tuple[int, int, int] = tuple(shards[0].shape[1:])  # pyright: ignore[reportAttributeAccessIssue] - three sizes

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self):,} images)"

    def images(self, indices: Tensor) -> Tensor:
        """A copy of these images: int64 (n,) → uint8 (n, height, width, channels).

        Raises IndexError where there is no such image.
        """
        images = torch.empty((len(indices), *self.shape), dtype=torch.uint8)
        if not len(indices):
            return images
        wanted = indices.numpy() if indices.device.type == "cpu" else indices.cpu().numpy()
        if int(wanted.min()) < 0 or int(wanted.max()) >= len(self):
            raise IndexError(f"image {int(wanted.max())} of {len(self)}")
        if len(self._shards) == 1:
            flat = self._shards[0].flatten(1)
            torch.index_select(flat, 0, indices.cpu().long(), out=images.view(len(indices), -1))
            return images
        which = np.searchsorted(self._ends, wanted, side="right")
        rows = wanted - self._begins[which]
        if images[0].numel() < SMALL and len(self._shards) <= FEW:
            for shard in np.unique(which).tolist():
                places = torch.from_numpy(np.flatnonzero(which == shard))
                images[places] = self._shards[shard][torch.from_numpy(rows[places.numpy()])]
            return images
        for place, (shard, row) in enumerate(zip(which.tolist(), rows.tolist(), strict=True)):
            images[place] = self._shards[shard][row]
        return images
