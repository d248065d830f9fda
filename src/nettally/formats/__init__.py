"""Reading: one file a format, found by content and not only by name.

A format is a module with ``sniff(head, name)`` and ``read(source)``, listed in ``FORMATS`` or
registered by the entry point group ``nettally.formats``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ReadError
from ..network import NOTHING, Network, Shape
from ..record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import EntryPoint

FORMATS = (
    "safetensors",
    "checkpoint",
    "tflite",
    "keras",
    "onnx",
    "caffemodel",
    "native",
    "cuda_convnet",
    "darknet",
    "caffe",
)
"""The formats in the order in which they are asked; each is a module beside this one."""

HEAD = 2**16
"""How many bytes of a file a format is recognised by. A module with ``BINARY = True`` is given no
more of them: it opens ``source.path`` itself, and takes of it what it needs."""

MAX_TEXT = 64 * 2**20
"""A description in text that is larger than this, in bytes, is refused."""


class Format(Record):
    """What ``nettally formats`` says of a reader; each module has one, called ``FORMAT``.

    title: the format. suffixes: how its files are usually called. versions: which are read.
    gaps: what is not, a sentence each.
    """

    title: str
    suffixes: tuple[str, ...] = ()
    versions: str = ""
    gaps: tuple[str, ...] = ()


MODULES = Format(
    "PyTorch modules, as their forward runs",
    ("torchvision:NAME", "timm:NAME", "package:factory", "file.py:Class"),
    "torch 2.2 and newer",
    (
        "modules of TorchScript can't be followed, and are refused",
        "the weights of quantised modules are no parameters, and are not counted",
    ),
)
"""What is read without a file; its reader, which imports torch, only when it is asked for."""


class Source(Record):
    """What is to be read: bytes with a name, and what the user said about them.

    name: the file as the user called it, for errors. data: all of its bytes; of a binary format,
    nothing. inputs: input sizes by input name, or under "" for the only input; without the batch
    or with it, as the user gave them. companion: the path of a second file that belongs to this
    one, or None. path: where the file lies, for readers of binary formats, which open it
    themselves; None where ``data`` was made in memory. options: what else was asked for, by name:
    ``phase`` and ``stage`` (Caffe), with commas between several.
    """

    name: str
    data: bytes
    inputs: Mapping[str, Shape] = NOTHING
    companion: str | None = None
    path: str | None = None
    options: Mapping[str, str] = NOTHING

    @property
    def text(self) -> str:
        """The bytes as UTF-8. Raises ReadError where they are not."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.data.count(b"\n", 0, error.start) + 1
            raise ReadError(
                "this is not text in UTF-8",
                where=f"{self.name}:{line}",
                values=f"byte 0x{self.data[error.start]:02x} at {error.start}",
                hint="a network file is text; is it the right file?",
            ) from None


def read(
    what: Any,
    input_size: Any = None,
    *,
    input_data: Any = None,
    inputs: Any = None,
    companion: str | None = None,
    options: Mapping[str, str] = NOTHING,
    mode: str = "eval",
    dtypes: Any = None,
    keywords: Mapping[str, Any] = NOTHING,
    self_check: bool = False,
) -> Network:
    """A zoo name, a file, a torch module, or the name of one, as a Network.

    what: ``alexnet``; a path; a ``torch.nn.Module``; or ``torchvision:resnet50``,
    ``timm:convnext_base``, ``package.module:factory``, ``file.py:Class(3)``, whose code is then
    imported and run. input_size (or inputs, the same): the input's sizes where the source does not
    say them, or others than it says: one shape, or shapes by input name; of a module also a list of
    shapes; without a batch, a batch of 1 is meant. companion, options: of files, see ``Source``.

    Of modules only: input_data: tensors in place of sizes; mode: "eval", "train" or "same"; dtypes:
    of the inputs; keywords: further arguments of its forward; self_check: the module is also run
    by torch, on tensors without values, and each shape is compared.

    Raises ReadError for what can't be read, NetworkError and LayerError for what can't be.
    """
    sizes_given = inputs if input_size is None else input_size
    if not isinstance(what, (str, os.PathLike)):
        return _pytorch().read_module(
            what, sizes_given, input_data, mode=mode, dtypes=dtypes, keywords=keywords,
            self_check=self_check,
        )  # fmt: skip
    name = os.fspath(what)
    if names_code(name):
        return _pytorch().read_named(
            name, sizes_given, input_data, mode=mode, dtypes=dtypes, options=options,
            self_check=self_check,
        )  # fmt: skip
    sizes: Mapping[str, Shape]
    if sizes_given is None:
        sizes = NOTHING
    elif isinstance(sizes_given, (tuple, list)):
        sizes = {"": tuple(sizes_given)}
    else:
        sizes = sizes_given
    if os.sep not in name and not os.path.exists(name):
        from . import zoo

        source = zoo.source(name)
        return _read(source.replace(inputs=sizes), "native")
    head = _read_bytes(name, HEAD, whole=False)
    for reader in _formats():
        if reader.sniff(head, name):
            data = b"" if getattr(reader, "BINARY", False) else read_bytes(name)
            return reader.read(Source(name, data, sizes, companion, name, options))
    raise _unrecognised(name, os.stat(name).st_size, head)


def _pytorch() -> Any:
    """The reader of live modules. Raises ReadError where torch is not installed."""
    try:
        return _module("pytorch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ReadError(
            "to read a PyTorch module, torch must be installed",
            hint="pip install torch, or name a file",
        ) from None


def names_code(name: str) -> bool:
    """Whether it is ``somewhere:something``, and no file: the name of a module to be built."""
    where, colon, what = name.partition(":")
    return bool(colon and where and what) and not os.path.exists(name)


def read_bytes(name: str) -> bytes:
    """The bytes of a plain file of at most MAX_TEXT. Raises ReadError."""
    return _read_bytes(name, MAX_TEXT, whole=True)


def _read_bytes(name: str, most: int, *, whole: bool) -> bytes:
    """The first ``most`` bytes of a plain file; whole: a file that has more is refused."""
    try:
        if os.path.isdir(name):
            raise ReadError("this is a folder", where=name, hint="name a file in it")
        size = os.stat(name).st_size
        if not os.path.isfile(name):
            raise ReadError("this is not a plain file", where=name)
        if whole and size > most:
            raise ReadError(
                "the file is too large for a description in text",
                where=name,
                values=f"{size:,} bytes, at most {most:,}",
            )
        with open(name, "rb") as file:
            return file.read(most + 1 if whole else most)
    except OSError as error:
        raise ReadError(f"can't open the file: {error.strerror}", where=name) from None


def _read(source: Source, format_name: str | None = None) -> Network:
    for reader in _formats() if format_name is None else (_module(format_name),):
        if format_name is not None or reader.sniff(source.data[:HEAD], source.name):
            return reader.read(source)
    raise _unrecognised(source.name, len(source.data), source.data[:HEAD])


def _unrecognised(name: str, size: int, head: bytes) -> ReadError:
    return ReadError(
        "no format that nettally reads is recognised in this file",
        where=name,
        values=f"{size:,} bytes, beginning {head[:24]!r}",
        hint="the formats: " + ", ".join((*FORMATS, *(point.name for point in _from_outside()))),
    )


def formats() -> dict[str, Format]:
    """What is read, by the reader's name, in the order in which the readers are asked."""
    found: dict[str, Any] = {name: _module(name) for name in FORMATS}
    for point in _from_outside():
        found[point.name] = point.load()
    listed = {name: getattr(reader, "FORMAT", None) for name, reader in found.items()}
    return {**{name: each or Format(name) for name, each in listed.items()}, "pytorch": MODULES}


_HOMES = {"caffemodel": "caffe.caffemodel", "pytorch": "torch_module"}
"""Where a format's module stands, if not under its own name."""


def _module(name: str) -> Any:
    return import_module(f".{_HOMES.get(name, name)}", __name__)


def _formats() -> Iterator[Any]:
    """Our own formats, then those of other packages; each is imported when its turn comes."""
    for name in FORMATS:
        yield _module(name)
    for point in _from_outside():
        yield point.load()


def _from_outside() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 20 ms, which our own formats need not wait for

    return entry_points(group="nettally.formats")
