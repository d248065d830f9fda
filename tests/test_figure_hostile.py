"""Names from files are text in a figure: no markup, no command, no way out of their place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nettally.layers import layer_class
from nettally.network import Network, Node
from nettally.rendering.drawing import STYLES, draw
from test_figure import assert_whole, parsed

NAMES = (
    "<script>alert(1)</script>",
    '" onload="alert(1)" x="',
    "'><image href='//evil.example/x'/>",
    "javascript:alert(1)",
    "]]><!-- -->",
    "&lt;b&gt;&amp;&#x41;",
    "\u202egpj.exe\u2066",
    "\x1b]0;owned\x07\x1b[31m",
    "x" * 10_000,
    "z" + "\u0301" * 300,
    "\ufdfa" * 12,
    "层归一化" * 9,
    "שלום",
    "👩‍👩‍👧‍👦" * 5,
    "\ud800",
    "\ufffe",
    "a\nb\tc\r",
    "$\\input{/etc/passwd}$",
    "%} \\end{document} ^^5c _ # & ~ { }",
    "\\write18{touch owned}",
    "url(#x)",
    "",
)


def hostile() -> Network:
    """A chain and a branch, each layer and module with such a name."""
    conv = layer_class("conv")(4, 3, padding=1)
    pool = layer_class("max_pool")(2)
    nodes: list[Node] = []
    before = "<in>&\u202e"
    first = before
    for n, name in enumerate(NAMES):
        node = Node(f"{name}{n}", pool if n == 4 else conv, (before,), module=name if n % 3 else "")
        nodes.append(node)
        before = node.name
    nodes.append(Node("add", layer_class("add")(), (before, nodes[-3].name)))
    nodes.append(Node("what", layer_class("opaque")("<b>\u202e\\x"), ("add",)))
    return Network("<title>\u202e", {first: (1, 4, 32, 32)}, tuple(nodes), title=NAMES[0])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("wide", [None, 600, 2400])
def test_hostile_names_are_text(style: str, wide: int | None) -> None:
    figure = draw(hostile(), style, width=wide, theme="auto", claims=["<script>.macs = 1"][:0])
    svg = figure.svg()
    root = parsed(svg)  # nothing but shapes and text
    assert_whole(figure)
    said = "".join(root.itertext())
    assert "<script>alert(1)" in said  # as text
    for each in svg:
        assert each.isprintable() or each in "\n\u0301", hex(ord(each))
    assert "\u202e" not in svg
    assert "\x1b" not in svg
    assert max(map(len, root.itertext())) < 1200
    svg.encode("utf-8")


@pytest.mark.parametrize("style", STYLES)
def test_what_no_font_table_has_is_held_to_its_width(style: str) -> None:
    for text in parsed(draw(hostile(), style).svg()).iter("{http://www.w3.org/2000/svg}text"):
        if not (text.text or "").isascii() and "\u5c42" in (text.text or ""):
            assert text.get("lengthAdjust") == "spacingAndGlyphs"


@pytest.mark.parametrize("style", STYLES)
def test_hostile_names_in_latex_are_text(style: str) -> None:
    """Plain ASCII, and each command one of ours."""
    tex = draw(hostile(), style, width=600).tex()
    assert tex.isascii()
    head, _, body = tex.partition(r"\begin{document}")
    assert all(line.startswith("%") for line in head.splitlines()[:2])
    commands = set(re.findall(r"\\([a-zA-Z]+)", body))
    assert commands <= {
        *[
            "definecolor",
            "newcommand",
            "ntsize",
            "fontsize",
            "selectfont",
            "begin",
            "end",
            "fill",
            "clip",
            "path",
            "node",
        ],
        *["bfseries", "resizebox", "height"],
        *re.findall(r"text\w+", body),
    }
    assert body.count(r"\end{document}") == 1
    for line in body.splitlines():
        if line.startswith(r"\node"):
            plain = re.sub(r"\\[a-zA-Z]+|\\[{}$&#_%]", "", line)
            assert plain.count("{") == plain.count("}"), line
            assert not re.search(r"[#&~^]", plain.replace("U+", "")), line
            assert plain.count("$") % 2 == 0, line


@pytest.mark.parametrize("without", [False, True], ids=["all there", "TikZ alone"])
def test_latex_compiles(without: bool, tmp_path: Path) -> None:
    """The hostile one too, and writes nothing beside what LaTeX writes."""
    latex = shutil.which("pdflatex")
    found = latex and subprocess.run(
        ["kpsewhich", "tikz.sty"],
        capture_output=True,
        text=True,
        check=False,
    )
    if not latex or not found or not found.stdout.strip():
        pytest.skip("no pdflatex here, or it has no TikZ")
    for style in STYLES:
        path = tmp_path / f"{style}.tex"
        text = draw(hostile(), style, width=600).tex()
        if without:  # as where it is not installed
            for name in ("standalone.cls", "tgheros.sty", "lmodern.sty"):
                assert name in text
                text = text.replace(name, "none")
        path.write_text(text, encoding="ascii")
        done = subprocess.run(
            [latex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", path.name],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout[-1500:]
        log = (tmp_path / f"{style}.log").read_bytes()
        assert b"Missing character" not in log
        assert b"(1 page" in log
    made = {each.suffix for each in tmp_path.iterdir()}
    assert made == {".tex", ".pdf", ".log", ".aux"}
