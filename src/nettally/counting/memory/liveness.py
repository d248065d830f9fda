"""What is alive at each moment of a forward without gradients: a walk over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import rules
from .storages import Storages

if TYPE_CHECKING:
    from ...network import Network
    from ..rows import Row
    from ..tally import Tally


class Alive(NamedTuple):
    """How many bytes are alive while a layer works: what it reads, makes, and what others hold."""

    name: str
    kind: str
    bytes: int
    made: int


def alive(tally: Tally, width: int, calls: bool) -> tuple[list[Alive], int]:
    """(what is alive at each layer, how many layers' sizes are not known).

    calls: what goes into a module of the source is held until its call is over, as by Python's
    frames; else each storage is freed after its last reader.
    """
    network = tally.network
    storages = Storages(tally, width)
    of, sizes = storages.of, storages.sizes
    rows = tally.rows
    born: list[int] = [-1] * len(sizes)
    last: list[int] = [len(rows)] * len(sizes)  # the network's inputs are the caller's
    spare: list[int] = []  # what each layer needs beside its inputs and its output
    holds = _held_until(network) if calls and network.calls else None
    unknown = 0
    for place, row in enumerate(rows):
        names = row.node.inputs
        if row.shape is None:
            unknown += 1
            spare.append(0)
            continue
        output, extra = _placed(storages, row)
        spare.append(extra)
        while len(born) < len(sizes):
            born.append(place)
            last.append(place)
        of[row.node.name] = output
        until = place
        for each in names:
            storage = of.get(each)
            if storage is None:
                continue
            if holds is not None:
                until = holds(place, born[storage])
            last[storage] = max(last[storage], until)
        last[output] = max(last[output], place)
    for name in network.outputs:
        if name in of:
            last[of[name]] = len(rows)
    ends: list[int] = [0] * (len(rows) + 1)
    starts: list[int] = [0] * (len(rows) + 1)
    now = 0
    for size, first, end in zip(sizes, born, last, strict=True):
        if first < 0:
            now += size
        else:
            starts[first] += size
            ends[min(end, len(rows))] += size
    moments: list[Alive] = []
    for place, row in enumerate(rows):
        now += starts[place]
        moments.append(Alive(row.node.name, row.node.layer.kind, now + spare[place], starts[place]))
        now -= ends[place]
    return moments, unknown


def _placed(storages: Storages, row: Row) -> tuple[int, int]:
    """(the storage of a layer's output, bytes that it needs beside it while it works)."""
    node, xs, y, width = row.node, row.inputs, row.shape, storages.width
    assert y is not None
    layer: Any = node.layer
    kind, names = layer.kind, node.inputs
    rule = rules.rule_of(layer)
    if kind == "dropout" or (rule is not None and rule.makes == "view"):
        return storages.view(node, xs[0], y), 0
    if names and node.written and node.written.get("inplace"):
        if names[0] in storages.lies:
            storages.lies[node.name] = storages.lies[names[0]]
        return storages.of[names[0]], 0
    size = width
    for n in y:
        size *= int(n)
    if rule is not None and rule.whole:
        size = size // width * rule.whole
    if kind == "tensor" and (row.parameters or layer.kept):
        size = 0
    storage = storages.new(size)
    if storages.lies:
        if kind in ("combine", "attention"):
            storages.lay(row, "each")
        elif rule is not None and rule.makes != "new":
            storages.lay(row, rule.makes)
    extra = rules.working(layer, xs, y, width)
    if storages.lies and kind in ("linear", "matmul"):
        last = 2 if kind == "matmul" and all(len(x) > 2 for x in xs) else 1
        for name, x in zip(names, xs, strict=True):
            extra += storages.matrix_copy(name, x, last)
    if kind in rules.STEPWISE:
        storages.turn(node, xs[0], y)
    return storage, extra


def _held_until(network: Network) -> Any:
    """A function: (the place of a reader, where what it reads was made) to where it is let go."""
    open_at: list[tuple[tuple[int, int], ...]] = []
    calls = [call for call in network.calls if call.last > call.first]
    stack: list[tuple[int, int]] = []
    at = 0
    for place in range(len(network.nodes)):
        while stack and stack[-1][1] <= place:
            stack.pop()
        while at < len(calls) and calls[at].first <= place:
            stack.append((calls[at].first, calls[at].last))
            at += 1
        open_at.append(tuple(stack))

    def until(place: int, born: int) -> int:
        for first, last in open_at[place]:  # from the outermost on
            if born < first:
                return last - 1
        return place

    return until
