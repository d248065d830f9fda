"""``nettally classify`` and ``nettally features``: a run on images."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from . import _complain, commands
from .evaluate import check_classes, split_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ..data.packed import Split
    from ..training.run import Run
    from ..viewing.classify import Answer

MOST_NAME = 44


def run_classify(
    path: str, images: Sequence[str], *, top: int, views: str, device: str, which: str, form: str
) -> int:
    """Print what a run takes image files for; 2 where one of them can't be read."""
    from ..training.run import device_of, open_run
    from ..viewing.classify import classify

    run = open_run(path)
    answers: list[Answer] = []
    for answer in classify(
        run, images, top=top, views=int(views), which=which, device=device_of(device)
    ):
        answers.append(answer)
        if answer.broken:
            _complain(answer.broken, where=answer.path)
        elif form == "table":
            commands._print(_table(answer, len(images) > 1))
    if form == "json":
        sys.stdout.write(_as_json(run, answers, int(views)) + "\n")
    return commands.TALLIES if not any(each.broken for each in answers) else _unusable()


def _unusable() -> int:
    from . import UNUSABLE

    return UNUSABLE


def _table(answer: Answer, many: bool) -> str:
    here = commands._here()
    rows = [[_cut(escape(guess.name)), _percent(guess.chance)] for guess in answer.guesses]
    head = here.style(escape(answer.path), "bold")
    made = grid(["class", "likely"], [False, True], rows, here)
    return f"{head}\n\n{made}\n" + ("\n" if many else "")


def _cut(name: str) -> str:
    return name if len(name) <= MOST_NAME else name[: MOST_NAME - 1] + "…"


def _percent(chance: float) -> str:
    return f"{100 * chance:.2f} %"


def _as_json(run: Run, answers: Sequence[Answer], views: int) -> str:
    told: dict[str, Any] = {
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
    return json.dumps(told, indent=1, ensure_ascii=True)


# --- features -------------------------------------------------------------------------------------


def run_features(
    path: str,
    images: Sequence[str],
    *,
    layer: str | None,
    data: str | None,
    split: str | None,
    output: str,
    labels: str | None,
    device: str,
    which: str,
) -> int:
    """Write a layer's values; 2 where an image file can't be read, and is left out."""
    from ..data.packed import open_packed
    from ..training.run import device_of, open_run
    from ..viewing.classify import (
        check_layer,
        feature_batches,
        file_batches,
        save_features,
        save_labels,
    )
    from ..viewing.show import last_hidden

    for name in (output, labels):
        if name is not None and not name.lower().endswith(".npy"):
            raise NettallyError("features are written as .npy", where=name, hint="-o features.npy")
    if images and (split or labels):
        raise NettallyError(
            "features are taken of image files, or of a split",
            values=f"{len(images)} files and {'--split' if split else '--labels'}",
            hint="leave out one of the two",
        )
    run = open_run(path)
    layer = layer or last_hidden(run.network)
    check_layer(run, layer)
    left_out: list[str] = []

    def said(path: str, why: str) -> None:
        _complain(why, where=path)
        left_out.append(path)

    if images:
        source: Iterator[Tensor] | Split = file_batches(run, images, said)
        of = "image files"
    else:
        packed = open_packed(data or run.data)
        check_classes(run, packed)
        chosen = split_of(packed, split)
        source, of = chosen, f"{packed.name}, {chosen.name}"
        if labels is not None:
            save_labels(labels, chosen)
    shape = save_features(output, feature_batches(run, layer, source, which, device_of(device)))
    line = f"{escape(os.path.basename(output))}: {escape(layer)} of {escape(of)}, "
    line += f"float32 {' x '.join(f'{size:,}' for size in shape)}"
    if left_out:
        line += f"; {len(left_out)} left out"
    commands._print(line + "\n")
    return _unusable() if left_out else commands.TALLIES
