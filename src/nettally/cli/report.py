"""``nettally report``: everything that can be said of a network, written as one page."""

from __future__ import annotations

import os
import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..formats import names_zoo
from ..rendering.escape import escape
from .network import (
    PLAIN,
    Reading,
    accounting_called,
    published_about,
    read_network,
    standard_input_once,
)
from .output import STDOUT, refuse_a_terminal, tell, write
from .verdicts import code_of_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from .options import Run


def run(
    net: str,
    *,
    claims: Sequence[str] = (),
    inline: Sequence[str] = (),
    output: str | None = None,
    accounting: str | None = None,
    reading: Reading = PLAIN,
) -> int:
    """Write the page; 0 whatever its verdict is, and 2 where something claimed is no claim.

    Without an output it goes to stdout.
    """
    from ..rendering.reports.page import summary
    from ..rendering.reports.report import Report, audit_of, files_of

    if output in (None, STDOUT):
        refuse_a_terminal("a report", ".html")
    standard_input_once(net, accounting, *claims)
    network, notes = read_network(net, reading)
    counted = tally(network, accounting_called(accounting))
    audit = audit_of(
        counted,
        net if names_zoo(net) else os.path.basename(net),
        published_about(net, claims, inline),
        _typed(net, claims, inline, output, accounting, reading),
        files_of(net, reading.companion, claims if claims or inline else None),
        notes,
        every_work=bool(claims or inline),
    )
    page = Report(audit)
    if output is None or output == STDOUT:
        write(page.html())
    else:
        page.save(output)
        tell(output, f"{escape(output)}: {summary(audit)}")
    return code_of_document(audit.verdicts)


def _typed(
    net: str,
    claims: Sequence[str],
    inline: Sequence[str],
    output: str | None,
    accounting: str | None,
    reading: Reading,
) -> str:
    """The command as it can be typed again."""
    options = {"--params": reading.companion, "--phase": reading.phase}
    options |= {"--accounting": accounting, "-o": os.path.basename(output or "")}
    words = ["nettally", "report", net]
    for name, value in options.items():
        words += [name, value] if value else []
    for path in claims:
        words += ["--claims", path]
    for claim in inline:
        words += ["--claim", claim]
    for size in reading.inputs:
        words += ["--input", size]
    for stage in reading.stages:
        words += ["--stage", stage]
    for value in reading.values:
        words += ["--value", value]
    if reading.ignore_stated_shapes:
        words.append("--ignore-stated-shapes")
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
    @o.claim_option
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
    @o.file_options
    @o.accounting_option
    def report_command(net: str, **options: Any) -> Run:
        """The whole audit as one page: verdict, claims, explanations, figure, table, accountings.

        The page stands alone: it needs no script and no network, and can be printed.
        """
        return partial(run, net, **o.with_reading(options))

    return report_command
