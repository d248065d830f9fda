"""``nettally train``: reads the network and the data, trains, and tells how it goes."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from .network import PLAIN, Reading, read_network
from .output import here, prose, refuse_stdout
from .process import TALLIES, collect_as_usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from ..data.packed import Packed
    from ..network import Network
    from ..training.loop import Outcome
    from ..training.recipe import Recipe
    from . import options
    from .training_progress import TrainingProgress

RECIPES = ("alexnet-2012", "alexnet-2012-code", "modern")

STOPPED = 130
"""The exit code of a training that was asked to stop: as after Ctrl-C."""


def run(
    net: str | None,
    *,
    data: str | None,
    output: str | None,
    recipe: str,
    epochs: int | None,
    batch: int | None,
    changes: Sequence[str],
    taken_up: str | None,
    dry: bool,
    reading: Reading = PLAIN,
    **settings: Any,
) -> int:
    """``nettally train``; the exit code."""
    from ..training.allocator import keep_freed_memory
    from ..training.loop import train
    from ..training.settings import Settings
    from .training_progress import TrainingProgress, say

    if find_spec("torchmetrics") is None:  # the first evaluation would miss it, an epoch later
        raise ModuleNotFoundError("No module named 'torchmetrics'", name="torchmetrics")
    collect_as_usual()  # this runs for days
    keep_freed_memory()
    refuse_stdout(output, "a run", "-o runs/NAME")
    asked = {name: value for name, value in settings.items() if value is not None}
    if taken_up is not None:
        return _take_up(taken_up, net, data, asked, changed_too=bool(changes or epochs or batch))
    if net is None:
        raise NettallyError(
            "which network?", hint="nettally train NET --data PACKED, or --resume RUN"
        )
    network, notes = read_network(net, reading)
    used = _recipe(recipe, epochs, batch, changes)
    _first(notes)
    if dry:
        from .dry_run import dry_run

        say(dry_run(network, used, Settings(**asked), here(), data))
        return TALLIES
    from ..data.packed import open_packed

    packed = open_packed(data or "digits")
    if data is None and _first():
        sys.stderr.write("no --data: scikit-learn's digits are taken\n")
    several = int(asked.get("devices", 1)) * int(asked.get("nodes", 1)) > 1
    path = output or _free_folder(network, several=several)
    progress = TrainingProgress()
    return _ended(train(network, packed, path, used, Settings(**asked), progress), progress)


def _recipe(name: str, epochs: int | None, batch: int | None, changes: Sequence[str]) -> Recipe:
    from ..training.recipe import recipe_called
    from ..training.recipe_words import changed

    words = list(changes)
    if epochs is not None:
        words.append(f"epochs={epochs}")
    if batch is not None:
        words.append(f"batch={batch}")
    return changed(recipe_called(name), words)


def _take_up(
    path: str, net: str | None, data: str | None, asked: dict[str, Any], *, changed_too: bool
) -> int:
    from ..data.packed import open_packed
    from ..training.loop import resume
    from ..training.run import open_run
    from ..training.settings import Settings
    from .training_progress import TrainingProgress

    if net is not None or changed_too:
        raise NettallyError(
            "a run is taken up as it was begun: with its network and its recipe",
            hint=f"nettally train --resume {path}",
        )
    run = open_run(path)
    packed: Packed = open_packed(data or run.data)
    progress = TrainingProgress()
    settings: Any = {**run.settings, "steps": 0, **asked}
    return _ended(resume(path, packed, Settings(**settings), progress), progress)


def _first(notes: Sequence[str] = ()) -> bool:
    """Whether this is the first of several processes; it tells the notes."""
    first = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
    if first:
        for note in notes:
            sys.stderr.write(f"note: {escape(note)}\n")
    return first


def _free_folder(network: Network, *, several: bool) -> str:
    """runs/NAME-1, or the next number that is free. Several processes have to be told one."""
    if several or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise NettallyError("where does the run go?", hint="several processes need -o RUN")
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in network.name) or "run"
    number = 1
    while os.path.exists(path := os.path.join("runs", f"{stem}-{number}")):
        number += 1
    return path


def _ended(outcome: Outcome, progress: TrainingProgress) -> int:
    from .training_progress import say

    progress.close()
    if not progress.active:
        return STOPPED if outcome.asked else TALLIES
    path = escape(outcome.path)
    if outcome.stopped:
        text = f"stopped at step {outcome.steps:,}; to go on:  nettally train --resume {path}"
        say("\n".join(["", *prose(text)]))
        return STOPPED if outcome.asked else TALLIES
    best = "" if outcome.best is None else f", least error {100 * outcome.best:.2f} %"
    texts = (
        f"{outcome.epochs} epochs, {outcome.steps:,} steps{best}",
        f"the run is in {path}:  nettally evaluate {path}",
    )
    say("\n".join(["", *prose(*texts)]))
    return TALLIES


# Long, since each option is declared in it.
def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "train",
        short_help="Train a network.",
        epilog=o.examples(
            "nettally train examples/digits.yaml",
            "nettally data pack imagenet/ packed/",
            "nettally train alexnet --data packed/ --recipe alexnet-2012 -o runs/alexnet",
            "nettally train --resume runs/alexnet",
            "nettally train alexnet --recipe alexnet-2012 --dry-run",
            "torchrun --nproc-per-node 2 -m nettally train alexnet --data packed/ -o runs/two",
        ),
    )
    @click.argument("net", type=o.NET, required=False)
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
        "--resume",
        "taken_up",
        metavar="RUN",
        type=click.Path(),
        help="Go on from the last checkpoint.",
    )
    @click.option(
        "--dry-run",
        "dry",
        is_flag=True,
        help="Train a few steps on made-up images: memory and time, predicted and measured.",
    )
    @click.option(
        "--seed", type=click.IntRange(0), help="Of all that is drawn at random (usually 0)."
    )
    @click.option("--precision", help="32-true, bf16-mixed, 16-mixed, ... as Fabric has them.")
    @click.option("--accelerator", help="auto, cpu, cuda, mps, ... as Fabric has them.")
    @click.option("--devices", type=click.IntRange(1), help="How many; under torchrun, its own.")
    @click.option(
        "--nodes", type=click.IntRange(1), help="How many machines; under torchrun, its own."
    )
    @click.option(
        "--strategy", help="ddp, ddp_find_unused_parameters_true, ... as Fabric has them."
    )
    @click.option(
        "--columns",
        flag_value=2,
        type=int,
        is_flag=False,
        help="Each column of the network on a process of its own (torchrun --nproc-per-node 2).",
    )
    @click.option(
        "--accumulate",
        type=click.IntRange(1),
        help="Work a batch off in so many parts, for memory.",
    )
    @click.option(
        "--compile", is_flag=True, default=None, help="Let torch.compile make kernels of it."
    )
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
        help="Begin with these, .safetensors or .caffemodel, and not with the recipe's initial "
        "values.",
    )
    @click.option("--save-every", type=click.FloatRange(0), metavar="SECONDS", help="Usually 600.")
    @click.option("--log-every", type=click.IntRange(1), metavar="STEPS", help="Usually 20.")
    @click.option(
        "--tensorboard", is_flag=True, default=None, help="Write TensorBoard's files too."
    )
    @click.option(
        "--steps", type=click.IntRange(1), help="Stop after so many steps, to go on later."
    )
    @o.input_option
    @o.params_option
    @o.phase_option
    @o.file_options
    def train_command(net: str | None, **asked: Any) -> options.Run:
        """Train a network on packed images, by a recipe; it can be stopped and resumed any time."""
        return o.with_extra("train", partial(run, net, **o.with_reading(asked)))

    return train_command
