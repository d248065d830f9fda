"""Folding a network into rows, and rows into totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arith import total
from ..display import Displayed, display_of
from ..errors import ClaimError, LayerError, NetworkError
from ..formats import read
from ..layers.same_padding import resolve
from ..network import NOTHING, Layer, Network, Node, Shape, is_verified
from ..record import Record
from .accounting import Accounting, as_accounting
from .rows import Row, count_node, new_row, with_examples

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from ..formats import Sizes, TorchModule

    Net: TypeAlias = "str | os.PathLike[str] | TorchModule | Network | Tally"
    """A network as every function takes it that the command answers with about NET."""

LARGE = 64
"""In networks of more nodes than this, what a layer says of an input is asked for only once."""


class Rows(tuple[Row, ...]):
    """A tally's rows in order. Called, they are flat dicts: ``pandas.DataFrame(tally.rows())``."""

    network: Network
    accounting: Accounting

    def __call__(self) -> list[dict[str, Any]]:
        """A dict a layer: name, type, module, shapes, and every quantity that adds up.

        Plain values only; None is not known.
        """
        tally = Tally(self.network, self.accounting, self)
        display = display_of(tally)
        assert display is not None
        assert display.rows is not None
        return display.rows(tally)


class Tally(Displayed, Record):
    """The rows of a network, and their totals under one accounting.

    A total is "at least" where ``complete`` is false: some layer's work is not known. That of the
    parameters is exact where ``parameters_complete`` is true, and that of the operations where
    ``operations_complete`` is: an accounting may know less than there is.
    """

    network: Network
    accounting: Accounting
    rows: Rows

    def __post_init__(self) -> None:
        self.__dict__["accounting"] = self.accounting.settled(self.network, self.rows)
        rows = self.rows
        if type(rows) is not Rows or rows.__dict__:  # these are another tally's
            rows = Rows(rows)
        rows.network, rows.accounting = self.network, self.accounting  # and not the tally: a cycle
        self.__dict__["rows"] = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        by_name = self.once(_rows_by_name)
        if name not in by_name:
            from ..errors import closest

            raise NetworkError(
                f"{self.network.name} has no layer '{name}'", hint=closest(name, by_name)
            )
        return by_name[name]

    def __repr__(self) -> str:
        return f"<Tally of {self.network.name}: {len(self.rows)} rows by {self.accounting.name}>"

    @property
    def complete(self) -> bool:
        """Whether every layer is known, so that the totals are exact."""
        return self.once(_is_complete)

    @property
    def operations_complete(self) -> bool:
        """Whether the operations are exact: every layer is known, to the accounting too."""
        return self.once(_operations_are_known)

    @property
    def parameters_complete(self) -> bool:
        """Whether every layer's parameters are known, though its work may not be."""
        return all(row.parameters is not None for row in self.rows)

    @property
    def unknown(self) -> tuple[Row, ...]:
        """The rows whose work is not known."""
        return tuple(row for row in self.rows if row.work is None)

    @property
    def not_counted(self) -> tuple[Row, ...]:
        """The rows whose work is known, and of which the accounting does not say what it counts."""
        knows = self.accounting.knows
        return tuple(row for row in self.rows if row.work is not None and not knows(row))

    @property
    def parameters(self) -> int:
        """All parameters that the accounting counts, shared ones once."""
        return self.accounting.total_parameters(self.rows)

    @property
    def operations(self) -> int:
        """All operations of one batch, as the accounting counts them."""
        return self.accounting.total_operations(self.rows)

    @property
    def neurons(self) -> int:
        """All units of one example that the accounting calls neurons."""
        return total(map(self.accounting.neurons, self.rows))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of weighted sums, for one batch; a fact, under any accounting."""
        return total(row.work.macs for row in self.rows if row.work is not None)

    def by_module(self, quantity: str = "operations") -> dict[str, int]:
        """The sums of each module, of the modules in it, and of each layer, by their names.

        quantity: operations, parameters or neurons, as the accounting counts them. "" is all of
        the network. Raises NetworkError for another quantity.
        """
        counts = {
            "operations": self.accounting.operations,
            "parameters": self.accounting.parameters,
            "neurons": self.accounting.neurons,
        }
        if quantity not in counts:
            from ..errors import closest

            raise NetworkError(f"no sum is called '{quantity}'", hint=closest(quantity, counts))
        sums: dict[str, int] = {"": 0}
        for row in self.rows:
            number = counts[quantity](row)
            name, path = row.node.name, row.node.module
            sums[name] = sums.get(name, 0) + number
            while path:
                if path != name:
                    sums[path] = sums.get(path, 0) + number
                path = path.rpartition(".")[0]
            sums[""] += number
        return sums

    def at(self, size: Shape) -> Tally:
        """The same network with another input, of the only one that it has. Kept for next time."""
        kept = self.once(_tallies_by_size)
        if size not in kept:
            names = tuple(self.network.inputs)
            if len(names) != 1:
                raise NetworkError(
                    f"{self.network.name} has {len(names)} inputs", values=", ".join(names)
                )
            kept[size] = retally(self, inputs={names[0]: size})
        return kept[size]

    def under(self, accounting: Accounting) -> Tally:
        """The same facts under another accounting."""
        return self.replace(accounting=accounting)


def tally(
    network: Net,
    accounting: Accounting | str | os.PathLike[str] | None = None,
    *,
    working: bool = False,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Tally:
    """Count a network. working: with ``Num``s, so that each figure knows its arithmetic.

    network: as ``read`` takes it, with its input_size and input_data; or a Tally, which is counted
    anew only where another accounting or the working is asked for. accounting: itself, its name, or
    the path of a file; None is the tally's own, or ours.
    Raises what ``read`` raises, NetworkError for a graph that is not one, LayerError (with the
    layer's name and its ``file:line``) where a layer does not fit its input.
    """
    if isinstance(network, Tally):
        read(network.network, input_size, input_data=input_data)  # which has its sizes
        counted = network if accounting is None else network.under(as_accounting(accounting))
        return counted if not working else tally(counted.network, counted.accounting, working=True)
    convention = as_accounting(accounting)
    network = read(network, input_size, input_data=input_data)
    network.once(is_verified)
    return Tally(network, convention, Rows(_rows(network, working)))


def _rows_by_name(tally: Tally) -> dict[str, Row]:
    return {row.node.name: row for row in tally.rows}


def _is_complete(tally: Tally) -> bool:
    return all([row.work is not None for row in tally.rows])


def _operations_are_known(tally: Tally) -> bool:
    return tally.accounting.knows_all(tally.rows)


def _tallies_by_size(tally: Tally) -> dict[Shape, Tally]:
    """Where ``at`` keeps what it counted."""
    return {}


def _rows(network: Network, working: bool) -> list[Row]:
    shapes: dict[str, Shape | None] = dict(network.inputs)
    rows: list[Row] = []
    node: Node | None = None
    # long networks repeat themselves: what a layer says of an input is asked for once
    kept: dict[Any, Row] | None = {} if len(network.nodes) > LARGE and not working else None
    try:
        for node in network.nodes:
            if kept is None:
                row = count_node(node, shapes, working)
            else:
                layer, names = node.layer, node.inputs
                if len(names) == 1:
                    key = (id(layer), shapes[names[0]])
                elif len(names) == 2:
                    key = (id(layer), shapes[names[0]], shapes[names[1]])
                else:
                    key = (id(layer), *[shapes[name] for name in names])
                row = kept.get(key)
                if row is None:
                    row = kept[key] = count_node(node, shapes)
                else:
                    row = new_row(Row, (node, *row[1:]))
            shapes[node.name] = row.shape
            rows.append(row)
    except LayerError as error:
        assert node is not None
        raise error.at(str(node.source or network.source or ""), node.name) from None
    except IndexError:
        assert node is not None
        xs = [shapes[name] for name in node.inputs]
        if all(x is None or len(x) > 1 for x in xs):
            raise
        raise LayerError(
            f"{node.layer.kind} needs a batch and channels",
            values="input " + ", ".join("x".join(map(str, x or ())) or "a number" for x in xs),
        ).at(str(node.source or network.source or ""), node.name) from None
    return with_examples(network, rows)


def retally(
    base: Tally,
    changes: Mapping[str, Layer] = NOTHING,
    inputs: Mapping[str, Shape] | None = None,
) -> Tally:
    """Count an edited network, only what lies downstream of the edits anew.

    base: a tally without working. changes: other layers at some nodes. inputs: other input shapes.
    A padding that the source wrote as a rule ("same") is worked out again for its new input.
    """
    network = base.network.edit(changes) if changes else base.network
    if inputs is not None:
        network = network.replace(inputs=inputs)
    shapes: dict[str, Shape | None] = dict(network.inputs)
    moved = {
        name for name, shape in network.inputs.items() if base.network.inputs.get(name) != shape
    }
    rows: list[Row] = []
    for node, row in zip(network.nodes, base.rows, strict=True):
        name = node.name
        if name in changes or (moved and not moved.isdisjoint(node.inputs)):
            before = row.shape
            try:
                if name not in changes and isinstance(node.written.get("padding"), str):
                    xs = tuple(shapes[each] for each in node.inputs)
                    if None not in xs:
                        node = node.replace(layer=resolve(node, xs))  # type: ignore[arg-type] - none of them is None
                row = count_node(node, shapes)
            except LayerError as error:
                raise error.at(str(node.source or network.source or ""), name) from None
            if row.shape != before:
                moved.add(name)
        shapes[name] = row.shape
        rows.append(row)
    network = network.replace(nodes=tuple(row.node for row in rows))
    return Tally(network, base.accounting, Rows(with_examples(network, rows)))


def is_within(row: Row, about: str) -> bool:
    """Whether the row is the layer of that name, or stands in the module of that name."""
    node = row.node
    return about in (node.name, node.module) or node.module.startswith(f"{about}.")


def matching(tally: Tally, about: str) -> tuple[Row, ...]:
    """The row of that name, else the rows of the module of that name, else those of the kind.

    Raises ClaimError where there are none.
    """
    for row in tally.rows:
        if row.node.name == about:
            return (row,)
    inside = tuple(row for row in tally.rows if is_within(row, about))
    if not inside:
        inside = tuple(row for row in tally.rows if row.node.layer.kind == about)
    if inside:
        return inside
    from ..errors import closest

    names = [row.node.name for row in tally.rows]
    modules = [row.node.module for row in tally.rows if row.node.module]
    raise ClaimError(
        f"{tally.network.name} has no layer or module '{about}'",
        hint=closest(about, [*names, *modules, *tally.network.inputs]),
    )


def names_like(tally: Tally, pattern: str) -> tuple[str, ...]:
    """The layers (else the modules) whose names match a pattern with ``*``, in order."""
    from fnmatch import fnmatchcase

    layers = tuple(row.node.name for row in tally.rows if fnmatchcase(row.node.name, pattern))
    if layers:
        return layers
    modules = dict.fromkeys(row.node.module for row in tally.rows)
    return tuple(module for module in modules if module and fnmatchcase(module, pattern))
