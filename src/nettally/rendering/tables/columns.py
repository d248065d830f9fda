"""The columns that a table can have, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...arith import plain
from ...counting.certainty import certainty, knows
from ...counting.quantities import SUMS, kind_of
from ...errors import NettallyError, closest
from ..layer_line import described, size
from .tree import last_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...counting.receptive_field import Field
    from ...counting.tally import Tally
    from .tree import TreeLine


class Column(NamedTuple):
    """title: None where the accounting gives it. number: stands right-aligned."""

    name: str
    title: str | None
    help: str
    cell: Callable[[Tally, TreeLine], Any]
    number: bool = True


def _sum(quantity: str) -> Callable[[Tally, TreeLine], Any]:
    measure = SUMS[quantity]

    def cell(tally: Tally, line: TreeLine) -> int | AtLeast | None:
        known = [row for row in line.rows if knows(tally, quantity, row)]
        amount = plain(sum(plain(measure(tally, row)) for row in known))
        if len(known) == len(line.rows):
            return amount
        return AtLeast(amount) if known else None

    return cell


TOTALS = ("neurons", "parameters", "operations")
"""The sums at the foot of a table."""


def total_of(tally: Tally, quantity: str) -> str:
    """A sum over the network for people: ``1,234``, ``at least 1,234``, ``not known``."""
    complete = tally.operations_complete if quantity == "operations" else tally.complete
    sure = "exact" if complete else certainty(tally, quantity)
    if sure == "unknown":
        return "not known"
    if quantity in TOTALS:  # the tally's own sums, which is the quicker way
        amount = plain(getattr(tally, quantity))
    else:
        amount = sum(plain(SUMS[quantity](tally, row)) for row in tally.rows)
    return f"{amount:,}" if sure == "exact" else f"at least {amount:,}"


class AtLeast(int):
    """A sum of which some part is not known."""


def _kind(tally: Tally, line: TreeLine) -> str:
    if line.row is not None:
        return kind_of(line.row)
    return f"({len(line.rows)} layers)" if line.collapsed else ""


def _layer(tally: Tally, line: TreeLine) -> str:
    return described(line.row.node) if line.row is not None else _kind(tally, line)


def _output(tally: Tally, line: TreeLine) -> str | None:
    return size(last_of(line.rows).shape)


def _input(tally: Tally, line: TreeLine) -> str | None:
    shapes = line.rows[0].inputs
    shown = [size(shape) or "?" for shape in shapes]
    return " + ".join(shown) if len(shown) <= 4 else f"{shown[0]} and {len(shown) - 1} more"


def _share(tally: Tally, line: TreeLine) -> float | None:
    total = tally.once(_all_parameters)
    amount = _sum("parameters")(tally, line)
    return None if amount is None or not total else 100 * amount / total


def _all_parameters(tally: Tally) -> int:
    return plain(tally.parameters)


def _by_axis_of(field: str) -> Callable[[Tally, TreeLine], Any]:
    """The cell of a layer's own field that has one number an axis: ``11x11``."""

    def cell(tally: Tally, line: TreeLine) -> str:
        value = line.row.node.layer.fields().get(field) if line.row is not None else None
        return _by_axis(value) if isinstance(value, tuple) else ""

    return cell


def _stride(tally: Tally, line: TreeLine) -> str:
    steps = _by_axis_of("stride")(tally, line).split("x")
    return steps[0] if len(set(steps)) == 1 else "x".join(steps)


def _weight(tally: Tally, line: TreeLine) -> str | None:
    if line.row is None or line.row.parameters is None:
        return None
    weight = line.row.parameters.get("weight")
    return "" if weight is None else "x".join(str(plain(n)) for n in weight)


def _tensors(tally: Tally, line: TreeLine) -> str | None:
    if line.row is None:
        return ""
    if line.row.parameters is None:
        return None
    tensors = {**line.row.parameters, **(line.row.buffers or {})}
    texts = [f"{name} {_by_axis(shape)}" for name, shape in list(tensors.items())[:6]]
    return ", ".join(texts) + (f" and {len(tensors) - 6:,} more" if len(tensors) > 6 else "")


def _by_axis(shape: Iterable[int]) -> str:
    return "x".join(str(plain(n)) for n in shape) or "1"


def seen(tally: Tally, line: TreeLine) -> Field:
    """The receptive field of a line: that of its last layer."""
    from ...counting.receptive_field import receptive_fields

    return tally.once(receptive_fields)[last_of(line.rows).node.name]


def _field(tally: Tally, line: TreeLine) -> str:
    return seen(tally, line).brief


def _effective_stride(tally: Tally, line: TreeLine) -> str:
    field = seen(tally, line)
    if field.status or field.whole:
        return ""
    steps = field.stride
    return "x".join(str(each) for each in (steps[:1] if len(set(steps)) == 1 else steps))


COLUMNS = {
    column.name: column
    for column in (
        Column("layer", "layer", "kind and fields, as our own file writes them", _layer, False),
        Column("kind", "kind", "kind of the layer", _kind, False),
        Column("input", "input", "what comes in, without the batch", _input),
        Column("output", "output", "what comes out: channels, then space", _output),
        Column("neurons", "neurons", "units of one example", _sum("neurons")),
        Column("parameters", "parameters", "learned numbers", _sum("parameters")),
        Column("share", "share %", "share of all parameters", _share),
        Column("weights", "weights", "parameters that are no biases", _sum("weights")),
        Column("biases", "biases", "parameters that are biases", _sum("biases")),
        Column("active", "active", "parameters that a token runs through", _sum("active")),
        Column(
            "active_without_input_embedding",
            "active, no look-up",
            "those, less a table that is no head",
            _sum("active_without_input_embedding"),
        ),
        Column(
            "active_without_embeddings",
            "active, no tables",
            "those, less the tables of tokens and the head",
            _sum("active_without_embeddings"),
        ),
        Column(
            "non_embedding",
            "non-embedding",
            "parameters of no table of tokens, places or the head",
            _sum("non_embedding"),
        ),
        Column("weight", "weight's shape", "sizes of the weight tensor", _weight),
        Column("tensors", "tensors", "sizes of all that it holds", _tensors, False),
        Column("memory", "bytes", "bytes of the parameters, 4 each", _sum("memory")),
        Column("operations", None, "operations, as the accounting counts", _sum("operations")),
        Column("macs", "MACs", "multiply-accumulates of weighted sums", _sum("macs")),
        Column("flops", "FLOPs (2·MACs)", "two for each of those", _sum("flops")),
        Column("connections", "connections", "MACs, bias additions, pooled", _sum("connections")),
        Column("values", "values", "all output values", _sum("values")),
        Column(
            "activations",
            "activations",
            "outputs of products, as fvcore counts",
            _sum("activations"),
        ),
        Column("field", "field", "receptive field, pixels of the input", _field),
        Column("kernel", "kernel", "the layer's own kernel", _by_axis_of("kernel")),
        Column("stride", "stride", "the layer's own stride", _stride),
        Column(
            "effective_stride",
            "effective stride",
            "pixels of the input from unit to unit",
            _effective_stride,
        ),
    )
}
"""All columns by name. ``name`` itself always comes first."""

DEFAULT = ("output", "neurons", "parameters", "operations", "field")

OF_PARAMETERS = ("tensors", "parameters", "share")
"""The usual columns where nothing but the parameters is known."""

_SAME = {
    "receptive_field": "field",
    "params": "parameters",
    "mult_adds": "macs",
    "shape": "output",
}


def chosen(names: str | None, tally: Tally | None = None) -> tuple[Column, ...]:
    """The columns of a comma-separated list, or the usual ones. NettallyError for another name."""
    if not names:
        bare = (
            tally is not None
            and not tally.network.inputs
            and certainty(tally, "operations") == "unknown"
        )
        return tuple(COLUMNS[name] for name in (OF_PARAMETERS if bare else DEFAULT))
    columns: list[Column] = []
    for each in names.split(","):
        name = each.strip().lower().replace("-", "_")
        name = _SAME.get(name, name)
        if name in ("", "name"):
            continue
        if name not in COLUMNS:
            raise NettallyError(f"there is no column '{each.strip()}'", hint=closest(name, COLUMNS))
        if COLUMNS[name] not in columns:
            columns.append(COLUMNS[name])
    return tuple(columns)


def title(column: Column, tally: Tally) -> str:
    """The column's heading; that of the operations is what the accounting calls them."""
    return tally.accounting.unit if column.title is None else column.title


def shown(value: Any) -> str:
    """A cell for people: commas, – for nothing, ? for what is not known."""
    if value is None:
        return "?"
    if isinstance(value, AtLeast):
        return f"≥ {int(value):,}"
    if isinstance(value, float):
        return f"{value:.2f}" if value else "–"
    if isinstance(value, int):
        return f"{value:,}" if value else "–"
    return str(value) or "–"
