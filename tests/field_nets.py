"""Small networks for the tests of receptive fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nettally.counting.receptive_field import Field, receptive_fields
from nettally.counting.tally import tally
from nettally.layers import layer_class
from nettally.network import Layer, Network, Node, Shape


def make(kind: str, *values: Any, **fields: Any) -> Layer:
    layer = layer_class(kind)
    return layer(**dict(zip(layer.positional, values, strict=False)), **fields)


def conv(kernel: Any, stride: Any = 1, padding: Any = 0, **fields: Any) -> Layer:
    return make("conv", 1, kernel, stride=stride, padding=padding, **fields)


class Build:
    """A network, one call a layer; ``same`` is settled for the shape that is there."""

    def __init__(self, **inputs: Shape) -> None:
        self.inputs = inputs
        self.nodes: list[Node] = []
        self.last = next(iter(inputs))

    def __call__(self, layer: Layer, *sources: str, name: str = "", **written: str) -> str:
        name = name or f"{layer.kind}{len(self.nodes)}"
        node = Node(name, layer, sources or (self.last,), written=written)
        self.nodes.append(node)
        self.last = name
        return name

    def same(self, layer: Any, *sources: str) -> str:
        """``layer`` with the padding that TensorFlow calls SAME."""
        name = (sources or (self.last,))[0]
        x = tally(self.network)[name].shape if self.nodes and name not in self.inputs else None
        pads: list[tuple[int, int]] = []
        for size, k, s in zip(
            (x or self.inputs[name])[2:], layer.kernel, layer.stride, strict=True
        ):
            total = max((-(-size // s) - 1) * s + k - size, 0)
            pads.append((total // 2, total - total // 2))
        return self(layer.replace(padding=tuple(pads)), *sources, padding="same")

    @property
    def network(self) -> Network:
        return Network("test", self.inputs, tuple(self.nodes))

    @property
    def fields(self) -> Mapping[str, Field]:
        return receptive_fields(self.network)

    @property
    def field(self) -> Field:
        return self.fields[self.last]


def chain(layers: Iterable[Layer], size: Shape = (1, 1, 224, 224)) -> Build:
    build = Build(data=size)
    for layer in layers:
        build(layer)
    return build


ALEXNET = (
    ("conv1", conv(11, 4, rounding="up"), 11, 4, 0),
    ("relu1", make("relu"), 11, 4, 0),
    ("norm1", make("lrn", 5), 11, 4, 0),
    ("pool1", make("max_pool", 3, stride=2, rounding="up"), 19, 8, 0),
    ("conv2", conv(5, padding=2), 51, 8, -16),
    ("pool2", make("max_pool", 3, stride=2), 67, 16, -16),
    ("conv3", conv(3, padding=1), 99, 16, -32),
    ("conv4", conv(3, padding=1), 131, 16, -48),
    ("conv5", conv(3, padding=1), 163, 16, -64),
    ("pool5", make("max_pool", 3, stride=2), 195, 32, -64),
)
"""Sizes, strides and paddings as Araujo et al.'s table has them for TF-Slim's alexnet_v2."""
