"""Binary files that grow and do harm, for the law of tests/hostile/test_growth.py."""
# ruff: noqa: E501  (tables: a generator a line)

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

from caffe_files import field, varint
from hostile_growth_text import START, dense, functional
from tflite_files import Fields, Tensor, Writer, conv, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostile_growth_text import Generator

# --- protocol buffers: caffemodel ---------------------------------------------------------------


def repeated(head: bytes, item: bytes | Callable[[int], bytes], tail: bytes = b"") -> Generator:
    """A head, as many items as the size allows, and a tail."""

    def write(size: int) -> bytes:
        parts = [head]
        room = size - len(head) - len(tail)
        number = 0
        while room > 0:
            parts.append(item if isinstance(item, bytes) else item(number))
            room -= len(parts[-1])
            number += 1
        return b"".join((*parts, tail))

    return write


def wrapped(number: int, body: Generator, head: bytes = b"") -> Generator:
    """A message in a field, behind a head."""
    return lambda size: head + field(number, body(size - len(head) - 8))


def caffe_layer(name: str, kind: str, bottom: str, top: str, more: bytes = b"") -> bytes:
    body = field(1, name.encode()) + field(2, kind.encode()) + field(3, bottom.encode())
    return field(100, body + field(4, top.encode()) + more)


def blob(*sizes: int) -> bytes:
    """A BlobProto of zeros."""
    count = 1
    for size in sizes:
        count *= size
    return field(7, field(7, field(1, b"".join(map(varint, sizes)))) + field(5, bytes(4 * count)))


START_OF_NET = (
    field(1, b"net")
    + field(3, b"data")
    + field(8, field(1, b"\x01\x03\x08\x08"))
    + caffe_layer("a", "ReLU", "data", "a")
)


def nested(size: int) -> bytes:
    """A message in a message, as often as the size allows."""
    depth = size // 5
    out = bytearray()
    lengths: list[bytes] = []
    length = 0
    for _ in range(depth):
        head = varint(100 << 3 | 2) + varint(length)
        lengths.append(head)
        length += len(head)
    for head in reversed(lengths):
        out += head
    return START_OF_NET + bytes(out)


LAYER = field(1, b"b") + field(2, b"InnerProduct") + field(3, b"a") + field(4, b"b")

CAFFEMODEL: dict[str, Generator] = {
    "layers": repeated(START_OF_NET, lambda i: caffe_layer(f"b{i}", "ReLU", "a", f"b{i}")),
    "a chain": repeated(START_OF_NET, lambda i: caffe_layer(f"b{i}", "ReLU", f"b{i - 1}" if i else "a", f"b{i}")),
    "layers with blobs": repeated(START_OF_NET, lambda i: caffe_layer(f"b{i}", "InnerProduct", "a", f"b{i}", blob(2, 192) + field(117, field(1, 2) + field(2, 0)))),
    "unknown layers": repeated(START_OF_NET, lambda i: caffe_layer(f"b{i}", f"What{i}", "a", f"b{i}", blob(2))),
    "blobs": wrapped(100, repeated(LAYER, blob(1)), START_OF_NET),
    "empty blobs": wrapped(100, repeated(LAYER, field(7, b"")), START_OF_NET),
    "axes of a blob": wrapped(100, lambda size: LAYER + field(7, field(7, field(1, b"\x01" * size))), START_OF_NET),
    "axes apart": wrapped(100, lambda size: LAYER + field(7, field(7, field(1, 1) * (size // 2))), START_OF_NET),
    "unknown fields": repeated(START_OF_NET, lambda i: field(2000 + i % 1000, 1)),
    "one unknown field": repeated(START_OF_NET, field(2000, 1)),
    "empty messages": repeated(START_OF_NET, field(100, b"")),
    "nested": nested,
    "groups": repeated(START_OF_NET, varint(2000 << 3 | 3)),
    "strings": repeated(START_OF_NET, field(1, b"x")),
    "long name": lambda size: START_OF_NET + field(1, b"x" * size),
    "bottoms": wrapped(100, repeated(LAYER, field(3, b"a")), START_OF_NET),
    "tops": wrapped(100, repeated(LAYER, lambda i: field(4, f"t{i}".encode())), START_OF_NET),
    "inputs": repeated(START_OF_NET, lambda i: field(3, f"d{i}".encode()) + field(8, field(1, b"\x01\x03"))),
    "varints": repeated(START_OF_NET, b"\xff" * 11),
    "zeros": repeated(START_OF_NET, b"\0"),
    "layers of one name": repeated(START_OF_NET[:0], caffe_layer("b", "ReLU", "data", "b")),
    "V1 layers": repeated(START_OF_NET[:0], lambda i: field(2, field(4, f"b{i}".encode()) + field(5, 18) + field(2, b"data") + field(3, f"b{i}".encode()))),
}  # fmt: skip

# --- flatbuffers: TFLite ------------------------------------------------------------------------

T = Tensor


def ops(
    item: Callable[[int], tuple[str, list[int], list[int], Fields]], wide: int, **more: Any
) -> Generator:
    """A model of as many operators as the size allows, ``wide`` bytes each."""

    def write(size: int) -> bytes:
        count = max(size // wide, 1)
        tensors = [T((1, 7), name=more.get("name", "x")) for _ in range(count + 1)]
        return Writer().write(tree(tensors, [item(i) for i in range(count)], [0], [count]))

    return write


def same_table(field_number: int) -> Generator:
    """A graph whose tensors (0) or operators (3) are one table, named as often as the size allows."""

    def write(size: int) -> bytes:
        root = tree([T((1, 7), name="x" * 1900), T((1, 7))], [("ABS", [0], [1], {})], [0], [1])
        data = bytearray(Writer().write(root))
        graph = _follow(data, _follow(data, _place(data, _follow(data, 0), 2)) + 4)
        at = _place(data, graph, field_number)
        first = _follow(data, _follow(data, at) + 4)
        count = size // 4
        shift = len(data) + 4 + 4 * count
        shift += -shift % 4
        out = bytearray(data)
        struct.pack_into("<I", out, at, len(data) - at)
        out += struct.pack("<I", count)
        for i in range(count):
            out += struct.pack("<I", shift + first - (len(data) + 4 + 4 * i))
        return bytes(out.ljust(shift, b"\0")) + bytes(data)

    return write


def _place(data: bytes, table: int, number: int) -> int:
    vtable = table - struct.unpack_from("<i", data, table)[0]
    return table + struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]


def _follow(data: bytes, at: int) -> int:
    return at + struct.unpack_from("<I", data, at)[0]


def one_operator(kind: str, inputs: int, tensors: int = 2, options: Fields | None = None) -> bytes:
    rows = [T((1, 7)) for _ in range(tensors)]
    given = [i % (tensors - 1) for i in range(inputs)]
    return Writer().write(
        tree(rows, [(kind, given, [tensors - 1], options or {})], [0], [tensors - 1])
    )


def before(size: int) -> bytes:
    count = int((size / 2) ** 0.5)
    rows = [T((1, 7)) for _ in range(count + 1)]
    return Writer().write(
        tree(rows, [("ADD_N", list(range(i + 1)), [i + 1], {}) for i in range(count)], [0], [count])
    )


TFLITE: dict[str, Generator] = {
    "a chain": ops(lambda i: ("ABS", [i], [i + 1], {}), 120),
    "a star": ops(lambda i: ("ABS", [0], [i + 1], {}), 120),
    "long names": ops(lambda i: ("ABS", [i], [i + 1], {}), 2000, name="x" * 1800),
    "one name": ops(lambda i: ("ABS", [i], [i + 1], {}), 120, name="a/b"),
    "names of many groups": ops(lambda i: ("ABS", [i], [i + 1], {}), 2000, name="x/" * 900),
    "custom operators": ops(lambda i: (f"custom what{i}", [i], [i + 1], {}), 160),
    "convolutions that do not fit": ops(lambda i: ("CONV_2D", [i, i], [i + 1], conv(1)), 160),
    "one tensor": same_table(0),
    "one operator": same_table(3),
    "inputs of a sum": lambda size: one_operator("ADD_N", size // 4),
    "inputs of a concatenation": lambda size: one_operator("CONCATENATION", size // 4),
    "tensors": lambda size: one_operator("ABS", 1, size // 70),
    "all before": before,
    "zeros": lambda size: b"\0\0\0\0TFL3" + bytes(size),
    "ones": lambda size: b"\x08\0\0\0TFL3" + b"\xff" * size,
    "fours": lambda size: b"\x10\0\0\0TFL3" + b"\x0c\0\x40\0" * 2 + b"\x04\0\0\0" * (size // 4),
    "axes": lambda size: Writer().write(tree([T((1,) * (size // 4)), T((1, 7))], [("ABS", [0], [1], {})], [0], [1])),
    "a constant": lambda size: Writer().write(tree([T((1, 7)), T((size // 4,), [1] * (size // 4)), T((1, 7))], [("RESHAPE", [0, 1], [2], {})], [0], [2])),
}  # fmt: skip

# --- zip and HDF5: Keras ------------------------------------------------------------------------

SMALL = json.dumps(functional([START, dense("d", "a")], "d"))


def archive(
    size: int, *, members: int = 0, packed: bool = False, config: str = SMALL, name: str = "m"
) -> bytes:
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as file:
        file.writestr(zipfile.ZipInfo("config.json"), config, how)
        for i in range(members):
            file.writestr(zipfile.ZipInfo(f"{name}{i}"), b"")
    return out.getvalue()


def layers_of(count: int) -> str:
    names = [f"d{i}" for i in range(count)]
    return json.dumps(
        functional(
            [START, *(dense(n, m) for n, m in zip(names, ["a", *names], strict=False))], names[-1]
        )
    )


def hdf5(text: str) -> bytes:
    """An HDF5 file whose root has one attribute, model_config, of variable length."""
    data = text.encode()
    heap = struct.pack("<HHIQ", 1, 1, 0, len(data)) + data + bytes(-len(data) % 8)
    room = max(4096, len(heap) + 32)
    room += -room % 8
    kind = struct.pack("<B3sI", 0x19, b"\x01\0\0", 16)
    kind += struct.pack("<B3sIHHBBHI", 0x13, b"\0" * 3, 1, 0, 8, 0, 8, 0, 0)
    value = struct.pack("<IQI", len(data), 1064, 1)
    attribute = struct.pack("<BBHHH", 1, 0, 13, len(kind), 8)
    attribute += b"model_config".ljust(16, b"\0") + kind + bytes(-len(kind) % 8)
    attribute += b"\x01" + bytes(7) + value
    attribute += bytes(-len(attribute) % 8)
    messages = struct.pack("<HHB3x", 0x11, 16, 0) + struct.pack("<QQ", 272, 1024)
    messages += struct.pack("<HHB3x", 0x0C, len(attribute), 0) + attribute
    header = struct.pack("<BxHII4x", 1, 2, 1, len(messages)) + messages
    names = struct.pack("<4sB3xQQQ", b"HEAP", 0, 8, 2**64 - 1, 1056) + bytes(8)
    node = struct.pack("<4sBBHQQ", b"TREE", 0, 0, 0, 2**64 - 1, 2**64 - 1) + bytes(8)
    start = b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08\0" + struct.pack("<HHI", 4, 16, 0)
    start += struct.pack("<QQQQ", 0, 2**64 - 1, 1064 + room, 2**64 - 1)
    start += struct.pack("<QQII", 0, 96, 0, 0)
    whole = (start.ljust(96, b"\0") + header).ljust(272, b"\0")
    whole = (whole + node).ljust(1024, b"\0") + names
    free = struct.pack("<HHIQ", 0, 0, 0, room - 16 - len(heap))
    return whole + struct.pack("<4sB3xQ", b"GCOL", 1, room) + (heap + free).ljust(room - 16, b"\0")


def many_messages(size: int) -> bytes:
    """An HDF5 file whose root's header has as many messages as its count can say."""
    count = min(size // 16, 60_000)
    messages = struct.pack("<HHB3x", 0, 8, 0) + bytes(8)
    header = struct.pack("<BxHII4x", 1, count, 1, 16 * count) + messages * count
    start = b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08\0" + struct.pack("<HHI", 4, 16, 0)
    start += struct.pack("<QQQQ", 0, 2**64 - 1, 96 + len(header), 2**64 - 1)
    start += struct.pack("<QQII", 0, 96, 0, 0)
    return start.ljust(96, b"\0") + header + b"model_config"


KERAS: dict[str, tuple[str, Generator]] = {
    "members": ("x.keras", lambda size: archive(size, members=size // 110)),
    "long names of members": ("x.keras", lambda size: archive(size, members=size // 1100, name="n" * 500)),
    "a packed configuration": ("x.keras", lambda size: archive(size, packed=True, config='{"class_name": "Model", "config": "' + "x" * (200 * size))),
    "packed blanks": ("x.keras", lambda size: archive(size, packed=True, config=" " * (900 * size))),
    "packed layers": ("x.keras", lambda size: archive(size, packed=True, config=layers_of(size // 60))),
    "stored layers": ("x.keras", lambda size: archive(size, config=layers_of(size // 160))),
    "an open archive": ("x.keras", lambda size: archive(size)[:-22] + b"PK\x05\x06" * (size // 4)),
    "layers in HDF5": ("x.h5", lambda size: hdf5(layers_of(size // 160))),
    "messages of HDF5": ("x.h5", many_messages),
    "zeros in HDF5": ("x.h5", lambda size: hdf5("{}")[:300] + bytes(size)),
    "ones in HDF5": ("x.h5", lambda size: hdf5("{}")[:300] + b"\xff" * size),
}  # fmt: skip

GENERATORS: dict[str, tuple[str, Generator]] = {
    **{f"caffemodel: {name}": ("x.caffemodel", write) for name, write in CAFFEMODEL.items()},
    **{f"tflite: {name}": ("x.tflite", write) for name, write in TFLITE.items()},
    **{f"keras: {name}": each for name, each in KERAS.items()},
}
