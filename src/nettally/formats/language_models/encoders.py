"""Encoders of tokens, by the ``model_type`` of their configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encoder import Encoder
from .parts import Attention, FeedForward, Norm
from .relative import DebertaTower, Disentangled, TransformerXL
from .tower import Dense, Head, Sublayer, Tokens, Tower

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config

POOLER = Dense(".pooler.dense", activation="tanh")
QUESTIONS = {"ForQuestionAnswering": (Head((Dense("qa_outputs", 2),)),)}
TOKENS = {"ForTokenClassification": (Head((Dense("classifier", "labels"),)),), **QUESTIONS}
POOLED = {"ForSequenceClassification": (Head((POOLER, Dense("classifier", "labels")), first=True),)}

ATTENTION = Attention(
    "attention", query="self.query", key="self.key", value="self.value", output="output.dense",
    bias=True, output_bias=True, rotary=False,
)  # fmt: skip
FEED = FeedForward("", up="intermediate.dense", down="output.dense", gate="", bias=True)
TOWER = Tower(
    "encoder.layer",
    (
        Sublayer("attention.output.LayerNorm", ATTENTION),
        Sublayer("output.LayerNorm", FEED),
    ),
    after_sum=True,
)
START = Tokens(
    "embeddings.word_embeddings", "embeddings.position_embeddings",
    segments="embeddings.token_type_embeddings", norm="embeddings.LayerNorm",
)  # fmt: skip

BERT_WORDS = Head(
    (
        Dense("cls.predictions.transform.dense", activation="hidden_act",
              norm="cls.predictions.transform.LayerNorm"),
        Dense("cls.predictions", "vocab_size", tied=True),
    )
)  # fmt: skip
NEXT_SENTENCE = Head((POOLER, Dense("cls.seq_relationship", 2)), first=True)
BERT = Encoder(
    "bert", START, TOWER,
    {
        "Model": (Head((POOLER,), first=True),),
        "ForMaskedLM": (BERT_WORDS,),
        "LMHeadModel": (BERT_WORDS,),
        "ForPreTraining": (BERT_WORDS, NEXT_SENTENCE),
        "ForNextSentencePrediction": (NEXT_SENTENCE,),
        "ForMultipleChoice": (Head((POOLER, Dense("classifier", 1)), first=True),),
        **POOLED,
        **TOKENS,
    },
)  # fmt: skip

ROBERTA_WORDS = Head(
    (
        Dense("lm_head.dense", activation="gelu", norm="lm_head.layer_norm"),
        Dense("lm_head", "vocab_size", tied=True),
    )
)
TWO_MATRICES = {
    "ForSequenceClassification": (
        Head((Dense("classifier.dense", activation="tanh"),
              Dense("classifier.out_proj", "labels")), first=True),
    ),
}  # fmt: skip
ROBERTA = Encoder(
    "roberta", START.replace(after_pad=True), TOWER,
    {
        "Model": (Head((POOLER,), first=True),),
        "ForMaskedLM": (ROBERTA_WORDS,),
        "ForCausalLM": (ROBERTA_WORDS,),
        "ForMultipleChoice": (Head((POOLER, Dense("classifier", 1)), first=True),),
        **TWO_MATRICES,
        **TOKENS,
    },
)  # fmt: skip

DISTILBERT = Encoder(
    "distilbert",
    START.replace(segments=""),
    Tower(
        "transformer.layer",
        (
            Sublayer("sa_layer_norm", Attention(
                "attention", query="q_lin", key="k_lin", value="v_lin", output="out_lin",
                bias=True, output_bias=True, rotary=False)),
            Sublayer("output_layer_norm", FeedForward(
                "ffn", up="lin1", down="lin2", gate="", bias=True, activation="activation")),
        ),
        after_sum=True,
    ),
    {
        "Model": (),
        "ForMaskedLM": (Head((
            Dense("vocab_transform", activation="activation", norm="vocab_layer_norm"),
            Dense("vocab_projector", "vocab_size", tied=True),
        )),),
        "ForSequenceClassification": (Head((
            Dense("pre_classifier", activation="relu"), Dense("classifier", "labels"),
        ), first=True),),
        **TOKENS,
    },
)  # fmt: skip

ALBERT_POOLER = Dense(".pooler", activation="tanh")
ALBERT_WORDS = Head(
    (
        Dense("predictions.dense", "embedding_size", activation="hidden_act",
              norm="predictions.LayerNorm"),
        Dense("predictions", "vocab_size", tied=True),
    )
)  # fmt: skip
ALBERT = Encoder(
    "albert",
    START.replace(values="embedding_size", project="encoder.embedding_hidden_mapping_in",
                  project_always=True),
    Tower(
        "encoder.albert_layer_groups",
        (
            Sublayer("attention.LayerNorm", Attention(
                "attention", query="query", key="key", value="value", output="dense",
                bias=True, output_bias=True, rotary=False)),
            Sublayer("full_layer_layer_norm", FeedForward(
                "", up="ffn", down="ffn_output", gate="", bias=True)),
        ),
        after_sum=True, inner="albert_layers",
    ),
    {
        "Model": (Head((ALBERT_POOLER,), first=True),),
        "ForMaskedLM": (ALBERT_WORDS,),
        "ForPreTraining": (
            ALBERT_WORDS,
            Head((ALBERT_POOLER, Dense("sop_classifier.classifier", "labels")), first=True),
        ),
        "ForSequenceClassification": (
            Head((ALBERT_POOLER, Dense("classifier", "labels")), first=True),
        ),
        **TOKENS,
    },
    defaults={
        "embedding_size": 128, "hidden_size": 4096, "num_attention_heads": 64,
        "intermediate_size": 16384, "hidden_act": "gelu_new",
    },
)  # fmt: skip

ELECTRA = Encoder(
    "electra",
    START.replace(values="embedding_size", project="embeddings_project"),
    TOWER,
    {
        "Model": (),
        "ForPreTraining": (Head((
            Dense("discriminator_predictions.dense", activation="hidden_act"),
            Dense("discriminator_predictions.dense_prediction", 1),
        )),),
        "ForMaskedLM": (Head((
            Dense("generator_predictions.dense", "embedding_size", activation="gelu",
                  norm="generator_predictions.LayerNorm"),
            Dense("generator_lm_head", "vocab_size", tied=True),
        )),),
        **TWO_MATRICES,
        **TOKENS,
    },
    default="ForPreTraining",
    defaults={
        "embedding_size": 128, "hidden_size": 256, "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
)  # fmt: skip

MODERNBERT_HEAD = Dense("head.dense", bias="classifier_bias", activation="classifier_activation",
                        norm="head.norm")  # fmt: skip
MODERNBERT_LABELS = Head((MODERNBERT_HEAD, Dense("classifier", "labels")))
MODERNBERT = Encoder(
    "model",
    Tokens("embeddings.tok_embeddings", norm="embeddings.norm"),
    Tower(
        "layers",
        (
            Sublayer("attn_norm", Attention(
                "attn", fused="Wqkv", output="Wo", bias="attention_bias",
                output_bias="attention_bias"), not_first=True),
            Sublayer("mlp_norm", FeedForward(
                fused="Wi", down="Wo", bias="mlp_bias", activation="hidden_activation")),
        ),
        norm=Norm("layer_norm", bias="norm_bias"), last_norm="final_norm",
    ),
    {
        "Model": (),
        "ForMaskedLM": (Head((
            MODERNBERT_HEAD, Dense("decoder", "vocab_size", bias="decoder_bias", tied=True),
        )),),
        "ForSequenceClassification": (MODERNBERT_LABELS.replace(first=True),),
        "ForTokenClassification": (MODERNBERT_LABELS,),
        "ForQuestionAnswering": (MODERNBERT_LABELS,),
    },
    head_norm=Norm("layer_norm", bias="norm_bias"),
    defaults={
        "decoder_bias": True, "classifier_activation": "gelu", "hidden_activation": "gelu",
        "intermediate_size": 1152,
    },
)  # fmt: skip


def deberta(c: Config) -> Encoder:
    """Before 2023 its head for words was called otherwise, and projected to fewer values."""
    dense, words = BERT_WORDS.dense
    head = Head((dense.replace(size="embedding_size"), words))
    if not c.flag("legacy", True):
        head = Head((
            Dense("lm_predictions.lm_head.dense", activation="hidden_act",
                  norm="lm_predictions.lm_head.LayerNorm"),
            Dense("lm_predictions.lm_head", "vocab_size", tied=True),
        ))  # fmt: skip
    attention, feed = TOWER.sublayers
    if c.flag("relative_attention"):
        attention = attention.replace(part=Disentangled(), crossed=True)
    else:
        part = ATTENTION.replace(
            query="self.query_proj", key="self.key_proj", value="self.value_proj"
        )
        attention = attention.replace(part=part)
    start = START.replace(
        positions=START.positions if c.flag("position_biased_input", True) else "",
        values="embedding_size",
        project="embeddings.embed_proj",
        project_first=True,
    )
    return Encoder(
        "deberta", start,
        DebertaTower(TOWER.layers, (attention, feed), after_sum=True),
        {
            "Model": (),
            "ForMaskedLM": (head,),
            "ForSequenceClassification": (Head((
                Dense("pooler.dense", activation="pooler_hidden_act"),
                Dense("classifier", "labels"),
            ), first=True),),
            **TOKENS,
        },
        defaults={"pooler_hidden_act": "gelu", "embedding_size": c.whole("hidden_size", 1536)},
    )  # fmt: skip


XLNET = Encoder(
    "transformer",
    Tokens("word_embedding", rows=""),
    Tower(
        "layer",
        (
            Sublayer("rel_attn.layer_norm", TransformerXL("rel_attn")),
            Sublayer("ff.layer_norm", FeedForward(
                "ff", up="layer_1", down="layer_2", gate="", bias=True,
                activation="ff_activation", hidden="d_inner")),
        ),
        after_sum=True,
    ),
    {
        "Model": (),
        "LMHeadModel": (Head((Dense("lm_loss", "vocab_size", tied=True),)),),
        "ForSequenceClassification": (Head((
            Dense("sequence_summary.summary", activation="tanh"),
            Dense("logits_proj", "labels"),
        ), first=True),),
        **TOKENS,
    },
    default="LMHeadModel",
    unused={"mask_emb": (1, 1, "hidden_size")},
    defaults={"ff_activation": "gelu"},
)  # fmt: skip

MPNET = ROBERTA.replace(
    root="mpnet",
    start=START.replace(segments="", after_pad=True),
    tower=Tower(
        "encoder.layer",
        (
            Sublayer("attention.LayerNorm", Attention(
                "attention.attn", query="q", key="k", value="v", output="o",
                bias=True, output_bias=True, rotary=False)),
            Sublayer("output.LayerNorm", FEED),
        ),
        after_sum=True, relative="encoder.relative_attention_bias",
    ),
    defaults={"relative_attention_num_buckets": 32},
)  # fmt: skip

ENCODERS: dict[str, Encoder | Callable[[Config], Encoder]] = {
    "bert": BERT,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "distilbert": DISTILBERT,
    "albert": ALBERT,
    "electra": ELECTRA,
    "modernbert": MODERNBERT,
    "deberta-v2": deberta,
    "xlnet": XLNET,
    "mpnet": MPNET,
}
"""Each by the type that configurations call it."""
