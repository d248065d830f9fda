"""The formats of every command: what they say, that they fit their schema, that sums hold."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import nettally
from nettally.accountings.reckoning import reconcile
from nettally.claims.check import Verdict, check
from nettally.claims.claim import load
from nettally.cli import options, run, schema
from nettally.counting.quantities import LISTED, SUMS
from nettally.counting.tally import Tally, tally
from nettally.errors import NettallyError
from nettally.formats.zoo import claims_path, names
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering import output
from nettally.rendering.tables import json as as_json
from nettally.rendering.tables.architecture import architecture
from nettally.rendering.tables.columns import total_of
from nettally.rendering.tables.tree import lines

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "formats"
FORMS = [form for form in output.FORMATS if form not in ("table", "svg")]
CLAIMED = [name for name in names() if claims_path(name)]


def golden(name: str, text: str) -> None:
    """The text is what the golden file has. NETTALLY_OVERWRITE_GOLDEN=1 writes it anew."""
    path = GOLDEN / name
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"NETTALLY_OVERWRITE_GOLDEN=1 rewrites {name}"


@cache
def counted(name: str) -> Tally:
    return tally(nettally.read(name))


@cache
def verdicts(name: str) -> tuple[str, tuple[Verdict, ...]]:
    path = claims_path(name)
    assert path is not None
    made = load(path)
    return made.work, check(counted(name), made)


def node(name: str, kind: str, *inputs: str, module: str = "", **fields: object) -> Node:
    return Node(name, layer_class(kind)(**fields), inputs, module=module)


def outputs(form: str) -> dict[str, str]:
    """What each command writes of AlexNet."""
    net = counted("alexnet")
    work, judged = verdicts("alexnet")
    found = nettally.explain(net, "conv1.neurons = 253,440", judged)
    return {
        "tally": output.tally(form, net),
        "check": output.check(form, "alexnet", work, judged, {9: found}),
        "explain": output.explain(form, "alexnet", found),
        "reconcile": output.reconcile(form, net, reconcile(net)),
        "diff": output.diff(form, nettally.diff(net.network, nettally.read("caffenet"))),
    }


@pytest.mark.parametrize("form", FORMS)
def test_each_command_is_golden(form: str) -> None:
    """A page without its style, which is looked at."""
    ending = {"markdown": "md", "latex": "tex"}.get(form, form)
    for command, text in outputs(form).items():
        bare = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
        golden(f"{command}_alexnet.{ending}", bare)


@pytest.mark.parametrize("name", ["vgg-16", "resnet-50", "googlenet"])
def test_the_papers_tables_are_golden(name: str) -> None:
    golden(f"tally_{name}.tex", output.tally("latex", counted(name)))


# JSON and its schemas


def strict(schema: Any) -> Any:
    """The same schema, in which no field may stand that it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if "properties" in made:
        made["additionalProperties"] = False
    return made


@cache
def validator(of: str) -> Any:
    schema = strict(json.loads(as_json.schema(of)))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", names())
def test_the_tally_of_each_network_fits_its_schema(name: str) -> None:
    text = output.tally("json", counted(name), notes=("said",))
    data = json.loads(text)
    validator("tally").validate(data)
    for quantity in LISTED:
        assert data["totals"][quantity] == sum(layer[quantity] for layer in data["layers"])


@pytest.mark.parametrize("name", CLAIMED)
def test_the_check_of_each_network_fits_its_schema(name: str) -> None:
    work, judged = verdicts(name)
    data = json.loads(output.check("json", name, work, judged))
    validator("check").validate(data)
    counts = data["counts"]
    statuses = [each["status"] for each in data["verdicts"]]
    assert counts["differ"] == statuses.count("differs")
    assert counts["not_derivable"] == statuses.count("unknown")
    assert counts["tally"] == sum(each["tallies"] for each in data["verdicts"])
    sources = [each["claim"]["source"] for each in data["verdicts"]]
    assert all(source.startswith(f"zoo/{name}/claims.yaml:") for source in sources)
    assert sum(counts.values()) == 2 * counts["claims"] == 2 * len(statuses)


@pytest.mark.parametrize("name", names())
def test_the_reconciliation_of_each_network_fits_its_schema(name: str) -> None:
    data = json.loads(output.reconcile("json", counted(name), reconcile(counted(name))))
    validator("reconcile").validate(data)
    for each in data["reckonings"]:
        if each["operations"] is not None:
            assert sum(each["terms"].values()) == each["operations"]


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("alexnet", "conv1.neurons = 253,440"),
        ("resnet-50", "macs = 4.1G"),
        ("alexnet", "conv1.output = 54x54"),
        ("alexnet", "top1_error = 37.5 %"),
        ("alexnet", "every conv*.parameters / parameters <= 1 %"),
        ("alexnet", "parameters = 60,965,224"),
    ],
)
def test_explanations_fit_their_schema(name: str, claim: str) -> None:
    found = nettally.explain(counted(name), claim)
    data = json.loads(output.explain("json", name, found))
    validator("explain").validate(data)
    assert [each["text"] for each in data["explanations"]] == [each.text for each in found.found]


@pytest.mark.parametrize(
    ("a", "b"), [("alexnet", "alexnet"), ("alexnet", "caffenet"), ("vgg-16", "resnet-18")]
)
def test_differences_fit_their_schema(a: str, b: str) -> None:
    difference = nettally.diff(counted(a).network, counted(b).network)
    data = json.loads(output.diff("json", difference))
    validator("diff").validate(data)
    for quantity in ("parameters", "operations", "neurons"):
        gap = data["totals"]["b"][quantity] - data["totals"]["a"][quantity]
        assert sum(layer[quantity] for layer in data["layers"]) == gap
    assert data["same"] == (a == b)


def test_the_schemas_can_refuse() -> None:
    """Each field that a schema names is needed, and one that it does not name is noticed."""
    for of, text in outputs("json").items():
        whole = json.loads(text)
        for key in whole:
            with pytest.raises(jsonschema.ValidationError):
                validator(of).validate({k: v for k, v in whole.items() if k != key})
        with pytest.raises(jsonschema.ValidationError):
            validator(of).validate({**whole, "more": 1})
        with pytest.raises(jsonschema.ValidationError):
            validator(of).validate({**whole, "schema": "nettally/other/1"})


def test_what_is_not_known_is_null() -> None:
    nodes = (
        node("c", "conv", "data", filters=2, kernel=3),
        node("odd", "opaque", "c", type="CustomOp"),
    )
    net = tally(Network("n", {"data": (1, 3, 8, 8)}, nodes))
    for of, text in (
        ("tally", output.tally("json", net)),
        ("reconcile", output.reconcile("json", net, reconcile(net))),
        ("diff", output.diff("json", nettally.diff(net.network, counted("lenet-5").network))),
    ):
        validator(of).validate(json.loads(text))
    layer = json.loads(output.tally("json", net))["layers"][1]
    assert [layer[name] for name in ("output", "tensors", "parameters", "macs")] == [None] * 4


@pytest.mark.parametrize("of", as_json.VERSIONS)
def test_the_schema_in_the_docs_is_the_one_that_is_printed(
    of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema", of]) == 0
    printed = capsys.readouterr().out
    assert printed == (ROOT / "docs" / "schema" / f"{of}.schema.json").read_text("utf-8")
    if of != "network":
        assert json.loads(printed)["properties"]["schema"]["const"] == as_json.schema_name(of)


def test_a_schema_that_is_not_there() -> None:
    with pytest.raises(NettallyError, match=r"there is no schema of 'taly'") as caught:
        as_json.schema("taly")
    assert caught.value.hint == "did you mean 'tally'?"


def test_the_parser_knows_the_formats_and_schemas() -> None:
    """They are told there again, so that a command need not import what writes them."""
    assert (*options.FORMATS, "svg") == output.FORMATS
    assert list(as_json.VERSIONS) == list(schema.SCHEMAS)


# Papers' tables


@st.composite
def networks(draw: Any) -> Network:
    """Chains with shortcuts and branches, in modules within modules, some of them alike."""
    nodes: list[Node] = []
    before = "data"
    for block in range(draw(st.integers(1, 5))):
        module = draw(st.sampled_from(["", "a", f"b{block}", f"s.{block}", f"s.t{block}.u"]))
        first = before
        kinds = draw(
            st.lists(st.sampled_from(["conv", "relu", "bn", "pool"]), min_size=1, max_size=5)
        )
        for place, kind in enumerate(kinds):
            name = f"{module or 'n'}.{block}_{place}"
            inside: dict[str, Node] = {
                "conv": node(name, "conv", before, module=module, filters=4, kernel=1),
                "relu": node(name, "relu", before, module=module),
                "bn": node(name, "batch_norm", before, module=module),
                "pool": node(
                    name, "max_pool", before, module=module, kernel=3, stride=1, padding=1
                ),
            }
            nodes.append(inside[kind])
            before = name
        ending = draw(st.sampled_from(["", "add", "concat"]))
        if ending == "concat" or (ending and first != "data"):
            name = f"{module or 'n'}.{block}_{ending}"
            fit = draw(st.booleans()) or ending == "add"
            if fit and ending == "add":
                nodes.append(node(name + "p", "conv", first, module=module, filters=4, kernel=1))
                nodes.append(node(name + "q", "conv", before, module=module, filters=4, kernel=1))
                nodes.append(node(name, "add", name + "q", name + "p", module=module))
            else:
                nodes.append(node(name, "concat", first, before, module=module))
            before = name
    return Network("n", {"data": (1, 4, 8, 8)}, tuple(nodes))


def is_partition(net: Tally) -> None:
    """Each layer stands in one line, and a line says how often its layers are repeated."""
    parts, _ = architecture(net)
    shown = [row.node.name for part in parts for row in part.rows]
    assert sorted(shown) == sorted(row.node.name for row in net)
    for part in parts:
        assert part.heading == (not part.rows)
        assert part.heading or part.labels
        assert part.times <= max(1, len(part.rows))


@given(networks())
def test_a_papers_table_leaves_nothing_out(network: Network) -> None:
    is_partition(tally(network))


@pytest.mark.parametrize("name", names())
def test_each_networks_table_leaves_nothing_out(name: str) -> None:
    is_partition(counted(name))


def cells(line: str) -> list[str]:
    return [cell.strip().removesuffix(r"\tabularnewline").strip() for cell in line.split(" & ")]


def number(cell: str) -> int:
    return int(cell.replace(",", "")) if re.fullmatch(r"[\d,]+", cell) else 0


@pytest.mark.parametrize("name", names())
def test_the_columns_of_latex_add_up_to_the_totals(name: str) -> None:
    """As printed, read back from the text."""
    net = counted(name)
    text = output.tally("latex", net, "parameters,operations,neurons")
    rows = [cells(line) for line in text.splitlines() if line.endswith(r"\tabularnewline")]
    total = next(row for row in rows if row[0] == "total")
    body = [row for row in rows if row[0] != "total"]
    for place, quantity in enumerate(("parameters", "operations", "neurons"), 2):
        assert sum(number(row[place]) for row in body) == number(total[place])
        assert total[place] == total_of(net, quantity)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vgg-16", r"\texttt{conv3\_1\textendash{}conv3\_3} & conv3-256 $\times$3 & 256"),
        ("vgg-16", r"\texttt{fc6\textendash{}fc7} & FC-4096 $\times$2"),
        ("alexnet", r"\texttt{conv2} & conv5-256, 2 groups & 256$\times$27$\times$27 & 307,456"),
        (
            "resnet-50",
            r"$\left[\begin{tabular}{@{}l@{}}conv1-64 \\ conv3-64 \\ conv1-256\end{tabular}\right]$"
            r" $\times$3",
        ),
        ("resnet-50", r"conv3\_1: conv1-128, stride 2; conv1-512, stride 2 on the shortcut."),
        ("mobilenet-v1", r"conv3-512, depthwise \\ conv1-512\end{tabular}\right]$ $\times$5"),
        ("googlenet", r"conv1-64 \\ conv1-96 $\to$ conv3-128 \\ conv1-16 $\to$ conv5-32"),
        ("densenet-121", r"conv1-128 \\ conv3-32\end{tabular}\right]$ $\times$24"),
    ],
)
def test_what_is_alike_stands_on_one_line(name: str, said: str) -> None:
    """As the authors' own tables have it: VGG's table 1, ResNet's table 1, MobileNet's table 1."""
    assert said in output.tally("latex", counted(name))


def test_the_repetitions_of_residual_networks_are_those_of_their_paper() -> None:
    """He et al. 2016, table 1: how often each block is repeated, from conv2_x to conv5_x."""
    published = {
        "resnet-18": [2, 2, 2, 2],
        "resnet-34": [3, 4, 6, 3],
        "resnet-50": [3, 4, 6, 3],
        "resnet-101": [3, 4, 23, 3],
        "resnet-152": [3, 8, 36, 3],
    }
    for name, times in published.items():
        parts, _ = architecture(counted(name))
        assert [part.times for part in parts if len(part.labels) > 1] == times


def test_a_long_table_goes_over_pages() -> None:
    short, long = counted("vgg-16"), counted("resnet-152")
    assert r"\begin{table}" in output.tally("latex", short)
    assert r"\begin{longtable}" in output.tally("latex", long, None, 2)
    assert "longtable" in output.tally("latex", long, None, 2).splitlines()[1]


# Markdown, HTML, CSV


@pytest.mark.parametrize("command", ["tally", "check", "explain", "reconcile", "diff"])
def test_markdown_is_one_table_with_every_cell(command: str) -> None:
    text = outputs("markdown")[command]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    heads = [each for each in tokens if each.type == "th_open"]
    rows = sum(each.type == "tr_open" for each in tokens) - 1
    assert len(heads) > 3
    assert sum(each.type == "td_open" for each in tokens) == rows * len(heads)


@pytest.mark.parametrize("name", names())
def test_markdown_has_the_lines_of_the_table(name: str) -> None:
    net = counted(name)
    text = output.tally("markdown", net)
    body = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(body) == len(lines(net)) + len(net.network.inputs) + 1


@pytest.mark.parametrize("command", ["tally", "check", "explain", "reconcile", "diff"])
def test_csv_is_a_rectangle(command: str) -> None:
    rows = list(csv.reader(io.StringIO(outputs("csv")[command])))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) > 1


def test_csv_numbers_are_bare() -> None:
    rows = list(csv.DictReader(io.StringIO(outputs("csv")["check"])))
    by_claim = {row["claim"]: row for row in rows}
    row = by_claim["conv1.neurons = 253,440"]
    assert (row["ours"], row["printed_value"], row["status"]) == ("290400", "253440", "differs")
    assert row["explanation"].startswith("a slip: 48 for 55")
    assert by_claim["conv1.kernel_volume = 11x11x3"]["ours"] == "11x11x3"


def test_html_is_a_page_without_anything_from_outside() -> None:
    for text in outputs("html").values():
        assert text.startswith("<!doctype html>")
        assert "<script" not in text
        assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!#)[\w/.]", text)


def test_rows_are_plain_and_flat() -> None:
    """For a table library: no value is a container but the shapes, no number remembers."""
    net = tally(counted("googlenet").network, working=True)
    rows = net.rows()
    assert [row["name"] for row in rows] == [row.node.name for row in net.rows]
    for row in rows:
        assert set(row) == {"name", "type", "module", "layer", "inputs", "output", *LISTED}
        for key, value in row.items():
            assert type(value) in (str, int, tuple), (key, value)
    for quantity in LISTED:
        assert sum(row[quantity] for row in rows) == sum(
            int(SUMS[quantity](net, row)) for row in net
        )
    thop = net.under(nettally.ACCOUNTINGS["thop"])
    assert sum(row["operations"] for row in thop.rows()) == thop.operations
    assert sum(row["operations"] for row in net.rows()) == net.operations


# The command line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["tally", "lenet-5"], 0),
        (["check", "lenet-5"], 0),
        (["check", "alexnet"], 1),
        (["explain", "lenet-5", "parameters = 61,000"], 1),
        (["reconcile", "lenet-5"], 0),
        (["diff", "lenet-5", "lenet-5"], 0),
        (["diff", "lenet-5", "alexnet"], 1),
    ],
)
def test_every_command_takes_every_format(
    arguments: list[str], code: int, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of the table; what is printed is the document and nothing else."""
    assert run([*arguments, "--format", form]) == code
    printed, complaints = capsys.readouterr()
    assert complaints == ""
    first = {"json": "{\n", "html": "<!doctype", "latex": "% ", "markdown": "**"}.get(form, "")
    assert printed.startswith(first)
    if form == "json":
        validator(arguments[0]).validate(json.loads(printed))


def test_a_format_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "alexnet", "--format", "pdf"]) == 2
    assert (
        "--format takes no 'pdf'\n  try: one of csv, html, json, latex" in capsys.readouterr().err
    )


def test_the_reading_of_an_input_is_said_in_each_format(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for form in ("markdown", "html", "latex", "json"):
        assert run(["tally", "lenet-5", "--input", "1x32x32", "--format", form]) == 0
        assert "channels 1, height 32, width 32" in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS)
def test_a_document_is_utf_8_whatever_the_terminal_has(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nettally", "diff", "lenet-5", "alexnet", "--format", form],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=False,
        timeout=60,
    )
    assert done.stderr == b""
    text = done.stdout.decode("utf-8")
    assert "?" not in text
    assert form == "json" or "→" in text or "\\to" in text
