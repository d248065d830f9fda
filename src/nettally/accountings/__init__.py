"""What other tools print for a PyTorch module, worked out from the run that was followed.

A tool's convention looks at layers, or at calls of modules, or at the functions that are called:
docs/decisions/0010-what-tools-look-at.md. Each file has one tool's rules, read from its source.
tests/test_tools.py holds them to what the tools themselves print for 161 models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..counting.accounting import Accounting
from ..errors import NettallyError, closest
from ..network import Calls
from .calls.facts import Facts, Figures, Tool
from .presets import ACCOUNTINGS
from .tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..counting.tally import Row, Tally
    from ..network import Network

__all__ = ["TOOLS", "Figures", "OfTool", "Tool", "count", "settled"]


class OfTool(Accounting):
    """A tool's convention for one network that was read from a module: its own figures.

    Each row has what of them falls on it; what falls on none is in the totals only.
    """

    figures: Any = None
    plain: Any = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.figures.version} of a module: {self.figures.operations:,}>"

    def operations(self, row: Row) -> int:
        known = self.__dict__["_known"].get(row.node.name)
        if known is None or known[0] is not row.node or known[1] != row.inputs:
            return self.plain.operations(row)  # what would be, if it were another
        return self.figures.by_row.get(row.node.name, 0)

    def parameters(self, row: Row) -> int:
        by_row = self.figures.parameters_by_row
        return super().parameters(row) if by_row is None else by_row.get(row.node.name, 0)

    def total_operations(self, rows: Iterable[Row]) -> int:
        return self.figures.operations

    def total_parameters(self, rows: Iterable[Row]) -> int:
        return self.figures.parameters

    def printed(self) -> Figures:
        return self.figures

    def settled(self, tally: Tally) -> Accounting:
        if tally.network is self.__dict__.get("_network"):
            return self
        return self.plain.settled(tally)


def count(tally: Tally, name: str) -> Figures:
    """What the tool of that name prints for a module that was read.

    Raises NettallyError for a name that is none, and for a network without calls: one that comes
    from a file, or that was changed since it was read. Linear in nodes and calls.
    """
    if name not in TOOLS:
        raise NettallyError(f"no tool is called '{name[:80]}'", hint=closest(name, TOOLS))
    facts = _facts(tally)
    if facts is None:
        raise NettallyError(
            f"{tally.network.name} was not read from a PyTorch module, or was changed since",
            hint="tally.under(ACCOUNTINGS[name]) has the tool's rules by kind of layer",
        )
    return _figures(facts, TOOLS[name])


def settled(accounting: Accounting, tally: Tally) -> Accounting:
    """The accounting of a tool for this very tally; itself where the calls are not known."""
    facts = _facts(tally)
    if facts is None or accounting.name not in TOOLS:
        return accounting
    printed = _figures(facts, TOOLS[accounting.name])
    values: dict[str, Any] = accounting.fields()
    made = OfTool(**values, figures=printed, plain=accounting)
    made.__dict__["_network"] = tally.network
    made.__dict__["_known"] = facts.known
    return made


def _figures(facts: Facts, tool: Tool) -> Figures:
    made = facts.figures.get(tool.name)
    if made is None:
        made = facts.figures[tool.name] = tool.rule(facts, tool)
    return made


def _facts(tally: Tally) -> Facts | None:
    """The facts of a network; kept with it, since each tool asks for them."""
    network: Network = tally.network
    calls = network.calls
    if not isinstance(calls, Calls) or not calls or not calls.fit(network):
        return None
    facts = network.__dict__.get("_facts_of_calls")
    if facts is None:
        facts = network.__dict__["_facts_of_calls"] = Facts(tally)
    elif facts.tally() is None:
        facts.look_at(tally)
    return facts


assert set(TOOLS) <= set(ACCOUNTINGS)
