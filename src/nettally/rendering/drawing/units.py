"""What a figure shows of a network: units, each one layer with its activation, or a whole module.

Modules below a depth become one unit, and layers that work on each value by itself (activation,
normalisation, dropout) go into the box of the layer that they follow. Either leaves a graph
without cycles. ``grouping.py`` puts units together further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .layer_words import POINTWISE, family

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...counting.rows import Row
    from ...counting.tally import Tally
    from ...network import Shape


class Unit(NamedTuple):
    """One box.

    name: the layer's or the module's; of several, the first's. last: the last one's name, where
    there are several. rows: all the layers in it, in order. main: the layer that the box is named
    after; None for a module. leads, tails: what stands in the box before and after it.
    inputs: the places of the units that it reads. times: how often it stands there, one after the
    other. period: the layers of one of these. natural: whether its layers belong together, and were
    not only put together to save room.
    """

    name: str
    last: str
    rows: tuple[Row, ...]
    main: Row | None
    leads: tuple[Row, ...]
    tails: tuple[Row, ...]
    inputs: tuple[int, ...]
    shape: Shape | None
    times: int = 1
    input: bool = False
    period: tuple[Row, ...] = ()
    natural: bool = True

    @property
    def module(self) -> bool:
        """Whether it is more than one layer with its company."""
        return self.main is None and not self.input

    @property
    def family(self) -> str:
        if self.input:
            return "input"
        return "module" if self.main is None else family(self.main.node.layer)

    @property
    def once(self) -> tuple[Row, ...]:
        """The layers of the first of its repetitions."""
        return self.period or self.rows


Units = tuple[Unit, ...]


class _Box:
    """A unit in the making."""

    def __init__(self, name: str, key: str) -> None:
        self.name = self.last = name
        self.key = key
        self.rows: list[Row] = []
        self.inputs: dict[int, None] = {}
        self.main: Row | None = None
        self.leads: list[Row] = []
        self.tails: list[Row] = []
        self.single = False
        self.input: Shape | None = None
        self.is_input = False
        self.times = 1
        self.period: tuple[Row, ...] = ()


def units_of(tally: Tally, depth: int | None = 0, rows: Sequence[Row] | None = None) -> Units:
    """The units of a network, in an order in which each stands after what it reads.

    depth: modules this deep are opened, deeper ones are one unit each; None: all are opened.
    rows: of these layers only (a module's); what they read from outside is an input "in".
    """
    listed = tally.rows if rows is None else tuple(rows)
    opened: set[str] = set()
    while True:
        boxes = _grouped(tally, listed, depth, opened, rows is not None)
        order = _sorted(boxes)
        if order is not None:
            break
        # a module that is left and entered again can't be one box: it is opened
        opened |= {box.key for box in _in_cycles(boxes) if not box.single}
    joined = _pointwise_joined([boxes[i] for i in order], _renamed(order))
    if rows is None:
        _named_after_modules(joined, listed)
    return _sides_early(_settled(joined))


def main_path(boxes: Units) -> set[int]:
    """The units that lead to the output that most of them lead to; the others are side branches."""
    read = {j for unit in boxes for j in unit.inputs}
    best: set[int] = set()
    for end in range(len(boxes) - 1, -1, -1):
        if end in read or len(best) > end:
            continue
        path = {end}
        stack = [end]
        while stack:
            for j in boxes[stack.pop()].inputs:
                if j not in path:
                    path.add(j)
                    stack.append(j)
        if len(path) >= len(best):
            best = path
        if len(best) > MANY:
            break
    return best


MANY = 2000
"""A path of more units than this is the main one, without a look at the others."""


def _sides_early(boxes: Units) -> Units:
    """The same units in an order in which side branches stand right after what they read."""
    main = main_path(boxes)
    if len(main) == len(boxes):
        return boxes
    readers: list[list[int]] = [[] for _ in boxes]
    waits = [len(unit.inputs) for unit in boxes]
    for i, unit in enumerate(boxes):
        for j in unit.inputs:
            readers[j].append(i)
    order: list[int] = []
    # inputs of side branches only come first, as all inputs do
    free = [i for i, unit in enumerate(boxes) if not unit.inputs and i not in main]
    for i in [*free, *sorted(main)]:
        stack = [i]
        while stack:
            k = stack.pop()
            order.append(k)
            for r in reversed(readers[k]):
                waits[r] -= 1
                if not waits[r] and r not in main:
                    stack.append(r)
    place = _renamed(order)
    return tuple(
        boxes[i]._replace(inputs=tuple(sorted(place[j] for j in boxes[i].inputs))) for i in order
    )


def _named_after_modules(boxes: Iterable[_Box], rows: Iterable[Row]) -> None:
    """A box that is all of a module goes by the module's name: conv1 for conv1.conv."""
    counts: dict[str, int] = {}
    for row in rows:
        path = row.node.module
        while path:
            counts[path] = counts.get(path, 0) + 1
            path = path.rpartition(".")[0]
    for box in boxes:
        path = box.rows[0].node.module if box.single and box.rows and not box.leads else ""
        while path:
            if counts[path] == sum(_within(row.node.module, path) for row in box.rows):
                box.name = box.last = path
            path = path.rpartition(".")[0]


def _within(module: str, path: str) -> bool:
    return module == path or module.startswith(path + ".")


def _renamed(order: Sequence[int]) -> dict[int, int]:
    return {old: new for new, old in enumerate(order)}


def _grouped(
    tally: Tally, rows: Sequence[Row], depth: int | None, opened: set[str], within: bool
) -> list[_Box]:
    boxes: list[_Box] = []
    modules = {row.node.module for row in rows}
    home: dict[str, int] = {}  # a layer's name to its box
    place: dict[str, int] = {}  # a module's path to its box
    skip = _common_depth(rows) if within else 0
    if within:
        inside = {row.node.name for row in rows}
        outer = dict.fromkeys(n for row in rows for n in row.node.inputs if n not in inside)
        box = _Box("in", "in")
        box.is_input = box.single = True
        if outer:
            box.input = _shape_of(tally, next(iter(outer)))
            boxes.append(box)
            home.update(dict.fromkeys(outer, 0))
    else:
        for name, shape in tally.network.inputs.items():
            box = _Box(name, name)
            box.input, box.is_input, box.single = shape, True, True
            home[name] = len(boxes)
            boxes.append(box)
    for row in rows:
        node = row.node
        # a layer that bears a module's name (attention's own product) is in this module
        module = node.name if node.name in modules else node.module
        path = _shown_as(module, depth, skip, opened)
        if path:
            at = place.get(path)
            if at is None:
                at = place[path] = len(boxes)
                boxes.append(_Box(path, path))
        else:
            at = len(boxes)
            box = _Box(node.name, node.name)
            box.single = True
            boxes.append(box)
        box = boxes[at]
        box.rows.append(row)
        home[node.name] = at
        for name in node.inputs:
            if home[name] != at:
                box.inputs[home[name]] = None
    return boxes


def _shape_of(tally: Tally, name: str) -> Shape | None:
    if name in tally.network.inputs:
        return tally.network.inputs[name]
    return tally[name].shape


def _shown_as(module: str, depth: int | None, skip: int, opened: set[str]) -> str:
    """The module that the layer is shown as, or "" where it is shown by itself."""
    if depth is None or not module:
        return ""
    parts = module.split(".")
    deep = depth + skip
    while len(parts) > deep:
        path = ".".join(parts[: deep + 1])
        if path not in opened:
            return path
        deep += 1
    return ""


def _common_depth(rows: Sequence[Row]) -> int:
    """How many modules all of the layers stand in."""
    paths = {row.node.module for row in rows}
    split = [path.split(".") if path else [] for path in sorted(paths)]
    first, last = split[0], split[-1]
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return same


def _sorted(boxes: Sequence[_Box]) -> list[int] | None:
    """An order in which each box follows its inputs, the file's where it can be; or None."""
    from heapq import heapify, heappop, heappush

    waits = [len(box.inputs) for box in boxes]
    readers: list[list[int]] = [[] for _ in boxes]
    for i, box in enumerate(boxes):
        for j in box.inputs:
            readers[j].append(i)
    ready = [i for i, count in enumerate(waits) if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        i = heappop(ready)
        order.append(i)
        for j in readers[i]:
            waits[j] -= 1
            if not waits[j]:
                heappush(ready, j)
    return order if len(order) == len(boxes) else None


def _in_cycles(boxes: Sequence[_Box]) -> list[_Box]:
    """The boxes that can't be put in order (those in a cycle, and what comes after them)."""
    waits = [len(box.inputs) for box in boxes]
    readers: list[list[int]] = [[] for _ in boxes]
    for i, box in enumerate(boxes):
        for j in box.inputs:
            readers[j].append(i)
    ready = [i for i, count in enumerate(waits) if not count]
    for i in ready:  # the list grows
        for j in readers[i]:
            waits[j] -= 1
            if not waits[j]:
                ready.append(j)
    done = set(ready)
    return [box for i, box in enumerate(boxes) if i not in done]


def _pointwise_joined(boxes: Sequence[_Box], renamed: dict[int, int]) -> list[_Box]:
    """Boxes in order, with activations and the like in the box that they follow."""
    inputs = [[renamed[j] for j in box.inputs] for box in boxes]
    readers = [0] * len(boxes)
    for read in inputs:
        for j in read:
            readers[j] += 1
    into = list(range(len(boxes)))
    for i, box in enumerate(boxes):
        box.inputs = {}
        if box.single and not box.is_input:
            box.main = box.rows[0]
        if _is_pointwise(box) and len(inputs[i]) == 1:
            (j,) = inputs[i]
            before = boxes[into[j]]
            if readers[j] == 1 and not before.is_input:
                into[i] = into[j]
                readers[into[j]] = readers[i]
                before.rows += box.rows
                before.tails += box.rows
                continue
        box.inputs = dict.fromkeys(into[j] for j in inputs[i])
    kept = [i for i in range(len(boxes)) if into[i] == i]
    for i in kept:
        _unwrapped(boxes[i])
    # a normalisation before a convolution, that only this convolution reads, leads its box
    for i in kept:
        box = boxes[i]
        if len(box.inputs) != 1 or box.main is None:
            continue
        (j,) = box.inputs
        before = boxes[j]
        if (
            before.main is not None
            and before.main.node.layer.kind in POINTWISE
            and readers[j] == 1
            and not before.is_input
            and family(box.main.node.layer) in ("conv", "linear", "pool")
        ):
            box.leads = [*before.rows]
            box.rows = [*before.rows, *box.rows]
            box.inputs = before.inputs
            into[j] = -1
    kept = [i for i in kept if into[i] == i]
    again = {old: new for new, old in enumerate(kept)}
    joined = [boxes[i] for i in kept]
    for box in joined:
        box.inputs = dict.fromkeys(again[j] for j in box.inputs)
    return joined


def _unwrapped(box: _Box) -> None:
    """Show a module of one layer, with its activation and normalisation, as that layer."""
    if box.main is not None or box.is_input:
        return
    rows = box.rows
    mains = [i for i, row in enumerate(rows) if row.node.layer.kind not in POINTWISE]
    if len(mains) != 1:
        return
    if any(row.node.inputs != (rows[i].node.name,) for i, row in enumerate(rows[1:])):
        return
    box.main = rows[mains[0]]
    box.leads, box.tails = rows[: mains[0]], rows[mains[0] + 1 :]


def _is_pointwise(box: _Box) -> bool:
    return box.single and not box.is_input and box.rows[0].node.layer.kind in POINTWISE


def _settled(boxes: Iterable[_Box]) -> Units:
    units: list[Unit] = []
    for box in boxes:
        shape = box.input if box.is_input else box.rows[-1].shape
        units.append(
            Unit(
                box.name,
                box.last,
                tuple(box.rows),
                box.main,
                tuple(box.leads),
                tuple(box.tails),
                tuple(box.inputs),
                shape,
                box.times,
                box.is_input,
                box.period,
            )
        )
    return tuple(units)
