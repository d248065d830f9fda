"""Families of decoders: what several types of models start from, and what a setting changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoder import Decoder
from .latent import Latent
from .parts import Attention, FeedForward, Mixture, Norm

if TYPE_CHECKING:
    from .config import Config

LAYER_NORM = Norm("layer_norm")
NO_BIAS = Norm("layer_norm", bias=False)

LLAMA = Decoder(
    attention=Attention(bias="attention_bias", output_bias="attention_bias"),
    feed=FeedForward(bias="mlp_bias"),
)
QWEN2 = Decoder(attention=Attention(bias=True))
QWEN3 = Decoder(
    attention=Attention(bias="attention_bias", output_bias="attention_bias", head_norm="head")
)
MIXTRAL = Decoder(mixture=Mixture(hidden="intermediate_size"))
DEEPSEEK = Decoder(
    attention=Latent(),
    mixture=Mixture(
        count="n_routed_experts", shared_count="n_shared_experts",
        shared=FeedForward("shared_experts", hidden="moe_intermediate_size"),
    ),
    defaults={"first_k_dense_replace": 3},
)  # fmt: skip
SPARSE_DEEPSEEK = DEEPSEEK.replace(attention=Latent(index=True))
GPT2 = Decoder(
    embedding="transformer.wte", positions="transformer.wpe", layers="transformer.h",
    norm=LAYER_NORM, before_attention="ln_1", before_feed="ln_2", last_norm="transformer.ln_f",
    attention=Attention(
        "attn", fused="c_attn", output="c_proj", bias=True, output_bias=True, rotary=False,
        transposed=True,
    ),
    feed=FeedForward(
        up="c_fc", down="c_proj", gate="", bias=True, activation="activation_function", times=4,
        transposed=True,
    ),
    tied=True,
    defaults={"activation_function": "gelu_new", "max_position_embeddings": 1024},
)  # fmt: skip
GPT_NEOX = Decoder(
    embedding="gpt_neox.embed_in", layers="gpt_neox.layers", norm=LAYER_NORM,
    attention=Attention("attention", fused="query_key_value", output="dense",
                        bias="attention_bias", output_bias="attention_bias"),
    feed=FeedForward(up="dense_h_to_4h", down="dense_4h_to_h", gate="", bias=True),
    last_norm="gpt_neox.final_layer_norm",
    defaults={"attention_bias": True, "use_parallel_residual": True, "partial_rotary_factor": 0.25},
)  # fmt: skip
BLOOM = Decoder(
    embedding="transformer.word_embeddings", embedding_norm="transformer.word_embeddings_layernorm",
    layers="transformer.h", norm=LAYER_NORM, last_norm="transformer.ln_f", tied=True,
    attention=Attention("self_attention", fused="query_key_value", output="dense", bias=True,
                        output_bias=True, rotary=False),
    feed=FeedForward(up="dense_h_to_4h", down="dense_4h_to_h", gate="", bias=True,
                     activation="gelu", hidden="", times=4),
)  # fmt: skip
GPTJ = GPT2.replace(
    positions="", parallel=True, before_feed="", head_bias=True, tied=False,
    attention=Attention("attn", output="out_proj"),
    feed=FeedForward(up="fc_in", down="fc_out", gate="", bias=True,
                     activation="activation_function", times=4),
)  # fmt: skip
PHI = Decoder(
    norm=LAYER_NORM, parallel=True, before_feed="", last_norm="model.final_layernorm",
    attention=Attention(output="dense", bias=True, output_bias=True),
    feed=FeedForward(up="fc1", down="fc2", gate="", bias=True),
    head_bias=True,
)  # fmt: skip
STABLELM = Decoder(norm=LAYER_NORM, attention=Attention(bias="use_qkv_bias"))
COHERE = LLAMA.replace(norm=NO_BIAS, parallel=True, before_feed="", tied=True)
OLMO2 = Decoder(
    before_attention="", after_attention="post_attention_layernorm",
    before_feed="", after_feed="post_feedforward_layernorm",
    attention=Attention(bias="attention_bias", output_bias="attention_bias", head_norm="all"),
)  # fmt: skip
GEMMA = LLAMA.replace(tied=True, defaults={"head_dim": 256, "hidden_act": "gelu_pytorch_tanh"})
GEMMA2 = GEMMA.replace(
    after_attention="post_attention_layernorm",
    before_feed="pre_feedforward_layernorm",
    after_feed="post_feedforward_layernorm",
)
GLM4_MOE = Decoder(
    attention=Attention(bias="attention_bias"),
    mixture=Mixture(
        count="n_routed_experts", shared_count="n_shared_experts",
        shared=FeedForward("shared_experts", hidden="moe_intermediate_size"),
    ),
    defaults={"first_k_dense_replace": 1},
)  # fmt: skip
GLM = Decoder(attention=Attention(bias="attention_bias"), feed=FeedForward(fused="gate_up_proj"))
HUNYUAN = LLAMA.replace(
    attention=LLAMA.attention.replace(head_norm="head", norms=("query_layernorm", "key_layernorm")),
    feed=FeedForward(),
)
ERNIE = Decoder(
    attention=Attention(bias="use_bias", output_bias="use_bias"),
    feed=FeedForward(bias="use_bias"), tied=True,
)  # fmt: skip


def falcon(c: Config) -> Decoder:
    """Three generations: with one key for all heads, with several, and before both."""
    new = c.flag("new_decoder_architecture")
    parallel = new or c.flag("parallel_attn", True)
    two = new and c.whole("num_ln_in_parallel_attn", 2) == 2
    groups: int | str = "num_kv_heads"
    if not new:
        groups = 1 if c.flag("multi_query", True) else "num_attention_heads"
    bias = c.flag("bias")
    return BLOOM.replace(
        embedding_norm="", parallel=parallel,
        before_attention="ln_attn" if two else "input_layernorm",
        before_feed="ln_mlp" if two else "" if parallel else "post_attention_layernorm",
        attention=BLOOM.attention.replace(
            bias=bias, output_bias=bias, groups=groups, rotary=not c.flag("alibi")
        ),
        feed=BLOOM.feed.replace(bias=bias, hidden="ffn_hidden_size", times=4),
    )  # fmt: skip


def gpt_neox(c: Config) -> Decoder:
    parallel = c.flag("use_parallel_residual", True)
    return GPT_NEOX.replace(parallel=parallel)


def stablelm(c: Config) -> Decoder:
    """In parallel, it has one normalisation for both parts."""
    parallel = c.flag("use_parallel_residual")
    return STABLELM.replace(parallel=parallel, before_feed="" if parallel else STABLELM.before_feed)


def opt(c: Config) -> Decoder:
    """The sizes of 350 million normalise behind the sums, and embed in fewer values."""
    root = "model.decoder"
    first = c.flag("do_layer_norm_before", True)
    bias = c.flag("enable_bias", True)
    return Decoder(
        embedding=f"{root}.embed_tokens", positions=f"{root}.embed_positions", offset=2,
        layers=f"{root}.layers", norm=LAYER_NORM, after_sum=not first,
        before_attention="self_attn_layer_norm", before_feed="final_layer_norm",
        attention=Attention(output="out_proj", bias=bias, output_bias=bias, rotary=False),
        feed=FeedForward("", up="fc1", down="fc2", gate="", bias=bias,
                         activation="activation_function"),
        last_norm=f"{root}.final_layer_norm" if first else "",
        embedding_width="word_embed_proj_dim", tied=True,
        defaults={"activation_function": "relu"},
    )  # fmt: skip


def gpt_bigcode(c: Config) -> Decoder:
    many = c.flag("multi_query", True)
    return GPT2.replace(
        attention=GPT2.attention.replace(
            transposed=False, groups=1 if many else "num_attention_heads"
        ),
        feed=GPT2.feed.replace(transposed=False),
    )


def cohere(c: Config) -> Decoder:
    if not c.flag("use_qk_norm"):
        return COHERE
    return COHERE.replace(attention=COHERE.attention.replace(head_norm="heads", norm=NO_BIAS))


def mpt(c: Config) -> Decoder:
    """llm-foundry's own have biases and learned positions where their settings say so."""
    bias = not c.flag("no_bias", True)
    learned = c.flag("learned_pos_emb", True) and not c.flag("attn_config.alibi", True)
    return Decoder(
        embedding="transformer.wte", layers="transformer.blocks",
        positions="transformer.wpe" if learned else "",
        norm=LAYER_NORM if bias else NO_BIAS, last_norm="transformer.norm_f", tied=True,
        before_attention="norm_1", before_feed="norm_2",
        attention=Attention("attn", fused="Wqkv", output="out_proj", rotary=False, bias=bias,
                            output_bias=bias, groups="attn_config.kv_n_heads"),
        feed=FeedForward("ffn", gate="", activation="gelu", hidden="", times=4, bias=bias),
    )  # fmt: skip


def glm4_moe(c: Config) -> Decoder:
    norm = "head" if c.flag("use_qk_norm") else ""
    return GLM4_MOE.replace(attention=GLM4_MOE.attention.replace(head_norm=norm))


def mimo_v2_flash(c: Config) -> Decoder:
    """Layers that see a window alone have twice the heads of keys and values, and sinks."""
    attention = Attention(bias="attention_bias", value_size="v_head_dim")
    groups = c.whole("swa_num_key_value_heads", 2 * c.whole("num_key_value_heads", 4))
    window = attention.replace(groups=groups, sinks=True)
    return Decoder(
        attention=attention,
        attentions={"sliding_attention": window, "1": window},
        types=tuple(map(str, c.list("hybrid_layer_pattern"))),
        mixture=Mixture(),
    )


def chatglm(c: Config) -> Decoder:
    """The second and third generation, of which the configuration is the checkpoint's own."""
    bias = c.flag("add_bias_linear")
    many = c.flag("multi_query_attention")
    return Decoder(
        embedding="transformer.embedding.word_embeddings", layers="transformer.encoder.layers",
        norm=Norm() if c.flag("rmsnorm", True) else LAYER_NORM,
        attention=Attention(
            "self_attention", fused="query_key_value", output="dense", size="kv_channels",
            bias=bias or c.flag("add_qkv_bias"), output_bias=bias,
            groups="multi_query_group_num" if many else "num_attention_heads",
        ),
        feed=FeedForward(fused="dense_h_to_4h", down="dense_4h_to_h", bias=bias, activation="silu"),
        last_norm="transformer.encoder.final_layernorm", head="transformer.output_layer",
    )  # fmt: skip


def internlm(c: Config) -> Decoder:
    bias = c.flag("bias", True)
    return Decoder(attention=Attention(bias=bias, output_bias=bias))


def minicpm(c: Config) -> Decoder:
    mixture = Mixture(hidden="intermediate_size") if c.get("num_experts") else None
    return LLAMA.replace(tied=True, mixture=mixture)
