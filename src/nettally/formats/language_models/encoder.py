"""An encoder of tokens: each token's values depend on all tokens, before it and behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...record import Record
from .parts import Norm
from .tower import LAYER_NORM, Head, Tokens, Tower, class_of, input_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...network import Network
    from ..source import Source
    from .config import Config
    from .parts import Stack


class Encoder(Record):
    """Tokens, a tower, and the heads of the class that the configuration names.

    root: under which name the classes with a head keep what the plain one has. heads: by the ends
    of the classes' names. default: the end, where the configuration names no class. head_norm: of
    the heads. unused: tensors that a pass without masks does not read, by name: their sizes,
    numbers or fields.
    """

    root: str
    start: Tokens
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
        if not source.inputs:
            b.note(f"a sequence of {shape[1]:,} tokens is counted; --input 1x128 is one of 128")
        x = self.start.build(b, root, b.input(name, shape), self.tower.norm)
        x = self.tower.build(b, root, x)
        self.store(b, root)
        words = f"{root}.{self.start.words}" if root else self.start.words
        ends = [each.build(b, root, x, words, self.head_norm) for each in self.heads[kind]]
        return b.network(outputs=ends or (x,), dtypes=dict.fromkeys(b.inputs, "int64"))

    def store(self, b: Stack, root: str) -> None:
        """The tensors that no pass reads."""
        for name, sizes in self.unused.items():
            size = tuple(b.config.whole(n) if isinstance(n, str) else n for n in sizes)
            b.make(f"{root}.{name}" if root else name, "tensor", size=size)
