"""``nettally show``: what a run has learnt, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def command() -> click.Command:
    """The group and its commands, a file each."""
    import click

    from ..usage import Group
    from . import activations, curve, filters, neighbours, predictions

    @click.group("show", cls=Group, short_help="What a run has learnt, as pictures.")
    def show_commands() -> None:
        """Draw how a run went, its kernels, maps, guesses and nearest images, as .png or .svg."""

    for each in (filters, curve, activations, predictions, neighbours):
        show_commands.add_command(each.command())
    return show_commands
