"""The shapes of nodes while the network is still being read: ``same`` and ``weights`` need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LayerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..network import Node, Shape


class Shapes:
    """The shapes of a list of nodes that still grows; counted when they are asked for."""

    def __init__(self, inputs: Mapping[str, Shape], nodes: list[Node]) -> None:
        self.known: dict[str, Shape | None] = dict(inputs)
        self.nodes = nodes
        self.counted = 0

    def of(self, names: tuple[str, ...]) -> tuple[Shape, ...]:
        """The shapes of nodes or inputs. Raises LayerError where one is not known."""
        while self.counted < len(self.nodes):
            node = self.nodes[self.counted]
            self.counted += 1
            self.known[node.name] = self._shape(node)
        shapes: list[Shape] = []
        for name in names:
            shape = self.known.get(name)
            if shape is None:
                raise LayerError(
                    "the shape of its input is not known here", values=f"input {name[:60]}"
                )
            shapes.append(shape)
        return tuple(shapes)

    def _shape(self, node: Node) -> Shape | None:
        xs = [self.known.get(name) for name in node.inputs]
        layer = node.layer
        if layer.kind == "opaque":
            size: Shape | None = layer.size  # type: ignore[attr-defined] - of ``Opaque``, which this is
            batch = next((x[0] for x in xs if x is not None), 1)
            return None if size is None else (batch, *size)
        if None in xs:
            return None
        try:
            return layer.shape(tuple(xs))  # type: ignore[arg-type] - none of them is None
        except LayerError as error:
            raise error.at(str(node.source or ""), node.name) from None
