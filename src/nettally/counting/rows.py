"""The facts of one node: what goes in, what comes out, what it holds and does."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arith import Named, Num, product, total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network import Layer, Network, Node, Shape, Work


class Row(NamedTuple):
    """The facts of one node: what went in, what comes out, what it holds and does.

    shape, parameters, buffers and work are None where they are not known. A layer may be known in
    part: a file of parameters tells these, and neither shapes nor work. examples: how many
    examples the shape's values belong to, wherever among its axes they stand.
    """

    node: Node
    inputs: tuple[Shape, ...]
    shape: Shape | None
    parameters: Mapping[str, Shape] | None
    buffers: Mapping[str, Shape] | None
    work: Work | None
    examples: int = 1

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def known(self) -> bool:
        """Whether the layer's parameters and work are known."""
        return self.work is not None  # where the work is, all is


new_row = tuple.__new__  # a third of the time of Row(...), which takes its fields by name too


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
    y = shortened_sizes(shape, layer)
    shortened = {
        (int(size), size.how): short
        for size, short in zip(shape, y, strict=True)
        if isinstance(size, Num)
    }

    def shorten(tensors: Mapping[str, Shape]) -> Mapping[str, Shape]:
        # weights of their own for each position have the output's sizes among theirs
        return {
            name: tuple(
                shortened.get((int(n), n.how), n) if isinstance(n, Num) else n for n in tensor
            )
            for name, tensor in tensors.items()
        }

    parameters = shorten(layer.parameters(xs))
    return Row(node, xs, shape, parameters, layer.buffers(xs), layer.work(xs, y))


def shortened_sizes(shape: Shape, layer: Layer) -> Shape:
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


def units(shape: Shape, examples: int = 1) -> int:
    """The values of one example of ``examples``, as ``unit_sizes`` has them."""
    return product(unit_sizes(shape, examples))


def unit_sizes(shape: Shape, examples: int = 1) -> Shape:
    """The sizes whose product is the values of one example, space first: 55·55·96.

    examples: how many the shape holds. What a network folds into the leading axis (windows, heads,
    tokens) belongs to the example: 64 windows of 49 places are 64·49·96 values. The values of a
    shape that the examples do not divide are no example's, and all are counted.
    """
    if not shape:
        return ()
    leading, rest = int(shape[0]), (*shape[2:], *shape[1:2])
    if leading == examples:
        return rest
    if leading % examples == 0:
        return (leading // examples, *rest)
    values = product((leading, *rest))
    return (values // examples,) if int(values) % examples == 0 else (leading, *rest)


def activations(row: Row) -> int:
    """The values that the row's convolutions and matrix products put out for one example.

    fvcore 0.1.5, nn/activation_count.py, whose counts timm prints.
    """
    if row.work is None or row.shape is None:
        return 0
    products = row.node.layer.products(row.inputs, row.shape)
    return total([units(shape, row.examples) for shape in products])


def with_examples(network: Network, rows: list[Row]) -> list[Row]:
    """The rows, each with the number of examples that its values belong to.

    The network's inputs hold a batch where their leading sizes agree, sizes of 1 aside, and some
    layer tells that axis from the others (``Layer.batched``): in a network of nothing but, say,
    fully connected layers on 4x16x3, each of the 4·16 places is read alike, and the whole input
    is one example. The values of layers that read no batch (a computed weight) are no example's,
    until they are stretched to it.
    """
    batches = {int(shape[0]) for shape in network.inputs.values() if shape} - {1}
    if len(batches) != 1:
        return rows
    (batch,) = batches
    if not any(map(_tells_batch, rows, repeat(batch))):
        return rows
    reading = {name for name, shape in network.inputs.items() if shape and shape[0] == batch}
    result: list[Row] = []
    for row in rows:
        if not reading.isdisjoint(row.node.inputs) or _is_stretched(row, batch):
            reading.add(row.node.name)
            row = row._replace(examples=batch)
        result.append(row)
    return result


def _is_stretched(row: Row, batch: int) -> bool:
    """Whether the layer gives each example a copy of a tensor that is the network's own."""
    leading = row.shape[0] if row.shape else 1
    return leading == batch and bool(row.inputs) and all(x and x[0] == 1 for x in row.inputs)


def _tells_batch(row: Row, batch: int) -> bool:
    xs = row.inputs
    x = xs[0] if xs else None
    if x is None or len(x) < 2 or x[0] != batch:
        return False
    return row.node.layer.batched(xs)
