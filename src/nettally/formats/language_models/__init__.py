"""Networks from the configurations of language models: ``config.json`` of the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ReadError, closest
from ..source import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...network import Network
    from ..source import Source
    from .config import Config

    class Architecture(Protocol):
        """What builds a network by a configuration."""

        @property
        def defaults(self) -> Mapping[str, Any]: ...

        def network(self, config: Config, source: Source) -> Network: ...


FORMAT = Format(
    "language models by their configuration",
    (".json",),
    "config.json of transformers 4 and 5",
    (
        "architectures that no line of data describes are refused by their type",
        "modules that predict several tokens are not built",
    ),
)


def sniff(head: bytes, name: str) -> bool:
    """Whether it is an object in JSON that names a model's type, or its class before the labels."""
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    named = b'"model_type"' in head or b'"architectures"' in head
    return start.startswith(b"{") and named and b'"class_name"' not in head


def read(source: Source) -> Network:
    """The network that a configuration describes, for one sequence. Raises ReadError."""
    from ..encodings.json import load

    return network(load(source.text, source.name), source)


def network(fields: Any, source: Source) -> Network:
    """The network of a configuration's fields."""
    from .config import Config

    if not isinstance(fields, dict):
        raise ReadError("a configuration is an object", where=source.name)
    config = Config(fields, source.name)
    type_ = config.word("model_type")
    architecture = next((table[type_] for table in tables() if type_ in table), None)
    if architecture is None:
        known = [each for table in tables() for each in table]
        raise config.error(
            f"the model type '{type_[:60]}' is not known",
            values=f"known: {', '.join(known)}",
            hint=closest(type_, known),
        )
    if callable(architecture):
        architecture = architecture(config)
    config.defaults = architecture.defaults
    return architecture.network(config, source)


def tables() -> Iterator[Mapping[str, Architecture | Callable[[Config], Architecture]]]:
    """The tables of architectures by model type, each read when those before it lack the type."""
    from .architectures import ARCHITECTURES

    yield ARCHITECTURES
    from .encoders import ENCODERS

    yield ENCODERS
    from .encoder_decoders import ENCODER_DECODERS

    yield ENCODER_DECODERS
    from .vision import VISION

    yield VISION
    from .vision_language import VISION_LANGUAGE

    yield VISION_LANGUAGE
