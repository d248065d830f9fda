"""Operations that are layers of a Functional: Keras 3's ``keras.ops``, TensorFlow 2's lambdas.

``x + 1`` in a model's code becomes an operation there. Keras 3 calls it Add, of the module
keras.src.ops.numpy; TensorFlow's Keras calls it TFOpLambda, of the function ``math.add`` or
``__operators__.add``; TensorFlow 2.0 to 2.3 called it TensorFlowOpLayer, with a node of a graph.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..encodings.json import array, fields
from .merging import joined, reshaped
from .values import ACTIVATIONS, activate

if TYPE_CHECKING:
    from .builder import LayerCall, Value

BINARY = {
    "add": "add",
    "subtract": "subtract",
    "sub": "subtract",
    "multiply": "multiply",
    "mul": "multiply",
    "divide": "divide",
    "truediv": "divide",
    "true_divide": "divide",
    "realdiv": "divide",
    "maximum": "maximum",
    "minimum": "minimum",
    "power": "power",
    "pow": "power",
    "addv2": "add",
}

UNARY: dict[str, tuple[str, dict[str, Any]]] = {
    "sqrt": ("sqrt", {}),
    "rsqrt": ("sqrt", {}),
    "square": ("square", {}),
    "exp": ("exp", {}),
    "log": ("log", {}),
    "abs": ("abs", {}),
    "absolute": ("abs", {}),
    "negative": ("pointwise", {"function": "negative"}),
    "neg": ("pointwise", {"function": "negative"}),
    "reciprocal": ("pointwise", {"function": "reciprocal"}),
    "sin": ("pointwise", {"function": "sin"}),
    "cos": ("pointwise", {"function": "cos"}),
    "erf": ("pointwise", {"function": "erf"}),
    "clip": ("pointwise", {"function": "clip"}),
    "clip_by_value": ("pointwise", {"function": "clip"}),
    "sign": ("pointwise", {"function": "sign"}),
    "floor": ("pointwise", {"function": "floor"}),
    "round": ("pointwise", {"function": "round"}),
    "logical_not": ("pointwise", {"function": "not"}),
    "cast": ("identity", {}),
    "identity": ("identity", {}),
    "stop_gradient": ("identity", {}),
    "copy": ("identity", {}),
}

COMPARE = {
    "equal": "equal",
    "not_equal": "equal",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "less": "less",
    "less_equal": "less_equal",
    "logical_and": "and",
    "logical_or": "or",
}

REDUCE = {
    "mean": "mean",
    "reduce_mean": "mean",
    "sum": "sum",
    "reduce_sum": "sum",
    "max": "maximum",
    "reduce_max": "maximum",
    "amax": "maximum",
    "min": "minimum",
    "reduce_min": "minimum",
    "amin": "minimum",
    "prod": "product",
    "reduce_prod": "product",
    "argmax": "place_of_maximum",
    "argmin": "place_of_minimum",
}


def keras_op(c: LayerCall) -> Any:
    """An operation of Keras 3, by the name of its class."""
    name = c.spec.cls
    word = "".join(
        ("_" if i and letter.isupper() and not name[i - 1].isupper() else "") + letter.lower()
        for i, letter in enumerate(name)
    )
    return _operation(c, word, {**c.spec.config})


def lambda_op(c: LayerCall) -> Any:
    """TFOpLambda and SlicingOpLambda: a function's name."""
    function = c.spec.text("function", c.spec.text("symbol", ""))
    return _operation(c, function.rpartition(".")[2].lower(), {})


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
        return c.opaque("operations that are not followed", word or "TensorFlowOpLayer")
    return _operation(c, word.lower(), {})


def _operation(c: LayerCall, word: str, settings: dict[str, Any]) -> Any:
    """One operation; opaque where it is not followed."""
    x = c.x
    if word in ("getitem", "get_item"):
        return sliced(c, x, c.argument(1, "key", c.argument(1, "slice_spec")))
    if word == "split":
        return _split(c, x, settings)
    if word == "where" and len(c.inputs) >= 2:
        return _where(c)
    if word in BINARY:
        return _binary(c, BINARY[word])
    if word in UNARY:
        kind, fields = UNARY[word]
        return c.make(kind, x, **fields)
    if word in COMPARE:
        if len(c.inputs) == 2:
            return c.make("pointwise", c.alike(c.inputs), function=COMPARE[word])
        return c.make("pointwise", x, function="threshold")
    if word in ACTIVATIONS:
        return activate(c, x, word, main=True)
    if word in ("bias_add", "biasadd"):
        return c.make("combine", x, operation="add", size=c.spread(x, _last(x)), learned=False)
    if word in REDUCE:
        return _reduce(c, REDUCE[word], settings)
    if word in ("concat", "concatenate", "concatv2"):
        axis = _whole(settings.get("axis", c.argument(1, "axis", -1)))
        return joined(c, c.inputs, -1 if axis is None else axis)
    if word == "reshape":
        target = settings.get("newshape", c.argument(1, "shape", c.argument(1, "newshape")))
        return _reshape(c, x, target)
    if word == "transpose":
        axes = settings.get("axes", c.argument(1, "perm", c.argument(1, "axes")))
        sizes = _list(axes)
        if sizes is None or sorted(sizes) != list(range(x.rank)) or sizes[0]:
            return c.opaque("transposes that move the batch, or state no axes", word)
        return c.make("permute", c.plain(x), plain=True, order=tuple(sizes))
    if word == "flatten" and x.rank >= 2:
        return c.make("flatten", c.plain(x), plain=True)
    if word in ("expand_dims", "expanddims", "squeeze"):
        return _dims(c, x, word, settings)
    if word in ("matmul", "batchmatmulv2") and len(c.inputs) == 2:
        a, b = (c.plain(value) for value in c.inputs)
        return c.make("matmul", [a, b], plain=True)
    return c.opaque("operations that are not followed", word or c.spec.class_name)


def _last(x: Value) -> list[int]:
    return [1] * (x.rank - 2) + [x.sizes[-1]]


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _list(value: Any) -> list[int] | None:
    if type(value) is int:
        return [value]
    values = array(value)
    if values is not None and all(type(each) is int for each in values):
        return values
    return None


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
    stored_size = next((each for each in map(_stored_size, args) if each is not None), None)
    if stored_size is not None and len(stored_size) <= x.rank:
        x = c.plain(x)
        return c.make(
            "combine",
            x,
            plain=True,
            operation=operation,
            size=stored_size,
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
    values = c.alike(c.inputs)
    if len(values) == 2:
        return c.make("pointwise", values, function="greater")
    return c.make("pointwise", values, function="where")


def _bounds(key: Any, size: int) -> tuple[int, int, int] | None:
    """Start, stop and step of a slice along an axis; None for what is none of ours."""
    members = fields(key)
    config = None if members is None else fields(members.get("config", members))
    if config is None:
        return None
    ends: list[int | None] = []
    for word in ("start", "stop", "step"):
        end = config.get(word)
        if end is not None and type(end) is not int:
            return None
        ends.append(end)
    if ends[2] == 0:
        return None
    return slice(*ends).indices(size)


def sliced(c: LayerCall, x: Value, key: Any) -> Value:
    """``x[:, 1:3, 0, None]``; by whole numbers, slices with a positive step, new axes."""
    listed = array(key)
    keys: list[Any] = [key] if listed is None else listed
    dots = [
        i for i, each in enumerate(keys) if (fields(each) or {}).get("class_name") == "__ellipsis__"
    ]
    taken = sum(each is not None for each in keys) - len(dots)
    if len(dots) > 1 or taken > x.rank or len(keys) > 2 * x.rank + 1:
        return c.opaque("slices that are not followed", "getitem")
    rest: list[Any] = [{} for _ in range(x.rank - taken)]
    keys = [*keys[: dots[0]], *rest, *keys[dots[0] + 1 :]] if dots else [*keys, *rest]
    y, axis = x, 0
    target: list[int] = []
    for each in keys:
        if each is None:
            target.append(1)
            continue
        size = x.sizes[axis]
        if type(each) is int:
            start = each % size if -size <= each < size else -1
            bounds = (start, start + 1, 1) if start >= 0 else None
        else:
            bounds = _bounds(each, size)
        if bounds is None or bounds[2] < 1 or (axis == 0 and bounds != (0, size, 1)):
            return c.opaque("slices that are not followed", "getitem")
        start, stop, step = bounds
        count = len(range(start, stop, step))
        if not count:
            raise c.error("it slices nothing", f"axis {axis} of {size}")
        if count != size:
            y = c.make(
                "slice",
                y,
                f".axis{axis}",
                axis=c.axis(y, axis),
                start=start,
                stop=min(stop, size),
                step=step,
            )
        if type(each) is not int:
            target.append(count)
        axis += 1
    if tuple(target) != y.sizes:
        return reshaped(c, y, tuple(target[1:]))
    return c.make("identity", y) if y is x else y


def _split(c: LayerCall, x: Value, settings: dict[str, Any]) -> Any:
    """Parts of equal size, or between given places."""
    sections = settings.get("indices_or_sections", c.argument(1, "num_or_size_splits"))
    axis = _whole(settings.get("axis", c.argument(2, "axis", 0)))
    if axis is None or not -x.rank <= axis < x.rank or axis % x.rank == 0:
        return c.opaque("splits that are not followed", "split")
    axis %= x.rank
    size = x.sizes[axis]
    places = _list(sections)
    if places is None or len(places) > 10_000:
        return c.opaque("splits that are not followed", "split")
    if type(sections) is int:
        if not 0 < sections <= size or size % sections:
            raise c.error("its parts do not divide the axis", f"{sections} parts of {size}")
        each = size // sections
        places = list(range(each, size, each))
    ends = [0, *places, size]
    if c.spec.cls == "TFOpLambda" and type(sections) is not int:
        return c.opaque("splits that are not followed", "split")
    if ends != sorted(set(ends)):
        return c.opaque("splits that are not followed", "split")
    our_axis = c.axis(x, axis)
    return [
        c.make("slice", x, f".part{i}", axis=our_axis, start=start, stop=stop)
        for i, (start, stop) in enumerate(pairwise(ends))
    ]


def _stored_size(value: Any) -> tuple[int, ...] | None:
    """The sizes of an array that the file holds: ``{"class_name": "__tensor__", ...}``."""
    at = array((fields((fields(value) or {}).get("config")) or {}).get("value"))
    sizes: list[int] = []
    while at and len(sizes) < 32:
        sizes.append(len(at))
        at = array(at[0])
    return tuple(sizes) or None


def _reduce(c: LayerCall, operation: str, settings: dict[str, Any]) -> Value:
    x = c.x
    axis = settings.get("axis", c.argument(1, "axis"))
    keep = settings.get("keepdims", c.argument(2, "keepdims", False))
    axes = _list(axis) if axis is not None else list(range(x.rank))
    if axes is None or any(not -x.rank <= each < x.rank for each in axes):
        raise c.error("its axis is outside its input", f"axis {axis!r:.40}, {x.rank} axes")
    axes = sorted({each % x.rank for each in axes})
    if axes[:1] == [0]:
        return c.opaque("sums over the batch", operation)
    space = list(range(1, x.rank - 1))
    if operation in ("mean", "maximum") and axes == space and x.rank > 2:
        kind = "global_average_pool" if operation == "mean" else "global_max_pool"
        return c.make(kind, c.first(x), keep=bool(keep))
    x = c.plain(x)
    return c.make("reduce", x, plain=True, operation=operation, axes=tuple(axes), keep=bool(keep))


def _reshape(c: LayerCall, x: Value, target: Any) -> Value:
    sizes = _list(target)
    if sizes is None or len(sizes) < 2:
        return c.opaque("reshapes whose shape is not a constant", "reshape")
    batch = x.sizes[0]
    if sizes[0] not in (-1, batch):
        return c.opaque("reshapes that change the batch", "reshape")
    return reshaped(c, x, tuple(sizes[1:]))


def _dims(c: LayerCall, x: Value, word: str, settings: dict[str, Any]) -> Value:
    axis = settings.get("axis", c.argument(1, "axis", None))
    axes = _list(axis)
    sizes = list(x.sizes)
    if word == "squeeze":
        if axes is None:
            return c.opaque("squeezes of axes that are not stated", word)
        drop = {each % len(sizes) for each in axes}
        if any(sizes[each] != 1 for each in drop) or 0 in drop:
            raise c.error("only axes of 1 can be squeezed", f"axis {axes}")
        sizes = [size for index, size in enumerate(sizes) if index not in drop]
    else:
        place = 0 if axes is None else axes[0]
        place = place + len(sizes) + 1 if place < 0 else place
        if not 1 <= place <= len(sizes):
            return c.opaque("axes put before the batch", word)
        sizes.insert(place, 1)
    return reshaped(c, x, tuple(sizes[1:]))
