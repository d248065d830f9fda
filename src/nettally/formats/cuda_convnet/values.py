"""The layers of cuda-convnet that need no maps and learn nothing: data, costs, sums, activations.

Sizes after the parsers of the same layers in the code's ``layer.py``, of the code of 2012 and of
cuda-convnet2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .builder import CudaConvnetBuilder, Extent, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ini import Section


class Data(Plan):
    """data: what the data provider gives; the file says its size only by ``start`` and ``end``."""

    def read(self) -> None:
        self.index = self.section.integer("dataIdx")
        self.values = 0
        if "end" in self.section:
            start, end = self.section.integer("start", 0), self.section.integer("end")
            if end <= start:
                raise self.section.error(
                    "'end' must lie after 'start'", "end", values=f"start {start}, end {end}"
                )
            self.values = end - start


class Cost(Plan):
    """cost.*: what training makes small. It has no output."""

    trained = True


class Same(Plan):
    """A layer whose output has its input's size."""

    arity = 1
    keeps_shape = True


class Neuron(Same):
    """neuron: an activation that stands by itself."""

    sizeless = True

    def read(self) -> None:
        if not self.neurons:
            raise self.section.error("'neuron' is missing", hint="add a line neuron=relu")
        self.chain, self.neurons = self.neurons, []

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        return builder.activate(self, self.chain, builder.head(self), "")


class Dropout(Same):
    """hs, dropout, dropout2: each value is kept with the chance ``keep``."""

    trained = sizeless = True

    def read(self) -> None:
        self._keep(self.section)

    def join(self, params: Section) -> None:
        super().join(params)
        if self.type != "hs":
            self._keep(params)
        if not params.boolean("enable", True):
            self.keep = 1.0

    def _keep(self, section: Section) -> None:
        self.keep = section.number("keep", 0.5)
        if not 0 < self.keep <= 1:
            raise section.error("'keep' is a chance", "keep", values=f"keep {self.keep}")

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        return builder.make(self, "dropout", (builder.head(self),), rate=1 - self.keep)


class Softmax(Same):
    """softmax, over all of its input's values."""

    sizeless = True

    def extent(self, xs: Sequence[Extent]) -> Extent:
        return Extent(xs[0].size)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        return builder.make(self, "softmax", (builder.values(self, xs[0]),))


class Concat(Plan):
    """concat, pass: the inputs one after another (pass: without copying them)."""

    def extent(self, xs: Sequence[Extent]) -> Extent:
        if len({x.side for x in xs}) == 1:
            return Extent(sum(x.channels for x in xs), xs[0].side)
        return Extent(sum(x.size for x in xs))

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        return builder.make(self, "concat", builder.alike(self, xs, channels=False))


class Elementwise(Plan):
    """eltsum with its ``coeffs``, eltmax: value by value."""

    def read(self) -> None:
        self.factors = self.section.numbers("coeffs", len(self.inputs), 1.0)
        if self.type == "eltmax" and len(self.inputs) < 2:
            raise self.section.error("eltmax needs two inputs or more", "inputs")

    def join(self, params: Section) -> None:
        super().join(params)
        if "coeffs" in params:
            self.factors = params.numbers("coeffs", len(self.inputs), 1.0)

    def extent(self, xs: Sequence[Extent]) -> Extent:
        if len({x.size for x in xs}) > 1:
            raise self.section.error(
                "all inputs must have the same size",
                "inputs",
                values=", ".join(
                    f"{source.name} {x}" for source, x in zip(self.inputs, xs, strict=True)
                ),
            )
        return xs[0] if len(set(xs)) == 1 else Extent(xs[0].size)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        inputs = builder.alike(self, xs, channels=True)
        if self.type == "eltmax":
            return builder.make(self, "maximum", inputs)
        for index, factor in enumerate(self.factors):
            if factor != 1:
                scaled = builder.make(
                    self, "affine", (inputs[index],), f".coeff{index}", slope=factor
                )
                inputs[index] = scaled
        return builder.make(self, "add", inputs)


class Sum(Plan):
    """sum: one output for ``stride`` values, their sum (here: their mean, times their number)."""

    arity = 1

    def read(self) -> None:
        self.stride = self.section.integer("stride", 1, least=1)

    def extent(self, xs: Sequence[Extent]) -> Extent:
        if xs[0].size % self.stride:
            raise self.section.error(
                "'stride' must divide the number of values",
                "stride",
                values=f"stride {self.stride}, {xs[0].size:,} values",
            )
        return Extent(xs[0].size // self.stride)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        rows = (y.channels, self.stride)
        head = builder.make(self, "reshape", (builder.head(self),), ".rows", size=rows)
        head = builder.make(self, "global_average_pool", (head,), ".mean", keep=False)
        return builder.make(self, "affine", (head,), slope=float(self.stride))
