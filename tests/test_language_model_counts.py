"""What is counted of language models beside parameters and work: active ones, tables, caches."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

import seeds
from nettally.accountings.language_models import WAYS, estimates
from nettally.claims.check import check
from nettally.counting.caches import cache, decode
from nettally.counting.quantities import measure
from nettally.counting.tally import tally
from nettally.errors import ClaimError, LayerError, NettallyError
from nettally.formats import Source, language_models
from nettally.formats.language_models.architectures import ARCHITECTURES
from nettally.formats.native import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nettally.counting.tally import Tally


def counted(fields: dict[str, Any], tokens: tuple[int, ...] = (1, 8), working: bool = False) -> Any:
    source = Source("config.json", b"", {"": tokens})
    return tally(language_models.network(fields, source), working=working)


GPT2 = {
    "model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12,
    "n_head": 12,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "num_local_experts": 8, "num_experts_per_tok": 2, "hidden_act": "silu",
}  # fmt: skip
GPT_OSS = {
    "model_type": "gpt_oss", "vocab_size": 201088, "hidden_size": 2880, "intermediate_size": 2880,
    "num_hidden_layers": 24, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
    "num_local_experts": 32, "num_experts_per_tok": 4, "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12, "hidden_act": "silu",
}  # fmt: skip
QWEN3 = {
    "model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048, "num_hidden_layers": 48,
    "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128,
    "num_experts_per_tok": 8, "moe_intermediate_size": 768, "intermediate_size": 6144,
    "hidden_act": "silu",
}  # fmt: skip


# --- active parameters, and those of no table -----------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "quantity", "count"),
    [
        # Jiang et al. 2024: 12.9B of 46.7B; Qwen3's card: 3.3B; gpt-oss's: 3.61B, without the table
        # that is looked up
        (MIXTRAL, "active", 12_879_925_248),
        (QWEN3, "active", 3_353_032_704),
        (GPT_OSS, "active_without_input_embedding", 3_608_307_264),
        (GPT2, "active", 124_439_808),
        (GPT2, "active_parameters", 124_439_808),
        # its head is the table, which is then multiplied by
        (GPT2, "active_without_input_embedding", 124_439_808),
        (GPT2, "active_without_embeddings", 124_439_808 - 50_257 * 768),
        (GPT2, "non_embedding", 124_439_808 - (50_257 + 1024) * 768),
    ],
)
def test_published_active_parameters(fields: dict[str, Any], quantity: str, count: int) -> None:
    for working in (False, True):
        assert measure(counted(fields, working=working), "", quantity) == count


def oracle(shared: Path) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Rows of transformers' own counts of the types that are known here, and configurations."""
    path = shared / "llm" / "oracle.csv"
    if not path.is_file():
        pytest.skip("the folder llm of ../shared is not there")
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["model_type"] in ARCHITECTURES and row["flops_128"]:
                yield row, json.loads((path.parent / "configs" / row["file"]).read_text())


def test_active_parameters_of_published_configurations(shared: Path) -> None:
    for row, fields in oracle(shared):
        found = counted(fields)
        for quantity in ("active", "active_without_input_embedding", "active_without_embeddings"):
            assert measure(found, "", quantity) == int(row[quantity]), (row["file"], quantity)
        assert measure(found, "embedding", "parameters") == int(row["input_embedding"])
        # transformers names GPT's table of positions otherwise, and it was taken for no such table
        if row["model_type"] != "openai-gpt":
            assert measure(found, "", "non_embedding") == int(row["non_embedding"]), row["file"]


DECODERS = [
    seed for seed in seeds.LANGUAGE_MODELS if json.loads(seed)["model_type"] in ARCHITECTURES
]


@pytest.mark.parametrize("seed", DECODERS)
def test_the_parts_are_at_most_the_whole(seed: str) -> None:
    found = counted(json.loads(seed))
    whole = found.parameters
    active = measure(found, "", "active")
    assert 0 < measure(found, "", "non_embedding") < whole
    assert measure(found, "", "active_without_embeddings") < active <= whole
    routed = any(row.node.layer.kind == "experts" for row in found)
    assert (active < whole) == routed


def test_all_experts_are_active_where_all_are_chosen() -> None:
    found = counted({**MIXTRAL, "num_experts_per_tok": 8})
    assert measure(found, "", "active") == found.parameters


def test_of_a_network_without_tables_everything_is_active(alexnet: Tally) -> None:
    for quantity in ("active", "non_embedding", "active_without_embeddings"):
        assert measure(alexnet, "", quantity) == alexnet.parameters


@pytest.fixture(scope="module")
def alexnet() -> Tally:
    return tally("alexnet")


def test_a_sum_is_claimed_of_all_layers_of_a_kind() -> None:
    found = counted(GPT2)
    claims = [
        "embedding.parameters = 38.6M",
        "position_embedding.parameters = 786,432",
        "non_embedding = 85.1M",
        "active = 124M",
        "layer_norm.parameters = 38,400",
    ]
    verdicts = check(found, claims)
    assert [verdict.status for verdict in verdicts] == [
        "rounds", "exact", "rounds", "rounds", "exact",
    ]  # fmt: skip


def test_a_kind_has_no_shape() -> None:
    with pytest.raises(ClaimError, match=r"is no layer of .* but a kind of 25 of them") as error:
        measure(counted(GPT2), "layer_norm", "output")
    assert "layer_norm.parameters" in error.value.hint


# --- caches of keys and values --------------------------------------------------------------------

LLAMA = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}  # fmt: skip
MANY_HEADS = {**LLAMA, "vocab_size": 32000, "intermediate_size": 11008, "num_key_value_heads": 32}
DEEPSEEK = {
    **json.loads(next(seed for seed in seeds.LANGUAGE_MODELS if "deepseek" in seed)),
    "model_type": "deepseek_v2", "num_hidden_layers": 60, "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
}  # fmt: skip
MISTRAL = {**LLAMA, "model_type": "mistral", "vocab_size": 32000, "sliding_window": 4096}


@pytest.mark.parametrize(
    ("fields", "claim"),
    [
        # Llama-3.1-8B: 131,072 bytes a token (ml-engineering), 0.125 GiB of 1,024 (Hub's blog)
        (LLAMA, "kv_cache(1) = 131,072"),
        (LLAMA, "kv_cache(1024) = 0.125 GiB"),
        # Llama-2-7B, 10,000 tokens: "≈ 5GB" (the Hub's blog on quantising caches)
        (MANY_HEADS, "kv_cache(10000) = 5.24e9"),
        # DeepSeek-V2: (512 + 64) · 60 a token; Mistral 7B: 8 times less at 32k (Jiang et al. 2023)
        (DEEPSEEK, "kv_cache_values(1) = 34,560"),
        (MISTRAL, "kv_cache(32768) = kv_cache"),
    ],
)
def test_published_caches(fields: dict[str, Any], claim: str) -> None:
    found = counted(fields)
    if claim.endswith("= kv_cache"):
        claim = "8 * kv_cache(32768) / kv_cache(4096) = 8"
    (verdict,) = check(found, [claim])
    assert verdict.status in ("exact", "rounds"), verdict


REPEATED = ("falcon",)
"""Of those transformers 5.24 caches keys that are repeated for each head of queries."""


def test_caches_of_published_configurations(shared: Path) -> None:
    """By definition, and what transformers' caches held, which of a window keep one place less."""
    for row, fields in oracle(shared):
        if not row["kv_elements_per_token"]:
            continue
        found = counted(fields)
        assert cache(found, 1).keys_and_values == int(row["kv_elements_per_token"]), row["file"]
        for elements in ("128", "long"):
            if row["model_type"] in REPEATED or not row[f"cache_elements_{elements}"]:
                continue
            context = int(row[f"input_{elements}"].split("x")[1])
            spans = [each for each in found if each.node.layer.fields().get("span")]
            less = sum(
                each.node.layer.cache_size(each.inputs, 1)
                for each in spans
                if each.node.layer.fields()["span"] <= context
            )
            theirs = int(row[f"cache_elements_{elements}"])
            assert cache(found, context).keys_and_values - less == theirs, row["file"]


def test_a_window_keeps_no_more_than_it_shows() -> None:
    found = counted(MISTRAL)
    assert cache(found, 4096) == cache(found, 5000)._replace(context=4096)
    assert cache(found, 4095).values < cache(found, 4096).values
    null = counted({**MISTRAL, "sliding_window": None})
    assert cache(null, 8192).values == 2 * cache(null, 4096).values


def test_each_sequence_of_a_batch_has_its_own_cache() -> None:
    assert cache(counted(LLAMA, (8, 1)), 100).values == 8 * cache(counted(LLAMA), 100).values


def test_keys_of_an_index_are_told_apart() -> None:
    fields = {**DEEPSEEK, "model_type": "deepseek_v32", "index_n_heads": 2, "index_head_dim": 128,
              "q_lora_rank": 8, "first_k_dense_replace": 60}  # fmt: skip
    found = cache(counted(fields), 10)
    assert (found.keys_and_values, found.index_keys) == (345_600, 60 * 128 * 10)


def test_what_keeps_nothing_says_so(alexnet: Tally) -> None:
    (verdict,) = check(alexnet, ["kv_cache(10) = 3"])
    assert "keeps anything of a token" in str(verdict)
    with pytest.raises(NettallyError, match="is not known"):
        cache(tally(opaque()), 10)


def opaque() -> Any:
    text = b"nettally: 1\nname: n\ninput: 4x8\nlayers:\n  - odd: opaque Odd\n"
    return read(Source("n.yaml", text))


@pytest.mark.parametrize(
    ("layer", "values"),
    [("lstm 6", 12), ("gru 6", 6), ("lstm 6, projection 2", 8), ("lstm 6, directions 2", 0)],
)
def test_a_state_does_not_grow(layer: str, values: int) -> None:
    text = f"nettally: 1\nname: n\ninput: 4x8\nlayers:\n  - l: {layer}\n  - c: cache\n"
    found = tally(read(Source("n.yaml", text.encode())))
    assert cache(found, 5).state == cache(found, 50).state == values
    assert measure(found, "", "recurrent_state") == values


# --- one token after others -----------------------------------------------------------------------


def work_of_transformers(kind: str, fields: dict[str, Any], context: int) -> int:
    """What torch counts for one token that a model of transformers reads after others."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from torch_models import quiet, torchvision_ready

    torchvision_ready()
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(**fields)
    config._attn_implementation = "eager"
    with quiet(), torch.no_grad():
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        past = model(torch.zeros(1, context, dtype=torch.int64), use_cache=True).past_key_values
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 1, dtype=torch.int64), past_key_values=past, use_cache=True)
    return int(counter.get_total_flops())


SMALL = {
    "vocab_size": 100, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
    "max_position_embeddings": 64,
}  # fmt: skip
DECODED = {
    "llama": SMALL,
    "gpt2": {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "gemma3_text": {**SMALL, "sliding_window": 8, "sliding_window_pattern": 2,
                    "layer_types": ["sliding_attention", "full_attention"] * 2,
                    "num_hidden_layers": 4},
    "mistral": {**SMALL, "sliding_window": 5},
    "deepseek_v3": {**SMALL, "kv_lora_rank": 8, "q_lora_rank": 12, "qk_rope_head_dim": 4,
                    "qk_nope_head_dim": 6, "v_head_dim": 10, "num_key_value_heads": 4,
                    "first_k_dense_replace": 3, "head_dim": 4},
}  # fmt: skip


@pytest.mark.parametrize("context", [1, 4, 11])
@pytest.mark.parametrize("kind", DECODED)
def test_the_work_of_one_token_is_transformers(kind: str, context: int) -> None:
    fields = {"model_type": kind, **DECODED[kind]}
    found = decode(counted(fields, (1, 1)).network, context)
    assert 2 * int(found.macs) == work_of_transformers(kind, fields, context)


def test_tokens_one_by_one_see_half_the_square() -> None:
    """Token by token each sees those before it and itself: n (n + 1) / 2 pairs of n²."""
    fields, n = {"model_type": "llama", **SMALL}, 9
    whole, one = counted(fields, (1, n)), counted(fields, (1, 1))
    pairs = 2 * 3 * 4 * 6  # products, layers, heads, size
    steps = sum(int(decode(one, context).macs) for context in range(n))
    assert int(whole.macs) - steps == pairs * (n * n - n * (n + 1) // 2)


def test_decoding_takes_one_token() -> None:
    with pytest.raises(NettallyError, match="one token is decoded at a time"):
        decode(counted(LLAMA).network, 4)


def test_there_is_no_place_behind_the_table_of_positions() -> None:
    one = counted(GPT2, (1, 1)).network
    assert decode(one, 1023).macs
    with pytest.raises(LayerError, match="longer than the table") as error:
        decode(one, 1024)
    assert "rows 1024, 1024 of them before it" in str(error.value)


# --- published ways to count training -------------------------------------------------------------


def ways(found: Tally) -> dict[str, int]:
    return {each.way.name: int(each.flops) for each in estimates(found)}


def gpt(layers: int, width: int, heads: int, vocabulary: int, places: int) -> dict[str, Any]:
    return {"model_type": "gpt2", "vocab_size": vocabulary, "n_positions": places, "n_embd": width,
            "n_layer": layers, "n_head": heads}  # fmt: skip


GPT3 = gpt(96, 12288, 96, 50257, 2048)
MPT_7B = gpt(32, 4096, 32, 50368, 2048)  # llm-foundry's, with biases and learned positions
PALM = {
    "model_type": "llama", "vocab_size": 256000, "hidden_size": 18432, "intermediate_size": 73728,
    "num_hidden_layers": 118, "num_attention_heads": 48, "num_key_value_heads": 1, "head_dim": 256,
    "tie_word_embeddings": True,
}  # fmt: skip
LLAMA_8B = LLAMA


@pytest.mark.parametrize(
    ("way", "fields", "tokens", "scale", "printed"),
    [
        # Brown et al. 2020, table D.1: 3.14E+23 for 300 billion tokens
        ("gpt-3", GPT3, 2048, 300e9 / 1e23, 3.14),
        # PaLM, section 4.1: 46.2 % at 238.3K tokens a second on 6144 chips of 275 TFLOP/s
        ("palm", PALM, 2048, 238.3e3 / (6144 * 275e12) * 100, 46.2),
        # llm-foundry's README: 46.44 % at 85,144 tokens a second on 8 H100 of 989.4 TFLOP/s
        ("llm-foundry", MPT_7B, 2048, 85_144 / (8 * 989.4e12) * 100, 46.44),
        # torchtitan's Llama 3.1 8B: 33 % and 39 % at 5,762 and 6,667 tokens a second and H100
        ("torchtitan", LLAMA_8B, 8192, 5762 / 989e12 * 100, 33.7),
        ("torchtitan", LLAMA_8B, 8192, 6667 / 989e12 * 100, 39.0),
    ],
)
def test_a_published_way_gives_what_its_source_prints(
    way: str, fields: dict[str, Any], tokens: int, scale: float, printed: float
) -> None:
    found = counted(fields, (1, tokens))
    ours = ways(found)[way] / tokens * scale
    places = len(str(printed).partition(".")[2])
    assert abs(ours - printed) <= 0.5 * 10**-places + 1e-9


def test_nanogpt_prints_its_own_sizes() -> None:
    """The forward pass of 1,024 tokens, and 6N with attention, of a GPT-2 without biases."""
    found = counted(GPT2, (1, 1024))
    assert 2 * int(found.macs) == 291_648_307_200
    biases = measure(found, "", "biases")
    assert ways(found)["nanogpt"] - 6 * int(biases) * 1024 == 875_062_886_400


@pytest.mark.parametrize("batch", [1, 3])
def test_closed_forms(batch: int) -> None:
    """Equations as they are printed, of a transformer as their papers mean it."""
    n, d, heads, v, s, b = 5, 64, 4, 1000, 32, batch
    found = counted(gpt(n, d, heads, v, s), (b, s))
    ours = ways(found)
    # 96 B s L d² (1 + s / (6 d) + V / (16 L d))
    assert (
        ours["megatron-2021"] == 96 * b * s * n * d**2 + 16 * b * s**2 * n * d + 6 * b * s * d * v
    )
    # a sequence, forward: embeddings, then of each layer QKV, logits, softmax, values, output and
    # the feed-forward network, then the logits of the head
    layer = 6 * s * d**2 + 2 * s**2 * d + 3 * heads * s**2 + 2 * s**2 * d + 2 * s * d**2
    layer += 2 * s * (2 * d * 4 * d)
    assert ours["hoffmann-2022"] == 3 * b * (4 * s * v * d + n * layer)
    assert ours["kaplan-2020-forward"] - 2 * b * s * int(measure(found, "", "non_embedding")) == (
        2 * n * s * d * b * s
    )


def test_of_a_mixture_what_is_active_is_multiplied() -> None:
    found = counted(MIXTRAL)
    assert ways(found)["gpt-3"] == 6 * 12_879_925_248 * 8


def test_networks_without_tokens_have_no_such_way(alexnet: Tally) -> None:
    assert estimates(alexnet) == ()


def test_the_names_of_ways_differ_and_have_a_source() -> None:
    assert len({way.name for way in WAYS}) == len(WAYS)
    assert all(way.source and way.title for way in WAYS)
