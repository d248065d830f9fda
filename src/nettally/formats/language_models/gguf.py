"""Reads GGUF files (llama.cpp): the table of tensors, and the network that its settings describe.

The tensors decide: where the network of the settings has exactly the file's tensors, it is the
network; else the table is, whose layers have parameters and no graph, and a note says so.
"""

from __future__ import annotations

import os
from math import prod
from typing import TYPE_CHECKING, Any

from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..encodings.gguf import Entry, Header
    from ..source import Source
    from .decoder import Decoder

BINARY = True

FORMAT = Format(
    "GGUF",
    (".gguf",),
    "versions 1 to 3; the header only",
    ("of architectures without a line of data, a table of parameters: no layers, shapes or work",),
)

FIELDS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "context_length": "max_position_embeddings",
    "vocab_size": "vocab_size",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "leading_dense_block_count": "first_k_dense_replace",
    "use_parallel_residual": "use_parallel_residual",
}
"""The fields of a configuration that settings of an architecture are."""

TYPES = {
    "qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "gptneox": "gpt_neox",
    "gemma3": "gemma3_text", "command-r": "cohere", "phi2": "phi", "gpt-oss": "gpt_oss",
    "granitemoe": "granitemoe",
}  # fmt: skip
"""The model types that architectures of GGUF are, where the names differ."""

NAMES = {
    "embedding": "token_embd", "embedding_norm": "token_embd_norm", "positions": "position_embd",
    "layers": "blk", "before_attention": "attn_norm", "after_attention": "post_attention_norm",
    "before_feed": "ffn_norm", "after_feed": "post_ffw_norm", "last_norm": "output_norm",
    "head": "output",
}  # fmt: skip
"""What GGUF calls the parts of a decoder that have names."""


def sniff(head: bytes, name: str) -> bool:
    """Whether it begins with GGUF's four letters."""
    return head.startswith(b"GGUF")


def read(source: Source) -> Network:
    """The network of a file. Raises ReadError for a header that can't be, or a part cut off."""
    from ..encodings.blob import Blob
    from ..encodings.gguf import header

    with Blob(source.name, source.path, source.data) as blob:
        found = header(blob)
    network = _network(found, source)
    notes = (*network.notes, *_stored(found.tensors))
    name = found.settings.get("general.name")
    stem = os.path.splitext(os.path.basename(source.name))[0]
    return network.replace(name=name if isinstance(name, str) and name else stem, notes=notes)


def _network(header: Header, source: Source) -> Network:
    from ...errors import NettallyError

    architecture = header.settings.get("general.architecture")
    why = "it names no architecture"
    if architecture is not None:
        why = f"the architecture '{str(architecture)[:40]}' is not known"
    decoder = _decoder(header, str(architecture))
    if decoder is not None:
        try:
            network = _described(header, str(architecture), decoder, source)
            missing = _difference(network, header.tensors)
            if not missing:
                return network
            why = f"its settings describe other tensors: {missing}"
        except NettallyError as error:
            why = f"its settings describe no network: {error.what}"
    return _table(header.tensors, source, f"a table of parameters, without layers: {why}")


def _decoder(header: Header, architecture: str) -> Decoder | None:
    """The architecture with GGUF's names, where there is a line of data for it."""
    from .architectures import ARCHITECTURES
    from .config import Config
    from .decoder import Decoder
    from .parts import FeedForward

    type_ = TYPES.get(architecture, architecture)
    if architecture == "llama" and header.settings.get("llama.expert_count"):
        type_ = "mixtral"
    entry = ARCHITECTURES.get(type_)
    if entry is not None and not isinstance(entry, Decoder):
        entry = entry(Config(_fields(header, architecture), ""))
    if entry is None or entry.alone or not isinstance(entry.feed, FeedForward):
        return None
    return renamed(entry, {each.name for each in header.tensors})


def renamed(decoder: Decoder, tensors: set[str]) -> Decoder:
    """A decoder with GGUF's names; biases are those that the file has."""
    from .parts import Attention, FeedForward, Mixture

    first = "blk.0.attn_qkv" if "blk.0.attn_qkv.weight" in tensors else "blk.0.attn_q"
    attention = decoder.attention
    if isinstance(attention, Attention):
        attention = attention.replace(
            name="", query="attn_q", key="attn_k", value="attn_v", output="attn_output",
            fused="attn_qkv" if first.endswith("qkv") else "",
            norms=("attn_q_norm", "attn_k_norm"), bias=f"{first}.bias" in tensors,
            output_bias="blk.0.attn_output.bias" in tensors, transposed=False,
        )  # fmt: skip
    feed = decoder.feed
    assert isinstance(feed, FeedForward), "others are not looked for"
    feed = feed.replace(
        name="", up="ffn_up", down="ffn_down", gate=feed.gate and "ffn_gate",
        fused=feed.fused and "ffn_up", bias="blk.0.ffn_down.bias" in tensors,
        transposed=False,
    )  # fmt: skip
    mixture = decoder.mixture
    if isinstance(mixture, Mixture):
        shared = mixture.shared
        mixture = mixture.replace(
            name="", router="ffn_gate_inp", experts="ffn_exps",
            shared=shared and shared.replace(
                name="", up="ffn_up_shexp", down="ffn_down_shexp", gate="ffn_gate_shexp"),
            shared_gate=mixture.shared_gate and "ffn_gate_inp_shexp",
        )  # fmt: skip
    names = {part: name for part, name in NAMES.items() if getattr(decoder, part)}
    return decoder.replace(
        **names, attention=attention, feed=feed, mixture=mixture,
        tied="output.weight" not in tensors, head_bias="output.bias" in tensors,
    )  # fmt: skip


def _fields(header: Header, architecture: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, name in FIELDS.items():
        value = header.settings.get(f"{architecture}.{key}")
        if value is not None:
            fields[name] = value
    fields.setdefault("vocab_size", header.settings.get("tokenizer.ggml.tokens"))
    return fields


def _described(header: Header, architecture: str, decoder: Decoder, source: Source) -> Network:
    from .config import Config

    fields = _fields(header, architecture)
    config = Config(fields, source.name, {**decoder.defaults, "hidden_act": "silu"})
    return decoder.network(config, source)


def _difference(network: Network, entries: list[Entry]) -> str:
    """A tensor that one of the two has, and the other not; experts' are three there, two here."""
    shapes: dict[str, Any] = dict(network.inputs)
    ours: dict[str, int] = {}
    for node in network.nodes:
        xs = tuple([shapes[name] for name in node.inputs])
        shapes[node.name] = node.layer.shape(xs)
        for name, shape in node.layer.parameters(xs).items():
            if name not in node.shared:
                expert = node.layer.kind == "experts"
                full = node.name if expert else f"{node.name}.{name}"
                ours[full] = ours.get(full, 0) + prod(shape)
    theirs: dict[str, int] = {}
    for entry in entries:
        name = entry.name
        if name.endswith("_exps.weight"):
            name = f"{name.rpartition('.ffn_')[0]}.ffn_exps"
        if not name.startswith(("rope_f", "rope_freqs")) and ".attn_rot_embd" not in name:
            theirs[name] = theirs.get(name, 0) + prod(entry.shape)
    for name in (*theirs, *ours):
        if ours.get(name) != theirs.get(name):
            return (
                f"{name[:60]} has {theirs.get(name, 0):,} values, {ours.get(name, 0):,} described"
            )
    return ""


def _table(entries: list[Entry], source: Source, why: str) -> Network:
    from ..tensor_table import NamedTensor, table

    tensors = [
        NamedTensor(each.name, each.shape, each.type, role=_role(each.name)) for each in entries
    ]
    return table("", source.name, tensors, [why])


def _role(name: str) -> str:
    return "buffer" if name.startswith("rope_") or ".attn_rot_embd" in name else "parameter"


def _stored(entries: list[Entry]) -> list[str]:
    """How the numbers are stored, by type; and the bits that one takes on average."""
    counts: dict[str, list[int]] = {}
    for entry in entries:
        count = counts.setdefault(entry.type, [0, 0])
        count[0] += prod(entry.shape)
        count[1] += entry.bytes
    values, size = (sum(each[place] for each in counts.values()) for place in (0, 1))
    if not values:
        return []
    listed = ", ".join(f"{count:,} {kind}" for kind, (count, _) in sorted(counts.items()))
    return [f"stored in {size:,} bytes, {8 * size / values:.4g} bits a weight: {listed}"]
