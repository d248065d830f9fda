"""``nettally explain``: what someone could have meant who published a value that is not ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..errors import NettallyError
from .network import PLAIN, Reading, published_about, read_network, standard_input_once
from .output import here, show, write
from .process import DIFFERS, TALLIES
from .verdicts import code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from ..claims.claim import Claim, Claims
    from ..counting.tally import Tally
    from .options import Run


def run(
    net: str,
    claim: str | None = None,
    *,
    claims: Sequence[str] = (),
    most: int = 5,
    form: str = "table",
    reading: Reading = PLAIN,
) -> int:
    """Print the hypotheses; 1 where something differs, explained or not.

    claim: also a figure alone, of any quantity that is near; None: all claims that differ.
    """
    standard_input_once(net, *claims)
    network, notes = read_network(net, reading)
    published = published_about(net, claims)
    counted = tally(network)
    others = published.claims if published is not None else ()
    if claim is None:
        return _all_that_differ(net, counted, published, most, form, notes)
    if is_figure(claim):
        return _near(net, counted, claim, others, most, form, notes)
    from ..explaining import explain

    # a claim that stands in the file is meant with all that the file says of it: its accounting,
    # its input
    asked = next((each for each in others if each.text == claim.strip()), claim)
    explanations = explain(counted, asked, others, most=most)
    if form == "table":
        from ..rendering.reports.check_report import explain_report

        show(explain_report(net, explanations, here(), notes))
    else:
        from ..rendering import output

        write(output.explain(form, net, explanations, notes))
    return DIFFERS if explanations.verdict.status == "differs" else TALLIES


def is_figure(text: str) -> bool:
    """Whether a figure stands alone, without a quantity and a relation: ``253,440``."""
    from ..claims.printed import parse_printed
    from ..errors import ClaimError

    try:
        parse_printed(text)
    except ClaimError:
        return False
    return True


def _near(
    net: str,
    counted: Tally,
    figure: str,
    claims: Sequence[Claim],
    most: int,
    form: str,
    notes: Sequence[str],
) -> int:
    """Print what a figure may be of; 1 where no quantity is it."""
    from ..explaining.near import near

    answers = near(counted, figure, claims, most)
    verdicts = [answer.verdict for answer in answers]
    explained = {
        place: answer.explanations
        for place, answer in enumerate(answers)
        if answer.explanations is not None
    }
    if form == "table":
        from ..rendering.reports.check_report import near_report

        show(near_report(net, figure.strip(), verdicts, explained, here(), notes))
    else:
        from ..rendering import output

        write(output.check(form, net, "", verdicts, explained, notes))
    return TALLIES if any(verdict.tallies for verdict in verdicts) else DIFFERS


def _all_that_differ(
    net: str,
    counted: Tally,
    published: Claims | None,
    most: int,
    form: str,
    notes: Sequence[str],
) -> int:
    """Print the hypotheses on each claim that differs; the exit code is that of ``check``."""
    from ..explaining import explain

    if published is None:
        raise NettallyError(
            f"no claims about {net} come with nettally",
            hint="say which figure, or give a file of claims with --claims FILE",
        )
    answers = explain(counted, None, published, most=most)
    verdicts, explained = answers.verdicts, answers.by_place
    if form == "table":
        from ..rendering.reports.check_report import explain_reports

        show(explain_reports(net, published.work, verdicts, explained, here(), notes))
    else:
        from ..rendering import output

        write(output.check(form, net, published.work, verdicts, explained, notes))
    return code_of(verdicts)


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
            "nettally explain alexnet 253,440",
            "nettally explain alexnet",
            "nettally explain alexnet 'conv1.output = 55x55' --input 3x227x227",
        ),
    )
    @click.argument("net", type=o.NET)
    @click.argument("claim", type=o.CLAIM, required=False)
    @o.claims_option
    @click.option("--most", type=click.IntRange(1, 50), default=5, help="How many explanations.")
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    @o.form_option("svg")
    def explain_command(net: str, claim: str | None, **options: Any) -> Run:
        """What someone could have meant who published a figure that is not ours.

        CLAIM is a claim, or a figure alone: then the quantities are named that it is, or is near
        to. Without CLAIM each published claim that differs is explained.
        """
        return partial(run, net, claim, **o.with_reading(options))

    return explain_command
