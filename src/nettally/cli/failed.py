"""How a command that failed ends: whose fault it is, what is said, and with which exit code.

What the user can mend is a NettallyError, a library that is missing or a file that the system
refuses: exit code 2. Everything else is an error of ours: exit code 70, one line, and a traceback
only with ``--debug``. Where a module fails in the user's own code, its frames are shown, and the
layers that were counted before.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..errors import NettallyError
from ..rendering.escape import escape
from ..rendering.layer_line import size
from ..rendering.terminal import terminal
from .process import (
    OUR_ERROR,
    PROGRAM,
    UNUSABLE,
    complain,
    discard_output,
    write_to_stderr,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..network import Network

SHOWN = 8
"""How many of the layers before the failure are shown."""

OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""The folder of the package, with a separator behind it."""


def failed(error: Exception, words: Sequence[str], *, debug: bool) -> int:
    """Say what went wrong; the exit code. words: the command line, without ``--debug``."""
    if isinstance(error, NettallyError):
        refusal: NettallyError | None = error
    elif isinstance(error, ImportError):
        from ..extras import missing_library

        refusal = missing_library(error)
    elif isinstance(error, OSError):
        refusal = _refused_by_the_system(error)
    else:
        refusal = None
    if debug:
        write_to_stderr(_traceback(error))
    elif refusal is not None and refusal.__cause__ is not None:
        write_to_stderr(traced(refusal))
    if refusal is None:
        complain(_report_of(error, words, debug=debug))
        return OUR_ERROR
    complain(refusal.what, where=refusal.where, values=refusal.values, hint=refusal.hint)
    return UNUSABLE


def _refused_by_the_system(error: OSError) -> NettallyError | None:
    """The complaint about a full disk, a closed stdout or a file; None for another fault."""
    import errno

    if error.filename is not None and error.strerror:
        return NettallyError(error.strerror, where=os.fsdecode(error.filename))
    # commands say by themselves which file they can't write: this is stdout
    if error.errno == errno.EBADF:
        discard_output()
        return NettallyError("standard output is closed")
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EIO):
        discard_output()
        return NettallyError(f"can't write to standard output: {error.strerror}")
    return None


def _report_of(error: Exception, words: Sequence[str], *, debug: bool) -> str:
    """One line about an error of ours: what it is, where, and how it is reported."""
    import shlex
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(OURS)]
    last = (ours or frames or [None])[-1]
    place = f" in {last.filename.removeprefix(OURS)}:{last.lineno}" if last is not None else ""
    reason = str(error).partition("\n")[0][:120]
    evidence = (
        "the traceback above"
        if debug
        else f"what this prints: {shlex.join([PROGRAM, '--debug', *words])}"
    )
    return (
        f"nettally is at fault{place}: {type(error).__name__}{': ' if reason else ''}{reason}; "
        f"please report it, with {evidence}"
    )


def _traceback(error: Exception) -> str:
    import traceback

    lines = "".join(traceback.format_exception(error)).splitlines()
    return "".join(f"{escape(line)}\n" for line in lines)


def traced(error: NettallyError) -> str:
    """The error that caused this one, with the frames that are the user's, and the last layers."""
    import traceback

    cause = error.__cause__
    if cause is None:
        return ""
    torch = sys.modules.get("torch")
    theirs = os.path.dirname(torch.__file__ or "") + os.sep if torch is not None else "\0"
    frames = [
        frame
        for frame in traceback.extract_tb(cause.__traceback__)
        if not frame.filename.startswith((OURS, theirs, "<frozen"))
    ]
    lines = ["Traceback, without the frames of torch and nettally:\n"] if frames else []
    lines += [escape(line) + "\n" for text in traceback.format_list(frames) for line in
              text.rstrip().split("\n")]  # fmt: skip
    lines += [escape(line) + "\n" for text in traceback.format_exception_only(cause) for line in
              text.rstrip().split("\n")]  # fmt: skip
    network: Network | None = getattr(error, "so_far", None)
    if network is not None and network.nodes:
        lines.append(_so_far(network))
    return "".join(lines) + "\n"


def _so_far(network: Network) -> str:
    from ..counting.tally import tally

    rows = tally(network).rows
    dim = terminal(sys.stderr).style
    shown = rows[-SHOWN:]
    width = max(len(row.name) for row in shown)
    lines = [f"\nthe last {len(shown)} of {len(rows):,} layers that were counted before:\n"]
    for row in shown:
        shape = size(row.shape) if row.shape is not None else "?"
        text = f"  {escape(row.name):<{width}}  {row.node.layer.kind:<12}  {shape}"
        lines.append(dim(text, "dim") + "\n")
    return "".join(lines)
