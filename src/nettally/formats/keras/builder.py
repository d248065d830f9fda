"""A network in the making: Keras' tensors, and the nodes that make them.

Keras' tensors have their channels last, ours first. So a tensor of Keras may be held by a node
whose axes are moved (``first``: channels, then space), or as it is (``plain``). Layers ask for the
one that they work on; where the other is at hand, a ``permute`` (a ``reshape``, where nothing but
sizes of 1 change places) stands between. A value is moved only when a layer asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError, ReadError
from ...layers import layer_class
from ...network import MAX_SIZE, NOTHING, Node, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Layer, Shape
    from .config import Inbound, Spec

    Handler = Callable[["LayerCall"], Any]

MAX_NODES = 100_000


class Unknown(Exception):
    """A layer whose input's shape is not known, and that can't be settled without it."""


class Value(NamedTuple):
    """A tensor of Keras: its node, its whole shape in Keras' order, and whether axes are moved."""

    node: str
    shape: Shape | None
    first: bool = False

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def sizes(self) -> Shape:
        """The whole shape. Raises Unknown where it is not known."""
        if self.shape is None:
            raise Unknown
        return self.shape


def moved(shape: Shape) -> Shape:
    """Channels first, of a shape with channels last."""
    return (shape[0], shape[-1], *shape[1:-1]) if len(shape) > 2 else shape


def back(shape: Shape) -> Shape:
    """Channels last, of a shape with channels first."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) > 2 else shape


class Builder:
    """The nodes so far, and what there is to say of them.

    handlers: what reads a layer, by its class.
    """

    def __init__(self, file: str, handlers: Mapping[str, Handler]) -> None:
        self.file = file
        self.handlers = handlers
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape | None] = {}
        self.names: set[str] = set()
        self.tried: dict[str, int] = {}
        self.notes: dict[str, dict[str, int]] = {}
        self.owners: dict[Any, dict[str, tuple[str, Mapping[str, Shape]]]] = {}
        self.frozen: set[str] = set()
        self.kept: dict[tuple[str, bool], Value] = {}
        self.stated_hold = True  # whether the shapes that the file states must be ours

    def free(self, name: str) -> str:
        """The name, or where it is taken, the next with a number."""
        candidate, number = name, self.tried.get(name, 0)
        while candidate in self.names:
            number += 1
            candidate = f"{name}_{number}"
        self.tried[name] = number
        self.names.add(candidate)
        return candidate

    def note(self, sentence: str, which: str) -> None:
        """Something to say of several layers: the sentence once, with what it is about."""
        counts = self.notes.setdefault(sentence, {})
        counts[which] = counts.get(which, 0) + 1

    def sentences(self) -> list[str]:
        sentences: list[str] = []
        for sentence, counts in self.notes.items():
            shown = [
                f"{which[:80]}" + (f" ({count}x)" if count > 1 else "")
                for which, count in list(counts.items())[:8]
            ]
            more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
            sentences.append(f"{sentence}: {', '.join(shown)}{more}" if any(shown) else sentence)
        return sentences

    def add(self, node: Node, shape: Shape | None) -> None:
        if len(self.nodes) >= MAX_NODES:
            raise ReadError(
                "the network has too many layers", where=self.file, values=f"over {MAX_NODES:,}"
            )
        self.nodes.append(node)
        self.shapes[node.name] = shape


class LayerCall:
    """One call of a layer: its settings, the tensors that go in, and what makes nodes of it."""

    def __init__(
        self,
        builder: Builder,
        spec: Spec,
        inputs: Sequence[Value],
        inbound: Inbound | None = None,
        *,
        prefix: str = "",
        trainable: bool = True,
    ) -> None:
        self.b = builder
        self.spec = spec
        self.inputs = list(inputs)
        self.inbound = inbound
        self.values: Callable[[Any], Any] = lambda value: value  # Refs to their Values
        self.name = builder.free(prefix + spec.name)
        self.prefix = prefix
        self.trainable = trainable and spec.trainable
        self.stated: Shape | None = None

    # --- what it was given ---

    @property
    def x(self) -> Value:
        """The first tensor. Raises ReadError where there is none."""
        if not self.inputs:
            raise self.spec.error("it is called without a tensor")
        return self.inputs[0]

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """What stands at a place of the call, or after a name; tensors as Values."""
        if self.inbound is None:
            return default
        args = self.inbound.args
        if name in self.inbound.kwargs:
            value = self.inbound.kwargs[name]
        elif place < len(args):
            value = args[place]
        else:
            return default
        return self.values(value)

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        return self.spec.error(what, values, hint)

    # --- layouts ---

    def first(self, value: Value) -> Value:
        """The tensor with its channels first, of one that has them last."""
        if value.rank < 3 or value.first:
            return value._replace(first=value.rank > 2)
        return self._turn(value, True)

    def plain(self, value: Value) -> Value:
        """The tensor with its axes as Keras has them."""
        if not value.first:
            return value
        return self._turn(value, False)

    def channels(self, value: Value, last: bool) -> Value:
        """The tensor as convolutions take it; ``last``: Keras' data format."""
        return self.first(value) if last else self.plain(value)

    def _turn(self, value: Value, first: bool) -> Value:
        kept = self.b.kept.get((value.node, first))
        if kept is not None:
            return kept
        shape = value.sizes
        rank = len(shape)
        wanted = moved(shape) if first else shape
        suffix = ".channels_first" if first else ".channels_last"
        if shape[-1] == 1 or all(size == 1 for size in shape[1:-1]):  # no value changes its place
            layer = self._layer("reshape", size=wanted[1:])
        else:
            inner = range(1, rank - 1)
            order = (0, rank - 1, *inner) if first else (0, *range(2, rank), 1)
            layer = self._layer("permute", order=order)
        name = self.b.free(self.name + suffix)
        self.b.add(self._node(name, layer, (value.node,)), wanted)
        result = Value(name, shape, first)
        self.b.kept[value.node, first] = result
        return result

    # --- nodes ---

    def _layer(self, kind: str, **fields: Any) -> Layer:
        """A layer of a kind. Raises ReadError, with the layer's name, where its fields clash."""
        try:
            return layer_class(kind)(**fields)
        except LayerError as error:
            raise self.error(error.what, error.values, error.hint) from None

    def _node(
        self,
        name: str,
        layer: Layer,
        inputs: tuple[str, ...],
        shared: Mapping[str, str] = NOTHING,
        written: Mapping[str, Any] = NOTHING,
    ) -> Node:
        stem = self.name.rpartition("/")[0]
        module = ".".join(part for part in stem.replace("/", ".").split(".") if part)
        if not stem:
            module = self.prefix.rstrip(".")
        return Node(name, layer, inputs, shared, module, Span(self.b.file, 0), written)

    def make(
        self,
        kind: str,
        inputs: Sequence[Value] | Value | None = None,
        suffix: str = "",
        *,
        plain: bool = False,
        shares_parameters: bool = True,
        written: Mapping[str, Any] = NOTHING,
        **fields: Any,
    ) -> Value:
        """Append a node under the layer's name; what it puts out.

        Its inputs must lie alike; so does what it puts out, or with ``plain`` as Keras has it.
        shares_parameters: the parameters are the layer's, so that a second call shares them.
        """
        values = [self.x] if inputs is None else [inputs] if isinstance(inputs, Value) else inputs
        first = not plain and bool(values) and values[0].first
        layer = self._layer(kind, **fields)
        try:
            xs = tuple([self.b.shapes[value.node] for value in values])
            shape = None if None in xs else layer.shape(xs)  # type: ignore[arg-type] - none of them is None
        except LayerError as error:
            raise self.error(error.what, error.values, error.hint) from None
        if shape is not None and any(not 1 <= size <= MAX_SIZE for size in shape):
            raise self.error("its output has a size that cannot be", "x".join(map(str, shape)))
        name = self.b.free(self.name + suffix) if suffix else self._main()
        shared = self._share(layer, xs, name, suffix) if shares_parameters else NOTHING
        if not self.trainable:
            self.b.frozen.add(name)
        node = self._node(name, layer, tuple([value.node for value in values]), shared, written)
        self.b.add(node, shape)
        if shape is not None and first and len(shape) < 3:
            first = False
        return Value(name, shape if shape is None or not first else back(shape), first)

    def _main(self) -> str:
        """The layer's own name, for one node."""
        if self.name in self.b.shapes:
            return self.b.free(self.name)
        return self.name

    def _share(
        self, layer: Layer, xs: tuple[Shape | None, ...], name: str, suffix: str
    ) -> Mapping[str, str]:
        """Whose the parameters are, where the layer was called before."""
        if None in xs:
            return NOTHING
        shapes: tuple[Shape, ...] = xs  # type: ignore[assignment] - none of them is None
        tensors = {**layer.parameters(shapes), **layer.buffers(shapes)}
        if not tensors:
            return NOTHING
        calls = self.b.owners.setdefault(self.spec.owner, {})
        key = f"{layer.kind}{suffix}"
        if key not in calls:
            calls[key] = (name, tensors)
            return NOTHING
        owner, first = calls[key]
        if dict(first) != tensors:
            raise self.error(
                "it is called with inputs that need weights of different sizes",
                "; ".join(
                    f"{k} {'x'.join(map(str, first.get(k, ())))} and {'x'.join(map(str, v))}"
                    for k, v in tensors.items()
                    if first.get(k) != v
                )[:200],
            )
        return {tensor: f"{owner}.{tensor}" for tensor in tensors}

    def opaque(
        self, why: str = "", type_: str = "", suffix: str = "", tensors: Any = None
    ) -> Value:
        """Append a node that nobody understands; its shape where the file states it."""
        if why:
            self.b.note(why, type_ or self.spec.class_name)
        shape = self.stated
        name = self.b.free(self.name + suffix) if suffix else self._main()
        size = None if shape is None else shape[1:]
        kind = (type_ or self.spec.class_name)[:80]
        layer = self._layer("opaque", type=kind, size=size, tensors=tensors)
        self.b.add(self._node(name, layer, tuple([v.node for v in self.inputs])), shape)
        return Value(name, shape)

    # --- helpers of the layers ---

    def alike(self, values: Sequence[Value], *, stretch: bool = True) -> list[Value]:
        """The tensors laid out alike, with as many axes each (Keras' merging layers add them)."""
        if not values:
            raise self.error("this layer is called with nothing")
        rank = max(value.rank for value in values)
        first = any(value.first for value in values) and all(
            value.first or value.rank == rank or stretch for value in values
        )
        aligned: list[Value] = []
        for value in values:
            if value.rank < rank and stretch:
                value = self.grown(self.plain(value), rank)
            aligned.append(self.first(value) if first and value.rank > 2 else self.plain(value))
        return aligned

    def grown(self, value: Value, rank: int) -> Value:
        """A plain tensor with axes of 1 behind its batch."""
        shape = value.sizes
        size = (*(1,) * (rank - len(shape)), *shape[1:])
        return self.make("reshape", value, ".axes", plain=True, shares_parameters=False, size=size)

    def place(self, value: Value, axis: int) -> int:
        """An axis counted from the front. Raises ReadError where there is none."""
        rank = value.rank
        if not -rank <= axis < rank:
            raise self.error("there is no such axis", f"axis {axis}, {rank} axes")
        return axis % rank

    def axis(self, value: Value, axis: int) -> int:
        """Our node's axis for one of Keras'. Raises ReadError where there is none."""
        axis, rank = self.place(value, axis), value.rank
        if not value.first or not axis:
            return axis
        return 1 if axis == rank - 1 else axis + 1

    def spread(self, value: Value, size: Sequence[int]) -> tuple[int, ...]:
        """Sizes of Keras' axes, without the batch, as the node has them."""
        return (size[-1], *size[:-1]) if value.first and len(size) > 1 else tuple(size)
