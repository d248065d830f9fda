"""``nettally completion``: what makes a shell complete commands, options, networks and layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .output import write
from .process import COMPLETE, PROGRAM, TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run(shell: str) -> int:
    """Print the shell's lines."""
    from .parser import cli
    from .shells import script

    write(script(shell, cli, PROGRAM, COMPLETE))
    return TALLIES


def command() -> click.Command:
    """The command and its argument."""
    import click

    from . import options as o
    from .shells import SHELLS

    @click.command(
        "completion",
        short_help="What your shell needs to complete.",
        epilog=o.examples(
            "nettally completion bash >> ~/.bashrc",
            "nettally completion zsh >> ~/.zshrc",
            "nettally completion fish > ~/.config/fish/completions/nettally.fish",
        ),
    )
    @click.argument("shell", type=click.Choice(tuple(SHELLS)))
    def completion_command(shell: str) -> Run:
        """Print what makes the shell complete commands, options, networks, layers and columns."""
        return partial(run, shell)

    return completion_command
