"""Decoders that mix tokens by a state in some layers or in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import families as f
from .decoder import MAX_LAYERS, Decoder
from .latent import Indexed
from .parts import Attention, Both, FeedForward, Mixture
from .rwkv import RWKV
from .states import DeltaNet, Mamba, Mamba2, ShortConv

if TYPE_CHECKING:
    from .config import Config

MAMBA = Decoder(
    embedding="backbone.embeddings", layers="backbone.layers", before_attention="norm",
    attention=Mamba(), alone=True, last_norm="backbone.norm_f", tied=True,
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
        types=tuple(types), alone=True, last_norm="model.norm_f",
        defaults={"mlp_hidden_act": "relu2", "head_dim": 128, "n_groups": 8, "chunk_size": 128},
    )  # fmt: skip


MAMBA2_INSIDE = Mamba2(
    "mamba", heads="mamba_n_heads", size="mamba_d_head", groups="mamba_n_groups",
    state="mamba_d_state", kernel="mamba_d_conv", chunk="mamba_chunk_size", bias="mamba_proj_bias",
    conv_bias="mamba_conv_bias",
)  # fmt: skip
MAMBA2_SIZES = {"mamba_n_heads": 128, "mamba_d_state": 256}


def bamba(c: Config) -> Decoder:
    """Attention in the layers that the configuration lists."""
    count = c.whole("num_hidden_layers", 32, most=MAX_LAYERS)
    places = c.list("attn_layer_indices")
    return f.LLAMA.replace(
        attentions={"mamba": MAMBA2_INSIDE}, before_feed="pre_ff_layernorm",
        types=tuple("attention" if i in places else "mamba" for i in range(count)),
        feed=FeedForward("feed_forward", bias="mlp_bias"), last_norm="model.final_layernorm",
        defaults={**MAMBA2_SIZES, "partial_rotary_factor": 0.5, "num_key_value_heads": 8},
    )  # fmt: skip


def falcon_h1(c: Config) -> Decoder:
    """Attention and a state space beside each other in each layer."""
    mamba = MAMBA2_INSIDE.replace(norm=c.flag("mamba_rms_norm"), output_bias="projectors_bias")
    attention = Attention(bias="attention_bias", output_bias="attention_bias")
    return Decoder(
        attention=Both((mamba, attention)), before_feed="pre_ff_layernorm",
        feed=FeedForward("feed_forward", bias="mlp_bias"), last_norm="model.final_layernorm",
        defaults=MAMBA2_SIZES,
    )  # fmt: skip


def granitemoehybrid(c: Config) -> Decoder:
    """Granite 4: a network that all tokens run through, and where there are experts, these."""
    shared = FeedForward(
        "shared_mlp", fused="input_linear", down="output_linear", hidden="shared_intermediate_size"
    )
    experts = Mixture("block_sparse_moe", router="router", hidden="intermediate_size")
    mixed = bool(c.whole("num_local_experts", 8, 0))
    count = c.whole("num_hidden_layers", 32, most=MAX_LAYERS)
    types = [str(each) for each in c.list("layer_types") or c.list("layers_block_type")]
    return Decoder(
        attention=Attention(bias="attention_bias", output_bias="attention_bias"),
        attentions={"mamba": MAMBA2_INSIDE, "linear_attention": MAMBA2_INSIDE},
        types=tuple(types or ["mamba"] * count),
        feed=Both((experts, shared) if mixed else (shared,)),
        defaults={**MAMBA2_SIZES, "num_local_experts": 8, "num_experts_per_tok": 2},
    )


def lfm2(c: Config) -> Decoder:
    """Short convolutions in most layers."""
    hidden = c.whole("block_ff_dim", c.whole("intermediate_size"))
    if c.flag("block_auto_adjust_ff_dim", True):
        several = c.whole("block_multiple_of", 256)
        hidden = int(c.get("block_ffn_dim_multiplier", 1.0) * (2 * hidden // 3))
        hidden = -(-hidden // several) * several
    count = c.whole("num_hidden_layers", most=MAX_LAYERS)
    places = c.list("full_attn_idxs") or range(count)
    types = tuple(map(str, c.list("layer_types")))
    return Decoder(
        before_attention="operator_norm", before_feed="ffn_norm", last_norm="model.embedding_norm",
        attention=Attention(output="out_proj", head_norm="head",
                            norms=("q_layernorm", "k_layernorm")),
        attentions={"conv": ShortConv()},
        types=types or tuple("full_attention" if i in places else "conv" for i in range(count)),
        feed=FeedForward("feed_forward", gate="w1", up="w3", down="w2", hidden=hidden,
                         activation="silu"),
        tied=c.flag("tie_embedding", True),
    )  # fmt: skip


def minimax_m3(c: Config) -> Decoder:
    """Most layers have small heads that choose what is attended to, and experts."""
    attention = Attention(head_norm="head")
    chosen = c.get("sparse_attention_config.sparse_attention_freq", [])
    types = [str(each) for each in c.list("layer_types") or chosen]
    indexed = Indexed(attention)
    return Decoder(
        attention=attention, attentions={"minimax_m3_sparse": indexed, "1": indexed},
        types=tuple(types), feed=FeedForward(fused="gate_up_proj", hidden="dense_intermediate_size",
                         activation="silu"),
        mixture=Mixture(
            count="num_local_experts", hidden="intermediate_size",
            shared=FeedForward("shared_experts", fused="gate_up_proj",
                               hidden="shared_intermediate_size",
                               activation="silu"),
        ),
    )  # fmt: skip


HYBRIDS = {
    "rwkv": RWKV,
    "mamba": MAMBA,
    "bamba": bamba,
    "falcon_h1": falcon_h1,
    "granitemoehybrid": granitemoehybrid,
    "lfm2": lfm2,
    "minimax_m3_vl_text": minimax_m3,
    "falcon_mamba": MAMBA,
    "mamba2": MAMBA2,
    "jamba": jamba,
    "nemotron_h": nemotron_h,
    "qwen3_next": qwen3_next,
    "qwen3_5_text": qwen3_5,
    "qwen3_5_moe_text": qwen3_5_moe,
}
"""Each by the type that configurations call it."""
