"""Values out of safetensors files, and into them; formats/safetensors reads their headers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import ReadError
from .stored import Stored, Tensors, reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

_KINDS = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}


def of_safetensors(path: str) -> Tensors:
    """The tensors of a file. Raises ReadError for what the reader of its header refuses."""
    from ..formats import Source, safetensors
    from ..formats.encodings.blob import Blob

    safetensors.read(Source(path, b"", path=path))  # which holds the header against the file
    tensors: Tensors = {}
    with Blob(path, path) as blob:
        header = safetensors._header(blob)
        for name, entry, at in safetensors._entries(header, blob):
            if name == "__metadata__":
                continue
            kind = _KINDS.get(entry["dtype"])
            if kind is None:
                raise blob.error(
                    f"'{name[:80]}' is of a kind that is not loaded", at, str(entry["dtype"])[:40]
                )
            shape = tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            run = 8 + len(header) + begin, end - begin
            tensors[name] = Stored(shape, reading(path, [run], kind, shape))
    return tensors


def metadata_of(path: str) -> dict[str, str]:
    """The text that goes with a file's tensors. Raises ReadError."""
    from ..formats import safetensors
    from ..formats.encodings.blob import Blob

    with Blob(path, path) as blob:
        for name, entry, _ in safetensors._entries(safetensors._header(blob), blob):
            if name == "__metadata__":
                return {key: str(text) for key, text in entry.items()}
    return {}


def save(
    module: nn.Module | Mapping[str, Tensor],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a module's tensors, or tensors by name, as a safetensors file.

    A shared tensor is stored once, under its first name; the others stand in the metadata, as
    safetensors' own writer has it. The file is there whole or not at all: it is written beside its
    place, and moved. metadata: text by name, to go with it.
    """
    state = module.state_dict(keep_vars=True) if isinstance(module, nn.Module) else module
    header: dict[str, Any] = {}
    notes = dict(metadata or {})
    written: list[Tensor] = []
    first: dict[int, str] = {}
    place = 0
    for name, tensor in state.items():
        owner = first.setdefault(id(tensor), name)
        if owner != name:
            notes[name] = owner
            continue
        word = _WORDS.get(tensor.dtype)
        if word is None:
            raise ReadError(f"'{name}' is of a kind that is not saved", values=str(tensor.dtype))
        size = tensor.numel() * tensor.element_size()
        shape = list(tensor.shape)
        header[name] = {"dtype": word, "shape": shape, "data_offsets": [place, place + size]}
        place += size
        written.append(tensor)
    if notes:
        header = {"__metadata__": notes, **header}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)  # so that the values begin at a multiple of 8 bytes
    name = os.fspath(path)
    beside = f"{name}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.write(len(head).to_bytes(8, "little"))
            file.write(head)
            for tensor in written:
                write_values(file, tensor)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, name)
    except OSError as error:
        raise ReadError(f"can't write the file: {error.strerror}", where=name) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def write_values(file: BinaryIO, tensor: Tensor) -> None:
    """The values in order; little-endian, as every machine is that torch runs on."""
    from ctypes import c_char

    flat = tensor.detach().cpu().contiguous()
    if flat.numel():
        file.write((c_char * (flat.numel() * flat.element_size())).from_address(flat.data_ptr()))
