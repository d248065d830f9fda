"""Transformers that are no decoders: counts, tensors and work against transformers' own."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import seeds
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, language_models
from nettally.formats.language_models.encoder_decoders import ENCODER_DECODERS
from nettally.formats.language_models.encoders import ENCODERS
from nettally.formats.language_models.vision import VISION
from nettally.formats.language_models.vision_language import VISION_LANGUAGE

if TYPE_CHECKING:
    from pathlib import Path

    import seeds
from nettally.counting.tally import Tally

TABLES = (ENCODERS, ENCODER_DECODERS, VISION, VISION_LANGUAGE)


def counted(fields: dict[str, Any], inputs: dict[str, tuple[int, ...]] | None = None) -> Tally:
    return tally(language_models.network(fields, Source("config.json", b"", inputs or {})))


def config(kind: str, **changes: Any) -> dict[str, Any]:
    """A configuration of a few thousand parameters."""
    for seed in seeds.LANGUAGE_MODELS:
        fields = json.loads(seed)
        if fields["model_type"] == kind:
            return {**fields, **changes}
    raise KeyError(kind)


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

TWO = {"num_hidden_layers": 2}
SIDES = {"encoder_layers": 2, "decoder_layers": 3}
CLASSES: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "BertForPreTraining", TWO),
    ("bert", "BertModel", TWO),
    ("bert", "BertForMaskedLM", TWO),
    ("bert", "BertLMHeadModel", TWO),
    ("bert", "BertForSequenceClassification", TWO),
    ("bert", "BertForTokenClassification", {**TWO, "num_labels": 5}),
    ("bert", "BertForQuestionAnswering", TWO),
    ("bert", "BertForMultipleChoice", TWO),
    ("bert", "BertForNextSentencePrediction", TWO),
    ("roberta", "RobertaForMaskedLM", TWO),
    ("roberta", "RobertaModel", TWO),
    ("roberta", "RobertaForSequenceClassification", TWO),
    ("xlm-roberta", "XLMRobertaForMaskedLM", TWO),
    ("camembert", "CamembertForMaskedLM", TWO),
    ("distilbert", "DistilBertForMaskedLM", {"n_layers": 2}),
    ("distilbert", "DistilBertModel", {"n_layers": 2}),
    ("distilbert", "DistilBertForSequenceClassification", {"n_layers": 2}),
    ("albert", "AlbertForMaskedLM", {}),
    ("albert", "AlbertForPreTraining", {"num_hidden_groups": 3, "inner_group_num": 2}),
    ("albert", "AlbertForSequenceClassification", {}),
    ("albert", "AlbertModel", {}),
    ("electra", "ElectraForPreTraining", TWO),
    ("electra", "ElectraForMaskedLM", TWO),
    ("electra", "ElectraForSequenceClassification", TWO),
    ("electra", "ElectraModel", TWO),
    ("modernbert", "ModernBertForMaskedLM", TWO),
    ("modernbert", "ModernBertModel", {**TWO, "attention_bias": True, "norm_bias": True}),
    ("modernbert", "ModernBertForSequenceClassification", TWO),
    ("deberta-v2", "DebertaV2Model", TWO),
    ("deberta-v2", "DebertaV2ForMaskedLM", {**TWO, "embedding_size": 512}),
    ("deberta-v2", "DebertaV2ForMaskedLM", {**TWO, "legacy": False}),
    ("deberta-v2", "DebertaV2ForSequenceClassification", TWO),
    ("deberta-v2", "DebertaV2Model", {
        **TWO, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 32,
        "share_att_key": False, "conv_kernel_size": 3, "norm_rel_ebd": "layer_norm",
        "position_biased_input": False, "type_vocab_size": 2}),
    ("deberta-v2", "DebertaV2Model", {
        **TWO, "relative_attention": True, "pos_att_type": ["p2c"], "share_att_key": True}),
    ("xlnet", "XLNetLMHeadModel", {"n_layer": 2}),
    ("xlnet", "XLNetForSequenceClassification", {"n_layer": 2}),
    ("t5", "T5ForConditionalGeneration", {"num_layers": 2}),
    ("t5", "T5ForConditionalGeneration", {
        "num_layers": 2, "num_decoder_layers": 3, "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False}),
    ("t5", "T5Model", {"num_layers": 2, "d_kv": 16}),
    ("mt5", "MT5ForConditionalGeneration", {"num_layers": 2}),
    ("switch_transformers", "SwitchTransformersForConditionalGeneration", {
        "num_layers": 4, "num_sparse_encoder_layers": 2, "num_sparse_decoder_layers": 1}),
    ("switch_transformers", "SwitchTransformersForConditionalGeneration", {
        "num_layers": 3, "num_sparse_encoder_layers": 3, "num_sparse_decoder_layers": 0,
        "num_experts": 2, "router_bias": True}),
    ("bart", "BartForConditionalGeneration", SIDES),
    ("bart", "BartModel", SIDES),
    ("mbart", "MBartForConditionalGeneration", SIDES),
    ("marian", "MarianMTModel", SIDES),
    ("marian", "MarianModel", SIDES),
    ("marian", "MarianMTModel", {
        **SIDES, "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 500,
        "pad_token_id": 0}),
    ("whisper", "WhisperForConditionalGeneration", SIDES),
    ("whisper", "WhisperModel", SIDES),
    ("vit", "ViTForImageClassification", {**TWO, "num_labels": 7}),
    ("vit", "ViTModel", {**TWO, "qkv_bias": False, "patch_size": [16, 8]}),
    ("deit", "DeiTForImageClassificationWithTeacher", TWO),
    ("deit", "DeiTForImageClassification", TWO),
    ("deit", "DeiTModel", TWO),
    ("dinov2", "Dinov2Model", {
        **TWO, "use_swiglu_ffn": True, "hidden_size": 192, "num_attention_heads": 3}),
    ("dinov2", "Dinov2ForImageClassification", {**TWO, "use_mask_token": False}),
    ("swin", "SwinForImageClassification", {"depths": [1, 2], "num_heads": [3, 6]}),
    ("swin", "SwinModel", {"depths": [1, 1], "num_heads": [2, 4], "mlp_ratio": 2.0}),
    ("clip", "CLIPModel", {"text_config": TWO, "vision_config": TWO, "projection_dim": 32}),
    ("siglip", "SiglipModel", {"text_config": TWO, "vision_config": TWO}),
    ("wav2vec2", "Wav2Vec2ForCTC", TWO),
    ("wav2vec2", "Wav2Vec2Model", {
        **TWO, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True,
        "mask_time_prob": 0.0}),
    ("hubert", "HubertForCTC", TWO),
    ("mpnet", "MPNetForMaskedLM", TWO),
    ("mpnet", "MPNetModel", TWO),
    ("pegasus", "PegasusForConditionalGeneration", SIDES),
    ("m2m_100", "M2M100ForConditionalGeneration", SIDES),
    ("t5", "T5EncoderModel", {"num_layers": 2}),
    ("llava", "LlavaForConditionalGeneration", {
        "text_config": {"model_type": "llama", **TWO},
        "vision_config": {"model_type": "clip_vision_model", **TWO}}),
    ("gemma3", "Gemma3ForConditionalGeneration", {
        "text_config": {**TWO, "vocab_size": 99},
        "vision_config": {**TWO, "image_size": 896, "patch_size": 14}}),
    ("gemma3", "Gemma3ForConditionalGeneration", {
        "mm_tokens_per_image": 49, "text_config": TWO,
        "vision_config": {**TWO, "vision_use_head": False}}),
    ("qwen3_vl", "Qwen3VLForConditionalGeneration", {
        "text_config": TWO, "vision_config": {"depth": 2, "deepstack_visual_indexes": [1]}}),
    ("qwen3_vl_moe", "Qwen3VLMoeForConditionalGeneration", {
        "text_config": TWO, "vision_config": {"depth": 2, "deepstack_visual_indexes": [0, 1]}}),
    ("qwen2_vl", "Qwen2VLForConditionalGeneration", {
        "text_config": TWO, "vision_config": {"depth": 2, "mlp_ratio": 3}}),
    ("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", {
        "text_config": TWO, "vision_config": {"depth": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "changes"), CLASSES)
def test_tensors_are_those_of_transformers(kind: str, name: str, changes: dict[str, Any]) -> None:
    """Names and shapes, at the class's own defaults with two layers."""
    torch = pytest.importorskip("torch")
    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    settings = transformers.AutoConfig.for_model(kind, **changes)
    with quiet(), torch.device("meta"):
        model = getattr(transformers, name)(settings)
    model.tie_weights()
    first: dict[int, str] = {}
    names = {  # a tied tensor has several
        name: first.setdefault(id(each), name)
        for name, each in model.named_parameters(remove_duplicate=False)
    }
    expected = {name: tuple(each.shape) for name, each in model.named_parameters()}
    fields = {**settings.to_dict(), "architectures": [name]}
    assert tensors(counted(fields), names) == expected


SMALL = {"vocab_size": 40, "hidden_size": 16, "d_model": 16, "num_hidden_layers": 2,
         "num_attention_heads": 2, "intermediate_size": 24, "encoder_ffn_dim": 24,
         "decoder_ffn_dim": 20, "encoder_attention_heads": 2, "decoder_attention_heads": 4,
         "max_position_embeddings": 40, "num_conv_pos_embeddings": 7,
         "num_conv_pos_embedding_groups": 2, **SIDES}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mpnet", "MPNetForMaskedLM"),
        ("pegasus", "PegasusForConditionalGeneration"),
        ("m2m_100", "M2M100ForConditionalGeneration"),
        ("hubert", "HubertForCTC"),
        ("bert", "BertForSequenceClassification"),
        ("roberta", "RobertaForSequenceClassification"),
        ("electra", "ElectraForMaskedLM"),
    ],
)
def test_the_work_of_types_and_classes_that_are_not_published(kind: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    names = set(transformers.AutoConfig.for_model(kind).to_dict())
    fields = {key: value for key, value in SMALL.items() if key in names or key == "hidden_size"}
    if "d_model" in names:
        del fields["hidden_size"]
    settings = transformers.AutoConfig.for_model(kind, **fields, pad_token_id=1)
    settings._attn_implementation = "eager"
    with quiet():
        model = getattr(transformers, name)(settings).eval()
    ids = torch.full((2, 9), 5)
    inputs: dict[str, Any] = {"input_ids": ids}
    if kind == "hubert":
        inputs = {"input_values": torch.randn(1, 2000)}
    elif settings.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids[:, :4]
    with quiet(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    sizes = {key: tuple(each.shape) for key, each in inputs.items()}
    tallied = counted({**settings.to_dict(), "architectures": [name]}, sizes)
    assert 2 * int(tallied.macs) == counter.get_total_flops()


@pytest.mark.parametrize("kind", ["llava", "gemma3", "qwen2_vl", "qwen3_vl"])
def test_the_work_of_a_picture_is_what_torch_counts(kind: str) -> None:
    """The same model with a picture among its text, run on the CPU."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    fields = config(kind, image_token_index=1, image_token_id=1, tie_word_embeddings=False)
    rotary = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 0]}
    fields["text_config"] = {**fields["text_config"], "head_dim": 4}
    if kind == "qwen2_vl":
        fields["text_config"]["rope_parameters"] = rotary
    settings = transformers.AutoConfig.for_model(**fields)
    settings._attn_implementation = "eager"
    with quiet():
        model = transformers.AutoModelForImageTextToText.from_config(settings).eval()
    ids, seen = torch.full((1, 12), 5), 4
    pixels = torch.zeros(1, 3, 8, 8)
    others: dict[str, Any] = {}
    shape = (1, 3, 8, 8)
    if kind.startswith("qwen"):
        pixels, shape = torch.zeros(16, 3 * 2 * 2 * 2), (1, 3, 2, 8, 8)
        others = {"image_grid_thw": torch.tensor([[1, 4, 4]])}
    ids[0, 2 : 2 + seen] = 1
    if kind.startswith("qwen"):
        others["mm_token_type_ids"] = (ids == 1).long()
    with quiet(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, pixel_values=pixels, **others)
    tallied = counted(fields, {"input_ids": (1, 12), "pixel_values": shape})
    assert 2 * int(tallied.macs) == counter.get_total_flops()


def tensors(tallied: Tally, names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """By their names in the checkpoint: a tensor that stands by itself is named as its node is."""
    shapes: dict[str, tuple[int, ...]] = {}
    for row in tallied.rows:
        for name, shape in row.node.layer.parameters(row.inputs).items():
            if name not in row.node.shared:
                full = row.name if row.name in names else f"{row.name}.{name}"
                shapes[names.get(full, full)] = tuple(map(int, shape))
    return shapes
