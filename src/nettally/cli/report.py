"""``nettally report``: everything that can be said of a network, written as one page."""

from __future__ import annotations

import os
import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..errors import NettallyError
from ..rendering.escape import escape
from ..versions import version_of
from .network import PLAIN, Reading, accounting_called, is_zoo_name, own_claims, read_network
from .output import STDOUT, refuse_a_terminal, tell, write
from .process import TALLIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import click

    from ..claims.check import Verdict
    from ..claims.claim import Claims
    from ..counting.tally import Tally
    from ..explaining import Explanations
    from ..rendering.reports.audit import CaptionedSvg
    from .options import Run

MOST_EXPLAINED = 40
"""Claims whose difference is searched for; each takes some tenths of a second."""

CAPTIONS = {
    "volumes": "The layers' outputs, to scale, and the windows that read them.",
    "blocks": "The layers and how they are connected; modules alike are folded.",
    "bars": "Where the parameters, the multiply-accumulates, the memory and the neurons are.",
}


def run(
    net: str,
    *,
    claims: str | None = None,
    output: str | None = None,
    accounting: str | None = None,
    reading: Reading = PLAIN,
) -> int:
    """Write the page; 0 whatever its verdict is. Without an output it goes to stdout."""
    from ..accountings.reckoning import reconcile
    from ..rendering.reports import page as render
    from ..rendering.reports.audit import Audit, Provenance

    if output in (None, STDOUT):
        refuse_a_terminal("a report", ".html")
    network, notes = read_network(net, reading)
    counted = tally(network, accounting_called(accounting))
    path = claims or own_claims(net)
    published: Claims | None = None
    verdicts: tuple[Verdict, ...] = ()
    if path is not None:
        from ..claims.check import check
        from ..claims.claim import load

        published = load(path)
        verdicts = check(counted, published)
    audit = Audit(
        name=net if is_zoo_name(net) else os.path.basename(net),
        tally=counted,
        provenance=Provenance(
            _typed(net, claims, output, accounting, reading),
            version_of("nettally") or "not installed",
            _files(net, reading.companion, claims),
        ),
        work=published.work if published is not None else "",
        verdicts=verdicts,
        explained=_explained(counted, verdicts),
        reckonings=reconcile(counted),
        figures=_figures(counted, verdicts),
        notes=notes,
    )
    page = render.report(audit)
    if output is None or output == STDOUT:
        write(page)
        return TALLIES
    try:
        with open(output, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
    except OSError as error:
        raise NettallyError(f"can't write the page: {error.strerror}", where=output) from None
    tell(output, f"{escape(output)}: {render.summary(audit)}")
    return TALLIES


def _typed(
    net: str, claims: str | None, output: str | None, accounting: str | None, reading: Reading
) -> str:
    """The command as it can be typed again."""
    options = {"--claims": claims, "--params": reading.companion, "--phase": reading.phase}
    options |= {"--accounting": accounting, "-o": os.path.basename(output or "")}
    words = ["nettally", "report", net]
    for name, value in options.items():
        words += [name, value] if value else []
    for size in reading.inputs:
        words += ["--input", size]
    for stage in reading.stages:
        words += ["--stage", stage]
    return shlex.join(words)


def _explained(counted: Tally, verdicts: Sequence[Verdict]) -> Mapping[int, Explanations]:
    """An explanation of each claim that differs, by its place; the formulas' say what was tried."""
    from ..explaining import explain

    places = [place for place, verdict in enumerate(verdicts) if verdict.status == "differs"]
    return {
        place: explain(counted, verdicts[place].claim, verdicts)
        for place in places[:MOST_EXPLAINED]
    }


def _figures(counted: Tally, verdicts: Sequence[Verdict]) -> tuple[CaptionedSvg, ...]:
    """The network drawn, a chain to scale and another by its blocks, and where its numbers are.

    Claims that do not tally are marked on the first. A network of which nothing but the
    parameters is known has no shape to draw.
    """
    from ..rendering.drawing import draw
    from ..rendering.output import style_for
    from ..rendering.reports.audit import CaptionedSvg

    if not counted.network.inputs or not any(row.shape for row in counted.rows):
        return ()
    styles = (style_for(counted), "bars")
    return tuple(
        CaptionedSvg(draw(counted, style, theme="auto", claims=marked).svg(), CAPTIONS[style])
        for style, marked in zip(styles, (verdicts, ()), strict=True)
    )


def _files(
    net: str, companion: str | None, claims: str | None
) -> tuple[tuple[str, str, str, int], ...]:
    """What was read: what it is, its name, its SHA-256 and its bytes. Folders are left out."""
    from ..formats import zoo

    asked: list[tuple[str, str, str]] = []
    if is_zoo_name(net):
        asked.append(
            ("network", f"zoo/{net}/network.yaml", os.path.join(zoo.ROOT, net, "network.yaml"))
        )
        zoo_claims = zoo.claims_path(net)
        if claims is None and zoo_claims is not None:
            asked.append(("claims", f"zoo/{net}/claims.yaml", zoo_claims))
    else:
        code, colon, _ = net.partition(".py:")  # file.py:Class
        path = f"{code}.py" if colon else net
        asked.append(("network", path, path))
    asked += [
        (what, path, path) for what, path in (("parameters", companion), ("claims", claims)) if path
    ]
    files: list[tuple[str, str, str, int]] = []
    for what, name, path in asked:
        if os.path.isfile(path):
            files.append((what, name, *_digest(path)))
    return tuple(files)


def _digest(path: str) -> tuple[str, int]:
    from hashlib import file_digest

    with open(path, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "report",
        short_help="All of it as one page, to be sent to someone.",
        epilog=o.examples(
            "nettally report alexnet -o report.html",
            "nettally report my-network.yaml --claims my-claims.yaml -o report.html",
        ),
    )
    @click.argument("net", type=o.NET)
    @o.claims_option
    @click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(),
        help="Where the page goes (- is stdout, as without it).",
    )
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.stage_option
    @o.accounting_option
    def report_command(net: str, **options: Any) -> Run:
        """The whole audit as one page: verdict, claims, explanations, figure, table, accountings.

        The page stands alone: it needs no script and no network, and can be printed.
        """
        return partial(run, net, **o.with_reading(options))

    return report_command
