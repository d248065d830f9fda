"""Makes checkpoints by hand: pickles from their instructions, archives from their parts."""

from __future__ import annotations

import io
import struct
import zipfile

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
SYSTEM = b"\x80\x02}q\x00."


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """LONG1, of any size."""
    raw = value.to_bytes(max(1, (value.bit_length() + 8) // 8), "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def sizes(*values: int) -> bytes:
    """A tuple of numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(
    key: str = "0", count: int = 6, kind: str = "torch FloatStorage", *, old: bool = False
) -> bytes:
    """A reference to what lies outside: ("storage", class, key, "cpu", count), old: and None."""
    module, name = kind.split()
    parts = (
        text("storage") + f"c{module}\n{name}\n".encode() + text(key) + text("cpu") + number(count)
    )
    return b"(" + parts + (b"N" if old else b"") + b"tQ"


def tensor(
    shape: tuple[int, ...] = (2, 3), key: str = "0", count: int | None = None, *, offset: int = 0,
    stride: tuple[int, ...] | None = None, kind: str = "torch FloatStorage", old: bool = False,
) -> bytes:  # fmt: skip
    """A call of torch._utils._rebuild_tensor_v2."""
    if stride is None:
        steps = [1]
        for size in reversed(shape[1:]):
            steps.insert(0, steps[0] * size)
        stride = tuple(steps[: len(shape)])
    if count is None:
        count = 1
        for size in shape:
            count *= size
    args = storage(key, count, kind, old=old) + number(offset) + sizes(*shape) + sizes(*stride)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + args + b"\x89N" + b"tR"


def dictionary(**values: bytes) -> bytes:
    """A dictionary of text to values."""
    return b"}(" + b"".join(text(k.replace("__", ".")) + v for k, v in values.items()) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def archive(
    pickle: bytes, storages: dict[str, bytes] | None = None, folder: str = "archive"
) -> bytes:
    """What torch.save writes: an archive of a pickle and its storages."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(f"{folder}/data.pkl", pickle)
        for key, data in (storages or {}).items():
            file.writestr(f"{folder}/data/{key}", data)
        file.writestr(f"{folder}/version", "3\n")
    return made.getvalue()


def stream(value: bytes, storages: dict[str, int] | None = None, itemsize: int = 4) -> bytes:
    """What torch.save wrote before 1.6: five pickles, and each storage's count and numbers."""
    keys = b"](" + b"".join(map(text, storages or {})) + b"e"
    tail = b"".join(
        struct.pack("<q", n) + b"\0" * (n * itemsize) for n in (storages or {}).values()
    )
    return MAGIC + PROTOCOL + SYSTEM + pickled(value) + pickled(keys) + tail


SMALL = dictionary(a__weight=tensor((2, 3), "0"), a__bias=tensor((2,), "1"))
STORAGES = {"0": b"\0" * 24, "1": b"\0" * 8}
