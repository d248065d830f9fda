"""Tensors as files store them: their shapes now, their values when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network import Shape


class Stored(NamedTuple):
    """A tensor of a source: its shape, and how its values are fetched."""

    shape: Shape
    fetch: Callable[[], Tensor]


Tensors = dict[str, Stored]
"""What a source has, by the names that the module's ``state_dict`` would have for it."""


def by(shape: Shape) -> str:
    """``64x3x11x11``."""
    return "x".join(map(str, shape)) or "a number"


def reading(
    path: str, runs: list[tuple[int, int]], kind: torch.dtype, shape: Shape
) -> Callable[[], Tensor]:
    """How a tensor's values are fetched from a file; runs: where they begin, and their bytes."""

    def fetch() -> Tensor:
        from ..formats.encodings.blob import Blob

        with Blob(path, path) as blob:
            data = bytearray().join(blob.fetch(at, size) for at, size in runs)
        if not data:
            return torch.empty(shape, dtype=kind)
        return torch.frombuffer(data, dtype=kind).reshape(shape)

    return fetch
