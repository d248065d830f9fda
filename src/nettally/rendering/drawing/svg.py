"""SVG of our own: text as text, no script, no reference to anything outside, the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from .model import Box, Dot, Group, Label, Path
from .palette import DARK, LIGHT, colours
from .text_metrics import FONTS, is_measured, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .model import FigureContent, Item


def svg(figure: FigureContent) -> str:
    """The figure as an SVG document of its own width and height."""
    writer = _Writer(figure.theme)
    w, h = number(figure.width), number(figure.height)
    shown = figure.scale
    # several figures may stand in one page: their identifiers come from their contents
    identity = f"{figure.title}\n{figure.desc}\n{figure.theme}{shown}"
    name = f"nettally-{crc32(identity.encode('utf-8', 'replace')):08x}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(figure.width * shown)}" '
        f'height="{number(figure.height * shown)}" viewBox="0 0 {w} {h}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
        f'font-family="{FONTS}" stroke-linejoin="round" stroke-linecap="round">'
    )
    lines = [
        head,
        f'<title id="{name}-title">{_text(figure.title)}</title>',
        f'<desc id="{name}-desc">{_text(figure.desc)}</desc>',
    ]
    body = writer.items(figure.items)
    paper = writer.paint("fill", "paper") + writer.classes("paper")
    if figure.theme == "auto":
        lines.append(writer.style())
    lines.append(f'<rect width="{w}" height="{h}"{paper}/>')
    return "\n".join([*lines, *body, "</svg>"]) + "\n"


def number(value: float) -> str:
    """Two decimals, no trailing zeros, no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def _text(text: str) -> str:
    """Text, or an attribute's value: nothing in it is markup."""
    return "".join([_SPECIAL.get(each, each) for each in text])


class _Writer:
    def __init__(self, theme: str) -> None:
        self.colours: Mapping[str, str] = colours(theme)
        self.adapts = theme == "auto"
        self.used: dict[tuple[str, str], None] = {}

    def paint(self, attribute: str, role: str) -> str:
        if not role:
            return f' {attribute}="none"' if attribute == "fill" else ""
        markup = f' {attribute}="{self.colours[role]}"'
        if self.adapts:
            self.used[attribute, role] = None
        return markup

    def classes(self, fill: str = "", stroke: str = "") -> str:
        """Classes that the style sheet of the theme ``auto`` turns dark."""
        if not self.adapts:
            return ""
        names = [_class(a, role) for a, role in (("fill", fill), ("stroke", stroke)) if role]
        return f' class="{" ".join(names)}"' if names else ""

    def style(self) -> str:
        rules = [
            f".{_class(attribute, role)}{{{attribute}:{DARK[role]}}}"
            for attribute, role in sorted(self.used)
            if DARK[role] != LIGHT[role]
        ]
        return "<style>@media (prefers-color-scheme:dark){" + "".join(rules) + "}</style>"

    def items(self, items: Iterable[Item]) -> list[str]:
        lines: list[str] = []
        for item in items:
            if isinstance(item, Group):
                lines += ["<g>"]
                if item.title:
                    lines.append(f"<title>{_text(item.title)}</title>")
                lines += [*self.items(item.items), "</g>"]
            elif isinstance(item, Label):
                lines.append(self.label(item))
            else:
                lines.append(self.shape(item))
        return lines

    def label(self, label: Label) -> str:
        anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
        bold = ' font-weight="bold"' if label.bold else ""
        fixed = ""
        if not is_measured(label.text):  # some font has it, and nobody knows how wide
            wide = number(width(label.text, label.size, label.bold))
            fixed = f' textLength="{wide}" lengthAdjust="spacingAndGlyphs"'
        return (
            f'<text x="{number(label.x)}" y="{number(label.y)}" '
            f'font-size="{number(label.size)}"{anchor}{bold}{self.paint("fill", label.colour)}'
            f"{self.classes(label.colour)}{fixed}>"
            f"{_text(label.text)}</text>"
        )

    def shape(self, item: Path | Box | Dot) -> str:
        drawn = self.paint("fill", item.fill)
        if item.stroke:
            drawn += self.paint("stroke", item.stroke) + f' stroke-width="{number(item.width)}"'
        drawn += self.classes(item.fill, item.stroke)
        if isinstance(item, Dot):
            at = f'cx="{number(item.x)}" cy="{number(item.y)}" r="{number(item.r)}"'
            return f"<circle {at}{drawn}/>"
        if item.dash:
            drawn += f' stroke-dasharray="{" ".join(map(number, item.dash))}"'
        if isinstance(item, Box):
            at = f'x="{number(item.x)}" y="{number(item.y)}"'
            rounded = f' rx="{number(item.r)}"' if item.r else ""
            return (
                f'<rect {at} width="{number(item.w)}" height="{number(item.h)}"{rounded}{drawn}/>'
            )
        if item.opacity != 1:
            drawn += f' opacity="{number(item.opacity)}"'
        steps = "".join(
            [name + " ".join([number(value) for value in values]) for name, values in item.steps]
        )
        return f'<path d="{steps}"{drawn}/>'


def _class(attribute: str, role: str) -> str:
    return f"nettally-{attribute[0]}-" + role.replace(".", "-")
