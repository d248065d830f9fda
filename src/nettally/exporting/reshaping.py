"""Views, padding, cutting, resizing and stored tensors as ONNX has them."""

from __future__ import annotations

import math

from ..building.layers.values import YUV
from .graph import At, writes


@writes("flatten")
def _flatten(at: At) -> str:
    start = at.layer.start
    if start == 1:
        return at.put("Flatten", at.inputs[0], axis=1)
    return at.put("Reshape", at.inputs[0], at.ints("size", [*[0] * start, -1]))


@writes("reshape")
def _reshape(at: At) -> str:
    layer = at.layer
    if layer.whole and not layer.size:
        return at.put("Reshape", at.inputs[0], at.graph.hold(f"{at.name}.size", (0,), []))
    size = layer.size if layer.whole else (0, *layer.size)
    if layer.whole and 0 in size:
        at.refuse("it has no values at all")
    return at.put("Reshape", at.inputs[0], at.ints("size", size))


@writes("permute")
def _permute(at: At) -> str:
    return at.put("Transpose", at.inputs[0], perm=at.layer.order)


@writes("pad")
def _pad(at: At) -> str:
    layer = at.layer
    sides = layer.padding
    pads = [0, 0, *(a for a, _ in sides), 0, 0, *(b for _, b in sides)]
    inputs = [at.inputs[0], at.ints("pads", pads)]
    if layer.mode in ("zero", "constant"):
        value = layer.value if layer.mode == "constant" else 0.0
        return at.put("Pad", *inputs, at.scalar("value", value), mode="constant")
    return at.put("Pad", *inputs, mode="reflect" if layer.mode == "reflect" else "edge")


@writes("crop")
def _crop(at: At) -> str:
    cuts = [
        (axis, a, int(n) - b)
        for axis, (n, (a, b)) in enumerate(zip(at.x[2:], at.layer.border, strict=True), start=2)
        if a or b
    ]
    if not cuts:
        return at.put("Identity", at.inputs[0])
    return at.sliced("cut", at.inputs[0], cuts, last=True)


@writes("slice")
def _slice(at: At) -> str:
    layer = at.layer
    stop = at.x[layer.axis] if layer.stop is None else layer.stop
    return at.put(
        "Slice",
        at.inputs[0],
        at.ints("start", [layer.start]),
        at.ints("stop", [stop]),
        at.ints("axis", [layer.axis]),
        at.ints("step", [layer.step]),
    )


_MODES = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "linear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "cubic": {
        "mode": "cubic",
        "coordinate_transformation_mode": "half_pixel",
        "cubic_coeff_a": -0.75,
    },
}
"""torch's interpolations in ONNX's words."""


@writes("upsample", "resize")
def _resize(at: At) -> str:
    sizes = list(at.y[2:])
    inputs = (at.inputs[0], "", "", at.ints("sizes", sizes))
    return at.put("Resize", *inputs, axes=list(range(2, len(at.y))), **_MODES[at.layer.mode])


@writes("expand")
def _expand(at: At) -> str:
    return at.put("Expand", at.inputs[0], at.ints("size", at.layer.size))


@writes("tile")
def _tile(at: At) -> str:
    return at.put("Tile", at.inputs[0], at.ints("times", at.layer.times))


# --- tensors that the network stores -------------------------------------------------------------


@writes("tensor")
def _tensor(at: At) -> str:
    if at.layer.learned:
        return at.put("Identity", at.weight("weight"))
    return at.put("Identity", at.fixed("value", at.module.weight))


_OPERATIONS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "power": "Pow",
}


@writes("combine")
def _combine(at: At) -> str:
    layer, name = at.layer, at.module.tensor_name
    tensor = at.weight(name) if layer.learned else at.fixed(name, getattr(at.module, name))
    operands = (tensor, at.inputs[0]) if layer.first else (at.inputs[0], tensor)
    return at.put(_OPERATIONS[layer.operation], *operands)


@writes("embedding")
def _embedding(at: At) -> str:
    indices = at.step("indices", "Cast", at.inputs[0], to=7)
    return at.put("Gather", at.weight("weight"), indices, axis=0)


@writes("gather")
def _gather(at: At) -> str:
    indices = at.step("indices", "Cast", at.inputs[1], to=7)
    return at.put("Gather", at.inputs[0], indices, axis=at.layer.axis)


# --- fixed transforms -------------------------------------------------------------------------


@writes("blur")
def _blur(at: At) -> str:
    """Neighbours along each axis, each times its share of the Gaussian."""
    layer, x = at.layer, at.inputs[0]
    size, half = layer.size, layer.size // 2
    heights = [math.exp(-(((i - half) / layer.deviation) ** 2) / 2) for i in range(size)]
    taps = [at.scalar(f"tap{i}", height / sum(heights)) for i, height in enumerate(heights)]
    axes = range(2, len(at.x))
    if not axes:
        return at.put("Identity", x)
    for axis in axes:
        sides = [(half, (size - 1) // 2) if each == axis else (0, 0) for each in axes]
        padded = at.padded(f"padded{axis}", x, sides)
        parts: list[str] = []
        for i, tap in enumerate(taps):
            part = at.sliced(f"part{axis}_{i}", padded, [(axis, i, i + int(at.x[axis]))])
            parts.append(at.step(f"weighed{axis}_{i}", "Mul", part, tap))
        x = at.put("Sum", *parts) if axis == axes[-1] else at.step(f"blurred{axis}", "Sum", *parts)
    return x


@writes("recolor")
def _recolor(at: At) -> str:
    if at.layer.to != "yuv":
        at.refuse("the colours of CIE's Lab are not exported")
    split = at.ints("split", [1, 1, 1])
    red_green_blue = at.parts("colour", "Split", at.inputs[0], split, count=3, axis=1)
    channels: list[str] = []
    for i, row in enumerate(YUV):
        parts = [
            at.step(f"part{i}_{j}", "Mul", each, at.scalar(f"share{i}_{j}", share))
            for j, (each, share) in enumerate(zip(red_green_blue, row, strict=True))
        ]
        channels.append(at.step(f"mixed{i}", "Sum", *parts))
    return at.put("Concat", *channels, axis=1)
