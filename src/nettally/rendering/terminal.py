"""Where text goes: how wide, in colour or not, with which marks; and text wrapped to that width."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from ..record import Record
from .escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
_MARKS = {
    "exact": ("✓", "+", "green"),
    "holds": ("✓", "+", "green"),
    "rounds": ("≈", "~", "green"),
    "truncates": ("≈", "~", "green"),
    "differs": ("✗", "x", "red"),
    "unknown": ("?", "?", "yellow"),
    "invalid": ("!", "!", "red"),
}


class Terminal(Record):
    """A width in columns, and whether colour and Unicode can be shown there.

    wide: nobody reads at this width (a pipe or a file), so that a table need not be cut to it.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    wide: bool = False

    def style(self, text: str, *names: str) -> str:
        """``text`` in a colour or weight, where there is colour."""
        if not self.colour or not names or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def mark(self, status: str) -> str:
        """The sign of a verdict, one of ✓ ≈ ✗ ? and !."""
        sign, plain, colour = _MARKS[status]
        return self.style(sign if self.unicode else plain, colour)

    @property
    def prose(self) -> int:
        """The width for text that is read and not looked up."""
        return min(self.width, 100)


def terminal(stream: TextIO) -> Terminal:
    """What ``stream`` can show. Heeds COLUMNS, NO_COLOR, FORCE_COLOR and TERM=dumb."""
    environment = os.environ
    try:
        at_screen = stream.isatty()
    except ValueError:  # a closed stream
        at_screen = False
    columns = environment.get("COLUMNS", "")
    width, wide = 80, not at_screen
    if columns.isascii() and columns.isdigit() and int(columns[:5]) > 0:
        width, wide = int(columns[:5]), False
    elif at_screen:
        from contextlib import suppress

        with suppress(OSError, ValueError):
            width = os.get_terminal_size(stream.fileno()).columns or 80
    colour = at_screen and environment.get("TERM") != "dumb" and os.name != "nt"
    if environment.get("FORCE_COLOR"):
        colour = True
    if environment.get("NO_COLOR"):
        colour = False
    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    return Terminal(max(width, 40), colour, encoding.startswith("utf"), wide)


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Text in lines of at most ``width``, broken at spaces; a word that is too long stays whole.

    first, rest: what the first and the other lines begin with (rest: as many spaces as first).
    """
    rest = " " * len(first) if rest is None else rest
    lines: list[str] = []
    line, begun = first, False
    for word in text.split(" "):
        if begun and len(line) + 1 + len(word) > width:
            lines.append(line.rstrip())
            line, begun = rest, False
        line += f" {word}" if begun else word
        begun = True
    lines.append(line.rstrip())
    return lines


def wrap_steps(steps: Iterable[str], width: int, first: str = "") -> list[str]:
    """``a = b = c`` in lines, broken before an equals sign, which then stands under the others.

    A step that is too long is broken before a sign; a name stays with its number.
    """
    lines: list[str] = []
    indent = " " * len(first)
    line = first
    for i, step in enumerate(steps):
        bound = step.replace(" ", BOUND)
        for sign in "·+-":
            bound = bound.replace(f"{BOUND}{sign}{BOUND}", f" {sign}{BOUND}")
        if i and len(line) + 3 + len(step) > width:
            lines.extend(wrap(line, width, rest=indent + "    "))
            line = f"{indent}= {bound}"
        else:
            line += f" = {bound}" if i else bound
    lines.extend(wrap(line, width, rest=indent + "    "))
    return [line.replace(BOUND, " ") for line in lines]


BOUND = "\xa0"
"""A space at which no line is broken."""

_ASCII = {
    "·": "*",
    "×": "x",
    "–": "-",
    "−": "-",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "→": "->",
    "⌈": "ceil(",
    "⌉": ")",
    "⌊": "floor(",
    "⌋": ")",
    "“": '"',
    "”": '"',
    "├": "|",
    "└": "`",
    "│": "|",
    "─": "-",
    **{sign: f"^{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}


def printable(text: str, terminal: Terminal) -> str:
    """The text in ASCII where the terminal has no Unicode: ``55 * 55 * 96``."""
    return text if terminal.unicode else text.translate(str.maketrans(_ASCII))


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 layer``, ``3 layers``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def noted(notes: Iterable[str], terminal: Terminal) -> list[str]:
    """Notes for the foot of a text; one that names itself (``source: …``) needs no "note:"."""
    lines: list[str] = []
    for note in notes:
        head, colon, rest = note.partition(": ")
        first = "note: "
        if colon and head.isalpha() and len(head) <= 10:
            first, note = f"{head}: ", rest
        lines.extend(wrap(escape(note), terminal.prose, first, " " * 6))
    return lines
