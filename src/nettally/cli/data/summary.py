"""What is said of packed data by several commands: its splits, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...rendering.escape import escape
from ...rendering.tables.terminal import grid
from ..output import here

if TYPE_CHECKING:
    from ...data.packing.manifest import Manifest

SHOWN = 5
"""How many broken images are named; all are with ``data info --broken``."""


def splits_table(manifest: Manifest) -> str:
    """The splits as a table: images, how many a class has, shards, bytes."""
    from ...data.packing.place import size_text
    from ...data.packing.verify import class_counts

    rows: list[list[str]] = []
    for name, part in manifest.splits.items():
        counts = class_counts(manifest, part)
        if counts is None:
            each = "labels that are no class"
        else:
            least, most = min(counts), max(counts)
            each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        size = sum(stored.size for stored in part.shards)
        rows.append([name, f"{part.images:,}", each, f"{len(part.shards):,}", size_text(size)])
    head = ["split", "images", "a class has", "shards", "size"]
    return grid(head, [False, True, True, True, True], rows, here())


def left_out(manifest: Manifest, folder: str) -> list[str]:
    """The images that are broken: the first few of them, and where all are listed."""
    count = len(manifest.broken)
    if not count:
        return []
    lines = ["", f"{count:,} image{'s are' if count != 1 else ' is'} broken and left out:"]
    lines += [f"  {escape(path)}: {escape(why)}" for path, why in manifest.broken[:SHOWN]]
    if count > SHOWN:
        lines.append(f"  all of them: nettally data info {escape(folder)} --broken")
    return lines
