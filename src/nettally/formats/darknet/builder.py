"""A network in the making: Darknet's layers in their order, and the nodes that they become.

A layer of Darknet may become several nodes (a convolution, its normalisation, its activation), all
under its type and its number: ``conv_0``, ``conv_0.norm``, ``conv_0.leaky``. Others name it by its
number; what they read is its last node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayerError
from ...layers import layer_class
from ...network import MAX_SIZE, NOTHING, Node, Span
from .cfg import near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...network import Shape
    from .cfg import Section

    Handler = Callable[["Builder", Section], None]

MAX_EDGES = 500_000
"""How many other layers all the layers may name together."""

MAX_HINTS = 20
"""How many suggestions are looked for: each takes a millisecond."""


class BuiltLayer(NamedTuple):
    """A layer that is done: the node that its readers read, and its section."""

    head: str
    section: Section
    first: str  # the node that holds its weights


class Builder:
    """The nodes so far. ``head`` is what the next layer reads."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self.nodes: list[Node] = []
        self.by_name: dict[str, Node] = {}
        self.shapes: dict[str, Shape | None] = dict(inputs)
        self.built: list[BuiltLayer] = []
        self.head = next(iter(inputs))
        self.name = ""
        self.counts: dict[str, list[str]] = {}
        self.edges = 0
        self.hints = 0

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

    def known(self, name: str = "") -> Shape | None:
        return self.shapes[name or self.head]

    def image(self, section: Section) -> tuple[int, int, int] | None:
        """Channels, height and width of what the layer reads; None where they are not known.

        Raises ReadError where it is no image.
        """
        shape = self.shapes[self.head]
        if shape is None:
            return None
        if len(shape) == 2:  # values without space stand at one place
            self.make(section, "reshape", suffix=".image", size=(shape[1], 1, 1))
            return (shape[1], 1, 1)
        if len(shape) != 4:
            raise section.error(
                "the layer before it must put out an image",
                values="it puts out " + "x".join(map(str, shape[1:])),
            )
        return (shape[1], shape[2], shape[3])

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
        names = tuple(inputs) if inputs is not None else (self.head,)
        name = self.name + suffix
        try:
            layer = layer_class(kind)(**fields)
            xs = [self.shapes[each] for each in names]
            shape: Shape | None = None
            if kind == "opaque":
                batch = next((x[0] for x in xs if x is not None), 1)
                size = fields.get("size")
                shape = None if size is None else (batch, *size)
            elif None not in xs:
                shape = layer.shape(tuple(xs))  # type: ignore[arg-type] - none of them is None
        except LayerError as error:
            raise section.error(error.what, values=error.values, hint=error.hint) from None
        if shape is not None and max(shape) > MAX_SIZE:
            raise section.error("its output is too large", values="over 2^31 - 1 along an axis")
        node = Node(name, layer, names, shared=shared, source=Span(section.file, section.line))
        self.nodes.append(node)
        self.by_name[name] = node
        self.shapes[name] = shape
        self.head = name
        return name

    def layers(self, section: Section, key: str) -> list[BuiltLayer]:
        """The layers that ``key`` names, by their numbers, or counted back from this one."""
        numbers = section.integers(key)
        if not numbers:
            raise section.error(
                f"'{key}' is missing: the layers that it reads",
                values=f"given: {', '.join(section.options)[:80] or 'nothing'}",
                hint=f"{key}=-1,{max(self.index - 4, 0)}: counted back, or from 0",
            )
        self.edges += len(numbers)
        if self.edges > MAX_EDGES:
            raise section.error("the layers name too many others", values=f"over {MAX_EDGES:,}")
        return [self.layer(section, key, number) for number in numbers]

    def layer(self, section: Section, key: str, number: int) -> BuiltLayer:
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

    def note(self, sentence: str, which: str) -> None:
        """Something to say of several layers: ``sentence: which, which``, the sentence once."""
        self.counts.setdefault(sentence, []).append(which)

    def hint(self, word: str, known: Iterable[str]) -> str:
        """A name that was perhaps meant, in brackets; the first few times that it is asked."""
        self.hints += 1
        suggestion = near(word, known) if self.hints <= MAX_HINTS else ""
        return f" ({suggestion})" if suggestion else ""

    def notes(self) -> list[str]:
        """What there is to say, each once with its number."""
        sentences: list[str] = []
        for sentence, names in self.counts.items():
            once = list(dict.fromkeys(names))
            shown = ", ".join(name[:120] for name in once[:6])
            more = f" and {len(once) - 6} more" if len(once) > 6 else ""
            sentences.append(f"{sentence}: {shown}{more}")
        return sentences
