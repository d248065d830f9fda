"""Caffe's messages from binary files: the same tree as the text's, the weights only counted."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ..encodings.protobuf import BYTES, FIXED32, FIXED64, SMALL, VARINT, signed, varints
from ..encodings.protobuf import fields as wire_fields
from ..encodings.protobuf_tree import Document, Field, Message
from .schema import WORDS, Known, fields
from .types import V1_NUMBERS

if TYPE_CHECKING:
    from ...errors import ReadError
    from ..encodings.blob import Blob

MAX_FIELDS = 300_000
"""How many fields a file may have; a tensor's values are one."""

MAX_STRING = SMALL

_SIZES = {"data": 4, "double_data": 8}
"""The bytes of a value, of those that are weights."""

_V1_WORDS = {number: word for word, number in V1_NUMBERS.items()}


class Places(Document):
    """A binary file: its places are bytes, and it has no lines."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")

    def line(self, offset: int) -> int:
        return 0

    def where(self, offset: int) -> str:
        return f"{self.name} at byte {offset:,}"


def decode(blob: Blob) -> Message:
    """The whole file as a net. Raises ReadError for what is no such message."""
    return _Decoder(blob).message("Net", "the file", 0, blob.size, None)


class _Decoder:
    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.document = Places(blob.name)
        self.left = MAX_FIELDS

    def message(self, kind: str, name: str, at: int, size: int, data: bytes | None) -> Message:
        """One message. Those of the schema nest in no circle, so that the depth has a bound."""
        message = Message(self.document, name, at)
        _, by_number = fields(kind)
        for number, wire, value, raw, place in wire_fields(self.blob, at, size, data):
            self.left -= 1
            if self.left < 0:
                raise self.blob.error("the file has too many fields", place, f"over {MAX_FIELDS:,}")
            known = by_number.get(number)
            if known is None:
                message.fields.append(Field(f"field {number}", str(value), "unknown", place))
            elif kind == "Blob" and known.type in "fds":
                self._weights(message, known, wire, value, place)
            else:
                self._field(message, known, wire, value, raw, place)
        return message

    def _weights(self, message: Message, known: Known, wire: int, value: int, place: int) -> None:
        """How many values, which are not fetched."""
        size = _SIZES.get(known.name)
        if size is None:
            return  # gradients, and forks' own
        if wire == BYTES:
            if value % size:
                raise self.blob.error(
                    "stored weights end within a value", place, f"{value:,} bytes, {size} a value"
                )
            message.skipped += value // size
        elif wire in (FIXED32, FIXED64):
            message.skipped += 1
        else:
            raise self._unlike(known, wire, place)

    def _field(
        self, message: Message, known: Known, wire: int, value: int, raw: bytes | None, place: int
    ) -> None:
        kind, name = known.type, known.name
        if kind == "s":
            if wire != BYTES or value > MAX_STRING or raw is None:
                raise self._unlike(known, wire, place)
            text = raw.decode("utf-8", "backslashreplace")
            message.fields.append(Field(name, text, "string", place))
        elif kind in ("i", "b") or kind in WORDS:
            if wire == VARINT:
                numbers = [value]
            elif wire == BYTES and raw is not None and known.repeated:
                numbers = varints(self.blob, raw, place)
            else:
                raise self._unlike(known, wire, place)
            message.fields.extend(self._number(known, each, place) for each in numbers)
        elif kind in ("f", "d"):
            form, single = ("f", FIXED32) if kind == "f" else ("d", FIXED64)
            if wire == single:
                raw = value.to_bytes(4 if kind == "f" else 8, "little")
            elif wire != BYTES or raw is None or len(raw) % struct.calcsize(form):
                raise self._unlike(known, wire, place)
            for (each,) in struct.iter_unpack("<" + form, raw):
                message.fields.append(Field(name, _shortest(each, kind), "number", place))
        else:
            if wire != BYTES:
                raise self._unlike(known, wire, place)
            inner = self.message(kind, name, place, value, raw)
            message.fields.append(Field(name, inner, "message", place))

    def _number(self, known: Known, value: int, place: int) -> Field:
        if known.type == "b":
            return Field(known.name, "true" if value else "false", "word", place)
        value = signed(value)
        if known.type != "i":
            words = WORDS[known.type]
            word = _V1_WORDS.get(value) if known.type == "V1TYPE" else None
            if 0 <= value < len(words):
                word = words[value]
            if word:
                return Field(known.name, word, "word", place)
        return Field(known.name, str(value), "number", place)

    def _unlike(self, known: Known, wire: int, place: int) -> ReadError:
        return self.blob.error(
            f"the field '{known.name}' is not of its type",
            place,
            f"wire type {wire}",
            "is it Caffe's? a fork may use the field's number for something else",
        )


def _shortest(value: float, kind: str) -> str:
    """A number as it was most likely written: 0.1, not 0.10000000149011612."""
    if kind == "f" and value - value == 0:
        for digits in range(6, 10):
            text = f"{value:.{digits}g}"
            if struct.unpack("<f", struct.pack("<f", float(text)))[0] == value:
                return text
    return repr(value)
