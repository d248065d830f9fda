"""The command line: where it begins and how it ends.

Exit codes: 0 it tallies, 1 something differs, 2 usage or input that can't be read, 70 an error of
ours.

The commands that answer a question, ``check NET``, ``tally NET`` and ``explain NET CLAIM``, are
recognised here when they are asked without options: importing click takes three times as long as
Python itself, and these answer at once. All else, and whatever looks unusual, goes to click.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .process import (
    INTERRUPTED,
    PIPE_CLOSED,
    UNUSABLE,
    complain,
    discard_output,
    open_missing_streams,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """The command ``nettally``."""
    import gc

    # a command ends before its garbage matters; where code of the user runs, ``collect_as_usual``
    gc.set_threshold(2_000_000)
    open_missing_streams()
    code = run(sys.argv[1:])
    gc.disable()  # Python would look through all objects once more before it ends
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """One command; its exit code. Complaints go to stderr, and what was printed is out."""
    words = [*arguments]
    shown = "--debug" in words[: words.index("--") if "--" in words else None]
    if shown:
        words.remove("--debug")
    try:
        code = _answer(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads on (``| head``): it ends without a word
        discard_output()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        complain("this takes more memory than there is")
        return UNUSABLE
    except Exception as error:
        from .failed import failed

        return failed(error, words, debug=shown)


def _answer(words: Sequence[str]) -> int:
    """The exit code of a command. Raises what goes wrong."""
    _make_printable()
    code = _quick(words)
    if code is not None:
        return code
    from .parser import parse_and_run

    return parse_and_run(words)


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
