"""What strangers wrote, in each format: it is shown, and does nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import nettally
from browser import EVIL, chromium, opened, without_policy
from nettally.accountings.reckoning import reconcile
from nettally.claims.check import Verdicts, check
from nettally.claims.claim import parse_claim
from nettally.counting.tally import tally
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering import output
from nettally.rendering.escape import MAX_TEXT, csv_cell, html_text, latex_text, markdown_cell
from nettally.rendering.reports.audit import Audit, CaptionedSvg, Provenance
from nettally.rendering.reports.page import report

RUN = "document.documentElement.id='owned'"
OWNED = 'id="owned"'
NAMES = (
    f"<script>{RUN}</script>",
    f"<img src=http://{EVIL}/i onerror={RUN}>",
    f'"><svg onload={RUN}>',
    f"'><a href='javascript:{RUN}' autofocus onfocus={RUN}>x</a>",
    f"</style><script>{RUN}</script>",
    f"--><script src=//{EVIL}/s></script><!--",
    f"]]><iframe src=http://{EVIL}/f>",
    f"x{{}}</title><link rel=stylesheet href=http://{EVIL}/c>@import url(http://{EVIL}/u)",
    f"![a](http://{EVIL}/m) [b](javascript:{RUN}) `c` | d",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "\\input{/etc/passwd} \\write18{id} ^^5c $x$ %c #1 &",
    "\\end{tabular}\\end{table}\\catcode`\\@=11",
    "\u202egpj.exe\u2066\u200f",
    "\x1b]0;owned\x07\x1b[31m",
    "a\nb\r\nc\td\x00e\x85f\u2028g",
    '[10pt] * ?` !` --- ~ ^ " < > |',
    "x" * 10_000,
    "卷积 größe ß \U0001f600 \udc80",
)


def hostile() -> Network:
    """A layer and a module by each of the names, and layers that nobody knows."""
    nodes: list[Node] = []
    before = NAMES[0] + "in"
    for name in NAMES:
        conv = layer_class("conv")(filters=2, kernel=1)
        nodes.append(Node(name, conv, (before,), module=name.replace(".", "")))
        nodes.append(Node(name + "2", layer_class("opaque")(type=name, size=(2, 8, 8)), (name,)))
        before = name + "2"
    return Network(
        NAMES[0], {NAMES[0] + "in": (1, 2, 8, 8)}, tuple(nodes), title=NAMES[1], notes=NAMES
    )


def judged(network: Network) -> Verdicts:
    """Claims whose words are hostile; one of each verdict."""
    claims = [
        parse_claim(text, quote=name, place=name, work=name, note=name, measured=place % 5 == 4)
        for place, name in enumerate(NAMES)
        for text in (("parameters = 123", "macs = 128", "parameters < 1M")[place % 3],)
    ]
    return check(network, claims)


def documents(form: str) -> dict[str, str]:
    net = hostile()
    counted = tally(net)
    verdicts = judged(net)
    found = nettally.explain(counted, verdicts[0].claim, verdicts)
    other = Network(NAMES[2], dict(net.inputs), net.nodes[:6])
    return {
        "tally": output.tally(form, counted, notes=NAMES),
        "tally, its layers": output.tally(form, counted, "layer,kind,output", 9),
        "check": output.check(form, NAMES[3], NAMES[4], verdicts, {0: found}, NAMES),
        "explain": output.explain(form, NAMES[5], found, NAMES),
        "reconcile": output.reconcile(form, counted, reconcile(counted), NAMES),
        "diff": output.diff(form, nettally.diff(net, other), NAMES),
    }


def page() -> str:
    """The report of it all."""
    net = hostile()
    counted = tally(net)
    verdicts = judged(net)
    return report(
        Audit(
            NAMES[7],
            counted,
            Provenance(f"nettally report {NAMES[6]}", "1", ((NAMES[1], NAMES[2], NAMES[3], 1),)),
            NAMES[4],
            verdicts,
            {
                place: nettally.explain(counted, verdict.claim, verdicts)
                for place, verdict in enumerate(verdicts)
                if verdict.status == "differs"
            },
            reconcile(counted),
            (CaptionedSvg("<svg></svg>", NAMES[5]),),
            NAMES,
        )
    )


def words(text: str) -> set[str]:
    return set(text.split())


TAGS = words(
    "html head meta title style body header main footer section nav article h1 h2 h3 h4 p a ul ol "
    "li dl dt dd div span small b br code details summary blockquote table caption thead tbody tr "
    "th td figure figcaption svg"
)
ATTRIBUTES = words(
    "lang charset http-equiv content name class id style aria-hidden aria-label aria-labelledby "
    "role tabindex scope colspan start href"
)
STYLES = re.compile(r"--l:\d|flex:\d+")


class Reader(HTMLParser):
    """Every tag and attribute is one of ours; what a link and a style may say is narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            if name == "href":
                assert re.fullmatch(r"#[\w-]+", value or "")
            if name == "style":
                assert STYLES.fullmatch(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def read(text: str) -> str:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.tags > 8
    return "".join(reader.text)


@pytest.mark.parametrize("command", ["tally", "check", "explain", "reconcile", "diff"])
def test_a_page_has_only_our_own_tags(command: str) -> None:
    read(documents("html")[command])


def test_a_report_has_only_our_own_tags_and_shows_the_names() -> None:
    shown = read(page())
    assert f"<script>{RUN}</script>" in shown
    assert "x" * MAX_TEXT + "…" in shown
    assert "x" * (MAX_TEXT + 1) not in shown
    assert all(each.isprintable() or each in "\n\xa0" for each in page())


def test_a_notebook_has_only_our_own_tags() -> None:
    net = hostile()
    verdicts = judged(net)
    for noun in (net, tally(net), verdicts, nettally.explain(net, verdicts[0].claim, verdicts)):
        read(noun._repr_html_())


@given(st.text(st.characters(codec=None)))
@example("<script>&\"'")
def test_text_in_a_page_is_text(text: str) -> None:
    made = html_text(text)
    assert not set(made) & set("<>\"'")
    assert not re.search(r"&(?!(?:amp|lt|gt|quot|#x27);)", made)


@given(st.text(st.characters(codec=None)))
@example("\\}{$&#^_~%")
@example("[--`")
def test_text_in_latex_is_text(text: str) -> None:
    """Every character that TeX reads is one of ours, and braces pair."""
    made = latex_text(text)
    ours = re.compile(
        r"\\(?:text(?:backslash|asciicircum|asciitilde|endash|emdash)|dots)\{\}|\\[{}$&#%_]|"
        r"\{[\[`*]?\}|``|\$(?:[<>|]|\^\d|-|\\(?:times|cdot|approx|geq|leq|to|lceil|rceil|lfloor|"
        r"rfloor))\$"
    )
    rest = ours.sub("", made)
    assert not set(rest) & set('\\{}$&#^_~%[*"<>|'), made
    assert all(each.isprintable() for each in made)


@given(st.one_of(st.text(st.characters(codec=None)), st.sampled_from(NAMES)))
def test_text_in_csv_is_text(text: str) -> None:
    """It is one cell, and no formula."""
    made = csv_cell(text)
    ((cell,),) = csv.reader(io.StringIO(made + "\n")) if made else ((("",)),)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.one_of(st.text(st.characters(codec=None)), st.sampled_from(NAMES)))
def test_text_in_markdown_is_text(text: str) -> None:
    """A cell of the table is its text, with no element in it."""
    table = f"| a | b |\n| :-- | :-- |\n| {markdown_cell(text)} | end |\n"
    markup = MarkdownIt("commonmark").enable("table").render(table)
    assert set(re.findall(r"<(\w+)", markup)) <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert '<td style="text-align:left">end</td>' in markup


@pytest.mark.parametrize("command", ["tally", "check", "explain", "reconcile", "diff"])
def test_markdown_makes_no_link_and_no_picture(command: str) -> None:
    markup = MarkdownIt("commonmark").enable("table").render(documents("markdown")[command])
    tags = set(re.findall(r"<(\w+)", markup))
    assert tags <= {"table", "thead", "tbody", "tr", "th", "td", "p", "strong"}


@pytest.mark.parametrize("command", ["tally", "check", "explain", "reconcile", "diff"])
def test_csv_has_no_formula(command: str) -> None:
    rows = list(csv.reader(io.StringIO(documents("csv")[command])))
    assert len({len(row) for row in rows}) == 1
    for row in rows:
        for cell in row:
            formula = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not formula or re.fullmatch(r"-?[\d.]+(?:e-?\d+)?", cell)


def test_json_has_the_names_as_they_are() -> None:
    data = json.loads(documents("json")["tally"])
    assert [layer["name"] for layer in data["layers"][::2]] == list(NAMES)
    assert documents("json")["tally"].isascii()


def test_latex_compiles(tmp_path: Path) -> None:
    """With every hostile name in it, and nothing is written or read but the document."""
    engine = shutil.which("pdflatex")
    if engine is None or not _has_booktabs():
        pytest.skip("no pdflatex with booktabs here")
    texts = documents("latex")
    body = "\\clearpage\n".join(texts.values())
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,longtable}\\begin{document}\n"
        f"{body}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=120,
    )
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, told[-3000:]
    assert "Output written on all.pdf" in told
    assert "passwd" not in re.sub(
        r"\\input\{/etc/passwd\}", "", (tmp_path / "all.log").read_text("latin-1")
    )


def _has_booktabs() -> bool:
    found = shutil.which("kpsewhich")
    if found is None:
        return False
    return subprocess.run([found, "booktabs.sty"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("what", ["report", "tally", "check", "notebook"])
def test_nothing_runs_and_nothing_is_fetched(what: str, tmp_path: Path) -> None:
    """In a browser, and without the policy that would stop it: our escaping alone."""
    chromium()
    if what == "notebook":
        text = f"<title>notebook</title>{tally(hostile())._repr_html_()}"
    else:
        text = without_policy(page() if what == "report" else documents("html")[what])
    seen = opened(text, tmp_path)
    assert OWNED not in seen.dom
    assert "<script" not in seen.dom
    assert seen.asked == ()


def test_the_test_above_can_fail(tmp_path: Path) -> None:
    text = f"<title>x</title><img src=http://{EVIL}/i><script>{RUN}</script>"
    seen = opened(text, tmp_path)
    assert OWNED in seen.dom
    assert seen.asked
