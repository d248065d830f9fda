"""Transformers that are no decoders: published counts, laws, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from nettally.errors import ReadError
from nettally.formats.language_models.encoder_decoders import ENCODER_DECODERS
from nettally.formats.language_models.encoders import ENCODERS
from nettally.formats.language_models.vision import VISION
from nettally.formats.language_models.vision_language import VISION_LANGUAGE
from transformer_configs import config, counted

if TYPE_CHECKING:
    from pathlib import Path

TABLES = (ENCODERS, ENCODER_DECODERS, VISION, VISION_LANGUAGE)


# --- what is published ----------------------------------------------------------------------------

BERT = {"model_type": "bert", "vocab_size": 30522, "max_position_embeddings": 512,
        "type_vocab_size": 2, "architectures": ["BertModel"]}  # fmt: skip
T5 = {"model_type": "t5", "vocab_size": 32128, "relative_attention_num_buckets": 32}
VIT = {"model_type": "vit", "image_size": 224, "architectures": ["ViTForImageClassification"],
       "num_labels": 1000}  # fmt: skip
PUBLISHED = {
    # Devlin et al. 2019, section 3: 110M and 340M; the counts are those of the checkpoints
    "bert-base": ({**BERT, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
                   "intermediate_size": 3072}, 109_482_240),
    "bert-large": ({**BERT, "hidden_size": 1024, "num_hidden_layers": 24,
                    "num_attention_heads": 16, "intermediate_size": 4096}, 335_141_888),
    # Raffel et al. 2020, section 3.7: "about 60 million" and "about 220 million"
    "t5-small": ({**T5, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6,
                  "num_heads": 8}, 60_506_624),
    "t5-base": ({**T5, "d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12,
                 "num_heads": 12}, 222_903_552),
    # Dosovitskiy et al. 2021, table 1: 86M without, 86.6M with 1,000 classes
    "vit-base": ({**VIT, "patch_size": 16, "hidden_size": 768, "num_hidden_layers": 12,
                  "num_attention_heads": 12, "intermediate_size": 3072}, 86_567_656),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_released_checkpoints(name: str) -> None:
    fields, parameters = PUBLISHED[name]
    assert counted(fields).parameters == parameters


# --- laws -----------------------------------------------------------------------------------------


def test_a_layer_used_many_times_is_stored_once() -> None:
    few, many = (counted(config("albert", num_hidden_layers=n)) for n in (2, 6))
    assert few.parameters == many.parameters
    layers = int(counted(config("albert", num_hidden_layers=4)).macs) - int(few.macs)
    assert int(many.macs) - int(few.macs) == 2 * layers


def test_the_class_decides_what_stands_behind() -> None:
    plain, words = (
        counted(config("bert", architectures=[name])) for name in ("BertModel", "BertForMaskedLM")
    )
    pooler, head = 8 * 8 + 8, 8 * 8 + 8 + 2 * 8 + 50
    assert int(words.parameters) - int(plain.parameters) == head - pooler
    assert words.network.outputs == ("cls.predictions",)


@pytest.mark.parametrize(
    ("fields", "inputs", "what"),
    [
        (config("bert", architectures=["BertForFortunes"]), {}, "what this class puts out"),
        (config("bert"), {"": (1, 17)}, "longer than the table of positions"),
        (config("bert"), {"": (1, 2, 3, 4)}, "has 2 axes"),
        (config("dinov2"), {"": (3, 12, 12)}, "not of the size that its positions are for"),
        (config("swin", depths=[1, 2, 3]), {}, "a number for each stage"),
        (config("wav2vec2", conv_dim=[4]), {}, "one number a convolution each"),
        (config("wav2vec2", num_conv_pos_embedding_groups=3), {}, "does not divide the width"),
        (config("llava"), {"pixel_values": (3, 8, 8), "input_ids": (1, 2)}, "more tokens than"),
        (config("llava", vision_feature_layer=-9), {}, "must be a block's number"),
        (config("llava", vision_config={"model_type": "clup"}), {}, "vision tower 'clup'"),
        (config("gemma3", mm_tokens_per_image=1024), {}, "square of a number"),
        (config("gemma3", text_config={"model_type": "gpt2"}), {}, "the text's model type 'gpt2'"),
    ],
)  # fmt: skip
def test_a_complaint(fields: dict[str, Any], inputs: dict[str, Any], what: str) -> None:
    with pytest.raises(ReadError, match=what):
        counted(fields, inputs)


def test_an_input_without_a_name_is_that_with_as_many_axes() -> None:
    fields = config("siglip")
    text, both = ({"": (2, 4)}, {"input_ids": (2, 4), "pixel_values": (1, 3, 8, 8)})
    assert counted(fields, text).network.inputs == both
    assert counted(fields, {"": (3, 8, 8)}).network.inputs["pixel_values"] == (1, 3, 8, 8)


def test_both_sequences_have_the_size_of_the_first_or_their_own() -> None:
    fields = config("switch_transformers")
    same, other = counted(fields, {"": (1, 6)}), counted(fields, {"decoder_input_ids": (1, 3)})
    assert set(same.network.inputs.values()) == {(1, 6)}
    assert other.network.inputs["decoder_input_ids"] == (1, 3)
    assert same.parameters == other.parameters


@pytest.mark.parametrize("kind", ["llava", "gemma3", "qwen3_vl"])
def test_a_picture_is_work_and_no_parameters(kind: str) -> None:
    """Without a picture the tower's tensors stand there, and with one they are of its layers."""
    fields = config(kind)
    picture = (1, 3, 2, 8, 8) if kind == "qwen3_vl" else (1, 3, 8, 8)
    text = counted(fields, {"input_ids": (1, 12)})
    both = counted(fields, {"input_ids": (1, 12), "pixel_values": picture})
    assert text.parameters == both.parameters
    assert text.macs < both.macs
    assert any("no picture is given" in note for note in text.network.notes)


def test_a_configuration_is_known_behind_many_labels(tmp_path: Path) -> None:
    """Keys are sorted, and 30,000 labels stand before the model's type."""
    from nettally import read
    from nettally.formats.source import HEAD

    labels = {str(i): f"label {i}" for i in range(30_000)}
    fields = config("dinov2", architectures=["Dinov2ForImageClassification"], id2label=labels)
    text = json.dumps(fields, sort_keys=True)
    assert "model_type" not in text[:HEAD]
    (tmp_path / "config.json").write_text(text)
    assert read(tmp_path / "config.json").nodes[-1].layer.fields()["features"] == 30_000


def test_a_head_that_the_configuration_does_not_tie_is_spoken_of() -> None:
    fields, _ = PUBLISHED["t5-small"]
    tallied = counted({**fields, "tie_word_embeddings": False})
    assert any("a head of its own" in note for note in tallied.network.notes)


# --- transformers' own counts ---------------------------------------------------------------------


def sizes(written: str) -> dict[str, tuple[int, ...]]:
    """Inputs as the oracle writes them: "1x128", "mel 1x80x3000 + decoder 1x128"."""
    both = re.fullmatch(r"text (\d+) \+ image (\d+)", written)
    if both:
        tokens, side = map(int, both.groups())
        return {"input_ids": (1, tokens), "pixel_values": (1, 3, side, side)}
    inputs: dict[str, tuple[int, ...]] = {}
    for part in written.split(" + "):
        name, _, size = part.rpartition(" ")
        shape = tuple(map(int, size.split("x")))
        inputs["decoder_input_ids" if name == "decoder" else ""] = shape
    return inputs


def test_parameters_and_work_of_published_configurations(shared: Path) -> None:
    """Parameters to the unit, and twice the multiply-accumulates what torch's counter says."""
    path = shared / "llm" / "oracle.csv"
    if not path.is_file():
        pytest.skip("the folder llm of ../shared is not there")
    types = {kind for table in TABLES for kind in table}
    with path.open() as file:
        rows = [each for each in csv.DictReader(file) if each["model_type"] in types]
    assert {each["model_type"] for each in rows} >= types - WITHOUT_ORACLE
    for row in rows:
        fields = json.loads((shared / "llm" / "configs" / row["file"]).read_text())
        assert counted(fields).parameters == int(row["parameters"]), row["file"]
        for size, flops in ((row["input_128"], row["flops_128"]),
                            (row["input_long"], row["flops_long"])):  # fmt: skip
            if flops:
                tallied = counted(fields, sizes(size))
                assert tallied.parameters == int(row["parameters"]), row["file"]
                left_out = LEFT_OUT.get(row["file"], 0)
                assert 2 * int(tallied.macs) - left_out == int(flops), row["file"]


LEFT_OUT = {
    # an expert takes 64 tokens at most (expert_capacity): of the 12 x 128 runs of the oracle's
    # random weights 576 came too late, each of 2 matrices of 768 x 3072
    "google--switch-base-8.json": 576 * 2 * 2 * 768 * 3072,
}
WITHOUT_ORACLE = {"gemma3", "qwen2_5_vl", "qwen2_vl", "mpnet", "m2m_100", "pegasus", "hubert"}
"""Types of which no configuration is among the published ones."""
