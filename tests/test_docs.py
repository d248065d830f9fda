"""README and docs are run: each console example prints what is shown, each link leads somewhere."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from nettally import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
WIDTH = "88"
"""The terminal of the examples, in columns."""

GAP = "…"
"""A line of its own that stands for any lines, or none."""

FENCE = re.compile(r"^```(?P<language>\w*)(?: (?P<file>[\w./-]+))?$")


class Block(NamedTuple):
    """A fenced block. file: the name that stands after its language, for a file that it gives."""

    line: int
    language: str
    file: str
    lines: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    begun: Block | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if begun is None:
            if match := FENCE.match(line):
                begun = Block(number, match["language"], match["file"] or "", ())
                inside = []
        elif line == "```":
            found.append(begun._replace(lines=tuple(inside)))
            begun = None
        else:
            inside.append(line)
    assert begun is None, f"the block of line {begun.line} has no end"
    return found


def commands(lines: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it is shown to print."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"'{line}' stands before any command"
            found[-1][1].append(line)
    return found


def mismatch(shown: list[str], printed: list[str]) -> str:
    """Why ``printed`` is not what is shown; "" where it is. Between gaps, lines follow closely."""
    shown = [line.rstrip() for line in shown]
    printed = [line.rstrip() for line in printed]
    while shown and not shown[-1]:
        shown.pop()
    while printed and not printed[-1]:
        printed.pop()
    at = 0
    loose = False
    for run in _runs(shown):
        if run is None:
            loose = True
            continue
        places = range(at, len(printed) - len(run) + 1) if loose else (at,)
        found = next((p for p in places if printed[p : p + len(run)] == run), None)
        if found is None:
            wrong = next((line for line in run if line not in printed[at:]), run[0])
            return f"not printed here: {wrong!r}; printed from there: {printed[at : at + 3]}"
        at, loose = found + len(run), False
    if at < len(printed) and not loose:
        return f"printed and not shown: {printed[at]!r}"
    return ""


def _runs(shown: list[str]) -> list[list[str] | None]:
    """Runs of lines, None for a gap between them."""
    found: list[list[str] | None] = []
    for line in shown:
        if line.strip() == GAP:
            found.append(None)
        elif found and found[-1] is not None:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def ids(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_console_examples(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("NO_COLOR", "1")
    code = 0
    for block in blocks(page.read_text("utf-8")):
        if block.file:
            (tmp_path / block.file).write_text("\n".join(block.lines) + "\n", "utf-8")
        if block.language != "console":
            continue
        for command, shown in commands(block.lines):
            words = shlex.split(command)
            if words[0] == "nettally":
                code = cli.run(words[1:])
                printed = "".join(capsys.readouterr()).splitlines()
            elif command == "echo $?":
                printed = [str(code)]
            elif words[0] == "cat":
                printed = (tmp_path / words[1]).read_text("utf-8").splitlines()
            else:
                pytest.fail(f"{ids(page)}:{block.line}: what does '{command}' print?")
            wrong = mismatch(shown, printed)
            assert not wrong, f"{ids(page)}:{block.line}: $ {command}\n{wrong}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_python_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may save a file
    runner = doctest.DocTestRunner(verbose=False)
    for block in blocks(page.read_text("utf-8")):
        if block.language == "python" and any(line.startswith(">>> ") for line in block.lines):
            text = "\n".join(block.lines) + "\n"
            test = doctest.DocTestParser().get_doctest(text, {}, ids(page), ids(page), block.line)
            report: list[str] = []
            runner.run(test, out=report.append)
            assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{ids(page)} links to {target}"
        if anchor:
            assert anchor in anchors(aim.read_text("utf-8")), f"{ids(page)} links to {target}"


def anchors(text: str) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_page_of_the_docs_is_in_the_index(page: Path) -> None:
    folder = page.parent
    if folder.name == "decisions":
        assert f"decisions/{page.name}" in (ROOT / "docs/index.md").read_text("utf-8")
    elif ROOT / "docs" in page.parents and page.name != "index.md":
        inside = page.relative_to(ROOT / "docs").as_posix()
        assert f"({inside})" in (ROOT / "docs/index.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b", ""], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["a", "c"], ["a", "b", "c"], False),
        (["a", GAP, "c"], ["a", "b", "c"], True),
        (["a", GAP, "c"], ["a", "c"], True),
        (["a", f"  {GAP}"], ["a", "b", "c"], True),
        ([GAP, "c"], ["a", "b", "c"], True),
        ([GAP, "b"], ["a", "b", "c"], False),
        (["a", GAP, "b", "d"], ["a", "b", "c", "d"], False),
        (["a", GAP, "b", "d"], ["a", "b", "b", "d"], True),
        (["x", GAP], ["a", "b"], False),
        ([GAP, "b", GAP, "a"], ["a", "b"], False),
    ],
)
def test_what_is_shown_is_compared(shown: list[str], printed: list[str], fits: bool) -> None:
    assert (mismatch(shown, printed) == "") == fits


def test_blocks_are_found() -> None:
    text = "a\n```yaml net.yaml\nx: 1\n```\n```console\n$ nettally zoo\nb\n$ echo $?\n0\n```\n"
    given, console = blocks(text)
    assert given == Block(2, "yaml", "net.yaml", ("x: 1",))
    assert commands(console.lines) == [("nettally zoo", ["b"]), ("echo $?", ["0"])]
