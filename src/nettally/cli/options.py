"""What several commands have in common: kinds of arguments, and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from . import commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar

    Command = Callable[..., Any]

FORMATS = ("table", "markdown", "latex", "html", "csv", "json")


class Net(click.types.StringParamType):
    """A zoo name or a file; the shell completes both."""

    name = "net"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The zoo's names; where none fits, files."""
        from ..formats.zoo import names

        fitting = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return fitting or [CompletionItem(incomplete, type="file")]


class AccountingName(click.types.StringParamType):
    """The name of an accounting; the shell completes it. An unknown one is refused when used."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The accountings' names."""
        from ..accountings.presets import ACCOUNTINGS

        return [CompletionItem(name) for name in ACCOUNTINGS if name.startswith(incomplete)]


def examples(*lines: str) -> str:
    """The end of a command's help: lines that can be typed."""
    return "\n".join(["\b", "For example:", *(f"  {line}" for line in lines)])


NET = Net()
ACCOUNTING = AccountingName()


def input_option(command: Command) -> Command:
    """``--input``, and what every command has: ``--verbose`` and ``--self-check``."""
    command = click.option(
        "--self-check",
        is_flag=True,
        expose_value=False,
        callback=_set(commands.SELF_CHECK),
        help="Let torch run a module too, without values, and compare every shape.",
    )(command)
    command = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_set(commands.VERBOSE),
        help="Say what only a closer look needs.",
    )(command)
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="SIZE",
        help="The input's size, as 3x224x224 or name=3x224x224; a batch may stand before it, and "
        "for a module a dtype behind it, as 1x128:int64.",
    )(command)


def _set(variable: ContextVar[bool]) -> Callable[..., None]:
    """What to do with a flag that every command has."""

    def keep(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
        variable.set(asked)

    return keep


def params_option(command: Command) -> Command:
    """``--params``: a second file that a format has."""
    return click.option(
        "--params",
        "companion",
        metavar="FILE",
        type=click.Path(),
        help="The file that belongs to this one (cuda-convnet's layer-params).",
    )(command)


def phase_option(command: Command) -> Command:
    """``--phase`` and ``--stage``: which layers of a file are meant."""
    command = click.option(
        "--stage",
        "stages",
        multiple=True,
        metavar="NAME",
        help="A stage that the layers of a Caffe file ask for.",
    )(command)
    return click.option(
        "--phase",
        type=click.Choice(("test", "train")),
        help="Which layers of a Caffe file are read, or how a module runs (usually test).",
    )(command)


def claims_option(command: Command) -> Command:
    """``--claims``: what was published."""
    return click.option(
        "--claims",
        metavar="FILE",
        type=click.Path(),
        help="What was published; by default the claims that come with a network of the zoo.",
    )(command)


def accounting_option(command: Command) -> Command:
    """``--accounting``: whose convention of counting."""
    return click.option(
        "--accounting",
        type=ACCOUNTING,
        metavar="NAME",
        help="Whose convention of counting (nettally reconcile NET lists them).",
    )(command)


def form_option(*more: str) -> Callable[[Command], Command]:
    """``--format``: those that all have, and ``more``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice((*FORMATS, *more)),
        default="table",
        help="For the terminal, for papers and pages, or for programs.",
    )
