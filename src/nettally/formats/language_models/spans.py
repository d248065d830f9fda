"""How far back a token sees: sliding windows and chunks, by whichever of the ways to say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Config

WINDOWS = {
    "mistral": 4096, "ministral": 4096, "gemma2": 4096, "gemma3_text": 4096, "cohere2": 4096,
    "olmo3": 4096, "exaone4": 4096, "exaone_moe": 4096, "gpt_oss": 128, "mimo_v2_flash": 129,
    "llama4_text": 8192, "qwen2": 4096, "qwen2_moe": 4096, "qwen3": 4096, "qwen3_moe": 4096,
}  # fmt: skip
"""What transformers' classes take where a configuration has no window."""

PATTERNS = {
    "gemma2": 2, "gpt_oss": 2, "cohere2": 4, "olmo3": 4, "exaone4": 4, "exaone_moe": 4,
    "llama4_text": 4, "gemma3_text": 6, "mimo_v2_flash": 6,
}  # fmt: skip
"""Of so many blocks the last sees everything, where a configuration does not say which do."""

ASKED = ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "mimo")
"""Types whose configurations have a window and say in ``use_sliding_window`` that it is used."""

SLIDING = ("sliding_attention", "chunked_attention", 1)


def span(c: Config, i: int) -> int:
    """How many places a token of block i sees, itself among them; 0 for all before it."""
    kind = c.word("model_type")
    field = "attention_chunk_size" if kind == "llama4_text" else "sliding_window"
    is_null = c.fields.get(field, 0) is None
    if is_null or not c.flag("use_sliding_window", kind not in ASKED):
        return 0
    types = c.list("layer_types") or c.list("hybrid_layer_pattern")
    pattern = PATTERNS.get(kind, 0)
    if isinstance(c.get("sliding_window_pattern"), int):
        pattern = c.whole("sliding_window_pattern", least=0)
    if i < len(types):
        slides = types[i] in SLIDING
    elif pattern:
        slides = bool((i + 1) % pattern)
    else:
        slides = i >= c.whole("max_window_layers", 28 if kind in ("qwen2", "qwen3") else 0, 0)
    if slides and c.get("sliding_window_size") is not None:
        return c.whole("sliding_window_size") + 1  # those before it, without itself
    return c.whole(field, WINDOWS.get(kind, 0), 0) if slides else 0
