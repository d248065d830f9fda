"""Cells of notebooks in a real browser: tables are aligned, text is monospaced, figures fit.

The rules of JupyterLab, nbconvert, the classic notebook and VS Code (``notebooks.py``) set cells of
tables right, wrap preformatted text or take its font away; ours must outweigh them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import nettally
from browser import opened
from notebooks import NOTEBOOKS, page_of

MEASURE = """
addEventListener('load', () => {
  const box = node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, width } = range.getBoundingClientRect();
    return { left, right, width };
  };
  const cell = each => ({
    number: each.classList.contains('n'), level: !!each.getAttribute('style'),
    text: each.textContent, line: getComputedStyle(each).borderBottomWidth, ...box(each) });
  const table = each => [...each.rows].filter(row => !row.matches('.group')).map(row => ({
    wash: getComputedStyle(row).backgroundColor, cells: [...row.cells].map(cell) }));
  const pre = each => {
    const node = each.firstChild, range = document.createRange();
    let begin = 0;
    return node.data.split('\\n').map(line => {
      const at = [0, 5, 20, 40, 41, 60].filter(place => place < line.length).map(place => {
        range.setStart(node, begin + place); range.setEnd(node, begin + place + 1);
        const { left, top } = range.getBoundingClientRect();
        return [place, left, top];
      });
      begin += line.length + 1;
      return at;
    });
  };
  const svg = each => {
    const { left, right, width, height } = each.getBoundingClientRect();
    const [, , w, h] = each.getAttribute('viewBox').split(' ').map(Number);
    return { left, right, width, height, w, h };
  };
  const all = [...document.querySelectorAll('section.cell')].map(each => {
    const { left, right } = each.getBoundingClientRect();
    return { left, right,
      tables: [...each.querySelectorAll('table')].map(table),
      pres: [...each.querySelectorAll('pre')].map(pre),
      svgs: [...each.querySelectorAll('svg')].map(svg),
      boxes: [...each.querySelectorAll('.nt-box, pre, iframe')]
        .map(inner => inner.getBoundingClientRect()) };
  });
  const result = document.createElement('pre');
  result.id = 'measured';
  result.textContent = JSON.stringify(all);
  document.body.append(result);
})
"""

CLOSE = 0.6
"""Pixels that edges may differ by."""


@cache
def outputs() -> dict[str, tuple[str, str]]:
    """What a cell gives of each noun: ("html" or "svg", the markup)."""
    module = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    columns = ("input_size", "output_size", "num_params", "mult_adds")
    summary = nettally.summary(module, (2, 10, 64), col_names=columns, verbose=0)
    nouns: dict[str, Any] = {
        "network": nettally.read("resnet-50"),
        "tally": nettally.tally("lenet-5"),
        "verdicts": nettally.check("alexnet"),
        "explanations": nettally.explain("alexnet", "conv1.neurons = 253,440"),
        "difference": nettally.diff("alexnet", "alexnet-darknet"),
        "reckonings": nettally.reconcile("lenet-5"),
        "memory": nettally.memory("lenet-5"),
        "summary": summary,
    }
    cells = {name: ("html", noun._repr_html_()) for name, noun in nouns.items()}
    for style in ("volumes", "blocks", "bars", "field"):
        cells[style] = ("svg", nettally.draw("vgg-16", style)._repr_svg_())
    cells["tally as a figure"] = ("svg", nettally.tally("vgg-16")._repr_svg_() or "")
    cells["report"] = ("html", nettally.report("lenet-5")._repr_html_())
    return cells


@cache
def measured(notebook: str, folder: Path) -> dict[str, Any]:
    page = page_of(NOTEBOOKS[notebook], list(outputs().values()), MEASURE)
    dom = opened(page, folder).dom
    result = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert result, "nothing was measured"
    return dict(zip(outputs(), json.loads(unescape(result[1])), strict=True))


@pytest.fixture(scope="module", params=NOTEBOOKS)
def cells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return measured(request.param, tmp_path_factory.mktemp("browser"))


def test_columns_are_aligned(cells: dict[str, Any]) -> None:
    """Numbers end below one another and below their heading, everything else begins there."""
    seen = 0
    for name, cell in cells.items():
        for rows in cell["tables"]:
            columns = range(len(rows[0]["cells"]))
            for column in columns:
                here = [row["cells"][column] for row in rows]
                here = [each for each in here if each["width"] and not each["level"]]
                edge = "right" if here[0]["number"] else "left"
                edges = [each[edge] for each in here]
                assert max(edges) - min(edges) < CLOSE, (name, column, here[0]["text"])
                seen += len(here)
    assert seen > 500


def test_rows_are_told_by_lines_and_not_by_stripes(cells: dict[str, Any]) -> None:
    for name, cell in cells.items():
        for rows in cell["tables"]:
            assert {row["wash"] for row in rows} == {"rgba(0, 0, 0, 0)"}, name
            for row in rows[:-1]:
                lines = {each["line"] for each in row["cells"]}
                assert lines == {"1px"} or "total" in row["cells"][0]["text"], name


def test_preformatted_text_is_monospaced_and_not_wrapped(cells: dict[str, Any]) -> None:
    """The n-th letter of each line stands below that of the first line."""
    (lines,) = cells["summary"]["pres"]
    lines = [line for line in lines if line]
    places = {place: left for place, left, _ in lines[0]}
    assert len(places) == 6
    tops = []
    for line in lines:
        for place, left, top in line:
            assert abs(left - places[place]) < CLOSE
            assert abs(top - line[0][2]) < CLOSE, "the line was wrapped"
        tops.append(line[0][2])
    steps = [after - before for before, after in pairwise(tops)]
    assert max(steps) - min(steps) < CLOSE


def test_figures_are_whole_within_the_cell(cells: dict[str, Any]) -> None:
    seen = 0
    for name, cell in cells.items():
        for svg in cell["svgs"]:
            seen += 1
            assert svg["left"] >= cell["left"] - CLOSE, name
            assert svg["right"] <= cell["right"] + CLOSE, name
            assert svg["width"] / svg["height"] == pytest.approx(svg["w"] / svg["h"], rel=0.01), (
                name
            )
    assert seen == 5


def test_tables_and_pages_stay_within_the_cell(cells: dict[str, Any]) -> None:
    for name, cell in cells.items():
        for box in cell["boxes"]:
            assert box["width"] > 100, name
            assert box["right"] <= cell["right"] + CLOSE, name


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_rules_bite(notebook: str, tmp_path: Path) -> None:
    """Without our own style the tables are askew, so that the tests above can fail."""
    markup = re.sub(r"<style>.*?</style>", "", outputs()["verdicts"][1], flags=re.DOTALL)
    page = page_of(NOTEBOOKS[notebook], [("html", markup)], MEASURE)
    dom = opened(page, tmp_path).dom
    result = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert result
    ((rows,),) = [cell["tables"] for cell in json.loads(unescape(result[1]))]
    lefts = [row["cells"][0]["left"] for row in rows]
    numbers = [row["cells"][2]["right"] for row in rows]
    assert max(lefts) - min(lefts) > 5 or max(numbers) - min(numbers) > 5
