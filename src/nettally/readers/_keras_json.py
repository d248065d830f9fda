"""JSON from strangers: no key twice, no numbers that are none, bounded depth and size."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from ..errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 200
"""How deep the lists and objects may nest; a Functional in a Functional takes 12 levels."""

MAX_PARTS = 1_000_000
"""How many lists and objects there may be; the largest that is known has 30,000."""

MAX_VALUES = 4_000_000
MAX_DIGITS = 18

_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
"""A string, or one bracket; a string that does not end goes on to the end."""


def load(text: str, name: str) -> Any:
    """What the text says. Raises ReadError where it is no JSON, or more than is believed."""
    if text.count("{") + text.count("[") > MAX_PARTS or text.count(",") > MAX_VALUES:
        raise ReadError(
            "the JSON has too many parts",
            where=name,
            values=f"over {MAX_PARTS:,} lists and objects, or {MAX_VALUES:,} values",
        )
    depth = 0
    for match in _TOKENS.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ReadError(
                    "the JSON nests too deep",
                    where=_place(text, match.start(), name),
                    values=f"more than {MAX_DEPTH} levels",
                )
        elif token in "]}":
            depth -= 1
    hooks: dict[str, Callable[[Any], Any]] = {
        "object_pairs_hook": lambda pairs: _object(pairs, name),
        "parse_constant": lambda word: _refuse(word, name),
        "parse_float": lambda word: _float(word, name),
        "parse_int": lambda word: _int(word, name),
    }
    try:
        return json.loads(text, **hooks)  # pyright: ignore[reportArgumentType]
    except json.JSONDecodeError as error:
        raise ReadError(
            f"this is no JSON: {error.msg}",
            where=_place(text, error.pos, name),
            values=f"at {text[error.pos : error.pos + 20]!r}",
        ) from None


def _place(text: str, at: int, name: str) -> str:
    return f"{name}:{text.count(chr(10), 0, at) + 1}"


def _object(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ReadError(
                    "a JSON object has a key twice", where=name, values=f"key {key[:60]!r}"
                )
            seen.add(key)
    return made


def _refuse(word: str, name: str) -> Any:
    raise ReadError("the JSON has a number that is none", where=name, values=word)


def _float(word: str, name: str) -> float:
    number = float(word) if len(word) < 400 else float("inf")
    if abs(number) == float("inf"):
        raise ReadError("the JSON has a number that is too large", where=name, values=word[:40])
    return number


def _int(word: str, name: str) -> int:
    if len(word.lstrip("-")) > MAX_DIGITS:
        raise ReadError(
            "the JSON has a number that is too large",
            where=name,
            values=f"{word[:40]}, {len(word)} digits",
        )
    return int(word)


def array(value: Any) -> list[Any] | None:
    """The value, where it is a list."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def fields(value: Any) -> dict[str, Any] | None:
    """The value, where it is an object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
