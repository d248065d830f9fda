"""Operators without weights that are no layer of ours: only what comes out of them is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..proto import INT32
from ..values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dims


def procedure(
    call: NodeCall, shape: Dims | None, data: list[Value], dtype: int | None = None
) -> None:
    """An output that is computed without weights, by steps that only the operator's name tells.

    Constants are left out of what it reads, unless there is nothing else.
    """
    b = call.b
    data = [value for value in data if value.node is not None] or data
    call.emit(
        shape,
        lambda: b.layer(
            "procedure", type=call.node.op, size=shape, of=tuple(v.sizes for v in data)
        ),
        data,
        dtype=dtype,
    )


def same(call: NodeCall) -> None:
    """A procedure that keeps the first input's shape: RotaryEmbedding, TensorScatter, Inverse."""
    x = call.value(0)
    data = [value for value in call.inputs if value is not None]
    procedure(call, x.shape, data, x.dtype)


def determinant(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None or len(x.shape) < 2:
        raise Unknown
    procedure(call, x.shape[:-2], [x])


def multinomial(call: NodeCall) -> None:
    x = call.value(0)
    if x.shape is None or len(x.shape) != 2:
        raise Unknown
    procedure(call, (x.shape[0], call.int("sample_size", 1)), [x], call.int("dtype", INT32))


def loss(call: NodeCall) -> None:
    """A loss: one number, or one for each target."""
    x, target = call.value(0), call.value(1)
    shape = target.shape if call.word("reduction", "mean") == "none" else ()
    if len(call.node.outputs) > 1:
        raise Unknown
    procedure(call, shape, [x, target], x.dtype)


def affine_grid(call: NodeCall) -> None:
    theta = call.value(0)
    sizes = call.contents(1)
    if sizes is None or len(sizes) not in (4, 5):
        raise Unknown
    whole = call.integers(1)
    procedure(call, (whole[0], *whole[2:], len(whole) - 2), [theta])


RULES: dict[str, Callable[[NodeCall], None]] = {
    **dict.fromkeys(("RotaryEmbedding", "TensorScatter"), same),
    **dict.fromkeys(("com.microsoft:RotaryEmbedding", "com.microsoft:Inverse"), same),
    "Det": determinant,
    "Multinomial": multinomial,
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), loss),
    "AffineGrid": affine_grid,
}
