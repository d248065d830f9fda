"""Parameters by what language models are compared by: active ones, and those of no table.

A token's pass runs through all of a network's parameters but those of the experts that a router
leaves out. It only looks one row of an embedding up, and the head may be that same table, so that
three conventions are in print: with all tables, without the one that is looked up, without any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..arith import product

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rows import Row
    from .tally import Tally


class Tables(NamedTuple):
    """Where a network has its tables.

    inputs: names of the layers with the tables of tokens. head: of the last layer that scores each
    token, or "". tied: whether that has a table's weights.
    """

    inputs: frozenset[str]
    head: str
    tied: bool


def _tables(tally: Tally) -> Tables:
    """The tables of tokens are the embeddings of the most rows; segments and distances have few."""
    kinds = [(row, row.node.layer) for row in tally.rows if row.node.layer.kind == "embedding"]
    most = max((layer.fields()["rows"] for _, layer in kinds), default=0)
    inputs = frozenset(row.node.name for row, layer in kinds if layer.fields()["rows"] == most)
    for row in reversed(tally.rows):
        layer = row.node.layer
        if layer.kind == "linear" and layer.fields()["features"] == most:
            owner = row.node.shared.get("weight", "").rpartition(".")[0]
            return Tables(inputs, row.node.name, owner in inputs)
    return Tables(inputs, "", False)


def _active(tally: Tally, row: Row) -> int:
    parameters = tally.accounting.parameters(row)
    top, experts = row.node.layer.routed()
    return parameters if top == experts else parameters // experts * top


def _input_table(tally: Tally, row: Row) -> int:
    if row.node.name not in tally.once(_tables).inputs:
        return 0
    return tally.accounting.parameters(row)


def _head(tally: Tally, row: Row) -> int:
    if row.node.name != tally.once(_tables).head or "weight" in row.node.shared:
        return 0
    return product((row.parameters or {}).get("weight", (0,)))


def _positions(tally: Tally, row: Row) -> int:
    return tally.accounting.parameters(row) if row.node.layer.kind == "position_embedding" else 0


def _tokens(tally: Tally, row: Row) -> int:
    return product(row.inputs[0]) if row.node.name in tally.once(_tables).inputs else 0


def _scores(tally: Tally, row: Row) -> int:
    """Values of the first product of attention: a score for each query's place and key's."""
    layer = row.node.layer
    if layer.kind != "attention" or row.shape is None:
        return 0
    return product(layer.products(row.inputs, row.shape)[0])


def _non_embedding(tally: Tally, row: Row) -> int:
    tables = _input_table(tally, row) + _head(tally, row) + _positions(tally, row)
    return tally.accounting.parameters(row) - tables


def _without_lookup(tally: Tally, row: Row) -> int:
    active = _active(tally, row)
    return active if tally.once(_tables).tied else active - _input_table(tally, row)


def _without_tables(tally: Tally, row: Row) -> int:
    return _active(tally, row) - _input_table(tally, row) - _head(tally, row)


SUMS_BY_USE: dict[str, Callable[[Tally, Row], int]] = {
    "input_embedding": _input_table,
    "learned_positions": _positions,
    "tokens": _tokens,
    "scores": _scores,
    "recurrent_state": lambda tally, row: (
        row.node.layer.cache_size(row.inputs, 0) if row.work else 0
    ),
    "non_embedding": _non_embedding,
    "active": _active,
    "active_without_input_embedding": _without_lookup,
    "active_without_embeddings": _without_tables,
}
"""Sums of parameters, and of values (``quantity_names.BY_USE``).

non_embedding: of no table of tokens or of positions, and not the head's (Kaplan et al. 2020,
section 2.1). active: those that a token's pass runs through (Jiang et al. 2024 for Mixtral);
without the table that is only looked up, where it is not the head too (gpt-oss, 2025); without it
and the head (GLM-5, 2026). recurrent_state: values that do not grow with the sequence.
tokens: of the input, all of its batch. scores: of queries with keys, which attention takes a
softmax of.
"""
