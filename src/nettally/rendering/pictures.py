"""Pictures of pixels and text: kernels, maps, images with captions; as SVG and PNG.

The SVG is of our own writing: text as text, pixels as PNG within it, no script, and no reference to
anything outside. The PNG is drawn by Pillow, with the font that comes with it, so that it looks the
same everywhere. The same picture gives the same bytes.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from typing import TYPE_CHECKING

from ..errors import NettallyError
from ..extras import to_install
from ..viewing.pictures import Photo, Picture, Pixels, Stroke, Words
from .drawing.palette import colours
from .drawing.text_metrics import FONTS, clean, is_measured, width

if TYPE_CHECKING:
    from typing import Any

    from ..viewing.pictures import Block

ENDINGS = (".png", ".svg")


def ending(path: str) -> str:
    """The file's ending. Raises NettallyError for one that is not written."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in ENDINGS:
        raise NettallyError(
            "pictures are written as .png or .svg", where=path, hint="-o picture.png"
        )
    return suffix


def paper(theme: str) -> tuple[int, ...]:
    """Red, green and blue of what is drawn on."""
    return tuple(bytes.fromhex(colours(theme)["paper"][1:]))


def shown(words: Words) -> str:
    """The text as it is drawn: harmless, and no longer than its room."""
    text, size = clean(words.text), words.size
    if not words.most or width(text, size, words.bold) <= words.most:
        return text
    keep = len(text)
    while keep and width(text[:keep].rstrip() + "…", size, words.bold) > words.most:
        keep -= 1
    return text[:keep].rstrip() + "…"


def save(picture: Picture, path: str, theme: str = "light") -> None:
    """Write the picture, whole or not at all. Raises NettallyError where it can't be."""
    data = svg(picture, theme).encode() if ending(path) == ".svg" else png(picture, theme)
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError as error:
        raise NettallyError(f"can't write the picture: {error.strerror}", where=path) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


# --- SVG ------------------------------------------------------------------------------------------


def svg(picture: Picture, theme: str = "light") -> str:
    """The picture as an SVG document."""
    from base64 import b64encode

    paint = colours(theme)
    w, h = picture.width, picture.height
    name = f"nettally-{zlib.crc32(f'{picture.title}{picture.desc}'.encode('utf-8', 'replace')):08x}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
        f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
        f'font-family="{FONTS}">',
        f'<title id="{name}-title">{_text(clean(picture.title))}</title>',
        f'<desc id="{name}-desc">{_text(clean(picture.desc))}</desc>',
        f'<rect width="{w}" height="{h}" fill="{paint["paper"]}"/>',
    ]
    for item in picture.items:
        if isinstance(item, Photo):
            drawn = b64encode(encoded(item.pixels)).decode("ascii")
            sharp = ' style="image-rendering:pixelated"' if item.sharp else ""
            title = f"<title>{_text(clean(item.title))}</title>" if item.title else ""
            lines.append(
                f'<image x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.w)}" '
                f'height="{_n(item.h)}" preserveAspectRatio="none"{sharp} '
                f'href="data:image/png;base64,{drawn}">{title}</image>'
            )
        elif isinstance(item, Words):
            lines.append(_label(item, paint[item.colour]))
        elif isinstance(item, Stroke):
            points = " ".join(f"{_n(x)},{_n(y)}" for x, y in item.points)
            dashes = ' stroke-dasharray="6 4"' if item.dashed else ""
            lines.append(
                f'<polyline points="{points}" fill="none" stroke="{paint[item.colour]}" '
                f'stroke-width="{_n(item.width)}" stroke-linejoin="round"{dashes}/>'
            )
        else:
            fill = paint[item.fill] if item.fill else "none"
            edge = f' stroke="{paint[item.stroke]}"' if item.stroke else ""
            lines.append(
                f'<rect x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.w)}" '
                f'height="{_n(item.h)}" fill="{fill}"{edge}/>'
            )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _label(item: Words, colour: str) -> str:
    text = shown(item)
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    bold = ' font-weight="bold"' if item.bold else ""
    fixed = ""
    if not is_measured(text):  # some font has it, and nobody knows how wide
        wide = _n(width(text, item.size, item.bold))
        fixed = f' textLength="{wide}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{_n(item.x)}" y="{_n(item.y)}" font-size="{_n(item.size)}"{anchor}{bold} '
        f'fill="{colour}"{fixed}>{_text(text)}</text>'
    )


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def _text(text: str) -> str:
    return "".join([_SPECIAL.get(each, each) for each in text])


def encoded(pixels: Pixels) -> bytes:
    """The pixels as a PNG file, 8 bits a colour (ISO/IEC 15948), each row unfiltered."""
    wide = 3 * pixels.columns
    rows = [b"\0" + pixels.data[start : start + wide] for start in range(0, len(pixels.data), wide)]
    head = struct.pack(">IIBBBBB", pixels.columns, pixels.rows, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(b"".join(rows), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# --- PNG ------------------------------------------------------------------------------------------


def png(picture: Picture, theme: str = "light") -> bytes:
    """The picture as a PNG file. Raises NettallyError where Pillow is not installed."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise NettallyError(
            "PNG is drawn by Pillow, which is not installed",
            hint=to_install("train", "write .svg"),
        ) from None

    paint = colours(theme)
    canvas = Image.new("RGB", (picture.width, picture.height), paint["paper"])
    draw = ImageDraw.Draw(canvas)
    fonts: dict[float, Any] = {}
    for item in picture.items:
        if isinstance(item, Photo):
            size = item.pixels.columns, item.pixels.rows
            photo = Image.frombytes("RGB", size, item.pixels.data)
            wanted = round(item.w), round(item.h)
            if wanted != size:
                kinds = Image.Resampling
                photo = photo.resize(wanted, kinds.NEAREST if item.sharp else kinds.BICUBIC)
            canvas.paste(photo, (round(item.x), round(item.y)))
        elif isinstance(item, Words):
            font = fonts.get(item.size)
            if font is None:
                font = fonts[item.size] = ImageFont.load_default(item.size * FINER)
            mask, left, top = _mask(item, font)
            canvas.paste(paint[item.colour], (left, top), mask)
        elif isinstance(item, Stroke):
            _stroke(canvas, item, paint[item.colour])
        else:
            x, y, right, bottom = (round(each) for each in _corners(item))
            if right > x and bottom > y:
                box = (x, y, right - 1, bottom - 1)
                edge = paint[item.stroke] if item.stroke else None
                draw.rectangle(box, fill=paint[item.fill] if item.fill else None, outline=edge)
    return encoded(Pixels(picture.width, picture.height, canvas.tobytes()))


def _stroke(canvas: Any, item: Stroke, colour: str) -> None:
    """Draw a line, as fine as text is drawn."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", (canvas.width * 2, canvas.height * 2))
    draw = ImageDraw.Draw(mask)
    points = [(x * 2, y * 2) for x, y in item.points]
    wide = max(1, round(item.width * 2))
    for run in _dashes(points) if item.dashed else [points]:
        draw.line(run, fill=255, width=wide, joint="curve")
    canvas.paste(colour, (0, 0), mask.resize(canvas.size, Image.Resampling.BOX))


Points = list[tuple[float, float]]


def _dashes(points: Points, on: float = 12.0, off: float = 8.0) -> list[Points]:
    """Pieces of a line of length ``on``, ``off`` apart."""
    pieces: list[Points] = []
    piece, left, drawing = points[:1], on, True
    for end in points[1:]:
        begin = piece[-1]
        while (far := math.dist(begin, end)) > left:
            share = left / far
            begin = (begin[0] + (end[0] - begin[0]) * share, begin[1] + (end[1] - begin[1]) * share)
            piece.append(begin)
            if drawing:
                pieces.append(piece)
            piece, drawing = [begin], not drawing
            left = on if drawing else off
        left -= far
        piece.append(end)
    return [*pieces, piece] if drawing and len(piece) > 1 else pieces


FINER = 4
"""Text is drawn so many times as large, and averaged: letters of 13 pixels, each set on a whole
pixel, would stand too near and too far from each other."""


def _mask(item: Words, font: Any) -> tuple[Any, int, int]:
    """How much of each pixel the text covers, and where the mask's corner lies."""
    from PIL import Image, ImageDraw

    text = _drawable(shown(item))
    heavy = round(item.size * FINER / 52) if item.bold else 0
    wide = font.getlength(text) / FINER
    left = item.x - {"start": 0.0, "middle": wide / 2, "end": wide}[item.anchor]
    x, y = int(left // 1) - 1, int((item.y - item.size * 1.1) // 1)
    across, down = int(wide) + 5, int(item.size * 1.5) + 2
    mask = Image.new("L", (across * FINER, down * FINER))
    place = (left - x) * FINER, (item.y - y) * FINER
    ImageDraw.Draw(mask).text(
        place, text, fill=255, font=font, anchor="ls", stroke_width=heavy, stroke_fill=255
    )
    return mask.resize((across, down), Image.Resampling.BOX), x, y


def _corners(item: Block) -> tuple[float, float, float, float]:
    return item.x, item.y, item.x + item.w, item.y + item.h


_LIKE = {"×": "x", "–": "-", "—": "-", "−": "-", "·": "-", "’": "'", "‘": "'", "ß": "ss", "ø": "o"}


def _drawable(text: str) -> str:
    """The text in the letters that Pillow's own font has: those of ASCII, and the ellipsis."""
    if text.isascii():
        return text
    from unicodedata import combining, normalize

    letters = ""
    for each in text:
        plain = _LIKE.get(each) or (
            each if each == "…" else "".join(c for c in normalize("NFKD", each) if not combining(c))
        )
        letters += plain if plain.isascii() or plain == "…" else "?"
    return letters
