"""Keras' layers that turn words and numbers into their places in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encodings.json import array

if TYPE_CHECKING:
    from .builder import LayerCall, Value

_EACH = ("one_hot",)
_ALL = ("multi_hot", "multi-hot", "count", "binary", "tf_idf", "tf-idf")


def lookup(c: LayerCall) -> Value:
    """IntegerLookup, StringLookup, Hashing, Discretization, CategoryEncoding.

    A place for each value; or a row of as many numbers as there are places, for each value or for
    all of an example together.
    """
    mode = c.spec.text("output_mode", "multi_hot" if c.spec.cls == "CategoryEncoding" else "int")
    x = c.plain(c.x)
    shape = x.shape
    if shape is None:
        return c.opaque()
    if mode in _EACH or mode in _ALL:
        depth = _places(c)
        if depth is None:
            return c.opaque("lookups whose list is not in the file", c.spec.class_name)
        if mode in _ALL or (len(shape) > 1 and shape[-1] == 1):
            shape = (*(shape[:-1] if len(shape) > 1 else shape), depth)
        else:
            shape = (*shape, depth)
    return _arranged(c, x, shape)


def _places(c: LayerCall) -> int | None:
    """How many places the layer's list has."""
    spec = c.spec
    for key in ("num_tokens", "num_bins", "max_tokens", "vocabulary_size"):
        if isinstance(spec.get(key), int):
            return spec.integer(key)
    edges = array(spec.get("bin_boundaries"))
    if edges is not None:
        return len(edges) + 1
    words = array(spec.get("vocabulary"))
    if words is None:
        return None
    return len(words) + spec.integer("num_oov_indices", 1, least=0)


def text_vectorization(c: LayerCall) -> Value:
    """TextVectorization: as many places as it says, or a row of numbers for the whole text."""
    mode = c.spec.text("output_mode", "int")
    x = c.plain(c.x)
    length = c.spec.get("output_sequence_length") if mode == "int" else _places(c)
    if x.shape is None or not isinstance(length, int) or length < 1 or array(length) is not None:
        return c.opaque("texts whose length is not in the file", c.spec.class_name)
    return _arranged(c, x, (x.shape[0], length))


def quantizer(c: LayerCall) -> Value:
    """FixedPointQuantizer (HGQ): each value to the nearest that its bits can hold."""
    return c.make("pointwise", function="quantize")


def _arranged(c: LayerCall, x: Value, shape: tuple[int, ...]) -> Value:
    of = (c.b.shapes[x.node] or (),)
    return c.make("arrange", x, plain=True, type=c.spec.class_name[:80], size=shape, of=of)
