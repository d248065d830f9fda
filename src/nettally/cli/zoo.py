"""``nettally zoo``: the networks that come with nettally."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..counting.tally import tally
from ..formats import read
from ..formats.zoo import zoo
from .output import here, show
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run() -> int:
    """Print a line a network."""
    from ..rendering.tables.compare import zoo_text

    listed = [(entry.name, entry.title, tally(read(entry.name))) for entry in zoo()]
    show(zoo_text(listed, here()))
    return TALLIES


def command() -> click.Command:
    """The command."""
    import click

    from . import options as o

    @click.command(
        "zoo",
        short_help="The networks that come with nettally.",
        epilog=o.examples("nettally zoo"),
    )
    def zoo_command() -> Run:
        """The networks that come with nettally."""
        return run

    return zoo_command
