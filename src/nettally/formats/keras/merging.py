"""Keras' layers of several inputs, and those that change a tensor's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.json import array

if TYPE_CHECKING:
    from .builder import LayerCall, Value

MERGES = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
}


def merge(c: LayerCall) -> Value:
    if len(c.inputs) < 2:
        raise c.error("it merges at least two tensors", f"{len(c.inputs)} given")
    return c.make(MERGES[c.spec.cls], c.alike(c.inputs))


def concatenate(c: LayerCall) -> Value:
    if len(c.inputs) == 1:
        return c.make("identity")
    key = "axis" if "axis" in c.spec else "concat_axis"
    return joined(c, c.inputs, c.spec.axis(key))


def joined(c: LayerCall, inputs: list[Value], axis: int) -> Value:
    values = c.alike(inputs, stretch=False)
    return c.make("concat", values, axis=c.axis(values[0], axis))


def custom_scale(c: LayerCall) -> Value:
    """The first input, and a fixed part of the second (Inception-ResNet)."""
    if len(c.inputs) != 2:
        raise c.error("it takes two tensors", f"{len(c.inputs)} given")
    part = c.make("affine", c.inputs[1], ".scaled", slope=c.spec.number("scale", 1.0))
    return c.make("add", c.alike([c.inputs[0], part]))


def merge_1(c: LayerCall) -> Value:
    """Keras 1's Merge, of a mode."""
    mode = c.spec.text("mode", "sum").lower()
    modes = {"sum": "add", "mul": "multiply", "ave": "average", "max": "maximum"}
    if mode == "concat":
        return concatenate(c)
    if mode not in modes:
        return c.opaque("merges of a mode that is not known", mode)
    return c.make(modes[mode], c.alike(c.inputs))


def dot(c: LayerCall) -> Value:
    """Sums of products over an axis of each of two tensors."""
    if len(c.inputs) != 2:
        raise c.error("it takes two tensors", f"{len(c.inputs)} given")
    a, b = c.plain(c.inputs[0]), c.plain(c.inputs[1])
    axes = c.spec.integers("axes", -1)
    left, right = axes if len(axes) == 2 else (axes[0], axes[0])
    left, right = c.place(a, left), c.place(b, right)
    if not left or not right:
        return c.opaque("dot products over the batch")
    letters = iter("cdefghijklmnopqrstuvwxyz")
    first = ["b"] + ["a" if axis == left else next(letters) for axis in range(1, a.rank)]
    second = ["b"] + ["a" if axis == right else next(letters) for axis in range(1, b.rank)]
    out = [each for each in first if each != "a"] + [each for each in second[1:] if each != "a"]
    more = "" if len(out) > 1 else "z"  # Keras leaves an axis of 1
    terms = f"{''.join(first)},{''.join(second)}->{''.join(out)}"
    y = c.make("einsum", [a, b], plain=True, equation=terms)
    if more:
        return c.make("reshape", y, ".axis", plain=True, size=(1,))
    return y


def flatten(c: LayerCall) -> Value:
    """All values in a row, channels last, however they lie."""
    x = c.x
    if x.rank <= 2:
        if x.rank == 1:
            return c.make("reshape", size=(1,))
        return c.make("flatten", plain=True)
    if not c.spec.last() and x.rank > 2:
        x = c.plain(x)
        order = (0, *range(2, x.rank), 1)
        x = c.make("permute", x, ".channels_last", plain=True, order=order)
    elif x.first:
        long_axes = sum(size != 1 for size in x.sizes[1:])
        if not (x.sizes[-1] == 1 or long_axes <= 1 or all(size == 1 for size in x.sizes[1:-1])):
            x = c.plain(x)
    return c.make("flatten", x, plain=True)


def reshaped(c: LayerCall, x: Value, target: tuple[int, ...]) -> Value:
    """A tensor in another shape; where no value changes its place, with its channels first."""
    for size in target:
        if size == 0 or size < -1:
            raise c.error("a size that cannot be", f"target_shape {target}")
    values = 1
    for size in x.sizes[1:]:
        values *= size
    known = 1
    for size in target:
        known *= size if size != -1 else 1
    if target.count(-1) > 1 or known <= 0 or (values % known if -1 in target else values != known):
        raise c.error(
            "reshape must keep the number of values", f"{values:,} values, target_shape {target}"
        )
    whole = tuple(values // known if size == -1 else size for size in target)
    if len(whole) >= 3 and all(size == 1 for size in whole[:-1]):
        flat = x.first and not (x.sizes[-1] == 1 or all(size == 1 for size in x.sizes[1:-1]))
        x = c.plain(x) if flat else x
        y = c.make("reshape", x, plain=True, size=(whole[-1], *whole[:-1]))
        return y._replace(shape=(x.sizes[0], *whole), first=True)
    return c.make("reshape", c.plain(x), plain=True, size=whole or (1,))


def reshape(c: LayerCall) -> Value:
    value = array(c.spec.get("target_shape", []))
    if value is None:
        raise c.error("its target_shape is no list")
    sizes = [c.spec.whole("target_shape", -1 if size is None else size, -1) for size in value[:32]]
    return reshaped(c, c.x, tuple(sizes))


def permute(c: LayerCall) -> Value:
    x = c.plain(c.x)
    return c.make("permute", x, plain=True, order=(0, *c.spec.integers("dims")))


def repeat_vector(c: LayerCall) -> Value:
    x = c.plain(c.x)
    if x.rank != 2:
        raise c.error("its input needs 2 axes", "x".join(map(str, x.sizes)))
    one = c.make("reshape", x, ".step", plain=True, size=(1, x.sizes[1]))
    return c.make("tile", one, plain=True, times=(1, c.spec.integer("n"), 1))
