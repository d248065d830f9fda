"""Claims that do not tally, as notes under a figure and marks at what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ... import expression
from ...claims.comparison import compare
from ...counting.tally import matching, names_like
from ...errors import NettallyError
from .model import Dot, Label
from .text_metrics import ASCENT, LINE, clean, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...claims.check import Verdict
    from ...claims.claim import Claim
    from ...counting.tally import Tally
    from .model import Item
    from .units import Unit

SIZE = 9.0
MOST = 9
"""The notes that a figure may have; the last line says how many more claims differ."""


MOST_PLACES = 3


class Note(NamedTuple):
    """number: from 1. text: what is printed and what is so. layers: the names it is about."""

    number: int
    text: str
    layers: frozenset[str]


def notes_of(tally: Tally, verdicts: Iterable[Verdict]) -> tuple[Note, ...]:
    """A note for each claim that differs, in their order."""
    differing = [verdict for verdict in verdicts if verdict.status == "differs"]
    notes = [
        Note(n, _note_text(verdict), _about(verdict.counted or tally, verdict.claim))
        for n, verdict in enumerate(differing[:MOST], 1)
    ]
    if len(differing) > MOST:
        more = len(differing) - MOST
        text = f"{more} more claim{'s' if more > 1 else ''} that do{'' if more > 1 else 'es'} not"
        notes.append(Note(0, f"{text} tally: nettally check lists all", frozenset()))
    return tuple(notes)


def _note_text(verdict: Verdict) -> str:
    """What is printed, and what is so. Of an expression of ours nothing is said to be printed."""
    claim = verdict.claim
    place = f" ({claim.place})" if claim.place else ""
    ours = verdict.working or verdict.ours_shown
    # Helvetica has no brackets for rounding up
    ours = ours.replace("⌈", "ceil(").replace("⌉", ")").replace("⌊", "floor(").replace("⌋", ")")
    if claim.reference is not None and claim.relation == "=":
        return clean(f"{claim.subject}: {claim.printed.text} is printed{place}; ours is {ours}")
    stated = f"“{claim.quote}” is printed{place}" if claim.quote else f"{claim.text}{place}"
    if claim.every:
        return clean(f"{stated}: {verdict.detail}")
    if not claim.quote:
        return clean(f"{stated}; ours is {ours}")
    asked = (
        claim.printed.text if claim.relation == "=" else f"{claim.relation} {claim.printed.text}"
    )
    return clean(f"{stated}; {claim.subject} is {ours}, and not {asked}")


def _about(tally: Tally, claim: Claim) -> frozenset[str]:
    """The layers that a claim names; of one about every layer, those for which it is false."""
    names: list[str] = []
    try:
        if claim.every:
            names += [
                name
                for name in names_like(tally, claim.every)
                if compare(claim.value(tally, name), claim.printed, claim.relation)[0] == "differs"
            ]
        elif claim.reference is not None:
            names.append(claim.reference[0])
        else:
            names += [name.rpartition(".")[0] for name in expression.names(claim.tree)]
    except NettallyError:
        return frozenset()
    if len(names) > MOST_PLACES and not claim.every:
        return frozenset()  # a sum over the network is about no place
    layers: set[str] = set()
    for name in names:
        if not name:
            continue
        try:
            rows = matching(tally, name)
        except NettallyError:
            layers.add(name)  # an input
            continue
        layers.add(rows[-1].node.name)  # a module's last layer, wherever that is drawn
    return frozenset(layers)


def of_unit(notes: Sequence[Note], unit: Unit) -> tuple[Note, ...]:
    """The notes about one of the unit's layers, or about a module that ends in it."""
    names = {row.node.name for row in unit.rows} | ({unit.name} if unit.input else set())
    return tuple(note for note in notes if note.number and not names.isdisjoint(note.layers))


def mark(note: Note, x: float, y: float) -> tuple[Item, ...]:
    """The number in a circle, centred there."""
    return (
        Dot(x, y, 5.4, fill="accent"),
        Label(x, y + 2.75, str(note.number), 7.5, "middle", "paper", bold=True),
    )


MARK = 13.0
"""The room that a mark takes beside a text, in pixels."""


def block(notes: Sequence[Note], x: float, y: float, wide: float) -> tuple[list[Item], float]:
    """The notes one under the other from ``y`` down, and where they end."""
    items: list[Item] = []
    for note in notes:
        lines = wrap(note.text, wide - MARK - 2, SIZE)
        first = y + ASCENT * SIZE
        if note.number:
            items += mark(note, x + 5.4, first - SIZE * 0.34)
        for line in lines:
            items.append(Label(x + MARK + 2, y + ASCENT * SIZE, line, SIZE, colour="ink"))
            y += LINE * SIZE
        y += 3
    return items, y
