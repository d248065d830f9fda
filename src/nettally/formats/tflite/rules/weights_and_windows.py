"""TFLite's operators with weights or windows: convolutions, pools, products, recurrence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....network import NOTHING
from ..values import NotUnderstood, Value, is_learned, product

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ....network import Shape
    from ...encodings.flatbuffers import Table
    from ..builder import TfliteBuilder
    from ..model import Operator, TensorInfo

PADDINGS = {0: "same", 1: ""}


def _options(b: TfliteBuilder, op: Operator) -> Table:
    if op.options is None:
        raise op.error("it has no options: its stride and padding are not said")
    return op.options


def _padding(b: TfliteBuilder, op: Operator, number: int) -> str:
    if number not in PADDINGS:
        raise op.error("its padding is neither SAME nor VALID", f"{number}")
    return PADDINGS[number]


def _image(b: TfliteBuilder, op: Operator, place: int, axes: int) -> Value:
    x = b.value(op, place)
    if len(x.shape) != axes:
        raise op.error(f"its input has not {axes} axes", "x".join(map(str, x.file)))
    return x


def _bias(b: TfliteBuilder, op: Operator, place: int, count: int) -> TensorInfo | None:
    bias = b.tensor(op, place)
    if bias is None:
        return None
    if not bias.constant:
        raise NotUnderstood("its biases are computed")
    if bias.values != count:
        raise op.error("its biases are not one a channel", f"{bias.values:,}, {count:,} channels")
    return bias


def _weights(weight: TensorInfo, bias: TensorInfo | None) -> Mapping[str, TensorInfo]:
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def conv(b: TfliteBuilder, op: Operator) -> None:
    """CONV_2D: weights are filters, height, width, channels of a group."""
    options = _options(b, op)
    x, weight = _image(b, op, 0, 4), b.weight(op, 1, 4)
    filters, height, width, seen = weight.shape
    channels = x.file[-1]
    if channels % seen:
        raise op.error("its weights see other channels", f"{seen} of {channels}")
    bias = _bias(b, op, 2, filters)
    layer = b.layer(
        op,
        "conv",
        filters=filters,
        kernel=(height, width),
        stride=(options.i32(2), options.i32(1)),
        dilation=(options.i32(5, 1), options.i32(4, 1)),
        groups=channels // seen,
        bias=bias is not None,
    )
    padding = _padding(b, op, options.i8(0))
    b.emit(op, layer, [x], weights=_weights(weight, bias), padding=padding, fused=options.i8(3))


def depthwise(b: TfliteBuilder, op: Operator) -> None:
    """DEPTHWISE_CONV_2D: weights are 1, height, width, filters."""
    options = _options(b, op)
    x, weight = _image(b, op, 0, 4), b.weight(op, 1, 4)
    _, height, width, filters = weight.shape
    channels = x.file[-1]
    if weight.shape[0] != 1 or filters % channels:
        raise op.error("its weights are not some a channel", f"{weight.shape}, {channels} channels")
    bias = _bias(b, op, 2, filters)
    layer = b.layer(
        op,
        "conv",
        filters=filters,
        kernel=(height, width),
        stride=(options.i32(2), options.i32(1)),
        dilation=(options.i32(6, 1), options.i32(5, 1)),
        groups=channels,
        bias=bias is not None,
    )
    padding = _padding(b, op, options.i8(0))
    b.emit(op, layer, [x], weights=_weights(weight, bias), padding=padding, fused=options.i8(4))


def conv_3d(b: TfliteBuilder, op: Operator) -> None:
    """CONV_3D: weights are depth, height, width, channels of a group, filters."""
    options = _options(b, op)
    x, weight = _image(b, op, 0, 5), b.weight(op, 1, 5)
    *kernel, seen, filters = weight.shape
    channels = x.file[-1]
    if channels % seen:
        raise op.error("its weights see other channels", f"{seen} of {channels}")
    bias = _bias(b, op, 2, filters)
    layer = b.layer(
        op,
        "conv",
        filters=filters,
        kernel=tuple(kernel),
        stride=(options.i32(1), options.i32(3), options.i32(2)),
        dilation=(options.i32(5, 1), options.i32(7, 1), options.i32(6, 1)),
        groups=channels // seen,
        bias=bias is not None,
    )
    padding = _padding(b, op, options.i8(0))
    b.emit(op, layer, [x], weights=_weights(weight, bias), padding=padding, fused=options.i8(4))


def _transposed(
    b: TfliteBuilder, op: Operator, kernel: tuple[int, ...], filters: int, stride: tuple[int, ...],
    weight: TensorInfo, fused: int,
) -> None:  # fmt: skip
    """The padding follows from the output's size, which is the first input."""
    x = _image(b, op, 2, len(kernel) + 2)
    wanted = b.stated_of(op)
    if b.stated:
        tensor = b.tensor(op, 0)
        stated = None if tensor is None else b.graph.contents(tensor)
        if stated is not None and len(stated) == len(kernel) + 2:
            wanted = (stated[0], stated[-1], *stated[1:-1])
    padding: list[tuple[int, int]] = []
    extra: list[int] = []
    assert x.sizes is not None
    same = _padding(b, op, _options(b, op).i8(0)) == "same"
    for axis, (size, k, s) in enumerate(zip(x.sizes[2:], kernel, stride, strict=True)):
        out = wanted[axis + 2] if wanted else size * s if same else size * s + max(k - s, 0)
        over = (size - 1) * s + k - out
        padding.append((over // 2, over - over // 2) if over > 0 else (0, 0))
        extra.append(max(-over, 0))
    bias = _bias(b, op, 3, filters)
    layer = b.layer(
        op,
        "conv_transpose",
        filters=filters,
        kernel=kernel,
        stride=stride,
        padding=tuple(padding),
        output_padding=tuple(extra),
        bias=bias is not None,
    )
    b.emit(op, layer, [x], weights=_weights(weight, bias), fused=fused)


def transpose_conv(b: TfliteBuilder, op: Operator) -> None:
    """TRANSPOSE_CONV: output's size, weights (filters, height, width, channels), input."""
    options = _options(b, op)
    weight = b.weight(op, 1, 4)
    filters, height, width, _ = weight.shape
    stride = (options.i32(2), options.i32(1))
    _transposed(b, op, (height, width), filters, stride, weight, options.i8(3))


def transpose_conv_3d(b: TfliteBuilder, op: Operator) -> None:
    """CONV_3D_TRANSPOSE: as above, weights are depth, height, width, filters, channels."""
    options = _options(b, op)
    weight = b.weight(op, 1, 5)
    stride = (options.i32(1), options.i32(3), options.i32(2))
    _transposed(b, op, weight.shape[:3], weight.shape[3], stride, weight, options.i8(4))


def _pool(kind: str, **fields: Any) -> Callable[[TfliteBuilder, Operator], None]:
    def rule(b: TfliteBuilder, op: Operator) -> None:
        options = _options(b, op)
        layer = b.layer(
            op,
            kind,
            kernel=(options.i32(4), options.i32(3)),
            stride=(options.i32(2), options.i32(1)),
            **fields,
        )
        padding = _padding(b, op, options.i8(0))
        b.emit(op, layer, [_image(b, op, 0, 4)], padding=padding, fused=options.i8(5))

    return rule


def linear(b: TfliteBuilder, op: Operator) -> None:
    """FULLY_CONNECTED: the input as rows of as many values as the weights have columns."""
    x, tensor = b.value(op), b.tensor(op, 1)
    fused = op.options.i8(0) if op.options else 0
    keeps = bool(op.options and op.options.u8(2))
    if tensor is None or not tensor.constant:
        right = b.plain(op, b.value(op, 1))
        x = b.plain(op, x)
        layer = b.layer(op, "matmul", flip_right=True)
        if b.tensor(op, 2) is not None or len(x.shape) < 2:
            raise NotUnderstood("its weights are computed")
        b.emit(op, layer, [x, right], fused=fused, first=False)
        return
    weight = b.weight(op, 1, 2)
    features, columns = weight.shape
    bias = _bias(b, op, 2, features)
    weights = _weights(weight, bias)
    sizes: Shape = x.shape
    rank = len(sizes)
    fields = {"features": features, "bias": bias is not None}
    whole = rank > 1 and product(sizes[1:]) == columns and not (keeps and rank > 2)
    if whole:
        b.emit(op, b.layer(op, "linear", **fields), [x], weights=weights, fused=fused, first=False)
        return
    x = b.plain(op, x)
    sizes = x.shape
    if not (keeps and rank > 1 and sizes[-1] == columns):
        if product(sizes) % columns:
            raise op.error(
                "its input does not come out even in rows of its weights",
                f"{'x'.join(map(str, sizes))}, {columns} columns",
            )
        if rank != 2 or sizes[-1] != columns:
            rows = b.layer(op, "reshape", size=(product(sizes) // columns, columns), whole=True)
            x = b.emit(op, rows, [x], suffix="rows", first=False)
    layer = b.layer(op, "linear", axis=-1, **fields)
    b.emit(op, layer, [x], weights=weights, fused=fused, first=False)


def matmul(b: TfliteBuilder, op: Operator) -> None:
    """BATCH_MATMUL, of two computed factors, or of one and a constant."""
    options = op.options
    flips = (bool(options and options.u8(0)), bool(options and options.u8(1)))
    left, right = b.computed(op, 0), b.computed(op, 1)
    fields: dict[str, Any] = {"flip_left": flips[0], "flip_right": flips[1]}
    weights: Mapping[str, TensorInfo] = NOTHING
    inputs = [b.plain(op, each) for each in (left, right) if each is not None]
    if left is None or right is None:
        stored = b.tensor(op, 0 if left is None else 1)
        if stored is None or not stored.constant or not inputs:
            raise NotUnderstood("its factors are constants")
        fields |= {"weight": stored.shape, "left": left is None}
        weights = {"weight": stored}
    b.emit(op, b.layer(op, "matmul", **fields), inputs, weights=weights, first=False)


def lstm(b: TfliteBuilder, op: Operator) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: 4 weights of the input, 4 of the state, peepholes, 4 biases."""
    x = b.plain(op, b.value(op))
    options = op.options
    if options is None or options.u8(3):
        raise NotUnderstood("time comes first")
    tensors = [b.tensor(op, place) for place in range(len(op.inputs))]
    present = [i for i, each in enumerate(tensors) if each is not None and each.constant]
    if present != [*range(1, 9), *range(12, 16)]:
        raise NotUnderstood("it has peepholes, projections or coupled gates")
    weight = b.weight(op, 1, 2)
    if len(x.shape) != 3 or x.shape[-1] != weight.shape[1]:
        raise op.error("its weights see other values", f"{weight.shape}")
    layer = b.layer(op, "lstm", features=weight.shape[0], biases=1)
    b.emit(op, layer, [x], first=False)


def embedding(b: TfliteBuilder, op: Operator) -> None:
    """EMBEDDING_LOOKUP: indices, then the table."""
    table = b.tensor(op, 1)
    if table is None or not table.constant or not table.shape:
        raise NotUnderstood("its table is computed")
    layer = b.layer(op, "embedding", rows=table.shape[0], size=table.shape[1:])
    b.emit(op, layer, [b.plain(op, b.value(op))], weights={"weight": table}, first=False)


def gather(b: TfliteBuilder, op: Operator) -> None:
    """GATHER: of a learned table an embedding, else entries of what is computed."""
    options = op.options
    axis = options.i32(0) if options else 0
    batch = options.i32(1) if options else 0
    table, indices = b.tensor(op, 0), b.computed(op, 1)
    if batch:
        raise NotUnderstood("it gathers an example at a time")
    if b.computed(op, 0) is None:
        if table is None or indices is None or not is_learned(table) or axis:
            raise NotUnderstood("it gathers constants")
        layer = b.layer(op, "embedding", rows=table.shape[0], size=table.shape[1:])
        b.emit(op, layer, [b.plain(op, indices)], weights={"weight": table}, first=False)
        return
    x = b.plain(op, b.value(op))
    rank = len(x.shape)
    if indices is None:
        constant = b.tensor(op, 1)
        if constant is None:
            raise NotUnderstood("it gathers nothing")
        axis %= max(rank, 1)
        sizes = x.shape
        size = (*sizes[:axis], *constant.shape, *sizes[axis + 1 :])
        layer = b.layer(op, "arrange", type="GATHER", size=size, of=(sizes,))
        b.emit(op, layer, [x], first=False)
        return
    layer = b.layer(op, "gather", axis=axis % max(rank, 1))
    b.emit(op, layer, [x, b.plain(op, indices)], first=False)


RULES: dict[str, Callable[[TfliteBuilder, Operator], None]] = {
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "CONV_3D": conv_3d,
    "TRANSPOSE_CONV": transpose_conv,
    "CONV_3D_TRANSPOSE": transpose_conv_3d,
    "MAX_POOL_2D": _pool("max_pool"),
    "AVERAGE_POOL_2D": _pool("average_pool", count_padding=False),
    "L2_POOL_2D": _pool("lp_pool"),
    "FULLY_CONNECTED": linear,
    "BATCH_MATMUL": matmul,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    "EMBEDDING_LOOKUP": embedding,
    "GATHER": gather,
}
