"""What is known while a graph is read, of its values and of the node that is looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ..graph_builder import GraphBuilder
from .budget import Budget
from .inputs import Sizes
from .proto import TYPES, Graph, Ref, contents
from .values import MAX_CONTENTS, Unknown, Value, short, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping, Sequence

    from ...network import Layer, Span
    from ..encodings.blob import Blob
    from .proto import Dims, Info, NodeDef
    from .recorder import Recorder
    from .values import Numbers

STALE = "--ignore-stated-shapes computes all shapes anew, if the file's are out of date"
"""What to try where the file's shapes contradict what its nodes make."""

MAX_NAME, MAX_MESSAGE = 80, 600
"""The most characters of a name, and of a message, in an error."""


class State(GraphBuilder):
    """The network as it grows, and what is known of the values in it.

    values: by their names in the file. read: the nodes and inputs that something reads. stated:
    what the graph says of its values. learned: what the file says of some tensors. prefix: of the
    body that is run.
    """

    MAX_NODES = 1_000_000
    MAX_EDGES = 4_000_000
    LEAST = 0

    def __init__(self, blob: Blob, file: str) -> None:
        super().__init__(file)
        self.blob = blob
        self.read: set[str] = set()
        self.learned: Mapping[str, bool] = {}
        self.weight_inputs: set[str] = set()
        self.stated: Mapping[str, Info] = {}
        self.values: MutableMapping[str, Value] = {}
        self.open: dict[str, int] = {}  # layers whose output's size is not known, and their places
        self.holders: dict[Value, str] = {}  # of constants, the layers that hold them
        self.kept: set[str] = set()  # the roots of constants that nobody learned
        self.numbers: set[Value] = set()  # single ones that are learned
        self.centered: set[str] = set()  # inputs whose mean is subtracted
        self.running: Sequence[NodeDef] = ()
        self._indexed: Sequence[NodeDef] | None = None
        self._readers: dict[str, list[NodeDef]] = {}
        self._makers: dict[str, NodeDef] = {}
        self.sizes = Sizes()
        self.prefix = ""
        self.rounded = False
        self.guesses = True  # what is learned; our own files say it
        self.counting = True  # sizes that can't be counted are refused
        self.budget = Budget(file, blob.size)  # one for all probes
        self.spent = False  # some constants are not computed
        self.recorder: Recorder | None = None

    def error(self, what: str, *, values: str = "", hint: str = "") -> ReadError:
        """A complaint about the whole file, where no node can be named."""
        return ReadError(what, where=self.file, values=values, hint=hint)

    def layer(self, kind: str, **fields: Any) -> Layer:  # type: ignore[override] - a rule has no place
        """A layer; the same object for the same fields. What it raises, ``node`` gives a place."""
        return super().layer(self, kind, **fields)

    def note(self, sentence: str, which: str = "") -> None:
        if self.recorder is not None:
            self.recorder.noted = True
        super().note(sentence, which)

    # --- values ---------------------------------------------------------------------------------

    def define(self, value: Value, call: NodeReader) -> None:
        if value.name in self.values:
            raise call.error(f"the value '{value.name}' is made twice")
        self.values[value.name] = value

    def contents(self, value: Value) -> Numbers | None:
        """The values of a small constant; None where they are not known."""
        if self.recorder is not None:
            self.recorder.by_contents = True
        if value.contents is None and value.tensor is not None:
            tensor = value.tensor
            if tensor.numbers is None:  # a body has it anew in each round
                tensor.numbers = contents(self.blob, tensor, MAX_CONTENTS)
            value.contents = tensor.numbers
        return value.contents

    def count_number(self, value: Value) -> None:
        """Take the one number of the file that a weight repeats for a parameter; not 0 and 1."""
        number = value.number
        if value.parts == () and number is not None and self.contents(number) not in ([0], [1]):
            value.parts = (number,)
            self.numbers.add(number)

    def _index(self) -> None:
        """Who reads and who makes each value of the graph or body that is run."""
        if self._indexed is not self.running:
            self._indexed, self._readers, self._makers = self.running, {}, {}
            for node in self.running:
                for name in node.inputs:
                    self._readers.setdefault(name, []).append(node)
                self._makers.update(dict.fromkeys(node.outputs, node))

    def readers(self, names: Iterable[str]) -> list[NodeDef]:
        """The nodes of the graph or body that is run which read one of these values."""
        self._index()
        return [node for name in names for node in self._readers.get(name, ())]

    def maker(self, name: str) -> NodeDef | None:
        """The node of the graph or body that is run which makes a value."""
        self._index()
        return self._makers.get(name)

    def spend(self, steps: int) -> bool:
        """Whether so many more values of constants may be computed; a note says where not."""
        if self.budget.compute(steps):
            return True
        if not self.spent:
            self.spent = True
            self.note("there are too many constants: the last are not computed, and not known")
        return False

    def with_items(self, values: Iterable[Value | None]) -> list[Value]:
        """The tensors among the values, each once, with those in sequences. Raises ReadError."""
        tensors: list[Value] = []
        for value in dict.fromkeys(values):
            if value is not None and value.items is not None:
                self.budget.write_out(2 * len(value.items))
                tensors += value.items
            elif value is not None:
                tensors.append(value)
        return tensors

    def alias(self, value: Value, name: str, call: NodeReader) -> None:
        """The same tensor under another name."""
        shape = self.merged(name, value.shape, value.dtype, call)
        alias = value.view(name, shape, value.dtype)
        alias.is_input, alias.raw = value.is_input, value.raw
        alias.contents, alias.tensor = value.contents, value.tensor
        alias.items = value.items
        self.define(alias, call)

    def merged(self, name: str, shape: Dims | None, dtype: int, call: NodeReader) -> Dims | None:
        """The shape that a rule computed; sizes that it leaves open are the file's stated ones.

        Raises ReadError where the two contradict each other, unless the user changed the sizes.
        """
        info = self.stated.get(name)
        if info is None or info.kind:
            return shape
        if dtype and info.dtype and dtype != info.dtype:
            raise call.error(
                f"the file states another type for '{name}' than the node makes",
                f"stated {_type(info.dtype)}, found {_type(dtype)}",
                STALE,
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
        # ONNX's shape inference counts a window that starts in the padding at the end, so that the
        # shapes it wrote after such a pool are wrong. A note says so; anything else is refused.
        if not self.rounded and not call.int("ceil_mode"):
            raise call.error(
                f"the file states another shape for '{name}' than the node makes",
                f"stated {shown(stated)}, found {shown(shape)}",
                STALE,
            )
        self.rounded = True
        self.note(
            f"the file states other sizes for '{name[:80]}' than ceil_mode gives: "
            f"{shown(stated)}, not {shown(shape)}"
        )
        return shape


class NodeReader:
    """A node's inputs and attributes, checked, and where it stands, for errors."""

    __slots__ = ("b", "inputs", "name", "node", "opset")

    def __init__(self, b: State, node: NodeDef, inputs: list[Value | None], opset: int) -> None:
        self.b = b
        self.node = node
        self.inputs = inputs
        self.opset = opset
        self.name = ""

    @property
    def span(self) -> Span:
        return self.b.span

    # --- inputs ---------------------------------------------------------------------------------

    def get(self, place: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def value(self, place: int) -> Value:
        """An input that must be there."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if value is None:
            raise self.error(
                f"its input {place} is missing", f"{len(self.node.inputs)} inputs are given"
            )
        return value

    def weight(self, place: int) -> Value | None:
        """An input that stands for a learned tensor: a constant, or an input of the graph.

        None where there is none. Raises Unknown where it is computed from the data.
        """
        value = self.get(place)
        if value is None or value.node is None:
            if value is not None:
                self.b.count_number(value)
            return value
        if value.is_input:
            self.b.weight_inputs.add(value.name)
            return value
        raise Unknown

    def contents(self, place: int) -> Numbers | None:
        """The values of a constant input; None where there is none, or they are not known."""
        value = self.get(place)
        return None if value is None else self.b.contents(value)

    def integers(self, place: int) -> list[int]:
        """The values of a constant input of integers. Raises Unknown."""
        values = self.contents(place)
        if values is None:
            raise Unknown
        if not all(math.isfinite(each) for each in values):
            raise self.error(f"its input {place} must be whole numbers", f"{values[:8]}")
        return [int(each) for each in values]

    def integer(self, place: int) -> int | None:
        """The value of a constant input of one integer; None where it is not known."""
        if not self.contents(place):
            return None
        return self.integers(place)[0]

    # --- attributes -----------------------------------------------------------------------------

    def attribute(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self.node.attributes.get(name, default)
        if value is default:
            return default
        if isinstance(value, Ref):
            raise self.error(f"its attribute '{name}' refers to one that is not there")
        if not isinstance(value, kind):
            raise self.error(f"its attribute '{name}' has another type", f"{type(value).__name__}")
        return value

    def int(self, name: str, default: int = 0) -> int:
        return self.attribute(name, int, default)

    def float(self, name: str, default: float = 0.0) -> float:
        return short(self.attribute(name, (float, int), default))

    def word(self, name: str, default: str = "") -> str:
        value = self.attribute(name, bytes, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def ints(self, name: str) -> list[int] | None:
        values = self.attribute(name, list, None)
        if values is not None and not all(type(each) is int for each in values):
            raise self.error(f"its attribute '{name}' is no list of integers")
        return values

    def floats(self, name: str) -> list[float] | None:
        values = self.attribute(name, list, None)
        if values is not None and not all(isinstance(each, (int, float)) for each in values):
            raise self.error(f"its attribute '{name}' is no list of numbers")
        return values

    def graph(self, name: str) -> Graph:
        graph = self.attribute(name, Graph, None)
        if graph is None:
            raise self.error(f"its attribute '{name}' is missing")
        return graph

    def axis(self, axis: int, rank: int, what: str = "axis") -> int:
        """An axis counted from the front. Raises ReadError outside the tensor."""
        if not -rank <= axis < rank:
            raise self.error(f"its {what} is outside its input", f"{what} {axis}, {rank} axes")
        return axis % rank

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        node = self.node
        label = node.name or "".join(node.outputs[:1])
        where = f"{self.b.file}: {node.op[:MAX_NAME]} '{label[:MAX_NAME]}'"
        return ReadError(what[:MAX_MESSAGE], where=where, values=values[:MAX_MESSAGE], hint=hint)


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

KEPT = {
    "BatchNormalization": (3, 4),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), (1, 2, 4, 5, 6, 7)),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QAttention": (3, 4, 5, 6, 7),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "QEmbedLayerNormalization": tuple(range(8, 18)),
}
"""Places of inputs that are no parameters: running statistics, scales.

Of an operator that stands here each stored integer is one value.
"""

FIRST_STATES = {
    **dict.fromkeys(("LSTM", "DynamicQuantizeLSTM"), (5, 6)),
    **dict.fromkeys(("GRU", "RNN"), (5,)),
}
"""Places of the states before the first step, which are learned unless they are zeros."""

LEARNED_ATTRIBUTES = frozenset(
    (
        *("coefficients", "intercepts", "support_vectors", "rho", "prob_a", "prob_b"),
        *("nodes_values", "target_weights", "class_weights"),
    )
)
"""Attributes of ai.onnx.ml's operators that hold what was learned."""
