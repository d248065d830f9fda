"""What several commands have in common: options, each by itself, and the kinds of arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .arguments import ACCOUNTING, CLAIM, COLUMNS, LAYER, LAYER_OR_MODULE, NET
from .network import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]
    Run = Callable[[], int]

__all__ = ("ACCOUNTING", "CLAIM", "COLUMNS", "LAYER", "LAYER_OR_MODULE", "NET")

FORMATS = ("table", "markdown", "latex", "html", "csv", "json")


def examples(*lines: str) -> str:
    """The end of a command's help: lines that can be typed."""
    return "\n".join(["\b", "For example:", *(f"  {line}" for line in lines)])


def with_reading(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a command, those that say how NET is read put together as ``reading``."""
    asked = {name: options.pop(name) for name in Reading._fields if name in options}
    return {**options, "reading": Reading(**asked)}


def with_extra(extra: str, run: Run) -> Run:
    """The run of a command that needs an extra: without it, the command says which."""
    command = click.get_current_context().command_path

    def run_or_say() -> int:
        try:
            return run()
        except ImportError as error:
            from ..extras import missing_library

            refusal = missing_library(error, command, extra)
            if refusal is None:
                raise
            raise refusal from None

    return run_or_say


# --- how NET is read ------------------------------------------------------------------------------


input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SIZE",
    help="The input's size, as 3x224x224 or name=3x224x224; a batch may stand before it, and "
    "for a module a dtype behind it, as 1x128:int64.",
)
params_option = click.option(
    "--params",
    "companion",
    metavar="FILE",
    type=click.Path(),
    help="The file that belongs to this one (cuda-convnet's layer-params).",
)
phase_option = click.option(
    "--phase",
    type=click.Choice(("test", "train")),
    help="Which layers of a Caffe file are read, or how a module runs (usually test).",
)
stage_option = click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME",
    help="A stage that the layers of a Caffe file ask for.",
)
value_option = click.option(
    "--value",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="The value of an input of an ONNX file, as sr=16000, on=true or size=1,3,224,224, so that "
    "what is computed from it is known.",
)
ignore_stated_shapes_option = click.option(
    "--ignore-stated-shapes",
    is_flag=True,
    help="Compute all shapes of an ONNX file anew, where those that it states are out of date.",
)


def file_options(command: Command) -> Command:
    """What is asked of a file of one format: ``--stage`` and those of ONNX."""
    return stage_option(value_option(ignore_stated_shapes_option(command)))


verbose_option = click.option("-v", "--verbose", is_flag=True, help="Show the reader's details.")
self_check_option = click.option(
    "--self-check",
    is_flag=True,
    help="Let torch run a module too, without values, and compare every shape.",
)


# --- what is asked about it -----------------------------------------------------------------------


claims_option = click.option(
    "--claims",
    metavar="FILE",
    type=click.Path(),
    multiple=True,
    help="What was published, also several files, and - for standard input; by default the claims "
    "that come with a network of the zoo.",
)
claim_option = click.option(
    "--claim",
    "inline",
    metavar="CLAIM",
    type=CLAIM,
    multiple=True,
    help="A claim by itself, as in 'parameters <= 5M'; also several.",
)
accounting_option = click.option(
    "--accounting",
    type=ACCOUNTING,
    metavar="NAME|FILE",
    help="Whose convention of counting (nettally reconcile NET lists them), or a file of your own.",
)


def form_option(*more: str) -> Callable[[Command], Command]:
    """``--format``: those that all have, and ``more``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice((*FORMATS, *more)),
        default="table",
        help="For the terminal, for papers and pages, or for programs.",
    )


# --- runs, and their data -------------------------------------------------------------------------


which_option = click.option(
    "--which",
    type=click.Choice(("best", "last")),
    default="best",
    help="Which checkpoint: of the least held-out error (usually), or the last.",
)
data_option = click.option(
    "--data", metavar="PACKED", type=click.Path(), help="Other data than the run's own."
)
split_option = click.option(
    "--split", metavar="NAME", help="train, validation, test; usually what was held out."
)
device_option = click.option(
    "--device", default="auto", help="cpu, cuda, ...; usually a GPU where there is one."
)


# --- pictures of runs -----------------------------------------------------------------------------


output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    required=True,
    help="Where the picture goes: .png or .svg (- is SVG on stdout).",
)
theme_option = click.option("--theme", type=click.Choice(("light", "dark")), default="light")
scaling_option = click.option(
    "--scaling",
    type=click.Choice(("joint", "each")),
    default="joint",
    help="One scale of brightness for all tiles (usually), or one for each.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, help="Of the images that are drawn."
)
