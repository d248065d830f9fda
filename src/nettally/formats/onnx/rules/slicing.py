"""Operators that take a part of a tensor, or put something around it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..constants import sliced
from ..values import MAX_CONTENTS, Unknown, Value, known, shown
from ..windows import arranged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ....network import Layer
    from ..builder import NodeCall
    from ..proto import Dim, Dims


def split(call: NodeCall) -> None:
    """Split: in given parts, or in as many equal ones as there are outputs."""
    x = call.value(0)
    outputs = call.node.outputs
    if x.shape is None:
        raise Unknown
    axis = call.axis(call.int("axis"), len(x.shape))
    size = x.shape[axis]
    parts: list[int] | None = call.ints("split")
    if parts is None and (call.opset >= 13 or call.opset == 1) and call.get(1) is not None:
        contents = call.contents(1)
        if contents is None:
            raise Unknown
        parts = call.integers(1)
    if parts is None and type(size) is int:
        number = call.int("num_outputs", len(outputs)) if call.opset >= 18 else len(outputs)
        if number != len(outputs):
            raise call.error("its num_outputs is not that of its outputs", f"{number}")
        if call.opset < 18 and size % number:
            raise call.error(
                "its outputs do not divide its input", f"{size} values in {number} parts"
            )
        each = -(-size // number)
        parts = [min(each, size - place * each) for place in range(number)]
        if parts[-1] < 0:
            raise call.error("it has more parts than values", f"{size} values, {number} parts")
    if parts is not None:
        if len(parts) != len(outputs) or any(part < 0 for part in parts):
            raise call.error("its parts are not its outputs", f"{parts}, {len(outputs)} outputs")
        if type(size) is int and sum(parts) != size:
            raise call.error("its parts do not make up its input", f"{parts}, {size} values")
    start = 0
    for place, _ in enumerate(outputs):
        part = None if parts is None or type(size) is not int else parts[place]
        shape = (*x.shape[:axis], part, *x.shape[axis + 1 :])
        _slice_out(call, x, shape, axis, start, place)
        start += part or 0


def _slice_out(call: NodeCall, x: Value, shape: Dims, axis: int, start: int, place: int) -> None:
    b = call.b
    stop = start + shape[axis] if type(shape[axis]) is int else None  # type: ignore[operator] - an int, as just asked

    def make() -> Layer:
        if shape == x.shape:
            return b.layer("identity")
        if axis == 0 or stop == start:
            return arranged(call, shape, [x])
        return b.layer("slice", axis=axis, start=start, stop=stop)

    value = call.emit(shape, make, [x], place=place)
    if value.constant and known(shape) and known(x.shape):
        values = b.contents(x) if b.spend(math.prod(shape) * len(shape) + 1) else None
        if values is not None:
            taken = [(start if a == axis else 0, n, 1) for a, n in enumerate(shape)]
            value.contents = sliced(values, x.shape, taken)


def slice_(call: NodeCall) -> None:
    """Slice: by attributes before version 10, by inputs since; axes may be left out."""
    x = call.value(0)
    shape = x.shape
    if shape is None:
        raise Unknown
    rank = len(shape)
    if call.opset < 10:
        starts, ends = call.ints("starts"), call.ints("ends")
        axes, steps = call.ints("axes"), None
    else:
        for place in (3, 4):  # an input without stated sizes counts as left out
            value = call.get(place)
            if value is not None and value.is_input and value.shape is None:
                call.inputs[place] = None
        contents = [call.contents(place) if call.get(place) else None for place in range(1, 5)]
        present = [call.get(place) is not None for place in range(1, 5)]
        if any(each is None and there for each, there in zip(contents, present, strict=True)):
            _cut_unknown(call, x, contents[2], present[2])
            return
        starts, ends, axes, steps = (
            None if each is None else call.integers(place) for place, each in enumerate(contents, 1)
        )
    if starts is None or ends is None or len(starts) != len(ends):
        raise call.error("its starts and ends must be as many", f"{starts}, {ends}")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if len(axes) != len(starts) or len(steps) != len(starts) or len(starts) > rank:
        raise call.error("its axes are not as many as its starts", f"{axes}, {starts}, {steps}")
    taken: list[tuple[int, int, int]] = [(0, n if type(n) is int else 0, 1) for n in shape]
    sizes: list[Dim] = list(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = call.axis(axis, rank)
        size = shape[axis]
        if step == 0:
            raise call.error("its step is 0", f"steps {steps}")
        if type(size) is not int:
            sizes[axis] = None
            continue
        first, count = _extent(start, end, step, size)
        taken[axis], sizes[axis] = (first, count, step), count
    _cut(call, x, taken, tuple(sizes))


def _cut(call: NodeCall, x: Value, taken: list[tuple[int, int, int]], out: Dims) -> None:
    """An axis after the other, from its first place, so many values, with a step."""
    b = call.b
    sizes = x.shape
    if not known(sizes) or not known(out):
        call.emit(out, lambda: arranged(call, out, [x]), [x])
        return
    changed = [axis for axis, part in enumerate(taken) if part != (0, sizes[axis], 1)]
    plain = 0 not in changed and all(taken[axis][1] and taken[axis][2] > 0 for axis in changed)
    if x.constant or not changed or not plain:
        layer = b.layer("identity") if not changed else arranged(call, out, [x])
        output = call.emit(out, lambda: layer, [x])
        values = b.contents(x) if output.constant and math.prod(out) <= MAX_CONTENTS else None
        if values is not None and b.spend(math.prod(out) * (1 + len(out)) + 1):
            output.contents = sliced(values, sizes, taken)
        return
    value, partly = x, list(sizes)
    for number, axis in enumerate(changed, 1):
        first, count, step = taken[axis]
        stop = min(first + (count - 1) * step + 1, sizes[axis])
        layer = b.layer("slice", axis=axis, start=first, stop=stop, step=step)
        partly[axis] = count
        if number == len(changed):
            call.emit(out, lambda layer=layer: layer, [value])
        else:
            shape = tuple(partly)
            value = call.step(f"part{number}", shape, lambda layer=layer: layer, [value])


def _extent(start: int, end: int, step: int, size: int) -> tuple[int, int]:
    """The first place and the number of values that numpy's start:end:step takes of ``size``."""
    if size == 0:
        return 0, 0
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    if step > 0:
        start, end = min(max(start, 0), size), min(max(end, 0), size)
        count = max(-(-(end - start) // step), 0)
    else:
        start, end = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
        count = max(-(-(start - end) // -step), 0)
    return (start, count) if count else (0, 0)


def _cut_unknown(call: NodeCall, x: Value, axes: Any, has_axes: bool) -> None:
    """A slice whose ends are computed: the axes that it does not touch are known."""
    assert x.shape is not None
    if has_axes and axes is not None:
        over = {call.axis(axis, len(x.shape)) for axis in call.integers(3)}
    else:
        over = set(range(len(x.shape)))
    shape = tuple(None if axis in over else size for axis, size in enumerate(x.shape))
    call.emit(
        call.b.merged(call.node.outputs[0], shape, 0, call),
        lambda: arranged(call, call.b.merged(call.node.outputs[0], shape, 0, call) or (), [x]),
        [x],
    )


def pad(call: NodeCall) -> None:
    """Pad: values around any axes; negative ones cut off."""
    x = call.value(0)
    shape = x.shape
    if shape is None:
        raise Unknown
    rank = len(shape)
    if call.opset < 11:
        pads = call.ints("pads") or call.ints("paddings")
        value = call.float("value")
    else:
        pads = call.integers(1)
        constant = call.contents(2)
        value = float(constant[0]) if constant else 0.0
    if pads is None:
        raise call.error("its pads are missing")
    axes: Sequence[int] = range(rank)
    if call.opset >= 18 and call.get(3) is not None:
        axes = [call.axis(axis, rank) for axis in call.integers(3)]
    if len(pads) != 2 * len(axes):
        raise call.error("its pads need two values an axis", f"pads {pads}, {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        pairs[axis] = (pads[place], pads[place + len(axes)])
    out = tuple(
        size + before + after if type(size) is int else (size if before == after == 0 else None)
        for size, (before, after) in zip(shape, pairs, strict=True)
    )
    for size, pair in zip(out, pairs, strict=True):
        if type(size) is int and size < 0:
            raise call.error("its pads cut away more than there is", f"pads {pads}, {shown(shape)}")
        # sizes are numbers of 64 bits in ONNX, whatever the axis has of them
        if abs(sum(pair)) > 2**62 or (type(size) is not int and sum(map(abs, pair)) > 2**62):
            raise call.error("its pads are too large", f"pads {pads[:8]}")
    mode = call.word("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise call.error("its mode is unknown", f"mode '{mode}'")
    _padded(call, x, pairs, out, mode, value)


def _padded(
    call: NodeCall, x: Value, pairs: list[tuple[int, int]], out: Dims, mode: str, value: float
) -> None:
    b = call.b
    more = tuple((max(a, 0), max(z, 0)) for a, z in pairs)
    less = tuple((max(-a, 0), max(-z, 0)) for a, z in pairs)
    pad_mode = {"reflect": "reflect", "edge": "replicate"}.get(mode, "zero")
    fields: dict[str, Any] = {"mode": pad_mode}
    if mode == "constant" and value and math.isfinite(value):
        fields = {"mode": "constant", "value": value}
    nowhere = ((0, 0), (0, 0))

    def make() -> Layer:
        assert known(x.shape)
        if all(pair == (0, 0) for pair in pairs):
            return b.layer("identity")
        small = mode == "reflect" and any(
            max(pair) >= size for pair, size in zip(pairs, x.shape, strict=True)
        )
        plain = len(pairs) > 2 and more[:2] == less[:2] == nowhere and mode != "wrap" and not small
        if plain and not any(map(any, less)):
            return b.layer("pad", padding=more[2:], **fields)
        if plain and not any(map(any, more)):
            return b.layer("crop", border=less[2:])
        return arranged(call, out, [x])

    call.emit(out, make, [x])


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "com.microsoft:Pad": pad,
}
