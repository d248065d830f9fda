"""A network in the making: Keras' tensors, and the nodes that make them.

Keras' tensors have their channels last, ours first. So a tensor of Keras may be held by a node
whose axes are moved (``first``: channels, then space), or as it is (``plain``); and one that a
layer makes step by step, by a node whose batch holds the steps (``steps``). Layers ask for the one
that they work on; where another is at hand, a ``permute`` or a ``reshape`` stands between. A value
is moved only when a layer asks for it.
"""

from __future__ import annotations

from copy import copy
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ...network import NOTHING
from ..encodings.json import array
from ..graph_builder import GraphBuilder, by_axis
from .config import Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...errors import ReadError
    from ...network import Shape, Span
    from .config import Spec
    from .graph import Call, Model

    Handler = Callable[["LayerCall"], Any]

MAX_PREFIX = 400
"""How many characters the names of the models that a layer stands in may take together."""


class Unknown(Exception):
    """A layer whose input's shape is not known, and that can't be settled without it."""


class Value(NamedTuple):
    """A tensor of Keras: its node, its whole shape in Keras' order, and how the node holds it.

    first: the node's channels stand first. steps: so many steps stand in the node's batch.
    """

    node: str
    shape: Shape | None
    first: bool = False
    steps: int = 0

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


class KerasBuilder(GraphBuilder):
    """The nodes so far.

    handlers: what reads a layer, by its class. calls: how many the file lists, which says
    how many nodes are believed. frozen: nodes with parameters that are not trained.
    """

    AGAIN = "."

    def __init__(self, file: str, handlers: Mapping[str, Handler], calls: int) -> None:
        super().__init__(file)
        self.handlers = handlers
        self.most_nodes = 20_000 + 10 * calls
        self.trained = self.variables = 0  # Keras' variables: what is trained, and all
        self.frozen: set[str] = set()
        self.kept: dict[tuple[str, str], Value] = {}  # values that lie otherwise, too
        self.modules: dict[str, str] = {}
        self.entered: set[Model] = set()  # those that have said what they have to say
        self.stated_hold = True  # whether the shapes that the file states must be ours

    def ask(self, place: Any, *, nodes: int = 1, edges: int = 0) -> None:
        if len(self.nodes) + nodes > self.most_nodes:
            raise place.error(
                "the network has too many layers",
                values=f"over {self.most_nodes:,}, for as many as the file lists",
            )
        super().ask(place, nodes=nodes, edges=edges)

    def module(self, name: str, prefix: str) -> str:
        """The module of a layer, by TensorFlow's scopes in its name, or the model it stands in."""
        stem = name.rpartition("/")[0] or prefix
        if stem not in self.modules:
            dotted = stem.replace("/", ".").split(".")
            self.modules[stem] = ".".join(part for part in dotted if part)
        return self.modules[stem]

    def count(self, node: str, learned: Mapping[str, Shape], kept: Mapping[str, Shape],
              frozen: Iterable[str]) -> None:  # fmt: skip
        """Count a node's own variables as Keras does, those that are trained by themselves."""
        self.variables += sum(map(prod, (*learned.values(), *kept.values())))
        self.trained += sum(prod(shape) for name, shape in learned.items() if name not in frozen)
        if not learned.keys().isdisjoint(frozen):
            self.frozen.add(node)

    def trainable(self) -> list[str]:
        """Keras' own count, where some parameters are frozen: trainable variables, and all."""
        if not self.frozen:
            return []
        if None in self.shapes.values():
            return ["some layers are frozen (trainable: false)"]
        count = len(self.frozen)
        return [
            f"trainable: {self.trained:,} of {self.variables:,} variables, as Keras counts them; "
            f"{count:,} layer{'s' * (count > 1)} with frozen ones, which are parameters here too"
        ]


class LayerCall:
    """One call of a layer: its settings, the tensors that go in, and what makes nodes of it.

    It is the ``Place`` of its nodes. read: which of what it gives others read. values: a function
    that gives the Value for a Ref.
    """

    def __init__(
        self,
        builder: KerasBuilder,
        call: Call,
        inputs: Sequence[Value],
        name: str,
        prefix: str = "",
        trainable: bool = True,
        values: Callable[[Ref], Value] | None = None,
    ) -> None:
        self.b = builder
        self.spec = call.spec
        self.inbound = call.inbound
        self.read = call.read
        self.inputs = list(inputs)
        self.name = name
        self.prefix = prefix
        self.trainable = trainable and call.spec.trainable
        self.values = values
        self.stated: Shape | None = None
        self.main = False  # whether a node has the layer's own name
        self.word = ""  # of an operation, its name
        self.weights: dict[str, str] = {}  # parameters that another node computes, by that node

    def of(self, spec: Spec, inputs: Sequence[Value]) -> LayerCall:
        """The call of a layer that this one holds, under its name."""
        inside = copy(self)
        inside.spec, inside.inputs = spec, list(inputs)
        inside.trainable = self.trainable and spec.trainable
        return inside

    # --- what it was given ---

    @property
    def span(self) -> Span:
        return self.b.span

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        return self.spec.error(what, values, hint)

    @property
    def x(self) -> Value:
        """The first tensor. Raises ReadError where there is none."""
        if not self.inputs:
            raise self.error("it is called without a tensor")
        return self.inputs[0]

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """What stands at a place of the call, or after a name; tensors as Values."""
        if self.inbound is None:
            return default
        args = self.inbound.args
        if name in self.inbound.kwargs:
            return self.resolved(self.inbound.kwargs[name])
        return self.resolved(args[place]) if place < len(args) else default

    def option(self, place: int, *names: str, default: Any = None) -> Any:
        """A setting of an operation, by the first of its names that there is.

        place: where it stands among the arguments of a function of TensorFlow.
        """
        place = place if self.spec.cls == "TFOpLambda" else 99
        for name in names:
            value = self.spec.config.get(name)
            value = self.argument(place, name) if value is None else value
            if value is not None:
                return value
        return default

    def resolved(self, value: Any) -> Any:
        """An argument, with Values in place of its Refs."""
        if isinstance(value, Ref) and self.values is not None:
            return self.in_steps(self.values(value))
        listed = array(value)
        return value if listed is None else [self.resolved(each) for each in listed]

    # --- layouts ---

    def first(self, value: Value) -> Value:
        """The tensor with its channels first, of one that has them last."""
        if value.rank < 3 or value.first:
            return value._replace(first=value.rank > 2)
        return self._moved(value, first=True)

    def plain(self, value: Value) -> Value:
        """The tensor with its axes as Keras has them."""
        return self._moved(value, first=False) if value.first else value

    def channels(self, value: Value, last: bool) -> Value:
        """The tensor as convolutions take it; ``last``: Keras' data format."""
        return self.first(value) if last else self.plain(value)

    def _moved(self, value: Value, *, first: bool) -> Value:
        shape = value.sizes
        rank = len(shape)
        suffix = ".channels_first" if first else ".channels_last"
        if shape[-1] == 1 or all(size == 1 for size in shape[1:-1]):  # no value changes its place
            size = moved(shape)[1:] if first else shape[1:]
            return self._view(value, suffix, "reshape", Value("", shape, first), size=size)
        inner = range(1, rank - 1)
        order = (0, rank - 1, *inner) if first else (0, *range(2, rank), 1)
        return self._view(value, suffix, "permute", Value("", shape, first), order=order)

    def by_step(self, value: Value) -> Value:
        """The tensor whose batch holds the steps, each of them an example of its own."""
        if value.rank < 3:
            raise self.error("its input needs an axis of steps, and others", by_axis(value.sizes))
        batch, steps, *rest = value.sizes
        shape = (batch * steps, *rest)
        if value.steps:
            return Value(value.node, shape, value.first)
        x = self.plain(value)
        view = Value("", shape)
        return self._view(x, ".by_step", "reshape", view, size=(-1, *rest), whole=True)

    def in_steps(self, value: Value) -> Value:
        """The tensor as Keras has it, of one whose batch may hold the steps."""
        if not value.steps or value.shape is None:
            return value
        batch, steps, *rest = value.shape
        x = self.plain(Value(value.node, (batch * steps, *rest), value.first))
        view = Value("", value.shape)
        return self._view(x, ".in_steps", "reshape", view, size=(-1, steps, *rest), whole=True)

    def _view(self, x: Value, suffix: str, kind: str, view: Value, **fields: Any) -> Value:
        """The same values laid out otherwise, once for all that ask for it."""
        key = x.node, suffix
        if key not in self.b.kept:
            node = self._append(self.b.free(self.name + suffix), kind, [x], **fields)
            self.b.kept[key] = view._replace(node=node)
        return self.b.kept[key]

    # --- nodes ---

    def make(
        self,
        kind: str,
        inputs: Sequence[Value] | Value | None = None,
        suffix: str = "",
        *,
        plain: bool = False,
        written: Mapping[str, Any] = NOTHING,
        frozen: Sequence[str] = (),
        **fields: Any,
    ) -> Value:
        """Append a node under the layer's name; what it puts out.

        Its inputs must lie alike; so does what it puts out, or with ``plain`` as Keras has it.
        frozen: parameters that are not trained, though the layer may be.
        """
        values = [self.x] if inputs is None else [inputs] if isinstance(inputs, Value) else inputs
        first = not plain and bool(values) and values[0].first
        node = self._append(
            self._name(suffix), kind, values, suffix, written=written,
            frozen=frozen, **fields,
        )  # fmt: skip
        shape = self.b.shapes[node]
        first = first and (shape is None or len(shape) > 2)
        return Value(node, back(shape) if first and shape is not None else shape, first)

    def _append(
        self,
        name: str,
        kind: str,
        values: Sequence[Value],
        suffix: str = "",
        *,
        written: Mapping[str, Any] = NOTHING,
        frozen: Sequence[str] = (),
        **fields: Any,
    ) -> str:
        b = self.b
        layer = b.layer(self, kind, **fields)
        inputs = [value.node for value in values]
        module = b.module(self.name, self.prefix)
        b.append(self, name, layer, inputs, module=module, written=written)
        if b.shapes[name] is None:
            return name
        xs: Any = tuple([b.shapes[node] for node in inputs])
        learned, kept = layer.parameters(xs), layer.buffers(xs)
        if not learned and not kept:
            return name
        sizes = {each: n for each, n in {**learned, **kept}.items() if each not in self.weights}
        keys = {each: (self.spec.owner, kind + suffix, each) for each in sizes}
        shared = {**b.share(self, name, keys, sizes), **self.weights}
        if shared:
            b.nodes[-1] = b.nodes[-1].replace(shared=shared)
        if not shared:  # a second call's are all the first one's
            b.count(name, learned, kept, frozen if self.trainable else learned)
        return name

    def _name(self, suffix: str) -> str:
        """A node's name: the layer's own, once, or with a suffix."""
        if suffix or self.main:
            return self.b.free(self.name + suffix)
        self.main = True
        return self.name

    def opaque(
        self, why: str = "", type_: str = "", suffix: str = "", tensors: Any = None
    ) -> Value:
        """Append a node that nobody understands; its shape where the file states it."""
        kind = type_ or self.spec.class_name
        node = self.b.unknown(
            self, self._name(suffix), kind, [value.node for value in self.inputs], why=why,
            module=self.b.module(self.name, self.prefix),
            size=None if self.stated is None else self.stated[1:], tensors=tensors,
        )  # fmt: skip
        return Value(node, self.stated)

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
        return self.make("reshape", value, ".axes", plain=True, size=size)

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
