"""Gemma 4's text model (2026): keys that later layers read again, an input of each layer's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import families as f
from .decoder import Decoder
from .parts import FeedForward, Part, joined

if TYPE_CHECKING:
    from ..source import Source
    from .config import Config
    from .parts import Stack

GLOBAL = "full_attention"


class Attention(Part):
    """Of normalised queries, keys and values. source: the layer whose keys are read again, if any.

    whole: this layer sees all places, with heads of another size, and where ``attention_k_eq_v``
    says so with keys that are the values too.
    """

    name: str = "self_attn"
    whole: bool = False
    source: str = ""

    def build(self, b: Stack, prefix: str, x: str) -> str:
        c, name, width = b.config, joined(prefix, self.name), b.width(x)
        heads, size = c.whole("num_attention_heads", 8), c.whole("head_dim", 256)
        same = self.whole and c.flag("attention_k_eq_v")
        groups = c.whole("num_key_value_heads", 4)
        if self.whole:
            size = c.whole("global_head_dim", 512)
            groups = c.whole("num_global_key_value_heads", groups) if same else groups
        bias = c.flag("attention_bias")
        q = b.linear(f"{name}.q_proj", x, heads * size, bias=bias)
        q = self._normal(b, f"{name}.q_norm", q, size)
        q = b.make(f"{name}.q_rotary", "rotary", q, size=size)
        if self.source:
            there = joined(self.source, self.name)
            k, v = f"{there}.k_rotary", f"{there}.v_norm.joined"
        else:
            keys = b.linear(f"{name}.k_proj", x, groups * size, bias=bias)
            v = keys if same else b.linear(f"{name}.v_proj", x, groups * size, bias=bias)
            k = self._normal(b, f"{name}.k_norm", keys, size)
            k = b.make(f"{name}.k_rotary", "rotary", k, size=size)
            v = self._normal(b, f"{name}.v_norm", v, size, weight=False)
        y = b.make(f"{name}.attention", "attention", q, k, v, heads=heads, key_heads=groups)
        return b.linear(f"{name}.o_proj", y, width, bias=bias)

    @staticmethod
    def _normal(b: Stack, name: str, x: str, size: int, *, weight: bool = True) -> str:
        """Each head's."""
        _, places, wide = b.shape(x)
        x = b.make(f"{name}.heads", "reshape", x, size=(places, wide // size, size))
        x = b.make(name, "rms_norm", x, weight=weight)
        return b.make(f"{name}.joined", "reshape", x, size=(places, wide))


class Gemma4(Decoder):
    """Blocks that may have experts beside the feed-forward network, and an input of their own."""

    def attends(self, b: Stack, i: int) -> Part:
        types = self.types
        own = len(types) - b.config.whole("num_kv_shared_layers", 0, 0)
        source = ""
        if i >= own:
            same = [j for j in range(own) if types[j] == types[i]]
            if not same:
                raise b.config.error(
                    "a layer that reads another's keys needs one of its type before it",
                    values=f"layer {i} of {own} with keys: {types[i][:40]}",
                )
            source = f"{self.layers}.{same[-1]}"
        return Attention(whole=types[i] == GLOBAL, source=source)

    def start(self, b: Stack, source: Source) -> str:
        x = super().start(b, source)
        c = b.config
        size = c.whole("hidden_size_per_layer_input", 256, 0)
        if not size:
            return x
        root, count, places = self._root, len(self.types), b.shape(x)[1]
        tokens = b.make(
            f"{root}.embed_tokens_per_layer", "embedding", "input_ids",
            rows=c.whole("vocab_size_per_layer_input", 262_144), size=count * size,
        )  # fmt: skip
        y = b.linear(f"{root}.per_layer_model_projection", x, count * size, bias=False)
        y = b.make(f"{root}.per_layer", "reshape", y, size=(places, count, size))
        y = b.make(f"{root}.per_layer_projection_norm", "rms_norm", y)
        y = b.make(f"{root}.per_layer_joined", "reshape", y, size=(places, count * size))
        b.make(f"{root}.per_layer_inputs", "add", y, tokens)
        return x

    def block(self, b: Stack, i: int, x: str) -> str:
        c, name = b.config, f"{self.layers}.{i}"
        y = self.attends(b, i).build(b, name, self._normal(b, name, self.before_attention, x))
        y = self._normal(b, name, self.after_attention, y)
        x = b.make(f"{name}.residual_1", "add", x, y)
        count = len(self.types) - c.whole("num_kv_shared_layers", 0, 0)
        wide = 2 if i >= count and c.flag("use_double_wide_mlp") else 1
        feed = FeedForward(activation="hidden_activation")
        y = feed.build(b, name, self._normal(b, name, self.before_feed, x), wide)
        if c.flag("enable_moe_block"):
            y = self._with_experts(b, name, x, y)
        y = self._normal(b, name, self.after_feed, y)
        x = b.make(f"{name}.residual_2", "add", x, y)
        size = c.whole("hidden_size_per_layer_input", 256, 0)
        if not size:
            return x
        y = b.linear(f"{name}.per_layer_input_gate", x, size, bias=False)
        y = b.activation(f"{name}.per_layer_act", y, "hidden_activation")
        inputs = f"{self._root}.per_layer_inputs"
        inputs = b.make(
            f"{name}.per_layer_input", "slice", inputs, axis=2, start=i * size, stop=(i + 1) * size
        )
        y = b.make(f"{name}.per_layer_product", "multiply", y, inputs)
        y = b.linear(f"{name}.per_layer_projection", y, b.width(x), bias=False)
        y = self._normal(b, name, "post_per_layer_input_norm", y)
        return b.make(f"{name}.residual_3", "add", x, y)

    def _with_experts(self, b: Stack, name: str, x: str, y: str) -> str:
        """The experts' output beside the network's, each normalised; the router has scales."""
        c, width = b.config, b.width(x)
        y = self._normal(b, name, "post_feedforward_layernorm_1", y)
        count = c.whole("num_experts")
        scores = b.make(f"{name}.router.norm", "rms_norm", x, weight=False)
        scores = b.make(
            f"{name}.router", "combine", scores, operation="multiply", size=(width,), tensor="scale"
        )
        scores = b.linear(f"{name}.router.proj", scores, count, bias=False)
        scores = b.make(
            f"{name}.router.experts", "combine", scores, operation="multiply", size=(count,),
            tensor="per_expert_scale",
        )  # fmt: skip
        z = self._normal(b, name, "pre_feedforward_layernorm_2", x)
        fields: dict[str, Any] = {"hidden": c.whole("moe_intermediate_size"), "function": "gelu"}
        z = b.make(
            f"{name}.experts", "experts", z, scores, experts=count, top=c.whole("top_k_experts"),
            **fields,
        )  # fmt: skip
        z = self._normal(b, name, "post_feedforward_layernorm_2", z)
        return b.make(f"{name}.both", "add", y, z)


def gemma4(c: Config) -> Decoder:
    """A layer in six, and the last, sees all places where ``layer_types`` is not there."""
    count = c.whole("num_hidden_layers", 30, most=2000)
    types = [str(each) for each in c.list("layer_types")][:count]
    types = types or [GLOBAL if not (i + 1) % 6 else "sliding_attention" for i in range(count)]
    return Gemma4(
        tied=True, after_attention=f.GEMMA2.after_attention, before_feed=f.GEMMA2.before_feed,
        after_feed=f.GEMMA2.after_feed, types=(*types[:-1], GLOBAL),
        defaults={"hidden_activation": "gelu_pytorch_tanh"},
    )  # fmt: skip
