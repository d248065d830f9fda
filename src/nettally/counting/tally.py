"""Folding a network into rows, and rows into totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .._garbage import Resting
from ..arith import Named, Num, product, total
from ..errors import LayerError, NetworkError
from ..layers.same_padding import resolve
from ..network import NOTHING, Layer, Network, Node, Shape, Work, verify
from ..record import Record
from .accounting import NETTALLY, Accounting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


LARGE = 10_000
"""Networks of more nodes than this are counted with the garbage collector at rest."""


class Row(NamedTuple):
    """The facts of one node: what went in, what comes out, what it holds and does.

    shape, parameters, buffers and work are None where they are not known. A layer may be known in
    part: a file of parameters tells these, and neither shapes nor work.
    """

    node: Node
    inputs: tuple[Shape, ...]
    shape: Shape | None
    parameters: Mapping[str, Shape] | None
    buffers: Mapping[str, Shape] | None
    work: Work | None

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def known(self) -> bool:
        """Whether the layer's parameters and work are known."""
        return self.work is not None  # where the work is, all is


_new_row = tuple.__new__  # a third of the time of Row(...), which takes its fields by name too


class Rows(tuple[Row, ...]):
    """A tally's rows in order. Called, they are flat dicts: ``pandas.DataFrame(tally.rows())``."""

    network: Network
    accounting: Accounting

    def __call__(self) -> list[dict[str, Any]]:
        """A dict a layer: name, type, module, shapes, and every quantity that adds up.

        Plain values only; None is not known.
        """
        from importlib import import_module  # the renderers stand above this module

        tally = Tally(self.network, self.accounting, self)
        return import_module("nettally.rendering").flat_rows(tally)


class Tally(Record):
    """The rows of a network, and their totals under one accounting.

    A total is "at least" where ``complete`` is false: some layer's work is not known. That of the
    parameters is exact where ``parameters_complete`` is true.
    """

    network: Network
    accounting: Accounting
    rows: Rows

    def __post_init__(self) -> None:
        self.__dict__["accounting"] = self.accounting.settled(self)
        rows = self.rows
        if type(rows) is not Rows or rows.__dict__:  # these are another tally's
            rows = Rows(rows)
        rows.network, rows.accounting = self.network, self.accounting  # and not the tally: a cycle
        self.__dict__["rows"] = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        by_name = self.__dict__.get("_by_name")
        if by_name is None:
            by_name = {row.node.name: row for row in self.rows}
            self.__dict__["_by_name"] = by_name
        if name not in by_name:
            from ..errors import closest

            raise NetworkError(
                f"{self.network.name} has no layer '{name}'", hint=closest(name, by_name)
            )
        return by_name[name]

    def __str__(self) -> str:
        return self._rendered()

    def __repr__(self) -> str:
        return f"<Tally of {self.network.name}: {len(self.rows)} rows by {self.accounting.name}>"

    def _repr_html_(self) -> str:
        return self._rendered_html()

    def _repr_svg_(self) -> str | None:
        return self._drawn()

    @property
    def complete(self) -> bool:
        """Whether every layer is known, so that the totals are exact."""
        known = self.__dict__.get("_complete")
        if known is None:
            known = self.__dict__["_complete"] = all([row.work is not None for row in self.rows])
        return known

    @property
    def parameters_complete(self) -> bool:
        """Whether every layer's parameters are known, though its work may not be."""
        return all(row.parameters is not None for row in self.rows)

    @property
    def unknown(self) -> tuple[Row, ...]:
        """The rows whose work is not known."""
        return tuple(row for row in self.rows if row.work is None)

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
        kept: dict[Shape, Tally] = self.__dict__.setdefault("_at", {})
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


def tally(network: Network, accounting: Accounting = NETTALLY, *, working: bool = False) -> Tally:
    """Count a network. working: with ``Num``s, so that each figure knows its arithmetic.

    Raises NetworkError for a graph that is not one, LayerError (with the layer's name and its
    ``file:line``) where a layer does not fit its input.
    """
    with Resting(len(network.nodes) > LARGE):
        if "_verified" not in network.__dict__:
            verify(network)
            network.__dict__["_verified"] = True
        return Tally(network, accounting, Rows(_rows(network, working)))


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
                    _, xs, shape, parameters, buffers, work = row
                    row = _new_row(Row, (node, xs, shape, parameters, buffers, work))
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
    return rows


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
    return Tally(network, base.accounting, Rows(rows))


def count_node(node: Node, shapes: Mapping[str, Shape | None], working: bool = False) -> Row:
    """The facts of one node. shapes: of all that it may read, None where one is not known."""
    names = node.inputs
    layer: Any = node.layer
    xs: tuple[Any, ...]
    if len(names) == 1:
        xs = (shapes[names[0]],)
        unknown = xs[0] is None
    else:
        xs = tuple([shapes[name] for name in names])
        unknown = None in xs
    if layer.kind == "opaque":
        size: Shape | None = layer.size
        if size is None or layer.whole:
            shape = size
        else:
            shape = (next((x[0] for x in xs if x), 1), *size)
        if layer.tensors is None:
            return Row(node, xs, shape, None, None, None)
        return Row(node, xs, shape, layer.parameters(xs), layer.buffers(xs), None)
    if unknown:
        return Row(node, xs, None, None, None, None)
    if working:
        return _count_working(node, xs)
    y = layer.shape(xs)
    return Row(node, xs, y, layer.parameters(xs), layer.buffers(xs), layer.work(xs, y))


def _count_working(node: Node, xs: tuple[Shape, ...]) -> Row:
    """The row in Nums.

    Its shape tells how each size came about. The figures that are made of the shape take each
    size as it was found: 55 · 55 · 96 and not (⌈(224 - 11) / 4⌉ + 1) · …
    """
    layer = _named(node)
    xs = tuple(named_shape(x) for x in xs)
    shape = layer.shape(xs)
    y = _found(shape, layer)
    found = {
        (int(size), size.how): short
        for size, short in zip(shape, y, strict=True)
        if isinstance(size, Num)
    }

    def shorten(tensors: Mapping[str, Shape]) -> Mapping[str, Shape]:
        # weights of their own for each position have the output's sizes among theirs
        return {
            name: tuple(found.get((int(n), n.how), n) if isinstance(n, Num) else n for n in tensor)
            for name, tensor in tensors.items()
        }

    parameters = shorten(layer.parameters(xs))
    return Row(node, xs, shape, parameters, layer.buffers(xs), layer.work(xs, y))


def _found(shape: Shape, layer: Layer) -> Shape:
    """The output's sizes without their working; what a field of the layer states, as it stands."""
    stated = [id(value) for value in layer.__dict__.values()]
    names = named_shape(shape)
    if layer.weighted and len(shape) > 2 and not isinstance(shape[1], Num):
        names = (names[0], Num(int(shape[1]), "filters"), *names[2:])

    def given(size: int) -> bool:
        return id(size) in stated or (isinstance(size, Num) and isinstance(size.how, Named))

    pairs = zip(shape, names, strict=True)
    return tuple(size if given(size) else name for size, name in pairs)


def _named(node: Node) -> Layer:
    """The node's layer in Nums, its fields as the source wrote them (48·2 for 96)."""
    layer = node.layer.named()
    for name, value in node.written.items():
        if isinstance(value, Num) and value == getattr(node.layer, name, None):
            layer.__dict__[name] = value
    return layer


AXES = {
    2: ("features",),
    3: ("channels", "length"),
    4: ("channels", "height", "width"),
    5: ("channels", "depth", "height", "width"),
}


def named_shape(x: Shape) -> Shape:
    """A shape whose sizes are Nums called channels, height, width; a batch of 1 stays bare."""
    if not x:
        return x
    names = AXES.get(len(x)) or tuple(f"axis {i}" for i in range(1, len(x)))
    batch = x[0] if x[0] == 1 else Num(int(x[0]), "batch")
    return (
        int(batch) if batch == 1 else batch,
        *(Num(int(size), name) for size, name in zip(x[1:], names, strict=True)),
    )


def units(shape: Shape) -> int:
    """The values of one example, space first: 55·55·96."""
    return product((*shape[2:], shape[1])) if len(shape) > 1 else 1
