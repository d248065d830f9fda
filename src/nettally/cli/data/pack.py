"""``nettally data pack``: images into shards that training reads."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError
from ...files import plain_only
from ...rendering.escape import escape
from ..output import prose, refuse_stdout, show
from ..process import TALLIES
from ..progress import RateBar, time_text
from .summary import left_out, splits_table

if TYPE_CHECKING:
    import click

    from ...data.packing.pack import Progress, Report
    from ..options import Run

MAX_NAMES = 16 * 2**20
"""The largest file of classes' names, in bytes."""


def run(
    source: str,
    out: str,
    *,
    side: int = 256,
    resample: str = "area",
    grey: bool = False,
    upright: bool = False,
    order: str = "shuffled",
    held_out: float = 0.0,
    mirror: bool | None = None,
    name: str = "",
    classes: str | None = None,
    devkit: str | None = None,
    workers: int = 0,
    again: bool = False,
) -> int:
    """Pack, with a progress bar, and say what came of it. 0, also where images are broken."""
    from ...data.packing.find import find
    from ...data.packing.image import Square
    from ...data.packing.pack import Options, pack
    from ...data.packing.source import Photos

    refuse_stdout(out, "packed data", "nettally data pack DIR OUT")
    names = _class_names(classes) if classes else ()
    images = find(source, name=name, classes=names, devkit=devkit)
    options = Options(Square(side, resample, grey, upright), order, held_out, mirror, name)
    with RateBar("packing", "images") as bar:
        try:
            report = pack(
                images,
                out,
                options,
                workers=workers,
                again=again,
                progress=lambda now: bar.show(now.done, now.total, _broken_so_far(now)),
            )
        except KeyboardInterrupt:
            bar.close()
            sys.stderr.write("stopped; the same command goes on after the last whole shard\n")
            raise
    lines = [*prose(_outcome(report, out)), "", splits_table(report.manifest)]
    lines += left_out(report.manifest, out)
    if isinstance(images, Photos) and images.skipped:
        each = ", ".join(
            f"{count:,} {escape(end)}" for end, count in sorted(images.skipped.items())
        )
        total = sum(images.skipped.values())
        text = f"{total:,} other file{'s were' if total != 1 else ' was'} skipped: {each}"
        lines += ["", *prose(text)]
    lines += prose(*(f"note: {escape(note)}" for note in images.notes))
    show("\n".join(lines) + "\n")
    return TALLIES


def _class_names(path: str) -> tuple[str, ...]:
    """The names in a file, one a line. Raises NettallyError."""
    try:
        with open(path, encoding="utf-8", opener=plain_only) as file:
            if os.fstat(file.fileno()).st_size > MAX_NAMES:
                raise NettallyError("the file of names is too long", where=path)
            names = tuple(line.strip() for line in file.read().splitlines() if line.strip())
    except OSError as error:
        raise NettallyError(f"can't open the file: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise NettallyError("the file of names is no UTF-8", where=path) from None
    long = next((each for each in names if len(each) > 1000), None)
    if long is not None or not names:
        raise NettallyError(
            "the file has no names of classes",
            where=path,
            values=f"{long[:40]}…" if long else "it is empty",
            hint="one name a line, in the order of the labels",
        )
    return names


def _broken_so_far(now: Progress) -> str:
    return f"{now.broken:,} broken" if now.broken else ""


def _outcome(report: Report, out: str) -> str:
    """One line: what was done."""
    from ...data.packing.place import size_text

    manifest = report.manifest
    images = sum(part.images for part in manifest.splits.values())
    size = size_text(sum(each.size for each in manifest.files()))
    there = f"{images:,} image{'s' * (images != 1)}, {size}, in {escape(out)}"
    if report.already:
        return f"already packed: {there}"
    done = report.packed + report.broken
    rate = f"{done / max(report.seconds, 1e-3):,.0f} images/s"
    message = f"packed: {there}; {time_text(report.seconds)}, {rate}"
    if report.resumed:
        message += f"; {report.resumed:,} were there from before"
    return message


# Long, since each option is declared in it.
def command() -> click.Command:
    """The command and its options."""
    import click

    from .. import options as o

    @click.command(
        "pack",
        short_help="Pack images into shards.",
        epilog=o.examples(
            "nettally data pack imagenet/ packed/",
            "nettally data pack photographs/ packed/ --hold-out 0.1",
            "nettally data pack fashion-mnist/ fashion/",
            "nettally data pack cifar-10-python.tar.gz cifar/",
        ),
    )
    @click.argument("source", metavar="DIR", type=click.Path())
    @click.argument("out", metavar="OUT", type=click.Path())
    @click.option(
        "--side",
        type=click.IntRange(1, 4096),
        default=256,
        help="The side of the square that is cut out of a photograph (usually 256).",
    )
    @click.option(
        "--resample",
        type=click.Choice(("area", "bilinear", "bicubic", "lanczos", "nearest")),
        default="area",
        help="How photographs are rescaled; usually area, as cuda-convnet2 did.",
    )
    @click.option("--grey", is_flag=True, help="One channel instead of three.")
    @click.option("--upright", is_flag=True, help="Turn photographs as their EXIF data say.")
    @click.option(
        "--hold-out",
        "held_out",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        metavar="PART",
        help="Hold out that part of the images for validation, told by their names.",
    )
    @click.option(
        "--order",
        type=click.Choice(("shuffled", "given")),
        default="shuffled",
        help="Of the photographs to learn from; given reads tars from front to back.",
    )
    @click.option(
        "--mirror/--no-mirror",
        default=None,
        help="Whether a mirrored image is of the same class; usually of photographs, not of "
        "digits.",
    )
    @click.option("--name", default="", metavar="NAME", help="What the data is called.")
    @click.option(
        "--classes", metavar="FILE", type=click.Path(), help="The classes' names, one a line."
    )
    @click.option(
        "--devkit",
        metavar="FILE",
        type=click.Path(),
        help="ILSVRC2012_devkit_t12.tar.gz, where it does not lie beside the tars.",
    )
    @click.option(
        "--workers", type=click.IntRange(1), default=None, help="Processes; usually one a core."
    )
    @click.option("--again", is_flag=True, help="Replace what was packed into OUT before.")
    def pack_command(source: str, out: str, workers: int | None, **options: Any) -> Run:
        """Pack images of DIR into the folder OUT, in parallel; it can be stopped and taken up.

        DIR is a folder of train/CLASS/x.jpg and val/CLASS/x.jpg, or of CLASS/x.jpg; tars of such
        folders, WebDataset's or ILSVRC's; a folder of idx files (MNIST) or of CIFAR's batches.
        Images that cannot be read are listed and left out.
        """
        return o.with_extra("train", partial(run, source, out, workers=workers or 0, **options))

    return pack_command
