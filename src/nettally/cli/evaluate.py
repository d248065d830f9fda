"""``nettally evaluate RUN``: how often it errs, and what it confuses."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError, closest
from ..rendering.escape import escape
from ..rendering.tables.terminal import grid
from . import commands

if TYPE_CHECKING:
    from ..data.packed import Packed, Split
    from ..training.evaluate import Scores
    from ..training.run import Run


def run_evaluation(
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
    run = open_run(path)
    packed = open_packed(data or run.data)
    check_classes(run, packed)
    chosen = split_of(packed, split)
    target = device_of(device)
    module = run.module(which, scores=True).to(target)
    wanted = [int(views)] if views else ([1] if run.recipe.views == 1 else [1, run.recipe.views])
    found: list[Scores] = []
    for place, each in enumerate(wanted):
        seen = _Seen(f"{each} crop{'s' * (each > 1)}")
        found.append(
            evaluate(
                module,
                chosen,
                run.size,
                run.scaling,
                views=each,
                batch=batch,
                device=target,
                confusion=place == len(wanted) - 1,
                seen=seen,
            )
        )
        seen.close()
    if form == "json":
        sys.stdout.write(_as_json(run, chosen, found, worst) + "\n")
    else:
        commands._print(_table(run, packed, chosen, found, worst) + "\n")
    return commands.TALLIES


def check_classes(run: Run, packed: Packed) -> None:
    """Raise NettallyError where the data has other classes than the run."""
    if packed.classes != run.classes:
        raise NettallyError(
            "the data has other classes than the run was trained on",
            where=packed.path or packed.name,
            values=f"{len(packed.classes)} there, {len(run.classes)} in the run",
            hint=f"the run was trained on {run.data}",
        )


def split_of(packed: Packed, name: str | None) -> Split:
    """The split of a name; without one what was held out. Raises NettallyError."""
    if name is None:
        if packed.held_out is None:
            raise NettallyError(
                "nothing was held out of this data",
                where=packed.path or packed.name,
                hint="--split train, or pack it again with --hold-out 0.1",
            )
        return packed.held_out
    if name not in packed.splits:
        raise NettallyError(
            f"the data has no split '{name}'", where=packed.path, hint=closest(name, packed.splits)
        )
    return packed.splits[name]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _table(run: Run, packed: Packed, split: Split, found: list[Scores], worst: int) -> str:
    here = commands._here()
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
        for each in found
    ]
    made = [here.style(title, "bold"), ""]
    made.append(
        grid(["", "top-1 error", "top-5 error", "loss"], [False, True, True, True], rows, here)
    )
    confused = [each for each in found[-1].worst(run.classes, worst) if each.right < each.images]
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
        made += ["", here.style("the classes with most errors", "bold"), ""]
        made.append(
            grid(["class", "error", "wrong", "taken for"], [False, True, True, False], rows, here)
        )
    return "\n".join(made)


def _as_json(run: Run, split: Split, found: list[Scores], worst: int) -> str:
    told: dict[str, Any] = {
        "network": run.network.name,
        "split": split.name,
        "images": len(split),
        "scores": [
            {"views": each.views, "top1": each.top1, "top5": each.top5, "loss": each.loss}
            for each in found
        ],
        "worst": [
            {
                "class": each.name,
                "images": each.images,
                "right": each.right,
                "taken_for": dict(each.taken_for),
            }
            for each in found[-1].worst(run.classes, worst)
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False)


class _Seen:
    """A bar on stderr where that is a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
