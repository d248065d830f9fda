"""A trained net whose input has no size: its layers by their stored tensors alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...layers import layer_class
from ...network import NOTHING, Network, Node, Span
from .build import is_training
from .builder import HANDLERS, stored_tensors
from .groups import grouped
from .net import specs

if TYPE_CHECKING:
    from ..encodings.protobuf_tree import Message
    from ..source import Source

KEPT = frozenset(("BatchNorm",))
"""Layers whose stored tensors are statistics; a BatchNorm of 5 tensors learns the last two."""


def unsized(net: Message, source: Source, why: str) -> Network:
    """The graph, each layer opaque with the tensors that are stored for it."""
    nodes: list[Node] = []
    blobs: dict[str, str] = {}
    taken: set[str] = set()
    owners: dict[str, str] = {}
    opaque: Any = layer_class("opaque")
    for spec in specs(net):
        if not spec.bottoms or is_training(spec):
            continue
        inputs = tuple(dict.fromkeys(blobs[each] for each in spec.bottoms if each in blobs))
        if spec.type == "Split":
            blobs.update(dict.fromkeys(spec.tops, inputs[0]) if inputs else {})
            continue
        fields: dict[str, Any] = stored_tensors(spec) or {"tensors": ()}
        if spec.type in KEPT:
            names = ("running_mean", "running_var", "factor", "weight", "bias")
            both = list(zip(names, spec.stored, strict=False))
            fields = {"tensors": tuple(both[3:]), "kept": tuple(both[:3])}
        elif spec.type in HANDLERS and len(spec.stored) <= 2:
            fields = {"tensors": tuple(zip(("weight", "bias"), spec.stored, strict=False))}
        name, number = spec.name or spec.type, 1
        while name in taken:
            number += 1
            name = f"{spec.name or spec.type}.{number}"
        taken.add(name)
        shared: dict[str, str] = {}
        for (tensor, _), key in zip(fields["tensors"], spec.params, strict=False):
            owner = owners.setdefault(key, f"{name}.{tensor}") if key else f"{name}.{tensor}"
            if owner != f"{name}.{tensor}":
                shared[tensor] = owner
        layer = opaque(type=spec.type, **fields)
        nodes.append(Node(name, layer, inputs, shared or NOTHING, source=spec.span))
        blobs.update(dict.fromkeys(spec.tops, name))
    stem = os.path.splitext(os.path.basename(source.name))[0]
    note = (
        f"the size of the input is not in the file ({why}): counted are the stored tensors; "
        "--input 3x224x224, its own size, gives shapes and MACs"
    )
    return Network(
        net.text("name") or stem or "network",
        {},
        grouped(nodes, [node.name.rpartition("/")[0] for node in nodes]),
        source=Span(source.name, 0),
        notes=(note,),
    )
