"""``nettally show activations``: what a layer makes of an image, as a picture."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError
from ...rendering import pictures
from .picture import check_ending, saved, split_of_run

if TYPE_CHECKING:
    import click

    from ..options import Run


def run(
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
    from ...training.run import open_run
    from ...viewing.classify import image_of, square_of
    from ...viewing.nearest_images import one_of
    from ...viewing.show import activations

    check_ending(output)
    trained = open_run(path)
    if image is not None and index is not None:
        raise NettallyError(
            "one image is looked at", values="--image and --index", hint="leave out one of them"
        )
    if image is not None:
        pixels, name = image_of(image, square_of(trained)), os.path.basename(image)
    else:
        _, chosen = split_of_run(trained, data, split)
        place = index or 0
        pixels, name = one_of(chosen, place), f"{chosen.name} {place}"
    picture = activations(
        trained,
        pixels,
        name=name,
        layer=layer,
        scaling=scaling,
        which=which,
        paper=pictures.paper(theme),
    )
    return saved(picture, output, theme)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "activations",
        short_help="What a layer makes of an image.",
        epilog=o.examples(
            "nettally show activations runs/alexnet --image cat.jpg -o maps.png",
            "nettally show activations runs/alexnet --index 7 --layer pool5 -o pool5.png",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option("--image", metavar="FILE", type=click.Path(), help="An image file.")
    @click.option("--index", type=click.IntRange(0), help="An image of the split; the first is 0.")
    @click.option(
        "--layer", metavar="NAME", type=o.LAYER, help="Usually the first, after its activation."
    )
    @o.data_option
    @o.split_option
    @o.scaling_option
    @o.which_option
    @o.output_option
    @o.theme_option
    def activations_command(path: str, **options: Any) -> Run:
        """Draw the maps of a layer for one image, each a tile."""
        return o.with_extra("train", partial(run, path, **options))

    return activations_command
