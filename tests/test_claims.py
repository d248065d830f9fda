"""Claims are read, and judged: each row of the paper's table has the verdict that it deserves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nettally
from nettally.claims.check import check, judge
from nettally.claims.claim import Claim, load, parse_claim
from nettally.claims.comparison import compare, difference, shown_value
from nettally.claims.printed import parse_printed
from nettally.counting.values import Shape
from nettally.errors import ClaimError
from nettally.formats import Source
from nettally.formats.native import read
from nettally.formats.zoo import claims_path

if TYPE_CHECKING:
    from nettally.counting.tally import Tally


@pytest.fixture(scope="module")
def alexnet() -> Tally:
    return nettally.tally(nettally.read("alexnet"))


# The table of the paper's claims: what is said, the verdict, and what the verdict says.
PAPER = [
    ("parameters = 60 million", "truncates", "it rounds to 61,000,000"),
    ("neurons = 650,000", "truncates", "it rounds to 660,000"),
    ("count(conv) = 5", "exact", ""),
    ("count(linear) = 3", "exact", ""),
    ("fc8.neurons = 1000", "exact", ""),
    (
        "every conv*.parameters / parameters <= 1 %",
        "differs",
        "not for conv3 (1.452 %), conv4 (1.089 %)",
    ),
    ("fc6.parameters / parameters > 50 %", "holds", ""),
    ("conv1.kernel_volume = 11x11x3", "exact", ""),
    ("conv2.kernel_volume = 5x5x48", "exact", ""),
    ("conv3.kernel_volume = 3x3x256", "exact", ""),
    ("conv4.kernel_volume = 3x3x192", "exact", ""),
    ("conv5.kernel_volume = 3x3x192", "exact", ""),
    ("input.values = 150,528", "exact", ""),
    (
        "conv1.neurons = 253,440",
        "differs",
        "printed is 36,960 less than ours, 0.8727 times it (48/55)",
    ),
    ("conv2.neurons = 186,624", "exact", ""),
    ("conv3.neurons = 64,896", "exact", ""),
    ("conv4.neurons = 64,896", "exact", ""),
    ("conv5.neurons = 43,264", "exact", ""),
    ("fc6.neurons = 4096", "exact", ""),
    ("fc7.neurons = 4096", "exact", ""),
    ("conv1.output = 55x55", "exact", "its space; 96 channels"),
    (
        "(conv1.height - 2 + 1) // 2 + 1 - pool1.height = 0",
        "differs",
        "is 1 less than ours",
    ),
    ("log2(fc8.neurons) = 10", "rounds", "rounded to 1"),
    ("(256 - input.width) * (256 - input.width) * 2 = 2048", "exact", ""),
    ("conv1.filters = 96", "exact", ""),
    ("conv1.channels / 2 = 48", "exact", ""),
]


@pytest.mark.parametrize(("text", "status", "detail"), PAPER, ids=[row[0] for row in PAPER])
def test_the_papers_claims(alexnet: Tally, text: str, status: str, detail: str) -> None:
    (verdict,) = check(alexnet, [text])
    assert verdict.status == status
    assert detail in verdict.detail
    assert verdict.tallies == (status != "differs")


def test_the_zoos_file_says_the_same(alexnet: Tally) -> None:
    path = claims_path("alexnet")
    assert path is not None
    claims = load(path)
    assert "Krizhevsky" in claims.work
    verdicts = {verdict.claim.text: verdict for verdict in check(alexnet, claims)}
    for text, status, detail in PAPER:
        assert text in verdicts, "a row of the table is not in the file"
        assert verdicts[text].status == status
        assert detail in verdicts[text].detail
    assert verdicts["conv1.neurons = 253,440"].claim.place.startswith("figure 2")
    measured = [verdict for verdict in verdicts.values() if verdict.claim.measured]
    assert len(measured) > 5
    assert {(v.status, v.ours, v.detail) for v in measured} == {
        ("unknown", None, "measured: it cannot be derived")
    }


def test_only_these_layers_hold_more_than_one_percent(alexnet: Tally) -> None:
    claim = parse_claim("every conv*.parameters / parameters <= 1 %")
    shares = {f"conv{i}": float(claim.value(alexnet, f"conv{i}")) for i in range(1, 6)}
    assert {name for name, share in shares.items() if share > 0.01} == {"conv3", "conv4"}
    assert f"{100 * shares['conv3']:.3f}, {100 * shares['conv4']:.3f}" == "1.452, 1.089"
    assert (
        judge(alexnet, parse_claim("every conv*.parameters / parameters <= 2 %")).status == "holds"
    )


def test_ten_bits_are_a_little_less(alexnet: Tally) -> None:
    ours = parse_claim("log2(fc8.neurons) = 10").value(alexnet)
    assert shown_value(ours) == "9.966"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("conv1.neurons >= 1M", "differs"),
        ("conv1.neurons ≥ 290,400", "holds"),
        ("conv1.neurons > 290,400", "differs"),
        ("conv1.neurons < 1M", "holds"),
        ("conv1.neurons ≤ 290,400", "holds"),
        ("conv1.neurons ~ 290K", "rounds"),
        ("conv1.neurons ≈ 0.3 million", "rounds"),
        ("every conv[345].height = 13", "exact"),
        ("every conv*.height = 13", "differs"),
        ("conv1.rounding = 3", "differs"),
        ("conv1.neurons = 55x55", "differs"),
        ("accuracy = 57 %", "unknown"),
        ("conv1.latency = 3", "unknown"),
    ],
)
def test_relations(alexnet: Tally, text: str, status: str) -> None:
    assert judge(alexnet, parse_claim(text)).status == status


@pytest.mark.parametrize(
    ("ours", "text", "status", "detail"),
    [
        ((96, 55, 55), "55x55", "exact", "its space; 96 channels"),
        ((96, 55, 55), "96x55x55", "exact", ""),
        ((96, 55, 55), "96@55x55", "exact", ""),
        ((96, 55, 55), "55x55x96", "exact", "printed height x width x channels"),
        ((96, 55, 55), "55x55x96 (HWC)", "exact", ""),
        ((96, 55, 55), "96x55x55 (HWC)", "differs", "ours is 96x55x55"),
        ((96, 55, 55), "55x55x96 (CHW)", "differs", "ours is 96x55x55"),
        ((96, 55, 55), "54x54", "differs", "ours is 96x55x55"),
        ((1000,), "1x1x1000", "exact", ""),
        ((4096,), "4096", "exact", ""),
        ((4096,), "4097", "differs", "ours is 4,096"),
    ],
)
def test_shapes(ours: tuple[int, ...], text: str, status: str, detail: str) -> None:
    assert compare(Shape(ours), parse_printed(text)) == (status, detail)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("conv1.neurons", "a claim needs =, <, <=, > or >=", "as in conv1.neurons = 253,440"),
        ("= 5", "a claim needs a quantity left of its relation", ""),
        ("conv1.neurons = lots", "this is not a figure", "60 million"),
        ("every conv1 = 5", "'every' needs one pattern of names", "every conv*.parameters"),
        ("every conv*.neurons + fc*.neurons = 3", "'every' needs one pattern of names", ""),
        ("(conv1.neurons = 3", "this parenthesis is never closed", ""),
        ("conv1.neurons ! = 3", "an operator is missing here", ""),
    ],
)
def test_what_is_no_claim(text: str, what: str, hint: str) -> None:
    with pytest.raises(ClaimError) as caught:
        parse_claim(text, where="claims.yaml:7")
    assert caught.value.what == what
    assert caught.value.where == "claims.yaml:7"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("conv9.neurons = 3", "alexnet has no layer or module 'conv9'", "did you mean 'conv"),
        ("conv1.neurns = 3", "conv1 has no 'neurns'", "did you mean 'neurons'?"),
        ("conv1.depth = 3", "conv1 has no depth", "one of output, channels, height, width"),
        ("conv1.neurons / 0 = 5", "a division by zero", ""),
        ("conv1.output + 1 = 3", "a shape or a word can't be computed with", ""),
        (
            "sqrt(conv1.neurons) = 3",
            "there is no function 'sqrt'",
            "one of count, kv_cache, kv_cache_values, log2",
        ),
        ("count(3) = 1", "count takes the name of a kind of layer", "count(conv)"),
        ("log2(0) = 1", "log2 needs a positive number", ""),
        ("conv1. + 1 = 3", "a quantity is missing after the dot", ""),
        ("every zzz*.neurons = 5", "no layer matches 'zzz*'", ""),
    ],
)
def test_what_is_about_nothing(alexnet: Tally, text: str, what: str, hint: str) -> None:
    with pytest.raises(ClaimError) as caught:
        judge(alexnet, parse_claim(text))
    assert caught.value.what == what
    assert hint in caught.value.hint


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_claims(tmp_path: Path, alexnet: Tally) -> None:
    path = written(
        tmp_path,
        """\
nettally: 1
work: A paper
claims:
  - parameters = 60 million
  - claim: conv1.parameters = 34.1K
    quote: 34.1K
    place: table 1
    thousand: 1024
    work: Another paper
  - claim: parameters = 60,965,224
    accounting: keras
    note: no statistics here
  - claim: conv1.output = 54x54
    input: 3x220x220
  - claim: top1_error = 37.5 %
    measured: true
""",
    )
    claims = load(path)
    assert (claims.work, claims.source) == ("A paper", path)
    first, second, third, fourth, fifth = claims.claims
    assert (first.work, first.source and first.source.line) == ("A paper", 4)
    assert (second.work, second.place, second.quote) == ("Another paper", "table 1", "34.1K")
    assert second.printed.value == pytest.approx(34.1 * 1024)
    assert (third.accounting, third.note) == ("keras", "no statistics here")
    assert fourth.input == (1, 3, 220, 220)
    assert fifth.measured
    assert [v.status for v in check(alexnet, claims)] == [
        "truncates", "rounds", "exact", "exact", "unknown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("claims:\n  - claim: a = 1\n    plaze: 3\n", 3, "a claim has no 'plaze'"),
        ("claims:\n  - claim: a = 1\n    place: [3]\n", 3, "'place' is one piece of text"),
        ("claims:\n  - place: table 1\n", 2, "a claim without 'claim:'"),
        ("claims:\n  - [a]\n", 2, "a claim is a line, or 'claim:' with its place"),
        ("claims:\n  - claim: a = 1\n    thousand: 12\n", 2, "thousand is 1000 or 1024"),
        ("claims:\n  - claim: a = 1\n    input: 3xx\n", 2, "this is no size of an input"),
        ("claims:\n  - claim: a = 1\n    measured: yes\n", 2, "measured is true or false"),
        ("claims:\n\n  - neurons = few\n", 3, "this is not a figure"),
    ],
)
def test_a_broken_claim_says_where(
    tmp_path: Path, alexnet: Tally, text: str, line: int, what: str
) -> None:
    """It stands among the others with its error, and the one behind it is judged."""
    path = written(tmp_path, text + "  - parameters = 60,965,224\n")
    claims = load(path)
    broken, sound = claims.claims
    assert broken.error is not None
    assert (broken.error.what, broken.error.where) == (what, f"{path}:{line}")
    verdicts = check(alexnet, claims)
    assert [verdict.status for verdict in verdicts] == ["invalid", "exact"]
    assert verdicts[0].error is broken.error
    assert sound.error is None


def test_what_is_no_file_of_claims(tmp_path: Path) -> None:
    path = written(tmp_path, "name: net\n")
    with pytest.raises(ClaimError, match="this is no file of claims") as caught:
        load(path)
    assert caught.value.where == path


def test_the_name_of_a_field_is_suggested(tmp_path: Path) -> None:
    (claim,) = load(written(tmp_path, "claims:\n  - claim: a = 1\n    plaze: 3\n")).claims
    assert claim.error is not None
    assert claim.error.hint == "did you mean 'place'?"


def test_what_is_not_known_is_no_lie() -> None:
    source = b"""\
nettally: 1
name: unknown
input: 3x8x8
layers:
  - conv1: conv 4, 3x3
  - odd: opaque Odd, size 4x6x6
  - fc: linear 10
"""
    counted = nettally.tally(read(Source("unknown.yaml", source)))
    known = counted.parameters
    assert not counted.complete
    verdict = judge(counted, parse_claim(f"parameters = {known + 1000}"))
    assert (verdict.status, verdict.detail) == (
        "unknown",
        "at least this: some layers are not known",
    )
    assert judge(counted, parse_claim(f"parameters = {known - 1000}")).status == "differs"
    assert judge(counted, parse_claim("conv1.parameters = 99")).status == "differs"
    assert judge(counted, parse_claim("output = 11x11")).status == "differs"  # no sum grows it
    assert judge(counted, parse_claim("effective_stride = 99")).status != "exact"


def test_the_working_of_a_verdict(alexnet: Tally) -> None:
    verdict = judge(alexnet, parse_claim("conv1.neurons = 253,440"))
    assert verdict.working == (
        "55 · 55 · 48 · 2 = 290,400, where 55 = ⌈(224 - 11) / 4⌉ + 1, "
        "rounded up: the last window hangs 3 pixels over the edge"
    )
    assert judge(alexnet, parse_claim("conv1.biases = 96")).working.endswith("= 96")
    assert judge(alexnet, parse_claim("parameters = 60 million")).working == ""


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_a_difference_gives_its_factor_exactly(ours: int, printed: int) -> None:
    text = difference(ours, printed)
    assert f"{abs(ours - printed):,} {'more' if printed > ours else 'less'} than ours" in text
    if "(" in text:
        over, under = map(int, text.rpartition("(")[2].rstrip(")").split("/"))
        assert over * ours == under * printed


@given(st.integers(1, 10**15))
def test_our_own_figure_is_exact(n: int) -> None:
    claim = parse_claim(f"x = {n:,}")
    assert isinstance(claim, Claim)
    assert compare(n, claim.printed)[0] == "exact"
    assert claim.reference == ("", "x")
