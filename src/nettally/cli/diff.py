"""``nettally diff``: two networks, what differs, and what each difference costs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .network import PLAIN, Reading, accounting_called, read_network, standard_input_once
from .output import here, show, write
from .process import DIFFERS, TALLIES

if TYPE_CHECKING:
    import click

    from .options import Run


def run(
    a: str,
    b: str,
    *,
    accounting: str | None = None,
    form: str = "table",
    reading: Reading = PLAIN,
) -> int:
    """Print the difference; 1 where there is one."""
    from ..diffing import diff

    standard_input_once(a, b, accounting)
    convention = accounting_called(accounting)
    one, notes = read_network(a, reading)
    two, _ = read_network(b, reading)
    difference = diff(one, two, convention)
    if form == "table":
        from ..rendering.tables.compare import diff_text

        show(diff_text(difference, here(), notes))
    else:
        from ..rendering import output

        write(output.diff(form, difference, notes))
    return TALLIES if difference.same else DIFFERS


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "diff",
        short_help="What differs between two networks.",
        epilog=o.examples("nettally diff alexnet alexnet-torchvision"),
    )
    @click.argument("a", type=o.NET)
    @click.argument("b", type=o.NET)
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.phase_option
    @o.file_options
    @o.accounting_option
    @o.form_option("svg")
    def diff_command(a: str, b: str, **options: Any) -> Run:
        """Two networks: what differs, and what each difference costs."""
        return partial(run, a, b, **o.with_reading(options))

    return diff_command
