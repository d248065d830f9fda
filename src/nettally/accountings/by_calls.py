"""What other tools print for a PyTorch module, worked out from the run that was followed.

A tool's convention looks at layers, or at calls of modules, or at the functions that are called:
docs/decisions/0010-what-tools-look-at.md. Each tool's file has its rules, read from its source.
tests/test_tools.py holds them to what the tools themselves print for 161 models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..counting.accounting import SETTLERS, Accounting, register
from ..errors import NettallyError, closest
from ..network import NOTHING, Calls
from ..registry import Registry
from .calls.facts import Facts, Tool, ToolCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..counting.rows import Row
    from ..counting.tally import Tally
    from ..network import Network, Node, Shape

__all__ = ["TOOLS", "OfTool", "Tool", "ToolCount", "count", "register_tool", "settled", "tool"]

TOOLS = Registry(
    "tools that look at calls",
    __package__ or "",
    {
        "torchinfo": "torchinfo",
        "fvcore": "fvcore",
        "thop": "thop",
        "ptflops": "ptflops",
        "ptflops-aten": "ptflops",
        "torch": "torch",
        "calflops": "calflops",
    },
)
"""By the names of their accountings."""


def register_tool(tool: Tool) -> Tool:
    """Add a tool, and with it its accounting. Raises ValueError where another one has the name."""
    register(tool.accounting)
    TOOLS.add(tool.name, tool)
    SETTLERS.add(tool.name, settled)
    return tool


def tool(name: str) -> Tool:
    """A tool by its name. Raises NettallyError for a name that is none."""
    known = TOOLS.find(name)
    if known is None:
        raise NettallyError(f"no tool is called '{name[:80]}'", hint=closest(name, list(TOOLS)))
    return known


class OfTool(Accounting):
    """A tool's convention for one network that was read from a module: its own figures.

    Each row has what of them falls on it; what falls on none is in the totals only.
    """

    figures: Any = None
    plain: Any = None
    network: Any = None
    known: Mapping[str, tuple[Node, tuple[Shape, ...]]] = NOTHING

    def __repr__(self) -> str:
        return f"<{self.name} {self.figures.version} of a module: {self.figures.operations:,}>"

    def operations(self, row: Row) -> int:
        known = self.known.get(row.node.name)
        if known is None or known[0] is not row.node or known[1] != row.inputs:
            return self.plain.operations(row)  # what would be, if it were another
        return self.figures.by_row.get(row.node.name, 0)

    def knows(self, row: Row) -> bool:
        """Whatever the tool prints is its count: only what nobody knows is not known to it."""
        known = self.known.get(row.node.name)
        if known is None or known[0] is not row.node or known[1] != row.inputs:
            return self.plain.knows(row)
        return row.work is not None

    def parameters(self, row: Row) -> int:
        by_row = self.figures.parameters_by_row
        return super().parameters(row) if by_row is None else by_row.get(row.node.name, 0)

    def total_operations(self, rows: Iterable[Row]) -> int:
        return self.figures.operations

    def total_parameters(self, rows: Iterable[Row]) -> int:
        return self.figures.parameters

    def printed(self) -> ToolCount:
        return self.figures

    def settled(self, network: Network, rows: Sequence[Row]) -> Accounting:
        if network is self.network:
            return self
        return self.plain.settled(network, rows)


def count(tally: Tally, name: str) -> ToolCount:
    """What the tool of that name prints for a module that was read.

    Raises NettallyError for a name that is none, and for a network without calls: one that comes
    from a file, or that was changed since it was read. Linear in nodes and calls.
    """
    asked = tool(name)
    facts = _facts(tally.network, tally.rows)
    if facts is None:
        raise NettallyError(
            f"{tally.network.name} was not read from a PyTorch module, or was changed since",
            hint="tally.under(ACCOUNTINGS[name]) has the tool's rules by kind of layer",
        )
    return _figures(facts, asked)


def settled(accounting: Accounting, network: Network, rows: Sequence[Row]) -> Accounting:
    """The accounting of a tool for this very network; itself where the calls are not known."""
    facts = _facts(network, rows)
    if facts is None:
        return accounting
    printed = _figures(facts, tool(accounting.name))
    return OfTool(
        **accounting.fields(), figures=printed, plain=accounting, network=network, known=facts.known
    )


def _figures(facts: Facts, tool: Tool) -> ToolCount:
    counted = facts.figures.get(tool.name)
    if counted is None:
        counted = facts.figures[tool.name] = tool.rule(facts, tool)
    return counted


def _facts(network: Network, rows: Sequence[Row]) -> Facts | None:
    """The facts of a network; kept with it, since each tool asks for them."""
    calls = network.calls
    if not isinstance(calls, Calls) or not calls or not calls.fit(network):
        return None
    kept = network.once(_kept_facts)
    if not kept:
        kept.append(Facts(network, rows))
    return kept[0]


def _kept_facts(network: Network) -> list[Facts]:
    """Where the facts are kept once there are rows to make them of."""
    return []
