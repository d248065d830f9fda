"""Where a command's text goes: what a person reads, and documents for other programs."""

from __future__ import annotations

import sys

from ..rendering.terminal import Terminal, printable, terminal


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
