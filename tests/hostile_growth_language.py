"""Configurations of language models and GGUF files that grow."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    Maker = Callable[[int], bytes]


def config(**changes: Any) -> bytes:
    return json.dumps({**seeds.LLAMA, **changes}).encode()


def items(key: str, item: Any) -> Maker:
    """A configuration with a long list under a key."""
    return lambda size: config(**{key: [item] * (size // len(json.dumps(item) + ", "))})


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def header(tensors: int, keys: int, rest: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest


def many_keys(size: int) -> bytes:
    count = size // 24
    return header(
        0, count, b"".join(text(f"k{i}") + struct.pack("<II", 4, i) for i in range(count))
    )


def many_strings(size: int) -> bytes:
    count = size // 9
    words = struct.pack("<IIQ", 9, 8, count) + (struct.pack("<Q", 1) + b"a") * count
    return header(0, 1, text("tokenizer.ggml.tokens") + words)


def nested(size: int) -> bytes:
    """Lists of lists of nothing."""
    count = size // 12
    return header(
        0, 1, text("k") + struct.pack("<IIQ", 9, 9, count) + struct.pack("<IQ", 4, 0) * count
    )


def many_tensors(name: str) -> Maker:
    def make(size: int) -> bytes:
        count = size // (60 + len(name))
        tensors = [(f"{name}{i}", [1], "F32") for i in range(count)]
        return seeds.gguf({"general.architecture": "llama"}, tensors)

    return make


GENERATORS: dict[str, tuple[str, Maker]] = {
    "config: keys": ("c.json", lambda size: config(**{f"k{i}": 1 for i in range(size // 12)})),
    "config: labels": (
        "c.json", lambda size: config(id2label={str(i): f"LABEL_{i}" for i in range(size // 25)})
    ),
    "config: types": ("c.json", items("layer_types", "full_attention")),
    "config: sparse layers": ("c.json", items("moe_layer_freq", 1)),
    "config: a long word": ("c.json", lambda size: config(hidden_act="a" * size)),
    "config: a long type": ("c.json", lambda size: config(model_type="a" * size)),
    "config: layers": (
        "c.json", lambda size: config(num_hidden_layers=min(2_000, size // 512), notes="a" * size)
    ),
    "config: pattern": (
        "c.json",
        lambda size: config(model_type="nemotron_h", hybrid_override_pattern="M" * size),
    ),
    "gguf: keys": ("g.gguf", many_keys),
    "gguf: strings": ("g.gguf", many_strings),
    "gguf: lists": ("g.gguf", nested),
    "gguf: tensors": ("g.gguf", many_tensors("blk.0.t")),
    "gguf: long names": ("g.gguf", many_tensors("a." * 100)),
}  # fmt: skip
