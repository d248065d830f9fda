"""The layout of a graph without cycles in layers, after Sugiyama, Tagawa and Toda (1981).

Ranks by the longest way from a source; an edge over several ranks gets a place in each of those
between; the order within a rank by sweeps of medians, which keep the fewest crossings; places by
sweeps of least squares that keep order and distance (the pool-adjacent-violators algorithm).
Everything flows downward here; who wants it to the right turns it. The same graph always gets the
same layout.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Point

SWEEPS = 10
BETWEEN = 8.0
"""The room that an edge takes that passes by boxes, in pixels."""


class Layout(NamedTuple):
    """Where things are: the middles of the boxes, and a route for each edge, in their order.

    A route is points in pairs: straight from the first to the second, from the third to the fourth
    and so on, with curves between.
    """

    width: float
    height: float
    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]


class _Place:
    """A box, or the place where an edge passes a rank."""

    def __init__(self, rank: int, wide: float, node: int) -> None:
        self.rank, self.wide, self.node = rank, wide, node
        self.above: list[int] = []
        self.below: list[int] = []
        self.x = 0.0


def layered(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    gap: float,
    apart: float,
) -> Layout:
    """Where boxes of these widths and heights go, and their edges.

    edges: from a box to a later one in the list. gap: between ranks; apart: between boxes.
    """
    ranks = _ranks(len(sizes), edges)
    places = [_Place(ranks[i], wide, i) for i, (wide, _) in enumerate(sizes)]
    chains: list[list[int]] = []
    for u, v in edges:
        chain = [u]
        for rank in range(ranks[u] + 1, ranks[v]):
            places.append(_Place(rank, BETWEEN, -1))
            chain.append(len(places) - 1)
        chain.append(v)
        chains.append(chain)
        for a, b in pairwise(chain):
            places[a].below.append(b)
            places[b].above.append(a)
    rows = _ordered(places)
    _spread(places, rows, apart)
    left = min((place.x - place.wide / 2 for place in places), default=0.0)
    right = max((place.x + place.wide / 2 for place in places), default=0.0)
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for row in rows:
        tall = max((sizes[places[p].node][1] for p in row if places[p].node >= 0), default=0.0)
        tops.append(y)
        bottoms.append(y + tall)
        y += tall + gap
    centres: list[Point] = []
    for i in range(len(sizes)):
        rank = ranks[i]
        centres.append((places[i].x - left, (tops[rank] + bottoms[rank]) / 2))
    ports = _ports(places, chains, sizes)
    routes: list[tuple[Point, ...]] = []
    for chain, (start, end) in zip(chains, ports, strict=True):
        u, v = chain[0], chain[-1]
        x = places[u].x - left + start
        points: list[Point] = [(x, centres[u][1] + sizes[u][1] / 2), (x, bottoms[ranks[u]])]
        for p in chain[1:-1]:
            x = places[p].x - left
            points += [(x, tops[places[p].rank]), (x, bottoms[places[p].rank])]
        x = places[v].x - left + end
        points += [(x, tops[ranks[v]]), (x, centres[v][1] - sizes[v][1] / 2)]
        routes.append(tuple(points))
    return Layout(right - left, max(y - gap, 0.0), tuple(centres), tuple(routes))


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    ranks = [0] * count
    into = [False] * count
    for u, v in sorted(edges):  # each edge goes to a later box, so that one pass is enough
        ranks[v] = max(ranks[v], ranks[u] + 1)
        into[v] = True
    nearest = [count + 1] * count
    for u, v in edges:
        nearest[u] = min(nearest[u], ranks[v] - 1)
    for i in range(count):  # what nothing leads to stands right before its first reader
        if not into[i] and nearest[i] <= count:
            ranks[i] = nearest[i]
    return ranks


def _ordered(places: Sequence[_Place]) -> list[list[int]]:
    """The places of each rank from left to right."""
    rows: list[list[int]] = [[] for _ in range(max((p.rank for p in places), default=-1) + 1)]
    seen: set[int] = set()
    for root in range(len(places)):  # depth first, so that branches start side by side
        stack = [root] if not places[root].above else []
        while stack:
            p = stack.pop()
            if p in seen:
                continue
            seen.add(p)
            rows[places[p].rank].append(p)
            stack += reversed(places[p].below)
    best = [list(row) for row in rows]
    least = _crossings(places, best)
    for sweep in range(SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        order = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for r in order:
            beside = rows[r - 1] if down else rows[r + 1]
            where = {p: n for n, p in enumerate(beside)}
            keys: dict[int, float] = {}
            for n, p in enumerate(rows[r]):
                near = places[p].above if down else places[p].below
                positions = sorted(where[q] for q in near)
                keys[p] = _median(positions) if positions else float(n)
            rows[r].sort(key=lambda p: keys[p])
        crossings = _crossings(places, rows)
        if crossings < least:
            best, least = [list(row) for row in rows], crossings
    return best


def _median(positions: Sequence[int]) -> float:
    middle = len(positions) // 2
    if len(positions) % 2:
        return float(positions[middle])
    return (positions[middle - 1] + positions[middle]) / 2


def _crossings(places: Sequence[_Place], rows: Sequence[Sequence[int]]) -> int:
    total = 0
    for row, below in pairwise(rows):
        where = {p: n for n, p in enumerate(below)}
        ends: list[int] = []
        for p in row:
            targets = sorted(where[q] for q in places[p].below)
            for end in targets:
                total += len(ends) - bisect_left(ends, end + 1)
            for end in targets:
                insort(ends, end)
    return total


def _spread(places: Sequence[_Place], rows: Sequence[Sequence[int]], apart: float) -> None:
    """Gives each place its x: near its neighbours in the ranks above and below."""
    for row in rows:
        x = 0.0
        for p in row:
            places[p].x = x + places[p].wide / 2
            x += places[p].wide + apart
        middle = (x - apart) / 2
        for p in row:
            places[p].x -= middle
    for sweep in range(4 * SWEEPS):
        down = sweep % 2 == 0
        both = sweep >= 2 * SWEEPS
        for row in rows if down else reversed(rows):
            wanted: list[float] = []
            weights: list[float] = []
            for p in row:
                place = places[p]
                near = [*place.above, *place.below] if both else None
                if near is None:
                    near = (place.above or place.below) if down else (place.below or place.above)
                total = weight = 0.0
                for q in near:
                    # chains, and edges that pass, are to be straight
                    pull = 2.0 if place.node >= 0 and places[q].node >= 0 else 0.5
                    pull = 8.0 if place.node < 0 and places[q].node < 0 else pull
                    pull = 8.0 if _is_link(places, p, q) else pull
                    total += pull * places[q].x
                    weight += pull
                wanted.append(total / weight if weight else place.x)
                weights.append(max(weight, 0.5))
            for p, x in zip(row, _kept_apart(places, row, wanted, weights, apart), strict=True):
                places[p].x = x


def _is_link(places: Sequence[_Place], p: int, q: int) -> bool:
    """Whether the edge is all that leaves the one box and comes into the other: a chain's."""
    a, b = (p, q) if places[p].rank < places[q].rank else (q, p)
    return len(places[a].below) == 1 and len(places[b].above) == 1


def _kept_apart(
    places: Sequence[_Place],
    row: Sequence[int],
    wanted: Sequence[float],
    weights: Sequence[float],
    apart: float,
) -> list[float]:
    """The xs nearest to those wanted that keep order and distance: isotonic regression."""
    offsets: list[float] = []
    at = 0.0
    for n, p in enumerate(row):
        if n:
            before = places[row[n - 1]]
            room = apart if before.node >= 0 or places[p].node >= 0 else apart / 3
            at += (before.wide + places[p].wide) / 2 + room
        offsets.append(at)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        block = (want - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, mass, count = blocks.pop()
            sum_ = mass + block[1]
            block = ((mean * mass + block[0] * block[1]) / sum_, sum_, count + block[2])
        blocks.append(block)
    means: list[float] = []
    for mean, _, count in blocks:
        means += [mean] * count
    return [x + offset for x, offset in zip(means, offsets, strict=True)]


def _ports(
    places: Sequence[_Place], chains: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """How far from a box's middle each edge leaves it and comes in, in the order of the others."""
    leaving: dict[int, list[int]] = {}
    coming: dict[int, list[int]] = {}
    for e, chain in enumerate(chains):
        leaving.setdefault(chain[0], []).append(e)
        coming.setdefault(chain[-1], []).append(e)
    starts = [0.0] * len(chains)
    ends = [0.0] * len(chains)
    for node, edges in leaving.items():
        edges.sort(key=lambda e: places[chains[e][1]].x)
        for n, e in enumerate(edges):
            starts[e] = _port(n, len(edges), sizes[node][0])
    for node, edges in coming.items():
        edges.sort(key=lambda e: places[chains[e][-2]].x)
        for n, e in enumerate(edges):
            ends[e] = _port(n, len(edges), sizes[node][0])
    return list(zip(starts, ends, strict=True))


def _port(n: int, count: int, wide: float) -> float:
    if wide < 20:  # a sign in a circle: the lines meet
        return 0.0
    return (n - (count - 1) / 2) * min(11.0, 0.6 * wide / count)
