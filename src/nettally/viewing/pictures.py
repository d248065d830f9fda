"""What is on a picture, and where; ``render.pictures`` draws it, as SVG or PNG.

Colours are roles of the figures' palette: ink, muted, faint, accent.
"""

from __future__ import annotations

from typing import NamedTuple


class Pixels(NamedTuple):
    """RGB, a byte each, row by row from the top: 3 · columns · rows of them."""

    columns: int
    rows: int
    data: bytes


class Photo(NamedTuple):
    """Pixels in a place; w, h: how large they are shown. sharp: each pixel as a square."""

    x: float
    y: float
    w: float
    h: float
    pixels: Pixels
    title: str = ""
    sharp: bool = True


class Words(NamedTuple):
    """A line of text; y is its baseline. most: pixels, beyond which it is shortened; 0: none.

    The text is whatever a file says: it is made harmless where it is drawn.
    """

    x: float
    y: float
    text: str
    size: float = 13.0
    colour: str = "ink"
    anchor: str = "start"
    most: float = 0.0
    bold: bool = False


class Block(NamedTuple):
    """A filled rectangle, or only its edge."""

    x: float
    y: float
    w: float
    h: float
    fill: str = ""
    stroke: str = ""


class Stroke(NamedTuple):
    """A line through points (x, y). dashed: to be told from another one without its colour."""

    points: tuple[tuple[float, float], ...]
    colour: str = "ink"
    width: float = 1.5
    dashed: bool = False


Item = Photo | Words | Block | Stroke


class Picture(NamedTuple):
    """What is drawn, back to front, and its size in pixels."""

    title: str
    desc: str
    width: int
    height: int
    items: tuple[Item, ...]
