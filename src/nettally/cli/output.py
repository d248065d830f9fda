"""Where a command's output goes: what a person reads, documents for other programs, and files."""

from __future__ import annotations

import os
import sys

from ..errors import NettallyError
from ..rendering.terminal import Terminal, printable, terminal, wrap

STDOUT = "-"
"""The name of a file that is stdout, as most commands have it."""


def here() -> Terminal:
    """What stdout is: how wide, in colour or not."""
    return terminal(sys.stdout)


def show(text: str) -> None:
    """Print text for a person; what the terminal's encoding does not have becomes ``?``."""
    sys.stdout.write(printable(text, here()))


def write(text: str) -> None:
    """Print a document, in UTF-8 whatever the terminal's encoding: a page says that it is."""
    if (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8"):
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")
    sys.stdout.write(text)


class destination:  # noqa: N801 - it reads as what it is: with destination(...) as path
    """The path that a command writes its file to.

    For ``-`` it is a temporary file, whose bytes go to stdout when the block ends well. what: the
    kind of file, for the complaint. ending: that of the temporary file. Raises NettallyError where
    stdout is a terminal.
    """

    def __init__(self, output: str, what: str, ending: str) -> None:
        self._output = output
        self._ending = ending
        self._folder = ""
        if output == STDOUT:
            refuse_a_terminal(what, ending)

    def __enter__(self) -> str:
        if self._output != STDOUT:
            return self._output
        from tempfile import mkdtemp

        self._folder = mkdtemp(prefix="nettally-")
        return os.path.join(self._folder, f"output{self._ending}")

    def __exit__(self, kind: object, *_: object) -> None:
        if not self._folder:
            return
        from shutil import copyfileobj, rmtree

        try:
            if kind is None:
                sys.stdout.flush()
                path = os.path.join(self._folder, f"output{self._ending}")
                with open(path, "rb") as file:
                    copyfileobj(file, sys.stdout.buffer)
        finally:
            rmtree(self._folder, ignore_errors=True)


def refuse_a_terminal(what: str, ending: str) -> None:
    """Raise NettallyError where stdout is a terminal, which a file would only confuse."""
    if sys.stdout.isatty():
        name = what.rpartition(" ")[2] + ending
        raise NettallyError(
            f"{what} is not for a terminal",
            hint=f"name a file, as in -o {name}, or send it on with | or >",
        )


def refuse_stdout(output: str | None, what: str, hint: str) -> None:
    """Raise NettallyError where ``-`` is to be a folder."""
    if output == STDOUT:
        raise NettallyError(f"{what} is a folder, and can't go to standard output", hint=hint)


def tell(output: str, *texts: str) -> None:
    """Say what was written, for a person; stdout stays clean where the file itself goes there."""
    if output != STDOUT:
        show("".join(f"{line}\n" for line in prose(*texts)))


def prose(*texts: str) -> list[str]:
    """Sentences in lines that fit the terminal; in a file or a pipe, a line each."""
    if here().wide:
        return list(texts)
    return [line for text in texts for line in wrap(text, here().width, rest="  ")]
