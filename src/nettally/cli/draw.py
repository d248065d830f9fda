"""``nettally draw``: a network as a figure, written to a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..counting.tally import tally
from ..errors import NettallyError
from ..rendering.drawing.files import ending
from ..rendering.escape import escape
from . import commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..claims.claim import Verdict

STDOUT = "-"


def draw(
    net: str,
    *,
    output: str,
    style: str = "volumes",
    width: int | None = None,
    theme: str = "light",
    direction: str = "auto",
    depth: int | None = None,
    claims: str | None = None,
    marks: bool = True,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
) -> int:
    """Draw the network into the file; ``-`` is SVG on stdout. 0, also where a claim differs."""
    from ..rendering.drawing import draw as make

    if output != STDOUT:
        ending(output)  # complains before the network is read
    elif sys.stdout.isatty():
        raise NettallyError("a figure is not for a terminal", hint="name a file: -o figure.svg")
    network, said_of_inputs = commands._network(net, inputs, companion, phase, stages)
    counted = tally(network)
    verdicts: tuple[Verdict, ...] = ()
    path = (claims or commands._own_claims(net)) if marks else None
    if path is not None:
        from ..claims.claim import check, load

        verdicts = check(counted, load(path))
    figure = make(
        counted, style, width=width, theme=theme, direction=direction, depth=depth, claims=verdicts
    )
    if output == STDOUT:
        sys.stdout.write(figure.svg())
        return commands.TALLIES
    figure.save(output)
    wide, high = round(figure.width * figure.scale), round(figure.height * figure.scale)
    said = f"{escape(os.path.basename(output))}: {style}, {wide} x {high} pixels"
    differing = sum(verdict.status == "differs" for verdict in verdicts)
    if differing:
        what = "claim does" if differing == 1 else "claims do"
        said += (
            f"; {differing} {what} not tally, and {'is' if differing == 1 else 'are'} noted on it"
        )
    commands._print("\n".join([said, *map(escape, said_of_inputs)]) + "\n")
    return commands.TALLIES
