"""Counts of real models, held to torch's own: its sum of parameters and its counter.

tests/torch_truth.csv was made by torch alone (scripts/torch-truth): the sum of ``p.numel()``, and
half of what ``FlopCounterMode`` counts on a forward without values, attention taken apart.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import nettally
import torch_models
from nettally.formats.torch_module.load import WithoutWeights

TRUTH = Path(__file__).parent / "torch_truth.csv"

ROWS = [
    row
    for row in csv.DictReader(TRUTH.read_text(encoding="utf-8").splitlines())
    if row["parameters"]
]

LEFT_OUT = {
    "normed": "spectral_norm's power iteration is products with vectors, which it does not count",
    "mixed": "nn.Bilinear, which it does not count",
}
"""The models of which torch's counter leaves something out, that ours has."""

THEIR_OWN_OPERATORS = "detection/"
"""Detectors choose boxes by values, with operators of torchvision's binary part."""


@cache
def ready(source: str) -> str:
    """Why models of that source can't be built here; "" where they can."""
    if source == "nets":
        return ""
    try:
        torch_models.torchvision_ready()
        have = torch_models.version(source)
    except (ImportError, RuntimeError) as error:
        return f"{source} is not installed: {error}"
    made_with = {row["version"] for row in ROWS if row["source"] == source}
    return "" if have in made_with else f"{source} {have} is not the one of the table"


def _built(source: str, model: str) -> Any:
    """The module without values in its large tensors, where its constructor can do without."""
    with torch_models.quiet():
        try:
            with WithoutWeights():
                return torch_models.build(source, model)
        except (RuntimeError, NotImplementedError, TypeError):
            return torch_models.build(source, model)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['source']}:{row['model']}" for row in ROWS])
def test_parameters_and_multiply_accumulates_are_those_of_torch(row: dict[str, Any]) -> None:
    source, model = row["source"], row["model"]
    missing = ready(source)
    if missing:
        pytest.skip(missing)
    module = _built(source, model)
    if row["family"].startswith(THEIR_OWN_OPERATORS):
        counted = nettally.summary(module, verbose=0)
        assert counted.total_params == int(row["parameters"])
        return
    shapes = torch_models.input_shapes(source, model, module)
    network = nettally.read(module, input_data=torch_models.arguments(shapes, "meta"))
    tally = nettally.tally(network)
    assert tally.complete
    assert tally.parameters == int(row["parameters"])
    if row["macs"]:
        if model in LEFT_OUT and source == "nets":
            assert tally.macs > int(row["macs"])
        else:
            assert tally.macs == int(row["macs"])


def test_the_table_is_as_wide_as_it_should_be() -> None:
    from_timm = [row for row in ROWS if row["source"] == "timm"]
    assert len({row["family"] for row in from_timm}) >= 80
    assert len([row for row in from_timm if row["macs"]]) >= 300
