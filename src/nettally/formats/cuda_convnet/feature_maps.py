"""The layers of cuda-convnet that read square maps and learn nothing: pools, norms, crops.

Sizes after the parsers of the same layers in the code's ``layer.py``, of the code of 2012 and of
cuda-convnet2.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any, ClassVar

from ...arith import ceildiv
from .builder import CudaConvnetBuilder, Extent, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ini import Section


class MapLayer(Plan):
    """A layer of one input that reads it as ``channels`` square maps."""

    arity = 1

    def read(self) -> None:
        self.channels = self.section.integer("channels", least=1)

    def wanted(self) -> tuple[int, ...]:
        return (self.channels,)

    def sized(self, x: Extent) -> Extent:
        """The input, as maps."""
        return Extent(self.channels, self.image(x, self.channels))

    def extent(self, xs: Sequence[Extent]) -> Extent:
        return self.sized(xs[0])

    def fits(self, key: str, window: int, side: int) -> None:
        """ReadError where a window is larger than its input."""
        if window > side:
            raise self.section.error(
                "the window is larger than its input", key, values=f"{key} {window}, input {side}"
            )


class Norm(MapLayer):
    """cmrnorm over neighbouring maps; rnorm and cnorm over neighbouring places of each map.

    The code divides ``scale`` by the number of values in the window (``NormLayerParser``), so it is
    our alpha; ``minDiv`` is k.
    """

    trained = True
    keeps_shape = True

    def read(self) -> None:
        super().read()
        section = self.section
        key = "sizeX" if "sizeX" in section and "size" not in section else "size"
        self.key, self.window = key, section.integer(key, least=1)
        self.known = "scale" in section  # the first cuda-convnet has them in the layer file
        self._numbers(section)
        if self.type == "cmrnorm" and self.window > self.channels:
            raise section.error(
                "the window is larger than the number of channels",
                key,
                values=f"{key} {self.window}, channels {self.channels}",
            )

    def _numbers(self, section: Section) -> None:
        self.alpha = section.number("scale", 1e-4)
        self.beta = section.number("pow", 0.75)
        self.k = section.number("minDiv", 1.0)

    def join(self, params: Section) -> None:
        super().join(params)
        self.known = True
        self._numbers(params)

    def extent(self, xs: Sequence[Extent]) -> Extent:
        x = self.sized(xs[0])
        if self.type != "cmrnorm":
            self.fits(self.key, self.window, x.side)
        return x

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        if self.section.boolean("blocked", False):
            builder.note(
                f"{self.name}: 'blocked' is read as if it were not there; no count depends on it"
            )
        if not self.known:
            builder.note(
                "scale and pow of the normalisations stand in the parameter file: 0.0001 and 0.75 "
                "stand in for them, and no count depends on them"
                if not builder.joined
                else f"{self.name}: the parameter file does not give its scale and pow"
            )
        kind = "contrast_norm" if self.type == "cnorm" else "lrn"
        across = "channels" if self.type == "cmrnorm" else "space"
        head = builder.maps(self, xs[0], self.channels)
        return builder.make(
            self,
            kind,
            (head,),
            size=self.window,
            alpha=self.alpha,
            beta=self.beta,
            k=self.k,
            across=across,
        )


class Blur(MapLayer):
    """blur: a fixed Gaussian."""

    keeps_shape = True

    def read(self) -> None:
        super().read()
        self.window = self.section.integer("filterSize", least=1)
        self.deviation = self.section.number("stdev")
        if self.window not in (3, 5, 7, 9):
            raise self.section.error(
                "'filterSize' of a blur is 3, 5, 7 or 9", "filterSize", values=f"{self.window}"
            )

    def extent(self, xs: Sequence[Extent]) -> Extent:
        x = self.sized(xs[0])
        self.fits("filterSize", self.window, x.side)
        return x

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        head = builder.maps(self, xs[0], self.channels)
        return builder.make(self, "blur", (head,), size=self.window, deviation=self.deviation)


class Reflect(MapLayer):
    """href: left and right exchanged."""

    keeps_shape = True

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        builder.note(f"{self.name}: the reflection moves values and does nothing else: identity")
        return builder.make(self, "identity", (builder.maps(self, xs[0], self.channels),))


class Recolor(MapLayer):
    """rgb2yuv, rgb2lab."""

    keeps_shape = True

    def read(self) -> None:
        self.channels = 3

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        head = builder.maps(self, xs[0], 3)
        return builder.make(self, "recolor", (head,), to=self.type.removeprefix("rgb2"))


class Pool(MapLayer):
    """pool: windows from ``start`` on, clipped at the far edge."""

    kinds: ClassVar[dict[str, str]] = {
        "max": "max_pool",
        "maxabs": "max_pool",
        "avg": "average_pool",
        "rand": "stochastic_pool",
    }

    def read(self) -> None:
        super().read()
        section = self.section
        self.window = section.integer("sizeX", least=1)
        self.stride = section.integer("stride", least=1)
        self.start = section.integer("start", 0, least=-(10**9))
        self.given = section.integer("outputsX", 0)
        self.pool = section.get("pool")
        if self.pool not in self.kinds:
            raise section.error(
                f"'pool' is one of {', '.join(self.kinds)}", "pool", values=self.pool[:60]
            )

    def extent(self, xs: Sequence[Extent]) -> Extent:
        side = self.sized(xs[0]).side
        self.fits("sizeX", self.window, side)
        outputs = self.given or ceildiv(side - self.start - self.window, self.stride) + 1
        if outputs < 1:
            raise self.section.error(
                "no window fits",
                "start",
                values=f"start {self.start}, sizeX {self.window}, input {side}",
            )
        return Extent(self.channels, outputs)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        side = self.sized(xs[0]).side
        head = builder.maps(self, xs[0], self.channels)
        room = side - self.start - self.window
        before, cut = max(-self.start, 0), max(self.start, 0)
        padding: Any = ((before, 0), (before, 0)) if before else 0
        rounding = "up"
        trim = 0
        if room < 0 or y.side != ceildiv(room, self.stride) + 1:
            # as many windows as are asked for: what they lack is put on, what they leave cut off
            after = (y.side - 1) * self.stride + self.window - (side - self.start)
            trim, after = max(-after, 0), max(after, 0)
            padding, rounding = ((before, after), (before, after)), "down"
        if cut or trim:
            head = builder.make(self, "crop", (head,), ".crop", border=((cut, trim), (cut, trim)))
        fields: dict[str, Any] = {"kernel": (self.window, self.window), "stride": self.stride}
        if self.pool == "avg":
            fields["count_padding"] = False
        if self.pool == "maxabs":
            builder.note(f"{self.name}: the greatest by absolute value, counted as max pooling")
        return builder.make(
            self, self.kinds[self.pool], (head,), padding=padding, rounding=rounding, **fields
        )


class MapPool(MapLayer):
    """cmpool: the greatest of neighbouring maps, place by place."""

    def read(self) -> None:
        super().read()
        section = self.section
        self.window = section.integer("size", least=1)
        self.stride = section.integer("stride", least=1)
        self.start = section.integer("start", 0, least=-(10**9))
        self.outputs = section.integer("outputs", least=1)
        if section.get("pool") != "max":
            raise section.error(
                "'pool' of a cmpool is max", "pool", values=section.get("pool")[:60]
            )
        covered = self.start + (self.outputs - 1) * self.stride + self.window
        if self.start > 0 or self.window > self.channels or covered < self.channels:
            raise section.error(
                "the windows of a cmpool must cover all channels",
                "size",
                values=f"start {self.start}, size {self.window}, stride {self.stride}, outputs "
                f"{self.outputs}: up to {covered} of {self.channels} channels",
            )
        self.after = covered - self.channels

    def extent(self, xs: Sequence[Extent]) -> Extent:
        return Extent(self.outputs, self.sized(xs[0]).side)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        head = builder.maps(self, xs[0], self.channels)
        places = y.side * y.side
        head = builder.make(self, "reshape", (head,), ".rows", size=(1, self.channels, places))
        head = builder.make(
            self,
            "max_pool",
            (head,),
            ".pool",
            kernel=(self.window, 1),
            stride=(self.stride, 1),
            padding=((-self.start, self.after), (0, 0)),
        )
        return builder.make(self, "reshape", (head,), size=(self.outputs, y.side, y.side))


class Nailbed(MapLayer):
    """nailbed: one value in ``stride`` along each axis, the grid in the middle."""

    def read(self) -> None:
        super().read()
        self.stride = self.section.integer("stride", least=1)

    def extent(self, xs: Sequence[Extent]) -> Extent:
        return Extent(self.channels, ceildiv(self.sized(xs[0]).side, self.stride))

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        side = self.sized(xs[0]).side
        start = (side - self.stride * (y.side - 1)) // 2
        head = builder.maps(self, xs[0], self.channels)
        step = self.stride
        head = builder.make(self, "slice", (head,), ".rows", axis=2, start=start, step=step)
        return builder.make(self, "slice", (head,), axis=3, start=start, step=step)


class Resize(MapLayer):
    """resize: by a fixed ``scale``; rscale: by a random one, then cut to ``tgtSize``."""

    def read(self) -> None:
        super().read()
        key, least, most = ("scale", 0.5, 2) if self.type == "resize" else ("maxScale", 1, 2)
        self.scale = self.section.number(key)
        if not least <= self.scale <= most:
            raise self.section.error(
                f"'{key}' lies between {least} and {most}", key, values=f"{self.scale}"
            )
        self.target = self.section.integer("tgtSize", least=1) if self.type == "rscale" else 0

    def extent(self, xs: Sequence[Extent]) -> Extent:
        side = self.sized(xs[0]).side
        least = floor(side / self.scale)
        if self.target and not least <= self.target <= side:
            raise self.section.error(
                "'tgtSize' lies between the input divided by maxScale, and the input",
                "tgtSize",
                values=f"tgtSize {self.target}, input {side}, maxScale {self.scale}",
            )
        if not self.target and least < 1:
            raise self.section.error("nothing is left", "scale", values=f"input {side}")
        return Extent(self.channels, self.target or least)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        head = builder.maps(self, xs[0], self.channels)
        return builder.make(self, "resize", (head,), size=(y.side, y.side))


class Crop(MapLayer):
    """crop: a square of ``sizeX`` from ``startX``, ``startY`` on."""

    def read(self) -> None:
        super().read()
        self.x = self.section.integer("startX")
        self.y = self.section.integer("startY", self.x)
        self.kept = self.section.integer("sizeX", least=1)

    def extent(self, xs: Sequence[Extent]) -> Extent:
        side = self.sized(xs[0]).side
        if max(self.x, self.y) + self.kept > side:
            raise self.section.error(
                "the crop reaches beyond its input",
                "sizeX",
                values=f"startX {self.x}, startY {self.y}, sizeX {self.kept}, input {side}",
            )
        return Extent(self.channels, self.kept)

    def build(self, builder: CudaConvnetBuilder, xs: Sequence[Extent], y: Extent) -> str:
        side = self.sized(xs[0]).side
        head = builder.maps(self, xs[0], self.channels)
        border = ((self.y, side - self.y - self.kept), (self.x, side - self.x - self.kept))
        return builder.make(self, "crop", (head,), border=border)
