"""Counting an edited network: only what lies downstream of the edits is counted again."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from ..counting.rows import Row, count_node
from ..counting.tally import Rows, Tally, matching
from ..layers.same_padding import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..claims.claim import Claim
    from ..network import Layer, Shape


class Recount:
    """A tally, made ready for being counted again under many edits, one after the other."""

    def __init__(self, base: Tally) -> None:
        self.base = base
        self.index = {row.node.name: i for i, row in enumerate(base.rows)}
        self.readers: dict[str, list[int]] = {}
        for i, row in enumerate(base.rows):
            for name in dict.fromkeys(row.node.inputs):
                self.readers.setdefault(name, []).append(i)
        self.resolvable = frozenset(
            row.node.name for row in base.rows if "padding" in row.node.written
        )
        self.counted = 0

    def rows(
        self, changes: Mapping[str, Layer], inputs: Mapping[str, Shape] | None = None
    ) -> dict[int, Row]:
        """The rows that the edits change, by index. Raises LayerError where they do not fit.

        A padding that the source wrote as a rule ("same") is worked out again for its new input.
        """
        base = self.base
        new: dict[int, Row] = {}
        shapes: dict[str, Shape | None] = {}
        queue: list[int] = [self.index[name] for name in changes]
        for name, shape in (inputs or {}).items():
            if base.network.inputs[name] != shape:
                shapes[name] = shape
                queue.extend(self.readers.get(name, ()))
        heapq.heapify(queue)
        while queue:
            i = heapq.heappop(queue)
            if i in new:
                continue
            old = base.rows[i]
            node = old.node
            layer = changes.get(node.name)
            if layer is not None:
                node = node.replace(layer=layer, written={})
            seen: dict[str, Shape | None] = {}
            for name in node.inputs:
                if name in shapes:
                    seen[name] = shapes[name]
                elif name in self.index:
                    seen[name] = base.rows[self.index[name]].shape
                else:
                    seen[name] = base.network.inputs[name]
            if layer is None and node.name in self.resolvable:
                xs: Any = tuple(seen[name] for name in node.inputs)
                node = node.replace(layer=resolve(node, xs))
            row = count_node(node, seen)
            if old.examples != 1:
                row = row._replace(examples=old.examples)
            self.counted += 1
            new[i] = row
            if row.shape != old.shape:
                shapes[node.name] = row.shape
                for reader in self.readers.get(node.name, ()):
                    heapq.heappush(queue, reader)
        return new

    def tally(self, changed: Mapping[int, Row], inputs: Mapping[str, Shape] | None = None) -> Tally:
        """The whole tally with the changed rows, and inputs, in their places."""
        rows = list(self.base.rows)
        for i, row in changed.items():
            rows[i] = row
        network = self.base.network.replace(
            nodes=tuple(row.node for row in rows), inputs=inputs or self.base.network.inputs
        )
        return Tally(network, self.base.accounting, Rows(rows))


def relevant(base: Tally, claim: Claim) -> frozenset[str]:
    """The layers whose fields can move the figure: those it is about, and all upstream of them."""
    reference = claim.reference
    about = reference[0] if reference is not None else ""
    if not about:
        return frozenset(row.node.name for row in base.rows)
    try:
        wanted = {row.node.name for row in matching(base, about)}
    except Exception:
        return frozenset()
    for row in reversed(base.rows):
        if row.node.name in wanted:
            wanted.update(name for name in row.node.inputs)
    return frozenset(name for name in wanted if name not in base.network.inputs)
