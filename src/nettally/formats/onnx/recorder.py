"""What a rule did with a node, for those that do the same to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...network import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .proto import Dims
    from .values import Value


class Emitted(NamedTuple):
    """What a rule asked for: see ``Layers.emit``."""

    shape: Dims | None
    data: Sequence[Value]
    weights: Mapping[str, Value | None]
    written: Mapping[str, Any]


class Recorder:
    """What a rule did. emitted: the layers that it made.

    by_contents: it looked at the contents of constants. by_pattern: whether they may be learned.
    noted: there is something to say of the node.
    """

    def __init__(self) -> None:
        self.emitted: list[Emitted | None] = []  # None: a layer on the way
        self.by_contents = self.by_pattern = self.noted = False

    def note(
        self,
        shape: Dims | None,
        data: Sequence[Value],
        weights: Mapping[str, Value | None] | None,
        written: Mapping[str, Any] | None,
    ) -> None:
        self.emitted.append(Emitted(shape, data, weights or NOTHING, written or NOTHING))
