"""Attention whose keys and values come from one small vector a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import Part, joined

if TYPE_CHECKING:
    from .parts import Stack


class Indexed(Part):
    """Attention, beside small heads that choose the blocks of places that it attends to.

    The choice is a mask: the attention is counted whole (MiniMax-M3, 2026).
    """

    attention: Part = Part()
    name: str = "self_attn.indexer"

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, places = b.config, joined(prefix, self.name), b.shape(x)[1]
        heads = c.whole("index_n_heads", c.whole("sparse_attention_config.sparse_num_index_heads"))
        size = c.whole("index_head_dim", c.whole("sparse_attention_config.sparse_index_dim"))
        q = b.linear(f"{name}.q_proj", x, heads * size, bias=False)
        k = b.linear(f"{name}.k_proj", x, size, bias=False)
        q = b.make(f"{name}.heads", "reshape", q, size=(places, heads, size))
        q = b.make(f"{name}.q_norm", "rms_norm", q)
        k = b.make(f"{name}.k_norm", "rms_norm", k)
        k = b.keep(f"{name}.k_cache", k, index=True)
        b.make(f"{name}.scores", "einsum", q, k, equation="bqhd,bkd->bhqk")
        return self.attention.build(b, prefix, x)


class Latent(Part):
    """Attention whose keys and values come from one small vector a token (DeepSeek-V2, 2024).

    What a cache keeps of a token is that vector and one rotated key for all heads. index: small
    heads choose the tokens that are attended to (DeepSeek-V3.2, 2025).
    """

    name: str = "self_attn"
    index: bool = False

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name = b.config, joined(prefix, self.name)
        width, heads = b.width(x), c.whole("num_attention_heads")
        plain, turned = c.whole("qk_nope_head_dim"), c.whole("qk_rope_head_dim")
        value, latent = c.whole("v_head_dim"), c.whole("kv_lora_rank")
        bias, small = c.flag("attention_bias"), x
        if c.get("q_lora_rank") is None:
            q = b.linear(f"{name}.q_proj", x, heads * (plain + turned), bias=False)
        else:
            small = b.linear(f"{name}.q_a_proj", x, c.whole("q_lora_rank"), bias=bias)
            small = b.make(f"{name}.q_a_layernorm", "rms_norm", small)
            q = b.linear(f"{name}.q_b_proj", small, heads * (plain + turned), bias=False)
        q = b.make(f"{name}.q_rotary", "rotary", q, size=plain + turned, turned=turned)
        both = b.linear(f"{name}.kv_a_proj_with_mqa", x, latent + turned, bias=bias)
        key = b.make(f"{name}.key", "slice", both, axis=2, start=latent, stop=latent + turned)
        key = b.make(f"{name}.k_rotary", "rotary", key, size=turned, turned=turned)
        key = b.keep(f"{name}.k_cache", key)
        key = b.make(f"{name}.key_for_all", "tile", key, times=(1, 1, heads))
        both = b.make(f"{name}.latent", "slice", both, axis=2, start=0, stop=latent)
        both = b.make(f"{name}.kv_a_layernorm", "rms_norm", both)
        both = b.keep(f"{name}.latent_cache", both)
        both = b.linear(f"{name}.kv_b_proj", both, heads * (plain + value), bias=False)
        ends = (heads * plain, heads * (plain + value))
        keys = b.make(f"{name}.keys", "slice", both, axis=2, start=0, stop=ends[0])
        v = b.make(f"{name}.values", "slice", both, axis=2, start=ends[0], stop=ends[1])
        k = b.make(f"{name}.all_keys", "concat", keys, key, axis=2)
        if self.index:
            self._index(b, f"{name}.indexer", x, small)
        y = b.make(f"{name}.attention", "attention", q, k, v, heads=heads)
        return b.linear(f"{name}.o_proj", y, width, bias=bias)

    def _index(self, b: Stack, name: str, x: str, small: str) -> str:
        """Scores of all tokens by small heads: a mask for the attention, which is counted whole."""
        c = b.config
        heads, size = c.whole("index_n_heads"), c.whole("index_head_dim")
        q = b.linear(f"{name}.wq_b", small, heads * size, bias=False)
        k = b.linear(f"{name}.wk", x, size, bias=False)
        k = b.make(f"{name}.k_norm", "layer_norm", k)
        k = b.keep(f"{name}.k_cache", k, index=True)
        share = b.linear(f"{name}.weights_proj", x, heads, bias=False)
        tokens = (b.shapes[x] or (0, 0))[1]
        q = b.make(f"{name}.heads", "reshape", q, size=(tokens, heads, size))
        scores = b.make(f"{name}.scores", "einsum", q, k, equation="bqhd,bkd->bqhk")
        return b.make(f"{name}.sum", "einsum", share, scores, equation="bqh,bqhk->bqk")
