"""Language models from their configurations: counts, tensors and work against transformers' own."""

from __future__ import annotations

import csv
import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

import seeds
from nettally.counting.tally import tally
from nettally.errors import ReadError
from nettally.formats import Source, language_models, read
from nettally.formats.language_models.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally


def counted(fields: dict[str, Any], tokens: tuple[int, ...] = ()) -> Tally:
    source = Source("config.json", b"", {"": tokens} if tokens else {})
    return tally(language_models.network(fields, source))


def config(kind: str, **changes: Any) -> dict[str, Any]:
    """A configuration of a few thousand parameters."""
    for seed in seeds.LANGUAGE_MODELS:
        fields = json.loads(seed)
        if fields["model_type"] == kind:
            return {**fields, **changes}
    return {**seeds.LLAMA, "model_type": kind, **changes}


# --- what is published ----------------------------------------------------------------------------

GPT2 = {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024}
BY_HAND = {
    # Radford et al. 2019, table 2, gives sizes; the counts are those of the released checkpoints
    "gpt2": ({**GPT2, "n_embd": 768, "n_layer": 12, "n_head": 12}, 124_439_808),
    "gpt2-medium": ({**GPT2, "n_embd": 1024, "n_layer": 24, "n_head": 16}, 354_823_168),
    "gpt2-large": ({**GPT2, "n_embd": 1280, "n_layer": 36, "n_head": 20}, 774_030_080),
    "gpt2-xl": ({**GPT2, "n_embd": 1600, "n_layer": 48, "n_head": 25}, 1_557_611_200),
    # Jiang et al. 2024, table 1: 8x7B has 46.7B parameters
    "mixtral-8x7b": (
        {"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096,
         "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
         "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2,
         "hidden_act": "silu"},
        46_702_792_704,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_parameters_are_the_released_checkpoints(name: str) -> None:
    fields, parameters = BY_HAND[name]
    assert counted(fields).parameters == parameters


def test_gpt_2_with_the_vocabulary_of_gpt_has_the_published_count() -> None:
    """117M, which Radford et al. print, has 116,929,536: GPT's 40,478 tokens for 50,257."""
    fields, _ = BY_HAND["gpt2"]
    assert counted({**fields, "vocab_size": 40478}).parameters == 116_929_536


PUBLISHED = {
    # Baichuan 2 of 7B (Yang et al. 2023), with 125,696 tokens
    "baichuan": ({"vocab_size": 125696, "hidden_size": 4096, "intermediate_size": 11008,
                  "num_hidden_layers": 32, "num_attention_heads": 32}, 7_505_973_248),
    # the index of ChatGLM3-6B's checkpoint: 12,487,168,064 bytes of two each, of which 64 are
    # rotary frequencies
    "chatglm": ({"padded_vocab_size": 65024, "hidden_size": 4096, "ffn_hidden_size": 13696,
                 "num_layers": 28, "num_attention_heads": 32, "kv_channels": 128,
                 "add_qkv_bias": True, "multi_query_attention": True, "multi_query_group_num": 2},
                6_243_584_000),
    # Phi-2, 2.7B
    "phi-msft": ({"vocab_size": 51200, "n_embd": 2560, "n_layer": 32, "n_head": 32,
                  "activation_function": "gelu_new"}, 2_779_683_840),
    # InternLM2-7B's checkpoint
    "internlm2": ({"vocab_size": 92544, "hidden_size": 4096, "intermediate_size": 14336,
                   "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
                   "bias": False}, 7_737_708_544),
}  # fmt: skip


@pytest.mark.parametrize("kind", PUBLISHED)
def test_types_without_a_class_have_the_count_of_their_checkpoints(kind: str) -> None:
    fields, parameters = PUBLISHED[kind]
    assert counted({"model_type": kind, "hidden_act": "silu", **fields}).parameters == parameters


# --- laws -----------------------------------------------------------------------------------------


KINDS = [
    "llama", "gpt2", "qwen3_moe", "deepseek_v3", "gpt_oss", "opt", "mamba2", "jamba", "nemotron_h",
    "qwen3_5_moe",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_do_not_depend_on_the_sequence(kind: str) -> None:
    counts = {counted(config(kind), size).parameters for size in ((1, 1), (1, 7), (3, 16), (5,))}
    assert len(counts) == 1


def test_work_is_linear_in_tokens_but_for_attention() -> None:
    """Each product of matrices is done for each token; the two of attention for each pair."""
    fields = config("llama")
    one, two, four = (int(counted(fields, (1, n)).macs) for n in (8, 16, 32))
    square = (four - 2 * two) // 2 - (two - 2 * one)
    # layers · heads · (n · n) · (size for the scores + size for the values)
    pairs = 2 * 4 * (4 + 4)
    assert (two - 2 * one) == pairs * (16**2 - 2 * 8**2)
    assert square >= 0
    assert int(counted(fields, (3, 8)).macs) == 3 * one


def test_a_mixture_does_the_work_of_the_experts_that_run() -> None:
    fields = config("qwen3_moe", mlp_only_layers=[])
    few, many = (counted({**fields, "num_experts_per_tok": top}, (1, 8)) for top in (1, 3))
    assert few.parameters == many.parameters
    experts = 2 * 8 * 3 * 16 * 8  # layers, tokens, matrices, width, hidden
    assert int(many.macs) - int(few.macs) == 2 * experts


def test_a_folder_with_a_configuration_is_read_by_it(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-llama"
    folder.mkdir()
    (folder / "config.json").write_text(seeds.LANGUAGE_MODELS[0])
    assert read(folder).name == "tiny-llama"
    assert tally(read(folder)).parameters == tally(read(folder / "config.json")).parameters


def test_a_tied_head_is_counted_once() -> None:
    apart, tied = (counted(config("llama", tie_word_embeddings=tie)) for tie in (False, True))
    assert int(apart.parameters) - int(tied.parameters) == 100 * 16
    assert apart.macs == tied.macs


def test_a_sequence_is_taken_where_none_is_named_and_that_is_said() -> None:
    long = counted(config("llama", max_position_embeddings=131072))
    assert long.network.inputs == {"input_ids": (1, 2048)}
    assert any("2,048 tokens" in note for note in long.network.notes)
    assert not counted(config("llama"), (1, 8)).network.notes


def test_a_longer_sequence_than_the_table_of_positions_is_refused() -> None:
    with pytest.raises(ReadError, match="longer than the table of positions"):
        counted(config("gpt2"), (1, 17))


@pytest.mark.parametrize(
    ("changes", "what", "hint"),
    [
        ({"hidden_size": 5140, "num_attention_heads": 40}, "heads do not divide", "5,120 would be"),
        (
            {"model_type": "lama", "architectures": []},
            "not known: 'lama'",
            "did you mean 'llama'",
        ),
        ({"hidden_act": "sulu"}, "activation that is not known", "silu"),
    ],
)
def test_a_complaint_says_what_would_do(changes: dict[str, Any], what: str, hint: str) -> None:
    with pytest.raises(ReadError, match=what) as error:
        counted(config("llama", **changes))
    assert hint in error.value.hint


def test_a_key_misspelt_is_named() -> None:
    fields = config("llama")
    fields["intermediat_size"] = fields.pop("intermediate_size")
    with pytest.raises(ReadError, match="'intermediate_size' is missing") as error:
        counted(fields)
    assert "intermediat_size" in error.value.hint


# --- transformers' own counts ---------------------------------------------------------------------


def oracle(shared: Path) -> list[dict[str, str]]:
    path = shared / "llm" / "oracle.csv"
    if not path.is_file():
        pytest.skip("the folder llm of ../shared is not there")
    with path.open() as file:
        return [row for row in csv.DictReader(file) if row["model_type"] in ARCHITECTURES]


def test_parameters_and_work_of_published_configurations(shared: Path) -> None:
    """Parameters to the unit, and twice the multiply-accumulates what torch's counter says."""
    rows = [row for row in oracle(shared) if row["parameters"] and "x" in row["input_128"]]
    assert len(rows) > 100
    for row in rows:
        fields = json.loads((shared / "llm" / "configs" / row["file"]).read_text())
        for size, flops in ((row["input_128"], row["flops_128"]),
                            (row["input_long"], row["flops_long"])):  # fmt: skip
            if not flops:
                continue
            batch, tokens = map(int, size.split("x"))
            found = counted(fields, (batch, tokens))
            assert found.parameters == int(row["parameters"]), row["file"]
            assert 2 * int(found.macs) == int(flops), row["file"]


BY_ANOTHER_NAME = {"kimi_k2", "mimo", "deepseek_v2"}
"""Those that transformers knows by other names, or whose defaults it can't build."""
WITHIN_OTHERS = {"qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text", "qwen3_vl_moe_text"}
"""Those that transformers has within other models alone."""
OF_THEIR_OWN_CODE = {
    "baichuan", "chatglm", "internlm", "internlm2", "minicpm", "orion", "phi-msft", "phi3_v",
}  # fmt: skip
"""Those that transformers has no class for."""


def test_of_a_model_with_a_tower_the_text_is_counted(shared: Path) -> None:
    """The work of a text, and the blocks of its model, are those of transformers."""
    path = shared / "llm" / "oracle.csv"
    if not path.is_file():
        pytest.skip("the folder llm of ../shared is not there")
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["model_type"] in BESIDE_TOWERS]
    assert rows
    for row in rows:
        fields = json.loads((shared / "llm" / "configs" / row["file"]).read_text())
        tally = counted(fields, (1, 128))
        assert not tally.complete
        assert any("is no text" in note for note in tally.network.notes)
        blocks = row["blocks"].partition("model.language_model.layers: ")[2]
        expected = sum(
            int(count) * int(size)
            for count, _, size in (each.partition("x") for each in blocks.split(" + "))
        )
        within = "model.language_model.layers."
        assert expected == sum(
            math.prod(shape) for name, shape in tensors(tally).items() if name.startswith(within)
        )
        if row["flops_128"]:
            assert 2 * int(tally.macs) == int(row["flops_128"]), row["file"]


BESIDE_TOWERS = {
    "qwen3_5", "qwen3_5_moe", "gemma4", "minimax_m3_vl",
}  # fmt: skip


def test_modules_that_predict_further_tokens_are_counted_apart() -> None:
    """A block, which its README_WEIGHTS has as 11.5B, a matrix and three normalisations."""
    fields = {
        "model_type": "deepseek_v3", "vocab_size": 129280, "hidden_size": 7168,
        "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_hidden_layers": 61,
        "num_attention_heads": 128, "n_routed_experts": 256, "n_shared_experts": 1,
        "num_experts_per_tok": 8, "kv_lora_rank": 512, "q_lora_rank": 1536,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "hidden_act": "silu",
    }  # fmt: skip
    tally = counted({**fields, "num_nextn_predict_layers": 1}, (1, 8))
    assert tally.parameters == counted(fields, (1, 8)).parameters == 671_026_404_352
    (note,) = tally.network.notes
    assert "num_nextn_predict_layers 1" in note
    size = 11_507_286_016 + 2 * 7168 * 7168 + 3 * 7168
    assert f"{size:,} parameters" in note


TYPES = sorted(
    ARCHITECTURES.keys() - BY_ANOTHER_NAME - OF_THEIR_OWN_CODE - WITHIN_OTHERS - {"dbrx", "rwkv"}
)
DEFAULTS: dict[str, dict[str, Any]] = {
    "glm4_moe": {"head_dim": 128},  # its 96 heads do not divide its width
}
"""What the defaults of transformers' classes lack."""


@pytest.mark.parametrize("kind", TYPES)
def test_tensors_are_those_of_transformers(kind: str) -> None:
    """Names and shapes, at the class's own defaults with few layers."""
    torch = pytest.importorskip("torch")
    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoConfig.for_model(kind)
    for name, value in DEFAULTS.get(kind, {}).items():
        setattr(theirs, name, value)
    if hasattr(theirs, "num_hidden_layers"):
        theirs.num_hidden_layers = min(theirs.num_hidden_layers, 6)
    stated = theirs.to_dict()
    if stated.get("num_key_value_heads", 0) is None:
        theirs.num_key_value_heads = theirs.num_attention_heads
    if stated.get("head_dim", 0) is None:
        theirs.head_dim = theirs.hidden_size // theirs.num_attention_heads
    fields = theirs.to_dict()
    for name in ("layer_types", "mlp_layer_types", "indexer_types"):
        if isinstance(fields.get(name), list) and kind != "nemotron_h" and settable(theirs, name):
            cut = fields[name][: theirs.num_hidden_layers]
            setattr(theirs, name, cut)
            fields[name] = cut
    with quiet(), torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(theirs)
    model.tie_weights()
    expected = {name: tuple(each.shape) for name, each in model.named_parameters()}
    assert tensors(counted(fields, (1, 8))) == expected


WHOLE = [
    "qwen3_5", "qwen3_5_moe", "gemma4", "llama4", "mistral3", "minimax_m3_vl", "kimi_k25",
]  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
def test_a_text_model_within_another_has_its_tensors(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoConfig.for_model(kind)
    theirs.text_config.num_hidden_layers = 6
    for name in ("layer_types", "mlp_layer_types"):
        if isinstance(getattr(theirs.text_config, name, None), list):
            setattr(theirs.text_config, name, getattr(theirs.text_config, name)[:6])
    with quiet(), torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(theirs)
    model.tie_weights()
    expected = {
        name: tuple(each.shape)
        for name, each in model.named_parameters()
        if "language_model" in name or "lm_head" in name
    }
    assert tensors(counted(theirs.to_dict(), (1, 8))) == expected


def test_what_is_kept_of_a_context_by_states(shared: Path) -> None:
    """The states of scans and convolutions by definition, of one sequence."""
    rows = [row for row in oracle(shared) if row["recurrent_state_elements"]]
    assert len(rows) > 10
    for row in rows:
        fields = json.loads((shared / "llm" / "configs" / row["file"]).read_text())
        kept = sum(
            each.node.layer.cache_size(each.inputs, 128)  # type: ignore[attr-defined]
            for each in counted(fields, (1, 128)).rows
            if each.node.layer.kind in STATES
        )
        assert kept == int(row["recurrent_state_elements"]), row["file"]


STATES = {"causal_conv", "shift", "selective_scan", "state_space", "delta_rule", "wkv"}


def test_a_type_that_is_not_known_is_read_by_its_class() -> None:
    """As configurations of reference code have it: another type, and the class of transformers."""
    fields = config("qwen3_moe")
    other = {**fields, "model_type": "a_reference", "architectures": ["Qwen3MoeForCausalLM"]}
    tally = counted(other, (1, 8))
    assert tally.parameters == counted(fields).parameters
    assert tally.network.notes == (
        "the model type 'a_reference' is not known; its class is that of qwen3_moe",
    )


def test_a_tower_in_a_flat_configuration_is_opaque() -> None:
    """Qwen2.5-VL's own files have the text's fields beside vision_config."""
    fields = config("qwen2_5_vl", vision_config={"depth": 32})
    tally = counted(fields, (1, 8))
    assert not tally.complete
    assert "model.language_model.layers.0.self_attn.q_proj.weight" in tensors(tally)


def test_rwkv_has_the_tensors_of_transformers_but_for_the_names_of_shares() -> None:
    """A share of what is new stands in a layer of its own: attention.mix_key.time_mix_key."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    theirs = transformers.RwkvConfig(hidden_size=16, num_hidden_layers=2, vocab_size=50)
    with torch.device("meta"):
        model = transformers.RwkvForCausalLM(theirs)
    expected = {name: tuple(each.shape) for name, each in model.named_parameters()}
    found = tensors(counted(theirs.to_dict(), (1, 8)))
    assert {re.sub(r"\.mix_\w+", "", name): shape for name, shape in found.items()} == expected


def settable(config: Any, name: str) -> bool:
    """Whether a field is one, and not worked out from others."""
    return not isinstance(getattr(type(config), name, None), property)


def tensors(found: Tally) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for row in found.rows:
        for name, shape in row.node.layer.parameters(row.inputs).items():
            if name not in row.node.shared:
                shapes[f"{row.name}.{name}"] = tuple(map(int, shape))
    return shapes
