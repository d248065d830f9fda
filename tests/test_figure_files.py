"""Writing figures: the command, the endings, what CairoSVG makes, and what is said without it."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import nettally
from nettally.claims.claim import Claims, load
from nettally.cli import run
from nettally.errors import NettallyError
from nettally.formats.zoo import claims_path
from nettally.rendering.drawing import draw
from nettally.rendering.drawing.files import converted
from test_figure import counted, parsed, verdicts


@pytest.fixture(autouse=True)
def a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command says stands in one line, whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "200")


def test_the_command_writes_what_draw_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alexnet.svg"
    assert run(["draw", "alexnet", "-o", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == (
        "alexnet.svg: volumes, 943 x 399 pixels; 4 claims do not tally, and are noted on it\n"
    )
    assert not said.err
    parsed(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == draw(counted("alexnet")).svg()
    assert run(["draw", "alexnet", "--no-marks", "-o", str(path)]) == 0
    assert capsys.readouterr().out.startswith("alexnet.svg: volumes, 943 x")
    assert path.read_text(encoding="utf-8") == draw(counted("alexnet"), claims=()).svg()


def test_the_options_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    words = ["draw", "resnet-18", "--style", "blocks", "--direction", "down", "--width", "600"]
    assert run([*words, "--theme", "dark", "--depth", "0", "--no-marks", "-o", str(path)]) == 0
    expected = draw(
        counted("resnet-18"), "blocks", width=600, theme="dark", direction="down", depth=0
    )
    assert path.read_text(encoding="utf-8") == expected.svg()


def test_claims_of_ones_own_and_another_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = tmp_path / "claims.yaml"
    claims.write_text("nettally: 1\nwork: mine\nclaims:\n  - fc6.neurons = 5\n", encoding="utf-8")
    path = tmp_path / "figure.svg"
    words = ["draw", "vgg-16", "--claims", str(claims), "--input", "3x256x256"]
    assert run([*words, "-o", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("; 1 claim does not tally, and is noted on it")
    assert said[1].startswith("input data: 3x256x256 is read as channels 3, height 256")
    text = path.read_text(encoding="utf-8")
    assert "fc6.neurons: 5 is printed; ours is 4096" in text.replace("4,096", "4096")
    assert ">256</text>" in text


def test_svg_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "lenet-5", "--no-marks", "-o", "-"]) == 0
    assert capsys.readouterr().out == draw(counted("lenet-5"), claims=()).svg()


@pytest.mark.parametrize("name", ["figure.bmp", "figure", "figure.svg.zip"])
def test_another_ending_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["draw", "lenet-5", "-o", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert "a figure is written as .svg, .pdf, .png or .tex" in said
    assert name in said
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "lenet-5", "-o", str(tmp_path / "no" / "figure.svg")]) == 2
    said = capsys.readouterr().err
    assert "the figure can't be written" in said
    assert "No such file or directory" in said


def test_the_output_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "lenet-5"]) == 2
    assert "-o" in capsys.readouterr().err


def test_without_cairosvg_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    for kind in ("pdf", "png"):
        path = tmp_path / f"figure.{kind}"
        with pytest.raises(NettallyError, match="CairoSVG, which is not installed") as caught:
            draw(counted("lenet-5")).save(str(path))
        assert "pip install 'nettally[figures]'" in caught.value.hint
        assert not path.exists()


def test_without_cairo_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "cairosvg":
                raise OSError("no library called 'cairo' was found")

    monkeypatch.delitem(sys.modules, "cairosvg", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(NettallyError, match="does not find the library cairo"):
        converted(draw(counted("lenet-5")), "pdf")


def cairo() -> None:
    try:
        import cairosvg  # noqa: F401 - whether it is there
    except (ImportError, OSError) as error:
        pytest.skip(f"no CairoSVG here: {error}")


@pytest.mark.parametrize("style", ["volumes", "blocks"])
def test_pdf_has_its_fonts_and_its_text(style: str, tmp_path: Path) -> None:
    cairo()
    figure = draw(counted("alexnet"), style, theme="auto")
    path = tmp_path / "figure.PDF"
    figure.save(str(path))
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"/FontFile" in data  # embedded
    assert b"/ToUnicode" in data or b"WinAnsiEncoding" in data  # as text, that can be searched
    assert b"/Subtype /Image" not in data
    assert converted(figure, "pdf") == data
    assert re.search(rb"CreationDate \(D?:?19700101", data)  # no time of its making


def test_png_is_as_wide_as_asked(tmp_path: Path) -> None:
    cairo()
    path = tmp_path / "figure.png"
    assert run(["draw", "lenet-5", "--width", "750", "--theme", "dark", "-o", str(path)]) == 0
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 750
    assert converted(draw(counted("lenet-5"), width=750, theme="dark"), "png") == data


def test_latex_is_a_document_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "figure.tex"
    assert run(["draw", "alexnet", "-o", str(path)]) == 0
    text = path.read_text(encoding="ascii")
    # the page is cut by standalone, or where that is not installed by geometry, to the same size
    assert r"\IfFileExists{standalone.cls}{%" in text
    assert r"\documentclass[tikz,border=0pt]{standalone}" in text
    figure = draw(counted("alexnet"), claims=verdicts(counted("alexnet")))
    sizes = re.search(r"paperwidth=([\d.]+)pt,paperheight=([\d.]+)pt", text)
    assert sizes
    assert float(sizes[1]) == pytest.approx(figure.width * 0.75, abs=0.01)
    assert float(sizes[2]) == pytest.approx(figure.height * 0.75, abs=0.01)
    assert r"{\ntsize{6.75}55}" in text
    plain = nettally.draw("alexnet", claims=()).tex()
    assert plain.count(r"\node") < text.count(r"\node")


def test_what_is_no_claim_is_complained_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command draws the others; the function has nobody to complain to, and raises."""
    claims = tmp_path / "claims.yaml"
    claims.write_text("claims:\n  - fc6.neuron = 5\n  - fc6.neurons = 5\n", encoding="utf-8")
    path = tmp_path / "figure.svg"
    assert run(["draw", "vgg-16", "--claims", str(claims), "-o", str(path)]) == 2
    said = capsys.readouterr()
    assert "1 claim does not tally" in said.out
    assert "did you mean 'neurons'" in said.err
    with pytest.raises(NettallyError, match=r"no (quantity )?'neuron'"):
        draw(counted("vgg-16"), claims=claims)


def test_a_figure_has_the_notes_of_its_own_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """VGG-16's paper has no figure that differs; others printed some that do."""
    path = tmp_path / "figure.svg"
    words = ["draw", "vgg-16", "--style", "bars", "-o", str(path)]
    assert run(words) == 0
    assert "tally" not in capsys.readouterr().out
    assert "CS231n" not in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == draw("vgg-16", "bars").svg()
    assert run([*words, "--every-work"]) == 0
    assert "claims do not tally, and are noted on it" in capsys.readouterr().out
    assert "CS231n" in path.read_text(encoding="utf-8")


def test_a_claim_of_another_work_names_it() -> None:
    """In every file of the zoo: what is not in the work itself says in which it is."""
    for entry in nettally.zoo():
        path = claims_path(entry.name)
        published = load(path) if path else Claims("", ())
        for claim in published.claims:
            if claim.work != published.work:
                assert claim.place.startswith(claim.work), (entry.name, claim.text)
            else:
                assert " et al. " not in claim.place, (entry.name, claim.text)


def test_the_gallery_is_as_drawn() -> None:
    """scripts/gallery draws it anew."""
    root = Path(__file__).resolve().parents[1]
    spec = spec_from_file_location("gallery", root / "scripts" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    gallery = module_from_spec(spec)
    spec.loader.exec_module(gallery)
    made = gallery.pictures()
    assert len(made) == 25
    for name, text in made.items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == text, name
    assert sum(map(len, made.values())) < 2_000_000
