"""What a pickle's instructions work on: the bytes to come, a stack with marks, and a memo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ....errors import ReadError
    from ..blob import Blob

MAX_LINE = 2**16
WINDOW = 2**18


FREE_WORK = 100_000
"""For how many values any pickle may ask room; beyond it, for one with each of its bytes."""


class Memo:
    """Values by their places, which are numbered one after the other; others are kept aside."""

    def __init__(self) -> None:
        self.row: list[Any] = []
        self.others: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.row) + len(self.others)

    def get(self, place: int) -> Any:
        return self.row[place] if place < len(self.row) else self.others[place]

    def put(self, place: int, value: Any) -> None:
        if place == len(self.row):
            self.row.append(value)
            self.others.pop(place, None)
        elif place < len(self.row):
            self.row[place] = value
        else:
            self.others[place] = value


class State(ABC):
    """The stack, the memo, and the bytes that the instructions are taken from.

    longest: how many bytes a pickle may have.
    """

    def __init__(self, blob: Blob, data: bytes | None, at: int, longest: int) -> None:
        self.blob = blob
        self.data = b"" if data is None else data
        self.base = at
        self.place = 0
        self.more = data is None
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo = Memo()
        self.begun = at
        self.work = 0
        self.longest = longest

    @abstractmethod
    def call(self, function: Any, args: Any) -> Any:
        """What stands for ``function(*args)``."""

    @abstractmethod
    def load(self, what: Any) -> Any:
        """What stands for something that lies outside the pickle."""

    @property
    def at(self) -> int:
        """Where the next byte lies, in the file or in the pickle."""
        return self.base + self.place

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        return self.blob.error(what, self.at, values, hint)

    def spend(self, values: int) -> None:
        """Ask for the room of so many values. Raises ReadError where it is out of proportion.

        Each byte of the pickle allows one: a list takes one byte, and so does a copy of one that
        is large.
        """
        self.work += values
        if self.work > FREE_WORK + self.base + self.place - self.begun:
            raise self.error(
                "the pickle makes more than its size allows", f"room for {self.work:,} values"
            )

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self.place + size > len(self.data):
            self._refill(size)
        data = self.data[self.place : self.place + size]
        self.place += size
        return data

    def line(self) -> bytes:
        """The bytes up to the next end of a line."""
        end = self.data.find(b"\n", self.place)
        while end < 0:
            have = len(self.data) - self.place
            if have > MAX_LINE:
                raise self.error("the pickle has a line without an end")
            self._refill(have + 1)
            end = self.data.find(b"\n", self.place)
        line = self.data[self.place : end]
        self.place = end + 1
        return line

    def _refill(self, size: int) -> None:
        have = len(self.data) - self.place
        start = self.base + len(self.data)
        left = self.blob.size - start if self.more else 0
        if self.at - self.begun > self.longest:
            raise self.error("the pickle is too long", f"over {self.longest:,} bytes")
        if size - have > left or size > self.longest:
            raise self.error(
                "the pickle ends too soon", f"{size:,} bytes wanted, {have + left:,} left"
            )
        fetched = self.blob.fetch(start, min(left, max(size - have, WINDOW)))
        self.data = self.data[self.place :] + fetched
        self.base, self.place = start - have, 0

    def pop_mark(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        at = self.marks.pop()
        items = self.stack[at:]
        if at > len(self.stack):
            raise IndexError
        del self.stack[at:]
        return items
