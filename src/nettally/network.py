"""The network: a flat list of nodes, in order, that knows no file format and no convention."""

from __future__ import annotations

from operator import is_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from .arith import Num
from .display import Displayed
from .errors import LayerError, NetworkError
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape = tuple[int, ...]
"""A whole tensor's sizes: batch, channels, then space."""

MAX_SIZE = 2**31 - 1
"""The largest size of one axis that is believed; what is larger is a broken or hostile file."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Span(NamedTuple):
    """Where something was said."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Work(NamedTuple):
    """What a layer does for one batch. Facts; nobody's convention.

    macs: multiply-accumulates of weighted sums. bias_adds: additions of a bias to a sum.
    pooled: values that pooling windows take in, their padding among them.

    How many steps a function of one value takes (a GELU, a root) depends on who computes it, so it
    is no fact: tools count such layers by their values, or not at all.
    """

    macs: int = 0
    bias_adds: int = 0
    pooled: int = 0


NO_WORK = Work()


class Window(NamedTuple):
    """What one output unit sees of its layer's input, along one axis of space.

    The unit at position i sees the places from i·stride - before, ``size`` of them (with dilation,
    the span). The input j stands at place j·upscale: upscale is 1, but for transposed convolution
    and upsampling, which put upscale - 1 empty places between neighbours (Dumoulin and Visin 2016,
    section 4). ``size`` 0 says: all of the axis.
    """

    size: int
    stride: int = 1
    before: int = 0
    upscale: int = 1


SAME_PLACE: tuple[Window, ...] = ()
"""The window of a layer that works on each position by itself (any number of axes)."""

WHOLE: tuple[Window, ...] = (Window(0),)
"""The window of a layer whose units each see all of its input (any number of axes)."""


class Layer(Record):
    """A layer states facts: its output shape, its parameters, its work, its window.

    The methods take ``xs``, the shapes of the inputs, and run on plain ints or on ``Num``s. They
    use only + - * // and ``ceildiv``, ``product``, ``total`` on sizes.
    """

    kind: ClassVar[str] = ""
    arity: ClassVar[int] = 1  # number of inputs; 0 for any number from ``least`` up
    least: ClassVar[int] = 1
    weighted: ClassVar[bool] = False  # its outputs are "neurons": weighted sums of its inputs
    batch_first: ClassVar[bool] = False  # what it does tells the leading axis from the next one
    positional: ClassVar[tuple[str, ...]] = ()  # fields that our own file gives without a name

    def shape(self, xs: tuple[Shape, ...]) -> Shape:
        """The output's shape. Raises LayerError where the input does not fit."""
        raise NotImplementedError

    def parameters(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        """The learned tensors, by name."""
        return NOTHING

    def buffers(self, xs: tuple[Shape, ...]) -> Mapping[str, Shape]:
        """Tensors that are kept but not learned, as the running statistics of a normalisation."""
        return NOTHING

    def work(self, xs: tuple[Shape, ...], y: Shape) -> Work:
        """The scalar steps for one batch."""
        return NO_WORK

    def products(self, xs: tuple[Shape, ...], y: Shape) -> tuple[Shape, ...]:
        """What its convolutions and matrix products put out, a shape each."""
        return (y,) if self.weighted else ()

    def routed(self) -> tuple[int, int]:
        """Of how many equal parts each example's (each token's) pass runs through how many.

        A mixture of experts says (2, 8); what runs as a whole says (1, 1).
        """
        return 1, 1

    def cache_size(self, xs: tuple[Shape, ...], context: int) -> int:
        """How many values it keeps of ``context`` tokens for those to come, for one batch.

        A cache of keys and values grows with the context; a state does not.
        """
        return 0

    def after(self, context: int) -> Layer:
        """The layer as it works on the tokens that follow ``context`` others."""
        return self

    def window(self, xs: tuple[Shape, ...]) -> tuple[Window, ...] | None:
        """One Window an axis of space; SAME_PLACE; WHOLE; None where it is not known."""
        return SAME_PLACE

    def windows(self, xs: tuple[Shape, ...]) -> tuple[tuple[Window, ...] | None, ...]:
        """``window`` for each input, where they may differ."""
        return (self.window(xs),) * len(xs)

    def batched(self, xs: tuple[Shape, ...]) -> bool:
        """Whether what it does tells the leading axis, a batch, from the next one.

        A convolution does, for which the next axis holds channels; a function of each value does
        not, nor does a fully connected layer that reads the last of three axes.
        """
        return self.batch_first

    def named(self) -> Layer:
        """The same layer whose sizes are Nums that know the field they stand for."""
        return self._named(self.fields())

    def _named(self, fields: Mapping[str, Any]) -> Layer:
        new = object.__new__(type(self))
        new.__dict__.update({name: _name(value, name) for name, value in fields.items()})
        return new


def _name(value: Any, name: str) -> Any:
    if type(value) is int:
        return Num(value, name)
    if type(value) is tuple:
        return tuple(_name(item, name) for item in value)
    return value


class Call(NamedTuple):
    """One call of a module of the source, as it was executed.

    path: the module, dotted. inputs, outputs: the shapes that went in and came out. first, last:
    the nodes that it made, from ``first`` up to ``last`` and without it, by their place.
    depth: how many calls it stands in.
    """

    path: str
    depth: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    first: int
    last: int


class Calls(tuple[Call, ...]):
    """The calls of one run, in order of entering, with the inputs and nodes that they belong to.

    An edited network keeps them, and they no longer tell its shapes: ``fit`` says so.
    """

    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]

    def fit(self, network: Network) -> bool:
        """Whether the network is still the one whose run this was."""
        mine, others = self.nodes, network.nodes
        return self.inputs == network.inputs and (
            mine is others or (len(mine) == len(others) and all(map(is_, mine, others)))
        )


class StoredTensor(NamedTuple):
    """A tensor that a module of the source holds itself. same: the one that it is, if it is shared.

    learned: a parameter, else a buffer. trained: its gradient is asked for.
    """

    name: str
    shape: Shape
    dtype: str
    learned: bool
    trained: bool
    same: str


class Module(NamedTuple):
    """A module of the source: its class there, what it holds, whether no others stand in it.

    home: where its class is defined: ``torch.nn.modules.conv``. also: further names, where it
    stands in several modules. options: settings that no layer states (``batch_first``).
    """

    type: str
    stored: tuple[StoredTensor, ...]
    leaf: bool
    home: str = ""
    also: tuple[str, ...] = ()
    options: Mapping[str, Any] = NOTHING


class Node(NamedTuple):
    """One layer in its place. A tuple, since a network may have 100,000 of them.

    inputs: names of nodes or of network inputs. shared: this node's parameter name to the owner,
    ``{"weight": "conv1.weight"}``, or to the node that computes it, ``{"weight": "std"}``.
    module: the group it stands in, dotted, for trees. source: where it was written. written:
    fields as the source wrote them (``48·2`` for 96, ``same`` for a padding), which the numbers
    alone don't tell.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    shared: Mapping[str, str] = NOTHING
    module: str = ""
    source: Span | None = None
    written: Mapping[str, Any] = NOTHING

    def replace(self, **changes: Any) -> Node:
        """The same node with some fields changed."""
        return self._replace(**changes)


class Network(Displayed, Record):
    """Inputs by name, nodes in order, outputs by name. Edited with ``replace``, never by mutation.

    notes: what the reader has to say (what it inferred, what it did not understand). details:
    what it has to say to who looks closely. modules: those of the source by their dotted names,
    and calls: how they were called, in order; both are there only where the source is a program.
    dtypes: of those inputs that the source says are not float32.
    """

    name: str
    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...] = ()
    source: Span | None = None
    notes: tuple[str, ...] = ()
    title: str = ""
    details: tuple[str, ...] = ()
    modules: Mapping[str, Module] = NOTHING
    calls: tuple[Call, ...] = ()
    dtypes: Mapping[str, str] = NOTHING

    def __post_init__(self) -> None:
        if not self.outputs:
            read = {name for node in self.nodes for name in node.inputs}
            ends = tuple(node.name for node in self.nodes if node.name not in read)
            self.__dict__["outputs"] = ends

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.nodes)} nodes>"

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        from .errors import closest

        raise NetworkError(
            f"{self.name} has no layer '{name}'",
            hint=closest(name, [node.name for node in self.nodes]),
        )

    def edit(self, changes: Mapping[str, Layer]) -> Network:
        """The same network with other layers at some nodes."""
        return self.replace(
            nodes=tuple(
                node.replace(layer=changes[node.name]) if node.name in changes else node
                for node in self.nodes
            )
        )


def verify(network: Network) -> Network:
    """The network itself, when its graph holds together; NetworkError when it does not.

    Names are unique, each input is defined before its use (so there is no cycle), each layer has
    as many inputs as it takes, shared parameters have an owner, sizes are at most MAX_SIZE.
    Linear in nodes and edges.
    """
    known: dict[str, Span | None] = {}
    for name, shape in network.inputs.items():
        if not all(0 <= size <= MAX_SIZE for size in shape):
            raise NetworkError(
                f"input '{name}' has a size that cannot be",
                where=str(network.source or ""),
                values="x".join(f"{size}" if size <= MAX_SIZE else "over 2^31" for size in shape),
                hint="sizes are batch, channels, then space, each at most 2^31 - 1",
            )
        known[name] = network.source
    last: Layer | None = None
    arity = least = 0
    for node in network.nodes:
        name_of_node, layer, inputs, shared, _, source, _ = node
        if name_of_node in known:
            first = known[name_of_node]
            raise NetworkError(
                f"two layers are called '{name_of_node}'",
                where=_where(network, node),
                values=f"the first stands at {first}" if first else "",
                hint="rename one of them",
            )
        if layer is not last:  # long networks repeat themselves
            last, arity, least = layer, layer.arity, layer.least
        count = len(inputs)
        if (count != arity and arity) or count < least:
            raise NetworkError(
                f"{name_of_node}: {layer.kind} takes {arity or 'at least 1'} input(s)",
                where=_where(network, node),
                values=f"{count} given: {', '.join(inputs) or 'none'}",
                hint="say which with 'from NAME'",
            )
        for name in inputs:
            if name not in known:
                raise _undefined(network, node, name, _where(network, node))
        if shared:
            for parameter, owner in shared.items():
                whose = owner.rpartition(".")[0]
                if whose not in known and owner not in known and whose != name_of_node:
                    raise NetworkError(
                        f"{name_of_node}: '{parameter}' is shared with '{owner}', "
                        "which is not defined before",
                        where=_where(network, node),
                        hint="the owner's layer stands first",
                    )
        known[name_of_node] = source
    for name in network.outputs:
        if name not in known:
            raise NetworkError(f"the output '{name}' is no layer", where=str(network.source or ""))
    return network


def is_verified(network: Network) -> bool:
    """True, or NetworkError; ``network.once(is_verified)`` verifies a network once."""
    verify(network)
    return True


def _where(network: Network, node: Node) -> str:
    """The place that a complaint names; asked for only then, since a file has many nodes."""
    return str(node.source or network.source or "")


def _undefined(network: Network, node: Node, name: str, where: str) -> NetworkError:
    """Why ``node`` can't read ``name``: a cycle, the wrong order, or no such thing."""
    from .errors import closest

    nodes = {other.name: other for other in network.nodes}
    if name not in nodes:
        return NetworkError(
            f"{node.name}: no input or layer is called '{name}'",
            where=where,
            hint=closest(name, [*network.inputs, *nodes]),
        )
    came_from: dict[str, str] = {name: node.name}
    queue = [name]
    for current in queue:  # the list grows: a breadth-first walk up the inputs
        for parent in nodes[current].inputs if current in nodes else ():
            if parent == node.name:
                path = [current]
                while path[-1] != node.name:
                    path.append(came_from[path[-1]])
                return NetworkError(
                    f"{node.name} needs its own output: a cycle",
                    where=where,
                    values=" → ".join([node.name, *path]),
                    hint="a network is a chain of layers without a way back",
                )
            if parent not in came_from:
                came_from[parent] = current
                queue.append(parent)
    return NetworkError(
        f"{node.name} reads '{name}', which is defined after it",
        where=where,
        values=f"{name} stands at {nodes[name].source}" if nodes[name].source else "",
        hint=f"move {name} before {node.name}",
    )


def check_size(what: str, size: int, least: int = 1) -> None:
    """LayerError unless ``size`` is an int between ``least`` and MAX_SIZE."""
    if type(size) is int:
        if least <= size <= MAX_SIZE:
            return
        bound = f"at least {least}" if size < least else "at most 2^31 - 1"
        shown = str(size) if abs(size) < 10**40 else "a number of over 40 digits"
        raise LayerError(f"{what} must be {bound}", values=f"{what} {shown}")
    if not isinstance(size, Num):
        raise LayerError(f"{what} must be a whole number", values=f"{what} {size!r}")
