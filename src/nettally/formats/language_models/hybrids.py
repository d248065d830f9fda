"""Decoders that mix tokens by a state in some layers or in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import families as f
from .decoder import MAX_LAYERS, Decoder
from .parts import Attention, FeedForward, Mixture
from .states import DeltaNet, Mamba, Mamba2

if TYPE_CHECKING:
    from .config import Config

MAMBA = Decoder(
    embedding="backbone.embeddings", layers="backbone.layers", before_attention="norm",
    attention=Mamba(), feed=None, last_norm="backbone.norm_f", tied=True,
)  # fmt: skip
MAMBA2 = MAMBA.replace(
    attention=Mamba2(), tied=False,
    defaults={"num_heads": 128, "head_dim": 64, "n_groups": 8},
)  # fmt: skip
SHARED_EXPERT = Mixture(
    shared=FeedForward("shared_expert", hidden="shared_expert_intermediate_size"),
    shared_gate="shared_expert_gate",
)
QWEN3_NEXT = f.QWEN3.replace(
    attention=f.QWEN3.attention.replace(gated=True),
    attentions={"linear_attention": DeltaNet(joint=True)}, mixture=SHARED_EXPERT,
)  # fmt: skip
QWEN3_5 = QWEN3_NEXT.replace(attentions={"linear_attention": DeltaNet()}, mixture=None)


def by_interval(c: Config) -> tuple[str, ...]:
    """Linear attention in all layers but each ``full_attention_interval``-th."""
    count = c.whole("num_hidden_layers", most=MAX_LAYERS)
    step = c.whole("full_attention_interval", 4)
    return tuple(
        "full_attention" if not (i + 1) % step else "linear_attention" for i in range(count)
    )


def qwen3_next(c: Config) -> Decoder:
    return QWEN3_NEXT if c.list("layer_types") else QWEN3_NEXT.replace(types=by_interval(c))


def qwen3_5(c: Config) -> Decoder:
    return QWEN3_5 if c.list("layer_types") else QWEN3_5.replace(types=by_interval(c))


def qwen3_5_moe(c: Config) -> Decoder:
    return qwen3_5(c).replace(mixture=SHARED_EXPERT)


def jamba(c: Config) -> Decoder:
    """Attention in one layer of several, and experts in one of two."""
    period, offset = c.whole("attn_layer_period", 8), c.whole("attn_layer_offset", 4, 0)
    count = c.whole("num_hidden_layers", 32, most=MAX_LAYERS)
    mamba = Mamba(
        "mamba", norms=True, expand="mamba_expand", state="mamba_d_state", kernel="mamba_d_conv",
        rank="mamba_dt_rank", bias="mamba_proj_bias", conv_bias="mamba_conv_bias",
    )  # fmt: skip
    mixture = Mixture("feed_forward", router="router", hidden="intermediate_size")
    return Decoder(
        before_feed="pre_ff_layernorm", last_norm="model.final_layernorm",
        attention=Attention(rotary=False), attentions={"mamba": mamba},
        types=tuple("attention" if i % period == offset else "mamba" for i in range(count)),
        feed=FeedForward("feed_forward"),
        mixture=mixture if c.whole("num_experts", 16) > 1 else None,
        defaults={
            "num_experts": 16, "num_experts_per_tok": 2, "expert_layer_period": 2,
            "expert_layer_offset": 1, "hidden_act": "silu", "num_key_value_heads": 8,
        },
    )  # fmt: skip


NEMOTRON_PARTS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""The letters of ``hybrid_override_pattern``."""
NEMOTRON_NAMES = {"linear_attention": "mamba", "full_attention": "attention"}
"""What transformers 5 calls the parts."""


def nemotron_h(c: Config) -> Decoder:
    """Each block is one part: a state space, attention, a feed-forward network, or a mixture."""
    pattern = c.word("hybrid_override_pattern")
    types = [NEMOTRON_PARTS.get(letter, letter) for letter in pattern]
    types = types or [str(each) for each in c.list("layers_block_type") or c.list("layer_types")]
    types = [NEMOTRON_NAMES.get(each, each) for each in types]
    feed = FeedForward("mixer", gate="", bias="mlp_bias", activation="mlp_hidden_act")
    attentions = {
        "mamba": Mamba2("mixer", heads="mamba_num_heads", size="mamba_head_dim",
                        state="ssm_state_size", groups="n_groups"),
        "attention": Attention("mixer", bias="attention_bias", output_bias="attention_bias",
                               rotary=False),
        "mlp": feed,
        "moe": Mixture(
            "mixer", gated=False, latent="moe_latent_size", count="n_routed_experts",
            shared=feed.replace(name="shared_experts",
                                hidden="moe_shared_expert_intermediate_size"),
        ),
    }  # fmt: skip
    unknown = set(types) - set(attentions)
    if unknown or not types:
        raise c.error(
            "the kinds of the blocks are not known",
            values=", ".join(sorted(unknown))[:100] or "no hybrid_override_pattern",
            hint=f"known: {', '.join(attentions)}",
        )
    return Decoder(
        embedding="model.embeddings", before_attention="norm", attentions=attentions,
        types=tuple(types), feed=None, last_norm="model.norm_f",
        defaults={"mlp_hidden_act": "relu2", "head_dim": 128, "n_groups": 8, "chunk_size": 128},
    )  # fmt: skip


HYBRIDS = {
    "mamba": MAMBA,
    "falcon_mamba": MAMBA,
    "mamba2": MAMBA2,
    "jamba": jamba,
    "nemotron_h": nemotron_h,
    "qwen3_next": qwen3_next,
    "qwen3_5_text": qwen3_5,
    "qwen3_5_moe_text": qwen3_5_moe,
}
"""Each by the type that configurations call it."""
