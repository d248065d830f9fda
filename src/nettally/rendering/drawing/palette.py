"""The colours, by role: after Okabe and Ito's set, which the colour-blind can tell apart.

Families also differ in lightness, and no meaning is carried by colour alone: each shape is
labelled, so that a figure reads the same in grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FAMILIES = ("conv", "pool", "linear", "merge", "norm", "mix", "module", "input", "other")

LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#16191d",
    "muted": "#545c66",
    "line": "#6a737d",
    "faint": "#d8dce1",
    "wash": "#f4f5f7",
    "accent": "#b84a00",
    "accent.ink": "#803200",
    "accent.fill": "#f6d9c4",
    "conv.stroke": "#1d5a85",
    "conv.fill": "#cfe2f1",
    "conv.top": "#e3eef7",
    "conv.side": "#aac9e1",
    "pool.stroke": "#6d757e",
    "pool.fill": "#e6e9ec",
    "pool.top": "#f1f3f5",
    "pool.side": "#d3d8dd",
    "linear.stroke": "#0a6b50",
    "linear.fill": "#bfe3d6",
    "linear.top": "#dbf0e8",
    "linear.side": "#96cdb9",
    "merge.stroke": "#8a5f00",
    "merge.fill": "#fbe6bd",
    "merge.top": "#fdf2dc",
    "merge.side": "#eecf8f",
    "norm.stroke": "#7d858e",
    "norm.fill": "#f2f3f5",
    "norm.top": "#f8f9fa",
    "norm.side": "#e2e5e9",
    "mix.stroke": "#7f3f6b",
    "mix.fill": "#eed5e5",
    "mix.top": "#f6e8f1",
    "mix.side": "#dcb3cd",
    "module.stroke": "#42506b",
    "module.fill": "#dde3ee",
    "module.top": "#ebeff5",
    "module.side": "#bfc9dc",
    "input.stroke": "#42474e",
    "input.fill": "#f6f7f8",
    "input.top": "#fbfbfc",
    "input.side": "#e4e7ea",
    "other.stroke": "#545c66",
    "other.fill": "#eceef1",
    "other.top": "#f4f5f7",
    "other.side": "#d9dde2",
}

DARK: Mapping[str, str] = {
    "paper": "#0f1318",
    "ink": "#eceff2",
    "muted": "#a4adb8",
    "line": "#8b95a1",
    "faint": "#303842",
    "wash": "#181d24",
    "accent": "#f0a06a",
    "accent.ink": "#fcc8a6",
    "accent.fill": "#58331c",
    "conv.stroke": "#7db8e4",
    "conv.fill": "#1b4163",
    "conv.top": "#285a86",
    "conv.side": "#173a5a",
    "pool.stroke": "#98a1ab",
    "pool.fill": "#2a3038",
    "pool.top": "#363d46",
    "pool.side": "#20252c",
    "linear.stroke": "#5fc9a6",
    "linear.fill": "#12402f",
    "linear.top": "#1a5540",
    "linear.side": "#0d3023",
    "merge.stroke": "#e0b04a",
    "merge.fill": "#493708",
    "merge.top": "#5e480f",
    "merge.side": "#362905",
    "norm.stroke": "#87909a",
    "norm.fill": "#20252c",
    "norm.top": "#2a3038",
    "norm.side": "#191d23",
    "mix.stroke": "#d79abf",
    "mix.fill": "#47243b",
    "mix.top": "#5b304c",
    "mix.side": "#351a2c",
    "module.stroke": "#9fb0d0",
    "module.fill": "#2a3448",
    "module.top": "#37445d",
    "module.side": "#202838",
    "input.stroke": "#b4bcc5",
    "input.fill": "#1b2027",
    "input.top": "#252b33",
    "input.side": "#14181d",
    "other.stroke": "#a4adb8",
    "other.fill": "#242a32",
    "other.top": "#2f363f",
    "other.side": "#1b2027",
}

THEMES = ("light", "dark", "auto")
"""auto: light, and dark where the reader's system is (``prefers-color-scheme``)."""


def colours(theme: str) -> Mapping[str, str]:
    """The colours that are written into the file."""
    return DARK if theme == "dark" else LIGHT
