"""A file, or bytes, of which parts are fetched: what is large in it is never read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ReadError
from ...files import plain_only

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

MAX_MESSAGE = 600
"""An error's message is cut to this many characters: the names in it are the file's."""


class Blob:
    """A file, or bytes, of which parts are fetched. Use it in a ``with``."""

    def __init__(self, name: str, path: str | None = None, data: bytes = b"") -> None:
        self.name = name
        self.fetched = 0
        self._data = data
        self._file = None
        self.size = len(data)
        if path is not None:
            try:
                self._file = open(path, "rb", 0, opener=plain_only)  # noqa: SIM115
                self.size = os.fstat(self._file.fileno()).st_size
            except OSError as error:
                raise ReadError(f"can't open the file: {error.strerror}", where=name) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def fetch(self, at: int, size: int) -> bytes:
        """The bytes from ``at`` on. Raises ReadError where there are fewer than ``size``."""
        if self._file is None:
            data = self._data[at : at + size]
        else:
            try:
                self._file.seek(at)
                data = self._file.read(size)
                while 0 < len(data) < size:  # a raw read may stop early
                    more = self._file.read(size - len(data))
                    if not more:
                        break
                    data += more
            except OSError as error:
                raise ReadError(f"can't read the file: {error.strerror}", where=self.name) from None
        self.fetched += size
        if len(data) < size:
            raise self.error("the file ends too soon", at + len(data), f"{size:,} bytes expected")
        return data

    def error(self, what: str, at: int, values: str = "", hint: str = "") -> ReadError:
        """A complaint about the place ``at``."""
        where = f"{self.name} at byte {at:,}"
        return ReadError(what[:MAX_MESSAGE], where=where, values=values[:MAX_MESSAGE], hint=hint)
