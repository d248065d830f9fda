"""``nettally show``: what a run has learnt, as pictures."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering import pictures
from ..rendering.escape import escape
from . import TALLIES
from .output import show
from .split import check_classes, split_of

if TYPE_CHECKING:
    import click

    from ..data.packed import Packed, Split
    from ..training.run import Run
    from ..viewing.pictures import Picture
    from . import options


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
    from .progress import CountBar

    pictures.ending(output)
    run = open_run(path)
    if layer is None:
        layer = last_hidden(run.network)
    check_layer(run, layer)
    packed, part = _split(run, data, split)
    images = chosen(part, count, seed, "neighbours")
    seen = CountBar("features of the training images")
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
    message = f"{escape(os.path.basename(output))}: {escape(picture.title)}, "
    show(message + f"{picture.width} x {picture.height} pixels\n")
    return TALLIES


def command() -> click.Command:
    """The group, its commands and their options."""
    import click

    from . import options as o

    output_option = click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(),
        required=True,
        help="Where the picture goes: .png or .svg.",
    )
    theme_option = click.option("--theme", type=click.Choice(("light", "dark")), default="light")
    scaling_option = click.option(
        "--scaling",
        type=click.Choice(("joint", "each")),
        default="joint",
        help="One scale of brightness for all tiles (usually), or one for each.",
    )
    seed_option = click.option(
        "--seed", type=click.IntRange(0), default=0, help="Of the images that are drawn."
    )

    @click.group("show", short_help="What a run has learnt, as pictures.")
    def show_commands() -> None:
        """Draw how a run went, its kernels, maps, guesses and nearest images, as .png or .svg."""

    @show_commands.command(
        "filters",
        short_help="The kernels of the first layer.",
        epilog=o.examples(
            "nettally show filters runs/alexnet -o kernels.png",
            "nettally show filters runs/alexnet --layer conv2 --scaling each -o conv2.svg",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option("--layer", metavar="NAME", help="Another layer than the first.")
    @scaling_option
    @o.which_option
    @output_option
    @theme_option
    def filters_command(path: str, **asked: Any) -> options.Run:
        """Draw the kernels of a layer, the columns one above the other, as the paper's figure 3."""
        return partial(show_filters, path, **asked)

    @show_commands.command(
        "curve",
        short_help="Loss and errors over the epochs.",
        epilog=o.examples(
            "nettally show curve runs/alexnet -o curve.svg",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @output_option
    @theme_option
    def curve_command(path: str, **asked: Any) -> options.Run:
        """Draw how a run went: its loss and its errors, epoch by epoch, out of its log."""
        return partial(show_curve, path, **asked)

    @show_commands.command(
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
    @click.option("--layer", metavar="NAME", help="Usually the first, after its activation.")
    @o.data_option
    @o.split_option
    @scaling_option
    @o.which_option
    @output_option
    @theme_option
    def activations_command(path: str, **asked: Any) -> options.Run:
        """Draw the maps of a layer for one image, each a tile."""
        return partial(show_activations, path, **asked)

    @show_commands.command(
        "predictions",
        short_help="Images with their likeliest classes.",
        epilog=o.examples(
            "nettally show predictions runs/alexnet -o guesses.png",
            "nettally show predictions runs/alexnet --count 16 --seed 3 --views 10 -o guesses.svg",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option(
        "--count", type=click.IntRange(1, 100), default=8, help="How many images (usually 8)."
    )
    @click.option(
        "--views", type=click.Choice(("1", "10")), default="1", help="One crop (usually), or ten."
    )
    @o.data_option
    @o.split_option
    @seed_option
    @o.device_option
    @o.which_option
    @output_option
    @theme_option
    def predictions_command(path: str, **asked: Any) -> options.Run:
        """Draw images with their class and the five likeliest, as the paper's figure 4 (left)."""
        return partial(show_predictions, path, **asked)

    @show_commands.command(
        "neighbours",
        short_help="Images and the training images nearest to them.",
        epilog=o.examples(
            "nettally show neighbours runs/alexnet -o near.png",
            "nettally show neighbours runs/alexnet --layer pool5 --among 9000 -o n.png",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option(
        "--count", type=click.IntRange(1, 50), default=5, help="How many rows (usually 5)."
    )
    @click.option(
        "--layer",
        metavar="NAME",
        help="Usually the last hidden one after its activation; of fc7, where there is one.",
    )
    @click.option(
        "--among",
        type=click.IntRange(0),
        default=0,
        metavar="IMAGES",
        help="Search only so many training images, drawn by the seed; usually all.",
    )
    @o.data_option
    @o.split_option
    @seed_option
    @o.device_option
    @o.which_option
    @output_option
    @theme_option
    def neighbours_command(path: str, **asked: Any) -> options.Run:
        """Draw images and the six training images nearest to each by a layer's Euclidean distance.

        The paper's figure 4 (right).
        """
        return partial(show_neighbours, path, **asked)

    return show_commands
