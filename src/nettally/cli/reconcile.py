"""``nettally reconcile``: one count under every accounting, term by term."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from .network import PLAIN, Reading, read_network
from .output import here, show, write
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run(net: str, *, form: str = "table", reading: Reading = PLAIN) -> int:
    """Print the table."""
    from ..accountings.reckoning import reconcile

    network, notes = read_network(net, reading)
    counted = tally(network)
    if form == "table":
        from ..rendering.tables.compare import reconcile_text

        show(reconcile_text(counted, reconcile(counted), here(), notes))
        return TALLIES
    from ..rendering import output

    write(output.reconcile(form, counted, reconcile(counted), notes))
    return TALLIES


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "reconcile",
        short_help="One count under every accounting.",
        epilog=o.examples("nettally reconcile alexnet"),
    )
    @click.argument("net", type=o.NET)
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    @o.form_option("svg")
    def reconcile_command(net: str, **options: Any) -> Run:
        """One count under every accounting, term by term: why tools print other numbers."""
        return partial(run, net, **o.with_reading(options))

    return reconcile_command
