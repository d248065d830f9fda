"""TFLite files made to harm: offsets that lead astray, vectors without end, one thing many times."""
# ruff: noqa: E501  (tables: a case a line)

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from tflite_files import Tensor, Writer, conv, model, tree

if TYPE_CHECKING:
    from conftest import Hostile

T = Tensor
GOOD = model([T((1, 7)), T((3, 7), True), T((1, 3))], [("FULLY_CONNECTED", [0, 1], [2], {})])


def pointing(fill: bytes) -> bytes:
    """A root whose table is followed by the same four bytes over and over."""
    return b"\x10\0\0\0TFL3" + b"\x0c\0\x40\0" * 2 + fill * 100_000


def repeated(field: int, count: int) -> bytes:
    """A graph whose tensors (0) or operators (3) are one table, named many times."""
    made = tree([T((1, 7)), T((1, 7))], [("ABS", [0], [1], {})], [0], [1])
    graph = made[2][1][0]
    graph[field] = ("V", graph[field][1] * 2)
    data = bytearray(Writer().write(made))
    place = _vector(data, field)
    return _moved(data, field, _follow(data, place + 4), count)


def _field(data: bytes, table: int, number: int) -> int:
    vtable = table - struct.unpack_from("<i", data, table)[0]
    return table + struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]


def _follow(data: bytes, at: int) -> int:
    return at + struct.unpack_from("<I", data, at)[0]


def _graph(data: bytes) -> int:
    root = _follow(data, 0)
    graphs = _follow(data, _field(data, root, 2))
    return _follow(data, graphs + 4)


def _vector(data: bytes, field: int) -> int:
    return _follow(data, _field(data, _graph(data), field))


def _moved(data: bytearray, field: int, first: int, count: int) -> bytes:
    """A new vector at the end cannot lead back: so the tables are copied behind it."""
    tail = bytes(data)
    shift = len(data) + 4 + 4 * count
    shift += -shift % 4
    made = bytearray(data)
    where = _field(data, _graph(data), field)
    struct.pack_into("<I", made, where, len(data) - where)
    vector = bytearray(struct.pack("<I", count))
    for i in range(count):
        at = len(data) + 4 + 4 * i
        vector += struct.pack("<I", shift + first - at)
    made += vector
    made += b"\0" * (shift - len(made))
    return bytes(made) + tail


def longest(field: int) -> bytes:
    """A vector of the graph that states 2^32 - 1 entries."""
    data = bytearray(GOOD)
    struct.pack_into("<I", data, _vector(data, field), 2**32 - 1)
    return bytes(data)


REFUSED = {
    "zeros": (b"\0\0\0\0TFL3" + b"\0" * 1_000_000, "an offset leads out of the file"),
    "ones": (b"\xff\xff\xff\xffTFL3" + b"\xff" * 1_000_000, "an offset leads out of the file"),
    "itself": (pointing(b"\x04\0\0\0"), "version"),
    "long tensors": (longest(0), "a vector is longer than the file"),
    "long inputs": (longest(1), "a vector is longer than the file"),
    "long operators": (longest(3), "a vector is longer than the file"),
    "many operators": (repeated(3, 300_000), "too many operators"),
    "many tensors": (repeated(0, 500_000), "too many tensors"),
    "one operator over and over": (repeated(3, 60_000), "too many operators"),
    "one tensor over and over": (repeated(0, 60_000), "too many tensors"),
    "many axes": (model([T((1,) * 1000), T((1, 7))], [("ABS", [0], [1], {})]), "too many axes"),
    "huge sizes": (model([T((2**31 - 1,) * 30), T((1, 7), True), T((1, 7))],
                         [("FULLY_CONNECTED", [0, 1], [2], {})]), "does not come out even"),
    "huge padding": (model([T((1, 5, 7)), T((3, 2), [0, 0, 2**31 - 1, 2**31 - 1, 0, 0]), T((1, 5, 7))],
                           [("PAD", [0, 1], [2], {})]), ""),
    "huge stride": (model([T((1, 8, 8, 6)), T((4, 3, 3, 6), True), T((1, 8, 8, 4))],
                          [("CONV_2D", [0, 1], [2], conv(1, (-(2**31), 1)))]), "stride must be"),
    "many inputs": (model([T((1, 7))] * 2, [("CONCATENATION", [0] * 2_100_000, [1], {})]),
                    "too many inputs"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_lies(hostile: Hostile, name: str) -> None:
    data, message = REFUSED[name]
    found = hostile("x.tflite", data, seconds=20)
    if message:
        assert message in found.refused


def test_forty_thousand_operators(hostile: Hostile) -> None:
    count = 40_000
    tensors = [T((1, 7), name="x") for _ in range(count + 1)]
    data = model(tensors, [("ABS", [i], [i + 1], {}) for i in range(count)])
    found = hostile("x.tflite", data, seconds=30)
    assert (found.how, found.layers) == ("read", count)


def test_dense_inputs(hostile: Hostile) -> None:
    tensors = [T((1, 7)) for _ in range(1001)]
    data = model(tensors, [("ADD_N", list(range(i + 1)), [i + 1], {}) for i in range(1000)])
    found = hostile("x.tflite", data, seconds=30)
    assert (found.how, found.layers) == ("read", 1000)


def test_names_with_escapes(hostile: Hostile) -> None:
    name = "\x1b]0;owned\x07/<script>;" + "/" * 5000
    data = model([T((1, 7), name=name), T((1, 7), name=name)], [("ABS", [0], [1], {})])
    assert hostile("x.tflite", data).how == "read"


def test_time_and_memory_grow_with_the_file(hostile: Hostile) -> None:
    """200 MB and 2 s for 1 MB (5 s here, for slow machines), and twice as much for twice as much."""
    found = []
    for count in (6_000, 12_000):
        tensors = [T((1, 7), name="x" * 9)] * (count + 1)
        data = model(tensors, [("ABS", [i], [i + 1], {}) for i in range(count)])
        found.append(hostile("x.tflite", data))
        assert found[-1].layers == count
        assert found[-1].seconds < 5 * len(data) / 2**20 + 0.5
        assert found[-1].memory < 200 * len(data) + 2**24
    assert found[1].memory < 3 * found[0].memory + 2**24
