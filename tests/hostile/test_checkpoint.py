"""Checkpoints made to harm: archives that lie, pickles that would run code, nest, or never end."""
# ruff: noqa: E501  (tables: a case a line)

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkpoint_files import STORAGES, archive, dictionary, number, pickled, stream, tensor, text

if TYPE_CHECKING:
    from conftest import Hostile

GOOD = archive(pickled(dictionary(w=tensor((2, 3)))), {"0": b"\0" * 24})


def packed(value: bytes) -> bytes:
    return archive(pickled(value), STORAGES)


class Runs:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def running(*call: Any) -> bytes:
    return pickle.dumps(Runs(*call), 2)[2:-1]


CODE = {
    "exec": b"cbuiltins\nexec\n(" + text("raise SystemExit") + b"tR",
    "system": b"cos\nsystem\n(" + text("touch x") + b"tR",
    "popen": b"csubprocess\nPopen\n(" + text("touch x") + b"tR",
    "open": b"cio\nopen\n(" + text("/etc/passwd") + b"tR",
    "import": running(__import__, "socket"),
    "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\n" + text("x") + b"tR",
    "torch.load": b"ctorch\nload\n(" + text("x.pt") + b"tR",
    "hooks": b"ctorch._utils\n_rebuild_parameter\n(N\x88cos\nsystem\ntR",
    "dynamic": b"ctorch.utils\n_import_dotted_name\n(" + text("os.system") + b"tR" + b")R",
    "build": b"cbuiltins\nobject\n)\x81}(" + text("__setstate__") + b"cos\nsystem\nub",
    "newobj": b"cos\n_wrap_close\n)\x81",
    "append": b"ccollections\ndeque\n)R" + b"K\x01a",
}


@pytest.mark.parametrize("name", CODE)
def test_code_is_not_run(hostile: Hostile, name: str) -> None:
    """With a tensor beside it the file is read: what was to be run stands for nothing."""
    value = b"}(" + text("w") + tensor((2, 3)) + text("x") + CODE[name] + b"u"
    found = hostile("x.pt", packed(value))
    assert (found.how, found.parameters) == ("read", 6)
    found = hostile("x.pt", stream(value.replace(b"tQ", b"NtQ"), {"0": 6}))
    assert (found.how, found.parameters) == ("read", 6)


def overlapping() -> bytes:
    """Every name of the directory leads to the same file."""
    end = GOOD.rfind(b"PK\x05\x06")
    start = GOOD.find(b"PK\x01\x02")
    one = bytearray(GOOD[start : GOOD.find(b"PK\x01\x02", start + 4)])
    made = bytearray()
    for i in range(1000):
        one[46:62] = f"archive/{i:08d}".encode()
        made += one
    data = GOOD[:start] + bytes(made)
    last = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1000, 1000, len(made), start, 0)
    return data + last + GOOD[end + 22 :]


def bomb(size: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", b"\x80\x02" + b"N0" * (size // 2) + b"}.")
    return made.getvalue()


def sized(size: int) -> bytes:
    """An archive whose directory states another size for its first file."""
    data = bytearray(bomb(1000))
    start = data.find(b"PK\x01\x02")
    data[start + 24 : start + 28] = struct.pack("<I", size)
    return bytes(data)


def doubled() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a/data.pkl", pickled(b"}"))
        file.writestr("a/data.pkm", pickled(b"]"))
    return made.getvalue().replace(b"a/data.pkm", b"a/data.pkl")


def directory(count: int, size: int, start: int) -> bytes:
    end = GOOD.rfind(b"PK\x05\x06")
    return GOOD[:end] + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, size, start, 0)


ARCHIVES = {
    "overlapping": (overlapping, "lies over what follows it"),
    "bomb": (lambda: bomb(300_000_000), "is too large"),
    "states more": (lambda: sized(2**31), "states more than packing can reach"),
    "states less": (lambda: sized(100), "has another size than it states"),
    "twice": (doubled, "the archive has two files 'a/data.pkl'"),
    "directory beyond": (lambda: directory(3, 5000, 10), "lies over its own end"),
    "directory cut": (lambda: directory(65_000, 100, 10), "directory is damaged"),
    "only an end": (lambda: b"PK\x03\x04/data.pkl" + directory(0, 0, 0)[-22:], "no data.pkl"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_lies(hostile: Hostile, name: str) -> None:
    make, message = ARCHIVES[name]
    assert message in hostile("x.pt", make()).refused


def laughs() -> bytes:
    """Lists of lists of the same list: each is entered once."""
    made = b"]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(60))
    return b"(" + made + b"t"


PICKLES = {
    "deep lists": (b"]" * 20_000 + b"a" * 19_999, "nests too deep"),
    "deep tuples": (b")" + b"\x85" * 20_000, "nests too deep"),
    "deep dictionaries": (b"".join(b"}" + text("a") for _ in range(200_000)) + b"N" + b"s" * 200_000,
                          "nests too deep"),
    "deep things": (b"cx\ny\n" + b")R" * 20_000, "no tensors"),
    "many lists": (b"(" + b"]" * 1_000_000 + b"t", "makes more than its size allows"),
    "marks": (b"(" * 1_000_000, "takes what it never put there"),
    "laughs": (laughs(), "no tensors"),
    "itself": (b"]q\x00h\x00a", "no tensors"),
    "text without end": (b"X\xff\xff\xff\xff", "the pickle ends too soon"),
    "bytes without end": (b"\x8e" + b"\xff" * 8, "the pickle ends too soon"),
    "long number": (b"\x8b" + struct.pack("<I", 4_000_000) + b"\x7f" * 4_000_000, "no tensors"),
    "long digits": (b"L" + b"9" * 60_000 + b"L\n", "no tensors"),
    "long line": (b"V" + b"x" * 3_000_000, "a line without an end"),
    "memo": (b"Nr\xff\xff\xff\xff", "no tensors"),
    "axes": (dictionary(w=tensor((1,) * 1000, "0", 6)), "has too many axes"),
    "nested types": (b"N" + b"".join(
        b"ctorch._utils\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_from_type_v2\nN)NtR0"
        for _ in range(2)), "made of what makes none"),
    "pops": (b"N" + b"20" * 500_000, "no tensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_that_is_refused(hostile: Hostile, name: str) -> None:
    value, message = PICKLES[name]
    assert message in hostile("x.pt", packed(value), seconds=20).refused


def test_ten_thousand_tensors_of_one_storage(hostile: Hostile) -> None:
    value = b"}(" + b"".join(
        text(f"l{i}.weight") + tensor((2, 3), "0", 6) for i in range(10_000)
    ) + b"u"  # fmt: skip
    found = hostile("x.pt", packed(value), seconds=20)
    assert (found.how, found.parameters) == ("read", 6)


def test_twenty_thousand_storages(hostile: Hostile) -> None:
    count = 20_000
    value = b"}(" + b"".join(
        text(f"l{i}.weight") + tensor((1,), str(i), 1) for i in range(count)
    ) + b"u"  # fmt: skip
    found = hostile(
        "x.pt", archive(pickled(value), {str(i): b"\0" * 4 for i in range(count)}), seconds=20
    )
    assert (found.how, found.parameters) == ("read", count)


def test_one_part_under_many_names(hostile: Hostile) -> None:
    """A hundred thousand keys that all hold the same dictionary: it is entered once."""
    inner = b"}(" + text("w") + tensor((2, 3)) + b"uq\x00"
    value = (
        b"}("
        + text("a")
        + inner
        + b"".join(text(f"k{i}") + b"h\x00" for i in range(100_000))
        + b"u"
    )
    found = hostile("x.pt", packed(value), seconds=20)
    assert (found.how, found.parameters) == ("read", 6)


def test_numbers_of_any_size(hostile: Hostile) -> None:
    value = b"}(" + number(2**400) + tensor((2, 3)) + text("x") + number(-(2**100)) + b"u"
    assert hostile("x.pt", packed(value)).how == "read"
