"""The report: the verdict first, every claim with its evidence, one page that stands alone."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import nettally
from browser import violations
from nettally.accountings.reckoning import reconcile
from nettally.claims.check import check
from nettally.claims.claim import Claims, load
from nettally.cli import run
from nettally.counting.tally import Tally, tally
from nettally.formats.zoo import claims_path, names
from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering.escape import html_text
from nettally.rendering.reports.audit import Audit, CaptionedSvg, Provenance
from nettally.rendering.reports.page import report
from nettally.rendering.reports.steps import steps

GOLDEN = Path(__file__).parent / "golden" / "report"
CLAIMED = [name for name in names() if claims_path(name)]
VOID = {"meta", "br"}


@cache
def counted(name: str) -> Tally:
    return tally(nettally.read(name))


@cache
def audit(name: str) -> Audit:
    """An audit without figures; claims that differ are explained by single edits."""
    path = claims_path(name)
    made = load(path) if path else Claims("", ())
    verdicts = check(counted(name), made)
    explained = {
        place: nettally.explain(counted(name), verdict.claim, verdicts, pairs=0)
        for place, verdict in enumerate(verdicts)
        if verdict.status == "differs"
    }
    return Audit(
        name,
        counted(name),
        Provenance(
            f"nettally report {name}", "0.1.0", (("network", "network.yaml", "ab" * 32, 1206),)
        ),
        made.work,
        verdicts,
        explained,
        reconcile(counted(name)),
    )


class Outline(HTMLParser):
    """Headings, anchors, links and visible text of a page; tags have to pair."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[tuple[int, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.labelled: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        for name in ("aria-labelledby", "aria-describedby"):
            self.labelled += (found.get(name) or "").split()
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A shape of a drawing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.headings and any(re.fullmatch(r"h[1-6]", tag) for tag in self.open):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)


def test_alexnets_report_is_golden() -> None:
    """NETTALLY_OVERWRITE_GOLDEN=1 writes it anew. Without the style, which is looked at."""
    page = re.sub(r"<style>.*?</style>", "<style></style>", report(audit("alexnet")), flags=re.S)
    path = GOLDEN / "alexnet.html"
    if os.environ.get("NETTALLY_OVERWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert page == path.read_text("utf-8")


def test_the_same_bytes_each_time() -> None:
    assert report(audit("googlenet")) == report(audit("googlenet"))


def test_the_verdict_comes_first() -> None:
    outline = Outline(report(audit("alexnet")))
    first = outline.text[: outline.text.index("What differs")]
    assert "50 of 54 claims tally, 4 differ." in first
    assert "60,965,224" in first
    levels = [text for level, text in outline.headings if level == 2]
    assert levels[0] == "What differs"
    assert levels[-1] == "How this was made"
    cards = [text for level, text in outline.headings if level == 3]
    assert cards[0] == "✗ conv1.neurons = 253,440"


@pytest.mark.parametrize("name", CLAIMED)
def test_every_claim_is_told_with_its_quotation_and_our_figure(name: str) -> None:
    made = audit(name)
    page = report(made)
    text = Outline(page).text
    for verdict in made.verdicts:
        claim = verdict.claim
        assert page.count(html_text(claim.text)) >= 1
        assert not claim.quote or html_text(f"“{claim.quote}”") in page
        assert claim.place.lower() in text.lower()
    opened = (
        page.count('<article class="card"')
        + page.count("<li><details")
        + page.count('<li><div class="row"')
    )
    assert opened == len(made.verdicts)


@pytest.mark.parametrize("name", [*CLAIMED[:8], "vgg-16", "u-net"])
def test_the_outline_holds_together(name: str) -> None:
    """No level of heading is left out, anchors are unique, links and labels lead to one."""
    outline = Outline(report(audit(name)))
    levels = [level for level, _ in outline.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert set(outline.labelled) <= set(outline.ids)
    assert all(link.startswith("#") for link in outline.links)


def test_the_page_needs_nothing_from_outside() -> None:
    page = report(audit("alexnet"))
    assert "<script" not in page
    assert not re.search(r"\b(?:src|srcset|action|data)=", page)
    assert not re.search(r"@import|url\(", page)
    assert "Content-Security-Policy" in page
    assert page.count("<html") == page.count("</html>") == 1


def test_the_explanation_carries_the_other_claims() -> None:
    page = report(audit("alexnet"))
    text = " ".join(Outline(page).text.split())
    assert "Perhaps a slip: 48 for 55, the number beside it, in 55·55·48·2" in text
    assert "for it: neurons = 650,000 (abstract) fits 659,272" in text
    assert "is not a square" in text
    assert "breaks conv1.output = 55x55" in text
    assert "other hypotheses" in text
    assert "not for conv3 (1.452 %), conv4 (1.089 %)" in text


def test_how_it_was_made_is_said() -> None:
    page = report(audit("alexnet"))
    made = page[page.index('id="made"') :]
    assert "<code>nettally report alexnet</code>" in made
    assert "ab" * 32 in made
    assert "<dd>0.1.0</dd>" in made


def test_every_figure_has_its_table() -> None:
    drawn = audit("alexnet").replace(figures=(CaptionedSvg("<svg></svg>", "A caption."),))
    page = report(drawn)
    figures = re.findall(r"<figure>.*?</figure>", page, re.S)
    assert len(figures) == 1
    assert all('href="#layers"' in figure for figure in figures)
    assert '<section id="layers"' in page


def test_all_accountings_are_reconciled() -> None:
    text = report(audit("alexnet"))
    part = text[text.index('<section id="accountings"') :]
    for each in audit("alexnet").reckonings:
        assert f"{each.accounting.name}</th>" in part
        assert f"{int(each.parameters):,}" in part
        if each.accounting.counts:
            assert f"{int(each.operations):,}" in part


def test_a_network_without_claims_is_counted() -> None:
    bare = audit("lenet-5").replace(verdicts=(), work="", explained={})
    page = report(bare)
    text = Outline(page).text
    assert "No published figures were given" in text
    assert "What differs" not in text
    assert "What tallies" not in text


def test_a_layer_that_nobody_knows_makes_at_least() -> None:
    nodes = (
        Node("c", layer_class("conv")(filters=2, kernel=3), ("data",)),
        Node("odd", layer_class("opaque")(type="CustomOp"), ("c",)),
    )
    network = Network("n", {"data": (1, 3, 8, 8)}, nodes)
    net = tally(network)
    page = report(Audit("n", net, Provenance("c", "v"), reckonings=reconcile(net)))
    text = Outline(page).text
    assert "at least 56" in text
    assert "Not known, and not counted as zero: odd" in text
    assert "unknown is not zero" in text


# The working


def arithmetic(text: str) -> int:
    """The value of ``34,944 (conv1) + 307,456 (conv2)``."""
    return sum(int(each.split(" ")[0].replace(",", "")) for each in text.split(" + "))


@pytest.mark.parametrize("name", CLAIMED)
def test_sums_in_the_working_come_out(name: str) -> None:
    """The terms of a whole network's figure add up to it, read back from what is shown."""
    for verdict in audit(name).verdicts:
        reference = verdict.claim.reference
        if reference is None or reference[0] or verdict.claim.input or verdict.ours is None:
            continue
        for line in steps(verdict, counted(name)):
            left, _, right = line.rpartition(" = ")
            assert arithmetic(left) == int(right.replace(",", "")) == verdict.ours


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            "conv1.neurons = 253,440",
            (
                "55 · 55 · 48 · 2 = 290,400, where 55 = ⌈(224 - 11) / 4⌉ + 1, rounded up: the last "
                "window hangs 3 pixels over the edge",
            ),
        ),
        ("count(conv) + count(linear) = 8", ("count(conv) + count(linear) = 5 + 3 = 8",)),
        ("log2(fc8.neurons) = 10", ("log2(fc8.neurons) = log2(1,000) = 9.966",)),
        (
            "(256 - input.width) * (256 - input.width) * 2 = 2048",
            (
                "(256 - input.width) * (256 - input.width) * 2 = "
                "(256 - 224) · (256 - 224) · 2 = 2,048",
            ),
        ),
        (
            "fc6.parameters / parameters > 50 %",
            ("fc6.parameters / parameters = 37,752,832 / 60,965,224 = 61.93 %",),
        ),
        ("count(conv) = 5", ()),
        ("fc8.parameters = 4,097,000", ("1,000 · 4,096 + 1,000 = 4,096,000 + 1,000 = 4,097,000",)),
        ("conv1.stride = 4", ()),
        ("top1_error = 37.5 %", ()),
        ("every fc*.neurons >= 1000", ("fc6: 4,096", "fc7: 4,096", "fc8: 1,000")),
    ],
)
def test_the_working_of_any_claim(claim: str, told: tuple[str, ...]) -> None:
    (verdict,) = nettally.check(counted("alexnet"), [claim])
    assert steps(verdict, counted("alexnet")) == told


def test_the_working_of_a_module_with_one_layer_that_counts_is_that_layers() -> None:
    (verdict,) = nettally.check(counted("googlenet"), ["conv1.macs = 34M"])
    (told,) = steps(verdict, counted("googlenet"))
    assert told == "112 · 112 · 64 · 7 · 7 · 3 = 118,013,952"


# The command


def test_the_command_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0 also where something differs: the page was made. Its verdict is printed."""
    monkeypatch.setenv("COLUMNS", "200")  # it stands in one line, whoever runs the test
    target = tmp_path / "report.html"
    assert run(["report", "alexnet", "-o", str(target)]) == 0
    printed, complaints = capsys.readouterr()
    assert complaints == ""
    assert printed == f"{target}: 50 of 54 claims tally, 4 differ; 15 more cannot be derived\n"
    page = target.read_text("utf-8")
    outline = Outline(page)
    assert outline.text.count("nettally report alexnet -o report.html") == 1
    assert str(tmp_path) not in page  # where it was written is nobody's business
    source = Path(nettally.__file__).parent / "zoo" / "alexnet"
    for name in ("network.yaml", "claims.yaml"):
        assert hashlib.sha256((source / name).read_bytes()).hexdigest() in page
    assert page.count("<svg") == 2
    assert "not an example" not in page


def test_a_report_of_a_file_with_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my net.yaml").write_text(
        "nettally: 1\nname: mine\ninput: 3x8x8\nlayers:\n  - c: conv 2, 3x3\n", encoding="utf-8"
    )
    (tmp_path / "c.yaml").write_text(
        "nettally: 1\nwork: 'Me: My net. 2026'\nclaims:\n  - claim: parameters = 57\n", "utf-8"
    )
    arguments = ["report", "my net.yaml", "--claims", "c.yaml", "--input", "3x9x9"]
    assert run(arguments) == 0
    page = capsys.readouterr().out
    outline = Outline(page)
    assert "nettally report 'my net.yaml' --claims c.yaml --input 3x9x9" in outline.text
    assert "0 of 1 claim tally, 1 differs." in outline.text
    assert "input data: 3x9x9 is read as channels 3, height 9, width 9" in outline.text
    assert page.count(hashlib.sha256((tmp_path / "c.yaml").read_bytes()).hexdigest()) == 1


def test_the_figure_marks_the_claims_of_its_own_paper() -> None:
    """The page lists what others printed, too; claims that somebody gives are all marked."""
    own = nettally.report("vgg-16").audit
    given = nettally.report("vgg-16", claims_path("vgg-16")).audit
    assert own.verdicts == given.verdicts
    assert "CS231n" not in own.figures[0].svg
    assert "CS231n" in given.figures[0].svg
    assert [name for what, name, *_ in own.provenance.files if what == "claims"] == [
        "zoo/vgg-16/claims.yaml"
    ]
    assert [name for what, name, *_ in given.provenance.files] == [
        "zoo/vgg-16/network.yaml",
        claims_path("vgg-16"),
    ]
    typed = nettally.report("vgg-16", "parameters = 138M").audit
    assert [what for what, *_ in typed.provenance.files] == ["network"]


def test_a_page_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "lenet-5", "-o", str(tmp_path / "no" / "x.html")]) == 2
    assert "can't write the page: No such file or directory" in capsys.readouterr().err


# In a browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["alexnet", "resnet-50"])
def test_axe_objects_to_nothing(
    name: str, dark: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its figures, every part opened, on a wide screen and on a phone."""
    assert run(["report", name]) == 0
    page = capsys.readouterr().out
    for width in (1280, 500):
        found = violations(page, tmp_path, width=width, dark=dark)
        assert [each for each in found if each["impact"] in ("serious", "critical")] == []
        assert found == []


def test_axe_can_object(tmp_path: Path) -> None:
    page = report(audit("lenet-5")).replace(
        "</main>", '<p style="color:#ddd;background:#fff">pale</p><img src="data:,"></main>'
    )
    assert {"color-contrast", "image-alt"} <= {each["id"] for each in violations(page, tmp_path)}
