"""``nettally classify``: image files, classified with a trained run."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from .output import here, show
from .process import TALLIES, UNUSABLE, complain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from ..training.run import Run
    from ..viewing.classify import Answer
    from . import options

MOST_NAME = 44


def run(
    path: str, images: Sequence[str], *, top: int, views: str, device: str, which: str, form: str
) -> int:
    """Print the likeliest classes of image files; 2 where one of them can't be read."""
    from ..training.run import device_of, open_run
    from ..viewing.classify import classify

    trained = open_run(path)
    answers: list[Answer] = []
    for answer in classify(
        trained, images, top=top, views=int(views), which=which, device=device_of(device)
    ):
        answers.append(answer)
        if answer.broken:
            complain(answer.broken, where=answer.path)
        elif form == "table":
            show(_table(answer, len(images) > 1))
    if form == "json":
        sys.stdout.write(_as_json(trained, answers, int(views)) + "\n")
    return TALLIES if not any(each.broken for each in answers) else UNUSABLE


def _table(answer: Answer, many: bool) -> str:
    terminal = here()
    rows = [[_cut(escape(guess.name)), _percent(guess.chance)] for guess in answer.guesses]
    head = terminal.style(escape(answer.path), "bold")
    table = grid(["class", "likely"], [False, True], rows, terminal)
    return f"{head}\n\n{table}\n" + ("\n" if many else "")


def _cut(name: str) -> str:
    return name if len(name) <= MOST_NAME else name[: MOST_NAME - 1] + "…"


def _percent(chance: float) -> str:
    return f"{100 * chance:.2f} %"


def _as_json(run: Run, answers: Sequence[Answer], views: int) -> str:
    answer: dict[str, Any] = {
        "network": run.network.name,
        "views": views,
        "images": [
            {"image": each.path, "error": each.broken}
            if each.broken
            else {
                "image": each.path,
                "classes": [
                    {"class": guess.name, "place": guess.place, "chance": guess.chance}
                    for guess in each.guesses
                ],
            }
            for each in answers
        ],
    }
    return json.dumps(answer, indent=1, ensure_ascii=True)


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "classify",
        short_help="Classify images with a trained run.",
        epilog=o.examples(
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
    @o.device_option
    @o.which_option
    @click.option("--format", "form", type=click.Choice(("table", "json")), default="table")
    def classify_command(path: str, images: tuple[str, ...], **asked: Any) -> options.Run:
        """Print the likeliest classes of image files.

        A file that can't be read is said, the others are classified, and the exit code is 2.
        """
        return o.with_extra("train", partial(run, path, images, **asked))

    return classify_command
