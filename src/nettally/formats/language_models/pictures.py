"""How a vision–language model makes tokens of a picture: a tower of it, and what joins it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...record import Record
from .parts import Attention, FeedForward, Norm, joined
from .tower import LAYER_NORM, Sublayer, Tower
from .vision import CLIP, SIGLIP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Shape
    from .config import Config
    from .pairs import Side
    from .parts import Stack

SIDES: dict[str, Side] = {"clip_vision_model": CLIP.image, "siglip_vision_model": SIGLIP.image}
"""The towers of images that other models take over, by their ``model_type``."""


class Picture(Record):
    """A tower that another model has: all its tensors, of which the last may be of no use.

    root: of the tower. projector: of what makes its vectors those of the text. default_type: of
    the tower's configuration where that names none.
    """

    root: str = "model.vision_tower"
    projector: str = "model.multi_modal_projector"
    default_type: str = "clip_vision_model"
    defaults: Mapping[str, Any] = {}

    def side(self, c: Config) -> Side:
        """The tower, by its type. Raises ReadError where that is not known."""
        kind = c.part("vision_config").word("model_type", self.default_type)
        side = SIDES.get(kind)
        if side is None:
            raise c.error(
                f"the vision tower '{kind[:60]}' is not known", values=f"known: {', '.join(SIDES)}"
            )
        return side.replace(
            root=self.root, projection=None, defaults={**side.defaults, **self.defaults}
        )

    def default(self, c: Config) -> Shape:
        side = self.side(c)
        return side.start.default(side.config(c))

    def build(self, b: Stack, shape: Shape, width: int) -> str:
        """The tokens of pictures of a size, each of the text's width."""
        side = self.side(b.config)
        outer, b.config = b.config, side.config(b.config)
        states: list[str] = []
        x = side.start.build(b, side.root, b.input(side.start.input, shape), side.tower.norm)
        x = side.tower.build(b, side.root, x, states=states)
        if side.norm:
            pooled = side.pool.build(b, side.root, x, "", side.tower.norm)
            side.tower.norm.build(b, joined(side.root, side.norm), pooled)
        elif b.config.flag("vision_use_head", True):
            side.pool.build(b, side.root, x, "", side.tower.norm)
        b.config = outer
        return self.project(b, x, states, width)

    def project(self, b: Stack, x: str, states: list[str], width: int) -> str:
        """Two matrices on what a block before the last puts out (Liu et al. 2023)."""
        c, name = b.config, self.projector
        layer = c.get("vision_feature_layer", -2)
        if type(layer) is not int or not -len(states) <= layer < len(states):
            raise c.error(
                "'vision_feature_layer' must be a block's number",
                values=f"{layer!r}, {len(states) - 1} blocks"[:100],
            )
        x = states[layer]
        if c.word("vision_feature_select_strategy", "default") == "default":
            x = b.make(f"{name}.squares", "slice", x, axis=1, start=1)
        bias = c.flag("multimodal_projector_bias", True)
        x = b.linear(f"{name}.linear_1", x, width, bias=bias)
        x = b.activation(f"{name}.act", x, "projector_hidden_act")
        return b.linear(f"{name}.linear_2", x, width, bias=bias)


class PooledPicture(Picture):
    """Squares averaged to a fixed number of tokens (Gemma 3, 2025)."""

    default_type: str = "siglip_vision_model"

    def project(self, b: Stack, x: str, states: list[str], width: int) -> str:
        name, (_, count, wide) = self.projector, b.shape(x)
        side, each = int(count**0.5), int(b.config.whole("mm_tokens_per_image", 256) ** 0.5)
        if side * side != count or side < each:
            raise b.config.error(
                "'mm_tokens_per_image' must be the square of a number, and no more than the "
                "picture's squares",
                values=f"{each * each} tokens, {count} squares",
            )
        x = b.make(f"{name}.channels_first", "permute", x, order=(0, 2, 1))
        x = b.make(f"{name}.square", "reshape", x, size=(wide, side, side))
        size = side // each
        x = b.make(f"{name}.pool", "average_pool", x, kernel=(size, size), stride=size)
        x = b.make(f"{name}.sequence", "reshape", x, size=(wide, -1))
        x = b.make(f"{name}.channels_last", "permute", x, order=(0, 2, 1))
        x = Norm().build(b, f"{name}.mm_soft_emb_norm", x)
        return b.make(f"{name}.mm_input_projection_weight", "matmul", x, weight=(wide, width))


class QwenPicture(Record):
    """Two frames' squares as one token each, in a tower; four neighbours become one of the text.

    merger: of the four, "norm" or "ln_q" its normalisation, "mlp.0" and "mlp.2" or "linear_fc1"
    and "linear_fc2" its matrices. positions: of a learned grid. deep: vectors of blocks between,
    which go to the text's first blocks (Qwen3-VL, 2025).
    """

    root: str = "model.visual"
    width: str = "hidden_size"
    norm: Norm = LAYER_NORM
    feed: FeedForward = FeedForward(up="linear_fc1", down="linear_fc2", gate="", bias=True)
    merger: tuple[str, str, str] = ("norm", "linear_fc1", "linear_fc2")
    positions: str = "pos_embed"
    patch_bias: bool = True
    deep: str = "deepstack_merger_list"
    out: str = "out_hidden_size"
    defaults: Mapping[str, Any] = {}

    def config(self, c: Config) -> Config:
        part = c.part("vision_config")
        part.defaults = self.defaults
        return part

    def default(self, c: Config) -> Shape:
        c = self.config(c)
        side = 8 * c.whole("patch_size") * c.whole("spatial_merge_size", 2)
        return (1, c.whole("in_channels", 3), c.whole("temporal_patch_size", 2), side, side)

    def build(self, b: Stack, shape: Shape, width: int) -> str:
        outer, b.config = b.config, self.config(b.config)
        c, name = b.config, f"{self.root}.patch_embed.proj"
        wide, patch = c.whole(self.width), c.whole("patch_size")
        kernel = (c.whole("temporal_patch_size", 2), patch, patch)
        x = b.input("pixel_values", shape)
        x = b.make(
            name, "conv", x, filters=wide, kernel=kernel, stride=kernel, bias=self.patch_bias
        )
        x = b.make(f"{name}.squares", "reshape", x, size=(wide, -1))
        x = b.make(f"{name}.sequence", "permute", x, order=(0, 2, 1))
        if self.positions:
            x = self.add_places(b, x)
        width = c.whole(self.out, width)
        states: list[str] = []
        x = self.tower(c).build(b, self.root, x, states=states)
        if self.deep:
            for i, layer in enumerate(c.list("deepstack_visual_indexes")):
                if type(layer) is not int or not 0 <= layer < len(states) - 1 or i > layer:
                    raise c.error(
                        "'deepstack_visual_indexes' must be numbers of blocks, each once in order",
                        values=f"{layer!r}, {len(states) - 1} blocks"[:100],
                    )
                self.merge(b, f"{self.root}.{self.deep}.{i}", states[layer + 1], width, late=True)
        x = self.merge(b, f"{self.root}.merger", x, width)
        b.config = outer
        return x

    def tower(self, c: Config) -> Tower:
        attention = Attention(
            "attn", fused="qkv", output="proj", bias=True, output_bias=True, heads="num_heads"
        )
        return Tower(
            "blocks", (Sublayer("norm1", attention), Sublayer("norm2", self.feed)),
            count="depth", norm=self.norm,
        )  # fmt: skip

    def add_places(self, b: Stack, x: str) -> str:
        """The values with their places, which lie between those of a learned grid."""
        _, count, wide = b.shape(x)
        rows = b.config.whole("num_position_embeddings")
        grid = b.make(f"{self.root}.{self.positions}", "tensor", size=(rows, wide))
        grid = b.make(
            f"{self.root}.{self.positions}.between", "arrange", grid, type="between places",
            size=(1, count, wide), of=((rows, wide),),
        )  # fmt: skip
        return b.make(f"{self.root}.placed", "add", x, grid)

    def merge(self, b: Stack, name: str, x: str, width: int, *, late: bool = False) -> str:
        """Neighbours as one vector; late: it is normalised as a whole."""
        norm, first, second = self.merger
        four = b.config.whole("spatial_merge_size", 2) ** 2
        _, count, wide = b.shape(x)
        if count % four:
            raise b.config.error(
                "the picture's squares do not go into neighbourhoods",
                values=f"{count} squares, {four} in each",
            )
        if not late:
            x = self.norm.build(b, f"{name}.{norm}", x)
        x = b.make(f"{name}.neighbours", "reshape", x, size=(count // four, four * wide))
        if late:
            x = self.norm.build(b, f"{name}.{norm}", x)
        x = b.linear(f"{name}.{first}", x, four * wide, bias=True)
        x = b.make(f"{name}.act", "gelu", x)
        return b.linear(f"{name}.{second}", x, width, bias=True)
