"""No file of tensors costs more than time and memory in proportion to its size."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile_growth_tensors import GENERATORS

if TYPE_CHECKING:
    from conftest import Hostile

SIZE = 400_000
MEMORY, SECONDS = 100 * 2**20, 2.0
"""What such a file may take, beyond what any takes: half of what one of 1 MB may."""


@pytest.mark.parametrize("name", GENERATORS)
def test_a_file_costs_no_more_than_its_size(hostile: Hostile, name: str) -> None:
    file, make = GENERATORS[name]
    outcome = hostile(file, make(SIZE), seconds=4 * SECONDS)
    assert outcome.survived, f"{outcome.how}: {outcome.text}"
    assert outcome.memory < MEMORY
    assert outcome.seconds < SECONDS
