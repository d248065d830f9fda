"""A trained net whose input has no size: its layers by their stored tensors alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .build import file_net
from .builder import CaffeBuilder
from .groups import groups
from .training import roles

if TYPE_CHECKING:
    from ...network import Network
    from ..encodings.protobuf_tree import Message
    from ..source import Source


def unsized(root: Message, source: Source, why: str) -> Network:
    """The graph, each layer opaque with the tensors that are stored for it."""
    net, _ = file_net(root, source)
    layers = [spec for spec in roles(net.layers).network if spec.bottoms]
    b = CaffeBuilder(net, {}, groups([spec.name for spec in layers]))
    for spec in layers:
        sources = dict.fromkeys(b.blobs.get(each) for each in spec.bottoms)
        inputs = [source for source in sources if isinstance(source, str)]
        if spec.type == "Split":
            b.blobs.update(dict.fromkeys(spec.tops, inputs[0]) if inputs else {})
            continue
        b.blobs.update(dict.fromkeys(spec.tops, b.opaque(spec, inputs, why="", tensors=())))
    b.note(
        f"the size of the input is not in the file ({why}): counted are the stored tensors; "
        "--input 3x224x224, its own size, gives shapes and MACs"
    )
    return b.network(name=net.message.text("name"))
