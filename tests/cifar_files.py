"""CIFAR's batches as they were pickled, by Python 2, and as others might pickle something."""

from __future__ import annotations

import struct

import numpy as np


def text(value: bytes) -> bytes:
    """Python 2's str: SHORT_BINSTRING, or BINSTRING."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def number(value: int) -> bytes:
    """BININT1, BININT2 or BININT."""
    if 0 <= value < 256:
        return b"K" + bytes([value])
    return (
        b"M" + struct.pack("<H", value) if 0 <= value < 65536 else b"J" + struct.pack("<i", value)
    )


def listed(values: list[bytes]) -> bytes:
    """A list: MARK, its items, APPENDS."""
    return b"](" + b"".join(values) + b"e"


def array(
    values: np.ndarray, kind: bytes = b"u1", module: bytes = b"numpy.core.multiarray"
) -> bytes:
    """An array as numpy's __reduce__ had it under Python 2."""
    shape = b"(" + b"".join(number(each) for each in values.shape) + b"t"
    made = b"c" + module + b"\n_reconstruct\n" + b"cnumpy\nndarray\n" + number(0) + b"\x85"
    dtype = (
        b"cnumpy\ndtype\n" + text(kind) + number(0) + number(1) + b"\x87R"
        b"(" + number(3) + text(b"|") + b"NNN" + number(-1) * 2 + number(0) + b"tb"
    )
    fortran = b"\x89"
    state = b"(" + number(1) + shape + dtype + fortran + text(values.tobytes()) + b"t"
    return made + text(b"b") + b"\x87R" + state + b"b"


def pickled(values: dict[bytes, bytes]) -> bytes:
    """A dictionary of protocol 2; the memo's PUTs, which Python writes, stand after each value."""
    pairs = b"".join(
        text(key) + b"q" + bytes([i + 1]) + value for i, (key, value) in enumerate(values.items())
    )
    return b"\x80\x02}q\x00(" + pairs + b"u."


def batch(images: np.ndarray, labels: list[int], kind: bytes = b"labels") -> bytes:
    """A batch: images are (n, 32, 32, 3)."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickled(
        {
            b"batch_label": text(b"training batch 1 of 5"),
            kind: listed([number(each) for each in labels]),
            b"data": array(np.ascontiguousarray(planes)),
            b"filenames": listed([text(f"{i}.png".encode()) for i in range(len(images))]),
        }
    )


def meta(names: list[str], key: bytes = b"label_names") -> bytes:
    """batches.meta."""
    return pickled({b"num_vis": number(3072), key: listed([text(each.encode()) for each in names])})
