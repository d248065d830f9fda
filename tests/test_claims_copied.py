"""What nettally's own table prints, claimed as it is printed, tallies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import nettally
from corpus_table import load, look
from nettally.claims.check import judge
from nettally.claims.claim import parse_claim
from nettally.counting.receptive_field import STATUSES
from nettally.errors import NettallyError
from nettally.formats.zoo import names
from nettally.rendering.tables.columns import COLUMNS, AtLeast, shown
from nettally.rendering.tables.tree import lines

if TYPE_CHECKING:
    from pathlib import Path

    from nettally.counting.tally import Tally

NO_QUANTITY = {"layer", "input", "tensors"}
"""Columns of words about a layer: nothing that could be claimed."""

NOTHING = {"", "–", "?", *STATUSES}
"""Cells without a figure."""


def copied(counted: Tally) -> list[tuple[str, str]]:
    """(claim, column) of each figure in the full table, names in quotes where they need them."""
    claims: list[tuple[str, str]] = []
    taken = {row.name for row in counted.rows} | set(counted.network.inputs)
    for line in lines(counted, depth=99):
        row = line.row
        name = row.node.name if row is not None else line.path
        if row is None and name in taken:
            continue  # the layer comes before the module of its name
        for column in COLUMNS.values():
            value = column.cell(counted, line)
            cell = shown(value)
            if column.name in NO_QUANTITY or isinstance(value, AtLeast) or cell in NOTHING:
                continue
            if column.name == "kind" and row is None:
                continue
            quoted = name if re.fullmatch(r"[\w-]+(\.[\w-]+)*", name) else f"'{name}'"
            claims.append((f"{quoted}.{column.name} = {cell}", column.name))
    return claims


MOST = 600
"""Claims of one network; of more, every so many."""


def false_copies(counted: Tally) -> list[str]:
    claims = copied(counted)
    assert claims, "a table without figures"
    wrong: list[str] = []
    for claim, _ in claims[:: 1 + len(claims) // MOST]:
        try:
            verdict = judge(counted, parse_claim(claim))
        except NettallyError as error:
            wrong.append(f"{claim}: {error}")
            continue
        if not verdict.tallies:
            wrong.append(f"{claim}: {verdict.status}, {verdict.detail}")
    return wrong


@pytest.mark.parametrize("name", names())
def test_a_figure_of_the_table_tallies(name: str) -> None:
    assert not false_copies(nettally.tally(nettally.read(name)))


def test_each_column_of_figures_is_copied_somewhere() -> None:
    counted = nettally.tally(nettally.read("resnet-50-torchvision"))
    assert {column for _, column in copied(counted)} == {*COLUMNS} - NO_QUANTITY


@pytest.mark.parametrize("kind", sorted(kind for kind in load() if kind != "malformed"))
def test_a_figure_of_a_collected_file_tallies(corpus: Path, kind: str) -> None:
    keys = [key for key, line in load()[kind].items() if not line.startswith("refused")]
    wrong: list[str] = []
    for key in keys[:: 1 + len(keys) // 12]:
        counted = look(corpus / kind, key).counted
        if counted is not None and len(counted.rows) < 400 and copied(counted):
            wrong += [f"{key}: {text}" for text in false_copies(counted)]
    assert not wrong
