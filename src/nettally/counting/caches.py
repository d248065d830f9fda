"""What a network keeps of the tokens before for the one to come, and its work on that one.

A cache of keys and values grows with the context, as far as a token sees; the state of a recurrent
layer does not. Layers state both (``Layer.cache_size``), and how they go on (``Layer.after``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import NettallyError
from .tally import tally

if TYPE_CHECKING:
    from ..network import Layer, Network
    from .tally import Net, Tally

WIDTH = 2
"""Bytes of a value that is kept, where nobody says: float16 or bfloat16, as all servers have it."""


class Cache(NamedTuple):
    """Numbers of values kept of ``context`` tokens, for the whole batch.

    index_keys: those that only decide which tokens are attended to. state: what does not grow.
    """

    context: int
    keys_and_values: int
    index_keys: int
    state: int

    @property
    def values(self) -> int:
        """All of them."""
        return self.keys_and_values + self.index_keys + self.state


def cache(net: Net, context: int) -> Cache:
    """What is kept of ``context`` tokens. net: as ``tally`` takes it; its batch is the input's.

    Raises NettallyError where a layer is not known, and where none keeps anything.
    """
    counted = tally(net)
    if counted.unknown:
        raise NettallyError(
            f"what {counted.network.name} keeps of a token is not known",
            values="not known: " + ", ".join(row.name for row in counted.unknown[:4]),
        )
    growing = index = state = 0
    for row in counted.rows:
        fixed = row.node.layer.cache_size(row.inputs, 0)
        more = row.node.layer.cache_size(row.inputs, context) - fixed
        state += fixed
        if more and row.node.layer.fields().get("index"):
            index += more
        else:
            growing += more
    result = Cache(context, growing, index, state)
    if not result.values and context:
        raise NettallyError(
            f"no layer of {counted.network.name} keeps anything of a token for the next one",
            hint="a cache belongs to a decoder: read its config.json, or write 'cache' layers",
        )
    return result


def after(network: Network, context: int) -> Network:
    """The network as it reads the tokens that follow ``context`` others."""
    layers: dict[int, Layer] = {}  # long networks repeat themselves
    nodes = []
    for node in network.nodes:
        layer = layers.get(id(node.layer))
        if layer is None:
            layer = layers[id(node.layer)] = node.layer.after(context)
        nodes.append(node if layer is node.layer else node.replace(layer=layer))
    return network.replace(nodes=tuple(nodes))


def decode(net: Net, context: int) -> Tally:
    """One token of each sequence, read after ``context`` others: its parameters, work and shapes.

    net: a network whose input is one token (1x1, or a batch of them), whose caches are then full of
    the tokens before. Raises NettallyError where nothing keeps anything, and what ``tally`` raises.
    """
    counted = tally(net)
    cache(counted, context)
    inputs = counted.network.inputs
    lengths = {shape[-1] for shape in inputs.values() if len(shape) == 2}
    if lengths != {1}:
        raise NettallyError(
            "one token is decoded at a time",
            values="input " + ", ".join("x".join(map(str, x)) for x in inputs.values()),
            hint="--input 1x1, or 8x1 for a batch of 8",
        )
    return tally(after(counted.network, context), counted.accounting)
