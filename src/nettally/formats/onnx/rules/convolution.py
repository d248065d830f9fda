"""Convolutions: plain, transposed, quantised, deformable."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..values import MAX_DIM, Unknown, Value, known, shown
from ..windows import WORDS, Pairs, Windows, image, kernel_of, per_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dim, Dims


def _weight_shape(call: NodeCall, place: int, least: int = 3) -> tuple[Value, Dims | None]:
    weight = call.weight(place)
    if weight is None:
        raise call.error("it has no weights", f"{len(call.inputs)} inputs")
    shape = weight.shape
    if shape is not None and len(shape) < least:
        raise call.error(f"its weights need {least} axes at least", f"weights {shown(shape)}")
    return weight, shape


def conv(
    call: NodeCall, weights: int = 1, biases: int | None = 2, dtype: int | None = None
) -> None:
    """Conv, and its relatives whose weights stand elsewhere among the inputs."""
    x, shape = image(call)
    try:
        weight, w = _weight_shape(call, weights)
        bias = call.weight(biases) if biases is not None else None
    except Unknown:
        _computed(call, x, shape, call.value(weights).shape, dtype)
        return
    _check_axes(call, shape, w)
    kernel = kernel_of(call, w)
    groups = call.int("group", 1)
    if kernel is None or w is None:
        raise Unknown
    filters = w[0]
    if bias is not None and known(bias.shape) and known((filters,)) and bias.shape != (filters,):
        raise call.error(
            "its bias does not fit its weights", f"bias {shown(bias.shape)}, weights {shown(w)}"
        )
    stored = {"weight": weight, "bias": bias}
    if shape is None:
        kind = partial(call.b.layer, "opaque", type=call.node.op)
        call.emit(None, kind, [x], weights=stored, dtype=0)  # as the file states it
        return
    windows = Windows(call, kernel, shape)
    _check_groups(call, shape, w, groups)
    space = windows.space(shape)
    call.emit(
        (shape[0], filters, *space),
        lambda: call.b.layer(
            "conv",
            filters=filters,
            kernel=kernel,
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            groups=groups,
            bias=bias is not None,
        ),
        [x],
        weights=stored,
        written=windows.written,
        dtype=dtype,
    )


def _check_axes(call: NodeCall, x: Dims | None, w: Dims | None) -> None:
    if x is not None and w is not None and len(w) != len(x):
        raise call.error(
            f"its weights have {len(w) - 2} axes of space, its input has {len(x) - 2}",
            f"weights {shown(w)}, input {shown(x)}",
        )


def _check_groups(call: NodeCall, x: Dims, w: Dims, groups: int) -> None:
    channels, seen, filters = x[1], w[1], w[0]
    if groups < 1:
        raise call.error("its group must be positive", f"group {groups}")
    if type(channels) is int and type(seen) is int and channels != seen * groups:
        raise call.error(
            "its weights are for another number of channels",
            f"input {shown(x)}, weights {shown(w)}, group {groups}",
        )
    if type(filters) is int and filters % groups:
        raise call.error("its groups must divide its filters", f"{filters} filters, {groups}")


def _computed(
    call: NodeCall, x: Value, shape: Dims | None, w: Dims | None, dtype: int | None
) -> None:
    """A convolution whose weights are computed: its size is known, its kind is not one of ours."""
    kernel = kernel_of(call, w)
    if shape is None or w is None or kernel is None:
        raise Unknown
    windows = Windows(call, kernel, shape)
    size = (shape[0], w[0], *windows.space(shape))
    call.b.note(f"{call.node.op} with weights that are computed from the data")
    data = [x, *(v for v in call.inputs[1:] if v is not None and v.node is not None)]
    call.emit(size, lambda: call.b.layer("opaque", type=call.node.op, size=size, whole=True), data,
              dtype=dtype)  # fmt: skip


def conv_transpose(call: NodeCall) -> None:
    """ConvTranspose: see ``_transposed_axes`` for its output's sizes."""
    x, shape = image(call)
    weight, w = _weight_shape(call, 1)
    bias = call.weight(2)
    _check_axes(call, shape, w)
    kernel = kernel_of(call, w)
    if kernel is None or shape is None or w is None:
        raise Unknown
    windows = Windows(call, kernel, shape)
    groups = call.int("group", 1)
    channels, per_group = shape[1], w[1]
    if groups < 1 or (type(channels) is int and type(w[0]) is int and channels != w[0]):
        raise call.error(
            "its weights are for another number of channels",
            f"input {shown(shape)}, weights {shown(w)}, group {groups}",
        )
    filters = per_group * groups if type(per_group) is int else None
    if filters is not None and filters > MAX_DIM:
        raise call.error("its filters are too many", f"{per_group} times {groups}")
    space, padding, output_padding = _transposed_axes(call, windows, shape[2:])
    if bias is not None and known(bias.shape) and bias.shape != (filters,):
        raise call.error(
            "its bias does not fit its weights", f"bias {shown(bias.shape)}, weights {shown(w)}"
        )
    call.emit(
        (shape[0], filters, *space),
        lambda: call.b.layer(
            "conv_transpose",
            filters=filters,
            kernel=kernel,
            stride=windows.stride,
            padding=padding,
            output_padding=output_padding,
            dilation=windows.dilation,
            groups=groups,
            bias=bias is not None,
        ),
        [x],
        weights={"weight": weight, "bias": bias},
    )


def _transposed_axes(
    call: NodeCall, windows: Windows, sizes: Dims
) -> tuple[Dims, Pairs, tuple[int, ...]]:
    """Of each axis of space: the output's size, the padding, and the output padding.

    The size is stride·(size - 1) + output_padding + span - pads, or the output_shape, from which
    the padding follows.
    """
    axes = len(sizes)
    extra = per_axis(call, "output_padding", axes, 0, 0)
    wanted = call.ints("output_shape")
    if wanted is not None:
        wanted = wanted[2:] if len(wanted) == axes + 2 else wanted
        if len(wanted) != axes or any(size < 0 for size in wanted):
            raise call.error("its output_shape can't be", f"output_shape {wanted}, {axes} axes")
    space: list[Dim] = []
    padding: list[tuple[int, int]] = []
    output_padding: list[int] = []
    for axis, size in enumerate(sizes):
        stride, span, more = windows.stride[axis], windows.span[axis], extra[axis]
        if type(size) is not int:
            padding.append((0, 0))
            output_padding.append(more)
            space.append(wanted[axis] if wanted else None)
            continue
        full = (size - 1) * stride + span + more
        if wanted is None and windows.word not in WORDS:
            pair = windows.padding[axis]
        else:
            cut = full - (wanted[axis] if wanted else size * stride)
            if cut < 0:  # the kernel is smaller than its stride: what is missing is added
                more, full, cut = more - cut, full - cut, 0
            less = cut // 2
            # the odd one is cut after for SAME_UPPER, else before (the operator's own text)
            pair = (less, cut - less) if windows.word == "SAME_UPPER" else (cut - less, less)
        out = full - sum(pair)
        if out < 0:
            kernel = windows.kernel[axis]
            raise call.error(
                "its padding cuts away the whole output",
                f"size {size}, kernel {kernel}, stride {stride}, pads {pair[0]} and {pair[1]}",
            )
        padding.append(pair)
        output_padding.append(more)
        space.append(out)
    return tuple(space), tuple(padding), tuple(output_padding)


def deform_conv(call: NodeCall) -> None:
    """DeformConv (Dai et al. 2017): a convolution whose taps are moved by offsets.

    Each tap is sampled where its offset says, which is a procedure that gives a map of the kernel's
    size for each position; what follows is a convolution that takes one such map a step.
    """
    x, shape = image(call)
    weight, w = _weight_shape(call, 1)
    bias = call.weight(3)
    kernel = kernel_of(call, w)
    if kernel is None or shape is None or w is None:
        raise Unknown
    windows = Windows(call, kernel, shape)
    groups = call.int("group", 1)
    _check_groups(call, shape, w, groups)
    space = windows.space(shape)
    data = [x, call.value(2)]
    mask = call.get(4)
    if mask is not None:
        data.append(mask)
    taps = tuple(n * k if type(n) is int else None for n, k in zip(space, kernel, strict=True))
    sampled = (*shape[:2], *taps)
    b = call.b
    samples = call.step(
        "sampled",
        sampled,
        lambda: b.layer("procedure", type="DeformConv", size=sampled, of=[v.sizes for v in data]),
        data,
    )
    call.emit(
        (shape[0], w[0], *space),
        lambda: b.layer(
            "conv",
            filters=w[0],
            kernel=kernel,
            stride=kernel,
            groups=groups,
            bias=bias is not None,
        ),
        [samples],
        weights={"weight": weight, "bias": bias},
    )


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Conv": conv,
    "com.microsoft:FusedConv": conv,
    "ConvInteger": lambda call: conv(call, 1, None, 6),
    "QLinearConv": lambda call: conv(call, 3, 8, call.value(7).dtype),
    "ConvTranspose": conv_transpose,
    "DeformConv": deform_conv,
}
