"""Reads PyTorch's checkpoints as data: names and sizes of tensors; nothing is unpickled.

Two containers: a zip archive with a pickle and a file for each storage (since torch 1.6), and
before that a stream of five pickles and the storages (torch/serialization.py). Storages are never
read, only their lengths are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..encodings.blob import Blob
from ..source import Format, one_of_several

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...errors import ReadError
    from ...network import Network
    from ..encodings.zip import Entry
    from ..named_tensor import NamedTensor
    from ..source import Source
    from .tensors import Storage

BINARY = True
"""The file is opened by this module, which fetches its pickle only."""

FORMAT = Format(
    "PyTorch checkpoint",
    (".pt", ".pth", ".bin", ".ckpt", ".bin.index.json"),
    "torch.save of torch 1.6 and later (zip), and of 0.1.10 to 1.5 (a stream of pickles); "
    "TorchScript's parameters; a model in several files by its index",
    (
        "a table of parameters: no layers, shapes or work; nothing is unpickled",
        "of a whole module that was pickled, parameters, buffers and classes only",
        "other pickles, torch.export's archives, and the tar files before torch 0.1.10 are refused",
        "arrays of numpy in a checkpoint are not counted",
    ),
)

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MAGIC_BYTES = b"\x8a\x0a" + MAGIC.to_bytes(10, "little")

ZIP = b"PK\x03\x04"

MAX_STORAGES = 500_000

FREE_PICKLE, MAX_PACKED = 2**20, 16
"""How long any pickle may be that an archive packs, in bytes, and how many more one of its packed
bytes may become: torch.save packs none, and names and sizes shrink to a tenth."""


def sniff(head: bytes, name: str) -> bool:
    """Whether this is a pickle, or a zip archive that has torch's ``data.pkl`` early in it.

    An archive that has it later is told by its directory (``packings``).
    """
    if head.startswith(ZIP):
        return b"/data.pkl" in head
    if head[257:262] == b"ustar" and head.startswith((b"sys_info\0", b"./sys_info\0")):
        return True
    return head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")


def read(source: Source) -> Network:
    """The table of parameters of a checkpoint.

    Raises ReadError for what is no checkpoint of torch.save, for an archive or a pickle that is
    damaged, and for tensors that do not fit the storages that the file has.
    """
    from ..tensor_table import table

    tensors, notes = tensors_of(source)
    stem = os.path.splitext(os.path.basename(source.name))[0]
    return table(stem or "network", source.name, tensors, notes, one_of_several(source))


def tensors_of(source: Source) -> tuple[list[NamedTensor], list[str]]:
    """The tensors of a checkpoint, and notes. Raises ReadError as ``read`` does."""
    from ..packed_weights import states_sizes
    from .naming import network_tensors

    with Blob(source.name, source.path, source.data) as blob:
        head = blob.fetch(0, min(blob.size, 512))
        notes: list[str] = []
        places: dict[str, Entry] = {}
        if head.startswith(ZIP):
            root, places = _archive(blob, notes)
        elif head[257:262] == b"ustar":
            raise blob.error(
                "this is a checkpoint in a tar file, of a torch before 0.1.10, which is not read",
                0,
                hint="load it with an old torch and save it again",
            )
        else:
            root = _stream(blob, head)
        tensors, choices = network_tensors(root, blob)
        if not tensors:
            raise blob.error("the checkpoint holds no tensors", 0, f"it is {_what(root)}")
        listed = [
            each._replace(content=_content(blob, each, places)) if states_sizes(each.name) else each
            for each in tensors
        ]
    return listed, [*notes, *choices]


def _what(root: Any) -> str:
    from ..encodings.pickle import Dictionary, Thing, words_for

    if isinstance(root, Dictionary):
        keys = [key[:40] for key, _ in root.pairs[:8] if isinstance(key, str)]
        named = f": {', '.join(keys)}" if keys else ""
        return f"a dictionary of {len(root.pairs):,}{named}"
    return words_for(root.maker if isinstance(root, Thing) else root)


def _archive(blob: Blob, notes: list[str]) -> tuple[Any, dict[str, Entry]]:
    """What the pickle of an archive says, and the file of each storage, which is as it says."""
    from ..encodings.pickle import MAX_PICKLE, Machine
    from ..encodings.zip import entries, unpack
    from .tensors import call, load

    files = entries(blob)
    pickles = [name for name in files if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        from ..kinds import of_archive

        error = blob.error(
            "this zip archive is no checkpoint of torch.save: it has "
            + (f"{len(pickles)} files data.pkl" if pickles else "no data.pkl"),
            0,
            f"files: {', '.join(name[:40] for name in list(files)[:6])}",
        )
        raise of_archive(blob.name, files, error)
    folder = pickles[0][: -len("data.pkl")]
    if any(name.startswith(f"{folder}code/") for name in files):
        notes.append("this is TorchScript: its code is not read")
    storages: dict[str, tuple[Storage, Entry]] = {}

    def load_checked(m: Machine, what: Any) -> Any:
        value = load(m, what)
        return _checked(m, value, storages, files, folder)

    file = files[pickles[0]]
    data = unpack(blob, file, min(MAX_PICKLE, FREE_PICKLE + MAX_PACKED * file.packed))
    machine = Machine(blob, call, load_checked, data)
    root = machine.run()
    if machine.place != len(data):
        raise machine.error("something follows the pickle", f"{len(data) - machine.place:,} bytes")
    return root, {key: entry for key, (_, entry) in storages.items()}


def _content(blob: Blob, tensor: NamedTensor, places: Mapping[str, Entry]) -> bytes:
    """The bytes of a small tensor in an archive; none where they are packed, or not in a row."""
    from math import prod

    from ..encodings.zip import STORED, data_at
    from ..named_tensor import MAX_CONTENT

    if not isinstance(tensor.same, tuple) or len(tensor.shape) > 1:
        return b""
    key, begin, _, stride = tensor.same
    width = tensor.numbers.bits // 8
    size, place = prod(tensor.shape) * width, places.get(key)
    if place is None or place.method != STORED or size > MAX_CONTENT or stride not in ((), (1,)):
        return b""
    return blob.fetch(data_at(blob, place) + begin * width, size)


def _checked(
    m: Any,
    value: Any,
    storages: dict[str, tuple[Storage, Entry]],
    files: dict[str, Entry],
    folder: str,
) -> Any:
    """A storage as it is, once the archive has a file of its length."""
    from .tensors import Storage

    if not isinstance(value, Storage):
        return value
    if value.key in storages and storages[value.key][0] == value:
        return storages[value.key][0]
    file = files.get(f"{folder}data/{value.key}") or files.get(f"{folder}tensors/{value.key}")
    wanted = value.stored * value.itemsize
    if file is None:
        raise m.error(f"the archive has no file for the storage '{value.key[:40]}'")
    if file.size != wanted:
        raise m.error(
            f"the storage '{value.key[:40]}' has another length than its file",
            f"{wanted:,} bytes stated, {file.size:,} in the archive",
        )
    storages.setdefault(value.key, (value, file))
    return value


def _stream(blob: Blob, head: bytes) -> Any:
    """What the fourth pickle of the old stream says, checked against the storages behind it."""
    from ..encodings.pickle import Machine, words_for
    from .tensors import Storage, call, load

    if MAGIC_BYTES not in head[:64]:
        raise blob.error(
            "this is a pickle, and not one that torch.save made: it is not read",
            0,
            f"it begins {head[:16]!r}",
            "save the parameters with torch.save(model.state_dict(), FILE) or as safetensors",
        )
    storages: dict[str, Storage] = {}

    def load_kept(m: Machine, what: Any) -> Any:
        value = load(m, what)
        if isinstance(value, Storage):
            first = storages.setdefault(value.key, value)
            if (first.stored, first.dtype) != (value.stored, value.dtype):
                raise m.error(f"the storage '{value.key[:40]}' has two lengths")
        return value

    machine = Machine(blob, call, load_kept)
    magic, protocol = machine.run(), machine.run()
    if magic != MAGIC or type(protocol) is not int or protocol != PROTOCOL:
        raise machine.error(
            "this is no checkpoint of torch.save that is known", f"protocol {words_for(protocol)}"
        )
    machine.run()  # the sizes of C's types where it was saved
    root = machine.run()
    keys = machine.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise machine.error("the list of storages is no list of names")
    _check_storages(blob, keys, storages, machine.at)
    return root


def _check_storages(blob: Blob, keys: list[str], storages: dict[str, Storage], at: int) -> None:
    """Behind the pickles each storage has its count, in 8 bytes, and its numbers."""
    if len(keys) > MAX_STORAGES or len(set(keys)) != len(keys):
        raise blob.error("the list of storages is too long, or names one twice", at)
    for key in keys:
        storage = storages.pop(key, None)
        if storage is None:
            raise blob.error(f"no tensor has the storage '{key[:40]}'", at)
        count = int.from_bytes(blob.fetch(at, 8), "little")
        if count != storage.stored:
            raise _other_length(blob, key, at, storage.stored, count)
        at += 8 + count * storage.itemsize
        if at > blob.size:
            raise blob.error(
                f"the storage '{key[:40]}' lies beyond the end of the file",
                blob.size,
                f"it ends at {at:,}",
                "the file is cut off; fetch it again",
            )
    if storages:
        raise blob.error(f"the file has no storage '{next(iter(storages))[:40]}'", at)


def _other_length(blob: Blob, key: str, at: int, stated: int, count: int) -> ReadError:
    return blob.error(
        f"the storage '{key[:40]}' has another length than the pickle states",
        at,
        f"{stated:,} stated, {count:,} there",
    )
