"""What can be asked of a tally: ``conv1.neurons``, ``parameters``, ``fire2.macs``, ``input.width``.

One place for the names of quantities, so that claims, explanations and tables mean the same.
"""

from __future__ import annotations

from functools import partial
from math import log2
from typing import TYPE_CHECKING, Any, cast

from .. import expression
from ..arith import plain, product, total
from ..errors import ClaimError, NettallyError, closest
from ..layers import closest_kind, kinds
from .accounting import is_bias
from .quantity_names import (
    BY_USE,
    FIELDS,
    IS_MEASURED,
    KINDS,
    MEASURED,
    PARAMETERS_BY_USE,
    SAME,
    SHAPES,
    closest_quantity,
    field_names,
)
from .rows import AXES, Row, activations, units
from .tally import is_within, matching
from .values import (
    ByAxis,
    Flag,
    Number,
    Padding,
    PerCent,
    Shape,
    Sizes,
    Value,
    compute,
    single_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..network import Shape as BatchShape
    from .tally import Tally


class NotDerivable(Exception):
    """The figure can't follow from the description, and the message says why.

    It is measured (an error rate), or belongs to a layer that is not known.
    """


def _tensors(row: Row, bias: bool) -> int:
    parameters, shared = row.parameters, row.node.shared
    if not parameters:
        return 0
    return total(
        product(shape)
        for name, shape in parameters.items()
        if is_bias(name) == bias and name not in shared
    )


def _connections(row: Row) -> int:
    work = row.work
    if work is None:
        return 0
    return total((work.macs, work.bias_adds, work.pooled))


def _values(row: Row) -> int:
    return units(row.shape, row.examples) if row.shape is not None else 0


def _pool_outputs(row: Row) -> int:
    return _values(row) if row.node.layer.kind in KINDS["pool"] else 0


def _by_use(quantity: str, tally: Tally, row: Row) -> int:
    from .by_use import SUMS_BY_USE  # few networks are asked

    return SUMS_BY_USE[quantity](tally, row)


SUMS: dict[str, Callable[[Tally, Row], int]] = {
    "neurons": lambda tally, row: tally.accounting.neurons(row),
    "parameters": lambda tally, row: tally.accounting.parameters(row),
    "operations": lambda tally, row: tally.accounting.operations(row),
    "macs": lambda tally, row: row.work.macs if row.work else 0,
    "flops": lambda tally, row: 2 * row.work.macs if row.work else 0,
    "connections": lambda tally, row: _connections(row),
    "weights": lambda tally, row: _tensors(row, bias=False),
    "biases": lambda tally, row: _tensors(row, bias=True),
    "values": lambda tally, row: _values(row),
    "activations": lambda tally, row: activations(row),
    "activations_with_pooling": lambda tally, row: activations(row) + _pool_outputs(row),
    "memory": lambda tally, row: 4 * tally.accounting.parameters(row),
}
"""Quantities that add up over layers. neurons, parameters and operations are the accounting's."""

LISTED = tuple(SUMS)
"""Those that JSON and data frames list for each layer."""

SUMS.update({name: partial(_by_use, name) for name in BY_USE})

STATED = ("parameters", "weights", "biases", "memory", *PARAMETERS_BY_USE)
"""Quantities that are known where a layer's parameters are, though nobody knows its work."""


def is_known(quantity: str, row: Row) -> bool:
    """Whether the row's part of such a sum is known; what is not known is not zero."""
    if quantity in STATED:
        return row.parameters is not None
    return row.shape is not None if quantity == "values" else row.work is not None


def certainty(rows: Iterable[Row], quantity: str) -> str:
    """``exact`` where every row's part is known, ``unknown`` where none is; else ``least``."""
    known = {is_known(quantity, row) for row in rows}
    return "least" if len(known) == 2 else "exact" if True in known or not known else "unknown"


COUNTS = frozenset({*SUMS, *SHAPES[1:], "layers"})
"""Quantities that are one whole number. output is a shape, the FIELDS are numbers by axis, share is
a ratio and kind a word. What a field of a layer is follows from its value, see ``_stated``."""


def measure(tally: Tally, about: str, quantity: str) -> Value:
    """The quantity of the whole network (``about`` empty), an input, a layer or a module.

    Raises ClaimError for a name that is not there, whatever it is of, and NotDerivable for what is
    measured and for what is not known.
    """
    asked, quantity = quantity, SAME.get(quantity, quantity)
    if not about:
        if quantity in SUMS:
            return _sum(tally, tally.rows, quantity, "the network")
        if quantity in ("layers", "depth"):
            if certainty(tally.rows, "neurons") == "unknown":
                raise NotDerivable("which of the layers have weights is not known")
            return sum(row.node.layer.weighted for row in tally.rows)
        if quantity not in SHAPES and quantity not in FIELDS:
            raise _no_quantity(tally, asked)
        about = tally.network.outputs[-1]
    shape = _input_shape(tally, about)
    if shape is not None:
        if quantity in ("neurons", "values"):
            return units(shape)
        return _of_shape(shape, quantity, about)
    rows = matching(tally, about)
    if asked in SAME and asked in rows[-1].node.layer.fields():
        quantity = asked  # a layer's own field comes first: the size of an lrn is no shape
    if quantity in SUMS:
        return _sum(tally, rows, quantity, about)
    if rows[1:] and not any(is_within(row, about) for row in rows):
        raise ClaimError(
            f"'{about}' is no layer of {tally.network.name} but a kind of {len(rows)} of them",
            hint=f"claim a sum, such as {about}.parameters, or name one: {rows[0].node.name}",
        )
    last = rows[-1]
    if quantity in SHAPES:
        if last.shape is None:
            raise NotDerivable(f"the shape of {about} is not known")
        return _of_shape(last.shape, quantity, about)
    if quantity in FIELDS:
        return _field(tally, last, quantity)
    if quantity == "share":
        return _share(tally, rows, about)
    return kind_of(last) if quantity == "kind" else _detail(rows, quantity, about)


def _share(tally: Tally, rows: Sequence[Row], about: str) -> PerCent:
    whole = plain(tally.parameters)
    if not whole:
        raise NotDerivable("the network has no parameters to have a share of")
    return PerCent(compute("/", 100 * plain(_sum(tally, rows, "parameters", about)), whole))


def kind_of(row: Row) -> str:
    """The kind of a layer; of a layer that is not known, with the source's name for it."""
    layer = row.node.layer
    if layer.kind == "opaque":
        return f"opaque {layer.fields().get('type', '')}".rstrip()
    return layer.kind


def _sum(tally: Tally, rows: Sequence[Row], quantity: str, about: str) -> int:
    if rows and not any(is_known(quantity, row) for row in rows):
        raise NotDerivable(f"the {quantity} of {about} are not known")
    of = SUMS[quantity]
    return total(of(tally, row) for row in rows)


def count(tally: Tally, kind: str) -> int:
    """How many layers of a kind there are; ``weighted``: of those with weighted sums.

    Raises ClaimError for a kind of which there are no layers anywhere.
    """
    if kind == "weighted":
        return sum(row.node.layer.weighted for row in tally.rows)
    members = KINDS.get(kind, (kind,))
    rows = sum(row.node.layer.kind in members for row in tally.rows)
    if not rows and kind not in KINDS and kind not in kinds():
        raise ClaimError(f"no layer is called '{kind}'", hint=closest_kind(kind, KINDS))
    return rows


def _input_shape(tally: Tally, about: str) -> BatchShape | None:
    inputs = tally.network.inputs
    if about in inputs:
        return inputs[about]
    if about == "input" and len(inputs) == 1:
        return next(iter(inputs.values()))
    return None


def _of_shape(shape: BatchShape, quantity: str, about: str) -> Value:
    if quantity in MEASURED:
        raise NotDerivable(IS_MEASURED)
    if quantity == "output":
        return Shape(shape, 0) if len(shape) < 2 else Shape(shape[1:], shape[0])
    axes = AXES.get(len(shape), ())
    if quantity in axes:
        return shape[1 + axes.index(quantity)]
    if quantity == "features":
        return product(shape[1:])
    raise ClaimError(
        f"{about} has no {quantity}",
        values=f"its axes: {', '.join(axes) or len(shape) - 1}",
        hint="one of output, " + ", ".join(axes),
    )


def _field(tally: Tally, row: Row, quantity: str) -> ByAxis:
    from .receptive_field import receptive_fields

    field = tally.once(receptive_fields)[row.node.name]
    if not field.known:
        raise NotDerivable(f"the receptive field of {row.node.name} is {field}")
    if quantity == "receptive_field":
        return ByAxis(field.size, field.brief if field.whole else "")
    if not field.stride:
        raise NotDerivable(f"the units of {row.node.name} are no steps apart: it has no space")
    return ByAxis(int(step) if step == int(step) else float(step) for step in field.stride)


def _detail(rows: Sequence[Row], quantity: str, about: str) -> Value:
    """A field of the layer, or the shape of one of its tensors; of a module, the last one's."""
    row = rows[-1]
    layer, parameters = row.node.layer, row.parameters or {}
    fields = layer.fields()
    if quantity == "kernel_volume" and "weight" in parameters:
        weight = parameters["weight"]
        return Sizes((*weight[2:], weight[1])) if len(weight) > 1 else Sizes(weight)
    if quantity in fields:
        return _stated(quantity, fields[quantity], parameters.get(quantity), about)
    if quantity in parameters:
        return Sizes(parameters[quantity])
    if quantity in MEASURED:
        raise NotDerivable(IS_MEASURED)
    if layer.kind == "opaque" and quantity in field_names():
        raise NotDerivable(f"the {quantity} of {about} is not known")
    known = (*SUMS, *SHAPES, *FIELDS, "share", "kind", *fields, *parameters)
    hint = closest_quantity(quantity, known)
    holders = [each.name for each in rows if quantity in each.node.layer.fields()]
    if holders:
        hint = f"say of which layer in it: {holders[0]}.{quantity}"
    elif quantity in field_names():  # it is not misspelt: other layers have it
        hint = f"of this layer, one of {', '.join((*fields, *SUMS))}"
    raise ClaimError(f"{about} has no '{quantity}'", hint=hint)


def _no_quantity(tally: Tally, word: str) -> Exception:
    """The error for a word that names no quantity of the whole network."""
    if word in MEASURED:
        return NotDerivable(IS_MEASURED)
    rows = {row.node.name: row for row in tally.rows}
    if word in tally.network.inputs:
        hint = f"say which quantity of it: {word}.output"
        return ClaimError(f"'{word}' is an input and no quantity", hint=hint)
    if word in rows or any(word == row.node.module for row in tally.rows):
        hint = f"say which quantity of it: {word}.neurons"
        return ClaimError(f"'{word}' is a layer and no quantity", hint=hint)
    holders = [name for name, row in rows.items() if word in row.node.layer.fields()]
    if word in ("share", "kind"):
        holders = list(rows)
    if holders:
        hint = f"say of which: {holders[0]}.{word}"
        return ClaimError(f"'{word}' is a quantity of a layer", hint=hint)
    fields = {name for row in tally.rows for name in row.node.layer.fields()}
    hint = closest_quantity(word, (*SUMS, "layers", *SHAPES, *FIELDS), fields)
    return ClaimError(f"{tally.network.name} has no quantity '{word}'", hint=hint)


def _stated(name: str, value: Any, tensor: BatchShape | None, about: str) -> Value:
    """What the description states in a field. tensor: the sizes of the tensor of that name."""
    if isinstance(value, bool):
        return Flag(value, None if tensor is None else Sizes(tensor))
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, tuple):
        parts = cast("tuple[Any, ...]", value)
        if all(isinstance(part, (int, float)) for part in parts):
            return ByAxis(parts) if name in BY_AXIS else Sizes(parts)
        if parts and all(_is_pair(part) for part in parts):
            return Padding(parts)
    if value is None:
        raise NotDerivable(f"the {name} of {about} is not stated")
    raise ClaimError(
        f"the {name} of {about} is not one value that could be compared",
        hint="claim something that is counted, such as parameters",
    )


BY_AXIS = frozenset({"kernel", "stride", "dilation", "output_padding", "scale"})
"""Fields that state one number for each axis of the space; other tuples are sizes."""


def _is_pair(part: Any) -> bool:
    if not isinstance(part, tuple):
        return False
    sides = cast("tuple[Any, ...]", part)
    return len(sides) == 2 and all(isinstance(side, int) for side in sides)


def evaluate(tree: expression.Tree, counted: Tally, every: str = "", name: str = "") -> Value:
    """The value of a formula of quantities, as ``measure`` gives each.

    A kernel, a stride or a padding that is the same along each axis counts as one number.
    every, name: the pattern of names that stands for ``name``. Raises ClaimError, NotDerivable.
    """
    measured: dict[str, Value] = {}

    def ask(text: str) -> Value:
        if text not in measured:  # a product of sixty of the same is measured once
            about, _, quantity = text.rpartition(".")
            if not quantity:
                raise ClaimError("a quantity is missing after the dot", values=text)
            one = name if every and about == every else about
            measured[text] = measure(counted, one, quantity)
        return measured[text]

    return _evaluate(tree, counted, ask)


def _evaluate(tree: expression.Tree, counted: Tally, ask: Callable[[str], Value]) -> Value:
    if isinstance(tree, expression.Number):
        return tree.value
    if isinstance(tree, expression.Name):
        return ask(tree.text)
    if isinstance(tree, expression.FunctionCall):
        return _call(tree, counted, ask)
    left, right = (_operand(_evaluate(side, counted, ask)) for side in (tree.left, tree.right))
    if tree.sign in ("/", "//") and not right:
        raise ClaimError("a division by zero", values=f"character {tree.at + 1}")
    return compute(tree.sign, left, right)


def _operand(value: Value) -> Number:
    number = single_number(value)
    if number is None:
        raise ClaimError("a shape or a word can't be computed with", values=str(value))
    return number


def _call(tree: expression.FunctionCall, counted: Tally, ask: Callable[[str], Value]) -> Number:
    if len(tree.arguments) != 1:
        raise ClaimError(f"{tree.function} takes one argument")
    argument = tree.arguments[0]
    if tree.function == "count":
        if not isinstance(argument, expression.Name):
            raise ClaimError("count takes the name of a kind of layer", hint="count(conv)")
        return count(counted, argument.text)
    value = single_number(_evaluate(argument, counted, ask))
    if tree.function in ("kv_cache", "kv_cache_values"):
        return _kv_cache(counted, value, 2 if tree.function == "kv_cache" else 1)
    if tree.function == "log2":
        if value is None or value <= 0:
            raise ClaimError("log2 needs a positive number", values=str(value))
        return log2(plain(value) if isinstance(value, int) else value)
    hint = closest(tree.function, ["count", "log2", "kv_cache", "kv_cache_values"])
    raise ClaimError(f"there is no function '{tree.function}'", hint=hint)


def _kv_cache(counted: Tally, context: Number | None, width: int) -> int:
    """Bytes of the keys and values of so many tokens. width: bytes of one."""
    from .caches import cache

    if not isinstance(context, int) or context < 0:
        raise ClaimError("kv_cache takes a number of tokens", values=str(context))
    try:
        return width * cache(counted, context).keys_and_values
    except NettallyError as error:
        raise NotDerivable(error.what) from None
