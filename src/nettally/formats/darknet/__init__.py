"""Reads Darknet's ``.cfg`` files (Redmon 2013 to 2018; Bochkovskiy's and other forks).

The layers stand in their order, each in a section named by its type; see docs/formats/darknet.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError
from ...network import MAX_SIZE
from ..graph_builder import by_axis, sizes_from_user
from ..source import Format
from . import heads, reshaping
from . import layers as plain
from .builder import DarknetBuilder
from .cfg import lines, near, parse

if TYPE_CHECKING:
    from ...network import Network, Shape
    from ..source import Source
    from .builder import Handler
    from .cfg import Section

FORMAT = Format(
    "Darknet",
    (".cfg",),
    "as pjreddie/darknet and AlexeyAB/darknet of 2013 to 2021 have it",
    (
        "weights files are not read",
        "trees of classes (tree=) lie in other files and are not read",
        "maxpool_depth, and smaller maps added to larger ones, are opaque",
    ),
    sizes_follow_input=True,
)

HANDLERS: tuple[Handler, ...] = (
    *(plain.convolutional, plain.deconvolutional, plain.local, plain.connected, plain.maxpool),
    *(plain.local_avgpool, plain.avgpool, plain.normalization, plain.batchnorm, plain.activation),
    *(plain.logistic, plain.l2norm, plain.dropout, plain.softmax, reshaping.route),
    *(reshaping.route_lhalf, reshaping.shortcut, reshaping.scale_channels, reshaping.sam),
    *(reshaping.upsample, reshaping.reorg, reshaping.reorg3d, reshaping.crop, reshaping.empty),
    *(reshaping.history, reshaping.implicit, heads.rnn, heads.crnn, heads.gru, heads.lstm),
    *(heads.conv_lstm, heads.yolo, heads.region, heads.iseg, heads.detection, heads.cost),
)
"""A function for each type of layers, which it is called as."""

NODES = {"convolutional": "conv", "deconvolutional": "deconv", "normalization": "lrn",
         "route_lhalf": "route"}  # fmt: skip
"""What the nodes of a type are called, where that is not its own name."""

SYNONYMS = {
    "conv": "convolutional", "deconv": "deconvolutional", "conn": "connected", "max": "maxpool",
    "local_avg": "local_avgpool", "avg": "avgpool", "lrn": "normalization", "logxent": "logistic",
    "soft": "softmax", "reorg_old": "reorg", "silence": "empty",
}  # fmt: skip
"""Other words for a type."""

_TYPES = {each.__name__: (NODES.get(each.__name__, each.__name__), each) for each in HANDLERS}
TYPES: dict[str, tuple[str, Handler]] = {
    **_TYPES,
    **{word: _TYPES[type_] for word, type_ in SYNONYMS.items()},
    "Gaussian_yolo": ("gaussian_yolo", heads.gaussian_yolo),
    "contrastive": ("contrastive", heads.cost),
}
"""The types of layers, the names of their nodes, and what makes them."""

NET = ("net", "network")

USUAL = ("convolutional", "connected", "maxpool", "avgpool", "route", "shortcut", "softmax", "yolo")
"""A file that has such sections is Darknet's, though its first section be missing."""

NET_KEYS = frozenset(
    ("batch", "subdivisions", "height", "width", "channels", "inputs", "learning_rate", "decay")
)

FREE = frozenset(
    (
        *("learning_rate", "clip", "onlyforward", "dont_update", "burnin_update", "stopbackward"),
        *("train_only_bn", "dontload", "dontloadscales", "dontsave", "numload", "truth", "smooth"),
        *("flipped", "dot", "angle", "grad_centr", "reverse", "coordconv", "stream", "wait_stream"),
        *("assisted_excitation", "bin_output", "sway", "rotate", "stretch", "stretch_sway"),
        *("weights", "biases", "temperature", "noloss", "spatial", "tree", "map", "type", "scale"),
        *("state_constrain", "lstm_activation", "time_normalizer", "logistic", "shortcut"),
        *("dropblock", "dropblock_size_rel", "dropblock_size_abs", "flip", "saturation"),
        *("exposure", "shift", "maxpool_zero_nonmax", "out_channels", "mean", "std", "ratio"),
        *("noobj", "thresh", "alpha", "beta", "weights_normalization", "yolo_layer", "max"),
        *("max_delta", "cls_normalizer", "contrastive_neg_max", "binary", "xnor", "seen"),
        *("anchors", "jitter", "ignore_thresh", "truth_thresh", "random", "iou_loss", "resize"),
        *("scale_x_y", "iou_normalizer", "obj_normalizer", "delta_normalizer", "uc_normalizer"),
        *("iou_thresh", "iou_thresh_kind", "beta_nms", "nms_kind", "focal_loss", "yolo_point"),
        *("label_smooth_eps", "counters_per_class", "show_details", "objectness_smooth"),
        *("new_coords", "embedding_layer", "track_history_size", "sim_thresh", "dets_for_track"),
        *("dets_for_show", "track_ciou_norm", "log", "sqrt", "rescore", "classfix", "absolute"),
        *("coord_scale", "object_scale", "noobject_scale", "mask_scale", "class_scale", "softmax"),
        *("bias_match", "background", "forced", "reorg", "side", "num", "coords", "noadjust"),
    )
)
"""Keys that the programs read, and that no count depends on where they are not asked for."""


def sniff(head: bytes, name: str) -> bool:
    """Whether this begins with [net], or has sections named as Darknet's layers are."""
    if b"\0" in head or b"[" not in head:
        return False
    sections: list[str] = []
    keys: list[set[str]] = []
    for _, bare in lines(head.decode("utf-8-sig", "replace")):
        if bare[0] == "[":
            sections.append(bare[1:].rstrip("]"))
            keys.append(set())
        elif not sections:
            return False
        else:
            keys[-1].add(bare.partition("=")[0])
    if any("type" in each and "inputs" in each for each in keys):
        return False  # cuda-convnet's
    if sections and sections[0] in NET:
        return bool(keys[0] & NET_KEYS) or any(each in TYPES for each in sections)
    return any(each in USUAL for each in sections)


def read(source: Source) -> Network:
    """The network of a file, for one example (one step of a sequence, where it has a state).

    Raises ReadError with ``file:line`` for whatever Darknet could not make a network of.
    """
    text = source.data.decode("utf-8-sig", "replace")  # comments are in all encodings
    sections, odd = parse(text, source.name)
    if not sections:
        raise ReadError("the file has no sections", where=source.name, hint="the first is [net]")
    net, *rest = sections
    if net.type not in NET:
        raise net.error(
            "the first section must be [net] or [network]",
            hint="it says the input's size: [net], height=224, width=224, channels=3",
        )
    if not rest:
        raise net.error("the file has no layers")
    user_shape = sizes_from_user(source, ("input",)).get("input")
    builder = DarknetBuilder(source.name, _input_shape(net, user_shape))
    for section in rest:
        _layer(builder, section)
    _note_ignored(builder, sections)
    if not builder.nodes:
        raise net.error("the file has no layers but costs")
    return builder.network(notes=odd[:20])


def _layer(builder: DarknetBuilder, section: Section) -> None:
    """Make one layer's nodes."""
    if section.type in NET:
        raise section.error(
            "a second [net]: a file has one network", hint="remove it, or all that follows"
        )
    entry = TYPES.get(section.type)
    if entry is None:
        builder.begin(section, "layer")
        builder.note(
            "types of layers that are not known",
            f"[{section.type[:40]}]" + _in_brackets(builder.hint(section.type, TYPES)),
        )
        builder.make(section, "opaque", type=section.type[:80] or "unknown")
    else:
        name, make = entry
        builder.begin(section, name)
        make(builder, section)
    builder.end(section)


def _input_shape(net: Section, user_shape: Shape | None) -> Shape:
    """The input's whole shape: of the file, or the user's."""
    height, width = net.integer("height", 0, 0), net.integer("width", 0, 0)
    channels = net.integer("channels", 0, 0)
    values = net.integer("inputs", height * width * channels, 0)
    image = bool(height and width and channels)
    if user_shape is not None:
        rank = 4 if image or len(user_shape) > 2 else 2
        shape = user_shape if len(user_shape) == rank else (1, *user_shape)
        if len(shape) != rank:
            raise ReadError(
                "the input's size does not fit the file",
                where=net.file,
                values=by_axis(user_shape),
                hint="--input 3x416x416: channels, height, width" if rank == 4 else "--input 256",
            )
        return shape
    if not values:
        missing = [
            key
            for key, size in (("height", height), ("width", width), ("channels", channels))
            if not size
        ]
        raise net.error(
            "the input's size is not given",
            values=f"missing or 0: {', '.join(missing)}",
            hint=next(filter(None, (near(key, net.options) for key in missing)), "")
            or "--input 3x224x224",
        )
    if max(height, width, channels, values) > MAX_SIZE:
        raise net.error("the input is too large", values=f"over {MAX_SIZE:,} values")
    if image and values != height * width * channels:
        raise net.error(
            "'inputs' and the image's size do not agree",
            "inputs",
            values=f"inputs {values}, {channels}·{height}·{width} = {channels * height * width}",
        )
    return (1, channels, height, width) if image else (1, values)


def _note_ignored(builder: DarknetBuilder, sections: list[Section]) -> None:
    """Say what the program would pass over in silence."""
    for section in sections:
        for key in section.twice:
            builder.note(
                "keys that stand twice, of which the first holds", f"{section.name} {key[:40]}"
            )
        for value in section.junk:
            builder.note("values of which the number at the beginning is read", value[:60])
        if section.type in NET or section.type not in TYPES:
            continue
        for key in section.unread():
            if key in FREE:
                continue
            builder.note(
                "keys that no layer of the type has",
                f"{section.name}, {key[:40]}" + _in_brackets(builder.hint(key, section.asked)),
            )


def _in_brackets(hint: str) -> str:
    return f" ({hint})" if hint else ""
