"""Accountings: named, sourced conventions for adding up the facts that layers state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import product, total
from ..network import NOTHING, Work
from ..record import Record
from ..registry import Registry
from .rows import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..network import Network
    from .rows import Row

Terms = dict[str, int]
"""A linear combination of facts: how often each is counted, as ``{"macs": 1, "bias_adds": 1}``.

The facts are the fields of ``Work`` and those of ``FACTS``, all for one batch.
"""


class Accounting(Record):
    """One convention, as data.

    operations: for each kind of layer (``*`` for those not named) what is added up. unit: what
    the sum is called by whoever uses this convention. tensors: which tensors are parameters, of
    weights, biases and buffers. fold: batch normalisation is folded into the layer before it, so
    that only one bias a channel is left (as if each stood after a convolution without a bias).
    neurons_of: ``weighted`` (outputs of the layers that form weighted sums), ``all`` (outputs of
    every layer) or ``conv`` (outputs of convolutions). per_mac: what a multiply-add counts for.
    of_calls: it is a tool's that looks at calls, and of a module that was read it gives that
    tool's own figure; these rules are for what has no calls.
    """

    name: str
    title: str
    source: str
    operations_by_kind: Mapping[str, Terms]
    unit: str = "MACs"
    tensors: tuple[str, ...] = ("weights", "biases")
    fold: bool = False
    neurons_of: str = "weighted"
    per_mac: int = 1
    of_calls: bool = False

    def counts(self, kind: str) -> bool:
        """Whether the weighted sums of such layers are counted at all."""
        terms = self.operations_by_kind.get(kind, self.operations_by_kind.get("*", NOTHING))
        return any("macs" in fact or "parameters" in fact or "weights" in fact for fact in terms)

    def operations(self, row: Row) -> int:
        """The operations of one row, for one batch; 0 where the row is not known."""
        work = row.work
        if work is None:
            return 0
        by_kind = self.operations_by_kind
        terms = by_kind.get(row.node.layer.kind)
        if terms is None:
            terms = by_kind.get("*", NOTHING)
        result = 0
        for fact, times in terms.items():
            place = _PLACES.get(fact)
            amount = fact_of(row, fact) if place is None else work[place]
            if times != 1:
                amount = times * amount
            result = result + amount if result else amount
        return result

    def parameters(self, row: Row) -> int:
        """The parameters that the row itself owns; what it shares counts with the owner."""
        parameters = row.parameters
        if parameters is None:
            return 0
        if self.fold and row.node.layer.kind == "batch_norm":
            return row.inputs[0][1]
        tensors = self.tensors
        counted = 0
        if parameters:
            shared = row.node.shared
            for name, shape in parameters.items():
                if name in shared:
                    continue
                if ("biases" if is_bias(name) else "weights") in tensors:
                    size = product(shape)
                    counted = counted + size if counted else size
        if "buffers" in tensors and row.buffers:
            shared = row.node.shared
            counted = counted + total(
                product(shape) for name, shape in row.buffers.items() if name not in shared
            )
        return counted

    def total_operations(self, rows: Iterable[Row]) -> int:
        """The operations of all rows."""
        return total(map(self.operations, rows))

    def total_parameters(self, rows: Iterable[Row]) -> int:
        """The parameters of all rows."""
        return total(map(self.parameters, rows))

    def printed(self) -> Any:
        """What a tool prints for the tally that the accounting was settled for; else None."""
        return None

    def settled(self, network: Network, rows: Sequence[Row]) -> Accounting:
        """The same for one network: of a module that was read, a tool looks at the calls."""
        if not self.of_calls or not network.calls:
            return self
        settle = BY_CALLS.find(self.name)
        return self if settle is None else settle(self, network, rows)

    def neurons(self, row: Row) -> int:
        """The row's units of one example, where this accounting calls them neurons (``units``)."""
        shape = row.shape
        if shape is None:
            return 0
        which = self.neurons_of
        layer = row.node.layer
        if which == "all" or (
            layer.weighted if which == "weighted" else layer.kind.startswith(("conv", "local"))
        ):
            return units(shape, row.examples)
        return 0


_PLACES = {name: place for place, name in enumerate(Work._fields)}


def is_bias(name: str) -> bool:
    """Whether a tensor of that name is a bias: ``bias``, ``bias_ih_l0``, ``in_proj_bias``."""
    return name.startswith("bias") or name.endswith("_bias")


def fact_of(row: Row, fact: str) -> int:
    """One fact of a row, by its name in ``Terms``."""
    place = _PLACES.get(fact)
    if place is not None:
        return row.work[place] if row.work is not None else 0
    return FACTS[fact](row)


def _positions(row: Row) -> int:
    """The positions of the output's space, times the batch."""
    shape = row.shape or (1,)
    return product((shape[0], *shape[2:]))


def _parameters(row: Row) -> int:
    return total(product(shape) for shape in (row.parameters or NOTHING).values())


def _weights(row: Row) -> int:
    tensors = (row.parameters or NOTHING).items()
    return total(product(shape) for name, shape in tensors if not is_bias(name))


def _unbiased_pairs(row: Row) -> int:
    tensors = row.parameters or NOTHING
    return product((row.inputs[0][0], *tensors["weight"][:2])) if "bias" not in tensors else 0


FACTS: dict[str, Callable[[Row], int]] = {
    "outputs": lambda row: product(row.shape or (1,)),
    "inputs": lambda row: total(product(x) for x in row.inputs),
    "merged": lambda row: product(row.shape or (1,)) * (len(row.inputs) - 1),
    "rows": lambda row: product(row.shape or (1,)) // (row.shape or (1,))[-1],
    "positions": _positions,
    "outputs_at_stride": lambda row: (
        product(row.shape or (1,)) * product(row.node.layer.fields()["stride"])
    ),
    "unbiased_pairs": _unbiased_pairs,
    "neighbours": lambda row: _positions(row) * (row.node.layer.fields()["size"] - 1),
    "outputs_by_size_squared": lambda row: (
        product(row.shape or (1,))
        * row.node.layer.fields()["size"]
        * row.node.layer.fields()["size"]
    ),
    "parameters_by_batch": lambda row: _parameters(row) * row.inputs[0][0],
    "parameters_at_outputs": lambda row: _parameters(row) * _positions(row),
    "weights_at_outputs": lambda row: _weights(row) * _positions(row),
}
"""Further facts of a row, for one batch.

outputs, inputs: numbers of values. merged: values added to the first input's. rows: softmaxes
over the last axis. positions: places of the output's space. outputs_at_stride: each value times
the area of the stride. unbiased_pairs: input times output channels of a group, in convolutions
without a bias. neighbours: what padding the channels of a response normalisation adds.
outputs_by_size_squared: times the square of its window.
parameters_by_batch, parameters_at_outputs, weights_at_outputs: tensors, each value once an
example, or once a position of the output.
"""


NETTALLY = Accounting(
    name="nettally",
    title="multiply-accumulates of weighted sums; learned parameters, shared ones once",
    source="docs/glossary.md",
    operations_by_kind={"*": {"macs": 1}},
)


ACCOUNTINGS = Registry("accountings", entries={NETTALLY.name: NETTALLY})
"""By name, in the order in which tables list them."""

BY_CALLS = Registry("accountings by calls")
"""By an accounting's name, what settles it for a network whose calls are known.

``settle(accounting, network, rows)`` gives the accounting for this very network.
"""


def register(accounting: Accounting) -> Accounting:
    """Add an accounting under its name. Raises ValueError where another one has it."""
    ACCOUNTINGS.add(accounting.name, accounting)
    return accounting


def accounting(name: str) -> Accounting:
    """An accounting by its name. Raises NettallyError for a name that is not known."""
    known = ACCOUNTINGS.find(name)
    if known is None:
        from ..errors import NettallyError, closest

        raise NettallyError(
            f"no accounting is called '{name[:80]}'", hint=closest(name, list(ACCOUNTINGS))
        )
    return known
