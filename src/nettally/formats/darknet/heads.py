"""Darknet's recurrent layers, and those that stand last: boxes, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layers import PLAIN

if TYPE_CHECKING:
    from .builder import DarknetBuilder
    from .cfg import Section


def _inside(b: DarknetBuilder, s: Section, default: str = "logistic") -> None:
    word = s.text("activation", default) or default
    if word != "linear" and word not in PLAIN:
        b.note("activations within a recurrent layer that are not known", word)
    if s.integer("shortcut", 0):
        b.note("shortcut: the state before is added to the state", b.name)


def rnn(b: DarknetBuilder, s: Section) -> None:
    _inside(b, s)
    _flat(b, s)
    features = s.integer("output", 1, 1)
    hidden = s.integer("hidden", features if "hidden" not in s else 1, 1)
    norm = bool(s.integer("batch_normalize", 0))
    b.make(s, "elman", features=features, hidden=hidden, norm=norm)


def crnn(b: DarknetBuilder, s: Section) -> None:
    """The keys are AlexeyAB's; pjreddie's are output_filters and hidden_filters, with size 3."""
    _inside(b, s)
    first = "output_filters" in s or "hidden_filters" in s
    filters = s.integer("output_filters" if first else "output", 1, 1)
    hidden = s.integer("hidden_filters" if first else "hidden", 1, 1)
    size = s.integer("size", 3, 1)
    padding = size // 2 if s.integer("pad", 0) else s.integer("padding", 0, 0)
    b.image(s)
    b.make(
        s,
        "conv_elman",
        filters=filters,
        hidden=hidden,
        kernel=(3, 3) if first else (size, size),
        padding=1 if first else padding,
        stride=s.integer("stride", 1, 1),
        dilation=1 if first else s.integer("dilation", 1, 1),
        groups=max(s.integer("groups", 1), 1),
        norm=bool(s.integer("batch_normalize", 0)),
    )


def gru(b: DarknetBuilder, s: Section) -> None:
    _gated(b, s, "gru")


def lstm(b: DarknetBuilder, s: Section) -> None:
    _gated(b, s, "lstm")


def _gated(b: DarknetBuilder, s: Section, kind: str) -> None:
    _flat(b, s)
    norm = bool(s.integer("batch_normalize", 0))
    s.integer("tanh", 0)
    b.make(s, kind, features=s.integer("output", 1, 1), norm=norm)


def _flat(b: DarknetBuilder, s: Section) -> None:
    shape = b.shapes[b.head]
    if shape is not None and len(shape) > 2:
        b.make(s, "flatten", suffix=".values")


def conv_lstm(b: DarknetBuilder, s: Section) -> None:
    _inside(b, s, "linear")
    size = s.integer("size", 3, 1)
    padding = size // 2 if s.integer("pad", 0) else s.integer("padding", 0, 0)
    stride = s.integer("stride", 1, 1)
    before = b.image(s)
    b.make(
        s,
        "conv_lstm",
        filters=s.integer("output", 1, 1),
        kernel=(size, size),
        padding=padding * s.integer("dilation", 1, 1),
        stride=stride,
        dilation=s.integer("dilation", 1, 1),
        groups=max(s.integer("groups", 1), 1),
        biases=2,
        peephole=bool(s.integer("peephole", 0)),
        bottleneck=bool(s.integer("bottleneck", 0)),
        norm=bool(s.integer("batch_normalize", 0)),
    )
    after = b.shapes[b.head]
    if before is not None and after is not None and after[2:] != before[1:]:
        raise s.error(
            "its state does not keep its size",
            values="maps " + "x".join(map(str, before[1:])) + " become "
            + "x".join(map(str, after[2:])),
            hint="stride 1, and pad=1",
        )  # fmt: skip


def _head(
    b: DarknetBuilder, s: Section, want: int, sigmoids: int, softmaxes: int, key: str
) -> None:
    """A head, whose input must have so many channels."""
    image = b.image(s)
    if image is not None and image[0] != want:
        raise s.error(
            f"the layer before it has the wrong number of filters for its {key}",
            "classes",
            values=f"filters {image[0]}, needed {want}",
            hint=f"filters={want} in the [convolutional] before it",
        )
    b.make(s, "detect", sigmoids=sigmoids, softmaxes=softmaxes)


def _anchors(s: Section) -> int:
    """How many boxes a place has: those of the mask, else all."""
    number = s.integer("num", 1, 1)
    mask = s.integers("mask")
    return len(mask) or number


def yolo(b: DarknetBuilder, s: Section) -> None:
    """Of each box: x, y, width, height, whether there is one, and the classes (YOLOv3)."""
    n, classes = _anchors(s), s.integer("classes", 20, 0)
    each = 0 if s.integer("new_coords", 0) else 3 + classes  # the layer before has done it
    _head(b, s, n * (classes + 5), n * each, 0, "classes and mask")


def gaussian_yolo(b: DarknetBuilder, s: Section) -> None:
    """As yolo, with an uncertainty for each of the four coordinates."""
    n, classes = _anchors(s), s.integer("classes", 20, 0)
    _head(b, s, n * (classes + 9), n * (7 + classes), 0, "classes and mask")


def region(b: DarknetBuilder, s: Section) -> None:
    """As yolo (YOLOv2), the classes through a softmax where ``softmax`` says so."""
    n, classes = s.integer("num", 1, 1), s.integer("classes", 20, 0)
    coords = s.integer("coords", 4, 0)
    soft = bool(s.integer("softmax", 0) or s.text("tree"))
    chosen = n * classes
    _head(
        b,
        s,
        n * (classes + coords + 1),
        n * 3 + (0 if soft else chosen),
        chosen if soft else 0,
        "classes, coords and num",
    )


def iseg(b: DarknetBuilder, s: Section) -> None:
    classes, ids = s.integer("classes", 20, 0), s.integer("ids", 32, 0)
    _head(b, s, classes + ids, classes, 0, "classes and ids")


def detection(b: DarknetBuilder, s: Section) -> None:
    """YOLOv1's: for each place of a grid the classes, and n boxes; values without space."""
    side, n = s.integer("side", 7, 1), s.integer("num", 1, 1)
    classes, coords = s.integer("classes", 1, 0), s.integer("coords", 1, 0)
    soft = s.integer("softmax", 0)
    _flat(b, s)
    shape = b.shapes[b.head]
    want = side * side * ((1 + coords) * n + classes)
    if shape is not None and shape[1] != want:
        raise s.error(
            "the layer before it has the wrong number of outputs",
            "classes",
            values=f"{shape[1]}, needed {side}·{side}·((1 + {coords})·{n} + {classes}) = {want}",
            hint=f"output={want} in the [connected] before it",
        )
    b.make(s, "detect", softmaxes=side * side * classes if soft else 0)


def cost(b: DarknetBuilder, s: Section) -> None:
    """Training's: it puts out what it reads."""
    b.note("training's costs, which are not counted", f"layer {b.index} [{s.type}]")
