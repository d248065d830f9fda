"""Networks from the configurations of language models: ``config.json`` of the Hugging Face Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError, closest
from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

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
    from .config import ROOTS, Config, beside_text, by_class
    from .decoder import Decoder

    if not isinstance(fields, dict):
        raise ReadError("a configuration is an object", where=source.name)
    config = Config(fields, source.name)
    whole = config.word("model_type")
    architecture = ARCHITECTURES.get(whole)
    towers: dict[str, str] = {}
    text = config
    if isinstance(architecture, Decoder | None):
        towers, text = beside_text(config)
    type_ = text.word("model_type", whole)
    if text is not config or architecture is None:
        architecture = ARCHITECTURES.get(f"{type_}_text") or ARCHITECTURES.get(type_)
    notes: tuple[str, ...] = ()
    if architecture is None and (named := by_class(text, ARCHITECTURES)):
        architecture = ARCHITECTURES[named]
        notes = (f"the model type '{type_[:60]}' is not known; its class is that of {named}",)
    if architecture is None:
        raise text.error(
            f"the model type '{type_[:60]}' is not known",
            values=f"known: {', '.join(ARCHITECTURES)}",
            hint=closest(type_, ARCHITECTURES),
        )
    if not isinstance(architecture, Decoder):
        architecture = architecture(text)
    text.defaults = {**architecture.defaults, **text.defaults}
    if text is not config or f"{whole}_text" in ARCHITECTURES:
        architecture = architecture.within(ROOTS.get(whole, "model.language_model"))
    described = architecture.network(text, source, towers)
    return described.replace(notes=(*notes, *described.notes)) if notes else described
