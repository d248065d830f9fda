"""What holds of every explanation: its figure is what the edited network gives, and the rest."""

from __future__ import annotations

from functools import cache
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nettally
from nettally.claims.claim import Claim, parse_claim
from nettally.claims.comparison import compare
from nettally.claims.printed import parse_printed
from nettally.counting.quantities import SUMS, measure
from nettally.counting.tally import Tally, retally, tally
from nettally.errors import LayerError
from nettally.explaining import explain
from nettally.explaining.edits import Edit, field_edits
from nettally.explaining.proofs import factorised
from nettally.explaining.recount import Recount
from nettally.explaining.search import Target, Trial, search
from nettally.explaining.slips import digit_slips, replaced_factors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nettally.network import Layer

TRUE = {"exact", "rounds", "truncates"}

ASKED = [
    ("alexnet", "conv1.neurons = 253,440"),
    ("alexnet", "macs = 1.14G"),
    ("alexnet-torchvision", "conv1.output = 54x54"),
    ("alexnet-torchvision", "macs = 0.72 G"),
    ("squeezenet-1.0", "conv10.output = 13x13x1000 (HWC)"),
    ("resnet-18", "macs = 1.82G"),
    ("googlenet", "inception_4a.parameters = 372K"),
    ("mobilenet-v1", "parameters = 4.24 million"),
    ("alexnet-tf-slim", "conv2.neurons = 139,968"),
]


@cache
def counted(name: str) -> Tally:
    return nettally.tally(nettally.read(name))


@cache
def tried(name: str, text: str) -> tuple[Claim, Trial]:
    claim = parse_claim(text)
    return claim, search(counted(name), claim, claim.value(counted(name)), 2000)[1]


def edited(base: Tally, edits: Iterable[Edit]) -> Tally:
    """The network built anew with the edits, and all of it counted.

    Where a padding is a rule ("same"), the other way of counting anew: with one pass over it all.
    """
    changes: dict[str, Layer] = {}
    inputs: Any = None
    for edit in edits:
        changes.update(edit.changes)
        inputs = edit.inputs or inputs
    if any("padding" in node.written for node in base.network.nodes):
        return retally(base, changes, inputs)
    network = base.network.edit(changes)
    return tally(network.replace(inputs=inputs) if inputs else network, base.accounting)


@pytest.mark.parametrize(("name", "text"), ASKED)
def test_a_hits_figure_is_what_the_edited_network_gives(name: str, text: str) -> None:
    claim, trial = tried(name, text)
    base = counted(name)
    fields = [hit for hit in trial.hits if all(edit.kind == "field" for edit in hit.edits)]
    for hit in fields[:60]:
        assert claim.value(edited(base, hit.edits)) == hit.value, hit.edits
        assert compare(hit.value, claim.printed)[0] == hit.status
        assert hit.status in TRUE


@pytest.mark.parametrize(("name", "text"), ASKED)
def test_no_hit_contains_a_smaller_one(name: str, text: str) -> None:
    _, trial = tried(name, text)
    alone = {hit.edits[0].text for hit in trial.hits if len(hit.edits) == 1}
    pairs = [hit.edits for hit in trial.hits if len(hit.edits) == 2]
    assert not [pair for pair in pairs if alone & {edit.text for edit in pair}]


@pytest.mark.parametrize(("name", "text"), ASKED[:6])
def test_the_least_surprising_come_first(name: str, text: str) -> None:
    _, trial = tried(name, text)
    bits = [hit.bits for hit in trial.hits]
    assert bits == sorted(bits)
    chances = [trial.chance(b) for b in bits]
    assert chances == sorted(chances)
    assert all(0 <= chance <= 1 for chance in chances)


def test_the_search_is_the_same_each_time() -> None:
    for name, text in ASKED[:4]:
        base = counted(name)
        once, again = (explain(base, text, pairs=1500) for _ in range(2))
        assert once == again
        fresh = nettally.tally(nettally.read(name))
        assert [e.text for e in explain(fresh, text, pairs=1500).found] == [
            e.text for e in once.found
        ]


def test_pairs_are_all_tried_or_it_is_said() -> None:
    claim, trial = tried("alexnet", "conv1.neurons = 253,440")
    complete = search(counted("alexnet"), claim, 290_400)[1]
    assert complete.complete
    assert trial.complete == (trial.pairs < 2000)
    bounded = search(counted("alexnet"), claim, 290_400, 10)[1]
    assert (bounded.pairs, bounded.complete) == (10, False)
    assert bounded.singles == complete.singles


def test_two_edits_of_one_thing_are_never_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two would not count, and the text would say that it did."""
    pairs: list[tuple[Edit, ...]] = []
    plain = Target.measure

    def spy(figure: Target, edits: tuple[Edit, ...]) -> Any:
        if len(edits) == 2:
            pairs.append(edits)
        return plain(figure, edits)

    monkeypatch.setattr(Target, "measure", spy)
    search(counted("alexnet"), parse_claim("conv1.macs = 253,441"), 105_415_200, 3000)
    assert len(pairs) > 1000
    assert not [pair for pair in pairs if pair[0].touches & pair[1].touches]
    inputs = [pair for pair in pairs if pair[0].inputs and pair[1].inputs]
    assert not inputs


def test_an_exact_figure_is_evidence_and_a_round_one_is_not() -> None:
    """The same network and edits; what is printed to a place tells more, or less."""
    chances: list[float] = []
    for text in ("61,100,840", "61.10 M", "61.1 M", "61 M", "about 60 million"):
        claim = parse_claim(f"parameters = {text}")
        trial = search(counted("alexnet"), claim, 60_965_224, 0)[1]
        chances.append(trial.chance(9.0))
    assert chances == sorted(chances)
    assert chances[0] < 0.001
    assert chances[-1] > 0.3


RECOUNTED = ("alexnet", "alexnet-torchvision", "resnet-18", "googlenet", "mobilenet-v1", "u-net")


@cache
def edits_of(name: str) -> tuple[Recount, list[Edit]]:
    base = counted(name)
    near = frozenset(row.name for row in base.rows)
    return Recount(base), list(field_edits(base, near, ""))


@given(st.sampled_from(RECOUNTED), st.data())
@settings(max_examples=100)
def test_recounting_is_counting(name: str, data: st.DataObject) -> None:
    """Counting again what lies downstream of any edits gives what counting everything gives."""
    recount, edits = edits_of(name)
    chosen: list[Edit] = []
    for _ in range(data.draw(st.integers(1, 3))):
        edit = edits[data.draw(st.integers(0, len(edits) - 1))]
        if not any(edit.touches & other.touches for other in chosen):
            chosen.append(edit)
    changes: dict[str, Layer] = {}
    inputs: Any = None
    for edit in chosen:
        changes.update(edit.changes)
        inputs = edit.inputs or inputs
    try:
        whole = edited(recount.base, chosen)
    except LayerError:
        with pytest.raises(LayerError):
            recount.rows(changes, inputs)
        return
    changed = recount.rows(changes, inputs)
    again = recount.tally(changed, inputs)
    assert [row.shape for row in again] == [row.shape for row in whole]
    for quantity in SUMS:
        assert measure(again, "", quantity) == measure(whole, "", quantity)
    assert again.network.inputs == whole.network.inputs
    for i, row in enumerate(again.rows):
        if i not in changed:
            assert row is recount.base.rows[i]


def test_same_padding_is_worked_out_again() -> None:
    base = counted("alexnet-tf-slim")
    assert any(node.written.get("padding") == "same" for node in base.network.nodes)
    ((name, (batch, channels, *_)),) = base.network.inputs.items()
    for size in (227, 231, 299):
        inputs = {name: (batch, channels, size, size)}
        recount = Recount(base)
        shapes = [row.shape for row in recount.tally(recount.rows({}, inputs), inputs)]
        assert shapes == [row.shape for row in base.at(inputs[name])]


def test_edits_are_in_the_networks_own_words() -> None:
    for name in RECOUNTED:
        recount, edits = edits_of(name)
        names = set(recount.index)
        assert len({edit.text for edit in edits}) == len(edits)
        for edit in edits:
            assert set(edit.changes) <= names
            assert bool(edit.changes) != bool(edit.inputs)
            assert edit.bits > 3
            assert edit.kind == "field"
            for node, layer in edit.changes.items():
                assert layer != recount.base.network[node].layer


# Slips of the pen.
factors = st.lists(st.integers(1, 60), min_size=2, max_size=4)


@given(factors, st.integers(0, 3), st.integers(1, 400))
def test_replaced_factors_are_all_there_are(shown: list[int], place: int, other: int) -> None:
    shown_factors = tuple(shown)
    right = shown[place % len(shown)]
    target = prod(shown) // right * other
    assume(target % 10 and target != prod(shown))
    found = {
        (f.right, f.wrong) for f in replaced_factors(shown_factors, parse_printed(f"{target}"))
    }
    brute = {
        (factor, wrong)
        for factor in shown
        for wrong in range(1, target + 1 if target < 2000 else 0)
        if prod(shown) // factor * wrong == target
    }
    assert (right, other) in found
    assert brute <= found
    for factor, wrong in found:
        assert prod(shown) // factor * wrong == target


def test_of_a_rounded_figure_only_neighbours_are_tried() -> None:
    """Almost any number would do for one factor; the one beside it is a hypothesis still."""
    found = list(replaced_factors((55, 55, 48, 2), parse_printed("253K")))
    assert [(each.right, each.wrong, each.beside) for each in found] == [(55, 48, True)]


@pytest.mark.parametrize(
    ("ours", "printed", "text"),
    [
        (290_400, "290,400", None),
        (290_400, "290,400,000", "a slip of 10^3: 290,400 with the point in another place"),
        (290_400, "2904", "a slip of 10^-2: 290,400 with the point in another place"),
        (264_384, "26,384", "a digit lost: the 4 of 264,384"),
        (264_384, "2,644,384", "a digit doubled: the 4"),
        (264_384, "2,641,384", "a digit too many: the 1"),
        (264_384, "264,348", "two digits swapped: 84 of 264,384"),
        (264_384, "264,984", "one digit: 9 for the 3 of 264,384"),
        (264_384, "264,996", None),
        (61_100_840, "61.1 billion", "a slip of 10^3: 61,100,840 with the point in another place"),
        (264_384, "26K", "a slip of 10^-1: 264,384 with the point in another place"),
        (0, "5", None),
    ],
)
def test_slips_of_digits(ours: int, printed: str, text: str | None) -> None:
    found = [edit.text for edit in digit_slips(ours, parse_printed(printed))]
    assert found == ([] if text is None else [text])


@given(st.integers(10**3, 10**9), st.integers(0, 8), st.integers(1, 9))
def test_one_digit_is_found_wherever_it_is(n: int, place: int, more: int) -> None:
    digits = list(str(n))
    place %= len(digits)
    digits[place] = str((int(digits[place]) + more) % 10)
    text = "".join(digits)
    assume(text[0] != "0" and text[-1] != "0")  # a zero at the end may be rounding
    assert any("one digit" in edit.text for edit in digit_slips(n, parse_printed(text)))


@given(st.integers(2, 10**7))
def test_a_number_is_the_product_of_its_primes(n: int) -> None:
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    value = 1
    for part in factorised(n).split("·"):
        base = "".join(c for c in part if c.isascii())
        power = int("".join(c for c in part if not c.isascii()).translate(digits) or 1)
        prime = int(base)
        assert all(prime % d for d in range(2, isqrt(prime) + 1))
        value *= prime**power
    assert value == n


def test_a_number_too_large_is_not_factorised() -> None:
    assert factorised(10**12 + 1) == ""
    assert factorised(1) == ""


def test_proofs_tell_what_no_size_can_give() -> None:
    base = counted("alexnet")
    not_multiple = explain(base, "conv1.neurons = 253,441", pairs=0).proofs
    assert any("253,441 is not a multiple of 96" in proof for proof in not_multiple)
    square = explain(base, "conv1.neurons = 279,936", pairs=0).proofs  # 54·54·96
    assert not any("square" in proof for proof in square)
    assert explain(base, "conv1.neurons = 253K", pairs=0).proofs == ()
    assert explain(base, "conv1.macs = 105,415,201", pairs=0).proofs == ()
