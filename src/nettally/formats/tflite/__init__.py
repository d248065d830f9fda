"""Reads TFLite's models (https://ai.google.dev/edge/litert): the graph, sizes and counts.

A model is a flatbuffer; weights are not fetched. TFLite has channels last, a network here channels
first: tensors of four and more axes that convolutions, pools and such work on are turned round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.blob import Blob
from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

BINARY = True
"""The file is opened by this module, which fetches of it what it needs."""

FORMAT = Format(
    "TFLite",
    (".tflite", ".lite"),
    "schema version 3 (3a to 3c), operators of TensorFlow 2.17 by their names",
    (
        "the subgraphs that IF, WHILE and CALL run: their operators are opaque, with stated shapes",
        "operators without a layer here, and custom ones, are opaque with the stated shape",
        "StableHLO's operators are opaque",
        "parameters are the file's: batch normalisation is folded into weights and biases",
    ),
)


def sniff(head: bytes, name: str) -> bool:
    """Whether the flatbuffer's identifier is TFLite's, of any version."""
    return (head[4:7] == b"TFL" and head[7:8].isdigit()) or name.endswith(".tflite")


def read(source: Source) -> Network:
    """The network of a TFLite file.

    Raises ReadError where the file is damaged, contradicts itself, or leaves the sizes of an input
    open that ``source.inputs`` does not give.
    """
    from .builder import TfliteBuilder
    from .model import model
    from .rules import RULES

    with Blob(source.name, source.path, source.data) as blob:
        if blob.size < 16:
            raise blob.error("the file is too short for a TFLite model", blob.size)
        return TfliteBuilder(model(blob), source, RULES).read()
