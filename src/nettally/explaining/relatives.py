"""The figure of a relative: another network of the same family, with its training heads perhaps."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from ..counting.quantities import SUMS
from ..counting.tally import tally
from ..errors import NettallyError
from ..formats import read, zoo
from .conventions import units_of
from .edits import KIND_BITS, Edit
from .slips import hits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..claims.printed import Printed
    from ..counting.tally import Tally


def relatives(base: Tally, quantity: str, printed: Printed) -> Iterator[Edit]:
    """Whole figures of the zoo's networks of this family that are the printed one."""
    stem = _stem(base.network.name)
    names = [name for name in zoo.names() if stem in name.split("-")]
    names = [name for name in names if name != base.network.name]
    for name in names:
        try:
            other = tally(read(name), base.accounting)
        except NettallyError:
            continue
        value = sum(SUMS[quantity](other, row) for row in other.rows)
        text = f"the figure of another network, {name}: {value:,}"
        bits = KIND_BITS["slip"] + 3 + log2(len(names))
        if hits(printed, value):
            yield Edit("slip", text, bits, value=value, family="relative")
        for (times, over), unit, more in units_of(quantity, printed):
            if hits(printed, value * times // over):
                scaled = f"{text}; and {unit}"
                yield Edit(
                    "slip", scaled, bits + more, value=value * times // over, family="relative"
                )


def _stem(name: str) -> str:
    """The word of a name that says the family: alexnet of caffe-alexnet, vgg of vgg-16."""
    words = name.split("-")
    return next((word for word in words if word.endswith("net")), words[0])
