"""A network in the making: Darknet's layers in their order, and the nodes that they become.

A layer of Darknet may become several nodes (a convolution, its normalisation, its activation), all
under its type and its number: ``conv_0``, ``conv_0.norm``, ``conv_0.leaky``. Others name it by its
number; what they read is its last node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...network import NOTHING
from ..graph_builder import GraphBuilder, by_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...network import Node, Shape
    from .cfg import Section

    Handler = Callable[["DarknetBuilder", Section], None]


class BuiltLayer(NamedTuple):
    """A layer that is done: the node that its readers read, and its section."""

    head: str
    section: Section
    first: str  # the node that holds its weights


class DarknetBuilder(GraphBuilder):
    """The nodes so far. ``head`` is what the next layer reads."""

    def __init__(self, file: str, input_shape: Shape) -> None:
        super().__init__(file)
        self.by_name: dict[str, Node] = {}
        self.built: list[BuiltLayer] = []
        self.head = self.input("input", input_shape)
        self.name = ""
        self.without_map: dict[str, str] = {}  # routes of maps of different sizes, and the sizes

    @property
    def index(self) -> int:
        """The number of the layer that is being made."""
        return len(self.built)

    def begin(self, section: Section, type_: str) -> None:
        self.name = f"{type_}_{self.index}"
        section.name = f"[{section.type[:40]}], layer {self.index}"

    def end(self, section: Section) -> None:
        """Note what the layer has become."""
        first = self.name if self.name in self.shapes else self.head
        self.built.append(BuiltLayer(self.head, section, first))

    def shape(self, section: Section, name: str = "") -> Shape:
        """The shape of a node, or of what the layer reads. Raises ReadError: it is not known."""
        shape = self.shapes[name or self.head]
        if shape is None:
            raise section.error("the shape of what it reads is not known")
        return shape

    def image(self, section: Section) -> tuple[int, int, int] | None:
        """Channels, height and width of what the layer reads; None where they are not known.

        Raises ReadError where it is no image.
        """
        shape = self.shapes[self.head]
        if shape is None:
            return None
        self.check_map(section, self.head)
        if len(shape) == 2:  # values without space stand at one place
            self.make(section, "reshape", suffix=".image", size=(shape[1], 1, 1))
            return (shape[1], 1, 1)
        if len(shape) != 4:
            raise section.error(
                "the layer before it must put out an image",
                values=f"it puts out {by_axis(shape[1:])}",
            )
        return (shape[1], shape[2], shape[3])

    def check_map(self, section: Section, head: str) -> None:
        """ReadError where a node is a route of maps of different sizes, which has no map."""
        if head in self.without_map:
            raise section.error(
                "it reads a route that joins maps of different sizes, and has none itself",
                values=self.without_map[head],
                hint="Darknet stops here: the maps that a route joins are of one size",
            )

    def make(
        self,
        section: Section,
        kind: str,
        inputs: Sequence[str] | None = None,
        suffix: str = "",
        *,
        shared: Mapping[str, str] = NOTHING,
        **fields: Any,
    ) -> str:
        """Append a node, and let the next one read it. Raises ReadError where it does not fit."""
        names = (self.head,) if inputs is None else inputs
        layer = self.layer(section, kind, **fields)
        self.head = self.append(section, self.name + suffix, layer, names, shared=shared)
        self.by_name[self.head] = self.nodes[-1]
        return self.head

    def layers(self, section: Section, key: str) -> list[BuiltLayer]:
        """The layers that ``key`` names, by their numbers, or counted back from this one."""
        numbers = section.integers(key)
        if not numbers:
            raise section.error(
                f"'{key}' is missing: the layers that it reads",
                values=f"given: {', '.join(section.options)[:80] or 'nothing'}",
                hint=f"{key}=-1,{max(self.index - 4, 0)}: counted back, or from 0",
            )
        self.ask(section, nodes=0, edges=len(numbers))
        return [self.layer_before(section, key, number) for number in numbers]

    def layer_before(self, section: Section, key: str, number: int) -> BuiltLayer:
        """One layer by its number. Raises ReadError where it does not stand before this one."""
        index = number if number >= 0 else self.index + number
        if not 0 <= index < self.index:
            which = "itself" if index == self.index else f"layer {index}, which is not before it"
            raise section.error(
                f"it reads {which}" if index >= 0 else "it counts back beyond the first layer",
                key,
                values=f"{key}={number}; the layers before it are "
                + (f"0 to {self.index - 1}" if self.index else "none"),
                hint="the [net] is no layer: the first after it is 0",
            )
        return self.built[index]
