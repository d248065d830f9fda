"""Darknet's configuration files as its own ``read_cfg`` and ``option_find`` take them.

Blanks are taken out of every line, also within it; a line that then begins with ``[`` is a section
and its name is all of the line; ``#`` and ``;`` at the beginning of a line make a comment; of
keys that stand twice the first holds; numbers are what C's ``atoi`` and ``atof`` see at the
beginning of a value, 0 where they see none. (pjreddie/darknet and AlexeyAB/darknet, src/parser.c,
src/option_list.c and src/utils.c.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError, closest
from ...network import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SECTIONS = 25_000
MAX_OPTIONS = 500_000
MAX_INT = 2**31 - 1

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BLANKS = str.maketrans("", "", " \t\r\n\v\f")


class Option(NamedTuple):
    """A value, and its line."""

    value: str
    line: int


class Section:
    """One ``[type]`` and what it says. Every getter raises ReadError with ``file:line``."""

    __slots__ = ("asked", "file", "junk", "line", "name", "options", "twice", "type")

    def __init__(self, type_: str, file: str, line: int) -> None:
        self.type = type_
        self.name = f"[{type_}]"  # with its number, once it has one
        self.file = file
        self.line = line
        self.options: dict[str, Option] = {}
        self.twice: list[str] = []
        self.asked: set[str] = set()
        self.junk: list[str] = []

    @property
    def span(self) -> Span:
        return Span(self.file, self.line)

    def where(self, key: str = "") -> str:
        option = self.options.get(key)
        return f"{self.file}:{option.line if option else self.line}"

    def error(self, what: str, key: str = "", *, values: str = "", hint: str = "") -> ReadError:
        """A complaint about the section, at the line of ``key``."""
        return ReadError(f"{self.name}: {what}", where=self.where(key), values=values, hint=hint)

    def __contains__(self, key: str) -> bool:
        return self.text(key) is not None

    def text(self, key: str, default: str | None = None) -> str | None:
        """The value as it stands; ``default`` where the key is not there."""
        self.asked.add(key)
        option = self.options.get(key)
        return default if option is None else option.value

    def integer(self, key: str, default: int, least: int | None = None) -> int:
        """The whole number at the beginning of the value, as ``atoi`` reads it."""
        text = self.text(key)
        number = default if text is None else self._leading(key, text)
        if least is not None and number < least:
            values = f"{key}={text[:60]}" if text is not None else f"{key} {number}, the default"
            raise self.error(f"'{key}' must be at least {least}", key, values=values)
        return number

    def integers(self, key: str) -> list[int]:
        """The whole numbers between commas; none where the key is not there."""
        text = self.text(key)
        if text is None:
            return []
        text = text.partition("#")[0]
        return [self._leading(key, word) for word in text.split(",")]

    def number(self, key: str, default: float) -> float:
        """The number at the beginning of the value, as ``atof`` reads it."""
        text = self.text(key)
        if text is None:
            return default
        leading = _FLOAT.match(text)
        if leading is None or leading.end() < len(text):
            self.junk.append(f"{key}={text}")
        number = float(leading[0]) if leading else 0.0
        if not abs(number) < 1e300:
            raise self.error(f"'{key}' is too large", key, values=f"{key}={text[:60]}")
        return number

    def unread(self) -> list[str]:
        """The keys that nobody asked for."""
        return [key for key in self.options if key not in self.asked]

    def _leading(self, key: str, text: str) -> int:
        leading = _INTEGER.match(text)
        if leading is None or leading.end() < len(text):
            self.junk.append(f"{key}={text}")
        if leading is None:
            return 0
        if leading.end() > 18 or abs(int(leading[0])) > MAX_INT:
            raise self.error(
                f"'{key}' is too large", key, values=f"{key}={text[:40]}", hint="at most 2^31 - 1"
            )
        return int(leading[0])


def lines(text: str) -> Iterable[tuple[int, str]]:
    """The lines that say something, without their blanks, and their numbers."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.translate(_BLANKS)
        if bare and bare[0] not in "#;":
            yield number, bare


def parse(text: str, file: str) -> tuple[list[Section], list[str]]:
    """The sections in order, and what is odd. Raises ReadError for what Darknet can't read."""
    sections: list[Section] = []
    odd: list[str] = []
    options = 0
    for number, bare in lines(text):
        if bare[0] == "[":
            if len(sections) == MAX_SECTIONS:
                raise ReadError(
                    "the file has too many sections",
                    where=f"{file}:{number}",
                    values=f"more than {MAX_SECTIONS:,}",
                )
            sections.append(Section(bare[1:-1] if bare[-1] == "]" else bare[1:], file, number))
            if bare[-1] != "]":
                raise ReadError(
                    "a section's name ends with ]; Darknet takes all of the line for the name",
                    where=f"{file}:{number}",
                    values=bare[:60],
                    hint="a comment needs a line of its own",
                )
            continue
        if not sections:
            raise ReadError(
                "the file does not begin with a section",
                where=f"{file}:{number}",
                values=bare[:60],
                hint="the first line is [net]",
            )
        section = sections[-1]
        key, equals, value = bare.partition("=")
        if not equals:  # Darknet keeps it without a value, and crashes where it asks for that
            raise ReadError(
                f"{section.name}: this line is neither a section nor key=value",
                where=f"{file}:{number}",
                values=bare[:60],
                hint="a comment begins with # or ;",
            )
        if not value:  # "Config file error", says Darknet, and goes on
            odd.append(f"line {number}, '{bare[:40]}', has no value, and Darknet leaves it out")
            continue
        options += 1
        if options > MAX_OPTIONS:
            raise ReadError("the file has too many keys", where=f"{file}:{number}")
        if key in section.options:
            section.twice.append(key)
            continue
        section.options[key] = Option(value, number)
    return sections, odd


def near(word: str, known: Iterable[str]) -> str:
    """A name that was perhaps meant; nothing where none is near."""
    hint = closest(word, known)
    return hint if hint.startswith("did you mean") else ""
