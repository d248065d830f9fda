"""``nettally explain``: what someone could have meant who published a value that is not ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from .network import PLAIN, Reading, own_claims, read_network
from .output import here, show, write
from .process import DIFFERS, TALLIES

if TYPE_CHECKING:
    import click

    from ..claims.claim import Claim
    from .options import Run


def run(
    net: str,
    claim: str,
    *,
    claims: str | None = None,
    most: int = 5,
    form: str = "table",
    reading: Reading = PLAIN,
) -> int:
    """Print the hypotheses; 1 where the claim differs, explained or not."""
    from ..explaining import explain

    network, notes = read_network(net, reading)
    path = claims or own_claims(net)
    others: tuple[Claim, ...] = ()
    if path is not None:
        from ..claims.claim import load

        others = load(path).claims
    # a claim that stands in the file is meant with all that the file says of it: its accounting,
    # its input
    asked = next((each for each in others if each.text == claim.strip()), claim)
    explanations = explain(tally(network), asked, others, most=most)
    if form == "table":
        from ..rendering.reports.check_report import explain_report

        show(explain_report(net, explanations, here(), notes))
    else:
        from ..rendering import output

        write(output.explain(form, net, explanations, notes))
    return DIFFERS if explanations.verdict.status == "differs" else TALLIES


def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "explain",
        short_help="What a figure that is not ours could mean.",
        epilog=o.examples(
            "nettally explain alexnet 'conv1.neurons = 253,440'",
            "nettally explain resnet-50 'macs = 3.8G'",
            "nettally explain alexnet 'conv1.output = 55x55' --input 3x227x227",
        ),
    )
    @click.argument("net", type=o.NET)
    @click.argument("claim", type=o.CLAIM)
    @o.claims_option
    @click.option("--most", type=click.IntRange(1, 50), default=5, help="How many explanations.")
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.stage_option
    @o.form_option("svg")
    def explain_command(net: str, claim: str, **options: Any) -> Run:
        """What someone could have meant who published a figure that is not ours."""
        return partial(run, net, claim, **o.with_reading(options))

    return explain_command
