"""What the tools look at: the rows, the modules' tree, the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from ...arith import product
from ...counting.accounting import NETTALLY
from ...counting.tally import Rows, Tally
from ...network import NOTHING
from ..reckoning import Reckoning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ...counting.accounting import Accounting
    from ...counting.rows import Row
    from ...network import Module, Network, Node, Shape

TORCH = "torch.nn.modules."

ROOT = ""
"""The path of the module that was read."""

FUNCTIONS = {
    "relu": "F.relu",
    "relu6": "F.hardtanh",
    "gelu": "F.gelu",
    "silu": "F.silu",
    "elu": "F.elu",
    "prelu": "F.prelu",
    "leaky_relu": "F.leaky_relu",
    "softmax": "F.softmax",
    "linear": "F.linear",
    "embedding": "F.embedding",
    "batch_norm": "F.batch_norm",
    "layer_norm": "F.layer_norm",
    "group_norm": "F.group_norm",
    "lrn": "F.local_response_norm",
    "lp_pool": "F.lp_pool{}d",
    "conv": "F.conv{}d",
    "conv_map": "F.conv{}d",
    "conv_transpose": "F.conv_transpose{}d",
    "max_pool": "F.max_pool{}d",
    "average_pool": "F.avg_pool{}d",
    "global_average_pool": "F.adaptive_avg_pool{}d",
    "adaptive_average_pool": "F.adaptive_avg_pool{}d",
    "global_max_pool": "F.adaptive_max_pool{}d",
    "adaptive_max_pool": "F.adaptive_max_pool{}d",
}
"""What torch's own modules call in their forward, by the kind of layer that they are."""

CAPTURED = ("TransformerEncoderLayer", "TransformerDecoderLayer")
"""Modules of torch that keep a function since they were made, so that who replaces it later does
not see it called."""


class ToolCount(Reckoning):
    """What a tool prints for a module that was read.

    version: of the tool whose rules these are. trainable: the parameters whose gradient is asked
    for, where it prints those too. parameter_terms: what its parameters are made of. why: a
    sentence. others: further figures of its own.
    by_row: what of the operations falls on each node, by name; elsewhere: what on none.
    parameters_by_row: the same of the parameters; None where each node has all of its own.
    """

    version: str = ""
    trainable: int | None = None
    parameter_terms: Mapping[str, int] = NOTHING
    why: str = ""
    others: Mapping[str, int] = NOTHING
    by_row: Mapping[str, int] = NOTHING
    elsewhere: int = 0
    parameters_by_row: Mapping[str, int] | None = None


class Tool(NamedTuple):
    """A tool that looks at calls.

    accounting: its own, whose count by kinds is for files. call: how it is called. version: whose
    rules these are. rule: its rules for calls. says: for a term, why the tool has it.
    """

    accounting: Accounting
    title: str
    version: str
    call: str
    rule: Callable[[Facts, Tool], ToolCount]
    says: Mapping[str, str] = NOTHING

    @property
    def name(self) -> str:
        return self.accounting.name

    @property
    def unit(self) -> str:
        return self.accounting.unit

    @property
    def per_mac(self) -> int:
        """What it adds for a multiply-add."""
        return self.accounting.per_mac


class Facts:
    """A tally as the tools see it: each call with its module, each node with the call it ran in.

    children: the modules in each, once each. ways: how many paths lead to each from the root.
    inside: for each node the place of the innermost call; -1 for none.
    """

    def __init__(self, network: Network, rows: Sequence[Row]) -> None:
        self.name = network.name
        self.inputs = network.inputs
        self.dtypes = network.dtypes
        self.complete = all(row.work is not None for row in rows)
        self.network = ref(network)  # kept with the network, it must not keep it in turn
        self.rows = tuple(rows)
        self.known = {row.node.name: (row.node, row.inputs) for row in self.rows}
        self.calls = network.calls
        self.modules = network.modules
        self.inside = [-1] * len(self.rows)
        for place, call in enumerate(self.calls):  # in order of entering: the innermost is last
            if call.last > call.first:
                self.inside[call.first : call.last] = [place] * (call.last - call.first)
        self.macs = [row.work.macs if row.work is not None else 0 for row in self.rows]
        self.figures: dict[str, ToolCount] = {}  # what was asked for before
        self._strides: Mapping[str, tuple[int, ...]] | None = None
        self.children = _children(network.modules)
        self.ways = self.ways_past(lambda path: False)

    def kind_of(self, path: str) -> str:
        """The class of a module of torch's own, as ``Conv2d``; of others with its home."""
        module = self.modules.get(path)
        if module is None:
            return ""
        if module.home.startswith(TORCH):
            return module.type
        return f"{module.home}.{module.type}"

    def ways_past(self, closed: Callable[[str], bool]) -> dict[str, int]:
        """How many paths lead to each module from the root, none of them through a closed one."""
        order: list[str] = []
        state: dict[str, int] = {}
        stack: list[tuple[str, int]] = [(ROOT, 0)]
        while stack:  # depth first; each comes after all that it leads to
            path, left = stack.pop()
            if left:
                order.append(path)
                continue
            if path in state:
                continue
            state[path] = 1
            stack.append((path, 1))
            stack.extend((child, 0) for child in self.children.get(path, ()))
        ways = {ROOT: 1}
        for path in reversed(order):
            n = ways.get(path, 0)
            if n and not closed(path):
                for child in self.children.get(path, ()):
                    ways[child] = ways.get(child, 0) + n
        return ways

    def learned(self, path: str) -> Iterator[tuple[str, Shape]]:
        """(name, shape) of the parameters that a module holds itself."""
        module = self.modules.get(path)
        for tensor in module.stored if module is not None else ():
            if tensor.learned:
                yield tensor.name, tensor.shape

    def stored(self, path: str) -> dict[str, Shape]:
        """The shapes of what a module learns itself, by name."""
        return dict(self.learned(path))

    def sizes(self) -> tuple[int, int]:
        """All parameters, shared ones once, and those that are trained."""
        total = trained = 0
        for module in self.modules.values():
            for tensor in module.stored:
                if tensor.learned and not tensor.same:
                    n = product(tensor.shape)
                    total += n
                    trained += n if tensor.trained else 0
        return total, trained

    def parameters_by_row(
        self, times: Callable[[str], int] | None = None, *, trained_only: bool = False
    ) -> dict[str, int] | None:
        """What each node owns of the parameters that a tool counts; None for all that it has.

        times: how often those of a module count. trained_only: if their gradient is asked for.
        """
        frozen: set[str] = set()
        if trained_only:
            for path, module in self.modules.items():
                start = path + "." if path else ""
                frozen.update(start + h.name for h in module.stored if h.learned and not h.trained)
            if not frozen:
                return None
        counts: dict[str, int] = {}
        for place, row in enumerate(self.rows):
            if not row.parameters:
                continue
            name, shared = row.node.name, row.node.shared
            inside = self.inside[place]
            path = self.calls[inside].path if inside >= 0 else None
            count = 0
            for tensor, shape in row.parameters.items():
                full = (name, f"{name}.{tensor}", f"{path}.{tensor}")
                if tensor not in shared and not any(each in frozen for each in full):
                    count += product(shape)
            if times is not None:
                count *= times(path) if path is not None else 0
            counts[name] = count
        return counts

    def function(self, place: int) -> str:
        """Which function of torch a node is, by its full name: ``F.relu``; "" for none."""
        row = self.rows[place]
        if not row.inputs:
            return ""  # a stored tensor that the function is given
        written = row.node.written
        spelled = written.get("call") if written else None
        if spelled is not None:
            return spelled
        function = FUNCTIONS.get(row.node.layer.kind, "")
        return function.format(len(row.inputs[0]) - 2) if "{" in function else function

    def replaced(self, place: int) -> str:
        """The same for who replaces functions by name: "" too where the caller kept its own."""
        name = self.function(place)
        if name in ("F.relu", "F.gelu"):
            inside = self.inside[place]
            if inside >= 0 and self.kind_of(self.calls[inside].path) in CAPTURED:
                return ""
        return name

    def parameters(self) -> set[str]:
        """The nodes that are parameters themselves."""
        return {
            row.node.name
            for row in self.rows
            if row.node.layer.kind == "tensor" and row.node.layer.fields()["learned"]
        }

    def contiguous(self, row: Row) -> bool:
        """Whether a node's first input lies row after row in memory, or is a matrix at most."""
        if len(row.inputs[0]) <= 2:
            return True
        if self._strides is None:
            from ...counting.memory import strides

            network = self.network()
            assert network is not None  # who asks for a figure of it has it
            self._strides = strides(Tally(network, NETTALLY, Rows(self.rows)))
        return row.node.inputs[0] not in self._strides

    def batch(self) -> int:
        """How many examples: the size of the first axis of the only input, else 1."""
        inputs = tuple(self.inputs.values())
        return inputs[0][0] if len(inputs) == 1 and inputs[0] else 1


def _children(modules: Mapping[str, Module]) -> dict[str, tuple[str, ...]]:
    """The modules in each, in order, each once; a module has a place under each of its names."""
    inside: dict[str, dict[str, None]] = {}
    for path, module in modules.items():
        if path:
            inside.setdefault(path.rpartition(".")[0], {})[path] = None
        for other in module.also:
            inside.setdefault(other.rpartition(".")[0], {})[path] = None
    return {path: tuple(children) for path, children in inside.items()}


def composed(row: Row) -> int:
    """What ptflops and calflops count for a function of torch that is written in others.

    Response normalisation is two products of values, a mean pool over padded channels and a sum;
    power pooling a mean pool, a ReLU and a product. 0 for any other.
    """
    layer: Any = row.node.layer
    if layer.kind == "lrn":
        x = row.inputs[0]
        return 4 * product(x) + product((*x[:1], *x[2:])) * (layer.size - 1)
    if layer.kind == "lp_pool":
        return product(row.inputs[0]) + 2 * product(row.shape or ())
    return 0


ROWS = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent_weights(kind: str, how: Mapping[str, Any]) -> list[tuple[Shape, Shape]]:
    """The shapes of the weights for the input and for the state, layer after layer, one way."""
    hidden = how["hidden_size"]
    rows = ROWS[kind] * hidden
    state = how.get("proj_size") or hidden
    layers = [((rows, how["input_size"]), (rows, state))]
    ways = 2 if how.get("bidirectional") else 1
    return layers + [((rows, ways * state), (rows, state))] * (how.get("num_layers", 1) - 1)


def norm_times(row: Row) -> int:
    """What calflops and fvcore count for a value that is normalised."""
    weighted = 1 if "weight" in (row.parameters or NOTHING) else 0
    # with statistics of its own the norm is two factors to a value, which may be one
    return (1 if row.buffers else 4) + weighted


def first(items: Iterable[Shape]) -> Shape:
    """The first shape, or that of a number."""
    return next(iter(items), ())


def aligned_left(shapes: tuple[Shape, ...]) -> int:
    """Values of a sum as ptflops and calflops see it: axes set under each other from the left."""
    n = 1
    for axis in range(max(map(len, shapes))):
        n *= max(shape[axis] if axis < len(shape) else 1 for shape in shapes)
    return n


def operands(row: Row) -> tuple[Shape, ...]:
    """The shapes of what is added or multiplied, a held tensor's among them."""
    layer: Any = row.node.layer
    if layer.kind == "combine":
        return (row.inputs[0], tuple(layer.size))
    return row.inputs


def is_operation(node: Node, word: str) -> bool:
    """Whether the node is that addition or multiplication itself."""
    layer: Any = node.layer
    kind = layer.operation if layer.kind == "combine" else layer.kind
    return kind == word
