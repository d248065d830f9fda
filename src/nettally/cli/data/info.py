"""``nettally data info``: what a packed folder holds."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ...rendering.escape import escape
from ...rendering.tables.terminal import grid
from ...rendering.terminal import wrap
from ..output import here, prose, show
from ..process import TALLIES
from .summary import left_out, splits_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from ..options import Run


def run(path: str, *, broken: bool = False) -> int:
    """Print what a packed folder holds; ``broken``: every image that was left out, one a line."""
    if path == "digits" and not os.path.isdir(path):
        return _digits()
    from ...data.packing.manifest import read_manifest

    manifest = read_manifest(path)
    if broken:
        lines = [f"{escape(name)}: {escape(why)}" for name, why in manifest.broken]
        show("".join(f"{line}\n" for line in lines))
        return TALLIES
    size = f"{manifest.height}x{manifest.width}x{manifest.channels}"
    lines = [*_title(manifest.name, size, manifest.classes), "", splits_table(manifest), ""]
    deviation = [max(manifest.covariance[i][i], 0.0) ** 0.5 for i in range(manifest.channels)]
    lines += _pixels(manifest.rgb_mean, deviation, manifest.mirror, manifest.identity)
    packed = manifest.packed
    if "side" in packed:
        turned = ", turned as EXIF says" * bool(packed.get("upright"))
        how = (
            f"shorter side to {packed['side']} ({packed.get('resample')}), the middle of it{turned}"
        )
        lines += _line("packed", f"{escape(how)}; {escape(packed.get('order'))} order")
    lines += left_out(manifest, path)
    show("\n".join(lines) + "\n")
    return TALLIES


def _digits() -> int:
    """The same of scikit-learn's digits, which lie in no folder."""
    from ...data.packed import open_packed

    data = open_packed("digits")
    rows: list[list[str]] = []
    for name, split in data.splits.items():
        counts = split.labels.bincount().tolist()
        rows.append([name, f"{len(split):,}", f"{min(counts):,} to {max(counts):,}"])
    size = f"{data.height}x{data.width}x{data.channels}"
    head = ["split", "images", "a class has"]
    lines = [*_title(data.name, size, data.classes), ""]
    lines += [grid(head, [False, True, True], rows, here()), ""]
    deviation = data.covariance.diagonal().sqrt().tolist()
    lines += _pixels(data.rgb_mean.tolist(), deviation, data.mirror, data.identity)
    show("\n".join(lines) + "\n")
    return TALLIES


def _title(name: str, size: str, classes: Sequence[str]) -> list[str]:
    some = ", ".join(escape(each[:30]) for each in classes[:3]) + ", …" * (len(classes) > 3)
    title = f"{escape(name)}: {size}, {len(classes):,} class{'es' * (len(classes) != 1)} ({some})"
    return [here().style(line, "bold") for line in prose(title)]


def _pixels(
    mean: Sequence[float], deviation: Sequence[float], mirror: bool, identity: str
) -> list[str]:
    """What is known of the pixels to learn from, in 0..255."""
    return [
        *_line("mean of a pixel", _numbers(mean)),
        *_line("its deviation", _numbers(deviation)),
        *_line("mirrored images", "as good as any" if mirror else "are not used"),
        *_line("identity", identity),
    ]


def _numbers(numbers: Sequence[float]) -> str:
    return "  ".join(f"{each:.2f}" for each in numbers)


def _line(name: str, value: str) -> list[str]:
    """A fact, over several lines where the terminal is narrow."""
    width = 10_000 if here().wide else here().width
    return wrap(value, width, f"{name:<18}", " " * 18)


def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "info",
        short_help="What a packed folder holds.",
        epilog=o.examples("nettally data info packed/", "nettally data info packed/ --broken"),
    )
    @click.argument("path", metavar="OUT", type=click.Path())
    @click.option("--broken", is_flag=True, help="List every image that was left out, and why.")
    def info_command(path: str, **options: Any) -> Run:
        """Print what a packed folder holds: splits, classes, mean, what was left out."""
        return o.with_extra("train", partial(run, path, **options))

    return info_command
