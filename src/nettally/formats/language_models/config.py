"""What a configuration says: its JSON, and where that says nothing, the class that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError, closest
from ...network import MAX_SIZE, NOTHING, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    name: tuple(others.split())
    for name, others in {
        "hidden_size": "n_embd d_model dim n_embed model_dim",
        "num_hidden_layers": "n_layer num_layers n_layers encoder_layers num_decoder_layers",
        "num_attention_heads": "n_head num_heads n_heads encoder_attention_heads",
        "num_key_value_heads": "n_kv_heads num_kv_heads n_head_kv multi_query_group_num",
        "intermediate_size": "n_inner ffn_dim d_ff ffn_hidden_size hidden_dim",
        "max_position_embeddings": "n_positions n_ctx max_seq_len max_sequence_length seq_length "
        "context_length",
        "vocab_size": "padded_vocab_size",
        "decoder_sparse_step": "interleave_moe_layer_step moe_layer_interval expert_layer_period",
        "num_experts": "num_local_experts n_routed_experts moe_num_experts",
        "num_experts_per_tok": "moe_topk num_experts_per_token moe_top_k num_selected_experts",
    }.items()
}
"""By the name that most configurations use, the names that others use for the same."""

TOWERS = {
    "vision_config": "model.vision_tower", "audio_config": "model.audio_tower",
    "img_processor": "model.vision_embed_tokens",
}  # fmt: skip
"""What stands beside a text model, by the field that describes it, and its usual name."""

ROOTS = {"llama4": "language_model.model"}
"""Where text models stand within others, by the model's type; others: ``model.language_model``."""

LEFT_OUT: dict[str, dict[str, Any]] = {
    "llama": {
        "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 11_008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
    },
    "mistral": {
        "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 14_336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "hidden_act": "silu",
    },
    "gemma3_text": {
        "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216,
        "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
    },
}  # fmt: skip
"""What text models within others leave out: it is what transformers' class has anyway."""


class Config:
    """A model's configuration. Getters raise ReadError with the field's name.

    fields: of the JSON. defaults: what the class that reads it takes where a field is missing.
    path: of the configuration within another, with dots.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        file: str,
        defaults: Mapping[str, Any] = NOTHING,
        path: str = "",
    ) -> None:
        self.fields = fields
        self.file = file
        self.defaults = defaults
        self.path = path
        self.span = Span(file, 0)

    def error(self, what: str, *, values: str = "", hint: str = "") -> ReadError:
        where = f"{self.file}: {self.path}" if self.path else self.file
        return ReadError(what[:300], where=where, values=values[:300], hint=hint)

    def get(self, name: str, default: Any = None) -> Any:
        """The field under this or another name, with dots within others; null is missing."""
        outer, dot, inner = name.partition(".")
        if dot:
            return self.part(outer).get(inner, default)
        for each in (name, *OTHER_NAMES.get(name, ())):
            value = self.fields.get(each)
            if value is not None:
                return value
        value = self.defaults.get(name)
        return default if value is None else value

    def whole(
        self, name: str, default: int | None = None, least: int = 1, most: int = MAX_SIZE
    ) -> int:
        """A whole number."""
        value = self.get(name, default)
        if value is None:
            raise self.error(
                f"'{name}' is missing",
                values="this configuration of Hugging Face's transformers has "
                + ", ".join(list(self.fields)[:12])[:200],
                hint=closest(name, self.fields),
            )
        if type(value) is not int:
            raise self.error(f"'{name}' must be a whole number", values=f"{name}: {value!r}"[:120])
        if not least <= value <= most:
            raise self.error(
                f"'{name}' must be between {least} and {most:,}",
                values=f"{name}: {value if abs(value) < 10**40 else 'over 40 digits'}",
            )
        return value

    def number(self, name: str, default: float) -> float:
        """A number that need not be whole, from 0 on."""
        value = self.get(name, default)
        if type(value) not in (int, float) or not 0 <= value < MAX_SIZE:
            raise self.error(
                f"'{name}' must be a number from 0 on", values=f"{name}: {value!r}"[:120]
            )
        return float(value)

    def flag(self, name: str | bool, default: bool = False) -> bool:
        """A truth value; True and False stand for themselves."""
        if isinstance(name, bool):
            return name
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise self.error(f"'{name}' must be true or false", values=f"{name}: {value!r}"[:120])
        return value

    def word(self, name: str, default: str = "") -> str:
        value = self.get(name, default)
        if not isinstance(value, str):
            raise self.error(f"'{name}' must be a word", values=f"{name}: {value!r}"[:120])
        return value

    def list(self, name: str) -> list[Any]:
        value = self.get(name, [])
        if not isinstance(value, list):
            raise self.error(f"'{name}' must be a list", values=f"{name}: {value!r}"[:120])
        return value

    def part(self, name: str) -> Config:
        """A configuration within this one."""
        value = self.get(name, {})
        if not isinstance(value, dict):
            raise self.error(f"'{name}' must be an object", values=f"{name}: {value!r}"[:120])
        return Config(value, self.file, path=f"{self.path}.{name}" if self.path else name)


def beside_text(config: Config) -> tuple[dict[str, str], Config]:
    """The towers beside a text model, and the configuration of the text model, or of the whole.

    Whether the head is tied is what the whole says, if it does.
    """
    towers = {
        name: field.removesuffix("_config")
        for field, name in TOWERS.items()
        if config.get(field) is not None
    }
    if config.get("text_config") is None:
        return towers, config
    classes = config.list("architectures")
    if not towers and classes and str(classes[0]).endswith("ForConditionalGeneration"):
        towers = {TOWERS["vision_config"]: "vision"}  # its class has one by default
    text = config.part("text_config")
    text.defaults = LEFT_OUT.get(text.word("model_type"), NOTHING)
    tied = config.get("tie_word_embeddings")
    if tied is not None:
        text.fields = {**text.fields, "tie_word_embeddings": tied}
    return towers, text


def by_class(config: Config, known: Iterable[str]) -> str:
    """The known type whose class it names: DeepseekV4ForCausalLM is deepseek_v4's."""
    for name in map(str, config.list("architectures")):
        stem = name.partition("For")[0].lower()
        for each in known:
            if each.replace("_", "") == stem:
                return each
    return ""
