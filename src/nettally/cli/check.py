"""``nettally check``: whether what was published about a network tallies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..errors import NettallyError
from .check_argument import network_to_check
from .network import PLAIN, Reading, published_about, read_network, standard_input_once
from .output import here, show, write
from .verdicts import code_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import click

    from ..claims.check import Verdict
    from ..counting.tally import Tally
    from ..explaining import Explanations
    from .options import Run

MOST_EXPLAINED = 3
"""How many differing claims ``check`` explains by itself; the others it names."""


def run(
    argument: str | None = None,
    *,
    claims: Sequence[str] = (),
    inline: Sequence[str] = (),
    every: bool = False,
    form: str = "table",
    reading: Reading = PLAIN,
) -> int:
    """Print the verdicts; 2 where something is no claim, else 1 where a claim differs."""
    from ..claims.check import check

    net = network_to_check(argument)
    standard_input_once(net, *claims)
    network, notes = read_network(net, reading)
    published = published_about(net, claims, inline)
    if published is None:
        raise NettallyError(
            f"no claims about {net} come with nettally",
            hint="give a claim with --claim 'parameters <= 5M', or a file with --claims FILE",
        )
    counted = tally(network)
    verdicts = check(counted, published)
    explained = _explained(counted, verdicts)
    if form == "table":
        from ..rendering.reports.check_report import check_report

        show(
            check_report(net, published.work, verdicts, here(), explained, every=every, notes=notes)
        )
    else:
        from ..rendering import output

        write(output.check(form, net, published.work, verdicts, explained, notes))
    return code_of(verdicts)


def _explained(counted: Tally, verdicts: Sequence[Verdict]) -> Mapping[int, Explanations]:
    """The likeliest explanation of the first few claims that differ and can have one.

    Of single edits only, since this is to answer at once; ``explain`` tries pairs too.
    """
    asked = [
        (place, verdict)
        for place, verdict in enumerate(verdicts)
        if verdict.status == "differs"
        and verdict.claim.relation == "="
        and verdict.claim.reference is not None
    ]
    if not asked:
        return {}
    from ..explaining import explain

    return {
        place: explain(counted, verdict.claim, verdicts, most=1, pairs=0)
        for place, verdict in asked[:MOST_EXPLAINED]
    }


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "check",
        short_help="Check what was published about it.",
        epilog=o.examples(
            "nettally check alexnet",
            "nettally check my-network.yaml --claims my-claims.yaml",
            "nettally check my-network.onnx --claim 'parameters <= 5M' --claim 'macs <= 1G'",
        ),
    )
    @click.argument("net", type=o.NET, required=False)
    @o.claims_option
    @o.claim_option
    @click.option("--all", "every", is_flag=True, help="One line a claim, in their order.")
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    @o.form_option("svg")
    def check_command(net: str | None, **options: Any) -> Run:
        """Check what was published about a network; what differs is explained."""
        return partial(run, net, **o.with_reading(options))

    return check_command
