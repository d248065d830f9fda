"""``nettally report``: everything that can be said of a network, written as one page."""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..errors import NettallyError
from ..formats import names_zoo
from ..rendering.escape import escape
from .network import PLAIN, Reading, accounting_called, own_claims, read_network
from .output import show, write
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run(
    net: str,
    *,
    claims: str | None = None,
    output: str | None = None,
    accounting: str | None = None,
    reading: Reading = PLAIN,
) -> int:
    """Write the page; 0 whatever its verdict is. Without an output it goes to stdout."""
    from ..claims.claim import load
    from ..rendering.reports.page import summary
    from ..rendering.reports.report import Report, audit_of, files_of

    if output is None and sys.stdout.isatty():
        raise NettallyError("a page is not for a terminal", hint="name a file: -o report.html")
    network, notes = read_network(net, reading)
    counted = tally(network, accounting_called(accounting))
    path = claims or own_claims(net)
    audit = audit_of(
        counted,
        net if names_zoo(net) else os.path.basename(net),
        load(path) if path is not None else None,
        _typed(net, claims, output, accounting, reading),
        files_of(net, reading.companion, claims),
        notes,
    )
    page = Report(audit)
    if output is None:
        write(page.html())
        return TALLIES
    page.save(output)
    show(f"{escape(output)}: {summary(audit)}\n")
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
    @click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the page goes.")
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
