"""Which of a net's layers only training has: losses, what measures, and what only they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..encodings.protobuf_tree import Message
from .builder import HANDLERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .net import Spec

WRITERS = frozenset(("HDF5Output", "LMDBOutput"))
"""Layers that keep what a network puts out: it is asked for, though nothing is counted of them."""

BOOKKEEPING = WRITERS | frozenset(
    (
        *("Silence", "DetectionEvaluate", "EvalDetection", "SegmentationEvaluate"),
        *("BoxAnnotatorOHEM", "Yolov3", "YoloSeg"),
    )
)
"""Layers that only training or its bookkeeping has, beside those of losses and accuracies."""

LEARNED = frozenset(("Scale", "Bias", "PReLU", "BatchNorm", "BN", "Normalize"))
"""Layers that may learn though neither a ``num_output`` nor a filler says so."""


class Roles(NamedTuple):
    """The layers of the network, sources of data among them, and those of training alone.

    free: the blobs that the network's layers read, and none of them makes before.
    """

    network: list[Spec]
    training: list[Spec]
    free: list[str]


def roles(kept: Sequence[Spec]) -> Roles:
    """Part the layers of a state; each one's ``read`` becomes those of its tops that are read.

    Training's are losses and what measures, what reads these, and what only these read: layers
    that are not known (of Python, of forks) and learn nothing, and those that cut or scale labels,
    i.e. see nothing that the network sees or makes. Linear in bottoms and tops.
    """
    only = _read_by_losses(kept)
    seen = {
        blob for spec, each in zip(kept, only, strict=True) if not each for blob in spec.bottoms
    }
    learned = any(map(learns, kept))
    network: list[Spec] = []
    training: list[Spec] = []
    lost: set[str] = set()  # blobs of training
    for spec, for_losses in zip(kept, only, strict=True):
        labels = learned and seen.isdisjoint(spec.bottoms)
        if spec.bottoms and (
            is_training(spec)
            or not lost.isdisjoint(spec.bottoms)
            or (for_losses and (spec.type not in HANDLERS or labels))
        ):
            training.append(spec)
            lost.update(spec.tops)
            continue
        network.append(spec)
        lost.difference_update(spec.tops)
        if spec.bottoms:
            seen.update(spec.tops)
    return Roles(network, training, _note_what_is_read(network))


def _read_by_losses(kept: Sequence[Spec]) -> list[bool]:
    """For each layer whether it learns nothing, and all that comes of it ends in losses."""
    only: list[bool] = []
    needed: set[str] = set()
    for_losses: set[str] = set()
    for spec in reversed(kept):
        tops = spec.tops
        loss = is_training(spec) and spec.type not in WRITERS
        ends = loss or (
            needed.isdisjoint(tops)
            and (not for_losses.isdisjoint(tops) or (not tops and spec.type not in WRITERS))
            and not learns(spec)
        )
        needed.difference_update(tops)
        for_losses.difference_update(tops)
        (for_losses if ends else needed).update(spec.bottoms)
        only.append(ends)
    only.reverse()
    return only


def _note_what_is_read(network: Sequence[Spec]) -> list[str]:
    """Set each layer's ``read``; the blobs that are read and not made."""
    read: set[str] = set()
    for spec in reversed(network):
        spec.read = read.intersection(spec.tops)
        read.difference_update(spec.tops)
        read.update(spec.bottoms)
    bottoms = dict.fromkeys(bottom for spec in network for bottom in spec.bottoms)
    return [bottom for bottom in bottoms if bottom in read]


def is_training(spec: Spec) -> bool:
    """Whether a layer is a loss or measures something: by its name, or since it has a weight."""
    kind = spec.kind
    if kind not in HANDLERS and any(spec.body.reals("loss_weight")):
        return True
    return kind in BOOKKEEPING or "Loss" in kind or "Accuracy" in kind


def learns(spec: Spec) -> bool:
    """Whether a layer may have weights: by what is stored of it, its settings, or its type."""
    if spec.stored or spec.params or spec.type in LEARNED or "blobs_lr" in spec.body:
        return True
    settings = [field.value for field in spec.body.fields if isinstance(field.value, Message)]
    return any(
        field.name == "num_output" or field.name.endswith("filler")
        for message in settings
        for field in message.fields
    )
