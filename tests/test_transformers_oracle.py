"""Transformers that are no decoders: tensors and work of small ones against transformers' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from transformer_configs import config, counted

if TYPE_CHECKING:
    from nettally.counting.tally import Tally

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
