"""``nettally data``: images packed, looked at, held against their checksums."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def command() -> click.Command:
    """The group and its commands, a file each."""
    import click

    from ..usage import Group
    from . import info, pack, verify

    @click.group("data", cls=Group, short_help="Pack images, and look at what is packed.")
    def data_commands() -> None:
        """Pack images into shards that training reads; docs/data.md describes them."""

    for each in (pack, info, verify):
        data_commands.add_command(each.command())
    return data_commands
