"""What protobuf's text and binary formats say: fields in their order, each with its place.

Nothing here knows a schema. What is asked of a message is checked as it is taken.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_DIGITS = 40
"""A number with more digits than this is refused."""


TEMPLATE = "it is a template: its placeholders have to be filled in first"


class Field(NamedTuple):
    """One field: its name and value, and where its name stands.

    value: a Message, or the text. kind: ``message``, ``string`` (without the quotes), ``word`` or
    ``number`` (as it is written).
    """

    name: str
    value: Message | str
    kind: str
    offset: int


class Document:
    """A text with its name, and the lines of its offsets. Line 0 where there are none."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._ends: list[int] | None = None

    def line(self, offset: int) -> int:
        """The line that an offset is in, from 1."""
        if self._ends is None:
            self._ends = [match.start() for match in re.finditer("\n", self.text)]
        return bisect_right(self._ends, offset - 1) + 1

    def where(self, offset: int) -> str:
        return f"{self.name}:{self.line(offset)}"


class Message:
    """Fields in their order. What is asked for is checked as it is taken.

    skipped: how many values of the fields that are only counted.
    """

    __slots__ = ("_index", "document", "fields", "name", "offset", "skipped")

    def __init__(self, document: Document, name: str, offset: int) -> None:
        self.document = document
        self.name = name
        self.offset = offset
        self.fields: list[Field] = []
        self.skipped = 0
        self._index: dict[str, list[Field]] | None = None

    @property
    def line(self) -> int:
        return self.document.line(self.offset)

    @property
    def where(self) -> str:
        return self.document.where(self.offset)

    def add(self, field: Field) -> None:
        self.fields.append(field)
        self._index = None

    def all(self, name: str) -> list[Field]:
        """Every field of a name, in order."""
        if self._index is None:
            index: dict[str, list[Field]] = {}
            for field in self.fields:
                index.setdefault(field.name, []).append(field)
            self._index = index
        return self._index.get(name, [])

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def one(self, name: str) -> Field | None:
        """The only field of a name. Raises ReadError where it is given twice."""
        matches = self.all(name)
        if len(matches) > 1:
            lines = ", ".join(f"line {self.document.line(field.offset)}" for field in matches[:4])
            often = "twice" if len(matches) == 2 else "several times"
            raise ReadError(
                f"{self.name}: '{name}' is given {often}",
                where=self.document.where(matches[1].offset),
                values=", ".join(_shown(field) for field in matches[:4]) + f" ({lines})",
                hint="it may be given once: which is meant?",
            )
        return matches[0] if matches else None

    def error(
        self, what: str, field: Field | None = None, *, values: str = "", hint: str = ""
    ) -> ReadError:
        """A complaint about a field of the message, or about the message."""
        where = self.where if field is None else self.document.where(field.offset)
        if field is not None and not values:
            values = f"{field.name}: {_shown(field)}"
        return ReadError(what, where=where, values=values, hint=hint)

    def message(self, name: str) -> Message | None:
        """The message in a field, None where it is not given."""
        field = self.one(name)
        return None if field is None else self._message(field)

    def messages(self, name: str) -> list[Message]:
        return [self._message(field) for field in self.all(name)]

    def _message(self, field: Field) -> Message:
        if isinstance(field.value, Message):
            return field.value
        raise self.error(f"'{field.name}' is a message", field, hint=f"{field.name} {{ ... }}")

    def text(self, name: str, default: str = "") -> str:
        """A string, or a word where it stands for one; ``default`` where it is not given."""
        field = self.one(name)
        return default if field is None else self._text(field)

    def texts(self, name: str) -> list[str]:
        return [self._text(field) for field in self.all(name)]

    def _text(self, field: Field) -> str:
        if isinstance(field.value, str) and field.kind != "number":
            return field.value
        raise self.error(f"'{field.name}' is a string", field, hint=f'{field.name}: "..."')

    def word(self, name: str, words: Collection[str], default: str) -> str:
        """One of some words, or its number as the binary format has it (its place in ``words``)."""
        field = self.one(name)
        if field is None:
            return default
        value = field.value
        if field.kind == "number" and isinstance(value, str) and value.isdigit() and len(value) < 4:
            listed = list(words)
            if int(value) < len(listed):
                return listed[int(value)]
        if not isinstance(value, str) or value not in words:
            from ...errors import closest

            hint = closest(value, words) if isinstance(value, str) else ""
            raise self.error(f"'{name}' is one of {', '.join(words)}", field, hint=hint)
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        field = self.one(name)
        return default if field is None else self._integer(field)

    def integers(self, name: str) -> list[int]:
        return [self._integer(field) for field in self.all(name)]

    def _integer(self, field: Field) -> int:
        value = field.value
        if field.kind == "number" and isinstance(value, str) and len(value) <= MAX_DIGITS:
            digits = value[1:] if value[0] == "-" else value
            if digits.isdigit() and digits[0] == "0" and len(digits) > 1:
                if set(digits) <= set("01234567"):  # as protobuf has it, and C
                    return -int(digits, 8) if value[0] == "-" else int(digits, 8)
            elif digits.isdigit():
                return int(value)
            elif digits[:2] in ("0x", "0X"):
                return int(value, 16)
        raise self._unlike(field, "a whole number")

    def real(self, name: str, default: float) -> float:
        """A finite number."""
        field = self.one(name)
        return default if field is None else self._real(field)

    def reals(self, name: str) -> list[float]:
        return [self._real(field) for field in self.all(name)]

    def _real(self, field: Field) -> float:
        value = field.value
        if field.kind == "number" and isinstance(value, str) and len(value) <= 400:
            body = value.lower()
            if not body.lstrip("-").startswith("0x"):
                try:
                    number = float(body[:-1] if body.endswith("f") and body[-2:] != "nf" else body)
                except ValueError:
                    number = float("nan")
                if number - number == 0:
                    return number
        raise self._unlike(field, "a number")

    def boolean(self, name: str, default: bool) -> bool:
        field = self.one(name)
        if field is None:
            return default
        if isinstance(field.value, str) and field.value in _BOOLEANS and field.kind != "string":
            return _BOOLEANS[field.value]
        raise self._unlike(field, "true or false")

    def _unlike(self, field: Field, kind: str) -> ReadError:
        """A value is not of its kind; a word that stands for a number is perhaps a template's."""
        value = field.value
        plain = field.kind == "number" or value in _NO_PLACEHOLDERS
        if plain or (isinstance(value, str) and value[:1] in "0123456789.+-"):
            return self.error(f"'{field.name}' is {kind}", field)
        return self.error(f"'{field.name}' is {kind}", field, hint=f"perhaps {TEMPLATE}")


_BOOLEANS = {
    **dict.fromkeys(("true", "True", "t", "1"), True),
    **dict.fromkeys(("false", "False", "f", "0"), False),
}


_NO_PLACEHOLDERS = frozenset(("nan", "inf", "infinity", *_BOOLEANS))


def _shown(field: Field) -> str:
    if isinstance(field.value, Message):
        return "{ ... }"
    text = field.value if len(field.value) <= 60 else field.value[:57] + "..."
    return f'"{text}"' if field.kind == "string" else text
