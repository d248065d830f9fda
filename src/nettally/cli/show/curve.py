"""``nettally show curve``: loss and errors over the epochs, as a picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .picture import check_ending, saved

if TYPE_CHECKING:
    import click

    from ..options import Run


def run(path: str, *, output: str, theme: str) -> int:
    """Loss and errors over the epochs."""
    from ...training.run import open_run
    from ...viewing.curve import curve

    check_ending(output)
    return saved(curve(open_run(path)), output, theme)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "curve",
        short_help="Loss and errors over the epochs.",
        epilog=o.examples(
            "nettally show curve runs/alexnet -o curve.svg",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @o.output_option
    @o.theme_option
    def curve_command(path: str, **options: Any) -> Run:
        """Draw how a run went: its loss and its errors, epoch by epoch, out of its log."""
        return o.with_extra("train", partial(run, path, **options))

    return curve_command
