"""Writes TFLite files: a small flatbuffer writer, and models from tensors and operators."""

from __future__ import annotations

import struct
from typing import Any

from nettally.formats.tflite.codes import BUILTIN

NUMBERS = {name: number for number, name in BUILTIN.items()}
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int8": 9}
BYTES = {"float32": 4, "float16": 2, "int32": 4, "uint8": 1, "int64": 8, "bool": 1, "int8": 1}

Fields = dict[int, tuple[str, Any]]
"""A table: the form and the value of each field, by its number in the schema.

Forms: those of ``struct`` for numbers, T a table, V a vector of tables, i* whole numbers, s text,
B* bytes.
"""


class Writer:
    """Tables first, what they refer to behind them, as offsets only lead onwards."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.waiting: list[tuple[int, str, Any]] = []

    def write(self, root: Fields, identifier: bytes = b"TFL3") -> bytes:
        self.data += b"\0\0\0\0" + identifier
        self.waiting = [(0, "T", root)]
        while self.waiting:
            place, form, value = self.waiting.pop(0)
            self.align(4)
            at = self.table(value) if form == "T" else self.vector(form, value)
            struct.pack_into("<I", self.data, place, at - place)
        return bytes(self.data)

    def align(self, size: int) -> None:
        self.data += b"\0" * (-len(self.data) % size)

    def table(self, fields: Fields) -> int:
        count = max(fields, default=-1) + 1
        vtable = len(self.data)
        offsets: list[int] = [0] * count
        size = 4
        for number, (form, _) in sorted(fields.items()):
            wide = struct.calcsize(form) if form in "bBhHiIqQfd" else 4
            size += -size % wide
            offsets[number] = size
            size += wide
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
        self.align(8)
        at = len(self.data)
        self.data += struct.pack("<i", at - vtable) + b"\0" * (size - 4)
        for number, (form, value) in fields.items():
            place = at + offsets[number]
            if form in "bBhHiIqQfd":
                struct.pack_into("<" + form, self.data, place, value)
            else:
                self.waiting.append((place, form, value))
        return at

    def vector(self, form: str, value: Any) -> int:
        if form == "B*":
            self.data += b"\0" * (-(len(self.data) + 4) % 16)
        at = len(self.data)
        self.data += struct.pack("<I", len(value.encode() if form == "s" else value))
        if form == "s":
            self.data += value.encode() + b"\0"
        elif form == "B*":
            self.data += value
        elif form == "i*":
            self.data += struct.pack(f"<{len(value)}i", *value)
        else:
            for each in value:
                self.waiting.append((len(self.data), "T", each))
                self.data += b"\0\0\0\0"
        return at


class Tensor:
    """A tensor. held: a constant's whole numbers, or True for zeros."""

    def __init__(
        self, shape: tuple[int, ...], held: Any = None, *, type: str = "", name: str = "",
        signature: tuple[int, ...] = (), quantized: bool = False,
    ) -> None:  # fmt: skip
        self.shape, self.held, self.name, self.signature = shape, held, name, signature
        self.type = type or ("int32" if isinstance(held, (list, tuple)) else "float32")
        self.quantized = quantized

    def data(self) -> bytes | None:
        if self.held is None:
            return None
        if isinstance(self.held, bytes):
            return self.held
        if self.held is True:
            count = 1
            for size in self.shape:
                count *= size
            return b"\0" * (count * BYTES[self.type])
        return struct.pack(f"<{len(self.held)}{'q' if self.type == 'int64' else 'i'}", *self.held)


Op = tuple[str, list[int], list[int], Fields]


def tree(
    tensors: list[Tensor], ops: list[Op], inputs: list[int], outputs: list[int], **more: Any
) -> Fields:
    """The model as nested tables."""
    kinds = list(dict.fromkeys(op[0] for op in ops))
    codes: list[Fields] = []
    for kind in kinds:
        number = 32 if kind.startswith("custom ") else NUMBERS.get(kind, 250)
        code: Fields = {0: ("b", min(number, 127)), 2: ("i", 1), 3: ("i", number)}
        if number == 32:
            code[1] = ("s", kind[7:])
        codes.append(code)
    buffers: list[Fields] = [{}]
    listed: list[Fields] = []
    for i, tensor in enumerate(tensors):
        data = tensor.data()
        fields: Fields = {
            0: ("i*", tensor.shape),
            1: ("b", TYPES[tensor.type]),
            2: ("I", len(buffers) if data is not None else 0),
            3: ("s", tensor.name or f"t{i}"),
        }
        if tensor.signature:
            fields[7] = ("i*", tensor.signature)
        if tensor.quantized:
            fields[4] = ("T", {2: ("i*", [1])})
        if data is not None:
            buffers.append({0: ("B*", data)})
        listed.append(fields)
    operators: list[Fields] = []
    for kind, takes, makes, options in ops:
        made: Fields = {0: ("I", kinds.index(kind)), 1: ("i*", takes), 2: ("i*", makes)}
        if options:
            made |= {3: ("B", 1), 4: ("T", options)}
        operators.append(made)
    graph: Fields = {
        0: ("V", listed), 1: ("i*", inputs), 2: ("i*", outputs), 3: ("V", operators),
    }  # fmt: skip
    return {
        0: ("I", 3), 1: ("V", codes), 2: ("V", [graph, *more.get("graphs", [])]),
        4: ("V", buffers),
    }  # fmt: skip


def model(
    tensors: list[Tensor], ops: list[Op], inputs: list[int] | None = None,
    outputs: list[int] | None = None, **more: Any,
) -> bytes:  # fmt: skip
    """A file. inputs: by default the first tensor; outputs: the last operator's."""
    made = tree(tensors, ops, inputs if inputs is not None else [0], outputs or ops[-1][2], **more)
    return Writer().write(made)


def conv(padding: int = 0, stride: tuple[int, int] = (1, 1), fused: int = 0,
         dilation: tuple[int, int] = (1, 1)) -> Fields:  # fmt: skip
    """Conv2DOptions; sizes are height, width."""
    return {0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("b", fused),
            4: ("i", dilation[1]), 5: ("i", dilation[0])}  # fmt: skip


def depthwise(padding: int = 0, stride: tuple[int, int] = (1, 1), fused: int = 0,
              dilation: tuple[int, int] = (1, 1)) -> Fields:  # fmt: skip
    """DepthwiseConv2DOptions."""
    return {0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("i", 1),
            4: ("b", fused), 5: ("i", dilation[1]), 6: ("i", dilation[0])}  # fmt: skip


def pool(padding: int, kernel: tuple[int, int], stride: tuple[int, int], fused: int = 0) -> Fields:
    """Pool2DOptions."""
    return {0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("i", kernel[1]),
            4: ("i", kernel[0]), 5: ("b", fused)}  # fmt: skip
