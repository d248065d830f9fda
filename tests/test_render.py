"""Tables, workings and formats: what they say, that their sums are right, and what they escape."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from nettally.accountings import ACCOUNTINGS
from nettally.accountings.reckoning import reconcile
from nettally.counting.accounting import NETTALLY
from nettally.counting.tally import Tally, tally
from nettally.errors import NettallyError
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering import output
from nettally.rendering.escape import MAX_TEXT, csv_cell, escape, markdown_cell
from nettally.rendering.reports.check_report import short_work
from nettally.rendering.reports.working import working
from nettally.rendering.tables.columns import COLUMNS
from nettally.rendering.tables.compare import reconcile_text, terms
from nettally.rendering.tables.terminal import grid, long_grid, tally_text
from nettally.rendering.tables.tree import lines
from nettally.rendering.terminal import Terminal, noted, printable, terminal, wrap, wrap_steps

GOLDEN = Path(__file__).parent / "golden"
PLAIN = Terminal(80)
HOSTILE = "\x1b]0;owned\x07\u202egpj.exe\x1b[31m|<script>`*\n=cmd"


def golden(name: str, text: str) -> None:
    """The text is what the golden file has. NETTALLY_OVERWRITE_GOLDEN=1 writes it anew."""
    path = GOLDEN / name
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"NETTALLY_OVERWRITE_GOLDEN=1 rewrites {name}"


def node(name: str, kind: str, *inputs: str, module: str = "", **fields: object) -> Node:
    return Node(name, layer_class(kind)(**fields), inputs, module=module)


def blocks() -> Network:
    """Two blocks, one within another, and a layer that nobody knows."""
    return Network(
        "blocks",
        {"data": (1, 3, 32, 32)},
        (
            node("stem", "conv", "data", filters=16, kernel=3, stride=2, rounding="up"),
            node("a.conv1", "conv", "stem", module="a", filters=16, kernel=3, padding=1),
            node("a.in.conv", "conv", "a.conv1", module="a.in", filters=8, kernel=1, bias=False),
            node("a.in.relu", "relu", "a.in.conv", module="a.in"),
            node("odd", "opaque", "a.in.relu", type="CustomOp", size=(8, 16, 16)),
            node("b.pool", "max_pool", "odd", module="b", kernel=2),
            node("b.fc", "linear", "b.pool", module="b", features=10),
        ),
        title="Two blocks and a secret",
        notes=("odd was not understood",),
    )


@pytest.fixture(scope="module")
def counted() -> Tally:
    return tally(blocks())


def test_table_is_golden(counted: Tally) -> None:
    golden("tally_blocks.txt", tally_text(counted, PLAIN, notes=("said",)))


def test_folded_table_is_golden(counted: Tally) -> None:
    text = tally_text(counted, PLAIN, "kind,output,parameters,share,connections", 0)
    golden("tally_blocks_folded.txt", text)


def test_working_is_golden() -> None:
    names = ("stem", "a.in.conv", "odd", "b.pool", "b.fc", "a")
    text = "\n".join(working(blocks(), name, NETTALLY, PLAIN) for name in names)
    golden("working_blocks.txt", text)


def test_markdown_is_golden(counted: Tally) -> None:
    golden("tally_blocks.md", output.tally("markdown", counted, depth=1))


def test_json_is_golden(counted: Tally) -> None:
    golden("tally_blocks.json", output.tally("json", counted, notes=("said",)))


def test_csv_is_golden(counted: Tally) -> None:
    golden("tally_blocks.csv", output.tally("csv", counted))


def numbers(text: str) -> list[int]:
    return [int(each.replace(",", "")) for each in re.findall(r"(?<![\w.])\d[\d,]*(?![\w.])", text)]


@pytest.mark.parametrize("depth", [0, 1, 2, None])
def test_table_rows_add_up_to_the_footer(counted: Tally, depth: int | None) -> None:
    """Independently of the golden files: folded or not, each column sums to its total."""
    table = tally_text(counted, PLAIN, "neurons,parameters,operations", depth)
    body, foot = table.split("\n\n")[1:3]
    sums = [0, 0, 0]
    for line in body.splitlines()[2:]:
        cells = re.findall(r"≥ [\d,]+|\?|–|\d[\d,]*(?=\s|$)", line)
        for place, cell in enumerate(cells[-3:] if len(cells) >= 3 else ()):
            sums[place] += int(cell.strip("≥ –?").replace(",", "") or 0)
    totals = [numbers(line.replace("at least", ""))[0] for line in foot.splitlines()[:3]]
    assert sums == totals == [counted.neurons, counted.parameters, counted.operations]


def test_the_sum_of_the_parts_by_hand(counted: Tally) -> None:
    by_hand = (16 * 3 * 9 + 16) + (16 * 16 * 9 + 16) + 8 * 16 + (10 * 8 * 8 * 8 + 10)
    assert counted.parameters == by_hand
    assert f"at least {by_hand:,}" in tally_text(counted, PLAIN)


def test_what_is_not_known_is_said_and_is_not_zero(counted: Tally) -> None:
    text = tally_text(counted, PLAIN)
    assert "1 layer not known, not counted as zero: odd (CustomOp)" in text
    row = next(line for line in text.splitlines() if line.startswith("odd"))
    assert row.split() == ["odd", "8x16x16", "?", "?", "?", "unknown"]
    assert "odd" in json.loads(output.tally("json", counted))["totals"]["unknown"]
    assert output.tally("csv", counted, "parameters").splitlines()[5] == "odd,,opaque,"


def test_modules_are_opened_down_to_the_depth(counted: Tally) -> None:
    assert [line.path for line in lines(counted, 0)] == ["stem", "a", "odd", "b"]
    assert [line.label for line in lines(counted, 1)][1:4] == ["a", "conv1", "in"]
    assert [line.branch + line.label for line in lines(counted, 2)][3:6] == [
        "└─ in",
        "   ├─ conv",
        "   └─ relu",
    ]
    assert lines(counted) == lines(counted, 2)


def test_a_long_network_is_folded_by_itself() -> None:
    nodes: list[Node] = []
    source = "data"
    for block in range(30):
        for place in range(5):
            name = f"b{block}.relu{place}"
            nodes.append(node(name, "relu", source, module=f"b{block}"))
            source = name
    long = tally(Network("long", {"data": (1, 3)}, tuple(nodes)))
    assert len(lines(long)) == 30
    assert len(lines(long, 1)) == 180
    assert "--depth 1 shows all 150 layers" in tally_text(long, PLAIN)


@pytest.mark.parametrize("name", COLUMNS)
def test_each_column_stands_alone(counted: Tally, name: str) -> None:
    assert tally_text(counted, PLAIN, name)
    assert output.tally("csv", counted, name)
    assert output.tally("markdown", counted, name)


def test_an_unknown_column_is_refused_with_a_suggestion(counted: Tally) -> None:
    with pytest.raises(NettallyError) as caught:
        tally_text(counted, PLAIN, "output,paramters")
    assert str(caught.value) == (
        "there is no column 'paramters'\n  try: did you mean 'parameters'?"
    )


def test_no_number_is_cut_in_a_narrow_terminal(counted: Tally) -> None:
    text = tally_text(counted, Terminal(40), ",".join(COLUMNS))
    for number in (f"{counted['b.fc'].work.macs:,}", "2,320"):
        assert number in text


def test_lines_fit_the_terminal(counted: Tally) -> None:
    texts = [tally_text(counted, PLAIN)]
    texts += [working(blocks(), row.node.name, NETTALLY, PLAIN) for row in counted]
    texts.append(reconcile_text(counted, reconcile(counted), PLAIN))
    for text in texts:
        assert max(map(len, text.splitlines())) <= 80


def test_reconcile_terms_add_up(counted: Tally) -> None:
    """The line of terms, as printed, is a sum whose value is the operations."""
    for each in reconcile(counted):
        shown = re.sub(r"[a-z_][\w-]*", " ", terms(each.terms).replace(",", ""))
        value = 0
        for sign, factor, amount in re.findall(r"([+-]?) *(?:(\d+) × )?(\d+)", shown):
            value += (-1 if sign == "-" else 1) * int(factor or 1) * int(amount)
        assert value == each.operations, each.accounting.name


def test_reconcile_names_every_accounting(counted: Tally) -> None:
    text = reconcile_text(counted, reconcile(counted), PLAIN)
    assert all(f"\n{name} " in text for name in ACCOUNTINGS)


def test_working_says_which_pixels_are_dropped() -> None:
    network = Network(
        "n",
        {"data": (1, 3, 224, 200)},
        (node("conv1", "conv", "data", filters=96, kernel=11, stride=4),),
    )
    text = " ".join(working(network, "conv1", NETTALLY, PLAIN).split())
    assert "⌊213 / 4⌋ + 1 = 53 + 1 = 54" in text
    assert "213 / 4 does not come out even: the last pixel is read by no window" in text
    assert "inputs from 223 to 226 all give 54" in text
    assert "189 / 4 does not come out even" in text  # the width's own


def test_working_says_what_overhangs() -> None:
    network = Network(
        "n",
        {"data": (1, 3, 224, 224)},
        (node("conv1", "conv", "data", filters=96, kernel=11, stride=4, rounding="up"),),
    )
    text = " ".join(working(network, "conv1", NETTALLY, PLAIN).split())
    assert "the last window overhangs the edge by 3 pixels" in text
    assert "width 55, in the same way" in text
    assert "neurons height 55 · width 55 · filters 96 = 290,400" in text


# What strangers wrote


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größe 卷积", "größe 卷积"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://x\x07link", "\\x1b]8;;http://x\\x07link"),
        ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("a\u200bb\ufeffc", "a\\u200bb\\ufeffc"),
        ("a\u2028b", "a\\u2028b"),
        ("a\xa0b\u2009c", "a b c"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("x" * 500, "x" * MAX_TEXT + "…"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


@pytest.mark.parametrize("head", ["=", "+", "-", "@"])
def test_a_csv_cell_is_no_formula(head: str) -> None:
    assert csv_cell(f"{head}cmd|' /C calc'!A0").startswith(f"'{head}")


def test_csv_numbers_stay_numbers() -> None:
    assert [csv_cell(each) for each in (-3, 2.5, None, "a,b", 'a"b')] == [
        "-3",
        "2.5",
        "",
        '"a,b"',
        '"a""b"',
    ]


def test_markdown_cell_has_no_pipe_and_no_tag() -> None:
    assert markdown_cell("a|b<script>`x`") == "a\\|b\\<script\\>\\`x\\`"


def hostile() -> Network:
    return Network(
        HOSTILE,
        {HOSTILE + "in": (1, 3, 8, 8)},
        (
            node(HOSTILE + "1", "conv", HOSTILE + "in", module=HOSTILE, filters=2, kernel=3),
            node(HOSTILE + "2", "opaque", HOSTILE + "1", type=HOSTILE),
        ),
        title=HOSTILE,
        notes=(HOSTILE,),
    )


def test_hostile_names_reach_no_terminal() -> None:
    counted = tally(hostile())
    texts = [
        tally_text(counted, PLAIN, "layer,kind,output,field"),
        working(hostile(), HOSTILE + "1", NETTALLY, PLAIN),
        working(hostile(), HOSTILE + "2", NETTALLY, PLAIN),
        reconcile_text(counted, reconcile(counted), PLAIN),
        output.tally("markdown", counted, "layer,output"),
        output.tally("csv", counted, "layer"),
        output.tally("json", counted),
    ]
    for text in texts:
        # Markdown sets names in by no-break spaces
        assert all(each.isprintable() or each in "\n\xa0" for each in text)


def test_csv_reads_back_whole() -> None:
    counted = tally(hostile())
    rows = list(csv.reader(io.StringIO(output.tally("csv", counted, "layer,parameters"))))
    assert [len(row) for row in rows] == [5, 5, 5]
    assert rows[1][4] == str(counted.parameters)


def test_json_names_are_as_they_are() -> None:
    data = json.loads(output.tally("json", tally(hostile())))
    assert data["schema"] == "nettally/tally/1"
    assert data["network"] == HOSTILE
    assert data["layers"][0]["output"] == [1, 2, 6, 6]
    assert data["layers"][1]["parameters"] is None
    assert data["totals"]["complete"] is False


def test_json_totals_are_the_sums_of_its_layers(counted: Tally) -> None:
    data = json.loads(output.tally("json", counted))
    for name in ("neurons", "parameters", "operations", "macs", "weights", "biases"):
        known = [layer[name] for layer in data["layers"] if layer[name] is not None]
        assert sum(known) == data["totals"][name]


# The terminal


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize(
    ("environment", "colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour(environment: dict[str, str], colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal(Screen()).colour is (colour and os.name != "nt")
    assert terminal(io.StringIO()).colour is False


@pytest.mark.parametrize(("columns", "width"), [("120", 120), ("7", 40), ("no", 80), ("", 80)])
def test_width(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal(Screen()).width == width


def test_without_unicode_the_arithmetic_is_still_there() -> None:
    narrow = PLAIN.replace(unicode=False)
    assert printable("⌈213 / 4⌉ + 1 · 2", narrow) == "ceil(213 / 4) + 1 * 2"
    assert narrow.mark("exact") == "+"


def test_fold_keeps_every_word() -> None:
    text = "one two three four five six"
    folded = wrap(text, 12, "- ")
    assert folded == ["- one two", "  three four", "  five six"]
    assert wrap_steps(["1 + 2 + 3", "3 + 3", "6"], 12) == ["1 + 2 + 3", "= 3 + 3 = 6"]
    assert wrap_steps(["filters 96 · kernel 11", "1,056"], 16) == [
        "filters 96",
        "    · kernel 11",
        "= 1,056",
    ]


def test_notes_name_themselves() -> None:
    assert noted(["source: a paper", "read as 3: so"], PLAIN) == [
        "source: a paper",
        "note: read as 3: so",
    ]


@pytest.mark.parametrize(
    ("work", "short"),
    [
        ("Krizhevsky, Sutskever, Hinton: ImageNet. NeurIPS 2012", "Krizhevsky et al. 2012"),
        ("He, Zhang, Ren, Sun: Deep Residual. arXiv 1512.03385, 2015", "He et al. 2015"),
        ("Simonyan and Zisserman: Very deep. ICLR 2015", "Simonyan and Zisserman 2015"),
        ("a README", "a README"),
    ],
)
def test_short_work(work: str, short: str) -> None:
    assert short_work(work) == short


def test_a_long_table_looks_like_a_short_one() -> None:
    heads, numbers = ("name", "output", "MACs"), (False, True, True)
    rows = [("conv1", "96x55x55", "105,415,200"), ("", "", ""), ("größe …", "3", "–")]
    wide = Terminal(80, wide=True)
    assert long_grid(heads, numbers, rows, wide) == grid(heads, numbers, rows, wide)
    many = grid(heads, numbers, rows * 1000, wide).splitlines()
    assert len(many) == 3002
    assert many[:4] == grid(heads, numbers, rows, wide).splitlines()[:4]
