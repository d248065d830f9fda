"""Changes files at random: for where atheris is not to be had. The same seed makes the same files.

It knows no coverage, so it changes what usually matters: numbers, words, lines, lengths.
"""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = [
    *(b"0", b"-1", b"1", b"2", b"65536", b"2147483647", b"2147483648", b"-2147483648"),
    *(b"9223372036854775807", b"9223372036854775808", b"1e999", b"NaN", b"0.5", b"-0", b"1e-9"),
    *(b"00", b"0x10", b"1_0", b"9" * 41, b"9" * 5000, "٣".encode(), b"true", b"null", b'""'),
]
"""Numbers, as text, that are on an edge, or none."""

EDGES = [0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1,
         2**63 - 1, 2**63, 2**64 - 1]  # fmt: skip
ODD = [b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", "\u2028".encode(), b"\x1b[2J", b"{", b"}",
       b"[", b"]", b"(", b'"', b"'", b"#", b":", b"=", b",", b"*", b"&a ", b"\\", b"\t", b"- ",
       "\u202e".encode(), b"\xed\xa0\x80", b"<script>", b"\x80" * 11]  # fmt: skip

LONGEST = 2**16
"""No file grows longer, in bytes."""

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,40}")


def words(files: list[bytes], most: int = 400) -> list[bytes]:
    """What stands in the files as words, for mutations and for atheris' dictionary."""
    found: dict[bytes, None] = {}
    for file in files:
        found.update(dict.fromkeys(_WORD.findall(file)))
    return list(found)[:most]


class Mutator:
    def __init__(self, seeds: list[bytes], seed: int) -> None:
        self.seeds = seeds or [b""]
        self.words = words(self.seeds) or [b"x"]
        self.random = Random(seed)
        self.ways: list[Callable[[bytearray], None]] = [
            *(self.flip, self.edge, self.insert, self.cut, self.double, self.splice),
            *(self.number, self.number, self.word, self.word, self.odd, self.line, self.end),
        ]

    def next(self) -> bytes:
        """Another file: one of the seeds with one to eight changes."""
        data = bytearray(self.random.choice(self.seeds))
        for _ in range(self.random.choice((1, 1, 2, 3, 5, 8))):
            self.random.choice(self.ways)(data)
        return bytes(data[:LONGEST])

    def place(self, data: bytearray) -> int:
        return self.random.randint(0, len(data))

    def part(self, data: bytearray) -> tuple[int, int]:
        """A stretch, short ones more often."""
        at = self.place(data)
        return at, min(len(data), at + self.random.choice((1, 2, 4, 8, 16, 64, 512)))

    def flip(self, data: bytearray) -> None:
        if data:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)

    def edge(self, data: bytearray) -> None:
        size = self.random.choice((1, 2, 4, 8))
        at = self.place(data)
        number = self.random.choice(EDGES) & (1 << 8 * size) - 1
        data[at : at + size] = number.to_bytes(size, self.random.choice(("little", "big")))

    def insert(self, data: bytearray) -> None:
        at = self.place(data)
        data[at:at] = self.random.randbytes(self.random.choice((1, 2, 4, 16)))

    def cut(self, data: bytearray) -> None:
        at, end = self.part(data)
        del data[at:end]

    def double(self, data: bytearray) -> None:
        at, end = self.part(data)
        data[at:at] = data[at:end] * self.random.choice((1, 1, 2, 50))

    def splice(self, data: bytearray) -> None:
        other = bytearray(self.random.choice(self.seeds))
        at, end = self.part(other)
        into = self.place(data)
        data[into : into + self.random.choice((0, end - at))] = other[at:end]

    def number(self, data: bytearray) -> None:
        found = list(_NUMBER.finditer(data))
        if found:
            one = self.random.choice(found)
            data[one.start() : one.end()] = self.random.choice(NUMBERS)

    def word(self, data: bytearray) -> None:
        found = list(_WORD.finditer(data))
        if found:
            one = self.random.choice(found)
            data[one.start() : one.end()] = self.random.choice(self.words)

    def odd(self, data: bytearray) -> None:
        at = self.place(data)
        data[at:at] = self.random.choice(ODD) * self.random.choice((1, 1, 1, 3, 200))

    def line(self, data: bytearray) -> None:
        lines = data.split(b"\n")
        one, two = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        way = self.random.randrange(3)
        if way == 0:
            lines[one], lines[two] = lines[two], lines[one]
        elif way == 1:
            lines.insert(two, lines[one])
        else:
            del lines[one]
        data[:] = b"\n".join(lines)

    def end(self, data: bytearray) -> None:
        del data[self.place(data) :]
