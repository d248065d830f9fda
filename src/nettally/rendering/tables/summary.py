"""A torch module as a table, by one call, with torchinfo's arguments and torchinfo's layout.

``from nettally import summary`` in place of ``from torchinfo import summary`` is the whole change.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...arith import product
from ...errors import NettallyError, closest
from ..escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...counting.tally import Tally
    from ...network import Call, Network, Shape

COLUMNS = {
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "kernel_size": "Kernel Shape",
    "groups": "Groups",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
NEED_INPUT = ("input_size", "output_size", "mult_adds")
ROW_SETTINGS = ("depth", "var_names", "ascii_only", "hide_recursive_layers")
NAME_WIDTH = 40


class LayerRow:
    """One line: a module as it was called, or a weighted sum that is no module's own.

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


class Summary:
    """The table, as text, and its totals. ``tally`` is all that is known behind it.

    total_params, trainable_params, total_mult_adds: numbers. total_input, total_param_bytes,
    total_output_bytes: bytes; the last is what a training step keeps of the activations, by
    nettally's estimate (docs/memory.md), or torchinfo's figure under its accounting.
    """

    def __init__(
        self,
        tally: Tally | None,
        network: Network,
        columns: Sequence[str],
        col_width: int,
        depth: int,
        row_settings: Iterable[str],
    ) -> None:
        self.tally = tally
        self.network = network
        self.columns = tuple(columns)
        self.col_width = col_width
        self.depth = depth
        self.row_settings = frozenset(row_settings)
        self.summary_list, totals = _rows(tally, network)
        self.total_params, self.trainable_params, self.total_param_bytes = totals
        self.total_mult_adds = tally.operations if tally is not None else 0
        printed = tally.accounting.printed() if tally is not None else None
        if printed is not None:
            self.total_params = printed.parameters
            if printed.trainable is not None:
                self.trainable_params = printed.trainable
            self.total_param_bytes = printed.others.get("total_param_bytes", self.total_param_bytes)
        self.input_size = [tuple(shape) for shape in network.inputs.values()]
        self._memory: tuple[int, int] | None = None

    # --- totals ---------------------------------------------------------------------------------

    @property
    def total_input(self) -> int:
        """Bytes of the inputs."""
        return self._bytes()[0]

    @property
    def total_output_bytes(self) -> int:
        """Bytes of the activations that a training step keeps."""
        return self._bytes()[1]

    def _bytes(self) -> tuple[int, int]:
        if self._memory is None:
            from ...counting.memory import input_bytes, training

            printed = self.tally.accounting.printed() if self.tally is not None else None
            if self.tally is None:
                self._memory = (0, 0)
            elif printed is not None and "total_input" in printed.others:  # torchinfo's own
                self._memory = (printed.others["total_input"], printed.others["total_output_bytes"])
            else:
                self._memory = (input_bytes(self.tally), training(self.tally).activations)
        return self._memory

    # --- text -----------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rows = [row for row in self.summary_list if row.depth <= self.depth]
        if "hide_recursive_layers" in self.row_settings:
            rows = [row for row in rows if not row.is_recursive]
        names = [self._name(row) for row in rows]
        widest = max((len(name) for name in names), default=0) + 1
        width = NAME_WIDTH if widest <= NAME_WIDTH else -(-widest // 5) * 5
        divider = "=" * (width + self.col_width * len(self.columns))
        about = (" (var_name)" if "var_names" in self.row_settings else "") + (
            ":depth-idx" if "depth" in self.row_settings else ""
        )
        cut = self.col_width
        titles = [f"{COLUMNS[name]:<{cut}}" for name in self.columns]
        lines = [divider, f"{f'Layer (type{about})':<{width}} {' '.join(titles)}".rstrip(), divider]
        cells = [_CELLS[name] for name in self.columns]
        for row, name in zip(rows, names, strict=True):
            values = " ".join([f"{cell(self, row):<{cut}}" for cell in cells])
            lines.append(f"{name:<{width}} {values}".rstrip())
        lines.append(divider)
        lines.extend(self._totals(divider))
        return "\n".join(lines)

    def _name(self, row: LayerRow) -> str:
        plain = "ascii_only" in self.row_settings
        depth = row.depth
        name = escape(row.class_name)
        if "var_names" in self.row_settings and row.var_name:
            name += f" ({escape(row.var_name)})"
        if "depth" in self.row_settings and depth:
            name += f": {depth}-{row.depth_index}"
        if not depth:
            return name
        if depth == 1:
            return ("+ " if plain else "├─") + name
        return ("|    " if plain else "│    ") * (depth - 1) + ("+ " if plain else "└─") + name

    def _totals(self, divider: str) -> list[str]:
        least = ""
        tally = self.tally
        if tally is not None and not tally.complete:
            least = "at least "
        made = [
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
        ]
        if tally is not None:
            size = self.total_input + self.total_output_bytes + self.total_param_bytes
            made += [
                f"Total mult-adds{_readable(self.total_mult_adds, least)}",
                divider,
                f"Input size (MB): {self.total_input / 1e6:0.2f}",
                f"Forward/backward pass size (MB): {self.total_output_bytes / 1e6:0.2f}",
                f"Params size (MB): {self.total_param_bytes / 1e6:0.2f}",
                f"Estimated Total Size (MB): {size / 1e6:0.2f}",
            ]
        made.append(divider)
        notes = [note for note in self.network.notes if not note.startswith("imported")]
        if tally is not None and tally.unknown:
            unknown = ", ".join(escape(row.name) for row in tally.unknown[:6])
            notes.append(f"not known, and not counted as zero: {unknown}")
        made += [f"note: {escape(note)}" for note in notes]
        return made

    def _repr_html_(self) -> str:
        import html

        return f"<pre style='line-height:1.2'>{html.escape(str(self))}</pre>"


def summary(
    model: Any,
    input_size: Any = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Any = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    accounting: str = "nettally",
    **kwargs: Any,
) -> Summary:
    """A torch module's layers, shapes, parameters and mult-adds; printed, and given back.

    The arguments are those of torchinfo 1.8.0. accounting: whose convention the mult-adds follow,
    a name from ``nettally.ACCOUNTINGS``. device and cache_forward_pass change nothing, since
    nothing runs on any device. batch_dim: where a batch of 1 is put into each size. kwargs: further
    arguments of the forward. Raises NettallyError for options that are none, and what
    ``nettally.read`` raises.
    """
    from ...counting.accounting import accounting as preset
    from ...formats.torch_module import read_module, structure

    del device, cache_forward_pass
    given = input_size is not None or input_data is not None or bool(kwargs)
    if input_size is not None and input_data is not None:
        raise NettallyError("give input_size or input_data, not both")
    columns = tuple(col_names) if col_names is not None else (
        ("output_size", "num_params") if given else ("num_params",)
    )  # fmt: skip
    _known("column", columns, COLUMNS)
    if not given and any(name in NEED_INPUT for name in columns):
        raise NettallyError(
            "these columns need an input", values=", ".join(columns), hint="give input_size=..."
        )
    rows = tuple(row_settings) if row_settings is not None else ("depth",)
    _known("row setting", rows, ROW_SETTINGS)
    if col_width <= 0:
        raise NettallyError("col_width must be greater than 0", values=f"col_width {col_width}")
    if verbose is None:
        verbose = 0 if _shows_by_itself() else 1
    if batch_dim is not None and input_size is not None:
        input_size = _with_batch(input_size, batch_dim)
    if given:
        network = read_module(
            model, input_size, input_data, mode=mode or "eval", dtypes=dtypes, keywords=kwargs
        )
        from ...counting.tally import tally

        counted = tally(network, preset(accounting))
    else:
        network, counted = structure(model), None
    made = Summary(counted, network, columns, col_width, depth, rows)
    if verbose:
        sys.stdout.write(f"{made}\n")
    return made


def _shows_by_itself() -> bool:
    """Whether what is given back is shown anyway: at a prompt, in a notebook."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def _known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise NettallyError(f"no {what} is called '{name}'", hint=closest(name, list(known)))


def _with_batch(sizes: Any, axis: int) -> Any:
    if all(isinstance(n, int) for n in sizes):
        return (*sizes[:axis], 1, *sizes[axis:])
    return [_with_batch(each, axis) for each in sizes]


def _readable(number: int, least: str) -> str:
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6)):
        if number >= size or unit == "M":
            return f" ({unit}): {least}{number / size:,.2f}"
    return ""


# --- rows ---------------------------------------------------------------------------------------


def _rows(tally: Tally | None, network: Network) -> tuple[list[LayerRow], tuple[int, int, int]]:
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
    made = [0]
    if tally is None:
        return made
    count = tally.accounting.operations
    total = 0
    for row in tally.rows:
        total += count(row)
        made.append(total)
    return made


class _Sizes:
    """How many parameters stand in each module, counted once, and how many of them are trained."""

    def __init__(self, network: Network) -> None:
        self.all: dict[str, int] = {}
        self.own: dict[str, int] = {}
        self.trained: dict[str, int] = {}
        self.shares: set[str] = set()
        total = trained = held_bytes = 0
        for path, module in network.modules.items():
            own = own_trained = 0
            for tensor in module.stored:
                if tensor.learned:
                    if tensor.same:
                        self.shares.add(path)
                        continue
                    size = product(tensor.shape)
                    own += size
                    held_bytes += size * WIDTHS.get(tensor.dtype, 4)
                    if tensor.trained:
                        own_trained += size
            if own:
                self.own[path] = own
                total += own
                trained += own_trained
                each = path
                while True:
                    self.all[each] = self.all.get(each, 0) + own
                    self.trained[each] = self.trained.get(each, 0) + own_trained
                    if not each:
                        break
                    each = each.rpartition(".")[0]
        self.totals = (total, trained, held_bytes)


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
    row.left_params = sizes.own.get(path, 0)
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


# --- cells --------------------------------------------------------------------------------------


def _size(shapes: tuple[Shape, ...]) -> str:
    if not shapes:
        return "--"
    return f"{list(shapes[0])}" if len(shapes) == 1 else f"{list(shapes[0])} +{len(shapes) - 1}"


def _params(made: Summary, row: LayerRow) -> str:
    if row.is_recursive and row.num_params:
        return "(recursive)"
    n = row.num_params if row.is_leaf_layer or row.depth == made.depth else row.left_params
    if not n:
        return "(shared)" if row.shares else "--"
    return f"{n:,}" if row.trainable_params else f"({n:,})"


def _percent(made: Summary, row: LayerRow) -> str:
    if row.is_recursive and row.num_params:
        return "(recursive)"
    n = row.num_params if row.is_leaf_layer or row.depth == made.depth else row.left_params
    if not n or not made.total_params:
        return "     --"
    return f"{n / made.total_params:>7.2%}"


def _mult_adds(made: Summary, row: LayerRow) -> str:
    if not row.mult_adds or not (row.is_leaf_layer or row.depth == made.depth):
        return "--"
    return f"{row.mult_adds:,}"


def _kernel(made: Summary, row: LayerRow) -> str:
    return str(list(row.kernel_size)) if row.kernel_size else "--"


def _input(made: Summary, row: LayerRow) -> str:
    return _size(row.input_size)


def _output(made: Summary, row: LayerRow) -> str:
    return _size(row.output_size)


def _groups(made: Summary, row: LayerRow) -> str:
    return str(row.groups) if row.groups else "--"


def _trainable(made: Summary, row: LayerRow) -> str:
    return row.trainable


_CELLS = {
    "input_size": _input,
    "output_size": _output,
    "num_params": _params,
    "params_percent": _percent,
    "kernel_size": _kernel,
    "groups": _groups,
    "mult_adds": _mult_adds,
    "trainable": _trainable,
}
