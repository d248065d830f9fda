"""Convolutions: shared, local, transposed, over several inputs, over a table of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product, total
from ..errors import LayerError
from ..network import Layer, Shape, Window, Work, check_size
from .fields import (
    ROUNDINGS,
    by_axis,
    one_of,
    padded,
    per_axis,
    sides,
    space,
    spare,
    square,
    windows,
)
from .registry import layer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Windowed(Layer):
    """Shared by the layers that slide a window: the fields are settled, one value an axis."""

    batch_first = True

    kernel: Any = ()
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    rounding: str = "down"

    def __post_init__(self) -> None:
        state = self.__dict__
        kernel = square(state["kernel"], "kernel")
        axes = len(kernel)
        state["kernel"] = per_axis(kernel, axes, "kernel")
        state["stride"] = per_axis(state["stride"], axes, "stride")
        state["padding"] = sides(state["padding"], axes)
        state["dilation"] = per_axis(state["dilation"], axes, "dilation")
        one_of("rounding", state["rounding"], ROUNDINGS)

    def counts(self, x: Shape) -> tuple[int, ...]:
        """How many windows fit, an axis each."""
        kernel = self.kernel
        if len(x) != len(kernel) + 2:
            space(x, len(kernel), self.kind)
        return windows(x[2:], kernel, self.stride, self.padding, self.dilation, self.rounding)

    def spare(self, x: Shape) -> tuple[int, ...]:
        """Pixels that no window reads (positive), or that the last one overhangs (negative)."""
        return spare(x[2:], self.counts(x), self.kernel, self.stride, self.padding, self.dilation)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return tuple(
            Window(d * (k - 1) + 1, s, before)
            for k, s, (before, _), d in zip(
                self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )


@layer("conv")
class Conv(Windowed):
    """Convolution over any number of axes: y = bias + Σ weight · window.

    padding: one number, one an axis, or (before, after) pairs. rounding: see ``ROUNDINGS``.
    untied_bias: one bias a unit and not one a channel (cuda-convnet's sharedBiases=0).
    """

    weighted = True
    positional = ("filters", "kernel")

    filters: int = 0
    kernel: Any = ()
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    bias: bool = True
    rounding: str = "down"
    untied_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size("filters", self.filters)
        check_size("groups", self.groups)
        if int(self.filters) % int(self.groups):
            raise LayerError(
                "the groups must divide the filters",
                values=f"filters {self.filters}, groups {self.groups}",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if self.groups != 1 and int(x[1]) % int(self.groups):
            raise LayerError(
                "the groups must divide the input's channels",
                values=f"channels {x[1]}, groups {self.groups}",
            )
        return (x[0], self.filters, *self.counts(x))

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        x = xs[0]
        groups = self.groups
        weight = (self.filters, x[1] if groups == 1 else x[1] // groups, *self.kernel)
        if not self.bias:
            return {"weight": weight}
        if self.untied_bias:
            return {"weight": weight, "bias": (self.filters, *self.counts(x))}
        return {"weight": weight, "bias": (self.filters,)}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        groups = self.groups
        seen = xs[0][1] if groups == 1 else xs[0][1] // groups
        units = product((y[0], *y[2:], y[1]))  # space first, as papers write it: 55 · 55 · 96
        return Work(units * product(self.kernel) * seen, units if self.bias else 0)


@layer("local")
class Local(Conv):
    """Locally connected: a convolution whose every position has weights and biases of its own."""

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        x = xs[0]
        counts = self.counts(x)
        weight = (*counts, self.filters, x[1] // self.groups, *self.kernel)
        if not self.bias:
            return {"weight": weight}
        return {"weight": weight, "bias": (self.filters, *counts)}


@layer("conv_sum")
class ConvSum(Layer):
    """Convolutions of several inputs, one each, added up, with one bias (cuda-convnet)."""

    batch_first = True
    arity = 0
    weighted = True

    parts: tuple[Conv, ...] = ()
    bias: bool = True
    untied_bias: bool = False

    def __post_init__(self) -> None:
        if not self.parts:
            raise LayerError("conv_sum needs one part an input")
        if any(part.bias for part in self.parts):
            self.__dict__["parts"] = tuple(part.replace(bias=False) for part in self.parts)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        if len(xs) != len(self.parts):
            raise LayerError(
                "conv_sum has one part an input",
                values=f"{len(self.parts)} parts, {len(xs)} inputs",
            )
        shapes = [part.shape((x,)) for part, x in zip(self.parts, xs, strict=True)]
        if any(shape != shapes[0] for shape in shapes):
            raise LayerError(
                "the parts of a sum must agree in shape",
                values=", ".join(by_axis(shape[1:]) for shape in shapes),
            )
        return shapes[0]

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        tensors = {
            f"weight{i}": part.parameters((x,))["weight"]
            for i, (part, x) in enumerate(zip(self.parts, xs, strict=True))
        }
        if self.bias:
            y = self.shape(xs)
            tensors["bias"] = y[1:] if self.untied_bias else y[1:2]
        return tensors

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        macs = total(part.work((x,), y).macs for part, x in zip(self.parts, xs, strict=True))
        return Work(macs, product(y) if self.bias else 0)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        return self.windows(xs)[0]

    def windows(self, xs: tuple[Shape, ...]) -> tuple[tuple[Window, ...] | None, ...]:
        return tuple(part.window((x,)) for part, x in zip(self.parts, xs, strict=True))

    def named(self) -> Layer:
        fields = self.fields()
        fields["parts"] = tuple(part.named() for part in self.parts)
        return self._named(fields)


@layer("conv_map")
class ConvMap(Windowed):
    """Convolution over a table of connections: filter i sees only the channels ``table[i]``.

    LeCun et al. 1998, table I; ``nn.SpatialConvolutionMap`` in Torch.
    """

    weighted = True
    positional = ("kernel",)

    table: tuple[tuple[int, ...], ...] = ()
    kernel: Any = ()
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    bias: bool = True
    rounding: str = "down"

    def __post_init__(self) -> None:
        super().__post_init__()
        rows: Any = self.table
        if not rows or not all(isinstance(row, (tuple, list)) and row for row in rows):
            raise LayerError(
                "each filter must see a channel",
                values=f"table {rows}",
                hint="a list of channels for each filter: [[0, 1], [1, 2]]",
            )
        for row in rows:
            for channel in row:
                check_size("a channel of the table", channel, 0)
        self.__dict__["table"] = tuple(tuple(row) for row in rows)

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        highest = max(max(row) for row in self.table)
        if highest >= x[1]:
            raise LayerError(
                "the table names a channel that is not there",
                values=f"channels 0 to {x[1] - 1}, table has {highest}",
            )
        return (x[0], len(self.table), *self.counts(x))

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        weight = (total(len(row) for row in self.table), *self.kernel)
        return {"weight": weight, "bias": (len(self.table),)} if self.bias else {"weight": weight}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        pairs = total(len(row) for row in self.table)
        return Work(
            product((y[0], *y[2:], pairs)) * product(self.kernel),
            product(y) if self.bias else 0,
        )

    def named(self) -> Layer:
        fields = self.fields()
        table = fields.pop("table")
        layer = self._named(fields)
        layer.__dict__["table"] = table  # the table's entries are names of channels, not sizes
        return layer


@layer("conv_transpose")
class ConvTranspose(Layer):
    """Transposed convolution: (size - 1) · stride + span - padding + output_padding.

    Dumoulin and Visin 2016, relationship 13. padding: as the direct convolution has it (it cuts).
    """

    batch_first = True
    weighted = True
    positional = ("filters", "kernel")

    filters: int = 0
    kernel: Any = ()
    stride: Any = 1
    padding: Any = 0
    output_padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        state = self.__dict__
        kernel = square(state["kernel"], "kernel")
        axes = len(kernel)
        state["kernel"] = per_axis(kernel, axes, "kernel")
        state["stride"] = per_axis(state["stride"], axes, "stride")
        state["padding"] = sides(state["padding"], axes)
        state["output_padding"] = per_axis(state["output_padding"], axes, "output_padding", 0)
        state["dilation"] = per_axis(state["dilation"], axes, "dilation")
        check_size("filters", self.filters)
        check_size("groups", self.groups)
        if int(self.filters) % int(self.groups):
            raise LayerError(
                "the groups must divide the filters",
                values=f"filters {self.filters}, groups {self.groups}",
            )

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        x = xs[0]
        if int(x[1]) % int(self.groups):
            raise LayerError(
                "the groups must divide the input's channels",
                values=f"channels {x[1]}, groups {self.groups}",
            )
        sizes: list[int] = []
        for size, k, s, (before, after), d, extra in zip(
            space(x, len(self.kernel), self.kind),
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.output_padding,
            strict=True,
        ):
            span = k if d == 1 else d * (k - 1) + 1
            out = (size - 1) * s + span - (before + after) + extra
            if out < 1:
                raise LayerError(
                    "the padding cuts away the whole output",
                    values=f"input {by_axis(x[2:])}, kernel {by_axis(self.kernel)}, "
                    f"padding {padded(self.padding)}",
                )
            sizes.append(out)
        return (x[0], self.filters, *sizes)

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        groups = self.groups
        per_group = self.filters if groups == 1 else self.filters // groups
        weight = (xs[0][1], per_group, *self.kernel)
        return {"weight": weight, "bias": (self.filters,)} if self.bias else {"weight": weight}

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        # each input value is multiplied into each position of the kernel; what the padding cuts
        # off is counted too, as the frameworks' counters do
        groups = self.groups
        per_group = self.filters if groups == 1 else self.filters // groups
        macs = product(xs[0]) * product(self.kernel) * per_group
        return Work(macs, product(y) if self.bias else 0)

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        # An output at o takes the inputs i with before + o = i·stride + dilation·tap: those whose
        # places i·stride lie in the span that begins at o + before - (span - 1).
        return tuple(
            Window(d * (k - 1) + 1, 1, d * (k - 1) - before, s)
            for k, s, (before, _), d in zip(
                self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
