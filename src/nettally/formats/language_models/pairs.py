"""Two towers, of texts and of images, whose vectors are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...record import Record
from .encoder import dtypes
from .parts import FeedForward, Stack, joined
from .tower import LAYER_NORM, Dense, Head, Tower, input_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ...network import Network, Shape
    from ..source import Source
    from .config import Config
    from .encoder import Start
    from .parts import Norm


class PoolingAttention(Record):
    """One vector of many: a learned query's attention to them, and a network (Zhai et al. 2023)."""

    name: str = "head"
    feed: FeedForward = FeedForward(up="fc1", down="fc2", gate="", bias=True)

    def build(self, b: Stack, root: str, x: str, words: str, norm: Norm) -> str:
        name, width, c = joined(root, self.name), b.width(x), b.config
        batch = b.shape(x)[0]
        probe = b.make(f"{name}.probe", "tensor", size=(1, 1, width))
        probe = b.make(f"{name}.probe.each", "expand", probe, size=(batch, 1, width))
        weight = b.make(f"{name}.attention.in_proj_weight", "tensor", size=(3 * width, width))
        weight = b.make(
            f"{name}.attention.weights", "reshape", weight, size=(1, 3 * width, width), whole=True
        )
        bias = b.make(f"{name}.attention.in_proj_bias", "tensor", size=(3 * width,))
        bias = b.make(
            f"{name}.attention.biases", "reshape", bias, size=(1, 3 * width, 1), whole=True
        )
        bias = b.make(f"{name}.attention.biases_last", "permute", bias, order=(0, 2, 1))
        vectors = [
            self.project_third(b, f"{name}.attention.{part}", y, weight, bias, i * width)
            for i, (part, y) in enumerate((("query", probe), ("key", x), ("value", x)))
        ]
        heads = c.whole("num_attention_heads")
        y = b.make(f"{name}.attention", "attention", *vectors, heads=heads)
        y = b.linear(f"{name}.attention.out_proj", y, width, bias=True)
        z = self.feed.build(b, name, norm.build(b, f"{name}.layernorm", y))
        y = b.make(f"{name}.sum", "add", y, z)
        return b.make(f"{name}.vector", "reshape", y, size=(width,))

    def project_third(self, b: Stack, name: str, x: str, weight: str, bias: str, start: int) -> str:
        """x times a third of the one matrix, with a third of the one bias."""
        width = b.width(x)
        w = b.make(f"{name}.weight", "slice", weight, axis=1, start=start, stop=start + width)
        add = b.make(f"{name}.bias", "slice", bias, axis=2, start=start, stop=start + width)
        y = b.make(f"{name}.product", "matmul", x, w, flip_right=True)
        return b.make(name, "add", y, add)


class Side(Record):
    """One of two towers. part: the field that has its configuration. pool: many vectors to one."""

    root: str
    part: str
    start: Start
    tower: Tower
    pool: Head | PoolingAttention
    norm: str = ""
    projection: Dense | None = None
    defaults: Mapping[str, Any] = {}

    def config(self, c: Config) -> Config:
        part = c.part(self.part)
        part.defaults = self.defaults
        return part

    def build(self, b: Stack, shape: Shape) -> str:
        """A vector for each text or image."""
        outer, b.config = b.config, self.config(b.config)
        x = self.start.build(b, self.root, b.input(self.start.input, shape), self.tower.norm)
        x = self.tower.build(b, self.root, x)
        x = self.pool.build(b, self.root, x, "", self.tower.norm)
        if self.norm:
            x = self.tower.norm.build(b, joined(self.root, self.norm), x)
        b.config = outer
        return self.projection.build(b, "", x, "", LAYER_NORM) if self.projection else x


class Pair(Record):
    """Texts and images, and how near each is to each (Radford et al. 2021).

    scale: learned factors and then summands of that, by their names, with their sizes.
    """

    text: Side
    image: Side
    scale: tuple[tuple[str, Shape], ...] = ()
    defaults: Mapping[str, Any] = {}

    def network(self, config: Config, source: Source) -> Network:
        b = Stack(config)
        sides = (self.text, self.image)
        defaults = {each.start.input: each.start.default(each.config(config)) for each in sides}
        sizes = input_sizes(source, defaults)
        texts, images = (each.build(b, sizes[each.start.input]) for each in sides)
        x = b.make("similarity", "matmul", texts, images, flip_right=True)
        for (name, size), operation in zip(self.scale, ("multiply", "add"), strict=False):
            x = b.make(name, "combine", x, operation=operation, size=size)
        return b.network(outputs=(x, texts, images), dtypes=dtypes(b))
