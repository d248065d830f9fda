"""What is known while a graph is read: values, what the file states of them, what is to be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...network import Node, Span
from .inputs import Sizes
from .proto import TYPES, contents
from .values import MAX_CONTENTS, Value, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from ...network import Layer
    from ..encodings.protobuf import Blob
    from .proto import Dims, Info
    from .repeats import Recorder
    from .values import NodeCall, Numbers

MAX_STEPS = 2_000_000
"""How many values of constants are computed in all."""


class State:
    """The network as it grows, and what is known of the values in it.

    nodes: in order. names: of nodes and inputs. read: of those that something reads. owners: by
    the root of a constant, the first parameter that it is. stated: what the graph says of its
    values. learned: what the file says of some tensors. prefix: of the body that is run.
    """

    def __init__(self, blob: Blob, name: str) -> None:
        self.blob = blob
        self.name = name
        self.span = Span(name, 0)
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.read: set[str] = set()
        self.learned: Mapping[str, bool] = {}
        self.weight_inputs: set[str] = set()
        self.owners: dict[str, str] = {}
        self.notes: dict[str, int] = {}
        self.stated: Mapping[str, Info] = {}
        self.values: MutableMapping[str, Value] = {}
        self.layers: dict[Any, Layer] = {}
        self.sizes = Sizes()
        self.prefix = ""
        self.rounded = False
        self.counting = True  # sizes that can't be counted are refused
        self.probing = False  # the layers are thrown away
        self.steps = [0]  # of constants; one count for all probes
        self.recorder: Recorder | None = None

    def note(self, text: str) -> None:
        self.notes[text] = self.notes.get(text, 0) + 1

    # --- values ---------------------------------------------------------------------------------

    def define(self, value: Value, call: NodeCall) -> None:
        if value.name in self.values:
            raise call.error(f"the value '{value.name}' is made twice")
        self.values[value.name] = value

    def contents(self, value: Value) -> Numbers | None:
        """The values of a small constant; None where they are not known."""
        if self.recorder is not None:
            self.recorder.by_contents = True
        if value.contents is None and value.tensor is not None:
            value.contents = contents(self.blob, value.tensor, MAX_CONTENTS)
            value.tensor = None
        return value.contents

    def is_learned(self, value: Value, likely: bool) -> bool:
        """Whether a constant is a parameter: as the file says, else as its place makes likely."""
        return self.learned.get(value.root, likely) if self.learned else likely

    def spend(self, steps: int) -> bool:
        """Whether so many more values of constants may be computed."""
        self.steps[0] += steps
        return self.steps[0] <= MAX_STEPS

    def alias(self, value: Value, name: str, call: NodeCall) -> None:
        """The same tensor under another name."""
        alias = Value(name, self.merged(name, value.shape, value.dtype, call), value.dtype)
        alias.node, alias.root, alias.is_input = value.node, value.root, value.is_input
        alias.contents, alias.tensor = value.contents, value.tensor
        alias.items = value.items
        self.define(alias, call)

    def merged(self, name: str, shape: Dims | None, dtype: int, call: NodeCall) -> Dims | None:
        """The shape that was found, and of what it leaves open the shape that the file states.

        Raises ReadError where the two contradict each other, unless the user changed the sizes.
        """
        info = self.stated.get(name)
        if info is None or info.kind:
            return shape
        if dtype and info.dtype and dtype != info.dtype:
            raise call.error(
                f"the file states another type for '{name}' than the node makes",
                f"stated {_type(info.dtype)}, found {_type(dtype)}",
            )
        stated = self.sizes.of(info.dims)
        if stated is None or not self.sizes.trusted or stated == shape:
            return shape
        if shape is None:
            return stated
        if len(stated) == len(shape):
            for one, other in zip(shape, stated, strict=True):
                if one != other and type(one) is int and type(other) is int:
                    break
            else:
                return tuple(
                    other if type(one) is not int else one
                    for one, other in zip(shape, stated, strict=True)
                )
        # The shape inference of ONNX keeps a window that starts in the padding at the end, so that
        # what it wrote after such a pool is wrong. That is said; anything else is refused.
        if not self.rounded and not call.int("ceil_mode"):
            raise call.error(
                f"the file states another shape for '{name}' than the node makes",
                f"stated {shown(stated)}, found {shown(shape)}",
                "is the file's shape information out of date? --input with other sizes ignores it",
            )
        self.rounded = True
        self.note(
            f"the file states other sizes for '{name[:80]}' than ceil_mode gives: "
            f"{shown(stated)}, not {shown(shape)}"
        )
        return shape


def _type(dtype: int) -> str:
    return TYPES.get(dtype, f"type {dtype}")


_REDUCED = ("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")

_MOVING = (
    *("Reshape", "Squeeze", "Unsqueeze", "Expand", "Tile", "Split", "Slice", "Pad", "Transpose"),
    *("CenterCropPad", "MaxUnpool", "Gather", "GatherND", "GatherElements", "Compress", "OneHot"),
    *("TensorScatter", "BitCast"),
)
_PROCEDURES = (
    *("Col2Im", "TopK", "RoiAlign", "MaxRoiPool", "NonMaxSuppression", "Unique", "NonZero"),
    *("Resize", "Upsample", "GridSample", "AffineGrid", "Range", "ImageDecoder", "Det", "DFT"),
    *("STFT", "TfIdfVectorizer", "Multinomial", "NegativeLogLikelihoodLoss", "RotaryEmbedding"),
    *("SoftmaxCrossEntropyLoss", "BlackmanWindow", "HannWindow", "HammingWindow"),
    *("MelWeightMatrix", "StringNormalizer", "StringSplit", "StringConcat", "RegexFullMatch"),
    *(f"Reduce{name}" for name in _REDUCED),
)

BY_SIZE = {**dict.fromkeys(_MOVING, "arrange"), **dict.fromkeys(_PROCEDURES, "procedure")}
"""Operators without parameters or weighted sums: with the output's size all is known of them."""
