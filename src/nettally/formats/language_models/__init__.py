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
        "modules that predict further tokens are not built; a note has their number",
        "towers for images and sound beside a text model are opaque",
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
    from .config import ROOTS, Config, beside_text, by_class
    from .decoder import Decoder

    if not isinstance(fields, dict):
        raise ReadError("a configuration is an object", where=source.name)
    config = Config(fields, source.name)
    whole = config.word("model_type")
    decoders = next(tables())
    # Qwen2-VL's own files have the text's fields beside vision_config: of these the text is read
    flat = "vision_config" in config.fields and "text_config" not in config.fields
    searched = (decoders,) if flat else tables()
    architecture = next((table[whole] for table in searched if whole in table), None)
    towers: dict[str, str] = {}
    text, notes = config, tuple[str, ...]()
    if isinstance(architecture, Decoder | None):
        towers, text = beside_text(config)
    type_ = text.word("model_type", whole)
    if text is not config or architecture is None:
        architecture = decoders.get(f"{type_}_text") or decoders.get(type_)
    if architecture is None and (named := by_class(text, decoders)):
        architecture = decoders[named]
        notes = (f"the model type '{type_[:60]}' is not known; its class is that of {named}",)
    if architecture is None:
        known = [each for table in tables() for each in table]
        raise text.error(
            "this is a configuration of Hugging Face's transformers, of a model type that is not "
            f"known: '{type_[:60]}'",
            values=f"{len(known)} types are",
            hint=near
            if (near := closest(type_, known)).startswith("did you mean")
            else "name the model's safetensors files, or the module: package.module:factory",
        )
    if callable(architecture):
        architecture = architecture(text)
    text.defaults = {**architecture.defaults, **text.defaults}
    if isinstance(architecture, Decoder):
        if text is not config or f"{whole}_text" in decoders:
            architecture = architecture.within(ROOTS.get(whole, "model.language_model"))
        described = architecture.network(text, source, towers)
    else:
        described = architecture.network(text, source)
    return described.replace(notes=(*notes, *described.notes)) if notes else described


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
