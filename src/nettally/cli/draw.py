"""``nettally draw``: a network as a figure, written to a file."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ..counting.tally import tally
from ..rendering.drawing.files import ending
from ..rendering.escape import escape
from .network import PLAIN, Reading, published_about, read_network, standard_input_once
from .output import STDOUT, destination, tell
from .verdicts import code_of_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from ..claims.check import Verdict
    from .options import Run


def run(
    net: str,
    *,
    output: str,
    style: str = "volumes",
    width: int | None = None,
    theme: str = "light",
    direction: str = "auto",
    depth: int | None = None,
    claims: Sequence[str] = (),
    marks: bool = True,
    every_work: bool = False,
    reading: Reading = PLAIN,
) -> int:
    """Draw the network into the file; ``-`` is SVG on stdout. 0, also where a claim differs.

    2 where something claimed is no claim.

    every_work: of a network of the zoo also what other works print about it, and not only its own.
    """
    from ..rendering.drawing import draw

    if output != STDOUT:
        ending(output)  # complains before the network is read
    standard_input_once(net, *claims)
    network, notes = read_network(net, reading)
    counted = tally(network)
    verdicts: tuple[Verdict, ...] = ()
    published = published_about(net, claims) if marks else None
    if published is not None:
        from ..claims.check import check

        verdicts = check(counted, published if claims or every_work else published.own)
    figure = draw(
        counted, style, width=width, theme=theme, direction=direction, depth=depth, claims=verdicts
    )
    with destination(output, "a figure", ".svg") as path:
        figure.save(path)
    wide, high = round(figure.width * figure.scale), round(figure.height * figure.scale)
    message = f"{escape(os.path.basename(output))}: {style}, {wide} x {high} pixels"
    differing = sum(verdict.status == "differs" for verdict in verdicts)
    if differing:
        what = "claim does" if differing == 1 else "claims do"
        message += (
            f"; {differing} {what} not tally, and {'is' if differing == 1 else 'are'} noted on it"
        )
    tell(output, message, *map(escape, notes))
    return code_of_document(verdicts)


# Long, since each option is declared in it.
def command() -> click.Command:
    """The command and its options."""
    import click

    from . import options as o

    @click.command(
        "draw",
        short_help="A figure of a network, to scale.",
        epilog=o.examples(
            "nettally draw alexnet -o alexnet.svg",
            "nettally draw resnet-50 --style blocks --width 600 -o resnet-50.pdf",
            "nettally draw layers.cfg --style bars --theme auto -o bars.svg",
        ),
    )
    @click.argument("net", type=o.NET)
    @click.option(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        type=click.Path(),
        help="Where it goes: .svg, .pdf, .png or .tex (- is SVG on stdout).",
    )
    @click.option(
        "--style",
        type=click.Choice(("volumes", "blocks", "bars", "field")),
        default="volumes",
        help="Boxes to scale; any graph; where the numbers are; receptive fields.",
    )
    @click.option("--width", type=click.IntRange(200, 20_000), help="Its width in pixels.")
    @click.option(
        "--theme",
        type=click.Choice(("light", "dark", "auto")),
        default="light",
        help="auto: as the reader's system is.",
    )
    @click.option(
        "--direction",
        type=click.Choice(("auto", "right", "down")),
        default="auto",
        help="Where the style blocks goes.",
    )
    @click.option("--depth", type=click.IntRange(0, 40), help="How deep modules are opened.")
    @o.claims_option
    @click.option(
        "--marks/--no-marks",
        default=True,
        help="Whether claims that do not tally are marked (usually they are).",
    )
    @click.option(
        "--every-work",
        is_flag=True,
        help="Mark what other works print of a network of the zoo, too.",
    )
    @o.input_option
    @o.verbose_option
    @o.self_check_option
    @o.params_option
    @o.phase_option
    @o.file_options
    def draw_command(net: str, **options: Any) -> Run:
        """A figure of a network, to the scale of its true sizes, fit for a paper.

        PDF and PNG need CairoSVG: pip install 'nettally[figures]'.
        """
        return partial(run, net, **o.with_reading(options))

    return draw_command
