"""``nettally show neighbours``: images and the training images nearest to them, as a picture."""

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
    from ...training.run import device_of, open_run
    from ...viewing.classify import check_layer
    from ...viewing.nearest_images import chosen, nearest, neighbours
    from ...viewing.show import last_hidden
    from ..progress import CountBar

    check_ending(output)
    trained = open_run(path)
    if layer is None:
        layer = last_hidden(trained.network)
    check_layer(trained, layer)
    packed, part = split_of_run(trained, data, split)
    images = chosen(part, count, seed, "neighbours")
    seen = CountBar("features of the training images")
    try:
        near = nearest(
            trained,
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
    title = f"{trained.network.name} on {packed.name}, {part.name}: nearest training images"
    picture = neighbours(trained, images, near, layer, title=title)
    return saved(picture, output, theme)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
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
        type=o.LAYER,
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
    @o.seed_option
    @o.device_option
    @o.which_option
    @o.output_option
    @o.theme_option
    def neighbours_command(path: str, **options: Any) -> Run:
        """Draw images and the six training images nearest to each by a layer's Euclidean distance.

        The paper's figure 4 (right).
        """
        return o.with_extra("train", partial(run, path, **options))

    return neighbours_command
