"""The architectures, by the ``model_type`` of their configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import families as f
from .decoder import Decoder
from .deepseek_v4 import deepseek_v4
from .gemma4 import gemma4
from .hybrids import HYBRIDS
from .latent import Latent
from .parts import Attention, FeedForward, Mixture, Norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

ARCHITECTURES: dict[str, Decoder | Callable[[Config], Decoder]] = {
    "llama": f.LLAMA,
    "mistral": Decoder(),
    "qwen2": f.QWEN2,
    "qwen3": f.QWEN3,
    "qwen3_moe": f.QWEN3.replace(mixture=Mixture()),
    "mixtral": f.MIXTRAL,
    "qwen2_vl_text": f.QWEN2,
    "qwen2_5_vl_text": f.QWEN2,
    "qwen3_vl_text": f.QWEN3,
    "qwen3_vl_moe_text": f.QWEN3.replace(mixture=Mixture()),
    "qwen2_moe": f.QWEN2.replace(
        mixture=Mixture(
            shared=FeedForward("shared_expert", hidden="shared_expert_intermediate_size"),
            shared_gate="shared_expert_gate",
        ),
    ),
    "deepseek_v2": f.DEEPSEEK.replace(defaults={"first_k_dense_replace": 0}),
    "deepseek_v3": f.DEEPSEEK,
    "kimi_k2": f.DEEPSEEK,
    "deepseek_v32": f.SPARSE_DEEPSEEK,
    "glm_moe_dsa": f.SPARSE_DEEPSEEK.replace(
        attentions={"shared": Latent()}, types_in="indexer_types"
    ),
    "granitemoe": f.LLAMA.replace(
        mixture=Mixture("block_sparse_moe", router="router", hidden="intermediate_size"), tied=False
    ),
    "phimoe": Decoder(
        norm=f.LAYER_NORM,
        attention=Attention(bias="attention_bias", output_bias="attention_bias"),
        mixture=Mixture(router="router", hidden="intermediate_size"),
        head_bias="lm_head_bias",
    ),
    "mimo": f.QWEN2,
    "phi3": Decoder(
        attention=Attention(fused="qkv_proj"), feed=FeedForward(fused="gate_up_proj")
    ),
    "phi3_v": Decoder(
        attention=Attention(fused="qkv_proj"), feed=FeedForward(fused="gate_up_proj")
    ),
    "phi": f.PHI,
    "stablelm": f.stablelm,
    "starcoder2": Decoder(
        norm=f.LAYER_NORM, attention=Attention(bias="use_bias", output_bias="use_bias"),
        feed=FeedForward(up="c_fc", down="c_proj", gate="", bias="use_bias"), tied=True,
        defaults={"use_bias": True},
    ),
    "olmo": f.LLAMA.replace(norm=Norm("layer_norm", weight=False, bias=False)),
    "olmo2": f.OLMO2,
    "cohere": f.cohere,
    "gemma": f.GEMMA,
    "gemma2": f.GEMMA2,
    "gemma3_text": f.GEMMA2.replace(attention=f.GEMMA2.attention.replace(head_norm="head")),
    "gpt_oss": Decoder(
        attention=Attention(bias="attention_bias", output_bias="attention_bias", sinks=True),
        mixture=Mixture(router="router", hidden="intermediate_size", bias=True, router_bias=True,
                        transposed=True),
        defaults={"attention_bias": True, "head_dim": 64},
    ),
    "gpt2": f.GPT2,
    "openai-gpt": f.GPT2.replace(
        embedding="transformer.tokens_embed", positions="transformer.positions_embed",
        after_sum=True, last_norm="", feed=f.GPT2.feed.replace(activation="afn"),
        defaults={"afn": "gelu", "max_position_embeddings": 512},
    ),
    "gpt_bigcode": f.gpt_bigcode,
    "gptj": f.GPTJ,
    "gpt_neo": f.GPT2.replace(
        attention=Attention("attn.attention", output="out_proj", output_bias=True, rotary=False),
        feed=f.GPT2.feed.replace(transposed=False), defaults={"max_position_embeddings": 2048},
    ),
    "gpt_neox": f.gpt_neox,
    "opt": f.opt,
    "bloom": f.BLOOM,
    "falcon": f.falcon,
    "mpt": f.mpt,
    "olmoe": f.OLMO2.replace(
        before_attention="input_layernorm", after_attention="", after_feed="",
        before_feed="post_attention_layernorm", mixture=Mixture(hidden="intermediate_size"),
    ),
    "olmo3": f.OLMO2,
    "flex_olmo": f.OLMO2.replace(mixture=Mixture(hidden="intermediate_size")),
    "granite": f.LLAMA,
    "arcee": f.LLAMA.replace(feed=FeedForward(gate="", bias="mlp_bias")),
    "helium": f.LLAMA,
    "seed_oss": f.LLAMA.replace(
        attention=Attention(bias="attention_bias", output_bias="attention_out_bias"),
        defaults={"attention_bias": True},
    ),
    "smollm3": f.LLAMA.replace(tied=True),
    "internlm3": f.LLAMA,
    "ministral": Decoder(),
    "ministral3": Decoder(),
    "cohere2": f.COHERE,
    "glm": f.GLM.replace(defaults={"head_dim": 128}),
    "glm4": f.GLM.replace(
        after_attention="post_self_attn_layernorm", after_feed="post_mlp_layernorm",
        defaults={"head_dim": 128},
    ),
    "glm4_moe": f.glm4_moe,
    "dbrx": Decoder(
        embedding="transformer.wte", layers="transformer.blocks", norm=f.NO_BIAS,
        before_attention="norm_attn_norm.norm_1", before_feed="norm_attn_norm.norm_2",
        attention=Attention("norm_attn_norm.attn", fused="Wqkv", output="out_proj",
                            groups="attn_config.kv_n_heads"),
        mixture=Mixture(
            "ffn", router="router.layer", experts="experts.mlp", count="ffn_config.moe_num_experts",
            top="ffn_config.moe_top_k", hidden="ffn_config.ffn_hidden_size", stacked=True,
        ),
        last_norm="transformer.norm_f",
    ),
    "llama4_text": Decoder(
        attention=Attention(bias="attention_bias", output_bias="attention_bias"),
        feed=FeedForward("feed_forward", hidden="intermediate_size_mlp"),
        mixture=Mixture(
            "feed_forward", router="router", hidden="intermediate_size", transposed=True,
            shared=FeedForward("shared_expert"),
        ),
        defaults={"intermediate_size_mlp": 16384, "num_experts_per_tok": 1},
    ),
    "nemotron": f.LLAMA.replace(
        norm=f.LAYER_NORM, feed=FeedForward(gate="", bias="mlp_bias"),
        defaults={"hidden_act": "relu2", "partial_rotary_factor": 0.5},
    ),
    "codegen": f.GPTJ.replace(attention=Attention("attn", fused="qkv_proj", output="out_proj")),
    "exaone4": f.OLMO2.replace(attention=Attention(head_norm="head")),
    "exaone_moe": f.QWEN3.replace(
        attention=Attention(head_norm="head"),
        mixture=Mixture(
            shared=FeedForward("shared_experts", hidden="moe_intermediate_size"),
            shared_count="num_shared_experts",
        ),
        defaults={"first_k_dense_replace": 1},
    ),
    "hunyuan_v1_dense": f.HUNYUAN,
    "hunyuan_v1_moe": f.HUNYUAN.replace(
        mixture=Mixture(router="gate.wg", hidden="intermediate_size",
                        shared=FeedForward("shared_mlp"), shared_count=""),
    ),
    "ernie4_5": f.ERNIE.replace(defaults={"head_dim": 128}),
    "ernie4_5_moe": f.ERNIE.replace(
        mixture=Mixture(
            count="moe_num_experts", top="moe_k",
            shared=FeedForward("shared_experts", hidden="moe_intermediate_size", bias="use_bias"),
            shared_count="moe_num_shared_experts",
            correction=("gate.moe_statics", "e_score_correction_bias"),
        ),
    ),
    "minimax_m2": Decoder(
        attention=Attention(head_norm="all"), mixture=Mixture(hidden="intermediate_size"),
    ),
    "mimo_v2_flash": f.mimo_v2_flash,
    "deepseek_v4": deepseek_v4,
    "gemma4_text": gemma4,
    **HYBRIDS,
    # those that came with code of their own: by that code, and the counts that were published
    "baichuan": Decoder(attention=Attention(fused="W_pack")),
    "chatglm": f.chatglm,
    "internlm": f.internlm,
    "internlm2": Decoder(
        embedding="model.tok_embeddings", before_attention="attention_norm", before_feed="ffn_norm",
        attention=Attention("attention", fused="wqkv", output="wo", bias="bias",
                            output_bias="bias"),
        feed=FeedForward("feed_forward", gate="w1", up="w3", down="w2"), head="output",
    ),
    "minicpm": f.minicpm,
    "orion": Decoder(norm=f.LAYER_NORM),
    "phi-msft": f.PHI.replace(
        embedding="transformer.embd.wte", layers="transformer.h", before_attention="ln",
        last_norm="lm_head.ln", head="lm_head.linear",
        attention=Attention("mixer", fused="Wqkv", output="out_proj", bias=True, output_bias=True),
        feed=f.PHI.feed.replace(activation="activation_function", times=4),
    ),
}  # fmt: skip
"""Each by the type that configurations call it."""
