"""Two networks side by side: what differs, and what each difference costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arith import plain
from .counting.accounting import REGISTRY
from .counting.tally import Tally, tally
from .display import Displayed
from .errors import NettallyError
from .network import NOTHING, Network
from .record import Record

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from .counting.accounting import Accounting
    from .counting.rows import Row
    from .counting.tally import Net
    from .formats import Sizes
    from .network import Node


class Pair(Record):
    """A layer of the one network and what stands in its place in the other.

    a, b: the rows; None where there is none. status: ``same``; ``changed`` (its fields, its kind
    or where it reads differ); ``moved`` (the same layer in another place); ``follows`` (the same
    layer, which counts otherwise because what comes in is of another size); ``removed`` (only in
    a); ``added`` (only in b). changes: what differs, by name, as (a's, b's); under "after" what a
    moved layer comes after. parameters, operations, neurons: b's less a's.
    """

    a: Row | None
    b: Row | None
    status: str
    changes: Mapping[str, tuple[Any, Any]] = NOTHING
    parameters: int = 0
    operations: int = 0
    neurons: int = 0

    @property
    def name(self) -> str:
        """The layer's name, or both where they are called differently."""
        names = dict.fromkeys(row.node.name for row in (self.a, self.b) if row is not None)
        return " / ".join(names)


class Difference(Displayed, Record):
    """Two tallies, layer by layer. inputs: input sizes that differ, by name, as (a's, b's)."""

    a: Tally
    b: Tally
    pairs: tuple[Pair, ...]
    inputs: Mapping[str, tuple[Any, Any]] = NOTHING

    def __repr__(self) -> str:
        return f"<Difference of {self.a.network.name} and {self.b.network.name}>"

    @property
    def same(self) -> bool:
        """Whether nothing differs but names."""
        return not self.inputs and all(pair.status == "same" for pair in self.pairs)

    @property
    def changed(self) -> tuple[Pair, ...]:
        """The pairs that are not the same."""
        return tuple(pair for pair in self.pairs if pair.status != "same")

    @property
    def parameters(self) -> int:
        """How many more parameters b has."""
        return plain(self.b.parameters) - plain(self.a.parameters)

    @property
    def operations(self) -> int:
        """How many more operations b has."""
        return plain(self.b.operations) - plain(self.a.operations)

    @property
    def neurons(self) -> int:
        """How many more neurons b has."""
        return plain(self.b.neurons) - plain(self.a.neurons)


def diff(
    a: Net,
    b: Net,
    accounting: Accounting | str | os.PathLike[str] | None = None,
    *,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Difference:
    """Align two networks layer by layer, by name and then by likeness, and count what differs.

    a, b, accounting: as ``tally`` takes them. input_size, input_data: of both, those aside that
    have been read. Raises what ``tally`` raises, and NettallyError for two tallies by different
    accountings.
    """
    left, right = (
        tally(net, accounting)
        if isinstance(net, (Network, Tally))
        else tally(net, accounting, input_size=input_size, input_data=input_data)
        for net in (a, b)
    )
    if left.accounting.name != right.accounting.name:
        left, right = _by_one_accounting(left, right, a, b)
    partners = _partners(left.rows, right.rows)
    kept = _kept(partners)
    names = {left.rows[i].node.name: right.rows[j].node.name for i, j in kept.items()}
    pairs: list[Pair] = []
    for i, j in _in_order(len(left.rows), len(right.rows), partners):
        one = None if i is None else left.rows[i]
        two = None if j is None else right.rows[j]
        costs = _costs((left, one), (right, two))
        if one is None or two is None:
            pairs.append(Pair(one, two, "added" if one is None else "removed", NOTHING, *costs))
            continue
        fields = _fields(one, two)
        moved = i not in kept
        sources = _sources(one, left, set(names), names)
        other = _sources(two, right, set(names.values()), None)
        if moved:
            fields["after"] = (", ".join(one.node.inputs), ", ".join(two.node.inputs))
        elif sources != other:
            fields["from"] = (", ".join(one.node.inputs), ", ".join(two.node.inputs))
        if fields:
            status = "moved" if moved and len(fields) == 1 else "changed"
        elif one.inputs != two.inputs or any(costs):
            status, fields = "follows", {"input": (one.inputs, two.inputs)}
        else:
            status = "same"
        pairs.append(Pair(one, two, status, fields, *costs))
    return Difference(left, right, tuple(pairs), _inputs(left.network, right.network))


def _by_one_accounting(left: Tally, right: Tally, a: Net, b: Net) -> tuple[Tally, Tally]:
    """Both by the accounting of the one that was given as a tally."""
    if isinstance(a, Tally) and isinstance(b, Tally):
        raise NettallyError(
            "the two are counted by different accountings",
            values=f"{left.accounting.name} and {right.accounting.name}",
            hint=f"name one: accounting='{left.accounting.name}'",
        )
    if isinstance(a, Tally):
        return left, right.under(_as_registered(left.accounting))
    return left.under(_as_registered(right.accounting)), right


def _as_registered(accounting: Accounting) -> Accounting:
    """An accounting as it was before it was settled for one network."""
    return REGISTRY.find(accounting.name) or accounting


def _costs(a: tuple[Tally, Row | None], b: tuple[Tally, Row | None]) -> tuple[int, int, int]:
    """Parameters, operations and neurons: b's less a's, each as its own tally counts them."""

    def counts(tally: Tally, row: Row | None) -> tuple[int, int, int]:
        if row is None:
            return 0, 0, 0
        by = tally.accounting
        return plain(by.parameters(row)), plain(by.operations(row)), plain(by.neurons(row))

    before, after = counts(*a), counts(*b)
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def _inputs(a: Network, b: Network) -> Mapping[str, tuple[Any, Any]]:
    """Input sizes that differ. Inputs are paired by name; a single one with the other's."""
    if len(a.inputs) == len(b.inputs) == 1:
        (name, size_of_a), (other, size_of_b) = *a.inputs.items(), *b.inputs.items()
        return (
            NOTHING
            if size_of_a == size_of_b
            else {name if name == other else f"{name} / {other}": (size_of_a, size_of_b)}
        )
    names = dict.fromkeys((*a.inputs, *b.inputs))
    return {
        name: (a.inputs.get(name), b.inputs.get(name))
        for name in names
        if a.inputs.get(name) != b.inputs.get(name)
    }


def _fields(a: Row, b: Row) -> dict[str, tuple[Any, Any]]:
    """What differs in the layers themselves."""
    one, two = a.node.layer, b.node.layer
    if one.kind != two.kind:
        return {"kind": (one.kind, two.kind)}
    ours, theirs = one.fields(), two.fields()
    order = dict.fromkeys((*one.positional, *ours))
    changes = {name: (ours[name], theirs[name]) for name in order if ours[name] != theirs[name]}
    if set(a.node.shared) != set(b.node.shared):
        changes["parameters"] = (
            "shared" if a.node.shared else "own",
            "shared" if b.node.shared else "own",
        )
    return changes


def _nodes_by_name(counted: Tally) -> dict[str, Node]:
    return {row.node.name: row.node for row in counted.rows}


def _sources(
    row: Row, counted: Tally, paired: AbstractSet[str], rename: Mapping[str, str] | None
) -> tuple[str, ...]:
    """Where a row reads, in b's names, looking through layers that are not in both places.

    The way up follows first inputs: a layer put in between is no difference of the next one.
    """
    nodes = counted.once(_nodes_by_name)
    sources: list[str] = []
    for name in row.node.inputs:
        steps = 0
        while name in nodes and name not in paired and steps < MAX_STEPS and nodes[name].inputs:
            name = nodes[name].inputs[0]
            steps += 1
        if name not in nodes:
            name = "input" if len(counted.network.inputs) == 1 else name
        elif rename is not None:
            name = rename.get(name, name)  # one network's only, where the way up was too long
        sources.append(name)
    return tuple(sources)


MAX_STEPS = 200
"""How many layers that only one network has are looked through; it bounds the time."""

Place = tuple["int | None", "int | None"]


def _partners(a: Sequence[Row], b: Sequence[Row]) -> dict[int, int]:
    """Which row stands for which: the same names first, the rest by likeness, in order."""
    there = {row.node.name: j for j, row in enumerate(b)}
    pairs: dict[int, int] = {}
    for i, row in enumerate(a):
        j = there.get(row.node.name)
        if j is not None and b[j].node.layer.kind == row.node.layer.kind:
            pairs[i] = j
    _match(a, b, pairs, _signature)
    _match(a, b, pairs, _kind)
    taken = set(pairs.values())
    for i, row in enumerate(a):  # what is left of the same name has become another kind of layer
        j = there.get(row.node.name)
        if i not in pairs and j is not None and j not in taken:
            pairs[i] = j
    return pairs


def _kept(pairs: Mapping[int, int]) -> dict[int, int]:
    """The most pairs that stand in the same order in both; the others have moved.

    The longest increasing subsequence, by patience sorting.
    """
    from bisect import bisect_left

    order = sorted(pairs)
    tops: list[int] = []
    at: list[int] = []
    before: dict[int, int | None] = {}
    for i in order:
        place = bisect_left(tops, pairs[i])
        before[i] = at[place - 1] if place else None
        if place == len(tops):
            tops.append(pairs[i])
            at.append(i)
        else:
            tops[place], at[place] = pairs[i], i
    kept: dict[int, int] = {}
    last = at[-1] if at else None
    while last is not None:
        kept[last] = pairs[last]
        last = before[last]
    return kept


def _signature(row: Row) -> object:
    return row.node.layer, row.shape


def _kind(row: Row) -> object:
    return row.node.layer.kind


def _match(a: Sequence[Row], b: Sequence[Row], pairs: dict[int, int], key: Any) -> None:
    """Pair what is left between two neighbouring pairs, by the longest common sequences of keys."""
    from difflib import SequenceMatcher

    taken = set(pairs.values())
    left = [i for i in range(len(a)) if i not in pairs]
    right = [j for j in range(len(b)) if j not in taken]
    if not left or not right:
        return
    # a stretch is what lies between the same two anchors in both: only there can rows be paired
    for ours, theirs in _stretches(left, right, pairs):
        matcher = SequenceMatcher(None, [key(a[i]) for i in ours], [key(b[j]) for j in theirs])
        for block in matcher.get_matching_blocks():
            for step in range(block.size):
                pairs[ours[block.a + step]] = theirs[block.b + step]


def _stretches(
    left: list[int], right: list[int], pairs: Mapping[int, int]
) -> list[tuple[list[int], list[int]]]:
    from bisect import bisect_left

    anchors = sorted(_kept(pairs).items())  # a layer that moved is no anchor
    ends_a, ends_b = [i for i, _ in anchors], [j for _, j in anchors]
    stretches: dict[int, tuple[list[int], list[int]]] = {}
    for i in left:
        stretches.setdefault(bisect_left(ends_a, i), ([], []))[0].append(i)
    for j in right:
        stretches.setdefault(bisect_left(ends_b, j), ([], []))[1].append(j)
    return [(ours, theirs) for ours, theirs in stretches.values() if ours and theirs]


def _in_order(a: int, b: int, pairs: Mapping[int, int]) -> list[Place]:
    """All places in a's order; what only b has follows the row that it follows in b."""
    by_b = {j: i for i, j in pairs.items()}
    after: dict[int | None, list[int]] = {}
    anchor: int | None = None
    for j in range(b):
        if j in by_b:
            anchor = by_b[j]
        else:
            after.setdefault(anchor, []).append(j)
    waiting = after.get(None, [])
    places: list[Place] = []
    for i in range(a):
        if i in pairs:
            places.extend((None, j) for j in waiting)
            waiting = after.get(i, [])
        places.append((i, pairs.get(i)))  # what is only in a comes before what is only in b
    places.extend((None, j) for j in waiting)
    return places
