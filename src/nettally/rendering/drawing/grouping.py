"""Grouping units: those that repeat become one, "×n"; neighbours are merged until they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .units import Unit, Units, units_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...counting.rows import Row
    from ...counting.tally import Tally


def signature(rows: Iterable[Row], *, loose: bool = False) -> tuple[Any, ...]:
    """What two modules have alike that are built alike: their layers, and who reads whom.

    loose: whatever the numbers of filters and the strides are.
    """
    place: dict[str, int] = {}
    parts: list[Any] = []
    for i, row in enumerate(rows):
        node = row.node
        reads = tuple([i - place[name] if name in place else 0 for name in node.inputs])
        layer = node.layer
        if loose:
            fields: Any = repr(layer.fields().get("kernel"))
        else:
            fields = _comparable(layer)
        if layer.kind in ("combine", "tensor"):  # as large as what they are for
            fields = layer.fields().get("operation")
        parts.append((layer.kind, fields, reads))
        place[node.name] = i
    return tuple(parts)


def _comparable(layer: Any) -> Any:
    try:
        hash(layer)
    except TypeError:  # a field holds a table
        return repr(layer)
    return layer


MOST_PERIOD = 48
"""The longest pattern of segments that is looked for."""


def segments(boxes: Units) -> list[list[int]]:
    """The units between the places where the graph is one line wide, in order.

    Between two segments a single unit's output goes on, and it is the last of its segment.
    """
    last = list(range(len(boxes)))  # the last unit that reads each
    for i, unit in enumerate(boxes):
        for j in unit.inputs:
            last[j] = max(last[j], i)
    runs: list[list[int]] = []
    current: list[int] = []
    open_until = -1
    for i in range(len(boxes)):
        current.append(i)
        # does any unit before i still wait for a reader after i?
        if open_until <= i and i + 1 < len(boxes) and boxes[i + 1].inputs:
            runs.append(current)
            current = []
        open_until = max(open_until, last[i])
    if current:
        runs.append(current)
    return runs


def repeated(boxes: Units, *, single: bool, patterns: bool = True) -> Units:
    """Units with what repeats one after the other put together as one, ``times`` n.

    single: single layers too, and not only modules. patterns: also several units that repeat
    together.
    """
    runs = segments(boxes)
    ids: dict[Any, int] = {}
    tokens: list[int] = []
    for run in runs:
        place = {j: k for k, j in enumerate(run)}
        token = tuple(
            (
                boxes[i].family,
                boxes[i].times,
                signature(_own(boxes[i])),
                tuple([place.get(j, -1) for j in boxes[i].inputs]),
            )
            for i in run
        )
        tokens.append(-1 - len(tokens) if boxes[run[0]].input else ids.setdefault(token, len(ids)))
    groups: list[tuple[list[int], int]] = []  # segments, times
    at = 0
    while at < len(runs):
        period, count = _tandem(tokens, at, MOST_PERIOD if patterns else 1)
        if count > 1:
            first = [i for run in runs[at : at + period] for i in run]
            if patterns if len(first) > 1 else boxes[first[0]].module or single:
                everything = [i for run in runs[at : at + period * count] for i in run]
                groups.append((everything, count))
                at += period * count
                continue
        groups += [([i], 1) for i in runs[at]]
        at += 1
    return merged(boxes, groups)


def _own(unit: Unit) -> tuple[Row, ...]:
    """A module's layers without the activations that follow it: the last of a row may have more."""
    if not unit.module or not unit.tails:
        return unit.rows
    return unit.rows[: len(unit.rows) - len(unit.tails)]


def _tandem(tokens: Sequence[int], at: int, most_period: int) -> tuple[int, int]:
    """The pattern that begins here and covers most: its length, and how often it stands there."""
    best = (1, 1)
    for period in range(1, min(most_period, (len(tokens) - at) // 2) + 1):
        if tokens[at] != tokens[at + period]:
            continue
        count = 1
        while tokens[at : at + period] == tokens[at + count * period : at + (count + 1) * period]:
            count += 1
        if count > 1 and period * count > best[0] * best[1]:
            best = (period, count)
    return best


def merged(
    boxes: Units, groups: Sequence[tuple[Sequence[int], int]], *, natural: bool = True
) -> Units:
    """Units put together, groups of them in an order without a way back; times: of each."""
    home: dict[int, int] = {}
    for g, (members, _) in enumerate(groups):
        home.update(dict.fromkeys(members, g))
    units: list[Unit] = []
    for g, (members, count) in enumerate(groups):
        inputs = dict.fromkeys(home[j] for i in members for j in boxes[i].inputs)
        inputs.pop(g, None)
        first, last = boxes[members[0]], boxes[members[-1]]
        if len(members) == 1:
            units.append(first._replace(inputs=tuple(inputs)))
            continue
        rows = tuple(row for i in members for row in boxes[i].rows)
        one = members[: len(members) // count]
        alone = len(one) == 1
        units.append(
            Unit(
                first.name,
                last.last,
                rows,
                first.main if alone else None,
                first.leads if alone else (),
                first.tails if alone else (),
                tuple(inputs),
                last.shape,
                count * first.times if alone else count,
                period=tuple(row for i in one for row in boxes[i].once),
                natural=natural and all(boxes[i].natural for i in one),
            )
        )
    return tuple(units)


def at_most(boxes: Units, most: int) -> Units:
    """Units put together with their neighbours in order until there are ``most`` of them.

    Where the graph is one line wide if that is enough, the smallest neighbours first; else in
    parts of about the same number of units. Inputs stay by themselves.
    """
    if len(boxes) <= most:
        return boxes
    inputs = [i for i, unit in enumerate(boxes) if unit.input]
    if len(inputs) > most // 2:  # … but not a hundred of them
        inputs = []
    apart = set(inputs)
    runs = [[i for i in run if i not in apart] for run in segments(boxes)]
    runs = [run for run in runs if run]
    parts = max(most - len(inputs), 1)
    if len(runs) < parts:  # too few places: cut anywhere
        inner = [i for run in runs for i in run]
        runs = [[i] for i in inner]
    share = sum(map(len, runs)) / parts
    groups: list[tuple[list[int], int]] = [([i], 1) for i in inputs]
    current: list[int] = []
    done = 0
    for n, run in enumerate(runs):
        current += run
        done += len(run)
        left, open_parts = len(runs) - n - 1, parts - (len(groups) - len(inputs)) - 1
        due = done >= share * (len(groups) - len(inputs) + 1) - 0.5
        if not left or (open_parts and (due or left <= open_parts)):
            groups.append((current, 1))
            current = []
    return merged(boxes, groups, natural=False)


def contracted(boxes: Units) -> Units:
    """Units with each bundle of branches as one, but for one that is most of the network."""
    groups: list[tuple[list[int], int]] = []
    for run in segments(boxes):
        apart = [i for i in run if boxes[i].input]
        inner = [i for i in run if not boxes[i].input]
        if len(run) > 12 and 2 * len(run) > len(boxes):
            apart, inner = run, []
        groups += [([i], 1) for i in apart]
        groups += [(inner, 1)] if inner else []
    return merged(boxes, groups)


NATURAL = 6
"""As many places where the graph is one line wide make segments that can pass for modules."""


def fitting(tally: Tally, most: int, depth: int | None = None) -> Units:
    """Units of a network, modules opened as deep as ``most`` units allow (or to ``depth``)."""
    most_deep = deepest(tally)
    if depth is not None:
        chosen = units_of(tally, min(depth, most_deep))
        grouped = repeated(chosen, single=False, patterns=len(chosen) > most)
        return grouped if len(grouped) <= most else at_most(grouped, most)
    best: Units | None = None
    tried = -1
    for deep in range(min(most_deep, 12) + 1):
        boxes = repeated(units_of(tally, deep), single=False, patterns=False)
        if best is not None and len(boxes) > most:
            break
        best, tried = boxes, deep
    assert best is not None
    if len(best) <= most:
        return best
    best = repeated(units_of(tally, tried), single=True)
    if len(best) <= most:
        return best
    # what lies between two places where the graph is one line wide is as good as a module
    runs = segments(best)
    if len(runs) >= NATURAL and max(map(len, runs)) * 2 <= len(best):
        best = repeated(contracted(best), single=True)
    return best if len(best) <= most else at_most(best, most)


def deepest(tally: Tally) -> int:
    """How deep modules are nested."""
    return max((row.node.module.count(".") + 1 for row in tally.rows if row.node.module), default=0)
