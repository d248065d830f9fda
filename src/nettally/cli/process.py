"""The command as a process: how it ends, how it complains, when Python looks for garbage in it."""

from __future__ import annotations

import sys

PROGRAM = "nettally"
COMPLETE = "_NETTALLY_COMPLETE"
"""The variable by which a shell asks what could come next."""

USUAL = (700, 10, 10)
"""The thresholds of Python's garbage collector, unless somebody sets others."""

TALLIES, DIFFERS, UNUSABLE = 0, 1, 2
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
    sys.stderr.write("\n".join(lines) + "\n")
