"""Python 2's ``SafeConfigParser``, as cuda-convnet uses it, with line numbers and with bounds.

Python 3's ``configparser`` differs where these files are concerned: it refuses repeated sections
and keys, has no ``rem`` comments, and knows no lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import ReadError
from ...network import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 4 * 2**20
"""A layer file larger than this is refused; the largest that is known has 7 KB."""

MAX_SECTIONS = 20_000
MAX_OPTIONS = 400_000
MAX_VALUE = 10_000
"""How long a value may become by interpolation, in characters."""

MAX_NAME = 200
"""How long a layer's name may be."""

MAX_DEPTH = 10
"""How deep ``%(name)s`` may nest: ``MAX_INTERPOLATION_DEPTH`` of Python 2."""

MAX_ODD = 20
"""How many repetitions are mentioned."""

TRUE = ("1", "yes", "true", "on")
FALSE = ("0", "no", "false", "off")


class Option(NamedTuple):
    """One value as it is written, and its line."""

    value: str
    line: int


class Section:
    """One ``[name]``: its options by key (lower case), and what they say as numbers and lists.

    Each getter raises ReadError with ``file:line`` for what is missing or no such value.
    """

    def __init__(self, name: str, file: str, line: int, defaults: dict[str, Option]) -> None:
        self.name = name
        self.file = file
        self.line = line
        self.options: dict[str, Option] = {}
        self.defaults = defaults

    def __contains__(self, key: str) -> bool:
        key = key.lower()
        return key in self.options or key in self.defaults

    def keys(self) -> list[str]:
        """All keys, in lower case, in order."""
        return list(dict.fromkeys((*self.defaults, *self.options)))

    @property
    def span(self) -> Span:
        return Span(self.file, self.line)

    def where(self, key: str = "") -> str:
        """``file:line`` of a key, or of the section."""
        option = self._option(key.lower())
        return f"{self.file}:{option.line if option and option.line else self.line}"

    def error(self, what: str, key: str = "", *, values: str = "", hint: str = "") -> ReadError:
        """A complaint about this section, at the line of ``key``."""
        return ReadError(f"{self.name}: {what}", where=self.where(key), values=values, hint=hint)

    def get(self, key: str, default: str | None = None) -> str:
        """The value as text, ``%(name)s`` resolved; ``default`` where the key is not there."""
        option = self._option(key.lower())
        if option is None:
            if default is not None:
                return default
            raise self.error(
                f"'{key}' is missing",
                values=f"given: {_short(', '.join(self.keys()))}",
                hint=_missing(key, self.keys()),
            )
        value = option.value
        return self._resolved(key, value, 1, [0]) if "%" in value else value

    def words(self, key: str, default: str | None = None) -> list[str]:
        """The values between commas."""
        return [word.strip() for word in self.get(key, default).split(",")]

    def integer(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """One whole number, at least ``least``."""
        if default is not None and key not in self:
            return default
        return self._integer(key, self.get(key), least)

    def integers(
        self, key: str, count: int, default: int | None = None, *, least: int = 1
    ) -> tuple[int, ...]:
        """One whole number an input; a single one stands for all, as in cuda-convnet2."""
        if default is not None and key not in self:
            return (default,) * count
        words = self.counted(key, count)
        numbers = tuple([self._integer(key, word, least) for word in words])
        return numbers if len(numbers) == count else numbers * count

    def counted(self, key: str, count: int, *, exactly: bool = False) -> list[str]:
        """The values between commas, of which there must be one an input (or one for all)."""
        words = self.words(key)
        if len(words) != count and (exactly or len(words) != 1):
            raise self.error(
                f"'{key}' needs one value an input",
                key,
                values=f"{len(words)} values ({_short(self.get(key))}), {count} input(s)",
                hint=f"write {count} value{'s, with commas between' if count > 1 else ''}",
            )
        return words

    def number(self, key: str, default: float | None = None) -> float:
        """One number; neither infinite nor NaN."""
        if default is not None and key not in self:
            return default
        return self._number(key, self.get(key))

    def numbers(self, key: str, count: int, default: float) -> tuple[float, ...]:
        """One number an input; a single one stands for all."""
        if key not in self:
            return (default,) * count
        numbers = tuple([self._number(key, word) for word in self.counted(key, count)])
        return numbers if len(numbers) == count else numbers * count

    def boolean(self, key: str, default: bool) -> bool:
        """1, yes, true, on; 0, no, false, off."""
        if key not in self:
            return default
        word = self.get(key).lower()
        if word not in TRUE + FALSE:
            raise self.error(
                f"'{key}' is true or false", key, values=_short(word), hint="write 1 or 0"
            )
        return word in TRUE

    def booleans(self, key: str, count: int) -> tuple[bool, ...]:
        """One truth an input, false where nothing is said; only ``true`` and ``1`` are true."""
        if key not in self:
            return (False,) * count
        truths = tuple([word.lower() in ("true", "1") for word in self.counted(key, count)])
        return truths if len(truths) == count else truths * count

    def _option(self, key: str) -> Option | None:
        if not key:
            return None
        return self.options.get(key) or self.defaults.get(key)

    def _integer(self, key: str, word: str, least: int) -> int:
        digits = word[1:] if word[:1] in ("+", "-") else word
        if not (digits.isascii() and digits.isdigit()):
            raise self.error(
                f"'{key}' must be a whole number", key, values=_short(word) or "nothing"
            )
        if len(digits) > 18:
            raise self.error(f"'{key}' is too large", key, values=f"{len(digits)} digits")
        number = int(word)
        if number < least:
            raise self.error(f"'{key}' must be at least {least}", key, values=word)
        return number

    def _number(self, key: str, word: str) -> float:
        try:
            number = float(word) if len(word) < 400 and "_" not in word else None
        except ValueError:
            number = None
        if number is None or not abs(number) <= 1e300:
            raise self.error(f"'{key}' must be a number", key, values=_short(word) or "nothing")
        return number

    def _resolved(self, key: str, text: str, depth: int, spent: list[int]) -> str:
        """``%(other)s`` is the section's value of that key, ``%%`` a percent sign."""
        if depth > MAX_DEPTH:
            raise self.error(
                f"'{key}' nests %(…)s too deep", key, values=f"more than {MAX_DEPTH} levels"
            )
        parts: list[str] = []
        at = 0
        while (percent := text.find("%", at)) >= 0:
            parts.append(text[at:percent])
            close = text.find(")s", percent)
            if text.startswith("%%", percent):
                parts.append("%")
                at = percent + 2
            elif text.startswith("%(", percent) and close > 0:
                other = text[percent + 2 : close].lower()
                option = self._option(other)
                if other == "__name__":
                    parts.append(self.name)
                elif option is None:
                    raise self.error(
                        f"'{key}' refers to '{_short(other)}', which is not there",
                        key,
                        values=_short(text),
                        hint=near(other, self.keys()),
                    )
                elif "%" in option.value:
                    parts.append(self._resolved(key, option.value, depth + 1, spent))
                else:
                    parts.append(option.value)
                at = close + 2
                spent[0] += 1 + len(parts[-1])
            else:
                raise self.error(
                    f"'{key}' has a % that is neither %% nor %(name)s", key, values=_short(text)
                )
            if spent[0] > MAX_VALUE:
                raise self.error(
                    f"'{key}' grows beyond measure by its %(…)s",
                    key,
                    values=f"over {MAX_VALUE:,} characters",
                )
        parts.append(text[at:])
        return "".join(parts)


def parse(text: str, file: str) -> tuple[dict[str, Section], list[str]]:
    """The sections by name, in order of their first line, and what is odd about them.

    Repeated sections are merged and of repeated keys the last holds, as in Python 2; the second
    value has a sentence for each. Raises ReadError for a line that is neither a section, an option
    nor a comment.
    """
    if len(text) > MAX_BYTES:
        raise ReadError(
            "the file is too large for a cuda-convnet layer file",
            where=file,
            values=f"{len(text):,} characters, at most {MAX_BYTES:,}",
        )
    parser = _Parser(file)
    for number, line in enumerate(text.split("\n"), 1):
        parser.line(line, number)
    return parser.sections, parser.odd


class _Parser:
    """Takes a file line by line."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.sections: dict[str, Section] = {}
        self.defaults: dict[str, Option] = {}
        self.odd: list[str] = []
        self.options: dict[str, Option] | None = None  # of the section that the line stands in
        self.section = self.key = ""
        self.count = 0

    def line(self, line: str, number: int) -> None:
        bare = line.strip()
        first = line[:1]
        if not bare or first in "#;" or (first in "rR" and bare.split(None, 1)[0].lower() == "rem"):
            return
        if first.isspace() and self.options is not None and self.key:
            option = self.options[self.key]
            if len(option.value) + len(bare) > MAX_VALUE:
                raise self._error(f"{self.section}: '{self.key}' is too long", number)
            self.options[self.key] = Option(f"{option.value}\n{bare}", option.line)
            return
        close = line.find("]")
        if first == "[" and close > 1:
            self.section, self.key = line[1:close], ""
            self.options = self._section(self.section, number)
        else:
            self._option(line, bare, number)

    def _error(self, what: str, number: int, values: str = "", hint: str = "") -> ReadError:
        return ReadError(what, where=f"{self.file}:{number}", values=values, hint=hint)

    def _section(self, name: str, number: int) -> dict[str, Option]:
        """The options of a section that begins, or goes on, at a line."""
        if len(name) > MAX_NAME:
            raise self._error(
                "a layer's name is too long", number, f"{_short(name)}, {len(name):,} characters"
            )
        if name == "DEFAULT":
            return self.defaults
        if name in self.sections:
            if len(self.odd) < MAX_ODD:
                self.odd.append(
                    f"[{name}] stands at lines {self.sections[name].line} and {number}: they are "
                    "read as one, as Python 2 does"
                )
        elif len(self.sections) == MAX_SECTIONS:
            raise self._error("the file has too many layers", number, f"more than {MAX_SECTIONS:,}")
        else:
            self.sections[name] = Section(name, self.file, number, self.defaults)
        return self.sections[name].options

    def _option(self, line: str, bare: str, number: int) -> None:
        """One ``key=value`` or ``key: value``."""
        equals, colon = line.find("="), line.find(":")
        at = min(equals, colon) if equals >= 0 and colon >= 0 else max(equals, colon)
        if self.options is None:
            raise self._error(
                "the file does not begin with a [layer]",
                number,
                _short(bare),
                "put [name] before the first key",
            )
        if not line[: max(at, 0)].strip():
            raise self._error(
                f"{self.section}: this is neither [layer], key=value nor a comment",
                number,
                _short(bare),
                "write key=value, or begin the line with #",
            )
        self.key = key = line[:at].strip().lower()
        value = line[at + 1 :].strip()
        semicolon = value.find(";")
        if semicolon > 0 and value[semicolon - 1].isspace():
            value = value[:semicolon].strip()
        if len(value) > MAX_VALUE:
            raise self._error(
                f"{self.section}: '{_short(key)}' is too long",
                number,
                f"{len(value):,} characters, at most {MAX_VALUE:,}",
            )
        if key in self.options and len(self.odd) < MAX_ODD:
            self.odd.append(
                f"{self.section}: '{_short(key)}' is given at lines {self.options[key].line} and "
                f"{number}: the last holds, as in Python 2"
            )
        self.count += 1
        if self.count > MAX_OPTIONS:
            raise self._error("the file has too many keys", number)
        self.options[key] = Option("" if value == '""' else value, number)


def _short(text: str) -> str:
    """What a file says, short enough for a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(word: str, known: Iterable[str]) -> str:
    """A name that was perhaps meant, or the known ones where they are few."""
    import difflib

    names = list(known)
    matches = difflib.get_close_matches(word[:80], names, 1, 0.6)
    if matches:
        return f"did you mean '{matches[0]}'?"
    return "one of " + ", ".join(names[:40]) if 0 < len(names) <= 60 else ""


def _missing(key: str, keys: Iterable[str]) -> str:
    """A key that was perhaps meant, or the line to add."""
    import difflib

    near = difflib.get_close_matches(key.lower(), list(keys), 1, 0.85)
    return f"is '{near[0]}' meant to be '{key}'?" if near else f"add a line {key}=..."
