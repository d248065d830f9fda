"""What is counted of language models beside parameters and work: active ones, tables, caches."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

import seeds
from nettally.claims.check import check
from nettally.counting.quantities import measure
from nettally.counting.tally import tally
from nettally.errors import ClaimError
from nettally.formats import Source, language_models
from nettally.formats.language_models.architectures import ARCHITECTURES

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


@pytest.mark.parametrize("seed", seeds.LANGUAGE_MODELS)
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
