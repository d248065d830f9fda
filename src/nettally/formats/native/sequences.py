"""Fully connected layers that read a whole sequence, where one step at a time may be meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arith import product

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...network import Node, Shape
    from ..shapes import Shapes

SEQUENCES = frozenset(("embedding", "attention", "rnn", "gru", "lstm"))
"""Layers that put out a sequence: positions, then features."""

SHOWN = 3
"""How many layers a note names."""


def flattening(
    nodes: Sequence[Node], inputs: Mapping[str, Shape], shapes: Shapes
) -> dict[str, Shape]:
    """The layers ``linear`` of axis 1 that read a sequence, and the shape of what they read.

    A sequence is what an embedding, attention or a recurrent layer puts out, what a linear layer
    makes of its last axis, an input of two axes, and what functions of each value make of these.
    After a convolution or pooling the same axes are channels and space, which are flattened.
    Raises LayerError where a layer does not fit its input.
    """
    sequences = {name for name, shape in inputs.items() if len(shape) == 3}
    if not sequences and not any(node.layer.kind in SEQUENCES for node in nodes):
        return {}
    whole: dict[str, Shape] = {}
    for node in nodes:
        layer = node.layer
        if layer.kind == "linear":
            if layer.fields()["axis"] != 1:
                sequences.add(node.name)
            elif not sequences.isdisjoint(node.inputs):
                (shape,) = shapes.of(node.inputs)
                if len(shape) > 2 and product(shape[1:-1]) > 1:
                    whole[node.name] = shape
        elif layer.kind in SEQUENCES or (
            not sequences.isdisjoint(node.inputs) and "kernel" not in layer._fields
        ):
            sequences.add(node.name)
    return whole


def note(whole: Mapping[str, Shape]) -> str:
    """What to say of them."""
    names = list(whole)
    shape = whole[names[0]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    sizes = "x".join(map(str, shape[1:]))
    return (
        f"{', '.join(names[:SHOWN])}{more}: linear reads all of {sizes}, "
        f"{product(shape[1:]):,} values for each output; 'axis {len(shape) - 1}' reads a sequence "
        "step by step, and 'axis 1' says that all of it is meant"
    )
