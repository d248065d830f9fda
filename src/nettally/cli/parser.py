"""The command line by click: one group, whose commands are imported when they are asked for.

click parses, and hands back what is to be run: a closed pipe or Ctrl-C is ours to end, not click's.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ..errors import NettallyError
from ..registry import Registry
from ..rendering.terminal import terminal
from ..versions import version_of
from .process import COMPLETE, INTERRUPTED, PROGRAM
from .usage import Group, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import Run

EXAMPLES = """\b
For example:
  nettally check alexnet
  nettally explain alexnet 'conv1.neurons = 253,440'
  nettally tally resnet-50
"""

CODES = {
    "0": "it tallies (or: it was counted, listed, explained as true)",
    "1": "something differs: a claim, a network, a checksum",
    "2": "the question can't be understood: usage, a claim that is none, what can't be read or "
    "written; the complaint is on stderr",
    "70": "an error in nettally itself; please report it, with what --debug shows",
    "130": "after Ctrl-C",
    "141": "nobody reads the output any more (| head)",
}
"""What an exit code means."""

NET_HELP = (
    "NET is the name of a network of the zoo (nettally zoo), a file, - for standard input, or "
    "the name of a PyTorch module: torchvision:resnet50, timm:convnext_base, "
    "package.module:factory or file.py:Class(3, width=64), whose code is then run."
)

NAMES = (
    "check classify completion data diff draw evaluate explain export features formats memory "
    "reconcile report schema show tally train zoo"
)
"""The commands; each is a file, or a folder, beside this one, with a function ``command``."""

COMMANDS = Registry(
    "commands", __package__ or "", {name: name for name in NAMES.split()}, of_modules=True
)


MAX_WIDTH = 90
"""The widest that help is set, in columns."""


class Commands(Group):
    """A group that imports a command when it is named, or when all of them are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None where there is none."""
        if cmd_name not in self.commands and cmd_name in COMMANDS.homes:
            self.add_command(COMMANDS.find(cmd_name).command())
        return super().get_command(ctx, cmd_name)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, the exit codes, and what NET may be."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl(list(CODES.items()))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(NET_HELP)


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    click.echo(f"{PROGRAM} {version_of(PROGRAM) or '(not installed)'}")
    ctx.exit()


@click.group(
    cls=Commands,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show the traceback of an error; it may stand anywhere on the line.",
)  # run() has taken it out before click parses
def cli() -> None:
    """Count a neural network, check the count against what was published, explain what differs."""


def parse_and_run(arguments: Sequence[str]) -> int:
    """The exit code of a command line. Raises NettallyError also for what click refuses."""
    if COMPLETE in os.environ:
        from .shells import register

        register()
    try:
        asked: Run | int = cli.main(
            list(arguments),
            prog_name=PROGRAM,
            complete_var=COMPLETE,
            standalone_mode=False,
            terminal_width=min(terminal(sys.stdout).width, MAX_WIDTH) - 2,
        )
    except click.UsageError as error:
        raise refusal(error, cli, arguments) from None
    except click.ClickException as error:
        raise NettallyError(error.format_message()) from None
    except click.Abort:
        return INTERRUPTED
    return asked() if callable(asked) else asked  # an int: --help, --version
