"""Networks from the configurations of language models: ``config.json`` of the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError, closest
from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

FORMAT = Format(
    "configurations of language models",
    ("config.json",),
    "transformers' config.json",
    ("what the named architectures are not",),
)


def sniff(head: bytes, name: str) -> bool:
    """Whether it is an object in JSON that names a model's type."""
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and b'"model_type"' in head and b'"class_name"' not in head


def read(source: Source) -> Network:
    """The network that a configuration describes, for one sequence. Raises ReadError."""
    from ..encodings.json import load

    return network(load(source.text, source.name), source)


def network(fields: Any, source: Source) -> Network:
    """The network of a configuration's fields."""
    from .architectures import ARCHITECTURES
    from .config import Config
    from .decoder import Decoder

    if not isinstance(fields, dict):
        raise ReadError("a configuration is an object", where=source.name)
    config = Config(fields, source.name)  # pyright: ignore[reportUnknownArgumentType] - JSON's keys are strings
    type_ = config.word("model_type")
    architecture = ARCHITECTURES.get(type_)
    if architecture is None:
        raise config.error(
            f"the model type '{type_[:60]}' is not known",
            values=f"known: {', '.join(ARCHITECTURES)}",
            hint=closest(type_, ARCHITECTURES),
        )
    if not isinstance(architecture, Decoder):
        architecture = architecture(config)
    config.defaults = architecture.defaults
    return architecture.network(config, source)
