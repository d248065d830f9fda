"""The commands and their options, by click.

click parses, and hands back what is to be run: a closed pipe or Ctrl-C is ours to end, not click's.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import NettallyError
from ..versions import version_of
from . import INTERRUPTED, UNUSABLE, commands
from .options import (
    NET,
    accounting_option,
    claims_option,
    examples,
    form_option,
    input_option,
    params_option,
    phase_option,
)
from .running import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[[], int]

PROGRAM = "nettally"
COMPLETE = "_NETTALLY_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
SCHEMAS = ("tally", "check", "explain", "reconcile", "diff", "network")

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
NET is the name of a network of the zoo (nettally zoo), a file, or the name of
a PyTorch module: torchvision:resnet50, timm:convnext_base,
package.module:factory or file.py:Class(3, width=64), whose code is then run.
"""


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    click.echo(f"{PROGRAM} {version_of(PROGRAM) or '(not installed)'}")
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
    epilog=examples(
        "nettally tally alexnet",
        "nettally tally alexnet --working conv1",
        "nettally tally resnet-50 --depth 1 --columns output,parameters,share",
        "nettally tally layers.cfg --input 3x224x224 --format json",
        "nettally tally vgg-16 --format latex > table.tex",
    ),
)
@click.argument("net", type=NET)
@click.option("--working", metavar="LAYER", help="The arithmetic of one layer or module.")
@click.option("--columns", metavar="LIST", help="With commas: output,parameters,share (see below).")
@click.option("--depth", type=click.IntRange(0, 40), help="How deep modules are opened.")
@input_option
@params_option
@phase_option
@accounting_option
@form_option("svg")
def tally_command(net: str, **options: Any) -> Run:
    """Count a network: neurons, parameters, MACs and receptive field of each layer."""
    return partial(commands.count, net, **options)


@cli.command(
    "reconcile",
    short_help="One count under every accounting.",
    epilog=examples(
        "nettally reconcile alexnet",
    ),
)
@click.argument("net", type=NET)
@input_option
@params_option
@phase_option
@form_option("svg")
def reconcile_command(net: str, **options: Any) -> Run:
    """One count under every accounting, term by term: why tools print other numbers."""
    return partial(commands.reconcile, net, **options)


@cli.command(
    "check",
    short_help="Check what was published about it.",
    epilog=examples(
        "nettally check alexnet",
        "nettally check my-network.yaml --claims my-claims.yaml",
    ),
)
@click.argument("net", type=NET)
@claims_option
@click.option("--all", "every", is_flag=True, help="One line a claim, in their order.")
@input_option
@params_option
@phase_option
@form_option("svg")
def check_command(net: str, **options: Any) -> Run:
    """Check what was published about a network; what differs is explained."""
    return partial(commands.check, net, **options)


@cli.command(
    "explain",
    short_help="What a figure that is not ours could mean.",
    epilog=examples(
        "nettally explain alexnet 'conv1.neurons = 253,440'",
        "nettally explain resnet-50 'macs = 3.8G'",
        "nettally explain alexnet 'conv1.output = 55x55' --input 3x227x227",
    ),
)
@click.argument("net", type=NET)
@click.argument("claim")
@claims_option
@click.option("--most", type=click.IntRange(1, 50), default=5, help="How many explanations.")
@input_option
@params_option
@phase_option
@form_option("svg")
def explain_command(net: str, claim: str, **options: Any) -> Run:
    """What someone could have meant who published a figure that is not ours."""
    return partial(commands.explain, net, claim, **options)


@cli.command(
    "diff",
    short_help="What differs between two networks.",
    epilog=examples(
        "nettally diff alexnet alexnet-torchvision",
    ),
)
@click.argument("a", type=NET)
@click.argument("b", type=NET)
@input_option
@phase_option
@accounting_option
@form_option("svg")
def diff_command(a: str, b: str, **options: Any) -> Run:
    """Two networks: what differs, and what each difference costs."""
    return partial(commands.diff, a, b, **options)


@cli.command(
    "draw",
    short_help="A figure of a network, to scale.",
    epilog=examples(
        "nettally draw alexnet -o alexnet.svg",
        "nettally draw resnet-50 --style blocks --width 600 -o resnet-50.pdf",
        "nettally draw layers.cfg --style bars --theme auto -o bars.svg",
    ),
)
@click.argument("net", type=NET)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(),
    help="Where it goes: .svg, .pdf, .png or .tex (- is SVG on stdout).",
)
@click.option(
    "--style",
    type=click.Choice(("volumes", "blocks", "bars", "field")),
    default="volumes",
    help="Boxes to scale; any graph; where the numbers are; receptive fields.",
)
@click.option("--width", type=click.IntRange(200, 20_000), help="Its width in pixels.")
@click.option(
    "--theme",
    type=click.Choice(("light", "dark", "auto")),
    default="light",
    help="auto: as the reader's system is.",
)
@click.option(
    "--direction",
    type=click.Choice(("auto", "right", "down")),
    default="auto",
    help="Where the style blocks goes.",
)
@click.option("--depth", type=click.IntRange(0, 40), help="How deep modules are opened.")
@claims_option
@click.option(
    "--marks/--no-marks",
    default=True,
    help="Whether claims that do not tally are marked (usually they are).",
)
@input_option
@params_option
@phase_option
def draw_command(net: str, **options: Any) -> Run:
    """A figure of a network, to the scale of its true sizes, fit for a paper.

    PDF and PNG need CairoSVG: pip install 'nettally[figures]'.
    """
    from .draw import draw

    return partial(draw, net, **options)


@cli.command(
    "report",
    short_help="All of it as one page, to be sent to someone.",
    epilog=examples(
        "nettally report alexnet -o report.html",
        "nettally report my-network.yaml --claims my-claims.yaml -o report.html",
    ),
)
@click.argument("net", type=NET)
@claims_option
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the page goes.")
@input_option
@params_option
@phase_option
@accounting_option
def report_command(net: str, **options: Any) -> Run:
    """The whole audit as one page: verdict, claims, explanations, figure, table, accountings.

    The page stands alone: it needs no script and no network, and can be printed.
    """
    from .report import report

    return partial(report, net, **options)


@cli.command(
    "memory",
    short_help="What training and inference need, in bytes.",
    epilog=examples(
        "nettally memory alexnet",
        "nettally memory resnet-50 --input 32x3x224x224 --optimizer adamw",
        "nettally memory torchvision:vit_b_16 --dtype bfloat16",
    ),
)
@click.argument("net", type=NET)
@click.option("--dtype", metavar="NAME", default="", help="float32, float16, bfloat16, ...")
@click.option(
    "--optimizer", metavar="NAME", default="none", help="none, sgd, momentum, adam, adamw, ..."
)
@click.option("--all", "every", is_flag=True, help="Every layer, in their order.")
@input_option
@params_option
@phase_option
def memory_command(net: str, **options: Any) -> Run:
    """Estimate memory: what autograd keeps, the peak of a forward, parameters and optimizer.

    The batch is the first size of --input 32x3x224x224.
    """
    from .memory import memory

    return partial(memory, net, **options)


@cli.command(
    "schema",
    short_help="The schema of what a command writes as JSON.",
    epilog=examples(
        "nettally schema check > check.schema.json",
    ),
)
@click.argument("of", type=click.Choice(SCHEMAS), metavar="NAME")
def schema_command(of: str) -> Run:
    """Print the JSON Schema of a command's --format json, or of our own network file.

    NAME is tally, check, explain, reconcile, diff or network.
    """
    return partial(commands.schema, of)


@cli.command(
    "zoo",
    short_help="The networks that come with nettally.",
    epilog=examples(
        "nettally zoo",
    ),
)
def zoo_command() -> Run:
    """The networks that come with nettally."""
    return commands.zoo


@cli.command(
    "formats",
    short_help="The formats that are read.",
    epilog=examples(
        "nettally formats",
    ),
)
def formats_command() -> Run:
    """The formats that are read, with their versions, and what of them is not."""
    return commands.formats


@cli.command(
    "completion",
    short_help="What your shell needs to complete.",
    epilog=examples(
        "nettally completion bash >> ~/.bashrc",
        "nettally completion zsh >> ~/.zshrc",
        "nettally completion fish > ~/.config/fish/completions/nettally.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> Run:
    """Print what makes the shell complete commands, options and the zoo's names."""
    return partial(_print_completion, shell)


for _command in COMMANDS:
    cli.add_command(_command)


def _print_completion(shell: str) -> int:
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    complete = found(cli, {}, PROGRAM, COMPLETE)
    # not .source(), which looks for a bash on this machine and complains where there is none
    sys.stdout.write(complete.source_template % complete.source_vars() + "\n")
    return commands.TALLIES


def _columns_help() -> str:
    from ..rendering.tables.columns import COLUMNS, DEFAULT

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
