"""Functions of the values in the same place of several tensors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..proto import BOOL
from ..values import Value, known
from .linear import broadcast_shapes, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall


def _binary(call: NodeCall, operation: str, dtype: int | None = None) -> None:
    a, b = call.value(0), call.value(1)
    shape = None
    if a.shape is not None and b.shape is not None:
        if call.opset < 7 and (call.int("broadcast") or "axis" in call.node.attributes):
            b = _aligned(call, a, b)
            assert b.shape is not None
        shape = broadcast_shapes(call, a.shape, b.shape)
    call.b.combined(call, operation, a, b, shape, dtype)


def _aligned(call: NodeCall, a: Value, b: Value) -> Value:
    """Before version 7 the second tensor's first axis lay under the first one's ``axis``."""
    assert a.shape is not None
    assert b.shape is not None
    axis = call.int("axis", len(a.shape) - len(b.shape))
    missing = len(a.shape) - axis - len(b.shape)
    if not 0 <= axis <= len(a.shape) or missing <= 0 or not known(b.shape):
        return b
    shape = (*b.shape, *(1,) * missing)
    if b.constant:
        stretched = b.view(b.name, shape, b.dtype)
        stretched.contents, stretched.tensor = b.contents, b.tensor
        return stretched
    return call.step(
        "stretched", shape, lambda: call.b.layer("reshape", size=shape, whole=True), [b]
    )


def binary(operation: str, dtype: int | None = None) -> Callable[[NodeCall], None]:
    return partial(_binary, operation=operation, dtype=dtype)


def several(call: NodeCall, kind: str) -> None:
    """Sum, Mean, Max, Min of any number of tensors."""
    values = [value for value in call.inputs if value is not None]
    if not values:
        raise call.error("it has no inputs")
    if len(values) == 1:
        call.emit(values[0].shape, lambda: call.b.layer("identity"), values)
        return
    shape = None
    shapes = [value.shape for value in values]
    if all(each is not None for each in shapes):
        shape = broadcast_shapes(call, *shapes)  # type: ignore[arg-type] - none of them is None
    if len(values) == 2 and kind != "average":
        call.b.combined(call, kind, values[0], values[1], shape)
        return
    call.emit(shape, lambda: call.b.layer(kind), values)


def where(call: NodeCall) -> None:
    values = [call.value(place) for place in range(3)]
    for value in values[1:]:
        if value.constant and not all(each.constant for each in values):
            call.b.set_apart(call, "choose", value, None)
    shape = None
    if all(value.shape is not None for value in values):
        shape = broadcast_shapes(call, *[value.shape for value in values])  # type: ignore[misc] - none of them is None
    call.emit(
        shape,
        lambda: call.b.layer("pointwise", function="where"),
        values,
        dtype=values[1].dtype,
    )


def quantized_binary(call: NodeCall, operation: str) -> None:
    """com.microsoft's QLinearAdd and QLinearMul: A, its scale and zero point, B, its own, ..."""
    a, b, shape = real(call.value(0)), real(call.value(3)), None
    if a.shape is not None and b.shape is not None:
        shape = broadcast_shapes(call, a.shape, b.shape)
    call.b.combined(call, operation, a, b, shape, call.value(0).dtype)


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Add": binary("add"),
    "Sub": binary("subtract"),
    "Mul": binary("multiply"),
    "Div": binary("divide"),
    "Pow": binary("power"),
    "Mod": binary("modulo"),
    "Equal": binary("equal", BOOL),
    "Greater": binary("greater", BOOL),
    "GreaterOrEqual": binary("greater_equal", BOOL),
    "Less": binary("less", BOOL),
    "LessOrEqual": binary("less_equal", BOOL),
    "And": binary("and", BOOL),
    "Or": binary("or", BOOL),
    "Xor": binary("xor", BOOL),
    "BitwiseAnd": binary("bit_and"),
    "BitwiseOr": binary("bit_or"),
    "BitwiseXor": binary("bit_xor"),
    "BitShift": binary("shift_left"),
    "Sum": partial(several, kind="add"),
    "Mean": partial(several, kind="average"),
    "Max": partial(several, kind="maximum"),
    "Min": partial(several, kind="minimum"),
    "Where": where,
    "com.microsoft:QLinearAdd": partial(quantized_binary, operation="add"),
    "com.microsoft:QLinearMul": partial(quantized_binary, operation="multiply"),
}
