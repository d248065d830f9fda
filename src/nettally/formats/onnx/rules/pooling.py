"""Pools: over windows, over everything, over regions; and the inverse of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..proto import INT64
from ..values import Unknown, shown
from ..windows import Windows, arranged, image, per_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....network import Layer
    from ..builder import NodeCall
    from ..proto import Dim, Dims


def pool(kind: str, **fields: Callable[[NodeCall], Any]) -> Callable[[NodeCall], None]:
    def rule(call: NodeCall) -> None:
        x, shape = image(call)
        stated = call.ints("kernel_shape")
        if stated is None:
            raise call.error("its kernel_shape is missing")
        kernel = per_axis(call, "kernel_shape", len(stated))
        windows = Windows(call, kernel, shape)
        if shape is None:
            raise Unknown
        size = (shape[0], shape[1], *windows.space(shape))
        more = {name: value(call) for name, value in fields.items()}

        def make() -> Layer:
            return call.b.layer(
                kind,
                kernel=kernel,
                stride=windows.stride,
                padding=windows.padding,
                dilation=windows.dilation,
                rounding=windows.rounding,
                **more,
            )

        call.emit(size, make, [x], written=windows.written)
        if len(call.node.outputs) > 1 and call.node.outputs[1]:  # where each greatest one was
            call.emit(size, make, [x], place=1, dtype=INT64, written=windows.written)

    return rule


def _global(kind: str, **fields: Callable[[NodeCall], Any]) -> Callable[[NodeCall], None]:
    def rule(call: NodeCall) -> None:
        x, shape = image(call)
        if shape is None:
            raise Unknown
        size = (*shape[:2], *(1 for _ in shape[2:]))
        more = {name: value(call) for name, value in fields.items()}
        if kind == "reduce":
            more |= {"operation": "lp", "axes": tuple(range(2, len(shape)))}
        call.emit(size, lambda: call.b.layer(kind, **more), [x])

    return rule


def max_unpool(call: NodeCall) -> None:
    """MaxUnpool: the inverse of MaxPool's sizes, or output_shape."""
    _, shape = image(call)
    indices = call.value(1).shape
    if indices is not None and len(indices) < 2:
        raise call.error("its indices need 2 axes at least", f"indices {shown(indices)}")
    data = [v for v in call.inputs[:2] if v is not None]
    if call.get(2) is not None:
        size: Dims = tuple(call.integers(2))
    else:
        stated = call.ints("kernel_shape")
        if stated is None or shape is None:
            raise Unknown
        windows = Windows(call, per_axis(call, "kernel_shape", len(stated)), shape)
        size = (
            *shape[:2],
            *(
                (n - 1) * s - sum(pair) + k if type(n) is int else None
                for n, s, pair, k in zip(
                    shape[2:], windows.stride, windows.padding, windows.kernel, strict=True
                )
            ),
        )
    call.emit(size, lambda: arranged(call, size, data), data)


def roi_pool(call: NodeCall) -> None:
    """MaxRoiPool and RoiAlign: a map of one size for each region."""
    x, shape = image(call)
    rois = call.value(1)
    if call.node.op == "MaxRoiPool":
        stated = call.ints("pooled_shape")
        if stated is None:
            raise call.error("its pooled_shape is missing")
        space: tuple[int, ...] = per_axis(call, "pooled_shape", len(stated))
    else:
        space = (call.int("output_height", 1), call.int("output_width", 1))
        if min(space) < 1:
            raise call.error("its output has a size that can't be", shown(space))
    number: Dim = None
    if rois.shape:
        number = rois.shape[0]
    indices = call.get(2) if call.node.op == "RoiAlign" else None
    if indices is not None and indices.shape:
        count = indices.shape[0]
        if type(count) is int and type(number) is int and count != number:
            raise call.error(
                "it has more or fewer batch indices than regions", f"{count}, {number}"
            )
        number = count if type(number) is not int else number
    if shape is None:
        raise Unknown
    data = [v for v in call.inputs if v is not None and v.node is not None]
    size = (number, shape[1], *space)
    call.emit(size, lambda: call.b.layer("procedure", type=call.node.op, size=size),
              data or [x])  # fmt: skip


RULES: dict[str, Callable[[NodeCall], None]] = {
    "MaxPool": pool("max_pool"),
    "AveragePool": pool(
        "average_pool", count_padding=lambda call: bool(call.int("count_include_pad"))
    ),
    "LpPool": pool("lp_pool", power=lambda call: float(call.float("p", 2))),
    "GlobalMaxPool": _global("global_max_pool"),
    "GlobalAveragePool": _global("global_average_pool"),
    "com.microsoft:QLinearGlobalAveragePool": _global("global_average_pool"),
    "GlobalLpPool": _global("reduce"),
    "MaxUnpool": max_unpool,
    "MaxRoiPool": roi_pool,
    "RoiAlign": roi_pool,
}
