"""Encoders of images and sounds, and of images with text, by their ``model_type``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encoder import Encoder
from .pairs import Pair, PoolingAttention, Side
from .parts import Attention, FeedForward
from .patches import Patches, Wave
from .swin import Swin
from .tower import Dense, Head, Sublayer, Tokens, Tower

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

ATTENTION = Attention("attention", bias="qkv_bias", output_bias=True, rotary=False)
FEED = FeedForward(up="fc1", down="fc2", gate="", bias=True)
IMAGES = {"qkv_bias": True, "hidden_act": "gelu", "image_size": 224, "patch_size": 16,
          "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
          "intermediate_size": 3072}  # fmt: skip
POOLER = Head((Dense(".pooler.dense", "pooler_output_size", activation="tanh"),), first=True)
CLASSES = Head((Dense("classifier", "labels"),), first=True)
VIT = Encoder(
    "vit",
    Patches(),
    Tower(
        "layers",
        (Sublayer("layernorm_before", ATTENTION), Sublayer("layernorm_after", FEED)),
        last_norm="layernorm",
    ),
    {"Model": (POOLER,), "ForImageClassification": (CLASSES,)},
    default="Model",
    defaults=IMAGES,
)
DEIT = VIT.replace(
    root="deit",
    start=Patches(tokens=("embeddings.cls_token", "embeddings.distillation_token")),
    heads={
        **VIT.heads,
        "ForImageClassificationWithTeacher": (
            Head((Dense("cls_classifier", "labels"),), first=True),
            Head((Dense("distillation_classifier", "labels"),), first=True, place=1),
        ),
    },
)


def dinov2(c: Config) -> Encoder:
    """Its parts have learned factors; the largest has gated feed-forward networks."""
    width, ratio = c.whole("hidden_size", 768), c.whole("mlp_ratio", 4)
    feed = FEED.replace(hidden=width * ratio)
    if c.flag("use_swiglu_ffn"):
        hidden = (width * ratio * 2 // 3 + 7) // 8 * 8
        feed = FeedForward(bias=True, hidden=hidden, activation="silu")
    return VIT.replace(
        root="dinov2",
        tower=Tower(
            "encoder.layer",
            (
                Sublayer("norm1", ATTENTION, scale="layer_scale1.lambda1"),
                Sublayer("norm2", feed, scale="layer_scale2.lambda1"),
            ),
            last_norm="layernorm",
        ),
        heads={
            "Model": (),
            "ForImageClassification": (CLASSES.replace(mean=True),),
        },
        unused={"embeddings.mask_token": (1, "hidden_size")}
        if c.flag("use_mask_token", True)
        else {},
        defaults={**IMAGES, "patch_size": 14},
    )


def swin(c: Config) -> Swin:
    """Attention within windows, in stages of ever fewer and wider vectors."""
    return Swin()


def wav2vec2(c: Config) -> Encoder:
    """With do_stable_layer_norm the norms stand before the parts, and one behind all blocks."""
    stable = c.flag("do_stable_layer_norm")
    masks = c.number("mask_time_prob", 0.05) > 0 or c.number("mask_feature_prob", 0.0) > 0
    return Encoder(
        "wav2vec2",
        Wave(),
        Tower(
            "encoder.layers",
            (
                Sublayer("layer_norm", Attention(
                    "attention", output="out_proj", bias=True, output_bias=True, rotary=False)),
                Sublayer("final_layer_norm", FeedForward(
                    "feed_forward", up="intermediate_dense", down="output_dense", gate="",
                    bias=True)),
            ),
            after_sum=not stable,
            first_norm="" if stable else "encoder.layer_norm",
            last_norm="encoder.layer_norm" if stable else "",
        ),
        {"Model": (), "ForCTC": (Head((Dense("lm_head", "vocab_size"),)),)},
        default="ForCTC",
        unused={"masked_spec_embed": ("hidden_size",)} if masks else {},
        defaults={
            "conv_dim": [512] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
            "conv_stride": [5, 2, 2, 2, 2, 2, 2], "vocab_size": 32, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "feat_extract_activation": "gelu",
        },
    )  # fmt: skip


def hubert(c: Config) -> Encoder:
    """wav2vec 2.0 under another name, trained otherwise (Hsu et al. 2021)."""
    return wav2vec2(c).replace(root="hubert")


CLIP_TOWER = Tower(
    "encoder.layers",
    (
        Sublayer("layer_norm1", Attention(
            output="out_proj", bias=True, output_bias=True, rotary=False)),
        Sublayer("layer_norm2", FEED),
    ),
)  # fmt: skip
CLIP_TEXT = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77,
}  # fmt: skip
TEXT = Tokens("embeddings.token_embedding", "embeddings.position_embedding")
CLIP = Pair(
    Side(
        "text_model", "text_config", TEXT, CLIP_TOWER.replace(last_norm="final_layer_norm"),
        Head(first=True), projection=Dense("text_projection", "projection_dim", bias=False),
        defaults=CLIP_TEXT,
    ),
    Side(
        "vision_model", "vision_config",
        Patches(
            projection="embeddings.patch_embedding", tokens=("embeddings.class_embedding",),
            positions="embeddings.position_embedding", table=True, flat_tokens=True,
            project_bias=False,
        ),
        CLIP_TOWER.replace(first_norm="pre_layrnorm"),
        Head(first=True), norm="post_layernorm",
        projection=Dense("visual_projection", "projection_dim", bias=False),
        defaults={**IMAGES, "patch_size": 32},
    ),
    scale=(("logit_scale", ()),),
    defaults={"projection_dim": 512},
)  # fmt: skip
SIGLIP = Pair(
    Side(
        "text_model", "text_config", TEXT, CLIP_TOWER.replace(last_norm="final_layer_norm"),
        Head((Dense(".head"),), first=True),
        defaults={
            **CLIP_TEXT, "vocab_size": 32000, "hidden_size": 768, "intermediate_size": 3072,
            "num_attention_heads": 12, "max_position_embeddings": 64,
        },
    ),
    Side(
        "vision_model", "vision_config",
        Patches(
            projection="embeddings.patch_embedding", tokens=(),
            positions="embeddings.position_embedding", table=True,
        ),
        CLIP_TOWER.replace(last_norm="post_layernorm"), PoolingAttention(), defaults=IMAGES,
    ),
    scale=(("logit_scale", (1,)), ("logit_bias", (1,))),
)  # fmt: skip

VISION: dict[str, Encoder | Pair | Callable[[Config], Encoder | Swin]] = {
    "vit": VIT,
    "deit": DEIT,
    "dinov2": dinov2,
    "swin": swin,
    "clip": CLIP,
    "siglip": SIGLIP,
    "wav2vec2": wav2vec2,
    "hubert": hubert,
}
"""Each by the type that configurations call it."""
