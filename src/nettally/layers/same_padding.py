"""Paddings that a source states as a rule, worked out for the input at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import ceildiv
from ..errors import LayerError

if TYPE_CHECKING:
    from ..network import Layer, Node, Shape


def resolve(node: Node, xs: tuple[Shape, ...]) -> Layer:
    """The node's layer with its padding as its source wrote it, for inputs of these shapes.

    Where the source wrote ``same``, the padding depends on the input: along each axis it is
    max((⌈size / stride⌉ - 1) · stride + span - size, 0) in all, the odd pixel after (``same``,
    TensorFlow) or before (``same_lower``, ONNX), so that the output is ⌈size / stride⌉. Else the
    layer itself.
    """
    word = node.written.get("padding")
    if not isinstance(word, str):
        return node.layer
    layer = node.layer
    fields = layer.fields()
    x = xs[0]
    kernel, stride, dilation = fields["kernel"], fields["stride"], fields["dilation"]
    if len(x) != len(kernel) + 2:
        raise LayerError(
            f"'{word}' needs an input with {len(kernel)} axes of space",
            values="input " + "x".join(map(str, x)),
        )
    pairs: list[tuple[int, int]] = []
    for size, k, s, d in zip(x[2:], kernel, stride, dilation, strict=True):
        span = d * (k - 1) + 1
        if layer.kind == "conv_transpose":  # the padding of the direct layer, size · stride wide
            size = size * s
        whole = max((ceildiv(size, s) - 1) * s + span - size, 0)
        less = whole // 2
        pairs.append((less, whole - less) if word == "same" else (whole - less, less))
    changes: dict[str, object] = {"padding": tuple(pairs)}
    if layer.kind == "conv_transpose":
        changes["output_padding"] = tuple(
            max(s - (d * (k - 1) + 1), 0) for k, s, d in zip(kernel, stride, dilation, strict=True)
        )
    return layer.replace(**changes)
