"""Which of Caffe's layers stand in a group: ``inception_3a/1x1`` stands in ``inception_3a``."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEVELS = 40
"""A name with more strokes than this is a name and no place."""


def groups(names: Sequence[str]) -> dict[str, str]:
    """For each layer the group that it stands in, of the names before its last stroke.

    Caffe itself knows no groups, so that a stroke may mean nothing: a group has two layers at
    least, and no layer has its name, as ``conv1`` has beside ``conv1/relu``.
    """
    taken = {".".join([part for part in name.split("/") if part]) for name in names}
    places = [_places(name) for name in names]
    count = Counter(place for each in places for place in each)
    return {
        name: next((p for p in reversed(each) if count[p] > 1 and p not in taken), "")
        for name, each in zip(names, places, strict=True)
    }


def _places(name: str) -> list[str]:
    """``a``, ``a.b`` and ``a.b.c`` of ``a/b/c/conv``."""
    parts = [part for part in name.rpartition("/")[0].split("/") if part]
    return list(accumulate(parts, "{}.{}".format)) if len(parts) <= MAX_LEVELS else []
