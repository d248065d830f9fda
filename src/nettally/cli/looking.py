"""The commands that look at a run and use it, and their options, by click: show, classify, export.

What they do stands in ``cli/show.py``, ``cli/classify.py`` and ``cli/export.py``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .options import NET, examples, input_option, params_option, phase_option

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], int]
    Command = Callable[..., Any]

COMMANDS: list[click.Command] = []
"""What is added to ``nettally``."""


def _which(command: Command) -> Command:
    return click.option(
        "--which",
        type=click.Choice(("best", "last")),
        default="best",
        help="Which checkpoint: of the least held-out error (usually), or the last.",
    )(command)


def _data(command: Command) -> Command:
    command = click.option(
        "--split", metavar="NAME", help="train, validation, test; usually what was held out."
    )(command)
    return click.option(
        "--data", metavar="PACKED", type=click.Path(), help="Other data than the run's own."
    )(command)


def _device(command: Command) -> Command:
    return click.option(
        "--device", default="auto", help="cpu, cuda, ...; usually a GPU where there is one."
    )(command)


def _picture(command: Command) -> Command:
    command = click.option("--theme", type=click.Choice(("light", "dark")), default="light")(
        command
    )
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(),
        required=True,
        help="Where the picture goes: .png or .svg.",
    )(command)


def _scaling(command: Command) -> Command:
    return click.option(
        "--scaling",
        type=click.Choice(("joint", "each")),
        default="joint",
        help="One scale of brightness for all tiles (usually), or one for each.",
    )(command)


def _seed(command: Command) -> Command:
    return click.option(
        "--seed", type=click.IntRange(0), default=0, help="Of the images that are drawn."
    )(command)


# --- show -----------------------------------------------------------------------------------------


@click.group("show", short_help="What a run has learnt, as pictures.")
def show_commands() -> None:
    """Draw how a run went, its kernels, maps, guesses and nearest images, as .png or .svg."""


COMMANDS.append(show_commands)


@show_commands.command(
    "filters",
    short_help="The kernels of the first layer.",
    epilog=examples(
        "nettally show filters runs/alexnet -o kernels.png",
        "nettally show filters runs/alexnet --layer conv2 --scaling each -o conv2.svg",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.option("--layer", metavar="NAME", help="Another layer than the first.")
@_scaling
@_which
@_picture
def filters_command(path: str, **options: Any) -> Run:
    """Draw the kernels of a layer, the columns one above the other, as the paper's figure 3."""
    from .show import show_filters

    return partial(show_filters, path, **options)


@show_commands.command(
    "curve",
    short_help="Loss and errors over the epochs.",
    epilog=examples(
        "nettally show curve runs/alexnet -o curve.svg",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@_picture
def curve_command(path: str, **options: Any) -> Run:
    """Draw how a run went: its loss and its errors, epoch by epoch, out of its log."""
    from .show import show_curve

    return partial(show_curve, path, **options)


@show_commands.command(
    "activations",
    short_help="What a layer makes of an image.",
    epilog=examples(
        "nettally show activations runs/alexnet --image cat.jpg -o maps.png",
        "nettally show activations runs/alexnet --index 7 --layer pool5 -o pool5.png",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.option("--image", metavar="FILE", type=click.Path(), help="An image file.")
@click.option("--index", type=click.IntRange(0), help="An image of the split; the first is 0.")
@click.option("--layer", metavar="NAME", help="Usually the first, after its activation.")
@_data
@_scaling
@_which
@_picture
def activations_command(path: str, **options: Any) -> Run:
    """Draw the maps of a layer for one image, each a tile."""
    from .show import show_activations

    return partial(show_activations, path, **options)


@show_commands.command(
    "predictions",
    short_help="Images with their likeliest classes.",
    epilog=examples(
        "nettally show predictions runs/alexnet -o guesses.png",
        "nettally show predictions runs/alexnet --count 16 --seed 3 --views 10 -o guesses.svg",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.option(
    "--count", type=click.IntRange(1, 100), default=8, help="How many images (usually 8)."
)
@click.option(
    "--views", type=click.Choice(("1", "10")), default="1", help="One crop (usually), or ten."
)
@_data
@_seed
@_device
@_which
@_picture
def predictions_command(path: str, **options: Any) -> Run:
    """Draw images with their class and the five likeliest, as the paper's figure 4 (left)."""
    from .show import show_predictions

    return partial(show_predictions, path, **options)


@show_commands.command(
    "neighbours",
    short_help="Images and the training images nearest to them.",
    epilog=examples(
        "nettally show neighbours runs/alexnet -o near.png",
        "nettally show neighbours runs/alexnet --layer pool5 --among 9000 -o n.png",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.option("--count", type=click.IntRange(1, 50), default=5, help="How many rows (usually 5).")
@click.option(
    "--layer",
    metavar="NAME",
    help="Usually the last hidden one after its activation; of fc7, where there is one.",
)
@click.option(
    "--among",
    type=click.IntRange(0),
    default=0,
    metavar="IMAGES",
    help="Search only so many training images, drawn by the seed; usually all.",
)
@_data
@_seed
@_device
@_which
@_picture
def neighbours_command(path: str, **options: Any) -> Run:
    """Draw images and the six training images nearest to each by a layer's Euclidean distance.

    The paper's figure 4 (right).
    """
    from .show import show_neighbours

    return partial(show_neighbours, path, **options)


# --- use ------------------------------------------------------------------------------------------


@click.command(
    "classify",
    short_help="What a run takes images for.",
    epilog=examples(
        "nettally classify runs/alexnet cat.jpg dog.png",
        "nettally classify runs/alexnet *.jpg --top 1 --views 10 --format json",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path())
@click.option("--top", type=click.IntRange(1), default=5, help="How many classes (usually 5).")
@click.option(
    "--views",
    type=click.Choice(("1", "10")),
    default="1",
    help="The middle crop (usually), or ten crops and their averaged softmax.",
)
@_device
@_which
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table")
def classify_command(path: str, images: tuple[str, ...], **options: Any) -> Run:
    """Print the likeliest classes of image files.

    A file that can't be read is said, the others are classified, and the exit code is 2.
    """
    from .classify import run_classify

    return partial(run_classify, path, images, **options)


COMMANDS.append(classify_command)


@click.command(
    "features",
    short_help="What a layer computes of images, as .npy.",
    epilog=examples(
        "nettally features runs/alexnet --split test --layer fc7 -o fc7.npy",
        "nettally features runs/alexnet --split train -o x.npy --labels y.npy",
        "nettally features runs/alexnet a.jpg b.jpg --layer pool5 -o pool5.npy",
    ),
)
@click.argument("path", metavar="RUN", type=click.Path())
@click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path())
@click.option(
    "--layer",
    metavar="NAME",
    help="Any layer; usually the last hidden one after its activation.",
)
@_data
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    required=True,
    help="Where they go: a .npy file of float32, an image a row.",
)
@click.option(
    "--labels",
    metavar="FILE",
    type=click.Path(),
    help="Where the classes of a split's images go: a .npy file of int64.",
)
@_device
@_which
def features_command(path: str, images: tuple[str, ...], **options: Any) -> Run:
    """Write what a layer computes of image files, or of a split, in order, as a .npy file."""
    from .classify import run_features

    return partial(run_features, path, images, **options)


COMMANDS.append(features_command)


@click.command(
    "export",
    short_help="Write an ONNX file.",
    epilog=examples(
        "nettally export runs/alexnet -o alexnet.onnx",
        "nettally export alexnet --weights bvlc.caffemodel -o alexnet.onnx",
        "nettally export runs/alexnet -o weights.safetensors",
    ),
)
@click.argument("net", metavar="RUN|NET", type=NET)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    required=True,
    help="Where it goes: .onnx, or .safetensors for the weights alone.",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(),
    help="Weights of a NET, .safetensors or .caffemodel; without them, torch's initial values.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, help="Of the initial values (usually 0)."
)
@_which
@input_option
@params_option
@phase_option
def export_command(net: str, **options: Any) -> Run:
    """Write a run, or any network that is read, as an ONNX file that tallies the same."""
    from .export import run_export

    return partial(run_export, net, **options)


COMMANDS.append(export_command)
