"""From a tally to a figure: the style's drawing, the notes under it, the title and description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import footnotes
from .figure import Figure
from .layer_words import size
from .model import Drawing, Item
from .text_metrics import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...claims.check import Verdict
    from ...claims.claim import Claim, Claims
    from ...counting.tally import Tally

MARGIN = 12.0
LEAST = 480


def make(
    tally: Tally,
    style: str,
    width: int | None,
    theme: str,
    direction: str,
    depth: int | None,
    claims: Claims | Iterable[Claim | str | Verdict],
) -> Figure:
    """The figure; see ``draw``."""
    verdicts = _verdicts(tally, claims)
    notes = footnotes.notes_of(tally, verdicts)
    # a narrower one than that is laid out so wide, and made smaller
    wide = float(max(width, LEAST)) if width is not None else None
    drawn = _drawn(tally, style, wide, direction, depth, notes)
    framed = _framed(drawn, notes, wide)
    scale = 1.0 if width is None else width / framed.width
    name = clean(tally.network.title or tally.network.name)
    title = {
        "volumes": f"{name}: the layers' outputs, to scale",
        "blocks": f"{name}: its layers and how they are connected",
        "bars": f"{name}: parameters, MACs, memory and neurons, layer by layer",
        "field": f"{name}: receptive field and stride, layer by layer",
    }[style]
    desc = _desc(tally, style, verdicts)
    return Figure(style, framed.width, framed.height, scale, title, desc, theme, framed.items)


def _verdicts(
    tally: Tally, claims: Claims | Iterable[Claim | str | Verdict]
) -> tuple[Verdict, ...]:
    """The verdicts themselves, and those on claims. Raises ClaimError for what is no claim."""
    from ...claims.check import Verdict as OneVerdict
    from ...claims.check import check
    from ...claims.claim import Claims as ManyClaims

    listed: list[Any] = list(claims.claims if isinstance(claims, ManyClaims) else claims)
    verdicts: list[Verdict] = []
    for each in listed:
        if isinstance(each, OneVerdict):
            verdicts.append(each)
            continue
        (verdict,) = check(tally, each)
        if verdict.error is not None:
            raise verdict.error
        verdicts.append(verdict)
    return tuple(verdicts)


def _drawn(
    tally: Tally,
    style: str,
    wide: float | None,
    direction: str,
    depth: int | None,
    notes: Sequence[footnotes.Note],
) -> Drawing:
    if style == "volumes":
        from .volumes import draw

        return draw(tally, wide, depth, notes)
    if style == "blocks":
        from .blocks import draw as draw_blocks

        return draw_blocks(tally, wide, direction, depth, notes)
    if style == "bars":
        from .bars import draw as draw_bars

        return draw_bars(tally, wide, depth, notes)
    from .field import draw as draw_field

    return draw_field(tally, wide, depth, notes)


def _framed(drawn: Drawing, notes: Sequence[footnotes.Note], wide: float | None) -> Drawing:
    """The drawing with the notes under it; a narrow one in the middle of the width asked for."""
    least = 420.0 if notes else 240.0
    if wide is not None:
        least = min(wide, least)
    full = max(drawn.width, least)
    items: list[Item] = list(drawn.shifted((full - drawn.width) / 2, 0))
    high = drawn.height
    if notes:
        note_items, end = footnotes.block(notes, MARGIN, high + 2, full - 2 * MARGIN)
        items += note_items
        high = end + MARGIN - 3
    return Drawing(full, high, tuple(items))


def _desc(tally: Tally, style: str, verdicts: Sequence[Verdict]) -> str:
    network = tally.network
    shown = ", ".join(f"{name} {size(shape)}" for name, shape in list(network.inputs.items())[:4])
    last = network.outputs[-1] if network.outputs else ""
    parts = [
        f"{network.name}, drawn by nettally in the style {style}",
        f"{len(tally.rows):,} layers",
        f"input {shown}",
    ]
    if last and last not in network.inputs:
        parts.append(f"output {last} {size(tally[last].shape)}")
    least = "" if tally.parameters_complete else "at least "
    parts.append(f"{least}{int(tally.parameters):,} parameters")
    parts.append(f"{'' if tally.complete else 'at least '}{int(tally.macs):,} MACs")
    differing = [verdict for verdict in verdicts if verdict.status == "differs"]
    if differing:
        count = len(differing)
        parts.append(f"{count} published figure{'s' if count > 1 else ''} marked as not tallying")
    return clean("; ".join(parts)) + "."
