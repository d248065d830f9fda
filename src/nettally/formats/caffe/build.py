"""From Caffe's message of a net to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError
from ..graph_builder import MAX_WHICH
from . import recurrent, regions, reshaping, values, windows
from .builder import HANDLERS, MANY, CaffeBuilder
from .data import data_source, declared, give_size_to_first, put, settle
from .fork_fields import note_unknown_fields
from .groups import groups
from .net import PHASES, Net, State, included, specs, stages
from .training import roles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...network import Network
    from ..encodings.protobuf_tree import Message
    from ..source import Source
    from .builder import Pending
    from .net import Spec
    from .training import Roles

FAMILIES = (recurrent, regions, values, reshaping, windows)
"""Imported for the handlers that they register."""


class Unsized(Exception):
    """The size of an input is not in a trained net."""


def network(root: Message, source: Source, *, snapshot: bool = False) -> Network:
    """The network of a parsed file. Raises ReadError.

    snapshot: it is of a trained net, so that the layers are those of one state already.
    """
    net, notes = file_net(root, source)
    kept = net.layers if snapshot else [each for each in net.layers if included(each, net.state)]
    parts = roles(kept)
    b = _builder(net, source, parts, snapshot=snapshot)
    _check_sizes(b.waiting(parts.free) if snapshot else ())
    try:
        _append(b, parts.network)
    except ReadError as error:
        if not b.zoomed:
            raise
        other = _builder(net, source, parts, snapshot=snapshot, multiplies=True)
        _append_by_the_other_rule(other, parts.network, error, b.zoomed)
        b = other
    _check_sizes(list(b.missing.values()) if snapshot else ())
    settle(b)
    if not b.nodes:
        raise _nothing_left(net, kept)
    for note in notes:
        b.note(note)
    _add_notes(b, net, kept, parts)
    return b.network(name=net.message.text("name"))


def _check_sizes(unsized: Sequence[Pending]) -> None:
    if unsized:
        raise Unsized(", ".join(each.why for each in unsized[:MAX_WHICH]))


def _builder(
    net: Net, source: Source, parts: Roles, *, snapshot: bool, multiplies: bool = False
) -> CaffeBuilder:
    """A builder that knows the net's inputs, and no layer yet."""
    layers = [spec for spec in parts.network if spec.bottoms]
    names = groups([spec.name for spec in layers])
    b = CaffeBuilder(net, source.inputs, names, multiplies=multiplies)
    b.batch_kept = any(map(_needs_batch, layers))
    b.regions = {spec.bottoms[1] for spec in layers if "ROI" in spec.type and spec.bottoms[1:]}
    b.channels = _channels(layers)
    give_size_to_first(b, parts)
    if snapshot:  # it has no layers for its inputs
        for blob in parts.free:
            put(b, None, blob, None, f"'{blob[:60]}' is an input")
    declared(b)
    return b


def _append_by_the_other_rule(
    b: CaffeBuilder, layers: Sequence[Spec], error: ReadError, zoomed: Sequence[str]
) -> None:
    """Build the net as forks do whose Interp multiplies sizes, where it fits only so.

    error, zoomed: what DeepLab's rule ends with. Raises it where the net fits neither way.
    """
    try:
        _append(b, layers)
    except ReadError as second:
        if str(second) == str(error):
            raise error from None
        raise ReadError(
            error.what,
            where=error.where,
            values=f"{error.values}; Interp {zoomed[-1]} by DeepLab's rule, {b.zoomed[-1]} by "
            "other forks'",
            hint="a zoom_factor means other sizes in other forks: 'height' and 'width' say one",
        ) from None
    for zoom in b.zoomed:
        b.note(
            "Interp multiplies sizes by its factors, as some forks have it, since what follows "
            "does not fit DeepLab's rule",
            zoom,
        )


def _channels(layers: Sequence[Spec]) -> dict[str, int]:
    """For each blob that a stored convolution reads, how many channels it must have."""
    channels: dict[str, int] = {}
    alias: dict[str, str] = {}
    for spec in layers:
        if spec.type == "Split":
            alias.update(dict.fromkeys(spec.tops, spec.bottoms[0]))
        if spec.type == "Convolution" and spec.stored and len(spec.stored[0]) == 4:
            group = spec.sub("convolution_param").integer("group", 1)
            for bottom in spec.bottoms:
                name = alias.get(bottom, bottom)
                channels.setdefault(name, min(spec.stored[0][1] * max(group, 1), 2**31 - 1) or 3)
    return channels


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


def _append(b: CaffeBuilder, layers: Sequence[Spec]) -> None:
    """Append each layer's nodes."""
    for spec in layers:
        handler, least, most, sized = HANDLERS.get(spec.type, (_opaque, 1, MANY, False))
        if not spec.bottoms:
            if spec.type in HANDLERS:
                raise spec.error(
                    f"a layer of type {spec.type} needs a bottom", hint='bottom: "data"'
                )
            data_source(b, spec)
            continue
        if not least <= len(spec.bottoms) <= most:
            wanted = f"{least}" + (
                f" to {most}" * (least < most < MANY) or " or more" * (most == MANY)
            )
            raise spec.error(
                f"a layer of type {spec.type} has {wanted} bottom{'s' * (wanted != '1')}",
                values=f"{len(spec.bottoms)} given: {', '.join(spec.bottoms)[:200]}",
            )
        if (sized or spec.stored) and spec.type in HANDLERS and b.shape(b.get(spec, 0)) is None:
            b.finish(spec, b.opaque(spec, b.inputs_of(spec)))
        else:
            b.finish(spec, handler(b, spec))


def _opaque(b: CaffeBuilder, spec: Spec) -> str:
    """A layer that is not known; its shape, where it is given or the layer works in place."""
    if spec.kind.startswith("Python") and "Proposal" in spec.kind and spec.tops:
        return regions.regions(b, spec)
    inputs = b.inputs_of(spec)
    shape = b.shape(inputs[0])
    for index, top in enumerate(spec.tops or [spec.name]):
        if index and top not in spec.read:
            continue
        size = b.input_sizes.get(top)
        b.used.update({top} & b.input_sizes.keys())
        if size is None and top in spec.bottoms and shape is not None:
            size = shape[1:]
        if size is None and top in b.regions:
            size = (5,)  # one region: its image and its corners
        suffix = f".{top}" if index else ""
        b.blobs[top] = b.opaque(spec, inputs, suffix, spec.kind, size=size)
    return ""


def _nothing_left(net: Net, kept: Sequence[Spec]) -> ReadError:
    """Why no layer is left, and the phase or stage that has some."""
    other = net.state.other
    there = roles([spec for spec in net.layers if included(spec, other)]).network
    elsewhere = any(spec.bottoms for spec in there)
    kinds = dict.fromkeys(f"{spec.label} ({spec.kind})" for spec in kept[:MAX_WHICH])
    names = [name for name in stages(net.layers) if name not in net.state.stages]
    return ReadError(
        f"no layer is left in {net.state}" + ("" if elsewhere else ", nor in the other phase"),
        where=net.message.document.name,
        values=f"{len(net.layers)} layers in the file, {len(kept)} of them in this state"
        + (f", which load data or train: {', '.join(kinds)}" if kept else ""),
        hint=f"--phase {other.phase.lower()}" if elsewhere
        else f"--stage {names[0]}" if names
        else "",
    )  # fmt: skip


def _add_notes(b: CaffeBuilder, net: Net, kept: Sequence[Spec], parts: Roles) -> None:
    """What is not in the network, or was taken otherwise, in sentences."""
    if "layer" in net.message and "layers" in net.message:
        b.note(
            "the file mixes 'layer' and 'layers', of which Caffe itself would read only 'layers'"
        )
    if b.batch_kept and any(shape[0] > 1 for shape in b.inputs.values()):
        b.note("the file's batch is kept, since a layer's shape depends on it")
    note_unknown_fields(b, net.message, kept)
    left = len(net.layers) - len(kept)
    if left:
        names = ", ".join(stages(net.layers))[:200]
        b.note(
            f"{left} layer{'s' * (left > 1)} of other phases or stages left out ({net.state})"
            + (f"; the file knows the stages {names}" if names else "")
        )
    for spec in parts.training:
        b.note("training's, not counted", spec.kind)


def file_net(root: Message, source: Source) -> tuple[Net, list[str]]:
    """The net in a file, which may be a solver with a net in it; and what there is to say of it.

    Raises ReadError: the file has no net, or no layers.
    """
    notes: list[str] = []
    phase = source.options.get("phase", "test").upper()
    if phase not in PHASES:
        raise ReadError(
            f"there is no phase '{phase.lower()[:40]}'", hint="--phase test, or --phase train"
        )
    message, file_state = root, root.message("state")
    if "layer" not in root and "layers" not in root:
        kind = "train" if phase == "TRAIN" else "test"
        nets = [*root.messages(f"{kind}_net_param"), *root.messages("net_param")]
        states = root.messages(f"{kind}_state")
        if nets:
            message = nets[0]
            file_state = states[0] if states else message.message("state")
            notes.append(f"the file is a solver; read is its {message.name} at line {message.line}")
            if len(states) > 1:
                notes.append(f"the solver has {len(states)} test states; read is the first")
        else:
            _check_that_it_is_no_solver(root)
    level, wanted = 0, frozenset(filter(None, source.options.get("stage", "").split(",")))
    if file_state is not None:
        level = file_state.integer("level", 0)
        if not wanted and "stage" in file_state:
            wanted = frozenset(file_state.texts("stage"))
            notes.append(f"the file's own stage is taken: {', '.join(sorted(wanted))}")
        if "phase" in file_state and "phase" not in source.options:
            phase = file_state.word("phase", PHASES, phase)
            if phase != "TEST":
                notes.append(f"the file's own phase is taken: {phase}")
    layers = specs(message)
    if not layers:
        raise ReadError(
            "the file has no layers",
            where=source.name,
            values=", ".join(dict.fromkeys(field.name for field in message.fields))[:200]
            or "it is empty",
            hint="a net has fields 'layer { ... }'",
        )
    return Net(message, State(phase, level, wanted), layers), notes


def _check_that_it_is_no_solver(root: Message) -> None:
    if not any(name in root for name in ("net", "train_net", "test_net", "base_lr", "lr_policy")):
        return
    names = [root.text(name) for name in ("net", "train_net") if name in root]
    names += root.texts("test_net")
    raise ReadError(
        "this is a solver: it says how a net is trained, and describes none",
        where=root.document.name,
        values=f"its net is in {', '.join(names)[:300]}" if names else "it names no net",
        hint=f"nettally tally {names[0][:200]}" if names else "",
    )
