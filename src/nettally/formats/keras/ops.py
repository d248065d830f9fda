"""Operations that are layers of a Functional: Keras 3's ``keras.ops``, TensorFlow 2's lambdas.

``x + 1`` in a model's code becomes an operation there. Keras 3 calls it Add, of the module
keras.src.ops.numpy; TensorFlow's Keras calls it TFOpLambda, of the function ``math.add`` or
``__operators__.add``; TensorFlow 2.0 to 2.3 called it TensorFlowOpLayer, with a node of a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..encodings.json import fields
from . import array_ops, nn_ops
from .op_arguments import integers, opaque_operation, stored_size
from .values import ACTIVATIONS, NEAR, activate

if TYPE_CHECKING:
    from collections.abc import Callable

    from .builder import LayerCall, Value

BINARY = {
    "add": "add",
    "addv2": "add",
    **dict.fromkeys(("addn", "accumulaten", "logaddexp"), "add"),
    **dict.fromkeys(("subtract", "sub"), "subtract"),
    **dict.fromkeys(("multiply", "mul"), "multiply"),
    **dict.fromkeys(("divide", "truediv", "truedivide", "realdiv"), "divide"),
    **dict.fromkeys(("dividenonan", "divnonan"), "divide"),
    **dict.fromkeys(("floordivide", "floordiv"), "divide"),
    **dict.fromkeys(("mod", "floormod"), "modulo"),
    **dict.fromkeys(("power", "pow"), "power"),
    "maximum": "maximum",
    "minimum": "minimum",
}
"""What there is between two tensors, by its name in small letters, without underscores."""

SAME = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh",
        "erf", "sign", "floor", "ceil", "round", "clip", "negative", "reciprocal")  # fmt: skip

UNARY: dict[str, tuple[str, dict[str, Any]]] = {
    **{word: ("pointwise", {"function": word}) for word in SAME},
    **{f"arc{word[1:]}": ("pointwise", {"function": word}) for word in SAME if word[0] == "a"},
    **dict.fromkeys(("sqrt", "rsqrt"), ("sqrt", {})),
    "square": ("square", {}),
    **dict.fromkeys(("exp", "expm1"), ("exp", {})),
    **dict.fromkeys(("log", "log1p", "log2", "log10"), ("log", {})),
    **dict.fromkeys(("abs", "absolute"), ("abs", {})),
    "neg": ("pointwise", {"function": "negative"}),
    "clipbyvalue": ("pointwise", {"function": "clip"}),
    "trunc": ("pointwise", {"function": "round"}),
    "isnan": ("pointwise", {"function": "is_nan"}),
    **dict.fromkeys(("isinf", "isfinite"), ("pointwise", {"function": "is_inf"})),
    "nantonum": ("pointwise", {"function": "clip"}),
    "logicalnot": ("pointwise", {"function": "not"}),
    "cumsum": ("pointwise", {"function": "cumulative_sum"}),
    "cumprod": ("pointwise", {"function": "cumulative_product"}),
    **dict.fromkeys(("cast", "saturatecast", "identity", "stopgradient", "copy"), ("identity", {})),
    **dict.fromkeys(("converttotensor", "array", "ensureshape"), ("identity", {})),
}
"""Functions of each value."""

COMPARE = {
    **dict.fromkeys(("equal", "notequal", "isclose"), "equal"),
    "greater": "greater",
    "greaterequal": "greater_equal",
    "less": "less",
    "lessequal": "less_equal",
    **dict.fromkeys(("logicaland", "bitwiseand"), "and"),
    **dict.fromkeys(("logicalor", "bitwiseor"), "or"),
    **dict.fromkeys(("logicalxor", "bitwisexor"), "xor"),
}

FUNCTIONS = {word.replace("_", ""): word for word in (*ACTIVATIONS, *NEAR, "glu")}

REDUCE = {
    **dict.fromkeys(("mean", "reducemean", "average"), "mean"),
    **dict.fromkeys(("sum", "reducesum", "countnonzero"), "sum"),
    **dict.fromkeys(("max", "reducemax", "amax", "any", "reduceany"), "maximum"),
    **dict.fromkeys(("min", "reducemin", "amin", "all", "reduceall"), "minimum"),
    **dict.fromkeys(("prod", "reduceprod"), "product"),
    **dict.fromkeys(("logsumexp", "reducelogsumexp"), "log_sum_exp"),
    "norm": "l2",
    "argmax": "place_of_maximum",
    "argmin": "place_of_minimum",
    **dict.fromkeys(("var", "reducevariance"), "variance"),
    **dict.fromkeys(("std", "reducestd"), "deviation"),
}
"""Many values to one, along axes."""


def keras_op(c: LayerCall) -> Any:
    """An operation of Keras 3, by the name of its class."""
    return _operation(c, c.spec.cls)


def lambda_op(c: LayerCall) -> Any:
    """TFOpLambda and SlicingOpLambda: a function's name."""
    function = c.spec.text("function", c.spec.text("symbol", ""))
    return _operation(c, function.rpartition(".")[2])


def graph_op(c: LayerCall) -> Any:
    """TensorFlowOpLayer: a node of a graph, whose constants stand beside."""
    node: Any = c.spec.get("node_def")
    if isinstance(node, str):
        import re

        match = re.search(r'op: ?"(\w+)"', node[:2000])
        word = match.group(1) if match else ""
    else:
        word = str((fields(node) or {}).get("op", ""))[:60]
    constants: Any = c.spec.get("constants", {})
    if constants and word.lower() not in BINARY:
        return opaque_operation(c, word)
    return _operation(c, word)


def _operation(c: LayerCall, name: str) -> Any:
    """One operation; opaque where it is not followed."""
    c.word = word = name.replace("_", "").lower()[:60]
    if word in OPERATIONS:
        return OPERATIONS[word](c)
    if word in BINARY:
        return _binary(c, BINARY[word])
    if word in UNARY:
        kind, settings = UNARY[word]
        return c.make(kind, c.x, **settings)
    if word in COMPARE:
        if len(c.inputs) == 2:
            return c.make("pointwise", c.alike(c.inputs), function=COMPARE[word])
        return c.make("pointwise", c.x, function="threshold")
    if word in FUNCTIONS:
        return activate(c, c.x, FUNCTIONS[word], main=True)
    if word in REDUCE:
        return _reduce(c, REDUCE[word])
    return opaque_operation(c, name)


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return None


def _binary(c: LayerCall, operation: str) -> Any:
    """Between two tensors, a tensor and a number, or a tensor and constants."""
    if len(c.inputs) >= 2:
        values = c.alike(c.inputs, stretch=False)
        if len({value.rank for value in values}) > 1:
            values = [c.plain(value) for value in values]
        kinds = ("add", "subtract", "multiply", "maximum", "minimum")
        if operation in kinds:
            return c.make(operation, values)
        return c.make("pointwise", values, function=operation)
    x = c.x
    args: list[Any] = [*c.inbound.args, *c.inbound.kwargs.values()] if c.inbound else []
    numbers = [each for each in map(_number, args) if each is not None]
    number = numbers[0] if numbers else None
    reversed_ = bool(args) and _number(args[0]) is not None
    constant = next((each for each in map(stored_size, args) if each is not None), None)
    if constant is not None and len(constant) <= x.rank:
        x = c.plain(x)
        return c.make(
            "combine",
            x,
            plain=True,
            operation=operation,
            size=constant,
            first=reversed_,
            learned=False,
        )
    if number is None:
        if not isinstance(c.spec.get("constants"), dict):
            return c.opaque("operations with what is not followed", operation)
        return c.make("affine", x)  # a constant of a graph, of one number or one a channel
    if operation == "add":
        return c.make("affine", x, offset=number)
    if operation == "subtract":
        return c.make("affine", x, slope=-1.0 if reversed_ else 1.0,
                      offset=number if reversed_ else -number)  # fmt: skip
    if operation == "multiply":
        return c.make("affine", x, slope=number)
    if operation == "divide" and not reversed_ and number:
        return c.make("affine", x, slope=1 / number)
    if operation == "power" and not reversed_:
        return c.make("power", x, exponent=number)
    if operation in ("maximum", "minimum"):
        return c.make("pointwise", x, function="clip")
    return c.make("pointwise", x, function="reciprocal")


def _where(c: LayerCall) -> Any:
    """One value or another, by a condition; a number in place of a tensor."""
    if len(c.inputs) < 2:
        return opaque_operation(c)
    values = c.alike(c.inputs)
    if len(values) == 2:
        return c.make("pointwise", values, function="greater")
    return c.make("pointwise", values, function="where")


def _bias_add(c: LayerCall) -> Value:
    size = c.spread(c.x, [1] * (c.x.rank - 2) + [c.x.sizes[-1]])
    return c.make("combine", operation="add", size=size, learned=False)


def _squared_difference(c: LayerCall) -> Value:
    return c.make("square", c.make("subtract", c.alike(c.inputs), ".difference"))


def _reduce(c: LayerCall, operation: str) -> Value:
    x = c.x
    axis = c.option(1, "axis")
    axes = integers(axis) if axis is not None else list(range(x.rank))
    if axes is None or any(not -x.rank <= each < x.rank for each in axes):
        raise c.error("its axis is outside its input", f"axis {axis!r:.40}, {x.rank} axes")
    keep = bool(c.option(2, "keepdims", default=False))
    over = tuple(sorted({each % x.rank for each in axes}))
    if over[:1] == (0,):
        return c.opaque("sums over the batch", operation)
    if operation in ("mean", "maximum") and over == tuple(range(1, x.rank - 1)) and x.rank > 2:
        kind = "global_average_pool" if operation == "mean" else "global_max_pool"
        return c.make(kind, c.first(x), keep=keep)
    x = c.plain(x)
    if operation == "variance":
        return nn_ops.spread_of(c, x, over, keep=keep)
    if operation == "deviation":
        return c.make(
            "sqrt", nn_ops.spread_of(c, x, over, keep=keep, suffix=".variance"), plain=True
        )
    return c.make("reduce", x, plain=True, operation=operation, axes=over, keep=keep)


OPERATIONS: dict[str, Callable[[LayerCall], Any]] = {
    "getitem": array_ops.get_item,
    "where": _where,
    "biasadd": _bias_add,
    "squareddifference": _squared_difference,
    "slice": array_ops.slice_of,
    "split": array_ops.split,
    **dict.fromkeys(("unstack", "unpack"), array_ops.unstack),
    **dict.fromkeys(("take", "gather", "gatherv2"), array_ops.take),
    "takealongaxis": array_ops.take_along,
    **dict.fromkeys(("concat", "concatenate", "concatv2", "append"), array_ops.concatenate),
    "hstack": array_ops.side_by_side,
    **dict.fromkeys(("stack", "pack"), array_ops.stack),
    "meshgrid": array_ops.mesh_grid,
    **dict.fromkeys(("sort", "argsort", "flip", "reverse", "roll", "rot90"), array_ops.same_size),
    **dict.fromkeys(("tril", "triu", "zeroslike", "oneslike", "fulllike"), array_ops.same_size),
    **dict.fromkeys(("sliceupdate", "scatterupdate"), array_ops.same_size),
    "transpose": array_ops.transpose,
    **dict.fromkeys(("swapaxes", "moveaxis"), array_ops.move_axes),
    "reshape": array_ops.reshape,
    "flatten": array_ops.flatten,
    "squeeze": array_ops.squeeze,
    "expanddims": array_ops.expand_dims,
    "tile": array_ops.tile,
    "repeat": array_ops.repeat,
    "broadcastto": array_ops.broadcast_to,
    **dict.fromkeys(("pad", "padv2"), array_ops.pad),
    **dict.fromkeys(("onehot", "multihot"), array_ops.one_hot),
    **dict.fromkeys(("topk", "topkv2"), array_ops.top_k),
    "extractpatches": array_ops.patches,
    **dict.fromkeys(("depthtospace", "spacetodepth"), array_ops.depth_and_space),
    **dict.fromkeys(("conv", "convolution", "conv1d", "conv2d", "conv3d"), nn_ops.convolution),
    **dict.fromkeys(("depthwiseconv", "depthwiseconv2d"), nn_ops.convolution),
    **dict.fromkeys(("separableconv", "separableconv2d"), nn_ops.convolution),
    **dict.fromkeys(("convtranspose", "conv1dtranspose"), nn_ops.convolution),
    **dict.fromkeys(("conv2dtranspose", "conv3dtranspose"), nn_ops.convolution),
    **dict.fromkeys(("maxpool", "maxpool1d", "maxpool2d", "maxpool3d"), nn_ops.pool),
    **dict.fromkeys(("averagepool", "avgpool", "avgpool1d", "avgpool2d", "avgpool3d"), nn_ops.pool),
    **dict.fromkeys(("adaptivemaxpool", "adaptiveaveragepool"), nn_ops.adaptive_pool),
    **dict.fromkeys(("resize", "resizebilinear", "resizenearestneighbor"), nn_ops.resize),
    **dict.fromkeys(("matmul", "batchmatmulv2"), nn_ops.matmul),
    "einsum": nn_ops.einsum,
    **dict.fromkeys(("dot", "tensordot", "inner", "outer", "vdot"), nn_ops.contraction),
    "dotproductattention": nn_ops.attention,
    **dict.fromkeys(("normalize", "l2normalize"), nn_ops.normalize),
    **dict.fromkeys(("batchnorm", "batchnormalization"), nn_ops.batch_norm),
    **dict.fromkeys(("rmsnorm", "rmsnormalization"), nn_ops.norm),
    **dict.fromkeys(("layernorm", "layernormalization"), nn_ops.norm),
    "moments": nn_ops.moments,
    "rgbtograyscale": nn_ops.grayscale,
}
"""Those that need more than a table, by their names in small letters, without underscores."""
