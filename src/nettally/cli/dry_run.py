"""``nettally train --dry-run``: memory and time of a training, predicted and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..counting.memory import training
from ..counting.tally import tally
from ..data.packed import open_packed
from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from ..rendering.terminal import wrap
from ..training.dry_run import Measured, measure
from ..training.seeded_random import network_of_scores

if TYPE_CHECKING:
    from ..network import Network
    from ..rendering.terminal import Terminal
    from ..training.recipe import Recipe
    from ..training.settings import Settings

WIDTHS = {"32-true": "float32", "64-true": "float64", "bf16-true": "bfloat16", "16-true": "float16"}
IMAGENET = 1_281_167
"""Images that ILSVRC trains on, for which the whole is reckoned where no data is named."""


def dry_run(
    network: Network,
    recipe: Recipe,
    settings: Settings,
    terminal: Terminal,
    data: str | None = None,
) -> str:
    """A table of both. data: packed data whose number of images the whole is reckoned for."""
    images = len(open_packed(data).splits["train"]) if data else IMAGENET
    measured = measure(network, recipe, settings)
    scores = network_of_scores(network)
    whole, one = (
        tally(scores.replace(inputs={n: (batch, *x[1:]) for n, x in scores.inputs.items()}))
        for batch in (recipe.batch, 1)
    )
    kind = WIDTHS.get(settings.precision, "")
    memory = int(training(whole, optimizer=recipe.optimizer, dtype=kind).total)
    macs = int(one.macs)
    return _table(network.name, recipe, images, macs, memory, measured, terminal)


def _table(
    name: str,
    recipe: Recipe,
    images: int,
    macs: int,
    memory: int,
    measured: Measured,
    terminal: Terminal,
) -> str:
    work = 3 * macs * recipe.batch
    seconds = (work / measured.peak, measured.seconds)
    rows = [
        ["memory of a step, MB", f"{memory / 1e6:,.0f}", f"{measured.grown / 1e6:,.0f}"],
        ["seconds a step", *(f"{each:.3g}" for each in seconds)],
        ["images/s", *(f"{recipe.batch / each:,.4g}" for each in seconds)],
        [
            f"{recipe.epochs} epochs of {images:,} images",
            *(_duration(images * recipe.epochs / recipe.batch * each) for each in seconds),
        ],
    ]
    title = (
        f"{escape(name)}: recipe {recipe.name}, batch {recipe.batch}, on {escape(measured.device)}"
    )
    share = work / measured.seconds / measured.peak
    return "\n".join(
        [
            *(terminal.style(line, "bold") for line in wrap(title, terminal.prose)),
            "",
            grid(["", "predicted", "measured"], [False, True, True], rows, terminal),
            "",
            *wrap(
                f"time, predicted: 3 x {macs:,} multiply-accumulates an image (the gradients take "
                f"two passes more), at {measured.peak / 1e9:,.0f} G/s, a large product's here; the "
                f"step reached {100 * share:.0f} % of that; {100 * measured.waiting:.0f} % of it "
                "was waiting for data",
                terminal.prose,
                rest="  ",
            ),
            *wrap(
                "memory, predicted: as nettally memory has it; measured: what the process grew by",
                terminal.prose,
                rest="  ",
            ),
        ]
    )


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"
