"""``nettally report``: everything that can be said of a network, written as one page."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from ..counting.tally import tally
from ..errors import NettallyError
from ..rendering.escape import escape
from ..versions import version_of
from . import commands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..claims.claim import Claims, Verdict
    from ..counting.tally import Tally
    from ..explaining import Explanations
    from ..rendering.reports.page import Drawing

MOST_EXPLAINED = 40
"""Claims whose difference is searched for; each takes some tenths of a second."""

CAPTIONS = {
    "volumes": "The layers' outputs, to scale, and the windows that read them.",
    "blocks": "The layers and how they are connected; modules alike are folded.",
    "bars": "Where the parameters, the multiply-accumulates, the memory and the neurons are.",
}


def report(
    net: str,
    *,
    claims: str | None = None,
    output: str | None = None,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
    accounting: str | None = None,
) -> int:
    """Write the page; 0 whatever its verdict is. Without an output it goes to stdout."""
    from ..accountings.presets import reconcile
    from ..rendering.reports import page as render

    if output is None and sys.stdout.isatty():
        raise NettallyError("a page is not for a terminal", hint="name a file: -o report.html")
    network, said = commands._network(net, inputs, companion, phase, stages)
    counted = tally(network, commands._accounting(accounting))
    path = claims or commands._own_claims(net)
    made: Claims | None = None
    verdicts: tuple[Verdict, ...] = ()
    if path is not None:
        from ..claims import claim as claiming

        made = claiming.load(path)
        verdicts = tuple(claiming.check(counted, made))
    options = {"--claims": claims, "--params": companion, "--phase": phase}
    options |= {"--accounting": accounting, "-o": os.path.basename(output or "")}
    words = ["nettally", "report", net]
    for name, value in options.items():
        words += [name, value] if value else []
    for size in inputs:
        words += ["--input", size]
    for stage in stages:
        words += ["--stage", stage]
    audit = render.Audit(
        name=net if commands._is_zoo_name(net) else os.path.basename(net),
        tally=counted,
        made=render.Made(
            shlex.join(words),
            version_of("nettally") or "not installed",
            _files(net, companion, claims),
        ),
        work=made.work if made is not None else "",
        verdicts=verdicts,
        explained=_explained(counted, verdicts),
        reckonings=reconcile(counted),
        figures=_figures(counted, verdicts),
        notes=said,
    )
    page = render.report(audit)
    if output is None:
        commands._write(page)
        return commands.TALLIES
    try:
        with open(output, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
    except OSError as error:
        raise NettallyError(f"can't write the page: {error.strerror}", where=output) from None
    commands._print(f"{escape(output)}: {render.summary(audit)}\n")
    return commands.TALLIES


def _explained(counted: Tally, verdicts: Sequence[Verdict]) -> Mapping[int, Explanations]:
    """An explanation of each claim that differs, by its place; the formulas' say what was tried."""
    from ..explaining import explain

    places = [place for place, verdict in enumerate(verdicts) if verdict.status == "differs"]
    return {
        place: explain(counted, verdicts[place].claim, verdicts)
        for place in places[:MOST_EXPLAINED]
    }


def _figures(counted: Tally, verdicts: Sequence[Verdict]) -> tuple[Drawing, ...]:
    """The network drawn, a chain to scale and another by its blocks, and where its numbers are.

    Claims that do not tally are marked on the first. A network of which nothing but the
    parameters is known has no shape to draw.
    """
    from ..rendering.drawing import draw
    from ..rendering.output import style_for
    from ..rendering.reports.page import Drawing

    if not counted.network.inputs or not any(row.shape for row in counted.rows):
        return ()
    styles = (style_for(counted), "bars")
    return tuple(
        Drawing(draw(counted, style, theme="auto", claims=marked).svg(), CAPTIONS[style])
        for style, marked in zip(styles, (verdicts, ()), strict=True)
    )


def _files(
    net: str, companion: str | None, claims: str | None
) -> tuple[tuple[str, str, str, int], ...]:
    """What was read: what it is, its name, its SHA-256 and its bytes. Folders are left out."""
    from ..formats import zoo

    asked: list[tuple[str, str, str]] = []
    if commands._is_zoo_name(net):
        asked.append(
            ("network", f"zoo/{net}/network.yaml", os.path.join(zoo.ROOT, net, "network.yaml"))
        )
        own = zoo.claims_path(net)
        if claims is None and own is not None:
            asked.append(("claims", f"zoo/{net}/claims.yaml", own))
    else:
        code, colon, _ = net.partition(".py:")  # file.py:Class
        path = f"{code}.py" if colon else net
        asked.append(("network", path, path))
    asked += [
        (what, path, path) for what, path in (("parameters", companion), ("claims", claims)) if path
    ]
    found: list[tuple[str, str, str, int]] = []
    for what, name, path in asked:
        if os.path.isfile(path):
            found.append((what, name, *_digest(path)))
    return tuple(found)


def _digest(path: str) -> tuple[str, int]:
    from hashlib import file_digest

    with open(path, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return digest, file.tell()
