"""The commands and their options, by click.

click parses, and hands back what is to be run: a closed pipe or Ctrl-C is ours to end, not click's.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ..errors import NettallyError
from . import INTERRUPTED, UNUSABLE, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Callable[..., Any]
    Run = Callable[[], int]

PROGRAM = "nettally"
COMPLETE = "_NETTALLY_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

EPILOG = """\b
For example:
  nettally check alexnet
  nettally explain alexnet 'conv1.neurons = 253,440'
  nettally tally resnet-50

\b
Exit codes:
  0  it tallies (or: it was counted, listed, explained as true)
  1  something differs
  2  usage, or input that can't be read; the complaint is on stderr
  130 after Ctrl-C

\b
NET is the name of a network of the zoo (nettally zoo) or a file.
"""


class Net(click.types.StringParamType):
    """A zoo name or a file; the shell completes both."""

    name = "net"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The zoo's names; where none fits, files."""
        from ..readers.zoo import names

        fitting = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return fitting or [CompletionItem(incomplete, type="file")]


class AccountingName(click.types.StringParamType):
    """The name of an accounting; the shell completes it. An unknown one is refused when used."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The accountings' names."""
        from ..presets import ACCOUNTINGS

        return [CompletionItem(name) for name in ACCOUNTINGS if name.startswith(incomplete)]


def _examples(*lines: str) -> str:
    return "\n".join(["\b", "For example:", *(f"  {line}" for line in lines)])


NET = Net()
ACCOUNTING = AccountingName()


def _input(command: Command) -> Command:
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="SIZE",
        help="The input's size, as 3x224x224 or name=3x224x224; a batch may stand before it.",
    )(command)


def _params(command: Command) -> Command:
    return click.option(
        "--params",
        "companion",
        metavar="FILE",
        type=click.Path(),
        help="The file that belongs to this one (cuda-convnet's layer-params).",
    )(command)


def _phase(command: Command) -> Command:
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
        help="Which layers of a Caffe file are read (usually test).",
    )(command)


def _claims(command: Command) -> Command:
    return click.option(
        "--claims",
        metavar="FILE",
        type=click.Path(),
        help="What was published; by default the claims that come with a network of the zoo.",
    )(command)


def _accounting(command: Command) -> Command:
    return click.option(
        "--accounting",
        type=ACCOUNTING,
        metavar="NAME",
        help="Whose convention of counting (nettally reconcile NET lists them).",
    )(command)


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version(PROGRAM)
    except PackageNotFoundError:  # run from the source, never installed
        number = "(not installed)"
    click.echo(f"{PROGRAM} {number}")
    ctx.exit()


@click.group(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Count a neural network, check the count against what was published, explain what differs."""


@cli.command(
    "tally",
    short_help="Count a network, layer by layer.",
    epilog=_examples(
        "nettally tally alexnet",
        "nettally tally alexnet --working conv1",
        "nettally tally resnet-50 --depth 1 --columns output,parameters,share",
        "nettally tally layers.cfg --input 3x224x224 --format json",
    ),
)
@click.argument("net", type=NET)
@click.option("--working", metavar="LAYER", help="The arithmetic of one layer or module.")
@click.option("--columns", metavar="LIST", help="With commas: output,parameters,share (see below).")
@click.option("--depth", type=click.IntRange(0, 40), help="How deep modules are opened.")
@_input
@_params
@_phase
@_accounting
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv", "markdown")),
    default="table",
    help="For people, or for programs.",
)
def tally_command(net: str, **options: Any) -> Run:
    """Count a network: neurons, parameters, MACs and receptive field of each layer."""
    return partial(commands.count, net, **options)


@cli.command(
    "reconcile",
    short_help="One count under every accounting.",
    epilog=_examples(
        "nettally reconcile alexnet",
    ),
)
@click.argument("net", type=NET)
@_input
@_params
@_phase
def reconcile_command(net: str, **options: Any) -> Run:
    """One count under every accounting, term by term: why tools print other numbers."""
    return partial(commands.reconcile, net, **options)


@cli.command(
    "check",
    short_help="Check what was published about it.",
    epilog=_examples(
        "nettally check alexnet",
        "nettally check my-network.yaml --claims my-claims.yaml",
    ),
)
@click.argument("net", type=NET)
@_claims
@click.option("--all", "every", is_flag=True, help="One line a claim, in their order.")
@_input
@_params
@_phase
def check_command(net: str, **options: Any) -> Run:
    """Check what was published about a network; what differs is explained."""
    return partial(commands.check, net, **options)


@cli.command(
    "explain",
    short_help="What a figure that is not ours could mean.",
    epilog=_examples(
        "nettally explain alexnet 'conv1.neurons = 253,440'",
        "nettally explain resnet-50 'macs = 3.8G'",
        "nettally explain alexnet 'conv1.output = 55x55' --input 3x227x227",
    ),
)
@click.argument("net", type=NET)
@click.argument("claim")
@_claims
@click.option("--most", type=click.IntRange(1, 50), default=5, help="How many explanations.")
@_input
@_params
@_phase
def explain_command(net: str, claim: str, **options: Any) -> Run:
    """What someone could have meant who published a figure that is not ours."""
    return partial(commands.explain, net, claim, **options)


@cli.command(
    "diff",
    short_help="What differs between two networks.",
    epilog=_examples(
        "nettally diff alexnet alexnet-torchvision",
    ),
)
@click.argument("a", type=NET)
@click.argument("b", type=NET)
@_input
@_phase
@_accounting
def diff_command(a: str, b: str, **options: Any) -> Run:
    """Two networks: what differs, and what each difference costs."""
    return partial(commands.diff, a, b, **options)


@cli.command(
    "zoo",
    short_help="The networks that come with nettally.",
    epilog=_examples(
        "nettally zoo",
    ),
)
def zoo_command() -> Run:
    """The networks that come with nettally."""
    return commands.zoo


@cli.command(
    "formats",
    short_help="The formats that are read.",
    epilog=_examples(
        "nettally formats",
    ),
)
def formats_command() -> Run:
    """The formats that are read, with their versions, and what of them is not."""
    return commands.formats


@cli.command(
    "completion",
    short_help="What your shell needs to complete.",
    epilog=_examples(
        "nettally completion bash >> ~/.bashrc",
        "nettally completion zsh >> ~/.zshrc",
        "nettally completion fish > ~/.config/fish/completions/nettally.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> Run:
    """Print what makes the shell complete commands, options and the zoo's names."""
    return partial(_print_completion, shell)


def _print_completion(shell: str) -> int:
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    complete = found(cli, {}, PROGRAM, COMPLETE)
    # not .source(), which looks for a bash on this machine and complains where there is none
    sys.stdout.write(complete.source_template % complete.source_vars() + "\n")
    return commands.TALLIES


def _columns_help() -> str:
    from ..render.columns import COLUMNS, DEFAULT

    width = max(map(len, COLUMNS))
    listed = [f"  {name:<{width}}  {column.help}" for name, column in COLUMNS.items()]
    return "\n".join(["\b", f"Columns (usually {','.join(DEFAULT)}):", *listed])


def parse_and_run(arguments: Sequence[str]) -> int:
    """The exit code of a command line. Raises NettallyError also for what click refuses."""
    epilog = tally_command.epilog or ""
    if (
        list(arguments[:1]) == ["tally"] and "Columns" not in epilog
    ):  # imported only where it is shown
        tally_command.epilog = f"{epilog}\n\n{_columns_help()}"
    try:
        asked: Run | int = cli.main(
            list(arguments), prog_name=PROGRAM, complete_var=COMPLETE, standalone_mode=False
        )
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later
            sys.stderr.write(error.format_message() + "\n")
            return UNUSABLE
        command = error.ctx.command_path if error.ctx else PROGRAM
        raise NettallyError(error.format_message(), hint=f"{command} --help") from None
    except click.ClickException as error:
        raise NettallyError(error.format_message()) from None
    except click.Abort:
        return INTERRUPTED
    return asked() if callable(asked) else asked  # an int: --help, --version
