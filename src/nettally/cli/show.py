"""``nettally show``: what a run has learnt, as pictures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import NettallyError
from ..rendering import pictures
from ..rendering.escape import escape
from . import commands
from .evaluate import check_classes, split_of

if TYPE_CHECKING:
    from ..data.packed import Packed, Split
    from ..training.run import Run
    from ..viewing.pictures import Picture


def show_filters(
    path: str, *, output: str, layer: str | None, scaling: str, which: str, theme: str
) -> int:
    """Kernels of a layer, as the paper's figure 3."""
    from ..training.run import open_run
    from ..viewing.show import filters

    pictures.ending(output)
    picture = filters(
        open_run(path), layer=layer, scaling=scaling, which=which, paper=pictures.paper(theme)
    )
    return _saved(picture, output, theme)


def show_curve(path: str, *, output: str, theme: str) -> int:
    """Loss and errors over the epochs."""
    from ..training.run import open_run
    from ..viewing.curve import curve

    pictures.ending(output)
    return _saved(curve(open_run(path)), output, theme)


def show_activations(
    path: str,
    *,
    output: str,
    image: str | None,
    index: int | None,
    data: str | None,
    split: str | None,
    layer: str | None,
    scaling: str,
    which: str,
    theme: str,
) -> int:
    """What a layer makes of an image."""
    from ..training.run import open_run
    from ..viewing.classify import image_of, square_of
    from ..viewing.nearest_images import one_of
    from ..viewing.show import activations

    pictures.ending(output)
    run = open_run(path)
    if image is not None and index is not None:
        raise NettallyError(
            "one image is looked at", values="--image and --index", hint="leave out one of them"
        )
    if image is not None:
        pixels, name = image_of(image, square_of(run)), os.path.basename(image)
    else:
        _, chosen = _split(run, data, split)
        place = index or 0
        pixels, name = one_of(chosen, place), f"{chosen.name} {place}"
    picture = activations(
        run,
        pixels,
        name=name,
        layer=layer,
        scaling=scaling,
        which=which,
        paper=pictures.paper(theme),
    )
    return _saved(picture, output, theme)


def show_predictions(
    path: str,
    *,
    output: str,
    count: int,
    data: str | None,
    split: str | None,
    seed: int,
    views: str,
    device: str,
    which: str,
    theme: str,
) -> int:
    """Images with the classes that the run holds likeliest, as the paper's figure 4."""
    from ..training.run import device_of, open_run
    from ..viewing.nearest_images import chosen, predictions

    pictures.ending(output)
    run = open_run(path)
    packed, part = _split(run, data, split)
    images = chosen(part, count, seed, "predictions")
    title = f"{run.network.name} on {packed.name}, {part.name}: the likeliest classes"
    picture = predictions(
        run,
        images,
        device=device_of(device),
        views=int(views),
        which=which,
        title=title,
    )
    return _saved(picture, output, theme)


def show_neighbours(
    path: str,
    *,
    output: str,
    count: int,
    layer: str | None,
    among: int,
    data: str | None,
    split: str | None,
    seed: int,
    device: str,
    which: str,
    theme: str,
) -> int:
    """Images and the training images nearest to them, as the paper's figure 4."""
    from ..training.run import device_of, open_run
    from ..viewing.classify import check_layer
    from ..viewing.nearest_images import chosen, nearest, neighbours
    from ..viewing.show import last_hidden
    from .evaluate import _Seen

    pictures.ending(output)
    run = open_run(path)
    if layer is None:
        layer = last_hidden(run.network)
    check_layer(run, layer)
    packed, part = _split(run, data, split)
    images = chosen(part, count, seed, "neighbours")
    seen = _Seen("features of the training images")
    try:
        near = nearest(
            run,
            images.images,
            packed.splits["train"],
            layer,
            among=among,
            seed=seed,
            besides=images.places if part.name == "train" else None,
            which=which,
            device=device_of(device),
            seen=seen,
        )
    finally:
        seen.close()
    title = f"{run.network.name} on {packed.name}, {part.name}: nearest training images"
    picture = neighbours(run, images, near, layer, title=title)
    return _saved(picture, output, theme)


def _split(run: Run, data: str | None, split: str | None) -> tuple[Packed, Split]:
    from ..data.packed import open_packed

    packed = open_packed(data or run.data)
    check_classes(run, packed)
    return packed, split_of(packed, split)


def _saved(picture: Picture, output: str, theme: str) -> int:
    pictures.save(picture, output, theme)
    said = f"{escape(os.path.basename(output))}: {escape(picture.title)}, "
    commands._print(said + f"{picture.width} x {picture.height} pixels\n")
    return commands.TALLIES
