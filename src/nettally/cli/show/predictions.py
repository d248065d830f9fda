"""``nettally show predictions``: images with their likeliest classes, as a picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .picture import check_ending, saved, split_of_run

if TYPE_CHECKING:
    import click

    from ..options import Run


def run(
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
    """Images with the classes that the trained holds likeliest, as the paper's figure 4."""
    from ...training.run import device_of, open_run
    from ...viewing.nearest_images import chosen, predictions

    check_ending(output)
    trained = open_run(path)
    packed, part = split_of_run(trained, data, split)
    images = chosen(part, count, seed, "predictions")
    title = f"{trained.network.name} on {packed.name}, {part.name}: the likeliest classes"
    picture = predictions(
        trained,
        images,
        device=device_of(device),
        views=int(views),
        which=which,
        title=title,
    )
    return saved(picture, output, theme)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
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
    @o.seed_option
    @o.device_option
    @o.which_option
    @o.output_option
    @o.theme_option
    def predictions_command(path: str, **options: Any) -> Run:
        """Draw images with their class and the five likeliest, as the paper's figure 4 (left)."""
        return o.with_extra("train", partial(run, path, **options))

    return predictions_command
