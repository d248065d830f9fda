"""Reads Keras' models: what ``model.to_json()``, ``model.save()`` and TensorFlow.js write.

Only the configuration is read, never the weights; no code in it is run. See docs/formats/keras.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

BINARY = True
"""Archives and HDF5 files are opened by this module, which takes their configuration only."""

FORMAT = Format(
    "Keras",
    (".json", ".keras", ".h5", ".hdf5"),
    "model.to_json() of Keras 1, 2 and 3; .keras archives; .h5; TensorFlow.js' layers models",
    (
        "models of classes of one's own, whose files list no layers, are refused",
        "weights are not read; files that hold nothing else are refused",
        "Lambda and layers of one's own are opaque; Keras 3 states the shapes of what they give",
    ),
)

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def sniff(head: bytes, name: str) -> bool:
    """Whether this is a model's JSON, a ``.keras`` archive, or an HDF5 file."""
    if head.startswith(HDF5):
        return True
    if head.startswith(ZIP):
        listed = b"config.json" in head and b"metadata.json" in head
        return listed or b"model.weights.h5" in head or name.endswith(".keras")
    start = head[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b'"'):  # JSON within a JSON string
        start, head = start[1:].lstrip(), head.replace(b'\\"', b'"')
    if not start.startswith(b"{"):
        return False
    if b'"modelTopology"' in head or b'"weightsManifest"' in head:
        return True
    return b'"class_name"' in head and b'"config"' in head


def read(source: Source) -> Network:
    """The network of a model, for one example.

    Raises ReadError for what no model of Keras is, for settings that cannot be, for shapes that
    contradict those that the file states, and where the input's size is left open and not given.
    """
    from .files import config
    from .graph import model
    from .inputs import check_parameters, inputs_of, run_top

    entry, has_weights = config(source)
    top = model(entry, source.name)
    inputs = inputs_of(top, source)
    builder, outputs = run_top(top, inputs)
    if any(each.differs for each in inputs):
        check_parameters(top, inputs, builder, has_weights=has_weights)
    network = builder.network(outputs=outputs)
    title = "" if top.name == network.name else top.name
    return network.replace(title=title, notes=(*builder.trainable(), *network.notes))
