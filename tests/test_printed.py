"""A printed figure stands for an interval, and our figure is judged by it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nettally.claims.comparison import compare
from nettally.claims.printed import Printed, amount, parse_printed
from nettally.errors import ClaimError

TRUE = {"exact", "rounds", "truncates"}

# text, value, one in the last printed place, the larger step that its zeros allow
NUMBERS = [
    ("60 million", 60_000_000, 1_000_000, None),
    ("60 million parameters", 60_000_000, 1_000_000, None),
    ("650,000", 650_000, 1, 10_000),
    ("253,440", 253_440, 1, None),
    ("253 440", 253_440, 1, None),
    ("60,000", 60_000, 1, 1_000),
    ("12,000", 12_000, 1, 1_000),
    ("1,600,000", 1_600_000, 1, 100_000),
    ("720 million", 720_000_000, 1_000_000, 10_000_000),
    ("800K", 800_000, 1_000, 10_000),
    ("120K", 120_000, 1_000, 10_000),
    ("90K", 90_000, 1_000, None),  # two digits are taken to be meant
    ("10M", 10_000_000, 1_000_000, None),
    ("1,000", 1_000, 1, None),
    ("2048", 2048, 1, None),
    ("10 bits", 10, 1, None),
    ("5.0e6", 5_000_000, 100_000, None),
    ("1.8×10^9", 1_800_000_000, 100_000_000, None),
    ("1.8 x 10^9", 1_800_000_000, 100_000_000, None),
    ("1.8×10⁹", 1_800_000_000, 100_000_000, None),
    ("3.8G", 3_800_000_000, 100_000_000, None),
    ("3.84 billion flops", 3_840_000_000, 10_000_000, None),
    ("5.3 Mio", 5_300_000, 100_000, None),
    ("2.27 Bn", 2_270_000_000, 10_000_000, None),
    ("350.0K", 350_000, 100, None),
    ("233 MB", 233_000_000, 1_000_000, None),
    ("1 %", 0.01, 0.01, None),
    ("37.5 %", 0.375, 0.001, None),
    ("61.9 percent", 0.619, 0.001, None),
    ("0.75", 0.75, 0.01, None),
    ("10⁻⁴", None, None, None),
    ("1e-4", 0.0001, 0.0001, None),
    ("0", 0, 1, None),
    ("1/2", 0.5, 0, None),  # a stride of half a pixel, as our own table has it
]


@pytest.mark.parametrize(("text", "value", "step", "coarse"), NUMBERS)
def test_the_number_and_its_last_place(
    text: str, value: float | None, step: float, coarse: int | None
) -> None:
    if value is None:  # a power of ten alone is no decimal figure
        with pytest.raises(ClaimError):
            parse_printed(text)
        return
    printed = parse_printed(text)
    assert (printed.value, printed.coarse) == (value, coarse)
    assert printed.step == pytest.approx(step)
    assert type(printed.value) is type(value)
    assert printed.text == text
    assert not printed.about


@pytest.mark.parametrize("word", ["about ", "~", "≈", "approx. ", "roughly ", "some ", "nearly "])
def test_about_is_kept_apart(word: str) -> None:
    printed = parse_printed(f"{word}4.1 billion")
    assert printed.about
    assert printed.value == 4_100_000_000
    assert compare(4_199_000_000, printed)[0] == "truncates"
    assert compare(4_001_000_000, printed) == ("rounds", "about")
    assert compare(4_001_000_000, parse_printed("4.1 billion"))[0] == "differs"


@pytest.mark.parametrize(
    ("text", "shape", "order"),
    [
        ("55x55", (55, 55), ""),
        ("55 × 55", (55, 55), ""),
        ("11×11×3", (11, 11, 3), ""),
        ("6@28x28", (6, 28, 28), "CHW"),
        ("28x28x256 (HWC)", (28, 28, 256), "HWC"),
        ("96x55x55 CHW", (96, 55, 55), "CHW"),
        ("3x32x32 (chw)", (3, 32, 32), "CHW"),
    ],
)
def test_a_shape(text: str, shape: tuple[int, ...], order: str) -> None:
    printed = parse_printed(text)
    assert (printed.shape, printed.order, printed.why) == (shape, order, "a shape is exact")


@pytest.mark.parametrize(
    ("text", "thousand", "value"),
    [
        ("2.7K", 1024, 2764.8),
        ("112K", 1024, 112 * 1024),
        ("6.8M", 1024, 6.8 * 1024**2),
        ("1 G", 1024, 1024**3),
        ("1.5 MiB", 1000, 1.5 * 1024**2),
        ("233 MiB", 1000, 233 * 1024**2),
        ("60 million", 1024, 60_000_000),  # a word is no letter
    ],
)
def test_a_thousand_may_be_1024(text: str, thousand: int, value: float) -> None:
    assert parse_printed(text, thousand=thousand).value == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lots",
        "60 gazillion",
        "55x",
        "x55",
        "1.2.3",
        "million",
        "-5",
        "3.8 G G",
        "NaN",
        "1/0",
        "5 apples",
        "12,,3",
        "1,5 million",
        "12,34",
    ],
)
def test_what_is_no_figure(text: str) -> None:
    with pytest.raises(ClaimError, match="this is not a figure") as caught:
        parse_printed(text)
    assert caught.value.values == text
    assert caught.value.hint.startswith("as in 60 million, 253,440")


@pytest.mark.parametrize("text", ["9" * 80, "1e999", "1" * 61, "1.5e-70"])
def test_a_figure_has_an_end(text: str) -> None:
    with pytest.raises(ClaimError, match="a figure of more than 60 digits"):
        parse_printed(text)


# The verdicts on figures beside the printed one.
@pytest.mark.parametrize(
    ("text", "ours", "status"),
    [
        ("60 million", 60_965_224, "truncates"),
        ("61 million", 60_965_224, "rounds"),
        ("62 million", 60_965_224, "differs"),
        ("60,965,224", 60_965_224, "exact"),
        ("60,965,224", 60_965_225, "differs"),
        ("650,000", 659_272, "truncates"),
        ("660,000", 659_272, "rounds"),
        ("650,000", 660_000, "differs"),
        ("650,000", 649_999, "rounds"),
        ("650,000", 644_999, "differs"),
        ("650,001", 650_002, "differs"),
        ("3.8G", 3_857_973_248, "truncates"),
        ("3.9G", 3_857_973_248, "rounds"),
        ("10", 9.966, "rounds"),
        ("10", 9, "differs"),
        ("720 million", 724_406_816, "rounds"),
        ("1 %", 0.0145, "rounds"),
        ("1 %", 0.016, "truncates"),
        ("1 %", 0.0201, "differs"),
    ],
)
def test_a_verdict(text: str, ours: float, status: str) -> None:
    assert compare(ours, parse_printed(text))[0] == status


UNITS = {"": 1, "K": 10**3, " thousand": 10**3, "M": 10**6, " million": 10**6, "G": 10**9}
UNITS |= {" billion": 10**9, "T": 10**12, " Bn": 10**9, "k params": 10**3, " MACs": 1}

figures = st.integers(0, 10**13)
units = st.sampled_from(sorted(UNITS))


def as_printed(times: int, decimals: int, unit: str, style: int) -> str:
    """``times`` steps of 10^-decimals in a unit, as people print it."""
    whole, fraction = divmod(times, 10**decimals)
    text = f"{whole:,}" if style % 2 else f"{whole}"
    if decimals:
        text += f".{fraction:0{decimals}}"
    return ("about " if style == 2 else "") + text + unit


@given(figures, units, st.integers(0, 3), st.integers(0, 2))
def test_what_was_rounded_or_cut_off_tallies(x: int, unit: str, decimals: int, style: int) -> None:
    assume(10**decimals <= UNITS[unit])
    step = UNITS[unit] // 10**decimals
    for times in ((x + step // 2) // step, x // step):
        printed = parse_printed(as_printed(times, decimals, unit, style))
        assert printed.value == times * step
        status = compare(x, printed)[0]
        assert status in TRUE
        assert (status == "exact") == (x == times * step)
        assert printed.low <= printed.value <= printed.high
        assert printed.high - printed.value == pytest.approx(printed.value - printed.low)


@given(figures, units, st.integers(0, 3), st.integers(0, 10**9), st.booleans())
def test_what_lies_outside_differs(
    times: int, unit: str, decimals: int, beyond: int, below: bool
) -> None:
    assume(10**decimals <= UNITS[unit])
    printed = parse_printed(as_printed(times, decimals, unit, 1))
    width = int(printed.coarse or printed.step)
    ours = int(printed.value) + (-width - 1 - beyond if below else width + beyond)
    status, detail = compare(ours, printed)
    assert status == "differs"
    assert detail.startswith("printed is ")
    assert ("more" if below else "less") in detail


@given(st.integers(1, 99), st.integers(0, 999), st.integers(-6, 12))
def test_powers_of_ten(whole: int, fraction: int, power: int) -> None:
    text = f"{whole}.{fraction:03}"
    printed = parse_printed(f"{text}e{power}")
    for style in (f"{text}×10^{power}", f"{text} x 10^{power}"):
        assert parse_printed(style).replace(text="") == printed.replace(text="")
    assert printed.value == pytest.approx(float(f"{text}e{power}"))
    assert compare(printed.value, printed) == ("exact", "")


@given(st.integers(0, 10**6), st.integers(0, 2))
def test_shares(millionths: int, decimals: int) -> None:
    share = millionths / 10**6
    scaled = millionths * 10**decimals
    assume(scaled % 10**4 != 10**4 // 2)  # a tie is a matter of binary fractions
    printed = parse_printed(f"{100 * share:.{decimals}f} %")
    assert compare(share, printed)[0] in TRUE
    assert compare(share + 2.1 * float(printed.step), printed)[0] == "differs"


def test_the_interval_says_why() -> None:
    assert parse_printed("253,440").why == "the last printed place is 1"
    assert parse_printed("650,000").why == (
        "printed to 1, or rounded to 10,000: the zeros don't tell"
    )
    assert parse_printed("3.8G").why == "the last printed place is 100,000,000"


def test_a_printed_figure_is_frozen() -> None:
    printed = parse_printed("3.8G")
    assert isinstance(printed, Printed)
    with pytest.raises(AttributeError, match="Printed is frozen"):
        printed.value = 4


@pytest.mark.parametrize(
    ("number", "text"),
    [(290_400, "290,400"), (2.0, "2"), (0.01452, "0.01452"), (1e16, "10,000,000,000,000,000.0"),
     (float("inf"), "inf"), (12345.67, "12,345.7")],
)  # fmt: skip
def test_a_number_for_people(number: float, text: str) -> None:
    assert amount(number) == text
