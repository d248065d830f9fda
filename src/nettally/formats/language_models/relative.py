"""Attention that knows how far apart two tokens are by scores of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import Attention, joined
from .tower import Tower

if TYPE_CHECKING:
    from .parts import Stack


def head_size(b: Stack, x: str, heads: int) -> int:
    """The width's share of a head. Raises ReadError where the heads do not divide it."""
    width = b.width(x)
    if width % heads:
        raise b.config.error(
            "the heads do not divide the width", values=f"hidden_size {width:,}, {heads} heads"
        )
    return width // heads


class Disentangled(Attention):
    """Scores of content with content, of content with distance, and of distance with content.

    He et al. 2021. The embeddings of distances, ``memory``, are the same for all blocks; with
    ``share_att_key`` they go through the tokens' own matrices.
    """

    def build(self, b: Stack, prefix: str, x: str, memory: str = "", mask: str = "") -> str:
        c, name = b.config, f"{prefix}.attention"
        width, heads = b.width(x), c.whole("num_attention_heads")
        size = head_size(b, x, heads)
        q, k, v = (
            b.linear(f"{name}.self.{each}_proj", x, width, bias=True)
            for each in ("query", "key", "value")
        )
        kinds = c.list("pos_att_type")
        own = "" if c.flag("share_att_key") else "pos_"
        batch, tokens, _ = b.shape(x)
        spans = b.shape(memory)[0]
        scores: list[str] = []
        for kind, each, content in (("c2p", "key", q), ("p2c", "query", k)):
            if kind not in kinds:
                continue
            far = b.linear(f"{name}.self.{own}{each}_proj", memory, width, bias=True)
            far = b.make(
                f"{name}.{kind}.far", "reshape", far, size=(spans, heads, size), whole=True
            )
            near = b.make(f"{name}.{kind}.near", "reshape", content, size=(tokens, heads, size))
            product = b.make(f"{name}.{kind}", "einsum", near, far, equation="bqhd,khd->bhqk")
            scores.append(b.make(
                f"{name}.{kind}.by_distance", "arrange", product, type="by distance",
                size=(batch, heads, tokens, tokens), of=((batch, heads, tokens, spans),),
            ))  # fmt: skip
        if len(scores) > 1:
            scores = [b.make(f"{name}.distances", "add", *scores)]
        x = b.make(f"{name}.attention", "attention", q, k, v, *scores, heads=heads)
        return b.linear(f"{name}.output.dense", x, width, bias=True)


class DebertaTower(Tower):
    """With embeddings of distances for all blocks, and a convolution beside the first."""

    def build(
        self, b: Stack, root: str, x: str, memory: str = "", states: list[str] | None = None
    ) -> str:
        if b.config.flag("relative_attention"):
            memory = self.distances(b, joined(root, "encoder"))
        start = x
        for i, name in enumerate(self.blocks(b.config)):
            x = self.block(b, i, joined(root, name), x, memory, "")
            if i == 0 and b.config.whole("conv_kernel_size", 0, 0):
                x = self.convolution(b, joined(root, "encoder.conv"), start, x)
        return x

    def distances(self, b: Stack, name: str) -> str:
        """The table of distances, two ways."""
        c = b.config
        span = max(c.whole("position_buckets", -1, -1), 0)
        if not span:
            span = max(c.whole("max_relative_positions", -1, -1), 0)
        span = span or c.whole("max_position_embeddings")
        x = b.make(f"{name}.rel_embeddings", "tensor", size=(2 * span, c.whole("hidden_size")))
        if "layer_norm" in c.word("norm_rel_ebd", "none"):
            x = self.norm.build(b, f"{name}.LayerNorm", x)
        return x

    def convolution(self, b: Stack, name: str, start: str, x: str) -> str:
        """What the first block puts out, and a convolution of what it read."""
        c, width = b.config, b.width(x)
        kernel = c.whole("conv_kernel_size")
        y = b.make(f"{name}.channels_first", "permute", start, order=(0, 2, 1))
        y = b.make(
            f"{name}.conv", "conv", y, filters=width, kernel=(kernel,), padding=(kernel - 1) // 2,
            groups=c.whole("conv_groups", 1),
        )  # fmt: skip
        y = b.make(f"{name}.channels_last", "permute", y, order=(0, 2, 1))
        y = b.activation(f"{name}.act", y, "conv_act")
        return self.norm.build(b, f"{name}.LayerNorm", b.make(f"{name}.sum", "add", x, y))


class TransformerXL(Attention):
    """Attention whose scores by distance are a product with an encoding of it (Dai et al. 2019)."""

    def build(self, b: Stack, prefix: str, x: str, memory: str = "", mask: str = "") -> str:
        c, name = b.config, f"{prefix}.{self.name}"
        width, heads = b.width(x), c.whole("num_attention_heads")
        size = c.whole("d_head", width // heads or 1)
        batch, tokens, _ = b.shape(x)
        far = b.make(f"{name}.distances", "tensor", size=(batch, 2 * tokens, width), learned=False)
        q, k, v, r = (
            b.make(f"{name}.{each}", "einsum", y, equation="bth,hnd->btnd",
                   weight=(width, heads, size))
            for each, y in (("q", x), ("k", x), ("v", x), ("r", far))
        )  # fmt: skip
        content, place = (
            b.make(f"{name}.{each}", "combine", q, operation="add", size=(heads, size))
            for each in ("r_w_bias", "r_r_bias")
        )
        b.make(f"{name}.r_s_bias", "tensor", size=(heads, size))
        b.make(f"{name}.seg_embed", "tensor", size=(2, heads, size))
        scores = b.make(f"{name}.by_content", "einsum", content, k, equation="bind,bjnd->bnij")
        places = b.make(f"{name}.by_place", "einsum", place, r, equation="bind,bjnd->bnij")
        places = b.make(f"{name}.shift", "slice", places, axis=3, start=tokens, stop=2 * tokens)
        scores = b.make(f"{name}.scores", "add", scores, places)
        shares = b.make(f"{name}.softmax", "softmax", scores, axis=3)
        y = b.make(f"{name}.mix", "einsum", shares, v, equation="bnij,bjnd->bind")
        return b.make(
            f"{name}.o", "einsum", y, equation="bind,hnd->bih", weight=(width, heads, size)
        )
