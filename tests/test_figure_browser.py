"""Figures in a real browser: what Chromium measures is what the layout believed."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from browser import opened
from nettally.rendering.drawing import STYLES, Figure, draw
from test_figure import WIDTHS, counted, verdicts
from test_figure_hostile import hostile

MEASURE = """
addEventListener('load', () => {
  const all = [...document.querySelectorAll('svg')].map(svg =>
    [...svg.querySelectorAll('text')].map(text => {
      const b = text.getBBox();
      return [b.x, b.y, b.x + b.width, b.y + b.height];
    }));
  const told = document.createElement('pre');
  told.id = 'measured';
  told.textContent = JSON.stringify(all);
  document.body.append(told);
})
"""


def measured(figures: list[Figure], folder: Path) -> list[list[list[float]]]:
    """The boxes of all texts of all figures, as the browser has them."""
    page = (
        "<!doctype html><meta charset='utf-8'><body>"
        + "".join(figure.svg() for figure in figures)
        + f"<script>{MEASURE}</script>"
    )
    found = opened(page, folder)
    assert not found.asked
    told = re.search(r'<pre id="measured">(.*?)</pre>', found.dom, re.DOTALL)
    assert told, "nothing was measured"
    return json.loads(unescape(told[1]))


def assert_whole_there(figure: Figure, boxes: list[list[float]]) -> None:
    """Within the figure, within what the layout kept free, and on no other."""
    labels = figure.labels
    assert len(boxes) == len(labels)
    for label, (left, top, right, bottom) in zip(labels, boxes, strict=True):
        believed = label.box
        assert min(left, top) >= -0.5, label.text
        assert right <= figure.width + 0.5, label.text
        assert bottom <= figure.height + 0.5, label.text
        # Chromium rounds what a glyph covers to whole pixels, outward
        assert left >= believed.left - 1.05, label.text
        assert right <= believed.right + 1.05, label.text
    order = sorted(range(len(boxes)), key=lambda n: boxes[n][1])
    for place, n in enumerate(order):
        left, top, right, bottom = boxes[n]
        for m in order[place + 1 :]:
            a, b, c, d = boxes[m]
            if b >= bottom:
                break
            apart = right <= a + 0.3 or c <= left + 0.3 or bottom <= b + 0.3 or d <= top + 0.3
            assert apart, (labels[n].text, labels[m].text)


@pytest.mark.parametrize("name", ["alexnet", "vgg-16", "googlenet", "resnet-50", "u-net"])
def test_labels_are_whole_in_chromium(name: str, tmp_path: Path) -> None:
    found = counted(name)
    marked = verdicts(found)
    figures = [draw(found, style, width=wide, claims=marked) for style in STYLES for wide in WIDTHS]
    for figure, boxes in zip(figures, measured(figures, tmp_path), strict=True):
        assert_whole_there(figure, boxes)


def test_hostile_names_do_nothing_in_chromium(tmp_path: Path) -> None:
    """No script runs, nothing is asked for, and no label leaves its place."""
    figures = [draw(hostile(), style, width=600, theme="auto") for style in STYLES]
    for figure, boxes in zip(figures, measured(figures, tmp_path), strict=True):
        assert_whole_there(figure, boxes)
    page = "<!doctype html><meta charset='utf-8'><title>quiet</title>"
    page += "<script>window.alert = () => { document.title = 'ran' }</script>"
    page += "".join(figure.svg() for figure in figures)
    dom = opened(page, tmp_path).dom
    assert "<title>quiet</title>" in dom
