"""The machine that follows a pickle's instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .instructions import NOT_READ, TABLE
from .state import Memo, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..blob import Blob

MAX_PICKLE = 64 * 2**20
"""How long a pickle may be, in bytes; of a large model it has a few millions."""

MAX_STEPS = 10_000_000


class Machine(State):
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
        super().__init__(blob, data, at, longest)
        self._call = call
        self._load = load
        self.other = steps or {}

    def call(self, function: Any, args: Any) -> Any:
        return self._call(self, function, args)

    def load(self, what: Any) -> Any:
        return self._load(self, what)

    def run(self) -> Any:
        """What the next pickle says. Raises ReadError for what is no pickle."""
        self.stack, self.marks, self.memo = [], [], Memo()
        self.begun, self.work = self.at, 0
        table = {**TABLE, **self.other} if self.other else TABLE
        step_of = table.get
        try:
            for _ in range(MAX_STEPS):
                if self.place >= len(self.data):
                    self._refill(1)
                code = self.data[self.place]
                self.place += 1
                if code == 46:  # "."
                    break
                step = step_of(code)
                if step is None:
                    raise self.error(
                        "the pickle has an instruction that is not read",
                        NOT_READ.get(code, f"byte 0x{code:02x}"),
                    )
                step(self)
            else:
                raise self.error("the pickle is too long", f"over {MAX_STEPS:,} instructions")
            value = self.stack.pop()
        except (IndexError, KeyError):
            raise self.error("the pickle takes what it never put there") from None
        if self.stack or self.marks:
            raise self.error("the pickle leaves something over", f"{len(self.stack):,} values")
        return value
