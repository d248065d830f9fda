"""Further facts of rows, for tools that count products of matrices and recurrent layers their way.

Each is for one batch, of the module that ``nettally.build`` makes of the layer. They are added to
``counting.accounting.FACTS``, so that accountings name them like any other fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product, total
from ..counting.accounting import FACTS, is_bias
from ..network import NOTHING
from .calls.einsum import fvcore_count, optimized, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..counting.rows import Row
    from ..network import Shape


def _factors(row: Row) -> tuple[Shape, ...]:
    """The factors of a product in order, the stored one too, turned as the layer turns them."""
    layer: Any = row.node.layer
    factors = row.inputs
    if layer.weight is not None:
        factors = (layer.weight, *factors) if layer.left else (*factors, layer.weight)
    if layer.kind != "matmul":
        return factors
    turned = (layer.flip_left, layer.flip_right)
    return tuple(
        (*x[:-2], x[-1], x[-2]) if flip and len(x) > 1 else x
        for x, flip in zip(factors, turned, strict=True)
    )


def _products(row: Row) -> int:
    """As torch's operators see a product: one with a vector behind it has no rule."""
    a, b = _factors(row)
    if len(b) == 1:
        return 0
    return product(b) if len(a) == 1 else row.work.macs if row.work is not None else 0


def _stretched(row: Row) -> int:
    """The first factor's values times the last axis of the second, whatever is broadcast."""
    a, b = _factors(row)
    return product(a) * b[-1]


def _dense(row: Row) -> int:
    """A table of connections as the convolution that it becomes: every channel, many with zeros."""
    layer: Any = row.node.layer
    return product(row.shape or ()) * product(layer.kernel) * row.inputs[0][1]


def _transposed_macs(row: Row) -> int:
    """A transposed convolution's multiply-adds, divided by the groups a second time."""
    layer: Any = row.node.layer
    weight = (row.parameters or NOTHING)["weight"]
    x = row.inputs[0]
    return x[0] * product(x[2:]) * product(weight[2:]) * x[1] * (weight[1] // layer.groups)


def _transposed_biases(row: Row) -> int:
    """Its biases, at the positions that a convolution of these fields would have."""
    layer: Any = row.node.layer
    if not layer.bias:
        return 0
    x = row.inputs[0]
    weight = (row.parameters or NOTHING)["weight"]
    positions = [
        (n + 2 * before - (step * (size - 1) + 1)) // stride + 1
        for n, (before, _), step, size, stride in zip(
            x[2:], layer.padding, layer.dilation, weight[2:], layer.stride, strict=True
        )
    ]
    return x[0] * weight[1] * product(tuple(positions))


def _equation(row: Row) -> str:
    return row.node.layer.fields()["equation"]


# --- recurrent layers ---------------------------------------------------------------------------


def _steps(row: Row) -> int:
    """Steps of all sequences."""
    return product(row.inputs[0][:-1])


def _by_steps(row: Row, *, biases: bool) -> int:
    tensors = (row.parameters or NOTHING).items()
    values = total(product(shape) for name, shape in tensors if is_bias(name) == biases)
    return values * _steps(row)


def _states(row: Row) -> int:
    layer: Any = row.node.layer
    return _steps(row) * layer.directions * layer.features


def _gates(row: Row) -> int:
    return _states(row) * row.node.layer.gates  # type: ignore[attr-defined] - of recurrent layers


def _projected(row: Row) -> int:
    """The multiply-accumulates of a state's projection."""
    return _states(row) * row.node.layer.fields().get("projection", 0)


def _unprojected(row: Row) -> int:
    """What a layer without its projection would do more than it does with it."""
    layer: Any = row.node.layer
    if not layer.projection:
        return 0
    return _gates(row) * (layer.features - layer.projection) - _projected(row)


def _turned_biases(row: Row) -> int:
    """Its biases as operators see them: half, where sequences of a batch are turned to steps."""
    if row.work is None:
        return 0
    x = row.inputs[0]
    turned = len(x) == 3 and x[0] > 1 and x[1] > 1
    return row.work.bias_adds // 2 if turned else row.work.bias_adds


def _unfused_macs(row: Row) -> int:
    """An LSTM's multiply-adds where it is not one kernel on a CPU: where it has a projection."""
    return row.work.macs if row.work is not None and _field(row, "projection") else 0


def _unfused_biases(row: Row) -> int:
    return _turned_biases(row) if _field(row, "projection") else 0


def _field(row: Row, name: str) -> int:
    return row.node.layer.fields()[name]


# --- Darknet's layers with a state --------------------------------------------------------------


def _normed(row: Row) -> int:
    """The values that are normalised within the layer: one for each bias that would be added."""
    return row.work.bias_adds if row.work is not None and row.node.layer.fields()["norm"] else 0


def _plain_biases(row: Row) -> int:
    """The biases that are added by the products themselves, and not by a norm behind them."""
    return row.work.bias_adds if row.work is not None and not _normed(row) else 0


def _norm_tensors_by_batch(row: Row) -> int:
    """Scales and shifts of the norms within the layer, once an example."""
    if not _normed(row):
        return 0
    tensors = (row.parameters or NOTHING).items()
    values = total(product(shape) for name, shape in tensors if not name.startswith("weight"))
    return values * row.inputs[0][0]


_FURTHER: dict[str, Callable[[Row], int]] = {
    "products": _products,
    "stretched": _stretched,
    "dense": _dense,
    "transposed_macs": _transposed_macs,
    "transposed_biases": _transposed_biases,
    "einsum_pairs": lambda row: pairs(_equation(row), _factors(row)),
    "einsum_optimized": lambda row: int(optimized(_equation(row), _factors(row))),
    "einsum_fvcore": lambda row: fvcore_count(_equation(row), _factors(row)),
    "weights_by_steps": lambda row: _by_steps(row, biases=False),
    "biases_by_steps": lambda row: _by_steps(row, biases=True),
    "states": _states,
    "gates": _gates,
    "projected": _projected,
    "unprojected": _unprojected,
    "turned_biases": _turned_biases,
    "unfused_macs": _unfused_macs,
    "unfused_biases": _unfused_biases,
    "normed": _normed,
    "plain_biases": _plain_biases,
    "norm_tensors_by_batch": _norm_tensors_by_batch,
}

for _name, _fact in _FURTHER.items():
    FACTS.add(_name, _fact)
