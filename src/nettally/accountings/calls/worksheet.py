"""The sheet that a tool adds up on: its figure, set against the multiply-adds that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import TORCH, Facts, Tool, ToolCount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...counting.rows import Row
    from ...network import Call

NOUNS = {
    "conv": "convolutions",
    "conv_transpose": "transposed convolutions",
    "linear": "linear layers",
    "matmul": "matrix products",
    "attention": "attention",
    "einsum": "einsum",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
    "procedure": "other products",
}
"""What the kinds of weighted sums are called, several of them together."""

# calflops is ptflops changed, and these are what both have:

GATES = {"RNN": 1, "GRU": 7, "LSTM": 10}
"""What a unit of a recurrent layer counts for beside its sums."""

GATES_AND_BIASES = "gates and biases of recurrent layers"
BETWEEN = {
    "torch.add": "add", "Tensor.add": "add", "torch.mul": "multiply", "Tensor.mul": "multiply",
}  # fmt: skip
"""Functions of two tensors that count their values, and what they do."""

COMPOSED = ("F.local_response_norm", "F.lp_pool")
"""Functions that are made of others, of which each counts."""

COUNTED_TWICE = "counted twice"
TWO_PLACES = "modules in two places, for each"


class Worksheet:
    """Where a tool's operations are added up, and set against the multiply-adds that there are.

    What is counted for weighted sums falls on their nodes; what differs there has a label, and so
    has all that is no weighted sum. At the end the terms add up to the operations.
    """

    def __init__(self, facts: Facts, per_mac: int) -> None:
        self.facts = facts
        self.per_mac = per_mac
        self.macs = facts.macs
        self.covered = [False] * len(facts.rows)
        self.amounts = [0] * len(facts.rows)
        self.elsewhere = 0
        self.terms: dict[str, int] = {}

    def term(self, label: str, amount: int) -> None:
        """Something in the operations that falls on no node."""
        if amount:
            self.terms[label] = self.terms.get(label, 0) + amount
            self.elsewhere += amount

    def add(self, place: int, label: str, amount: int) -> None:
        """Something that is counted at a node beside its weighted sums."""
        if amount:
            self.terms[label] = self.terms.get(label, 0) + amount
            self.amounts[place] += amount

    def at_call(self, call: Call, label: str, amount: int) -> None:
        """Something that is counted for a call."""
        if call.last > call.first:
            self.add(call.first, label, amount)
        else:
            self.term(label, amount)

    def sums(self, first: int, last: int, amount: int, label: str) -> None:
        """What is counted for the weighted sums of these nodes; what is too much has the label."""
        true = 0
        any_sums = False
        at = first
        for place in range(first, last):
            if self.macs[place]:
                if not any_sums:
                    at, any_sums = place, True
                if not self.covered[place]:
                    self.covered[place] = True
                    true += self.per_mac * self.macs[place]
        if not any_sums:
            if first < last:
                self.add(first, label, amount)
            else:
                self.term(label, amount)
            return
        self.amounts[at] += amount
        if amount != true:
            label = label if true else COUNTED_TWICE
            self.terms[label] = self.terms.get(label, 0) + amount - true

    def finish(self, label_of: Callable[[int], str]) -> tuple[int, dict[str, int]]:
        """(operations, terms). label_of: why the weighted sums of a node are not counted."""
        base = 0
        left: dict[str, int] = {}
        for place, macs in enumerate(self.macs):
            if macs:
                base += macs
                if not self.covered[place]:
                    label = label_of(place)
                    left[label] = left.get(label, 0) - self.per_mac * macs
        for label, amount in left.items():
            self.terms[label] = self.terms.get(label, 0) + amount
        name = "multiply-adds" if self.per_mac == 1 else f"{self.per_mac} × multiply-adds"
        rest = sorted(
            (pair for pair in self.terms.items() if pair[1]),
            key=lambda pair: (pair[1] < 0, -abs(pair[1])),
        )
        terms = {name: self.per_mac * base, **dict(rest)}
        return sum(terms.values()), terms

    def by_row(self) -> dict[str, int]:
        """What falls on each node, by its name."""
        return {
            row.node.name: amount
            for row, amount in zip(self.facts.rows, self.amounts, strict=True)
            if amount
        }


def left_out(facts: Facts, *, by_function: bool = False) -> Callable[[int], str]:
    """The label of a weighted sum that a tool does not see.

    It is the class of the module that makes it, where that is one of torch's or a leaf with
    parameters; else, and for a tool that looks at functions, what the sum is.
    """

    def label(place: int) -> str:
        row = facts.rows[place]
        inside = facts.inside[place]
        if inside >= 0 and not by_function:
            module = facts.modules.get(facts.calls[inside].path)
            if module is not None and (
                (module.leaf and module.stored) or module.home.startswith(TORCH)
            ):
                return f"unseen {module.type}"
        return f"unseen {noun(row)}"

    return label


def noun(row: Row) -> str:
    """``matrix products``: what several such nodes are called."""
    kind = row.node.layer.kind
    return NOUNS.get(kind, kind.replace("_", " "))


def tool_count(
    facts: Facts,
    tool: Tool,
    sheet: Worksheet,
    parameters: int,
    label_of: Callable[[int], str],
    **more: Any,
) -> ToolCount:
    """The sheet's sum, its terms and a sentence about the largest of them."""
    operations, terms = sheet.finish(label_of)
    return ToolCount(
        accounting=tool.accounting,
        parameters=parameters,
        operations=operations,
        terms=terms,
        complete=facts.complete,
        why=why(tool, terms),
        version=tool.version,
        by_row=sheet.by_row(),
        elsewhere=sheet.elsewhere,
        **more,
    )


def why(tool: Tool, terms: Mapping[str, int]) -> str:
    """What makes most of the difference to the multiply-adds, in the tool's own terms."""
    labels = iter(terms.items())
    _, base = next(labels)
    reasons: list[str] = []
    for label, amount in sorted(labels, key=lambda pair: -abs(pair[1])):
        if 100 * abs(amount) > base:
            reason = tool.says.get(label)
            if reason is None and label.startswith("unseen "):
                reason = tool.says.get("unseen")
            if reason and reason not in reasons:
                reasons.append(reason)
    return "; ".join(reasons[:2])
