"""Accountings: named, sourced conventions for adding up the facts that layers state."""

from __future__ import annotations

import os
from functools import lru_cache
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


EVERYTHING_ELSE = ("*",)
"""For ``Accounting.leaves_out``: the source says that nothing but what it counts is counted."""


class Accounting(Record):
    """One convention, as data.

    counts: for each kind of layer that is counted (``*`` for all others) what is added up.
    leaves_out: the kinds of layers whose weighted sums the source leaves out on purpose
    (``EVERYTHING_ELSE`` for all that it does not count); they are zero, and the total is complete.
    Weighted sums of a kind in neither list are not known, and the total is "at least".
    unit: what the sum is called by whoever uses this convention. tensors: which tensors are
    parameters, of weights, biases and buffers. fold_batch_norm: batch normalisation is folded
    into the weighted layer before it (``accountings.folding``). neurons_of: ``weighted``
    (outputs of the layers that form weighted sums), ``all`` (outputs of every layer) or ``conv``
    (outputs of convolutions). per_mac: what a multiply-add counts for; 0 where no operations are
    counted.
    by_calls: it is a tool's that looks at calls, and of a module that was read it gives that
    tool's own count; ``counts`` is for what has no calls. assumes: by kind of layer, which
    spelling or device ``counts`` takes for granted, where the tool's own count depends on it.
    """

    name: str
    title: str
    source: str
    counts: Mapping[str, Terms]
    unit: str = "MACs"
    tensors: tuple[str, ...] = ("weights", "biases")
    fold_batch_norm: bool = False
    neurons_of: str = "weighted"
    per_mac: int = 1
    by_calls: bool = False
    leaves_out: tuple[str, ...] = ()
    assumes: Mapping[str, str] = NOTHING

    @property
    def counts_operations(self) -> bool:
        """Whether any operations are counted; counting none is another thing than zero."""
        return bool(self.counts)

    def terms(self, kind: str) -> Terms:
        """What is added up for a kind of layer; nothing for one that is left out or not known."""
        counts = self.counts
        terms = counts.get(kind)
        return counts.get("*", {}) if terms is None else terms

    def terms_of(self, row: Row) -> Terms:
        """What is added up for one row."""
        counts = self.counts
        terms = counts.get(row.node.layer.kind)
        return counts.get("*", {}) if terms is None else terms

    def knows(self, row: Row) -> bool:
        """Whether the operations of a row are known: counted, or left out on purpose.

        What does no multiply-accumulates may be left out silently.
        """
        work = row.work
        if work is None:
            return False
        counts, left_out = self.counts, self.leaves_out
        if "*" in counts or "*" in left_out or not work.macs:
            return True
        kind = row.node.layer.kind
        return kind in counts or kind in left_out

    def knows_all(self, rows: Iterable[Row]) -> bool:
        """Whether the operations of all rows are known, so that their sum is exact."""
        return all(map(self.knows, rows))

    def operations(self, row: Row) -> int:
        """The operations of one row, for one batch; 0 where the row is not known."""
        work = row.work
        if work is None:
            return 0
        result = 0
        for fact, times in self.terms_of(row).items():
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
        """The same for one network, where what a row counts for depends on more than the row.

        Of a module that was read, a tool looks at the calls; a norm is folded into its neighbour.
        """
        settle = None
        if self.fold_batch_norm:
            settle = SETTLERS.find("fold_batch_norm")
        elif self.by_calls and network.calls:
            settle = SETTLERS.find(self.name)
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


@lru_cache(1024)
def is_bias(name: str) -> bool:
    """Whether a tensor of that name is a bias, by the last part of the name.

    ``bias``, ``gate.bias``, ``bias_ih_l0`` and ``attention.in_proj_bias`` are; ``bias.weight`` is
    none.
    """
    last = name.rpartition(".")[2]
    return last.startswith("bias") or last.endswith("_bias")


def fact_of(row: Row, fact: str) -> int:
    """One fact of a row, by its name in ``Terms``.

    Raises AccountingError for a fact that there is not, or that such a layer does not have.
    """
    place = _PLACES.get(fact)
    if place is not None:
        return row.work[place] if row.work is not None else 0
    function = FACTS.find(fact)
    try:
        return function(row)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        from ..errors import AccountingError

        raise AccountingError(
            f"'{fact[:80]}' is no fact of this layer",
            where=row.node.name,
            values=f"{row.node.layer.kind}, input {row.inputs}"[:200],
            hint=f"one of {', '.join(Work._fields)}, outputs, inputs",
        ) from None


def _size(row: Row) -> int:
    return product(row.shape or (1,))


def _positions(row: Row) -> int:
    """The positions of the output's space, times the batch."""
    shape = row.shape or (1,)
    return product((shape[0], *shape[2:]))


def _tensors(row: Row, *, biases: bool) -> int:
    tensors = (row.parameters or NOTHING).items()
    return total(product(shape) for name, shape in tensors if is_bias(name) == biases)


def _unbiased_pairs(row: Row) -> int:
    tensors = row.parameters or NOTHING
    return product((row.inputs[0][0], *tensors["weight"][:2])) if "bias" not in tensors else 0


def _rows(row: Row) -> int:
    axis: int = _field(row, "axis")
    return _size(row) // (row.shape or (1,))[axis]


def _field(row: Row, name: str) -> Any:
    return row.node.layer.fields()[name]


_FACTS: dict[str, Callable[[Row], int]] = {
    "outputs": _size,
    "inputs": lambda row: total(product(x) for x in row.inputs),
    "merged": lambda row: _size(row) * (len(row.inputs) - 1),
    "rows": _rows,
    "positions": _positions,
    "outputs_at_stride": lambda row: _size(row) * product(_field(row, "stride")),
    "unbiased_pairs": _unbiased_pairs,
    "neighbours": lambda row: _positions(row) * (_field(row, "size") - 1),
    "outputs_by_size_squared": lambda row: _size(row) * _field(row, "size") * _field(row, "size"),
    "weights_by_batch": lambda row: _tensors(row, biases=False) * (row.shape or (0,))[0],
    "biases_by_batch": lambda row: _tensors(row, biases=True) * (row.shape or (0,))[0],
    "weights_at_outputs": lambda row: _tensors(row, biases=False) * _positions(row),
    "biases_at_outputs": lambda row: _tensors(row, biases=True) * _positions(row),
}

FACTS = Registry("facts of rows")
FACTS.entries.update(_FACTS)
"""Further facts of a row, for one batch: ``fact(row)``, by name.

outputs, inputs: numbers of values. merged: values added to the first input's. rows: softmaxes
over an axis. positions: places of the output's space. outputs_at_stride: each value times
the area of the stride. unbiased_pairs: input times output channels of a group, in convolutions
without a bias. neighbours: what padding the channels of a response normalisation adds.
outputs_by_size_squared: times the square of its window.
weights_by_batch, biases_by_batch: tensors, each value once an example. weights_at_outputs,
biases_at_outputs: the same, once a position of the output.
"""


NETTALLY = Accounting(
    name="nettally",
    title="multiply-accumulates of weighted sums; learned parameters, shared ones once",
    source="docs/glossary.md",
    counts={"*": {"macs": 1}},
)


REGISTRY = Registry("accountings", entries={NETTALLY.name: NETTALLY})
"""By name, in the order in which tables list them."""

SETTLERS = Registry("settlers of accountings")
"""What settles an accounting for one network: under its name by calls, under
``fold_batch_norm`` by folding.

``settle(accounting, network, rows)`` gives the accounting for this very network.
"""


def register(accounting: Accounting) -> Accounting:
    """Add an accounting under its name. Raises ValueError where another one has it."""
    REGISTRY.add(accounting.name, accounting)
    return accounting


LOADERS = Registry("readers of accountings")
"""What reads an accounting of one's own: ``load(path)``, under ``file``."""


def as_accounting(which: Accounting | str | os.PathLike[str] | None) -> Accounting:
    """An accounting, itself, by its name, or in a file of one's own; None is ours.

    "-" is a file on standard input.

    Raises NettallyError for a name that is not known, and for a file that is no accounting.
    """
    if which is None:
        return NETTALLY
    if isinstance(which, Accounting):
        return which
    if not isinstance(which, (str, os.PathLike)):
        from ..errors import NettallyError

        raise NettallyError(
            "this is neither the name of an accounting, a file nor an Accounting",
            values=f"it is of the type {type(which).__name__}: {repr(which)[:60]}",
            hint="a name of nettally.ACCOUNTINGS, such as 'keras'",
        )
    name = os.fspath(which)
    if name == "-" or os.sep in name or name.lower().endswith((".yaml", ".yml", ".json")):
        return LOADERS.find("file")(name)
    return accounting(name)


def accounting(name: str) -> Accounting:
    """An accounting by its name. Raises NettallyError for a name that is not known."""
    known = REGISTRY.find(name)
    if known is None:
        from ..errors import NettallyError, closest

        raise NettallyError(
            f"no accounting is called '{name[:80]}'", hint=closest(name, list(REGISTRY))
        )
    return known
