"""Operators that change the sizes of an image: resizing, blocks of depth, cropping to a size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..values import Unknown, Value, known, shown
from ..windows import arranged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ....network import Layer
    from ..builder import NodeCall
    from ..proto import Dim, Dims


def resize(call: NodeCall) -> None:
    """Resize and Upsample: by scales (sizes are ⌊size · scale⌋), or to sizes."""
    x = call.value(0)
    shape = x.shape
    upsample = call.node.op == "Upsample"
    if upsample and call.opset >= 10:
        raise call.error(
            "Upsample is deprecated since version 10 of the operators", f"version {call.opset}",
            "Resize took its place",
        )  # fmt: skip
    if shape is None:
        raise Unknown
    scales, sizes = _resizing(call, upsample, len(shape))
    axes: Sequence[int] = range(len(shape))
    if call.opset >= 18 and call.ints("axes") is not None:
        axes = [call.axis(axis, len(shape)) for axis in call.ints("axes") or ()]
    stated = scales if scales is not None else sizes
    if stated is not None and len(stated) != len(axes):
        raise call.error(
            "it needs one scale or size an axis", f"{len(stated)} for {len(axes)} axes"
        )
    mode = call.word("mode", "nearest")
    if mode not in _MODES:
        raise call.error("its mode is unknown", f"mode '{mode}'")
    out: list[Dim] = list(shape)
    if scales is not None:
        if any(scale <= 0 or not math.isfinite(scale) for scale in scales):
            raise call.error("its scales must be positive", f"scales {list(scales)}")
        roi = _region(call, len(axes))
        for place, axis in enumerate(axes):
            size = shape[axis]
            if type(size) is not int:
                out[axis] = size if scales[place] == 1 else None
            elif call.word("coordinate_transformation_mode") == "tf_crop_and_resize" and roi:
                part = roi[place + len(axes)] - roi[place]
                if not math.isfinite(size * part * scales[place]):
                    raise call.error("its region must be numbers", f"roi {roi[:8]}")
                out[axis] = math.floor(size * part * scales[place])
            else:
                out[axis] = math.floor(size * scales[place])
    elif sizes is not None:
        if any(size < 0 for size in sizes):
            raise call.error("its sizes can't be negative", f"sizes {sizes}")
        policy = call.word("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            sizes = _kept_ratio(call, [shape[axis] for axis in axes], sizes, policy)
        for place, axis in enumerate(axes):
            out[axis] = sizes[place]
    else:
        rank_only: Dims = (None,) * len(shape)
        out = list(call.b.merged(call.node.outputs[0], rank_only, 0, call) or rank_only)
    _resized(call, x, tuple(out), _MODES[mode], (scales is not None and list(axes)) or [], scales)


_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}


def _region(call: NodeCall, axes: int) -> list[float] | None:
    region = call.contents(1) if call.opset >= 11 else None
    return [float(each) for each in region] if region and len(region) == 2 * axes else None


def _resizing(
    call: NodeCall, upsample: bool, rank: int
) -> tuple[Sequence[float] | None, list[int] | None]:
    """The scales, or the sizes; neither where they are not known."""
    if upsample and call.opset < 9:
        scales = call.floats("scales")
        if scales is None and call.opset < 7:
            pair = (call.float("height_scale"), call.float("width_scale"))
            scales = [1.0, 1.0, *pair] if all(pair) and rank == 4 else None
        if scales is None:
            raise call.error("its scales are missing")
        return scales, None
    place = 1 if upsample or call.opset < 11 else 2
    value = call.get(place)
    if value is not None and value.shape != (0,):
        values = call.contents(place)
        if values or (values is None and call.contents(3) is None):
            return (None if values is None else [float(each) for each in values]), None
    value = call.get(3)
    if value is None or value.shape == (0,):
        raise call.error("it has neither scales nor sizes")
    values = call.contents(3)
    return None, (None if values is None else call.integers(3))


def _kept_ratio(call: NodeCall, sizes: Sequence[Dim], wanted: list[int], policy: str) -> list[int]:
    """The sizes that keep the proportions: not_larger fits within, not_smaller covers.

    Exact in fractions: scale = the least (greatest) of wanted / size, each size · scale rounded.
    """
    if not known(tuple(sizes)) or 0 in sizes:
        raise Unknown
    pairs = [(w, n) for w, n in zip(wanted, sizes, strict=True)]
    best = pairs[0]
    for w, n in pairs[1:]:
        better = w * best[1] < best[0] * n if policy == "not_larger" else w * best[1] > best[0] * n  # type: ignore[operator] - all ints, as the caller asked
        if better:
            best = (w, n)
    top, bottom = best
    # halves are rounded away from zero, as C's round does
    return [(2 * n * top + bottom) // (2 * bottom) for n in sizes]  # type: ignore[operator] - all ints, as the caller asked


def _resized(
    call: NodeCall,
    x: Value,
    out: Dims,
    mode: str,
    axes: list[int],
    scales: Sequence[float] | None,
) -> None:
    b = call.b

    def make() -> Layer:
        before = x.sizes
        assert known(out)
        if before == out:
            return b.layer("identity")
        if len(out) < 3 or before[:2] != out[:2] or 0 in out:
            return b.layer("procedure", type=call.node.op, size=out)
        pairs = list(zip(before[2:], out[2:], strict=True))
        if scales and all(size % n == 0 for n, size in pairs):
            factors = tuple(size // n for n, size in pairs)
            alike = len(set(factors)) == 1
            return b.layer("upsample", scale=factors[0] if alike else factors, mode=mode)
        return b.layer("resize", size=out[2:], mode=mode)

    call.emit(out, make, [x])


def depth_to_space(call: NodeCall) -> None:
    x = call.value(0)
    block = call.int("blocksize")
    if block < 1 or block * block > 2**62:
        raise call.error("its blocksize can't be", f"blocksize {block}")
    shape = x.shape
    if shape is None:
        raise Unknown
    if len(shape) != 4:
        raise call.error("its input needs 4 axes", f"input {shown(shape)}")
    n, c, h, w = shape
    out: Dims
    if call.node.op == "DepthToSpace":
        if type(c) is int and c % (block * block):
            raise call.error("its blocks do not divide its channels", f"{c}, blocksize {block}")
        out = (n, _over(c, block * block), _by(h, block), _by(w, block))
    else:
        if any(type(size) is int and size % block for size in (h, w)):
            raise call.error(
                "its blocks do not divide its input", f"{shown(shape)}, blocksize {block}"
            )
        out = (n, _by(c, block * block), _over(h, block), _over(w, block))
    call.emit(out, lambda: arranged(call, out, [x]), [x])


def _over(size: Dim, by: int) -> Dim:
    return size // by if type(size) is int else None


def _by(size: Dim, by: int) -> Dim:
    return size * by if type(size) is int else None


def center_crop_pad(call: NodeCall) -> None:
    x = call.value(0)
    wanted = call.integers(1)
    if x.shape is None:
        raise Unknown
    axes = call.ints("axes")
    axes = list(range(len(x.shape))) if axes is None else axes
    if len(axes) != len(wanted) or any(size < 0 for size in wanted):
        raise call.error("its shape needs one size an axis", f"shape {wanted}, axes {axes}")
    sizes: list[Dim] = list(x.shape)
    for axis, size in zip(axes, wanted, strict=True):
        sizes[call.axis(axis, len(sizes))] = size
    out = tuple(sizes)
    same = out == x.shape
    call.emit(out, lambda: call.b.layer("identity") if same else arranged(call, out, [x]), [x])


def col2im(call: NodeCall) -> None:
    """Col2Im: blocks of columns put together to an image, what overlaps added up."""
    x = call.value(0)
    image, block = call.integers(1), call.integers(2)
    if x.shape is None:
        raise Unknown
    if len(x.shape) != 3 or len(image) != len(block):
        raise call.error("its input needs 3 axes", f"input {shown(x.shape)}, image {image}")
    each = math.prod(block)
    if min(block, default=1) < 1 or each > 2**62:
        raise call.error("its block can't be", f"block {block}")
    channels = x.shape[1]
    if type(channels) is int and channels % each:
        raise call.error("its block does not divide its channels", f"{channels}, block {block}")
    out = (x.shape[0], _over(channels, each), *image)
    call.emit(out, lambda: call.b.layer("procedure", type="Col2Im", size=out), [x])


RULES: dict[str, Callable[[NodeCall], None]] = {
    "Resize": resize,
    "Upsample": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": depth_to_space,
    "CenterCropPad": center_crop_pad,
    "Col2Im": col2im,
}
