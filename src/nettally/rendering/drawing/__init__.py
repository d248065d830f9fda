"""Figures of a network: drawn to scale, for papers, readmes and notebooks.

``draw`` makes a ``Figure``, which is SVG when printed, and is written as SVG, PDF, PNG or TikZ by
``save``. The layout knows how wide each text is, so that no label is cut or stands on another.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError, closest
from ...network import Network
from .figure import Figure
from .palette import THEMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...claims.published import Published
    from ...counting.tally import Net, Tally
    from ...formats import Sizes

__all__ = [
    "FORMATS",
    "LEAST_WIDTH",
    "MOST_WIDTH",
    "STYLES",
    "Figure",
    "draw",
    "style_for",
    "svg_of",
]

STYLES = ("volumes", "blocks", "bars", "field")
FORMATS = ("svg", "pdf", "png", "tex")
LEAST_WIDTH, MOST_WIDTH = 200, 20_000
"""The narrowest and the widest figure, in pixels."""


def draw(
    network: Net,
    style: str = "volumes",
    *,
    width: int | None = None,
    theme: str = "light",
    direction: str = "auto",
    depth: int | None = None,
    claims: Published | Iterable[Claim | str | Verdict] | None = None,
    input_size: Sizes | None = None,
    input_data: Any = None,
) -> Figure:
    """A figure of a network.

    network, input_size, input_data: as ``tally`` takes them. style: ``volumes``, ``blocks``,
    ``bars`` or ``field``. width: of the figure, in pixels; what is naturally wider is laid out
    anew, and what is narrower is scaled up. theme: ``light``, ``dark``, or ``auto``. direction: of
    ``blocks``: ``right``, ``down`` or ``auto``. depth: how deep modules are opened. claims: those
    that do not tally are marked, with a note; also one claim, or the path of a file of claims.
    None: what a network of the zoo has in its own paper; () for none.
    Raises NettallyError for a style, theme or width that is none, and for what is no claim.
    """
    from ...claims.check import check
    from ...claims.claim import Claim
    from ...claims.published import as_claims, own_claims
    from ...counting.tally import tally

    _check("style", style, STYLES)
    _check("theme", theme, THEMES)
    _check("direction", direction, ("auto", "right", "down"))
    if width is not None and not LEAST_WIDTH <= width <= MOST_WIDTH:
        raise NettallyError(
            "a figure can't be so wide",
            values=f"width {width}",
            hint=f"from {LEAST_WIDTH} to {MOST_WIDTH} pixels",
        )
    counted = tally(network, input_size=input_size, input_data=input_data)
    if claims is None:
        published = own_claims(network)
        claims = () if published is None else check(counted, published.own)
    elif isinstance(claims, (str, os.PathLike, Claim)):
        claims = as_claims(claims)
    from .compose import make

    return make(counted, style, width, theme, direction, depth, claims)


def svg_of(noun: Network | Tally, claims: Iterable[Verdict] = ()) -> str | None:
    """What a notebook shows: volumes where the network is a row of layers, else blocks.

    claims: those that do not tally are marked.
    None where it can't be counted, or where nothing of its shapes is known.
    """
    from ...counting.tally import tally

    try:
        counted = tally(noun) if isinstance(noun, Network) else noun
    except NettallyError:
        return None
    if not any(row.shape for row in counted.rows):
        return None
    return draw(counted, style_for(counted), theme="auto", claims=claims).svg()


def style_for(counted: Tally) -> str:
    """The figure that suits a network: a chain to scale, anything else by its blocks."""
    chain = all(len(row.node.inputs) < 2 for row in counted.rows)
    return "volumes" if chain else "blocks"


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise NettallyError(
            f"there is no {what} '{name}'", values=", ".join(known), hint=closest(name, known)
        )
