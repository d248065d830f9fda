"""``nettally show filters``: the kernels of a layer, as a picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...rendering import pictures
from .picture import check_ending, saved

if TYPE_CHECKING:
    import click

    from ..options import Run


def run(path: str, *, output: str, layer: str | None, scaling: str, which: str, theme: str) -> int:
    """Kernels of a layer, as the paper's figure 3."""
    from ...training.run import open_run
    from ...viewing.show import filters

    check_ending(output)
    picture = filters(
        open_run(path), layer=layer, scaling=scaling, which=which, paper=pictures.paper(theme)
    )
    return saved(picture, output, theme)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "filters",
        short_help="The kernels of the first layer.",
        epilog=o.examples(
            "nettally show filters runs/alexnet -o kernels.png",
            "nettally show filters runs/alexnet --layer conv2 --scaling each -o conv2.svg",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option("--layer", metavar="NAME", type=o.LAYER, help="Another layer than the first.")
    @o.scaling_option
    @o.which_option
    @o.output_option
    @o.theme_option
    def filters_command(path: str, **options: Any) -> Run:
        """Draw the kernels of a layer, the columns one above the other, as the paper's figure 3."""
        return o.with_extra("train", partial(run, path, **options))

    return filters_command
