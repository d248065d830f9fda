"""Reads Caffe's trained nets (.caffemodel): layers and counts, the weights left where they are.

The file is a binary message of the same kind as a net description, with the tensors in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..source import Format

if TYPE_CHECKING:
    from ...network import Network
    from ..source import Source

FORMAT = Format(
    "Caffe, trained nets",
    (".caffemodel",),
    "binary nets of layers and of V1's layers; the weights stay unread",
    (
        "without a data layer the size of the input is asked for, else tensors alone are counted",
        "nets in HDF5 (.caffemodel.h5) are not read",
    ),
)

BINARY = True
"""The file is opened by this module, which fetches of it what it needs."""

BYTES, VARINT = 2, 0

_TOP = {1: BYTES, 2: BYTES, 3: BYTES, 4: None, 5: VARINT, 6: BYTES, 7: VARINT, 8: BYTES, 100: BYTES}
"""The fields of a NetParameter, and their wire types; 4, input_dim, may be packed or not."""


def sniff(head: bytes, name: str) -> bool:
    """Whether the file begins as a net of Caffe's does, up to its first layer."""
    place, end = 0, len(head)
    if not head or head[0] not in (0x0A, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x38, 0x42, 0xA2):
        return False
    while place < end:
        tag, place = _varint(head, place)
        number, wire = tag >> 3, tag & 7
        if number not in _TOP or (_TOP[number] is not None and _TOP[number] != wire):
            return False
        value, place = _varint(head, place)
        if value < 0:
            return False
        if number in (2, 100):
            return _is_layer(head, place, min(place + value, end), number)
        if wire == BYTES:
            if number == 1 and not _is_text(head[place : place + value]):
                return False
            place += value
        elif wire != VARINT:
            return False
    return False


def _is_layer(head: bytes, place: int, end: int, number: int) -> bool:
    """Whether a layer begins with its name, its type or its blobs: V1 by number 2, else 100."""
    if place >= end:
        return False
    tag, place = _varint(head, place)
    first, wire = tag >> 3, tag & 7
    size, place = _varint(head, place)
    if number == 2 and first == 5:
        return wire == VARINT and 0 <= size < 64
    if wire != BYTES or size < 0 or first not in (1, 2, 3, 4):
        return False
    if number == 2 and first == 1:  # a V0 layer
        return place >= end or head[place] in (0x0A, 0x12)
    return _is_text(head[place : place + size])


def _is_text(data: bytes) -> bool:
    return not any(byte < 32 and byte not in (9, 10, 13) for byte in data) and len(data) < 4096


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A varint and where it ends; -1 where there is none."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    return -1, len(data)


def read(source: Source) -> Network:
    """The network of a trained net.

    Where the size of its input is not in the file and not given, the layers are known by their
    tensors alone: their parameters are counted, their shapes and work are not.
    Raises ReadError, with the place in the file, for what is damaged or contradicts itself.
    """
    from ..encodings.blob import Blob
    from .binary import decode
    from .build import Unsized, network
    from .stored_tensors import unsized

    with Blob(source.name, source.path, source.data) as blob:
        net = decode(blob)
    try:
        return network(net, source, snapshot=True)
    except Unsized as why:
        return unsized(net, source, str(why))
