"""``nettally features``: what a layer computes of images, as a file of numbers."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError
from ..rendering.escape import escape
from .output import STDOUT, destination, tell
from .process import TALLIES, UNUSABLE, complain
from .split import check_classes, split_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import click
    from torch import Tensor

    from ..data.packed import Split
    from .options import Run


def run(
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

    _check_options(images, output, labels, split)
    trained = open_run(path)
    layer = layer or last_hidden(trained.network)
    check_layer(trained, layer)
    left_out: list[str] = []

    def complain_of(path: str, why: str) -> None:
        complain(why, where=path)
        left_out.append(path)

    if images:
        source: Iterator[Tensor] | Split = file_batches(trained, images, complain_of)
        of = "image files"
    else:
        packed = open_packed(data or trained.data)
        check_classes(trained, packed)
        chosen = split_of(packed, split)
        source, of = chosen, f"{packed.name}, {chosen.name}"
        if labels is not None:
            with destination(labels, "a file of labels", ".npy") as file:
                save_labels(file, chosen)
    with destination(output, "a file of features", ".npy") as file:
        shape = save_features(
            file, feature_batches(trained, layer, source, which, device_of(device))
        )
    line = f"{escape(os.path.basename(output))}: {escape(layer)} of {escape(of)}, "
    line += f"float32 {' x '.join(f'{size:,}' for size in shape)}"
    if left_out:
        line += f"; {len(left_out)} left out"
    tell(STDOUT if labels == STDOUT else output, line)
    return UNUSABLE if left_out else TALLIES


def _check_options(
    images: Sequence[str], output: str, labels: str | None, split: str | None
) -> None:
    """Raise NettallyError for names that are not written, and for two sources at once."""
    for name in (output, labels):
        if name is not None and name != STDOUT and not name.lower().endswith(".npy"):
            raise NettallyError("features are written as .npy", where=name, hint="-o features.npy")
    if output == labels == STDOUT:
        raise NettallyError(
            "features and labels can't both go to standard output", hint="--labels labels.npy"
        )
    if images and (split or labels):
        raise NettallyError(
            "features are taken of image files, or of a split",
            values=f"{len(images)} files and {'--split' if split else '--labels'}",
            hint="leave out one of the two",
        )


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "features",
        short_help="What a layer computes of images, as .npy.",
        epilog=o.examples(
            "nettally features runs/alexnet --split test --layer fc7 -o fc7.npy",
            "nettally features runs/alexnet --split train -o x.npy --labels y.npy",
            "nettally features runs/alexnet a.jpg b.jpg --layer pool5 -o pool5.npy",
        ),
    )
    @click.argument("path", metavar="RUN", type=click.Path())
    @click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path())
    @click.option(
        "--layer",
        metavar="NAME",
        type=o.LAYER,
        help="Any layer; usually the last hidden one after its activation.",
    )
    @o.data_option
    @o.split_option
    @click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(),
        required=True,
        help="Where they go: a .npy file of float32, an image a row (- is stdout).",
    )
    @click.option(
        "--labels",
        metavar="FILE",
        type=click.Path(),
        help="Where the classes of a split's images go: a .npy file of int64.",
    )
    @o.device_option
    @o.which_option
    def features_command(path: str, images: tuple[str, ...], **options: Any) -> Run:
        """Write what a layer computes of image files, or of a split, in order, as a .npy file."""
        return o.with_extra("train", partial(run, path, images, **options))

    return features_command
