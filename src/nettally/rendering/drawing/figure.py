"""A figure, which writes itself as SVG, PDF, PNG or TikZ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...display import within_a_cell
from .model import FigureContent, labels

if TYPE_CHECKING:
    from .model import Label


class Figure(FigureContent):
    """A figure: SVG when printed and in a notebook; ``save`` writes it to a file."""

    def svg(self) -> str:
        """The figure as an SVG document."""
        from .svg import svg

        return svg(self)

    def tex(self) -> str:
        """The figure as a LaTeX document of its own, in TikZ."""
        from .tikz import tikz

        return tikz(self)

    def save(self, path: str) -> None:
        """Write the figure to a file, as its name ends: .svg, .pdf, .png or .tex.

        Raises NettallyError for another ending, and where what writes PDF and PNG is not there.
        """
        from .files import save

        save(self, path)

    @property
    def labels(self) -> list[Label]:
        """All texts of the figure, with the boxes that they take."""
        return labels(self.items)

    def __str__(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Figure {self.style}: {self.width:.0f} x {self.height:.0f}>"

    def _repr_svg_(self) -> str:
        return within_a_cell(self.svg())
