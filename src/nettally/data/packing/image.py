"""One image file to a square of raw bytes, as section 2 of the 2012 paper has it.

"We first rescaled the image such that the shorter side was of length 256, and then cropped out the
central 256×256 patch from the resulting image." What it does with odd files stands in docs/data.md.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import ReadError
from ...extras import to_install

if TYPE_CHECKING:
    from typing import BinaryIO

    from PIL.Image import Image as Picture

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Pillow's formats that are opened. EPS is not among them: Pillow would start a program for it."""

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"),
    )
)
"""How the names of images end, in lower case; other files are skipped, and counted."""

RESAMPLES = ("area", "bilinear", "bicubic", "lanczos", "nearest")

MAX_FILE = 256 * 2**20
"""How long an image file may be, in bytes."""

LONG = 8
"""An image longer than this many times its shorter side is cut before it is rescaled. What is left
is wider than what a filter reads of it for the middle, also where the shorter side is one pixel."""


class Square(NamedTuple):
    """How images are made: ``side`` x ``side``, grey or RGB, turned as EXIF says or not."""

    side: int = 256
    resample: str = "area"
    grey: bool = False
    upright: bool = False

    @property
    def channels(self) -> int:
        return 1 if self.grey else 3


class Broken(Exception):
    """A file that holds no image that can be read; its text says why."""


def decode(file: BinaryIO, square: Square) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The image in the file: uint8 (side, side, channels). Raises Broken."""
    from PIL import Image

    registered = _registered()
    known = [each for each in FORMATS if each in registered]
    try:
        with warnings.catch_warnings():
            # of odd EXIF data, palettes and sizes; what cannot be read raises an error
            warnings.simplefilter("ignore")
            with Image.open(file, formats=known) as picture:
                return squared(picture, square)
    except Broken:
        raise
    except MemoryError:
        raise Broken("it takes more memory than there is") from None
    except Image.UnidentifiedImageError:
        raise Broken("no image that is known here") from None
    except Image.DecompressionBombError as error:
        raise Broken(f"too many pixels: {_reason(error)}") from None
    except Exception as error:  # Pillow's decoders raise whatever they meet
        raise Broken(_reason(error)) from None


def squared(picture: Picture, square: Square) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An opened picture's first frame as such a square. Raises whatever Pillow raises."""
    from PIL import Image, ImageOps

    side = square.side
    if picture.format in ("JPEG", "MPO"):
        # libjpeg can decode at 1/2, 1/4, 1/8; at least four times the side is left to be rescaled,
        # so that the result differs by about one of 255 on the average (docs/data.md)
        short = min(picture.size)
        if short >= 8 * side:
            scale = short // (4 * side)
            picture.draft(None, (picture.width // scale, picture.height // scale))
    picture.load()
    if square.upright:
        picture = ImageOps.exif_transpose(picture)
    picture = _coloured(picture, "L" if square.grey else "RGB")
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    if short < 1:
        raise Broken("it has no pixels")
    if long > LONG * short:  # 1 x 10,000 pixels would become 256 x 2,560,000
        cut = LONG * short + (long - LONG * short) % 2
        begin = (long - cut) // 2
        box = (begin, 0, begin + cut, height) if width > height else (0, begin, width, begin + cut)
        picture = picture.crop(box)
        width, height = picture.size
    scale = side / short
    size = (
        (max(side, round(width * scale)), side)
        if width >= height
        else (side, max(side, round(height * scale)))
    )
    if size != (width, height):
        kinds = Image.Resampling
        if square.resample == "area":  # averages when it shrinks, as cuda-convnet2's make-data
            kind = kinds.BOX if scale < 1 else kinds.BICUBIC
        else:
            kind = getattr(kinds, square.resample.upper())
        picture = picture.resize(size, kind)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    return np.asarray(picture, dtype=np.uint8).reshape(side, side, square.channels)


def _coloured(picture: Picture, mode: str) -> Picture:
    """The picture in RGB or grey: 16 bits scaled, what is transparent laid on white."""
    from PIL import Image

    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        deep = np.asarray(picture).astype(np.int64).clip(0, 65535)
        picture = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise Broken("its pixels have 32 bits, of which it is not told which is white")
    if picture.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture if picture.mode == mode else picture.convert("RGB").convert(mode)


def _registered() -> frozenset[str]:
    """Pillow's formats that are there; some need libraries that it may be built without."""
    from PIL import Image

    Image.init()
    return frozenset(Image.OPEN)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]


def need_pillow() -> None:
    """Raises ReadError where Pillow is not installed."""
    from importlib.util import find_spec

    if find_spec("PIL") is None:
        raise ReadError(
            "images are decoded by Pillow, which is not installed",
            hint=to_install("train"),
        )
