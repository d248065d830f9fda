"""What each accounting counts, leaves out on purpose, and does not know; and users' own."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import nettally
import onnx_files as w
from nettally import ACCOUNTINGS, NettallyError, cli
from nettally.accountings import EVERYTHING_ELSE, load, register
from nettally.accountings.reckoning import reckon
from nettally.claims.check import judge
from nettally.claims.claim import parse_claim
from nettally.counting.accounting import REGISTRY, Accounting, is_bias
from nettally.counting.tally import Tally
from nettally.explaining import explain
from nettally.formats.native import read
from nettally.formats.onnx import read as read_onnx
from nettally.formats.source import Source
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering import output
from nettally.rendering.tables.columns import total_of
from nettally.rendering.tables.compare import diff_text, reconcile_text
from nettally.rendering.tables.terminal import tally_text
from nettally.rendering.terminal import Terminal

PLAIN = Terminal(80, unicode=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def network(text: str) -> Any:
    return read(Source("net.yaml", f"nettally: 1\nname: net\n{text}".encode()))


def counted(text: str) -> Tally:
    return nettally.tally(network(text))


@cache
def attention() -> Tally:
    """Two connected layers of 64 x 16 x 16 and an attention of 64 keys: 65,536 and 131,072 MACs."""
    return counted(
        "input: 64x16\n"
        "layers:\n"
        "  - q: linear 16, axis -1\n"
        "  - k: linear 16, axis -1 from data\n"
        "  - a: attention from q, k, k\n"
    )


# --- every kind by every accounting ---------------------------------------------------------------

SUMMING = (
    "attention", "conv", "conv_elman", "conv_lstm", "conv_map", "conv_sum", "conv_transpose",
    "delta_rule", "einsum", "elman", "experts", "grouped_linear", "gru", "hyper_connection",
    "linear", "local", "lstm", "matmul", "procedure", "rbf", "rnn", "selective_scan", "state_space",
)  # fmt: skip

NOT_TORCHS = "conv_elman conv_lstm conv_map elman local rbf"
OTHERS_MATRICES = "attention einsum gru lstm matmul rnn"
LEFT_OUT = {
    "conv+linear": "attention conv_elman conv_lstm delta_rule einsum elman experts "
    "grouped_linear gru hyper_connection lstm matmul procedure rbf rnn selective_scan state_space",
    "torchinfo": "attention rbf",
    "fvcore": "gru lstm rbf rnn",
    "thop": "attention conv_map einsum local matmul rbf",
    "thop-2019": OTHERS_MATRICES,
    "ptflops": "conv_map einsum rbf",
    "ptflops-aten": "rbf",
    "torch": "rbf",
    "calflops": "local rbf",
    "keras": " ".join(SUMMING),
    "darknet": "attention conv_elman conv_lstm conv_transpose delta_rule einsum experts "
    "grouped_linear hyper_connection local matmul procedure rbf rnn selective_scan state_space",
    "darknet-bflops": "elman gru linear local lstm",
    "mmcv": OTHERS_MATRICES,
}
NOT_KNOWN = {
    **dict.fromkeys(
        ("torchinfo", "fvcore", "thop", "ptflops", "ptflops-aten", "torch", "calflops"), "procedure"
    ),
    "thop-2019": f"{NOT_TORCHS} procedure",
    "darknet-bflops": "attention conv_transpose einsum matmul procedure rbf rnn",
    "imgclsmob": f"{NOT_TORCHS} {OTHERS_MATRICES} conv_transpose procedure",
    "convnet-burden": f"{NOT_TORCHS} {OTHERS_MATRICES} procedure",
    "mmcv": f"{NOT_TORCHS} procedure",
    "openvino": f"{NOT_TORCHS} {OTHERS_MATRICES} procedure",
    "openvino-v10": f"{NOT_TORCHS} {OTHERS_MATRICES} procedure",
}


SEQUENCES = "experts delta_rule selective_scan state_space grouped_linear hyper_connection"
# mixtures, states and streams are decided by these alone: the others were never seen to count one
for _name in set(ACCOUNTINGS) - {"nettally", "conv+linear", "torch", "keras", "darknet"}:
    NOT_KNOWN[_name] = f"{NOT_KNOWN[_name]} {SEQUENCES}"


def status(convention: Accounting, kind: str) -> str:
    if kind in convention.counts or "*" in convention.counts:
        return "counted"
    named = kind in convention.leaves_out or convention.leaves_out == EVERYTHING_ELSE
    return "left out" if named else "not known"


@pytest.mark.parametrize("name", list(ACCOUNTINGS))
def test_every_kind_that_does_sums_is_decided(name: str) -> None:
    decided = {kind: status(ACCOUNTINGS[name], kind) for kind in SUMMING}
    for what, table in (("left out", LEFT_OUT), ("not known", NOT_KNOWN)):
        kinds = {kind for kind, each in decided.items() if each == what}
        assert kinds == set(table.get(name, "").split()), what


def test_these_are_all_kinds_that_do_sums() -> None:
    """A kind that does multiply-accumulates and stands in no table would pass unseen."""
    from nettally.layers import kinds, layer_class

    weighted = {kind for kind in kinds() if layer_class(kind).weighted}
    pools = {"subsample"}  # its weights are coefficients of means
    assert (weighted - pools) | {"procedure"} == set(SUMMING)


@pytest.mark.parametrize("name", list(ACCOUNTINGS))
def test_nothing_is_both_counted_and_left_out(name: str) -> None:
    convention = ACCOUNTINGS[name]
    assert not set(convention.counts) & set(convention.leaves_out)
    assert set(convention.assumes) <= {*convention.counts, *convention.leaves_out}


def test_what_is_left_out_on_purpose_is_zero_and_complete() -> None:
    alexnet = nettally.tally(nettally.read("alexnet"))
    bflops = alexnet.under(ACCOUNTINGS["darknet-bflops"])
    reckoning = reckon(bflops)
    assert reckoning.terms["2 × multiply-adds"] == 2 * 665_784_864  # without the connected layers
    assert (bflops.operations_complete, reckoning.complete) == (True, True)
    by_layers = attention().under(ACCOUNTINGS["conv+linear"])
    assert (by_layers.operations, by_layers.operations_complete) == (32_768, True)
    resnet = nettally.tally(nettally.read("resnet-18"))
    torch = resnet.under(ACCOUNTINGS["torch"])
    assert (torch.operations, torch.operations_complete) == (2 * resnet.macs, True)
    keras = resnet.under(ACCOUNTINGS["keras"])
    assert (keras.operations, keras.operations_complete) == (0, True)
    assert not keras.accounting.counts_operations


YAML = (
    "input: 16x64\n"
    "layers:\n"
    "  - q: linear 64, axis -1, no bias\n"
    "  - a: attention from q, data, data\n"
)


def onnx() -> Tally:
    """The same with attention written out, as exporters write it."""
    nodes = (
        w.node("MatMul", ["x", "w"], ["q"]),
        w.node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        w.node("MatMul", ["q", "t"], ["s"]),
        w.node("Softmax", ["s"], ["p"], axis=-1),
        w.node("MatMul", ["p", "x"], ["y"]),
    )
    held = [w.tensor("w", [64, 64])]
    graph = w.graph(nodes, [w.info("x", (1, 16, 64))], [w.info("y", None, 0)], held)
    return nettally.tally(read_onnx(Source("net.onnx", w.model(graph, 17))))


@pytest.mark.parametrize("made", [lambda: counted(YAML), onnx], ids=["yaml", "onnx"])
def test_attention_of_a_file_counts_as_torchs_counter_counts_it(made: Any) -> None:
    tally = made()
    torch = tally.under(ACCOUNTINGS["torch"])
    assert (torch.operations, torch.operations_complete) == (196_608, True)  # and not 131,072
    assert tally.under(ACCOUNTINGS["conv+linear"]).operations == 65_536


def test_a_file_says_what_its_count_assumes() -> None:
    tally = attention()
    text = " ".join(reconcile_text(tally, nettally.reconcile(tally), PLAIN).split())
    assert "assumes attention as two products, or on a GPU or meta" in text
    assert "assumes attention as two products by torch.matmul" in text
    alexnet = nettally.tally(nettally.read("alexnet"))
    assert "assumes" not in reconcile_text(alexnet, nettally.reconcile(alexnet), PLAIN)


# --- at least, wherever operations are printed ----------------------------------------------------


def test_a_total_that_is_not_known_is_at_least() -> None:
    tally = attention().under(ACCOUNTINGS["openvino"])
    assert (tally.complete, tally.operations_complete) == (True, False)
    assert [row.name for row in tally.not_counted] == ["a"]
    assert total_of(tally, "operations") == "at least 65,536"
    assert total_of(tally, "macs") == "163,840"
    text = " ".join(tally_text(tally, PLAIN).split())
    assert "at least 65,536" in text
    assert "1 layer (attention) of which it is not known what 'openvino' counts" in text
    markdown = output.tally("markdown", tally, None, None, ())
    assert "at least 65,536 operations" in markdown
    data = json.loads(output.tally("json", tally, None, None, ()))
    assert (data["totals"]["complete"], data["totals"]["operations_complete"]) == (True, False)
    assert data["layers"][-1]["operations"] is None
    assert tally.rows()[-1]["operations"] is None


def test_reconciling_says_what_each_does_not_know() -> None:
    tally = attention()
    reckonings = nettally.reconcile(tally)
    unknown = {each.accounting.name: each.unknown for each in reckonings if not each.complete}
    assert set(unknown) == {
        "darknet-bflops", "imgclsmob", "convnet-burden", "openvino", "openvino-v10",
    }  # fmt: skip
    assert set(unknown.values()) == {("attention",)}
    text = " ".join(reconcile_text(tally, reckonings, PLAIN).split())
    assert "at least 65,536 operations = 2 × 32,768" in text
    assert "what it counts for attention is not known" in text
    markdown = output.reconcile("markdown", tally, reckonings, ())
    assert "≥ 65,536" in markdown
    listed = json.loads(output.reconcile("json", tally, reckonings, ()))["reckonings"]
    assert {e["accounting"]["name"] for e in listed if not e["complete"]} == set(unknown)
    rows = csv.DictReader(io.StringIO(output.reconcile("csv", tally, reckonings, ())))
    assert {row["accounting"] for row in rows if row["complete"] == "no"} == set(unknown)
    assert "openvino (at least)" in output.reconcile("svg", tally, reckonings, ())


def test_the_working_says_what_is_not_known(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, f"nettally: 1\nname: net\n{YAML}", "net.yaml")
    code, out, _ = run(capsys, "tally", path, "--working", "a", "--accounting", "openvino")
    assert code == 0
    assert "not known: what 'openvino' counts for attention; unknown is not zero" in out
    _, out, _ = run(capsys, "tally", path, "--working", "a", "--accounting", "conv+linear")
    assert "none, as 'conv+linear' counts" in out


def test_a_summary_says_at_least() -> None:
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 4, 3))
    for name, least in (("imgclsmob", True), ("conv+linear", False)):
        table = str(nettally.summary(net, (3, 10, 10), verbose=0, accounting=name))
        assert ("at least" in table) is least


def test_a_difference_by_what_is_not_known() -> None:
    one = network("input: 64x16\nlayers:\n  - a: attention from data, data, data\n")
    two = network("input: 64x16\nlayers:\n  - q: linear 16, axis -1\n")
    difference = nettally.diff(one, two, ACCOUNTINGS["openvino"])
    text = diff_text(difference, PLAIN)
    assert "at least 0 -> 32,768" in text.replace("→", "->")
    assert "not known what 'openvino' counts" in " ".join(text.split())
    (removed,) = [line for line in text.splitlines() if line.startswith("-  a ")]
    assert "?" in removed
    assert "+32,768" not in text.partition("parameters  ")[2].partition("neurons")[0]


def test_verdicts_on_what_is_at_least() -> None:
    tally = attention()

    def verdict(text: str, accounting: str = "openvino") -> Any:
        return judge(tally, parse_claim(text, accounting=accounting))

    larger = verdict("operations = 1,000,000")
    assert larger.status == "unknown"
    assert larger.detail == "at least this: what 'openvino' counts for attention is not known"
    assert larger.ours == 65_536
    assert verdict("operations = 61,234").status == "differs"
    assert verdict("operations = 65,536").status == "unknown"
    assert verdict("operations <= 1,000,000").status == "unknown"
    assert verdict("operations <= 1,000").status == "differs"
    assert verdict("operations * 2 = 65,536").status == "unknown"
    assert verdict("q.operations = 32,768").status == "exact"
    assert verdict("a.operations = 5").status == "unknown"
    assert verdict("every *.operations <= 40,000").status == "unknown"
    assert verdict("operations = 327,680", "torch").status == "exact"


def test_no_explanation_by_a_convention_that_does_not_know() -> None:
    found = explain(attention(), "operations = 65,536").found
    assert not any("openvino" in text for each in found for text in (each.text, *each.similar))


# --- a stated accounting --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "accounting", "words"),
    [
        ("parameters = 5", "kera", "no accounting is called 'kera'"),
        ("operations = 5", "keras", "the accounting 'keras' counts no operations"),
        ("operations * 2 = 5", "keras", "counts no operations"),
        ("macs = 5", "fvcore", "'fvcore' does not decide what is claimed"),
        ("q.output = 64x16", "fvcore", "the same by every accounting"),
        ("every q*.macs = 5", "fvcore", "does not decide"),
    ],
)
def test_an_accounting_that_cannot_be_obeyed_is_refused(
    text: str, accounting: str, words: str
) -> None:
    claim = parse_claim(text, accounting=accounting)
    with pytest.raises(NettallyError, match=words) as caught:
        judge(attention(), claim)
    assert text in caught.value.values
    with pytest.raises(NettallyError, match=words):
        explain(attention(), claim)


def test_a_refusal_says_where_the_claim_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("work: W\nclaims:\n  - claim: macs = 5\n    accounting: thop\n")
    code, _, error = run(capsys, "check", "alexnet", "--claims", str(path))
    assert code == 2
    assert f"{path}:3: the accounting 'thop' does not decide what is claimed" in error
    assert "claim operations" in error


def test_a_stated_accounting_is_obeyed() -> None:
    resnet = nettally.tally(nettally.read("resnet-18"))
    buffers = resnet.under(ACCOUNTINGS["keras"]).parameters
    assert judge(resnet, parse_claim(f"parameters = {buffers}", accounting="keras")).tallies
    assert not judge(resnet, parse_claim(f"parameters = {buffers}")).tallies
    assert judge(resnet, parse_claim(f"memory = {4 * buffers}", accounting="keras")).tallies
    verdict = judge(resnet.under(ACCOUNTINGS["keras"]), parse_claim("operations = 0"))
    assert (verdict.status, verdict.ours) == ("unknown", None)
    assert verdict.detail == "the accounting 'keras' counts no operations"


def test_conventions_that_give_the_same_are_all_told() -> None:
    tally = nettally.tally(nettally.read("alexnet-torchvision"))
    same = [
        each.accounting.name for each in nettally.reconcile(tally) if each.operations == 714_682_664
    ]
    assert same == ["torchinfo", "ptflops-aten"]
    (found,) = [
        each
        for each in explain(tally, "operations = 714,682,664").found
        if each.text.startswith("counted as")
    ]
    told = " ".join((found.text, *found.similar))
    assert all(f"counted as {name} does" in told for name in same)


def test_all_ties_are_told_however_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "entries", dict(REGISTRY.entries))
    names = [f"tie-{n}" for n in range(7)]
    for name in names:
        register(Accounting(name, f"the tie {name}", "here", {"*": {"macs": 7}}))
    tally = nettally.tally(nettally.read("alexnet"))
    (found,) = [
        each
        for each in explain(tally, f"operations = {7 * tally.macs}").found
        if each.text.startswith("counted as")
    ]
    told = " ".join((found.text, *found.similar))
    assert all(f"counted as {name} does" in told for name in names)


# --- terms ----------------------------------------------------------------------------------------


def test_terms_are_named_for_what_is_added() -> None:
    terms = {
        each.accounting.name: dict(each.terms)
        for each in nettally.reconcile(nettally.tally(nettally.read("alexnet")))
    }
    assert terms["thop-2019"] == {
        "multiply-adds": 724_406_816,
        "conv biases": 650_080,
        "linear counted twice": 58_621_952,
        "linear outputs": -9_192,
        "softmax": 2_999,
    }
    assert terms["torchinfo"]["linear biases"] == 9_192
    imgclsmob = reckon(nettally.tally(nettally.read("resnet-18")).under(ACCOUNTINGS["imgclsmob"]))
    assert imgclsmob.terms["conv pairs of channels without a bias"] < 0


@pytest.mark.parametrize("name", list(ACCOUNTINGS))
def test_no_term_is_called_biases_that_is_none(name: str) -> None:
    for net in ("alexnet", "resnet-18", "lenet-5"):
        tally = nettally.tally(nettally.read(net))
        biases = sum(row.work.bias_adds for row in tally.rows if row.work)
        called = {
            label: n
            for label, n in reckon(tally.under(ACCOUNTINGS[name])).terms.items()
            if label.endswith("biases")
        }
        assert 0 <= sum(called.values()) <= biases


# --- openvino's folding ---------------------------------------------------------------------------

CONV = "conv 8, 3x3"  # 216 weights at 64 positions of 3x10x10


@pytest.mark.parametrize(
    ("layers", "parameters", "before", "v10"),
    [
        # (a shift is left where there was no bias; the older formula counts none)
        (f"c: {CONV}, no bias|b: batch_norm", 224, 0, 512),
        (f"c: {CONV}|b: batch_norm", 224, 0, 512),
        (f"c: {CONV}, no bias|b: batch_norm no weight, no bias|s: scale", 224, 0, 512),
        (f"c: {CONV}|b: batch_norm no weight, no bias|s: scale", 224, 0, 512),
        # a scale that is no norm's, a norm that is behind no layer, and one that is behind a ReLU
        (f"c: {CONV}, no bias|s: scale", 232, 1024, 1024),
        (f"b: batch_norm|c: {CONV}, no bias", 222, 600, 600),
        (f"c: {CONV}, no bias|r: relu|b: batch_norm", 232, 2048, 2048),
        # a scale that has more factors than one a channel is no part of a norm
        (f"c: {CONV}, no bias|b: batch_norm no weight, no bias|s: scale, axes 2", 352, 1024, 1536),
        # what others read too cannot be folded
        (f"c: {CONV}, no bias|b: batch_norm|a: add from b, c", 232, 2560, 1536),
    ],
)
def test_a_norm_is_folded_where_it_can_be(
    layers: str, parameters: int, before: int, v10: int
) -> None:
    lines = "".join(f"  - {each}\n" for each in layers.split("|"))
    tally = counted(f"input: 3x10x10\nlayers:\n{lines}")
    for name, more in (("openvino", before), ("openvino-v10", v10)):
        under = tally.under(ACCOUNTINGS[name])
        assert (under.parameters, under.operations) == (parameters, 2 * 64 * 216 + more), name
        assert sum(under.by_module()[row.name] for row in under) == under.operations


def test_what_is_an_output_itself_is_not_folded_away() -> None:
    plain = network(f"input: 3x10x10\nlayers:\n  - c: {CONV}, no bias\n  - b: batch_norm\n")
    both = nettally.tally(plain.replace(outputs=("c", "b"))).under(ACCOUNTINGS["openvino"])
    assert (both.parameters, both.operations) == (216 + 16, 2 * 64 * 216 + 1024)


def test_densenet_keeps_the_scales_that_stand_before_convolutions() -> None:
    """Its norms stand before convolutions, where there is nothing to fold a scale into."""
    under = nettally.tally(nettally.read("densenet-121")).under(ACCOUNTINGS["openvino"])
    assert (under.parameters, under.operations) == (7_971_368, 5_723_316_224)


def test_folding_follows_an_edit_and_a_difference() -> None:
    biased = network(f"input: 3x10x10\nlayers:\n  - c: {CONV}\n  - b: batch_norm\n")
    without = network(f"input: 3x10x10\nlayers:\n  - c: {CONV}, no bias\n  - b: batch_norm\n")
    difference = nettally.diff(biased, without, ACCOUNTINGS["openvino-v10"])
    assert difference.parameters == 0
    assert sum(pair.parameters for pair in difference.pairs) == 0
    assert sum(pair.operations for pair in difference.pairs) == difference.operations == 0


# --- what a bias is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "bias"),
    [
        ("bias", True),
        ("gate.bias", True),
        ("bias_ih_l0", True),
        ("cell.bias_hh_l1_reverse", True),
        ("in_proj_bias", True),
        ("attention.in_proj_bias", True),
        ("weight", False),
        ("bias.weight", False),
        ("unbiased", False),
        ("relative_position_bias_table", False),
        ("rebias", False),
    ],
)
def test_one_rule_says_what_a_bias_is(name: str, bias: bool) -> None:
    assert is_bias(name) is bias


# --- one's own ------------------------------------------------------------------------------------

MINE = """\
name: mine
title: additions of biases
source: here
unit: additions
counts:
  conv conv_sum: {bias_adds: 1}
  linear: {macs: 1, outputs: -1}
leaves_out: everything else
tensors: weights
neurons_of: all
per_mac: 1
"""


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_is_an_accounting(tmp_path: Path) -> None:
    mine = load(written(tmp_path, MINE))
    assert mine == Accounting(
        name="mine",
        title="additions of biases",
        source="here",
        counts={
            "conv": {"bias_adds": 1},
            "conv_sum": {"bias_adds": 1},
            "linear": {"macs": 1, "outputs": -1},
        },
        unit="additions",
        tensors=("weights",),
        neurons_of="all",
        leaves_out=EVERYTHING_ELSE,
    )
    as_json = {
        "name": "mine",
        "title": "additions of biases",
        "source": "here",
        "unit": "additions",
        "counts": {
            "conv conv_sum": {"bias_adds": 1},
            "linear": {"macs": 1, "outputs": -1},
        },
        "leaves_out": "everything else",
        "tensors": ["weights"],
        "neurons_of": "all",
    }
    assert load(written(tmp_path, json.dumps(as_json), "mine.json")) == mine


def test_a_file_is_obeyed_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, MINE)
    code, out, _ = run(capsys, "tally", "alexnet", "--accounting", path)
    assert code == 0
    assert f"{650_080 + 58_621_952 - 9_192:,}" in out
    assert "by the accounting 'mine'" in " ".join(out.split())
    code, out, _ = run(capsys, "diff", "alexnet", "alexnet-torchvision", "--accounting", path)
    assert code == 1
    assert "additions" in out
    page = tmp_path / "page.html"
    code, _, _ = run(capsys, "report", "alexnet", "--accounting", path, "-o", str(page))
    assert "mine: additions of biases" in page.read_text("utf-8")
    code, _, error = run(capsys, "tally", "alexnet", "--accounting", str(tmp_path / "none.yaml"))
    assert code == 2
    assert "none.yaml" in error


@pytest.mark.parametrize(
    ("text", "line", "words", "hint"),
    [
        ("- a\n", 0, "this is no accounting", ""),
        ("name: a\n", 0, "an accounting without 'counts:'", ""),
        ("counts:\n  conv: {macs: 1}\n", 0, "an accounting without 'name:'", ""),
        ("name: a b\n", 1, "the name of an accounting is one word", ""),
        ("nam: a\n", 1, "an accounting has no 'nam'", "did you mean 'name'?"),
        ("name: a\ncounts:\n  cnov: {macs: 1}\n", 3, "'cnov' is not known as a kind", "conv"),
        ("name: a\ncounts:\n  conv: {mac: 1}\n", 3, "'mac' is not known as a fact", "macs"),
        ("name: a\ncounts:\n  conv: {macs: x}\n", 3, "'macs' is counted a whole number", ""),
        ("name: a\ncounts:\n  conv: {macs: 99999999}\n", 3, "'macs' is counted a whole number", ""),
        ("name: a\ncounts:\n  conv: macs\n", 3, "'conv' says how often each fact is added", ""),
        ("name: a\ncounts: conv\n", 2, "'counts' has a line for each kind", ""),
        ("name: a\ncounts:\n  conv: {}\n  rnn conv: {macs: 1}\n", 4, "'conv' is counted twice", ""),
        ("name: a\nleaves_out: cnov\n", 2, "'cnov' is not known", "conv"),
        ("name: a\ntensors: wieghts\n", 2, "'wieghts' is not known as tensors", "weights"),
        ("name: a\ntensors: {a: b}\n", 2, "'tensors' is a list of words", ""),
        ("name: a\nneurons_of: some\n", 2, "'some' is not known as neurons_of", ""),
        ("name: a\nfold_batch_norm: maybe\n", 2, "'maybe' is not known as fold_batch_norm", ""),
        ("name: a\nper_mac: -1\n", 2, "'per_mac' is counted a whole number", ""),
        ("name: [a]\n", 1, "'name' is one piece of text", ""),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(
    text: str, line: int, words: str, hint: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(NettallyError, match=words) as caught:
        load(path)
    assert caught.value.where == (f"{path}:{line}" if line else path)
    assert hint in caught.value.hint


def test_a_fact_that_a_layer_does_not_have_is_refused() -> None:
    tally = nettally.tally(nettally.read("alexnet"))
    odd = Accounting("odd", "t", "s", {"conv": {"neighbours": 1}})
    with pytest.raises(NettallyError, match="'neighbours' is no fact of this layer") as caught:
        _ = tally.under(odd).operations
    assert caught.value.where == "conv1"


def test_a_registered_accounting_is_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "entries", dict(REGISTRY.entries))
    mine = register(Accounting("mine", "t", "s", {"*": {"macs": 3}}))
    assert ACCOUNTINGS["mine"] is mine
    assert list(ACCOUNTINGS)[-1] == "mine"
    tally = nettally.tally(nettally.read("lenet-5"))
    assert nettally.reconcile(tally)[-1].operations == 3 * tally.macs
    assert judge(tally, parse_claim(f"operations = {3 * tally.macs}", accounting="mine")).tallies
    with pytest.raises(ValueError, match="two accountings are called 'mine'"):
        register(Accounting("mine", "another", "s", {}))
    with pytest.raises(KeyError):
        _ = ACCOUNTINGS["torchinf"]


def test_one_accounting_imports_one_file() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom nettally.counting.accounting import accounting\n"
        "accounting('darknet')\n"
        "print(*sorted(m for m in sys.modules if m.startswith('nettally.accountings.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["nettally.accountings.darknet", "nettally.accountings.kinds"]


def test_the_page_builds_the_accounting_that_ships(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs/adding-an-accounting.md").read_text("utf-8")
    text = page.partition("```yaml mmcv.yaml\n")[2].partition("```")[0]
    by_hand, shipped = load(written(tmp_path, text)), ACCOUNTINGS["mmcv"]
    for field in ("title", "unit", "counts", "leaves_out", "tensors", "fold_batch_norm", "per_mac"):
        assert getattr(by_hand, field) == getattr(shipped, field), field


def test_mmcvs_rules_by_hand() -> None:
    """OpenMMLab's tables print 0.72 G for AlexNet, 4.12 G for ResNet-50, 1.82 G for ResNet-18."""
    resnet = nettally.tally(nettally.read("resnet-50-torchvision")).under(ACCOUNTINGS["mmcv"])
    pools, norms, relus = 802_816 + 100_352, 11_113_984, 9_608_704
    assert resnet.operations == resnet.macs + 2 * norms + relus + pools
    alexnet = nettally.tally(nettally.read("alexnet-torchvision")).under(ACCOUNTINGS["mmcv"])
    biases_of_convs, pooled = 484_992, 376_832 + 9_216
    assert alexnet.operations == alexnet.macs + biases_of_convs + 493_184 + pooled


# --- coefficients, by hand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers", "operations"),
    [
        ("convnet-burden", "n: lrn", 3 * 300 + 2 * 100),
        ("convnet-burden", "a: relu|b: add from data, a", 2 * 300 + 300),
        ("darknet-bflops", "a: relu|b: add from data, a", 300),
        ("darknet-bflops", "c: conv_lstm 2, 3x3, padding 1", None),
        ("openvino", "t: tanh", 6 * 300),
        ("openvino", "n: lrn, size 5", 4 * 25 * 300 + 300),
        ("openvino", "u: conv_transpose 2, 2x2, no bias", 2 * 3 * 2 * 4 * 121),
        ("openvino", "a: relu|b: add from data, a", 2 * 300 + 3 * 300),
        ("thop-2019", "s: softmax", 3 * 300 - 100),
        ("thop", "s: softmax", 3 * 300 - 100),
        ("mmcv", "u: upsample, scale 2", 1200),
        ("imgclsmob", "c: conv 8, 3x3, no bias", 2 * 216 * 64 - 24),
        ("imgclsmob", "c: conv 8, 3x3", 2 * 216 * 64),
    ],
)
def test_a_coefficient_by_hand(name: str, layers: str, operations: int | None) -> None:
    lines = "".join(f"  - {each}\n" for each in layers.split("|"))
    tally = counted(f"input: 3x10x10\nlayers:\n{lines}").under(ACCOUNTINGS[name])
    assert tally.operations_complete
    assert tally.operations == (2 * tally.macs if operations is None else operations)


def test_a_shared_tensor_counts_with_its_owner() -> None:
    from torch import nn

    one = nn.Linear(4, 4)
    module = nn.Sequential(one, nn.ReLU(), one)
    tally = nettally.tally(nettally.read(module, (1, 4)))
    for name in ("nettally", "conv+linear", "keras", "openvino"):
        under = tally.under(ACCOUNTINGS[name])
        assert under.parameters == 4 * 4 + 4, name
        assert sum(map(under.accounting.parameters, under)) == 20, name


def test_a_tool_knows_what_ran_and_of_another_network_what_its_kinds_say() -> None:
    from torch import nn

    live = nettally.tally(nettally.read(nn.Linear(4, 4), (1, 4))).under(ACCOUNTINGS["torch"])
    assert live.operations_complete
    layer = layer_class("procedure")(type="odd", size=(1, 4), macs=7)
    other = nettally.tally(Network("odd", {"x": (1, 4)}, (Node("p", layer, ("x",)),)))
    assert not live.accounting.knows(other["p"])
    assert all(map(live.accounting.knows, live))
