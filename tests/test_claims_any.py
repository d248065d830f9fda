"""Whatever is claimed of whatever network: a verdict and an explanation, or an error with words."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nettally
from nettally.claims.check import check
from nettally.claims.claim import parse_claim
from nettally.claims.comparison import shown_value
from nettally.counting.quantities import COUNTS, FIELDS, SAME
from nettally.errors import NettallyError
from nettally.explaining import explain
from nettally.formats import Source
from nettally.formats.native import read as read_native
from nettally.rendering.reports.steps import steps
from nettally.rendering.tables.csv import check_csv, explain_csv
from nettally.rendering.tables.json import check_json, explain_json

if TYPE_CHECKING:
    from nettally.counting.tally import Tally

ODD = b"""\
nettally: 1
name: odd
input: 3x33x20
layers:
  - conv: conv 4, 3x5, stride 1x2, padding 1:2x0, rounding up
  - norm: batch_norm
  - pool: average_pool 2x2, stride 2, rounding up
  - up: upsample 2
  - odd: opaque Odd, size 4x6x6
  - crop: crop 1
  - flat: flatten
  - fc: linear 7, no bias
"""


@cache
def counted(name: str) -> Tally:
    if name == "odd":
        return nettally.tally(read_native(Source("odd.yaml", ODD)))
    return nettally.tally(nettally.read(name))


NETWORKS = ("odd", "lenet-5", "alexnet")
QUANTITIES = sorted(
    {*COUNTS, *FIELDS, *SAME, "share", "kind", "output", "weight", "bias", "padding", "kernel"}
    | {"stride", "dilation", "rounding", "groups", "filters", "count_padding", "kernel_volume"}
    | {"border", "statistics", "epsilon", "scale", "tensors", "type", "speed", "axis"}
)
RELATIONS = ("=", "==", "<=", ">=", "<", ">", "≤", "≥", "~", "≈")

sizes = st.integers(0, 300)
long = st.integers(0, 10**41).map(str)
FIGURES = st.one_of(
    sizes.map(str),
    long,
    st.floats(0, 1e6).map(lambda x: f"{x:.3f}"),
    st.lists(sizes, min_size=1, max_size=4).map(lambda s: "x".join(map(str, s))),
    st.lists(sizes, min_size=1, max_size=4).map(lambda s: str(tuple(s))),
    st.lists(sizes, min_size=1, max_size=4).map(str),
    st.lists(st.tuples(sizes, sizes), min_size=1, max_size=3).map(str),
    st.lists(st.tuples(sizes, sizes), min_size=1, max_size=3).map(
        lambda pairs: "x".join(f"{a}:{b}" for a, b in pairs)
    ),
    st.sampled_from(["yes", "no", "True", "up", "down", "whole input", "conv", "same", "12 %"]),
    st.sampled_from(["1/2", "1/2x1", "0/0", "60 million", "3.8G", "55x55x96 (HWC)", "6@28x28"]),
    st.text(max_size=12),
)


@st.composite
def formulas(draw: st.DrawFn, names: list[str]) -> str:
    name = draw(st.sampled_from([*names, "", "input", "nothing", "every *"]))
    first = f"{name}.{draw(st.sampled_from(QUANTITIES))}".lstrip(".")
    if draw(st.integers(0, 3)):
        return first
    sign = draw(st.sampled_from(["+", "-", "*", "/", "//"]))
    other = draw(st.one_of(st.just(first), long, st.just("0.5"), st.just("1e300")))
    text = f"{first} {sign} {other}"
    return draw(st.sampled_from([text, f"({text}) * ({text})", f"log2({text})"]))


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_claim_has_an_answer(name: str, data: st.DataObject) -> None:
    tally = counted(name)
    names = [row.name for row in tally.rows]
    text = " ".join(
        (
            data.draw(formulas(names)),
            data.draw(st.sampled_from(RELATIONS)),
            data.draw(FIGURES),
        )
    )
    try:
        claim = parse_claim(text)
        verdicts = check(tally, [claim])
        explanations = explain(tally, claim, pairs=20)
    except NettallyError:
        return
    (verdict,) = verdicts
    assert verdict.status == explanations.verdict.status
    assert verdict.detail or verdict.status in ("exact", "holds", "unknown", "differs")
    assert shown_value(verdict.ours, claim.printed)
    assert str(verdicts)
    assert str(explanations)
    assert all(steps(verdict, tally))
    for answer in (check_json(name, "work", verdicts), explain_json(name, explanations)):
        json.loads(answer, parse_constant=pytest.fail)
    assert check_csv(verdicts)
    assert explain_csv(explanations)


def product_of(name: str, factors: int) -> str:
    return " * ".join([name] * factors)


@pytest.mark.parametrize(
    ("subject", "figure", "detail"),
    [
        (product_of("conv1.neurons", 60), "5", "times it"),
        (product_of("parameters", 101), "5", "times it"),
        (product_of("parameters", 101), "0.5", "times it"),
        (product_of("9" * 40, 101), "1e60", "times it"),
        ("conv1.neurons / (" + product_of("9" * 40, 50) + ")", "5", "printed is 5 more"),
        (product_of("conv1.neurons", 60) + " * 0.5", "5", "times it"),
        ("conv1.neurons", "1234567890123456789012345678901234567890", "4.251e+33 times it"),
        ("conv1.neurons", "9" * 60, "times it"),
        ("conv1.neurons", "9.5e60", "times it"),
        ("conv1.padding", "9" * 40, "printed is"),
        ("conv1.output", "x".join(["9" * 40] * 4), "ours is 96x55x55"),
        ("log2(" + product_of("conv1.neurons", 60) + ")", "1089", ""),
    ],
)
def test_numbers_of_any_length_are_answered(subject: str, figure: str, detail: str) -> None:
    claim = f"{subject} = {figure}"
    (verdict,) = check(counted("alexnet"), [claim])
    assert detail in verdict.detail
    assert len(verdict.detail) < 300
    explanations = explain(counted("alexnet"), claim, pairs=100)
    assert explanations.verdict.status == verdict.status
    for answer in (check_json("alexnet", "work", [verdict]), explain_json("alexnet", explanations)):
        json.loads(answer, parse_constant=pytest.fail)


def test_a_number_ends_somewhere() -> None:
    power = product_of("1e308", 1)
    for _ in range(3):
        power = f"({power}) * ({power}) * ({power})"
    claim = f"({power}) * {product_of('9' * 40, 70)} = 5"
    (verdict,) = check(counted("alexnet"), [claim])
    assert verdict.status == "invalid"
    assert "more than 4,000 digits" in verdict.detail
