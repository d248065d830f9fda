"""TFLite's operators that work value by value, or along axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....network import NOTHING
from ..layout import to_first
from ..values import NotUnderstood, Value, is_learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..builder import TfliteBuilder
    from ..model import Operator, TensorInfo


def _unary(kind: str, **fields: Any) -> Callable[[TfliteBuilder, Operator], None]:
    def rule(b: TfliteBuilder, op: Operator) -> None:
        b.emit(op, b.layer(op, kind, **fields), [b.value(op)])

    return rule


def _function(name: str) -> Callable[[TfliteBuilder, Operator], None]:
    return _unary("pointwise", function=name)


def leaky_relu(b: TfliteBuilder, op: Operator) -> None:
    slope = op.options.f32(0) if op.options else 0.0
    b.emit(op, b.layer(op, "leaky_relu", slope=slope), [b.value(op)])


def gelu(b: TfliteBuilder, op: Operator) -> None:
    approximate = bool(op.options and op.options.u8(0))
    b.emit(op, b.layer(op, "gelu", approximate=approximate), [b.value(op)])


def prelu(b: TfliteBuilder, op: Operator) -> None:
    """PRELU: a slope a channel, or one for all."""
    x, slope = b.value(op), b.tensor(op, 1)
    if slope is None or not slope.constant:
        raise NotUnderstood("its slopes are computed")
    channels = x.file[-1] if x.file else 1
    per_channel = slope.values == channels and slope.shape[-1:] == (channels,)
    plain_channels = x.first or len(x.file) == 2
    if slope.values != 1 and not (per_channel and plain_channels):
        raise NotUnderstood("its slopes are not one a channel")
    layer = b.layer(op, "prelu", shared=slope.values == 1)
    b.emit(op, layer, [x], weights={"weight": slope})


def softmax(kind: str) -> Callable[[TfliteBuilder, Operator], None]:
    """Over the file's last axis."""

    def rule(b: TfliteBuilder, op: Operator) -> None:
        x = b.value(op)
        axis = 1 if x.first else max(len(x.shape) - 1, 0)
        b.emit(op, b.layer(op, kind, axis=axis), [x])

    return rule


def lrn(b: TfliteBuilder, op: Operator) -> None:
    """x / (bias + alpha · Σ x²)^beta over 2 · radius + 1 channels; alpha is not divided."""
    options = op.options
    if options is None:
        raise op.error("it has no options")
    size = 2 * options.i32(0) + 1
    layer = b.layer(
        op, "lrn", size=size, alpha=options.f32(2) * size, beta=options.f32(3), k=options.f32(1)
    )
    b.emit(op, layer, [b.value(op)])


def dequantize(b: TfliteBuilder, op: Operator) -> None:
    """Of a constant (a model with weights of 16 bits) the constant itself."""
    tensor = b.tensor(op, 0)
    if b.computed(op, 0) is None and tensor is not None and tensor.constant:
        b.aliases[op.outputs[0]] = tensor.number
        return
    b.emit(op, b.layer(op, "pointwise", function="dequantize"), [b.value(op)])


def _lifted(b: TfliteBuilder, op: Operator, value: Value, rank: int, first: bool) -> Value:
    """The value with as many axes, and lying, as another, sizes of 1 put before it."""
    if value.first == first and len(value.shape) == rank:
        return value
    value = b.plain(op, value)
    sizes = value.shape
    sizes = (1,) * (rank - len(sizes)) + sizes
    wanted = to_first(sizes) if first else sizes
    if first and sum(n > 1 for n in sizes[1:]) > 1:
        order = (0, rank - 1, *range(1, rank - 1))
        if len(value.shape) != rank:
            lifted = b.layer(op, "reshape", size=sizes, whole=True)
            value = b.emit(op, lifted, [value], suffix="axes", first=False)
        turned = b.layer(op, "permute", order=order)
        return b.emit(op, turned, [value], suffix="channels_first", first=True)
    if wanted == value.sizes:
        return value._replace(first=first)
    layer = b.layer(op, "reshape", size=wanted, whole=True)
    return b.emit(op, layer, [value], suffix="axes", first=first)


def stored_sizes(
    b: TfliteBuilder, op: Operator, tensor: TensorInfo, rank: int, first: bool
) -> tuple[int, ...]:
    """A constant's sizes as they meet those of a computed value."""
    sizes = (1,) * (rank - len(tensor.shape)) + tensor.shape if rank > len(tensor.shape) else ()
    sizes = sizes or tensor.shape
    if not first:
        return sizes
    turned = to_first(sizes)
    while len(turned) > 1 and turned[0] == 1 and len(turned) > 3:
        turned = turned[1:]
    return turned


def _binary(
    kind: str, operation: str = "", *, function: str = "", activated: bool = False
) -> Callable[[TfliteBuilder, Operator], None]:
    """kind: of two computed values; operation: of one and a constant, as ``combine`` has it."""

    def rule(b: TfliteBuilder, op: Operator) -> None:
        fused = op.options.i8(0) if activated and op.options else 0
        fields = {"function": function} if function else {}
        values = [b.computed(op, place) for place in (0, 1)]
        known = [each for each in values if each is not None]
        if not known:
            raise NotUnderstood("its inputs are constants")
        if len(known) == 2:
            rank = max(len(each.shape) for each in known)
            first = any(each.first and len(each.shape) == rank for each in known)
            inputs = [_lifted(b, op, each, rank, first) for each in known]
            b.emit(op, b.layer(op, kind, **fields), inputs, fused=fused, first=first)
            return
        (x,) = known
        place = 0 if values[0] is None else 1
        tensor = b.tensor(op, place)
        if tensor is None or not tensor.constant:
            raise NotUnderstood("one of its inputs is left out")
        learned = is_learned(tensor)
        rank = len(x.shape)
        if len(tensor.shape) > rank:
            x = _lifted(b, op, x, len(tensor.shape), False)
            rank = len(tensor.shape)
        size = stored_sizes(b, op, tensor, rank, x.first)
        if operation:
            layer = b.layer(
                op, "combine", operation=operation, size=size, first=not place, learned=learned
            )
            parameter = "bias" if operation == "add" else "weight"
            weights: Mapping[str, TensorInfo] = {parameter: tensor} if learned else NOTHING
            b.emit(op, layer, [x], weights=weights, fused=fused, first=x.first)
            return
        constant = b.emit(
            op,
            b.layer(op, "tensor", size=size, learned=False),
            [],
            suffix="constant",
            first=x.first,
        )
        inputs = [constant, x] if place == 0 else [x, constant]
        b.emit(op, b.layer(op, kind, **fields), inputs, fused=fused, first=x.first)

    return rule


def add_n(b: TfliteBuilder, op: Operator) -> None:
    b.emit(op, b.layer(op, "add"), [b.value(op, place) for place in range(len(op.inputs))])


def squared_difference(b: TfliteBuilder, op: Operator) -> None:
    x, y = b.value(op, 0), b.value(op, 1)
    if x.first != y.first or len(x.shape) != len(y.shape):
        raise NotUnderstood("its inputs lie in two ways")
    difference = b.emit(op, b.layer(op, "subtract"), [x, y], suffix="difference")
    b.emit(op, b.layer(op, "square"), [difference])


def where(b: TfliteBuilder, op: Operator) -> None:
    """SELECT and SELECT_V2, of three computed values."""
    values = [b.value(op, place) for place in range(3)]
    rank = max(len(each.shape) for each in values)
    first = any(each.first and len(each.shape) == rank for each in values)
    inputs = [_lifted(b, op, each, rank, first) for each in values]
    b.emit(op, b.layer(op, "pointwise", function="where"), inputs, first=first)


GLOBAL = {"mean": "global_average_pool", "maximum": "global_max_pool"}


def reduce(operation: str) -> Callable[[TfliteBuilder, Operator], None]:
    """Along axes that a constant names; of an image's space, a global pool where we have it."""

    def rule(b: TfliteBuilder, op: Operator) -> None:
        x = b.value(op)
        keep = bool(op.options and op.options.u8(0))
        rank = len(x.shape)
        axes = b.numbers(op, 1)
        if not all(-rank <= axis < rank for axis in axes):
            raise op.error("an axis is outside its input", f"{axes}, {rank} axes")
        over = sorted({axis % rank for axis in axes})
        space = over == list(range(1, rank - 1))
        if x.first and space and operation in GLOBAL:
            b.emit(op, b.layer(op, GLOBAL[operation], keep=keep), [x], first=keep)
            return
        if x.first and not keep and not space:
            x = b.plain(op, x)
        ours = tuple(sorted(x.axis(axis) for axis in over))
        layer = b.layer(op, "reduce", operation=operation, axes=ours, keep=keep)
        b.emit(op, layer, [x], first=x.first and keep)

    return rule


def arg(operation: str) -> Callable[[TfliteBuilder, Operator], None]:
    def rule(b: TfliteBuilder, op: Operator) -> None:
        x = b.plain(op, b.value(op))
        (axis,) = b.numbers(op, 1)[:1] or (-1,)
        layer = b.layer(op, "reduce", operation=operation, axes=(axis,), keep=False)
        b.emit(op, layer, [x], first=False)

    return rule


RULES: dict[str, Callable[[TfliteBuilder, Operator], None]] = {
    "RELU": _unary("relu"),
    "RELU6": _unary("relu6"),
    "RELU_N1_TO_1": _function("clip"),
    "RELU_0_TO_1": _unary("clipped_relu", limit=1.0),
    "LEAKY_RELU": leaky_relu,
    "PRELU": prelu,
    "ELU": _unary("elu"),
    "GELU": gelu,
    "HARD_SWISH": _unary("hard_swish"),
    "LOGISTIC": _unary("sigmoid"),
    "TANH": _unary("tanh"),
    "SOFTMAX": softmax("softmax"),
    "LOG_SOFTMAX": softmax("log_softmax"),
    "EXP": _unary("exp"),
    "LOG": _unary("log"),
    "SQRT": _unary("sqrt"),
    "RSQRT": _unary("power", exponent=-0.5),
    "SQUARE": _unary("square"),
    "ABS": _unary("abs"),
    "CAST": _unary("identity"),
    "ZEROS_LIKE": _unary("identity"),
    **{
        kind: _function(name)
        for kind, name in {
            "NEG": "negative",
            "SIN": "sin",
            "COS": "cos",
            "FLOOR": "floor",
            "CEIL": "ceil",
            "ROUND": "round",
            "SIGN": "sign",
            "LOGICAL_NOT": "not",
            "FAKE_QUANT": "quantize",
            "QUANTIZE": "quantize",
            "L2_NORMALIZATION": "lp_normalize",
            "CUMSUM": "cumulative_sum",
        }.items()
    },
    "DEQUANTIZE": dequantize,
    "DENSIFY": dequantize,
    "LOCAL_RESPONSE_NORMALIZATION": lrn,
    "ADD": _binary("add", "add", activated=True),
    "SUB": _binary("subtract", "subtract", activated=True),
    "MUL": _binary("multiply", "multiply", activated=True),
    "DIV": _binary("pointwise", "divide", function="divide", activated=True),
    "MAXIMUM": _binary("maximum", "maximum"),
    "MINIMUM": _binary("minimum", "minimum"),
    "POW": _binary("pointwise", "power", function="power"),
    **{
        kind: _binary("pointwise", function=name)
        for kind, name in {
            "FLOOR_DIV": "divide",
            "FLOOR_MOD": "modulo",
            "EQUAL": "equal",
            "NOT_EQUAL": "equal",
            "GREATER": "greater",
            "GREATER_EQUAL": "greater_equal",
            "LESS": "less",
            "LESS_EQUAL": "less_equal",
            "LOGICAL_AND": "and",
            "LOGICAL_OR": "or",
        }.items()
    },
    "ADD_N": add_n,
    "SQUARED_DIFFERENCE": squared_difference,
    "SELECT": where,
    "SELECT_V2": where,
    "MEAN": reduce("mean"),
    "SUM": reduce("sum"),
    "REDUCE_MAX": reduce("maximum"),
    "REDUCE_MIN": reduce("minimum"),
    "REDUCE_PROD": reduce("product"),
    "REDUCE_ANY": reduce("maximum"),
    "REDUCE_ALL": reduce("minimum"),
    "ARG_MAX": arg("place_of_maximum"),
    "ARG_MIN": arg("place_of_minimum"),
}
