"""Attention within windows that are shifted from block to block (Liu et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...record import Record
from ..graph_builder import by_axis
from .config import Config
from .parts import Attention, FeedForward, Stack, joined
from .patches import Patches
from .tower import LAYER_NORM, MAX_LAYERS, Dense, Head, class_of, input_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Network
    from ..source import Source

HEADS = {
    "Model": (Head(mean=True),),
    "ForImageClassification": (Head((Dense("classifier", "labels"),), mean=True),),
}


class Swin(Record):
    """Stages of blocks; between two of them each four neighbours become one vector.

    start, attention, feed: as everywhere, within ``root``.
    """

    root: str = "swin"
    start: Patches = Patches(tokens=(), positions="", norm="embeddings.norm", width="embed_dim")
    attention: Attention = Attention("attention", bias="qkv_bias", output_bias=True, rotary=False)
    feed: FeedForward = FeedForward(up="fc1", down="fc2", gate="", bias=True)
    defaults: Mapping[str, Any] = {
        "image_size": 224, "patch_size": 4, "embed_dim": 96, "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24], "window_size": 7, "qkv_bias": True,
    }  # fmt: skip

    def network(self, config: Config, source: Source) -> Network:
        b = Stack(config)
        kind = class_of(config, HEADS, "ForImageClassification")
        root = "" if kind == "Model" else self.root
        name = self.start.input
        shape = input_sizes(source, {name: self.start.default(config)})[name]
        x = self.start.build(b, root, b.input(name, shape), LAYER_NORM)
        patch = b.shape(joined(root, self.start.projection))
        sides = (patch[2], patch[3])
        depths, heads = config.list("depths"), config.list("num_heads")
        if (
            len(depths) != len(heads)
            or not all(type(n) is int and 0 < n < MAX_LAYERS for n in (*depths, *heads))
            or sum(depths) > MAX_LAYERS
        ):
            raise config.error(
                "'depths' and 'num_heads' have a number for each stage",
                values=f"depths {depths}, num_heads {heads}"[:200],
            )
        for i, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            stage = joined(root, f"encoder.layers.{i}")
            for j in range(depth):
                x = self.block(b, f"{stage}.blocks.{j}", x, sides, count, shifted=bool(j % 2))
            if i < len(depths) - 1:
                x, sides = self.merge(b, f"{stage}.downsample", x, sides)
        x = LAYER_NORM.build(b, joined(root, "layernorm"), x)
        config.fields = {**config.fields, "hidden_size": b.width(x)}
        ends = [each.build(b, root, x, "", LAYER_NORM) for each in HEADS[kind]]
        return b.network(outputs=ends)

    def block(
        self, b: Stack, name: str, x: str, sides: tuple[int, int], heads: int, *, shifted: bool
    ) -> str:
        batch, tokens, width = b.shape(x)
        side = min(b.config.whole("window_size"), *sides)
        high, wide = (-(-each // side) for each in sides)
        windows = (batch * high * wide, side * side, width)
        y = LAYER_NORM.build(b, f"{name}.layernorm_before", x)
        kind = "shifted windows" if shifted and side < min(sides) else "windows"
        y = b.make(
            f"{name}.windows", "arrange", y, type=kind, size=windows, of=((batch, tokens, width),)
        )
        mask = self.biases(b, f"{name}.attention.relative_position_bias", side, heads)
        outer = b.config
        b.config = Config(
            {**outer.fields, "num_attention_heads": heads}, outer.file, outer.defaults, outer.path
        )
        y = self.attention.build(b, name, y, "", mask)
        b.config = outer
        y = b.make(
            f"{name}.places", "arrange", y, type=f"{kind} back",
            size=(batch, tokens, width), of=(windows,),
        )  # fmt: skip
        x = b.make(f"{name}.sum", "add", x, y)
        ratio = outer.number("mlp_ratio", 4.0)
        feed = self.feed.replace(hidden=max(int(ratio * width), 1))
        y = feed.build(b, name, LAYER_NORM.build(b, f"{name}.layernorm_after", x))
        return b.make(f"{name}.sum", "add", x, y)

    def biases(self, b: Stack, name: str, side: int, heads: int) -> str:
        """A bias for each head and pair of places in a window, by their distance: a mask."""
        full = b.config.whole("window_size")
        rows, pairs = (2 * full - 1) ** 2, side * side
        table = b.make(f"{name}.relative_position_bias_table", "tensor", size=(rows, heads))
        return b.make(
            f"{name}.by_distance", "arrange", table, type="by distance",
            size=(heads, pairs, pairs), of=((rows, heads),),
        )  # fmt: skip

    def merge(
        self, b: Stack, name: str, x: str, sides: tuple[int, int]
    ) -> tuple[str, tuple[int, int]]:
        """Each four neighbours as one vector, of twice the values of one."""
        batch, tokens, width = b.shape(x)
        high, wide = (-(-each // 2) for each in sides)
        x = b.make(
            f"{name}.neighbours", "arrange", x, type=f"2x2 neighbours of {by_axis(sides)}",
            size=(batch, high * wide, 4 * width), of=((batch, tokens, width),),
        )  # fmt: skip
        x = LAYER_NORM.build(b, f"{name}.norm", x)
        return b.linear(f"{name}.reduction", x, 2 * width, bias=False), (high, wide)
