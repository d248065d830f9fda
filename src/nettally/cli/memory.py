"""``nettally memory``: what training and inference need, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..counting.memory import inference, training
from ..counting.tally import tally
from ..formats import names_code
from . import commands

if TYPE_CHECKING:
    from collections.abc import Sequence


def memory(
    net: str,
    *,
    dtype: str = "",
    optimizer: str = "none",
    every: bool = False,
    inputs: Sequence[str] = (),
    companion: str | None = None,
    phase: str | None = None,
    stages: Sequence[str] = (),
) -> int:
    """Print the estimates. A module is followed twice, as it trains and as it is used."""
    from ..rendering.tables.memory import memory_table

    network, said = commands._network(net, inputs, companion, phase, stages)
    counted = tally(network)
    trained = counted
    if names_code(net) and phase is None:
        trained = tally(commands._network(net, inputs, companion, "train", stages)[0])
    table = memory_table(
        training(trained, optimizer=optimizer, dtype=dtype),
        inference(counted, dtype=dtype),
        commands._here(),
        (*said, *network.notes),
        every=every,
    )
    commands._print(table)
    return commands.TALLIES
