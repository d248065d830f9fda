"""What constants hold that nobody learned: masks, sines of positions, frequencies, distances.

A mask holds zeros and very negative numbers, or zeros and ones; a learned tensor never does. The
sines and cosines of equally spaced angles, as rotary and sinusoidal positions have them, satisfy
x[n-1] + x[n+1] = 2·cos(step) · x[n] along the positions, whatever the first one is.
"""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from .proto import DOUBLE, FLOAT, FLOAT16
from .values import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..encodings.blob import Blob
    from .values import Value

PLAIN = ""
MASK = "0 and very negative numbers"
INVERTED_MASK = "0 and very large numbers"
CHOICE = "0 and 1"
WAVES = "sines"
FREQUENCIES = "rising or falling, positive"
DISTANCES = "a slope times the distance of two positions"

LOW = 100
"""A mask's numbers are this large at least: Swin's are -100, others -10,000 or less."""

MAX_DISTINCT = 8
MAX_WAVES = 1 << 14
MAX_BYTES = 1 << 25
"""How much of a tensor is looked at."""

BFLOAT16 = 16
_BITS = {
    FLOAT: ("I", 4, "<f"),
    DOUBLE: ("Q", 8, "<d"),
    FLOAT16: ("H", 2, "<e"),
    BFLOAT16: ("H", 2, ""),
}
"""Of a type: the word of its size, that size in bytes, and how the number is unpacked."""

_AS_IS = ("<f", "<d") if sys.byteorder == "little" else ()
_ERRORS = {FLOAT: 1e-3, DOUBLE: 1e-3, FLOAT16: 1e-2, BFLOAT16: 4e-2}
"""How far x[n-1] + x[n+1] may be off, as a part of the largest x, for the type's precision."""


def pattern(blob: Blob, value: Value) -> str:
    """Which of these a constant of the file holds; PLAIN where none, or it is not known."""
    first = _values(blob, value, 8)
    if not first:
        return PLAIN
    if first[0] in (0, 1) or abs(first[0]) >= LOW:
        holds = _extremes(blob, value)
        if holds:
            return holds
    shape = value.shape or ()
    if known(shape) and len(shape) > 2 and _are_distances(blob, value, shape):
        return DISTANCES
    axes = [size for size in shape if type(size) is int and size > 1]
    if len(axes) > 1 and max(first) <= 2 and min(first) >= -2:
        return WAVES if _are_waves(blob, value, axes) else PLAIN
    if len(axes) == 1 and axes[0] > 2 and min(first) > 0 and first[0] != first[1]:
        some = _values(blob, value, 1 << 10)
        steps = [b - a for a, b in pairwise(some)]
        if min(steps) > 0 or max(steps) < 0:
            return FREQUENCIES
    return PLAIN


def _extremes(blob: Blob, value: Value) -> str:
    """Which mask it is, where all values are 0 and 1, or 0 and very large."""
    distinct = _distinct(blob, value)
    if distinct == {0, 1}:
        return CHOICE
    if any(distinct):
        if all(each == 0 or each <= -LOW for each in distinct):
            return MASK
        if all(each == 0 or each >= LOW for each in distinct):
            return INVERTED_MASK
    return PLAIN


def has_infinity(blob: Blob, value: Value) -> bool:
    return any(abs(each) == float("inf") for each in _distinct(blob, value))


def is_zeros(blob: Blob, value: Value) -> bool:
    return _distinct(blob, value) == {0}


def _bytes(blob: Blob, value: Value, most: int) -> tuple[bytes, str, str] | None:
    """The first bytes of the contents, and how a word and a number of them are called."""
    tensor = value.tensor
    if tensor is None or tensor.external or tensor.sparse or tensor.dtype not in _BITS:
        return None
    code, width, number = _BITS[tensor.dtype]
    if tensor.field not in (4, 9, 10):
        return None
    size = min(tensor.size, most * width)
    size -= size % width
    data = tensor.data
    if data is None or len(data) < size:
        data = blob.fetch(tensor.at, size)
    return data[:size], code, number


def _values(blob: Blob, value: Value, most: int) -> Sequence[float]:
    """The first values, ``most`` at most; none where they are not known."""
    if value.contents is not None:
        return value.contents[:most]
    part = _bytes(blob, value, most)
    if part is None:
        return ()
    data, code, number = part
    if number in _AS_IS:
        return memoryview(data).cast(number[1])  # type: ignore[call-overload, return-value] - "f" or "d"
    if number:
        return [each for (each,) in struct.iter_unpack(number, data)]
    return _numbers(memoryview(data).cast(code), code, number)  # type: ignore[arg-type] - "H"


def _distinct(blob: Blob, value: Value) -> set[float]:
    """The different values, where they are few; else none."""
    if value.contents is not None:
        some: set[float] = set(value.contents)
        return some if len(some) <= MAX_DISTINCT else set()
    words: set[int] = set()
    for most in (64, MAX_BYTES // 4):  # of learned ones the first are enough to tell
        part = _bytes(blob, value, most)
        if part is None:
            return set()
        data, code, number = part
        view = memoryview(data).cast(code)  # type: ignore[call-overload] - a code of _BITS
        for start in range(0, len(view), 4096):
            words.update(view[start : start + 4096])
            if len(words) > MAX_DISTINCT:
                return set()
    return set(_numbers(words, code, number))


def _numbers(words: Iterable[int], code: str, number: str) -> list[float]:
    """Numbers from the words that their bits are."""
    if not number:  # a bfloat16 is the upper half of a float
        return [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in words]
    data = [word.to_bytes(struct.calcsize(code), sys.byteorder) for word in words]
    return [struct.unpack(number, each)[0] for each in data]


def _are_distances(blob: Blob, value: Value, shape: Sequence[int]) -> bool:
    """Whether each head's values are a slope times |i - j|, or times j (Press et al. 2022).

    A learned bias of relative positions is a function of i - j too, but no straight line.
    """
    rows, columns = shape[-2:]
    error = _ERRORS.get(value.dtype, 1e-3)
    if columns < 4:
        return False
    some = _values(blob, value, MAX_WAVES)
    for start in range(0, len(some) - columns + 1, rows * columns):
        first = some[start]
        slope = some[start + 1] - first
        if not slope or (rows > 1 and first):
            return False
        for i in range(min(rows, (len(some) - start) // columns)):
            row = some[start + i * columns : start + (i + 1) * columns]
            off = max(abs(each - first - slope * abs(i - j)) for j, each in enumerate(row))
            if not off <= error * abs(slope) * columns:
                return False
    return len(some) >= columns


def _are_waves(blob: Blob, value: Value, axes: Sequence[int]) -> bool:
    """Whether along one of the axes all are sines, and not all of them too slow to tell."""
    error = _ERRORS.get(value.dtype, 1e-3)
    stride = prod(axes)
    for size in axes:
        stride //= size
        steps = min(size, 6)
        if size < 4:
            continue
        some = _values(blob, value, min(2 * stride * size, MAX_WAVES))
        last = len(some) - (steps - 1) * stride
        if last < 1 or _rate(some[: last + (steps - 1) * stride : stride][:steps], error) is None:
            continue  # learned numbers end here
        starts = [
            first + inner
            for first in range(0, min(last, 2 * size * stride), size * stride)
            for inner in range(0, stride, max(stride // 16, 1))
            if first + inner < last
        ]
        rates: list[float] = []
        for start in starts:
            rate = _rate([some[start + n * stride] for n in range(steps)], error)
            if rate is None:
                break
            rates.append(rate)
        if len(rates) > 1 and len(rates) == len(starts) and min(rates) < 1.99:
            return True
    return False


def _rate(row: Sequence[float], error: float) -> float | None:
    """2·cos(step) of values that are sines of equally spaced angles; None where they are not."""
    largest = max(map(abs, row))
    if not largest:
        return 2.0
    if not largest <= 2:
        return None
    inner = range(1, len(row) - 1)
    middle = max(inner, key=lambda n: abs(row[n]))
    if not row[middle]:
        return None
    rate = (row[middle - 1] + row[middle + 1]) / row[middle]
    if abs(rate) > 2 + error:
        return None
    off = max(abs(row[n - 1] + row[n + 1] - rate * row[n]) for n in inner)
    return rate if off <= error * largest else None
