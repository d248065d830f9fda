"""A module that fails in its own code: its traceback, and what was counted before."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..rendering.escape import escape
from ..rendering.layer_line import size
from ..rendering.terminal import terminal

if TYPE_CHECKING:
    from ..errors import NettallyError
    from ..network import Network

SHOWN = 8
"""How many of the layers before the failure are shown."""


def traced(error: NettallyError) -> str:
    """The error that caused this one, with the frames that are the user's, and the last layers."""
    import traceback

    cause = error.__cause__
    if cause is None:
        return ""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    torch = sys.modules.get("torch")
    theirs = os.path.dirname(torch.__file__ or "") + os.sep if torch is not None else "\0"
    frames = [
        frame
        for frame in traceback.extract_tb(cause.__traceback__)
        if not frame.filename.startswith((ours, theirs, "<frozen"))
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
