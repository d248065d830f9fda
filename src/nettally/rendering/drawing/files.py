"""Writing a figure to a file: SVG and TikZ are ours; CairoSVG makes PDF and PNG of the SVG."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...errors import NettallyError
from ...extras import to_install

if TYPE_CHECKING:
    from .model import FigureContent

ENDINGS = (".svg", ".pdf", ".png", ".tex")


def ending(path: str) -> str:
    """The file's ending, in lower case. Raises NettallyError for one that we do not write."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in ENDINGS:
        raise NettallyError(
            f"a figure is written as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}",
            where=path,
            hint="-o figure.svg",
        )
    return suffix


def save(figure: FigureContent, path: str) -> None:
    """Write the figure there. Raises NettallyError where it can't be."""
    from .svg import svg
    from .tikz import tikz

    kind = ending(path)
    if kind == ".svg":
        data = svg(figure).encode("utf-8")
    elif kind == ".tex":
        data = tikz(figure).encode("ascii")
    else:
        data = converted(figure, kind[1:])
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise NettallyError(
            "the figure can't be written", where=path, values=str(error.strerror)
        ) from None


def converted(figure: FigureContent, kind: str) -> bytes:
    """The figure as ``pdf`` or ``png``. Raises NettallyError where CairoSVG is not installed."""
    try:
        import cairosvg
    except ImportError:
        raise NettallyError(
            f"{kind.upper()} is written with CairoSVG, which is not installed",
            hint=to_install("figures", "write .svg or .tex"),
        ) from None
    except OSError:  # the Python package is there, the library that it calls is not
        raise NettallyError(
            f"{kind.upper()} is written with CairoSVG, which does not find the library cairo",
            hint="install cairo (libcairo2 in Debian), or write .svg or .tex",
        ) from None
    from .svg import svg

    text = svg(figure)
    if figure.theme == "auto":  # it has no reader whose system could be asked
        text = svg(figure.replace(theme="light"))
    library: Any = cairosvg
    data = text.encode("utf-8")
    if kind == "png":
        return library.svg2png(bytestring=data, unsafe=False)
    return _pdf(data, figure.title)


def _pdf(data: bytes, title: str) -> bytes:
    """The PDF without the time of its making, so that the same figure is the same file."""
    from cairocffi import (
        PDF_METADATA_CREATE_DATE,
        PDF_METADATA_CREATOR,
        PDF_METADATA_TITLE,
    )
    from cairosvg.surface import PDFSurface

    base: Any = PDFSurface

    class Undated(base):
        def _create_surface(self, width: float, height: float) -> Any:
            surface = super()._create_surface(width, height)
            surface[0].set_metadata(PDF_METADATA_CREATE_DATE, "1970-01-01T00:00:00Z")
            surface[0].set_metadata(PDF_METADATA_TITLE, title)
            surface[0].set_metadata(PDF_METADATA_CREATOR, "nettally")
            return surface

    return Undated.convert(bytestring=data, unsafe=False)
