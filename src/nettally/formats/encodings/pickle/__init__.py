"""What a pickle says, without doing it: no name in it is looked up, nothing is called.

A pickle is a program for a machine with a stack and a memo (Python's Lib/pickletools.py describes
each instruction). Here the machine knows only data: text, numbers, lists, tuples, dictionaries.
Where a pickle calls something, a few of torch's functions are known by their names and replaced by
a description of the tensor that they would make; any other call is kept as a ``Thing``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ....errors import ReadError
    from ..blob import Blob

MAX_PICKLE = 64 * 2**20
"""How long a pickle may be, in bytes; of a large model it has a few millions."""

MAX_STEPS = 10_000_000
MAX_LINE = 2**16
MAX_NUMBER = 64
"""The longest number that is read, in bytes; a random generator's state may be longer."""

WINDOW = 2**18


class Global(NamedTuple):
    """The name of a class or a function, as text."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:120]


class Dictionary:
    """A dictionary as its pairs, in order; keys may be anything and are never hashed."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []


class Thing:
    """Something that a call would have made. state, pairs, items: what was put into it."""

    __slots__ = ("args", "items", "maker", "pairs", "state")

    def __init__(self, maker: Any, args: Any) -> None:
        self.maker = maker
        self.args = args
        self.state: Any = None
        self.pairs: list[tuple[Any, Any]] = []
        self.items: list[Any] = []


class Mark:
    """Where a list of arguments begins, and what a number too long to be read becomes."""


class Machine:
    """Reads one pickle after another, from bytes or from a place in a file.

    call: what stands for ``function(*arguments)``. load: what stands for something that lies
    outside the pickle, by what the pickle says of it. steps: what some instructions do instead.
    longest: how many bytes a pickle may have.
    """

    def __init__(
        self,
        blob: Blob,
        call: Callable[[Machine, Any, Any], Any],
        load: Callable[[Machine, Any], Any],
        data: bytes | None = None,
        at: int = 0,
        *,
        steps: Mapping[int, Callable[[Machine], None]] | None = None,
        longest: int = MAX_PICKLE,
    ) -> None:
        self.blob = blob
        self.call = call
        self.load = load
        self.data = b"" if data is None else data
        self.base = at
        self.place = 0
        self.more = data is None
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.steps = 0
        self.other = steps or {}
        self.longest = longest

    @property
    def at(self) -> int:
        """Where the next byte lies, in the file or in the pickle."""
        return self.base + self.place

    def error(self, what: str, values: str = "", hint: str = "") -> ReadError:
        return self.blob.error(what, self.at, values, hint)

    def run(self) -> Any:
        """What the next pickle says. Raises ReadError for what is no pickle."""
        self.stack, self.marks, self.memo = [], [], {}
        begun = self.at
        from .instructions import NOT_READ, TABLE

        table = {**TABLE, **self.other} if self.other else TABLE
        try:
            while True:
                if self.place >= len(self.data):
                    self._refill(1)
                code = self.data[self.place]
                self.place += 1
                if code == 46:  # "."
                    break
                step = table.get(code)
                if step is None:
                    raise self.error(
                        "the pickle has an instruction that is not read",
                        NOT_READ.get(code, f"byte 0x{code:02x}"),
                    )
                step(self)
                self.steps += 1
                if self.steps > MAX_STEPS or self.at - begun > self.longest:
                    raise self.error("the pickle is too long", f"over {self.steps:,} instructions")
            value = self.stack.pop()
        except (IndexError, KeyError):
            raise self.error("the pickle takes what it never put there") from None
        if self.stack or self.marks:
            raise self.error("the pickle leaves something over", f"{len(self.stack):,} values")
        return value

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self.place + size > len(self.data):
            self._refill(size)
        found = self.data[self.place : self.place + size]
        self.place += size
        return found

    def line(self) -> bytes:
        """The bytes up to the next end of a line."""
        end = self.data.find(b"\n", self.place)
        while end < 0:
            have = len(self.data) - self.place
            if have > MAX_LINE:
                raise self.error("the pickle has a line without an end")
            self._refill(have + 1)
            end = self.data.find(b"\n", self.place)
        found = self.data[self.place : end]
        self.place = end + 1
        return found

    def _refill(self, size: int) -> None:
        have = len(self.data) - self.place
        start = self.base + len(self.data)
        left = self.blob.size - start if self.more else 0
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
