"""The command line: where it begins and how it ends.

Exit codes: 0 it tallies, 1 something differs, 2 usage or input that can't be read.

The commands that answer a question, ``check NET``, ``tally NET`` and ``explain NET CLAIM``, are
recognised here when they are asked without options: importing click takes three times as long as
Python itself, and these answer at once. All else, and whatever looks unusual, goes to click.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..errors import NettallyError
from .process import INTERRUPTED, PIPE_CLOSED, UNUSABLE, complain

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """The command ``nettally``."""
    import gc

    # a command ends before its garbage matters; where code of the user runs, ``collect_as_usual``
    gc.set_threshold(2_000_000)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _pipe_closed()
    except OSError as error:  # a full disk
        complain(f"can't write: {error.strerror}")
        code = UNUSABLE
    gc.disable()  # Python would look through all objects once more before it ends
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """One command; its exit code. Complaints go to stderr."""
    try:
        _make_printable()
        quick = _quick(arguments)
        if quick is not None:
            return quick
        from .parser import parse_and_run

        return parse_and_run(arguments)
    except NettallyError as error:
        if error.__cause__ is not None:
            _trace(error)
        complain(error.what, where=error.where, values=error.values, hint=error.hint)
        return UNUSABLE
    except BrokenPipeError:
        return _pipe_closed()
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        complain("this takes more memory than there is")
        return UNUSABLE


def _quick(arguments: Sequence[str]) -> int | None:
    """The exit code of a question without options; None where it is something else."""
    if any(each.startswith("-") or not each for each in arguments):
        return None
    if len(arguments) == 2 and arguments[0] == "check":
        from .check import run as check

        return check(arguments[1])
    if len(arguments) == 2 and arguments[0] == "tally":
        from .tally import run as tally

        return tally(arguments[1])
    if len(arguments) in (2, 3) and arguments[0] == "explain":
        from .explain import run as explain

        return explain(*arguments[1:])
    return None


def _make_printable() -> None:
    """What a terminal's encoding does not have is printed as ``?`` and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if (stream.encoding or "").lower() not in ("utf-8", "utf8"):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="replace")


def _trace(error: NettallyError) -> None:
    """The traceback of the user's own code that failed, without our frames and torch's."""
    from .failed import traced

    sys.stderr.write(traced(error))


def _pipe_closed() -> int:
    """Nobody reads on (``| head``): end without a word, also when Python closes stdout."""
    from contextlib import suppress

    with suppress(OSError, ValueError):  # stdout is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
