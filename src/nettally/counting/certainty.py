"""Whether a sum over layers is exact: known of every layer, and to the accounting too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .quantities import certainty as certainty_of_facts
from .quantities import is_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .rows import Row
    from .tally import Tally


def knows(tally: Tally, quantity: str, row: Row) -> bool:
    """Whether the row's part of such a sum is known; what is not known is not zero."""
    if quantity == "operations":
        return tally.accounting.knows(row)
    return is_known(quantity, row)


def certainty(tally: Tally, quantity: str, rows: Iterable[Row] | None = None) -> str:
    """``exact`` where every row's part is known, ``unknown`` where no row's is; else ``least``.

    rows: all of the tally's where none are given. What an accounting does not know of a network
    that is known makes its operations "at least", though they be none.
    """
    rows = tally.rows if rows is None else tuple(rows)
    sure = certainty_of_facts(rows, quantity)
    if quantity == "operations" and sure == "exact" and not tally.accounting.knows_all(rows):
        return "least"
    return sure
