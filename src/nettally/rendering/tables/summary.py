"""A torch module as a table, by one call, with torchinfo's arguments and torchinfo's layout.

``from nettally import summary`` in place of ``from torchinfo import summary`` is the whole change.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError, closest
from ..escape import escape
from .summary_rows import LayerRow, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...counting.tally import Tally
    from ...network import Network, Shape

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
CELL_STYLE = (
    "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.9em;"
    "line-height:1.25;white-space:pre;overflow-x:auto;margin:0;padding:0;background:none"
)
"""In a notebook: JupyterLab would wrap the lines, and nbconvert set them in the text's font."""


class Summary:
    """The table, as text, and its totals. ``tally`` is all that is known behind it.

    total_params, trainable_params, total_mult_adds: numbers. total_input, total_param_bytes,
    total_output_bytes: bytes; the last is what a training step keeps of the activations, by
    nettally's estimate (docs/memory.md), or torchinfo's value under its accounting.
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
        self.summary_list, totals = rows_of(tally, network)
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
        if tally is not None and not tally.operations_complete:
            least = "at least "
        lines = [
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
        ]
        if tally is not None:
            size = self.total_input + self.total_output_bytes + self.total_param_bytes
            lines += [
                f"Total mult-adds{_readable(self.total_mult_adds, least)}",
                divider,
                f"Input size (MB): {self.total_input / 1e6:0.2f}",
                f"Forward/backward pass size (MB): {self.total_output_bytes / 1e6:0.2f}",
                f"Params size (MB): {self.total_param_bytes / 1e6:0.2f}",
                f"Estimated Total Size (MB): {size / 1e6:0.2f}",
            ]
        lines.append(divider)
        notes = [note for note in self.network.notes if not note.startswith("imported")]
        if tally is not None and tally.unknown:
            unknown = ", ".join(escape(row.name) for row in tally.unknown[:6])
            notes.append(f"not known, and not counted as zero: {unknown}")
        lines += [f"note: {escape(note)}" for note in notes]
        return lines

    def _repr_html_(self) -> str:
        import html

        return f'<pre style="{CELL_STYLE}">{html.escape(str(self))}</pre>'


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
    """A torch module's layers, shapes, parameters and mult-adds; printed, and returned.

    The arguments are those of torchinfo 1.8.0. accounting: whose convention the mult-adds follow,
    a name from ``nettally.ACCOUNTINGS``. device and cache_forward_pass change nothing, since
    nothing runs on any device. batch_dim: where a batch of 1 is inserted into each size. kwargs:
    further arguments of the forward. Raises NettallyError for invalid options, and what
    ``nettally.read`` raises.
    """
    from ...counting.accounting import accounting as preset
    from ...formats.torch_module import read_module, structure

    del device, cache_forward_pass
    has_input = input_size is not None or input_data is not None or bool(kwargs)
    if input_size is not None and input_data is not None:
        raise NettallyError("give input_size or input_data, not both")
    columns = _columns(col_names, has_input)
    rows = tuple(row_settings) if row_settings is not None else ("depth",)
    _known("row setting", rows, ROW_SETTINGS)
    if col_width <= 0:
        raise NettallyError("col_width must be greater than 0", values=f"col_width {col_width}")
    if verbose is None:
        verbose = 0 if _shows_by_itself() else 1
    if batch_dim is not None and input_size is not None:
        input_size = _with_batch(input_size, batch_dim)
    if has_input:
        network = read_module(
            model, input_size, input_data, mode=mode or "eval", dtypes=dtypes, keywords=kwargs
        )
        from ...counting.tally import tally

        counted = tally(network, preset(accounting))
    else:
        network, counted = structure(model), None
    table = Summary(counted, network, columns, col_width, depth, rows)
    if verbose:
        sys.stdout.write(f"{table}\n")
    return table


def _columns(col_names: Iterable[str] | None, has_input: bool) -> tuple[str, ...]:
    """The columns asked for, or torchinfo's usual ones; NettallyError for impossible ones."""
    if col_names is None:
        return ("output_size", "num_params") if has_input else ("num_params",)
    columns = tuple(col_names)
    _known("column", columns, COLUMNS)
    if not has_input and any(name in NEED_INPUT for name in columns):
        raise NettallyError(
            "these columns need an input", values=", ".join(columns), hint="give input_size=..."
        )
    return columns


def _shows_by_itself() -> bool:
    """Whether the returned value is shown anyway: at a prompt, in a notebook."""
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


# --- cells --------------------------------------------------------------------------------------


def _size(shapes: tuple[Shape, ...]) -> str:
    if not shapes:
        return "--"
    return f"{list(shapes[0])}" if len(shapes) == 1 else f"{list(shapes[0])} +{len(shapes) - 1}"


def _params(summary: Summary, row: LayerRow) -> str:
    if row.is_recursive and row.num_params:
        return "(recursive)"
    n = row.num_params if row.is_leaf_layer or row.depth == summary.depth else row.left_params
    if not n:
        return "(shared)" if row.shares else "--"
    return f"{n:,}" if row.trainable_params else f"({n:,})"


def _percent(summary: Summary, row: LayerRow) -> str:
    if row.is_recursive and row.num_params:
        return "(recursive)"
    n = row.num_params if row.is_leaf_layer or row.depth == summary.depth else row.left_params
    if not n or not summary.total_params:
        return "     --"
    return f"{n / summary.total_params:>7.2%}"


def _mult_adds(summary: Summary, row: LayerRow) -> str:
    if not row.mult_adds or not (row.is_leaf_layer or row.depth == summary.depth):
        return "--"
    return f"{row.mult_adds:,}"


def _kernel(summary: Summary, row: LayerRow) -> str:
    return str(list(row.kernel_size)) if row.kernel_size else "--"


def _input(summary: Summary, row: LayerRow) -> str:
    return _size(row.input_size)


def _output(summary: Summary, row: LayerRow) -> str:
    return _size(row.output_size)


def _groups(summary: Summary, row: LayerRow) -> str:
    return str(row.groups) if row.groups else "--"


def _trainable(summary: Summary, row: LayerRow) -> str:
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
