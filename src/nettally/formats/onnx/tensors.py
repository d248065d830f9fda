"""Decoding ONNX's tensors: what they are and where their contents lie."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ..encodings.protobuf import BYTES, FIXED32, VARINT, fields, signed, varints
from .proto import BITS, MAX_RANK, TYPES, Model, TensorProto

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..encodings.blob import Blob
    from ..encodings.protobuf import Field


class Tensors:
    """Decodes fields by what they should be, and tensors. Raises ReadError for what is not so."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.result = Model()

    def text(self, field: Field, what: str) -> str:
        if field[1] != BYTES:
            raise self.wrong(field, what)
        data = field[3]
        if data is None:
            raise self.blob.error(f"the {what} is too long", field[4], f"{field[2]:,} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.blob.error(
                f"the {what} is no text in UTF-8", field[4], f"{data[:24]!r}", "is it ONNX?"
            ) from None

    def message(self, field: Field, what: str) -> Iterable[Field]:
        if field[1] != BYTES:
            raise self.wrong(field, what)
        return fields(self.blob, field[4], field[2], field[3])

    def integer(self, field: Field, what: str) -> int:
        if field[1] != VARINT:
            raise self.wrong(field, what)
        return signed(field[2])

    def integers(self, field: Field, what: str, most: int = 1 << 18) -> list[int]:
        """The values of one field of a repeated integer: packed, or one."""
        if field[1] == VARINT:
            return [signed(field[2])]
        if field[1] != BYTES:
            raise self.wrong(field, what)
        if field[2] > most:
            raise self.blob.error(f"there are too many {what}", field[4], f"{field[2]:,} bytes")
        data = field[3] if field[3] is not None else self.blob.fetch(field[4], field[2])
        return [signed(value) for value in varints(self.blob, data, field[4])]

    def wrong(self, field: Field, what: str) -> Exception:
        return self.blob.error(
            f"the {what} has another wire type than onnx.proto says",
            field[4],
            f"field {field[0]}, wire type {field[1]}",
        )

    def skip(self, field: Field, message: str, known: frozenset[int]) -> None:
        """Note a field that onnx.proto has not; those of ``known`` only are of no use here."""
        if field[0] not in known and len(self.result.unknown) < 1000:
            what = f"{message}.{field[0]}"
            self.result.unknown[what] = self.result.unknown.get(what, 0) + 1

    # --- tensors ----------------------------------------------------------------------------------

    def floats(self, field: Field) -> list[float]:
        if field[1] == FIXED32:
            return [from_bits(field[2])]
        if field[1] != BYTES or field[2] % 4:
            raise self.wrong(field, "attribute's floats")
        data = field[3] if field[3] is not None else self.blob.fetch(field[4], field[2])
        return list(struct.unpack(f"<{len(data) // 4}f", data))

    def tensor(self, field: Field) -> TensorProto:
        tensor = TensorProto()
        dims: list[int] = []
        values = 0
        parts = 0
        for each in self.message(field, "tensor"):
            number = each[0]
            if number == 1:
                dims.extend(self.integers(each, "dims"))
                if len(dims) > MAX_RANK:
                    raise self.blob.error("a tensor has too many axes", each[4], f"{len(dims)}")
            elif number == 2:
                tensor.dtype = self.integer(each, "data_type")
            elif number == 8:
                tensor.name = self.text(each, "tensor's name")
            elif number in _CONTENTS:
                if each[1] == BYTES and number != 6:
                    parts += 1
                    tensor.field, tensor.at, tensor.size = number, each[4], each[2]
                    tensor.data = each[3] if each[2] <= 64 else None
                else:  # not packed, one value a field; strings
                    values += 1
                    tensor.field = number
                    if values <= 64 and number != 6:
                        self.unpacked(tensor, number, each)
            elif number == 14:
                tensor.external = self.integer(each, "data_location") == 1
            else:
                self.skip(each, "TensorProto", _TENSOR)
        tensor.dims = tuple(dims)
        self.sized(tensor, field[4], values, parts)
        return tensor

    def unpacked(self, tensor: TensorProto, number: int, field: Field) -> None:
        """Gather values that stand one a field, as writers of old did, as if they were packed."""
        if number in (4, 10):
            width = 4 if number == 4 else 8
            piece = field[2].to_bytes(width, "little")
        else:
            piece = as_varint(field[2])
        tensor.data = (tensor.data or b"") + piece
        tensor.at = tensor.at or field[4]
        tensor.size = len(tensor.data)

    def sized(self, tensor: TensorProto, at: int, values: int, parts: int) -> None:
        """Refuse a tensor whose contents have another size than its dims."""
        count = 1
        for size in tensor.dims:
            if size < 0:
                raise self.blob.error(
                    f"the tensor '{tensor.name}' has a negative size", at, f"dims {tensor.dims}"
                )
            count *= size
        if tensor.external or not (tensor.field and (parts or values)):
            return
        if tensor.dtype not in TYPES:
            raise self.blob.error(
                f"the tensor '{tensor.name}' has an unknown type", at, f"data_type {tensor.dtype}"
            )
        bits = BITS.get(tensor.dtype, 0)
        stated = actual = 0
        if tensor.field == 9 and bits:
            stated, actual = -(-count * bits // 8), tensor.size
            what = "bytes"
        elif values:
            stated, actual, what = count * (2 if tensor.dtype in (14, 15) else 1), values, "values"
            if tensor.field in (5,) and bits < 8:
                stated = -(-count * bits // 8)
        elif tensor.field in (4, 10) and parts == 1:
            stated = (
                count * (4 if tensor.field == 4 else 8) * (2 if tensor.dtype in (14, 15) else 1)
            )
            actual, what = tensor.size, "bytes"
        else:
            return
        if stated != actual:
            raise self.blob.error(
                f"the tensor '{tensor.name}' has more or less contents than its dims say",
                at,
                f"dims {'x'.join(map(str, tensor.dims)) or 'none'} of {TYPES[tensor.dtype]}: "
                f"{stated:,} {what}, {actual:,} found",
            )

    def sparse(self, field: Field) -> TensorProto:
        """A SparseTensorProto, as a tensor without contents: all its values count."""
        values: TensorProto | None = None
        dims: list[int] = []
        for each in self.message(field, "sparse tensor"):
            if each[0] == 1:
                values = self.tensor(each)
            elif each[0] == 3:
                dims.extend(self.integers(each, "dims"))
        if values is None or len(dims) > MAX_RANK or any(size < 0 for size in dims):
            raise self.blob.error("a sparse tensor has no values, or dims that can't be", field[4])
        tensor = TensorProto()
        tensor.name, tensor.dtype, tensor.dims = values.name, values.dtype, tuple(dims)
        tensor.sparse = True
        return tensor


_TENSOR = frozenset((3, 12, 13, 16))

_CONTENTS = frozenset((4, 5, 6, 7, 9, 10, 11))
"""The fields of a TensorProto that hold its values."""


def from_bits(bits: int) -> float:
    return struct.unpack("<f", bits.to_bytes(4, "little"))[0]


def as_varint(value: int) -> bytes:
    """A whole number, not negative, on the wire."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
