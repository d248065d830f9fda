"""The facts of one node: what goes in, what comes out, what it holds and does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..arith import Named, Num, product

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network import Layer, Node, Shape, Work


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


def units(shape: Shape) -> int:
    """The values of one example, space first: 55·55·96."""
    return product((*shape[2:], shape[1])) if len(shape) > 1 else 1
