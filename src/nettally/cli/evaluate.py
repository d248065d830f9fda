"""``nettally evaluate RUN``: how often it errs, and what it confuses."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from .output import here, show
from .process import TALLIES
from .progress import CountBar
from .split import check_classes, split_of

if TYPE_CHECKING:
    import click

    from ..data.packed import Packed, Split
    from ..training.evaluate import Scores
    from ..training.run import Run
    from . import options


def run(
    path: str,
    *,
    data: str | None,
    split: str | None,
    views: str | None,
    which: str,
    batch: int,
    device: str,
    worst: int,
    form: str,
) -> int:
    """Print top-1 and top-5 errors by one crop, by ten, or by both as the recipe tests."""
    from ..data.packed import open_packed
    from ..training.allocator import keep_freed_memory
    from ..training.evaluate import evaluate
    from ..training.run import device_of, open_run

    keep_freed_memory()
    trained = open_run(path)
    packed = open_packed(data or trained.data)
    check_classes(trained, packed)
    chosen = split_of(packed, split)
    target = device_of(device)
    module = trained.module(which, scores=True).to(target)
    wanted = (
        [int(views)] if views else ([1] if trained.recipe.views == 1 else [1, trained.recipe.views])
    )
    scores: list[Scores] = []
    for place, each in enumerate(wanted):
        seen = CountBar(f"{each} crop{'s' * (each > 1)}")
        scores.append(
            evaluate(
                module,
                chosen,
                trained.size,
                trained.scaling,
                views=each,
                batch=batch,
                device=target,
                confusion=place == len(wanted) - 1,
                seen=seen,
            )
        )
        seen.close()
    if form == "json":
        sys.stdout.write(_as_json(trained, chosen, scores, worst) + "\n")
    else:
        show(_table(trained, packed, chosen, scores, worst) + "\n")
    return TALLIES


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _table(run: Run, packed: Packed, split: Split, scores: list[Scores], worst: int) -> str:
    terminal = here()
    title = (
        f"{escape(run.network.name)} on {escape(packed.name)}, {split.name}: {len(split):,} images"
    )
    rows = [
        [
            "the middle crop" if each.views == 1 else f"{each.views} crops, averaged",
            _percent(each.top1),
            _percent(each.top5),
            f"{each.loss:.4f}",
        ]
        for each in scores
    ]
    lines = [terminal.style(title, "bold"), ""]
    lines.append(
        grid(["", "top-1 error", "top-5 error", "loss"], [False, True, True, True], rows, terminal)
    )
    confused = [each for each in scores[-1].worst(run.classes, worst) if each.right < each.images]
    if confused:
        rows = [
            [
                escape(each.name)[:30],
                _percent(1 - each.right / each.images),
                f"{each.images - each.right} of {each.images}",
                ", ".join(f"{escape(name)[:20]} {count}" for name, count in each.taken_for),
            ]
            for each in confused
        ]
        lines += ["", terminal.style("the classes with most errors", "bold"), ""]
        lines.append(
            grid(
                ["class", "error", "wrong", "taken for"], [False, True, True, False], rows, terminal
            )
        )
    return "\n".join(lines)


def _as_json(run: Run, split: Split, scores: list[Scores], worst: int) -> str:
    answer: dict[str, Any] = {
        "network": run.network.name,
        "split": split.name,
        "images": len(split),
        "scores": [
            {"views": each.views, "top1": each.top1, "top5": each.top5, "loss": each.loss}
            for each in scores
        ],
        "worst": [
            {
                "class": each.name,
                "images": each.images,
                "right": each.right,
                "taken_for": dict(each.taken_for),
            }
            for each in scores[-1].worst(run.classes, worst)
        ],
    }
    return json.dumps(answer, indent=1, ensure_ascii=False)


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "evaluate",
        short_help="How often a trained network errs.",
        epilog=o.examples(
            "nettally evaluate runs/alexnet",
            "nettally evaluate runs/alexnet --views 10 --split test",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.option(
        "--data", metavar="PACKED", type=click.Path(), help="Other data than the run's own."
    )
    @click.option(
        "--split", metavar="NAME", help="train, validation, test; usually what was held out."
    )
    @click.option(
        "--views",
        type=click.Choice(("1", "10")),
        help="The middle crop, or ten crops and their averaged softmax; usually as the recipe "
        "tests.",
    )
    @click.option(
        "--which",
        type=click.Choice(("best", "last")),
        default="best",
        help="Which checkpoint: of the least held-out error (usually), or the last.",
    )
    @click.option(
        "--batch", type=click.IntRange(1), default=128, help="Crops at a time (usually 128)."
    )
    @click.option(
        "--device", default="auto", help="cpu, cuda, ...; usually a GPU where there is one."
    )
    @click.option(
        "--worst", type=click.IntRange(0), default=10, help="How many confused classes are listed."
    )
    @click.option("--format", "form", type=click.Choice(("table", "json")), default="table")
    def evaluate_command(path: str, **asked: Any) -> options.Run:
        """Top-1 and top-5 error of a run, by one crop and by ten, and the classes it confuses."""
        return o.with_extra("train", partial(run, path, **asked))

    return evaluate_command
