"""``nettally tally``: count a network, layer by layer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..errors import NettallyError
from .network import PLAIN, Reading, accounting_called, read_network, standard_input_once
from .output import here, show, write
from .process import TALLIES

if TYPE_CHECKING:
    import click

    from ..network import Network
    from .options import Run


def run(
    net: str,
    *,
    accounting: str | None = None,
    columns: str | None = None,
    depth: int | None = None,
    working: str | None = None,
    form: str = "table",
    decode: int | None = None,
    reading: Reading = PLAIN,
) -> int:
    """Print the tally, or the working of one layer.

    decode: of one token, read after so many others.
    """
    standard_input_once(net, accounting)
    convention = accounting_called(accounting)
    if decode is None:
        network, notes = read_network(net, reading)
    else:
        network, notes = _one_token(net, reading, decode)
    if working is not None:
        from ..rendering.reports.working import working as render_working

        show(render_working(network, working, convention, here()))
        return TALLIES
    counted = tally(network, convention)
    printed = counted.accounting.printed()
    if printed is not None and printed.why:
        notes = (*notes, f"as {convention.name} {printed.version} prints it: {printed.why}")
    if form == "table":
        from ..rendering.tables.terminal import tally_text

        show(tally_text(counted, here(), columns, depth, notes))
        return TALLIES
    from ..rendering import output

    write(output.tally(form, counted, columns, depth, notes))
    return TALLIES


def _one_token(net: str, reading: Reading, context: int) -> tuple[Network, tuple[str, ...]]:
    """The network as it reads one token after others, and its notes."""
    from ..counting.caches import decode

    sizes = reading.inputs or ("1x1",)
    try:
        network, notes = read_network(net, reading._replace(inputs=sizes))
    except NettallyError:
        decode(read_network(net, reading)[0], context)  # says so where it reads no tokens
        raise
    counted = decode(network, context)
    return counted.network, (*notes, f"one token is counted, read after {context:,} others")


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    class WithColumns(click.Command):
        """Lists the columns in its help, and imports them only then."""

        def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            from ..rendering.tables.columns import COLUMNS, DEFAULT

            super().format_epilog(ctx, formatter)
            with formatter.section("Columns"):
                formatter.write_dl([(name, column.help) for name, column in COLUMNS.items()])
                formatter.write_paragraph()
                formatter.write_text(f"Usually: {', '.join(DEFAULT)}.")

    usage = o.examples(
        "nettally tally alexnet",
        "nettally tally alexnet --working conv1",
        "nettally tally resnet-50 --depth 1 --columns output,parameters,share",
        "nettally tally layers.cfg --input 3x224x224 --format json",
        "nettally tally vgg-16 --format latex > table.tex",
    )

    @click.command(
        "tally",
        cls=WithColumns,
        short_help="Count a network, layer by layer.",
        epilog=usage,
    )
    @click.argument("net", type=o.NET)
    @click.option(
        "--working",
        metavar="LAYER",
        type=o.LAYER_OR_MODULE,
        help="The arithmetic of one layer or module.",
    )
    @click.option(
        "--columns",
        metavar="LIST",
        type=o.COLUMNS,
        help="With commas: output,parameters,share (see below).",
    )
    @click.option(
        "--decode",
        type=click.IntRange(0),
        metavar="N",
        help="Count one token of a language model, read after N others.",
    )
    @click.option("--depth", type=click.IntRange(0, 40), help="How deep modules are opened.")
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    @o.accounting_option
    @o.form_option("svg")
    def tally_command(net: str, **options: Any) -> Run:
        """Count a network: neurons, parameters, MACs and receptive field of each layer."""
        return partial(run, net, **o.with_reading(options))

    return tally_command
