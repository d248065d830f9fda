"""How layers of cuda-convnet share weights, and the fully connected ones: fc, sfc, treefc.

Sizes after ``WeightLayerParser``, ``FCLayerParser``, ``SplitFCLayerParser`` and
``TreeFCLayerParser`` in the code's ``layer.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...network import NOTHING
from .builder import CudaConvnetBuilder, Extent, Plan
from .ini import near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Layer
    from .ini import Section

RATES = ("epsW", "momW", "wc", "wball")
"""The parameters of training that have one value an input."""


class Weighted(Plan):
    """A layer with one matrix of weights an input, any of which may be another layer's."""

    trained = True

    def read(self) -> None:
        count = len(self.inputs)
        self.section.numbers("initW", count, 0.0)
        # For each input: whose matrix it takes, and which of them; None for one of its own.
        self.sources: list[tuple[Weighted, int] | None] = [None] * count
        self.matrices: list[tuple[int, int]] = []  # rows and columns, settled by ``extent``

    def join(self, params: Section) -> None:
        super().join(params)
        count = len(self.inputs)
        for key in RATES:
            if key not in params:
                continue
            rates = 1
            depth = 0
            for letter in params.get(key):
                depth += (letter == "[") - (letter == "]")
                rates += letter == "," and depth == 0
            if rates not in (1, count):
                raise params.error(
                    f"'{key}' needs one value an input",
                    key,
                    values=f"{rates} values, {self.name} has {count} input(s)",
                )

    def share(self, known: Mapping[str, Plan]) -> None:
        """Resolve ``weightSource``: ``a,,b[1]`` takes a's first matrix, none, b's second."""
        section = self.section
        if "weightSource" not in section:
            return
        words = section.counted("weightSource", len(self.inputs), exactly=True)
        for index, word in enumerate(words):
            if not word:
                continue
            name, bracket, rest = word.partition("[")
            digits = rest.removesuffix("]")
            number = int(digits) if digits.isascii() and digits.isdigit() else -1
            if bracket and (not rest.endswith("]") or number < 0 or len(digits) > 6):
                raise section.error(
                    "'weightSource' is layer or layer[index]", "weightSource", values=word[:60]
                )
            number = max(number, 0)
            source = self if name == self.name else known.get(name)
            if source is None:
                raise section.error(
                    f"it shares weights with '{name[:60]}', which is not defined before",
                    "weightSource",
                    hint=near(name, [p.name for p in known.values() if p.type == self.type]),
                )
            if not isinstance(source, Weighted) or source.type != self.type:
                raise section.error(
                    "weights are shared between layers of one type",
                    "weightSource",
                    values=f"{self.name} is {self.type}, {source.name} is {source.type}",
                )
            if number >= (index if source is self else len(source.inputs)):
                raise section.error(
                    f"it shares weights with '{word}', which is not there",
                    "weightSource",
                    values=f"{source.name} has {len(source.inputs)}, counted from 0"
                    + (", and may only refer to those before" if source is self else ""),
                )
            self.sources[index] = (source, number)

    def settle(self, matrices: list[tuple[int, int]]) -> None:
        """Keep the matrices' sizes, and hold shared ones to their owners'."""
        self.matrices = matrices
        for index, entry in enumerate(self.sources):
            if entry is None:
                continue
            theirs = entry[0].matrices[entry[1]] if entry[0].matrices else None
            if theirs is not None and theirs != matrices[index]:
                raise self.section.error(
                    f"the weights that it shares with {entry[0].name} have another size",
                    "weightSource",
                    values=f"{matrices[index][0]:,}x{matrices[index][1]:,} here, "
                    f"{theirs[0]:,}x{theirs[1]:,} there",
                )

    def shared(self, builder: CudaConvnetBuilder, tensors: Sequence[str]) -> dict[str, str]:
        """Which of the node's tensors (by input) are whose; owners are entered for those after."""
        shared: dict[str, str] = {}
        for index, (tensor, entry) in enumerate(zip(tensors, self.sources, strict=True)):
            source = (entry[0].name, entry[1]) if entry is not None else None
            if source in builder.owners:
                builder.owners[self.name, index] = builder.owners[source]
            shared |= builder.share(self.section, self.name, {tensor: (self.name, index)})
        return shared

    def add(
        self,
        builder: CudaConvnetBuilder,
        parts: Sequence[Layer],
        inputs: Sequence[str],
        written: Mapping[str, Any] = NOTHING,
        *,
        untied: bool = False,
    ) -> str:
        """One layer for one input; for several, their sum."""
        if len(parts) == 1 and (not untied or "untied_bias" in parts[0]._fields):
            layer = parts[0].replace(untied_bias=True) if untied else parts[0]
            shared = self.shared(builder, ("weight",))
            return builder.add(self, layer, inputs, shared=shared, written=written)
        layer = builder.layer(self.section, "conv_sum", parts=tuple(parts), untied_bias=untied)
        shared = self.shared(builder, [f"weight{i}" for i in range(len(parts))])
        return builder.add(self, layer, inputs, shared=shared)


class FullyConnected(Weighted):
    """fc: all of each input's values, with one bias an output.

    Several inputs are laid side by side, so that the layer is one and its neurons count once. Only
    where single matrices of several are shared, each input keeps its own (``split``), as a 1x1
    convolution over one position.
    """

    parts = 1

    def read(self) -> None:
        super().read()
        self.outputs = self.section.integer("outputs", least=1)
        self.split = False

    def extent(self, xs: Sequence[Extent]) -> Extent:
        for x, source in zip(xs, self.inputs, strict=True):
            if x.size % self.parts:
                raise self.section.error(
                    "'parts' must divide each input's values",
                    "parts",
                    values=f"parts {self.parts}, {source.name} has {x.size:,} values",
                )
        self.settle([(x.size, self.outputs) for x in xs])
        return Extent(self.outputs * self.parts)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        if not self.split:
            inputs = builder.alike(self, xs, channels=False)
            if len(inputs) > 1:
                inputs = [builder.make(self, "concat", inputs, ".inputs")]
            layer = builder.layer(self.section, "linear", features=y.channels)
            shared = self.shared(builder, ("weight",)) if len(xs) == 1 else NOTHING
            return builder.add(self, layer, inputs, shared=shared)
        inputs = [
            builder.make(self, "reshape", (builder.head(self, i),), f".values{i}", size=(-1, 1, 1))
            for i in range(len(xs))
        ]
        conv = builder.layer(
            self.section, "conv", filters=y.channels, kernel=(1, 1), groups=self.parts
        )
        name = self.add(builder, [conv] * len(xs), inputs)
        return builder.make(self, "flatten", (name,), ".outputs")


class SplitFullyConnected(FullyConnected):
    """sfc: ``parts`` layers of ``outputs`` units side by side, each on its share of the input."""

    def read(self) -> None:
        super().read()
        self.parts = self.section.integer("parts", least=1)
        self.split = True


class TreeFullyConnected(Weighted):
    """treefc: one output a class of a tree that stands with the data and not in this file."""

    arity = 1
    unknown = (
        "the classes of a treefc stand with the data and not in the file, so that its parameters, "
        "and the sizes after it, are not known"
    )

    def share(self, known: Mapping[str, Plan]) -> None:
        if any(self.section.words("weightSource", "")):
            raise self.section.error("a treefc can't share weights", "weightSource")


def split_shared(plans: Sequence[Plan]) -> None:
    """Mark the fc layers that share single matrices of several, and all that share with them."""
    shares: dict[str, list[FullyConnected]] = {}
    queue: list[FullyConnected] = []
    for plan in plans:
        if not isinstance(plan, FullyConnected):
            continue
        for entry in plan.sources:
            if entry is not None and isinstance(entry[0], FullyConnected):
                shares.setdefault(plan.name, []).append(entry[0])
                shares.setdefault(entry[0].name, []).append(plan)
                queue += [one for one in (plan, entry[0]) if len(one.inputs) > 1]
    while queue:
        plan = queue.pop()
        if not plan.split:
            plan.split = True
        for other in shares.pop(plan.name, ()):
            queue.append(other)
