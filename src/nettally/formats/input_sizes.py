"""Which parameters follow from the size of the input, where a file states no tensors.

A fully connected layer has a weight for each value that it reads, so another input makes another
network of the same file. Where the user gave the size, a note says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arith import product
from ..errors import NettallyError
from ..network import NOTHING
from .shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..network import Network, Shape
    from .source import Source

SHOWN = 3
"""How many layers the note names."""

MOST = 10_000
"""A network of more layers than this is not read twice."""


def with_note(network: Network, source: Source, read: Callable[[Source], Network]) -> Network:
    """The network, with a note where its parameters would be others with another input.

    network: as ``read(source)`` gave it. Where the user gave no size, or the one that the file
    states, there is nothing to say. The file is read once more, without the user's sizes,
    or, where it needs them, with twice as large ones.
    """
    if not source.inputs or len(network.nodes) > MOST:
        return network
    stated = _read(read, source, NOTHING)
    other = stated or _read(read, source, _doubled(network.inputs))
    note = _note(network, other, stated is not None) if other is not None else ""
    return network.replace(notes=(*network.notes, note)) if note else network


def _read(
    read: Callable[[Source], Network], source: Source, inputs: Mapping[str, Shape]
) -> Network | None:
    """The network with other inputs; None where there is none of that size."""
    try:
        return read(source.replace(inputs=inputs))
    except NettallyError:
        return None


def _doubled(inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """The same inputs with twice the space; where there is none, twice all but the batch."""
    return {
        name: (*shape[: (kept := 2 if len(shape) > 3 else 1)], *(2 * size for size in shape[kept:]))
        for name, shape in inputs.items()
    }


def _note(network: Network, other: Network, states_size: bool) -> str:
    ours, others = _parameters(network), _parameters(other)
    names = [name for name, sizes in ours.items() if others.get(name, sizes) != sizes]
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    head = f"the parameters of {', '.join(names[:SHOWN])}{more} follow from the size of the input"
    if not states_size:
        return head + ", which the file does not state"
    moved = [name for name, size in network.inputs.items() if other.inputs.get(name) != size]
    count, stated = (sum(table[name] for name in names) for table in (ours, others))
    return (
        f"{head}: {count:,} with {_sizes(network, moved)}, and {stated:,} with "
        f"{_sizes(other, moved)}, the size where none is given"
    )


def _parameters(network: Network) -> dict[str, int]:
    """How many parameters each layer has that it does not share."""
    shapes = Shapes(network.inputs, list(network.nodes))
    counts: dict[str, int] = {}
    for node in network.nodes:
        if node.layer.kind == "opaque":
            continue
        try:
            tensors = node.layer.parameters(shapes.of(node.inputs))
        except NettallyError:
            continue  # what an unknown layer puts out is not known
        counts[node.name] = sum(
            product(shape) for name, shape in tensors.items() if name not in node.shared
        )
    return counts


def _sizes(network: Network, names: list[str]) -> str:
    several = len(network.inputs) > 1
    return ", ".join(
        (f"{name} " if several else "") + "x".join(map(str, network.inputs[name][1:]))
        for name in names[:SHOWN]
        if name in network.inputs
    )
