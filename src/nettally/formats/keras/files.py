"""The containers of Keras' model configurations, and the configuration in each.

JSON as ``model.to_json()`` writes it; TensorFlow.js' ``model.json``; a ``.keras`` archive, which is
a zip file with ``config.json``; an HDF5 file, of whose root group one attribute is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ReadError
from ..encodings.json import fields, load
from ..source import MAX_TEXT, read_bytes, read_part

if TYPE_CHECKING:
    from ..source import Source

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def config(source: Source) -> tuple[dict[str, Any], bool]:
    """The serialised model, ``{"class_name": ..., "config": ...}``; whether it comes with weights.

    Raises ReadError for a file that holds none.
    """
    data = source.data
    head = data[:8]
    if source.path is not None and not data:
        head = read_part(source.path, 8, whole=False)
    if head.startswith(ZIP):
        return _archive(source), True
    if head.startswith(HDF5):
        return _model(load(_attribute(source), source.name), source.name), True
    text = (data or read_bytes(source.path or source.name)).decode("utf-8-sig", "replace")
    document = load(text, source.name)
    if isinstance(document, str):  # to_json() written by json.dump
        document = load(document, source.name)
    whole = fields(document)
    if whole is None:
        raise ReadError("this JSON is no model of Keras: it is no object", where=source.name)
    if "weightsManifest" in whole or "modelTopology" in whole:
        return _topology(whole, source.name), True
    return _model(fields(whole.get("model_config")) or whole, source.name), False


def _topology(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """The model in TensorFlow.js' ``model.json``."""
    topology = fields(whole.get("modelTopology"))
    if topology is None:
        raise ReadError(
            "this file of TensorFlow.js has weights and no topology",
            where=name,
            hint="the model.json of the layers format has a modelTopology",
        )
    if whole.get("format") == "graph-model" or "node" in topology:
        raise ReadError(
            "this is a graph model of TensorFlow.js: a frozen graph, and not layers of Keras",
            where=name,
            hint="the original model, as .keras, .h5 or JSON, has the layers",
        )
    inner: Any = topology.get("model_config") or topology
    return _model(load(inner, name) if isinstance(inner, str) else inner, name)


def _model(value: Any, name: str) -> dict[str, Any]:
    model = fields(value) or {}
    if not isinstance(model.get("class_name"), str) or "config" not in model:
        raise ReadError(
            "this is no model of Keras: it has no class_name and config",
            where=name,
            values=f"keys: {', '.join(list(model)[:8])[:120] or 'none'}",
        )
    return model


def _archive(source: Source) -> dict[str, Any]:
    """The ``config.json`` of a ``.keras`` archive; its weights stay packed."""
    from ..encodings.blob import Blob
    from ..encodings.zip import entries, unpack

    with Blob(source.name, source.path, source.data) as blob:
        files = entries(blob)
        entry = files.get("config.json")
        if entry is None:
            raise blob.error(
                "this zip archive is no .keras file: it has no config.json",
                0,
                f"files: {', '.join(name[:40] for name in list(files)[:6])}",
            )
        text = unpack(blob, entry, MAX_TEXT).decode("utf-8", "replace")
    inside = f"{source.name}/config.json"
    return _model(load(text, inside), inside)


def _attribute(source: Source) -> str:
    """The attribute ``model_config`` of an HDF5 file's root; nothing else of the file is read."""
    from ..encodings.blob import Blob
    from ..encodings.hdf5 import holds, text

    with Blob(source.name, source.path, source.data) as blob:
        config = text(blob, "model_config", MAX_TEXT)
        if config is None:
            weights = holds(blob, ("layer_names", "layers", "_layer_checkpoint_dependencies"))
            raise ReadError(
                "this HDF5 file has no model_config"
                + (": it holds weights, without the layers" if weights else ""),
                where=source.name,
                hint="model.save('model.keras') or model.to_json() has the layers",
            )
    return config
