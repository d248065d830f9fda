"""Tables for people, by rich, which is imported here and only when a table is made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...arith import plain
from ..escape import escape
from ..layer_line import size
from ..terminal import Terminal, count, noted, wrap
from .columns import TOTALS, Column, chosen, seen, shown, title, total_of
from .tree import END, LONG, full_depth, lines, some_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.table import Table as RichTable

    from ...counting.tally import Tally
    from .tree import TreeLine

LEAST = 16
"""A column of names is not cut below this width."""

NARROW = 72
"""Below this width a table that does not fit is set row by row, with a line for each cell."""


def tally_text(
    tally: Tally,
    terminal: Terminal,
    columns: str | None = None,
    depth: int | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The network as a tree of lines with a footer of totals.

    columns: names with commas, None for the usual. depth: how deep modules are opened, None for
    as deep as fits on a page. notes: further lines below, after the reader's own notes.
    """
    picked = list(chosen(columns, tally))
    listed, cut = some_lines(tally) if depth is None else (lines(tally, depth), 0)
    rows: list[list[str]] = []
    dim: set[int] = set()
    cells_of = _cells(tally, picked)
    for name, shape in tally.network.inputs.items():
        first = {"output": size(shape), "kind": "input", "layer": "input"}
        dim.add(len(rows))
        rows.append([escape(name), *(escape(first.get(each.name) or "") for each in picked)])
    for line in listed:
        if not line.module and not line.row.node.layer.weighted:  # pyright: ignore
            dim.add(len(rows))
        label = escape(line.label) + (" …" if line.collapsed else "")
        cells = cells_of(line)
        if line.module and not line.collapsed:
            cells = ["" if each.name != "output" else cells[i] for i, each in enumerate(picked)]
        rows.append([line.branch + label, *cells])
    if cut:
        rows.insert(len(rows) - END, [f"… {cut:,} layers more", *("" for _ in picked)])
    heads = ["", *(title(column, tally) for column in picked)]
    if not columns:
        rows, heads, picked = _fitted(rows, heads, picked, terminal)
    numbers = [False, *(column.number for column in picked)]
    if cut:  # rich takes its time, and nobody reads the whole
        table = long_grid(heads, numbers, rows, terminal)
    else:
        table = grid(heads, numbers, rows, terminal, dim=dim)
    head = _heading(tally, terminal)
    deeper = _collapsing(tally, any(line.collapsed for line in listed))
    if cut:
        every = max(full_depth(tally), 1)
        deeper = [f"{cut:,} layers are left out; --depth {every} or --format csv lists all"]
    return "\n".join([*head, "", table, "", *footer(tally, terminal, [*deeper, *notes])]) + "\n"


def _cells(tally: Tally, columns: Sequence[Column]) -> Callable[[TreeLine], list[str]]:
    """A function from a line to its cells; layers that count the same are worked out once."""
    by_field = any(column.name in ("field", "effective_stride") for column in columns)
    kept: dict[object, list[str]] = {}

    def cells_of(line: TreeLine) -> list[str]:
        row = line.row
        if row is None or row.node.shared:
            return [escape(shown(column.cell(tally, line))) for column in columns]
        node = row.node
        field = id(seen(tally, line)) if by_field else 0
        key = (id(node.layer), row.inputs, id(node.written), field)
        cells = kept.get(key)
        if cells is None:
            cells = kept[key] = [escape(shown(column.cell(tally, line))) for column in columns]
        return cells

    return cells_of


def _fitted(
    rows: list[list[str]], heads: list[str], picked: list[Column], terminal: Terminal
) -> tuple[list[list[str]], list[str], list[Column]]:
    """The usual columns, the last ones left out where the terminal is too narrow for all."""
    widths = [max(map(len, cells)) + 2 for cells in zip(heads, *rows, strict=True)]
    left = len(picked)
    while not terminal.wide and left > 2 and sum(widths[: left + 1]) - 2 > terminal.width:
        left -= 1
    if left == len(picked):
        return rows, heads, picked
    return [row[: left + 1] for row in rows], heads[: left + 1], picked[:left]


def _heading(tally: Tally, terminal: Terminal) -> list[str]:
    network = tally.network
    name = escape(network.name)
    says = escape(network.title) if network.title and network.title != network.name else ""
    text = f"{name}: {says}" if says else name
    first, *rest = wrap(text, terminal.prose)
    if first.startswith(name):
        first = terminal.style(name, "bold") + first[len(name) :]
    return [first, *rest]


def _collapsing(tally: Tally, collapsed: bool) -> list[str]:
    if not collapsed:
        return []
    return [
        f"modules are folded; --depth {full_depth(tally)} shows "
        f"all {count(len(tally.rows), 'layer')}"
    ]


def footer(tally: Tally, terminal: Terminal, notes: Iterable[str] = ()) -> list[str]:
    """The totals, "at least" where something is not known, and what that is; then the notes."""
    from ...counting.quantities import SUMS

    accounting = tally.accounting
    owning = [row for row in tally.rows if row.parameters]
    weights = sum(plain(SUMS["weights"](tally, row)) for row in owning)
    biases = sum(plain(SUMS["biases"](tally, row)) for row in owning)
    parameters = plain(tally.parameters)
    split = f"{weights:,} weights + {biases:,} biases" if weights + biases == parameters else ""
    examples = max((row.examples for row in tally.rows), default=1)
    leading = {int(shape[0]) for shape in tally.network.inputs.values() if shape}
    per = "for one example" if leading <= {1} else "for inputs of these sizes"
    per = f"for a batch of {examples}" if examples > 1 else per
    words = {
        "neurons": _NEURONS[accounting.neurons_of],
        "parameters": split,
        "operations": f"{per}, by the accounting '{accounting.name}'",
    }
    called = {"operations": accounting.unit}
    totals: list[tuple[str, str, str]] = []
    for name in TOTALS:
        number = total_of(tally, name)
        about = "" if number == "not known" else words[name]
        totals.append((called.get(name, name), number, about))
    left = max(len(name) for name, _, _ in totals)
    right = max(len(number) for _, number, _ in totals)
    lines: list[str] = []
    for name, number, about in totals:
        start = f"{name:<{left}}  {number:>{right}}"
        wrapped = wrap(about, terminal.prose, start + "  ", " " * (len(start) + 2))
        lines.append(terminal.style(start, "bold") + wrapped[0][len(start) :])
        lines.extend(wrapped[1:])
    if tally.unknown:
        lines.extend(["", *_unknown(tally, terminal)])
    if tally.not_counted:
        lines.append("")
        lines.extend(terminal.style(line, "yellow") for line in not_counted(tally, terminal))
    below = [*tally.network.notes, *notes]
    if below:
        lines.append("")
    return [*lines, *noted(below, terminal)]


_NEURONS = {
    "weighted": "outputs of the layers that form weighted sums",
    "all": "outputs of all layers",
    "conv": "outputs of the convolutions",
}


def not_counted(tally: Tally, terminal: Terminal) -> list[str]:
    """The layers of which the accounting does not say what it counts, by kind."""
    return wrap(not_counted_text(tally), terminal.prose, rest="  ")


def not_counted_text(tally: Tally) -> str:
    """``2 layers (attention) of which 'openvino' does not say …, not counted as zero``."""
    rows = tally.not_counted
    kinds = ", ".join(dict.fromkeys(row.node.layer.kind for row in rows))
    return (
        f"{count(len(rows), 'layer')} ({kinds}) of which it is not known what "
        f"'{escape(tally.accounting.name)}' counts; unknown is not counted as zero"
    )


def _unknown(tally: Tally, terminal: Terminal) -> list[str]:
    """The layers that are not known, each with what it is or what it waits for."""
    unknown = tally.unknown
    stating = sum(row.parameters is not None for row in unknown)
    rest = f"{count(stating, 'layer')} whose parameters are known and whose work is not"
    if tally.parameters_complete:
        text = f"{rest}; unknown is not counted as zero"
        return [terminal.style(line, "yellow") for line in wrap(text, terminal.prose, rest="  ")]
    unknown = [row for row in unknown if row.parameters is None]
    names: list[str] = []
    for row in unknown[:12]:
        layer = row.node.layer
        if layer.kind == "opaque":
            kind = layer.fields().get("type", "unknown")
            names.append(f"{escape(row.node.name)} ({escape(kind)})")
        else:
            names.append(f"{escape(row.node.name)} (its input is not known)")
    if len(unknown) > 12:
        names.append(f"and {len(unknown) - 12:,} more")
    text = f"{count(len(unknown), 'layer')} not known, not counted as zero: {', '.join(names)}"
    text += f"; and {rest}" if stating else ""
    wrapped = wrap(text, terminal.prose, rest="  ")
    return [terminal.style(line, "yellow") for line in wrapped]


def grid(
    heads: Sequence[str],
    numbers: Sequence[bool],
    rows: Sequence[Sequence[str]],
    terminal: Terminal,
    *,
    dim: Iterable[int] = (),
    bold: Iterable[int] = (),
    marks: Mapping[str, str] | None = None,
    wrap: bool = False,
) -> str:
    """A table without a frame. All text is escaped already.

    numbers: which columns stand at the right. dim, bold: rows by their place. marks: styles of
    cells by their text. wrap: break long text into lines in its column, and do not cut it. Where
    the terminal is narrow, see ``_stacked``.
    """
    if len(rows) > LONG and not wrap:
        return long_grid(heads, numbers, rows, terminal)
    widths = _widths(heads, numbers, rows, terminal)
    if (
        terminal.width < NARROW
        and not terminal.wide
        and sum(widths) + 2 * len(heads) - 2 > terminal.width
    ):
        return _stacked(heads, rows, terminal)
    _import_rich()
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    rule = "─" if terminal.unicode else "-"
    frame = Box(f"    \n    \n {rule}{rule} \n    \n    \n    \n    \n    \n", ascii=False)
    table = Table(
        box=frame, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    for head, number, width in zip(heads, numbers, widths, strict=True):
        table.add_column(
            Text(head),
            justify="right" if number else "left",
            width=width,
            no_wrap=not wrap or number,
            overflow="fold" if wrap else "ellipsis",
        )
    quiet, loud = set(dim), set(bold)
    for place, row in enumerate(rows):
        style = "dim" if place in quiet else "bold" if place in loud else ""
        table.add_row(*[Text(cell, style=(marks or {}).get(cell, style)) for cell in row])
    return _printed(table, sum(widths) + 2 * len(heads), terminal)


def _import_rich() -> None:
    """rich, whose import draws a random number: Python's generator is left as it was."""
    if "rich.style" not in sys.modules:
        import random

        state = random.getstate()
        try:
            __import__("rich.style")  # where it is drawn
        finally:
            random.setstate(state)


def _stacked(heads: Sequence[str], rows: Sequence[Sequence[str]], terminal: Terminal) -> str:
    """Each row as a paragraph: its name, then a line for each cell that is not empty.

    The name is what stands in the columns without a head; where all have one, in the first.
    """
    named = [i for i, head in enumerate(heads) if not head] or [0]
    others = [i for i in range(len(heads)) if i not in named]
    left = max(len(heads[i]) for i in others) + 4
    lines: list[str] = []
    for row in rows:
        name = " ".join(row[i] for i in named if row[i].strip())
        wrapped = wrap(name, terminal.width, rest="  ")
        lines += [terminal.style(line, "bold") for line in wrapped]
        for i in others:
            if row[i]:
                lines += wrap(row[i], terminal.width, f"{'  ' + heads[i]:<{left}}", " " * left)
    return "\n".join(lines)


def _widths(
    heads: Sequence[str],
    numbers: Sequence[bool],
    rows: Sequence[Sequence[str]],
    terminal: Terminal,
) -> list[int]:
    """The columns' widths. A number is never cut; a name is, when the terminal is narrow."""
    from rich.cells import cell_len

    widths = [max(cell_len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    if not terminal.wide:
        while sum(widths) + 2 * len(heads) > terminal.width:
            widest = max((w, i) for i, w in enumerate(widths) if not numbers[i])
            if widest[0] <= LEAST:
                break
            widths[widest[1]] -= 1
    return widths


def _printed(table: RichTable, width: int, terminal: Terminal) -> str:
    """The table as rich prints it, without blanks at the ends of lines."""
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=terminal.colour,
        color_system="standard" if terminal.colour else None,
        no_color=not terminal.colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def long_grid(
    heads: Sequence[str],
    numbers: Sequence[bool],
    rows: Sequence[Sequence[str]],
    terminal: Terminal,
) -> str:
    """The same table without colour, its lines as wide as they are: rich takes 0.4 ms a row."""
    from rich.cells import cell_len

    shown: list[list[str]] = []
    full = 0
    for column, number in zip(zip(heads, *rows, strict=True), numbers, strict=True):
        widths = {text: len(text) if text.isascii() else cell_len(text) for text in {*column}}
        width = max(widths.values())
        full += width + 2
        filled = {
            text: " " * (width - wide) + text if number else text + " " * (width - wide)
            for text, wide in widths.items()
        }
        shown.append([filled[text] for text in column])
    lines = ["  ".join(cells).rstrip() for cells in zip(*shown, strict=True)]
    lines.insert(1, ("─" if terminal.unicode else "-") * (full - 2))
    return "\n".join(lines)
