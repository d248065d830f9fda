"""``hostile``: a file made to harm is read in a process with limits, and what became of it is said.

    def test_a_bomb(hostile):
        assert "the file holds too much" in hostile("x.onnx", b"...").refused

A file passes where it is refused with an error of ours, or read; and in neither case may it take
longer, need more memory or touch anything else than tests/limited.py allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

pytest.importorskip("resource", reason="this system has no setrlimit")

from limited import Limited, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Hostile(Protocol):
    def __call__(self, name: str, data: bytes | str | None = None, **asked: Any) -> Outcome: ...


@pytest.fixture(scope="session")
def limited() -> Iterator[Limited]:
    """One server for all of a worker's tests."""
    with Limited() as server:
        yield server


@pytest.fixture
def hostile(limited: Limited, tmp_path: Path) -> Hostile:
    """hostile(NAME, DATA): writes the file and reads it; without DATA, one that is there already.

    More is passed on to ``Limited.read``: inputs, options, companion, show, memory, seconds. The
    file lies in ``tmp_path`` and is read from there, so that errors begin with its bare name.
    Fails where the file was not survived.
    """

    def read(name: str, data: bytes | str | None = None, **asked: Any) -> Outcome:
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        found = limited.read(path, **asked)
        assert found.survived, f"{found.how}: {found.text}"
        assert len(found.text) < 4000, "the error's text is too long"
        return found

    return read
