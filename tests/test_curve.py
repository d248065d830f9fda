"""How a run went, as a picture: each epoch of the log in its place, whatever else is in the log."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

import runs
from nettally.cli import run as command
from nettally.errors import ReadError
from nettally.rendering import pictures
from nettally.training.run import open_run
from nettally.viewing.curve import curve, epochs_of
from nettally.viewing.pictures import Picture, Stroke, Words


def written(path: Path, epochs: list[dict[str, Any]]) -> None:
    lines = [json.dumps({"after": 1, "step": 1, "loss": 2.0})]
    lines += [json.dumps({"after": 2, "epoch": i, **each}) for i, each in enumerate(epochs)]
    (path / "log.jsonl").write_text("\n".join([*lines, '{"after": 3, "ep']))


def epoch(loss: float, error: float, held: tuple[float, float] | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"train": {"loss": loss, "error": error}}
    if held is not None:
        told["held_out"] = {"loss": held[0], "top1": held[1], "top5": None}
    return told


@pytest.fixture
def run(tmp_path: Path) -> Path:
    runs.made(tmp_path / "run")
    return tmp_path / "run"


def strokes(picture: Picture, *, dashed: bool) -> list[Stroke]:
    found = [each for each in picture.items if isinstance(each, Stroke) and len(each.points) > 2]
    return [each for each in found if each.dashed == dashed]


def test_each_epoch_is_a_point_in_its_place(run: Path) -> None:
    written(
        run,
        [epoch(1.0, 0.5, (2.0, 0.4)), epoch(0.1, 0.25, (0.5, 0.2)), epoch(0.01, 0.0, (0.5, 0.1))],
    )
    picture = curve(open_run(str(run)))
    loss, error = strokes(picture, dashed=False)
    xs, ys = zip(*loss.points, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1])  # each a tenth: logarithmic
    _, heights = zip(*error.points, strict=True)
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1])  # linear
    assert len(strokes(picture, dashed=True)) == 2
    assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in loss.points)


def test_nothing_was_held_out(run: Path) -> None:
    written(run, [epoch(1.0, 0.5)] * 3)
    picture = curve(open_run(str(run)))
    assert not strokes(picture, dashed=True)
    assert not [
        each for each in picture.items if isinstance(each, Words) and each.text == "held out"
    ]


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0, 0.0], [1e-9, 1e4, 3.0], [math.inf, 1, 2, 3]])
def test_odd_numbers_are_drawn(values: list[float], run: Path, tmp_path: Path) -> None:
    written(run, [epoch(each, 0.0) for each in values])
    picture = curve(open_run(str(run)))
    for name in ("a.svg", "a.png"):
        pictures.save(picture, str(tmp_path / name))
    assert "nan" not in (tmp_path / "a.svg").read_text()


def test_as_png_the_line_is_where_it_is_as_svg(run: Path) -> None:
    from PIL import Image

    written(
        run, [epoch(1.0, 0.5, (1.5, 0.7)), epoch(0.5, 0.4, (0.7, 0.5)), epoch(0.2, 0.3, (0.3, 0.2))]
    )
    picture = curve(open_run(str(run)))
    sheet = Image.open(io.BytesIO(pictures.png(picture))).convert("L")
    paper = sheet.getpixel((2, 2))
    for each in strokes(picture, dashed=False):
        for x, y in each.points[:-1]:
            near = [sheet.getpixel((round(x) + i, round(y) + j)) for i in (-1, 0) for j in (-1, 0)]
            assert min(near) < paper - 60  # pyright: ignore[reportOperatorIssue] - a grey image
    assert pictures.svg(picture).count("stroke-dasharray") == 3


def test_the_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(run, [epoch(1.0, 0.5)] * 2)
    assert command(["show", "curve", str(run), "-o", str(tmp_path / "c.svg")]) == 0
    assert "c.svg: " in capsys.readouterr().out
    assert (tmp_path / "c.svg").read_text().startswith("<svg")


def test_a_log_without_an_epoch(run: Path) -> None:
    written(run, [])
    with pytest.raises(
        ReadError, match=r"the log has no epoch yet\n  try: nettally train --resume"
    ):
        epochs_of(str(run))
    (run / "log.jsonl").unlink()
    with pytest.raises(ReadError, match=r"can't read the log: No such file"):
        epochs_of(str(run))
