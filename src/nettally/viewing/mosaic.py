"""Kernels, maps and images as pixels: scaled to what a screen shows, and laid side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .pictures import Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

SCALINGS = ("joint", "each")
"""joint: one scale for all, from the least to the greatest value, as the 2012 code's shownet.py
drew the paper's figure 3. each: a scale for each tile."""


def scaled(tiles: Tensor, scaling: str) -> Tensor:
    """Values to 0..255: uint8 of the same shape (n, channels, height, width).

    What is alike everywhere is shown as the middle grey. NaN is shown as 0.
    """
    values = tiles.detach().double().nan_to_num(0.0, posinf=0.0, neginf=0.0)
    axes = (1, 2, 3) if scaling == "each" else (0, 1, 2, 3)
    least, most = values.amin(axes, keepdim=True), values.amax(axes, keepdim=True)
    reach = most - least
    shown = torch.where(reach > 0, (values - least) / reach.clamp(min=1e-300), 0.5)
    return (shown * 255).round().to(torch.uint8)


def colour(tiles: Tensor) -> Tensor:
    """uint8 (n, 1 or 3, height, width) as red, green and blue, channels last."""
    return tiles.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)


def across(count: int, most: int = 16) -> int:
    """How many tiles stand in a row: the paper's 16, and fewer where there are few."""
    if count > 32:
        return most
    return min(count, most if count % most == 0 and count > 16 else 8)


def mosaic(tiles: Tensor, columns: int, times: int, gap: int, paper: Sequence[int]) -> Pixels:
    """Tiles in rows, each pixel ``times`` as large. tiles: uint8 (n, height, width, 3)."""
    count, height, width, _ = tiles.shape
    tiles = tiles.repeat_interleave(times, 1).repeat_interleave(times, 2)
    height, width = height * times, width * times
    rows = math.ceil(count / columns)
    sheet = torch.empty(rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = sheet.to(torch.uint8)
    sheet[:] = torch.tensor(list(paper), dtype=torch.uint8)
    for place, tile in enumerate(tiles):
        y, x = place // columns * (height + gap), place % columns * (width + gap)
        sheet[y : y + height, x : x + width] = tile
    return pixels(sheet)


def pixels(image: Tensor) -> Pixels:
    """uint8 (height, width, 1 or 3) as pixels."""
    whole = image.expand(-1, -1, 3).contiguous()
    return Pixels(whole.shape[1], whole.shape[0], whole.numpy().tobytes())


def times_for(size: int, wanted: int) -> int:
    """How often a pixel is repeated so that ``size`` of them are about ``wanted`` on the screen."""
    return max(1, round(wanted / max(size, 1)))
