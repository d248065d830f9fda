"""The command as a process: how it ends, how it complains, when Python looks for garbage in it."""

from __future__ import annotations

import os
import sys

PROGRAM = "nettally"
COMPLETE = "_NETTALLY_COMPLETE"
"""The variable by which a shell asks what could come next."""

USUAL = (700, 10, 10)
"""The thresholds of Python's garbage collector, unless somebody sets others."""

TALLIES, DIFFERS, UNUSABLE = 0, 1, 2
OUR_ERROR = 70
"""As sysexits.h has it, EX_SOFTWARE: an error in nettally itself."""
INTERRUPTED = 130
"""As shells have it: 128 + SIGINT."""
PIPE_CLOSED = 141
"""As shells have it: 128 + SIGPIPE."""


def collect_as_usual() -> None:
    """Let Python look for garbage as often as it does by itself, from here on."""
    import gc

    gc.set_threshold(*USUAL)


def complain(what: str, *, where: str = "", values: str = "", hint: str = "") -> None:
    """One complaint on stderr: what is wrong, where, with which values, and what to try."""
    from ..rendering.escape import escape
    from ..rendering.terminal import terminal

    style = terminal(sys.stderr).style
    lines = [
        f"{style('error:', 'red', 'bold')} {escape(where) + ': ' if where else ''}{escape(what)}"
    ]
    if values:
        lines.append(f"  values: {escape(values)}")
    if hint:
        lines.append(f"  try: {escape(hint)}")
    write_to_stderr("\n".join(lines) + "\n")


def write_to_stderr(text: str) -> None:
    """Write at once. Where that can't be, nobody can be told, and the exit code remains."""
    from contextlib import suppress

    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


# --- the standard streams -------------------------------------------------------------------------


def open_missing_streams() -> None:
    """Put something where the process was started without a standard stream (``>&-``).

    Otherwise its number would be given to the next file that is opened, and Python has None for the
    stream. What is then written to stdout fails as it would have failed.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            readable = name != "stderr"  # a stdout that can only be read: writing to it fails
            descriptor = os.open(os.devnull, os.O_RDONLY if readable else os.O_WRONLY)
            stream = open(  # noqa: SIM115 - as long as the process
                descriptor, "r" if name == "stdin" else "w", encoding="utf-8", errors="replace"
            )
            setattr(sys, name, stream)


def discard_output() -> None:
    """Let a stdout that can't be written lead nowhere, also when Python closes it at the end."""
    from contextlib import suppress

    with suppress(OSError, ValueError):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
