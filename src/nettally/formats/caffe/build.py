"""From Caffe's message of a net to a network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ReadError
from ...network import Network, Span
from . import recurrent, regions, reshaping, values, windows
from .builder import HANDLERS, Builder, Dropped, Pending
from .data import declared, settle
from .data import source as data_source
from .fork_fields import odd
from .groups import grouped
from .net import PHASES, Spec, State, included, specs, stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..encodings.protobuf_tree import Message
    from ..source import Source

FAMILIES = (recurrent, regions, values, reshaping, windows)
"""Imported for the handlers that they register."""

TRAINING = frozenset(
    (
        "Silence",
        "HDF5Output",
        "LMDBOutput",
        "DetectionEvaluate",
        "EvalDetection",
        "BoxAnnotatorOHEM",
        "SegmentationEvaluate",
        "Yolov3",
        "YoloSeg",
    )
)
"""Layers that only training or its bookkeeping has, beside those of losses and accuracies."""


def network(root: Message, source: Source, *, snapshot: bool = False) -> Network:
    """The network of a parsed file. Raises ReadError.

    snapshot: it is of a trained net, so that the layers are those of one state already.
    """
    net, state, notes = _net(root, source)
    all_ = specs(net)
    if not all_:
        raise ReadError(
            "the file has no layers",
            where=source.name,
            values=", ".join(dict.fromkeys(field.name for field in net.fields))[:200]
            or "it is empty",
            hint="a net has fields 'layer { ... }'",
        )
    kept = all_ if snapshot else [spec for spec in all_ if included(spec, state)]
    b = Builder(all_, state, source.inputs)
    b.notes += notes
    if "layer" in net and "layers" in net:
        b.note(
            "the file mixes 'layer' and 'layers', of which Caffe itself would read only 'layers'"
        )
    b.batch_kept = any(map(_needs_batch, kept))
    b.read = {bottom for spec in kept if not is_training(spec) for bottom in spec.bottoms}
    b.regions = {spec.bottoms[1] for spec in kept if "ROI" in spec.type and len(spec.bottoms) > 1}
    b.seen = _channels(kept)
    _name_the_size(b, net, kept)
    if snapshot:
        _let_in(b, kept)
    declared(b, net)
    for spec in kept:
        _layer(b, spec)
    if snapshot and b.missing:
        raise Unsized(", ".join(pending.why for pending in b.missing.values()))
    settle(b, source.name)
    odd(b, net, kept)
    _add_notes(b, all_, kept)
    name = net.text("name") or os.path.splitext(os.path.basename(source.name))[0]
    if not b.nodes:
        raise ReadError(
            f"no layer is left in {state}",
            where=source.name,
            values=f"{len(all_)} layers in the file, {len(kept)} of them in this state",
            hint="--phase train" if state.phase == "TEST" else "--phase test",
        )
    return Network(
        name or "network",
        b.inputs,
        grouped(b.nodes, [b.stems[node.name] for node in b.nodes]),
        source=Span(source.name, 0),
        notes=tuple(b.notes),
    )


def _let_in(b: Builder, kept: Sequence[Spec]) -> None:
    """Let the blobs that no layer of a trained net makes be inputs: its snapshot has none."""
    tops: set[str] = set()
    for spec in kept:
        for bottom in spec.bottoms:
            if bottom not in tops and bottom not in b.input_sizes and not is_training(spec):
                b.blobs[bottom] = Pending(None, None, f"'{bottom[:60]}' is an input")
        tops.update(spec.tops)


class Unsized(Exception):
    """The size of an input is not in a trained net."""


def _channels(kept: Sequence[Spec]) -> dict[str, int]:
    """For each blob that a stored convolution reads, how many channels it must have."""
    channels: dict[str, int] = {}
    alias: dict[str, str] = {}
    for spec in kept:
        if spec.type == "Split" and spec.bottoms:
            alias.update(dict.fromkeys(spec.tops, spec.bottoms[0]))
        if spec.type == "Convolution" and spec.stored and len(spec.stored[0]) == 4:
            group = spec.sub("convolution_param").integer("group", 1)
            for bottom in spec.bottoms:
                name = alias.get(bottom, bottom)
                channels.setdefault(name, min(spec.stored[0][1] * max(group, 1), 2**31 - 1) or 3)
    return channels


def _net(root: Message, source: Source) -> tuple[Message, State, list[str]]:
    """The net in a file, which may be a solver with a net in it; and its state."""
    notes: list[str] = []
    phase = source.options.get("phase", "test").upper()
    if phase not in PHASES:
        raise ReadError(
            f"there is no phase '{phase.lower()[:40]}'", hint="--phase test, or --phase train"
        )
    wanted = frozenset(word for word in source.options.get("stage", "").split(",") if word)
    net, state = root, None
    if "layer" not in root and "layers" not in root:
        kinds = (
            ("train_net_param", "net_param")
            if phase == "TRAIN"
            else ("test_net_param", "net_param")
        )
        inner = [message for kind in kinds for message in root.messages(kind)]
        if inner:
            net = inner[0]
            states = root.messages("train_state" if phase == "TRAIN" else "test_state")
            state = states[0] if states else None
            notes.append(f"the file is a solver; read is its {net.name} at line {net.line}")
            if len(states) > 1:
                notes.append(f"the solver has {len(states)} test states; read is the first")
        elif any(name in root for name in ("net", "train_net", "test_net", "base_lr", "lr_policy")):
            names = [root.text(name) for name in ("net", "train_net") if name in root]
            names += root.texts("test_net")
            raise ReadError(
                "this is a solver: it says how a net is trained, and describes none",
                where=source.name,
                values=f"its net is in {', '.join(names)[:300]}" if names else "it names no net",
                hint=f"nettally tally {names[0][:200]}" if names else "",
            )
    file_state = state or net.message("state")
    level = 0
    if file_state is not None:
        level = file_state.integer("level", 0)
        if not wanted:
            wanted = frozenset(file_state.texts("stage"))
            if wanted:
                notes.append(f"the file's own stage is taken: {', '.join(sorted(wanted))}")
        if "phase" in file_state and "phase" not in source.options:
            phase = file_state.word("phase", PHASES, phase)
            if phase != "TEST":
                notes.append(f"the file's own phase is taken: {phase}")
    return net, State(phase, level, wanted), notes


def _needs_batch(spec: Spec) -> bool:
    """Whether a layer treats a batch's examples differently, so that it can't be read for one."""
    if "LSTM" in spec.type.upper() or spec.type in ("RNN", "Recurrent", "BatchReindex"):
        return True
    if spec.type == "Reshape":
        shape = spec.sub("reshape_param").message("shape")
        dims = [] if shape is None else shape.integers("dim")
        return bool(dims) and dims[0] > 1 and spec.sub("reshape_param").integer("axis", 0) == 0
    if spec.type in ("Slice", "Concat", "Tile"):
        settings = spec.sub(f"{spec.type.lower()}_param")
        return settings.integer("axis", settings.integer(f"{spec.type.lower()}_dim", 1)) == 0
    return False


def _name_the_size(b: Builder, net: Message, kept: Sequence[Spec]) -> None:
    """Give a size without a name to the only input, or to the first that the layers read."""
    if "" not in b.input_sizes:
        return
    tops = {top for spec in kept if spec.bottoms for top in spec.tops}
    sources = [*net.texts("input"), *(top for s in kept if not s.bottoms for top in s.tops)]
    names = [name for name in dict.fromkeys(sources) if name in b.read]
    names = names or [
        name
        for name in dict.fromkeys(bottom for s in kept for bottom in s.bottoms)
        if name not in tops
    ]
    if names:
        b.input_sizes.setdefault(names[0], b.input_sizes.pop(""))


def _layer(b: Builder, spec: Spec) -> None:
    """One layer's nodes."""
    if not spec.bottoms:
        if spec.type in HANDLERS and spec.type not in ("Python",):
            raise spec.error(f"a layer of type {spec.type} needs a bottom", hint='bottom: "data"')
        if spec.type == "Parameter":
            b.finish(spec, _no_parameters(spec))
        data_source(b, spec)
        return
    lost = [bottom for bottom in spec.bottoms if isinstance(b.blobs.get(bottom), Dropped)]
    if is_training(spec) or lost:
        b.count("training", spec.type)
        for top in spec.tops:
            b.blobs[top] = Dropped(spec)
        return
    entry = HANDLERS.get(spec.type)
    if entry is None:
        _opaque(b, spec)
        return
    handler, least, most = entry
    if not least <= len(spec.bottoms) <= most:
        wanted = (
            f"{least}"
            if least == most
            else f"{least} to {most}"
            if most < 99
            else f"{least} or more"
        )
        raise spec.error(
            f"a layer of type {spec.type} has {wanted} bottom{'s' * (wanted != '1')}",
            values=f"{len(spec.bottoms)} given: {', '.join(spec.bottoms)[:200]}",
        )
    handler(b, spec)


def _no_parameters(spec: Spec) -> str:
    raise spec.error("a layer of type Parameter is not read: it feeds weights to another layer")


def is_training(spec: Spec) -> bool:
    """Whether a layer is a loss or measures something: by its type, or since it has a weight."""
    kind = spec.type
    if kind not in HANDLERS and any(spec.body.reals("loss_weight")):
        return True
    return kind in TRAINING or "Loss" in kind or "Accuracy" in kind


def _opaque(b: Builder, spec: Spec) -> None:
    """A layer that is not known; its shape, where it is given or the layer works in place."""
    kind = spec.type
    python = spec.body.message("python_param")
    if python is not None:
        kind = f"Python {python.text('layer') or python.text('module')}"
        if "Proposal" in python.text("layer") and spec.tops[:1]:
            regions.regions(b, spec)
            return
    inputs = b.inputs_of(spec)
    for index, top in enumerate(spec.tops or [spec.name]):
        size = b.input_sizes.get(top)
        b.used.update({top} & b.input_sizes.keys())
        shape = b.shape(inputs[0])
        if size is None and top in spec.bottoms and shape is not None:
            size = shape[1:]
        if size is None and top in b.regions:
            size = (5,)  # one region: its image and its corners
        suffix = "" if index == 0 else f".{top}"
        if index and top not in b.read:
            continue
        b.blobs[top] = b.unknown(spec, inputs, suffix, size, kind)


MOST_NAMED = 30
"""How many kinds of layers a note names."""

_SENTENCES = {
    "training": "training's, not counted",
    "opaque": "not understood, so that parameters and work are not known",
}


def _add_notes(b: Builder, all_: Sequence[Spec], kept: Sequence[Spec]) -> None:
    """What is not in the network, or was taken otherwise, in sentences."""
    if b.file_batch[0] > 1:
        sizes = "x".join(map(str, b.file_batch))
        b.note(f"the file's batch of {b.file_batch[0]} is read as 1; --input {sizes} asks for it")
    if b.batch_kept and any(shape[0] > 1 for shape in b.inputs.values()):
        b.note("the file's batch is kept, since a layer's shape depends on it")
    left = len(all_) - len(kept)
    if left:
        names = stages(all_)
        b.note(
            f"{left} layer{'s' * (left > 1)} of other phases or stages left out ({b.state})"
            + (f"; the file knows the stages {', '.join(names)[:200]}" if names else "")
        )
    counts = b.kinds
    for kind, sentence in _SENTENCES.items():
        kinds = counts.get(kind, {})
        if kinds:
            named = [f"{k} ({n} times)" if n > 1 else k for k, n in kinds.items()][:MOST_NAMED]
            if len(kinds) > MOST_NAMED:
                named.append(f"{len(kinds) - MOST_NAMED} more kinds")
            b.notes.append(f"{sentence}: {', '.join(named)}")
    twice = counts.get("twice", {})
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        b.notes.append(
            f"names that more than one layer has: {', '.join(list(twice)[:5])[:200]}{more}"
        )
