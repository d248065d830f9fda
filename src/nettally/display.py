"""How a noun shows itself: as text, in a notebook, as rows. The renderers register here.

``nettally.displays`` says which noun is shown by which renderer; nothing down here knows either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable


class Display(NamedTuple):
    """The renderers of one type of noun; None for what it does not have.

    text: what ``str()`` gives. html, svg: what a notebook shows; svg gives None for what can't be
    drawn. rows: a list of flat dicts, for a table library.
    """

    text: Callable[[Any], str]
    html: Callable[[Any], str] | None = None
    svg: Callable[[Any], str | None] | None = None
    rows: Callable[[Any], list[dict[str, Any]]] | None = None


DISPLAYS = Registry("displays")
"""By type; a subclass is shown as its base is."""


def display_of(noun: object) -> Display | None:
    """The renderers of a noun's type, or of the nearest base that has some."""
    for kind in type(noun).__mro__[:-1]:
        display = DISPLAYS.find(kind)
        if display is not None:
            return display
    return None


class Displayed:
    """A noun that is printed, and shown in notebooks, by what is registered for its type."""

    __slots__ = ()

    def __str__(self) -> str:
        display = display_of(self)
        return repr(self) if display is None else display.text(self)

    def _repr_html_(self) -> str | None:
        display = display_of(self)
        return None if display is None or display.html is None else display.html(self)

    def _repr_svg_(self) -> str | None:
        display = display_of(self)
        svg = None if display is None or display.svg is None else display.svg(self)
        return None if svg is None else within_a_cell(svg)


def within_a_cell(svg: str) -> str:
    """An SVG document that is no wider than what it is shown in, as not every notebook sees to."""
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
