"""Signals: windows, the bands of a spectrogram, and Fourier transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..proto import FLOAT
from ..values import Unknown, Value
from .procedures import procedure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..builder import NodeCall
    from ..proto import Dim, Dims


def _define(call: NodeCall, shape: Dims, dtype: int) -> None:
    call.b.define(Value(call.node.outputs[0], shape, dtype), call)


def window(call: NodeCall) -> None:
    """HannWindow and such: as many values as its input says."""
    size = call.integer(0)
    if size is not None and size < 0:
        raise call.error("its size is negative", f"size {size}")
    if call.value(0).constant:
        _define(call, (size,), call.int("output_datatype", FLOAT))
    else:
        procedure(call, (None,), [call.value(0)], FLOAT)


def mel_weights(call: NodeCall) -> None:
    """MelWeightMatrix: a row for each frequency of the transform, a column for each band."""
    bands, size = call.integer(0), call.integer(1)
    if bands is None or size is None or bands < 0 or size < 0:
        raise Unknown
    _define(call, (size // 2 + 1, bands), call.int("output_datatype", FLOAT))


def fourier(call: NodeCall) -> None:
    """DFT: along an axis, of a given length; the last axis has the real and imaginary part."""
    x = call.value(0)
    shape = x.shape
    if shape is None or len(shape) < 2:
        raise Unknown
    axis = call.int("axis", 1) if call.opset < 20 else -2
    if call.opset >= 20 and call.get(2) is not None:
        axis_input = call.integer(2)
        if axis_input is None:
            raise Unknown
        axis = axis_input
    axis = call.axis(axis, len(shape))
    size: Dim = shape[axis]
    if call.get(1) is not None:
        size = call.integer(1)
    one_sided, inverse = bool(call.int("onesided")), bool(call.int("inverse"))
    parts = 2
    if one_sided and inverse:  # of the half that is there, to a real signal of twice its length
        parts = 1
        if call.get(1) is None:
            size = 2 * (size - 1) if type(size) is int else None
    elif one_sided:
        size = size // 2 + 1 if type(size) is int else None
    procedure(call, (*shape[:axis], size, *shape[axis + 1 : -1], parts), [x])


def short_time_fourier(call: NodeCall) -> None:
    """STFT: a transform of each frame of the signal."""
    x, frame = call.value(0), call.get(2)
    step = call.integer(1)
    if x.shape is None or len(x.shape) < 2:
        raise Unknown
    size: Dim = None
    if call.get(3) is not None:
        size = call.integer(3)
    elif frame is not None and frame.shape:
        size = frame.shape[0]
    length = x.shape[1]
    frames: Dim = None
    if type(size) is int and type(length) is int and step and step > 0 and size <= length:
        frames = (length - size) // step + 1
    if type(size) is int and call.int("onesided", 1):
        size = size // 2 + 1
    procedure(call, (x.shape[0], frames, size, 2), [x])


RULES: dict[str, Callable[[NodeCall], None]] = {
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), window),
    "MelWeightMatrix": mel_weights,
    "DFT": fourier,
    "STFT": short_time_fourier,
}
