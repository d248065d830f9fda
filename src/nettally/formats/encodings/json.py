"""JSON from strangers: no key twice, no numbers that are none, bounded depth and size."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from ...errors import ReadError

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
        "object_pairs_hook": _object,
        "parse_constant": _refuse,
        "parse_float": _float,
        "parse_int": _int,
    }
    try:
        return json.loads(text, **hooks)  # pyright: ignore[reportArgumentType] - they are all there
    except _Twice:
        at, key = _second_key(text)
        raise ReadError(
            "a JSON object has a key twice",
            where=_place(text, at, name),
            values=f"key {key[:60]!r}",
        ) from None
    except _Number as error:
        what, word, values = error.args
        raise ReadError(
            what, where=_place(text, _number_at(text, word), name), values=values
        ) from None
    except json.JSONDecodeError as error:
        raise ReadError(
            f"this is no JSON: {error.msg}",
            where=_place(text, error.pos, name),
            values=f"at {text[error.pos : error.pos + 20]!r}",
        ) from None


class _Twice(Exception):
    """An object has a key twice."""


class _Number(Exception):
    """A number that is refused: what to say, how it is written, the values."""


def _place(text: str, at: int, name: str) -> str:
    return f"{name}:{text.count(chr(10), 0, at) + 1}"


def _second_key(text: str) -> tuple[int, str]:
    """Where the first key stands that its object has already, and which it is."""
    levels: list[set[str] | None] = [None]  # the keys of each object that is open; None for a list
    begins = False  # whether a string would be a key
    for match in _PARTS.finditer(text):
        token = match.group()
        keys = levels[-1]
        if token[0] == '"':
            if begins and keys is not None:
                key = json.loads(token)
                if key in keys:
                    return match.start(), key
                keys.add(key)
            begins = False
        elif token in "[{":
            begins = token == "{"
            levels.append(set() if begins else None)
        elif token in "]}":
            levels.pop()
        else:
            begins = True
    return 0, ""


def _number_at(text: str, word: str) -> int:
    """Where a number stands that is written so, and is no part of a string."""
    for match in _PARTS_AND_NUMBERS.finditer(text):
        if match.group() == word:
            return match.start()
    return 0


_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PARTS = re.compile(_STRING + r"|[\[\]{},]", re.DOTALL)
_PARTS_AND_NUMBERS = re.compile(_STRING + r"|-?[\w.+-]+", re.DOTALL)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Twice
    return members


def _refuse(word: str) -> Any:
    raise _Number("the JSON has a number that is none", word, word)


def _float(word: str) -> float:
    number = float(word) if len(word) < 400 else float("inf")
    if abs(number) == float("inf"):
        raise _Number("the JSON has a number that is too large", word, word[:40])
    return number


def _int(word: str) -> int:
    if len(word.lstrip("-")) > MAX_DIGITS:
        values = f"{word[:40]}, {len(word)} digits"
        raise _Number("the JSON has a number that is too large", word, values)
    return int(word)


def array(value: Any) -> list[Any] | None:
    """The value, where it is a list."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def fields(value: Any) -> dict[str, Any] | None:
    """The value, where it is an object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
