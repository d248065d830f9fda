"""``nettally completion``: what makes a shell complete commands, options and the zoo's names."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from .process import COMPLETE, PROGRAM, TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run

SHELLS = ("bash", "zsh", "fish")


def run(shell: str) -> int:
    """Print the shell's lines."""
    from click.shell_completion import get_completion_class

    from .parser import cli

    complete = get_completion_class(shell)
    assert complete is not None
    lines = complete(cli, {}, PROGRAM, COMPLETE)
    # not .source(), which looks for a bash on this machine and complains where there is none
    sys.stdout.write(lines.source_template % lines.source_vars() + "\n")
    return TALLIES


def command() -> click.Command:
    """The command and its argument."""
    import click

    from . import options as o

    @click.command(
        "completion",
        short_help="What your shell needs to complete.",
        epilog=o.examples(
            "nettally completion bash >> ~/.bashrc",
            "nettally completion zsh >> ~/.zshrc",
            "nettally completion fish > ~/.config/fish/completions/nettally.fish",
        ),
    )
    @click.argument("shell", type=click.Choice(SHELLS))
    def completion_command(shell: str) -> Run:
        """Print what makes the shell complete commands, options and the zoo's names."""
        return partial(run, shell)

    return completion_command
