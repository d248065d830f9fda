"""Numbers with their working: the working is kept, tells the number, and reads as arithmetic."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettally.arith import (
    CeilDiv,
    Difference,
    FloorDiv,
    Named,
    Num,
    Product,
    Sum,
    ceildiv,
    factors,
    formula,
    plain,
    product,
    show,
    total,
)
from nettally.counting.rows import named_shape
from nettally.counting.tally import tally
from nettally.layers import layer_class
from nettally.network import Network, Node
from strategies import CASES, Case


def evaluate(n: int) -> int:
    """The number that the working gives, without a look at the number itself."""
    if not isinstance(n, Num):
        return int(n)
    match n.how:
        case Named():
            return int(n)
        case Sum(terms=terms):
            return sum(evaluate(term) for term in terms)
        case Difference(left=left, right=right):
            return evaluate(left) - evaluate(right)
        case Product(factors=members):
            return math.prod(evaluate(member) for member in members)
        case FloorDiv(left=left, right=right):
            return math.floor(Fraction(evaluate(left), evaluate(right)))
        case CeilDiv(left=left, right=right):
            return math.ceil(Fraction(evaluate(left), evaluate(right)))


def read(text: str) -> Fraction:
    """The value of a shown formula, by Python's own rules of precedence."""
    text = text.replace(",", "").replace("·", "*").replace("⌉", "))").replace("⌋", "))")
    text = re.sub(r"\d+", lambda digits: f"Fraction({digits[0]})", text)
    text = text.replace("⌈", "Fraction(ceil(").replace("⌊", "Fraction(floor(")
    return eval(text, {"Fraction": Fraction, "ceil": math.ceil, "floor": math.floor})


@st.composite
def nums(draw: Any, depth: int = 4) -> int:
    """A number made by some steps of arithmetic; not below zero, as sizes are not."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        leaf = draw(st.integers(0, 300))
        return (
            Num(leaf, draw(st.sampled_from(("", "stride", "height"))))
            if draw(st.booleans())
            else leaf
        )
    left, right = draw(nums(depth - 1)), draw(nums(depth - 1))
    step = draw(st.sampled_from(("+", "-", "*", "//", "ceildiv", "sum", "product")))
    if step == "+":
        return left + right
    if step == "-":
        return left - right if left >= right else right - left
    if step == "*":
        return left * right
    if step == "sum":
        return total([left, right, 0, left])
    if step == "product":
        return product([left, 1, right])
    if right == 0:
        return left
    return left // right if step == "//" else ceildiv(left, right)


@given(nums())
def test_the_working_gives_the_number(n: int) -> None:
    assert evaluate(n) == int(n)


@given(nums(), st.integers(0, 5), st.booleans())
def test_a_shown_formula_reads_as_the_number(n: int, depth: int, names: bool) -> None:
    assert read(formula(n, depth=depth)) == int(n)
    named = re.sub(r"(stride|height) ", "", formula(n, names=names, depth=depth))
    assert read(named) == int(n)


@given(nums())
def test_each_step_of_the_working_is_the_same_number(n: int) -> None:
    steps = show(n).split(" = ")
    assert [read(step) for step in steps] == [int(n)] * len(steps)
    assert steps[-1] == f"{int(n):,}"
    assert len(set(steps)) == len(steps)


def test_both_tests_above_can_fail() -> None:
    wrong = Num(7, Sum((Num(2, "a"), Num(3, "b"))))
    assert evaluate(wrong) != wrong
    assert read(formula(wrong)) != wrong


HEIGHT, KERNEL, STRIDE = Num(224, "height"), Num(11, "kernel"), Num(4, "stride")
SIDE = ceildiv(HEIGHT - KERNEL, STRIDE) + 1


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (5, "5"),
        (290400, "290,400"),
        (Num(290400, "neurons"), "290,400"),
        (SIDE, "⌈(224 - 11) / 4⌉ + 1 = ⌈213 / 4⌉ + 1 = 54 + 1 = 55"),
        ((HEIGHT - KERNEL) // STRIDE, "⌊(224 - 11) / 4⌋ = ⌊213 / 4⌋ = 53"),
        (Num(55, "") * Num(55, "") * Num(48, "") * Num(2, ""), "55 · 55 · 48 · 2 = 290,400"),
        ((HEIGHT + 0 - KERNEL) // Num(1, "stride") + 1, "224 - 11 + 1 = 213 + 1 = 214"),
        (HEIGHT * (STRIDE + 1), "224 · (4 + 1) = 224 · 5 = 1,120"),
        (HEIGHT - (KERNEL - STRIDE), "224 - (11 - 4) = 224 - 7 = 217"),
        (HEIGHT // (KERNEL * STRIDE), "⌊224 / (11 · 4)⌋ = ⌊224 / 44⌋ = 5"),
    ],
)
def test_the_working_is_shown_step_by_step(number: int, shown: str) -> None:
    assert show(number) == shown


def test_names_come_first_where_they_are_asked_for() -> None:
    assert show(SIDE, names=True).startswith("⌈(height 224 - kernel 11) / stride 4⌉ + 1 = ")
    assert show(7, names=True) == "7"


def test_sum_and_prod_keep_the_working() -> None:
    a, b = Num(3, "a"), Num(5, "b")
    for added in (sum([a, b]), total(iter([a, 0, b])), sum((0, a, b))):
        assert isinstance(added, Num)
        assert added.how == Sum((a, b))
    for multiplied in (math.prod([a, b]), product(iter([1, a, 1, b]))):
        assert isinstance(multiplied, Num)
        assert multiplied.how == Product((a, b))
    assert (type(total([])), total([]), type(product([])), product([])) == (int, 0, int, 1)
    assert type(total([1, 2])) is type(product([1, 2])) is int


def test_a_given_one_stays_in_the_product_and_a_bare_one_does_not() -> None:
    one = Num(1, "groups")
    assert formula(product([5, one, 1]), names=True) == "5 · groups 1"
    assert (one * 1) is one
    assert (1 * one) is one
    assert (0 + one) is one
    assert (one + 0) is one


@pytest.mark.parametrize(
    "operation",
    [
        operator.pow,
        operator.mod,
        divmod,
        operator.truediv,
        operator.lshift,
        operator.rshift,
        operator.and_,
        operator.or_,
        operator.xor,
    ],
)
def test_what_would_lose_the_working_is_refused(operation: Any) -> None:
    for left, right in ((Num(6, "a"), 2), (6, Num(2, "a")), (Num(6, "a"), Num(2, "b"))):
        with pytest.raises(TypeError, match="would lose a Num's working; use"):
            operation(left, right)


@pytest.mark.parametrize("operation", [operator.neg, operator.invert])
def test_signs_that_would_lose_the_working_are_refused(operation: Any) -> None:
    with pytest.raises(TypeError, match="would lose a Num's working; use"):
        operation(Num(6, "a"))


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.floordiv])
def test_a_num_goes_with_numbers_only(operation: Any) -> None:
    for left, right in ((Num(6, "a"), {}), ({}, Num(6, "a"))):
        with pytest.raises(TypeError, match="unsupported operand"):
            operation(left, right)


def test_a_num_is_an_int_in_all_other_ways() -> None:
    n = Num(6, "a")
    assert n == 6
    assert hash(n) == hash(6)
    assert [10, 20, 30][Num(1, "i")] == 20
    assert type(plain(n)) is int
    for twin in (copy.deepcopy(SIDE), pickle.loads(pickle.dumps(SIDE))):
        assert (twin, twin.how) == (SIDE, SIDE.how)


def test_factors_are_opened_down_to_what_was_given() -> None:
    filters = Num(48, "filters a column") * Num(2, "columns")
    assert factors(product([Num(55, ""), Num(55, ""), filters])) == (55, 55, 48, 2)
    assert factors(SIDE) == (55,)
    assert factors(7) == (7,)


# --- layers: the same code on Nums --------------------------------------------------------------


@pytest.mark.parametrize("kind", CASES)
def test_layers_count_alike_with_and_without_their_working(kind: str) -> None:
    @given(CASES[kind])
    def check(case: Case) -> None:
        layer, xs = case
        named, named_xs = layer.named(), tuple(named_shape(x) for x in xs)
        y, named_y = layer.shape(xs), named.shape(named_xs)
        pairs = [(y, named_y), (layer.work(xs, y), named.work(named_xs, named_y))]
        for tensors, named_tensors in (
            (layer.parameters(xs), named.parameters(named_xs)),
            (layer.buffers(xs), named.buffers(named_xs)),
        ):
            assert tensors.keys() == named_tensors.keys()
            pairs += [(tensors[name], named_tensors[name]) for name in tensors]
        for numbers, named_numbers in pairs:
            assert numbers == named_numbers
            assert numbers == tuple(map(evaluate, named_numbers))
            assert all(type(n) in (int, Num) for n in named_numbers)

    check()


@pytest.mark.parametrize("kind", CASES)
def test_networks_count_alike_with_and_without_their_working(kind: str) -> None:
    @given(CASES[kind])
    def check(case: Case) -> None:
        layer, xs = case
        inputs = {f"x{i}": x for i, x in enumerate(xs)}
        network = Network("one", inputs, (Node("node", layer, tuple(inputs)),))
        (row,), (worked,) = tally(network), tally(network, working=True)
        assert row == worked
        assert worked.work is not None
        assert tuple(map(evaluate, worked.work)) == row.work
        for name, shape in (worked.parameters or {}).items():
            assert tuple(map(evaluate, shape)) == (row.parameters or {})[name]

    check()


def one_layer(
    kind: str, x: tuple[int, ...], written: dict[str, int] | None = None, **fields: Any
) -> Any:
    node = Node("node", layer_class(kind)(**fields), ("x",), written=written or {})
    return tally(Network("one", {"x": x}, (node,)), working=True)


def test_the_working_of_a_convolution_takes_its_output_as_found() -> None:
    counted = one_layer("conv", (1, 3, 224, 224), filters=96, kernel=11, stride=4, rounding="up")
    row = counted["node"]
    assert show(row.shape[2]) == "⌈(224 - 11) / 4⌉ + 1 = ⌈213 / 4⌉ + 1 = 54 + 1 = 55"
    assert formula(row.work.macs) == "55 · 55 · 96 · 11 · 11 · 3"
    assert formula(row.work.macs, names=True) == (
        "height 55 · width 55 · filters 96 · kernel 11 · kernel 11 · channels 3"
    )
    assert formula(counted.parameters, names=True) == (
        "filters 96 · channels 3 · kernel 11 · kernel 11 + filters 96"
    )


def test_filters_stay_as_their_file_wrote_them() -> None:
    written = {"filters": Num(48, "a column") * Num(2, "columns")}
    fields: dict[str, Any] = {"kernel": 11, "stride": 4, "rounding": "up"}
    counted = one_layer("conv", (1, 3, 224, 224), written, filters=96, **fields)
    assert formula(counted["node"].work.macs) == "55 · 55 · 48 · 2 · 11 · 11 · 3"
    assert factors(counted.neurons) == (55, 55, 48, 2)


def test_weights_of_each_position_show_the_positions() -> None:
    counted = one_layer("local", (1, 3, 8, 7), filters=4, kernel=3)
    assert formula(counted.parameters, names=True).startswith("height 6 · width 5 · filters 4")


def test_a_batch_is_a_factor_of_the_work() -> None:
    counted = one_layer("linear", (128, 256, 6, 6), features=4096)
    assert formula(counted.macs, names=True) == (
        "batch 128 · features 4,096 · channels 256 · height 6 · width 6"
    )
    assert formula(counted.neurons, names=True) == "features 4,096"


def test_filters_of_a_table_have_a_name() -> None:
    counted = one_layer("conv_map", (1, 2, 6, 6), table=((0,), (0, 1)), kernel=5)
    assert formula(counted["node"].work.bias_adds, names=True).startswith("filters 2")
