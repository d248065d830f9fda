"""What reading a file may cost beyond its own size. It is asked for before the work is done.

A loop of a thousand rounds, a function that calls another twice, a sequence of four thousand
pieces stand in a few bytes. One budget holds for all of a file, whatever is within what: each piece
of work that does not stand in the file, byte for byte, takes a part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReadError
from .proto import Graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .proto import NodeDef

NODE = 20
"""What a node that is written out costs; a connection or eight characters of a name cost 1."""

MAX_WRITTEN = 30_000
"""The nodes that functions, bodies and sequences may be written out to; more in a large file."""

MAX_LAYERS = 20_000
"""The layers that a network may have beyond one for 20 bytes of its file; one of many inputs or
axes counts as several."""

MAX_STEPS = 1_000_000
"""The values of constants that are computed or looked at in all, times their axes and factors."""


class Budget:
    """What is left, in all of a file. name: the file's, for errors. size: in bytes."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.most_layers = self.layers = MAX_LAYERS + size // 20
        self.most_written = self.written = MAX_WRITTEN * NODE + size // 4
        self.steps = MAX_STEPS

    def write_out(self, cost: int) -> None:
        """Ask for work that the file does not have in it. Raises ReadError: there is too much."""
        self.written -= cost
        if self.written < 0:
            raise ReadError(
                "the file's functions, loops and sequences, written out, are too long",
                where=self.name,
                values=f"over {self.most_written // NODE:,} nodes, or fewer with long names and "
                "many connections",
            )

    def layer(self, inputs: int, axes: int) -> None:
        """Ask for a layer of so many inputs, whose output has so many axes. Raises ReadError."""
        self.layers -= 1 + (inputs + axes) // 16
        if self.layers < 0:
            raise ReadError(
                "the network has too many layers for a file of its size",
                where=self.name,
                values=f"over {self.most_layers:,}",
            )

    def compute(self, steps: int) -> bool:
        """Whether so many more values of constants may be computed."""
        self.steps -= steps
        return self.steps >= 0


def cost_of(nodes: Iterable[NodeDef], prefix: str) -> int:
    """What it costs to write nodes out once more, their outputs' names behind a prefix."""
    cost, wide = 0, 2 + len(prefix) // 8
    for node in nodes:
        cost += NODE + len(node.inputs) + wide * len(node.outputs) + len(node.name) // 8
        cost += sum(map(len, node.outputs)) // 8
        cost += _cost_of_attributes(node.attributes)
    return cost


def _cost_of_attributes(attributes: Mapping[str, object]) -> int:
    cost = len(attributes)
    for value in attributes.values():
        if isinstance(value, list):
            cost += len(value)
        elif isinstance(value, bytes):
            cost += len(value) // 8
        elif isinstance(value, Graph):
            cost += cost_of_body(value)
    return cost


def cost_of_body(graph: Graph) -> int:
    """What it costs to hand tensors into a body and out of it."""
    return 4 * (1 + len(graph.inputs) + len(graph.outputs) + len(graph.initializers))
