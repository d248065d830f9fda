"""``check`` and ``explain`` as commands: what they take, how they end, and what they say."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nettally
from nettally import cli
from nettally.claims.claim import parse_claim
from nettally.cli import check_argument
from nettally.cli.check_argument import MODEL_FOLDER, NETWORK, PROJECT, README, TABLE, kind_of
from nettally.counting.quantities import SUMS, measure
from nettally.counting.quantity_names import FIELDS, MEASURED, OTHER_WORDS, SAME, SHAPES
from nettally.counting.tally import Tally
from nettally.errors import ClaimError
from nettally.explaining import explain
from nettally.explaining.near import near
from nettally.formats import Source
from nettally.formats.native import read as read_native
from nettally.formats.zoo import names

DOCS = Path(__file__).resolve().parents[1] / "docs"

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def alexnet() -> Tally:
    return nettally.tally(nettally.read("alexnet"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command line: (its exit code, what is on stdout, what is on stderr)."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = cli.run(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


# --- quantities -----------------------------------------------------------------------------------

# What is typed for a quantity of the whole network, and the one that is meant.
WORDS = [
    ("parameter", "parameters"),
    ("Parameters", "parameters"),
    ("param", "parameters"),
    ("paramters", "parameters"),
    ("total_params", "parameters"),
    ("num_parameters", "parameters"),
    ("trainable_parameters", "parameters"),
    ("mac", "macs"),
    ("MACs", "macs"),
    ("GMACs", "macs"),
    ("multiply_accumulates", "macs"),
    ("flop", "flops"),
    ("GFLOPs", "flops"),
    ("ops", "operations"),
    ("neuron", "neurons"),
    ("units", "neurons"),
    ("weight", "weights"),
    ("fields", "receptive_field"),
    ("n_layers", "layers"),
    ("top1_err", "top1_error"),
]


@pytest.mark.parametrize(("word", "meant"), WORDS)
def test_a_misspelt_quantity_is_no_claim(command: Any, word: str, meant: str) -> None:
    code, out, err = command("check", "vgg-16", "--claim", f"{word} <= 5M")
    assert code == 2
    assert f"! {word} <= 5M" in out
    assert f"did you mean '{meant}'?" in out
    assert f"did you mean '{meant}'?" in err


@given(st.sampled_from(sorted({*SUMS, *SAME, *SHAPES, *FIELDS})), st.data())
def test_any_letter_left_out(name: str, data: st.DataObject) -> None:
    """No word that is nearly a quantity is taken for one that is measured."""
    at = data.draw(st.integers(0, len(name) - 1))
    word = name[:at] + name[at + 1 :]
    counted = nettally.tally(nettally.read("lenet-5"))
    known = {*SUMS, *SAME, *SHAPES, *FIELDS, "layers"}
    if word not in known:
        with pytest.raises(ClaimError) as caught:
            measure(counted, "", word)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("claim", "what", "hint"),
    [
        ("conv1 = 253,440", "'conv1' is a layer and no quantity", "conv1.neurons"),
        ("data = 3", "'data' is an input and no quantity", "data.output"),
        ("kernel = 11", "'kernel' is a quantity of a layer", "conv1.kernel"),
        ("share = 3 %", "'share' is a quantity of a layer", "conv1.share"),
        ("conv1.kernel_size = 11", "conv1 has no 'kernel_size'", "did you mean 'kernel'?"),
        ("pool1.filters = 96", "pool1 has no 'filters'", "of this layer, one of kernel"),
        ("count(dense) = 3", "no layer is called 'dense'", "did you mean 'linear'?"),
        ("count(convv) <= 3", "no layer is called 'convv'", "did you mean 'conv'?"),
        ("parameter / 2 = 3", "alexnet has no quantity 'parameter'", "did you mean 'parameters'?"),
        ("every conv*.macz > 1", "conv1 has no 'macz'", "did you mean 'macs'?"),
    ],
)
def test_what_is_no_quantity_is_said(alexnet: Tally, claim: str, what: str, hint: str) -> None:
    (verdict,) = nettally.check(alexnet, [claim])
    assert verdict.status == "invalid"
    assert not verdict.tallies
    assert verdict.error is not None
    assert verdict.error.what == what
    assert hint in verdict.error.hint


def test_a_kind_that_the_network_lacks_is_counted(alexnet: Tally) -> None:
    assert nettally.check(alexnet, ["count(batch_norm) = 0"])[0].status == "exact"


@pytest.mark.parametrize("about", ["", "conv1.", "input."])
def test_what_is_measured_cannot_be_derived(alexnet: Tally, about: str) -> None:
    for name in MEASURED:
        (verdict,) = nettally.check(alexnet, [f"{about}{name} = 3"])
        assert (verdict.status, verdict.detail) == ("unknown", "measured: it cannot be derived")


def test_a_field_of_a_layer_that_is_not_known() -> None:
    text = b"nettally: 1\ninput: 3x8x8\nlayers:\n  - odd: opaque Odd, size 4x6x6\n"
    counted = nettally.tally(read_native(Source("n.yaml", text)))
    known, misspelt = nettally.check(counted, ["odd.kernel = 3", "odd.kernl = 3"])
    assert (known.status, known.detail) == ("unknown", "the kernel of odd is not known")
    assert misspelt.status == "invalid"


def test_the_measured_names_are_in_the_docs() -> None:
    page = (DOCS / "claims.md").read_text("utf-8")
    part = page.partition("## What is measured")[2].partition("Any other claim")[0]
    listed = {name.strip("`.") for name in part.split() if name.startswith("`")}
    assert {name.rstrip("`,.") for name in listed} == MEASURED


def test_other_words_lead_to_names_that_there_are() -> None:
    fields = {"filters", "kernel", "stride", "padding", "kind", "layers"}
    assert set(OTHER_WORDS.values()) <= {*SUMS, *SHAPES, *FIELDS, *MEASURED, *fields}


# --- all claims are judged ------------------------------------------------------------------------

MIXED = """\
claims:
  - parameter <= 5M
  - neither a relation nor a figure
  - claim: macs = 3
    plaze: table 1
  - parameters <= 5M
  - conv9.macs = 3
  - [1]
  - claim: output = 1000
    input: 3x1x1
  - output = 1000
"""


def test_all_claims_are_judged_whatever_happens_to_one(command: Any, tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(MIXED)
    code, out, err = command("check", "vgg-16", "--claims", str(path), "--format", "json")
    assert code == 2, "what is no claim beats what differs"
    answer = json.loads(out)
    statuses = [verdict["status"] for verdict in answer["verdicts"]]
    assert statuses == [*["invalid"] * 3, "differs", *["invalid"] * 3, "exact"]
    counts = {"claims": 8, "tally": 1, "differ": 1, "not_derivable": 0, "invalid": 6}
    assert answer["counts"] == counts
    assert err.startswith(f"error: {path}:2: 6 of 8 claims cannot be judged\n")
    for form in ("table", "markdown", "latex", "html", "csv"):
        again, out, _ = command("check", "vgg-16", "--claims", str(path), "--format", form)
        assert again == 2
        assert "did you mean" in out


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (["parameters <= 140M"], 0),
        (["top1_error = 25.5 %"], 0),
        (["parameters <= 140M", "parameters <= 5M"], 1),
        (["parameters <= 5M", "parameter <= 5M"], 2),
        (["parameter <= 5M", "parameters <= 140M"], 2),
    ],
)
def test_how_it_ends(command: Any, claims: list[str], code: int) -> None:
    words = [word for claim in claims for word in ("--claim", claim)]
    assert command("check", "vgg-16", *words)[0] == code


@pytest.mark.parametrize(
    ("claim", "detail"),
    [
        ("parameters <= 5M", "138,357,544 is 133,357,544 over 5M, 27.67 times as much"),
        ("parameters < 138,357,544", "138,357,544 is not under 138,357,544"),
        ("macs > 20G", "15,470,264,320 is 4,529,735,680 under 20G, 0.7735 times as much"),
        ("fc6.share < 60 %", "74.27 % is 14.27 points over 60 %"),
        ("conv1_1.conv.kernel >= 5", "3 is 2 under 5, 0.6 times as much"),
    ],
)
def test_how_far_over_a_bound(claim: str, detail: str) -> None:
    (verdict,) = nettally.check(nettally.read("vgg-16"), [claim])
    assert (verdict.status, verdict.detail) == ("differs", detail)


def test_claims_from_several_places(command: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("work: One\nclaims: [parameters <= 62M]\n")
    two.write_text("work: Two\nclaims: [macs <= 1G]\n")
    words = ("check", "alexnet", "--claims", str(one), "--claims", str(two))
    code, out, _ = command(*words, "--claim", "layers = 8", "--format", "json")
    answer = json.loads(out)
    assert code == 0
    assert answer["work"] == "One; Two"
    texts = [verdict["claim"]["text"] for verdict in answer["verdicts"]]
    assert texts == ["parameters <= 62M", "macs <= 1G", "layers = 8"]


def test_a_bound_that_unknown_layers_may_break(command: Any, tmp_path: Path) -> None:
    """At least so much may be more than a bound, and is not "cannot be derived" either."""
    path = tmp_path / "n.yaml"
    path.write_text(NET + "  - odd: opaque Odd, size 4x6x6\n")
    claims = ("parameters <= 5M", "parameters <= 50", "parameters >= 50", "top1_error = 3 %")
    words = [word for claim in claims for word in ("--claim", claim)]
    code, out, _ = command("check", str(path), *words, "--format", "json")
    answer = json.loads(out)
    statuses = [verdict["status"] for verdict in answer["verdicts"]]
    assert (code, statuses) == (1, ["unknown", "differs", "holds", "unknown"])
    _, out, _ = command("check", str(path), *words)
    assert "1 more cannot be derived; 1 more not known" in " ".join(out.split())
    assert "? parameters <= 5M   ours 56\n      at least this: some layers are not known" in out
    page = tmp_path / "page.html"
    assert command("report", str(path), *words, "-o", str(page))[0] == 0
    text = page.read_text("utf-8")
    assert "What is not known" in text
    assert "<b>1</b> not known" in text
    assert "<b>1</b> cannot be derived" in text


# --- standard input -------------------------------------------------------------------------------

NET = "nettally: 1\nname: n\ninput: 3x8x8\nlayers:\n  - c: conv 2, 3x3\n"


def test_a_network_on_standard_input(command: Any) -> None:
    code, out, _ = command("check", "-", "--claim", "parameters = 56", stdin=NET)
    assert code == 0
    assert out.startswith("-: the claim tallies")
    code, out, _ = command("tally", "-", "--format", "json", stdin=NET)
    assert json.loads(out)["totals"]["parameters"] == 56


def test_claims_on_standard_input(command: Any) -> None:
    code, out, _ = command("check", "alexnet", "--claims", "-", stdin="claims: [layers = 9]\n")
    assert code == 1
    assert "layers = 9" in out


@pytest.mark.parametrize(
    "words",
    [
        ("check", "-", "--claims", "-"),
        ("draw", "-", "--claims", "-", "-o", "-"),
        ("report", "lenet-5", "--claims", "-", "--accounting", "-"),
        ("tally", "-", "--accounting", "-"),
        ("diff", "-", "-"),
    ],
    ids=lambda words: words[0],
)
def test_standard_input_is_read_once(command: Any, words: tuple[str, ...]) -> None:
    code, _, err = command(*words, stdin=NET)
    assert code == 2
    assert "standard input can be read once only" in err


def test_an_accounting_on_standard_input(command: Any) -> None:
    text = "name: mine\ncounts: {'*': {macs: 2}}\n"
    code, out, _ = command("tally", "lenet-5", "--accounting", "-", stdin=text)
    assert code == 0
    assert "mine" in out
    code, _, err = command("tally", "lenet-5", "--accounting", "-", stdin="nam: mine\n")
    assert code == 2
    assert "standard input:1: an accounting has no 'nam'" in err


def test_what_stands_on_standard_input_is_named(command: Any) -> None:
    code, _, err = command("tally", "-", stdin=NET.replace("conv", "konv"))
    assert code == 2
    assert "standard input:5: c: no layer" in err


def test_a_binary_file_on_standard_input(tmp_path: Path) -> None:
    import subprocess

    head = json.dumps({"w": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}}).encode()
    data = len(head).to_bytes(8, "little") + head + bytes(60)
    done = subprocess.run(
        [sys.executable, "-m", "nettally", "tally", "-", "--format", "json"],
        input=data, capture_output=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(done.stdout)["totals"]["parameters"] == 15
    assert os.listdir(tmp_path) == []


# --- what the argument means ----------------------------------------------------------------------


def test_what_an_argument_of_check_means(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    kinds = {
        None: PROJECT,
        "-": NETWORK,
        "torchvision:resnet50": NETWORK,
        "net.onnx": NETWORK,
        "figures.csv": TABLE,
        "FIGURES.TSV": TABLE,
        "README.md": README,
        str(tmp_path / "model"): MODEL_FOLDER,
        **dict.fromkeys(names(), NETWORK),
    }
    assert {argument: kind_of(argument) for argument in kinds} == kinds


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "the project of this folder"),
        (("table.csv",), "a table"),
        ((".",), "the folder of a model"),
        (("README.md",), "a README"),
    ],
)
def test_what_is_not_checked_yet_is_refused(
    command: Any, words: tuple[str, ...], what: str
) -> None:
    code, out, err = command("check", *words)
    assert (code, out) == (2, "")
    assert f"check does not take {what} yet" in err


def test_the_page_has_what_the_code_decides() -> None:
    page = (DOCS / "checking.md").read_text("utf-8")
    for kind in (NETWORK, TABLE, MODEL_FOLDER, README, PROJECT):
        assert f"| {kind}" in page
    for suffix in (*check_argument.TABLES, *check_argument.READMES):
        assert suffix in page


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "figure", "claims"),
    [
        ("alexnet", "290,400", ["conv1.neurons = 290,400", "norm1.values = 290,400"]),
        ("alexnet", "60965224", ["parameters = 60965224"]),
        ("googlenet", "163,696", ["inception_3a.parameters = 163,696"]),
        ("alexnet", "13x13", ["conv3.output = 13x13", "relu3.output = 13x13"]),
        ("vgg-16", "102.76M", ["fc6.parameters = 102.76M"]),
    ],
)
def test_the_quantities_that_a_figure_is(net: str, figure: str, claims: list[str]) -> None:
    answers = near(nettally.tally(nettally.read(net)), figure, most=20)
    texts = [answer.verdict.claim.text for answer in answers]
    assert set(claims) <= set(texts)
    assert all(answer.verdict.tallies and answer.explanations is None for answer in answers)


def test_the_quantities_that_a_figure_is_near_to(alexnet: Tally) -> None:
    first, *others = near(alexnet, "253,440")
    assert first.verdict.claim.text == "conv1.neurons = 253,440"
    assert first.explanations is not None
    assert first.explanations.found[0].text.startswith("a slip: 48 for 55")
    assert {answer.verdict.status for answer in others} == {"differs"}
    carried = near(alexnet, "253,440", [parse_claim("neurons = 650,000")])[0]
    assert carried.explanations is not None
    assert "fits 659,272" in carried.explanations.found[0].supports[0]


@given(st.integers(1, 10**12))
def test_any_figure_has_an_answer(figure: int) -> None:
    counted = nettally.tally(nettally.read("lenet-5"))
    answers = near(counted, f"{figure:,}")
    ratios = [float(answer.verdict.ours) / figure for answer in answers]  # type: ignore[arg-type] - counts
    assert all(0.6 < ratio < 1.6 for ratio in ratios)
    tallying = [answer.verdict.tallies for answer in answers]
    assert all(tallying) or not any(tallying)


def test_explain_takes_a_figure_alone(command: Any) -> None:
    code, out, _ = command("explain", "alexnet", "253,440")
    assert code == 1
    assert out.startswith("alexnet has no 253,440. Near to it")
    assert "conv1.neurons = 253,440" in out
    assert "a slip: 48 for 55" in out
    assert command("explain", "alexnet", "290,400")[0] == 0
    code, out, _ = command("explain", "lenet-5", "84", "--format", "json")
    assert json.loads(out)["schema"] == "nettally/check/1"


def test_explain_without_a_claim_explains_what_differs(command: Any) -> None:
    code, out, err = command("explain", "alexnet")
    assert (code, err) == (1, "")
    assert "4 differ" in out
    assert "a slip: 48 for 55, the number beside it" in out
    assert "norm1.alpha alone" in out
    _, out, _ = command("explain", "alexnet", "--format", "json")
    verdicts = json.loads(out)["verdicts"]
    explained = [each for each in verdicts if each["explanations"]]
    assert {each["status"] for each in explained} == {"differs"}


def test_explain_without_a_claim_needs_some(command: Any, tmp_path: Path) -> None:
    path = tmp_path / "n.yaml"
    path.write_text(NET)
    code, _, err = command("explain", str(path))
    assert code == 2
    assert "--claims FILE" in err


def test_explain_refuses_a_misspelt_quantity(command: Any) -> None:
    code, out, err = command("explain", "vgg-16", "parameter = 138M")
    assert (code, out) == (2, "")
    assert "did you mean 'parameters'?" in err


def test_padding_behind_stands_beside_rounding_up() -> None:
    network = nettally.read("alexnet")
    down = network.edit({"conv1": network["conv1"].layer.replace(rounding="down")})
    first = explain(down, "conv1.output = 55x55").found[0]
    assert first.text == "conv1: rounding up"
    beside = "conv1: a padding of 0 before, 3 after (the division comes out even)"
    assert first.similar[0] == beside


# --- what is printed ------------------------------------------------------------------------------

OVERLAP = "(conv1.height - 2 + 1) // 2 + 1 - pool1.height = 0"


@pytest.mark.parametrize(
    ("claim", "quote", "printed"),
    [
        (OVERLAP, "s = 2, z = 2, which produces output of equivalent dimensions", False),
        ("fc6.parameters / parameters > 50 %", "most of the net's parameters", False),
        ("every conv*.parameters / parameters <= 1 %", "no more than 1% of them", True),
        ("conv1.channels / 2 = 48", "48", True),
        ("count(conv) = 5", "five convolutional layers", True),
        ("norm1.alpha / norm1.size = 1e-4", "α = 10⁻⁴", True),
        ("norm1.alpha / norm1.size = 1e-4", "α = 10⁻³", False),
        ("parameters = 60 million", "sixty million", True),  # the quantity itself
        (OVERLAP, "", True),  # nothing is known of what is printed
    ],
)
def test_what_is_printed_and_what_is_ours(claim: str, quote: str, printed: bool) -> None:
    read = parse_claim(claim, quote=quote, place="section 3")
    assert read.is_printed == printed
    assert read.words == (claim if printed else f"“{quote}” (section 3)")


def test_no_text_calls_our_formula_printed(command: Any, tmp_path: Path) -> None:
    words = "“s = 2, z = 2, which produces output of equivalent dimensions”"
    _, out, _ = command("explain", "alexnet", "conv1.neurons = 279,936")
    text = " ".join(out.split())
    assert f"mends 1 other claim: {words} (section 3.4)" in text
    assert f"claim: {OVERLAP}" not in text
    _, out, _ = command("check", "alexnet")
    after = " ".join(out.partition(OVERLAP)[2].split())
    assert after.startswith(
        f"ours 1 section 3.4 differs claimed is 1 less than ours printed {words}"
    )
    page = tmp_path / "page.html"
    assert command("report", "alexnet", "-o", str(page))[0] == 0
    card = page.read_text("utf-8").partition(f"{OVERLAP}</h3>")[2].partition("</article>")[0]
    assert "<dt>claimed</dt><dd>0</dd>" in card
    assert "printed</dt>" not in card
    assert "equivalent dimensions”" in card


def test_a_report_has_what_cannot_be_judged(command: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, _, err = command("report", "lenet-5", "--claim", "parametrs = 3", "-o", str(page))
    assert code == 2
    assert "lenet-5 has no quantity 'parametrs'" in err
    text = page.read_text("utf-8")
    assert "What cannot be judged" in text
    assert "did you mean &#x27;parameters&#x27;?" in text or "did you mean 'parameters'?" in text
