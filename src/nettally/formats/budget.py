"""What one file may cost: asked before the work is done, so that a few bytes can't ask for much."""

from __future__ import annotations

from ..errors import ReadError

NODES = 60_000
"""Layers that one file may stand for, with all that is repeated in it."""

EDGES = 500_000
"""Inputs that these layers may read together."""

STEPS = 50_000
"""Steps of any other work that any file may ask for: a layer that is built, a parameter that is
passed, an operation of arithmetic."""

BYTES_A_STEP = 16
"""A larger file may ask for one step more for so many of its bytes."""


class Budget:
    """How much work the reading of one file has left. size: the file's, in bytes.

    Most of what a reader does is in proportion to the file by itself, and needs no budget. What a
    file can ask for in a few bytes does: repetition, references, arithmetic.
    """

    def __init__(self, size: int = 0) -> None:
        self.most = {"nodes": NODES, "edges": EDGES, "steps": STEPS + size // BYTES_A_STEP}
        self.left = dict(self.most)

    def spend(self, *, nodes: int = 0, edges: int = 0, steps: int = 0, where: str = "") -> None:
        """Asks for work that is about to be done. Raises ReadError where there is too much of it.

        where: ``file:line`` of what asks, for the error.
        """
        left = self.left
        left["nodes"] -= nodes
        left["edges"] -= edges
        left["steps"] -= steps
        if left["nodes"] < 0 or left["edges"] < 0 or left["steps"] < 0:
            kind = next(kind for kind, rest in left.items() if rest < 0)
            raise ReadError(
                f"the file stands for too many {WORDS[kind]}",
                where=where,
                values=f"over {self.most[kind]:,}",
            )


WORDS = {"nodes": "layers", "edges": "inputs of layers", "steps": "steps of work"}
