r"""The figure as LaTeX: a document of its own that draws it in TikZ, with text as text.

It needs LaTeX and TikZ. The page is cut to the figure by ``standalone`` or, where that is not
installed, by ``geometry``, which is part of LaTeX; the picture can be lifted out into a paper.
Helvetica's metrics are those of the layout, so that what fits there fits here; where it is not
installed, Latin Modern or Computer Modern are narrower. A character that a Latin font lacks is
written as its code point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Box, Dot, Label, flat
from .palette import colours
from .svg import number
from .text_metrics import width

if TYPE_CHECKING:
    from .model import FigureContent, Path

PIXEL = 0.75
"""TeX's points a pixel, near enough: 96 pixels are 72.27 points."""

_GREEK = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi o pi rho varsigma "
    "sigma tau upsilon varphi chi psi omega"
)

_SPECIAL = {
    **{
        chr(0x3B1 + place): "o" if name == "o" else rf"$\{name}$"
        for place, name in enumerate(_GREEK.split())
    },
    **{each: f"$^{{{digit}}}$" for digit, each in zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True)},
    "⁻": "$^{-}$",
    "⁺": "$^{+}$",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",  # no dash of two or three
    "×": r"\texttimes{}",
    "·": r"\textperiodcentered{}",
    "→": r"\textrightarrow{}",
    "…": r"\textellipsis{}",
    "−": r"\textminus{}",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "°": r"\textdegree{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
}


def tikz(figure: FigureContent) -> str:
    """The document."""
    palette = colours(figure.theme)
    unit = PIXEL * figure.scale
    used = sorted({role for item in flat(figure.items) for role in _roles(item)} | {"paper"})
    unit = round(unit, 2)  # as it is written, so that the page is as large as the picture
    page = (
        f"paperwidth={number(figure.width * unit)}pt,paperheight={number(figure.height * unit)}pt"
    )
    lines = [
        f"% {_comment(figure.title)}",
        f"% {_comment(figure.desc)}",
        "% It needs TikZ (texlive-pictures). Where they are installed, it uses standalone",
        "% (texlive-latex-extra) and TeX Gyre Heros (tex-gyre), or Latin Modern (lmodern).",
        r"\IfFileExists{standalone.cls}{%",
        r"  \documentclass[tikz,border=0pt]{standalone}%",
        r"}{%",
        r"  \documentclass{article}%",
        rf"  \usepackage[{page},margin=0pt]{{geometry}}%",
        r"  \usepackage{tikz}%",
        r"  \pagestyle{empty}%",
        r"  \setlength{\parindent}{0pt}%",
        r"  \setlength{\topskip}{0pt}%",
        r"  \AtBeginDocument{\enlargethispage{12pt}}% it is as high as the page",
        r"}",
        # each of these files comes with its fonts; helvet and the T1 encoding do not
        r"\IfFileExists{tgheros.sty}{\usepackage[T1]{fontenc}\usepackage{tgheros}}{%",
        r"  \IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{%",
        r"    \usepackage{fix-cm}\DeclareTextCommand{\textquotedbl}{OT1}{\char34 }}}",
        r"\usepackage{textcomp}",
        r"\usepackage{graphicx}",
        r"\renewcommand{\familydefault}{\sfdefault}",
        r"\begin{document}",
    ]
    lines += [
        rf"\definecolor{{nt-{_named(role)}}}{{HTML}}{{{palette[role][1:].upper()}}}"
        for role in used
    ]
    lines += [
        r"\newcommand{\ntsize}[1]{\fontsize{#1pt}{#1pt}\selectfont}",
        rf"\begin{{tikzpicture}}[x={number(unit)}pt, y=-{number(unit)}pt, inner sep=0pt, "
        r"outer sep=0pt, line join=round, line cap=round]",
        rf"\fill[nt-paper] (0,0) rectangle ({number(figure.width)},{number(figure.height)});",
        rf"\clip (0,0) rectangle ({number(figure.width)},{number(figure.height)});",
    ]
    lines += [_drawn(item, unit) for item in flat(figure.items)]
    lines += [r"\end{tikzpicture}", r"\end{document}"]
    return "\n".join(lines) + "\n"


def _roles(item: Path | Box | Dot | Label) -> tuple[str, ...]:
    if isinstance(item, Label):
        return (item.colour,)
    return tuple(role for role in (item.fill, item.stroke) if role)


def _named(role: str) -> str:
    return role.replace(".", "-")


def _drawn(item: Path | Box | Dot | Label, unit: float) -> str:
    if isinstance(item, Label):
        return _label(item, unit)
    options: list[str] = []
    if item.fill:
        options.append(f"fill=nt-{_named(item.fill)}")
    if item.stroke:
        options += [f"draw=nt-{_named(item.stroke)}", f"line width={number(item.width * unit)}pt"]
    if isinstance(item, Dot):
        at = f"({number(item.x)},{number(item.y)})"
        return rf"\path[{', '.join(options)}] {at} circle [radius={number(item.r * unit)}pt];"
    if item.dash:
        on, off = item.dash[0], item.dash[-1]
        options.append(f"dash pattern=on {number(on * unit)}pt off {number(off * unit)}pt")
    if isinstance(item, Box):
        if item.r:
            options.append(f"rounded corners={number(item.r * unit)}pt")
        corner = f"({number(item.x + item.w)},{number(item.y + item.h)})"
        return (
            rf"\path[{', '.join(options)}] ({number(item.x)},{number(item.y)}) rectangle {corner};"
        )
    if item.opacity != 1:
        options.append(f"opacity={number(item.opacity)}")
    parts: list[str] = []
    for name, values in item.steps:
        pairs = [f"({number(values[n])},{number(values[n + 1])})" for n in range(0, len(values), 2)]
        if name == "M":
            parts.append(pairs[0])
        elif name == "L":
            parts.append(f"-- {pairs[0]}")
        elif name == "C":
            parts.append(f".. controls {pairs[0]} and {pairs[1]} .. {pairs[2]}")
        else:
            parts.append("-- cycle")
    return rf"\path[{', '.join(options)}] {' '.join(parts)};"


def _label(label: Label, unit: float) -> str:
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[label.anchor]
    text, strange = _escaped(label.text)
    size = number(label.size * unit)
    bold = r"\bfseries " if label.bold else ""
    body = rf"{bold}\ntsize{{{size}}}{text}"
    if strange:  # codes are longer than what was measured
        wide = number(max(width(label.text, label.size, label.bold), 1) * unit)
        body = rf"\resizebox{{{wide}pt}}{{\height}}{{{body}}}"
    at = f"({number(label.x)},{number(label.y)})"
    return rf"\node[anchor={anchor}, text=nt-{_named(label.colour)}] at {at} {{{body}}};"


def _escaped(text: str) -> tuple[str, bool]:
    """The text as LaTeX, and whether some of it had to be written as code points."""
    parts: list[str] = []
    strange = False
    for each in text:
        if each in _SPECIAL:
            parts.append(_SPECIAL[each])
        elif " " <= each <= "~":
            parts.append(each)
        else:
            strange = True
            parts.append(f"U+{ord(each):04X}")
    return "".join(parts), strange


def _comment(text: str) -> str:
    """A comment's line: printable ASCII, so that it can't end early in any engine."""
    plain = text.replace("×", "x")
    return "".join([each if " " <= each <= "~" else "?" for each in plain])
