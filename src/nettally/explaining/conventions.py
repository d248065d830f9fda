"""Accounting edits: the network as it is, added up in another way."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Any

from ..arith import product
from .edits import KIND_BITS, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..claims.printed import Printed
    from ..counting.accounting import Accounting
    from ..counting.rows import Row
    from ..counting.tally import Tally

BASE = KIND_BITS["accounting"]

WORK = ("macs", "flops", "operations")

COMMON = frozenset({"keras", "torch", "torchinfo", "thop", "fvcore", "ptflops", "openvino"})
"""Conventions that many figures were counted by."""

MULTIPLES: dict[tuple[int, int], tuple[float, str]] = {
    (2, 1): (2.5, "twice: another thing counted with it, as a gradient with each value"),
    (3, 1): (3.0, "three times: the forward and the backward pass, or a batch of 3"),
    (4, 1): (3.0, "four times: bytes of 32-bit numbers, or a batch of 4"),
    (8, 1): (4.5, "eight times: bits of bytes, or a batch of 8"),
    (16, 1): (5.0, "a batch of 16"),
    (32, 1): (5.0, "a batch of 32, or bits of 32-bit numbers"),
    (64, 1): (5.5, "a batch of 64"),
    (128, 1): (5.5, "a batch of 128"),
    (256, 1): (5.5, "a batch of 256"),
    (10, 1): (5.5, "ten times: ten crops"),
    (1, 2): (2.5, "half: one of two columns, processors or directions"),
    (1, 3): (4.5, "a third: one of three colours"),
    (1, 4): (4.5, "a quarter"),
}


def accounting_edits(tally: Tally, about: str, quantity: str, printed: Printed) -> Iterator[Edit]:
    """Other ways to add up ``quantity`` of the network, or of the layer ``about``."""
    yield from scalings(quantity, printed)
    if quantity in ("parameters", "operations", "macs", "flops"):
        yield from _other_conventions(tally, quantity)
    yield from _other_quantities(tally, about, quantity)
    if not about:
        yield from _left_out(tally, quantity)


def scalings(quantity: str, printed: Printed) -> Iterator[Edit]:
    """The same figure in other units, and multiples of it."""
    yield from _multiples(quantity)
    for factor, text, bits in units_of(quantity, printed):
        yield _other(text, bits, "unit", factor=factor)


def units_of(quantity: str, printed: Printed) -> Iterator[tuple[tuple[int, int], str, float]]:
    """(factor, text, bits) of the units that the printed letter may stand for."""
    if not isinstance(printed.value, int):
        return
    for power, unit in ((1, "K = 1024"), (2, "M = 1024²"), (3, "G = 1024³")):
        if unit[0] in printed.text.upper() and printed.value >= 1000**power:
            # bytes are counted so, parameters sometimes, operations hardly ever
            bits = {"memory": 1.0, "parameters": 2.0, "weights": 2.0}.get(quantity, 6.0)
            yield (1000**power, 1024**power), unit, bits + power / 2


def _other(text: str, bits: float, family: str, **fields: Any) -> Edit:
    return Edit(
        "accounting", text, BASE + bits, touches=frozenset({family}), family=family, **fields
    )


def _multiples(quantity: str) -> Iterator[Edit]:
    for factor, (bits, text) in MULTIPLES.items():
        if quantity in WORK and factor == (2, 1):
            text, bits = "2 operations a multiply-add: FLOPs and not MACs", 0.5
        elif quantity in WORK and factor == (1, 2):
            text, bits = "a multiply-add as 1 operation and not 2", 0.5
        elif quantity in ("memory",) and factor == (1, 2):
            text, bits = "16-bit numbers", 1.5
        elif quantity in ("parameters", "values") and factor == (4, 1):
            text, bits = "bytes of 32-bit numbers", 1.5
        yield _other(text, bits, "multiple", factor=factor)


def _other_conventions(tally: Tally, quantity: str) -> Iterator[Edit]:
    from ..accountings import ACCOUNTINGS  # most questions do without

    where = log2(len(ACCOUNTINGS))
    for name, accounting in ACCOUNTINGS.items():
        if name != tally.accounting.name:
            counted = "parameters" if quantity == "parameters" else "operations"
            if counted == "operations" and not counts_all(tally, accounting):
                continue  # what it counts here is not known, or it counts no operations
            text = f"counted as {name} does ({accounting.title})"
            bits = 1.5 if name == "nettally" else 2.5 if name in COMMON else where
            yield _other(text, bits, "convention", accounting=accounting, quantity=counted)


def counts_all(tally: Tally, accounting: Accounting) -> bool:
    """Whether an accounting counts operations, and knows what it counts for each layer known."""
    return accounting.counts_operations and all(
        row.work is None or accounting.knows(row) for row in tally.rows
    )


def _other_quantities(tally: Tally, about: str, quantity: str) -> Iterator[Edit]:
    if quantity == "parameters":
        yield _other("biases not counted", 1.0, "quantity", quantity="weights")
    if quantity == "weights":
        yield _other("biases counted too", 1.0, "quantity", quantity="parameters")
    if quantity in ("macs", "connections"):
        other = "connections" if quantity == "macs" else "macs"
        bits = 3.5 if quantity == "macs" else 1.5
        yield _other(f"{other} counted", bits, "quantity", quantity=other)
    if quantity == "neurons":
        text = "the outputs of every layer counted: activations, poolings and normalisations too"
        yield _other(text, 2.0, "quantity", quantity="values")
        if not about:
            added = sum(product(shape[1:]) for shape in tally.network.inputs.values())
            yield _other("the input counted too", 1.5, "input", plus=added)


def _left_out(tally: Tally, quantity: str) -> Iterator[Edit]:
    """Sums over a part of the network."""
    weighted = [row for row in tally.rows if row.node.layer.weighted]
    linear = [row for row in weighted if row.node.layer.kind == "linear"]
    norms = [row for row in tally.rows if row.node.layer.kind.endswith("_norm")]
    if linear and len(linear) < len(weighted):
        yield _without("fully connected layers not counted", 1.0, linear)
    if linear:
        yield _without(f"the classifier {linear[-1].name} not counted", 1.0, linear[-1:])
    convs = [row for row in weighted if row.node.layer.kind != "linear"]
    if convs and linear:
        yield _without("convolutions not counted", 2.5, convs)
    if norms and quantity == "parameters":
        yield _without("normalisation not counted", 1.0, norms)
    where = log2(max(1, len(weighted)))
    for row in weighted:
        yield _without(f"{row.name} not counted", 2.0 + where, [row])
    branches: dict[str, list[Row]] = {}
    for row in weighted:
        if row.node.module:
            branches.setdefault(row.node.module.partition(".")[0], []).append(row)
    for module, rows in branches.items():
        if len(rows) > 1:
            text = f"{module} not counted"
            yield _without(text, 2.0 + log2(max(2, len(branches))), rows)


def _without(text: str, bits: float, rows: list[Row]) -> Edit:
    return _other(text, bits, "part", without=frozenset(row.name for row in rows))
