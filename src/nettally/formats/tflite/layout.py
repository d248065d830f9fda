"""Which tensors of a TFLite graph have channels: those become channels first.

A tensor of four axes may be an image, with its channels last, or the heads of an attention. It is
an image where a convolution, a pool, a resizing works on it, or on what it becomes value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Graph

SPATIAL = frozenset(
    (
        *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV"),
        *("CONV_3D_TRANSPOSE", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"),
        *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE"),
        *("SPACE_TO_DEPTH", "LOCAL_RESPONSE_NORMALIZATION"),
    )
)
"""Operators that work on images."""

LOOSE = frozenset(
    (
        *("RESHAPE", "TRANSPOSE", "BATCH_MATMUL", "FULLY_CONNECTED", "EXPAND_DIMS"),
        *("SQUEEZE", "PACK", "UNPACK", "GATHER", "GATHER_ND", "SHAPE", "ONE_HOT", "IF", "WHILE"),
        *("CALL", "TOPK_V2", "ARG_MAX", "ARG_MIN"),
    )
)
"""Operators whose outputs need not lie as their inputs do."""


def first_axes(rank: int) -> tuple[int, ...]:
    """The file's axes in our order: batch, channels, space."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 1 else tuple(range(rank))


def to_first(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Channels last to channels first."""
    return (sizes[0], sizes[-1], *sizes[1:-1]) if len(sizes) > 1 else sizes


def to_last(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Channels first to channels last."""
    return (sizes[0], *sizes[2:], sizes[1]) if len(sizes) > 1 else sizes


def layouts(graph: Graph) -> list[bool]:
    """For each tensor, whether its channels are brought first. Nearly linear (union and find)."""
    tensors = graph.tensors
    parent = list(range(len(tensors)))
    spatial = [False] * len(tensors)

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def rank(i: int) -> int:
        return len(tensors[i].shape) if i >= 0 and not tensors[i].constant else 0

    for op in graph.operators:
        touched = [i for i in (*op.inputs, *op.outputs) if rank(i) >= 4]
        if not touched:
            continue
        if op.kind in SPATIAL:
            for i in touched:
                spatial[i] = True
        if op.kind == "MEAN" and len(op.inputs) > 1:
            axes = graph.contents(tensors[op.inputs[1]]) if op.inputs[1] >= 0 else None
            if axes in ((1, 2), (2, 1)) and rank(op.inputs[0]) == 4:
                spatial[op.inputs[0]] = True  # the mean of each channel
        if op.kind in LOOSE or op.kind.startswith(("custom", "operator", "STABLEHLO")):
            continue
        for i in touched[1:]:
            if rank(i) == rank(touched[0]):
                parent[find(i)] = find(touched[0])
    spatial_groups = [False] * len(tensors)
    for i in range(len(tensors)):
        if spatial[i]:
            spatial_groups[find(i)] = True
    return [rank(i) >= 4 and spatial_groups[find(i)] for i in range(len(tensors))]
