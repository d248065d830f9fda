"""``nettally formats``: what can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formats import formats
from .output import here, show
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run() -> int:
    """Print a table of the formats."""
    from ..rendering.tables.compare import formats_text

    show(formats_text(formats(), here()))
    return TALLIES


def command() -> click.Command:
    """The command."""
    import click

    from . import options as o

    @click.command(
        "formats",
        short_help="The formats that are read.",
        epilog=o.examples("nettally formats"),
    )
    def formats_command() -> Run:
        """The formats that are read, with their versions, and what of them is not."""
        return run

    return formats_command
