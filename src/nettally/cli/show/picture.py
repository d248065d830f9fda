"""What the commands of ``nettally show`` share: the data that they look at, the picture written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...rendering import pictures
from ...rendering.escape import escape
from ..output import STDOUT, destination, tell
from ..process import TALLIES
from ..split import check_classes, split_of

if TYPE_CHECKING:
    from ...data.packed import Packed, Split
    from ...training.run import Run
    from ...viewing.pictures import Picture


def split_of_run(run: Run, data: str | None, split: str | None) -> tuple[Packed, Split]:
    """The data that a run is looked at with, and a split of it. Raises NettallyError."""
    from ...data.packed import open_packed

    packed = open_packed(data or run.data)
    check_classes(run, packed)
    return packed, split_of(packed, split)


def check_ending(output: str) -> None:
    """Raise NettallyError where a picture can't be written under that name."""
    if output != STDOUT:
        pictures.ending(output)


def saved(picture: Picture, output: str, theme: str) -> int:
    """Write the picture and say so; the exit code."""
    with destination(output, "a picture", ".svg") as path:
        pictures.save(picture, path, theme)
    message = f"{escape(os.path.basename(output))}: {escape(picture.title)}, "
    tell(output, f"{message}{picture.width} x {picture.height} pixels")
    return TALLIES
