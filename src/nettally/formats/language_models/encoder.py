"""An encoder: the values of each token, or patch, depend on all, before it and behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from ...record import Record
from ..graph_builder import by_axis
from .tower import LAYER_NORM, Head, Tower, class_of, input_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...network import Network, Shape
    from ..source import Source
    from .config import Config
    from .parts import Norm, Stack


class Start(Protocol):
    """What makes a tower's input of the network's."""

    input: ClassVar[str]
    note: ClassVar[str]

    @property
    def words(self) -> str: ...

    def default(self, c: Config) -> Shape: ...

    def build(self, b: Stack, root: str, x: str, norm: Norm, /) -> str: ...


class Encoder(Record):
    """A beginning, a tower, and the heads of the class that the configuration names.

    root: under which name the classes with a head keep what the plain one has. heads: by the ends
    of the classes' names. default: the end, where the configuration names no class. head_norm: of
    the heads. unused: tensors that a pass without masks does not read, by name: their sizes,
    numbers or fields.
    """

    root: str
    start: Start
    tower: Tower
    heads: Mapping[str, tuple[Head, ...]]
    default: str = "ForMaskedLM"
    head_norm: Norm = LAYER_NORM
    unused: Mapping[str, tuple[int | str, ...]] = {}
    defaults: Mapping[str, Any] = {}

    def network(self, config: Config, source: Source) -> Network:
        """The network, of one sequence."""
        from .parts import Stack

        b = Stack(config)
        kind = class_of(config, self.heads, self.default)
        root = "" if kind == "Model" else self.root
        name = self.start.input
        shape = input_sizes(source, {name: self.start.default(config)})[name]
        if not source.inputs and self.start.note:
            b.note(self.start.note.format(by_axis(shape)))
        x = self.start.build(b, root, b.input(name, shape), self.tower.norm)
        x = self.tower.build(b, root, x)
        self.store(b, root)
        words = f"{root}.{self.start.words}" if root else self.start.words
        ends = [each.build(b, root, x, words, self.head_norm) for each in self.heads[kind]]
        return b.network(outputs=ends or (x,), dtypes=dtypes(b))

    def store(self, b: Stack, root: str) -> None:
        """The tensors that no pass reads."""
        for name, sizes in self.unused.items():
            size = tuple(b.config.whole(n) if isinstance(n, str) else n for n in sizes)
            b.make(f"{root}.{name}" if root else name, "tensor", size=size)


def dtypes(b: Stack) -> dict[str, str]:
    """Of the inputs that are whole numbers."""
    return {name: "int64" for name in b.inputs if name.endswith("_ids")}
