"""The lines of ``summary``: each module as it was called, with its parameters and mult-adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arith import product

if TYPE_CHECKING:
    from ...counting.tally import Tally
    from ...network import Call, Network, Shape


class LayerRow:
    """One line: a module as it was called, or a weighted sum that no module owns.

    num_params, trainable_params: of all that is in it, what is shared counted where it stands
    first. mult_adds: of all that ran in it. nodes: from which to which of the network's nodes.
    """

    __slots__ = (
        "class_name",
        "depth",
        "depth_index",
        "groups",
        "input_size",
        "is_leaf_layer",
        "is_recursive",
        "kernel_size",
        "left_params",
        "mult_adds",
        "num_params",
        "output_size",
        "path",
        "shares",
        "trainable_params",
        "var_name",
    )  # fmt: skip

    class_name: str
    var_name: str
    path: str
    depth: int
    depth_index: int
    input_size: tuple[Shape, ...]
    output_size: tuple[Shape, ...]
    num_params: int
    left_params: int
    trainable_params: int
    mult_adds: int
    kernel_size: Any
    groups: int | None
    is_leaf_layer: bool
    is_recursive: bool
    shares: bool

    def __repr__(self) -> str:
        return f"{self.class_name}: {self.depth}"

    @property
    def macs(self) -> int:
        """torchinfo's name for it."""
        return self.mult_adds

    @property
    def trainable(self) -> str:
        """True, False, Partial, or -- where there are no parameters."""
        if not self.num_params:
            return "--"
        if not self.trainable_params:
            return "False"
        return "True" if self.trainable_params == self.num_params else "Partial"


def rows_of(tally: Tally | None, network: Network) -> tuple[list[LayerRow], tuple[int, int, int]]:
    """The lines, and all parameters, those that are trained, and the bytes of all."""
    sizes = _Sizes(network)
    if tally is None:
        rows = [_row(network, sizes, path, None, [0], set()) for path in network.modules]
    else:
        rows = _Called(tally, sizes).rows
    index: dict[int, int] = {}
    for row in rows:
        row.depth_index = index[row.depth] = index.get(row.depth, 0) + 1
    return rows, sizes.totals


class _Called:
    """The lines of what was called, in order."""

    def __init__(self, tally: Tally, sizes: _Sizes) -> None:
        self.tally, self.network, self.sizes = tally, tally.network, sizes
        self.before = _sums(tally)
        self.seen: set[str] = set()
        self.shown: dict[int, str] = {}  # the module that stands open at each depth
        self.rows: list[LayerRow] = []
        place = 0
        while place < len(self.network.calls):
            place = self.call(place)

    def call(self, place: int) -> int:
        """The lines of one call and of all in it; the place of the next call beside it."""
        calls = self.network.calls
        call = calls[place]
        self.line(call)
        done = call.first
        place += 1
        while place < len(calls) and calls[place].depth > call.depth:
            within = calls[place]
            self.loose(call, done, within.first)
            place = self.call(place)
            done = max(done, within.last)
        module = self.network.modules.get(call.path)
        if module is None or not module.leaf:
            self.loose(call, done, call.last)
        return place

    def line(self, call: Call) -> None:
        """The line of a module; before it those of lists, which hold modules and are not called."""
        path, shown = call.path, self.shown
        parts = path.split(".") if path else []
        for n in range(1, len(parts)):
            above = ".".join(parts[:n])
            if shown.get(n) != above:
                self.rows.append(
                    _row(self.network, self.sizes, above, None, self.before, self.seen)
                )
                shown[n] = above
        shown[len(parts)] = path
        for depth in range(len(parts) + 1, len(shown) + 1):
            shown.pop(depth, None)
        self.rows.append(_row(self.network, self.sizes, path, call, self.before, self.seen))

    def loose(self, call: Call, first: int, last: int) -> None:
        """Weighted sums that the forward of a module makes itself."""
        before = self.before
        if first < last and before[last] != before[first]:
            self.rows.extend(
                _function(self.tally, i, call.path, before)
                for i in range(first, last)
                if before[i + 1] != before[i]
            )


def _sums(tally: Tally | None) -> list[int]:
    """The operations of all nodes before each, and of all."""
    sums = [0]
    if tally is None:
        return sums
    count = tally.accounting.operations
    total = 0
    for row in tally.rows:
        total += count(row)
        sums.append(total)
    return sums


class _Sizes:
    """How many parameters stand in each module, counted once, and how many of them are trained."""

    def __init__(self, network: Network) -> None:
        self.all: dict[str, int] = {}
        self.direct: dict[str, int] = {}
        self.trained: dict[str, int] = {}
        self.shares: set[str] = set()
        total = trained = stored_bytes = 0
        for path, module in network.modules.items():
            direct = direct_trained = 0
            for tensor in module.stored:
                if tensor.learned:
                    if tensor.same:
                        self.shares.add(path)
                        continue
                    size = product(tensor.shape)
                    direct += size
                    stored_bytes += size * WIDTHS.get(tensor.dtype, 4)
                    if tensor.trained:
                        direct_trained += size
            if direct:
                self.direct[path] = direct
                total += direct
                trained += direct_trained
                each = path
                while True:
                    self.all[each] = self.all.get(each, 0) + direct
                    self.trained[each] = self.trained.get(each, 0) + direct_trained
                    if not each:
                        break
                    each = each.rpartition(".")[0]
        self.totals = (total, trained, stored_bytes)


WIDTHS = {"float64": 8, "complex64": 8, "int64": 8, "complex128": 16, "float16": 2, "bfloat16": 2,
          "int16": 2, "int8": 1, "uint8": 1, "bool": 1}  # fmt: skip


def _row(
    network: Network,
    sizes: _Sizes,
    path: str,
    call: Call | None,
    before: list[int],
    seen: set[str],
) -> LayerRow:
    module = network.modules.get(path)
    row = LayerRow()
    row.class_name = module.type if module is not None else path.rpartition(".")[2]
    row.path = path
    row.var_name = path.rpartition(".")[2] if path else network.name
    row.depth = path.count(".") + 1 if path else 0
    row.depth_index = 0
    row.input_size = call.inputs if call is not None else ()
    row.output_size = call.outputs if call is not None else ()
    row.num_params = sizes.all.get(path, 0)
    row.left_params = sizes.direct.get(path, 0)
    row.trainable_params = sizes.trained.get(path, 0)
    row.mult_adds = before[call.last] - before[call.first] if call is not None else 0
    row.kernel_size = row.groups = None
    row.is_leaf_layer = module is None or module.leaf
    row.is_recursive = path in seen
    row.shares = path in sizes.shares
    seen.add(path)
    if call is not None and row.is_leaf_layer and call.last == call.first + 1:
        layer = network.nodes[call.first].layer.__dict__
        row.kernel_size, row.groups = layer.get("kernel"), layer.get("groups")
    return row


def _function(tally: Tally, i: int, path: str, before: list[int]) -> LayerRow:
    """A weighted sum that the forward of a module makes itself."""
    counted = tally.rows[i]
    row = LayerRow()
    row.class_name = counted.node.layer.kind
    row.path = row.var_name = counted.node.name
    row.var_name = counted.node.name.rpartition(".")[2]
    row.depth = path.count(".") + 2 if path else 1
    row.depth_index = 0
    row.input_size = counted.inputs
    row.output_size = (counted.shape,) if counted.shape is not None else ()
    row.num_params = row.left_params = row.trainable_params = 0
    row.mult_adds = before[i + 1] - before[i]
    row.kernel_size = row.groups = None
    row.is_leaf_layer, row.is_recursive, row.shares = True, False, False
    return row
