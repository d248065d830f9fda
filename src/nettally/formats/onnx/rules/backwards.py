"""What a node reads, told from what it makes: the file states only its output's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values import known
from ..windows import WORDS, Windows, kernel_of
from .math import PLAIN
from .normalization import RULES as NORMALIZATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Shape
    from ..builder import NodeCall


def _same(call: NodeCall, out: Shape) -> Shape | None:
    return out


def _conv(call: NodeCall, out: Shape) -> Shape | None:
    """The smallest map that gives so many windows; with a stride, larger ones do too."""
    weight = call.value(1).shape
    kernel = kernel_of(call, weight)
    if kernel is None or not known(weight) or len(out) != len(weight):
        return None
    windows = Windows(call, kernel, None)
    space: list[int] = []
    for size, stride, span, pads in zip(
        out[2:], windows.stride, windows.span, windows.padding, strict=True
    ):
        if size < 1:
            return None
        least = (size - 1) * stride + (1 if windows.word in WORDS else span - sum(pads))
        space.append(max(least, 1))
    return (out[0], weight[1] * call.int("group", 1), *space)


def _product(call: NodeCall, out: Shape) -> Shape | None:
    """The left factor of a product by weights of two axes."""
    weight = call.value(1).shape
    if not known(weight) or len(weight) != 2 or call.int("transA") or not out:
        return None
    return (*out[:-1], weight[1 if call.int("transB") else 0])


BACKWARDS: dict[str, Callable[[NodeCall, Shape], Shape | None]] = {
    **dict.fromkeys((*PLAIN, *NORMALIZATIONS), _same),
    "Conv": _conv,
    "Gemm": _product,
    "MatMul": _product,
}
"""By operator: its first input's shape, from that of its output; None where it is not clear."""
