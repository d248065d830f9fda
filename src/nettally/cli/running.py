"""The commands that run a network, and their options, by click; ``parser`` adds them to the others.

What they do stands in ``cli/data.py``, ``cli/train.py`` and so on, imported when it is asked for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .looking import COMMANDS as LOOKING
from .options import NET, examples, input_option, params_option, phase_option

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], int]

RECIPES = ("alexnet-2012", "alexnet-2012-code", "modern")

COMMANDS: list[click.Command] = [*LOOKING]
"""What is added to ``nettally``."""


def _command(name: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """``click.command``, listed in COMMANDS."""

    def add(function: Callable[..., Any]) -> click.Command:
        made = click.command(name, **options)(function)
        COMMANDS.append(made)
        return made

    return add


# --- train ----------------------------------------------------------------------------------------


@_command(
    "train",
    short_help="Train a network.",
    epilog=examples(
        "nettally train examples/digits.yaml",
        "nettally data pack imagenet/ packed/",
        "nettally train alexnet --data packed/ --recipe alexnet-2012 -o runs/alexnet",
        "nettally train --resume runs/alexnet",
        "nettally train alexnet --recipe alexnet-2012 --dry-run",
        "torchrun --nproc-per-node 2 -m nettally train alexnet --data packed/ -o runs/two",
    ),
)
@click.argument("net", type=NET, required=False)
@click.option(
    "--data",
    metavar="PACKED",
    type=click.Path(),
    help="Packed images (nettally data pack); without it, scikit-learn's digits.",
)
@click.option(
    "-o",
    "--output",
    metavar="RUN",
    type=click.Path(),
    help="The folder of the run; without it runs/NAME-1, or the next that is free.",
)
@click.option("--recipe", type=click.Choice(RECIPES), default="modern", show_default=True)
@click.option(
    "--epochs", type=click.IntRange(1), help="Another number of epochs than the recipe's."
)
@click.option("--batch", type=click.IntRange(1), help="Images an update, over all processes.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another value of a field of the recipe: rate=0.02 (docs/training.md lists them).",
)
@click.option(
    "--resume", "taken_up", metavar="RUN", type=click.Path(), help="Go on from the last checkpoint."
)
@click.option(
    "--dry-run",
    "dry",
    is_flag=True,
    help="Train a few steps on made-up images: memory and time, predicted and measured.",
)
@click.option("--seed", type=click.IntRange(0), help="Of all that is drawn at random (usually 0).")
@click.option("--precision", help="32-true, bf16-mixed, 16-mixed, ... as Fabric has them.")
@click.option("--accelerator", help="auto, cpu, cuda, mps, ... as Fabric has them.")
@click.option("--devices", type=click.IntRange(1), help="How many; under torchrun, its own.")
@click.option("--nodes", type=click.IntRange(1), help="How many machines; under torchrun, its own.")
@click.option("--strategy", help="ddp, ddp_find_unused_parameters_true, ... as Fabric has them.")
@click.option(
    "--columns",
    flag_value=2,
    type=int,
    is_flag=False,
    help="Each column of the network on a process of its own (torchrun --nproc-per-node 2).",
)
@click.option(
    "--accumulate", type=click.IntRange(1), help="Work a batch off in so many parts, for memory."
)
@click.option("--compile", is_flag=True, default=None, help="Let torch.compile make kernels of it.")
@click.option(
    "--channels-last/--channels-first",
    default=None,
    help="How images lie in memory (usually channels last, which is faster).",
)
@click.option(
    "--deterministic",
    is_flag=True,
    default=None,
    help="Refuse operations that vary from run to run.",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(),
    help="Begin with these, .safetensors or .caffemodel, and not with the recipe's initial values.",
)
@click.option("--save-every", type=click.FloatRange(0), metavar="SECONDS", help="Usually 600.")
@click.option("--log-every", type=click.IntRange(1), metavar="STEPS", help="Usually 20.")
@click.option("--tensorboard", is_flag=True, default=None, help="Write TensorBoard's files too.")
@click.option("--steps", type=click.IntRange(1), help="Stop after so many steps, to go on later.")
@input_option
@params_option
@phase_option
def train_command(net: str | None, **options: Any) -> Run:
    """Train a network on packed images, by a recipe; it can be stopped and taken up at any time."""
    from .train import run_training

    return partial(run_training, net, **options)


@_command(
    "evaluate",
    short_help="How often a trained network errs.",
    epilog=examples(
        "nettally evaluate runs/alexnet",
        "nettally evaluate runs/alexnet --views 10 --split test",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.option("--data", metavar="PACKED", type=click.Path(), help="Other data than the run's own.")
@click.option("--split", metavar="NAME", help="train, validation, test; usually what was held out.")
@click.option(
    "--views",
    type=click.Choice(("1", "10")),
    help="The middle crop, or ten crops and their averaged softmax; usually as the recipe tests.",
)
@click.option(
    "--which",
    type=click.Choice(("best", "last")),
    default="best",
    help="Which checkpoint: of the least held-out error (usually), or the last.",
)
@click.option("--batch", type=click.IntRange(1), default=128, help="Crops at a time (usually 128).")
@click.option("--device", default="auto", help="cpu, cuda, ...; usually a GPU where there is one.")
@click.option(
    "--worst", type=click.IntRange(0), default=10, help="How many confused classes are listed."
)
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table")
def evaluate_command(path: str, **options: Any) -> Run:
    """Top-1 and top-5 error of a run, by one crop and by ten, and the classes that it confuses."""
    from .evaluate import run_evaluation

    return partial(run_evaluation, path, **options)


# --- data -----------------------------------------------------------------------------------------


@click.group("data", short_help="Pack images, and look at what is packed.")
def data_commands() -> None:
    """Pack images into shards that training reads; docs/data.md describes them."""


COMMANDS.append(data_commands)


@data_commands.command(
    "pack",
    short_help="Pack images into shards.",
    epilog=examples(
        "nettally data pack imagenet/ packed/",
        "nettally data pack photographs/ packed/ --hold-out 0.1",
        "nettally data pack fashion-mnist/ fashion/",
        "nettally data pack cifar-10-python.tar.gz cifar/",
    ),
)
@click.argument("source", metavar="DIR", type=click.Path())
@click.argument("out", metavar="OUT", type=click.Path())
@click.option(
    "--side",
    type=click.IntRange(1, 4096),
    default=256,
    help="The side of the square that is cut out of a photograph (usually 256).",
)
@click.option(
    "--resample",
    type=click.Choice(("area", "bilinear", "bicubic", "lanczos", "nearest")),
    default="area",
    help="How photographs are rescaled; usually area, as cuda-convnet2 did.",
)
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option("--upright", is_flag=True, help="Turn photographs as their EXIF data say.")
@click.option(
    "--hold-out",
    "held",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    metavar="PART",
    help="Hold out that part of the images for validation, told by their names.",
)
@click.option(
    "--order",
    type=click.Choice(("shuffled", "given")),
    default="shuffled",
    help="Of the photographs to learn from; given reads tars from front to back.",
)
@click.option(
    "--mirror/--no-mirror",
    default=None,
    help="Whether a mirrored image is of the same class; usually of photographs, not of digits.",
)
@click.option("--name", default="", metavar="NAME", help="What the data is called.")
@click.option(
    "--classes", metavar="FILE", type=click.Path(), help="The classes' names, one a line."
)
@click.option(
    "--devkit",
    metavar="FILE",
    type=click.Path(),
    help="ILSVRC2012_devkit_t12.tar.gz, where it does not lie beside the tars.",
)
@click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes; usually one a core."
)
@click.option("--again", is_flag=True, help="Replace what was packed into OUT before.")
def pack_command(source: str, out: str, workers: int | None, **options: Any) -> Run:
    """Pack images of DIR into the folder OUT, in parallel; it can be stopped and taken up.

    DIR is a folder of train/CLASS/x.jpg and val/CLASS/x.jpg, or of CLASS/x.jpg; tars of such
    folders, WebDataset's or ILSVRC's; a folder of idx files (MNIST) or of CIFAR's batches.
    Images that cannot be read are listed and left out.
    """
    from .data import pack

    return partial(pack, source, out, workers=workers or 0, **options)


@data_commands.command(
    "info",
    short_help="What a packed folder holds.",
    epilog=examples("nettally data info packed/", "nettally data info packed/ --broken"),
)
@click.argument("path", metavar="OUT", type=click.Path())
@click.option("--broken", is_flag=True, help="List every image that was left out, and why.")
def info_command(path: str, **options: Any) -> Run:
    """Print what a packed folder holds: splits, classes, mean, what was left out."""
    from .data import info

    return partial(info, path, **options)


@data_commands.command(
    "verify",
    short_help="Hold packed data against its checksums.",
    epilog=examples("nettally data verify packed/"),
)
@click.argument("path", metavar="OUT", type=click.Path())
def verify_command(path: str) -> Run:
    """Read every file of a packed folder and hold it against its checksum.

    Exit code 1 where one differs.
    """
    from .data import verify

    return partial(verify, path)
