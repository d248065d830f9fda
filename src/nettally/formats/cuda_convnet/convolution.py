"""The convolutions of cuda-convnet: conv, and local, which shares no weights between places.

Sizes after ``ConvLayerParser`` and ``LocalLayerParser`` in the code's ``layer.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...arith import Num, Product, ceildiv
from ...network import NOTHING
from .builder import CudaConvnetBuilder, Extent
from .weights import Weighted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Layer

MAX_TABLE = 2**20
"""The largest table of connections (filters times channels seen) that is written out."""


class Part(NamedTuple):
    """One input of a convolution. seen: channels that one filter sees, where they are drawn."""

    channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    filters: int
    seen: int = 0


class Convolution(Weighted):
    """conv and local. Each input has its own window; what they give is added up."""

    def read(self) -> None:
        super().read()
        section, count = self.section, len(self.inputs)
        channels = section.integers("channels", count)
        kernel = section.integers("filterSize", count)
        filters = section.integers("filters", count)
        stride = section.integers("stride", count, 1)
        padding = section.integers("padding", count, 0, least=0)
        groups = section.integers("groups", count, 1)
        drawn = section.booleans("randSparse", count)
        seen = (0,) * count
        if any(drawn):
            filter_channels = section.integers("filterChannels", count, 0)
            seen = tuple(
                [
                    (filter_channels[i] or channels[i] // groups[i]) if drawn[i] else 0
                    for i in range(count)
                ]
            )
        self.parts = tuple(
            Part(*numbers)
            for numbers in zip(
                channels, kernel, stride, padding, groups, filters, seen, strict=True
            )
        )
        for part in self.parts:
            self._check(part)
        totals = [part.filters * part.groups for part in self.parts]
        if len(set(totals)) > 1:
            raise section.error(
                "all inputs must have the same number of filters",
                "filters",
                values=", ".join(f"{p.filters} x {p.groups} group(s)" for p in self.parts),
            )
        self.filters = totals[0]
        self.modules = section.integer("modulesX", 0)
        self.partial = section.integer("partialSum", 0) if self.type == "conv" else 0
        self.untied = self.type == "conv" and not section.boolean("sharedBiases", True)

    def _check(self, part: Part) -> None:
        if part.channels % part.groups:
            raise self.section.error(
                "the groups must divide the channels",
                "groups",
                values=f"channels {part.channels}, groups {part.groups}",
            )
        if part.seen and (
            part.groups == 1 or part.channels % part.seen or part.groups * part.seen % part.channels
        ):
            raise self.section.error(
                "randSparse needs more than one group, filterChannels that divide the channels, "
                "and channels that divide groups x filterChannels",
                "randSparse",
                values=f"groups {part.groups}, channels {part.channels}, filterChannels "
                f"{part.seen}",
            )
        if part.seen and part.seen * part.filters * part.groups > MAX_TABLE:
            raise self.section.error(
                "the connections are too many to be drawn",
                "randSparse",
                values=f"filters {part.filters * part.groups:,}, filterChannels {part.seen:,}",
            )

    def wanted(self) -> tuple[int, ...]:
        return tuple([part.channels for part in self.parts])

    def extent(self, xs: Sequence[Extent]) -> Extent:
        sides: list[int] = []
        for index, (part, x) in enumerate(zip(self.parts, xs, strict=True)):
            side = self.image(x, part.channels, index)
            if self.modules:
                sides.append(self._given(part, side))
                continue
            room = side + 2 * part.padding - part.kernel
            if room < 0:
                raise self.section.error(
                    "the filter is larger than its input",
                    "filterSize",
                    values=f"filterSize {part.kernel}, input {side}, padding {part.padding}",
                )
            sides.append(ceildiv(room, part.stride) + 1)
        if len(set(sides)) > 1:
            raise self.section.error(
                "all inputs must give an output of the same size",
                "inputs",
                values=", ".join(
                    f"{p.name} gives {side}x{side}"
                    for p, side in zip(self.inputs, sides, strict=True)
                ),
            )
        side = sides[0]
        if self.partial and side * side % self.partial:
            raise self.section.error(
                "partialSum must divide the number of modules",
                "partialSum",
                values=f"partialSum {self.partial}, modules {side}x{side} = {side * side}",
            )
        modules = side * side if self.type == "local" else 1
        self.settle(
            [
                (modules * p.kernel**2 * (p.seen or p.channels // p.groups), self.filters)
                for p in self.parts
            ]
        )
        return Extent(self.filters, side)

    def _given(self, part: Part, side: int) -> int:
        """``modulesX``, where its windows cover the input."""
        if self._after(part, side) < 0:
            raise self.section.error(
                "modulesX windows do not cover the whole input",
                "modulesX",
                values=f"modulesX {self.modules}, filterSize {part.kernel}, stride "
                f"{part.stride}, padding {part.padding}, input {side}",
            )
        return self.modules

    def _after(self, part: Part, side: int) -> int:
        """How far ``modulesX`` windows reach beyond the input."""
        return (self.modules - 1) * part.stride + part.kernel - part.padding - side

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        if self.type == "local" and any(p.seen * p.groups > p.channels for p in self.parts):
            builder.note(
                f"{self.name}: local with randSparse and overlapping groups is not counted"
            )
            heads = [builder.head(self, index) for index in range(len(xs))]
            layer = builder.layer(
                self.section, "opaque", type="local, randSparse", size=(y.channels, y.side, y.side)
            )
            return builder.add(self, layer, heads)
        inputs = [
            builder.maps(self, x, part.channels, index)
            for index, (x, part) in enumerate(zip(xs, self.parts, strict=True))
        ]
        parts = [self._part(builder, part, x) for part, x in zip(self.parts, xs, strict=True)]
        written: Mapping[str, Any] = NOTHING
        first = self.parts[0]
        if first.groups > 1 and parts[0].kind != "conv_map":
            factors = (Num(first.filters, "filters a group"), Num(first.groups, "groups"))
            written = {"filters": Num(self.filters, Product(factors))}
        return self.add(builder, parts, inputs, written, untied=self._unties(parts))

    def _unties(self, parts: Sequence[Layer]) -> bool:
        """Whether the sum's bias is one a unit: also for local, whose own class knows it."""
        return self.untied or (self.type == "local" and len(parts) > 1)

    def _part(self, builder: CudaConvnetBuilder, part: Part, x: Extent) -> Layer:
        side = self.image(x, part.channels) if not x.side else x.side
        fields: dict[str, Any] = {
            "kernel": (part.kernel, part.kernel),
            "stride": part.stride,
            "padding": part.padding,
            "rounding": "up",
        }
        if self.modules:
            ends = (part.padding, self._after(part, side))
            fields.update(padding=(ends, ends), rounding="down")
        if part.seen:
            builder.note(
                f"{self.name}: randSparse draws the channels that each group sees when training "
                "begins; the first in order stand in for them"
            )
            if part.seen * part.groups > part.channels:
                table = tuple(
                    tuple((group * part.seen + k) % part.channels for k in range(part.seen))
                    for group in range(part.groups)
                    for _ in range(part.filters)
                )
                return builder.layer(self.section, "conv_map", table=table, **fields)
        return builder.layer(
            self.section, self.type, filters=self.filters, groups=part.groups, **fields
        )
