"""What stands in a figure for a layer: ``3×3 conv, 64, /2`` as papers write it, and its family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...counting.rows import Row
    from ...network import Layer, Shape

_FAMILY_OF = {
    kind: family
    for family, kinds in {
        "conv": "conv conv_sum conv_map local conv_transpose",
        "pool": "max_pool average_pool lp_pool stochastic_pool subsample global_max_pool "
        "global_average_pool adaptive_max_pool adaptive_average_pool blur roi_pool",
        "linear": "linear rbf embedding",
        "merge": "add subtract multiply maximum minimum average concat",
        "norm": "batch_norm lrn contrast_norm layer_norm rms_norm group_norm l2_norm scale "
        "standardize relu relu6 leaky_relu prelu elu selu gelu silu mish hard_swish hard_sigmoid "
        "sigmoid tanh softplus square sqrt power exp log abs affine clipped_relu identity softmax "
        "log_softmax dropout combine",
        "mix": "attention matmul einsum rnn gru lstm elman conv_elman conv_lstm",
    }.items()
    for kind in kinds.split()
}

POINTWISE = frozenset(kind for kind, family in _FAMILY_OF.items() if family == "norm") | {
    "flatten",
    "reshape",
    "permute",
    "combine",
}
"""Layers that stand in the box of the layer before them, where they have one input."""

_CONSTANTS = {"multiply": "scale", "divide": "scale", "add": "bias", "subtract": "bias"}

_SHORT = {
    "batch_norm": "BN",
    "lrn": "LRN",
    "layer_norm": "LN",
    "rms_norm": "RMSNorm",
    "group_norm": "GN",
    "l2_norm": "L2 norm",
    "contrast_norm": "contrast norm",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "log_softmax": "log-softmax",
    "conv_transpose": "up-conv",
    "conv_map": "conv",
    "conv_sum": "conv",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "add": "+",
    "multiply": "×",
    "linear": "fc",
    "max_pool": "max pool",
    "average_pool": "average pool",
    "global_average_pool": "global average pool",
    "global_max_pool": "global max pool",
}


def family(layer: Layer) -> str:
    """Which colour a layer has."""
    return _FAMILY_OF.get(layer.kind, "other")


def short(layer: Layer) -> str:
    """A layer's kind as papers write it: ``BN``, ``ReLU``, ``max pool``."""
    if layer.kind == "opaque":
        return str(layer.fields().get("type", "") or "unknown")
    if layer.kind == "combine":  # with numbers that the file holds
        operation = str(layer.fields().get("operation", ""))
        return _CONSTANTS.get(operation, operation or "combine")
    return _SHORT.get(layer.kind) or layer.kind.replace("_", " ")


def times(sizes: Sequence[int]) -> str:
    """``3×3``."""
    return "×".join(str(plain(size)) for size in sizes)


def size(shape: Shape | None) -> str:
    """A shape without its batch, channels first: ``96×55×55``; ``?`` where it is not known."""
    if shape is None:
        return "?"
    if len(shape) < 2:
        return times(shape) or "1"
    if all(n == 1 for n in shape[2:]):
        return str(plain(shape[1]))
    return times(shape[1:])


def kernel(layer: Layer) -> tuple[int, ...]:
    """The window's size, an axis each; empty where there is none."""
    sizes: Any = layer.fields().get("kernel", ())
    if layer.kind == "conv_sum":
        sizes = layer.fields()["parts"][0].kernel
    if isinstance(sizes, tuple) and all(isinstance(n, int) for n in sizes):
        return tuple(plain(n) for n in sizes)
    return ()


def dilation(layer: Layer) -> int:
    """How far apart the window's places are; the greatest of its axes; 1 where it has none."""
    value: Any = layer.fields().get("dilation", 1)
    listed = list(value) if isinstance(value, tuple) else [value]
    return max((plain(n) for n in listed if isinstance(n, int)), default=1)


def stride(layer: Layer) -> tuple[int, ...]:
    """The stride, an axis each; empty where there is none."""
    sizes: Any = layer.fields().get("stride", ())
    if layer.kind == "conv_sum":
        sizes = layer.fields()["parts"][0].stride
    if isinstance(sizes, tuple) and all(isinstance(n, int) for n in sizes):
        return tuple(plain(n) for n in sizes)
    return ()


def stride_text(layer: Layer, before: str) -> str:
    """``/2`` with ``before`` in front; nothing for a stride of 1."""
    sizes = stride(layer)
    if not sizes or set(sizes) == {1}:
        return ""
    return before + (str(sizes[0]) if len(set(sizes)) == 1 else times(sizes))


def filters(row: Row) -> int | None:
    """The channels or features that a weight layer makes; None for another."""
    layer = row.node.layer
    if family(layer) not in ("conv", "linear", "mix") or row.shape is None or len(row.shape) < 2:
        return None
    return plain(row.shape[-1] if layer.kind in ("linear", "attention") else row.shape[1])


def spec(row: Row, filters_text: str | None = None) -> str:
    """One layer in a few words: ``11×11 conv, 96, /4``, ``3×3 max pool, /2``, ``fc, 4096``.

    filters_text: what stands for the number of filters in place of the layer's own; None for that.
    """
    layer = row.node.layer
    name = short(layer)
    window = kernel(layer)
    if family(layer) == "conv" and _is_depthwise(row):
        name = "depthwise"
    head = f"{times(window)} {name}" if window else name
    parts = [head]
    count = filters(row)
    if filters_text is not None:
        parts += [filters_text] if filters_text else []
    elif count is not None and name != "depthwise":
        parts.append(str(count))
    slash = stride_text(layer, "×" if layer.kind == "conv_transpose" else "/")
    if slash:
        parts.append(slash)
    groups = layer.fields().get("groups", 1)
    if isinstance(groups, int) and groups > 1 and name != "depthwise" and family(layer) == "conv":
        parts.append(f"{plain(groups)} groups")
    if dilation(layer) > 1:
        parts.append(f"dilation {dilation(layer)}")
    return ", ".join(parts)


def _is_depthwise(row: Row) -> bool:
    groups = row.node.layer.fields().get("groups", 1)
    x = row.inputs[0] if row.inputs else None
    return isinstance(groups, int) and groups > 1 and x is not None and groups == x[1]


def tails(rows: Sequence[Row]) -> str:
    """The layers that a box has beside its own: ``BN · ReLU``."""
    names: list[str] = []
    for row in rows:
        if row.node.layer.kind in ("identity", "flatten"):
            continue
        name = short(row.node.layer)
        if not names or names[-1] != name:
            names.append(name)
    return " · ".join(names)


def quantity(value: int) -> str:
    """Three digits and a unit, ``61.0 M`` for 60,954,656; below 10,000 all of them."""
    if value < 10_000:
        return f"{value:,}"
    for unit, name in ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= unit or (unit > 10**3 and value * 1000 >= unit * 999.5):
            amount = value / unit
            digits = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
            return f"{amount:.{digits}f} {name}"
    return str(value)
