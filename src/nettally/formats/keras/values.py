"""Keras' functions of values, normalisations, and fully connected layers."""

from __future__ import annotations

from math import prod
from string import ascii_letters, ascii_uppercase
from typing import TYPE_CHECKING, Any

from ..encodings.json import array, fields
from ..graph_builder import by_axis
from .variants import frozen_parameters, keep_scales, with_lora

if TYPE_CHECKING:
    from .builder import LayerCall, Value

ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "celu": ("pointwise", {"function": "celu"}),
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "mish": ("mish", {}),
    "sigmoid": ("sigmoid", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_silu": ("hard_swish", {}),
    "hard_swish": ("hard_swish", {}),
    "hard_tanh": ("pointwise", {"function": "hard_tanh"}),
    "hard_shrink": ("pointwise", {"function": "shrink"}),
    "soft_shrink": ("pointwise", {"function": "shrink"}),
    "threshold": ("pointwise", {"function": "threshold"}),
    "tanh": ("tanh", {}),
    "softplus": ("softplus", {}),
    "softsign": ("pointwise", {"function": "softsign"}),
    "exponential": ("exp", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "softmax": ("softmax", {"axis": -1}),
    "log_softmax": ("log_softmax", {"axis": -1}),
}
"""Keras' activations by name (keras/src/activations)."""

NEAR = {
    "log_sigmoid": "softplus",
    "tanh_shrink": "tanh",
    "squareplus": "sqrt",
    "sparse_plus": "square",
    "sparse_sigmoid": "hard_sigmoid",
    "sparsemax": "softmax",
}
"""Those that are counted as others are."""


def word_of(value: Any) -> str:
    """An activation's name: a word, or an object of a class or a function with that name."""
    if isinstance(value, str):
        return value
    members = fields(value)
    if members is not None:
        for key in ("config", "class_name", "registered_name"):
            name = members.get(key)
            if isinstance(name, str) and name:
                return name
    return "" if value is None else str(value)[:60]


def activate(c: LayerCall, x: Value, value: Any = None, *, main: bool = False) -> Value:
    """Put the layer's activation behind its nodes; with ``main`` it is all that the layer is."""
    word = word_of(c.spec.get("activation") if value is None else value)
    if word in ("", "linear"):
        return c.make("identity", x) if main else x
    key = word.rpartition(">")[2]
    key = key if key in ACTIVATIONS or key in NEAR else _snake(key)
    if key.startswith("quantized_"):  # QKeras: quantized_relu(6,0)
        base = key[len("quantized_") :].partition("(")[0]
        if base in ("bits", "linear"):
            return c.make("identity", x) if main else x
        key = {"ulaw": "tanh", "po2": "relu"}.get(base, base)
    suffix = "" if main else f".{key[:40]}"
    if key in NEAR:
        c.b.note("activations that are counted as others are", f"{key} as {NEAR[key]}")
        key = {"sqrt": "", "square": ""}.get(NEAR[key], NEAR[key])
        if not key:
            return c.make("sqrt", x, suffix)
    if key == "glu":
        return _glu(c, x, suffix)
    if key not in ACTIVATIONS:
        c.stated = x.shape if not main or c.stated is None else c.stated
        c.inputs = [c.plain(x)] if x.shape is not None else [x]
        return c.opaque("activations that are not known", word, suffix)
    kind, usual = ACTIVATIONS[key]
    more: dict[str, Any] = dict(usual)
    if "axis" in more:
        more["axis"] = c.axis(x, -1)
    return c.make(kind, x, suffix, **more)


def _snake(word: str) -> str:
    """``LeakyReLU`` as ``leaky_relu``."""
    words = {"ReLU": "relu", "ReLU6": "relu6", "LeakyReLU": "leaky_relu", "Softmax": "softmax"}
    return words.get(word, word.lower())


def _glu(c: LayerCall, x: Value, suffix: str) -> Value:
    """Half the channels times the logistic function of the others."""
    axis = c.axis(x, -1)
    half = x.sizes[-1] // 2
    a = c.make("slice", x, f"{suffix}.left", axis=axis, stop=half)
    b = c.make("slice", x, f"{suffix}.right", axis=axis, start=half)
    gate = c.make("sigmoid", b, f"{suffix}.gate")
    return c.make("multiply", [a, gate], suffix)


def activation(c: LayerCall) -> Value:
    return activate(c, c.x, main=True)


def dense(c: LayerCall) -> Value:
    """Over the last axis, whatever stands before it."""
    x = c.plain(c.x)
    units, bias = c.spec.integer("units"), c.spec.boolean("use_bias", True)

    def linear(x: Value, suffix: str, features: int, **more: Any) -> Value:
        axis = 1 if x.rank == 2 else -1
        return c.make("linear", x, suffix, plain=True, features=features, axis=axis, **more)

    y = with_lora(
        c,
        linear(x, "", units, bias=bias, frozen=frozen_parameters(c)),
        lambda rank: linear(x, ".lora_kernel_a", rank, bias=False),
        lambda part: linear(part, ".lora_kernel_b", units, bias=False),
    )
    keep_scales(c, x.sizes[-1], units)
    return activate(c, y)


def einsum_dense(c: LayerCall) -> Value:
    """A product over axes that the equation names: ``abc,cd->abd``."""
    x = c.plain(c.x)
    equation = c.spec.text("equation").replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    seen, comma, weights = inputs.partition(",")
    named = output.replace("...", "")
    if ("..." in seen) != ("..." in output):
        raise c.error("its equation has ... on one side only", equation[:60])
    if "..." in seen:
        letters = [letter for letter in ascii_uppercase if letter not in equation]
        rest = "".join(letters[: max(x.rank - len(seen) + 3, 0)])
        seen, output = seen.replace("...", rest, 1), output.replace("...", rest, 1)
    if not arrow or not comma or len(set(seen)) != len(seen) or not (seen + output).isalpha():
        raise c.error("its equation is not understood", equation[:60])
    if len(seen) != x.rank:
        raise c.error("its equation does not fit its input", f"{equation[:60]}, {by_axis(x.sizes)}")
    sizes = dict(zip(seen, x.sizes, strict=True))
    stated = c.spec.get("output_shape", [])
    shape: list[Any] = [stated] if array(stated) is None else stated
    for letter, size in zip(reversed(named), reversed(shape), strict=False):
        if size is not None and letter not in sizes:
            sizes[letter] = c.spec.whole("output_shape", size, 1)
    missing = [letter for letter in weights + output if letter not in sizes]
    if missing:
        raise c.error("its output_shape does not say a size", f"{equation[:60]}: {missing[0]}")

    def product(x: Value, suffix: str, terms: str, **more: Any) -> Value:
        weight = tuple(sizes[letter] for letter in terms.partition("->")[0].partition(",")[2])
        return c.make("einsum", x, suffix, plain=True, equation=terms, weight=weight, **more)

    last, free = weights[-1:], next(each for each in ascii_letters if each not in seen + output)
    between = output.replace(last, free)

    def down(rank: int) -> Value:
        if last not in output:
            raise c.error("LoRA's factors do not fit its equation", equation[:60])
        sizes[free] = rank
        return product(x, ".lora_kernel_a", f"{seen},{weights[:-1]}{free}->{between}")

    y = product(x, "", f"{seen},{weights}->{output}", frozen=frozen_parameters(c))
    y = with_lora(
        c,
        y,
        down,
        lambda part: product(part, ".lora_kernel_b", f"{between},{free}{last}->{output}"),
    )
    columns = prod(sizes[letter] for letter in set(weights) & set(output))
    keep_scales(c, prod(sizes[letter] for letter in set(weights) - set(output)), columns)
    axes = c.spec.get("bias_axes")
    if isinstance(axes, str) and axes:
        if not set(axes) <= set(output):
            raise c.error("its bias_axes are not its output's", f"{axes[:40]}, {output[:40]}")
        start = min(map(output.index, axes))
        size = tuple(sizes[letter] if letter in axes else 1 for letter in output[start:])
        y = c.make("combine", y, ".bias", operation="add", size=size)
    return activate(c, y)


# --- activations that are layers ------------------------------------------------------------------


def relu(c: LayerCall) -> Value:
    """max_value, negative_slope, threshold; in their usual values the layers that we have."""
    limit = c.spec.get("max_value")
    slope = c.spec.number("negative_slope", 0.0)
    threshold = c.spec.number("threshold", 0.0)
    top = None if limit is None else c.spec.number("max_value", 0.0)
    if threshold or (slope and top is not None):
        return c.make("pointwise", function="threshold")
    if slope:
        return c.make("leaky_relu", slope=slope)
    if top is None:
        return c.make("relu")
    return c.make("relu6") if top == 6 else c.make("clipped_relu", limit=top)


def leaky_relu(c: LayerCall) -> Value:
    slope = c.spec.number("negative_slope", c.spec.number("alpha", 0.3))
    return c.make("leaky_relu", slope=slope)


def elu(c: LayerCall) -> Value:
    return c.make("elu", alpha=c.spec.number("alpha", 1.0))


def thresholded_relu(c: LayerCall) -> Value:
    return c.make("pointwise", function="threshold")


def prelu(c: LayerCall) -> Value:
    """A slope for each value of an example, but for the axes that share theirs."""
    x = c.x
    shared = c.spec.integers("shared_axes") if c.spec.get("shared_axes") else ()
    size = [1 if axis in shared else each for axis, each in enumerate(x.sizes)][1:]
    return c.make("prelu", size=c.spread(x, size))


def softmax(c: LayerCall) -> Value:
    axes = array(c.spec.get("axis", -1))
    if axes is not None and len(axes) != 1:
        return c.opaque("softmax over several axes")
    return c.make("softmax", axis=c.axis(c.x, c.spec.axis()))


def dropout(c: LayerCall) -> Value:
    rate = c.spec.number("rate", 0.5)
    if not 0 <= rate <= 1:
        raise c.error("'rate' is from 0 to 1", str(rate))
    return c.make("dropout", rate=rate)


def identity(c: LayerCall) -> Value:
    """Layers that do something in training only, and those that do nothing."""
    return c.make("identity")


# --- normalisation --------------------------------------------------------------------------------


def batch_norm(c: LayerCall) -> Value:
    """Over all axes but one; it must be our axis 1."""
    if c.spec.get("renorm"):
        c.b.note("renorm: its further statistics are not counted", c.spec.name)
    x = _by_channel(c)
    if x is None:
        return c.opaque("normalisation over an axis that is neither first nor last")
    return c.make("batch_norm", x, **_affine(c))


def _by_channel(c: LayerCall) -> Value | None:
    """The tensor with the axis that the layer normalises as our axis 1; None where it can't be."""
    x = c.x
    axis = c.place(x, c.spec.axis())
    if x.rank > 2 and axis == x.rank - 1:
        return c.first(x)
    return c.plain(x) if axis == 1 else None


def _affine(c: LayerCall) -> dict[str, Any]:
    """A normalisation's factors and offsets, and its epsilon."""
    return {
        "weight": c.spec.boolean("scale", True),
        "bias": c.spec.boolean("center", True),
        "epsilon": c.spec.number("epsilon", 1e-3),
    }


def layer_norm(c: LayerCall) -> Value:
    """Over the last axis, or several; over all of an example, however it lies."""
    x = c.x
    axes = sorted({c.place(x, axis) for axis in c.spec.integers("axis", -1)})
    rms = c.spec.boolean("rms_scaling", False) or c.spec.cls == "RMSNormalization"
    more: dict[str, Any] = {"epsilon": c.spec.number("epsilon", 1e-3)} if rms else _affine(c)
    more["axes"] = len(axes)
    kind = "rms_norm" if rms else "layer_norm"
    if axes == list(range(1, x.rank)):
        return c.make(kind, x, **more)
    if axes != list(range(x.rank - len(axes), x.rank)):
        return c.opaque("normalisation over axes that are not the last")
    return c.make(kind, c.plain(x), plain=True, **more)


def group_norm(c: LayerCall) -> Value:
    x = _by_channel(c)
    if x is None:
        return c.opaque("normalisation over an axis that is neither first nor last")
    groups = c.spec.integer("groups", 32, -1)
    channels = c.x.sizes[c.place(c.x, c.spec.axis())]
    return c.make("group_norm", x, groups=channels if groups < 1 else groups, **_affine(c))


def unit_norm(c: LayerCall) -> Value:
    return c.make("pointwise", function="lp_normalize")


def normalization(c: LayerCall) -> Value:
    """A mean and a variance that were measured; variables, but for those that the file states."""
    x = c.x
    setting = c.spec.config.get("axis", -1)
    axes: list[Any] = [] if setting is None else [setting] if array(setting) is None else setting
    rank = x.rank
    our_axes = sorted({c.place(x, c.spec.whole("axis", axis, -rank)) for axis in axes})
    size = [x.sizes[axis] if axis in our_axes else 1 for axis in range(1, rank)]
    kept = c.spec.get("mean") is None
    return c.make("standardize", x, size=c.spread(x, size), kept=kept)


def rescaling(c: LayerCall) -> Value:
    scale, offset = c.spec.get("scale", 1.0), c.spec.get("offset", 0.0)
    if isinstance(scale, list) or isinstance(offset, list):
        x = c.x
        size = [1] * (x.rank - 2) + [x.sizes[-1]]
        sizes = c.spread(x, size)
        y = c.make("combine", x, operation="multiply", size=sizes, learned=False)
        return c.make("combine", y, ".offset", operation="add", size=sizes, learned=False)
    return c.make("affine", slope=c.spec.number("scale", 1.0), offset=c.spec.number("offset", 0.0))


def layer_scale(c: LayerCall) -> Value:
    """One learned factor a channel (ConvNeXt)."""
    x = c.x
    wanted = c.spec.integer("projection_dim", x.sizes[-1])
    if wanted != x.sizes[-1]:
        raise c.error("its projection_dim does not fit", f"{wanted}, {x.sizes[-1]} channels")
    return c.make("scale", x, bias=False, axis=c.axis(x, -1))
