"""Reads ONNX models (https://onnx.ai): the graph, its shapes and counts, without the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.blob import Blob
from ..encodings.protobuf import BYTES, VARINT
from ..source import HEAD, Format, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...network import Network
    from ..source import Source
    from .values import Value

FORMAT = Format(
    "ONNX",
    (".onnx", ".pbtxt", ".json"),
    "any IR version, operator sets 1 to 25; in binary, and in protobuf's text format and JSON",
    (
        "weights are not read, and external data is never opened",
        "operators of custom domains are opaque with the stated shape, but for some of ONNX "
        "Runtime's, QONNX' and Brevitas'; so are ai.onnx.ml, If and Loop whose condition or number "
        "of rounds is computed, and a long Scan",
        "shapes that depend on values (NonZero, a computed Reshape) are the file's, or unknown",
    ),
)

BINARY = True
"""The file is opened by this module, which fetches of it what it needs."""

VALUES = True
"""Its inputs may be given values."""

MODEL = {1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES,
         14: BYTES, 20: BYTES, 25: BYTES, 26: BYTES}  # fmt: skip
"""The fields of a ModelProto, and their wire types."""

IR_VERSION, GRAPH, OPSET = 1, 7, 8

_TEXT = frozenset(bytes([byte]) for byte in b"abcdefghijklmnopqrstuvwxyz#{< \t\r\n\xef")
"""How texts begin: with the name of a field, a comment, an object, settings, or blanks."""


def sniff(head: bytes, name: str) -> bool:
    """Whether the file begins as a ModelProto does, in binary or in text."""
    if head[:1] in _TEXT and not _is_binary(head, ""):
        from .text import is_text

        return is_text(head)
    return _is_binary(head, name)


def _is_binary(head: bytes, name: str) -> bool:
    """Whether it begins so up to its graph; a text never does."""
    place, end, seen = 0, len(head), 0
    while place < end:
        tag, place = _varint(head, place)
        if MODEL.get(tag >> 3) != tag & 7:
            break  # damaged: the reader says where
        number = tag >> 3
        value, place = _varint(head, place)
        seen |= 1 << number
        if number == GRAPH:
            # it begins with a node, a name, an initializer, or so
            begins = value == 0 or place >= end or head[place] in _GRAPH_TAGS
            if seen & 1 << IR_VERSION:
                return begins or bool(seen & 1 << OPSET)
            return begins and name.endswith(".onnx")  # a text might begin so too
        if tag & 7 == BYTES:
            place += value
    known = bool(seen & 1 << IR_VERSION and seen & (1 << GRAPH | 1 << OPSET))
    return known or (name.endswith(".onnx") and bool(seen & 1 << IR_VERSION))


def _varint(head: bytes, place: int) -> tuple[int, int]:
    """A varint and where it ends; beyond 10 bytes, or the end, whatever it is so far."""
    value = shift = 0
    while place < len(head) and shift < 70:
        byte = head[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            break
    return value, place


_GRAPH_TAGS = frozenset(number << 3 | BYTES for number in (1, 2, 5, 10, 11, 12, 13, 14, 15))


def read(source: Source) -> Network:
    """The network of an ONNX file.

    Raises ReadError where the file is damaged, contradicts itself, or leaves the sizes of an input
    open that ``source.inputs`` does not give.
    """
    from .builder import OnnxBuilder
    from .decode import model
    from .rules import RULES

    with _opened(source) as blob:
        return OnnxBuilder(model(blob), source, blob, RULES).build()


def inferred(source: Source) -> Mapping[str, Value]:
    """Every value of the graph, by name, with the inputs' sizes as the file states them.

    What is open or a symbol there stays so. Raises ReadError.
    """
    from .builder import OnnxBuilder
    from .decode import model
    from .rules import RULES

    with _opened(source) as blob:
        builder = OnnxBuilder(model(blob), source, blob, RULES)
        builder.counting = False
        builder.start({info.name: info.dims for info in builder.data})
        return builder.values


def _opened(source: Source) -> Blob:
    """The file; of a text, what it says, in binary."""
    blob = Blob(source.name, source.path, source.data)
    if blob.fetch(0, min(blob.size, 1)) in _TEXT:
        head = blob.fetch(0, min(blob.size, HEAD))
        if not _is_binary(head, "") and sniff(head, ""):
            from .text import binary

            with blob:
                data = source.data or read_bytes(source.path or source.name)
            return Blob(source.name, None, binary(source, data))
    return blob
