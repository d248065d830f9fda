"""DeepSeek-V4 (2026): attention to a window and a shortened past, and several residual streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoder import Decoder
from .parts import FeedForward, Mixture, Part, joined

if TYPE_CHECKING:
    from ..source import Source
    from .config import Config
    from .parts import Stack

TYPES = {0: "sliding_attention", 4: "compressed_sparse_attention",
         128: "heavily_compressed_attention"}  # fmt: skip
"""The types of attention by ``compress_ratios``."""


class Compressed(Part):
    """One key for all heads, which is the value too, of a window and of the shortened past.

    rate: so many places of the past become one; 0: there is none. overlap: from twice as many, of
    which small heads choose some; the choice is a mask for the attention, which is counted whole.
    """

    name: str = "self_attn"
    rate: int = 0
    overlap: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        heads, size = c.whole("num_attention_heads"), c.whole("head_dim")
        turned = c.whole("qk_rope_head_dim", 64)
        small = b.linear(f"{name}.q_a_proj", x, c.whole("q_lora_rank"), bias=False)
        small = b.make(f"{name}.q_a_norm", "rms_norm", small)
        q = b.linear(f"{name}.q_b_proj", small, heads * size, bias=False)
        places = b.shape(x)[1]
        q = b.make(f"{name}.heads", "reshape", q, size=(places, heads, size))
        q = b.make(f"{name}.q_b_norm", "rms_norm", q, weight=False)
        q = b.make(f"{name}.joined", "reshape", q, size=(places, heads * size))
        q = b.make(f"{name}.q_rotary", "rotary", q, size=size, turned=turned)
        kv = b.linear(f"{name}.kv_proj", x, size, bias=False)
        kv = b.make(f"{name}.kv_norm", "rms_norm", kv)
        kv = b.make(f"{name}.kv_rotary", "rotary", kv, size=size, turned=turned)
        if self.rate:
            past = self._shortened(b, f"{name}.compressor", x, size)
            kv = b.make(f"{name}.all_keys", "concat", kv, past, axis=1)
            if self.overlap:
                self._index(b, f"{name}.compressor.indexer", x, small)
        y = b.make(name, "attention", q, kv, kv, heads=heads, key_heads=1, sinks=True)
        y = b.make(f"{name}.o_rotary", "rotary", y, size=size, turned=turned)
        groups = c.whole("o_groups")
        y = b.make(
            f"{name}.o_a_proj", "grouped_linear", y, features=groups * c.whole("o_lora_rank"),
            groups=groups,
        )  # fmt: skip
        return b.linear(f"{name}.o_b_proj", y, width, bias=False)

    def _shortened(self, b: Stack, name: str, x: str, size: int) -> str:
        turned = b.config.whole("qk_rope_head_dim", 64)
        wide = 2 * size if self.overlap else size
        values = b.linear(f"{name}.kv_proj", x, wide, bias=False)
        gate = b.linear(f"{name}.gate_proj", x, wide, bias=False)
        y = b.make(name, "compress", values, gate, rate=self.rate, overlap=self.overlap)
        y = b.make(f"{name}.kv_norm", "rms_norm", y)
        return b.make(f"{name}.rotary", "rotary", y, size=size, turned=min(turned, size))

    def _index(self, b: Stack, name: str, x: str, small: str) -> str:
        """Scores of the shortened past by small heads."""
        c, places = b.config, b.shape(x)[1]
        heads, size = c.whole("index_n_heads"), c.whole("index_head_dim")
        past = self._shortened(b, name, x, size)
        q = b.linear(f"{name}.q_b_proj", small, heads * size, bias=False)
        q = b.make(f"{name}.heads", "reshape", q, size=(places, heads, size))
        scores = b.make(f"{name}.scores", "einsum", q, past, equation="bqhd,bkd->bqhk")
        scores = b.make(f"{name}.scorer.relu", "relu", scores)
        share = b.linear(f"{name}.scorer.weights_proj", x, heads, bias=False)
        share = b.make(f"{name}.scorer.shares", "reshape", share, size=(places, heads, 1))
        scores = b.make(f"{name}.scorer.product", "multiply", scores, share)
        return b.make(f"{name}.scorer", "reduce", scores, operation="sum", axes=(2,), keep=False)


class Streams(Decoder):
    """A decoder with several residual streams, which each part reads and writes to (Xie 2026).

    Between blocks a place holds its streams one behind the other.
    """

    def start(self, b: Stack, source: Source) -> str:
        x = super().start(b, source)
        return b.make(f"{self.layers}.streams", "tile", x, times=(1, 1, self._count(b)))

    @staticmethod
    def _count(b: Stack) -> int:
        return b.config.whole("hc_mult", 4)

    def block(self, b: Stack, i: int, x: str) -> str:
        name = f"{self.layers}.{i}"
        parts = (
            ("attn_hc", self.before_attention, self.attends(b, i)),
            ("ffn_hc", self.before_feed, self.fed(b, i)),
        )
        for mixer, norm, part in parts:
            x = self._around(b, f"{name}.{mixer}", x, name, norm, part)
        return x

    def _around(self, b: Stack, name: str, x: str, block: str, norm: str, part: Part) -> str:
        """A part between the streams that it reads and those that it writes to."""
        n, (_, places, wide) = self._count(b), b.shape(x)
        rounds = b.config.whole("hc_sinkhorn_iters", 20)
        weights = b.make(name, "hyper_connection", x, streams=n, rounds=rounds)
        sizes = {"before": n, "behind": n, "between": n * n}
        before, behind, between = b.parted(name, weights, sizes)
        y = self._collapsed(b, name, x, before)
        y = part.build(b, block, self.norm.build(b, f"{block}.{norm}", y))
        y = b.make(f"{name}.output", "reshape", y, size=(places, 1, wide // n))
        behind = b.make(f"{name}.shares", "reshape", behind, size=(places, n, 1))
        y = b.make(f"{name}.expanded", "multiply", behind, y)
        between = b.make(f"{name}.matrix", "reshape", between, size=(places, n, n))
        streams = b.make(f"{name}.split", "reshape", x, size=(places, n, wide // n))
        mixed = b.make(f"{name}.mixed", "einsum", between, streams, equation="btjk,btjd->btkd")
        y = b.make(f"{name}.sum", "add", y, mixed)
        return b.make(f"{name}.streams", "reshape", y, size=(places, wide))

    def _collapsed(self, b: Stack, name: str, x: str, shares: str) -> str:
        """One stream: their sum by shares."""
        n, (_, places, wide) = self._count(b), b.shape(x)
        streams = b.make(f"{name}.streams_in", "reshape", x, size=(places, n, wide // n))
        shares = b.make(f"{name}.shares_in", "reshape", shares, size=(places, n, 1))
        y = b.make(f"{name}.weighted", "multiply", streams, shares)
        return b.make(f"{name}.collapsed", "reduce", y, operation="sum", axes=(2,), keep=False)

    def end(self, b: Stack, x: str) -> str:
        name = "model.hc_head"
        shares = b.make(name, "hyper_connection", x, streams=self._count(b), head=True)
        return super().end(b, self._collapsed(b, name, x, shares))


def deepseek_v4(c: Config) -> Decoder:
    """What of the past each layer reads: by ``layer_types``, or ``compress_ratios``, or in turn."""
    types = [str(each) for each in c.list("layer_types")]
    types = types or [TYPES.get(each, str(each)) for each in c.list("compress_ratios")]
    count = c.whole("num_hidden_layers", most=2000)
    if not types:
        types = [TYPES[128 if i < 2 or not i % 2 else 4] for i in range(count)]
    sparse = c.whole("compress_rates.compressed_sparse_attention", 4)
    heavy = c.whole("compress_rates.heavily_compressed_attention", 128)
    return Streams(
        attention=Compressed(), types=tuple(types[:count]),
        attentions={TYPES[4]: Compressed(rate=sparse, overlap=True),
                    TYPES[128]: Compressed(rate=heavy)},
        mixture=Mixture(
            count="n_routed_experts",
            shared=FeedForward("shared_experts", hidden="moe_intermediate_size"),
        ),
        defaults={"head_dim": 512},
    )  # fmt: skip
