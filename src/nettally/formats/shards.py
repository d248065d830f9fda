"""A model in several files: the index that names them, and the table of all their tensors.

An index is JSON as Hugging Face's libraries write it (``model.safetensors.index.json``):
``{"metadata": {...}, "weight_map": {tensor: file}}``. A file is opened only where it is a plain
name and lies beside the index.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ..errors import ReadError
from .source import HEAD, Source, read_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..network import Network
    from .named_tensor import NamedTensor

MAX_FILES = 10_000
"""How many files an index may name."""


def is_index(head: bytes) -> bool:
    """Whether a file begins as an index of shards."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"weight_map"' in head


class Shards:
    """The reader of an index. reader_of: the reader of a file that begins so and is called so."""

    def __init__(self, reader_of: Callable[[bytes, str], Any]) -> None:
        self.reader_of = reader_of

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether it is an index, by what is in it."""
        return is_index(head)

    def read(self, source: Source) -> Network:
        """The table of the tensors in all files. Raises ReadError for one that is missing."""
        from .tensor_table import listing, table

        files = _files(source)
        tensors: dict[str, NamedTensor] = {}
        notes: dict[str, None] = {}
        for file, names in files.items():
            more_tensors, sentences = self._tensors(source, file)
            notes.update(dict.fromkeys(sentences))
            for tensor in more_tensors:
                if tensor.name in tensors:
                    raise ReadError(
                        f"two files hold the tensor '{tensor.name[:80]}'", where=source.name,
                        values=f"one is {file[:80]}",
                    )  # fmt: skip
                same = None if tensor.same is None else (file, tensor.same)
                tensors[tensor.name] = tensor._replace(same=same)
            missing = [name for name in names if name not in tensors]
            if missing:
                raise ReadError(
                    f"the file '{file[:80]}' does not hold what the index says",
                    where=source.name,
                    values=f"missing: {listing(missing, 3)}",
                    hint="are the index and the file of one version? fetch both again",
                )
        stem = os.path.basename(source.name).partition(".")[0]
        sentence = f"read from {len(files):,} files: {listing(list(files), 3)}"
        return table(stem or "network", source.name, tensors.values(), [sentence, *notes])

    def _tensors(self, source: Source, file: str) -> tuple[list[NamedTensor], list[str]]:
        path = os.path.join(os.path.dirname(source.path or source.name), file)
        if not os.path.lexists(path):
            raise ReadError(
                f"the file '{file[:80]}', which the index names, does not lie beside it",
                where=source.name,
                hint="fetch all the files that the index names",
            )
        reader = self.reader_of(read_part(path, HEAD, whole=False), file)
        if not hasattr(reader, "tensors_of"):
            raise ReadError(
                f"the file '{file[:80]}', which the index names, is no table of tensors",
                where=source.name,
            )
        return reader.tensors_of(Source(path, b"", path=path))


def _files(source: Source) -> Mapping[str, list[str]]:
    """The names of the tensors by the file that holds them."""
    from .encodings.json import fields, load

    index = fields((fields(load(source.text, source.name)) or {}).get("weight_map"))
    if not index:
        raise ReadError("the index has no weight_map with tensors", where=source.name)
    files: dict[str, list[str]] = {}
    for name, file in index.items():
        if not isinstance(file, str) or not re.fullmatch(r"[^/\\:\0]{1,255}(?<!\.\.)", file):
            raise ReadError(
                "the index names a file that can't be one beside it",
                where=source.name,
                values=f"{name[:40]!r}: {file!r:.80}",
                hint="the name of a file in the same folder, without the folder",
            )
        files.setdefault(file, []).append(name)
    if len(files) > MAX_FILES:
        values = f"{len(files):,}, at most {MAX_FILES:,}"
        raise ReadError("the index names too many files", where=source.name, values=values)
    return files
