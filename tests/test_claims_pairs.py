"""Each kind of value beside each kind of figure: it compares, or the verdict says that it can't."""

from __future__ import annotations

import csv
import json
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nettally
from nettally.claims.check import check
from nettally.claims.comparison import compare, shown_value
from nettally.claims.printed import parse_printed
from nettally.counting.values import ByAxis, Flag, Padding, PerCent, Sizes, compute
from nettally.explaining import explain
from nettally.formats import Source
from nettally.formats.native import read as read_native
from nettally.rendering.tables.columns import COLUMNS
from nettally.rendering.tables.csv import check_csv
from nettally.rendering.tables.json import check_json
from nettally.rendering.tables.tree import lines

if TYPE_CHECKING:
    from nettally.counting.tally import Tally

ODD = b"""\
nettally: 1
name: odd
input: 3x33x20
layers:
  - conv: conv 4, 3x5, stride 1x2, padding 1:2x0, rounding up
  - norm: batch_norm
  - pool: average_pool 2x2, stride 2, no count_padding
  - up: upsample 4
  - behind: conv 4, 3x3, stride 2, padding 0:1
  - row: conv 1, 1x5
  - whole: opaque Whole, size 32, whole
"""


@cache
def counted(name: str) -> Tally:
    if name == "odd":
        return nettally.tally(read_native(Source("odd.yaml", ODD)))
    return nettally.tally(nettally.read(name))


NO = "can't be compared: "

# network, claim, status, what the verdict says
PAIRS = [
    # one number for all axes
    ("alexnet", "conv1.stride = 4", "exact", ""),
    ("alexnet", "conv1.stride = 4x4", "exact", ""),
    ("alexnet", "conv1.stride = (4, 4)", "exact", ""),
    ("alexnet", "conv1.stride = [4, 4]", "exact", ""),
    ("alexnet", "conv1.stride == 4", "exact", ""),
    ("alexnet", "conv1.stride = 3", "differs", "printed is 1 less than ours, 0.75 times it (3/4)"),
    ("alexnet", "conv1.stride = 4x5", "differs", "ours is 4x4"),
    ("alexnet", "conv1.stride = 16", "differs", "printed is 12 more than ours, 4 times it"),
    ("alexnet", "conv1.kernel = 11", "exact", ""),
    ("alexnet", "conv1.kernel = 11x11x3", "differs", "ours is 11x11"),
    ("alexnet", "conv1.kernel = 11x11x1", "exact", ""),
    ("alexnet", "conv1.kernel * 2 = 22", "exact", ""),
    ("alexnet", "conv1.stride <= 4", "holds", ""),
    ("alexnet", "conv1.stride < 4x4", "differs", "4x4"),
    ("alexnet", "conv1.kernel >= 11x12", "differs", "11x11"),
    ("alexnet", "conv1.kernel < 12x12x12", "differs", NO + "12x12x12 has other axes"),
    ("alexnet", "conv1.stride = up", "differs", NO + "'up' is not a size; ours is 4x4"),
    ("alexnet", "conv1.stride = 0:4", "differs", NO + "'0:4' is a padding"),
    ("odd", "conv.kernel = 3", "differs", "ours is 3x5"),
    ("odd", "conv.kernel = 5", "differs", "ours is 3x5"),
    ("odd", "conv.kernel = 3x5", "exact", ""),
    ("odd", "conv.kernel = 5x3", "differs", "ours is 3x5"),
    ("odd", "conv.kernel <= 5", "holds", ""),
    ("odd", "conv.kernel < 5", "differs", "3x5"),
    ("odd", "conv.stride = (1, 2)", "exact", ""),
    ("odd", "up.effective_stride = 1/2x1", "exact", ""),
    ("alexnet", "conv1.field = 11x11", "exact", ""),
    ("alexnet", "fc6.field = whole input", "exact", ""),
    ("alexnet", "fc6.field = 224x224", "exact", ""),
    ("alexnet", "conv1.field = whole input", "differs", NO),
    # paddings
    ("alexnet", "conv1.padding = 0", "exact", ""),
    ("alexnet", "conv1.padding = 0x0", "exact", ""),
    ("alexnet", "conv1.padding = 3", "differs", "printed is 3 more than ours"),
    ("alexnet", "conv1.padding = 0:3", "differs", "ours is 0x0"),
    ("alexnet", "conv2.padding = 2:2", "exact", ""),
    ("alexnet", "conv2.padding = ((2, 2), (2, 2))", "exact", ""),
    ("alexnet", "conv2.padding = [2, 2, 2, 2]", "exact", ""),
    ("alexnet", "conv2.padding = [2, 2, 2, 1]", "differs", NO + "of a padding, 0:3 says 0 before"),
    ("alexnet", "conv2.padding = 2x2x2", "differs", "ours is 2x2"),
    ("alexnet", "conv2.padding <= 2", "holds", ""),
    ("alexnet", "conv2.padding < 2", "differs", "2"),
    ("alexnet", "conv2.padding < 0:3", "differs", NO),
    ("alexnet", "conv2.padding = same", "differs", NO + "'same' is not a size"),
    ("odd", "conv.padding = 1:2x0", "exact", ""),
    ("odd", "conv.padding = ((1, 2), (0, 0))", "exact", ""),
    ("odd", "conv.padding = 1:2", "differs", "ours is 1:2x0, before and after"),
    ("odd", "conv.padding = 1x0", "differs", "ours is 1:2x0, before and after"),
    ("odd", "conv.padding < 2", "differs", "1:2x0"),
    ("odd", "behind.padding = 0:1", "exact", ""),
    ("odd", "behind.padding = 0:1x0:1", "exact", ""),
    ("odd", "behind.padding = 1", "differs", "ours is 0:1x0:1, before and after: 1 in all"),
    # flags
    ("alexnet", "conv1.bias = yes", "exact", ""),
    ("alexnet", "conv1.bias = True", "exact", ""),
    ("alexnet", "conv1.bias = no", "differs", "ours is yes"),
    ("alexnet", "conv1.bias = 96", "exact", "the sizes of the tensor"),
    ("alexnet", "conv1.bias = 1", "differs", "ours is yes, with a tensor of 96"),
    ("alexnet", "conv1.bias = up", "differs", NO + "'up' is neither yes nor no; ours is yes"),
    ("alexnet", "conv1.bias = 0:1", "differs", NO),
    ("alexnet", "conv1.bias > 0", "differs", NO + "a flag has no order; ours is yes"),
    ("odd", "norm.weight = 4", "exact", "the sizes of the tensor"),
    ("odd", "pool.count_padding = no", "exact", ""),
    ("odd", "pool.count_padding = 0", "differs", NO + "'0' is neither yes nor no; ours is no"),
    # words
    ("alexnet", "conv1.rounding = up", "exact", ""),
    ("alexnet", "conv1.rounding = 'Up'", "exact", ""),
    ("alexnet", "conv1.rounding = down", "differs", "ours is up"),
    ("alexnet", "conv1.rounding = 3", "differs", NO + "'3' is not a word; ours is up"),
    ("alexnet", "conv1.rounding <= up", "differs", NO + "a word has no order"),
    ("alexnet", "conv1.kind = conv", "exact", ""),
    ("alexnet", "norm1.across = 5x5", "differs", NO),
    # shapes and tensors
    ("alexnet", "conv1.output = (96, 55, 55)", "exact", ""),
    ("alexnet", "conv1.output = [1, 96, 55, 55]", "exact", ""),
    ("alexnet", "conv1.output = [2, 96, 55, 55]", "differs", "ours is 96x55x55"),
    ("alexnet", "conv1.output = 55", "exact", "its space; 96 channels"),
    ("alexnet", "conv1.output = 55x55x55", "differs", "ours is 96x55x55"),
    ("alexnet", "conv1.output = 96", "differs", "ours is 96x55x55"),
    ("alexnet", "conv1.output >= 55x55", "differs", NO + "a shape has no order"),
    ("alexnet", "conv1.output = up", "differs", NO + "'up' is not a shape") ,
    ("alexnet", "conv1.weight = 96x3x11x11", "exact", ""),
    ("odd", "row.weight = 1x1x1x5", "differs", "ours is 1x4x1x5"),
    ("odd", "row.kernel = 1x5", "exact", ""),
    ("odd", "row.kernel = 5x1", "differs", "ours is 1x5"),
    ("odd", "row.weight = 4x1x1x5", "differs", "ours is 1x4x1x5"),
    ("odd", "whole.output = 32", "exact", ""),
    ("odd", "whole.output = 1x32", "exact", ""),
    ("alexnet", "conv1.weight = 11x11x3x96", "exact", "printed kernel x channels x filters"),
    ("alexnet", "conv1.weight = 3x11x11x96", "differs", "ours is 96x3x11x11"),
    ("alexnet", "conv1.weight = 3x11x11", "differs", "ours is 96x3x11x11"),
    # counts and ratios
    ("alexnet", "conv1.neurons = 55x55x96", "exact", ""),
    ("alexnet", "conv1.height = 55x55", "differs", "55x55 is 3,025; printed is 2,970 more"),
    ("alexnet", "conv1.neurons = 0:3", "differs", NO + "'0:3' is not a number; ours is 290,400"),
    ("alexnet", "conv1.groups = one", "differs", NO + "'one' is not a number; ours is 1"),
    ("alexnet", "fc6.share = 61.93", "rounds", ""),
    ("alexnet", "fc6.share = 61.93 %", "rounds", ""),
    ("alexnet", "fc6.share > 60 %", "holds", ""),
    ("alexnet", "fc6.share < 60", "differs", "61.9"),
    ("alexnet", "conv1.share = 90 %", "differs", "printed is"),
    ("alexnet", "fc6.parameters / parameters = 1/2", "differs", "printed is"),
    ("alexnet", "conv2.groups / conv2.padding / 2 = 1/2", "exact", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "claim", "status", "detail"), PAIRS, ids=[p[1] for p in PAIRS])
def test_a_value_beside_a_figure(name: str, claim: str, status: str, detail: str) -> None:
    (verdict,) = check(counted(name), [claim])
    assert (verdict.status, verdict.tallies) == (status, status != "differs")
    assert detail in verdict.detail
    assert "True" not in verdict.ours_shown
    explained = explain(counted(name), claim, pairs=10)
    assert explained.verdict.status == status


numbers = st.integers(0, 99)


@given(st.integers(1, 3), numbers)
def test_one_number_stands_for_all_axes(axes: int, n: int) -> None:
    ours, sides = ByAxis((n,) * axes), Padding(((n, n),) * axes)
    for value in (ours, sides):
        for text in (f"{n}", "x".join([f"{n}"] * axes), f"{(n,) * axes}", f"{[n] * axes}"):
            assert compare(value, parse_printed(text))[0] == "exact"
        assert compare(value, parse_printed(f"{n + 1}"))[0] == "differs"


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=3))
def test_a_padding_tallies_as_it_is_shown(pairs: list[tuple[int, int]]) -> None:
    ours = Padding(pairs)
    texts = [shown_value(ours), str(tuple(pairs)), str([list(pair) for pair in pairs])]
    texts.append("x".join(f"{before}:{after}" for before, after in pairs))
    for text in texts:
        assert compare(ours, parse_printed(text)) == ("exact", "")
    first, last = pairs[0]
    other = Padding([(first, last + 1), *pairs[1:]])
    assert compare(other, parse_printed(texts[1]))[0] == "differs"


@given(st.lists(numbers, min_size=2, max_size=4), st.lists(numbers, min_size=2, max_size=4))
def test_sizes_by_axis_are_no_other_sizes(ours: list[int], printed: list[int]) -> None:
    text = "x".join(map(str, printed))
    for value in (ByAxis(ours), Sizes(ours)):
        status = compare(value, parse_printed(text))[0]
        if len(ours) == len(printed) and isinstance(value, ByAxis):
            assert (status == "exact") == (ours == printed)
        elif ours == printed:
            assert status == "exact"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ByAxis((4, 4)), "4x4"),
        (ByAxis((0.5, 1)), "0.5x1"),
        (Padding(((0, 3), (1, 1))), "0:3x1"),
        (Flag(True), "yes"),
        (Flag(False, Sizes((3,))), "no"),
        (PerCent(57.26), "57.26"),
        (None, "unknown"),
        (Sizes((2048, 7)), "2048x7"),
        (10**70, "1.000e+70"),
        (10**59, f"{10**59:,}"),
    ],
)
def test_a_value_for_people(value: object, text: str) -> None:
    assert shown_value(value) == text  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("left", "sign", "right", "result"),
    [
        (10**400, "/", 10**399, 10.0),
        (10**400, "/", 2, 5 * 10**399),
        (10**400, "*", 0.5, 5 * 10**399),
        (0.5, "-", 10**400, -(10**400) + 1),
        (1, "/", 10**400, 0.0),
        (3, "//", 2, 1),
        (3, "/", 2, 1.5),
        (1e308, "*", 10, 10 * int(1e308)),
    ],
)
def test_arithmetic_of_any_size(left: float, sign: str, right: float, result: float) -> None:
    value = compute(sign, left, right)
    assert value == result
    assert type(value) is type(result)


def test_what_rounding_up_hangs_over_is_a_padding() -> None:
    """The puzzle's best-known answer: 224 and a padding of 3. Rounding up has the same windows."""
    best = explain(counted("alexnet"), "conv1.padding = 3").found[0]
    assert best.text == (
        "conv1: the padding that gives the same windows without rounding up, in all "
        "(0 before, 3 after)"
    )
    assert best.effects == ("at conv1: the division comes out even", "no other layer changes")
    assert (best.ours, best.status) == (3, "exact")
    behind = explain(counted("alexnet"), "conv1.padding = 0:3").found[0]
    assert behind.text == "conv1: the padding that gives the same windows without rounding up"
    both = explain(counted("alexnet"), "conv2.padding = 4").found[0]
    assert both.text == "conv2: the padding of both sides together (2 + 2)"
    total = explain(counted("odd"), "behind.padding = 1").found[0]
    assert total.text == "behind: the padding of both sides together (0 + 1)"
    uneven = explain(counted("odd"), "conv.padding = 3").found
    assert not any("together" in each.text or "in all" in each.text for each in uneven)


def test_a_tally_with_its_working_is_judged_the_same() -> None:
    working = nettally.tally(nettally.read("alexnet"), working=True)
    claims = ["conv1.neurons / 2 = 145,200", "conv1.neurons * 0.5 = 145,200", "fc6.share = 61.93"]
    claims += ["conv1.neurons = 28.5 %", "conv1.neurons > 0.5", "conv1.output = 54x54"]
    claims += ["log2(fc8.neurons) = 10", "conv1.height * conv1.width = 55x55"]
    verdicts = check(working, claims)
    plain = check(counted("alexnet"), claims)
    assert [(v.status, v.detail) for v in verdicts] == [(v.status, v.detail) for v in plain]


def test_only_a_field_of_a_layer_is_a_word() -> None:
    for claim in ("accuracy = high", "conv1.neurons = lots", "output = up", "conv1.height = up"):
        (verdict,) = check(counted("alexnet"), [claim])
        assert verdict.status == "invalid"
        assert verdict.detail.startswith("this is not a figure")


@pytest.mark.parametrize("text", ["up", "0:3", "1/2"])
def test_what_is_exact_says_so(text: str) -> None:
    printed = parse_printed(text, words=True)
    assert printed.why == "it is exact"
    assert not printed.is_exact  # to the last digit of a whole number, which it is not
    assert parse_printed("253,440").is_exact


def test_values_for_programs() -> None:
    """A number where one number is printed, lists for the rest; no interval where there is none."""
    claims = ["conv1.stride = 4", "conv1.kernel = 3x3", "conv1.padding = 0:3", "conv1.bias = no"]
    claims += ["conv1.rounding = up", "conv1.output = 54x54"]
    verdicts = check(counted("alexnet"), claims)
    written = json.loads(check_json("alexnet", "a work", verdicts))["verdicts"]
    ours = [verdict["ours"] for verdict in written]
    assert ours == [4, [11, 11], [[0, 0], [0, 0]], True, "up", [96, 55, 55]]
    printed = [verdict["claim"]["printed"] for verdict in written]
    assert [each["value"] for each in printed] == [4, 9, None, None, None, 54 * 54]
    assert [each["low"] for each in printed[2:5]] == [each["high"] for each in printed[2:5]]
    rows = list(csv.DictReader(check_csv(verdicts).splitlines()))
    assert [row["ours"] for row in rows] == ["4", "11x11", "0x0", "yes", "up", "96x55x55"]
    assert [row["printed_value"] for row in rows] == ["4", "3x3", "0:3", "no", "up", "54x54"]
    assert [row["low"] for row in rows] == ["3.5", "", "", "", "", ""]


def test_the_tables_own_stride_and_kernel() -> None:
    cells = {
        (line.label, name): COLUMNS[name].cell(counted("odd"), line)
        for line in lines(counted("odd"))
        for name in ("kernel", "stride", "effective_stride", "weight")
    }
    assert cells["conv", "stride"] == "1x2"
    assert cells["pool", "stride"] == "2"
    assert cells["pool", "effective_stride"] == "2x4"
    assert cells["pool", "kernel"] == "2x2"
    assert cells["norm", "kernel"] == ""
    assert cells["conv", "weight"] == "4x3x3x5"


def test_a_formula_of_many_layers_is_searched_within_bounds() -> None:
    names = [row.name for row in counted("resnet-50").rows if row.node.layer.kind == "conv"]
    product = " * ".join(f"{name}.macs" for name in names)
    tried = explain(counted("resnet-50"), f"{product} = 5e60").tried
    assert tried[1].endswith("pairs of them: the least surprising; the rest was not tried")
    assert int(tried[1].split()[0].replace(",", "")) < 200
