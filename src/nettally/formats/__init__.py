"""Reading: one file a format, found by content and not only by name.

A format is a module with ``sniff(head, name)`` and ``read(source)``, listed in ``FORMATS`` or
registered by the entry point group ``nettally.formats``. Formats do not know each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any

from ..errors import NettallyError, ReadError
from ..network import NOTHING, Network, Shape
from ..registry import Registry
from .source import (
    HEAD,
    MAX_TEXT,
    STANDARD_INPUT,
    Format,
    Source,
    read_bytes,
    read_part,
    standard_input_as_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import EntryPoint
    from typing import Protocol, TypeAlias

    class TorchModule(Protocol):
        """A ``torch.nn.Module``, as type checkers recognise it without torch."""

        training: bool

        def named_children(self) -> Iterator[tuple[str, Any]]: ...

    Size: TypeAlias = Sequence[int]
    Sizes: TypeAlias = Size | Sequence[Size] | Mapping[str, Size]

__all__ = [
    "FORMATS",
    "HEAD",
    "MAX_TEXT",
    "STANDARD_INPUT",
    "Format",
    "Source",
    "format_module",
    "formats",
    "names_code",
    "names_zoo",
    "read",
    "read_bytes",
]

FORMATS = (
    "safetensors",
    "checkpoint",
    "tflite",
    "gguf",
    "language_models",
    "keras",
    "onnx",
    "caffemodel",
    "native",
    "ncnn",
    "cuda_convnet",
    "darknet",
    "caffe",
)
"""The formats in the order in which they are asked."""

READERS = Registry(
    "formats",
    __name__,
    {
        **{name: name for name in FORMATS},
        "caffemodel": "caffe.caffemodel",
        "gguf": "language_models.gguf",
        "pytorch": "torch_module",
    },
    of_modules=True,
)
"""Where the module of each format stands."""

GROUP, FORMER_GROUP = "nettally.formats", "nettally.readers"
"""The entry points by which other packages add formats; the former is read for one release."""


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


def read(
    what: str | os.PathLike[str] | TorchModule | Network,
    input_size: Sizes | None = None,
    *,
    input_data: Any = None,
    inputs: Sizes | None = None,
    companion: str | None = None,
    options: Mapping[str, str] = NOTHING,
    mode: str = "eval",
    dtypes: Any = None,
    keywords: Mapping[str, Any] = NOTHING,
    self_check: bool = False,
) -> Network:
    """A zoo name, a file, a torch module, or the name of one, as a Network.

    what: ``alexnet``; a path, a file in an archive (``models.zip:net.onnx``), or "-" for standard
    input; a ``torch.nn.Module``;
    ``torchvision:resnet50``, ``timm:convnext_base``, ``package.module:factory``,
    ``file.py:Class(3)``, whose code is then imported and run; or a Network, which is returned.
    input_size (or inputs, the same): the input's sizes where the source does not say them, or
    others than it says: one shape, or shapes by input name; of a module also a list of shapes;
    without a batch, a batch of 1 is meant. companion, options: of files, see ``Source``.

    Of modules only: input_data: tensors in place of sizes; mode: "eval", "train" or "same"; dtypes:
    of the inputs; keywords: further arguments of its forward; self_check: the module is also run
    by torch, on tensors without values, and each shape is compared.

    Raises ReadError for what can't be read, NetworkError and LayerError for what can't be.
    """
    sizes_given: Any = inputs if input_size is None else input_size
    if isinstance(what, Network):
        return _with_its_sizes(what, sizes_given, input_data)
    if not isinstance(what, (str, os.PathLike)):
        if not is_module(what):
            raise _not_a_network(what)
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
    sizes = _sizes_by_name(sizes_given)
    if name == "-":
        with standard_input_as_file() as path:
            return _read_file(Source(STANDARD_INPUT, b"", sizes, companion, path, options))
    if names_zoo(name):
        from . import zoo

        source = zoo.source(name)
        return format_module("native").read(source.replace(inputs=sizes))
    archive, _, member = name.partition(":") if names_member(name) else (name, "", "")
    return _read_file(Source(archive, b"", sizes, companion, archive, options), member)


def _read_file(source: Source, member: str = "") -> Network:
    """The network in the file at ``source.path``. member: the name of a file in an archive.

    A file that is packed is unpacked, and one that is refused is named for what it is.
    """
    path, name = source.path or "", source.name
    config = os.path.join(path, "config.json")
    if os.path.isfile(config) and not member:  # a model as Hugging Face's hub has it
        path = name = config
        source = source.replace(name=config, path=config)
    elif os.path.isdir(path):
        from .kinds import of_folder

        raise of_folder(path)
    head = read_part(path, HEAD, whole=False)
    reader = None if member else _reader_of(head, name)
    if reader is None:
        from . import packings

        packing = packings.packing(path, name, head, member, _reader_of)
        if isinstance(packing, packings.Packing):
            data = packings.unpack(packing, path, name)
            inner = f"{name}/{packing.name}" if packing.name else name
            try:
                return _read(source.replace(name=inner, data=data, path=None))
            except NettallyError as error:
                error.values = "; ".join(
                    filter(None, (error.values, f"it lies in {packing.title}"))
                )
                raise
        reader = packing
    if reader is not None and not getattr(reader, "BINARY", False):
        source = source.replace(data=read_bytes(path))
    return _read(source, head, reader)


def _read(source: Source, head: bytes = b"", reader: Any = None) -> Network:
    """What the reader makes of a file, where it is known which; else of the data."""
    head = head or source.data[:HEAD]
    reader = reader or _reader_of(head, source.name)
    try:
        if reader is None:
            size = len(source.data) if source.path is None else os.stat(source.path).st_size
            raise _unrecognised(source.name, size, head)
        if not getattr(reader, "VALUES", False):
            _check_options(source)
        network = _read_by(reader, source)
    except ReadError as error:
        from .kinds import identify

        raise identify(error, source.name, head, reader) from None
    if not network.inputs and not network.nodes:
        raise ReadError("the network is empty: it has no inputs and no layers", where=source.name)
    return network


def _reader_of(head: bytes, name: str) -> Any:
    """The first format that recognises a file by its first bytes; None where none does."""
    return next((reader for reader in _formats() if reader.sniff(head, name)), None)


def _check_options(source: Source) -> None:
    """Raises ReadError for options that only ONNX files have."""
    if any(option.startswith("value:") for option in source.options):
        raise ReadError(
            "the inputs of this file have no values to be given",
            where=source.name,
            hint="values are for the inputs of ONNX files",
        )
    if "ignore_stated_shapes" in source.options:
        raise ReadError(
            "this file states no shapes that could be ignored",
            where=source.name,
            hint="--ignore-stated-shapes is for ONNX files; leave it out",
        )


def _pytorch() -> Any:
    """The reader of live modules. Raises ReadError where torch is not installed."""
    try:
        return format_module("pytorch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from ..extras import to_install

        raise ReadError(
            "to read a PyTorch module, torch must be installed",
            hint=to_install("torch", "name a file"),
        ) from None


def names_code(name: str) -> bool:
    """Whether it is ``somewhere:something``, and no file: the name of a module to be built."""
    where, colon, what = name.partition(":")
    return bool(colon and where and what) and not os.path.exists(name) and not names_member(name)


def names_member(name: str) -> bool:
    """Whether it is ``archive.zip:member``, a file in an archive; Python's files have modules."""
    archive, colon, member = name.partition(":")
    plain = bool(colon and member) and not archive.endswith(".py") and os.path.isfile(archive)
    return plain and not os.path.exists(name)


def names_zoo(name: str) -> bool:
    """Whether it can only be the name of a network of the zoo: neither a path nor a module's.

    "-" is standard input.
    """
    if name == "-" or os.sep in name or names_code(name) or names_member(name):
        return False
    return not os.path.exists(name)


def is_module(what: object) -> bool:
    """Whether it is a ``torch.nn.Module``. Nothing is one before something has imported torch."""
    torch = sys.modules.get("torch")
    return isinstance(what, getattr(getattr(torch, "nn", None), "Module", ()))


def _sizes_by_name(sizes: Any) -> Mapping[str, Shape]:
    """The sizes of a file's inputs; that of the only one under "". Raises ReadError."""
    if sizes is None:
        return NOTHING
    if isinstance(sizes, Mapping):
        return {str(name): _shape(size) for name, size in sizes.items()}
    if isinstance(sizes, (tuple, list)) and len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        return {"": _shape(sizes[0])}
    return {"": _shape(sizes)}


def _shape(size: Any) -> Shape:
    try:
        return tuple(map(index, size))
    except TypeError:
        raise ReadError(
            "this is not the size of an input",
            values=repr(size)[:60],
            hint="(3, 224, 224), or {'data': (3, 224, 224)} for one of several",
        ) from None


def _with_its_sizes(network: Network, sizes: Any, data: Any) -> Network:
    """The network itself. Raises ReadError where sizes are asked for, since it has its own."""
    if sizes is None and data is None:
        return network
    raise ReadError(
        f"{network.name} has been read, with the sizes of its inputs",
        values=", ".join(f"{name} {'x'.join(map(str, x))}" for name, x in network.inputs.items()),
        hint="give input_size= where it is read: nettally.read(..., input_size=...)",
    )


def _not_a_network(what: object) -> ReadError:
    hint = "'alexnet', 'net.onnx', 'torchvision:resnet50', or a module with input_size=..."
    if isinstance(what, type):
        values = f"it is the class {what.__name__}"
        hint = f"an instance of it: {what.__name__}(...)"
    else:
        values = f"it is of the type {type(what).__name__}: {repr(what)[:60]}"
    return ReadError(
        "this is neither a name, a path nor a torch module, nor a Network or Tally",
        values=values,
        hint=hint,
    )


def _read_by(reader: Any, source: Source) -> Network:
    """What a reader makes of a source, and which parameters follow from sizes that were given."""
    network: Network = reader.read(source)
    about = getattr(reader, "FORMAT", None)
    if not source.inputs or about is None or not about.sizes_follow_input:
        return network
    from .input_sizes import with_note

    return with_note(network, source, reader.read)


def _unrecognised(name: str, size: int, head: bytes) -> ReadError:
    return ReadError(
        "no format that nettally reads is recognised in this file",
        where=name,
        values=f"{size:,} bytes, beginning {head[:24]!r}",
        hint="the formats: " + ", ".join((*FORMATS, *(point.name for point in _from_outside()))),
    )


def formats() -> dict[str, Format]:
    """What is read, by the format's name, in the order in which the formats are asked."""
    modules: dict[str, Any] = {name: format_module(name) for name in FORMATS}
    for point in _from_outside():
        modules[point.name] = point.load()
    descriptions = {name: getattr(module, "FORMAT", None) for name, module in modules.items()}
    return {
        **{name: each or Format(name) for name, each in descriptions.items()},
        "pytorch": MODULES,
    }


def format_module(name: str) -> Any:
    """The module of one of our own formats, imported when it is first asked for."""
    return READERS.find(name)


def _formats() -> Iterator[Any]:
    """Our own formats, then those of other packages; each is imported when its turn comes."""
    yield from map(format_module, FORMATS)
    for point in _from_outside():
        yield point.load()


def _from_outside() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # 20 ms, which our own formats need not wait for

    points = tuple(entry_points(group=GROUP))
    names = {point.name for point in points}
    former = tuple(p for p in entry_points(group=FORMER_GROUP) if p.name not in names)
    if former:
        from warnings import warn

        listed = ", ".join(point.name for point in former)
        warn(
            f"the entry point group {FORMER_GROUP} is now {GROUP}, and the next release will not "
            f"read the old one: {listed}",
            FutureWarning,  # shown to who uses the package that has to change
            stacklevel=2,
        )
    return (*points, *former)
