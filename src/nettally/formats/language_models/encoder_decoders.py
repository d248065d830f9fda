"""Encoders with a decoder, by the ``model_type`` of their configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encoder_decoder import WORDS, EncoderDecoder, Sound
from .parts import Attention, FeedForward, Mixture, Norm
from .tower import Dense, Head, Sublayer, Tokens, Tower

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

HEADS = {"Model": (), "EncoderModel": (), "ForConditionalGeneration": WORDS}

T5_ATTENTION = Attention(
    "SelfAttention", query="q", key="k", value="v", output="o", rotary=False, size="d_kv"
)


def t5(c: Config) -> EncoderDecoder:
    """Norms without biases, and biases by distance; gated where feed_forward_proj says so."""
    gate, _, activation = c.word("feed_forward_proj", "relu").rpartition("-")
    feed = FeedForward(
        "DenseReluDense", up="wi_1" if gate else "wi", gate="wi_0" if gate else "", down="wo",
        activation=activation,
    )  # fmt: skip
    return t5_towers(c, feed)


def t5_towers(c: Config, feed: FeedForward, mixture: Mixture | None = None) -> EncoderDecoder:
    """As many blocks in the decoder as in the encoder, where nothing is said."""
    first = Sublayer("layer_norm", T5_ATTENTION, "layer.0")
    cross = Sublayer(
        "layer_norm", T5_ATTENTION.replace(name="EncDecAttention"), "layer.1", crossed=True
    )
    tower = Tower(
        "block", (first, Sublayer("layer_norm", feed, "layer.1")), count="num_layers",
        norm=Norm(), last_norm="final_layer_norm", mixture=mixture,
        relative="block.0.layer.0.SelfAttention.relative_attention_bias",
        sparse="num_sparse_encoder_layers",
    )  # fmt: skip
    return EncoderDecoder(
        Tokens("shared", rows=""), tower, Tokens("shared", rows=""),
        tower.replace(
            sublayers=(first, cross, Sublayer("layer_norm", feed, "layer.2")),
            count="num_decoder_layers", sparse="num_sparse_decoder_layers",
        ),
        HEADS, root="", words="shared",
        note="the head is tied to the embedding, as transformers 5 has it; this configuration "
        "says that it is not, and its checkpoint may keep a head of its own",
        defaults={
            "d_kv": 64, "relative_attention_num_buckets": 32, "num_attention_heads": 8,
            "num_layers": 6, "num_decoder_layers": c.whole("num_layers", 6), "hidden_size": 512,
            "intermediate_size": 2048, "vocab_size": 32128, "experts_per_token": 1,
            "dense_act_fn": "relu",
        },
    )  # fmt: skip


def mt5(c: Config) -> EncoderDecoder:
    """T5, gated where nothing is said."""
    if c.get("feed_forward_proj") is None:
        c.fields = {**c.fields, "feed_forward_proj": "gated-gelu"}
    return t5(c)


def switch(c: Config) -> EncoderDecoder:
    """T5, of whose blocks some have experts, one for each token (Fedus et al. 2021)."""
    return t5_towers(
        c, FeedForward("mlp", up="wi", down="wo", gate="", activation="dense_act_fn"),
        Mixture(
            router="router.classifier", top="experts_per_token", hidden="intermediate_size",
            gated=False, router_bias=c.flag("router_bias"), function="relu", separate=True,
        ),
    )  # fmt: skip


BART_FEED = FeedForward(
    "", up="fc1", down="fc2", gate="", bias=True, activation="activation_function"
)


def _towers(key_bias: bool, last_norm: str) -> tuple[Tower, Tower]:
    """BART's encoder and decoder."""
    towers: list[Tower] = []
    for side in ("encoder", "decoder"):
        attention = Attention(
            output="out_proj", bias=True, output_bias=True, rotary=False, key_bias=key_bias,
            heads=f"{side}_attention_heads",
        )  # fmt: skip
        cross = Sublayer(
            "encoder_attn_layer_norm", attention.replace(name="encoder_attn"), crossed=True
        )
        towers.append(Tower(
            "layers",
            (
                Sublayer("self_attn_layer_norm", attention),
                *([cross] if side == "decoder" else []),
                Sublayer("final_layer_norm", BART_FEED.replace(hidden=f"{side}_ffn_dim")),
            ),
            count=f"{side}_layers", after_sum=not last_norm, last_norm=last_norm,
        ))  # fmt: skip
    return towers[0], towers[1]


BART_TOKENS = Tokens("embed_tokens", "embed_positions", before=2, norm="layernorm_embedding")
BART_DEFAULTS = {
    "vocab_size": 50265, "hidden_size": 1024, "max_position_embeddings": 1024,
    "encoder_layers": 12, "decoder_layers": 12, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
    "encoder_attention_heads": 16, "decoder_attention_heads": 16, "activation_function": "gelu",
}  # fmt: skip
BART = EncoderDecoder(
    BART_TOKENS, _towers(True, "")[0], BART_TOKENS, _towers(True, "")[1], HEADS,
    words="shared", defaults=BART_DEFAULTS,
)  # fmt: skip
MBART = BART.replace(encoder=_towers(True, "layer_norm")[0], decoder=_towers(True, "layer_norm")[1])
M2M_TOKENS = BART_TOKENS.replace(positions="", norm="")
MARIAN_TOKENS = BART_TOKENS.replace(before=0, norm="")


def marian(c: Config) -> EncoderDecoder:
    """Translation: one table of words, or one for each language."""
    shared = c.flag("share_encoder_decoder_embeddings", True)
    tokens = MARIAN_TOKENS if shared else MARIAN_TOKENS.replace(vocabulary="decoder_vocab_size")
    return BART.replace(
        encode=MARIAN_TOKENS, decode=tokens, words="shared" if shared else "",
        heads={"Model": (), "MTModel": (Head((
            Dense("lm_head", tokens.vocabulary, bias=False, tied=True),
        )),)},
        default="MTModel",
        defaults={
            **BART_DEFAULTS, "vocab_size": 58101, "decoder_vocab_size": c.whole("vocab_size", 58101)
        },
    )  # fmt: skip


WHISPER_TOWERS = _towers(False, "layer_norm")
WHISPER = EncoderDecoder(
    Sound(), WHISPER_TOWERS[0],
    Tokens("embed_tokens", "embed_positions", rows="max_target_positions"), WHISPER_TOWERS[1],
    {"Model": (), "ForConditionalGeneration": (
        Head((Dense("proj_out", "vocab_size", bias=False, tied=True),)),
    )},
    defaults={
        "vocab_size": 51865, "hidden_size": 384, "num_mel_bins": 80, "max_source_positions": 1500,
        "max_target_positions": 448, "encoder_layers": 4, "decoder_layers": 4,
        "encoder_ffn_dim": 1536, "decoder_ffn_dim": 1536, "encoder_attention_heads": 6,
        "decoder_attention_heads": 6, "activation_function": "gelu",
    },
)  # fmt: skip

ENCODER_DECODERS: dict[str, EncoderDecoder | Callable[[Config], EncoderDecoder]] = {
    "t5": t5,
    "mt5": mt5,
    "switch_transformers": switch,
    "bart": BART,
    "mbart": MBART,
    "m2m_100": MBART.replace(
        encode=M2M_TOKENS, decode=M2M_TOKENS, defaults={**BART_DEFAULTS, "vocab_size": 128112}
    ),
    "pegasus": MBART.replace(encode=MARIAN_TOKENS, decode=MARIAN_TOKENS),
    "marian": marian,
    "whisper": WHISPER,
}
"""Each by the type that configurations call it."""
