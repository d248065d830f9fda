"""What a run takes images for, and which it holds alike, as pictures: the paper's figure 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..errors import NettallyError
from ..training.seeded_random import generator_of
from .classify import check_layer, class_name, features_of, guesses_of, probabilities_of
from .pictures import Block, Item, Photo, Picture, Words
from .show import MARGIN, TEXT, TITLE, frame, photo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data.packed import Split
    from ..training.run import Run


# --- figure 4, left: guesses ----------------------------------------------------------------------


class Chosen(NamedTuple):
    """Images of a split: their places, themselves (uint8, channels last), and their classes."""

    places: tuple[int, ...]
    images: Tensor
    labels: tuple[int, ...]


def one_of(split: Split, place: int) -> Tensor:
    """An image of a split: uint8 (height, width, channels). Raises NettallyError."""
    if not 0 <= place < len(split):
        raise NettallyError(
            f"the split '{split.name}' has no image {place}",
            values=f"it has {len(split):,}, the first is 0",
            hint=f"--index {len(split) - 1}",
        )
    return split.images(torch.tensor([place]))[0]


def chosen(split: Split, count: int, seed: int, purpose: str) -> Chosen:
    """``count`` images of a split, drawn without repetition; all where there are fewer."""
    order = torch.randperm(len(split), generator=generator_of(seed, "show", purpose))[:count]
    order = order.sort().values
    return Chosen(tuple(order.tolist()), split.images(order), tuple(split.labels[order].tolist()))


CELL, PHOTO, LINES, BETWEEN, TOP = 216, 128, 27, 36, 50


def predictions(
    run: Run,
    images: Chosen,
    *,
    device: torch.device | str = "cpu",
    views: int = 1,
    which: str = "best",
    title: str = "",
) -> Picture:
    """Images, their classes, and the five that the run holds likeliest (figure 4, left).

    A bar is as long as the class is likely; the true class' is orange and its name bold.
    """
    module = run.module(which, scores=True).to(device)
    probabilities = probabilities_of(run, module, images.images, views)
    top = min(5, probabilities.shape[1])
    columns = min(4, len(images.places))
    high = PHOTO + 28 + top * LINES + 24
    items: list[Item] = []
    for place, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
        x = MARGIN + place % columns * (CELL + BETWEEN)
        y = MARGIN + TOP + place // columns * high
        left = x + (CELL - PHOTO) / 2
        items.append(_shown(run, image, left, y))
        middle = x + CELL / 2
        true_class = class_name(run, label)
        items.append(
            Words(middle, y + PHOTO + 18, true_class, 14.0, anchor="middle", most=CELL, bold=True)
        )
        items += _bars(guesses_of(run, probabilities[place], top), label, x, y + PHOTO + 26)
    rows = -(-len(images.places) // columns)
    width = 2 * MARGIN + columns * (CELL + BETWEEN) - BETWEEN
    title = title or f"{run.network.name}: the {top} likeliest classes"
    caption = "a bar is as long as the class is likely; orange is the true class"
    items += [
        Words(MARGIN, MARGIN + 12, title, TITLE, most=width - 2 * MARGIN),
        Words(MARGIN, MARGIN + 32, caption, TEXT, "muted", most=width - 2 * MARGIN),
    ]
    return frame(title, caption, width, MARGIN + TOP + rows * high, items)


def _shown(run: Run, image: Tensor, x: float, y: float, size: int = PHOTO, title: str = "") -> Item:
    return Photo(x, y, size, size, photo(image, size), title, sharp=image.shape[0] < 64)


def _bars(guesses: Sequence[Any], label: int, x: float, y: float) -> list[Item]:
    """Two lines a class: its name and how likely it is, and a bar."""
    items: list[Item] = []
    for row, guess in enumerate(guesses):
        base = y + row * LINES + 14
        right = guess.place == label
        wide = max(1.0, CELL * guess.chance)
        items += [
            Words(x, base, guess.name, TEXT, most=CELL - 54, bold=right),
            Words(x + CELL, base, percent(guess.chance), TEXT, "muted", "end"),
            Block(x, base + 5, CELL, 5, "faint"),
            Block(x, base + 5, wide, 5, "accent" if right else "conv.stroke"),
        ]
    return items


def percent(probability: float) -> str:
    """A chance in per cent, with one decimal where there is room."""
    shown = f"{100 * probability:.1f} %"
    return shown if probability < 0.9995 else "100 %"


# --- figure 4, right: neighbours ------------------------------------------------------------------


class Near(NamedTuple):
    """The images of the train split nearest to one: places, distances, labels, images."""

    places: tuple[int, ...]
    distances: tuple[float, ...]
    labels: tuple[int, ...]
    images: Tensor


@torch.no_grad()
def nearest(
    run: Run,
    queries: Tensor,
    train: Split,
    layer: str,
    *,
    count: int = 6,
    among: int = 0,
    seed: int = 0,
    besides: Sequence[int] | None = None,
    which: str = "best",
    device: torch.device | str = "cpu",
    seen: Callable[[int, int], None] | None = None,
) -> list[Near]:
    """Of each image (uint8) the nearest of the train split, by a layer's Euclidean distance.

    among: search only so many of them, drawn by the seed; 0: all. Of equals the first comes first.
    besides: of each image, its own place where it is of the train split itself: it is left out. No
    more than a batch of features is held.
    """
    check_layer(run, layer)
    module, done = run.module(which).to(device), 0
    wanted = features_of(run, module, layer, queries).flatten(1)
    excluded = torch.tensor([-1] * len(queries) if besides is None else list(besides)).unsqueeze(1)
    order = torch.arange(len(train))
    if 0 < among < len(train):
        drawn = torch.randperm(len(train), generator=generator_of(seed, "show", "among"))
        order = drawn[:among].sort().values
    best = torch.full((len(queries), 0), 0.0)
    where = torch.zeros((len(queries), 0), dtype=torch.long)
    for part in order.split(64):
        features = features_of(run, module, layer, train.images(part)).flatten(1)
        # by differences, and not by products, whose rounding would tell equal images apart
        distances = torch.cdist(wanted, features, compute_mode="donot_use_mm_for_euclid_dist")
        distances = torch.where(part == excluded, torch.inf, distances)
        best = torch.cat([best, distances], 1)
        where = torch.cat([where, part.expand(len(queries), -1)], 1)
        kept = best.sort(dim=1, stable=True)
        best = kept.values[:, :count]
        where = where.gather(1, kept.indices[:, :count])
        done += len(part)
        if seen is not None:
            seen(done, len(order))
    results: list[Near] = []
    for distances, places in zip(best, where, strict=True):
        results.append(
            Near(
                tuple(places.tolist()),
                tuple(distances.tolist()),
                tuple(train.labels[places].tolist()),
                train.images(places),
            )
        )
    return results


def neighbours(
    run: Run, images: Chosen, near: Sequence[Near], layer: str, *, title: str = "",
) -> Picture:  # fmt: skip
    """Images in the first column, and beside each its nearest training images (figure 4, right)."""
    size, gap = 104, 10
    row = size + 40
    count = max(len(each.places) for each in near)
    items: list[Item] = []
    first = MARGIN
    start = MARGIN + size + 34
    for place, (image, label, result) in enumerate(
        zip(images.images, images.labels, near, strict=True)
    ):
        y = MARGIN + 56 + place * row
        items.append(_shown(run, image, first, y, size))
        items.append(
            Words(first, y + size + 15, class_name(run, label), TEXT, most=size, bold=True)
        )
        every = zip(result.images, result.labels, result.distances, strict=True)
        for i, (other, its, distance) in enumerate(every):
            x = start + i * (size + gap)
            items.append(_shown(run, other, x, y, size))
            colour = "ink" if its == label else "accent"
            items.append(Words(x, y + size + 15, class_name(run, its), TEXT, colour, most=size))
            items.append(
                Words(x, y + size + 30, f"{distance:#.3g}".rstrip("."), 12.0, "muted", most=size)
            )
    width = start + count * (size + gap) - gap + MARGIN
    line = start - 17
    items.append(Block(line, MARGIN + 34, 1, len(near) * row + 14, "faint"))
    caption = f"the nearest training images by {layer}; orange: of another class"
    items += [
        Words(first, MARGIN + 46, "image", TEXT, "muted", most=size),
        Words(start, MARGIN + 46, caption, TEXT, "muted", most=width - start - MARGIN),
    ]
    title = title or f"{run.network.name}: nearest training images"
    items.append(Words(MARGIN, MARGIN + 12, title, TITLE, most=width - 2 * MARGIN))
    return frame(title, title, width, MARGIN + 56 + len(near) * row + 4, items)
