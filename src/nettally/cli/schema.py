"""``nettally schema``: the JSON Schema of what a command writes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .output import write
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run

SCHEMAS = ("tally", "check", "explain", "reconcile", "diff", "network")


def run(of: str) -> int:
    """Print the schema."""
    from ..rendering.tables.json import schema

    write(schema(of))
    return TALLIES


def command() -> click.Command:
    """The command and its argument."""
    import click

    from . import options as o

    @click.command(
        "schema",
        short_help="The schema of what a command writes as JSON.",
        epilog=o.examples("nettally schema check > check.schema.json"),
    )
    @click.argument("of", type=click.Choice(SCHEMAS), metavar="NAME")
    def schema_command(of: str) -> Run:
        """Print the JSON Schema of a command's --format json, or of our own network file.

        NAME is tally, check, explain, reconcile, diff or network.
        """
        return partial(run, of)

    return schema_command
