"""The data that a run is tried on: a split of a packed folder, with the run's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NettallyError, closest

if TYPE_CHECKING:
    from ..data.packed import Packed, Split
    from ..training.run import Run


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
