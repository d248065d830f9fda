"""What a report contains: count, verdicts, explanations, figures, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...accountings.reckoning import Reckoning
    from ...claims.check import Verdict
    from ...counting.tally import Tally
    from ...explaining import Explanations


class CaptionedSvg(Record):
    """A figure for the page: SVG that heeds the reader's light or dark, and what it shows."""

    svg: str
    caption: str


class Provenance(Record):
    """How a report was made. files: what, name, SHA-256 and bytes of each file that was read."""

    command: str
    version: str
    files: tuple[tuple[str, str, str, int], ...] = ()


class Audit(Record):
    """All that a report contains. explained: explanations by the verdict's place in the list."""

    name: str
    tally: Tally
    provenance: Provenance
    work: str = ""
    verdicts: tuple[Verdict, ...] = ()
    explained: Mapping[int, Explanations] = {}
    reckonings: tuple[Reckoning, ...] = ()
    figures: tuple[CaptionedSvg, ...] = ()
    notes: tuple[str, ...] = ()
