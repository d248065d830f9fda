"""A run's log: a JSON object a line, for programs; TensorBoard beside it where it is asked for."""

from __future__ import annotations

import json
import os
from typing import Any

from ..errors import NettallyError, ReadError
from ..extras import to_install
from ..files import plain_only
from .run import LOG


class Log:
    """log.jsonl of a run. Each line has the step that it was written after, as ``after``.

    active: whether this process writes at all; of several, the first does.
    """

    def __init__(self, path: str, tensorboard: bool = False, *, active: bool = True) -> None:
        self.path = os.path.join(path, LOG)
        self.active = active
        self._file: Any = None
        self._board: Any = None
        if tensorboard and active:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise NettallyError(
                    "TensorBoard is not installed", hint=to_install("tensorboard")
                ) from None
            self._board = SummaryWriter(os.path.join(path, "tensorboard"))

    def line(self, step: int, facts: dict[str, Any]) -> None:
        """Write a line, at once. Raises ReadError where it can't be written."""
        if not self.active:
            return
        try:
            if self._file is None:
                self._file = open(  # noqa: SIM115 - until close
                    self.path, "a", encoding="utf-8", opener=plain_only
                )
            self._file.write(json.dumps({"after": step, **facts}) + "\n")
            self._file.flush()
        except OSError as error:
            raise ReadError(f"can't write the log: {error.strerror}", where=self.path) from None
        if self._board is not None:
            for name, value in _flat(facts):
                self._board.add_scalar(name, value, step)

    def cut_after(self, step: int) -> None:
        """Take out what was written after a step: it is done again, and would stand twice."""
        if not self.active or not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8", errors="replace", opener=plain_only) as file:
            lines = file.readlines()
        kept = [line for line in lines if _after(line) <= step]
        if len(kept) != len(lines):
            beside = f"{self.path}.part"
            with open(beside, "w", encoding="utf-8") as file:
                file.writelines(kept)
            os.replace(beside, self.path)

    def flush(self) -> None:
        """Wait until what was written is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Nothing is written after this."""
        for each in (self._file, self._board):
            if each is not None:
                each.close()
        self._file = self._board = None


def _after(line: str) -> float:
    """The step of a line; a line that was cut short belongs to no step."""
    try:
        return float(json.loads(line)["after"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _flat(facts: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    values: list[tuple[str, float]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            values += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name not in ("epoch", "step"):
            values.append((prefix + name, float(value)))
    return values
