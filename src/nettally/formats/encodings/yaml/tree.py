"""A tree of texts that knows its lines: what a YAML file is to us."""

from __future__ import annotations

from typing import NamedTuple

MAX_DEPTH = 20
"""How deep lists and mappings may nest."""


class Scalar(NamedTuple):
    """A piece of text. plain: it stood without quotes."""

    text: str
    line: int
    plain: bool = True


class Sequence(NamedTuple):
    items: list[Yaml]
    line: int


class Mapping(NamedTuple):
    """Pairs in order; each key once."""

    pairs: dict[Scalar, Yaml]
    line: int

    def get(self, key: str) -> Yaml | None:
        for each, value in self.pairs.items():
            if each.text == key:
                return value
        return None


Yaml = Scalar | Sequence | Mapping


def clip(text: str, longest: int = 60) -> str:
    """A text from a file, short enough for a message."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
