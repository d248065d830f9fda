"""Which of Caffe's layers stand in a group: ``inception_3a/1x1`` stands in ``inception_3a``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...network import Node

MAX_LEVELS = 40
"""A name with more strokes than this is a name and no place."""


def grouped(nodes: Sequence[Node], stems: Iterable[str]) -> tuple[Node, ...]:
    """The nodes with the groups that they stand in, of the names before their last stroke.

    Caffe itself knows no groups, so that a stroke may mean nothing: a group has two layers at
    least, and no layer has its name, as ``conv1`` has beside ``conv1/relu``.
    """
    names = {_dotted(node.name) for node in nodes}
    paths = [_path(stem) for stem in stems]
    count = Counter(".".join(path[:end]) for path in paths for end in range(1, len(path) + 1))
    grouped_nodes: list[Node] = []
    for node, path in zip(nodes, paths, strict=True):
        end = len(path)
        while end and not _is_group(".".join(path[:end]), count, names):
            end -= 1
        grouped_nodes.append(node.replace(module=".".join(path[:end])) if end else node)
    return tuple(grouped_nodes)


def _is_group(name: str, count: Counter[str], names: set[str]) -> bool:
    return count[name] > 1 and name not in names


def _path(stem: str) -> list[str]:
    parts = [part for part in stem.split("/") if part]
    return parts if len(parts) <= MAX_LEVELS else []


def _dotted(name: str) -> str:
    return ".".join([part for part in name.split("/") if part])
