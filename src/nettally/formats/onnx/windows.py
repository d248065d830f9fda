"""Windows as ONNX's attributes have them: kernel, strides, pads, dilations, auto_pad, ceil_mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import MAX_DIM, Value, known, shown

if TYPE_CHECKING:
    from ...network import Layer
    from .builder import NodeCall
    from .proto import Dim, Dims

Pairs = tuple[tuple[int, int], ...]

WORDS = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
"""ONNX's words for a padding that keeps ⌈size / stride⌉, and ours."""


def per_axis(
    call: NodeCall, name: str, axes: int, default: int = 1, least: int = 1
) -> tuple[int, ...]:
    """An attribute with a number an axis. Raises ReadError for what ONNX does not allow."""
    values = call.ints(name)
    if values is None:
        return (default,) * axes
    if len(values) != axes:
        raise call.error(
            f"its attribute '{name}' has {len(values)} values for {axes} axes", f"{name} {values}"
        )
    for size in values:
        if not least <= size <= MAX_DIM:
            bound = "positive" if least else "not negative"
            raise call.error(f"its attribute '{name}' must be {bound}", f"{name} {values}")
    return tuple(values)


class Windows:
    """kernel, stride, dilation and padding of a node, and the output's size along each axis."""

    def __init__(self, call: NodeCall, kernel: tuple[int, ...], x: Dims | None) -> None:
        self.call = call
        axes = len(kernel)
        self.kernel = kernel
        self.stride = per_axis(call, "strides", axes)
        self.dilation = per_axis(call, "dilations", axes)
        self.word = call.word("auto_pad", "NOTSET") or "NOTSET"
        if self.word not in ("NOTSET", "VALID", *WORDS):
            raise call.error("its attribute 'auto_pad' has an unknown value", f"'{self.word}'")
        pads = per_axis(call, "pads", 2 * axes, 0, 0)
        if self.word != "NOTSET":
            pads = (0,) * (2 * axes)
        self.padding: Pairs = tuple(zip(pads[:axes], pads[axes:], strict=True))
        self.ceil = bool(call.int("ceil_mode"))
        self.span: list[int] = []
        for k, d in zip(kernel, self.dilation, strict=True):
            span = d * (k - 1) + 1
            if span > MAX_DIM:
                raise call.error("the dilated kernel is too large", f"kernel {k}, dilation {d}")
            self.span.append(span)
        if x is not None and len(x) != axes + 2:
            raise call.error(
                f"its kernel has {axes} axes of space, its input has {max(len(x) - 2, 0)}",
                f"kernel {shown(kernel)}, input {shown(x)}",
            )

    def space(self, x: Dims) -> list[Dim]:
        """The output's sizes of space; replaces an automatic padding by its numbers."""
        sizes: list[Dim] = []
        pairs: list[tuple[int, int]] = []
        for axis, size in enumerate(x[2:]):
            stride, span = self.stride[axis], self.span[axis]
            if type(size) is not int:
                sizes.append(None)
                pairs.append(self.padding[axis])
            elif self.word in WORDS:
                out = -(-size // stride)
                whole = max((out - 1) * stride + span - size, 0)
                less = whole // 2
                upper = self.word == "SAME_UPPER"
                pairs.append((less, whole - less) if upper else (whole - less, less))
                sizes.append(out)
            else:
                pairs.append(self.padding[axis])
                sizes.append(self.count(size, axis))
        self.padding = tuple(pairs)
        return sizes

    def count(self, size: int, axis: int) -> int:
        """How many windows fit; with ceil_mode one more may hang over the end.

        A window that would start beyond the input and its padding before is dropped, as the
        operators' texts say since version 19 and their reference implementation does.
        """
        before, after = self.padding[axis]
        stride = self.stride[axis]
        room = size + before + after - self.span[axis]
        if room < 0:
            raise self.call.error(
                "the window is larger than its input",
                f"size {size}, padding {before} and {after}, kernel {self.kernel[axis]}, "
                f"dilation {self.dilation[axis]}",
            )
        if not self.ceil:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count - 1 if (count - 1) * stride >= size + before else count

    @property
    def written(self) -> dict[str, str] | None:
        """The padding as the file has it, where it is a rule."""
        return {"padding": WORDS[self.word]} if self.word in WORDS else None

    @property
    def rounding(self) -> str:
        return "clip" if self.ceil and self.word not in WORDS else "down"


def kernel_of(call: NodeCall, w: Dims | None) -> tuple[int, ...] | None:
    """The kernel: the attribute, which the weights must fit, or else the weights' own sizes."""
    stated = call.ints("kernel_shape")
    if stated is not None:
        per_axis(call, "kernel_shape", len(stated))
        if w is not None and (
            len(stated) != len(w) - 2
            or any(a != b for a, b in zip(stated, w[2:], strict=True) if type(b) is int)
        ):
            raise call.error(
                "its kernel_shape is not its weights'", f"{shown(tuple(stated))}, {shown(w)}"
            )
        return tuple(stated)
    kernel = None if w is None else w[2:]
    if not known(kernel):
        return None
    if 0 in kernel:
        raise call.error("its kernel has a size of 0", f"weights {shown(w)}")
    return kernel


def image(call: NodeCall, place: int = 0) -> tuple[Value, Dims | None]:
    x = call.value(place)
    if x.shape is not None and len(x.shape) < 3:
        raise call.error("its input needs 3 axes at least", f"input {shown(x.shape)}")
    return x, x.shape


def arranged(call: NodeCall, size: Dims, data: list[Value]) -> Layer:
    """A layer that moves values by a rule of ONNX's own."""
    return call.b.layer(
        "arrange", type=call.node.op, size=size, of=tuple(value.shape for value in data)
    )
